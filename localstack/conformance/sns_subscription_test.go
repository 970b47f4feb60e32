package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestSNSSubscriptions(t *testing.T) {
	snsRule(t, snsAPI("Subscribe"), "a queue of the same account is subscribed without confirmation", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		sub := s.subscribe(topic, q, nil)
		if !strings.HasPrefix(sub, topic+":") {
			s.Errorf("subscription %s", sub)
		}
		a := s.subscriptionAttributes(sub)
		for name, want := range map[string]string{
			"SubscriptionArn": sub, "TopicArn": topic, "Protocol": "sqs", "Endpoint": q.arn, "PendingConfirmation": "false",
			"ConfirmationWasAuthenticated": "true", "RawMessageDelivery": "false", "Owner": strings.Split(topic, ":")[4],
		} {
			if a[name] != want {
				s.Errorf("%s is %q, want %q", name, a[name], want)
			}
		}
	})
	snsRule(t, snsAPI("Subscribe"), "subscribing an endpoint again returns the same subscription", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		first := s.subscribe(topic, q, snsRaw)
		for _, a := range []snsAttributes{snsRaw, nil} {
			if again := s.subscribe(topic, q, a); again != first {
				s.Errorf("%s, then %s", first, again)
			}
		}
	})
	snsRule(t, snsAPI("Subscribe"), "subscribing an endpoint again with other attributes is refused", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		s.subscribe(topic, q, snsRaw)
		_, err := s.trySubscribe(topic, "sqs", q.arn, snsAttributes{"RawMessageDelivery": "false"})
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("Subscribe"), "an unknown protocol is refused", func(s *snsCloud) {
		_, err := s.trySubscribe(s.topic(nil), "pigeon", "roof", nil)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("Subscribe"), "a queue is subscribed by its ARN, not by its URL", func(s *snsCloud) {
		_, err := s.trySubscribe(s.topic(nil), "sqs", s.queue(false).url, nil)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsGuide("FIFO topic delivery"), "a FIFO queue cannot subscribe to a standard topic", func(s *snsCloud) {
		_, err := s.trySubscribe(s.topic(nil), "sqs", s.queue(true).arn, nil)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("Unsubscribe"), "unsubscribing is a success, also from what is no longer subscribed", func(s *snsCloud) {
		sub := s.subscribe(s.topic(nil), s.queue(false), nil)
		for range 2 {
			_, err := s.sns.Unsubscribe(s.ctx, &sns.UnsubscribeInput{SubscriptionArn: &sub})
			s.must(err)
		}
		s.Eventually("the subscription is NotFound", time.Minute, func() bool {
			_, err := s.sns.GetSubscriptionAttributes(s.ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
			return err != nil
		})
		_, err := s.sns.GetSubscriptionAttributes(s.ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
		snsFails[*snstypes.NotFoundException](s, err)
	})
	snsRule(t, snsAPI("Unsubscribe"), "who unsubscribed gets nothing that is published afterwards", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		sub := s.subscribe(topic, q, snsRaw)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("before")})
		s.gets(q, "before")
		_, err := s.sns.Unsubscribe(s.ctx, &sns.UnsubscribeInput{SubscriptionArn: &sub})
		s.must(err)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("after")})
		s.gets(q)
	})
	snsRule(t, snsAPI("GetTopicAttributes"), "a topic counts its subscriptions, confirmed and deleted", func(s *snsCloud) {
		topic := s.topic(nil)
		s.subscribe(topic, s.queue(false), nil)
		sub := s.subscribe(topic, s.queue(false), nil)
		_, err := s.sns.Unsubscribe(s.ctx, &sns.UnsubscribeInput{SubscriptionArn: &sub})
		s.must(err)
		s.Eventually("one subscription is confirmed and one deleted", 5*time.Minute, func() bool {
			a := s.topicAttributes(topic)
			return a["SubscriptionsConfirmed"] == "1" && a["SubscriptionsDeleted"] == "1"
		})
	})
	snsSlowRule(t, snsAPI("ListSubscriptionsByTopic"), "subscriptions are listed in pages of 100", 2*time.Minute, func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		for i := range 101 { // a queue need not exist to be subscribed
			_, err := s.trySubscribe(topic, "sqs", fmt.Sprintf("%s-%d", q.arn, i), nil)
			s.must(err)
		}
		out, err := s.sns.ListSubscriptionsByTopic(s.ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
		s.must(err)
		if len(out.Subscriptions) != 100 || out.NextToken == nil {
			s.Fatalf("%d subscriptions, token %v", len(out.Subscriptions), out.NextToken)
		}
		out, err = s.sns.ListSubscriptionsByTopic(s.ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic, NextToken: out.NextToken})
		s.must(err)
		if len(out.Subscriptions) != 1 || out.NextToken != nil {
			s.Errorf("%d subscriptions, token %v", len(out.Subscriptions), out.NextToken)
		}
	})
	snsRule(t, snsAPI("SetSubscriptionAttributes"), "values that an attribute cannot have are refused", func(s *snsCloud) {
		sub := s.subscribe(s.topic(nil), s.queue(false), nil)
		for name, value := range map[string]string{
			"RawMessageDelivery": "yes", "FilterPolicyScope": "Everything", "FilterPolicy": "{invalid", "RedrivePolicy": `{"deadLetterTargetArn":"queue"}`, "Color": "red",
		} {
			snsFails[*snstypes.InvalidParameterException](s, s.setSubscription(sub, name, value))
		}
	})
	snsRule(t, snsAPI("ConfirmSubscription"), "a token that was never sent confirms nothing", func(s *snsCloud) {
		topic := s.topic(nil)
		_, err := s.sns.ConfirmSubscription(s.ctx, &sns.ConfirmSubscriptionInput{TopicArn: &topic, Token: aws.String(strings.Repeat("0a", 100))})
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsGuide("Fanout Amazon SNS notifications to HTTPS endpoints"), "an HTTP endpoint is listed as PendingConfirmation until it confirms", func(s *snsCloud) {
		asked := make(chan struct{}, 1)
		s.Control().HandleHTTP("127.0.0.1:8080", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("x-amz-sns-message-type") == "SubscriptionConfirmation" {
				asked <- struct{}{}
			}
		}))
		topic := s.topic(nil)
		out, err := s.sns.Subscribe(s.ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: aws.String("http://127.0.0.1:8080/")})
		s.must(err)
		if *out.SubscriptionArn != "pending confirmation" {
			s.Errorf("subscription %q", *out.SubscriptionArn)
		}
		<-asked
		list, err := s.sns.ListSubscriptionsByTopic(s.ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
		s.must(err)
		if sub := snsOne(s, list.Subscriptions); *sub.SubscriptionArn != "PendingConfirmation" {
			s.Errorf("subscription %q", *sub.SubscriptionArn)
		}
		if a := s.topicAttributes(topic); a["SubscriptionsPending"] != "1" || a["SubscriptionsConfirmed"] != "0" {
			s.Errorf("%s pending, %s confirmed", a["SubscriptionsPending"], a["SubscriptionsConfirmed"])
		}
	})
	snsRule(t, snsGuide("Large message payloads"), "a topic for messages above 256 KiB has no HTTP subscribers", func(s *snsCloud) {
		_, err := s.trySubscribe(s.topic(snsAttributes{"MaximumMessageSize": "1048576"}), "https", "https://example.com/", nil)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
}

func TestSNSDeadLetterQueues(t *testing.T) {
	source := snsGuide("Amazon SNS dead-letter queues")
	redrive := func(q snsQueue) string { return `{"deadLetterTargetArn":"` + q.arn + `"}` }
	snsRule(t, source, "a message for a queue that is gone goes to the subscription's dead-letter queue", func(s *snsCloud) {
		topic, dead := s.topic(nil), s.queue(false)
		gone := snsQueue{arn: dead.arn + "-gone"}
		s.subscribe(topic, gone, snsAttributes{"RedrivePolicy": redrive(dead), "RawMessageDelivery": "true"})
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("undeliverable"), MessageAttributes: snsNumbered(1)})
		if m := snsOne(s, s.receive(dead)); *m.Body != "undeliverable" || len(m.MessageAttributes) != 1 {
			s.Errorf("message %s with %d attributes", *m.Body, len(m.MessageAttributes))
		}
	})
	snsRule(t, source, "a FIFO queue's subscription has a FIFO dead-letter queue", func(s *snsCloud) {
		sub := s.subscribe(s.topic(snsAttributes{"FifoTopic": "true"}), s.queue(true), nil)
		snsFails[*snstypes.InvalidParameterException](s, s.setSubscription(sub, "RedrivePolicy", redrive(s.queue(false))))
		s.must(s.setSubscription(sub, "RedrivePolicy", redrive(s.queue(true))))
	})
	snsRule(t, source, "without a dead-letter queue the message is lost and the subscription stays", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		sub := s.subscribe(topic, snsQueue{arn: q.arn + "-gone"}, nil)
		s.subscribe(topic, q, snsRaw)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		s.gets(q, "m")
		if a := s.subscriptionAttributes(sub); a["PendingConfirmation"] != "false" {
			s.Errorf("attributes %v", a)
		}
	})
}
