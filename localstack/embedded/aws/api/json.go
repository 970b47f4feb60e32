package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

func decodeJSON(body []byte, in any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, in); err != nil {
		return Errorf("SerializationException", "The request body could not be read: %v", err)
	}
	return nil
}

func (s *Service) jsonType() string {
	if s.JSONVersion == "" {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-" + s.JSONVersion
}

func (s *Service) writeJSON(w http.ResponseWriter, c *Call, out any) {
	body, err := json.Marshal(out)
	if err != nil {
		s.writeJSONError(w, c, err)
		return
	}
	writeBody(w, c, s.jsonType(), http.StatusOK, body)
}

func (s *Service) writeJSONError(w http.ResponseWriter, c *Call, err error) {
	e := s.serviceError(c, err)
	s.queryCompatible(w, e)
	body, err := json.Marshal(s.errorShape(e))
	if err != nil {
		panic(err) // strings always marshal, and so do the details that our own services add
	}
	writeBody(w, c, s.jsonType(), e.status(), body)
}

// queryCompatible tells a service's code in the query protocol, if it speaks that too, to clients of another.
func (s *Service) queryCompatible(w http.ResponseWriter, e *Error) {
	if s.Version != "" {
		w.Header().Set("X-Amzn-Query-Error", e.queryCode()+";"+e.fault())
	}
}

func (s *Service) errorShape(e *Error) map[string]any {
	shape := map[string]any{}
	maps.Copy(shape, e.Details)
	shape["__type"], shape["message"] = e.Code, e.Message
	if s.ShapePrefix != "" {
		shape["__type"] = s.ShapePrefix + "#" + e.Code
	}
	return shape
}

func writeBody(w http.ResponseWriter, c *Call, contentType string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Amzn-Requestid", c.RequestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
