package redis

import (
	"container/heap"
	"time"
)

// expiry knows when keys end. The store is never told, so that it does not look through all its keys at every command.
type expiry struct {
	at    map[dbKey]time.Time
	order deadlines // may hold deadlines that were changed since
	timer *time.Timer
	armed time.Time
	done  bool
}

type deadline struct {
	key dbKey
	at  time.Time
}

type deadlines []deadline

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)        { *d = append(*d, x.(deadline)) }
func (d *deadlines) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

func (e *expiry) init(due func()) {
	e.at = map[dbKey]time.Time{}
	e.timer = time.AfterFunc(time.Hour, due)
	e.timer.Stop()
}

func (e *expiry) set(key dbKey, at time.Time) {
	e.at[key] = at
	heap.Push(&e.order, deadline{key, at})
	if len(e.order) > 2*len(e.at)+64 { // mostly changed ones
		e.order = e.order[:0]
		for key, at := range e.at {
			e.order = append(e.order, deadline{key, at})
		}
		heap.Init(&e.order)
	}
}

func (e *expiry) remove(key dbKey) { delete(e.at, key) }

func (e *expiry) removeDB(db int) {
	for key := range e.at {
		if key.db == db {
			delete(e.at, key)
		}
	}
}

// move gives a key's deadline, or none, to another key.
func (e *expiry) move(from, to dbKey, keep bool) {
	at, ok := e.at[from]
	e.remove(to)
	if ok {
		e.set(to, at)
	}
	if !keep {
		e.remove(from)
	}
}

// next returns the earliest deadline.
func (e *expiry) next() (deadline, bool) {
	for len(e.order) > 0 {
		d := e.order[0]
		if at, ok := e.at[d.key]; ok && at.Equal(d.at) {
			return d, true
		}
		heap.Pop(&e.order)
	}
	return deadline{}, false
}

// arm sets the timer to the earliest deadline.
func (e *expiry) arm() {
	d, ok := e.next()
	if e.done || ok && d.at.Equal(e.armed) {
		return
	}
	e.timer.Stop()
	e.armed = time.Time{}
	if ok {
		e.armed = d.at
		e.timer.Reset(time.Until(d.at))
	}
}

func (e *expiry) stop() {
	e.done = true
	e.timer.Stop()
}

// expireDue is what the timer calls.
func (s *Server) expireDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.expiry.armed = time.Time{}
	s.expireKeys(time.Now())
	s.serveBlocked()
	s.expiry.arm()
}

// expireKeys removes the keys whose time has come.
func (s *Server) expireKeys(now time.Time) {
	for {
		d, ok := s.expiry.next()
		if !ok || d.at.After(now) {
			return
		}
		s.expiry.remove(d.key)
		if s.store.DB(d.key.db).Del(d.key.key) {
			s.expired++
			s.touch(d.key)
			s.notify(eventExpired, "expired", d.key)
		}
	}
}
