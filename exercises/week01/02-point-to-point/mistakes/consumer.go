// Package mistakes holds solutions that are wrong the way people really get it wrong. Each is the consumer of this file with one
// piece exchanged for a wrong one.
package mistakes

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/solution"
)

// consumer is right as it stands. The fields below the queue are the pieces.
type consumer struct {
	client *sqs.Client
	queue  *string
	do     func(ctx context.Context, job string) error

	batch     int32         // messages a receive
	longPoll  int32         // seconds
	lease     int32         // seconds
	heartbeat time.Duration // 0: none
	options   func(o *sqs.Options)
	fetchWith func(ctx context.Context) context.Context
	workWith  func(ctx context.Context) context.Context
	endWith   func(ctx context.Context) context.Context
	failed    func(ctx context.Context, err error) (goOn bool) // a receive has
	handle    func(ctx context.Context, c *consumer, m types.Message)
	goOn      func(ctx context.Context, received int) bool
}

func with(change func(c *consumer)) grader.Implementation {
	return grader.Implementation{
		Produce: solution.Produce,
		Consume: func(ctx context.Context, client *sqs.Client, queueURL string, workers int, do func(ctx context.Context, job string) error) error {
			c := &consumer{
				client: client, queue: aws.String(queueURL), do: do,
				batch: 1, longPoll: 20, lease: 30, heartbeat: 10 * time.Second,
				options:   func(*sqs.Options) {},
				fetchWith: func(ctx context.Context) context.Context { return ctx },
				workWith:  context.WithoutCancel,
				endWith:   context.WithoutCancel,
				failed: func(ctx context.Context, _ error) bool {
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
					return true
				},
				handle: workThenDelete,
				goOn:   func(ctx context.Context, _ int) bool { return ctx.Err() == nil },
			}
			change(c)
			var group sync.WaitGroup
			for range workers {
				group.Go(func() { c.work(ctx) })
			}
			group.Wait()
			return nil
		},
	}
}

func (c *consumer) work(ctx context.Context) {
	received := 1
	for c.goOn(ctx, received) {
		got, err := c.client.ReceiveMessage(c.fetchWith(ctx), &sqs.ReceiveMessageInput{
			QueueUrl: c.queue, MaxNumberOfMessages: c.batch, WaitTimeSeconds: c.longPoll, VisibilityTimeout: c.lease,
		}, c.options)
		if err != nil {
			if !c.failed(ctx, err) {
				return
			}
			received = 0
			continue
		}
		received = len(got.Messages)
		for _, m := range got.Messages {
			c.handle(ctx, c, m)
		}
	}
}

func workThenDelete(ctx context.Context, c *consumer, m types.Message) {
	stop := c.extend(m)
	err := c.do(c.workWith(ctx), aws.ToString(m.Body))
	stop()
	if err == nil {
		c.delete(c.endWith(ctx), m)
	}
}

func (c *consumer) delete(ctx context.Context, m types.Message) {
	_, _ = c.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: c.queue, ReceiptHandle: m.ReceiptHandle})
}

func (c *consumer) extend(m types.Message) (stop func()) {
	if c.heartbeat == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(c.heartbeat):
				_, _ = c.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
					QueueUrl: c.queue, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: c.lease,
				})
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}
