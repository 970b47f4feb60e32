package grader

import "context"

// The names of the message attributes that carry a request's identity and return address. Both are of the type String.
const (
	CorrelationID = "CorrelationId" // on requests and replies: which request a reply belongs to
	ReplyTo       = "ReplyTo"       // on requests: the URL of the queue for the reply
)

// Requester asks questions over a queue of requests and gets the answers from a queue of its own.
type Requester interface {
	// Ask sends the question and waits for the answer to it. It may be called by many goroutines at once. When ctx ends first,
	// it returns an error that wraps ctx.Err(); a reply that comes later is received, deleted and given to nobody.
	Ask(ctx context.Context, question string) (answer string, err error)

	// Run receives the replies until ctx ends, deletes what it has received, and then returns nil. It survives errors of SQS, and
	// waits a little after each. It is called once, in a goroutine of its own; without it, Ask gets no answers.
	Run(ctx context.Context) error
}
