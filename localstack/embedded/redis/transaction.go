package redis

import "slices"

// transaction is what stands between MULTI and EXEC.
type transaction struct {
	queue  []queued
	broken bool // a command was refused: EXEC will be too
}

type queued struct {
	spec *spec
	args []string
}

var transactionCommands = map[string]func(*call){
	"multi": (*call).multi, "exec": (*call).exec, "discard": (*call).discard, "watch": (*call).watch, "unwatch": (*call).unwatch,
}

func (k *call) multi() {
	if k.c.transaction != nil {
		k.w.err("ERR MULTI calls can not be nested")
		return
	}
	k.c.transaction = &transaction{}
	k.w.ok()
}

func (k *call) exec() {
	c, tx := k.c, k.c.transaction
	if tx == nil {
		k.w.err("ERR EXEC without MULTI")
		return
	}
	changed := c.watchBroken
	c.transaction = nil
	c.unwatch()
	switch {
	case tx.broken:
		k.w.err("EXECABORT Transaction discarded because of previous errors.")
	case changed:
		k.w.nullArray()
	default:
		k.w.array(len(tx.queue))
		for _, q := range tx.queue {
			one := *k
			one.spec, one.args, one.executing = q.spec, q.args, true
			one.run()
		}
	}
}

func (k *call) discard() {
	if k.c.transaction == nil {
		k.w.err("ERR DISCARD without MULTI")
		return
	}
	k.c.transaction = nil
	k.c.unwatch()
	k.w.ok()
}

func (k *call) watch() {
	if k.c.transaction != nil {
		k.w.err("ERR WATCH inside MULTI is not allowed")
		return
	}
	for _, name := range k.args {
		key := k.key(name)
		if !slices.Contains(k.c.watched, key) {
			k.c.watched = append(k.c.watched, key)
			k.s.watchers[key] = append(k.s.watchers[key], k.c)
		}
	}
	k.w.ok()
}

func (k *call) unwatch() {
	k.c.unwatch()
	k.w.ok()
}

func (c *conn) unwatch() {
	for _, key := range c.watched {
		rest := slices.DeleteFunc(c.s.watchers[key], func(o *conn) bool { return o == c })
		if len(rest) == 0 {
			delete(c.s.watchers, key)
		} else {
			c.s.watchers[key] = rest
		}
	}
	c.watched, c.watchBroken = nil, false
}
