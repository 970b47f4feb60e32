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
	first   uint64 // offset of records[0]
	records []record
	bytes   int64
}

type record struct {
	message *message
	at      time.Time
}

func (l *streamLog) len() int { return len(l.records) }

func (l *streamLog) next() uint64 { return l.first + uint64(len(l.records)) }

func (l *streamLog) append(m *message, q *queueState) {
	l.records = append(l.records, record{m, time.Now()})
	l.bytes += int64(len(m.body))
	q.counters.publishIn++
}

// retain drops what is too old or too much. The newest record always stays. The service drops whole segments, so that it keeps
// more; here each record is one.
func (l *streamLog) retain(q *queueState) {
	n := 0
	now := time.Now()
	for n < len(l.records)-1 {
		tooMuch := q.maxBytes >= 0 && l.bytes > q.maxBytes
		tooOld := q.maxAge > 0 && now.Sub(l.records[n].at) > q.maxAge
		if !tooMuch && !tooOld {
			break
		}
		l.bytes -= int64(len(l.records[n].message.body))
		n++
	}
	if n > 0 {
		l.first += uint64(n)
		l.records = append([]record(nil), l.records[n:]...)
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
	l.retain(k.queue)
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
