package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

type call struct {
	Function string   `rest:"path"`
	Kinds    []string `rest:"query=kind"`
	Max      *int32   `rest:"query=MaxItems"`
	Type     string   `rest:"header=X-Amz-Invocation-Type"`
	Note     string
	At       api.Timestamp `json:",omitzero"`
}

type invocation struct {
	Function string `rest:"path"`
	Payload  []byte `rest:"body"`
}

type invoked struct {
	Status  int    `rest:"status"`
	Version string `rest:"header=X-Amz-Executed-Version"`
	Payload []byte `rest:"body"`
}

func functions(got *call) *api.Service {
	return &api.Service{
		Name: "lambda", Log: slog.New(slog.DiscardHandler),
		Routes: []api.Route{
			{Method: "PUT", Path: "/functions/{Function}", Action: "Put", Status: 201},
			{Method: "POST", Path: "/functions/{Function}/invocations", Action: "Invoke"},
			{Method: "DELETE", Path: "/functions/{Function}", Action: "Delete", Status: 204},
			{Method: "GET", Path: "/functions/", Action: "List"},
		},
		Operations: api.Operations{
			"Put": api.Op(func(_ *api.Call, in *call) (*call, error) { *got = *in; return in, nil }),
			"Invoke": api.Op(func(_ *api.Call, in *invocation) (*invoked, error) {
				return &invoked{Status: 202, Version: "7", Payload: []byte(in.Function + string(in.Payload))}, nil
			}),
			"Delete": api.Op(func(_ *api.Call, _ *struct{}) (*struct{}, error) { return &struct{}{}, nil }),
			"List": api.Op(func(_ *api.Call, _ *struct{}) (*struct{}, error) {
				return nil, &api.Error{Code: "TooManyRequestsException", Message: "slow down", Status: 429,
					Details: map[string]any{"Reason": "CallerRateLimitExceeded", "retryAfterSeconds": "1"}}
			}),
		},
	}
}

func rest(s *api.Service, method, target, body string, header ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	s.RESTHandler()(w, r, &api.Call{Context: r.Context(), RequestID: "r-1", Protocol: api.REST}, []byte(body))
	return w
}

func TestREST(t *testing.T) {
	var got call
	s := functions(&got)
	t.Run("members come from the path, the query, the headers and the body", func(t *testing.T) {
		w := rest(s, "PUT", "/functions/arn%3Aaws%3Alambda%2Fx?kind=a&kind=b&MaxItems=5", `{"Note":"n","At":1764570000.25}`, "X-Amz-Invocation-Type", "Event")
		five := int32(5)
		want := call{"arn:aws:lambda/x", []string{"a", "b"}, &five, "Event", "n", api.At(time.Date(2025, 12, 1, 6, 20, 0, 250e6, time.UTC))}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if w.Code != 201 || w.Body.String() != `{"Note":"n","At":1764570000.25}` {
			t.Errorf("answer %d %s", w.Code, w.Body)
		}
	})
	t.Run("a member may be the whole body, and an answer's status and headers may be members", func(t *testing.T) {
		w := rest(s, "POST", "/functions/f/invocations", `[1]`)
		if w.Code != 202 || w.Body.String() != "f[1]" || w.Header().Get("X-Amz-Executed-Version") != "7" {
			t.Errorf("answer %d %s %v", w.Code, w.Body, w.Header())
		}
	})
	t.Run("204 has no body", func(t *testing.T) {
		if w := rest(s, "DELETE", "/functions/f", ""); w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("answer %d %s", w.Code, w.Body)
		}
	})
	t.Run("a last slash makes no difference, and an error carries its details", func(t *testing.T) {
		for _, target := range []string{"/functions", "/functions/"} {
			w := rest(s, "GET", target, "")
			if w.Code != 429 || w.Header().Get("X-Amzn-Errortype") != "TooManyRequestsException" || w.Header().Get("Retry-After") != "1" ||
				w.Body.String() != `{"Message":"slow down","Reason":"CallerRateLimitExceeded","Type":"User"}` {
				t.Errorf("answer %d %s %v", w.Code, w.Body, w.Header())
			}
		}
	})
	t.Run("a route that does not exist is the service's error", func(t *testing.T) {
		w := rest(s, "PATCH", "/layers", "")
		if w.Code != 404 || w.Header().Get("X-Amzn-Errortype") != "UnknownOperationException" {
			t.Errorf("answer %d %v", w.Code, w.Header())
		}
	})
	t.Run("a value that cannot be read is the sender's error", func(t *testing.T) {
		for _, body := range []string{`{"Note":`, `{"Note":5}`} {
			if w := rest(s, "PUT", "/functions/f", body); w.Code != 400 || w.Header().Get("X-Amzn-Errortype") != "SerializationException" {
				t.Errorf("%s: answer %d %v", body, w.Code, w.Header())
			}
		}
		if w := rest(s, "PUT", "/functions/f?MaxItems=many", "{}"); w.Code != 400 {
			t.Errorf("answer %d", w.Code)
		}
	})
}

type datum struct {
	Name   string
	Value  float64
	At     api.Timestamp `json:",omitzero"`
	Labels map[string]string
	Unset  *int32 `json:",omitempty"`
}

func TestCBOR(t *testing.T) {
	var got datum
	s := &api.Service{
		Name: "monitoring", CBORName: "Metrics", Version: "2010-08-01", ShapePrefix: "com.example", Log: slog.New(slog.DiscardHandler),
		Operations: api.Operations{
			"Put": api.Op(func(_ *api.Call, in *datum) (*datum, error) { got = *in; return in, nil }),
			"Gone": api.Op(func(_ *api.Call, _ *struct{}) (*struct{}, error) {
				return nil, &api.Error{Code: "ResourceNotFound", QueryCode: "ResourceNotFoundCode", Message: "gone", Status: 404}
			}),
		},
	}
	ask := func(action string, in any) (*httptest.ResponseRecorder, map[string]any) {
		body, err := cbor.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeCBOR(w, &api.Call{Context: t.Context(), Action: action, Protocol: api.CBOR}, body)
		var out map[string]any
		if err := cbor.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return w, out
	}
	at := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	t.Run("members are read and written", func(t *testing.T) {
		w, out := ask("Put", map[string]any{"Name": "depth", "Value": 3, "At": cbor.Tag{Number: 1, Content: at.Unix()}, "Labels": map[string]string{"a": "b"}})
		if d := cmp.Diff(datum{"depth", 3, api.At(at), map[string]string{"a": "b"}, nil}, got); d != "" {
			t.Error(d)
		}
		if _, ok := out["Unset"]; ok || out["Name"] != "depth" || !out["At"].(time.Time).Equal(at) || w.Header().Get("Smithy-Protocol") != "rpc-v2-cbor" {
			t.Errorf("answer %v %v", out, w.Header())
		}
	})
	t.Run("an error tells its code in both protocols", func(t *testing.T) {
		w, out := ask("Gone", map[string]any{})
		if w.Code != 404 || out["__type"] != "com.example#ResourceNotFound" || w.Header().Get("X-Amzn-Query-Error") != "ResourceNotFoundCode;Sender" {
			t.Errorf("answer %d %v %v", w.Code, out, w.Header())
		}
	})
	t.Run("a body that is no CBOR is the sender's error", func(t *testing.T) {
		for _, body := range []string{"\xff", "{", strings.Repeat("\x81", 1000), "\xa1bAt\xc1\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"} {
			w := httptest.NewRecorder()
			s.ServeCBOR(w, &api.Call{Context: t.Context(), Action: "Put", Protocol: api.CBOR}, []byte(body))
			if w.Code != 400 {
				t.Errorf("%q: answer %d", body, w.Code)
			}
		}
	})
}

func TestTimestamp(t *testing.T) {
	for in, want := range map[string]string{
		`1764570000`:                  `1764570000`,
		`1764570000.5`:                `1764570000.5`,
		`"2025-12-01T06:20:00Z"`:      `1764570000`,
		`"2025-12-01T07:20:00+01:00"`: `1764570000`,
	} {
		var ts api.Timestamp
		if err := json.Unmarshal([]byte(in), &ts); err != nil {
			t.Fatal(err)
		}
		if out, _ := json.Marshal(ts); string(out) != want {
			t.Errorf("%s becomes %s, want %s", in, out, want)
		}
	}
	var ts api.Timestamp
	if err := json.Unmarshal([]byte(`"yesterday"`), &ts); err == nil {
		t.Error("a text that is no time was read")
	}
}

func TestInvoke(t *testing.T) {
	var got call
	s := functions(&got)
	t.Run("an operation runs without a request", func(t *testing.T) {
		var out struct{ Note string }
		err := s.Invoke(&api.Call{Context: t.Context(), Action: "Put"}, map[string]any{"Function": "f", "Note": "n"}, &out)
		if err != nil || got.Function != "f" || out.Note != "n" {
			t.Errorf("error %v, got %+v, answer %+v", err, got, out)
		}
	})
	t.Run("a caller without permission is refused", func(t *testing.T) {
		var asked []string
		err := s.Invoke(&api.Call{Context: t.Context(), Action: "Put", Authorize: func(action string, resources ...string) error {
			asked = append(asked, action)
			return api.Errorf("AccessDeniedException", "no")
		}}, struct{}{}, nil)
		if err == nil || cmp.Diff([]string{"lambda:Put"}, asked) != "" {
			t.Errorf("error %v, asked for %v", err, asked)
		}
	})
}
