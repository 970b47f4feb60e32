package queue

import "time"

// What is not a message's way through the queue: its owner's doing.

// Move takes up to n ready messages, in the order of delivery but without delivering them, and enqueues each in the queue
// and with the value that to names: as a new message, with a count and a life of its own. It stops when to names no queue,
// and returns how many were moved. To must not call the broker's queues.
func (q *Queue) Move(n int, to func(Delivery) (*Queue, any)) int {
	q.lock()
	defer q.unlock()
	moved := 0
	for ; moved < n; moved++ {
		g := q.nextGroup()
		if g == nil {
			break
		}
		m := g.ready.first()
		target, value := to(q.delivery(m))
		if target == nil || target.closed {
			break
		}
		q.leave(m)
		q.forget(m)
		target.sample()
		target.enqueue(Entry{Value: value, Group: g.id, Priority: m.priority, TTL: time.Duration(m.ttl)})
		q.broker.touched = append(q.broker.touched, target)
	}
	return moved
}

// Peek returns the message that would be delivered next, without delivering it. It returns false if none is ready.
func (q *Queue) Peek() (Delivery, bool) {
	q.lock()
	defer q.unlock()
	g := q.nextGroup()
	if g == nil {
		return Delivery{}, false
	}
	return q.delivery(g.ready.first()), true
}

// Configure changes the options. A new TTL holds for the messages that are there too, from the time they were enqueued.
func (q *Queue) Configure(change func(*Options)) {
	q.lock()
	defer q.unlock()
	ttl := q.opts.TTL
	change(&q.opts)
	if q.opts.TTL != ttl {
		for m := range q.all() {
			q.setExpiry(m)
		}
		q.advance()
	}
}

// Reschedule makes the messages that were delayed when they were enqueued ready d after that.
func (q *Queue) Reschedule(d time.Duration) {
	q.lock()
	defer q.unlock()
	for _, g := range q.groups {
		g.due = 0
	}
	for _, m := range q.due.items {
		if m.state == delayed {
			m.due = m.enqueued + int64(d)
			m.group.due = max(m.group.due, m.due)
		}
	}
	q.due.init()
	q.advance()
}

// all yields every message once.
func (q *Queue) all() func(yield func(*message) bool) {
	return func(yield func(*message) bool) {
		for _, m := range q.due.items {
			if !yield(m) {
				return
			}
		}
		for _, g := range q.groups {
			for _, m := range g.ready.items {
				if !yield(m) {
					return
				}
			}
		}
	}
}

// Stats counts the messages.
func (q *Queue) Stats() Stats {
	q.lock()
	defer q.unlock()
	return q.stats
}

// Purge drops all messages, leased ones too. What is known of deduplication ids stays.
func (q *Queue) Purge() {
	q.lock()
	defer q.unlock()
	q.purge()
}

func (q *Queue) purge() {
	q.stats = Stats{}
	q.groups = make(map[string]*group)
	q.delivered = make(map[uint64]*message)
	q.turns.items, q.due.items, q.expiry.items, q.crowd = nil, nil, nil, nil
	q.busy = busyTime{}
	q.faults.held = nil
}

// Close drops all messages and ends the waiting of all receivers with ErrClosed. It may be called again.
func (q *Queue) Close() {
	q.lock()
	defer q.unlock()
	q.closed, q.opts.Sample = true, nil
	q.purge()
	q.memory, q.faults = dedupMemory{}, faults{}
	for e := q.waiting.Front(); e != nil; e = q.waiting.Front() {
		close(q.waiting.Remove(e).(*receiver).got)
	}
}
