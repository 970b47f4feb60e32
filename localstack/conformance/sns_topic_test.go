package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestSNSTopics(t *testing.T) {
	create := func(s *snsCloud, in *sns.CreateTopicInput) (string, error) {
		out, err := s.sns.CreateTopic(s.ctx, in)
		if err != nil {
			return "", err
		}
		return *out.TopicArn, nil
	}
	snsRule(t, snsAPI("CreateTopic"), "creating a topic that exists returns its ARN", func(s *snsCloud) {
		in := &sns.CreateTopicInput{Name: aws.String(s.Name("t")), Attributes: snsAttributes{"DisplayName": "d"}, Tags: []snstypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
		first, err := create(s, in)
		s.must(err)
		for _, again := range []*sns.CreateTopicInput{in, {Name: in.Name}} {
			if arn, err := create(s, again); err != nil || arn != first {
				s.Errorf("%s, %v; want %s", arn, err, first)
			}
		}
	})
	snsRule(t, snsAPI("CreateTopic"), "creating a topic that exists with other attributes is refused", func(s *snsCloud) {
		in := &sns.CreateTopicInput{Name: aws.String(s.Name("t")), Attributes: snsAttributes{"DisplayName": "one"}}
		_, err := create(s, in)
		s.must(err)
		in.Attributes["DisplayName"] = "two"
		_, err = create(s, in)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("CreateTopic"), "creating a topic that exists with other tags is refused", func(s *snsCloud) {
		in := &sns.CreateTopicInput{Name: aws.String(s.Name("t")), Tags: []snstypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
		_, err := create(s, in)
		s.must(err)
		in.Tags = append(in.Tags, snstypes.Tag{Key: aws.String("k2"), Value: aws.String("v2")})
		_, err = create(s, in)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("CreateTopic"), "a topic's name has 1 to 256 letters, digits, hyphens and underscores", func(s *snsCloud) {
		name := s.Name("t_1")
		_, err := create(s, &sns.CreateTopicInput{Name: aws.String(name + strings.Repeat("x", 256-len(name)))})
		s.must(err)
		for _, bad := range []string{"", name + strings.Repeat("x", 257-len(name)), name + ".", name + " ", name + "ü", name + ":"} {
			_, err := create(s, &sns.CreateTopicInput{Name: &bad})
			snsFails[*snstypes.InvalidParameterException](s, err)
		}
	})
	snsRule(t, snsAPI("CreateTopic"), "a FIFO topic's name ends with .fifo, and no other's", func(s *snsCloud) {
		_, err := create(s, &sns.CreateTopicInput{Name: aws.String(s.Name("t")), Attributes: snsAttributes{"FifoTopic": "true"}})
		snsFails[*snstypes.InvalidParameterException](s, err)
		_, err = create(s, &sns.CreateTopicInput{Name: aws.String(s.Name("t") + ".fifo")})
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("GetTopicAttributes"), "a topic that does not exist is NotFound", func(s *snsCloud) {
		topic := s.topic(nil) + "-other"
		_, err := s.sns.GetTopicAttributes(s.ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
		snsFails[*snstypes.NotFoundException](s, err)
		_, err = s.sns.Publish(s.ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		snsFails[*snstypes.NotFoundException](s, err)
		_, err = s.trySubscribe(topic, "sqs", s.queue(false).arn, nil)
		snsFails[*snstypes.NotFoundException](s, err)
	})
	snsRule(t, snsAPI("GetTopicAttributes"), "what is no ARN of a topic is an invalid parameter", func(s *snsCloud) {
		for _, bad := range []string{"topic", "arn:aws:sns:us-east-1", s.queue(false).arn} {
			_, err := s.sns.GetTopicAttributes(s.ctx, &sns.GetTopicAttributesInput{TopicArn: &bad})
			snsFails[*snstypes.InvalidParameterException](s, err)
		}
	})
	snsRule(t, snsAPI("DeleteTopic"), "deleting a topic that does not exist is a success", func(s *snsCloud) {
		topic := s.topic(nil)
		for range 2 {
			_, err := s.sns.DeleteTopic(s.ctx, &sns.DeleteTopicInput{TopicArn: &topic})
			s.must(err)
		}
	})
	snsRule(t, snsAPI("DeleteTopic"), "a topic is deleted with its subscriptions", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		sub := s.subscribe(topic, q, nil)
		_, err := s.sns.DeleteTopic(s.ctx, &sns.DeleteTopicInput{TopicArn: &topic})
		s.must(err)
		s.Eventually("the subscription is gone", 2*time.Minute, func() bool {
			_, err := s.sns.GetSubscriptionAttributes(s.ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
			return err != nil
		})
	})
	snsRule(t, snsAPI("GetTopicAttributes"), "a new topic has an owner, an access policy, no name to display and no subscriptions", func(s *snsCloud) {
		topic := s.topic(nil)
		a := s.topicAttributes(topic)
		for name, want := range map[string]string{"TopicArn": topic, "Owner": strings.Split(topic, ":")[4], "DisplayName": "", "SubscriptionsConfirmed": "0", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0"} {
			if got, ok := a[name]; !ok || got != want {
				s.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(a["Policy"], `"SNS:Publish"`) {
			s.Errorf("policy %s", a["Policy"])
		}
		if _, ok := a["FifoTopic"]; ok {
			s.Error("FifoTopic is set on a standard topic")
		}
	})
	snsRule(t, snsGuide("Message delivery retries"), "a failed HTTP delivery is by default tried again three times, every 20 seconds", func(s *snsCloud) {
		got := s.topicAttributes(s.topic(nil))["EffectiveDeliveryPolicy"]
		for _, want := range []string{`"minDelayTarget":20`, `"maxDelayTarget":20`, `"numRetries":3`, `"backoffFunction":"linear"`} {
			if !strings.Contains(got, want) {
				s.Errorf("no %s in %s", want, got)
			}
		}
	})
	snsRule(t, snsAPI("SetTopicAttributes"), "an attribute is set, and one that does not exist is refused", func(s *snsCloud) {
		topic := s.topic(nil)
		s.must(s.setTopic(topic, "DisplayName", "shop"))
		if got := s.topicAttributes(topic)["DisplayName"]; got != "shop" {
			s.Errorf("DisplayName is %q", got)
		}
		snsFails[*snstypes.InvalidParameterException](s, s.setTopic(topic, "Color", "red"))
		snsFails[*snstypes.InvalidParameterException](s, s.setTopic(topic, "SignatureVersion", "3"))
	})
	snsRule(t, snsAPI("SetTopicAttributes"), "the message size limit is from 1 KiB to 1 MiB and returned only when it was set", func(s *snsCloud) {
		topic := s.topic(nil)
		if got, ok := s.topicAttributes(topic)["MaximumMessageSize"]; ok {
			s.Errorf("MaximumMessageSize is %q from the start", got)
		}
		s.must(s.setTopic(topic, "MaximumMessageSize", "1048576"))
		if got := s.topicAttributes(topic)["MaximumMessageSize"]; got != "1048576" {
			s.Errorf("MaximumMessageSize is %q", got)
		}
		snsFails[*snstypes.InvalidParameterException](s, s.setTopic(topic, "MaximumMessageSize", "1023"))
		snsFails[*snstypes.InvalidParameterException](s, s.setTopic(topic, "MaximumMessageSize", "1048577"))
	})
	snsSlowRule(t, snsAPI("ListTopics"), "topics are listed in pages of 100", 2*time.Minute, func(s *snsCloud) {
		for i := range 101 {
			_, err := create(s, &sns.CreateTopicInput{Name: aws.String(s.Name(fmt.Sprint(i)))})
			s.must(err)
		}
		out, err := s.sns.ListTopics(s.ctx, &sns.ListTopicsInput{})
		s.must(err)
		if len(out.Topics) != 100 || out.NextToken == nil {
			s.Errorf("%d topics, token %v", len(out.Topics), out.NextToken)
		}
		seen := map[string]bool{}
		for pages := sns.NewListTopicsPaginator(s.sns, &sns.ListTopicsInput{}); pages.HasMorePages(); {
			page, err := pages.NextPage(s.ctx)
			s.must(err)
			for _, topic := range page.Topics {
				seen[*topic.TopicArn] = true
			}
		}
		if len(seen) < 101 {
			s.Errorf("%d topics on all pages", len(seen))
		}
	})
}

func TestSNSTags(t *testing.T) {
	tags := func(pairs ...string) (list []snstypes.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, snstypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return list
	}
	snsRule(t, snsAPI("TagResource"), "a tag with a key that exists overwrites it", func(s *snsCloud) {
		topic := s.topic(nil)
		for _, t := range [][]snstypes.Tag{tags("a", "1", "b", "2"), tags("b", "3")} {
			_, err := s.sns.TagResource(s.ctx, &sns.TagResourceInput{ResourceArn: &topic, Tags: t})
			s.must(err)
		}
		_, err := s.sns.UntagResource(s.ctx, &sns.UntagResourceInput{ResourceArn: &topic, TagKeys: []string{"a", "never set"}})
		s.must(err)
		out, err := s.sns.ListTagsForResource(s.ctx, &sns.ListTagsForResourceInput{ResourceArn: &topic})
		s.must(err)
		if tag := snsOne(s, out.Tags); *tag.Key != "b" || *tag.Value != "3" {
			s.Errorf("tag %s=%s", *tag.Key, *tag.Value)
		}
	})
	snsRule(t, snsAPI("TagResource"), "a topic that does not exist is ResourceNotFound to tags", func(s *snsCloud) {
		topic := s.topic(nil) + "-other"
		_, err := s.sns.TagResource(s.ctx, &sns.TagResourceInput{ResourceArn: &topic, Tags: tags("a", "1")})
		snsFails[*snstypes.ResourceNotFoundException](s, err)
	})
	snsRule(t, snsAPI("TagResource"), "a topic has 50 tags at most", func(s *snsCloud) {
		topic := s.topic(nil)
		var pairs []string
		for i := range 50 {
			pairs = append(pairs, fmt.Sprint(i), "x")
		}
		_, err := s.sns.TagResource(s.ctx, &sns.TagResourceInput{ResourceArn: &topic, Tags: tags(pairs...)})
		s.must(err)
		_, err = s.sns.TagResource(s.ctx, &sns.TagResourceInput{ResourceArn: &topic, Tags: tags("one more", "x")})
		snsFails[*snstypes.TagLimitExceededException](s, err)
	})
}

func TestSNSPolicies(t *testing.T) {
	snsRule(t, snsAPI("AddPermission"), "a permission is a statement of the topic's access policy", func(s *snsCloud) {
		topic := s.topic(nil)
		account := strings.Split(topic, ":")[4]
		_, err := s.sns.AddPermission(s.ctx, &sns.AddPermissionInput{TopicArn: &topic, Label: aws.String("partner"), AWSAccountId: []string{account}, ActionName: []string{"Publish"}})
		s.must(err)
		if got := s.topicAttributes(topic)["Policy"]; !strings.Contains(got, `"partner"`) || !strings.Contains(got, "SNS:Publish") {
			s.Errorf("policy %s", got)
		}
		_, err = s.sns.RemovePermission(s.ctx, &sns.RemovePermissionInput{TopicArn: &topic, Label: aws.String("partner")})
		s.must(err)
		if got := s.topicAttributes(topic)["Policy"]; strings.Contains(got, `"partner"`) {
			s.Errorf("policy %s", got)
		}
	})
	snsRule(t, snsAPI("PutDataProtectionPolicy"), "a data protection policy is kept with the topic", func(s *snsCloud) {
		topic := s.topic(nil)
		policy := `{"Name":"p","Version":"2021-06-01","Statement":[{"DataDirection":"Inbound","Principal":["*"],"DataIdentifier":["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],"Operation":{"Deny":{}}}]}`
		_, err := s.sns.PutDataProtectionPolicy(s.ctx, &sns.PutDataProtectionPolicyInput{ResourceArn: &topic, DataProtectionPolicy: &policy})
		s.must(err)
		out, err := s.sns.GetDataProtectionPolicy(s.ctx, &sns.GetDataProtectionPolicyInput{ResourceArn: &topic})
		s.must(err)
		if !strings.Contains(aws.ToString(out.DataProtectionPolicy), "EmailAddress") {
			s.Errorf("policy %v", out.DataProtectionPolicy)
		}
	})
}
