// Package week01_test runs every Go snippet of the week's lesson, README.md. A snippet is the code between a line
// "// snippet: name" and "// end"; in the lesson it stands in a block that opens with "```go name".
package week01_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

// snippet: availability
// inARow is the availability of a call that needs all of n services, each
// of them up for the given share of the time.
func inARow(n int, each float64) float64 {
	all := 1.0
	for range n {
		all *= each
	}
	return all
}

// downtime is how long a month of 30 days is not served.
func downtime(availability float64) time.Duration {
	const month = 30 * 24 * time.Hour
	down := (1 - availability) * float64(month)
	return time.Duration(down).Round(time.Minute)
}

// end

func Example_availability() {
	for _, n := range []int{1, 2, 5, 10} {
		a := inARow(n, 0.999)
		fmt.Printf("%2d services of 99.90 %%: %.2f %%, down %v a month\n", n, 100*a, downtime(a))
	}
	brokered := inARow(1, 0.999) * 0.9999
	fmt.Printf(" 1 service and a broker of 99.99 %%: %.2f %%, down %v a month\n", 100*brokered, downtime(brokered))
	// Output:
	//  1 services of 99.90 %: 99.90 %, down 43m0s a month
	//  2 services of 99.90 %: 99.80 %, down 1h26m0s a month
	//  5 services of 99.90 %: 99.50 %, down 3h36m0s a month
	// 10 services of 99.90 %: 99.00 %, down 7h10m0s a month
	//  1 service and a broker of 99.99 %: 99.89 %, down 48m0s a month
}

// snippet: nobody
func publishToNobody(ctx context.Context, rdb *redis.Client) error {
	receivers, err := rdb.Publish(ctx, "news", "too early").Result()
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	fmt.Println("receivers:", receivers) // 0: it is gone, and no error
	return nil
}

// end

// snippet: subscribe
func subscribeAndPublish(ctx context.Context, rdb *redis.Client) error {
	sub := rdb.Subscribe(ctx, "news")
	defer sub.Close()
	// SUBSCRIBE has been sent. Its answer is the first thing to receive;
	// until it is here, a message may still pass us by.
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}

	receivers, err := rdb.Publish(ctx, "news", "hello").Result()
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	message := <-sub.Channel()
	fmt.Println("receivers:", receivers, "message:", message.Payload)
	return nil
}

// end

func Example_pubSub() {
	cloud := embedded.InMemory(embedded.Options{Services: []string{embedded.Redis}})
	defer cloud.Close()
	rdb := redis.NewClient(cloud.Redis())
	defer rdb.Close()

	ctx := context.Background()
	if err := errors.Join(publishToNobody(ctx, rdb), subscribeAndPublish(ctx, rdb)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// receivers: 0
	// receivers: 1 message: hello
}

// snippet: send
func send(ctx context.Context, client *sqs.Client,
	queueURL, job string) error {
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:    aws.String(queueURL),
		MessageBody: aws.String(job),
	})
	if err != nil {
		return fmt.Errorf("send %q: %w", job, err)
	}
	return nil // stored: from here on the queue answers for it
}

// end

// snippet: work
func workOnce(ctx context.Context, client *sqs.Client, queueURL string,
	work func(job string) error) error {
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:            aws.String(queueURL),
		WaitTimeSeconds:     20, // long poll: wait for work, do not ask again
		MaxNumberOfMessages: 1,
	})
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	for _, m := range got.Messages {
		if err := work(aws.ToString(m.Body)); err != nil {
			return fmt.Errorf("work: %w", err) // not deleted: it comes back
		}
		_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{
			QueueUrl:      aws.String(queueURL),
			ReceiptHandle: m.ReceiptHandle,
		})
		if err != nil {
			return fmt.Errorf("delete: %w", err)
		}
	}
	return nil
}

// end

func Example_pointToPoint() {
	cloud, client, queueURL := queue("labels")
	defer cloud.Close()

	ctx := context.Background()
	err := errors.Join(
		send(ctx, client, queueURL, "label for parcel 17"),
		workOnce(ctx, client, queueURL, func(job string) error {
			fmt.Println("print", job)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	// Output: print label for parcel 17
}

// snippet: request
func sendRequest(ctx context.Context, client *sqs.Client,
	requests, replies, id, question string) error {
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{
			DataType: aws.String("String"), StringValue: aws.String(s),
		}
	}
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:    aws.String(requests),
		MessageBody: aws.String(question),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"CorrelationId": text(id),      // which question a reply answers
			"ReplyTo":       text(replies), // where the reply shall go
		},
	})
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}

// end

func Example_requestReply() {
	cloud, client, requests := queue("requests")
	defer cloud.Close()

	ctx := context.Background()
	if err := sendRequest(ctx, client, requests, "http://127.0.0.1:4566/000000000000/replies", "q-1", "how much is the fish?"); err != nil {
		log.Fatal(err)
	}
	// Message attributes come back only for those who ask for them.
	for _, names := range [][]string{nil, {"All"}} {
		got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(requests), MessageAttributeNames: names, VisibilityTimeout: 0, WaitTimeSeconds: 20,
		})
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range got.Messages {
			fmt.Println(aws.ToString(m.Body), len(m.MessageAttributes), "attributes")
			_, err := client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: aws.String(requests), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0,
			})
			if err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// how much is the fish? 0 attributes
	// how much is the fish? 2 attributes
}

// A lease in the lesson is 30 seconds, here as well: virtual time makes that free.
func TestALeaseThatEndsLetsTheNextWorkerIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client, queueURL := queue("labels")
		defer cloud.Close()
		ctx := t.Context()
		if err := send(ctx, client, queueURL, "label for parcel 17"); err != nil {
			t.Fatal(err)
		}
		receive := func() []types.Message {
			t.Helper()
			// snippet: lease
			got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl:          aws.String(queueURL),
				VisibilityTimeout: 30, // the lease, in seconds
				WaitTimeSeconds:   20,
			})
			// end
			if err != nil {
				t.Fatal(err)
			}
			return got.Messages
		}

		start := time.Now()
		first := receive()
		if len(first) != 1 {
			t.Fatal("the first worker got nothing")
		}
		if got := receive(); len(got) != 0 { // waits 20 s
			t.Fatalf("a second worker got the message after %v, while it was leased", time.Since(start))
		}
		if got := receive(); len(got) != 1 || time.Since(start) != 30*time.Second {
			t.Fatalf("after %v: %d messages", time.Since(start), len(got))
		}

		heartbeat := func(receiptHandle *string) error {
			// snippet: extend
			input := &sqs.ChangeMessageVisibilityInput{
				QueueUrl:          aws.String(queueURL),
				ReceiptHandle:     receiptHandle,
				VisibilityTimeout: 30, // counted from now
			}
			_, err := client.ChangeMessageVisibility(ctx, input)
			// end
			return err
		}
		time.Sleep(30 * time.Second)
		next := receive()
		if len(next) != 1 {
			t.Fatal("the message did not come back")
		}
		time.Sleep(20 * time.Second)
		if err := heartbeat(next[0].ReceiptHandle); err != nil {
			t.Fatal(err)
		}
		if got := receive(); len(got) != 0 {
			t.Fatal("the message came back though its lease had been extended")
		}
	})
}

// queue returns a client of a local cloud in memory, and a queue in it.
func queue(name string) (*embedded.Cloud, *sqs.Client, string) {
	cloud := embedded.InMemory(embedded.Options{Services: []string{embedded.AWS}})
	client := sqs.NewFromConfig(cloud.AWS())
	created, err := client.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: aws.String(name)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return cloud, client, aws.ToString(created.QueueUrl)
}
