// Package queue is the queue engine of the local cloud: the one mechanism on which the queueing services put their rules.
//
// A message enters a queue, waits until it is ready, is leased to a receiver, and leaves when that receiver settles it.
// A lease that ends unsettled puts the message back where it was:
//
//	(nothing) --Enqueue--> delayed --> ready --Receive--> leased --Settle--> (gone)
//	                          ^          ^                   |
//	                          +----------+-------------------+ the lease ended, or Release
//
// That is all a queue broker does. The rest is how each of these steps is found quickly:
//
//   - due (heap by time) holds what waits for the clock: delayed messages and leases. Popping what is due is all that time
//     does, and it happens when someone next looks (advance), so an idle queue needs no goroutine and no timer.
//   - every group has a heap of its ready messages, oldest first; turns (heap) holds the groups that may deliver now.
//     In an ordered queue a group that has anything leased is not among them, and so is never looked at.
//   - receivers that found nothing wait in line. Only then, a timer is armed for the next due message.
//
// Each operation is O(log n). Start reading at [Queue.Enqueue], then [Queue.Receive] (receive.go) and [Queue.Settle] (lease.go).
package queue

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

// Errors of the operations on a lease, and of a queue that is closed.
var (
	ErrUnknown    = errors.New("queue: no such message")     // settled, expired, moved or purged since
	ErrLeaseEnded = errors.New("queue: the lease has ended") // and nobody else has leased the message since
	ErrSuperseded = errors.New("queue: the message was leased again since")
	ErrTooLong    = errors.New("queue: the lease would become too long")
	ErrOrdered    = errors.New("queue: not possible on an ordered queue")
	ErrClosed     = errors.New("queue: closed")
)

// A Broker is a set of queues. They share one lock, so that a message moves from queue to queue in one step: nobody
// sees it in both or in neither. Holders of the lock never wait, so it is held for microseconds.
type Broker struct {
	mu    sync.Mutex
	start time.Time
	now   int64 // nanoseconds since start, read when the lock is taken: one operation happens at one instant

	messages, leases uint64   // numbers given so far
	touched          []*Queue // got messages from another queue in this operation: their receivers are served before it ends
}

// NewBroker returns a broker without queues.
func NewBroker() *Broker {
	return &Broker{start: time.Now().Add(-time.Nanosecond)} // no instant is 0: that stands for never
}

func (b *Broker) at(t int64) time.Time { return b.start.Add(time.Duration(t)) }

// Options are the rules of a queue. The zero Options make an unordered queue that keeps messages for ever.
type Options struct {
	// Ordered: a group's messages are delivered in order, and none of them while another is leased. Messages without
	// a group are unordered.
	Ordered bool
	// Fair: in an unordered queue, groups that take more than their share of the receivers wait for the others.
	Fair Fairness
	// TTL is how long a message lives after it was enqueued, unless it has a TTL of its own; 0 is for ever. A message that
	// is leased at the end of its life goes when the lease ends: its holder may still settle it.
	TTL time.Duration
	// MaxLease limits how far renewals can stretch a lease, from its start; 0 is no limit.
	MaxLease time.Duration
	// MaxLeased is how many messages may be leased at a time; 0 is no limit. Receive then finds nothing.
	MaxLeased int
	// SettleLate: a lease that ended still settles its message, as long as nobody has leased it since.
	SettleLate bool
	DeadLetter DeadLetter
	Dedup      Dedup
	// Sample is told what the queue holds at every whole minute of the clock, in order and none left out: not when the minute
	// passes but when the queue is next looked at, as time alone changes nothing that could not be found out later. It must not
	// call the broker's queues.
	Sample func(Sample)
}

// A Sample is what a queue held at a time: how many messages, and how long the oldest had been in it.
type Sample struct {
	At time.Time
	Stats
	Oldest time.Duration
}

const sampleEvery = time.Minute

// DeadLetter says which messages a queue gives up and where they go. The zero DeadLetter gives up none.
type DeadLetter struct {
	To            *Queue // of the same broker
	MaxDeliveries int    // a message delivered so often in this queue goes to To instead of being delivered once more; 0 is no limit
	Expired       bool   // messages whose time to live has ended go to To as well; otherwise they are dropped
	Renew         bool   // the time to live starts anew in To
}

// An Entry is a message on its way into a queue.
type Entry struct {
	Value    any           // what the dialect needs; it must not change any more
	Group    string        // ordering group or tenant; empty: none
	Priority uint8         // higher is delivered first
	Delay    time.Duration // until it is ready
	TTL      time.Duration // 0: the queue's
	DedupID  string        // empty: never a duplicate
}

// A Receipt tells what became of an Entry. Of a duplicate it is the receipt of the message that it repeats.
type Receipt struct {
	ID        uint64 // unique in the broker; 0 is no ID
	Seq       uint64 // place in the queue: later messages have higher numbers
	Duplicate bool
}

// A Handle names one lease of one message.
type Handle struct{ ID, Lease uint64 }

// A Delivery is a message as a receiver gets it.
type Delivery struct {
	Handle
	Value          any
	Origin         uint64 // ID under which the message was first enqueued, whichever queue it has come to since
	Seq            uint64
	Group          string
	Priority       uint8
	Deliveries     int // this one and all before, in every queue that the message has been in
	Enqueued       time.Time
	FirstDelivered time.Time
	Until          time.Time // the lease's end
	From           *Queue    // the queue that gave it up to this one; nil: it was enqueued here
}

// Stats counts a queue's messages. A message is in exactly one of the three.
type Stats struct{ Ready, Delayed, Leased int }

// Total is the number of messages in the queue.
func (s Stats) Total() int { return s.Ready + s.Delayed + s.Leased }

type state uint8

const (
	delayed   state = iota // not ready since it was enqueued
	returning              // not ready since a receiver released it: in an ordered queue it holds its group back
	ready
	leased
	gone
)

type message struct {
	id, origin, seq       uint64
	value                 any
	group                 *group
	from                  *Queue
	enqueued, ttl         int64 // ttl is the message's own, 0 if it follows the queue's
	arrived               int64 // in this queue
	expires               int64
	due                   int64 // end of the delay or of the lease
	leasedAt, first       int64 // start of the lease, and of the first one ever
	lease                 uint64
	deliveries, elsewhere int32 // elsewhere: how many of the deliveries were in other queues
	index, expiryIndex    int32 // places in the heap of its state, and in the heap by expiry
	priority              uint8
	state                 state
}

// A Queue is safe for concurrent use.
type Queue struct {
	Name string // for the dialect; the engine does not use it

	broker *Broker
	opts   Options
	closed bool

	seq       uint64
	stats     Stats
	groups    map[string]*group
	turns     heap[*group]   // may deliver now
	crowd     []*group       // may deliver now, but only when no group in turns does (fair.go)
	busy      busyTime       // of all groups
	due       heap[*message] // delayed, returning and leased
	expiry    heap[*message]
	delivered map[uint64]*message // were leased at least once: a handle may name them
	memory    dedupMemory
	faults    faults
	sampleAt  int64 // time of the next sample

	waiting *list.List // of *receiver, in order of arrival
	timer   *time.Timer
	timerAt int64 // when it fires, if it is armed
}

// NewQueue adds a queue to the broker.
func (b *Broker) NewQueue(name string, o Options) *Queue {
	now := time.Now()
	return &Queue{
		Name: name, broker: b, opts: o, sampleAt: int64(now.Truncate(sampleEvery).Add(sampleEvery).Sub(b.start)),
		groups:    make(map[string]*group),
		turns:     newHeap(olderGroup, func(g *group, i int32) { g.index = i }),
		due:       newHeap(func(x, y *message) bool { return x.due < y.due }, func(m *message, i int32) { m.index = i }),
		expiry:    newHeap(func(x, y *message) bool { return x.expires < y.expires }, func(m *message, i int32) { m.expiryIndex = i }),
		delivered: make(map[uint64]*message),
		waiting:   list.New(),
	}
}

// lock starts an operation: what is due by now has happened.
func (q *Queue) lock() {
	q.broker.mu.Lock()
	q.broker.now = int64(time.Since(q.broker.start))
	q.sample()
	q.advance()
}

// sample makes up for the samples of the minutes that have passed: what was due by then happens at its time.
func (q *Queue) sample() {
	if q.opts.Sample == nil || q.sampleAt > q.broker.now {
		return
	}
	b := q.broker
	now := b.now
	for ; q.sampleAt <= now; q.sampleAt += int64(sampleEvery) {
		b.now = q.sampleAt
		q.advance()
		s := Sample{At: b.at(b.now), Stats: q.stats}
		if m := q.expiry.first(); m != nil {
			s.Oldest = time.Duration(b.now - m.arrived)
		}
		q.opts.Sample(s)
	}
	b.now = now
}

// unlock ends an operation: receivers that wait get what has become ready.
func (q *Queue) unlock() {
	b := q.broker
	q.serve()
	for len(b.touched) > 0 { // serving may give up messages to yet another queue
		last := len(b.touched) - 1
		other := b.touched[last]
		b.touched = b.touched[:last]
		other.advance()
		other.serve()
	}
	b.mu.Unlock()
}

// Enqueue adds messages, in order and with no other between them.
func (q *Queue) Enqueue(entries ...Entry) ([]Receipt, error) {
	q.lock()
	defer q.unlock()
	if q.closed {
		return nil, ErrClosed
	}
	receipts := make([]Receipt, len(entries))
	for i, e := range entries {
		receipts[i] = q.enqueue(e)
	}
	return receipts, nil
}

func (q *Queue) enqueue(e Entry) Receipt {
	b := q.broker
	if e.DedupID != "" {
		if original, ok := q.memory.find(q.opts.Dedup, e, b.now); ok {
			original.Duplicate = true
			return original
		}
	}
	m := &message{value: e.Value, enqueued: b.now, ttl: int64(e.TTL), due: b.now + int64(e.Delay), priority: e.Priority}
	b.messages++
	m.id, m.origin = b.messages, b.messages
	q.add(m, e.Group)
	receipt := Receipt{ID: m.id, Seq: m.seq}
	if e.DedupID != "" {
		q.memory.add(q.opts.Dedup, e, receipt, b.now)
	}
	return receipt
}

// add puts a message at the end of the queue.
func (q *Queue) add(m *message, groupID string) {
	g := q.groups[groupID]
	if g == nil {
		g = newGroup(groupID)
		q.groups[groupID] = g
	}
	g.size++
	g.enqueued = q.broker.now
	m.group = g
	m.arrived = q.broker.now
	q.seq++
	m.seq = q.seq
	m.expiryIndex = -1
	q.setExpiry(m)
	if q.opts.Ordered && groupID != "" { // a shorter delay does not overtake a longer one
		g.due = max(g.due, m.due)
		m.due = g.due
	}
	q.faults.hold(q, m)
	if m.due > q.broker.now {
		q.delay(m, delayed)
	} else {
		q.makeReady(m)
	}
}

func (q *Queue) delay(m *message, s state) {
	m.state = s
	if s == returning {
		m.group.returning++
		q.place(m.group)
	}
	q.stats.Delayed++
	q.due.push(m)
}

// makeReady gives a message that is in no state its turn, if its life has not ended meanwhile.
func (q *Queue) makeReady(m *message) {
	if q.outlived(m) {
		q.expire(m)
		return
	}
	m.state = ready
	q.stats.Ready++
	m.group.ready.push(m)
	q.place(m.group)
}

// leave takes a message out of the state that it is in.
func (q *Queue) leave(m *message) {
	g := m.group
	switch m.state {
	case ready:
		q.stats.Ready--
		g.ready.remove(m.index)
	case delayed:
		q.stats.Delayed--
		q.due.remove(m.index)
	case returning:
		q.stats.Delayed--
		g.returning--
		q.due.remove(m.index)
	case leased:
		q.stats.Leased--
		g.leased--
		q.due.remove(m.index)
		q.wasBusy(g, q.broker.now-m.leasedAt)
	case gone:
	}
	m.state = gone
	q.place(g)
}

// forget drops a message that is in no state.
func (q *Queue) forget(m *message) {
	if m.expiryIndex >= 0 {
		q.expiry.remove(m.expiryIndex)
	}
	delete(q.delivered, m.id)
	if m.group.size--; m.group.size == 0 {
		delete(q.groups, m.group.id)
	}
}

// advance lets happen what is due by now.
func (q *Queue) advance() {
	now := q.broker.now
	for m := q.due.first(); m != nil && m.due <= now; m = q.due.first() {
		q.leave(m)
		q.makeReady(m)
	}
	for m := q.expiry.first(); m != nil && m.expires <= now; m = q.expiry.first() {
		if m.state == leased { // makeReady sees to it when the lease ends
			q.expiry.remove(m.expiryIndex)
			continue
		}
		q.leave(m)
		q.expire(m)
	}
}

func (q *Queue) outlived(m *message) bool { return m.expires != 0 && m.expires <= q.broker.now }

func (q *Queue) setExpiry(m *message) {
	if m.expiryIndex >= 0 {
		q.expiry.remove(m.expiryIndex)
	}
	m.expires = 0
	ttl := m.ttl
	if ttl == 0 {
		ttl = int64(q.opts.TTL)
	}
	if ttl > 0 {
		m.expires = m.enqueued + ttl
		q.expiry.push(m)
	}
}

// expire ends the life of a message that is in no state.
func (q *Queue) expire(m *message) {
	q.forget(m)
	if d := q.opts.DeadLetter; d.Expired && d.To != nil && !d.To.closed {
		q.giveUp(m)
	}
}

// giveUp moves a forgotten message to the dead-letter target. It stays the same message.
func (q *Queue) giveUp(m *message) {
	d := q.opts.DeadLetter
	m.from = q
	m.elsewhere = m.deliveries
	m.due = q.broker.now
	m.ttl = 0
	if d.Renew {
		m.enqueued = q.broker.now
	}
	d.To.sample()
	d.To.add(m, m.group.id)
	q.broker.touched = append(q.broker.touched, d.To)
}
