package api

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The query protocol flattens a request to form keys and answers in XML. Of a struct's field
//
//	Attributes map[string]string `query:"Attribute,key=Name,value=Value"`
//
// the tag's first part is the name on the wire, key= and value= name the parts of a map's entry (default: key and value).
// `query:"-"` leaves a field out. Lists and maps are wrapped (Name.member.1, Name.entry.1.key) unless the service
// has flat lists (Name.1, Name.1.Name).
// Source: Smithy 2.0 specification, AWS query protocol (checked 2026-12-01).

type queryField struct {
	index      int
	name       string
	key, value string
}

func queryFields(t reflect.Type) []queryField {
	fields := make([]queryField, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		q := queryField{index: i, name: f.Name, key: "key", value: "value"}
		parts := strings.Split(f.Tag.Get("query"), ",")
		if parts[0] == "-" {
			continue
		}
		if parts[0] != "" {
			q.name = parts[0]
		}
		for _, p := range parts[1:] {
			switch k, v, _ := strings.Cut(p, "="); k {
			case "key":
				q.key = v
			case "value":
				q.value = v
			}
		}
		fields = append(fields, q)
	}
	return fields
}

// form is a request's keys in order, so that the keys below a prefix are found by binary search.
type form struct {
	keys   []string
	values map[string][]string
	flat   bool
}

func decodeQuery(values map[string][]string, in any, flat bool) error {
	f := form{values: values, flat: flat, keys: make([]string, 0, len(values))}
	for k := range values {
		f.keys = append(f.keys, k)
	}
	slices.Sort(f.keys)
	return f.decode("", reflect.ValueOf(in).Elem(), queryField{})
}

// has tells whether the request has the key itself or one below it.
func (f *form) has(key string) bool {
	if _, ok := f.values[key]; ok {
		return true
	}
	i, _ := slices.BinarySearch(f.keys, key+".")
	return i < len(f.keys) && strings.HasPrefix(f.keys[i], key+".")
}

func (f *form) decode(key string, v reflect.Value, field queryField) error {
	switch {
	case v.Kind() == reflect.Pointer:
		if !f.has(key) {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return f.decode(key, v.Elem(), field)
	case v.Type() == reflect.TypeFor[Timestamp](): // a scalar
	case v.Kind() == reflect.Struct:
		for _, q := range queryFields(v.Type()) {
			name := q.name
			if key != "" {
				name = key + "." + name
			}
			if err := f.decode(name, v.Field(q.index), q); err != nil {
				return err
			}
		}
		return nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		if !f.flat {
			key += ".member"
		}
		for i := 1; f.has(key + "." + strconv.Itoa(i)); i++ {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := f.decode(key+"."+strconv.Itoa(i), e, queryField{}); err != nil {
				return err
			}
			v.Set(reflect.Append(v, e))
		}
		return nil
	case v.Kind() == reflect.Map:
		if !f.flat {
			key += ".entry"
		}
		for i := 1; f.has(key + "." + strconv.Itoa(i)); i++ {
			entry := key + "." + strconv.Itoa(i)
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			if err := f.decode(entry+"."+field.key, k, queryField{}); err != nil {
				return err
			}
			if err := f.decode(entry+"."+field.value, e, queryField{}); err != nil {
				return err
			}
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(k, e)
		}
		return nil
	}
	text, ok := f.values[key]
	if !ok || len(text) == 0 {
		return nil
	}
	if err := setScalar(v, text[0]); err != nil {
		return Errorf("MalformedInput", "The value of %s could not be read: %v", key, err)
	}
	return nil
}

func setScalar(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.Struct:
		return v.Addr().Interface().(*Timestamp).parse(text)
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(n)
	case reflect.Slice: // of bytes
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("not base64: %w", err)
		}
		v.SetBytes(b)
	default:
		panic("api: a query member of type " + v.Type().String())
	}
	return nil
}

func (s *Service) writeQuery(w http.ResponseWriter, c *Call, out any) {
	var b bytes.Buffer
	b.WriteString("<" + c.Action + `Response xmlns="` + s.Namespace + `">`)
	v := reflect.ValueOf(out).Elem()
	if v.Type() != reflect.TypeFor[struct{}]() { // the clients of an output without members still look for its element
		b.WriteString("<" + c.Action + "Result>")
		s.encode(&b, "", v, queryField{})
		b.WriteString("</" + c.Action + "Result>")
	}
	b.WriteString("<ResponseMetadata><RequestId>" + c.RequestID + "</RequestId></ResponseMetadata></" + c.Action + "Response>")
	writeBody(w, c, "text/xml", http.StatusOK, b.Bytes())
}

func (s *Service) writeQueryError(w http.ResponseWriter, c *Call, err error) {
	e := s.serviceError(c, err)
	var b bytes.Buffer
	b.WriteString(`<ErrorResponse xmlns="` + s.Namespace + `"><Error><Type>` + e.fault() + "</Type>")
	element(&b, "Code", e.queryCode())
	element(&b, "Message", e.Message)
	b.WriteString("<Detail/></Error><RequestId>" + c.RequestID + "</RequestId></ErrorResponse>")
	writeBody(w, c, "text/xml", e.status(), b.Bytes())
}

func element(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a Buffer's writes do not fail
	b.WriteString("</" + name + ">")
}

func (s *Service) encode(b *bytes.Buffer, name string, v reflect.Value, field queryField) {
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			s.encode(b, name, v.Elem(), field)
		}
	case v.Type() == reflect.TypeFor[time.Time]():
		element(b, name, v.Interface().(time.Time).UTC().Format(iso8601))
	case v.Type() == reflect.TypeFor[Timestamp]():
		if t := v.Interface().(Timestamp); !t.IsZero() {
			element(b, name, t.UTC().Format(iso8601))
		}
	case v.Kind() == reflect.Struct:
		if name != "" {
			b.WriteString("<" + name + ">")
		}
		for _, q := range queryFields(v.Type()) {
			s.encode(b, q.name, v.Field(q.index), q)
		}
		if name != "" {
			b.WriteString("</" + name + ">")
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		s.wrapped(b, name, func() {
			for i := range v.Len() {
				if s.FlatLists {
					s.encode(b, name, v.Index(i), queryField{})
				} else {
					s.encode(b, "member", v.Index(i), queryField{})
				}
			}
		})
	case v.Kind() == reflect.Map:
		entry := "entry"
		if s.FlatLists {
			entry = name
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		s.wrapped(b, name, func() {
			for _, k := range keys {
				b.WriteString("<" + entry + ">")
				element(b, field.key, k.String())
				if e := v.MapIndex(k); e.Kind() == reflect.String {
					element(b, field.value, e.String()) // an entry has its value, even an empty one
				} else {
					s.encode(b, field.value, e, queryField{})
				}
				b.WriteString("</" + entry + ">")
			}
		})
	case v.Kind() == reflect.Slice:
		if v.Len() > 0 {
			element(b, name, base64.StdEncoding.EncodeToString(v.Bytes()))
		}
	case v.Kind() == reflect.String:
		if v.Len() > 0 {
			element(b, name, v.String())
		}
	default:
		element(b, name, fmt.Sprint(v.Interface()))
	}
}

func (s *Service) wrapped(b *bytes.Buffer, name string, entries func()) {
	if s.FlatLists {
		entries()
		return
	}
	b.WriteString("<" + name + ">")
	entries()
	b.WriteString("</" + name + ">")
}
