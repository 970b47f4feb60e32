package rabbitmq

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// forever is the lease of an unacknowledged message: it ends with its channel, not with time.
const forever = 100 * 365 * 24 * time.Hour

// queueState is a queue: what it was declared as, its messages in the engine, and who wants them.
type queueState struct {
	vhost                          *vhost
	name, kind                     string
	durable, exclusive, autoDelete bool
	arguments                      amqp.Table
	owner                          *conn // of an exclusive queue
	home                           *node // of a classic queue; of others the leader's, nil if there is none
	policy                         *policy
	settings

	messages *queue.Queue
	bytes    int64 // of the bodies that are ready
	unacked  int
	log      *streamLog          // of a stream, instead of messages
	waiting  []pending           // publications, for a majority
	asked    []func() *exception // basic.get, for a majority
	bindings int

	consumers []*consumer // by priority, then by how long they have had nothing
	hadOne    bool        // a consumer, ever
	active    *consumer   // of a queue with a single active consumer

	touched  bool        // is in s.settling
	expiry   *time.Timer // for the message at the head
	expiryAt time.Time
	unused   *time.Timer // for x-expires
	counters counters
	rates    rates
}

// counters of what happened, for the management API.
type counters struct {
	publishIn, publishOut, deliver, deliverNoAck, get, getNoAck, getEmpty, ack, redeliver, returned uint64
}

// queue returns the queue of that name if the channel's connection may use it.
func (ch *channel) queue(name string) (*queueState, *exception) {
	q := ch.vhost.queues[name]
	if q == nil {
		return nil, fail(notFound, "no %s", ch.vhost.described("queue", name))
	}
	return q, firstFailure(q.lockedFor(ch.conn), q.reachable())
}

// lockedFor refuses a connection another one's exclusive queue.
func (q *queueState) lockedFor(c *conn) *exception {
	if !q.exclusive || q.owner == c {
		return nil
	}
	return fail(resourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", q.vhost.described("queue", q.name))
}

// named returns the name that a method means: an empty one stands for the queue declared last on the channel.
func (ch *channel) named(name string) (string, *exception) {
	if name != "" {
		return name, nil
	}
	if ch.last == "" {
		return "", fail(notFound, "no previously declared queue")
	}
	return ch.last, nil
}

// readable returns the queue that a method means, if the channel's user may read from it.
func (ch *channel) readable(name string) (*queueState, *exception) {
	name, e := ch.named(name)
	if e != nil {
		return nil, e
	}
	if e := ch.allow(read, "queue", name); e != nil {
		return nil, e
	}
	return ch.queue(name)
}

func (ch *channel) declareQueue(m amqp.QueueDeclare) *exception {
	name := strings.TrimRight(m.Queue, "\r\n")
	if m.Passive {
		q, e := ch.queue(name)
		if e != nil {
			return e
		}
		return ch.declared(q, m.NoWait)
	}
	if m.Arguments == nil {
		m.Arguments = amqp.Table{}
	}
	if name == "" {
		name = generated("amq.gen-")
	} else if q := ch.vhost.queues[name]; q != nil {
		if e := firstFailure(ch.allow(configure, "queue", name), q.lockedFor(ch.conn), q.reachable(), q.equivalent(m)); e != nil {
			return e
		}
		return ch.declared(q, m.NoWait)
	} else if strings.HasPrefix(name, "amq.") {
		return fail(accessRefused, "queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	if e := ch.allow(configure, "queue", name); e != nil {
		return e
	}
	kind, e := ch.checkQueueArguments(name, m.Arguments)
	if e != nil {
		return e
	}
	where := ch.vhost.described("queue", name)
	if kind != classic {
		switch {
		case !m.Durable:
			return fail(preconditionFailed, "invalid property 'non-durable' for %s", where)
		case m.Exclusive:
			return fail(preconditionFailed, "invalid property 'exclusive' for %s", where)
		case m.AutoDelete && kind == stream:
			return fail(preconditionFailed, "invalid property 'auto-delete' for %s", where)
		}
	}
	if !m.Durable && !m.Exclusive && !slices.Contains(ch.conn.s.permit, TransientNonexclQueues) {
		return deprecated(TransientNonexclQueues)
	}
	if x, ok := m.Arguments["x-dead-letter-exchange"].(string); ok {
		if e := firstFailure(ch.allow(read, "queue", name), ch.allow(write, "exchange", x)); e != nil {
			return e
		}
	}
	q := &queueState{
		vhost: ch.vhost, name: name, kind: kind, durable: m.Durable, exclusive: m.Exclusive, autoDelete: m.AutoDelete, arguments: m.Arguments,
		messages: ch.vhost.engine.NewQueue(name, queue.Options{}), home: ch.conn.node,
	}
	if kind == stream {
		q.log = &streamLog{}
	}
	if m.Exclusive {
		q.owner = ch.conn
		ch.conn.exclusive[q] = struct{}{}
	}
	q.configure()
	ch.vhost.queues[name] = q
	q.use()
	return ch.declared(q, m.NoWait)
}

func (ch *channel) declared(q *queueState, noWait bool) *exception {
	ch.last = q.name
	q.use()
	return ch.reply(noWait, amqp.QueueDeclareOk{Queue: q.name, MessageCount: uint32(q.ready()), ConsumerCount: uint32(len(q.consumers))})
}

// equivalent checks a declaration against the queue that is there.
func (q *queueState) equivalent(m amqp.QueueDeclare) *exception {
	where := q.vhost.described("queue", q.name)
	if m.Exclusive != q.exclusive {
		return fail(resourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", where)
	}
	if e := firstFailure(same("durable", where, m.Durable, q.durable), same("auto_delete", where, m.AutoDelete, q.autoDelete)); e != nil {
		return e
	}
	received, current := m.Arguments, q.arguments
	if _, ok := received["x-queue-type"]; !ok && q.kind == classic { // classic is what none stands for
		current = without(current, "x-queue-type")
	} else if _, ok := current["x-queue-type"]; !ok && received["x-queue-type"] == classic {
		received = without(received, "x-queue-type")
	}
	for _, name := range []string{
		"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length", "x-max-length-bytes", "x-max-priority",
		"x-overflow", "x-single-active-consumer", "x-queue-type", "x-max-age", "x-delivery-limit",
	} {
		if e := sameArgument(name, where, received, current); e != nil {
			return e
		}
	}
	return nil
}

func without(t amqp.Table, name string) amqp.Table {
	c := amqp.Table{}
	for k, v := range t {
		if k != name {
			c[k] = v
		}
	}
	return c
}

func (ch *channel) purgeQueue(m amqp.QueuePurge) *exception {
	q, e := ch.readable(m.Queue)
	if e != nil {
		return e
	}
	if q.kind == stream {
		return fail(notImplemented, "queue.purge not supported by stream queues %s", ch.vhost.described("queue", q.name))
	}
	return ch.reply(m.NoWait, amqp.QueuePurgeOk{MessageCount: uint32(q.purge())})
}

// purge drops what is ready.
func (q *queueState) purge() int {
	n := 0
	for q.takeHead() != nil {
		n++
	}
	return n
}

func (ch *channel) deleteQueue(m amqp.QueueDelete) *exception {
	name, e := ch.named(m.Queue)
	if e != nil {
		return e
	}
	if e := ch.allow(configure, "queue", name); e != nil {
		return e
	}
	count := 0
	if q := ch.vhost.queues[name]; q != nil {
		if e := q.lockedFor(ch.conn); e != nil {
			return e
		}
		where := ch.vhost.described("queue", name)
		if m.IfUnused && len(q.consumers) > 0 {
			return fail(preconditionFailed, "%s in use", where)
		}
		if m.IfEmpty && q.ready() > 0 {
			return fail(preconditionFailed, "%s not empty", where)
		}
		count = q.ready()
		ch.vhost.deleteQueue(q)
	}
	return ch.reply(m.NoWait, amqp.QueueDeleteOk{MessageCount: uint32(count)})
}

// deleteQueue removes a queue, its bindings and its consumers.
func (v *vhost) deleteQueue(q *queueState) {
	if v.queues[q.name] != q {
		return
	}
	delete(v.queues, q.name)
	v.s.gone.add(q.counters)
	if q.owner != nil {
		delete(q.owner.exclusive, q)
	}
	if q.bindings > 0 {
		for _, x := range v.exchanges {
			for _, b := range slices.Clone(x.bindings) {
				if b.queue == q {
					b.remove()
				}
			}
		}
	}
	for _, k := range slices.Clone(q.consumers) {
		k.gone()
	}
	for _, p := range q.waiting {
		p.channel.taken(p.tag, false)
	}
	q.stop() // what clients have unacknowledged they may still settle: it makes no difference
}

func sortedConns(s *Server) []*conn {
	var all []*conn
	for c := range s.conns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *conn) int { return x.id - y.id })
	return all
}

// stop ends what a queue has going.
func (q *queueState) stop() {
	if q.expiry != nil {
		q.expiry.Stop()
	}
	if q.unused != nil {
		q.unused.Stop()
	}
	q.messages.Close()
}

// use says that somebody has used the queue: the time of x-expires begins anew.
func (q *queueState) use() {
	if q.expires < 0 {
		return
	}
	if q.unused != nil {
		q.unused.Stop()
		q.unused = nil
	}
	if len(q.consumers) > 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(q.expires, func() {
		s := q.vhost.s
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closed && q.unused == timer { // nobody has used it at the last moment
			q.vhost.deleteQueue(q)
			s.settle()
		}
	})
	q.unused = timer
}

func (q *queueState) ready() int {
	if q.log != nil {
		return q.log.len()
	}
	return q.messages.Stats().Ready
}

// touch remembers that something about a queue has changed: settle sees to it.
func (s *Server) touch(q *queueState) {
	if !q.touched {
		q.touched = true
		s.settling = append(s.settling, q)
	}
}

// settle lets follow what follows: messages reach consumers, expire, and make room. It ends when nothing is left to do.
func (s *Server) settle() {
	for len(s.settling) > 0 {
		q := s.settling[0]
		s.settling = s.settling[1:]
		q.touched = false
		if q.vhost.queues[q.name] != q || !q.available() {
			continue
		}
		q.dispatch()
		q.expireHead()
		q.shorten()
		q.watchHead()
	}
	s.settling = nil
	s.operation++
}

// put adds a message. It returns false if the queue is full and refuses it.
func (q *queueState) put(m *message) bool {
	if q.log != nil {
		q.log.append(m, q)
		q.vhost.s.touch(q)
		return true
	}
	if strings.HasPrefix(q.overflow, "reject-publish") && q.full() {
		if q.overflow == "reject-publish-dlx" {
			q.deadLetter(m, "maxlen")
		}
		return false
	}
	e := queue.Entry{Value: m.inQueue(q)}
	if q.maxPriority > 0 && m.properties.Priority != nil {
		e.Priority = min(*m.properties.Priority, q.maxPriority)
	}
	if _, err := q.messages.Enqueue(e); err != nil {
		return false // the queue is just gone
	}
	q.bytes += int64(len(m.body))
	q.counters.publishIn++
	q.vhost.s.touch(q)
	return true
}

// full says whether a queue that refuses publications has no room.
func (q *queueState) full() bool {
	return q.maxLength >= 0 && int64(q.ready()) >= q.maxLength || q.maxBytes >= 0 && q.bytes >= q.maxBytes
}

// take leases the message at the head, or returns nil.
func (q *queueState) take() (*entry, queue.Handle) {
	got, err := q.messages.Receive(context.Background(), 1, forever, 0)
	if err != nil || len(got) == 0 {
		return nil, queue.Handle{}
	}
	e := got[0].Value.(*entry)
	q.bytes -= int64(len(e.message.body))
	return e, got[0].Handle
}

// takeHead removes the message at the head, or returns nil.
func (q *queueState) takeHead() *entry {
	e, h := q.take()
	if e != nil {
		_ = q.messages.Settle(h) // it was just leased
	}
	return e
}

// expireHead drops what has outlived its time, as far as it stands at the head: what stands behind a message that lives waits there.
// Source: RabbitMQ documentation, "Time-To-Live and Expiration", caveats (checked 2026-12-01).
func (q *queueState) expireHead() {
	if q.log != nil { // its retention is asked when it grows
		return
	}
	now := time.Now()
	for {
		head, ok := q.messages.Peek()
		if !ok {
			return
		}
		e := head.Value.(*entry)
		if e.expires.IsZero() || e.expires.After(now) {
			return
		}
		q.takeHead()
		q.deadLetter(e.message, "expired")
	}
}

// shorten drops from the head what is over the limits.
func (q *queueState) shorten() {
	if q.log != nil || strings.HasPrefix(q.overflow, "reject-publish") {
		return
	}
	for q.maxLength >= 0 && int64(q.ready()) > q.maxLength || q.maxBytes >= 0 && q.bytes > q.maxBytes {
		e := q.takeHead()
		if e == nil {
			return
		}
		q.deadLetter(e.message, "maxlen")
	}
}

// watchHead sets a timer for when the message at the head expires.
func (q *queueState) watchHead() {
	if q.log != nil {
		return
	}
	var at time.Time
	if head, ok := q.messages.Peek(); ok {
		at = head.Value.(*entry).expires
	}
	if at.Equal(q.expiryAt) {
		return
	}
	q.expiryAt = at
	if q.expiry != nil {
		q.expiry.Stop()
	}
	if at.IsZero() {
		return
	}
	q.expiry = time.AfterFunc(time.Until(at), func() {
		s := q.vhost.s
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return
		}
		q.expiryAt = time.Time{}
		s.touch(q)
		s.settle()
	})
}

// dispatch hands messages to consumers that have room.
func (q *queueState) dispatch() {
	if q.log != nil {
		q.log.dispatch(q)
		return
	}
	for {
		k := q.next()
		if k == nil {
			return
		}
		if head, ok := q.messages.Peek(); !ok {
			return
		} else if head.Value.(*entry).since != q.vhost.s.operation { // what just came may be handed over even with no time to live
			if q.expireHead(); q.ready() == 0 {
				return
			}
		}
		e, h := q.take()
		if e == nil {
			return
		}
		k.deliver(e, h)
		q.rotate(k)
	}
}

// next returns the consumer whose turn it is, or nil if none has room.
func (q *queueState) next() *consumer {
	if q.singleActive {
		if q.active != nil && q.active.hasRoom() {
			return q.active
		}
		return nil
	}
	for _, k := range q.consumers {
		if k.hasRoom() {
			return k
		}
	}
	return nil
}

// rotate puts a consumer behind the others of its priority.
func (q *queueState) rotate(k *consumer) {
	i := slices.Index(q.consumers, k)
	if i < 0 {
		return
	}
	j := i
	for j+1 < len(q.consumers) && q.consumers[j+1].priority == k.priority {
		q.consumers[j] = q.consumers[j+1]
		j++
	}
	q.consumers[j] = k
}
