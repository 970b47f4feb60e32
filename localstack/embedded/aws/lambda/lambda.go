// Package lambda is AWS Lambda for the local cloud: functions, versions, aliases, invocations and permissions. Event source mappings
// are in package eventsource.
//
// A function of the runtime provided.al2023 runs as what is deployed: its bootstrap, a program for this machine, as a child process
// that speaks the public Runtime API. Each execution environment is one process, serves one invocation after the other, and
// ends when it has been idle for a while, when a timeout or its own exit ends it, or with the cloud. A function may also be one of
// Go in this process (Register): it runs in virtual time.
//
// The property Architectures is kept, but what counts is what the bootstrap was built for: it must run on this machine. Memory is
// not limited to MemorySize. Not offered, and refused by name: other runtimes, container images, layers, VPCs, file systems,
// provisioned concurrency, SnapStart, X-Ray, function URLs, response streaming, code signing, durable functions.
//
// Sources, where a comment names no other: AWS Lambda Developer Guide and API Reference, as of 2026-12-01. Texts of errors are those
// that users of the service have published.
package lambda

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// CodePath is where GetFunction's links to deployment packages lead: Service.Code serves what is below it.
const CodePath = "/_lambda/code/"

// A LogEvent is a line that a function or the service wrote.
type LogEvent struct {
	Time    time.Time
	Message string
}

// Options configure a Service. Each part may be left out: then its effect does not happen, or is refused.
type Options struct {
	Log *slog.Logger // nil discards
	// Endpoint is the address of the cloud, for functions that are processes. Nil: there are none, only those of Register.
	Endpoint func() string
	// Object reads a deployment package from S3.
	Object func(account, bucket, key, version string) ([]byte, error)
	// Logs takes a function's log, of one stream in order.
	Logs func(account, region, group, stream string, events []LogEvent)
	// Metric takes one value of a metric in the namespace AWS/Lambda.
	Metric func(account, region, name, unit string, value float64, dimensions map[string]string)
	// Deliver sends a record to the queue, topic or function of that ARN, with attributes where it can have some.
	Deliver func(ctx context.Context, account, targetARN, body string, attributes map[string]string) error
	// PassRole decides whether a caller may give a function a role, and Lambda assume it. Nil: everybody may.
	PassRole func(c *api.Call, roleARN string) error
	// MappingTags calls change with the tags of the event source mapping of that ARN; false: there is none.
	MappingTags func(arn string, change func(tags map[string]string)) bool
	// Credentials are a session of the function's role. Nil: the account's root.
	Credentials func(account, roleARN string) (accessKeyID, secret, token string, err error)
}

// Service is Lambda in every region and account. It is safe for concurrent use.
type Service struct {
	Options
	ctx     context.Context // of everything that runs
	cancel  context.CancelFunc
	running sync.WaitGroup // invocations, environments and events

	mu        sync.Mutex
	closed    bool
	functions map[key]*function
	busy      map[place]int // concurrent executions, of functions without a reserve of their own
	folder    string        // of unpacked code; made when it is needed
	unpacked  map[string]*unpacking
}

// place is where functions share a limit.
type place struct{ account, region string }

type key struct{ account, region, name string }

// Account limits: "Lambda quotas".
const (
	accountConcurrency = 1000
	minUnreserved      = 100
	codeStorage        = 80_530_636_800 // bytes
	codeUnzipped       = 262_144_000    // bytes
	codeZipped         = 52_428_800     // bytes, in the request
)

// New returns a service without functions.
func New(o Options) *Service {
	s := &Service{Options: o, functions: map[key]*function{}, busy: map[place]int{}, unpacked: map[string]*unpacking{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Close ends all invocations and processes, and waits for them. Nothing runs afterwards.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, f := range s.functions {
		for _, v := range f.all() {
			s.retire(v)
		}
	}
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	if s.folder == "" {
		return nil
	}
	return os.RemoveAll(s.folder)
}

const path = "/2015-03-31/functions"

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	const one = path + "/{FunctionName}"
	return &api.Service{
		Name: "lambda", Log: s.Log, MaxBody: 80 << 20, Resources: resources,
		Routes: []api.Route{
			{Method: "POST", Path: path, Action: "CreateFunction", Status: 201},
			{Method: "GET", Path: path, Action: "ListFunctions"},
			{Method: "GET", Path: one, Action: "GetFunction"},
			{Method: "DELETE", Path: one, Action: "DeleteFunction", Status: 204},
			{Method: "PUT", Path: one + "/code", Action: "UpdateFunctionCode"},
			{Method: "GET", Path: one + "/configuration", Action: "GetFunctionConfiguration"},
			{Method: "PUT", Path: one + "/configuration", Action: "UpdateFunctionConfiguration"},
			{Method: "POST", Path: one + "/invocations", Action: "Invoke"},
			{Method: "POST", Path: one + "/versions", Action: "PublishVersion", Status: 201},
			{Method: "GET", Path: one + "/versions", Action: "ListVersionsByFunction"},
			{Method: "POST", Path: one + "/aliases", Action: "CreateAlias", Status: 201},
			{Method: "GET", Path: one + "/aliases", Action: "ListAliases"},
			{Method: "GET", Path: one + "/aliases/{Name}", Action: "GetAlias"},
			{Method: "PUT", Path: one + "/aliases/{Name}", Action: "UpdateAlias"},
			{Method: "DELETE", Path: one + "/aliases/{Name}", Action: "DeleteAlias", Status: 204},
			{Method: "POST", Path: one + "/policy", Action: "AddPermission", Status: 201},
			{Method: "GET", Path: one + "/policy", Action: "GetPolicy"},
			{Method: "DELETE", Path: one + "/policy/{StatementId}", Action: "RemovePermission", Status: 204},
			{Method: "PUT", Path: "/2017-10-31/functions/{FunctionName}/concurrency", Action: "PutFunctionConcurrency"},
			{Method: "DELETE", Path: "/2017-10-31/functions/{FunctionName}/concurrency", Action: "DeleteFunctionConcurrency", Status: 204},
			{Method: "GET", Path: "/2019-09-30/functions/{FunctionName}/concurrency", Action: "GetFunctionConcurrency"},
			{Method: "PUT", Path: "/2019-09-25/functions/{FunctionName}/event-invoke-config", Action: "PutFunctionEventInvokeConfig"},
			{Method: "POST", Path: "/2019-09-25/functions/{FunctionName}/event-invoke-config", Action: "UpdateFunctionEventInvokeConfig"},
			{Method: "GET", Path: "/2019-09-25/functions/{FunctionName}/event-invoke-config", Action: "GetFunctionEventInvokeConfig"},
			{Method: "DELETE", Path: "/2019-09-25/functions/{FunctionName}/event-invoke-config", Action: "DeleteFunctionEventInvokeConfig", Status: 204},
			{Method: "GET", Path: "/2019-09-25/functions/{FunctionName}/event-invoke-config/list", Action: "ListFunctionEventInvokeConfigs"},
			{Method: "GET", Path: "/2017-03-31/tags/{Resource}", Action: "ListTags"},
			{Method: "POST", Path: "/2017-03-31/tags/{Resource}", Action: "TagResource", Status: 204},
			{Method: "DELETE", Path: "/2017-03-31/tags/{Resource}", Action: "UntagResource", Status: 204},
			{Method: "GET", Path: "/2016-08-19/account-settings", Action: "GetAccountSettings"},
		},
		Operations: api.Operations{
			"CreateFunction":                  api.Op(s.createFunction),
			"ListFunctions":                   api.Op(s.listFunctions),
			"GetFunction":                     api.Op(s.getFunction),
			"DeleteFunction":                  api.Op(s.deleteFunction),
			"UpdateFunctionCode":              api.Op(s.updateFunctionCode),
			"GetFunctionConfiguration":        api.Op(s.getFunctionConfiguration),
			"UpdateFunctionConfiguration":     api.Op(s.updateFunctionConfiguration),
			"Invoke":                          api.Op(s.invokeOperation),
			"PublishVersion":                  api.Op(s.publishVersion),
			"ListVersionsByFunction":          api.Op(s.listVersionsByFunction),
			"CreateAlias":                     api.Op(s.createAlias),
			"ListAliases":                     api.Op(s.listAliases),
			"GetAlias":                        api.Op(s.getAlias),
			"UpdateAlias":                     api.Op(s.updateAlias),
			"DeleteAlias":                     api.Op(s.deleteAlias),
			"AddPermission":                   api.Op(s.addPermission),
			"GetPolicy":                       api.Op(s.getPolicy),
			"RemovePermission":                api.Op(s.removePermission),
			"PutFunctionConcurrency":          api.Op(s.putFunctionConcurrency),
			"DeleteFunctionConcurrency":       api.Op(s.deleteFunctionConcurrency),
			"GetFunctionConcurrency":          api.Op(s.getFunctionConcurrency),
			"PutFunctionEventInvokeConfig":    api.Op(s.putFunctionEventInvokeConfig),
			"UpdateFunctionEventInvokeConfig": api.Op(s.updateFunctionEventInvokeConfig),
			"GetFunctionEventInvokeConfig":    api.Op(s.getFunctionEventInvokeConfig),
			"DeleteFunctionEventInvokeConfig": api.Op(s.deleteFunctionEventInvokeConfig),
			"ListFunctionEventInvokeConfigs":  api.Op(s.listFunctionEventInvokeConfigs),
			"ListTags":                        api.Op(s.listTags),
			"TagResource":                     api.Op(s.tagResource),
			"UntagResource":                   api.Op(s.untagResource),
			"GetAccountSettings":              api.Op(s.getAccountSettings),
		},
	}
}

// resources returns the ARN of the function that a request is about, for policies.
func resources(c *api.Call, in any) []string {
	v := reflect.ValueOf(in).Elem()
	text := func(field string) string {
		if f := v.FieldByName(field); f.IsValid() && f.Kind() == reflect.String {
			return f.String()
		}
		return ""
	}
	called := text("FunctionName")
	if f, ok := in.(*functionInput); ok {
		called = cmp.Or(f.FunctionName, f.Name)
	}
	if called == "" {
		if arn := text("Resource"); arn != "" {
			return []string{arn}
		}
		return nil
	}
	n, err := parseName(c.Account, c.Region, called, text("Qualifier"))
	if err != nil {
		return nil // the operation says what is wrong with it
	}
	return []string{n.arn()}
}

// Code serves deployment packages: CodePath, account, region, name, version.
func (s *Service) Code() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, CodePath), "/")
		if len(parts) == 4 {
			s.mu.Lock()
			f := s.functions[key{parts[0], parts[1], parts[2]}]
			var zipped []byte
			if f != nil && f.version(parts[3]) != nil {
				zipped = f.version(parts[3]).code.zipped
			}
			s.mu.Unlock()
			if zipped != nil {
				w.Header().Set("Content-Type", "application/zip")
				_, _ = w.Write(zipped) // the client may be gone
				return
			}
		}
		http.NotFound(w, r)
	})
}

func invalid(format string, args ...any) *api.Error {
	return api.Errorf("InvalidParameterValueException", format, args...)
}

func notOffered(what string) *api.Error {
	return invalid("The local cloud does not offer %s.", what)
}

func notFound(format string, args ...any) *api.Error {
	return &api.Error{Code: "ResourceNotFoundException", Message: fmt.Sprintf(format, args...), Status: http.StatusNotFound}
}

func conflict(format string, args ...any) *api.Error {
	return &api.Error{Code: "ResourceConflictException", Message: fmt.Sprintf(format, args...), Status: http.StatusConflict}
}

// constraint is the error of a member outside its limits.
func constraint(value any, member, rule string) *api.Error {
	return &api.Error{Code: "ValidationException", Message: fmt.Sprintf("1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, rule)}
}

// A name is how clients call a function: by its name, a part of its ARN or the whole ARN, with or without version or alias.
type name struct {
	key
	qualifier string // empty: none
}

func parseName(account, region, text, qualifier string) (name, error) {
	n := name{key: key{account, region, text}, qualifier: qualifier}
	parts := strings.Split(text, ":")
	switch {
	case strings.HasPrefix(text, "arn:"):
		if len(parts) < 7 || parts[2] != "lambda" || parts[5] != "function" || len(parts) > 8 {
			return n, constraint(text, "functionName", "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?")
		}
		n.region, n.account = parts[3], parts[4]
		parts = parts[6:]
	case len(parts) > 2 && parts[1] == "function": // 123456789012:function:name
		n.account = parts[0]
		parts = parts[2:]
	case len(parts) > 1 && parts[0] == "function":
		parts = parts[1:]
	}
	n.name = parts[0]
	if len(parts) == 2 {
		if qualifier != "" && qualifier != parts[1] {
			return n, invalid("The derived qualifier from the function name does not match the specified qualifier.")
		}
		n.qualifier = parts[1]
	}
	if !functionName.MatchString(n.name) {
		return n, constraint(text, "functionName", "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+")
	}
	return n, nil
}

func (k key) arn() string {
	return "arn:aws:lambda:" + k.region + ":" + k.account + ":function:" + k.name
}

func (n name) arn() string {
	if n.qualifier == "" {
		return n.key.arn()
	}
	return n.key.arn() + ":" + n.qualifier
}

// find returns the function that a call names. The caller holds mu.
func (s *Service) find(c *api.Call, text, qualifier string) (*function, name, error) {
	n, err := parseName(c.Account, c.Region, text, qualifier)
	if err != nil {
		return nil, n, err
	}
	f := s.functions[n.key]
	if f == nil {
		return nil, n, notFound("Function not found: %s", n.arn())
	}
	return f, n, nil
}

// resolve returns the version that a call names, by number or alias; an alias with weights picks one at random. The caller holds mu.
func (s *Service) resolve(c *api.Call, text, qualifier string) (*version, name, error) {
	f, n, err := s.find(c, text, qualifier)
	if err != nil {
		return nil, n, err
	}
	v := f.at(n.qualifier)
	if v == nil {
		return nil, n, notFound("Function not found: %s", n.arn())
	}
	return v, n, nil
}

// sorted returns the functions of a place by name. The caller holds mu.
func (s *Service) sorted(account, region string) (list []*function) {
	for _, f := range s.functions {
		if f.account == account && f.region == region {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b *function) int { return strings.Compare(a.name, b.name) })
	return list
}

type accountSettings struct {
	AccountLimit struct {
		CodeSizeUnzipped, CodeSizeZipped, ConcurrentExecutions, TotalCodeSize, UnreservedConcurrentExecutions int
	}
	AccountUsage struct{ FunctionCount, TotalCodeSize int }
}

func (s *Service) getAccountSettings(c *api.Call, _ *struct{}) (*accountSettings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &accountSettings{}
	out.AccountLimit.CodeSizeUnzipped, out.AccountLimit.CodeSizeZipped = codeUnzipped, codeZipped
	out.AccountLimit.ConcurrentExecutions, out.AccountLimit.TotalCodeSize = accountConcurrency, codeStorage
	out.AccountLimit.UnreservedConcurrentExecutions = accountConcurrency - s.reserved(c.Account, c.Region, nil)
	for _, f := range s.sorted(c.Account, c.Region) {
		out.AccountUsage.FunctionCount++
		for _, v := range f.all() {
			out.AccountUsage.TotalCodeSize += len(v.code.zipped)
		}
	}
	return out, nil
}

type tagsInput struct {
	Resource string `rest:"path"`
	Tags     map[string]string
	TagKeys  []string `rest:"query=tagKeys"`
}

type tagsOutput struct{ Tags map[string]string }

// tagged calls change with the tags of a resource.
func (s *Service) tagged(c *api.Call, arn string, change func(tags map[string]string)) error {
	if strings.Contains(arn, ":event-source-mapping:") && s.MappingTags != nil {
		if !s.MappingTags(arn, change) {
			return notFound("The resource you requested does not exist.")
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(c, arn, "")
	if err != nil {
		return err
	}
	if n.qualifier != "" {
		return invalid("Tags on function aliases and versions are not supported. Please specify either a function ARN or an event source mapping ARN.")
	}
	change(f.tags)
	return nil
}

func (s *Service) listTags(c *api.Call, in *tagsInput) (*tagsOutput, error) {
	out := &tagsOutput{}
	return out, s.tagged(c, in.Resource, func(tags map[string]string) { out.Tags = maps.Clone(tags) })
}

func (s *Service) tagResource(c *api.Call, in *tagsInput) (*struct{}, error) {
	return &struct{}{}, s.tagged(c, in.Resource, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (s *Service) untagResource(c *api.Call, in *tagsInput) (*struct{}, error) {
	return &struct{}{}, s.tagged(c, in.Resource, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}
