// Package solution is one good answer to the exercise.
package solution

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	batch     = 10               // the most messages that SQS takes in one call
	longPoll  = 20               // seconds; the longest that SQS waits for a message
	lease     = 30 * time.Second // how long a job is ours without a heartbeat
	heartbeat = lease / 3        // two may get lost
	pause     = time.Second      // after an error, so that a sick SQS is not hammered
	settle    = 10 * time.Second // for the last calls about a job while we are stopping
)

// Produce puts each job into the queue, ten in a request.
func Produce(ctx context.Context, client *sqs.Client, queueURL string, jobs []string) error {
	for chunk := range slices.Chunk(jobs, batch) {
		entries := make([]types.SendMessageBatchRequestEntry, len(chunk))
		for i, job := range chunk {
			entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(job)}
		}
		sent, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(queueURL), Entries: entries})
		if err != nil {
			return fmt.Errorf("send jobs: %w", err)
		}
		if len(sent.Failed) > 0 { // a batch can succeed in part
			f := sent.Failed[0]
			return fmt.Errorf("send jobs: %d of %d refused, the first: %s", len(sent.Failed), len(chunk), aws.ToString(f.Message))
		}
	}
	return nil
}

// Consume works on the queue's jobs with the given number of workers until ctx ends.
func Consume(ctx context.Context, client *sqs.Client, queueURL string, workers int, do func(ctx context.Context, job string) error) error {
	c := consumer{client: client, queueURL: queueURL, do: do}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { c.work(ctx) })
	}
	group.Wait()
	return nil
}

type consumer struct {
	client   *sqs.Client
	queueURL string
	do       func(ctx context.Context, job string) error
}

// work takes one job at a time. Several would have their leases run while they wait for each other.
func (c *consumer) work(ctx context.Context) {
	for ctx.Err() == nil {
		got, err := c.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:            aws.String(c.queueURL),
			MaxNumberOfMessages: 1,
			WaitTimeSeconds:     longPoll,
			VisibilityTimeout:   int32(lease.Seconds()),
		})
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		}
		for _, m := range got.Messages {
			// From here on the job is ours. Stopping must not end it half-way, nor keep us from deleting it.
			c.handle(context.WithoutCancel(ctx), m)
		}
	}
}

// handle does one job and deletes it. What it cannot do or delete comes back when the lease has ended.
func (c *consumer) handle(ctx context.Context, m types.Message) {
	stop := c.keepLease(ctx, m.ReceiptHandle)
	err := c.do(ctx, aws.ToString(m.Body))
	stop()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	_, _ = c.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(c.queueURL), ReceiptHandle: m.ReceiptHandle})
}

// keepLease extends the message's lease until stop is called. It returns at once; stop waits until the last call is over.
func (c *consumer) keepLease(ctx context.Context, receiptHandle *string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// A failure is made good by the next beat.
				_, _ = c.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
					QueueUrl:          aws.String(c.queueURL),
					ReceiptHandle:     receiptHandle,
					VisibilityTimeout: int32(lease.Seconds()),
				})
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}
