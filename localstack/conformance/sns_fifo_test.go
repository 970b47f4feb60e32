package conformance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestSNSFIFO(t *testing.T) {
	fifo := func(more ...string) snsAttributes {
		a := snsAttributes{"FifoTopic": "true"}
		for i := 0; i < len(more); i += 2 {
			a[more[i]] = more[i+1]
		}
		return a
	}
	message := func(topic, body, group, id string) *sns.PublishInput {
		in := &sns.PublishInput{TopicArn: &topic, Message: &body, MessageGroupId: &group}
		if id != "" {
			in.MessageDeduplicationId = &id
		}
		return in
	}
	snsRule(t, snsAPI("Publish"), "a message of a FIFO topic has a group", func(s *snsCloud) {
		_, err := s.sns.Publish(s.ctx, &sns.PublishInput{TopicArn: aws.String(s.topic(fifo())), Message: aws.String("m"), MessageDeduplicationId: aws.String("d")})
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsAPI("Publish"), "a message of a FIFO topic has a deduplication id, unless its content is one", func(s *snsCloud) {
		_, err := s.sns.Publish(s.ctx, message(s.topic(fifo()), "m", "g", ""))
		snsFails[*snstypes.InvalidParameterException](s, err)
		s.publish(message(s.topic(fifo("ContentBasedDeduplication", "true")), "m", "g", ""))
	})
	snsRule(t, snsGuide("FIFO topic message grouping"), "a FIFO queue gets a group's messages in order, with group and deduplication id", func(s *snsCloud) {
		topic, q := s.topic(fifo()), s.queue(true)
		s.subscribe(topic, q, snsRaw)
		var want []string
		for i := range 5 {
			want = append(want, fmt.Sprint(i))
			s.publish(message(topic, want[i], "g", "id-"+want[i]))
		}
		got := s.receive(q)
		if len(got) != len(want) {
			s.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i, m := range got {
			if *m.Body != want[i] || m.Attributes["MessageGroupId"] != "g" || m.Attributes["MessageDeduplicationId"] != "id-"+want[i] {
				s.Errorf("message %d: %s %v", i, *m.Body, m.Attributes)
			}
		}
	})
	snsRule(t, snsAPI("Publish"), "sequence numbers grow", func(s *snsCloud) {
		topic := s.topic(fifo())
		first, second := s.publish(message(topic, "1", "g", "1")), s.publish(message(topic, "2", "g", "2"))
		if a, b := aws.ToString(first.SequenceNumber), aws.ToString(second.SequenceNumber); len(a) != 20 || len(b) != 20 || a >= b {
			s.Errorf("%s, then %s", a, b)
		}
	})
	snsSlowRule(t, snsGuide("FIFO topic message deduplication"), "a repetition within five minutes is accepted and not delivered, and delivered afterwards", 6*time.Minute, func(s *snsCloud) {
		topic, q := s.topic(fifo()), s.queue(true)
		s.subscribe(topic, q, snsRaw)
		first := s.publish(message(topic, "first", "g", "id"))
		again := s.publish(message(topic, "again", "g", "id"))
		if *first.MessageId != *again.MessageId {
			s.Errorf("message %s, then %s: it is the same", *first.MessageId, *again.MessageId)
		}
		s.gets(q, "first") // and deletes it, which changes nothing
		s.publish(message(topic, "once more", "g", "id"))
		s.gets(q)
		s.Sleep(5*time.Minute + time.Second)
		s.publish(message(topic, "later", "g", "id"))
		s.gets(q, "later")
	})
	snsRule(t, snsGuide("FIFO topic message deduplication"), "deduplication is across groups", func(s *snsCloud) {
		topic, q := s.topic(fifo()), s.queue(true)
		s.subscribe(topic, q, snsRaw)
		s.publish(message(topic, "a", "group-a", "id"))
		s.publish(message(topic, "b", "group-b", "id"))
		s.gets(q, "a")
	})
	snsRule(t, snsAPI("SetTopicAttributes"), "with FifoThroughputScope MessageGroup deduplication is within a group", func(s *snsCloud) {
		topic := s.topic(fifo("FifoThroughputScope", "MessageGroup"))
		first, other, same := s.publish(message(topic, "a", "A", "id")), s.publish(message(topic, "b", "B", "id")), s.publish(message(topic, "c", "A", "id"))
		if *first.MessageId == *other.MessageId || *first.MessageId != *same.MessageId {
			s.Errorf("messages %s, %s in another group, %s in the same", *first.MessageId, *other.MessageId, *same.MessageId)
		}
	})
	snsRule(t, snsGuide("FIFO topic message deduplication"), "the content for deduplication is the body without the attributes", func(s *snsCloud) {
		topic, q := s.topic(fifo("ContentBasedDeduplication", "true")), s.queue(true)
		s.subscribe(topic, q, snsRaw)
		s.publish(message(topic, "m", "g", ""))
		in := message(topic, "m", "g", "")
		in.MessageAttributes = snsNumbered(1)
		s.publish(in)
		s.gets(q, "m")
	})
	snsRule(t, snsAPI("PublishBatch"), "a batch is published in its order and deduplicated within itself", func(s *snsCloud) {
		topic, q := s.topic(fifo("ContentBasedDeduplication", "true")), s.queue(true)
		s.subscribe(topic, q, snsRaw)
		var entries []snstypes.PublishBatchRequestEntry
		for i, body := range []string{"1", "2", "1", "3"} {
			entries = append(entries, snstypes.PublishBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), Message: &body, MessageGroupId: aws.String("g")})
		}
		out, err := s.sns.PublishBatch(s.ctx, &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: entries})
		s.must(err)
		if len(out.Successful) != 4 || *out.Successful[0].MessageId != *out.Successful[2].MessageId {
			s.Errorf("successful: %v", out.Successful)
		}
		s.gets(q, "1", "2", "3")
	})
	snsRule(t, snsGuide("FIFO topic delivery"), "a standard queue can subscribe to a FIFO topic, and gets no group", func(s *snsCloud) {
		topic, q := s.topic(fifo()), s.queue(false)
		s.subscribe(topic, q, snsRaw)
		s.publish(message(topic, "m", "g", "id"))
		if m := snsOne(s, s.receive(q)); m.Attributes["MessageGroupId"] != "" {
			s.Errorf("attributes %v", m.Attributes)
		}
	})
	snsRule(t, snsGuide("FIFO topic delivery"), "a FIFO topic has no HTTP subscribers", func(s *snsCloud) {
		_, err := s.trySubscribe(s.topic(fifo()), "https", "https://example.com/", nil)
		snsFails[*snstypes.InvalidParameterException](s, err)
	})
	snsRule(t, snsGuide("Parsing message formats"), "a FIFO topic's envelope has a sequence number and no signature", func(s *snsCloud) {
		topic, q := s.topic(fifo()), s.queue(true)
		s.subscribe(topic, q, nil)
		out := s.publish(message(topic, "m", "g", "id"))
		e := snsOne(s, s.envelopes(q))
		if e["SequenceNumber"] != *out.SequenceNumber || e["Signature"] != nil || e["SigningCertURL"] != nil {
			s.Errorf("envelope %v", e)
		}
	})
	for _, name := range []string{"ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy"} {
		snsRule(t, snsAPI("SetTopicAttributes"), "a standard topic has no "+name, func(s *snsCloud) {
			value := map[string]string{"ContentBasedDeduplication": "true", "FifoThroughputScope": "Topic", "ArchivePolicy": `{"MessageRetentionPeriod":"1"}`}[name]
			snsFails[*snstypes.InvalidParameterException](s, s.setTopic(s.topic(nil), name, value))
		})
	}
	snsSlowRule(t, snsGuide("Message replay for FIFO topic subscribers"), "a subscription can replay what was archived before it existed", 2*time.Minute, func(s *snsCloud) {
		topic, q := s.topic(fifo()), s.queue(true)
		s.must(s.setTopic(topic, "ArchivePolicy", `{"MessageRetentionPeriod":"1"}`))
		defer func() { s.must(s.setTopic(topic, "ArchivePolicy", "{}")) }() // a topic with an archive cannot be deleted
		start := time.Now()
		s.publish(message(topic, "1", "g", "1"))
		s.publish(message(topic, "2", "g", "2"))
		s.Sleep(5 * time.Second)
		s.subscribe(topic, q, snsAttributes{"RawMessageDelivery": "true", "ReplayPolicy": `{"PointType":"Timestamp","StartingPoint":"` + start.UTC().Format("2006-01-02T15:04:05.000Z") + `"}`})
		s.gets(q, "1", "2")
		s.publish(message(topic, "3", "g", "3"))
		s.gets(q, "3")
	})
}
