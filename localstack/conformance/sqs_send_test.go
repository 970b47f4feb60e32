package conformance_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func text(v string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
}

func TestSQSSend(t *testing.T) {
	sqsRule(t, 0, "a message arrives as it was sent, with checksums", "API Reference: SendMessage, ReceiveMessage", func(t *testing.T, s sqsCloud) {
		url := s.create()
		body := "<a>&\"\t\r\n{} ż 日本 🚀"
		sent := s.send(url, body)
		m := s.one(url)
		sum := md5.Sum([]byte(body))
		if want := hex.EncodeToString(sum[:]); *m.Body != body || *m.MD5OfBody != want || *sent.MD5OfMessageBody != want || *m.MessageId != *sent.MessageId {
			t.Errorf("sent %v %s, received %q %v %s", *sent.MessageId, *sent.MD5OfMessageBody, *m.Body, *m.MessageId, *m.MD5OfBody)
		}
	})
	sqsRule(t, 0, "a message has up to 1 MiB, attributes included", "Developer Guide: Quotas related to messages (1 MiB since 2025-08); recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create()
		attribute := map[string]types.MessageAttributeValue{"name": text("value")} // 4 + 6 + 5 bytes
		send := func(size int, attributes map[string]types.MessageAttributeValue) error {
			_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(strings.Repeat("x", size)), MessageAttributes: attributes})
			return err
		}
		s.ok(send(1<<20, nil))
		s.ok(send(1<<20-15, attribute))
		wantCode(t, send(1<<20+1, nil), "InvalidParameterValue")
		wantCode(t, send(1<<20-14, attribute), "InvalidParameterValue")
		wantCode(t, send(0, nil), "MissingParameter")
	})
	sqsRule(t, 0, "a queue can take smaller messages only", "API Reference: SetQueueAttributes, MaximumMessageSize", func(t *testing.T, s sqsCloud) {
		url := s.create("MaximumMessageSize", "1024")
		s.send(url, strings.Repeat("x", 1024))
		_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(strings.Repeat("x", 1025))})
		wantCode(t, err, "InvalidParameterValue")
	})
	sqsRule(t, 0, "characters that XML does not know are refused", "API Reference: SendMessage, InvalidMessageContents", func(t *testing.T, s sqsCloud) {
		url := s.create()
		for _, body := range []string{"a\x00b", "\x0b", "\uffff", "\x1f"} {
			_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body})
			wantError[*types.InvalidMessageContents](t, err)
		}
	})
	sqsRule(t, 0, "attributes arrive with their types, where they are asked for", "API Reference: ReceiveMessage, MessageAttributeNames; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "0")
		_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("msg"), MessageAttributes: map[string]types.MessageAttributeValue{
			"General": text("Kenobi"), "Hello": text("There"), "Help.Me": text("Me"),
			"count": {DataType: aws.String("Number.int"), StringValue: aws.String("-1.5e3")},
			"bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		}})
		s.ok(err)
		for names, want := range map[string]string{
			"":               "",
			"All":            "General Hello Help.Me bytes count",
			".*":             "General Hello Help.Me bytes count",
			"Hello,nonsense": "Hello",
			"Hel.*":          "Hello Help.Me",
			"hello":          "",
		} {
			m := s.one(url, func(in *sqs.ReceiveMessageInput) { in.MessageAttributeNames = strings.Split(names, ",") })
			got := strings.Trim(fmt.Sprint(keys(m.MessageAttributes)), "[]")
			if got != want {
				t.Errorf("%q gives %q, want %q", names, got, want)
			}
			switch names { // the checksum is of what was returned
			case "Hello,nonsense":
				if sum := aws.ToString(m.MD5OfMessageAttributes); sum != "a311262e065454b75da111d535b8dacd" {
					t.Error(sum)
				}
			case "All":
				if b := m.MessageAttributes["bytes"]; string(b.BinaryValue) != "\x00\x01\xff" || *b.DataType != "Binary" {
					t.Error(b)
				}
				if n := m.MessageAttributes["count"]; *n.StringValue != "-1.5e3" || *n.DataType != "Number.int" {
					t.Error(n)
				}
			}
		}
	})
	sqsRule(t, 0, "attributes keep to their limits and types", "Developer Guide: Amazon SQS message metadata; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create()
		send := func(attributes map[string]types.MessageAttributeValue) error {
			_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m"), MessageAttributes: attributes})
			return err
		}
		ten := map[string]types.MessageAttributeValue{}
		for i := range 10 {
			ten[fmt.Sprint("a", i)] = text("v")
		}
		s.ok(send(ten))
		ten["one-more"] = text("v")
		wantCode(t, send(ten), "InvalidParameterValue")
		for name, a := range map[string]types.MessageAttributeValue{
			"AWS.x": text("v"), "amazon.x": text("v"), ".x": text("v"), "x.": text("v"), "x..y": text("v"), "x y": text("v"), strings.Repeat("x", 257): text("v"),
			"empty":   text(""),
			"control": text("\x01"),
			"type":    {DataType: aws.String("Text"), StringValue: aws.String("v")},
			"number":  {DataType: aws.String("Number"), StringValue: aws.String("one")},
			"binary":  {DataType: aws.String("Binary")},
			"string":  {DataType: aws.String("String"), BinaryValue: []byte("v")},
		} {
			if err := send(map[string]types.MessageAttributeValue{name: a}); err == nil {
				t.Errorf("attribute %s was taken", name)
			} else {
				wantCode(t, err, "InvalidParameterValue")
			}
		}
	})
	sqsRule(t, 0, "the one system attribute is AWSTraceHeader", "API Reference: SendMessage, MessageSystemAttributes", func(t *testing.T, s sqsCloud) {
		url := s.create()
		trace := "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
		send := func(name string) error {
			_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m"), MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
				name: {DataType: aws.String("String"), StringValue: &trace},
			}})
			return err
		}
		s.ok(send("AWSTraceHeader"))
		if got := systemAttribute(s.one(url), "AWSTraceHeader"); got != trace {
			t.Error(got)
		}
		wantCode(t, send("SentTimestamp"), "InvalidParameterValue")
	})
}

func TestSQSBatches(t *testing.T) {
	entries := func(n int) (list []types.SendMessageBatchRequestEntry) {
		for i := range n {
			list = append(list, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint("id-", i)), MessageBody: aws.String(fmt.Sprint("m", i))})
		}
		return list
	}
	send := func(s sqsCloud, url string, list []types.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
		return s.SendMessageBatch(s.ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: list})
	}
	sqsRule(t, 0, "a batch has one to ten entries of different ids", "API Reference: SendMessageBatch, its errors", func(t *testing.T, s sqsCloud) {
		url := s.create()
		_, err := send(s, url, []types.SendMessageBatchRequestEntry{})
		wantError[*types.EmptyBatchRequest](t, err)
		_, err = send(s, url, entries(11))
		wantError[*types.TooManyEntriesInBatchRequest](t, err)
		same := entries(2)
		same[1].Id = same[0].Id
		_, err = send(s, url, same)
		wantError[*types.BatchEntryIdsNotDistinct](t, err)
		for _, id := range []string{"a:b", strings.Repeat("x", 81), "a b"} {
			bad := entries(1)
			bad[0].Id = &id
			_, err = send(s, url, bad)
			wantError[*types.InvalidBatchEntryId](t, err)
		}
		out, err := send(s, url, entries(10))
		s.ok(err)
		if len(out.Successful) != 10 || len(out.Failed) != 0 {
			t.Errorf("%d sent, %d failed", len(out.Successful), len(out.Failed))
		}
	})
	sqsRule(t, 0, "a batch has up to 1 MiB in all", "API Reference: SendMessageBatch, BatchRequestTooLong", func(t *testing.T, s sqsCloud) {
		url := s.create()
		two := entries(2)
		two[0].MessageBody = aws.String(strings.Repeat("x", 1<<19))
		two[1].MessageBody = two[0].MessageBody
		_, err := send(s, url, two)
		s.ok(err)
		two[1].MessageBody = aws.String(*two[1].MessageBody + "x")
		_, err = send(s, url, two)
		wantError[*types.BatchRequestTooLong](t, err)
	})
	sqsRule(t, 0, "an entry fails for itself, in an answer that is no error", "API Reference: SendMessageBatch", func(t *testing.T, s sqsCloud) {
		url := s.create()
		three := entries(3)
		three[1].DelaySeconds = 901
		out, err := send(s, url, three)
		s.ok(err)
		if len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "id-1" || !out.Failed[0].SenderFault || *out.Failed[0].Code != "InvalidParameterValue" {
			t.Errorf("%d sent, failed: %+v", len(out.Successful), out.Failed)
		}
		s.want(url, "m0", "m2")
	})
	sqsRule(t, 0, "a FIFO batch is queued in its order, and needs ids for all entries", "API Reference: SendMessageBatch; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		three := entries(3)
		for i := range three {
			three[i].MessageGroupId, three[i].MessageDeduplicationId = aws.String("g"), three[i].Id
		}
		_, err := send(s, url, three)
		s.ok(err)
		s.want(url, "m0", "m1", "m2")
		three[1].MessageDeduplicationId = nil
		_, err = send(s, url, three)
		wantCode(t, err, "InvalidParameterValue")
	})
	sqsRule(t, 0, "messages are deleted in batches, each for itself", "API Reference: DeleteMessageBatch", func(t *testing.T, s sqsCloud) {
		url := s.create("VisibilityTimeout", "5")
		s.send(url, "a", "b")
		got := s.want(url, "a", "b")
		out, err := s.DeleteMessageBatch(s.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("1"), ReceiptHandle: got[0].ReceiptHandle}, {Id: aws.String("2"), ReceiptHandle: aws.String("nonsense")}, {Id: aws.String("3"), ReceiptHandle: got[1].ReceiptHandle},
		}})
		s.ok(err)
		if len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "2" || *out.Failed[0].Code != "ReceiptHandleIsInvalid" {
			t.Errorf("%+v %+v", out.Successful, out.Failed)
		}
		s.wantNothing(url)
	})
	sqsRule(t, 0, "visibility is changed in batches, each for itself", "API Reference: ChangeMessageVisibilityBatch", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "a", "b")
		got := s.want(url, "a", "b")
		out, err := s.ChangeMessageVisibilityBatch(s.ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("1"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 0}, {Id: aws.String("2"), ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: 43_201},
		}})
		s.ok(err)
		if len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "2" {
			t.Errorf("%+v %+v", out.Successful, out.Failed)
		}
		s.want(url, *got[0].Body)
	})
}

func TestSQSDelays(t *testing.T) {
	sendLater := func(s sqsCloud, url, body string, seconds int32) error {
		_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, DelaySeconds: seconds})
		return err
	}
	sqsRule(t, 10*time.Second, "a message can be delayed, up to 15 minutes", "API Reference: SendMessage, DelaySeconds", func(t *testing.T, s sqsCloud) {
		url := s.create()
		start := time.Now()
		s.ok(sendLater(s, url, "later", 5))
		s.ok(sendLater(s, url, "much later", 900))
		wantCode(t, sendLater(s, url, "never", 901), "InvalidParameterValue")
		s.one(url)
		s.took(start, 5*time.Second)
	})
	sqsRule(t, 15*time.Second, "a queue's delay holds for messages without one of their own", "Developer Guide: Amazon SQS delay queues", func(t *testing.T, s sqsCloud) {
		url := s.create("DelaySeconds", "10")
		start := time.Now()
		s.send(url, "by the queue")
		s.ok(sendLater(s, url, "its own", 3))
		if m := s.one(url); *m.Body != "its own" {
			t.Error(*m.Body)
		}
		s.took(start, 3*time.Second)
		s.one(url)
		s.took(start, 10*time.Second)
	})
	sqsRule(t, 30*time.Second, "a standard queue's new delay leaves the messages that are there alone", "Developer Guide: Amazon SQS delay queues", func(t *testing.T, s sqsCloud) {
		url := s.create("DelaySeconds", "15")
		start := time.Now()
		s.send(url, "m")
		s.set(url, "DelaySeconds", "1")
		s.one(url)
		s.took(start, 15*time.Second)
	})
	sqsRule(t, 2*time.Minute, "a FIFO queue's new delay holds for the messages that are there", "Developer Guide: Amazon SQS delay queues", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO("DelaySeconds", "900")
		start := time.Now()
		s.sendFIFO(url, "a1", "a2")
		s.set(url, "DelaySeconds", "5")
		for len(s.receive(url, wait(20))) == 0 && time.Since(start) < 90*time.Second {
			continue
		}
		if took := time.Since(start); took > 90*time.Second || s.Embedded() && took != 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
	sqsRule(t, 0, "a message to a FIFO queue cannot be delayed alone", "API Reference: SendMessage, DelaySeconds; recorded 2022", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("d"), DelaySeconds: 2})
		wantCode(t, err, "InvalidParameterValue")
	})
}
