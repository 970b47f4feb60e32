// Package aws is the one HTTP endpoint of the local cloud's AWS services. It finds out which service a request is for,
// in which account and region, and hands it over; the services themselves are packages below.
//
// Signatures are not verified: any secret key is right. The account is the one that issued the access key (see Endpoint.Account),
// or the access key id itself if that is 12 digits long, otherwise DefaultAccount; the region is the one that the request was
// signed for.
package aws

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
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

// maxBody is the largest request read of a service that says nothing else, in bytes: well over the 1 MiB of a batch of
// messages, even in base64 and form encoding.
const maxBody = 8 << 20

// Endpoint serves several AWS services at one address. It is an http.Handler.
type Endpoint struct {
	services map[string]*api.Service // by signing name
	targets  map[string]*api.Service // by prefix of X-Amz-Target
	cbor     map[string]*api.Service // by name in the path of RPC v2 CBOR
	rest     map[*api.Service]func(w http.ResponseWriter, r *http.Request, c *api.Call, body []byte)
	pages    map[string]http.Handler // what a service serves to browsers and subscribers, by path
	log      *slog.Logger

	// Account returns the account of an access key that a service of the cloud issued. Nil: none did.
	Account func(accessKeyID string) (account string, ok bool)
	// Authorize decides whether a call's caller may do action to all of resources (none: "*"). Nil: everybody may do everything.
	// It is not asked for a caller inside the cloud without an access key, which is the cloud itself.
	Authorize func(c *api.Call, action string, resources ...string) error
}

// NewEndpoint returns the endpoint of services.
func NewEndpoint(log *slog.Logger, services ...*api.Service) *Endpoint {
	e := &Endpoint{
		services: map[string]*api.Service{}, targets: map[string]*api.Service{}, cbor: map[string]*api.Service{},
		rest:  map[*api.Service]func(http.ResponseWriter, *http.Request, *api.Call, []byte){},
		pages: map[string]http.Handler{}, log: log,
	}
	for _, s := range services {
		e.services[s.Name] = s
		if s.TargetPrefix != "" {
			e.targets[s.TargetPrefix] = s
		}
		if s.CBORName != "" {
			e.cbor[s.CBORName] = s
		}
		if len(s.Routes) > 0 {
			e.rest[s] = s.RESTHandler()
		}
	}
	return e
}

// Page serves path with h: an answer that is none of an operation, such as SNS's signing certificate. A path that ends
// in a slash stands for everything below it.
func (e *Endpoint) Page(path string, h http.Handler) { e.pages[path] = h }

func (e *Endpoint) page(path string) http.Handler {
	if h := e.pages[path]; h != nil {
		return h
	}
	for p, h := range e.pages {
		if strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return h
		}
	}
	return nil
}

// Invoke runs an operation of a service for a caller inside the cloud. In and out are values whose JSON is that of the
// operation's members; out may be nil. Its error is an *api.Error.
func (e *Endpoint) Invoke(ctx context.Context, from api.Caller, service, action string, in, out any) error {
	s := e.services[service]
	if s == nil {
		return api.Errorf("UnknownOperationException", "The local cloud does not serve %s.", service)
	}
	c := e.internal(ctx, from)
	c.Action = action
	return s.Invoke(c, in, out)
}

// Do answers an HTTP request of a caller inside the cloud to a service that speaks for itself.
func (e *Endpoint) Do(from api.Caller, service string, r *http.Request) (*http.Response, error) {
	s := e.services[service]
	if s == nil || s.HTTP == nil {
		return nil, fmt.Errorf("the local cloud does not serve %s", service)
	}
	c := e.internal(r.Context(), from)
	c.Path, c.Header = r.URL.Path, r.Header
	return Transport{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.HTTP(w, r, c) })}.RoundTrip(r)
}

func (e *Endpoint) internal(ctx context.Context, from api.Caller) *api.Call {
	c := &api.Call{
		Context: ctx, RequestID: api.UUID(), Endpoint: from.Endpoint, Header: http.Header{},
		Account: from.Account, Region: from.Region, AccessKeyID: from.AccessKeyID,
	}
	if from.AccessKeyID != "" {
		e.guard(c)
	}
	return c
}

func (e *Endpoint) guard(c *api.Call) {
	if e.Authorize != nil {
		c.Authorize = func(action string, resources ...string) error { return e.Authorize(c, action, resources...) }
	}
}

func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := e.page(r.URL.Path); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	c := &api.Call{Context: r.Context(), RequestID: api.UUID(), Endpoint: "http://" + r.Host, Path: r.URL.Path, Header: r.Header}
	var signedFor string
	c.AccessKeyID, c.Region, signedFor = scope(r)
	c.Account = e.account(c.AccessKeyID)
	e.guard(c)

	service := e.services[signedFor]
	defer func() { // one request's failure is its own
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p) // the connection is to be cut
			}
			name := "none"
			if service != nil {
				name = service.Name
			}
			e.log.Error("panic in an operation", "service", name, "operation", c.Action, "panic", p, "stack", string(debug.Stack()))
			if service != nil && service.HTTP == nil {
				service.WriteError(w, c, fmt.Errorf("panic: %v", p))
			} else {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
	}()
	target := r.Header.Get("X-Amz-Target")
	if service == nil && signedFor == "" && target == "" && objectRequest(r) {
		service = e.services["s3"]
	}
	if service != nil && service.HTTP != nil {
		service.HTTP(w, r, c)
		return
	}

	limit := int64(maxBody)
	if service != nil && service.MaxBody > 0 {
		limit = service.MaxBody
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		if r.Context().Err() == nil {
			http.Error(w, "the request body could not be read: "+err.Error(), http.StatusRequestEntityTooLarge)
		}
		return
	}

	var form url.Values
	var serve func()
	if name, action, ok := cborPath(r); ok {
		service, c.Action, c.Protocol = e.cbor[name], action, api.CBOR
		serve = func() { service.ServeCBOR(w, c, body) }
	} else if target != "" {
		var prefix string
		prefix, c.Action, _ = strings.Cut(target, ".")
		service = e.targets[prefix]
		serve = func() { service.ServeJSON(w, c, body) }
	} else if rest := e.rest[service]; rest != nil {
		c.Protocol = api.REST
		serve = func() { rest(w, r, c, body) }
	} else {
		c.Protocol = api.Query
		form, err = url.ParseQuery(string(body))
		if err != nil {
			form = url.Values{}
		}
		for k, v := range r.URL.Query() {
			form[k] = append(form[k], v...)
		}
		c.Action = form.Get("Action")
		if service != nil && service.Version == "" {
			service = nil
		} else if signedFor == "" {
			service = e.unsigned(form)
		}
		serve = func() { service.ServeQuery(w, c, form) }
	}
	if service == nil {
		e.log.Warn("request for no service of this cloud", "method", r.Method, "path", r.URL.Path, "target", target, "service", signedFor, "action", c.Action)
		noService(w, c, target, signedFor)
		return
	}
	serve()
}

func (e *Endpoint) account(accessKeyID string) string {
	if e.Account != nil {
		if account, ok := e.Account(accessKeyID); ok {
			return account
		}
	}
	if isAccount(accessKeyID) {
		return accessKeyID
	}
	return DefaultAccount
}

// objectRequest tells whether a request that nobody signed may be one for an object in S3: a link, say.
func objectRequest(r *http.Request) bool {
	if r.URL.Query().Has("Action") || r.Header.Get("Smithy-Protocol") != "" {
		return false
	}
	return r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// cborPath reads the path of RPC v2 CBOR: /service/NAME/operation/ACTION.
func cborPath(r *http.Request) (service, action string, ok bool) {
	if r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		return "", "", false
	}
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) < 5 || parts[len(parts)-4] != "service" || parts[len(parts)-2] != "operation" {
		return "", "", false
	}
	return parts[len(parts)-3], parts[len(parts)-1], true
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(body)
	}
	unzip, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(unzip, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it is over %d bytes, unzipped", limit)
	}
	return b, err
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

// scope reads access key, region and service from the credential of an AWS Signature Version 4, in the header or in the URL.
func scope(r *http.Request) (accessKeyID, region, service string) {
	region = DefaultRegion
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(after, ",")
	}
	parts := strings.Split(credential, "/") // key/date/region/service/aws4_request
	if len(parts) != 5 {
		return "", region, ""
	}
	if parts[2] != "" {
		region = parts[2]
	}
	return parts[0], region, parts[3]
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
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
