package redis

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

var streamCommands = map[string]func(*call){
	"xadd": (*call).xadd, "xlen": (*call).xlen, "xdel": (*call).xdel, "xtrim": (*call).xtrim, "xsetid": (*call).xsetid,
	"xrange":    func(k *call) { k.xrange(k.args[1], k.args[2], false) },
	"xrevrange": func(k *call) { k.xrange(k.args[2], k.args[1], true) },
	"xread":     (*call).xread,
}

// A stream's key in the store holds a handle: a stream of the store with one entry, which names ours. So the store knows the
// key's type, renames, moves and deletes it, and answers commands of other types as Redis does.

// stream returns the stream under a key, nil if there is no such key, and answers for itself if the key is of another type.
func (k *call) stream(key string) (s *stream, ok bool) {
	answer := k.store("XREVRANGE", key, "+", "-", "COUNT", "1")
	if isError(answer) {
		k.w.raw(answer)
		return nil, false
	}
	if parts := answerStrings(answer); len(parts) == 3 {
		return k.s.streams[parts[2]], true
	}
	return nil, true
}

// makeStream makes an empty stream under a key that does not exist.
func (k *call) makeStream(key string) *stream {
	s := newStream()
	k.hold(key, s)
	return s
}

func (k *call) hold(key string, s *stream) {
	if len(k.s.streams) >= k.s.sweepAt && !k.nested { // a script holds the store's own lock
		k.s.sweepStreams()
	}
	k.s.handles++
	handle := strconv.FormatInt(k.s.handles, 10)
	k.s.streams[handle] = s
	k.store("XADD", key, strconv.FormatInt(k.s.handles, 10)+"-1", "handle", handle)
}

// copyStream gives a copied key a stream of its own.
func (k *call) copyStream(to dbKey) {
	parts := answerStrings(k.inDB(to.db, "XREVRANGE", to.key, "+", "-", "COUNT", "1"))
	if len(parts) != 3 {
		return // another type
	}
	if s := k.s.streams[parts[2]]; s != nil {
		k.s.handles++
		handle := strconv.FormatInt(k.s.handles, 10)
		k.s.streams[handle] = s.clone()
		k.inDB(to.db, "XADD", to.key, handle+"-1", "handle", handle)
	}
}

// sweepStreams forgets the streams whose keys are gone.
func (s *Server) sweepStreams() {
	held := map[string]*stream{}
	for db := range databases {
		store := s.store.DB(db)
		for _, key := range store.Keys() {
			if store.Type(key) != "stream" {
				continue
			}
			if entries, err := store.Stream(key); err == nil && len(entries) > 0 {
				handle := entries[len(entries)-1].Values[1]
				held[handle] = s.streams[handle]
			}
		}
	}
	s.streams = held
	s.sweepAt = 2*len(held) + 64
}

// trimmingOption reads [MAXLEN|MINID [=|~] threshold [LIMIT count]] and returns the arguments after it.
func (k *call) trimmingOption(args []string) (t *trimming, rest []string, ok bool) {
	if len(args) == 0 || !option(args[0], "maxlen") && !option(args[0], "minid") {
		return nil, args, true
	}
	t = &trimming{byID: option(args[0], "minid")}
	args = args[1:]
	if len(args) > 1 && (args[0] == "~" || args[0] == "=") {
		t.approx = args[0] == "~"
		args = args[1:]
	}
	if len(args) == 0 {
		k.w.err("ERR syntax error")
		return nil, nil, false
	}
	if t.byID {
		id, valid := parseID(args[0], 0)
		if !valid {
			k.w.err(errIDInvalid.Error())
			return nil, nil, false
		}
		t.id = id
	} else {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			k.w.err(errNotInteger)
			return nil, nil, false
		}
		if n < 0 {
			k.w.err("ERR The MAXLEN argument must be >= 0.")
			return nil, nil, false
		}
		t.length = n
	}
	args = args[1:]
	if t.approx {
		t.limit = 100 * blockEntries
	}
	if len(args) >= 2 && option(args[0], "limit") {
		n, err := strconv.Atoi(args[1])
		switch {
		case err != nil:
			k.w.err(errNotInteger)
			return nil, nil, false
		case n < 0:
			k.w.err("ERR The LIMIT argument must be >= 0.")
			return nil, nil, false
		case !t.approx:
			k.w.err("ERR syntax error, LIMIT cannot be used without the special ~ option")
			return nil, nil, false
		}
		t.limit, args = n, args[2:]
	}
	return t, args, true
}

func (k *call) xadd() {
	key, args := k.args[0], k.args[1:]
	create := true
	var t *trimming
	for {
		if len(args) > 0 && option(args[0], "nomkstream") {
			create, args = false, args[1:]
			continue
		}
		one, rest, ok := k.trimmingOption(args)
		if !ok {
			return
		}
		if one == nil {
			break
		}
		if t != nil {
			k.w.err("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
			return
		}
		t, args = one, rest
	}
	if len(args) < 3 || len(args)%2 == 0 {
		k.wrongNumber("xadd")
		return
	}
	s, ok := k.stream(key)
	if !ok {
		return
	}
	isNew := s == nil
	if isNew {
		if !create {
			k.w.null()
			return
		}
		s = newStream()
	}
	id, err := s.add(args[0], slices.Clone(args[1:]), time.Now())
	if err != nil {
		k.w.err(err.Error())
		return
	}
	if isNew {
		k.hold(key, s)
	}
	k.w.bulk(id.String())
	k.changed(eventStream, "xadd", key)
	if t != nil && s.trim(*t) > 0 {
		k.s.notify(eventStream, "xtrim", k.key(key))
	}
}

func (k *call) xlen() {
	if s, ok := k.stream(k.args[0]); ok {
		n := 0
		if s != nil {
			n = len(s.entries)
		}
		k.w.int(n)
	}
}

// ids reads complete ids; an id without a number within the millisecond means number 0.
func (k *call) ids(args []string) ([]streamID, bool) {
	ids := make([]streamID, len(args))
	for i, a := range args {
		id, ok := parseID(a, 0)
		if !ok {
			k.w.err(errIDInvalid.Error())
			return nil, false
		}
		ids[i] = id
	}
	return ids, true
}

func (k *call) xdel() {
	ids, ok := k.ids(k.args[1:])
	if !ok {
		return
	}
	s, ok := k.stream(k.args[0])
	if !ok {
		return
	}
	n := 0
	if s != nil {
		for _, id := range ids {
			if s.delete(id) {
				n++
			}
		}
	}
	if n > 0 {
		k.changed(eventStream, "xdel", k.args[0])
	}
	k.w.int(n)
}

func (k *call) xtrim() {
	t, rest, ok := k.trimmingOption(k.args[1:])
	if !ok {
		return
	}
	if t == nil || len(rest) > 0 {
		k.w.err("ERR syntax error")
		return
	}
	s, ok := k.stream(k.args[0])
	if !ok {
		return
	}
	n := 0
	if s != nil {
		n = s.trim(*t)
	}
	if n > 0 {
		k.changed(eventStream, "xtrim", k.args[0])
	}
	k.w.int(n)
}

func (k *call) xsetid() {
	key := k.args[0]
	id, ok := parseID(k.args[1], 0)
	if !ok {
		k.w.err(errIDInvalid.Error())
		return
	}
	added, deleted := unknown, minID
	for args := k.args[2:]; len(args) > 0; args = args[2:] {
		switch {
		case option(args[0], "entriesadded") && len(args) >= 2:
			n, err := strconv.Atoi(args[1])
			if err != nil {
				k.w.err(errNotInteger)
				return
			}
			if n < 0 {
				k.w.err("ERR entries_added must be positive")
				return
			}
			added = n
		case option(args[0], "maxdeletedid") && len(args) >= 2:
			if deleted, ok = parseID(args[1], 0); !ok {
				k.w.err(errIDInvalid.Error())
				return
			}
			if id.compare(deleted) < 0 {
				k.w.err("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
				return
			}
		default:
			k.w.err("ERR syntax error")
			return
		}
	}
	s, ok := k.stream(key)
	switch {
	case !ok:
	case s == nil:
		k.w.err("ERR no such key")
	case len(s.entries) > 0 && id.compare(s.entries[len(s.entries)-1].id) < 0:
		k.w.err("ERR The ID specified in XSETID is smaller than the target stream top item")
	case id.compare(s.maxDeleted) < 0:
		k.w.err("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	case len(s.entries) > 0 && added != unknown && added < len(s.entries):
		k.w.err("ERR The entries_added specified in XSETID is smaller than the target stream length")
	default:
		s.last = id
		if added != unknown {
			s.added = added
		}
		if deleted != minID {
			s.maxDeleted = deleted
		}
		k.w.ok()
		k.changed(eventStream, "xsetid", key)
	}
}

// rangeEnd reads a bound of XRANGE and XPENDING: -, +, an id, or ( and an id that is left out itself.
func (k *call) rangeEnd(s string, start bool) (streamID, bool) {
	switch s {
	case "-":
		return minID, true
	case "+":
		return maxID, true
	}
	text, exclusive := strings.CutPrefix(s, "(")
	seq := uint64(0)
	if !start {
		seq = maxID.seq
	}
	id, ok := parseID(text, seq)
	if !ok {
		k.w.err(errIDInvalid.Error())
		return id, false
	}
	if exclusive {
		if start {
			id, ok = id.next()
		} else {
			id, ok = id.previous()
		}
		if !ok {
			k.w.errf("ERR invalid %s ID for the interval", map[bool]string{true: "start", false: "end"}[start])
			return id, false
		}
	}
	return id, true
}

func (k *call) xrange(first, last string, reverse bool) {
	start, ok := k.rangeEnd(first, true)
	if !ok {
		return
	}
	end, ok := k.rangeEnd(last, false)
	if !ok {
		return
	}
	count := -1
	if extra := k.args[3:]; len(extra) > 0 {
		if len(extra) != 2 || !option(extra[0], "count") {
			k.w.err("ERR syntax error")
			return
		}
		n, err := strconv.Atoi(extra[1])
		if err != nil {
			k.w.err(errNotInteger)
			return
		}
		count = max(n, 0)
	}
	s, ok := k.stream(k.args[0])
	switch {
	case !ok:
	case s == nil:
		k.w.array(0)
	case count == 0:
		k.w.nullArray()
	default:
		entries := s.between(start, end)
		if reverse {
			entries = slices.Clone(entries)
			slices.Reverse(entries)
		}
		if count > 0 && count < len(entries) {
			entries = entries[:count]
		}
		k.w.entries(entries)
	}
}

func (w *reply) entries(entries []entry) {
	w.array(len(entries))
	for _, e := range entries {
		w.entry(e)
	}
}

func (w *reply) entry(e entry) {
	w.array(2)
	w.bulk(e.id.String())
	w.bulks(e.fields)
}

// reading is what XREAD and XREADGROUP ask for.
type reading struct {
	count     int // 0: all
	block     bool
	timeout   time.Duration // 0: none
	noAck     bool
	group     string
	consumer  string
	keys, ids []string
}

func (k *call) reading() (r reading, ok bool) {
	grouped := k.spec.name == "xreadgroup"
	args := k.args
	for len(args) > 0 {
		word := strings.ToLower(args[0])
		switch {
		case word == "count" && len(args) > 1:
			n, err := strconv.Atoi(args[1])
			if err != nil {
				k.w.err(errNotInteger)
				return r, false
			}
			r.count, args = max(n, 0), args[2:]
		case word == "block" && len(args) > 1:
			ms, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				k.w.err("ERR timeout is not an integer or out of range")
				return r, false
			}
			if ms < 0 {
				k.w.err("ERR timeout is negative")
				return r, false
			}
			r.block, r.timeout, args = true, time.Duration(ms)*time.Millisecond, args[2:]
		case word == "group" && len(args) > 2 && grouped:
			r.group, r.consumer, args = args[1], args[2], args[3:]
		case word == "noack" && grouped:
			r.noAck, args = true, args[1:]
		case word == "streams":
			args = args[1:]
			if len(args) == 0 || len(args)%2 != 0 {
				symbol := "$"
				if grouped {
					symbol = ">"
				}
				k.w.errf("ERR Unbalanced '%s' list of streams: for each stream key an ID or '%s' must be specified.", k.spec.name, symbol)
				return r, false
			}
			r.keys, r.ids = args[:len(args)/2], args[len(args)/2:]
			args = nil
		default:
			k.w.err("ERR syntax error")
			return r, false
		}
	}
	if r.keys == nil {
		k.w.err("ERR syntax error")
		return r, false
	}
	if grouped && r.group == "" && !hasWord(k.args, "group") {
		k.w.err("ERR Missing GROUP option for XREADGROUP")
		return r, false
	}
	return r, true
}

func (k *call) xread() {
	r, ok := k.reading()
	if !ok {
		return
	}
	after := make([]streamID, len(r.keys))
	for i, key := range r.keys {
		switch r.ids[i] {
		case "$":
			s, ok := k.stream(key)
			if !ok {
				return
			}
			if s != nil {
				after[i] = s.last
			}
		case ">":
			k.w.err("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
			return
		default:
			if after[i], ok = parseID(r.ids[i], 0); !ok {
				k.w.err(errIDInvalid.Error())
				return
			}
		}
	}
	try := func(w *reply) bool {
		var found []keyEntries
		for i, key := range r.keys {
			s, ok := k.like("xread", k.args, w).stream(key)
			if !ok {
				return true
			}
			if s == nil {
				continue
			}
			if entries := s.after(after[i]); len(entries) > 0 {
				if r.count > 0 && r.count < len(entries) {
					entries = entries[:r.count]
				}
				found = append(found, keyEntries{key, func(w *reply) { w.entries(entries) }})
			}
		}
		return w.streams(found)
	}
	if r.block {
		k.blockOn(r.keys, r.timeout, try, (*reply).nullArray)
	} else if !try(k.w) {
		k.w.nullArray()
	}
}

type keyEntries struct {
	key   string
	write func(w *reply)
}

// streams answers with what was found in each stream, if anything.
func (w *reply) streams(found []keyEntries) bool {
	if len(found) == 0 {
		return false
	}
	if w.resp3 {
		w.mapping(len(found))
	} else {
		w.array(len(found))
	}
	for _, f := range found {
		if !w.resp3 {
			w.array(2)
		}
		w.bulk(f.key)
		f.write(w)
	}
	return true
}
