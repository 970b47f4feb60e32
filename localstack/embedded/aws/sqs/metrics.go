package sqs

import (
	"sync"
	"time"

	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Metrics takes what CloudWatch shows of the queues. It must not call the service.
type Metrics interface{ Put(m Minute) }

// Minute is what happened to a queue in a minute, and what it held at its end.
// Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS" (checked 2026-12-01).
type Minute struct {
	Account, Region, Queue       string
	At                           time.Time // the minute's start
	Visible, NotVisible, Delayed int
	Oldest                       time.Duration // age of the oldest message; in a dead-letter queue, since it came there
	Sent, Received, Deleted      int           // messages
	EmptyReceives                int           // calls
	SentSize                     Sizes
}

// Sizes sums up the sizes of messages, in bytes.
type Sizes struct{ Count, Sum, Least, Most int }

// activeFor is how long the metrics of a queue without messages go on after the last call.
// Source: as Minute's.
const activeFor = 6 * time.Hour

// counts is what a queue counts of the present minute. The engine takes the samples: late, but each with what was so at its time,
// so that no minute costs anything until somebody looks.
type counts struct {
	mu     sync.Mutex
	minute Minute
	active time.Time
}

func (q *queue) count(f func(m *Minute)) {
	if q.counts == nil {
		return
	}
	q.counts.mu.Lock()
	f(&q.counts.minute)
	q.counts.mu.Unlock()
}

func (q *queue) countSent(in *sendMessageInput) {
	if q.counts == nil {
		return
	}
	n := size(in)
	q.counts.mu.Lock()
	m := &q.counts.minute
	if m.SentSize.Count == 0 {
		m.SentSize.Least = n
	}
	m.Sent++
	m.SentSize.Count++
	m.SentSize.Sum += n
	m.SentSize.Least, m.SentSize.Most = min(m.SentSize.Least, n), max(m.SentSize.Most, n)
	q.counts.mu.Unlock()
}

// touch notes that a call is about the queue.
func (q *queue) touch() {
	if q.counts == nil {
		return
	}
	now := time.Now()
	q.counts.mu.Lock()
	asleep := now.Sub(q.counts.active) > activeFor
	q.counts.mu.Unlock()
	if asleep {
		q.engine.Stats() // takes the samples of the time before, with the activity of then
	}
	q.counts.mu.Lock()
	q.counts.active = now
	q.counts.mu.Unlock()
}

// sampler returns what the engine calls at every minute.
func (q *queue) sampler(metrics Metrics) func(engine.Sample) {
	q.counts = &counts{active: time.Now()}
	return func(s engine.Sample) {
		q.counts.mu.Lock()
		m := q.counts.minute
		q.counts.minute = Minute{}
		idle := s.Total() == 0 && s.At.Sub(q.counts.active) > activeFor
		q.counts.mu.Unlock()
		if idle {
			return
		}
		m.Account, m.Region, m.Queue = q.account, q.region, q.name.queue
		m.At = s.At.Add(-30 * time.Second).Truncate(time.Minute)
		m.Visible, m.NotVisible, m.Delayed, m.Oldest = s.Ready, s.Leased, s.Delayed, s.Oldest
		metrics.Put(m)
	}
}

// Report has the metrics of an account's queues in a region brought up to date.
func (s *Service) Report(account, region string) {
	for _, q := range s.all() {
		if q.account == account && q.region == region {
			q.engine.Stats()
		}
	}
}
