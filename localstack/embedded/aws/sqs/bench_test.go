package sqs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
)

// BenchmarkCycle sends, receives and deletes one message over loopback HTTP, from 8 goroutines, clients included: with the official
// client, and with a bare one that leaves its work out of the figure.
func BenchmarkCycle(b *testing.B) {
	service := sqs.New(sqs.Options{})
	defer service.Close()
	server := httptest.NewServer(aws.NewEndpoint(discard, service.API()))
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	defer transport.CloseIdleConnections()

	b.Run("sdk", func(b *testing.B) {
		c := client.New(client.Options{
			Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: &http.Client{Transport: transport},
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		})
		queue, err := c.CreateQueue(b.Context(), &client.CreateQueueInput{QueueName: awssdk.String("sdk")})
		if err != nil {
			b.Fatal(err)
		}
		cycles(b, func() error {
			if _, err := c.SendMessage(b.Context(), &client.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: &body}); err != nil {
				return err
			}
			got, err := c.ReceiveMessage(b.Context(), &client.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 20})
			if err != nil {
				return err
			}
			_, err = c.DeleteMessage(b.Context(), &client.DeleteMessageInput{QueueUrl: queue.QueueUrl, ReceiptHandle: got.Messages[0].ReceiptHandle})
			return err
		})
	})
	b.Run("bare", func(b *testing.B) {
		call := func(action string, in, out any) error {
			text, err := json.Marshal(in)
			if err != nil {
				return err
			}
			r, err := http.NewRequest(http.MethodPost, server.URL, bytes.NewReader(text))
			if err != nil {
				return err
			}
			r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
			resp, err := transport.RoundTrip(r)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil || out == nil {
				return err
			}
			return json.Unmarshal(answer, out)
		}
		var queue struct{ QueueUrl string }
		if err := call("CreateQueue", map[string]string{"QueueName": "bare"}, &queue); err != nil {
			b.Fatal(err)
		}
		cycles(b, func() error {
			if err := call("SendMessage", map[string]any{"QueueUrl": queue.QueueUrl, "MessageBody": body}, nil); err != nil {
				return err
			}
			var got struct {
				Messages []struct{ ReceiptHandle string }
			}
			if err := call("ReceiveMessage", map[string]any{"QueueUrl": queue.QueueUrl, "WaitTimeSeconds": 20}, &got); err != nil {
				return err
			}
			if len(got.Messages) != 1 {
				return errors.New("nothing received")
			}
			return call("DeleteMessage", map[string]any{"QueueUrl": queue.QueueUrl, "ReceiptHandle": got.Messages[0].ReceiptHandle}, nil)
		})
	})
}

var body = strings.Repeat("x", 100)

// cycles runs f b.N times in all, from 8 goroutines, and reports how often a second.
func cycles(b *testing.B, f func() error) {
	b.ReportAllocs()
	work := make(chan struct{}, 64)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range work {
				if err := f(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	running.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
}
