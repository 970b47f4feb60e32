package api

import (
	"bytes"
	"encoding/json"
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

func (s *Service) writeJSON(w http.ResponseWriter, c *Call, out any) {
	body, err := json.Marshal(out)
	if err != nil {
		s.writeJSONError(w, c, err)
		return
	}
	writeBody(w, c, "application/x-amz-json-1.0", http.StatusOK, body)
}

func (s *Service) writeJSONError(w http.ResponseWriter, c *Call, err error) {
	e := s.serviceError(c, err)
	if s.Version != "" { // a service that also speaks the query protocol tells its code there
		w.Header().Set("X-Amzn-Query-Error", e.queryCode()+";"+e.fault())
	}
	prefix := ""
	if s.ShapePrefix != "" {
		prefix = s.ShapePrefix + "#"
	}
	body, err := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{prefix + e.Code, e.Message})
	if err != nil {
		panic(err) // two strings always marshal
	}
	writeBody(w, c, "application/x-amz-json-1.0", e.status(), body)
}

func writeBody(w http.ResponseWriter, c *Call, contentType string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Amzn-Requestid", c.RequestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
