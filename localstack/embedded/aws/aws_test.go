package aws_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

type whereOutput struct{ Account, Region, Endpoint string }

// endpoint serves two services; both know where they were asked, and one can fail.
func endpoint(log io.Writer) *aws.Endpoint {
	l := slog.New(slog.NewTextHandler(log, nil))
	where := api.Op(func(c *api.Call, _ *struct{}) (*whereOutput, error) {
		return &whereOutput{c.Account, c.Region, c.Endpoint}, nil
	})
	return aws.NewEndpoint(l,
		&api.Service{Name: "one", TargetPrefix: "One", Version: "2001-01-01", Log: l, Operations: api.Operations{
			"Where": where,
			"Panic": api.Op(func(*api.Call, *struct{}) (*struct{}, error) { panic("nil map") }),
		}},
		&api.Service{Name: "two", Version: "2002-02-02", Log: l, Operations: api.Operations{"Where": where, "Confirm": where}},
	)
}

func signed(key, region, service string) http.Header {
	return http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=" + key + "/20261201/" + region + "/" + service + "/aws4_request, SignedHeaders=host, Signature=0"}}
}

func TestRequestsReachTheirServiceAccountAndRegion(t *testing.T) {
	json := func(h http.Header, target string) http.Header { h.Set("X-Amz-Target", target); return h }
	for name, test := range map[string]struct {
		header http.Header
		query  string
		want   string
	}{
		"the key of a 12-digit account":    {json(signed("123456789012", "eu-west-1", "one"), "One.Where"), "", `{"Account":"123456789012","Region":"eu-west-1","Endpoint":"http://example.com"}`},
		"any other key":                    {json(signed("AKIDEXAMPLE", "us-east-2", "one"), "One.Where"), "", `"Account":"000000000000","Region":"us-east-2"`},
		"the query protocol, signed":       {signed("test", "us-east-1", "two"), "Action=Where", `<Account>000000000000</Account>`},
		"an unsigned link, by its action":  {http.Header{}, "Action=Confirm", "ConfirmResponse"},
		"an unsigned link, by its version": {http.Header{}, "Action=Where&Version=2002-02-02", "<Region>us-east-1</Region>"},
		"a presigned URL":                  {http.Header{}, "Action=Where&X-Amz-Credential=" + url.QueryEscape("210987654321/20261201/ap-south-1/two/aws4_request"), "<Account>210987654321</Account><Region>ap-south-1</Region>"},
		"a service that is not here":       {json(signed("test", "us-east-1", "kinesis"), "Kinesis_20131202.PutRecord"), "", "does not serve Kinesis_20131202.PutRecord"},
		"a query for a service not here":   {signed("test", "us-east-1", "cloudformation"), "Action=ListStacks", "does not serve the service cloudformation"},
		"nothing at all":                   {http.Header{}, "", "does not serve this request"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/?"+test.query, strings.NewReader(""))
			r.Header = test.header
			w := httptest.NewRecorder()
			endpoint(io.Discard).ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s\nwant %s", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestAPanicInAnOperationEndsThatRequestOnly(t *testing.T) {
	var log strings.Builder
	e := endpoint(&log)
	for range 2 {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", "One.Panic")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != 500 || strings.Contains(w.Body.String(), "nil map") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if !strings.Contains(log.String(), "nil map") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", 9<<20)))
	r.Header.Set("X-Amz-Target", "One.Where")
	w := httptest.NewRecorder()
	endpoint(io.Discard).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", w.Code)
	}
}

func TestTransportEndsARequestWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		start := time.Now()
		client := &http.Client{Transport: aws.Transport{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done() // a long poll
			ended <- time.Since(start)
		})}}
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if d := <-ended; d != 7*time.Second {
			t.Errorf("the handler's context ended after %v", d)
		}
	})
}

func TestAHandlerThatGivesUpCutsTheConnection(t *testing.T) {
	for name, giveUp := range map[string]func(){
		"by a panic with http.ErrAbortHandler": func() { panic(http.ErrAbortHandler) },
		"by the end of its goroutine":          runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			client := &http.Client{Transport: aws.Transport{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { giveUp() })}}
			resp, err := client.Get("http://127.0.0.1/")
			if err == nil {
				_ = resp.Body.Close()
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v", err)
			}
		})
	}
}
