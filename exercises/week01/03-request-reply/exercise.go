// Package requestreply is the exercise; README.md beside this file says what to build. This is the only file to edit.
package requestreply

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/exercises/week01/03-request-reply/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade/lab"
)

// NewRequester returns a requester that sends its requests to the queue requestsURL. The replies come to repliesURL, a queue
// that belongs to this requester alone; what an earlier process left in it is of no interest.
func NewRequester(client *sqs.Client, requestsURL, repliesURL string) grader.Requester {
	return &requester{}
}

// requester is yours to shape. It must do what grader.Requester says.
type requester struct{}

func (r *requester) Ask(ctx context.Context, question string) (answer string, err error) {
	lab.TODO("send the request; wait for the reply to it, or for the end of ctx")
	return "", nil
}

func (r *requester) Run(ctx context.Context) error {
	lab.TODO("receive replies until ctx ends and hand each to the Ask that waits for it")
	return nil
}

// Respond answers the requests in the queue requestsURL, one after the other, until ctx ends, and then returns nil.
//
// It calls answer with the question, sends what it returns to the request's return address, under the request's correlation id,
// and only then deletes the request. If answer fails, there is no reply and the request comes back; if it fails or this process
// dies, another responder can have the request two minutes later at the latest. After an error of SQS, Respond waits a little and
// goes on. What is being answered when ctx ends is answered to the end; answer's own context does not end with ctx.
func Respond(ctx context.Context, client *sqs.Client, requestsURL string, answer func(ctx context.Context, question string) (string, error)) error {
	lab.TODO("receive requests; answer, reply, delete")
	return nil
}
