package queue

import "time"

// Dedup says when an entry repeats an earlier one: it has the same deduplication id, and the other was enqueued less than
// Window ago, whatever became of it since.
type Dedup struct {
	Window   time.Duration
	PerGroup bool // ids are compared within a group only
}

// dedupMemory is what a queue remembers of the ids, oldest first in order.
type dedupMemory struct {
	seen  map[string]Receipt
	order []remembered
}

type remembered struct {
	key string
	at  int64
}

func (d Dedup) key(e Entry) string {
	if d.PerGroup {
		return e.Group + "\x00" + e.DedupID
	}
	return e.DedupID
}

func (m *dedupMemory) find(d Dedup, e Entry, now int64) (Receipt, bool) {
	for len(m.order) > 0 && now-m.order[0].at >= int64(d.Window) {
		delete(m.seen, m.order[0].key)
		m.order = m.order[1:]
	}
	r, ok := m.seen[d.key(e)]
	return r, ok
}

func (m *dedupMemory) add(d Dedup, e Entry, r Receipt, now int64) {
	if d.Window <= 0 {
		return
	}
	if m.seen == nil {
		m.seen = make(map[string]Receipt)
	}
	key := d.key(e)
	m.seen[key] = r
	m.order = append(m.order, remembered{key, now})
}
