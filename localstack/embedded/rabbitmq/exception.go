package rabbitmq

import "fmt"

// An exception closes the channel it happens on, or the connection if it is hard.
// Source: AMQP 0-9-1 specification, section 1.2, and RabbitMQ's "Channels" guide (checked 2026-12-01).
type exception struct {
	code uint16
	name string
	text string
}

func (e *exception) Error() string { return e.name + " - " + e.text }

// hard tells whether an exception ends the connection.
func (e *exception) hard() bool {
	switch e.code {
	case contentTooLarge, noConsumers, accessRefused, notFound, resourceLocked, preconditionFailed:
		return false
	}
	return true
}

// The codes, by their names in the specification.
const (
	contentTooLarge    = 311
	noRoute            = 312
	noConsumers        = 313
	connectionForced   = 320
	accessRefused      = 403
	notFound           = 404
	resourceLocked     = 405
	preconditionFailed = 406
	frameError         = 501
	syntaxError        = 502
	commandInvalid     = 503
	channelError       = 504
	unexpectedFrame    = 505
	notAllowed         = 530
	notImplemented     = 540
	internalError      = 541
)

var codeNames = map[uint16]string{
	contentTooLarge: "CONTENT_TOO_LARGE", noRoute: "NO_ROUTE", noConsumers: "NO_CONSUMERS", connectionForced: "CONNECTION_FORCED",
	accessRefused: "ACCESS_REFUSED", notFound: "NOT_FOUND", resourceLocked: "RESOURCE_LOCKED", preconditionFailed: "PRECONDITION_FAILED",
	frameError: "FRAME_ERROR", syntaxError: "SYNTAX_ERROR", commandInvalid: "COMMAND_INVALID", channelError: "CHANNEL_ERROR",
	unexpectedFrame: "UNEXPECTED_FRAME", notAllowed: "NOT_ALLOWED", notImplemented: "NOT_IMPLEMENTED", internalError: "INTERNAL_ERROR",
}

func fail(code uint16, format string, args ...any) *exception {
	return &exception{code, codeNames[code], fmt.Sprintf(format, args...)}
}

// deprecated is the answer to a feature that is not permitted.
func deprecated(feature string) *exception {
	return fail(internalError, "Feature `%s` is deprecated.\nBy default, this feature is not permitted anymore.", feature)
}
