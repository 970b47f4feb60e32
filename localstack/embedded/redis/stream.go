package redis

import (
	"errors"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// streamID orders the entries of a stream: milliseconds, then a number within the millisecond.
type streamID struct{ ms, seq uint64 }

var (
	minID = streamID{}
	maxID = streamID{math.MaxUint64, math.MaxUint64}
)

func (a streamID) compare(b streamID) int {
	switch {
	case a.ms < b.ms || a.ms == b.ms && a.seq < b.seq:
		return -1
	case a == b:
		return 0
	}
	return 1
}

func (a streamID) String() string {
	return strconv.FormatUint(a.ms, 10) + "-" + strconv.FormatUint(a.seq, 10)
}

// next returns the id after a; there is none after the last.
func (a streamID) next() (streamID, bool) {
	switch {
	case a == maxID:
		return a, false
	case a.seq == math.MaxUint64:
		return streamID{a.ms + 1, 0}, true
	}
	return streamID{a.ms, a.seq + 1}, true
}

func (a streamID) previous() (streamID, bool) {
	switch {
	case a == minID:
		return a, false
	case a.seq == 0:
		return streamID{a.ms - 1, math.MaxUint64}, true
	}
	return streamID{a.ms, a.seq - 1}, true
}

// parseID reads "ms-seq", or "ms" with seq left to the caller.
func parseID(s string, seq uint64) (streamID, bool) {
	ms, rest, whole := strings.Cut(s, "-")
	id := streamID{seq: seq}
	var err error
	if id.ms, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return id, false
	}
	if whole {
		if id.seq, err = strconv.ParseUint(rest, 10, 64); err != nil {
			return id, false
		}
	}
	return id, true
}

type entry struct {
	id     streamID
	fields []string // names and values in turn
}

// stream is the value of a stream key.
type stream struct {
	entries    []entry // by id
	last       streamID
	maxDeleted streamID
	added      int // ever
	groups     map[string]*group
}

// blockEntries is the number of entries that Redis keeps in one node and trims together (stream-node-max-entries).
const blockEntries = 100

// group is a consumer group: how far it has read, and what it has read but not acknowledged.
type group struct {
	last      streamID
	read      int // entries ever read, or unknown
	pending   []*pending
	consumers map[string]*consumer
}

// unknown is the number of entries read when it cannot be told.
const unknown = -1

type consumer struct {
	name         string
	seen, active time.Time // last tried, last got something; active may be zero
	pending      int
}

// pending is an entry that a consumer has and has not acknowledged.
type pending struct {
	id         streamID
	consumer   *consumer
	delivered  time.Time // last
	deliveries int
}

func newStream() *stream { return &stream{groups: map[string]*group{}} }

func (s *stream) clone() *stream {
	c := *s
	c.entries = slices.Clone(s.entries)
	c.groups = map[string]*group{}
	for name, g := range s.groups {
		n := &group{last: g.last, read: g.read, consumers: map[string]*consumer{}}
		for name, member := range g.consumers {
			m := *member
			n.consumers[name] = &m
		}
		for _, p := range g.pending {
			q := *p
			q.consumer = n.consumers[p.consumer.name]
			n.pending = append(n.pending, &q)
		}
		c.groups[name] = n
	}
	return &c
}

var (
	errIDZero      = errors.New("ERR The ID specified in XADD must be greater than 0-0")
	errIDTooSmall  = errors.New("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	errIDExhausted = errors.New("ERR The stream has exhausted the last possible ID, unable to add more items")
	errIDInvalid   = errors.New("ERR Invalid stream ID specified as stream command argument")
)

// add appends an entry under an id such as "*", "5-*", "5-1" or "5".
func (s *stream) add(id string, fields []string, now time.Time) (streamID, error) {
	var at streamID
	switch ms, auto := strings.CutSuffix(id, "-*"); {
	case id == "*":
		at = streamID{ms: uint64(now.UnixMilli())}
		if at.compare(s.last) <= 0 { // the clock may stand still, or go back
			next, ok := s.last.next()
			if !ok {
				return at, errIDExhausted
			}
			at = next
		}
	case auto:
		n, err := strconv.ParseUint(ms, 10, 64)
		if err != nil {
			return at, errIDInvalid
		}
		at = streamID{ms: n}
		if n == s.last.ms {
			if s.last.seq == math.MaxUint64 {
				return at, errIDTooSmall
			}
			at.seq = s.last.seq + 1
		}
	default:
		ok := false
		if at, ok = parseID(id, 0); !ok {
			return at, errIDInvalid
		}
	}
	if at == minID {
		return at, errIDZero
	}
	if at.compare(s.last) <= 0 {
		if s.last == maxID {
			return at, errIDExhausted
		}
		return at, errIDTooSmall
	}
	s.entries = append(s.entries, entry{at, fields})
	s.last = at
	s.added++
	return at, nil
}

// from returns the position of the first entry whose id is at least id.
func (s *stream) from(id streamID) int {
	return sort.Search(len(s.entries), func(i int) bool { return s.entries[i].id.compare(id) >= 0 })
}

func (s *stream) between(start, end streamID) []entry {
	i, j := s.from(start), len(s.entries)
	if next, ok := end.next(); ok {
		j = s.from(next)
	}
	return s.entries[i:max(i, j)]
}

func (s *stream) after(id streamID) []entry {
	next, ok := id.next()
	if !ok {
		return nil
	}
	return s.entries[s.from(next):]
}

func (s *stream) get(id streamID) *entry {
	if i := s.from(id); i < len(s.entries) && s.entries[i].id == id {
		return &s.entries[i]
	}
	return nil
}

func (s *stream) delete(id streamID) bool {
	i := s.from(id)
	if i == len(s.entries) || s.entries[i].id != id {
		return false
	}
	s.entries = slices.Delete(s.entries, i, i+1)
	if id.compare(s.maxDeleted) > 0 {
		s.maxDeleted = id
	}
	return true
}

// trimming says which entries XADD and XTRIM remove.
type trimming struct {
	byID   bool
	length int
	id     streamID
	approx bool
	limit  int // entries at most, 0 for any; approx only
}

func (s *stream) trim(t trimming) int {
	n := 0
	if t.byID {
		n = s.from(t.id)
	} else {
		n = max(0, len(s.entries)-t.length)
	}
	if t.approx { // whole blocks
		if t.limit > 0 {
			n = min(n, t.limit)
		}
		n -= n % blockEntries
	}
	if n > 0 {
		clear(s.entries[:n]) // the array behind it lives on until append outgrows it
		s.entries = s.entries[n:]
	}
	return n
}

func (s *stream) first() streamID {
	if len(s.entries) == 0 {
		return minID
	}
	return s.entries[0].id
}

// gapAfter reports whether an entry at or after id may have been deleted from the middle, so that reading on cannot be counted.
func (s *stream) gapAfter(id streamID) bool {
	return len(s.entries) > 0 && s.maxDeleted != minID && s.maxDeleted.compare(id) >= 0
}

// distance estimates how many entries were ever added up to id, or returns unknown (as Redis's
// streamEstimateDistanceFromFirstEverEntry does; its documentation of XINFO GROUPS explains entries-read and lag).
func (s *stream) distance(id streamID) int {
	switch {
	case s.added == 0:
		return 0
	case len(s.entries) == 0 && id.compare(s.last) <= 0, id == s.last:
		return s.added
	case id != minID && id.compare(s.maxDeleted) < 0, id.compare(s.last) > 0:
		return unknown
	case s.maxDeleted == minID || s.maxDeleted.compare(s.first()) < 0:
		switch id.compare(s.first()) {
		case -1:
			return s.added - len(s.entries)
		case 0:
			return s.added - len(s.entries) + 1
		}
	}
	return unknown
}

// lag is how many entries the group has yet to read, or unknown.
func (s *stream) lag(g *group) int {
	if s.added == 0 {
		return 0
	}
	read := g.read
	if read == unknown || s.gapAfter(g.last) {
		read = s.distance(g.last)
	}
	if read == unknown {
		return unknown
	}
	return s.added - read
}

func (g *group) position(id streamID) int {
	return sort.Search(len(g.pending), func(i int) bool { return g.pending[i].id.compare(id) >= 0 })
}

func (g *group) get(id streamID) *pending {
	if i := g.position(id); i < len(g.pending) && g.pending[i].id == id {
		return g.pending[i]
	}
	return nil
}

// deliver makes an entry pending at a consumer. After XGROUP SETID it may be pending elsewhere already.
func (g *group) deliver(id streamID, to *consumer, now time.Time) *pending {
	i := g.position(id)
	if i < len(g.pending) && g.pending[i].id == id {
		p := g.pending[i]
		p.give(to)
		p.delivered, p.deliveries = now, 1
		return p
	}
	p := &pending{id: id, consumer: to, delivered: now, deliveries: 1}
	to.pending++
	g.pending = slices.Insert(g.pending, i, p)
	return p
}

func (p *pending) give(to *consumer) {
	p.consumer.pending--
	to.pending++
	p.consumer = to
}

func (g *group) ack(id streamID) bool {
	i := g.position(id)
	if i == len(g.pending) || g.pending[i].id != id {
		return false
	}
	g.pending[i].consumer.pending--
	g.pending = slices.Delete(g.pending, i, i+1)
	return true
}

// advance notes that the group has read up to id.
func (g *group) advance(s *stream, id streamID) {
	if g.read != unknown && !s.gapAfter(id) {
		g.read++
	} else if s.added > 0 {
		g.read = s.distance(id)
	}
	g.last = id
}
