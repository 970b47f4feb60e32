package redis

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

var groupCommands = map[string]func(*call){
	"xgroup": (*call).xgroup, "xreadgroup": (*call).xreadgroup, "xack": (*call).xack, "xpending": (*call).xpending,
	"xclaim": (*call).xclaim, "xautoclaim": (*call).xautoclaim, "xinfo": (*call).xinfo,
}

func (k *call) xgroup() {
	sub, args := k.subcommand()
	least := map[string]int{"create": 3, "setid": 3, "destroy": 2, "createconsumer": 3, "delconsumer": 3}
	n, ok := least[sub]
	if !ok {
		k.unknownSubcommand()
		return
	}
	if len(args) < n || len(args) > n && sub != "create" && sub != "setid" {
		k.wrongNumber("xgroup|" + sub)
		return
	}
	makeStream, read := false, unknown
	for extra := args[n:]; len(extra) > 0; {
		switch {
		case option(extra[0], "mkstream") && sub == "create":
			makeStream, extra = true, extra[1:]
		case option(extra[0], "entriesread") && len(extra) >= 2:
			v, err := strconv.Atoi(extra[1])
			if err != nil {
				k.w.err(errNotInteger)
				return
			}
			if v < 0 && v != unknown {
				k.w.err("ERR value for ENTRIESREAD must be positive or -1")
				return
			}
			read, extra = v, extra[2:]
		default:
			k.w.err("ERR syntax error")
			return
		}
	}
	key, name := args[0], args[1]
	s, ok := k.stream(key)
	if !ok {
		return
	}
	if s == nil && !makeStream {
		k.w.err("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
		return
	}
	var last streamID
	if sub == "create" || sub == "setid" {
		if args[2] == "$" {
			if s != nil {
				last = s.last
			}
		} else if last, ok = parseID(args[2], 0); !ok {
			k.w.err(errIDInvalid.Error())
			return
		}
	}
	if s == nil {
		s = k.makeStream(key)
	}
	g := s.groups[name]
	switch {
	case sub == "create" && g != nil:
		k.w.err("BUSYGROUP Consumer Group name already exists")
		return
	case sub != "create" && sub != "destroy" && g == nil:
		k.w.errf("NOGROUP No such consumer group '%s' for key name '%s'", name, key)
		return
	}
	now := time.Now()
	switch sub {
	case "create":
		s.groups[name] = &group{last: last, read: read, consumers: map[string]*consumer{}}
		k.w.ok()
		k.changed(eventStream, "xgroup-create", key)
	case "setid":
		g.last, g.read = last, read
		k.w.ok()
		k.changed(eventStream, "xgroup-setid", key)
	case "destroy":
		if g == nil {
			k.w.int(0)
			return
		}
		delete(s.groups, name)
		k.w.int(1)
		k.changed(eventStream, "xgroup-destroy", key) // who blocks on the group is told
	case "createconsumer":
		if g.consumers[args[2]] != nil {
			k.w.int(0)
			return
		}
		k.consumer(g, key, args[2], now)
		k.w.int(1)
	case "delconsumer":
		c := g.consumers[args[2]]
		if c == nil {
			k.w.int(0)
			return
		}
		k.w.int(c.pending)
		g.pending = slices.DeleteFunc(g.pending, func(p *pending) bool { return p.consumer == c })
		delete(g.consumers, c.name)
		k.changed(eventStream, "xgroup-delconsumer", key)
	}
}

// consumer returns a consumer that has just been seen, and makes it if need be.
func (k *call) consumer(g *group, key, name string, now time.Time) *consumer {
	c := g.consumers[name]
	if c == nil {
		c = &consumer{name: name}
		g.consumers[name] = c
		k.s.notify(eventStream, "xgroup-createconsumer", k.key(key))
	}
	c.seen = now
	return c
}

func (k *call) xreadgroup() {
	r, ok := k.reading()
	if !ok {
		return
	}
	after := make([]streamID, len(r.keys))
	for i := range r.keys {
		switch r.ids[i] {
		case ">":
		case "$":
			k.w.err("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
			return
		default:
			if after[i], ok = parseID(r.ids[i], 0); !ok {
				k.w.err(errIDInvalid.Error())
				return
			}
		}
	}
	try := func(w *reply) bool {
		groups := make([]*group, len(r.keys))
		streams := make([]*stream, len(r.keys))
		for i, key := range r.keys {
			s, ok := k.like("xreadgroup", k.args, w).stream(key)
			if !ok {
				return true
			}
			if s == nil || s.groups[r.group] == nil {
				w.errf("NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option", key, r.group)
				return true
			}
			streams[i], groups[i] = s, s.groups[r.group]
		}
		var found []keyEntries
		now := time.Now()
		for i, key := range r.keys {
			s, g := streams[i], groups[i]
			c := k.consumer(g, key, r.consumer, now)
			if r.ids[i] != ">" {
				history := g.history(s, c, after[i], r.count, now)
				found = append(found, keyEntries{key, history})
				continue
			}
			entries := s.after(g.last)
			if len(entries) == 0 {
				continue
			}
			if r.count > 0 && r.count < len(entries) {
				entries = entries[:r.count]
			}
			c.active = now
			for _, e := range entries {
				g.advance(s, e.id)
				if !r.noAck {
					g.deliver(e.id, c, now)
				}
			}
			found = append(found, keyEntries{key, func(w *reply) { w.entries(entries) }})
		}
		return w.streams(found)
	}
	if r.block {
		k.blockOn(r.keys, r.timeout, try, (*reply).nullArray)
	} else if !try(k.w) {
		k.w.nullArray()
	}
}

// history delivers again what is pending at a consumer. An entry that was deleted meanwhile comes without fields.
func (g *group) history(s *stream, c *consumer, after streamID, count int, now time.Time) func(*reply) {
	var ids []streamID
	for _, p := range g.pending {
		if p.consumer != c || p.id.compare(after) <= 0 {
			continue
		}
		if count > 0 && len(ids) == count {
			break
		}
		if s.get(p.id) != nil {
			p.delivered = now
			p.deliveries++
		}
		ids = append(ids, p.id)
	}
	return func(w *reply) {
		w.array(len(ids))
		for _, id := range ids {
			if e := s.get(id); e != nil {
				w.entry(*e)
				continue
			}
			w.array(2)
			w.bulk(id.String())
			w.nullArray()
		}
	}
}

// group returns a group of a stream, or answers for itself.
func (k *call) group(key, name string) (*stream, *group, bool) {
	s, ok := k.stream(key)
	if !ok {
		return nil, nil, false
	}
	if s == nil || s.groups[name] == nil {
		k.w.errf("NOGROUP No such key '%s' or consumer group '%s'", key, name)
		return nil, nil, false
	}
	return s, s.groups[name], true
}

func (k *call) xack() {
	s, ok := k.stream(k.args[0])
	if !ok {
		return
	}
	if s == nil || s.groups[k.args[1]] == nil {
		k.w.int(0)
		return
	}
	ids, ok := k.ids(k.args[2:])
	if !ok {
		return
	}
	n := 0
	for _, id := range ids {
		if s.groups[k.args[1]].ack(id) {
			n++
		}
	}
	k.w.int(n)
}

func (k *call) xpending() {
	args := k.args[2:]
	if len(args) == 0 {
		if _, g, ok := k.group(k.args[0], k.args[1]); ok {
			k.pendingSummary(g)
		}
		return
	}
	var idle time.Duration
	if option(args[0], "idle") {
		if len(args) < 2 {
			k.w.err("ERR syntax error")
			return
		}
		ms, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			k.w.err(errNotInteger)
			return
		}
		idle, args = time.Duration(ms)*time.Millisecond, args[2:]
	}
	if len(args) < 3 || len(args) > 4 {
		k.w.err("ERR syntax error")
		return
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		k.w.err(errNotInteger)
		return
	}
	start, ok := k.rangeEnd(args[0], true)
	if !ok {
		return
	}
	end, ok := k.rangeEnd(args[1], false)
	if !ok {
		return
	}
	_, g, ok := k.group(k.args[0], k.args[1])
	if !ok {
		return
	}
	var shown []*pending
	now := time.Now()
	for _, p := range g.pending[g.position(start):] {
		if p.id.compare(end) > 0 || len(shown) >= count {
			break
		}
		if now.Sub(p.delivered) >= idle && (len(args) == 3 || p.consumer.name == args[3]) {
			shown = append(shown, p)
		}
	}
	k.w.array(len(shown))
	for _, p := range shown {
		k.w.array(4)
		k.w.bulk(p.id.String())
		k.w.bulk(p.consumer.name)
		k.w.int(milliseconds(now, p.delivered))
		k.w.int(p.deliveries)
	}
}

func (k *call) pendingSummary(g *group) {
	k.w.array(4)
	k.w.int(len(g.pending))
	if len(g.pending) == 0 {
		k.w.null()
		k.w.null()
		k.w.nullArray()
		return
	}
	k.w.bulk(g.pending[0].id.String())
	k.w.bulk(g.pending[len(g.pending)-1].id.String())
	var busy []*consumer
	for _, name := range sortedNames(g.consumers) {
		if c := g.consumers[name]; c.pending > 0 {
			busy = append(busy, c)
		}
	}
	k.w.array(len(busy))
	for _, c := range busy {
		k.w.array(2)
		k.w.bulk(c.name)
		k.w.bulk(strconv.Itoa(c.pending))
	}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// milliseconds returns the time since then; none after a claim that set a time in the future.
func milliseconds(now, then time.Time) int { return max(0, int(now.Sub(then).Milliseconds())) }

// minIdle reads the least idle time of XCLAIM and XAUTOCLAIM.
func (k *call) minIdle(s string) (time.Duration, bool) {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		k.w.errf("ERR Invalid min-idle-time argument for %s", strings.ToUpper(k.spec.name))
		return 0, false
	}
	return time.Duration(max(ms, 0)) * time.Millisecond, true
}

func (k *call) xclaim() {
	key := k.args[0]
	s, g, ok := k.group(key, k.args[1])
	if !ok {
		return
	}
	idle, ok := k.minIdle(k.args[3])
	if !ok {
		return
	}
	now := time.Now()
	delivered, retries, force, justID := now, -1, false, false
	last := minID
	args := k.args[4:]
	n := 0
	for n < len(args) {
		if _, ok := parseID(args[n], 0); !ok {
			break
		}
		n++
	}
	ids, _ := k.ids(args[:n])
	for args = args[n:]; len(args) > 0; args = args[1:] {
		word := strings.ToLower(args[0])
		switch word {
		case "force":
			force = true
			continue
		case "justid":
			justID = true
			continue
		}
		if len(args) < 2 || !slices.Contains([]string{"idle", "time", "retrycount", "lastid"}, word) {
			k.w.errf("ERR Unrecognized XCLAIM option '%s'", args[0])
			return
		}
		args = args[1:]
		if word == "lastid" {
			if last, ok = parseID(args[0], 0); !ok {
				k.w.err(errIDInvalid.Error())
				return
			}
			continue
		}
		v, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			k.w.errf("ERR Invalid %s option argument for XCLAIM", strings.ToUpper(word))
			return
		}
		switch word {
		case "idle":
			delivered = now.Add(-time.Duration(v) * time.Millisecond)
		case "time":
			delivered = time.UnixMilli(v)
		case "retrycount":
			if v < 0 {
				k.w.err("ERR Invalid RETRYCOUNT option argument for XCLAIM")
				return
			}
			retries = int(v)
		}
	}
	if delivered.After(now) {
		delivered = now
	}
	if last.compare(g.last) > 0 {
		g.last = last
	}
	c := k.consumer(g, key, k.args[2], now)
	var claimed []entry
	for _, id := range ids {
		p, e := g.get(id), s.get(id)
		if e == nil {
			g.ack(id) // what was deleted cannot be claimed
			continue
		}
		if p == nil {
			if !force {
				continue
			}
			p = g.deliver(id, c, delivered)
		} else if now.Sub(p.delivered) < idle {
			continue
		}
		p.give(c)
		p.delivered = delivered
		if retries >= 0 {
			p.deliveries = retries
		} else if !justID {
			p.deliveries++
		}
		c.active = now
		claimed = append(claimed, *e)
	}
	k.w.claimed(claimed, justID)
}

func (w *reply) claimed(entries []entry, justID bool) {
	if !justID {
		w.entries(entries)
		return
	}
	w.array(len(entries))
	for _, e := range entries {
		w.bulk(e.id.String())
	}
}

func (k *call) xautoclaim() {
	key := k.args[0]
	idle, ok := k.minIdle(k.args[3])
	if !ok {
		return
	}
	start, ok := k.rangeEnd(k.args[4], true)
	if !ok {
		return
	}
	count, justID := 100, false
	for args := k.args[5:]; len(args) > 0; args = args[1:] {
		switch {
		case option(args[0], "count") && len(args) > 1:
			args = args[1:]
			n, err := strconv.Atoi(args[0])
			if err != nil {
				k.w.err(errNotInteger)
				return
			}
			if n < 1 {
				k.w.err("ERR COUNT must be > 0")
				return
			}
			count = n
		case option(args[0], "justid"):
			justID = true
		default:
			k.w.err("ERR syntax error")
			return
		}
	}
	s, g, ok := k.group(key, k.args[1])
	if !ok {
		return
	}
	now := time.Now()
	c := k.consumer(g, key, k.args[2], now)
	var claimed []entry
	var deleted []string
	i := g.position(start)
	// Redis looks at ten times count entries, so that a call ends soon when most are too young.
	for attempts := count * 10; attempts > 0 && count > 0 && i < len(g.pending); attempts-- {
		p := g.pending[i]
		e := s.get(p.id)
		if e == nil {
			g.ack(p.id)
			deleted = append(deleted, p.id.String())
			count--
			continue
		}
		i++
		if now.Sub(p.delivered) < idle {
			continue
		}
		p.give(c)
		p.delivered = now
		if !justID {
			p.deliveries++
		}
		c.active = now
		claimed = append(claimed, *e)
		count--
	}
	cursor := minID
	if i < len(g.pending) {
		cursor = g.pending[i].id
	}
	k.w.array(3)
	k.w.bulk(cursor.String())
	k.w.claimed(claimed, justID)
	k.w.bulks(deleted)
}

func (k *call) xinfo() {
	sub, args := k.subcommand()
	need := map[string]int{"stream": 1, "groups": 1, "consumers": 2}
	n, ok := need[sub]
	if !ok {
		k.unknownSubcommand()
		return
	}
	if len(args) < n || len(args) > n && sub != "stream" {
		k.wrongNumber("xinfo|" + sub)
		return
	}
	s, ok := k.stream(args[0])
	if !ok {
		return
	}
	if s == nil {
		k.w.err("ERR no such key")
		return
	}
	switch sub {
	case "groups":
		k.w.array(len(s.groups))
		for _, name := range sortedNames(s.groups) {
			g := s.groups[name]
			k.w.mapping(6)
			k.w.bulk("name")
			k.w.bulk(name)
			k.w.field("consumers", len(g.consumers))
			k.w.field("pending", len(g.pending))
			k.w.groupPosition(s, g)
		}
	case "consumers":
		g := s.groups[args[1]]
		if g == nil {
			k.w.errf("NOGROUP No such consumer group '%s' for key name '%s'", args[1], args[0])
			return
		}
		now := time.Now()
		k.w.array(len(g.consumers))
		for _, name := range sortedNames(g.consumers) {
			c := g.consumers[name]
			k.w.mapping(4)
			k.w.bulk("name")
			k.w.bulk(name)
			k.w.field("pending", c.pending)
			k.w.field("idle", milliseconds(now, c.seen))
			if c.active.IsZero() {
				k.w.field("inactive", -1)
			} else {
				k.w.field("inactive", milliseconds(now, c.active))
			}
		}
	case "stream":
		k.xinfoStream(s, args[1:])
	}
}

func (w *reply) field(name string, n int) {
	w.bulk(name)
	w.int(n)
}

func (w *reply) groupPosition(s *stream, g *group) {
	w.bulk("last-delivered-id")
	w.bulk(g.last.String())
	w.known("entries-read", g.read)
	w.known("lag", s.lag(g))
}

func (w *reply) known(name string, n int) {
	w.bulk(name)
	if n == unknown {
		w.null()
	} else {
		w.int(n)
	}
}

func (k *call) xinfoStream(s *stream, args []string) {
	full, count := false, 10
	switch {
	case len(args) == 0:
	case len(args) == 1 && option(args[0], "full"):
		full = true
	case len(args) == 3 && option(args[0], "full") && option(args[1], "count"):
		n, err := strconv.Atoi(args[2])
		if err != nil {
			k.w.err(errNotInteger)
			return
		}
		full = true
		if count = n; n < 0 {
			count = 10
		}
	default:
		k.w.err("ERR syntax error")
		return
	}
	blocks := (len(s.entries) + blockEntries - 1) / blockEntries
	k.w.mapping(map[bool]int{true: 9, false: 10}[full])
	k.w.field("length", len(s.entries))
	k.w.field("radix-tree-keys", blocks)
	k.w.field("radix-tree-nodes", blocks+1)
	k.w.bulk("last-generated-id")
	k.w.bulk(s.last.String())
	k.w.bulk("max-deleted-entry-id")
	k.w.bulk(s.maxDeleted.String())
	k.w.field("entries-added", s.added)
	k.w.bulk("recorded-first-entry-id")
	k.w.bulk(s.first().String())
	if full {
		k.w.bulk("entries")
		k.w.entries(upTo(s.entries, count))
		k.w.bulk("groups")
		k.w.array(len(s.groups))
		for _, name := range sortedNames(s.groups) {
			k.w.groupInFull(s, name, count)
		}
		return
	}
	k.w.field("groups", len(s.groups))
	for _, end := range []string{"first-entry", "last-entry"} {
		k.w.bulk(end)
		switch {
		case len(s.entries) == 0:
			k.w.null()
		case end == "first-entry":
			k.w.entry(s.entries[0])
		default:
			k.w.entry(s.entries[len(s.entries)-1])
		}
	}
}

// upTo returns the first elements; a count of 0 is all of them.
func upTo[E any](list []E, count int) []E {
	if count == 0 || count > len(list) {
		return list
	}
	return list[:count]
}

func (w *reply) groupInFull(s *stream, name string, count int) {
	g := s.groups[name]
	w.mapping(7)
	w.bulk("name")
	w.bulk(name)
	w.groupPosition(s, g)
	w.field("pel-count", len(g.pending))
	w.bulk("pending")
	shown := upTo(g.pending, count)
	w.array(len(shown))
	for _, p := range shown {
		w.array(4)
		w.bulk(p.id.String())
		w.bulk(p.consumer.name)
		w.int(int(p.delivered.UnixMilli()))
		w.int(p.deliveries)
	}
	w.bulk("consumers")
	w.array(len(g.consumers))
	for _, name := range sortedNames(g.consumers) {
		c := g.consumers[name]
		w.mapping(5)
		w.bulk("name")
		w.bulk(name)
		w.field("seen-time", int(c.seen.UnixMilli()))
		active := -1
		if !c.active.IsZero() {
			active = int(c.active.UnixMilli())
		}
		w.field("active-time", active)
		w.field("pel-count", c.pending)
		w.bulk("pending")
		var own []*pending
		for _, p := range g.pending {
			if p.consumer == c {
				own = append(own, p)
			}
		}
		own = upTo(own, count)
		w.array(len(own))
		for _, p := range own {
			w.array(3)
			w.bulk(p.id.String())
			w.int(int(p.delivered.UnixMilli()))
			w.int(p.deliveries)
		}
	}
}
