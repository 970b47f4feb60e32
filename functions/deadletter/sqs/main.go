// Command sqs is the consumer of the pattern deadletter as a Lambda function. A message that is wrong in itself is put aside at once, with
// the reason as an attribute, and costs its batch nothing; one that fails for now comes back until the redrive policy takes it out.
//
// What is put aside has a queue of its own: a task that moves dead letters back would fail at a message that no queue brought there.
package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/functions/deadletter"
	"github.com/brokerdojo/brokerdojo/functions/internal/handler"
)

func main() {
	var receipts, poisoned string
	var currencies []string
	log, settings := handler.Setup(func(env *handler.Environment) {
		receipts, poisoned = env.Text("RECEIPTS_QUEUE_URL"), env.Text("POISON_QUEUE_URL")
		currencies = strings.Split(env.Text("CURRENCIES"), ",")
	})
	client := sqs.NewFromConfig(settings)
	batch := handler.Batch{
		Log: log, Concurrency: 10, Reserve: time.Second,
		Metrics: &handler.Metrics{W: os.Stdout, Namespace: "Brokerdojo", Pattern: "deadletter"},
	}
	lambda.Start(func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		return batch.Handle(ctx, event, func(ctx context.Context, m handler.Message) error {
			payment, err := deadletter.Parse(m.Body)
			var poison *deadletter.Poison
			if errors.As(err, &poison) {
				handler.Log(ctx).Warn("poison put aside", "reason", poison.Reason)
				_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
					QueueUrl: &poisoned, MessageBody: &m.Body,
					MessageAttributes: map[string]types.MessageAttributeValue{
						"reason":         {DataType: aws.String("String"), StringValue: aws.String(poison.Reason)},
						"correlation-id": {DataType: aws.String("String"), StringValue: &m.CorrelationID},
					},
				})
				return err // sent, then deleted: a crash in between puts it aside twice, and loses nothing
			}
			if err != nil {
				return err
			}
			receipt, err := deadletter.Charge(payment, currencies)
			if err != nil {
				return err
			}
			_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &receipts, MessageBody: &receipt, MessageGroupId: &payment.ID, MessageDeduplicationId: &payment.ID})
			return err
		})
	})
}
