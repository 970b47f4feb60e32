package rabbitmq

import (
	"fmt"
	"maps"
	"sort"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// streamLog is what a stream keeps: reading takes nothing out of it.
// Source: RabbitMQ documentation, "Streams" (checked 2026-12-01).
type streamLog struct {
	first    uint64 // offset of records[0]
	records  []record
	segments []segment // oldest first
}

type record struct {
	message *message
	at      time.Time
}

// A segment is a file of the log. Retention drops whole ones.
type segment struct {
	records int
	bytes   int64 // of the bodies
	last    time.Time
}

const defaultSegment = 500_000_000 // bytes

func (l *streamLog) len() int { return len(l.records) }

// bytes is the size of all bodies.
func (l *streamLog) bytes() (sum int64) {
	for _, s := range l.segments {
		sum += s.bytes
	}
	return sum
}

func (l *streamLog) next() uint64 { return l.first + uint64(len(l.records)) }

func (l *streamLog) append(m *message, q *queueState) {
	now := time.Now()
	if n := len(l.segments); n == 0 || l.segments[n-1].bytes >= q.segmentBytes {
		l.segments = append(l.segments, segment{})
		l.retain(q, now)
	}
	s := &l.segments[len(l.segments)-1]
	s.records++
	s.bytes += int64(len(m.body))
	s.last = now
	l.records = append(l.records, record{m, now})
	q.counters.publishIn++
}

// retain drops the oldest segments, as long as they are too old or all are too much. It is asked when a segment is begun, and that
// one stays: a stream with little traffic keeps more, and for longer, than its limits say. Source: "Streams", data retention.
func (l *streamLog) retain(q *queueState, now time.Time) {
	total := l.bytes()
	n, records := 0, 0
	for ; n < len(l.segments)-1; n++ {
		s := l.segments[n]
		tooMuch := q.maxBytes >= 0 && total > q.maxBytes
		tooOld := q.maxAge > 0 && now.Sub(s.last) > q.maxAge
		if !tooMuch && !tooOld {
			break
		}
		total -= s.bytes
		records += s.records
	}
	if n > 0 {
		l.segments = append([]segment(nil), l.segments[n:]...)
		l.first += uint64(records)
		l.records = append([]record(nil), l.records[records:]...)
	}
}

// start sets where a consumer begins to read.
func (l *streamLog) start(k *consumer, m amqp.BasicConsume) *exception {
	where := k.queue.vhost.described("queue", k.queue.name)
	switch {
	case m.NoAck:
		return fail(notImplemented, "automatic acknowledgement not supported by stream queues %s", where)
	case k.prefetch == 0:
		return fail(preconditionFailed, "consumer prefetch count is not set for stream %s", where)
	}
	k.position = l.next() // as x-stream-offset next
	v, ok := m.Arguments["x-stream-offset"]
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case string:
		switch v {
		case "first":
			k.position = l.first
		case "last": // the last chunk: here the last record
			k.position = max(l.first, l.next()-min(1, uint64(len(l.records))))
		case "next":
		default:
			return invalidOffset(v, where)
		}
	case time.Time:
		i := sort.Search(len(l.records), func(i int) bool { return !l.records[i].at.Truncate(time.Second).Before(v) })
		k.position = l.first + uint64(i)
	default:
		n, ok := integer(v)
		if !ok || n < 0 {
			return invalidOffset(v, where)
		}
		k.position = max(l.first, uint64(n))
	}
	return nil
}

func invalidOffset(v any, where string) *exception {
	return fail(preconditionFailed, "invalid arg 'x-stream-offset' for %s: %s", where, fmt.Sprintf("%v", v))
}

// dispatch sends every consumer what it has not read yet, as far as it has room.
func (l *streamLog) dispatch(q *queueState) {
	for _, k := range q.consumers {
		for k.hasRoom() && k.position < l.next() {
			k.position = max(k.position, l.first)
			r := l.records[k.position-l.first]
			m := *r.message
			m.properties.Headers = maps.Clone(m.properties.Headers)
			if m.properties.Headers == nil {
				m.properties.Headers = amqp.Table{}
			}
			m.properties.Headers["x-stream-offset"] = int64(k.position)
			k.position++
			k.deliver(&entry{message: &m}, queue.Handle{})
		}
	}
}
