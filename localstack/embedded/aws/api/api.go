// Package api is what the AWS services of the local cloud have in common: the request after routing (Call),
// the typed error (Error), the table of operations, and the wire protocols AWS JSON 1.0 and 1.1, AWS query,
// REST-JSON and RPC v2 CBOR.
//
// A service declares its operations as plain functions over plain structs, whose fields are the members
// of the service's own API model:
//
//	type CreateQueueInput struct {
//		QueueName  string
//		Attributes map[string]string `query:"Attribute,key=Name,value=Value"`
//	}
//
//	operations := api.Operations{"CreateQueue": api.Op(s.createQueue)}
//
// The same structs serve every protocol. JSON and CBOR use the field names as they are. The query protocol flattens
// them to form keys and writes XML; a `query` tag gives what differs there from the field's name (see query.go).
// REST-JSON takes some of them from the path, the URL's query and the headers, by a `rest` tag (see rest.go).
// A field that a client may leave out, and whose zero value means something else, is a pointer.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
)

// Call is one request, after routing: who asks, where, and for what.
type Call struct {
	Context   context.Context // ends when the client goes away
	Account   string          // 12 digits
	Region    string          // such as us-east-1
	Action    string          // the operation's name, such as SendMessage
	RequestID string
	Endpoint  string      // as the client reached it, such as http://127.0.0.1:4566; queue URLs start with it
	Path      string      // the request's path; in the query protocol it may name the queue
	Protocol  Protocol    // that the request came in, and the answer goes out
	Header    http.Header // the request's

	AccessKeyID string // of whoever signed the request; empty: nobody did
	// Authorize decides whether the caller may do action (such as sqs:SendMessage) to all of resources, which are ARNs
	// (none: "*"). Its error is the answer. It is nil where nobody asks.
	Authorize func(action string, resources ...string) error
}

// UUID returns a random UUID of version 4: of a request, and of what services name by one.
func UUID() string {
	a, b := rand.Uint64(), rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// Protocol is a wire protocol of AWS services.
type Protocol int

// The protocols.
const (
	JSON  Protocol = iota // AWS JSON 1.0 and 1.1
	Query                 // AWS query
	REST                  // REST-JSON
	CBOR                  // RPC v2 CBOR
)

// Caller is who calls an operation from inside the cloud, and where.
type Caller struct {
	Account, Region string
	AccessKeyID     string // empty: the cloud itself, which may do everything
	Endpoint        string // see Call
}

// Error is an error of an AWS service, as its clients see it.
type Error struct {
	Code      string // the shape's name, which the JSON protocol sends and the SDK's typed errors are found by
	QueryCode string // the code in the query protocol where it is another one (AWS.SimpleQueueService.NonExistentQueue); empty: Code
	Message   string
	Status    int  // HTTP status; 0 means 400
	Receiver  bool // the service's fault, not the sender's

	Details map[string]any // further members of the error's shape, in the JSON and CBOR protocols
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

func (e *Error) queryCode() string {
	if e.QueryCode == "" {
		return e.Code
	}
	return e.QueryCode
}

func (e *Error) fault() string {
	if e.Receiver {
		return "Receiver"
	}
	return "Sender"
}

// Errorf returns a sender's error with HTTP status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Operation is one operation of a service: it makes the input that a protocol decodes into, and runs on it.
type Operation struct {
	newInput func() any
	run      func(c *Call, in any) (any, error)
}

// Empty is the output of an operation whose model has one without members: in the query protocol clients look for it.
type Empty struct{}

// Op turns a function into an Operation. In and Out are structs; an operation without output returns *struct{},
// one whose model has an output without members *Empty or an empty type of its own.
// An error that is not an *Error reaches the client as InternalFailure, and the log in full.
func Op[In, Out any](f func(*Call, *In) (*Out, error)) Operation {
	return Operation{
		newInput: func() any { return new(In) },
		run: func(c *Call, in any) (any, error) {
			out, err := f(c, in.(*In))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// Operations maps the operations' names to what they do.
type Operations map[string]Operation

// Service is one AWS service, as the endpoint routes to it. It speaks the protocols that it has a name or a table for.
type Service struct {
	Name         string  // the signing name: "sqs"
	TargetPrefix string  // of the X-Amz-Target header in the JSON protocol: "AmazonSQS"
	JSONVersion  string  // "1.1"; empty: "1.0"
	ShapePrefix  string  // of error types in the JSON and CBOR protocols: "com.amazonaws.sqs"
	Version      string  // of the query protocol: "2012-11-05"
	Namespace    string  // XML namespace of the query protocol's answers
	FlatLists    bool    // the query protocol writes Name.1, not Name.member.1
	Routes       []Route // of the REST-JSON protocol
	CBORName     string  // of the service in the paths of RPC v2 CBOR: "GraniteServiceVersion20100801"
	Operations   Operations
	// HTTP serves a service that speaks for itself: S3. The body is not read yet, and Operations are not used.
	HTTP    func(w http.ResponseWriter, r *http.Request, c *Call)
	MaxBody int64 // the largest request read, in bytes; 0 means 8 MiB. HTTP sets limits of its own
	Log     *slog.Logger

	IAMPrefix string // of the service's actions in policies where it is not Name: "cloudwatch" for "monitoring"
	// Resources returns the ARNs of what a request is about, for policies. Nil, or no ARN, stands for "*".
	Resources func(c *Call, in any) []string
}

// answer runs an operation whose input decode reads.
func (s *Service) answer(c *Call, decode func(in any) error) (any, error) {
	op, ok := s.Operations[c.Action]
	if !ok {
		s.Log.Warn("unknown operation", "service", s.Name, "operation", c.Action, "request", c.RequestID)
		if c.Protocol == Query {
			return nil, Errorf("InvalidAction", "The action %s is not valid for this web service.", c.Action)
		}
		return nil, &Error{Code: "UnknownOperationException", Message: "The operation " + c.Action + " is not known to " + s.Name + ".", Status: http.StatusNotFound}
	}
	in := op.newInput()
	if err := decode(in); err != nil {
		return nil, err
	}
	if c.Authorize != nil {
		prefix := s.IAMPrefix
		if prefix == "" {
			prefix = s.Name
		}
		var resources []string
		if s.Resources != nil {
			resources = s.Resources(c, in)
		}
		if err := c.Authorize(prefix+":"+c.Action, resources...); err != nil {
			return nil, err
		}
	}
	return op.run(c, in)
}

// Invoke runs an operation without a request: in and out are any values whose JSON is that of the operation's members.
// Its error is always an *Error.
func (s *Service) Invoke(c *Call, in, out any) error {
	result, err := s.answer(c, func(to any) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		return decodeJSON(body, to)
	})
	if err != nil {
		return s.serviceError(c, err)
	}
	if out == nil {
		return nil
	}
	body, err := json.Marshal(result)
	if err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return s.serviceError(c, err)
	}
	return nil
}

// ServeJSON answers a request of the AWS JSON protocol.
func (s *Service) ServeJSON(w http.ResponseWriter, c *Call, body []byte) {
	out, err := s.answer(c, func(in any) error { return decodeJSON(body, in) })
	if err != nil {
		s.writeJSONError(w, c, err)
		return
	}
	s.writeJSON(w, c, out)
}

// ServeQuery answers a request of the AWS query protocol.
func (s *Service) ServeQuery(w http.ResponseWriter, c *Call, form map[string][]string) {
	out, err := s.answer(c, func(in any) error { return decodeQuery(form, in, s.FlatLists) })
	if err != nil {
		s.writeQueryError(w, c, err)
		return
	}
	s.writeQuery(w, c, out)
}

// WriteError answers with err in the protocol that the call came in.
func (s *Service) WriteError(w http.ResponseWriter, c *Call, err error) {
	switch c.Protocol {
	case JSON:
		s.writeJSONError(w, c, err)
	case Query:
		s.writeQueryError(w, c, err)
	case REST:
		s.writeRESTError(w, c, err)
	case CBOR:
		s.writeCBORError(w, c, err)
	}
}

// serviceError is err as the client may see it: a failure of ours shows no inner text.
func (s *Service) serviceError(c *Call, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if c.Context.Err() == nil { // the client that left needs no answer and is no failure
		s.Log.Error("internal failure", "service", s.Name, "operation", c.Action, "request", c.RequestID, "error", err)
	}
	return &Error{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure.", Status: http.StatusInternalServerError, Receiver: true}
}
