package queue

import (
	"math"
	"slices"
	"time"
)

// Fairness says when a group of an unordered queue is crowding out the others: its messages then wait while another group
// has any. It does so while it has messages ready, has enqueued one within Memory, and either has MinLeased messages leased
// that are more than Share of all, or has taken more than Share of the receivers' time of late. Among the groups that crowd,
// the one with the fewest leased messages goes first. Messages without a group crowd out nobody.
// The zero Fairness delivers strictly by age.
type Fairness struct {
	Share     float64       // of the leased messages, and of the receivers' time: 0.1 is a tenth
	MinLeased int           // fewer leased messages than this are never too many
	Memory    time.Duration // how long a receiver's time counts: an hour ago it weighs e^(-hour/Memory) of what it does now
}

// busyTime is the time for which receivers held messages, recent time weighing more. Instead of letting the old shrink, the new
// is counted larger, so that nothing needs an update as time goes by.
type busyTime struct {
	total float64
	since int64 // the instant at which a nanosecond weighs 1
}

// wasBusy counts time for which a message of g was leased.
func (q *Queue) wasBusy(g *group, d int64) {
	if q.opts.Fair.Memory <= 0 || d <= 0 {
		return
	}
	age := float64(q.broker.now-q.busy.since) / float64(q.opts.Fair.Memory)
	if age > 100 { // before the weights outgrow a float64
		shrink := math.Exp(-age)
		for _, g := range q.groups {
			g.busy *= shrink
		}
		q.busy.total *= shrink
		q.busy.since, age = q.broker.now, 0
	}
	weighed := float64(d) * math.Exp(age)
	q.busy.total += weighed
	if g.id != "" && len(g.ready.items) > 0 {
		g.busy += weighed
	} else {
		g.busy = 0 // without a backlog it keeps nobody waiting
	}
}

func (q *Queue) crowds(g *group) bool {
	f := q.opts.Fair
	if f.Share <= 0 || g.id == "" || q.broker.now-g.enqueued >= int64(f.Memory) {
		return false
	}
	return g.leased >= f.MinLeased && float64(g.leased) > f.Share*float64(q.stats.Leased) || g.busy > f.Share*q.busy.total
}

// nextGroup returns the group that delivers next, or nil. Fewer than 2/Share groups can crowd at a time, so the look at each
// of them is short.
func (q *Queue) nextGroup() *group {
	for i := len(q.crowd) - 1; i >= 0; i-- {
		if g := q.crowd[i]; !q.crowds(g) {
			q.leaveCrowd(g)
			q.place(g)
		}
	}
	for g := q.turns.first(); g != nil; g = q.turns.first() {
		if !q.crowds(g) {
			return g
		}
		q.turns.remove(g.index)
		g.crowded = true
		q.crowd = append(q.crowd, g)
	}
	var next *group
	for _, g := range q.crowd {
		if next == nil || g.leased < next.leased || g.leased == next.leased && olderGroup(g, next) {
			next = g
		}
	}
	return next
}

func (q *Queue) leaveCrowd(g *group) {
	i := slices.Index(q.crowd, g)
	q.crowd = slices.Delete(q.crowd, i, i+1)
	g.crowded = false
}
