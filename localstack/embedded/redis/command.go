package redis

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// call is one command while it runs, under Server.mu.
type call struct {
	s    *Server
	c    *conn
	spec *spec
	args []string // without the command's name
	w    *reply

	db        *int // the selected database: the connection's, or the script's
	peer      *server.Peer
	buffer    *answer // where peer's answers arrive
	nested    bool    // called by a script
	executing bool    // part of a transaction that EXEC runs
	block     *blockedClient
}

// handlers are the commands that are written here. Those of specs without one are the store's.
var handlers map[string]func(*call)

func init() { // not in the declaration: handlers run commands by name
	handlers = map[string]func(*call){}
	for _, part := range []map[string]func(*call){
		connectionCommands, serverCommands, keyCommands, blockingCommands, transactionCommands, pubSubCommands, streamCommands, groupCommands,
	} {
		for name, h := range part {
			handlers[name] = h
		}
	}
}

// execute runs what a client sent and answers it. It returns a blockedClient if the answer is still to come.
func (s *Server) execute(c *conn, args []string) *blockedClient {
	started := time.Now()
	s.expireKeys(started)
	s.commands++
	c.lastActive = started
	name := strings.ToLower(args[0])
	w := &reply{resp3: c.resp3}
	k := &call{s: s, c: c, args: args[1:], w: w, db: &c.db, peer: c.peer, buffer: &c.buffer}
	s.running = c
	k.request(name, args[0])
	s.running = nil
	s.slowed(c, args, started)
	if c.noReply == replyOn {
		c.send(w.buf)
	}
	if c.quitting {
		c.out.finish()
	}
	switch c.noReply {
	case replySkipNext:
		c.noReply = replySkip
	case replySkip:
		c.noReply = replyOn
	}
	s.serveBlocked()
	s.expiry.arm()
	return k.block
}

// request checks a command as it comes from a client, and queues or runs it.
func (k *call) request(name, typed string) {
	c := k.c
	if !k.known(name, typed) {
		if c.transaction != nil {
			c.transaction.broken = true
		}
		return
	}
	k.c.lastCommand = name
	switch {
	case !c.authenticated && k.s.settings["requirepass"] != "" && !k.spec.is(flagNoAuth):
		k.w.err("NOAUTH Authentication required.")
	case c.subscribed() && !c.resp3 && !allowedWhileSubscribed[name]:
		k.w.errf("ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", name)
	case c.transaction != nil && !runsInTransaction[name]:
		if k.spec.is(flagNoMulti) {
			c.transaction.broken = true
			k.w.err("ERR Command not allowed inside a transaction")
			return
		}
		c.transaction.queue = append(c.transaction.queue, queued{k.spec, k.args})
		k.w.simple("QUEUED")
	default:
		k.run()
	}
}

var allowedWhileSubscribed = map[string]bool{
	"subscribe": true, "unsubscribe": true, "psubscribe": true, "punsubscribe": true, "ssubscribe": true, "sunsubscribe": true,
	"ping": true, "quit": true, "reset": true,
}

// runsInTransaction are the commands that MULTI does not queue.
var runsInTransaction = map[string]bool{"exec": true, "discard": true, "multi": true, "watch": true, "quit": true, "reset": true}

// known answers a command that does not exist or has the wrong number of arguments.
func (k *call) known(name, typed string) bool {
	k.spec = specs[name]
	if k.spec == nil {
		var b strings.Builder
		for _, a := range k.args {
			if b.Len() >= 128 {
				break
			}
			fmt.Fprintf(&b, "'%.*s' ", 128-b.Len(), a)
		}
		k.s.log.Warn("redis: command not offered", "command", name)
		k.w.errf("ERR unknown command '%.128s', with args beginning with: %s", typed, b.String())
		return false
	}
	if n := len(k.args) + 1; k.spec.arity > 0 && n != k.spec.arity || n < -k.spec.arity {
		k.wrongNumber(name)
		return false
	}
	return true
}

func (k *call) wrongNumber(name string) {
	k.w.errf("ERR wrong number of arguments for '%s' command", name)
}

func (k *call) unknownSubcommand() {
	k.s.log.Warn("redis: subcommand not offered", "command", k.spec.name, "subcommand", k.args[0])
	k.w.errf("ERR unknown subcommand '%.128s'. Try %s HELP.", k.args[0], strings.ToUpper(k.spec.name))
}

// run runs a command that may run, wherever it comes from.
func (k *call) run() {
	start := len(k.w.buf)
	defer func() {
		if p := recover(); p != nil { // the server goes on, as it would after an assertion in a module
			if !k.nested { // the store does not unlock itself then; a script that called the command goes on under the same lock
				k.s.store.TryLock()
				k.s.store.Unlock()
			}
			k.buffer.begin(false)
			k.peer.Flush() // what it had written of its answer goes nowhere
			if p == errTooDeep {
				k.w.buf = append(k.w.buf[:start], "-ERR reached lua stack limit\r\n"...)
				return
			}
			// a bug, here or in the store
			k.s.log.Error("redis: command failed", "command", k.spec.name, "panic", p, "stack", string(debug.Stack()))
			k.w.buf = append(k.w.buf[:start], "-ERR internal error\r\n"...)
		}
	}()
	if h := handlers[k.spec.name]; h != nil {
		h(k)
		return
	}
	if k.tooMany() {
		k.w.err("ERR value is out of range")
		return
	}
	k.s.scriptDB = *k.db
	before := k.probe()
	answer := k.store(k.spec.name, k.args...)
	switch {
	case isError(answer) && strings.HasPrefix(k.spec.name, "eval"):
		answer = k.scriptError(string(answer))
	case k.w.resp3:
		answer = k.inRESP3(answer)
	}
	k.w.raw(answer)
	if !isError(answer) {
		k.affect(answer, before)
	}
}

// maxRepeated is how many elements SRANDMEMBER and its like return with repetition. Redis allows any number that fits its memory,
// and sends them as it picks them; the store would first gather them all, under the lock.
const maxRepeated = 1 << 20

// tooMany says whether the command asks for more repeated elements than that.
func (k *call) tooMany() bool {
	switch k.spec.name {
	case "srandmember", "hrandfield", "zrandmember":
		if len(k.args) < 2 {
			return false
		}
		n, err := strconv.Atoi(k.args[1])
		return err == nil && n < -maxRepeated
	}
	return false
}

// key identifies a key in the selected database.
func (k *call) key(name string) dbKey { return dbKey{*k.db, name} }

func (k *call) exists(key string) bool { return answerInt(k.store("EXISTS", key)) > 0 }

// changed is called for each key that a command changed: it breaks transactions that watch it, may serve blocked clients and
// publishes the event.
func (k *call) changed(class eventClass, event, key string) {
	k.s.touch(k.key(key))
	k.s.notify(class, event, k.key(key))
}

// changedMaybeGone is changed for a command that may have taken the key's last element.
func (k *call) changedMaybeGone(class eventClass, event, key string) {
	k.changed(class, event, key)
	if !k.exists(key) {
		k.s.expiry.remove(k.key(key))
		k.s.notify(eventGeneric, "del", k.key(key))
	}
}

func (s *Server) touch(key dbKey) {
	for _, c := range s.watchers[key] {
		c.watchBroken = true
	}
	s.ready[key] = true
}

// option reports whether an argument is the given word in any case.
func option(arg, word string) bool { return strings.EqualFold(arg, word) }

// subcommand splits off the first argument, in lower case.
func (k *call) subcommand() (string, []string) { return strings.ToLower(k.args[0]), k.args[1:] }
