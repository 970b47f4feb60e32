// Command sqs is the handler of a route of the pattern routing as a Lambda function: which one, ROUTE says. Its orders come from
// the topic, through the filter of its subscription and a queue of its own, and what it does goes to a FIFO queue.
package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/functions/internal/handler"
	"github.com/brokerdojo/brokerdojo/functions/routing"
)

func main() {
	var name, effects string
	log, settings := handler.Setup(func(env *handler.Environment) {
		name = env.OneOf("ROUTE", slices.Sorted(maps.Keys(routing.Routes))...)
		effects = env.Text("EFFECTS_QUEUE_URL")
	})
	client, route := sqs.NewFromConfig(settings), routing.Routes[name]
	batch := handler.Batch{
		Log: log.With("route", name), Concurrency: 10, Reserve: time.Second,
		Metrics: &handler.Metrics{W: os.Stdout, Namespace: "Brokerdojo", Pattern: "routing-" + name},
	}
	lambda.Start(func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		return batch.Handle(ctx, event, func(ctx context.Context, m handler.Message) error {
			order, err := routing.Parse(m.Body)
			if err != nil {
				return err
			}
			_, err = client.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: &effects, MessageBody: aws.String(route(order)), MessageGroupId: &order.ID, MessageDeduplicationId: aws.String(name + "-" + order.ID),
			})
			return err
		})
	})
}
