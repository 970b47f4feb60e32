package queue

import "time"

// faults are what a test asks of a queue whose service promises neither order nor a single delivery.
type faults struct {
	twice      int
	twiceAfter int64
	copies     []*message // become ready when the receiver that caused them has been served

	reverse  int        // messages still to hold
	within   int64      // latest release of those held
	firstSeq uint64     // place of the last of them
	held     []*message // in order of arrival
}

// DeliverTwice makes the next n messages that are delivered leave a copy behind, which is delivered once more after the given
// time, whether or not the first has been settled: as a replica would that missed the first delivery.
func (q *Queue) DeliverTwice(n int, after time.Duration) error {
	q.lock()
	defer q.unlock()
	if q.opts.Ordered {
		return ErrOrdered
	}
	q.faults.twice, q.faults.twiceAfter = n, int64(after)
	return nil
}

func (f *faults) copy(q *Queue, m *message) {
	if f.twice == 0 || m.id != m.origin { // no copy of a copy
		return
	}
	f.twice--
	b := q.broker
	c := *m
	b.messages++
	c.id = b.messages
	c.due = b.now + f.twiceAfter
	c.expiryIndex = -1
	f.copies = append(f.copies, &c)
}

func (f *faults) release(q *Queue) {
	for _, c := range f.copies {
		c.group.size++
		q.setExpiry(c)
		if c.due > q.broker.now {
			q.delay(c, delayed)
		} else {
			q.makeReady(c)
		}
	}
	f.copies = nil
}

// DeliverReversed holds the next n messages back until all of them are there, or the given time has passed, and then delivers
// them last one first.
func (q *Queue) DeliverReversed(n int, within time.Duration) error {
	q.lock()
	defer q.unlock()
	if q.opts.Ordered {
		return ErrOrdered
	}
	f := &q.faults
	f.reverse, f.within, f.held = n, q.broker.now+int64(within), nil
	f.firstSeq = q.seq + 1
	q.seq += uint64(n)
	return nil
}

// hold keeps a message that has just been added back, if it is one of those to be reversed.
func (f *faults) hold(q *Queue, m *message) {
	if f.reverse == 0 {
		return
	}
	f.reverse--
	m.seq = f.firstSeq + uint64(f.reverse)
	if f.reverse > 0 {
		if m.due <= q.broker.now { // one with a delay of its own waits for that instead
			m.due = f.within
			f.held = append(f.held, m)
		}
		return
	}
	for _, other := range f.held {
		if other.state == delayed {
			q.leave(other)
			q.makeReady(other)
		}
	}
	f.held = nil
}
