package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// In REST-JSON the operation is known by the method and the path. Of a struct's fields
//
//	FunctionName string `rest:"path"`                            a part of the path
//	MaxItems     int32  `rest:"query=MaxItems"`                  of the URL's query; a list takes each value
//	Type         string `rest:"header=X-Amz-Invocation-Type"`    a header, in an answer too
//	Payload      []byte `rest:"body"`                            the whole body, instead of a JSON object
//	Status       int    `rest:"status"`                          of the answer
//
// and those without the tag are members of a JSON object, the body.
// Source: Smithy 2.0 specification, AWS restJson1 protocol (checked 2026-12-01).

// Route is where an operation of a REST-JSON service is reached.
type Route struct {
	Method string
	Path   string // "/2015-03-31/functions/{FunctionName}"; a last slash makes no difference
	Action string
	Status int // of a success; 0 means 200
}

type restCall struct {
	call *Call
	body []byte
}

type restKey struct{}

// RESTHandler returns a function that answers requests of the REST-JSON protocol. Make it once.
func (s *Service) RESTHandler() func(w http.ResponseWriter, r *http.Request, c *Call, body []byte) {
	mux := http.NewServeMux()
	for _, route := range s.Routes {
		mux.HandleFunc(route.Method+" "+strings.TrimSuffix(route.Path, "/"), func(w http.ResponseWriter, r *http.Request) {
			rest := r.Context().Value(restKey{}).(restCall)
			rest.call.Action = route.Action
			s.serveREST(w, r, rest.call, route, rest.body)
		})
	}
	return func(w http.ResponseWriter, r *http.Request, c *Call, body []byte) {
		r = r.WithContext(context.WithValue(r.Context(), restKey{}, restCall{c, body}))
		u := *r.URL
		u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
		r.URL = &u
		if _, pattern := mux.Handler(r); pattern == "" { // the mux would answer in plain text
			c.Action = r.Method + " " + r.URL.Path
			_, err := s.answer(c, nil)
			s.writeRESTError(w, c, err)
			return
		}
		mux.ServeHTTP(w, r)
	}
}

func (s *Service) serveREST(w http.ResponseWriter, r *http.Request, c *Call, route Route, body []byte) {
	out, err := s.answer(c, func(in any) error { return decodeREST(r, body, reflect.ValueOf(in).Elem()) })
	if err != nil {
		s.writeRESTError(w, c, err)
		return
	}
	s.writeREST(w, c, route, reflect.ValueOf(out).Elem())
}

// restShape is what a struct type's tags say.
type restShape struct {
	fields []restField
	rest   []int        // which of the struct's fields make up the JSON object
	object reflect.Type // a struct of these
}

type restField struct {
	index       int
	place, name string // "header", "X-Amz-Invocation-Type"
}

var restShapes sync.Map // reflect.Type -> restShape

func shapeOf(t reflect.Type) restShape {
	if s, ok := restShapes.Load(t); ok {
		return s.(restShape)
	}
	var s restShape
	var members []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("rest")
		if !ok {
			if f.IsExported() {
				s.rest = append(s.rest, i)
				members = append(members, f)
			}
			continue
		}
		place, name, _ := strings.Cut(tag, "=")
		if name == "" {
			name = f.Name
		}
		s.fields = append(s.fields, restField{i, place, name})
	}
	s.object = reflect.StructOf(members)
	restShapes.Store(t, s)
	return s
}

func (s restShape) hasBody() bool {
	return slices.ContainsFunc(s.fields, func(f restField) bool { return f.place == "body" })
}

func decodeREST(r *http.Request, body []byte, in reflect.Value) error {
	shape := shapeOf(in.Type())
	if len(body) > 0 && len(shape.rest) > 0 && !shape.hasBody() {
		object := reflect.New(shape.object)
		if err := decodeJSON(body, object.Interface()); err != nil {
			return err
		}
		for i, index := range shape.rest {
			in.Field(index).Set(object.Elem().Field(i))
		}
	}
	query := r.URL.Query()
	for _, f := range shape.fields {
		var values []string
		switch f.place {
		case "path":
			values = []string{r.PathValue(f.name)}
		case "query":
			values = query[f.name]
		case "header":
			values = r.Header.Values(f.name)
		case "body":
			in.Field(f.index).SetBytes(body)
			continue
		}
		if len(values) == 0 {
			continue
		}
		v := in.Field(f.index)
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.ValueOf(values).Convert(v.Type()))
			continue
		}
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		if err := setScalar(v, values[0]); err != nil {
			return Errorf("SerializationException", "The value of %s could not be read: %v", f.name, err)
		}
	}
	return nil
}

func (s *Service) writeREST(w http.ResponseWriter, c *Call, route Route, out reflect.Value) {
	status := route.Status
	if status == 0 {
		status = http.StatusOK
	}
	shape := shapeOf(out.Type())
	var body []byte
	for _, f := range shape.fields {
		v := out.Field(f.index)
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				continue
			}
			v = v.Elem()
		}
		switch f.place {
		case "status":
			if v.Int() != 0 {
				status = int(v.Int())
			}
		case "header":
			if !v.IsZero() {
				w.Header().Set(f.name, fmt.Sprint(v.Interface()))
			}
		case "body":
			body = v.Bytes()
		}
	}
	if !shape.hasBody() && len(shape.rest) > 0 {
		object := reflect.New(shape.object).Elem()
		for i, index := range shape.rest {
			object.Field(i).Set(out.Field(index))
		}
		var err error
		if body, err = json.Marshal(object.Interface()); err != nil {
			s.writeRESTError(w, c, err)
			return
		}
	}
	if status == http.StatusNoContent { // has no body, and says nothing of its length
		w.Header().Set("X-Amzn-Requestid", c.RequestID)
		w.WriteHeader(status)
		return
	}
	writeBody(w, c, "application/json", status, body)
}

func (s *Service) writeRESTError(w http.ResponseWriter, c *Call, err error) {
	e := s.serviceError(c, err)
	shape := map[string]any{}
	for k, v := range e.Details {
		shape[k] = v
	}
	shape["Type"], shape["Message"] = "User", e.Message
	if e.Receiver {
		shape["Type"] = "Service"
	}
	if after, ok := e.Details["retryAfterSeconds"]; ok {
		w.Header().Set("Retry-After", fmt.Sprint(after))
		delete(shape, "retryAfterSeconds")
	}
	body, err := json.Marshal(shape)
	if err != nil {
		panic(err) // strings always marshal, and so do the details that our own services add
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	writeBody(w, c, "application/json", e.status(), body)
}
