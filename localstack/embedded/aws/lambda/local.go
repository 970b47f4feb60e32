package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A Handler is a function that runs in this process. It is aws-lambda-go's: lambda.NewHandler(f).Invoke.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Registration is what Register needs of a function; zero values are Lambda's defaults.
type Registration struct {
	Timeout    time.Duration // whole seconds; 0: 3 s
	Variables  map[string]string
	DeadLetter string // ARN of a queue or topic
	Role       string // ARN of its execution role; empty: one that is not there
}

// Register creates a function that runs in this process: for code that is to run in virtual time. It is created, listed, invoked,
// throttled and deleted like any other. Environment variables are shown to clients, but are not the process's. A handler whose
// time is over goes on until it heeds its context; Close waits for it.
func (s *Service) Register(account, region, name string, handler Handler, r Registration) (functionARN string, err error) {
	n, err := parseName(account, region, name, "")
	if err != nil {
		return "", err
	}
	seconds := int(r.Timeout / time.Second)
	if seconds == 0 {
		seconds = 3
	}
	role := cmp.Or(r.Role, "arn:aws:iam::"+account+":role/in-process")
	handlerName, runtime := "bootstrap", "provided.al2023"
	in := &functionInput{Role: &role, Handler: &handlerName, Runtime: &runtime, Timeout: &seconds, Environment: &environmentInput{r.Variables}, DeadLetterConfig: &struct{ TargetArn string }{r.DeadLetter}}
	set, err := in.apply(settings{MemorySize: 128, EphemeralStorage: 512, Architectures: []string{"x86_64"}, LogFormat: "Text"})
	if err != nil {
		return "", err
	}
	c, err := s.add(n.key, set, code{digest: sum([]byte(api.UUID()))}, handler, nil, false)
	if err != nil {
		return "", err
	}
	return c.FunctionArn, nil
}

// local is the environment of a function in this process.
type local struct {
	service *Service
	handler Handler
}

func (l *local) end() {}

func (l *local) run(ctx context.Context, in *invocation, log *journal) outcome {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: in.id, InvokedFunctionArn: in.arn})
	done := make(chan outcome, 1)
	l.service.running.Go(func() { done <- l.call(ctx, in, log) })
	select {
	case out := <-done:
		return out
	case <-ctx.Done():
		select {
		case out := <-done: // at the last moment
			return out
		default:
		}
		return expired(in, log, ctx)
	}
}

// expired is the outcome of an invocation whose time is over, or whose cloud closes.
func expired(in *invocation, log *journal, ctx context.Context) outcome {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		out := failure("Sandbox.Failure", "RequestId: %s Error: the local cloud is closing", in.id)
		out.ended = true
		return out
	}
	seconds := fmt.Sprintf("Task timed out after %.2f seconds", in.timeout.Seconds())
	log.add(time.Now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + in.id + " " + seconds)
	out := failure("Sandbox.Timedout", "RequestId: %s Error: %s", in.id, seconds)
	out.ended = true
	return out
}

func (l *local) call(ctx context.Context, in *invocation, log *journal) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			log.add(fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			out = failure(reflect.TypeOf(p).Name(), "%v", p)
			out.ended = true // the runtime of Go exits
		}
	}()
	payload, err := l.handler(ctx, in.payload)
	if err == nil {
		if len(payload) == 0 {
			payload = []byte("null")
		}
		return outcome{payload: payload}
	}
	return outcome{payload: errorPayload(err), failed: true}
}

// errorPayload is an error as aws-lambda-go reports it.
func errorPayload(err error) []byte {
	var e messages.InvokeResponse_Error
	if !errors.As(err, &e) {
		t := reflect.TypeOf(err)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		e = messages.InvokeResponse_Error{Message: err.Error(), Type: t.Name()}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic("lambda: an error that is no JSON: " + err.Error())
	}
	return b
}
