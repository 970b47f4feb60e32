package redis

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// eventClass is a letter of notify-keyspace-events (Redis documentation, "Redis keyspace notifications").
type eventClass byte

const (
	eventGeneric eventClass = 'g'
	eventString  eventClass = '$'
	eventList    eventClass = 'l'
	eventSet     eventClass = 's'
	eventHash    eventClass = 'h'
	eventZset    eventClass = 'z'
	eventStream  eventClass = 't'
	eventExpired eventClass = 'x'
)

// allEvents are the classes that A stands for. e (evicted) and d (modules) are accepted and never come; m (key miss) and n (new
// key), which A does not contain, are refused.
const allEvents = "g$lshzxetd"

// eventClasses is a parsed notify-keyspace-events: the letters, with A spelled out.
type eventClasses string

// parseEventClasses reads a setting such as "Ex" or "KEA".
func parseEventClasses(s string) (eventClasses, bool) {
	var on strings.Builder
	for _, r := range s {
		switch {
		case r == 'A':
			on.WriteString(allEvents)
		case strings.ContainsRune("KE"+allEvents, r):
			on.WriteRune(r)
		default:
			return "", false
		}
	}
	return eventClasses(on.String()), true
}

// String gives the setting as CONFIG GET shows it: A for all classes.
func (e eventClasses) String() string {
	var b strings.Builder
	all := true
	for _, r := range allEvents {
		all = all && strings.ContainsRune(string(e), r)
	}
	if all {
		b.WriteByte('A')
	}
	for _, r := range allEvents + "KE" {
		if strings.ContainsRune(string(e), r) && !(all && strings.ContainsRune(allEvents, r)) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// notify publishes an event to who subscribed to the key and to who subscribed to the event.
func (s *Server) notify(class eventClass, event string, key dbKey) {
	if !strings.ContainsRune(string(s.events), rune(class)) {
		return
	}
	db := strconv.Itoa(key.db)
	if strings.ContainsRune(string(s.events), 'K') {
		s.publish("__keyspace@"+db+"__:"+key.key, event)
	}
	if strings.ContainsRune(string(s.events), 'E') {
		s.publish("__keyevent@"+db+"__:"+event, key.key)
	}
}

// effect says what one of the store's commands does to its key when its answer is such.
type effect struct {
	class   eventClass
	event   string
	when    func(answer []byte) bool
	empties bool // may take the last element
}

func always([]byte) bool         { return true }
func counted(answer []byte) bool { return answerInt(answer) > 0 }
func found(answer []byte) bool   { return !isNull(answer) && len(answerStrings(answer)) > 0 }

// effects of the commands that change the one key which they name first.
var effects = map[string]effect{
	"append": {eventString, "append", always, false}, "decr": {eventString, "incrby", always, false}, "decrby": {eventString, "incrby", always, false},
	"incr": {eventString, "incrby", always, false}, "incrby": {eventString, "incrby", always, false}, "incrbyfloat": {eventString, "incrbyfloat", always, false},
	"setnx": {eventString, "set", counted, false}, "setbit": {eventString, "setbit", always, false}, "setrange": {eventString, "setrange", counted, false},
	"getdel": {eventGeneric, "del", found, false},
	"pfadd":  {eventString, "pfadd", counted, false}, "pfmerge": {eventString, "pfadd", always, false},

	"lpush": {eventList, "lpush", always, false}, "rpush": {eventList, "rpush", always, false},
	"lpushx": {eventList, "lpush", counted, false}, "rpushx": {eventList, "rpush", counted, false},
	"lpop": {eventList, "lpop", found, true}, "rpop": {eventList, "rpop", found, true},
	"linsert": {eventList, "linsert", counted, false}, "lset": {eventList, "lset", always, false},
	"lrem": {eventList, "lrem", counted, true}, "ltrim": {eventList, "ltrim", always, true},

	"hset": {eventHash, "hset", always, false}, "hmset": {eventHash, "hset", always, false}, "hsetnx": {eventHash, "hset", counted, false},
	"hincrby": {eventHash, "hincrby", always, false}, "hincrbyfloat": {eventHash, "hincrbyfloat", always, false}, "hdel": {eventHash, "hdel", counted, true},

	"sadd": {eventSet, "sadd", counted, false}, "srem": {eventSet, "srem", counted, true}, "spop": {eventSet, "spop", found, true},

	"zadd": {eventZset, "zadd", always, false}, "zincrby": {eventZset, "zincr", always, false}, "zrem": {eventZset, "zrem", counted, true},
	"zpopmin": {eventZset, "zpopmin", found, true}, "zpopmax": {eventZset, "zpopmax", found, true},
	"zremrangebyrank": {eventZset, "zremrangebyrank", counted, true}, "zremrangebyscore": {eventZset, "zremrangebyscore", counted, true},
	"zremrangebylex": {eventZset, "zremrangebylex", counted, true}, "geoadd": {eventZset, "zadd", always, false},
}

// stores are the commands that write a result under a key, which they name at the given place, and remove what was there.
var stores = map[string]struct {
	class eventClass
	place int
	event string
}{
	"sdiffstore": {eventSet, 0, "sdiffstore"}, "sinterstore": {eventSet, 0, "sinterstore"}, "sunionstore": {eventSet, 0, "sunionstore"},
	"zinterstore": {eventZset, 0, "zinterstore"}, "zunionstore": {eventZset, 0, "zunionstore"},
	"bitop": {eventString, 1, "set"},
}

// affect works out what a command of the store changed, from its arguments, its answer and what probe found before it ran.
func (k *call) affect(answer, before []byte) {
	if !k.spec.is(flagWrite) {
		return
	}
	name, args := k.spec.name, k.args
	if e, ok := effects[name]; ok {
		switch {
		case !e.when(answer):
		case name == "zadd":
			if !bytes.Equal(before, k.probe()) {
				k.changed(e.class, map[bool]string{true: "zincr", false: "zadd"}[hasWord(args[1:], "incr")], args[0])
			}
		case name == "getdel":
			k.s.expiry.remove(k.key(args[0]))
			k.changed(e.class, e.event, args[0])
		case e.empties:
			k.changedMaybeGone(e.class, e.event, args[0])
		default:
			k.changed(e.class, e.event, args[0])
		}
		return
	}
	if st, ok := stores[name]; ok {
		key := args[st.place]
		k.s.expiry.remove(k.key(key))
		if answerInt(answer) > 0 {
			k.changed(st.class, st.event, key)
			return
		}
		k.store("DEL", key) // the store may keep an empty set
		if answerInt(before) > 0 {
			k.changed(eventGeneric, "del", key)
		}
		return
	}
	switch name {
	case "mset", "msetnx":
		if name == "msetnx" && answerInt(answer) == 0 {
			return
		}
		for i := 0; i+1 < len(args); i += 2 {
			k.s.expiry.remove(k.key(args[i]))
			k.changed(eventString, "set", args[i])
		}
	case "getset":
		k.s.expiry.remove(k.key(args[0]))
		k.changed(eventString, "set", args[0])
	case "smove":
		if answerInt(answer) > 0 {
			k.changedMaybeGone(eventSet, "srem", args[0])
			k.changed(eventSet, "sadd", args[1])
		}
	case "rpoplpush":
		if found(answer) {
			k.moved(args[0], args[1], "right", "left")
		}
	case "lmove":
		if found(answer) {
			k.moved(args[0], args[1], args[2], args[3])
		}
	case "lmpop":
		if key := answerStrings(answer); len(key) > 0 {
			k.changedMaybeGone(eventList, map[bool]string{true: "lpop", false: "rpop"}[hasWord(args, "left")], key[0])
		}
	case "zmpop":
		if key := answerStrings(answer); len(key) > 0 {
			k.changedMaybeGone(eventZset, map[bool]string{true: "zpopmin", false: "zpopmax"}[hasWord(args, "min")], key[0])
		}
	}
}

// probe asks for what the answer of a command does not tell: whether a result replaces something, which scores were there.
func (k *call) probe() []byte {
	if st, ok := stores[k.spec.name]; ok {
		return k.store("EXISTS", k.args[st.place])
	}
	if k.spec.name != "zadd" {
		return nil
	}
	args := k.args[1:]
	for len(args) > 0 && slices.Contains([]string{"nx", "xx", "gt", "lt", "ch", "incr"}, strings.ToLower(args[0])) {
		args = args[1:]
	}
	members := []string{k.args[0]}
	for i := 1; i < len(args); i += 2 {
		members = append(members, args[i])
	}
	return k.store("ZMSCORE", members...)
}

// moved publishes what moving an element between two lists does. The source goes last: Redis adds before it takes away.
func (k *call) moved(from, to, where, dest string) {
	k.changed(eventList, map[bool]string{true: "lpush", false: "rpush"}[option(dest, "left")], to)
	k.changedMaybeGone(eventList, map[bool]string{true: "lpop", false: "rpop"}[option(where, "left")], from)
}

func hasWord(args []string, word string) bool {
	for _, a := range args {
		if option(a, word) {
			return true
		}
	}
	return false
}
