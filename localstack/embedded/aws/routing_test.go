package aws_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// protocols serves a service for each protocol that the path or the signature tells.
func protocols() *aws.Endpoint {
	l := slog.New(slog.DiscardHandler)
	say := func(name string) api.Operation {
		return api.Op(func(c *api.Call, _ *struct{}) (*whereOutput, error) {
			return &whereOutput{c.Account, name, c.AccessKeyID}, nil
		})
	}
	return aws.NewEndpoint(l,
		&api.Service{Name: "lambda", Log: l, Routes: []api.Route{{Method: "GET", Path: "/functions/{name}", Action: "Get"}}, Operations: api.Operations{"Get": say("lambda")}},
		&api.Service{Name: "monitoring", CBORName: "Metrics", Version: "2010-08-01", Log: l, Operations: api.Operations{"Put": say("monitoring")}},
		&api.Service{Name: "logs", TargetPrefix: "Logs", JSONVersion: "1.1", MaxBody: 100, Log: l, Operations: api.Operations{"Put": say("logs")}},
		&api.Service{Name: "s3", Log: l, HTTP: func(w http.ResponseWriter, r *http.Request, c *api.Call) {
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "s3 %s %s %s", c.Account, r.URL.Path, body)
		}},
	)
}

func TestRequestsReachTheirProtocol(t *testing.T) {
	for name, test := range map[string]struct {
		method, target string
		header         http.Header
		body           string
		want           string
	}{
		"REST-JSON, by who it is signed for": {"GET", "/functions/f", signed("111122223333", "us-east-1", "lambda"), "", `{"Account":"111122223333","Region":"lambda"`},
		"CBOR, by its path":                  {"POST", "/service/Metrics/operation/Put", http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}}, "", "jmonitoring"},
		"S3, by who it is signed for":        {"PUT", "/bucket/key", signed("test", "us-east-1", "s3"), "data", "s3 000000000000 /bucket/key data"},
		"an object's link without signature": {"GET", "/bucket/key", http.Header{}, "", "s3 000000000000 /bucket/key "},
		"an action without signature":        {"GET", "/?Action=Put", http.Header{}, "", "PutResponse"},
		"a form without signature":           {"POST", "/", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, "Action=Put&Version=2010-08-01", "PutResponse"},
		"a zipped body":                      {"POST", "/", http.Header{"X-Amz-Target": {"Logs.Put"}, "Content-Encoding": {"gzip"}}, zipped("{}"), `"logs"`},
		"a body over the service's limit":    {"POST", "/", withTarget(signed("test", "us-east-1", "logs"), "Logs.Put"), strings.Repeat(" ", 101), "request body could not be read"},
		"a zipped body over the limit":       {"POST", "/", zip(withTarget(signed("test", "us-east-1", "logs"), "Logs.Put")), zipped(strings.Repeat(" ", 10000)), "over 100 bytes, unzipped"},
		"an issued key":                      {"GET", "/functions/f", signed("ASIAISSUED", "us-east-1", "lambda"), "", `{"Account":"444455556666","Region":"lambda","Endpoint":"ASIAISSUED"}`},
	} {
		t.Run(name, func(t *testing.T) {
			e := protocols()
			e.Account = func(key string) (string, bool) { return "444455556666", key == "ASIAISSUED" }
			r := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
			r.Header = test.header
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s\nwant %s", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestPagesStandForAPathOrForAllBelowOne(t *testing.T) {
	e := protocols()
	say := func(what string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, what) })
	}
	e.Page("/certificate.pem", say("certificate"))
	e.Page("/responses/", say("responses"))
	for target, want := range map[string]string{"/certificate.pem": "certificate", "/responses/1/2": "responses", "/responses": "s3 000000000000 /responses "} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Body.String() != want {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
}

func TestCallersInsideTheCloud(t *testing.T) {
	e := protocols()
	from := api.Caller{Account: "111122223333", Region: "eu-west-1", AccessKeyID: "ASIA1"}
	t.Run("run an operation", func(t *testing.T) {
		var out whereOutput
		if err := e.Invoke(t.Context(), from, "logs", "Put", struct{}{}, &out); err != nil || out.Account != "111122223333" || out.Endpoint != "ASIA1" {
			t.Errorf("%+v %v", out, err)
		}
	})
	t.Run("reach a service that speaks for itself", func(t *testing.T) {
		r := httptest.NewRequest("PUT", "/bucket", strings.NewReader("x"))
		resp, err := e.Do(from, "s3", r)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != "s3 111122223333 /bucket x" {
			t.Errorf("%s", b)
		}
	})
	t.Run("are told of a service that is not here", func(t *testing.T) {
		if err := e.Invoke(t.Context(), from, "kinesis", "Put", struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "kinesis") {
			t.Error(err)
		}
	})
	t.Run("are denied what policies deny", func(t *testing.T) {
		e.Authorize = func(c *api.Call, action string, _ ...string) error {
			return api.Errorf("AccessDeniedException", "%s may not %s", c.AccessKeyID, action)
		}
		if err := e.Invoke(t.Context(), from, "logs", "Put", struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "ASIA1 may not logs:Put") {
			t.Error(err)
		}
	})
}

func withTarget(h http.Header, target string) http.Header { h.Set("X-Amz-Target", target); return h }

func zip(h http.Header) http.Header { h.Set("Content-Encoding", "gzip"); return h }

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}
