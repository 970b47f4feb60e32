package sns_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	client "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
)

// latency is how long a message is on its way.
const latency = 13 * time.Millisecond

func TestQueueDelivery(t *testing.T) {
	run(t, "a message is on its way for some milliseconds", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q")
		c.publish(topic, "hello")
		time.Sleep(latency - time.Millisecond)
		if got := c.queues.in("q"); len(got) != 0 {
			t.Errorf("%d messages there already", len(got))
		}
		time.Sleep(2 * time.Millisecond)
		if got := c.queues.in("q"); len(got) != 1 {
			t.Errorf("%d messages, want 1", len(got))
		}
	})
	run(t, "a queue that is gone is not tried again", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q")
		c.queues.fail("q", errors.New("no such queue"))
		c.publish(topic, "hello")
		time.Sleep(24 * time.Hour)
		if got := c.queues.attempts("q"); len(got) != 1 {
			t.Errorf("attempts at %v, want one", got)
		}
	})
	run(t, "an unavailable queue is tried at once, then after 1 s, then with backoff, then every 20 s", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q")
		c.queues.fail("q", fmt.Errorf("throttled: %w", sns.ErrUnavailable))
		c.publish(topic, "hello")
		time.Sleep(10 * time.Minute)
		got := c.queues.attempts("q")
		if len(got) < 20 {
			t.Fatalf("%d attempts in 10 minutes", len(got))
		}
		if want := []time.Duration{0, 0, 0, 0, time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(got[:7], want) {
			t.Errorf("first attempts at %v, want %v", got[:7], want)
		}
		for i := 7; i < 15; i++ {
			if step, last := got[i]-got[i-1], got[i-1]-got[i-2]; step < last || step > 20*time.Second {
				t.Errorf("backoff of %v after one of %v", step, last)
			}
		}
		if step := got[19] - got[18]; step != 20*time.Second {
			t.Errorf("in the end every %v, want every 20 s", step)
		}
		c.queues.fail("q", nil)
		time.Sleep(20 * time.Second)
		if got := c.queues.in("q"); len(got) != 1 {
			t.Errorf("%d messages after the queue recovered, want 1", len(got))
		}
	})
	run(t, "one queue's failure does not delay the others", func(t *testing.T, c *cloud) {
		topic := c.topic()
		for _, q := range []string{"a", "b", "c"} {
			c.subscribe(topic, q)
		}
		c.queues.fail("a", sns.ErrUnavailable)
		c.publish(topic, "hello")
		time.Sleep(latency + time.Millisecond)
		if b, d := c.queues.in("b"), c.queues.in("c"); len(b) != 1 || len(d) != 1 {
			t.Errorf("%d and %d messages, want 1 and 1", len(b), len(d))
		}
	})
	run(t, "a raw message with more than 10 attributes is dropped, one in an envelope is not", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "raw", "RawMessageDelivery", "true")
		c.subscribe(topic, "wrapped")
		c.publish(topic, "ten", withAttributes(10))
		c.publish(topic, "eleven", withAttributes(11))
		time.Sleep(time.Minute)
		if got := bodies(c.queues.in("raw")); !slices.Equal(got, []string{"ten"}) {
			t.Errorf("raw queue got %q", got)
		}
		if got := c.queues.in("wrapped"); len(got) != 2 {
			t.Errorf("queue with envelopes got %d messages, want 2", len(got))
		}
	})
	run(t, "nothing is delivered once the service is closed", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q")
		c.publish(topic, "hello")
		c.service.Close()
		c.publish(topic, "hello again")
		time.Sleep(time.Minute)
		if got := c.queues.in("q"); len(got) != 0 {
			t.Errorf("%d messages", len(got))
		}
	})
	run(t, "a subscription that ends gets no more of what is retried", func(t *testing.T, c *cloud) {
		topic := c.topic()
		sub := c.subscribe(topic, "q")
		c.queues.fail("q", sns.ErrUnavailable)
		c.publish(topic, "hello")
		time.Sleep(time.Second)
		if _, err := c.Unsubscribe(t.Context(), &client.UnsubscribeInput{SubscriptionArn: &sub}); err != nil {
			t.Fatal(err)
		}
		c.queues.fail("q", nil)
		time.Sleep(time.Hour)
		if got := c.queues.in("q"); len(got) != 0 {
			t.Errorf("%d messages", len(got))
		}
	})
}

func TestDeadLetterQueue(t *testing.T) {
	redrive := func(queue string) string { return `{"deadLetterTargetArn":"` + queueARN(queue) + `"}` }
	run(t, "a message for a queue that is gone goes there at once", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q", "RedrivePolicy", redrive("dead"), "RawMessageDelivery", "true")
		c.queues.fail("q", errors.New("no such queue"))
		c.publish(topic, "hello", withAttributes(2))
		time.Sleep(latency + time.Millisecond)
		got := c.queues.in("dead")
		if len(got) != 1 || got[0].Body != "hello" || len(got[0].Attributes) != 2 {
			t.Errorf("got %+v, want the raw message with its attributes", got)
		}
	})
	run(t, "a message for an unavailable queue goes there when 100,015 retries are used up, after 23 days", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q", "RedrivePolicy", redrive("dead"))
		c.queues.fail("q", sns.ErrUnavailable)
		c.publish(topic, "hello")
		time.Sleep(23 * 24 * time.Hour)
		if got := c.queues.in("dead"); len(got) != 0 {
			t.Errorf("%d messages within 23 days", len(got))
		}
		time.Sleep(24 * time.Hour)
		if got := c.queues.in("dead"); len(got) != 1 {
			t.Errorf("%d messages after 24 days, want 1", len(got))
		}
		if n := len(c.queues.attempts("q")); n != 100_016 {
			t.Errorf("%d attempts, want the first and 100,015 retries", n)
		}
	})
	run(t, "a message that a subscriber refuses goes there at once, in its envelope", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		sub := c.confirmed(topic, w)
		c.set(sub, "RedrivePolicy", redrive("dead"))
		w.status = http.StatusForbidden
		c.publish(topic, "hello")
		time.Sleep(time.Second)
		if got := c.queues.in("dead"); len(got) != 1 || envelope(t, got[0].Body)["Message"] != "hello" {
			t.Errorf("dead-letter queue has %v", bodies(got))
		}
	})
	run(t, "a message is dropped if its dead-letter queue does not take it either", func(t *testing.T, c *cloud) {
		topic := c.topic()
		c.subscribe(topic, "q", "RedrivePolicy", redrive("dead"))
		c.queues.fail("q", errors.New("gone"))
		c.queues.fail("dead", errors.New("gone"))
		c.publish(topic, "hello")
		time.Sleep(time.Hour)
		if got := c.queues.attempts("dead"); len(got) != 1 {
			t.Errorf("%d attempts, want 1", len(got))
		}
	})
	run(t, "a FIFO queue's dead-letter queue gets the group and the deduplication id", func(t *testing.T, c *cloud) {
		topic := c.topic("FifoTopic", "true")
		c.subscribe(topic, "q.fifo", "RedrivePolicy", redrive("dead.fifo"))
		c.queues.fail("q.fifo", errors.New("gone"))
		c.publish(topic, "hello", inGroup("g", "d"))
		time.Sleep(time.Second)
		if got := c.queues.in("dead.fifo"); len(got) != 1 || got[0].GroupID != "g" || got[0].DeduplicationID != "d" {
			t.Errorf("dead-letter queue has %+v", got)
		}
	})
}
