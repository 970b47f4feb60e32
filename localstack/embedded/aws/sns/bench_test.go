package sns_test

import (
	"log/slog"
	"net/http"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/sns"
	queueclient "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
)

// realQueues are those of the SQS beside.
type realQueues struct{ *sqs.Service }

func (q realQueues) Deliver(arn string, m sns.QueueMessage) error {
	return q.Service.Deliver(arn, sqs.Message{Body: m.Body, GroupID: m.GroupID, DeduplicationID: m.DeduplicationID})
}

// BenchmarkPublishToThreeQueues publishes with the official client on an in-memory connection; delivery goes on beside.
func BenchmarkPublishToThreeQueues(b *testing.B) {
	for name, attributes := range map[string]map[string]string{
		"Raw":      {"RawMessageDelivery": "true"},
		"Filtered": {"RawMessageDelivery": "true", "FilterPolicyScope": "MessageBody", "FilterPolicy": `{"total":[{"numeric":[">",10]}]}`},
		"Envelope": {}, // signed
	} {
		b.Run(name, func(b *testing.B) {
			queues := sqs.New(sqs.Options{})
			defer queues.Close()
			topics := sns.New(sns.Options{Queues: realQueues{queues}})
			defer topics.Close()
			config := awssdk.Config{
				BaseEndpoint: awssdk.String("http://127.0.0.1:4566"), Region: "us-east-1",
				Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
				HTTPClient:  &http.Client{Transport: aws.Transport{Handler: aws.NewEndpoint(slog.New(slog.DiscardHandler), queues.API(), topics.API())}},
			}
			c, q := client.NewFromConfig(config), queueclient.NewFromConfig(config)
			topic, err := c.CreateTopic(b.Context(), &client.CreateTopicInput{Name: awssdk.String("topic")})
			if err != nil {
				b.Fatal(err)
			}
			for _, name := range []string{"a", "b", "c"} {
				if _, err := q.CreateQueue(b.Context(), &queueclient.CreateQueueInput{QueueName: &name}); err != nil {
					b.Fatal(err)
				}
				arn := queueARN(name)
				if _, err := c.Subscribe(b.Context(), &client.SubscribeInput{TopicArn: topic.TopicArn, Protocol: awssdk.String("sqs"), Endpoint: &arn, Attributes: attributes}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Publish(b.Context(), &client.PublishInput{TopicArn: topic.TopicArn, Message: awssdk.String(`{"order":17,"total":99.5}`)}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publish/s")
		})
	}
}
