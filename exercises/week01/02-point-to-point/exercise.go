// Package pointtopoint is the exercise; README.md beside this file says what to build. This is the only file to edit.
package pointtopoint

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/internal/grade/lab"
)

// Produce puts each job into the queue, as the body of a message of its own. It returns nil only if all of them are in it.
func Produce(ctx context.Context, client *sqs.Client, queueURL string, jobs []string) error {
	lab.TODO("send each job as a message")
	return nil
}

// Consume works on the queue's jobs with the given number of workers until ctx ends, and then returns nil.
//
// A worker takes a job, calls do, and deletes the job if do returns nil. If do returns an error, or this process dies, the job
// stays in the queue and somebody else can have it two minutes later at the latest. As long as do runs, nobody else gets the job,
// however long it takes (an hour, say). Errors of SQS do not end Consume: it waits a little and tries again, until ctx ends. A
// worker with nothing to do waits, and does not poll without a pause.
//
// When ctx ends no new job is begun. What is being done is finished, and deleted, before Consume returns; do's own
// context does not end with ctx.
func Consume(ctx context.Context, client *sqs.Client, queueURL string, workers int, do func(ctx context.Context, job string) error) error {
	lab.TODO("start the workers and wait for them; each: receive, do, delete")
	return nil
}
