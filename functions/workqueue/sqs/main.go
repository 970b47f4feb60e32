// Command sqs is the worker of the pattern workqueue as a Lambda function: its jobs come from an SQS queue, and its invoices go to a
// FIFO queue, whose deduplication makes a job that comes twice within five minutes one invoice.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/functions/internal/handler"
	"github.com/brokerdojo/brokerdojo/functions/workqueue"
)

func main() {
	var invoices string
	var concurrency int
	log, settings := handler.Setup(func(env *handler.Environment) {
		invoices = env.Text("INVOICES_QUEUE_URL")
		concurrency = env.Number("CONCURRENCY", 1, 100, 10)
	})
	worker := workqueue.Worker{Invoices: queue{sqs.NewFromConfig(settings), invoices}}
	batch := handler.Batch{
		Log: log, Concurrency: concurrency, Reserve: time.Second,
		Metrics: &handler.Metrics{W: os.Stdout, Namespace: "Brokerdojo", Pattern: "workqueue"},
	}
	lambda.Start(func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		return batch.Handle(ctx, event, func(ctx context.Context, m handler.Message) error {
			job, err := workqueue.Parse(m.Body)
			if err != nil {
				return err // it comes back until the redrive policy takes it out
			}
			return worker.Do(ctx, job)
		})
	})
}

// queue is where invoices go.
type queue struct {
	client *sqs.Client
	url    string
}

func (q queue) Send(ctx context.Context, key string, i workqueue.Invoice) error {
	body, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.url, MessageBody: aws.String(string(body)), MessageGroupId: aws.String("customer-" + i.Customer), MessageDeduplicationId: &key,
	})
	return err
}
