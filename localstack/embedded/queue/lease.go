package queue

import "time"

// find returns the message that h names. Its error says how h's lease stands.
func (q *Queue) find(h Handle) (*message, error) {
	m := q.delivered[h.ID]
	switch {
	case q.closed:
		return nil, ErrClosed
	case m == nil:
		return nil, ErrUnknown
	case m.lease != h.Lease:
		return m, ErrSuperseded
	case m.state != leased:
		return m, ErrLeaseEnded
	}
	return m, nil
}

// Settle ends a lease and the message with it: the work is done. It fails with ErrUnknown, ErrSuperseded, ErrLeaseEnded
// (unless the queue allows to settle late) or ErrClosed.
func (q *Queue) Settle(h Handle) error {
	q.lock()
	defer q.unlock()
	m, err := q.find(h)
	if err == ErrLeaseEnded && q.opts.SettleLate {
		err = nil
	}
	if err != nil {
		return err
	}
	q.leave(m)
	q.forget(m)
	return nil
}

// Renew makes a lease end d from now, sooner or later than it would have. It fails as Settle does, with ErrLeaseEnded in
// every queue, and with ErrTooLong.
func (q *Queue) Renew(h Handle, d time.Duration) error {
	q.lock()
	defer q.unlock()
	m, err := q.find(h)
	if err != nil {
		return err
	}
	due := q.broker.now + int64(d)
	if q.opts.MaxLease > 0 && due-m.leasedAt > int64(q.opts.MaxLease) {
		return ErrTooLong
	}
	m.due = due
	q.due.fix(m.index)
	q.advance() // d may be nothing
	return nil
}

// Release ends a lease without settling: the message is ready again after the delay, at its old place. It fails as Renew does.
func (q *Queue) Release(h Handle, delay time.Duration) error {
	q.lock()
	defer q.unlock()
	m, err := q.find(h)
	if err != nil {
		return err
	}
	q.leave(m)
	if delay > 0 && !q.outlived(m) {
		m.due = q.broker.now + int64(delay)
		q.delay(m, returning)
	} else {
		q.makeReady(m)
	}
	return nil
}

// Until returns when a lease ends. It fails as Renew does.
func (q *Queue) Until(h Handle) (time.Time, error) {
	q.lock()
	defer q.unlock()
	m, err := q.find(h)
	if err != nil {
		return time.Time{}, err
	}
	return q.broker.at(m.due), nil
}
