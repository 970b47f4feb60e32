package embedded_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

// This test is the README's example; TestREADME compares them.
func TestRedelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := embedded.InMemory(embedded.Options{})
		defer cloud.Close()
		client := sqs.NewFromConfig(cloud.AWS())

		queue, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("order 17")})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 2 { // received, not deleted, and delivered again
			got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: queue.QueueUrl, WaitTimeSeconds: 20, VisibilityTimeout: 12,
			})
			if err != nil || len(got.Messages) != 1 {
				t.Fatal(err, got)
			}
		}
		if waited := time.Since(start); waited != 12*time.Second { // a millisecond on your watch
			t.Errorf("delivered again after %v", waited)
		}
	})
}
