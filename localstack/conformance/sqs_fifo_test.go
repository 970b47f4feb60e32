package conformance_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// fifo sends one message to a FIFO queue; an empty id is left out.
func (s sqsCloud) fifo(url, body, group, dedup string, attributes ...string) (*sqs.SendMessageOutput, error) {
	in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}
	if group != "" {
		in.MessageGroupId = &group
	}
	if dedup != "" {
		in.MessageDeduplicationId = &dedup
	}
	for name, v := range pairs(attributes) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{name: text(v)}
	}
	return s.SendMessage(s.ctx, in)
}

func TestSQSFIFOOrder(t *testing.T) {
	sqsRule(t, 0, "a message group is delivered in the order of its sequence numbers", "Developer Guide: FIFO queue delivery logic; API Reference: SendMessage, SequenceNumber", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		last := ""
		for i := range 5 {
			out := s.sendFIFO(url, fmt.Sprint("a", i))
			if n := *out.SequenceNumber; len(n) < len(last) || len(n) == len(last) && n <= last {
				t.Errorf("sequence number %s after %s", n, last)
			}
			last = *out.SequenceNumber
		}
		got := s.want(url, "a0", "a1", "a2", "a3", "a4")
		if n := systemAttribute(got[4], "SequenceNumber"); n != last {
			t.Errorf("sequence number %s, was sent with %s", n, last)
		}
		if g := systemAttribute(got[0], "MessageGroupId"); g != "a" {
			t.Errorf("group %s", g)
		}
	})
	sqsRule(t, 0, "nothing of a group is delivered while a message of it is in flight", "Developer Guide: FIFO queue delivery logic", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		s.sendFIFO(url, "a1", "a2", "b1")
		first := s.one(url)
		s.want(url, "b1")
		s.wantNothing(url)
		s.ok(s.delete(url, first))
		s.want(url, "a2")
	})
	sqsRule(t, 10*time.Second, "a message in flight in the middle holds back the one before it", "Developer Guide: FIFO queue delivery logic", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		s.sendFIFO(url, "a1", "a2", "a3")
		got := s.receive(url, most(2), visibility(600))
		if len(got) != 2 {
			t.Fatalf("received %d messages", len(got))
		}
		s.ok(s.change(url, got[0], 0))
		s.wantNothing(url)
		s.ok(s.change(url, got[1], 0))
		s.want(url, "a1", "a2", "a3")
	})
	sqsRule(t, 0, "a receive gets as many messages of one group as it can", "Developer Guide: FIFO queue delivery logic, Receiving messages", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		s.sendFIFO(url, "a1", "b1", "a2", "b2", "a3")
		s.want(url, "a1", "a2", "a3", "b1", "b2")
	})
	sqsRule(t, 0, "a message needs a group, and a deduplication id unless the queue makes one", "API Reference: SendMessage; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		_, err := s.fifo(url, "m", "", "d")
		wantCode(t, err, "MissingParameter")
		_, err = s.fifo(url, "m", "g", "")
		wantCode(t, err, "InvalidParameterValue")
		s.set(url, "ContentBasedDeduplication", "true")
		_, err = s.fifo(url, "m", "g", "")
		s.ok(err)
	})
	sqsRule(t, 0, "group and deduplication ids are up to 128 letters, digits and punctuation", "API Reference: SendMessage", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		all := "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~azAZ09"
		_, err := s.fifo(url, "m", all, all)
		s.ok(err)
		for _, bad := range []string{strings.Repeat("x", 129), "a b", "ż"} {
			_, err = s.fifo(url, "m", bad, "d")
			wantCode(t, err, "InvalidParameterValue")
			_, err = s.fifo(url, "m", "g", bad)
			wantCode(t, err, "InvalidParameterValue")
		}
		_, err = s.fifo(s.create(), "m", "", "d")
		wantCode(t, err, "InvalidParameterValue")
	})
	sqsRule(t, 30*time.Second, "a receive that is tried again gets the same messages, hidden anew", "API Reference: ReceiveMessage, ReceiveRequestAttemptId", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO("VisibilityTimeout", "10")
		s.sendFIFO(url, "a1", "a2")
		attempt := func(in *sqs.ReceiveMessageInput) { in.ReceiveRequestAttemptId = aws.String("attempt-1") }
		first := s.receive(url, attempt)
		s.Sleep(6 * time.Second)
		start := time.Now()
		again := s.receive(url, attempt)
		if len(first) != 2 || len(again) != 2 || *again[0].ReceiptHandle != *first[0].ReceiptHandle || *again[1].ReceiptHandle != *first[1].ReceiptHandle {
			t.Fatalf("%d messages, then %d", len(first), len(again))
		}
		if got := s.receive(url, wait(20)); len(got) != 2 {
			t.Errorf("received %d messages", len(got))
		}
		s.took(start, 10*time.Second)
	})
	sqsRule(t, 0, "a receive is not repeated once one of its messages was deleted", "API Reference: ReceiveMessage, ReceiveRequestAttemptId", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		s.sendFIFO(url, "a1", "a2")
		attempt := func(in *sqs.ReceiveMessageInput) { in.ReceiveRequestAttemptId = aws.String("attempt-1") }
		first := s.receive(url, attempt)
		s.ok(s.delete(url, first[0]))
		if again := s.receive(url, attempt); len(again) != 0 {
			t.Errorf("received %d messages", len(again))
		}
	})
}

func TestSQSDeduplication(t *testing.T) {
	sqsRule(t, 6*time.Minute, "a message with an id of the last 5 minutes is accepted and not delivered, though the first is deleted", "Developer Guide: Exactly-once processing in Amazon SQS; API Reference: SendMessage", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		first, err := s.fifo(url, "first", "g", "d")
		s.ok(err)
		s.ok(s.delete(url, s.one(url)))
		s.Sleep(4*time.Minute + 55*time.Second)
		again, err := s.fifo(url, "again", "g", "d")
		s.ok(err)
		if *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
			t.Errorf("%s %s, want those of the first: %s %s", *again.MessageId, *again.SequenceNumber, *first.MessageId, *first.SequenceNumber)
		}
		s.wantNothing(url)
		s.Sleep(6 * time.Second)
		_, err = s.fifo(url, "later", "g", "d")
		s.ok(err)
		s.want(url, "later")
	})
	sqsRule(t, 0, "ids are compared in the whole queue", "API Reference: CreateQueue, DeduplicationScope; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		for _, group := range []string{"a", "b"} {
			_, err := s.fifo(url, group, group, "d")
			s.ok(err)
		}
		s.want(url, "a")
		s.wantNothing(url)
	})
	sqsRule(t, 0, "ids are compared in the message group, where the queue says so", "API Reference: CreateQueue, DeduplicationScope", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO("DeduplicationScope", "messageGroup")
		for _, group := range []string{"a", "b", "a"} {
			_, err := s.fifo(url, group, group, "d")
			s.ok(err)
		}
		s.want(url, "a", "b")
		s.wantNothing(url)
	})
	sqsRule(t, 0, "content-based deduplication is by the SHA-256 of the body, whatever the attributes", "API Reference: SendMessage, MessageDeduplicationId", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO("ContentBasedDeduplication", "true")
		for _, kind := range []string{"a", "b"} {
			_, err := s.fifo(url, "body", "g", "", "kind", kind)
			s.ok(err)
		}
		sum := sha256.Sum256([]byte("body"))
		_, err := s.fifo(url, "other body", "g", hex.EncodeToString(sum[:]))
		s.ok(err)
		_, err = s.fifo(url, "body", "g", "an id of its own")
		wantCode(t, err, "InvalidParameterValue")
		_, err = s.fifo(url, "body", "g", "an-id-of-its-own")
		s.ok(err)
		got := s.want(url, "body", "body")
		if id := systemAttribute(got[0], "MessageDeduplicationId"); id != hex.EncodeToString(sum[:]) {
			t.Error(id)
		}
	})
}

func TestSQSFairQueues(t *testing.T) {
	tenant := func(s sqsCloud, url, tenant string, n int) {
		for sent := 0; sent < n; {
			var entries []types.SendMessageBatchRequestEntry
			for ; sent < n && len(entries) < 10; sent++ {
				e := types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(sent)), MessageBody: &tenant}
				if tenant != "" && tenant != "alone" {
					e.MessageGroupId = &tenant
				}
				entries = append(entries, e)
			}
			_, err := s.SendMessageBatch(s.ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
			s.ok(err)
		}
	}
	sqsRule(t, 0, "on a standard queue messages of one group are delivered in parallel", "Developer Guide: How Amazon SQS fair queues work; API Reference: SendMessage, MessageGroupId", func(t *testing.T, s sqsCloud) {
		url := s.create()
		tenant(s, url, "a", 2)
		first, second := s.one(url), s.one(url)
		if *first.MessageId == *second.MessageId || systemAttribute(second, "MessageGroupId") != "a" {
			t.Errorf("%+v %+v", first, second)
		}
	})
	sqsRule(t, 0, "a tenant with 30 messages in flight that are over a tenth of all waits for the others", "Developer Guide: How Amazon SQS fair queues work", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "600")
		tenant(s, url, "noisy", 100)
		tenant(s, url, "quiet", 2)
		tenant(s, url, "alone", 1)
		for range 3 {
			s.receive(url)
		}
		if !s.Embedded() {
			t.Skip("the service's thresholds are approximate")
		}
		s.want(url, strings.Fields("quiet quiet alone noisy noisy noisy noisy noisy noisy noisy")...)
	})
	sqsRule(t, 30*time.Second, "a tenant that takes over a tenth of the consumers' time waits for the others", "Developer Guide: How Amazon SQS fair queues work", func(t *testing.T, s sqsCloud) {
		url := s.create()
		tenant(s, url, "slow", 10)
		tenant(s, url, "quick", 1)
		m := s.one(url)
		s.Sleep(10 * time.Second)
		s.ok(s.delete(url, m))
		if !s.Embedded() {
			t.Skip("the service's thresholds are approximate")
		}
		if m := s.one(url); *m.Body != "quick" {
			t.Errorf("received %q", *m.Body)
		}
	})
}
