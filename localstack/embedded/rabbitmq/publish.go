package rabbitmq

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// maxMessage is the largest body, in bytes. Source: RabbitMQ documentation, "Configuration", max_message_size (16 MiB since 4.0;
// checked 2026-12-01).
const maxMessage = 16 << 20

// message is what was published. It does not change: what a queue adds to it stands in the queue's entry, and a message that dies
// goes on as a new one.
type message struct {
	exchange   string
	keys       []string // the routing key, and those of CC and BCC
	properties amqp.Properties
	body       []byte
	ttl        time.Duration // negative: none
	deaths     []death
}

// entry is a message in a queue.
type entry struct {
	message *message
	expires time.Time // zero: never
	failed  int64     // deliveries that count towards the delivery limit
	back    bool      // it was delivered before
	since   uint64    // the server's operation in which it came
}

// inQueue makes the message's entry in a queue: it expires by the shorter of the two times to live.
func (m *message) inQueue(q *queueState) *entry {
	e := &entry{message: m, since: q.vhost.s.operation}
	ttl := q.ttl
	if m.ttl >= 0 && (ttl < 0 || m.ttl < ttl) {
		ttl = m.ttl
	}
	if ttl >= 0 {
		e.expires = time.Now().Add(ttl)
	}
	return e
}

// publication is a message on its way in.
type publication struct {
	method   amqp.BasicPublish
	exchange *exchange
	message  *message
	size     uint64
	header   bool // it is there
}

// publish begins a publication; its content follows.
func (ch *channel) publish(m amqp.BasicPublish) *exception {
	if m.Immediate {
		return fail(notImplemented, "immediate=true")
	}
	if e := ch.allow(write, "exchange", m.Exchange); e != nil {
		return e
	}
	x, e := ch.vhost.exchange(m.Exchange)
	if e != nil {
		return e
	}
	if x.internal {
		return fail(accessRefused, "cannot publish to internal %s", ch.vhost.described("exchange", x.name))
	}
	ch.incoming = &publication{method: m, exchange: x}
	return nil
}

// content takes a frame of a publication's content.
func (ch *channel) content(f amqp.Frame) *exception {
	p := ch.incoming
	switch {
	case f.Type == amqp.FrameHeader && (p == nil || p.header):
		return fail(unexpectedFrame, "expected method frame, got content header frame instead")
	case f.Type == amqp.FrameBody && (p == nil || !p.header):
		return fail(unexpectedFrame, "expected method frame, got content body frame instead")
	case f.Type == amqp.FrameHeader:
		properties, size, err := amqp.ParseHeader(f.Payload)
		if err != nil {
			return fail(syntaxError, "%v", err)
		}
		p.header, p.size = true, size
		p.message = &message{exchange: p.method.Exchange, keys: []string{p.method.RoutingKey}, properties: properties, ttl: -1}
		if size > 0 && size <= maxMessage {
			p.message.body = make([]byte, 0, min(size, 64<<10))
		}
	case f.Type == amqp.FrameBody:
		if uint64(len(p.message.body))+uint64(len(f.Payload)) > p.size {
			return fail(frameError, "a body longer than its header says")
		}
		if p.size <= maxMessage {
			p.message.body = append(p.message.body, f.Payload...)
		} else {
			p.size -= uint64(len(f.Payload)) // it will be refused: there is no use in keeping it
			if p.size <= maxMessage {
				p.size = 0
			}
		}
	}
	if uint64(len(p.message.body)) < p.size {
		return nil
	}
	ch.incoming = nil
	return ch.arrived(p)
}

// arrived routes a publication that is there in whole.
func (ch *channel) arrived(p *publication) *exception {
	m := p.message
	if m.properties.UserID != "" && m.properties.UserID != ch.conn.user.name {
		return fail(preconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", m.properties.UserID, ch.conn.user.name)
	}
	if s := m.properties.Expiration; s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		switch {
		case err != nil:
			return fail(preconditionFailed, "invalid expiration '%s': {not_an_integer,<<\"%s\">>}", s, s)
		case n < 0:
			return fail(preconditionFailed, "invalid expiration '%s': {value_negative,%d}", s, n)
		case n > maxMilliseconds:
			return fail(preconditionFailed, "invalid expiration '%s': {value_too_big,%d}", s, n)
		}
		m.ttl = time.Duration(n) * time.Millisecond
	}
	if e := m.carbonCopies(); e != nil {
		return e
	}
	if m.properties.ReplyTo == replyQueue {
		if ch.replies == nil {
			return fail(preconditionFailed, "fast reply consumer does not exist")
		}
		m.properties.ReplyTo = ch.replies.address
	}
	if ch.confirming {
		ch.published++
	}
	if ch.tx != nil {
		ch.tx.publications = append(ch.tx.publications, p)
		return nil
	}
	ch.deliver(p, ch.published)
	return nil
}

// carbonCopies adds the routing keys of the headers CC and BCC, and takes BCC out of the message.
// Source: RabbitMQ documentation, "Sender-selected Distribution" (checked 2026-12-01).
func (m *message) carbonCopies() *exception {
	for _, name := range []string{"CC", "BCC"} {
		v, ok := m.properties.Headers[name]
		if !ok {
			continue
		}
		list, isList := v.([]any)
		if !isList {
			return fail(preconditionFailed, "unsupported type in %s header: %s", name, typeName(v))
		}
		for _, key := range list {
			if s, ok := key.(string); ok {
				m.keys = append(m.keys, s)
			}
		}
	}
	if _, ok := m.properties.Headers["BCC"]; ok {
		m.properties.Headers = without(m.properties.Headers, "BCC")
	}
	return nil
}

// deliver hands a publication to the queues that it reaches, and confirms it.
func (ch *channel) deliver(p *publication, tag uint64) {
	x, s := p.exchange, ch.conn.s
	x.counters.publishIn++
	s.received++
	if p.method.Exchange == "" && strings.HasPrefix(p.method.RoutingKey, replyQueue+".") {
		ch.vhost.replyTo(p.message)
		ch.settled(tag, true)
		return
	}
	queues := slices.DeleteFunc(x.route(p.message), func(q *queueState) bool { return q.kind == classic && !q.available() })
	switch {
	case len(queues) > 0:
	case !p.method.Mandatory:
		s.dropped++
	default:
		s.returned++
		ch.conn.out.content(ch.number, amqp.BasicReturn{ReplyCode: noRoute, ReplyText: codeNames[noRoute], Exchange: p.method.Exchange, RoutingKey: p.method.RoutingKey},
			p.message.properties, p.message.body)
	}
	accepted, waiting := true, 0
	for _, q := range queues {
		x.counters.publishOut++
		if !q.available() { // without a majority; a classic queue was not routed to
			q.waiting = append(q.waiting, pending{p.message, ch, tag})
			waiting++
		} else if !q.put(p.message) {
			accepted = false
		}
	}
	if waiting > 0 && ch.confirming {
		ch.await(tag, waiting)
		ch.awaited[tag].accepted = accepted
		return
	}
	ch.settled(tag, accepted)
}

// settled confirms a publication, or tells that a queue has refused it. Confirmations are collected: confirm sends them.
func (ch *channel) settled(tag uint64, accepted bool) {
	if !ch.confirming {
		return
	}
	if accepted {
		ch.conn.s.confirmed++
		if ch.acked = tag; len(ch.awaited) > 0 { // one for several would stand for those too
			ch.confirmed = tag
			ch.send(amqp.BasicAck{DeliveryTag: tag})
		}
		return
	}
	ch.confirm()
	ch.confirmed, ch.acked = tag, tag
	ch.send(amqp.BasicNack{DeliveryTag: tag})
}

// confirm sends the confirmations that have been collected.
func (ch *channel) confirm() {
	if ch.acked == ch.confirmed || ch.closing {
		return
	}
	ch.send(amqp.BasicAck{DeliveryTag: ch.acked, Multiple: ch.acked-ch.confirmed > 1})
	ch.confirmed = ch.acked
}

// transaction is what a channel has done since it last committed.
type transaction struct {
	publications []*publication
	deliveries   []*delivery // that settlements are about
	settlements  []func()
}

func (ch *channel) commit() *exception {
	if ch.tx == nil {
		return fail(preconditionFailed, "channel is not transactional")
	}
	tx := ch.tx
	ch.tx = &transaction{}
	for _, p := range tx.publications {
		ch.deliver(p, 0)
	}
	for _, settle := range tx.settlements {
		settle()
	}
	ch.send(amqp.TxCommitOk{})
	return nil
}

// rollback forgets what the transaction has published and acknowledged. What was acknowledged stays with the consumer.
func (ch *channel) rollback() *exception {
	if ch.tx == nil {
		return fail(preconditionFailed, "channel is not transactional")
	}
	for _, d := range ch.tx.deliveries {
		ch.keep(d)
	}
	ch.tx = &transaction{}
	ch.send(amqp.TxRollbackOk{})
	return nil
}
