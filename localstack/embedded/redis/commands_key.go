package redis

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var keyCommands = map[string]func(*call){
	"expire": (*call).expire, "pexpire": (*call).expire, "expireat": (*call).expire, "pexpireat": (*call).expire, "persist": (*call).persist,
	"ttl": (*call).ttl, "pttl": (*call).ttl, "expiretime": (*call).ttl, "pexpiretime": (*call).ttl,
	"set": (*call).set, "setex": (*call).setEx, "psetex": (*call).setEx, "getex": (*call).getEx,
	"del": (*call).del, "unlink": (*call).del, "rename": (*call).rename, "renamenx": (*call).rename, "move": (*call).move,
	"copy": (*call).copy, "object": (*call).object, "setrange": (*call).setRange,
}

const errNotInteger = "ERR value is not an integer or out of range"

// deadlineOf reads the time of EX, PX, EXAT or PXAT and of the commands named after them.
func (k *call) deadlineOf(kind, value string, mayBePast bool) (time.Time, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		k.w.err(errNotInteger)
		return time.Time{}, false
	}
	unit := time.Millisecond
	if !strings.HasPrefix(kind, "p") {
		unit = time.Second
	}
	if !mayBePast && n <= 0 || n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
		k.w.errf("ERR invalid expire time in '%s' command", k.spec.name)
		return time.Time{}, false
	}
	if strings.HasSuffix(kind, "at") {
		if unit == time.Second {
			return time.Unix(n, 0), true
		}
		return time.UnixMilli(n), true
	}
	return time.Now().Add(time.Duration(n) * unit), true
}

func (k *call) expire() {
	kind := map[string]string{"expire": "ex", "pexpire": "px", "expireat": "exat", "pexpireat": "pxat"}[k.spec.name]
	key := k.args[0]
	at, ok := k.deadlineOf(kind, k.args[1], true)
	if !ok {
		return
	}
	var nx, xx, gt, lt bool
	for _, a := range k.args[2:] {
		switch strings.ToLower(a) {
		case "nx":
			nx = true
		case "xx":
			xx = true
		case "gt":
			gt = true
		case "lt":
			lt = true
		default:
			k.w.errf("ERR Unsupported option %s", a)
			return
		}
	}
	if nx && (xx || gt || lt) {
		k.w.err("ERR NX and XX, GT or LT options at the same time are not compatible")
		return
	}
	if gt && lt {
		k.w.err("ERR GT and LT options at the same time are not compatible")
		return
	}
	old, has := k.s.expiry.at[k.key(key)]
	// No deadline counts as an infinite one.
	if !k.exists(key) || nx && has || xx && !has || gt && (!has || !at.After(old)) || lt && has && !at.Before(old) {
		k.w.int(0)
		return
	}
	if !at.After(time.Now()) {
		k.delete(key)
	} else {
		k.s.expiry.set(k.key(key), at)
		k.changed(eventGeneric, "expire", key)
	}
	k.w.int(1)
}

// delete removes a key that exists.
func (k *call) delete(key string) {
	k.store("DEL", key)
	k.s.expiry.remove(k.key(key))
	k.changed(eventGeneric, "del", key)
}

func (k *call) persist() {
	key := k.key(k.args[0])
	if _, has := k.s.expiry.at[key]; !has {
		k.w.int(0)
		return
	}
	k.s.expiry.remove(key)
	k.changed(eventGeneric, "persist", key.key)
	k.w.int(1)
}

func (k *call) ttl() {
	key := k.args[0]
	at, has := k.s.expiry.at[k.key(key)]
	switch left := time.Until(at); {
	case !k.exists(key):
		k.w.int(-2)
	case !has:
		k.w.int(-1)
	case k.spec.name == "ttl":
		k.w.int(int((left.Milliseconds() + 500) / 1000)) // rounded, as Redis does
	case k.spec.name == "pttl":
		k.w.int(int(left.Milliseconds()))
	case k.spec.name == "expiretime":
		k.w.int(int((at.UnixMilli() + 500) / 1000))
	default:
		k.w.int(int(at.UnixMilli()))
	}
}

func (k *call) set() {
	key := k.args[0]
	var at time.Time
	var expiring, keep, get bool
	rest := []string{key, k.args[1]}
	for i := 2; i < len(k.args); i++ {
		switch word := strings.ToLower(k.args[i]); word {
		case "ex", "px", "exat", "pxat":
			if expiring || keep || i+1 >= len(k.args) {
				k.w.err("ERR syntax error")
				return
			}
			var ok bool
			if at, ok = k.deadlineOf(word, k.args[i+1], false); !ok {
				return
			}
			expiring = true
			i++
		case "keepttl":
			if expiring {
				k.w.err("ERR syntax error")
				return
			}
			keep = true
		default:
			get = get || word == "get"
			rest = append(rest, k.args[i])
		}
	}
	before := ""
	if get { // the answer is then the old value, whether or not the new one was stored
		before = string(k.store("GET", key))
	}
	answer := k.store("SET", rest...)
	k.w.raw(answer)
	conditional := hasWord(rest[2:], "nx") || hasWord(rest[2:], "xx")
	switch {
	case isError(answer):
		return
	case get && conditional:
		if wasThere := !isNull([]byte(before)); wasThere == hasWord(rest[2:], "nx") {
			return
		}
	case !get && isNull(answer):
		return
	}
	k.stored(key, at, expiring, keep)
}

// stored is called after a string was stored under a key.
func (k *call) stored(key string, at time.Time, expiring, keep bool) {
	if !keep {
		k.s.expiry.remove(k.key(key))
	}
	k.changed(eventString, "set", key)
	if expiring {
		k.s.expiry.set(k.key(key), at)
		k.s.notify(eventGeneric, "expire", k.key(key))
	}
}

func (k *call) setEx() {
	kind := "ex"
	if k.spec.name == "psetex" {
		kind = "px"
	}
	at, ok := k.deadlineOf(kind, k.args[1], false)
	if !ok {
		return
	}
	answer := k.store("SET", k.args[0], k.args[2])
	k.w.raw(answer)
	if !isError(answer) {
		k.stored(k.args[0], at, true, false)
	}
}

// setRange refuses what would make a string longer than Redis's longest.
func (k *call) setRange() {
	offset, err := strconv.Atoi(k.args[1])
	switch {
	case err != nil:
		k.w.err(errNotInteger)
	case offset < 0:
		k.w.err("ERR offset is out of range")
	case offset > maxBulk-len(k.args[2]):
		k.w.err("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	default:
		answer := k.store("SETRANGE", k.args...)
		k.w.raw(answer)
		if !isError(answer) {
			k.affect(answer, nil)
		}
	}
}

func (k *call) getEx() {
	key := k.args[0]
	var at time.Time
	kind := ""
	switch {
	case len(k.args) == 1:
	case len(k.args) == 2 && option(k.args[1], "persist"):
		kind = "persist"
	case len(k.args) == 3 && slices.Contains([]string{"ex", "px", "exat", "pxat"}, strings.ToLower(k.args[1])):
		kind = strings.ToLower(k.args[1])
		var ok bool
		if at, ok = k.deadlineOf(kind, k.args[2], false); !ok {
			return
		}
	default:
		k.w.err("ERR syntax error")
		return
	}
	answer := k.store("GET", key)
	k.w.raw(answer)
	if isError(answer) || isNull(answer) {
		return
	}
	_, has := k.s.expiry.at[k.key(key)]
	switch {
	case kind == "persist" && has:
		k.s.expiry.remove(k.key(key))
		k.changed(eventGeneric, "persist", key)
	case kind == "" || kind == "persist":
	case !at.After(time.Now()):
		k.delete(key)
	default:
		k.s.expiry.set(k.key(key), at)
		k.changed(eventGeneric, "expire", key)
	}
}

func (k *call) del() {
	n := 0
	for _, key := range k.args {
		if k.exists(key) {
			k.delete(key)
			n++
		}
	}
	k.w.int(n)
}

func (k *call) rename() {
	from, to := k.args[0], k.args[1]
	overwrites := from != to && k.exists(to)
	answer := k.store(k.spec.name, k.args...)
	k.w.raw(answer)
	if isError(answer) || k.spec.name == "renamenx" && answerInt(answer) == 0 || from == to {
		return
	}
	if overwrites {
		k.s.touch(k.key(to))
	}
	k.s.expiry.move(k.key(from), k.key(to), false)
	k.changed(eventGeneric, "rename_from", from)
	k.changed(eventGeneric, "rename_to", to)
}

func (k *call) move() {
	db, err := strconv.Atoi(k.args[1])
	if err != nil || db < 0 || db >= databases {
		k.w.err("ERR value is out of range, value must between 0 and 15")
		return
	}
	if db == *k.db {
		k.w.err("ERR source and destination objects are the same")
		return
	}
	answer := k.store("MOVE", k.args...)
	k.w.raw(answer)
	if answerInt(answer) == 0 {
		return
	}
	from, to := k.key(k.args[0]), dbKey{db, k.args[0]}
	k.s.expiry.move(from, to, false)
	k.changed(eventGeneric, "move_from", from.key)
	k.s.touch(to)
	k.s.notify(eventGeneric, "move_to", to)
}

func (k *call) copy() {
	to := dbKey{*k.db, k.args[1]}
	for i := 2; i < len(k.args); i++ {
		switch {
		case option(k.args[i], "replace"):
		case option(k.args[i], "db") && i+1 < len(k.args):
			db, err := strconv.Atoi(k.args[i+1])
			if err != nil || db < 0 || db >= databases {
				k.w.err("ERR DB index is out of range")
				return
			}
			to.db = db
			i++
		default:
			k.w.err("ERR syntax error")
			return
		}
	}
	answer := k.store("COPY", k.args...)
	k.w.raw(answer)
	if answerInt(answer) == 0 {
		return
	}
	k.s.expiry.move(k.key(k.args[0]), to, true)
	k.copyStream(to)
	k.s.touch(to)
	k.s.notify(eventGeneric, "copy_to", to)
}

func (k *call) object() {
	sub, args := k.subcommand()
	if len(args) != 1 {
		k.wrongNumber("object|" + sub)
		return
	}
	switch sub {
	case "idletime":
		k.w.raw(k.store("OBJECT", k.args...))
	case "freq":
		k.w.err("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
	default:
		k.unknownSubcommand()
	}
}
