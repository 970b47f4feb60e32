package sns_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
)

func TestFIFODelivery(t *testing.T) {
	run(t, "a group waits for its message that is retried, and the others do not", func(t *testing.T, c *cloud) {
		topic := c.topic("FifoTopic", "true", "ContentBasedDeduplication", "true")
		c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true")
		c.queues.fail("q.fifo", sns.ErrUnavailable)
		c.publish(topic, "a1", inGroup("a", ""))
		time.Sleep(1500 * time.Millisecond)
		c.queues.fail("q.fifo", nil)
		c.publish(topic, "a2", inGroup("a", ""))
		c.publish(topic, "b1", inGroup("b", ""))
		time.Sleep(20 * time.Millisecond)
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{"b1"}) {
			t.Errorf("at first %q, want b1", got)
		}
		time.Sleep(time.Minute)
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{"b1", "a1", "a2"}) {
			t.Errorf("in the end %q, want b1 a1 a2", got)
		}
	})
	run(t, "messages of a group arrive in the order of their sequence numbers", func(t *testing.T, c *cloud) {
		topic := c.topic("FifoTopic", "true")
		c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true")
		var want []string
		last := ""
		for i := range 50 {
			body := fmt.Sprint(i)
			want = append(want, body)
			n := *c.publish(topic, body, inGroup("g", body)).SequenceNumber
			if len(n) != 20 || n <= last {
				t.Errorf("sequence number %s after %s", n, last)
			}
			last = n
		}
		time.Sleep(time.Second)
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestReplay(t *testing.T) {
	archive := []string{"FifoTopic", "true", "ContentBasedDeduplication", "true", "ArchivePolicy", `{"MessageRetentionPeriod":"2"}`}
	from := func(start, end time.Time) string {
		policy := `{"PointType":"Timestamp","StartingPoint":"` + start.UTC().Format(time.RFC3339) + `"`
		if !end.IsZero() {
			policy += `,"EndingPoint":"` + end.UTC().Format(time.RFC3339) + `"`
		}
		return policy + "}"
	}
	publish := func(c *cloud, topic string, bodies ...string) {
		for _, b := range bodies {
			c.publish(topic, b, inGroup("g", ""))
			time.Sleep(time.Minute)
		}
	}
	run(t, "a new subscription can start in the past and goes on with what is published", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		start := time.Now()
		publish(c, topic, "1", "2")
		sub := c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true", "ReplayPolicy", from(start, time.Time{}))
		if status := c.attributes(sub)["ReplayStatus"]; status != "Pending" {
			t.Errorf("status %q, want Pending", status)
		}
		c.publish(topic, "3", inGroup("g", ""))
		time.Sleep(time.Minute)
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("got %q", got)
		}
		if status := c.attributes(sub)["ReplayStatus"]; status != "Completed" {
			t.Errorf("status %q, want Completed", status)
		}
	})
	run(t, "with an ending point it gets nothing published later, until the policy is removed", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		sub := c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true")
		publish(c, topic, "1", "2", "3")
		second := time.Now().Add(-2 * time.Minute)
		c.set(sub, "ReplayPolicy", from(second.Add(-time.Second), second.Add(time.Second)))
		publish(c, topic, "4")
		c.set(sub, "ReplayPolicy", "{}")
		publish(c, topic, "5")
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{"1", "2", "3", "2", "5"}) {
			t.Errorf("got %q", got)
		}
	})
	run(t, "a replayed message keeps its id and its time and says that it is replayed", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		start := time.Now()
		sub := c.subscribe(topic, "q.fifo")
		publish(c, topic, "1")
		c.set(sub, "ReplayPolicy", from(start, time.Time{}))
		time.Sleep(time.Minute)
		got := c.queues.in("q.fifo")
		if len(got) != 2 {
			t.Fatalf("%d messages, want 2", len(got))
		}
		first, again := envelope(t, got[0].Body), envelope(t, got[1].Body)
		if first["MessageId"] != again["MessageId"] || first["Timestamp"] != again["Timestamp"] || first["Replayed"] != nil || again["Replayed"] == nil {
			t.Errorf("%v, then %v", first, again)
		}
	})
	run(t, "a replay is filtered", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		start := time.Now()
		publish(c, topic, `{"n":1}`, `{"n":2}`)
		c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true", "ReplayPolicy", from(start, time.Time{}), "FilterPolicyScope", "MessageBody", "FilterPolicy", `{"n":[2]}`)
		time.Sleep(time.Minute)
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{`{"n":2}`}) {
			t.Errorf("got %q", got)
		}
	})
	run(t, "what is older than the retention is gone", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		start := time.Now()
		publish(c, topic, "1")
		time.Sleep(47 * time.Hour)
		publish(c, topic, "2")
		time.Sleep(time.Hour)
		c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true", "ReplayPolicy", from(start, time.Time{}))
		time.Sleep(time.Minute)
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{"2"}) {
			t.Errorf("got %q", got)
		}
		out, err := c.GetTopicAttributes(t.Context(), &client.GetTopicAttributesInput{TopicArn: &topic})
		if err != nil {
			t.Fatal(err)
		}
		begin, err := time.Parse(time.RFC3339, out.Attributes["BeginningArchiveTime"])
		if err != nil || time.Since(begin).Round(time.Minute) != 48*time.Hour {
			t.Errorf("archive begins at %v, %v ago", begin, time.Since(begin))
		}
	})
	run(t, "a replay that is stopped sends no more", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		start := time.Now()
		publish(c, topic, "1", "2")
		c.queues.fail("q.fifo", sns.ErrUnavailable)
		sub := c.subscribe(topic, "q.fifo", "RawMessageDelivery", "true", "ReplayPolicy", from(start, time.Time{}))
		time.Sleep(time.Minute)
		if status := c.attributes(sub)["ReplayStatus"]; status != "In progress" {
			t.Errorf("status %q, want In progress", status)
		}
		c.set(sub, "ReplayPolicy", "{}")
		c.queues.fail("q.fifo", nil)
		publish(c, topic, "3")
		if got := bodies(c.queues.in("q.fifo")); !slices.Equal(got, []string{"3"}) {
			t.Errorf("got %q", got)
		}
	})
	run(t, "a topic without an archive has no replay", func(t *testing.T, c *cloud) {
		topic := c.topic("FifoTopic", "true")
		sub := c.subscribe(topic, "q.fifo")
		_, err := c.SetSubscriptionAttributes(t.Context(), &client.SetSubscriptionAttributesInput{
			SubscriptionArn: &sub, AttributeName: awssdk.String("ReplayPolicy"), AttributeValue: awssdk.String(from(time.Now(), time.Time{})),
		})
		if !errorIs[*types.InvalidParameterException](err) {
			t.Errorf("error %v, want InvalidParameter", err)
		}
	})
	run(t, "a topic with an archive is deleted after the archive only", func(t *testing.T, c *cloud) {
		topic := c.topic(archive...)
		_, err := c.DeleteTopic(t.Context(), &client.DeleteTopicInput{TopicArn: &topic})
		if !errorIs[*types.InvalidStateException](err) {
			t.Errorf("error %v, want InvalidState", err)
		}
		if _, err := c.SetTopicAttributes(t.Context(), &client.SetTopicAttributesInput{TopicArn: &topic, AttributeName: awssdk.String("ArchivePolicy"), AttributeValue: awssdk.String("{}")}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DeleteTopic(t.Context(), &client.DeleteTopicInput{TopicArn: &topic}); err != nil {
			t.Error(err)
		}
	})
}
