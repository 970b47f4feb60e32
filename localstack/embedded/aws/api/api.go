// Package api is what the AWS services of the local cloud have in common: the request after routing (Call),
// the typed error (Error), the table of operations, and the wire protocols AWS JSON 1.0 and AWS query.
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
// The same structs serve both protocols. JSON uses the field names as they are. The query protocol flattens
// them to form keys and writes XML; a `query` tag gives what differs there from the field's name (see query.go).
// A field that a client may leave out, and whose zero value means something else, is a pointer.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	Query     bool        // the query protocol was used
	Header    http.Header // the request's
}

// Error is an error of an AWS service, as its clients see it.
type Error struct {
	Code      string // the shape's name, which the JSON protocol sends and the SDK's typed errors are found by
	QueryCode string // the code in the query protocol where it is another one (AWS.SimpleQueueService.NonExistentQueue); empty: Code
	Message   string
	Status    int  // HTTP status; 0 means 400
	Receiver  bool // the service's fault, not the sender's
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

// Op turns a function into an Operation. In and Out are structs; an operation without output returns *struct{}.
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

// Service is one AWS service, as the endpoint routes to it.
type Service struct {
	Name         string // the signing name: "sqs"
	TargetPrefix string // of the X-Amz-Target header in the JSON protocol: "AmazonSQS"; empty: JSON is not spoken
	ShapePrefix  string // of error types in the JSON protocol: "com.amazonaws.sqs"
	Version      string // of the query protocol: "2012-11-05"; empty: query is not spoken
	Namespace    string // XML namespace of the query protocol's answers
	FlatLists    bool   // the query protocol writes Name.1, not Name.member.1
	Operations   Operations
	Log          *slog.Logger
}

// ServeJSON answers a request of the AWS JSON 1.0 protocol.
func (s *Service) ServeJSON(w http.ResponseWriter, c *Call, body []byte) {
	op, ok := s.Operations[c.Action]
	if !ok {
		s.unknown(c)
		s.writeJSONError(w, c, &Error{Code: "UnknownOperationException", Message: "The operation " + c.Action + " is not known to " + s.Name + ".", Status: http.StatusNotFound})
		return
	}
	in := op.newInput()
	if err := decodeJSON(body, in); err != nil {
		s.writeJSONError(w, c, err)
		return
	}
	out, err := op.run(c, in)
	if err != nil {
		s.writeJSONError(w, c, err)
		return
	}
	s.writeJSON(w, c, out)
}

// ServeQuery answers a request of the AWS query protocol.
func (s *Service) ServeQuery(w http.ResponseWriter, c *Call, form map[string][]string) {
	op, ok := s.Operations[c.Action]
	if !ok {
		s.unknown(c)
		s.writeQueryError(w, c, Errorf("InvalidAction", "The action %s is not valid for this web service.", c.Action))
		return
	}
	in := op.newInput()
	if err := decodeQuery(form, in, s.FlatLists); err != nil {
		s.writeQueryError(w, c, err)
		return
	}
	out, err := op.run(c, in)
	if err != nil {
		s.writeQueryError(w, c, err)
		return
	}
	s.writeQuery(w, c, out)
}

// WriteError answers with err in the protocol that the call came in.
func (s *Service) WriteError(w http.ResponseWriter, c *Call, err error) {
	if c.Query {
		s.writeQueryError(w, c, err)
	} else {
		s.writeJSONError(w, c, err)
	}
}

func (s *Service) unknown(c *Call) {
	s.Log.Warn("unknown operation", "service", s.Name, "operation", c.Action, "request", c.RequestID)
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
