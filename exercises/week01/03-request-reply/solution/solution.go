// Package solution is one good answer to the exercise.
package solution

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/exercises/week01/03-request-reply/grader"
)

const (
	longPoll = 20               // seconds; the longest that SQS waits for a message
	pause    = time.Second      // after an error, so that a sick SQS is not hammered
	settle   = 10 * time.Second // for the last calls about a message while we are stopping
)

// NewRequester returns a requester that asks in requestsURL and is answered in repliesURL.
func NewRequester(client *sqs.Client, requestsURL, repliesURL string) grader.Requester {
	return &requester{client: client, requestsURL: requestsURL, repliesURL: repliesURL, waiting: map[string]chan<- string{}}
}

type requester struct {
	client                  *sqs.Client
	requestsURL, repliesURL string

	mu      sync.Mutex
	waiting map[string]chan<- string // by correlation id; each has room for its one answer
}

// Ask sends the question and waits for the answer to it.
func (r *requester) Ask(ctx context.Context, question string) (answer string, err error) {
	id := rand.Text() // unlike a counter it does not start again when the process does
	answers := make(chan string, 1)
	r.mu.Lock()
	r.waiting[id] = answers // before the request is sent: the reply may be quick
	r.mu.Unlock()
	defer r.take(id)

	_, err = r.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:    aws.String(r.requestsURL),
		MessageBody: aws.String(question),
		MessageAttributes: map[string]types.MessageAttributeValue{
			grader.CorrelationID: text(id),
			grader.ReplyTo:       text(r.repliesURL),
		},
	})
	if err != nil {
		return "", fmt.Errorf("send request: %w", err)
	}
	select {
	case answer := <-answers:
		return answer, nil
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the answer: %w", ctx.Err())
	}
}

// Run receives replies and hands each to the Ask that waits for it.
func (r *requester) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		got, err := r.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:              aws.String(r.repliesURL),
			MaxNumberOfMessages:   10,
			WaitTimeSeconds:       longPoll,
			MessageAttributeNames: []string{grader.CorrelationID},
		})
		if err != nil {
			wait(ctx, pause)
			continue
		}
		for _, m := range got.Messages {
			// Nobody waits for a late reply or for the second copy of one: it is dropped.
			if answers := r.take(attribute(m, grader.CorrelationID)); answers != nil {
				answers <- aws.ToString(m.Body) // does not block: taken once, and there is room
			}
			remove(ctx, r.client, r.repliesURL, m)
		}
	}
	return nil
}

// take returns the channel of the Ask that waits under the id, if there is one, and forgets it.
func (r *requester) take(id string) chan<- string {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := r.waiting[id]
	delete(r.waiting, id)
	return answers
}

// Respond answers the requests in the queue requestsURL until ctx ends.
func Respond(ctx context.Context, client *sqs.Client, requestsURL string, answer func(ctx context.Context, question string) (string, error)) error {
	for ctx.Err() == nil {
		got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:              aws.String(requestsURL),
			MaxNumberOfMessages:   1, // the lease of a second one would run while the first is answered
			WaitTimeSeconds:       longPoll,
			MessageAttributeNames: []string{grader.CorrelationID, grader.ReplyTo},
		})
		if err != nil {
			wait(ctx, pause)
			continue
		}
		for _, m := range got.Messages {
			if err := respond(context.WithoutCancel(ctx), client, m, answer); err != nil {
				continue // not deleted: it comes back
			}
			remove(ctx, client, requestsURL, m)
		}
	}
	return nil
}

func respond(ctx context.Context, client *sqs.Client, request types.Message, answer func(ctx context.Context, question string) (string, error)) error {
	body, err := answer(ctx, aws.ToString(request.Body))
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:          aws.String(attribute(request, grader.ReplyTo)),
		MessageBody:       aws.String(body),
		MessageAttributes: map[string]types.MessageAttributeValue{grader.CorrelationID: text(attribute(request, grader.CorrelationID))},
	})
	if err != nil {
		return fmt.Errorf("send reply: %w", err)
	}
	return nil
}

// remove deletes a message that is dealt with, even if ctx has ended. If it fails, the message comes back and is dealt with again.
func remove(ctx context.Context, client *sqs.Client, queueURL string, m types.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	_, _ = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(queueURL), ReceiptHandle: m.ReceiptHandle})
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
}

func attribute(m types.Message, name string) string {
	return aws.ToString(m.MessageAttributes[name].StringValue)
}
