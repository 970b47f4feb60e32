package rabbitmq

import (
	"regexp"
	"time"
)

// policy gives settings to the queues and exchanges whose names fit a pattern. Of those that fit, the one with the highest
// priority holds. Source: RabbitMQ documentation, "Policies" (checked 2026-12-01).
type policy struct {
	vhost      *vhost
	name       string
	pattern    *regexp.Regexp
	applyTo    string // "queues", "exchanges", "all", "classic_queues", "quorum_queues", "streams"
	priority   int
	definition map[string]any // as JSON gives it
}

func (p *policy) text(key string) (string, bool) {
	if p == nil {
		return "", false
	}
	s, ok := p.definition[key].(string)
	return s, ok
}

func (p *policy) number(key string) (int64, bool) {
	if p == nil {
		return 0, false
	}
	n, ok := p.definition[key].(float64)
	return int64(n), ok
}

// policyFor returns the policy of a resource, kind being one of applyTo's, or nil.
func (v *vhost) policyFor(kind, name string) *policy {
	var best *policy
	for _, p := range v.policies {
		fits := p.applyTo == "all" || p.applyTo == kind || p.applyTo == "queues" && kind != "exchanges"
		if fits && p.pattern.MatchString(name) && (best == nil || p.priority > best.priority || p.priority == best.priority && p.name < best.name) {
			best = p
		}
	}
	return best
}

// settings are what holds for a queue, by its arguments and its policy.
type settings struct {
	ttl, expires          time.Duration // negative: none
	maxLength, maxBytes   int64         // negative: none
	overflow              string
	deadLetterExchange    string
	hasDeadLetterExchange bool
	deadLetterKey         string
	hasDeadLetterKey      bool
	maxPriority           uint8
	singleActive          bool
	deliveryLimit         int64 // negative: none
	maxAge                time.Duration
	segmentBytes          int64 // of a stream
}

var policyKinds = map[string]string{classic: "classic_queues", quorum: "quorum_queues", stream: "streams"}

// defaultDeliveryLimit is a quorum queue's. Source: RabbitMQ documentation, "Quorum Queues", poison message handling (4.0 and
// later; checked 2026-12-01).
const defaultDeliveryLimit = 20

// configure works out what holds for the queue now. Of a number that both the arguments and the policy give, the smaller one holds;
// of anything else, the arguments'. Source: RabbitMQ documentation, "Policies" (checked 2026-12-01).
func (q *queueState) configure() {
	p := q.vhost.policyFor(policyKinds[q.kind], q.name)
	q.policy = p
	number := func(key string) int64 {
		a, aok := integer(q.arguments["x-"+key])
		b, bok := p.number(key)
		switch {
		case aok && bok:
			return min(a, b)
		case aok:
			return a
		case bok:
			return b
		}
		return -1
	}
	texts := func(key string) (string, bool) {
		if s, ok := q.arguments["x-"+key].(string); ok {
			return s, true
		}
		return p.text(key)
	}
	milliseconds := func(n int64) time.Duration {
		if n < 0 {
			return -1
		}
		return time.Duration(n) * time.Millisecond
	}
	q.ttl, q.expires = milliseconds(number("message-ttl")), milliseconds(number("expires"))
	q.maxLength, q.maxBytes = number("max-length"), number("max-length-bytes")
	q.overflow, _ = texts("overflow")
	q.deadLetterExchange, q.hasDeadLetterExchange = texts("dead-letter-exchange")
	q.deadLetterKey, q.hasDeadLetterKey = texts("dead-letter-routing-key")
	q.maxPriority = 0
	if n, ok := integer(q.arguments["x-max-priority"]); ok {
		q.maxPriority = uint8(n)
	}
	q.singleActive, _ = q.arguments["x-single-active-consumer"].(bool)
	q.deliveryLimit = -1
	if q.kind == quorum {
		if q.deliveryLimit = number("delivery-limit"); q.deliveryLimit < 0 {
			q.deliveryLimit = defaultDeliveryLimit
			if n, ok := integer(q.arguments["x-delivery-limit"]); ok && n < 0 {
				q.deliveryLimit = -1
			}
		}
	}
	if q.segmentBytes = number("stream-max-segment-size-bytes"); q.segmentBytes < 0 {
		q.segmentBytes = defaultSegment
	}
	if age, ok := texts("max-age"); ok {
		q.maxAge, _ = parseAge(age)
	}
}
