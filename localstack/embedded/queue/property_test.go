package queue_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// bubble is the test to rapid, without the deadline, which is not to be had in virtual time.
type bubble struct{ *testing.T }

// model is what a queue should be doing, kept in the plainest way: a slice that is searched.
type model struct {
	opts     queue.Options
	messages []*modelMessage // in the order of enqueueing
	settled  map[int]bool
	dead     map[int]bool
}

type modelMessage struct {
	n          int
	group      string
	priority   uint8
	readyAt    time.Time
	expires    time.Time // zero: never
	leased     bool
	returning  bool
	handle     queue.Handle
	deliveries int
}

func (m *model) advance() {
	m.messages = slices.DeleteFunc(m.messages, func(x *modelMessage) bool {
		if x.leased && !x.readyAt.After(time.Now()) {
			x.leased = false
		}
		if x.returning && !x.readyAt.After(time.Now()) {
			x.returning = false
		}
		return !x.leased && !x.expires.IsZero() && !x.expires.After(time.Now())
	})
}

func (x *modelMessage) ready() bool { return !x.leased && !x.readyAt.After(time.Now()) }

func (m *model) heldBack(group string) bool {
	return m.opts.Ordered && group != "" && slices.ContainsFunc(m.messages, func(x *modelMessage) bool {
		return x.group == group && (x.leased || x.returning)
	})
}

// next is the oldest ready message of the highest priority whose group is not held back; in an ordered queue messages of one
// group are never of different priority here.
func (m *model) next(eligible func(*modelMessage) bool) *modelMessage {
	var best *modelMessage
	for _, x := range m.messages {
		if x.ready() && eligible(x) && (best == nil || x.priority > best.priority) {
			best = x
		}
	}
	return best
}

func (m *model) stats() (s queue.Stats) {
	for _, x := range m.messages {
		switch {
		case x.leased:
			s.Leased++
		case x.ready():
			s.Ready++
		default:
			s.Delayed++
		}
	}
	return s
}

// deliver is what a receiver that asks for n must get.
func (m *model) deliver(n int, lease time.Duration) []*modelMessage {
	var got []*modelMessage
	mine := map[string]bool{} // groups that only this receiver's messages hold back
	for len(got) < n {
		var x *modelMessage
		if m.opts.Ordered && len(got) > 0 && got[len(got)-1].group != "" { // the rest of the group first
			g := got[len(got)-1].group
			x = m.next(func(x *modelMessage) bool { return x.group == g })
		}
		if x == nil {
			x = m.next(func(x *modelMessage) bool { return mine[x.group] || !m.heldBack(x.group) })
		}
		if x == nil {
			break
		}
		if limit := m.opts.DeadLetter.MaxDeliveries; limit > 0 && x.deliveries >= limit {
			m.remove(x)
			m.dead[x.n] = true
			continue
		}
		mine[x.group] = true
		x.leased, x.readyAt = true, time.Now().Add(lease)
		x.deliveries++
		got = append(got, x)
	}
	return got
}

func (m *model) remove(x *modelMessage) {
	m.messages = slices.DeleteFunc(m.messages, func(y *modelMessage) bool { return y == x })
}

// TestQueueDoesWhatThePlainModelDoes runs random operations on a queue and on the model, and compares after each: the same
// messages in the same order to every receiver, the same counts, the same errors. From it follow the promises of a broker: nothing
// is lost, a message has at most one lease, a group is delivered in order, deliveries are counted right, the counts add up.
func TestQueueDoesWhatThePlainModelDoes(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprintf("ordered %t", ordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rapid.Check(bubble{t}, func(t *rapid.T) { checkAgainstModel(t, ordered) })
			})
		})
	}
}

func checkAgainstModel(t *rapid.T, ordered bool) {
	b := queue.NewBroker()
	dead := b.NewQueue("dead", queue.Options{})
	defer dead.Close()
	o := queue.Options{Ordered: ordered, SettleLate: !ordered, MaxLease: 20 * time.Second, TTL: time.Duration(rapid.IntRange(0, 60).Draw(t, "ttl")) * time.Second}
	if rapid.Bool().Draw(t, "dead letters") {
		o.DeadLetter = queue.DeadLetter{To: dead, MaxDeliveries: rapid.IntRange(1, 3).Draw(t, "max deliveries")}
	}
	q := b.NewQueue("q", o)
	defer q.Close()
	m := &model{opts: o, settled: map[int]bool{}, dead: map[int]bool{}}
	handles := map[queue.Handle]*modelMessage{}
	sent := 0
	pick := func(t *rapid.T) (queue.Handle, *modelMessage) {
		if len(handles) == 0 {
			t.Skip("nothing was received yet")
		}
		all := slices.SortedFunc(maps.Keys(handles), func(x, y queue.Handle) int { return int(x.Lease) - int(y.Lease) })
		h := rapid.SampledFrom(all).Draw(t, "handle")
		return h, handles[h]
	}
	holder := func(h queue.Handle, x *modelMessage) error {
		switch {
		case !slices.Contains(m.messages, x):
			return queue.ErrUnknown
		case x.handle != h:
			return queue.ErrSuperseded
		case !x.leased:
			return queue.ErrLeaseEnded
		}
		return nil
	}
	check := func(t *rapid.T, what string, err, want error) {
		if err != want {
			t.Fatalf("%s: error %v, want %v", what, err, want)
		}
	}

	t.Repeat(map[string]func(*rapid.T){
		"enqueue": func(t *rapid.T) {
			var entries []queue.Entry
			for range rapid.IntRange(1, 3).Draw(t, "how many") {
				x := &modelMessage{n: sent, group: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "group")}
				sent++
				e := queue.Entry{Value: x.n, Group: x.group}
				if !ordered {
					e.Priority = uint8(rapid.IntRange(0, 1).Draw(t, "priority"))
					x.priority = e.Priority
					e.Delay = time.Duration(rapid.IntRange(0, 3).Draw(t, "delay")) * time.Second
				}
				x.readyAt = time.Now().Add(e.Delay)
				if o.TTL > 0 {
					x.expires = time.Now().Add(o.TTL)
				}
				m.messages = append(m.messages, x)
				entries = append(entries, e)
			}
			if _, err := q.Enqueue(entries...); err != nil {
				t.Fatal(err)
			}
		},
		"receive": func(t *rapid.T) {
			n, lease := rapid.IntRange(1, 4).Draw(t, "n"), time.Duration(rapid.IntRange(0, 10).Draw(t, "lease"))*time.Second
			want := m.deliver(n, lease)
			got, err := q.Receive(t.Context(), n, lease, 0)
			if err != nil || len(got) != len(want) {
				t.Fatalf("received %v (error %v), want %d", got, err, len(want))
			}
			for i, d := range got {
				x := want[i]
				if d.Value != x.n || d.Deliveries != x.deliveries || d.Group != x.group {
					t.Fatalf("received %+v, want %+v", d, x)
				}
				x.handle = d.Handle
				handles[d.Handle] = x
			}
		},
		"settle": func(t *rapid.T) {
			h, x := pick(t)
			want := holder(h, x)
			if want == queue.ErrLeaseEnded && o.SettleLate {
				want = nil
			}
			check(t, "settle", q.Settle(h), want)
			if want == nil {
				m.remove(x)
				m.settled[x.n] = true
			}
		},
		"renew": func(t *rapid.T) {
			h, x := pick(t)
			d := time.Duration(rapid.IntRange(0, 10).Draw(t, "lease")) * time.Second
			want := holder(h, x)
			err := q.Renew(h, d)
			if err == queue.ErrTooLong && want == nil { // the model does not keep the start of the lease
				return
			}
			check(t, "renew", err, want)
			if want == nil {
				x.readyAt = time.Now().Add(d)
			}
		},
		"release": func(t *rapid.T) {
			h, x := pick(t)
			d := time.Duration(rapid.IntRange(0, 3).Draw(t, "delay")) * time.Second
			want := holder(h, x)
			check(t, "release", q.Release(h, d), want)
			if want == nil {
				x.leased, x.returning, x.readyAt = false, d > 0, time.Now().Add(d)
			}
		},
		"wait": func(t *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 15).Draw(t, "seconds")) * time.Second)
		},
		"": func(t *rapid.T) {
			m.advance()
			if got, want := q.Stats(), m.stats(); got != want {
				t.Fatalf("counts %+v, want %+v", got, want)
			}
			if got := dead.Stats().Total(); got != len(m.dead) {
				t.Fatalf("%d dead letters, want %d", got, len(m.dead))
			}
		},
	})
}

// TestNothingIsLostAmongManyReceivers lets producers and slow, forgetful receivers race: every message is settled exactly once,
// is never held by two, and a group's messages are first received in order.
func TestNothingIsLostAmongManyReceivers(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprintf("ordered %t", ordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rapid.Check(bubble{t}, func(t *rapid.T) { checkReceivers(t, ordered) })
			})
		})
	}
}

func checkReceivers(t *rapid.T, ordered bool) {
	const messages, lease = 60, 10 * time.Second
	q := queue.NewBroker().NewQueue("q", queue.Options{Ordered: ordered})
	defer q.Close()
	work := rapid.SliceOfN(rapid.IntRange(0, 15), messages, messages).Draw(t, "seconds of work")
	receivers := rapid.IntRange(1, 5).Draw(t, "receivers")

	held := make(chan map[int]bool, 1) // a mutex that the bubble sees
	held <- map[int]bool{}
	settled := make(chan int, messages)
	seen := map[string]int{} // group -> highest message received
	done := make(chan struct{})
	for range receivers {
		go func() {
			for {
				got, err := q.Receive(t.Context(), 3, lease, time.Minute)
				if err != nil || len(got) == 0 {
					done <- struct{}{}
					return
				}
				for _, d := range got {
					n := d.Value.(int)
					h := <-held
					if h[n] {
						t.Errorf("message %d has two leases", n)
					}
					h[n] = true
					if ordered && d.Deliveries == 1 {
						if n < seen[d.Group] {
							t.Errorf("group %s: %d after %d", d.Group, n, seen[d.Group])
						}
						seen[d.Group] = n
					}
					held <- h
				}
				took := time.Duration(0)
				for _, d := range got {
					n := d.Value.(int)
					need := time.Duration(work[n])*time.Second/time.Duration(d.Deliveries) - time.Nanosecond
					if took+need >= lease { // forgets it: the lease ends
						h := <-held
						delete(h, n)
						held <- h
						continue
					}
					took += need
					time.Sleep(need)
					h := <-held
					delete(h, n)
					held <- h
					if err := q.Settle(d.Handle); err != nil {
						t.Errorf("settle %d: %v", n, err)
					}
					settled <- n
				}
			}
		}()
	}
	for n := range messages {
		if _, err := q.Enqueue(queue.Entry{Value: n, Group: string('a' + rune(n%7)), Delay: time.Duration(0)}); err != nil {
			t.Fatal(err)
		}
		if n%10 == 0 {
			time.Sleep(time.Second)
		}
	}
	for range receivers {
		<-done // a minute after the last message
	}
	close(settled)
	count := map[int]int{}
	for n := range settled {
		count[n]++
	}
	if len(count) != messages || q.Stats().Total() != 0 {
		t.Fatalf("%d of %d messages settled, left %+v", len(count), messages, q.Stats())
	}
	for n, times := range count {
		if times != 1 {
			t.Errorf("message %d settled %d times", n, times)
		}
	}
}
