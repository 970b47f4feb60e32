package redis

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// blockedClient is a connection whose command waits for a key to change.
type blockedClient struct {
	c        *conn
	keys     []dbKey
	try      func(w *reply) bool // answers, if it can by now
	timedOut func(w *reply)
	timeout  time.Duration // 0: none
	over     bool
	done     chan struct{} // closed when it no longer blocks
}

// blockOn runs try, and has the connection wait for a change of the keys if it cannot be answered yet. A transaction and a
// script do not wait.
func (k *call) blockOn(keys []string, timeout time.Duration, try func(w *reply) bool, timedOut func(w *reply)) {
	if try(k.w) {
		return
	}
	if k.nested || k.executing {
		timedOut(k.w)
		return
	}
	b := &blockedClient{c: k.c, try: try, timedOut: timedOut, timeout: timeout, done: make(chan struct{})}
	for _, name := range keys {
		b.keys = append(b.keys, k.key(name))
	}
	k.c.block, k.block = b, b
	k.s.blocked = append(k.s.blocked, b)
}

// wait returns when the command was answered or the connection is over. Server.mu is not held.
func (b *blockedClient) wait() {
	var timer <-chan time.Time
	if b.timeout > 0 {
		t := time.NewTimer(b.timeout)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-b.done:
		return
	case <-timer:
	}
	s := b.c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.over {
		w := &reply{resp3: b.c.resp3}
		b.timedOut(w)
		b.c.send(w.buf)
		b.end()
	}
}

// end takes it off the list. Server.mu is held.
func (b *blockedClient) end() {
	if b.over {
		return
	}
	b.over = true
	b.c.block = nil
	close(b.done)
	b.c.s.blocked = slices.DeleteFunc(b.c.s.blocked, func(o *blockedClient) bool { return o == b })
}

// serveBlocked answers, in the order in which they blocked, the clients whose keys have changed. One that is answered may
// change further keys.
func (s *Server) serveBlocked() {
	for len(s.ready) > 0 {
		ready := s.ready
		s.ready = map[dbKey]bool{}
		if len(s.blocked) == 0 {
			continue
		}
		for _, b := range slices.Clone(s.blocked) {
			if b.over || !slices.ContainsFunc(b.keys, func(key dbKey) bool { return ready[key] }) {
				continue
			}
			w := &reply{resp3: b.c.resp3}
			s.running = b.c
			if b.try(w) {
				b.c.send(w.buf)
				b.end()
			}
			s.running = nil
		}
	}
}

var blockingCommands = map[string]func(*call){
	"blpop":      func(k *call) { k.blockingPop("LPOP", "lpop", eventList) },
	"brpop":      func(k *call) { k.blockingPop("RPOP", "rpop", eventList) },
	"bzpopmin":   func(k *call) { k.blockingPop("ZPOPMIN", "zpopmin", eventZset) },
	"bzpopmax":   func(k *call) { k.blockingPop("ZPOPMAX", "zpopmax", eventZset) },
	"blmove":     func(k *call) { k.blockingMove("lmove", k.args[4], k.args[:4]) },
	"brpoplpush": func(k *call) { k.blockingMove("rpoplpush", k.args[2], k.args[:2]) },
	"blmpop":     func(k *call) { k.blockingMultiPop("lmpop") },
	"bzmpop":     func(k *call) { k.blockingMultiPop("zmpop") },
	"wait":       (*call).wait,
}

// seconds reads a timeout of seconds and fractions.
func (k *call) seconds(s string) (time.Duration, bool) {
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsNaN(f) || math.IsInf(f, 0):
		k.w.err("ERR timeout is not a float or out of range")
	case f < 0:
		k.w.err("ERR timeout is negative")
	case f > math.MaxInt64/float64(time.Second):
		k.w.err("ERR timeout is out of range")
	default:
		return time.Duration(math.Ceil(f*1000)) * time.Millisecond, true
	}
	return 0, false
}

// like returns a call for the same client, of another command.
func (k *call) like(name string, args []string, w *reply) *call {
	other := *k
	other.spec, other.args, other.w = specs[name], args, w
	return &other
}

func (k *call) blockingPop(pop, event string, class eventClass) {
	keys := k.args[:len(k.args)-1]
	timeout, ok := k.seconds(k.args[len(k.args)-1])
	if !ok {
		return
	}
	k.blockOn(keys, timeout, func(w *reply) bool {
		for _, key := range keys {
			answer := k.store(pop, key)
			if isError(answer) {
				w.raw(answer)
				return true
			}
			popped := answerStrings(answer)
			if isNull(answer) || len(popped) == 0 {
				continue
			}
			w.array(1 + len(popped))
			w.bulk(key)
			for i, p := range popped {
				if i == 1 && w.resp3 { // a score
					w.raw([]byte("," + p + "\r\n"))
				} else {
					w.bulk(p)
				}
			}
			k.changedMaybeGone(class, event, key)
			return true
		}
		return false
	}, (*reply).nullArray)
}

func (k *call) blockingMove(command, timeout string, args []string) {
	t, ok := k.seconds(timeout)
	if !ok {
		return
	}
	none := (*reply).nullArray
	if k.nested || k.executing {
		none = (*reply).null
	}
	k.blockOn(args[:1], t, func(w *reply) bool {
		answer := k.store(command, args...)
		if isNull(answer) {
			return false
		}
		w.raw(answer)
		if !isError(answer) {
			k.like(command, args, w).affect(answer, nil)
		}
		return true
	}, none)
}

func (k *call) blockingMultiPop(command string) {
	t, ok := k.seconds(k.args[0])
	if !ok {
		return
	}
	args := k.args[1:]
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		k.w.err("ERR numkeys should be greater than 0")
		return
	}
	if n >= len(args) {
		k.w.err("ERR syntax error")
		return
	}
	k.blockOn(args[1:n+1], t, func(w *reply) bool {
		answer := k.store(command, args...)
		if isNull(answer) {
			return false
		}
		w.raw(answer)
		if !isError(answer) {
			k.like(command, args, w).affect(answer, nil)
		}
		return true
	}, (*reply).nullArray)
}

// wait waits for replicas, of which there are none.
func (k *call) wait() {
	n, err1 := strconv.Atoi(k.args[0])
	ms, err2 := strconv.Atoi(k.args[1])
	if err1 != nil || err2 != nil {
		k.w.err(errNotInteger)
		return
	}
	if ms < 0 {
		k.w.err("ERR timeout is negative")
		return
	}
	none := func(w *reply) { w.int(0) }
	k.blockOn(nil, time.Duration(ms)*time.Millisecond, func(w *reply) bool {
		if n > 0 {
			return false
		}
		none(w)
		return true
	}, none)
}
