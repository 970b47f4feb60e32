package queue

import (
	"context"
	"time"
)

// Receive leases up to n ready messages, for the given time each. If there are none it waits for the first to come, up to
// wait; receivers that wait are served in order of arrival. It returns none, and no error, when there were none in time,
// and the context's error when the context ended before.
func (q *Queue) Receive(ctx context.Context, n int, lease, wait time.Duration) ([]Delivery, error) {
	q.lock()
	if q.closed {
		q.unlock()
		return nil, ErrClosed
	}
	got := q.take(n, int64(lease))
	if len(got) > 0 || wait <= 0 {
		q.unlock()
		return got, nil
	}
	r := &receiver{n: n, lease: int64(lease), got: make(chan []Delivery, 1)}
	place := q.waiting.PushBack(r)
	q.unlock()

	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	var err error
	select {
	case got, ok := <-r.got:
		if !ok {
			return nil, ErrClosed
		}
		return got, nil
	case <-timeout.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	q.lock()
	defer q.unlock()
	select {
	case got, ok := <-r.got: // served at the last moment
		if !ok {
			return nil, ErrClosed
		}
		return got, nil
	default:
	}
	q.waiting.Remove(place)
	return nil, err
}

// A receiver waits in line. It gets its messages, or the queue's end, by its channel.
type receiver struct {
	n     int
	lease int64
	got   chan []Delivery
}

// serve hands ready messages to the receivers that wait, and has the timer set if some still do.
func (q *Queue) serve() {
	for e := q.waiting.Front(); e != nil; e = q.waiting.Front() {
		r := e.Value.(*receiver)
		got := q.take(r.n, r.lease)
		if len(got) == 0 {
			break
		}
		q.waiting.Remove(e)
		r.got <- got
	}
	q.setTimer()
}

// setTimer arms the timer for the next instant at which time alone changes something that somebody would notice.
func (q *Queue) setTimer() {
	var at int64
	if m := q.due.first(); m != nil && q.waiting.Len() > 0 {
		at = m.due
	}
	if m := q.expiry.first(); m != nil && q.opts.DeadLetter.Expired && (at == 0 || m.expires < at) {
		at = m.expires
	}
	if at == q.timerAt {
		return
	}
	q.timerAt = at
	switch {
	case at == 0:
		q.timer.Stop()
	case q.timer == nil:
		q.timer = time.AfterFunc(time.Duration(at-q.broker.now), q.tick)
	default:
		q.timer.Reset(time.Duration(at - q.broker.now))
	}
}

func (q *Queue) tick() {
	q.lock()
	q.timerAt = 0
	q.unlock()
}

// take leases up to n messages that are ready.
func (q *Queue) take(n int, lease int64) []Delivery {
	var got []Delivery
	room := func() bool { return len(got) < n && (q.opts.MaxLeased == 0 || q.stats.Leased < q.opts.MaxLeased) }
	for room() {
		g := q.nextGroup()
		if g == nil {
			break
		}
		for again := true; again && room() && len(g.ready.items) > 0; {
			m := g.ready.first()
			q.leave(m)
			if q.exhausted(m) {
				q.forget(m)
				q.giveUp(m)
			} else {
				got = append(got, q.lease(m, lease))
			}
			again = q.holdsBack(g) // the group is closed to others from now on, but not to this receiver
		}
	}
	q.faults.release(q)
	return got
}

func (q *Queue) exhausted(m *message) bool {
	d := q.opts.DeadLetter
	return d.MaxDeliveries > 0 && int(m.deliveries-m.elsewhere) >= d.MaxDeliveries && d.To != nil && !d.To.closed
}

// lease gives a message that is in no state to a receiver.
func (q *Queue) lease(m *message, lease int64) Delivery {
	b := q.broker
	q.faults.copy(q, m)
	b.leases++
	m.lease = b.leases
	m.leasedAt = b.now
	m.due = b.now + lease
	m.deliveries++
	if m.first == 0 {
		m.first = b.now
	}
	m.state = leased
	m.group.leased++
	q.stats.Leased++
	q.due.push(m)
	q.delivered[m.id] = m
	q.place(m.group)
	return q.delivery(m)
}

func (q *Queue) delivery(m *message) Delivery {
	b := q.broker
	d := Delivery{
		Handle: Handle{ID: m.id, Lease: m.lease}, Value: m.value, Origin: m.origin, Seq: m.seq, Group: m.group.id, Priority: m.priority,
		Deliveries: int(m.deliveries), Enqueued: b.at(m.enqueued), Until: b.at(m.due), From: m.from,
	}
	if m.first != 0 {
		d.FirstDelivered = b.at(m.first)
	}
	return d
}
