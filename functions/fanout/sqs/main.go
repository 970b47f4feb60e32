// Command sqs is a subscriber of the pattern fanout as a Lambda function: which of the three, SUBSCRIBER says. Its events come from
// the topic through a queue of its own, with raw message delivery, and its effects go to a FIFO queue.
package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/functions/fanout"
	"github.com/brokerdojo/brokerdojo/functions/internal/handler"
)

func main() {
	var name, effects string
	log, settings := handler.Setup(func(env *handler.Environment) {
		name = env.OneOf("SUBSCRIBER", slices.Sorted(maps.Keys(fanout.Subscribers))...)
		effects = env.Text("EFFECTS_QUEUE_URL")
	})
	client, subscriber := sqs.NewFromConfig(settings), fanout.Subscribers[name]
	batch := handler.Batch{
		Log: log.With("subscriber", name), Concurrency: 10, Reserve: time.Second,
		Metrics: &handler.Metrics{W: os.Stdout, Namespace: "Brokerdojo", Pattern: "fanout-" + name},
	}
	lambda.Start(func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		return batch.Handle(ctx, event, func(ctx context.Context, m handler.Message) error {
			e, err := fanout.Parse(m.Body)
			if err != nil {
				return err
			}
			effect, err := subscriber(e)
			if err != nil {
				return err
			}
			body, err := json.Marshal(effect)
			if err != nil {
				return err
			}
			_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &effects, MessageBody: aws.String(string(body)), MessageGroupId: &e.Order, MessageDeduplicationId: &effect.Key})
			return err
		})
	})
}
