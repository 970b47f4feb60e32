package conformance_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// snsGuide and snsAPI name a page of the developer guide and one of the API reference.
func snsGuide(page string) string { return `Amazon SNS Developer Guide, "` + page + `"` }
func snsAPI(page string) string   { return `Amazon SNS API Reference, "` + page + `"` }

// snsRule runs a rule of SNS.
func snsRule(t *testing.T, source, name string, f func(s *snsCloud)) {
	t.Helper()
	snsSlowRule(t, source, name, 0, f)
}

func snsSlowRule(t *testing.T, source, name string, takes time.Duration, f func(s *snsCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: source, Checked: "2026-12-01", Takes: takes}, func(t *testing.T, c *conformance.Cloud) {
		f(&snsCloud{Cloud: c, T: t, ctx: t.Context(), sns: c.SNS(), sqs: c.SQS()})
	})
}

type snsCloud struct {
	*conformance.Cloud
	*testing.T
	ctx context.Context
	sns *sns.Client
	sqs *sqs.Client
}

// Name is the cloud's, not the test's.
func (s *snsCloud) Name(base string) string { return s.Cloud.Name(base) }

// must ends the rule on an error.
func (s *snsCloud) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fails checks that err is a T to errors.As, as a program would.
func snsFails[T error](s *snsCloud, err error) {
	s.Helper()
	var want T
	if !errors.As(err, &want) {
		s.Errorf("error is %v, want a %T", err, want)
	}
}

type snsAttributes = map[string]string

// topic creates a topic; a FIFO one if its attributes say so.
func (s *snsCloud) topic(a snsAttributes) string {
	s.Helper()
	name := s.Name("topic")
	if a["FifoTopic"] == "true" {
		name += ".fifo"
	}
	out, err := s.sns.CreateTopic(s.ctx, &sns.CreateTopicInput{Name: &name, Attributes: a})
	s.must(err)
	return *out.TopicArn
}

type snsQueue struct{ url, arn string }

// queue creates a queue that lets any topic send to it.
func (s *snsCloud) queue(fifo bool) snsQueue {
	s.Helper()
	name, attributes := s.Name("queue"), map[string]string{}
	if fifo {
		name += ".fifo"
		attributes["FifoQueue"] = "true"
	}
	created, err := s.sqs.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	s.must(err)
	got, err := s.sqs.GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: created.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	s.must(err)
	arn := got.Attributes["QueueArn"]
	_, err = s.sqs.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: created.QueueUrl, Attributes: map[string]string{
		"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + arn + `"}]}`,
	}})
	s.must(err)
	return snsQueue{*created.QueueUrl, arn}
}

func (s *snsCloud) subscribe(topic string, q snsQueue, a snsAttributes) string {
	s.Helper()
	out, err := s.trySubscribe(topic, "sqs", q.arn, a)
	s.must(err)
	return *out.SubscriptionArn
}

func (s *snsCloud) trySubscribe(topic, protocol, endpoint string, a snsAttributes) (*sns.SubscribeOutput, error) {
	return s.sns.Subscribe(s.ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: a, ReturnSubscriptionArn: true})
}

// subscribed returns a topic and a queue that is subscribed to it.
func (s *snsCloud) subscribed(a snsAttributes) (topic string, q snsQueue) {
	s.Helper()
	topic, q = s.topic(nil), s.queue(false)
	s.subscribe(topic, q, a)
	return topic, q
}

func (s *snsCloud) publish(in *sns.PublishInput) *sns.PublishOutput {
	s.Helper()
	out, err := s.sns.Publish(s.ctx, in)
	s.must(err)
	return out
}

func (s *snsCloud) setTopic(topic, name, value string) error {
	_, err := s.sns.SetTopicAttributes(s.ctx, &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: &name, AttributeValue: &value})
	return err
}

func (s *snsCloud) topicAttributes(topic string) snsAttributes {
	s.Helper()
	out, err := s.sns.GetTopicAttributes(s.ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
	s.must(err)
	return out.Attributes
}

func (s *snsCloud) setSubscription(subscription, name, value string) error {
	_, err := s.sns.SetSubscriptionAttributes(s.ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: &subscription, AttributeName: &name, AttributeValue: &value})
	return err
}

func (s *snsCloud) subscriptionAttributes(subscription string) snsAttributes {
	s.Helper()
	out, err := s.sns.GetSubscriptionAttributes(s.ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &subscription})
	s.must(err)
	return out.Attributes
}

// receive takes what is in a queue, until a long poll finds nothing. Of a standard queue it is sorted: the order says nothing.
func (s *snsCloud) receive(q snsQueue) []sqstypes.Message {
	s.Helper()
	var all []sqstypes.Message
	for {
		out, err := s.sqs.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &q.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 3,
			MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"},
		})
		s.must(err)
		if len(out.Messages) == 0 {
			break
		}
		for _, m := range out.Messages {
			_, err := s.sqs.DeleteMessage(s.ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: m.ReceiptHandle})
			s.must(err)
		}
		all = append(all, out.Messages...)
	}
	if len(all) > 0 && all[0].Attributes["SequenceNumber"] == "" {
		slices.SortFunc(all, func(a, b sqstypes.Message) int { return cmp.Compare(*a.Body, *b.Body) })
	}
	return all
}

// gets checks the bodies that a queue of raw messages has.
func (s *snsCloud) gets(q snsQueue, want ...string) {
	s.Helper()
	var got []string
	for _, m := range s.receive(q) {
		got = append(got, *m.Body)
	}
	if !slices.Equal(got, want) {
		s.Errorf("the queue got %q, want %q", got, want)
	}
}

// envelopes returns the bodies of a queue's messages, decoded.
func (s *snsCloud) envelopes(q snsQueue) []map[string]any {
	s.Helper()
	var all []map[string]any
	for _, m := range s.receive(q) {
		var e map[string]any
		s.must(json.Unmarshal([]byte(*m.Body), &e))
		all = append(all, e)
	}
	return all
}

// the only one of a list.
func snsOne[T any](s *snsCloud, list []T) T {
	s.Helper()
	if len(list) != 1 {
		s.Fatalf("%d of them, want one: %v", len(list), list)
	}
	return list[0]
}

var snsRaw = snsAttributes{"RawMessageDelivery": "true"}

func snsText(value string) snstypes.MessageAttributeValue {
	return snstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func snsNumber(value string) snstypes.MessageAttributeValue {
	return snstypes.MessageAttributeValue{DataType: aws.String("Number"), StringValue: &value}
}

func snsList(value string) snstypes.MessageAttributeValue {
	return snstypes.MessageAttributeValue{DataType: aws.String("String.Array"), StringValue: &value}
}

func snsNumbered(n int) map[string]snstypes.MessageAttributeValue {
	m := map[string]snstypes.MessageAttributeValue{}
	for i := range n {
		m[fmt.Sprintf("a%d", i)] = snsText("x")
	}
	return m
}
