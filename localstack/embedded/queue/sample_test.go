package queue_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Nothing runs at the minutes that are sampled: the samples are taken when the queue is looked at, and must be as if it had.
func TestSample(t *testing.T) {
	sampled := func(samples *[]string) func(queue.Sample) {
		start := time.Now()
		return func(s queue.Sample) {
			*samples = append(*samples, fmt.Sprintf("%v: %d %d %d %v", s.At.Sub(start), s.Ready, s.Delayed, s.Leased, s.Oldest))
		}
	}
	wantSamples := func(t *testing.T, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("samples %q, want %q", got, want)
		}
	}
	t.Run("every minute has its sample, with what was so at its time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var samples []string
			q := queue.NewBroker().NewQueue("q", queue.Options{TTL: 6 * time.Minute, Sample: sampled(&samples)})
			defer q.Close()
			time.Sleep(10 * time.Second)
			send(t, q, queue.Entry{Value: "a"}, queue.Entry{Value: "b", Delay: 2 * time.Minute})
			receive(t, q, 1, 90*time.Second, 0)
			time.Sleep(8 * time.Minute)
			wantSamples(t, samples)
			q.Stats()
			wantSamples(t, samples, "1m0s: 0 1 1 50s", "2m0s: 1 1 0 1m50s", "3m0s: 2 0 0 2m50s", "4m0s: 2 0 0 3m50s", "5m0s: 2 0 0 4m50s",
				"6m0s: 2 0 0 5m50s", "7m0s: 0 0 0 0s", "8m0s: 0 0 0 0s")
		})
	})
	t.Run("what happens at a minute comes after its sample", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var samples []string
			q := queue.NewBroker().NewQueue("q", queue.Options{TTL: time.Hour, Sample: sampled(&samples)})
			defer q.Close()
			time.Sleep(time.Minute)
			send(t, q, entry("a"))
			time.Sleep(time.Minute)
			want(t, receive(t, q, 1, time.Second, 0), "a")
			wantSamples(t, samples, "1m0s: 0 0 0 0s", "2m0s: 1 0 0 1m0s")
		})
	})
	t.Run("a message that another queue gives up is in no sample from before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var samples []string
			b := queue.NewBroker()
			dead := b.NewQueue("dead", queue.Options{TTL: time.Hour, Sample: sampled(&samples)})
			defer dead.Close()
			q := b.NewQueue("q", queue.Options{TTL: time.Hour, DeadLetter: queue.DeadLetter{To: dead, MaxDeliveries: 1}})
			defer q.Close()
			send(t, q, entry("a"))
			receive(t, q, 1, time.Second, 0)
			time.Sleep(90 * time.Second)
			want(t, receive(t, q, 1, time.Second, 0), "")
			time.Sleep(time.Minute)
			dead.Stats()
			wantSamples(t, samples, "1m0s: 0 0 0 0s", "2m0s: 1 0 0 30s")
		})
	})
	t.Run("a closed queue has no samples", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var samples []string
			q := queue.NewBroker().NewQueue("q", queue.Options{Sample: sampled(&samples)})
			q.Close()
			time.Sleep(time.Hour)
			q.Stats()
			wantSamples(t, samples)
		})
	})
}
