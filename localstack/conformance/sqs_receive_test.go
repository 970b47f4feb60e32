package conformance_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestSQSReceive(t *testing.T) {
	sqsRule(t, time.Minute, "a received message is hidden for the visibility timeout and then comes again", "Developer Guide: Amazon SQS visibility timeout", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		start := time.Now()
		first := s.one(url)
		s.wantNothing(url)
		s.receive(url, wait(20))
		again := s.one(url)
		s.took(start, 30*time.Second)
		if *again.MessageId != *first.MessageId || *again.ReceiptHandle == *first.ReceiptHandle || systemAttribute(again, "ApproximateReceiveCount") != "2" {
			t.Errorf("%+v after %+v", again, first)
		}
		for _, same := range []types.MessageSystemAttributeName{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
			if a, b := systemAttribute(first, same), systemAttribute(again, same); a != b || a == "" {
				t.Errorf("%s was %q, then %q", same, a, b)
			}
		}
	})
	sqsRule(t, 5*time.Second, "a receive can have a visibility timeout of its own", "API Reference: ReceiveMessage, VisibilityTimeout", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		start := time.Now()
		s.one(url, visibility(3))
		s.one(url)
		s.took(start, 3*time.Second)
	})
	sqsRule(t, 0, "a receive gets up to ten messages", "API Reference: ReceiveMessage, MaxNumberOfMessages", func(t *testing.T, s sqsCloud) {
		url := s.create()
		for range 12 {
			s.send(url, "m")
		}
		if n := len(s.receive(url)); n > 10 || s.Embedded() && n != 10 {
			t.Errorf("received %d", n)
		}
		got, err := s.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 5})
		s.ok(err)
		if len(got.Messages) != 1 {
			t.Errorf("received %d, want 1 where no number is said", len(got.Messages))
		}
	})
	sqsRule(t, 0, "a receive's parameters have limits", "API Reference: ReceiveMessage; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create()
		for _, in := range []sqs.ReceiveMessageInput{
			{MaxNumberOfMessages: 11}, {MaxNumberOfMessages: -1}, {WaitTimeSeconds: 21}, {WaitTimeSeconds: -1}, {VisibilityTimeout: 43_201}, {VisibilityTimeout: -1},
			{ReceiveRequestAttemptId: aws.String("fifo-only")},
		} {
			in.QueueUrl = &url
			_, err := s.ReceiveMessage(s.ctx, &in)
			wantCode(t, err, "InvalidParameterValue")
		}
	})
	sqsRule(t, 0, "system attributes come where they are asked for", "API Reference: ReceiveMessage, MessageSystemAttributeNames; recorded 2022", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "0")
		s.send(url, "m")
		for name, want := range map[types.MessageSystemAttributeName]string{
			"":         "[]",
			"All":      "[ApproximateFirstReceiveTimestamp ApproximateReceiveCount SenderId SentTimestamp]",
			"SenderId": "[SenderId]",
		} {
			m := s.one(url, func(in *sqs.ReceiveMessageInput) {
				in.MessageSystemAttributeNames = nil
				if name != "" {
					in.MessageSystemAttributeNames = append(in.MessageSystemAttributeNames, name)
				}
			})
			if got := fmt.Sprint(keys(m.Attributes)); got != want {
				t.Errorf("%q gives %s, want %s", name, got, want)
			}
		}
		_, err := s.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"Nonsense"}})
		wantError[*types.InvalidAttributeName](t, err)
	})
	sqsRule(t, 90*time.Second, "a message is dropped at the end of its retention period", "API Reference: SetQueueAttributes, MessageRetentionPeriod", func(t *testing.T, s sqsCloud) {
		url := s.create("MessageRetentionPeriod", "60")
		s.send(url, "m")
		s.Sleep(59 * time.Second)
		s.ok(s.change(url, s.one(url), 0))
		s.Sleep(20 * time.Second)
		s.wantNothing(url)
	})
	sqsRule(t, 20*time.Minute, "a shorter retention period drops messages that are older", "API Reference: SetQueueAttributes, MessageRetentionPeriod", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		s.Sleep(2 * time.Minute)
		s.set(url, "MessageRetentionPeriod", "60")
		s.Eventually("no message is left", 15*time.Minute, func() bool { return s.attribute(url, "ApproximateNumberOfMessages") == "0" })
		s.wantNothing(url)
	})
}

func TestSQSLongPolls(t *testing.T) {
	// waiting receives for 20 seconds while something is done after 3, and says how long it took.
	waiting := func(s sqsCloud, url string, meanwhile func() error, want time.Duration) {
		s.t.Helper()
		done := make(chan error, 1)
		go func() {
			s.Sleep(3 * time.Second)
			done <- meanwhile()
		}()
		start := time.Now()
		if got := s.receive(url, wait(20)); len(got) != 1 {
			s.t.Errorf("received %d messages", len(got))
		}
		s.took(start, want)
		s.ok(<-done)
	}
	nothing := func() error { return nil }
	sqsRule(t, 20*time.Second, "a long poll without messages ends after its time, with no error", "Developer Guide: Amazon SQS short and long polling", func(t *testing.T, s sqsCloud) {
		start := time.Now()
		if got := s.receive(s.create(), wait(20)); len(got) != 0 {
			t.Errorf("received %d messages", len(got))
		}
		s.took(start, 20*time.Second)
	})
	sqsRule(t, 10*time.Second, "a queue can make every receive a long poll", "API Reference: SetQueueAttributes, ReceiveMessageWaitTimeSeconds", func(t *testing.T, s sqsCloud) {
		url := s.create("ReceiveMessageWaitTimeSeconds", "7")
		start := time.Now()
		_, err := s.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
		s.ok(err)
		s.took(start, 7*time.Second)
	})
	sqsRule(t, 5*time.Second, "a long poll ends when a message arrives", "API Reference: ReceiveMessage, WaitTimeSeconds", func(t *testing.T, s sqsCloud) {
		url := s.create()
		waiting(s, url, func() error {
			_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")})
			return err
		}, 3*time.Second)
	})
	sqsRule(t, 10*time.Second, "a long poll ends when a message's delay ends", "API Reference: ReceiveMessage, WaitTimeSeconds; SendMessage, DelaySeconds", func(t *testing.T, s sqsCloud) {
		url := s.create("DelaySeconds", "5")
		s.send(url, "m")
		waiting(s, url, nothing, 5*time.Second)
	})
	sqsRule(t, 10*time.Second, "a long poll ends when a visibility timeout ends", "API Reference: ReceiveMessage, WaitTimeSeconds, VisibilityTimeout", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		s.one(url, visibility(6))
		waiting(s, url, nothing, 6*time.Second)
	})
	sqsRule(t, 5*time.Second, "a long poll ends when a receiver gives a message back", "API Reference: ReceiveMessage, WaitTimeSeconds; ChangeMessageVisibility", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		m := s.one(url)
		waiting(s, url, func() error { return s.change(url, m, 0) }, 3*time.Second)
	})
	sqsRule(t, 5*time.Second, "a long poll on a FIFO queue ends when the message group is free", "Developer Guide: FIFO queue delivery logic", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		s.sendFIFO(url, "a1", "a2")
		m := s.one(url)
		waiting(s, url, func() error { return s.delete(url, m) }, 3*time.Second)
	})
}

func TestSQSDelete(t *testing.T) {
	sqsRule(t, 5*time.Second, "a deleted message does not come again", "API Reference: DeleteMessage", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "1")
		s.send(url, "m")
		m := s.one(url)
		s.ok(s.delete(url, m))
		s.Sleep(2 * time.Second)
		s.wantNothing(url)
	})
	sqsRule(t, 0, "deleting a message again is no error", "API Reference: DeleteMessage", func(t *testing.T, s sqsCloud) {
		for _, url := range []string{s.create(), s.createFIFO()} {
			if url[len(url)-5:] == ".fifo" {
				s.sendFIFO(url, "a1")
			} else {
				s.send(url, "m")
			}
			m := s.one(url)
			s.ok(s.delete(url, m))
			s.ok(s.delete(url, m))
		}
	})
	sqsRule(t, 5*time.Second, "on a standard queue a handle deletes after its visibility timeout, until the message is received again", "API Reference: DeleteMessage", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "1")
		s.send(url, "m")
		first := s.one(url)
		s.Sleep(2 * time.Second)
		s.ok(s.delete(url, first))
		s.wantNothing(url)
	})
	sqsRule(t, 5*time.Second, "on a standard queue an older handle is accepted and does not delete", "API Reference: DeleteMessage", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "1")
		s.send(url, "m")
		first := s.one(url)
		s.one(url)
		s.ok(s.delete(url, first))
		s.one(url)
	})
	sqsRule(t, 5*time.Second, "on a FIFO queue a handle cannot delete after its visibility timeout", "Developer Guide: FIFO queue delivery logic; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO("VisibilityTimeout", "1")
		s.sendFIFO(url, "a1")
		first := s.one(url)
		s.Sleep(2 * time.Second)
		wantCode(t, s.delete(url, first), "InvalidParameterValue")
		second := s.one(url)
		wantCode(t, s.delete(url, first), "InvalidParameterValue")
		s.ok(s.delete(url, second))
	})
	sqsRule(t, 0, "a handle that is none is refused", "API Reference: ReceiptHandleIsInvalid", func(t *testing.T, s sqsCloud) {
		url := s.create()
		_, err := s.DeleteMessage(s.ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: aws.String("nonsense")})
		wantError[*types.ReceiptHandleIsInvalid](t, err)
		_, err = s.ChangeMessageVisibility(s.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: aws.String("nonsense"), VisibilityTimeout: 1})
		wantError[*types.ReceiptHandleIsInvalid](t, err)
	})
}

func TestSQSVisibility(t *testing.T) {
	sqsRule(t, 20*time.Second, "a new visibility timeout counts from the change", "API Reference: ChangeMessageVisibility", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		start := time.Now()
		m := s.one(url)
		s.Sleep(5 * time.Second)
		s.ok(s.change(url, m, 10))
		s.one(url)
		s.took(start, 15*time.Second)
	})
	sqsRule(t, 0, "a visibility timeout of 0 gives the message back at once", "Developer Guide: Amazon SQS visibility timeout", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		m := s.one(url)
		start := time.Now()
		s.ok(s.change(url, m, 0))
		s.one(url)
		s.took(start, 0)
	})
	sqsRule(t, 15*time.Second, "a changed visibility timeout is not kept for the next receive", "API Reference: ChangeMessageVisibility", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "5")
		s.send(url, "m")
		s.ok(s.change(url, s.one(url), 1))
		s.one(url)
		start := time.Now()
		s.one(url)
		s.took(start, 5*time.Second)
	})
	sqsRule(t, 70*time.Minute, "a message is invisible for at most 12 hours from its receive", "API Reference: ChangeMessageVisibility; Developer Guide: Amazon SQS visibility timeout", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "7200")
		s.send(url, "m")
		m := s.one(url)
		s.Sleep(time.Hour)
		wantCode(t, s.change(url, m, 43_200), "InvalidParameterValue")
		wantCode(t, s.change(url, m, 39_660), "InvalidParameterValue")
		s.ok(s.change(url, m, 39_540))
	})
	sqsRule(t, 0, "the visibility of a deleted message cannot be changed", "API Reference: ChangeMessageVisibility; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "m")
		m := s.one(url)
		s.ok(s.delete(url, m))
		wantCode(t, s.change(url, m, 10), "InvalidParameterValue")
	})
	sqsRule(t, 5*time.Second, "changing the visibility too late is accepted on a standard queue, and hides nothing", "Recorded 2023: github.com/localstack/localstack pull request 9632", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "1")
		s.send(url, "m")
		m := s.one(url)
		s.Sleep(2 * time.Second)
		s.ok(s.change(url, m, 60))
		s.one(url)
	})
}
