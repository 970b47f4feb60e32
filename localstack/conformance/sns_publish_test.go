package conformance_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestSNSPublish(t *testing.T) {
	snsRule(t, snsGuide("What is Amazon SNS?"), "every subscribed queue gets a copy of its own", func(s *snsCloud) {
		topic := s.topic(nil)
		queues := []snsQueue{s.queue(false), s.queue(false), s.queue(false)}
		for _, q := range queues {
			s.subscribe(topic, q, snsRaw)
		}
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		for _, q := range queues {
			s.gets(q, "m")
		}
	})
	snsRule(t, snsGuide("What is Amazon SNS?"), "a message reaches only who subscribed before it was published", func(s *snsCloud) {
		topic, q := s.topic(nil), s.queue(false)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("too early")})
		s.subscribe(topic, q, snsRaw)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("in time")})
		s.gets(q, "in time")
	})
	snsRule(t, snsAPI("Publish"), "a topic can be published to as the target too", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		s.publish(&sns.PublishInput{TargetArn: &topic, Message: aws.String("m")})
		s.gets(q, "m")
	})
	snsRule(t, snsGuide("Parsing message formats"), "a queue gets an envelope that says what was published, when, and how to leave", func(s *snsCloud) {
		topic, q := s.subscribed(nil)
		out := s.publish(&sns.PublishInput{
			TopicArn: &topic, Message: aws.String(`<b>"text" & more</b>`), Subject: aws.String("subject"),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{"n": snsNumber("1.5"), "b": {DataType: aws.String("Binary"), BinaryValue: []byte{2, 3, 4}}},
		})
		e := snsOne(s, s.envelopes(q))
		for name, want := range map[string]any{"Type": "Notification", "MessageId": *out.MessageId, "TopicArn": topic, "Subject": "subject", "Message": `<b>"text" & more</b>`, "SignatureVersion": "1"} {
			if e[name] != want {
				s.Errorf("%s is %v, want %v", name, e[name], want)
			}
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(e["Timestamp"])); err != nil {
			s.Error(err)
		}
		if !strings.Contains(fmt.Sprint(e["UnsubscribeURL"]), "Action=Unsubscribe&SubscriptionArn="+topic+":") || e["Signature"] == nil || !strings.HasSuffix(fmt.Sprint(e["SigningCertURL"]), ".pem") {
			s.Errorf("envelope %v", e)
		}
		if got, want := fmt.Sprint(e["MessageAttributes"]), "map[b:map[Type:Binary Value:AgME] n:map[Type:Number Value:1.5]]"; got != want {
			s.Errorf("attributes %s, want %s", got, want)
		}
	})
	snsRule(t, snsGuide("Parsing message formats"), "an envelope has no subject and no attributes if the message has none", func(s *snsCloud) {
		topic, q := s.subscribed(nil)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		e := snsOne(s, s.envelopes(q))
		for _, name := range []string{"Subject", "MessageAttributes"} {
			if v, ok := e[name]; ok {
				s.Errorf("%s is %v", name, v)
			}
		}
	})
	snsRule(t, snsAPI("SetTopicAttributes"), "signature version 2 is what the topic says", func(s *snsCloud) {
		topic, q := s.subscribed(nil)
		s.must(s.setTopic(topic, "SignatureVersion", "2"))
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		if e := snsOne(s, s.envelopes(q)); e["SignatureVersion"] != "2" {
			s.Errorf("envelope %v", e)
		}
	})
	snsRule(t, snsGuide("Amazon SNS raw message delivery"), "raw delivery sends the body as it is and the attributes as the queue's own", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("body"), Subject: aws.String("lost"), MessageAttributes: map[string]snstypes.MessageAttributeValue{"n": snsNumber("1.5")}})
		m := snsOne(s, s.receive(q))
		if a := m.MessageAttributes["n"]; *m.Body != "body" || aws.ToString(a.DataType) != "Number" || aws.ToString(a.StringValue) != "1.5" {
			s.Errorf("message %s, attributes %v", *m.Body, m.MessageAttributes)
		}
	})
	snsRule(t, snsGuide("Amazon SNS message attributes"), "a raw message with more than 10 attributes is discarded", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("eleven"), MessageAttributes: snsNumbered(11)})
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("ten"), MessageAttributes: snsNumbered(10)})
		s.gets(q, "ten")
	})
	snsRule(t, snsAPI("Publish"), "a message's group reaches a standard queue, for fair queues", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String("m"), MessageGroupId: aws.String("tenant-7")})
		if m := snsOne(s, s.receive(q)); m.Attributes["MessageGroupId"] != "tenant-7" {
			s.Errorf("attributes %v", m.Attributes)
		}
	})
}

func TestSNSPublishRefuses(t *testing.T) {
	publish := func(s *snsCloud, change func(*sns.PublishInput)) error {
		in := &sns.PublishInput{TopicArn: aws.String(s.topic(nil)), Message: aws.String("m")}
		change(in)
		_, err := s.sns.Publish(s.ctx, in)
		return err
	}
	invalid := map[string]func(*sns.PublishInput){
		"an empty message":                    func(in *sns.PublishInput) { in.Message = aws.String("") },
		"an empty subject":                    func(in *sns.PublishInput) { in.Subject = aws.String("") },
		"a subject of more than one line":     func(in *sns.PublishInput) { in.Subject = aws.String("a\nb") },
		"a subject of more than 100 letters":  func(in *sns.PublishInput) { in.Subject = aws.String(strings.Repeat("x", 101)) },
		"a message of more than 262144 bytes": func(in *sns.PublishInput) { in.Message = aws.String(strings.Repeat("x", 262145)) },
		"a message that exceeds the limit with its attributes": func(in *sns.PublishInput) {
			in.Message, in.MessageAttributes = aws.String(strings.Repeat("x", 262144)), snsNumbered(1)
		},
		"another MessageStructure than json":             func(in *sns.PublishInput) { in.MessageStructure = aws.String("xml") },
		"MessageStructure json with a body that is none": func(in *sns.PublishInput) { in.MessageStructure = aws.String("json") },
		"MessageStructure json without a default": func(in *sns.PublishInput) {
			in.MessageStructure, in.Message = aws.String("json"), aws.String(`{"sqs":"m"}`)
		},
		"MessageStructure json with a default of no text": func(in *sns.PublishInput) {
			in.MessageStructure, in.Message = aws.String("json"), aws.String(`{"default":{"a":1}}`)
		},
		"a deduplication id on a standard topic": func(in *sns.PublishInput) { in.MessageDeduplicationId = aws.String("d") },
	}
	for _, what := range slices.Sorted(maps.Keys(invalid)) {
		snsRule(t, snsAPI("Publish"), what+" is an invalid parameter", func(s *snsCloud) {
			snsFails[*snstypes.InvalidParameterException](s, publish(s, invalid[what]))
		})
	}
	attributes := map[string]map[string]snstypes.MessageAttributeValue{
		"an attribute without a value":       {"a": {DataType: aws.String("String")}},
		"an attribute of an unknown type":    {"a": {DataType: aws.String("Date"), StringValue: aws.String("x")}},
		"a text in a binary attribute":       {"a": {DataType: aws.String("Binary"), StringValue: aws.String("x")}},
		"an attribute's name that has a ^":   {"a^": snsText("x")},
		"an attribute's name with two dots":  {"a..b": snsText("x")},
		"an attribute's name that ends in .": {"a.": snsText("x")},
	}
	for _, what := range slices.Sorted(maps.Keys(attributes)) {
		snsRule(t, snsGuide("Amazon SNS message attributes"), what+" is refused", func(s *snsCloud) {
			snsFails[*snstypes.InvalidParameterValueException](s, publish(s, func(in *sns.PublishInput) { in.MessageAttributes = attributes[what] }))
		})
	}
}

func TestSNSMessageSizes(t *testing.T) {
	snsRule(t, snsAPI("Publish"), "a message has 262144 bytes at most, and as many as that", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		body := strings.Repeat("x", 262144)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: &body})
		s.gets(q, body)
	})
	snsRule(t, snsGuide("Large message payloads"), "a topic can be made to take messages of 1 MiB", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		s.must(s.setTopic(topic, "MaximumMessageSize", "1048576"))
		body := strings.Repeat("x", 1048576)
		s.publish(&sns.PublishInput{TopicArn: &topic, Message: &body})
		s.gets(q, body)
	})
	snsRule(t, snsGuide("Large message payloads"), "a topic can be made to take less", func(s *snsCloud) {
		topic := s.topic(snsAttributes{"MaximumMessageSize": "1024"})
		_, err := s.sns.Publish(s.ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String(strings.Repeat("x", 1025))})
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
}

func TestSNSMessageStructure(t *testing.T) {
	snsRule(t, snsAPI("Publish"), "MessageStructure json has a message for each protocol, and the default for the rest", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		for _, message := range []string{`{"default":"1 default","sqs":"1 for queues"}`, `{"default":"2 default","http":"2 for the web"}`, `{"default":"3 default","sqs":{"not":"text"}}`} {
			s.publish(&sns.PublishInput{TopicArn: &topic, Message: &message, MessageStructure: aws.String("json")})
		}
		s.gets(q, "1 for queues", "2 default", "3 default")
	})
}

func TestSNSPublishBatch(t *testing.T) {
	entries := func(n int) (list []snstypes.PublishBatchRequestEntry) {
		for i := range n {
			list = append(list, snstypes.PublishBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), Message: aws.String(fmt.Sprint("m", i))})
		}
		return list
	}
	batch := func(s *snsCloud, topic string, list []snstypes.PublishBatchRequestEntry) (*sns.PublishBatchOutput, error) {
		return s.sns.PublishBatch(s.ctx, &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: list})
	}
	snsRule(t, snsAPI("PublishBatch"), "ten messages are published with one call, each with an id of its own", func(s *snsCloud) {
		topic, q := s.subscribed(snsRaw)
		out, err := batch(s, topic, entries(10))
		s.must(err)
		ids := map[string]bool{}
		for _, e := range out.Successful {
			ids[*e.MessageId] = true
		}
		if len(ids) != 10 || len(out.Failed) != 0 {
			s.Errorf("%d messages, %d failed", len(ids), len(out.Failed))
		}
		s.gets(q, "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9")
	})
	snsRule(t, snsAPI("PublishBatch"), "more than ten entries are too many, and none too few", func(s *snsCloud) {
		topic := s.topic(nil)
		_, err := batch(s, topic, entries(11))
		snsFails[*snstypes.TooManyEntriesInBatchRequestException](s, err)
		_, err = batch(s, topic, []snstypes.PublishBatchRequestEntry{})
		snsFails[*snstypes.EmptyBatchRequestException](s, err)
	})
	snsRule(t, snsAPI("PublishBatch"), "the ids of the entries differ, and are letters, digits, hyphens and underscores", func(s *snsCloud) {
		topic, list := s.topic(nil), entries(2)
		list[1].Id = list[0].Id
		_, err := batch(s, topic, list)
		snsFails[*snstypes.BatchEntryIdsNotDistinctException](s, err)
		list[1].Id = aws.String("a b")
		_, err = batch(s, topic, list)
		snsFails[*snstypes.InvalidBatchEntryIdException](s, err)
	})
	snsRule(t, snsAPI("PublishBatch"), "a batch has 262144 bytes at most in all", func(s *snsCloud) {
		topic, list := s.topic(nil), entries(2)
		for i := range list {
			list[i].Message = aws.String(strings.Repeat("x", 131073))
		}
		_, err := batch(s, topic, list)
		snsFails[*snstypes.BatchRequestTooLongException](s, err)
	})
	snsRule(t, snsAPI("PublishBatch"), "a topic that does not exist is NotFound", func(s *snsCloud) {
		_, err := batch(s, s.topic(nil)+"-other", entries(1))
		snsFails[*snstypes.NotFoundException](s, err)
	})
}
