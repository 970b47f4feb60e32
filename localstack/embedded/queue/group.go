package queue

// A group is the messages of one ordering key, or of one tenant. Messages without a group share the group "", which is never
// held back.
type group struct {
	id        string
	ready     heap[*message]
	size      int // messages in any state
	leased    int
	returning int
	enqueued  int64 // when its last message was enqueued
	due       int64 // in an ordered queue: when the last of its delayed messages is ready
	busy      float64
	index     int32 // place in turns; -1: not there
	crowded   bool  // is in crowd
}

func newGroup(id string) *group {
	return &group{id: id, index: -1, ready: newHeap(older, func(m *message, i int32) { m.index = i })}
}

// older is the order of delivery.
func older(x, y *message) bool {
	if x.priority != y.priority {
		return x.priority > y.priority
	}
	return x.seq < y.seq
}

func olderGroup(x, y *group) bool { return older(x.ready.first(), y.ready.first()) }

// holdsBack says whether the group's messages are kept back because one of them is out.
func (q *Queue) holdsBack(g *group) bool {
	return q.opts.Ordered && g.id != "" && g.leased+g.returning > 0
}

// place puts a group where it belongs after something about it has changed: among those that may deliver, or not.
func (q *Queue) place(g *group) {
	mayDeliver := len(g.ready.items) > 0 && !q.holdsBack(g)
	switch {
	case g.crowded:
		if !mayDeliver {
			q.leaveCrowd(g)
		}
	case g.index >= 0 && mayDeliver:
		q.turns.fix(g.index)
	case g.index >= 0:
		q.turns.remove(g.index)
	case mayDeliver:
		q.turns.push(g)
	}
}
