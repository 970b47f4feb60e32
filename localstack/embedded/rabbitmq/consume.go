package rabbitmq

import (
	"maps"
	"slices"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// consumer gets a queue's messages as they come.
type consumer struct {
	id        uint64
	tag       string
	channel   *channel
	queue     *queueState
	noAck     bool
	exclusive bool
	priority  int64
	prefetch  int // 0 is no limit
	unacked   int
	arguments amqp.Table
	position  uint64 // in a stream: the next offset
}

// delivery is a message that a client has and has not settled.
type delivery struct {
	tag      uint64
	queue    *queueState
	entry    *entry
	handle   queue.Handle
	consumer *consumer // nil: basic.get
}

// How a delivery ends without success.
type failure int

const (
	lost     failure = iota // its channel or its connection is gone
	nacked                  // basic.nack, or basic.recover
	rejected                // basic.reject
)

func (ch *channel) qos(m amqp.BasicQos) *exception {
	if m.PrefetchSize != 0 {
		return fail(notImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if m.Global {
		return deprecated(GlobalQoS)
	}
	ch.prefetch = int(m.PrefetchCount)
	ch.send(amqp.BasicQosOk{})
	return nil
}

func (ch *channel) consume(m amqp.BasicConsume) *exception {
	if m.Queue == replyQueue {
		return ch.consumeReplies(m)
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = generated("amq.ctag-")
	} else if ch.consumers[m.ConsumerTag] != nil {
		return fail(notAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	q, e := ch.readable(m.Queue)
	if e != nil {
		return e
	}
	where := ch.vhost.described("queue", q.name)
	if len(q.consumers) > 0 && (m.Exclusive || q.consumers[0].exclusive) {
		return fail(accessRefused, "%s in exclusive use", where)
	}
	k := &consumer{tag: m.ConsumerTag, channel: ch, queue: q, noAck: m.NoAck, exclusive: m.Exclusive, prefetch: ch.prefetch, arguments: m.Arguments}
	if v, ok := m.Arguments["x-priority"]; ok {
		n, isNumber := integer(v)
		if !isNumber {
			return fail(preconditionFailed, "invalid arg 'x-priority' for %s: expected integer, got %s", where, typeName(v))
		}
		k.priority = n
	}
	if q.log != nil {
		if e := q.log.start(k, m); e != nil {
			return e
		}
	}
	ch.vhost.ids++
	k.id = ch.vhost.ids
	ch.consumers[k.tag] = k
	q.add(k)
	ch.reply(m.NoWait, amqp.BasicConsumeOk{ConsumerTag: k.tag})
	return nil
}

// add gives a queue a consumer, behind those of its priority.
func (q *queueState) add(k *consumer) {
	i, _ := slices.BinarySearchFunc(q.consumers, k, func(x, k *consumer) int {
		if x.priority >= k.priority {
			return -1
		}
		return 1
	})
	q.consumers = slices.Insert(q.consumers, i, k)
	q.hadOne = true
	if q.singleActive && q.active == nil {
		q.active = k
	}
	q.use()
	q.vhost.s.touch(q)
}

// hasRoom says whether a consumer can take one more message.
func (k *consumer) hasRoom() bool {
	return (k.noAck || k.prefetch == 0 || k.unacked < k.prefetch) && !k.channel.conn.clogged
}

// remove takes a consumer from its channel and its queue. Its unacknowledged messages stay with the channel.
func (k *consumer) remove() {
	k.detach()
	q := k.queue
	if q.autoDelete && q.hadOne && len(q.consumers) == 0 {
		q.vhost.deleteQueue(q)
		return
	}
	q.use()
	q.vhost.s.touch(q)
}

func (k *consumer) detach() {
	delete(k.channel.consumers, k.tag)
	q := k.queue
	q.consumers = slices.DeleteFunc(q.consumers, func(x *consumer) bool { return x == k })
	if q.active == k {
		q.active = nil
		if len(q.consumers) > 0 {
			q.active = q.consumers[0]
		}
	}
}

// gone ends a consumer whose queue is gone, and tells the client.
// Source: RabbitMQ documentation, "Consumer Cancel Notification" (checked 2026-12-01).
func (k *consumer) gone() {
	k.detach()
	if k.channel.conn.can("consumer_cancel_notify") {
		k.channel.send(amqp.BasicCancel{ConsumerTag: k.tag, NoWait: true})
	}
}

func (ch *channel) cancel(m amqp.BasicCancel) *exception {
	if ch.replies != nil && ch.replies.tag == m.ConsumerTag {
		ch.replies = nil
		delete(ch.vhost.replies, ch)
	} else if k := ch.consumers[m.ConsumerTag]; k != nil {
		k.remove()
	}
	return ch.reply(m.NoWait, amqp.BasicCancelOk{ConsumerTag: m.ConsumerTag})
}

// deliver sends a message to the client.
func (k *consumer) deliver(e *entry, h queue.Handle) {
	ch, q := k.channel, k.queue
	d := ch.hold(q, e, h, k, k.noAck)
	if k.noAck {
		q.counters.deliverNoAck++
	} else {
		k.unacked++
		q.counters.deliver++
	}
	if e.back {
		q.counters.redeliver++
	}
	waiting := ch.conn.out.content(ch.number, amqp.BasicDeliver{
		ConsumerTag: k.tag, DeliveryTag: d, Redelivered: e.back, Exchange: e.message.exchange, RoutingKey: e.message.keys[0],
	}, e.shown(q), e.message.body)
	if waiting > cloggedAt {
		ch.conn.clogged = true
	}
}

// hold notes a delivery, or settles it at once if the client is not to acknowledge it. It returns the delivery tag.
func (ch *channel) hold(q *queueState, e *entry, h queue.Handle, k *consumer, noAck bool) uint64 {
	ch.tags++
	if noAck {
		if q.log == nil {
			_ = q.messages.Settle(h) // it was just leased
		}
		return ch.tags
	}
	q.unacked++
	ch.unacked[ch.tags] = &delivery{tag: ch.tags, queue: q, entry: e, handle: h, consumer: k}
	return ch.tags
}

// shown are the properties as a client of the queue sees them.
func (e *entry) shown(q *queueState) amqp.Properties {
	p := e.message.properties
	if q.kind == quorum && e.failed > 0 {
		p.Headers = maps.Clone(p.Headers)
		if p.Headers == nil {
			p.Headers = amqp.Table{}
		}
		p.Headers["x-delivery-count"] = e.failed
	}
	return p
}

func (ch *channel) get(m amqp.BasicGet) *exception {
	q, e := ch.readable(m.Queue)
	if e != nil {
		return e
	}
	where := ch.vhost.described("queue", q.name)
	if q.log != nil {
		return fail(notImplemented, "basic.get not supported by stream queues %s", where)
	}
	if len(q.consumers) > 0 && q.consumers[0].exclusive {
		return fail(accessRefused, "%s in exclusive use", where)
	}
	if !q.available() { // the answer comes with the majority
		q.asked = append(q.asked, func() *exception {
			if ch.over {
				return nil
			}
			return ch.get(m)
		})
		return nil
	}
	q.use()
	q.expireHead()
	entry, h := q.take()
	if entry == nil {
		q.counters.getEmpty++
		ch.send(amqp.BasicGetEmpty{})
		return nil
	}
	q.vhost.s.touch(q)
	tag := ch.hold(q, entry, h, nil, m.NoAck)
	if m.NoAck {
		q.counters.getNoAck++
	} else {
		q.counters.get++
	}
	ch.conn.out.content(ch.number, amqp.BasicGetOk{
		DeliveryTag: tag, Redelivered: entry.back, Exchange: entry.message.exchange, RoutingKey: entry.message.keys[0], MessageCount: uint32(q.ready()),
	}, entry.shown(q), entry.message.body)
	return nil
}

// collect takes the deliveries that a tag means off the channel's list, in their order.
func (ch *channel) collect(tag uint64, multiple bool) ([]*delivery, *exception) {
	unknown := fail(preconditionFailed, "unknown delivery tag %d", tag)
	if !multiple {
		d := ch.unacked[tag]
		if d == nil {
			return nil, unknown
		}
		ch.drop(d)
		return []*delivery{d}, nil
	}
	if tag == 0 { // all there are
		tag = ch.tags
	} else if ch.unacked[tag] == nil {
		return nil, unknown
	}
	var found []*delivery
	for ; ch.oldest <= tag; ch.oldest++ {
		if d := ch.unacked[ch.oldest]; d != nil {
			found = append(found, d)
			ch.drop(d)
		}
	}
	return found, nil
}

// drop takes a delivery off the list.
func (ch *channel) drop(d *delivery) {
	delete(ch.unacked, d.tag)
	d.queue.unacked--
	d.consumer.release()
}

// keep puts a delivery on the list again.
func (ch *channel) keep(d *delivery) {
	ch.unacked[d.tag] = d
	ch.oldest = min(ch.oldest, d.tag)
	d.queue.unacked++
	if d.consumer != nil {
		d.consumer.unacked++
	}
}

// release makes room at a consumer for one more message.
func (k *consumer) release() {
	if k != nil {
		k.unacked--
		k.queue.vhost.s.touch(k.queue)
	}
}

func (ch *channel) ack(m amqp.BasicAck) *exception {
	ds, e := ch.collect(m.DeliveryTag, m.Multiple)
	if e != nil {
		return e
	}
	ch.settle(ds, func(d *delivery) {
		d.queue.counters.ack++
		if d.queue.log == nil {
			_ = d.queue.messages.Settle(d.handle) // fails only if the queue is gone
		}
	})
	return nil
}

// settle ends deliveries: at once, or when the transaction commits.
func (ch *channel) settle(ds []*delivery, how func(*delivery)) {
	if ch.tx != nil {
		ch.tx.deliveries = append(ch.tx.deliveries, ds...)
		ch.tx.settlements = append(ch.tx.settlements, func() {
			for _, d := range ds {
				how(d)
			}
		})
		return
	}
	for _, d := range ds {
		how(d)
	}
}

func (ch *channel) reject(tag uint64, multiple, requeue bool, why failure) *exception {
	ds, e := ch.collect(tag, multiple)
	if e != nil {
		return e
	}
	if requeue {
		slices.Reverse(ds)
	}
	ch.settle(ds, func(d *delivery) {
		if requeue {
			d.comeBack(why)
			return
		}
		if d.queue.log == nil {
			if d.queue.messages.Settle(d.handle) == nil { // else the queue is gone
				d.queue.deadLetter(d.entry.message, "rejected")
			}
		}
	})
	return nil
}

// comeBack puts a message back to its place in its queue, or gives it up if it has failed too often there.
// Source: RabbitMQ 4.3 documentation, "Negative Acknowledgements" and "Quorum Queues", poison message handling (checked 2026-12-01):
// a message that was rejected, or whose channel is gone, counts as failed; one that was given back by basic.nack does not.
func (d *delivery) comeBack(why failure) {
	q, e := d.queue, d.entry
	if q.log != nil {
		return
	}
	e.back = true
	q.counters.returned++
	if why != nacked && q.kind == quorum {
		if e.failed++; q.deliveryLimit >= 0 && e.failed > q.deliveryLimit && q.messages.Settle(d.handle) == nil {
			q.deadLetter(e.message, "delivery_limit")
			q.vhost.s.touch(q)
			return
		}
	}
	if q.messages.Release(d.handle, 0) == nil {
		q.bytes += int64(len(e.message.body))
	}
	q.vhost.s.touch(q)
}

// returnAll gives everything unacknowledged back.
func (ch *channel) returnAll(why failure) {
	tags := slices.Sorted(maps.Keys(ch.unacked))
	if ch.tx != nil {
		for _, d := range ch.tx.deliveries {
			ch.keep(d)
		}
		tags = slices.Sorted(maps.Keys(ch.unacked))
	}
	slices.Reverse(tags)
	for _, tag := range tags {
		d := ch.unacked[tag]
		ch.drop(d)
		d.comeBack(why)
	}
}

func (ch *channel) recover(requeue bool) *exception {
	if !requeue {
		return fail(notImplemented, "requeue=false")
	}
	ch.returnAll(nacked)
	return nil
}

// replyQueue is the name under which a channel consumes direct replies.
// Source: RabbitMQ documentation, "Direct Reply-to" (checked 2026-12-01).
const replyQueue = "amq.rabbitmq.reply-to"

// replyConsumer gets the replies to what its channel has asked, without a queue in between.
type replyConsumer struct {
	tag     string
	address string
	channel *channel
}

func (ch *channel) consumeReplies(m amqp.BasicConsume) *exception {
	switch {
	case !m.NoAck:
		return fail(preconditionFailed, "reply consumer cannot acknowledge")
	case ch.replies != nil:
		return fail(preconditionFailed, "reply consumer already set")
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = generated("amq.ctag-")
	}
	ch.replies = &replyConsumer{tag: m.ConsumerTag, address: generated(replyQueue + "."), channel: ch}
	ch.vhost.replies[ch] = ch.replies
	return ch.reply(m.NoWait, amqp.BasicConsumeOk{ConsumerTag: m.ConsumerTag})
}

// replyTo hands a reply to whoever asked. If nobody is there any more, it is dropped.
func (v *vhost) replyTo(m *message) {
	for ch, r := range v.replies {
		if r.address == m.keys[0] {
			ch.tags++
			ch.conn.out.content(ch.number, amqp.BasicDeliver{ConsumerTag: r.tag, DeliveryTag: ch.tags, RoutingKey: m.keys[0]}, m.properties, m.body)
		}
	}
}
