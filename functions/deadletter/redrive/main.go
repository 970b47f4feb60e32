// Command redrive is the operator's half of the pattern deadletter as a Lambda function: it sends what is in a dead letter queue back
// to where it came from, slowly, and only if nobody else is doing so.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/functions/internal/handler"
)

// A Request is the function's event.
type Request struct {
	PerSecond int32 `json:"perSecond"` // 1 to 500; 0 is the function's configuration
	DryRun    bool  `json:"dryRun"`    // tells what would be moved
}

// An Answer is what was begun.
type Answer struct {
	Messages int    `json:"messages"` // in the dead letter queue, about
	Task     string `json:"task,omitempty"`
}

func main() {
	var url, arn string
	var rate int
	_, settings := handler.Setup(func(env *handler.Environment) {
		url, arn = env.Text("DEAD_LETTER_QUEUE_URL"), env.Text("DEAD_LETTER_QUEUE_ARN")
		rate = env.Number("PER_SECOND", 1, 500, 10)
	})
	r := redrive{client: sqs.NewFromConfig(settings), url: url, arn: arn, rate: int32(rate)}
	lambda.Start(r.handle)
}

type redrive struct {
	client   *sqs.Client
	url, arn string
	rate     int32
}

func (r redrive) handle(ctx context.Context, in Request) (Answer, error) {
	if in.PerSecond < 0 || in.PerSecond > 500 {
		return Answer{}, fmt.Errorf("perSecond is %d: it must be from 1 to 500", in.PerSecond)
	}
	tasks, err := r.client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &r.arn})
	if err != nil {
		return Answer{}, fmt.Errorf("list the tasks of the queue: %w", err)
	}
	for _, t := range tasks.Results {
		if aws.ToString(t.Status) == "RUNNING" {
			return Answer{}, errors.New("a task is running already: wait for its end, or cancel it")
		}
	}
	attributes, err := r.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &r.url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages}})
	if err != nil {
		return Answer{}, fmt.Errorf("count the messages: %w", err)
	}
	n, err := strconv.Atoi(attributes.Attributes["ApproximateNumberOfMessages"])
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Messages: n}
	if n == 0 || in.DryRun {
		return answer, nil
	}
	rate := r.rate
	if in.PerSecond > 0 {
		rate = in.PerSecond
	}
	task, err := r.client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &r.arn, MaxNumberOfMessagesPerSecond: &rate})
	if err != nil {
		return answer, fmt.Errorf("start the task: %w", err)
	}
	answer.Task = aws.ToString(task.TaskHandle)
	return answer, nil
}
