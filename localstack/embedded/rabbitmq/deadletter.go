package rabbitmq

import (
	"maps"
	"slices"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// death says why and how often a message has died in a queue.
type death struct {
	queue, reason string // reason: rejected, expired, maxlen, delivery_limit
	count         int64
	exchange      string
	keys          []string
	at            time.Time // the first time
	expiration    string    // of the message then, if it expired by its own
}

// deadLetter publishes a message that a queue gives up to the dead letter exchange, if the queue has one.
// Source: RabbitMQ documentation, "Dead Letter Exchanges" (checked 2026-12-01).
func (q *queueState) deadLetter(m *message, reason string) {
	if !q.hasDeadLetterExchange {
		return
	}
	x := q.vhost.exchanges[q.deadLetterExchange]
	if x == nil {
		return
	}
	q.vhost.s.deadLettered[reason]++
	dead := &message{exchange: x.name, keys: m.keys, properties: m.properties, body: m.body, ttl: -1}
	d := death{queue: q.name, reason: reason, count: 1, exchange: m.exchange, keys: m.keys, at: time.Now()}
	if reason == "expired" {
		d.expiration = m.properties.Expiration
	}
	dead.deaths = slices.Clone(m.deaths)
	if i := slices.IndexFunc(dead.deaths, func(o death) bool { return o.queue == d.queue && o.reason == d.reason }); i >= 0 {
		d = dead.deaths[i]
		d.count++
		dead.deaths = slices.Delete(dead.deaths, i, i+1)
	}
	dead.deaths = slices.Insert(dead.deaths, 0, d)

	headers := maps.Clone(m.properties.Headers)
	if headers == nil {
		headers = amqp.Table{}
	}
	if q.hasDeadLetterKey {
		dead.keys = []string{q.deadLetterKey}
		delete(headers, "CC")
	}
	headers["x-death"] = table(dead.deaths)
	if _, ok := headers["x-first-death-queue"]; !ok {
		headers["x-first-death-exchange"], headers["x-first-death-queue"], headers["x-first-death-reason"] = m.exchange, q.name, reason
	}
	headers["x-last-death-exchange"], headers["x-last-death-queue"], headers["x-last-death-reason"] = m.exchange, q.name, reason
	dead.properties.Headers = headers
	dead.properties.Expiration = "" // or it would expire again in the next queue

	for _, to := range x.route(dead) {
		if !dead.cycles(to.name) && to.reachable() == nil {
			to.put(dead)
		}
	}
}

// cycles says whether a message would come to a queue where it has died before without anybody having rejected it since: it
// would go round for ever, and is dropped.
func (m *message) cycles(queue string) bool {
	for i, d := range m.deaths {
		if d.reason == "rejected" {
			return false
		}
		if d.queue == queue {
			return !slices.ContainsFunc(m.deaths[:i+1], func(d death) bool { return d.reason == "rejected" })
		}
	}
	return false
}

// table is the header x-death: the last death first.
func table(deaths []death) []any {
	var list []any
	for _, d := range deaths {
		keys := []any{}
		for _, k := range d.keys {
			keys = append(keys, k)
		}
		t := amqp.Table{"queue": d.queue, "reason": d.reason, "count": d.count, "exchange": d.exchange, "routing-keys": keys, "time": d.at}
		if d.expiration != "" {
			t["original-expiration"] = d.expiration
		}
		list = append(list, t)
	}
	return list
}
