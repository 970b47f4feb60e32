// Package mistakes holds solutions that are wrong the way people really get it wrong. Each is the requester of this file or the
// responder of responder.go with one piece exchanged for a wrong one.
package mistakes

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
	"github.com/brokerdojo/brokerdojo/exercises/week01/03-request-reply/solution"
)

// requester is right as it stands. The fields that follow mu are the pieces.
type requester struct {
	client            *sqs.Client
	requests, replies string

	mu      sync.Mutex
	waiting map[string]chan string

	newID      func(question string) string
	names      []string           // of the attributes that are asked for
	newChannel func() chan string // of an Ask
	forget     bool               // an Ask that has given up
	deadline   bool               // Ask looks at its context
	hand       func(ctx context.Context, answers chan<- string, answer string)
	remove     bool // replies are deleted
	deleteWith func(ctx context.Context) context.Context
	options    func(o *sqs.Options) // of a receive
	failed     func(ctx context.Context) (goOn bool)
}

func asking(change func(r *requester)) grader.Implementation {
	return grader.Implementation{
		NewRequester: func(client *sqs.Client, requestsURL, repliesURL string) grader.Requester {
			r := &requester{
				client: client, requests: requestsURL, replies: repliesURL, waiting: map[string]chan string{},
				newID: func(string) string { return rand.Text() },
				names: []string{"All"}, newChannel: func() chan string { return make(chan string, 1) },
				forget: true, hand: ifThereIsRoom, deadline: true, remove: true, deleteWith: context.WithoutCancel, failed: pause,
				options: func(*sqs.Options) {},
			}
			change(r)
			return r
		},
		Respond: solution.Respond,
	}
}

func (r *requester) Ask(ctx context.Context, question string) (string, error) {
	id, answers := r.newID(question), r.newChannel()
	r.mu.Lock()
	r.waiting[id] = answers
	r.mu.Unlock()
	if r.forget {
		defer func() {
			r.mu.Lock()
			delete(r.waiting, id)
			r.mu.Unlock()
		}()
	}
	if err := send(ctx, r.client, r.requests, question, map[string]string{grader.CorrelationID: id, grader.ReplyTo: r.replies}); err != nil {
		return "", err
	}
	if !r.deadline {
		return <-answers, nil
	}
	select {
	case answer := <-answers:
		return answer, nil
	case <-ctx.Done():
		return "", fmt.Errorf("no answer: %w", ctx.Err())
	}
}

func (r *requester) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		messages, err := receive(ctx, r.client, r.replies, r.names, r.options)
		if err != nil {
			if !r.failed(ctx) {
				return err
			}
			continue
		}
		for _, m := range messages {
			r.mu.Lock()
			answers := r.waiting[attribute(m, grader.CorrelationID)]
			r.mu.Unlock()
			if answers != nil {
				r.hand(ctx, answers, aws.ToString(m.Body))
			}
			if r.remove {
				remove(r.deleteWith(ctx), r.client, r.replies, m)
			}
		}
	}
	return nil
}

func ifThereIsRoom(_ context.Context, answers chan<- string, answer string) {
	select {
	case answers <- answer:
	default: // it has one already
	}
}

func send(ctx context.Context, client *sqs.Client, queueURL, body string, attributes map[string]string) error {
	in := &sqs.SendMessageInput{QueueUrl: aws.String(queueURL), MessageBody: aws.String(body), MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range attributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
	_, err := client.SendMessage(ctx, in)
	return err
}

func receive(ctx context.Context, client *sqs.Client, queueURL string, names []string, options ...func(o *sqs.Options)) ([]types.Message, error) {
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String(queueURL), WaitTimeSeconds: 20, MessageAttributeNames: names}, options...)
	if err != nil {
		return nil, err
	}
	return got.Messages, nil
}

func remove(ctx context.Context, client *sqs.Client, queueURL string, m types.Message) {
	_, _ = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(queueURL), ReceiptHandle: m.ReceiptHandle})
}

func attribute(m types.Message, name string) string {
	return aws.ToString(m.MessageAttributes[name].StringValue)
}

func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return true
}
