package lambda

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Asynchronous invocations: "Error handling for asynchronous invocation", "Capturing records of asynchronous invocations".
const (
	defaultRetries  = 2
	defaultEventAge = 6 * time.Hour
	firstRetry      = time.Minute     // after the first failure of the function; two minutes after the second
	throttleFirst   = time.Second     // after a throttle, doubling
	throttleLast    = 5 * time.Minute // at most
)

type destination struct{ Destination string }

type destinationConfig struct {
	OnFailure, OnSuccess *destination `json:",omitempty"`
}

type eventInvokeConfig struct {
	retries, age         *int
	onFailure, onSuccess string
	modified             time.Time
}

// accept takes an event for a function, which may then fail or be gone without the caller's learning of it.
func (s *Service) accept(n name, id string, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &api.Error{Code: "ServiceException", Message: "The local cloud is closing.", Status: 500, Receiver: true}
	}
	e := &asyncEvent{s: s, n: n, id: id, payload: payload, since: time.Now()}
	s.running.Go(e.run)
	return nil
}

// An asyncEvent is an event on its way to a function.
type asyncEvent struct {
	s       *Service
	n       name
	id      string
	payload []byte
	since   time.Time
	runs    int
}

func (e *asyncEvent) run() {
	throttle := throttleFirst
	for {
		e.s.mu.Lock()
		var v *version
		f := e.s.functions[e.n.key]
		config := eventInvokeConfig{}
		if f != nil {
			v = f.at(e.n.qualifier)
			if c := f.asyncs[asyncKey(e.n.qualifier)]; c != nil {
				config = *c
			}
		}
		e.s.mu.Unlock()
		if v == nil { // deleted since
			return
		}
		age, retries := defaultEventAge, defaultRetries
		if config.age != nil {
			age = time.Duration(*config.age) * time.Second
		}
		if config.retries != nil {
			retries = *config.retries
		}
		if e.runs == 0 {
			e.s.metric(v, "AsyncEventAge", "Milliseconds", ms(time.Since(e.since)))
		}
		r, err := e.s.execute(v, e.n.arn(), e.id, "", e.payload)
		var wait time.Duration
		switch {
		case e.s.ctx.Err() != nil:
			return
		case err != nil: // throttled
			wait = throttle
			throttle = min(2*throttle, throttleLast)
		case r.FunctionError == "":
			e.runs++
			e.record(v, config.onSuccess, "Success", &r)
			return
		default:
			e.runs++
			if e.runs > retries {
				e.giveUp(v, config, "RetriesExhausted", &r)
				return
			}
			wait = time.Duration(e.runs) * firstRetry
		}
		if time.Since(e.since)+wait > age {
			e.pause(time.Until(e.since.Add(age)))
			if e.s.ctx.Err() == nil {
				e.s.metric(v, "AsyncEventsDropped", "Count", 1)
				last := &r
				if e.runs == 0 {
					last = nil
				}
				e.giveUp(v, config, "EventAgeExceeded", last)
			}
			return
		}
		e.pause(wait)
		if e.s.ctx.Err() != nil {
			return
		}
	}
}

func (e *asyncEvent) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.s.ctx.Done():
	}
}

// giveUp sends the event to the dead letter queue and to the destination for failures, as far as there are any.
func (e *asyncEvent) giveUp(v *version, config eventInvokeConfig, condition string, r *Result) {
	e.record(v, config.onFailure, condition, r)
	e.s.mu.Lock()
	target := v.settings.DeadLetter
	e.s.mu.Unlock()
	if target == "" || e.s.Deliver == nil {
		return
	}
	attributes := map[string]string{"RequestID": e.id, "ErrorCode": "200"}
	if r != nil {
		var failure struct{ ErrorMessage string }
		_ = json.Unmarshal(r.Payload, &failure) // a function's own error may be anything
		if failure.ErrorMessage != "" {
			attributes["ErrorMessage"] = failure.ErrorMessage[:min(len(failure.ErrorMessage), 1024)]
		}
	}
	if err := e.s.Deliver(e.s.ctx, v.function.account, target, string(e.payload), attributes); err != nil {
		e.s.Log.Warn("a dead letter could not be delivered", "function", e.n.arn(), "target", target, "error", err)
		e.s.metric(v, "DeadLetterErrors", "Count", 1)
	}
}

// record sends the record of an invocation to a destination.
func (e *asyncEvent) record(v *version, target, condition string, r *Result) {
	if target == "" || e.s.Deliver == nil {
		return
	}
	arn := e.n.arn()
	if e.n.qualifier == "" {
		arn += ":$LATEST"
	}
	record := map[string]any{
		"version": "1.0", "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"requestContext": map[string]any{"requestId": e.id, "functionArn": arn, "condition": condition, "approximateInvokeCount": e.runs},
		"requestPayload": json.RawMessage(e.payload),
	}
	if r != nil {
		response := map[string]any{"statusCode": 200, "executedVersion": r.Version}
		if r.FunctionError != "" {
			response["functionError"] = r.FunctionError
		}
		record["responseContext"] = response
		if json.Valid(r.Payload) {
			record["responsePayload"] = json.RawMessage(r.Payload)
		} else {
			record["responsePayload"] = string(r.Payload)
		}
	}
	body, err := json.Marshal(record)
	if err == nil {
		err = e.s.Deliver(context.WithoutCancel(e.s.ctx), v.function.account, target, string(body), nil)
	}
	if err != nil {
		e.s.Log.Warn("the record of an invocation could not be delivered", "function", arn, "destination", target, "error", err)
		e.s.metric(v, "DestinationDeliveryFailures", "Count", 1)
	}
}

func asyncKey(qualifier string) string {
	if qualifier == "" {
		return "$LATEST"
	}
	return qualifier
}

type eventInvokeConfigInput struct {
	FunctionName             string `rest:"path"`
	Qualifier                string `rest:"query=Qualifier"`
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
	DestinationConfig        *destinationConfig
}

type eventInvokeConfigOutput struct {
	FunctionArn              string
	LastModified             api.Timestamp
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	DestinationConfig        destinationConfig
}

func (f *function) showAsync(qualifier string, c *eventInvokeConfig) *eventInvokeConfigOutput {
	out := &eventInvokeConfigOutput{FunctionArn: f.arn() + ":" + qualifier, LastModified: api.At(c.modified), MaximumRetryAttempts: c.retries, MaximumEventAgeInSeconds: c.age}
	out.DestinationConfig = destinationConfig{&destination{c.onFailure}, &destination{c.onSuccess}}
	if c.onFailure == "" {
		out.DestinationConfig.OnFailure = nil
	}
	if c.onSuccess == "" {
		out.DestinationConfig.OnSuccess = nil
	}
	return out
}

func (in *eventInvokeConfigInput) apply(c eventInvokeConfig) (*eventInvokeConfig, error) {
	if in.MaximumRetryAttempts != nil {
		if n := *in.MaximumRetryAttempts; n < 0 || n > 2 {
			return nil, constraint(n, "maximumRetryAttempts", "Member must have value between 0 and 2")
		}
		c.retries = in.MaximumRetryAttempts
	}
	if in.MaximumEventAgeInSeconds != nil {
		if n := *in.MaximumEventAgeInSeconds; n < 60 || n > 21600 {
			return nil, constraint(n, "maximumEventAgeInSeconds", "Member must have value between 60 and 21600")
		}
		c.age = in.MaximumEventAgeInSeconds
	}
	if d := in.DestinationConfig; d != nil {
		for _, of := range []struct {
			d  *destination
			to *string
		}{{d.OnFailure, &c.onFailure}, {d.OnSuccess, &c.onSuccess}} {
			if of.d == nil {
				continue
			}
			arn := of.d.Destination
			parts := strings.Split(arn, ":")
			if arn != "" && (len(parts) < 6 || parts[2] != "sqs" && parts[2] != "sns" && parts[2] != "lambda") {
				return nil, notOffered("destinations other than queues, topics and functions: " + arn)
			}
			*of.to = arn
		}
	}
	c.modified = time.Now()
	return &c, nil
}

// asyncOf finds what an operation on a configuration is about. The caller holds mu.
func (s *Service) asyncOf(c *api.Call, in *eventInvokeConfigInput) (f *function, qualifier string, config *eventInvokeConfig, err error) {
	f, n, err := s.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, "", nil, err
	}
	qualifier = asyncKey(n.qualifier)
	if !f.qualified(qualifier) {
		return nil, "", nil, notFound("The function %s doesn't exist.", n.arn())
	}
	return f, qualifier, f.asyncs[qualifier], nil
}

func (s *Service) putFunctionEventInvokeConfig(c *api.Call, in *eventInvokeConfigInput) (*eventInvokeConfigOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, qualifier, _, err := s.asyncOf(c, in)
	if err != nil {
		return nil, err
	}
	config, err := in.apply(eventInvokeConfig{})
	if err != nil {
		return nil, err
	}
	f.asyncs[qualifier] = config
	return f.showAsync(qualifier, config), nil
}

func noAsync(f *function, qualifier string) error {
	return notFound("The function %s:%s doesn't have an EventInvokeConfig", f.arn(), qualifier)
}

func (s *Service) updateFunctionEventInvokeConfig(c *api.Call, in *eventInvokeConfigInput) (*eventInvokeConfigOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, qualifier, config, err := s.asyncOf(c, in)
	if err != nil {
		return nil, err
	}
	if config == nil {
		return nil, noAsync(f, qualifier)
	}
	if config, err = in.apply(*config); err != nil {
		return nil, err
	}
	f.asyncs[qualifier] = config
	return f.showAsync(qualifier, config), nil
}

func (s *Service) getFunctionEventInvokeConfig(c *api.Call, in *eventInvokeConfigInput) (*eventInvokeConfigOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, qualifier, config, err := s.asyncOf(c, in)
	if err != nil {
		return nil, err
	}
	if config == nil {
		return nil, noAsync(f, qualifier)
	}
	return f.showAsync(qualifier, config), nil
}

func (s *Service) deleteFunctionEventInvokeConfig(c *api.Call, in *eventInvokeConfigInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, qualifier, config, err := s.asyncOf(c, in)
	if err != nil {
		return nil, err
	}
	if config == nil {
		return nil, noAsync(f, qualifier)
	}
	delete(f.asyncs, qualifier)
	return &struct{}{}, nil
}

type eventInvokeConfigsOutput struct {
	FunctionEventInvokeConfigs []*eventInvokeConfigOutput
	NextMarker                 string `json:",omitempty"`
}

func (s *Service) listFunctionEventInvokeConfigs(c *api.Call, in *listInput) (*eventInvokeConfigsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	var all []*eventInvokeConfigOutput
	for _, qualifier := range sortedKeys(f.asyncs) {
		all = append(all, f.showAsync(qualifier, f.asyncs[qualifier]))
	}
	page, next, err := paged(all, in.Marker, in.MaxItems, 50)
	return &eventInvokeConfigsOutput{page, next}, err
}

type concurrencyInput struct {
	FunctionName                 string `rest:"path"`
	ReservedConcurrentExecutions *int
}

type concurrencyOutput struct {
	ReservedConcurrentExecutions *int `json:",omitempty"`
}

func (s *Service) putFunctionConcurrency(c *api.Call, in *concurrencyInput) (*concurrencyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	switch v := in.ReservedConcurrentExecutions; {
	case n.qualifier != "":
		return nil, invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	case v == nil:
		return nil, constraint("null", "reservedConcurrentExecutions", "Member must not be null")
	case *v < 0:
		return nil, constraint(*v, "reservedConcurrentExecutions", "Member must have value greater than or equal to 0")
	case accountConcurrency-s.reserved(f.account, f.region, f)-*v < minUnreserved:
		return nil, invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%s].", strconv.Itoa(minUnreserved))
	}
	f.reserve = in.ReservedConcurrentExecutions
	return &concurrencyOutput{f.reserve}, nil
}

func (s *Service) deleteFunctionConcurrency(c *api.Call, in *concurrencyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err == nil {
		f.reserve = nil
	}
	return &struct{}{}, err
}

func (s *Service) getFunctionConcurrency(c *api.Call, in *concurrencyInput) (*concurrencyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	return &concurrencyOutput{f.reserve}, nil
}
