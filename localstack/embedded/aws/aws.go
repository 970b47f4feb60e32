// Package aws is the one HTTP endpoint of the local cloud's AWS services. It finds out which service a request is for,
// in which account and region, and hands it over; the services themselves are packages below.
//
// Signatures are not verified: any secret key is right. The access key id names the account if it is 12 digits long,
// otherwise the account is DefaultAccount; the region is the one that the request was signed for.
package aws

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// What a request without a signature (a link in a message, say) is taken for.
const (
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
)

// maxBody is the largest request read, in bytes: well over the 1 MiB of a batch, even in base64 and form encoding.
const maxBody = 8 << 20

// Endpoint serves several AWS services at one address. It is an http.Handler.
type Endpoint struct {
	services map[string]*api.Service // by signing name
	targets  map[string]*api.Service // by prefix of X-Amz-Target
	pages    map[string]http.Handler // what a service serves to browsers and subscribers, by path
	log      *slog.Logger
}

// NewEndpoint returns the endpoint of services.
func NewEndpoint(log *slog.Logger, services ...*api.Service) *Endpoint {
	e := &Endpoint{services: map[string]*api.Service{}, targets: map[string]*api.Service{}, pages: map[string]http.Handler{}, log: log}
	for _, s := range services {
		e.services[s.Name] = s
		if s.TargetPrefix != "" {
			e.targets[s.TargetPrefix] = s
		}
	}
	return e
}

// Page serves path with h: an answer that is none of an operation, such as SNS's signing certificate.
func (e *Endpoint) Page(path string, h http.Handler) { e.pages[path] = h }

func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := e.pages[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	c := &api.Call{Context: r.Context(), RequestID: requestID(), Endpoint: "http://" + r.Host, Path: r.URL.Path, Header: r.Header}
	var signedFor string
	c.Account, c.Region, signedFor = scope(r)

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if r.Context().Err() == nil {
			http.Error(w, "the request body could not be read: "+err.Error(), http.StatusRequestEntityTooLarge)
		}
		return
	}

	var service *api.Service
	target := r.Header.Get("X-Amz-Target")
	var form url.Values
	if target != "" {
		prefix, action, _ := strings.Cut(target, ".")
		service, c.Action = e.targets[prefix], action
	} else {
		c.Query = true
		form, err = url.ParseQuery(string(body))
		if err != nil {
			form = url.Values{}
		}
		for k, v := range r.URL.Query() {
			form[k] = append(form[k], v...)
		}
		c.Action = form.Get("Action")
		if s := e.services[signedFor]; s != nil && s.Version != "" {
			service = s
		} else if signedFor == "" {
			service = e.unsigned(form)
		}
	}
	if service == nil {
		e.log.Warn("request for no service of this cloud", "method", r.Method, "path", r.URL.Path, "target", target, "service", signedFor, "action", c.Action)
		noService(w, c, target, signedFor)
		return
	}

	defer func() { // one request's failure is its own
		if p := recover(); p != nil {
			e.log.Error("panic in an operation", "service", service.Name, "operation", c.Action, "panic", p, "stack", string(debug.Stack()))
			service.WriteError(w, c, fmt.Errorf("panic: %v", p))
		}
	}()
	if c.Query {
		service.ServeQuery(w, c, form)
	} else {
		service.ServeJSON(w, c, body)
	}
}

// unsigned finds the service of a request that nobody signed: by the API version that it names, or by its action.
func (e *Endpoint) unsigned(form url.Values) *api.Service {
	for _, s := range e.services {
		if s.Version == "" {
			continue
		}
		if v := form.Get("Version"); v != "" && v != s.Version {
			continue
		}
		if _, ok := s.Operations[form.Get("Action")]; ok {
			return s
		}
	}
	return nil
}

func noService(w http.ResponseWriter, c *api.Call, target, signedFor string) {
	what := "this request"
	switch {
	case target != "":
		what = target
	case signedFor != "":
		what = "the service " + signedFor
	}
	(&api.Service{Name: "aws", Namespace: "http://webservices.amazon.com/", Log: slog.New(slog.DiscardHandler)}).WriteError(w, c,
		&api.Error{Code: "UnknownOperationException", Message: "The local cloud does not serve " + what + ".", Status: http.StatusNotFound})
}

// scope reads account, region and service from the credential of an AWS Signature Version 4, in the header or in the URL.
func scope(r *http.Request) (account, region, service string) {
	account, region = DefaultAccount, DefaultRegion
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(after, ",")
	}
	parts := strings.Split(credential, "/") // key/date/region/service/aws4_request
	if len(parts) != 5 {
		return account, region, ""
	}
	if isAccount(parts[0]) {
		account = parts[0]
	}
	if parts[2] != "" {
		region = parts[2]
	}
	return account, region, parts[3]
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

func requestID() string {
	a, b := rand.Uint64(), rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// Transport is an http.RoundTripper that calls a handler in the same process, in a goroutine of the caller's own:
// a client in a testing/synctest bubble reaches the services without a socket. A request whose context ends
// while the handler still runs (a long poll) fails at once, and the handler's request context ends too.
type Transport struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	in := r.WithContext(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	done := make(chan *http.Response, 1)
	go func() {
		var resp *http.Response // nil: the handler gave up, with http.ErrAbortHandler or runtime.Goexit
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
			_ = in.Body.Close()
			done <- resp
		}()
		w := newRecorder()
		t.Handler.ServeHTTP(w, in)
		resp = w.response(r)
	}()
	select {
	case resp := <-done:
		if resp == nil {
			return nil, io.ErrUnexpectedEOF // as of a connection that the server cuts
		}
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
