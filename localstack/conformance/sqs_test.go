package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// The rules of SQS are in the files sqs_*_test.go. Their sources are the Amazon SQS Developer Guide and API Reference; where
// neither tells what an error looks like, "recorded" is what the service answered to the tests of LocalStack
// (github.com/localstack/localstack, tests/aws/services/sqs, *.snapshot.json), with the year.

// sqsChecked is the day on which the sources were read.
const sqsChecked = "2026-12-01"

// sqsCloud is a Cloud with the calls that the rules make again and again; a failed call ends the rule.
type sqsCloud struct {
	*conformance.Cloud
	*sqs.Client
	t   *testing.T
	ctx context.Context
}

// sqsRule runs a rule that needs the given time on a real endpoint.
func sqsRule(t *testing.T, takes time.Duration, name, source string, f func(t *testing.T, s sqsCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: source, Checked: sqsChecked, Takes: takes}, func(t *testing.T, c *conformance.Cloud) {
		f(t, sqsCloud{c, c.SQS(), t, t.Context()})
	})
}

// create creates a queue of a name of its own; attributes are given as name, value, name, value.
func (s sqsCloud) create(attributes ...string) string {
	s.t.Helper()
	return s.createNamed(s.Name("q"), attributes...)
}

func (s sqsCloud) createFIFO(attributes ...string) string {
	s.t.Helper()
	return s.createNamed(s.Name("q")+".fifo", append([]string{"FifoQueue", "true"}, attributes...)...)
}

func (s sqsCloud) createNamed(name string, attributes ...string) string {
	s.t.Helper()
	out, err := s.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: pairs(attributes)})
	s.ok(err)
	return *out.QueueUrl
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func (s sqsCloud) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s sqsCloud) set(url string, attributes ...string) {
	s.t.Helper()
	_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: pairs(attributes)})
	s.ok(err)
}

func (s sqsCloud) attribute(url, name string) string {
	s.t.Helper()
	out, err := s.GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeName(name)}})
	s.ok(err)
	return out.Attributes[name]
}

func (s sqsCloud) arn(url string) string { return s.attribute(url, "QueueArn") }

// send sends messages to a standard queue, one by one.
func (s sqsCloud) send(url string, bodies ...string) (last *sqs.SendMessageOutput) {
	s.t.Helper()
	for _, body := range bodies {
		out, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body})
		s.ok(err)
		last = out
	}
	return last
}

// sendFIFO sends messages to a FIFO queue: "a1" is a message of group "a", each with a deduplication id of its own.
func (s sqsCloud) sendFIFO(url string, bodies ...string) (last *sqs.SendMessageOutput) {
	s.t.Helper()
	for _, body := range bodies {
		out, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageGroupId: aws.String(body[:1]), MessageDeduplicationId: aws.String(s.Name("d"))})
		s.ok(err)
		last = out
	}
	return last
}

// receive waits for messages, up to two seconds, and returns up to ten with all that belongs to them.
func (s sqsCloud) receive(url string, options ...func(*sqs.ReceiveMessageInput)) []types.Message {
	s.t.Helper()
	in := &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 2,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}}
	for _, o := range options {
		o(in)
	}
	out, err := s.ReceiveMessage(s.ctx, in)
	s.ok(err)
	return out.Messages
}

// visibility sets the visibility timeout of a receive, over 0: the client does not send 0.
func visibility(seconds int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = seconds }
}

func wait(seconds int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.WaitTimeSeconds = seconds }
}

func most(n int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = n }
}

// one receives exactly one message.
func (s sqsCloud) one(url string, options ...func(*sqs.ReceiveMessageInput)) types.Message {
	s.t.Helper()
	got := s.receive(url, append(options, wait(20), most(1))...)
	if len(got) != 1 {
		s.t.Fatalf("received %d messages, want one", len(got))
	}
	return got[0]
}

// want receives until as many messages have come as are named, and compares their bodies, in order if the queue is FIFO.
func (s sqsCloud) want(url string, bodies ...string) (all []types.Message) {
	s.t.Helper()
	for len(all) < len(bodies) {
		got := s.receive(url, visibility(600))
		if len(got) == 0 {
			break
		}
		all = append(all, got...)
	}
	var got []string
	for _, m := range all {
		got = append(got, *m.Body)
	}
	wanted := slices.Clone(bodies)
	if !strings.HasSuffix(url, ".fifo") && !s.Embedded() {
		slices.Sort(got)
		slices.Sort(wanted)
	}
	if !slices.Equal(got, wanted) {
		s.t.Errorf("received %q, want %q", got, wanted)
	}
	return all
}

func (s sqsCloud) wantNothing(url string) {
	s.t.Helper()
	if got := s.receive(url); len(got) > 0 {
		s.t.Errorf("received %q, want nothing", *got[0].Body)
	}
}

func (s sqsCloud) delete(url string, m types.Message) error {
	_, err := s.DeleteMessage(s.ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	return err
}

func (s sqsCloud) change(url string, m types.Message, seconds int32) error {
	_, err := s.ChangeMessageVisibility(s.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
	return err
}

// wantError checks that err is of the client's type E, as errors.As finds it.
func wantError[E error](t *testing.T, err error) {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Errorf("error %v, want %T", err, e)
	}
}

// wantCode checks the code of an error that has no type in the client.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

// took checks how long something took, to the nanosecond in virtual time and to two seconds elsewhere.
func (s sqsCloud) took(start time.Time, want time.Duration) {
	s.t.Helper()
	got := time.Since(start)
	if s.Embedded() && got != want || got < want-2*time.Second || got > want+2*time.Second {
		s.t.Errorf("took %s, want %s", got, want)
	}
}

func systemAttribute(m types.Message, name types.MessageSystemAttributeName) string {
	return m.Attributes[string(name)]
}

func redrivePolicy(deadLetterARN string, maxReceiveCount any) string {
	return fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":%v}`, deadLetterARN, maxReceiveCount)
}
