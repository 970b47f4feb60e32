// Package eventsource is AWS Lambda's event source mappings for SQS: what polls a queue, invokes a function with the messages and
// deletes those that it has dealt with. Its operations belong to Lambda's API (see [Service.AddTo]).
//
// A mapping reads with five pollers, as many as Lambda starts with, or fewer where MaximumConcurrency says so; while all of them
// are busy it starts another every 200 ms (300 a minute) up to the maximum. After a batch that failed as a whole it goes on with
// one fewer, down to two. FIFO queues need no rule of their own: a group's next message stays in the queue while one is in flight.
//
// Not offered, and refused by name: sources other than SQS, provisioned pollers, metrics of a mapping, filters on anything but the body.
//
// Sources, where a comment names no other: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" and the pages below it, as of
// 2026-12-01. Texts of errors are those that users of the service have published.
package eventsource

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A Message is a message received from a queue.
type Message struct {
	MessageID, ReceiptHandle, MD5OfBody, Body string
	Attributes                                map[string]string
	MessageAttributes                         map[string]MessageAttribute
	Until                                     time.Time // when it becomes visible again
}

// MessageAttribute is a message's attribute, as functions see it.
type MessageAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// Queues is what mappings need of SQS.
type Queues interface {
	// VisibilityTimeout is that of a queue; false: there is no queue of this ARN.
	VisibilityTimeout(queueARN string) (time.Duration, bool)
	// Receive waits up to wait for the first message and returns up to most, at most ten.
	Receive(ctx context.Context, queueARN string, most int, wait time.Duration) ([]Message, error)
	Delete(queueARN, receiptHandle string) error
}

// A Function is one that a mapping may invoke.
type Function struct {
	ARN     string // with the version or the alias, if the mapping names one
	Role    string // ARN of its execution role, with which the queue is read
	Timeout time.Duration
}

// Functions is what mappings need of Lambda.
type Functions interface {
	// Find finds a function by what a client may call it: name, partial or whole ARN, with or without version or alias.
	Find(account, region, name string) (Function, bool)
	// Invoke runs the function and waits. functionError is not empty if the function failed; err is an *api.Error if it did not
	// run at all, because it was throttled, say.
	Invoke(ctx context.Context, functionARN string, payload []byte) (answer []byte, functionError string, err error)
}

// Options configure a Service.
type Options struct {
	Log       *slog.Logger // nil discards
	Queues    Queues
	Functions Functions
	// MayCall tells whether a role may do an action of SQS (ReceiveMessage) with a queue. Nil: every role may.
	MayCall func(roleARN, action, queueARN string) bool
}

// Service is the event source mappings of every region and account. It is safe for concurrent use.
type Service struct {
	log       *slog.Logger
	queues    Queues
	functions Functions
	mayCall   func(roleARN, action, queueARN string) bool

	ctx    context.Context // of all pollers
	cancel context.CancelFunc

	mu       sync.Mutex
	closed   bool
	mappings map[string]*mapping // by UUID
	polling  sync.WaitGroup
}

// New returns a service without mappings.
func New(o Options) *Service {
	s := &Service{log: o.Log, queues: o.Queues, functions: o.Functions, mayCall: o.MayCall, mappings: map[string]*mapping{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Close ends all mappings, and what they have running.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.polling.Wait()
}

// AddTo adds the operations to Lambda's API.
func (s *Service) AddTo(lambda *api.Service) {
	const path = "/2015-03-31/event-source-mappings"
	lambda.Routes = append(lambda.Routes,
		api.Route{Method: "POST", Path: path, Action: "CreateEventSourceMapping", Status: 202},
		api.Route{Method: "GET", Path: path, Action: "ListEventSourceMappings"},
		api.Route{Method: "GET", Path: path + "/{UUID}", Action: "GetEventSourceMapping"},
		api.Route{Method: "PUT", Path: path + "/{UUID}", Action: "UpdateEventSourceMapping", Status: 202},
		api.Route{Method: "DELETE", Path: path + "/{UUID}", Action: "DeleteEventSourceMapping", Status: 202},
	)
	lambda.Operations["CreateEventSourceMapping"] = api.Op(s.create)
	lambda.Operations["ListEventSourceMappings"] = api.Op(s.list)
	lambda.Operations["GetEventSourceMapping"] = api.Op(s.get)
	lambda.Operations["UpdateEventSourceMapping"] = api.Op(s.update)
	lambda.Operations["DeleteEventSourceMapping"] = api.Op(s.delete)
}

// Tags returns the tags of the mapping of that ARN, to read and change; false: there is no such mapping. change runs alone.
func (s *Service) Tags(arn string, change func(tags map[string]string)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mappings {
		if m.arn() == arn {
			change(m.tags)
			return true
		}
	}
	return false
}
