package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of invocations: "Lambda quotas", and Invoke in the API Reference.
const (
	maxSync     = 6_291_456 // bytes of a request
	maxResponse = 6_291_556 // bytes of an answer
	maxAsync    = 1_048_576 // bytes of a request
	idleTime    = 10 * time.Minute
)

// An invocation is one run of a function on one event.
type invocation struct {
	id, arn       string // arn is the function's as it was called
	payload       []byte
	clientContext string
	timeout       time.Duration
	deadline      time.Time
}

// An environment is where a function runs: a process, or this one. It runs one invocation at a time.
type environment interface {
	run(ctx context.Context, in *invocation, log *journal) outcome
	end()
}

// An outcome is what came of an invocation.
type outcome struct {
	payload   []byte
	failed    bool
	ended     bool // the environment can run nothing more
	untouched bool // and did not even begin this one
}

// An instance is an environment of a version.
type instance struct {
	environment
	version    *version
	generation int
	journal    *journal
	idle       *time.Timer // ends it
}

// Result is what an invocation gave.
type Result struct {
	Payload       []byte
	FunctionError string // "Unhandled" if the function failed: Payload is the error; empty if not
	Version       string
	log           []byte
}

// failure is the payload of an error of the runtime.
func failure(kind, format string, args ...any) outcome {
	b, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": fmt.Sprintf(format, args...)})
	if err != nil {
		panic("lambda: strings that are no JSON: " + err.Error())
	}
	return outcome{payload: b, failed: true}
}

func throttled(reason string) error {
	return &api.Error{Code: "TooManyRequestsException", Message: "Rate Exceeded.", Status: http.StatusTooManyRequests, Details: map[string]any{"Reason": reason, "retryAfterSeconds": 1}}
}

// reserved is the sum of what a place's functions have reserved, but for one of them. The caller holds mu.
func (s *Service) reserved(account, region string, but *function) (sum int) {
	for _, f := range s.sorted(account, region) {
		if f != but && f.reserve != nil {
			sum += *f.reserve
		}
	}
	return sum
}

// acquire takes one concurrent execution. The caller holds mu.
func (s *Service) acquire(v *version) (release func(), err error) {
	f, p := v.function, place{v.function.account, v.function.region}
	own := f.reserve != nil
	switch {
	case own && f.running >= *f.reserve:
		return nil, throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	case !own && s.busy[p] >= accountConcurrency-s.reserved(p.account, p.region, nil):
		return nil, throttled("ConcurrentInvocationLimitExceeded")
	}
	f.running++
	if !own {
		s.busy[p]++
	}
	return func() {
		f.running--
		if !own {
			s.busy[p]--
		}
	}, nil
}

// execute runs a version on an event and waits. Its error says that it did not run at all.
func (s *Service) execute(v *version, arn, id, clientContext string, payload []byte) (Result, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Result{}, context.Canceled
	}
	release, err := s.acquire(v)
	if err != nil {
		s.mu.Unlock()
		s.metric(v, "Throttles", "Count", 1)
		return Result{}, err
	}
	s.running.Add(1)
	defer s.running.Done()
	concurrent := v.function.running
	set, generation := v.settings, v.starts
	var i *instance
	if n := len(v.idle); n > 0 {
		i = v.idle[n-1]
		v.idle = v.idle[:n-1]
		i.idle.Stop()
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		release()
	}()

	in := &invocation{id: id, arn: arn, payload: payload, clientContext: clientContext, timeout: time.Duration(set.Timeout) * time.Second}
	var initTime, took time.Duration
	var cold bool
	var out outcome
	for {
		if cold = i == nil; cold {
			begin := time.Now()
			i, out = s.launch(v, set, generation)
			initTime = time.Since(begin)
			if out.failed {
				i.journal.initFailed(initTime, out)
			}
		}
		i.journal.start(in, v.number)
		if out.failed {
			break
		}
		begin := time.Now()
		in.deadline = begin.Add(in.timeout)
		run, cancel := context.WithDeadline(s.ctx, in.deadline)
		out = i.run(run, in, i.journal)
		cancel()
		took = time.Since(begin)
		if !out.untouched {
			break
		}
		s.keep(i, true)
		i, out = nil, outcome{}
	}
	if len(out.payload) > maxResponse {
		ended := out.ended
		out = failure("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)
		out.ended = ended
	}
	tail := i.journal.report(in, took, initTime, set.MemorySize, cold)
	s.keep(i, out.ended)

	s.metric(v, "Invocations", "Count", 1)
	s.metric(v, "Duration", "Milliseconds", float64(took.Microseconds())/1000)
	s.metric(v, "ConcurrentExecutions", "Count", float64(concurrent))
	failed := 0.0
	r := Result{Payload: out.payload, Version: v.number, log: tail}
	if out.failed {
		r.FunctionError, failed = "Unhandled", 1
	}
	s.metric(v, "Errors", "Count", failed)
	return r, nil
}

func (s *Service) metric(v *version, name, unit string, value float64) {
	if s.Metric != nil {
		s.Metric(v.function.account, v.function.region, name, unit, value, map[string]string{"FunctionName": v.function.name})
	}
}

// launch makes a new instance. If its environment does not come up, the outcome says why.
func (s *Service) launch(v *version, set settings, generation int) (*instance, outcome) {
	now := time.Now().UTC()
	stream := fmt.Sprintf("%s/[%s]%s", now.Format("2006/01/02"), v.number, strings.ReplaceAll(api.UUID(), "-", ""))
	i := &instance{version: v, generation: generation, journal: &journal{json: set.LogFormat == "JSON"}}
	if s.Logs != nil {
		i.journal.put = func(events []LogEvent) {
			s.Logs(v.function.account, v.function.region, v.logGroup(), stream, events)
		}
	}
	if v.handler != nil {
		i.environment = &local{service: s, handler: v.handler}
		return i, outcome{}
	}
	p, out := s.startProcess(v, set, stream, i.journal)
	i.environment = p
	return i, out
}

// keep keeps an instance for the next invocation, if it can have one.
func (s *Service) keep(i *instance, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := i.version
	if ended || s.closed || v.retired || v.starts != i.generation {
		i.end()
		return
	}
	v.idle = append(v.idle, i)
	i.idle = time.AfterFunc(idleTime, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for n, other := range v.idle {
			if other == i {
				v.idle = append(v.idle[:n], v.idle[n+1:]...)
				i.end()
				return
			}
		}
	})
}

// end ends the instance's environment.
func (i *instance) end() {
	if i.idle != nil {
		i.idle.Stop()
	}
	if i.environment != nil {
		i.environment.end()
	}
}

type invokeInput struct {
	FunctionName   string `rest:"path"`
	Qualifier      string `rest:"query=Qualifier"`
	InvocationType string `rest:"header=X-Amz-Invocation-Type"`
	LogType        string `rest:"header=X-Amz-Log-Type"`
	ClientContext  string `rest:"header=X-Amz-Client-Context"`
	DurableName    string `rest:"header=X-Amz-Durable-Execution-Name"`
	TenantId       string `rest:"header=X-Amz-Tenant-Id"`
	Payload        []byte `rest:"body"`
}

type invokeOutput struct {
	StatusCode      int    `rest:"status"`
	FunctionError   string `rest:"header=X-Amz-Function-Error"`
	LogResult       string `rest:"header=X-Amz-Log-Result"`
	ExecutedVersion string `rest:"header=X-Amz-Executed-Version"`
	Payload         []byte `rest:"body"`
}

func (s *Service) invokeOperation(c *api.Call, in *invokeInput) (*invokeOutput, error) {
	if in.DurableName != "" || in.TenantId != "" {
		return nil, notOffered("durable executions and tenants")
	}
	s.mu.Lock()
	v, n, err := s.resolve(c, in.FunctionName, in.Qualifier)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	payload := in.Payload
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	limit := maxSync
	if in.InvocationType == "Event" {
		limit = maxAsync
	}
	if len(payload) > limit {
		return nil, &api.Error{Code: "RequestTooLargeException", Message: fmt.Sprintf("%d byte payload is too large for the %s invocation type (limit %d bytes)", len(payload), in.InvocationType, limit), Status: http.StatusRequestEntityTooLarge}
	}
	if !json.Valid(payload) {
		return nil, api.Errorf("InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: Unrecognized token")
	}
	switch in.InvocationType {
	case "DryRun":
		return &invokeOutput{StatusCode: http.StatusNoContent, ExecutedVersion: v.number}, nil
	case "Event":
		if err := s.accept(n, c.RequestID, payload); err != nil {
			return nil, err
		}
		return &invokeOutput{StatusCode: http.StatusAccepted}, nil
	case "", "RequestResponse":
	default:
		return nil, constraint(in.InvocationType, "invocationType", "Member must satisfy enum value set: [Event, RequestResponse, DryRun]")
	}
	r, err := s.execute(v, n.arn(), c.RequestID, in.ClientContext, payload)
	if err != nil {
		return nil, err
	}
	out := &invokeOutput{StatusCode: http.StatusOK, FunctionError: r.FunctionError, ExecutedVersion: r.Version, Payload: r.Payload}
	if in.LogType == "Tail" {
		out.LogResult = base64.StdEncoding.EncodeToString(r.log)
	}
	return out, nil
}

// called returns the version that an ARN stands for, for a service of the same cloud.
func (s *Service) called(functionARN string) (*version, name, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resolve(&api.Call{}, functionARN, "")
}

// Invoke runs the function of that ARN, with or without version or alias, and waits. Its error is an *api.Error, if the function
// is not there or is throttled, or the context's; the function runs on then, as it does when a client leaves.
func (s *Service) Invoke(ctx context.Context, functionARN string, payload []byte) (Result, error) {
	v, n, err := s.called(functionARN)
	if err != nil {
		return Result{}, err
	}
	type end struct {
		Result
		error
	}
	ended := make(chan end, 1)
	go func() { // that ends by the function's timeout, or with the service
		r, err := s.execute(v, n.arn(), api.UUID(), "", payload)
		ended <- end{r, err}
	}()
	select {
	case e := <-ended:
		return e.Result, e.error
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// InvokeAsync has the function of that ARN run on an event, later and with retries. Its error is an *api.Error.
func (s *Service) InvokeAsync(functionARN string, payload []byte) error {
	_, n, err := s.called(functionARN)
	if err != nil {
		return err
	}
	return s.accept(n, api.UUID(), payload)
}

// Find returns the ARN, the role and the timeout of the function that a client of that account and region calls text.
func (s *Service) Find(account, region, text string) (arn, role string, timeout time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, n, err := s.resolve(&api.Call{Account: account, Region: region}, text, "")
	if err != nil {
		return "", "", 0, false
	}
	return n.arn(), v.settings.Role, time.Duration(v.settings.Timeout) * time.Second, true
}
