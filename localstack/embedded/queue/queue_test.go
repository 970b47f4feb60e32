package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// in runs f as the subtest name in virtual time, with a queue of the given options.
func in(t *testing.T, name string, o queue.Options, f func(t *testing.T, q *queue.Queue)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := queue.NewBroker().NewQueue("q", o)
			defer q.Close()
			f(t, q)
		})
	})
}

func send(t *testing.T, q *queue.Queue, entries ...queue.Entry) []queue.Receipt {
	t.Helper()
	receipts, err := q.Enqueue(entries...)
	if err != nil {
		t.Fatal(err)
	}
	return receipts
}

func entry(value string) queue.Entry { return queue.Entry{Value: value} }

func receive(t *testing.T, q *queue.Queue, n int, lease, wait time.Duration) []queue.Delivery {
	t.Helper()
	got, err := q.Receive(t.Context(), n, lease, wait)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// values joins what was received: "a b".
func values(got []queue.Delivery) string {
	var s []string
	for _, d := range got {
		s = append(s, fmt.Sprint(d.Value))
	}
	return strings.Join(s, " ")
}

func want(t *testing.T, got []queue.Delivery, bodies string) {
	t.Helper()
	if values(got) != bodies {
		t.Errorf("received %q, want %q", values(got), bodies)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestLease(t *testing.T) {
	in(t, "a leased message is hidden until the lease ends and then comes again, counted", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		first := receive(t, q, 10, 30*time.Second, 0)
		want(t, first, "a")
		time.Sleep(30*time.Second - time.Nanosecond)
		want(t, receive(t, q, 10, time.Second, 0), "")
		time.Sleep(time.Nanosecond)
		again := receive(t, q, 10, time.Second, 0)
		want(t, again, "a")
		if again[0].Deliveries != 2 || again[0].FirstDelivered != first[0].FirstDelivered || again[0].Lease == first[0].Lease {
			t.Errorf("second delivery %+v after %+v", again[0], first[0])
		}
	})
	in(t, "a settled message is gone", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		h := receive(t, q, 1, time.Second, 0)[0].Handle
		wantErr(t, q.Settle(h), nil)
		wantErr(t, q.Settle(h), queue.ErrUnknown)
		time.Sleep(time.Hour)
		want(t, receive(t, q, 1, time.Second, 0), "")
	})
	in(t, "a lease that ended settles nothing", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		h := receive(t, q, 1, time.Second, 0)[0].Handle
		time.Sleep(time.Second)
		wantErr(t, q.Settle(h), queue.ErrLeaseEnded)
		wantErr(t, q.Renew(h, time.Second), queue.ErrLeaseEnded)
		want(t, receive(t, q, 1, time.Second, 0), "a")
		wantErr(t, q.Settle(h), queue.ErrSuperseded)
	})
	in(t, "where late settling is allowed it works until the message is leased again", queue.Options{SettleLate: true}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), entry("b"))
		got := receive(t, q, 2, time.Second, 0)
		time.Sleep(time.Second)
		want(t, receive(t, q, 1, time.Second, 0), "a")
		wantErr(t, q.Settle(got[0].Handle), queue.ErrSuperseded)
		wantErr(t, q.Settle(got[1].Handle), nil)
		if s := q.Stats(); s != (queue.Stats{Leased: 1}) {
			t.Errorf("%+v", s)
		}
	})
	in(t, "renewing counts from the call and is limited from the start of the lease", queue.Options{MaxLease: time.Hour}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		h := receive(t, q, 1, time.Minute, 0)[0].Handle
		time.Sleep(30 * time.Second)
		wantErr(t, q.Renew(h, time.Minute), nil)
		time.Sleep(59 * time.Second)
		wantErr(t, q.Renew(h, time.Hour-89*time.Second+1), queue.ErrTooLong)
		wantErr(t, q.Renew(h, time.Hour-89*time.Second), nil)
		until, err := q.Until(h)
		if left := time.Until(until); err != nil || left != time.Hour-89*time.Second {
			t.Errorf("%s left, error %v", left, err)
		}
	})
	in(t, "a message renewed by nothing is ready at once", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		h := receive(t, q, 1, time.Minute, 0)[0].Handle
		wantErr(t, q.Renew(h, 0), nil)
		want(t, receive(t, q, 1, time.Minute, 0), "a")
	})
	in(t, "a released message comes back at its old place, after its delay", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), entry("b"), entry("c"))
		got := receive(t, q, 2, time.Minute, 0)
		wantErr(t, q.Release(got[0].Handle, time.Second), nil)
		wantErr(t, q.Release(got[1].Handle, 0), nil)
		if s := q.Stats(); s != (queue.Stats{Ready: 2, Delayed: 1}) {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		want(t, receive(t, q, 10, time.Minute, 0), "a b c")
	})
	in(t, "no more messages are leased than the limit", queue.Options{MaxLeased: 2}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), entry("b"), entry("c"))
		got := receive(t, q, 10, time.Minute, 0)
		want(t, got, "a b")
		go func() {
			time.Sleep(time.Second)
			_ = q.Settle(got[0].Handle)
		}()
		want(t, receive(t, q, 10, time.Minute, 2*time.Second), "c")
	})
}

func TestOrderOfDelivery(t *testing.T) {
	in(t, "higher priority first, then age", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		for i, p := range []uint8{0, 5, 0, 9, 5} {
			send(t, q, queue.Entry{Value: i, Priority: p})
		}
		want(t, receive(t, q, 10, time.Minute, 0), "3 1 4 0 2")
	})
	in(t, "a delayed message keeps the place at which it was enqueued", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, queue.Entry{Value: "a", Delay: time.Second}, entry("b"))
		if s := q.Stats(); s != (queue.Stats{Ready: 1, Delayed: 1}) {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		want(t, receive(t, q, 10, time.Minute, 0), "a b")
	})
}

func TestGroups(t *testing.T) {
	ordered := queue.Options{Ordered: true}
	abc := func(t *testing.T, q *queue.Queue) {
		for _, v := range []string{"x1", "y1", "x2", "x3", "y2"} {
			send(t, q, queue.Entry{Value: v, Group: v[:1]})
		}
	}
	in(t, "a receiver gets as much as it can of one group, in order, before the next", ordered, func(t *testing.T, q *queue.Queue) {
		abc(t, q)
		want(t, receive(t, q, 4, time.Minute, 0), "x1 x2 x3 y1")
	})
	in(t, "nothing of a group is delivered while anything of it is leased", ordered, func(t *testing.T, q *queue.Queue) {
		abc(t, q)
		got := receive(t, q, 2, time.Minute, 0)
		want(t, got, "x1 x2")
		wantErr(t, q.Settle(got[0].Handle), nil)
		want(t, receive(t, q, 10, time.Minute, 0), "y1 y2")
		wantErr(t, q.Settle(got[1].Handle), nil)
		want(t, receive(t, q, 10, time.Minute, 0), "x3")
	})
	in(t, "an earlier message that is back waits for a later one that is still leased", ordered, func(t *testing.T, q *queue.Queue) {
		abc(t, q)
		got := receive(t, q, 2, time.Minute, 0)
		wantErr(t, q.Release(got[0].Handle, 0), nil)
		want(t, receive(t, q, 10, time.Hour, 0), "y1 y2")
		time.Sleep(time.Minute)
		want(t, receive(t, q, 10, time.Minute, 0), "x1 x2 x3")
	})
	in(t, "a message released with a delay holds its group back", ordered, func(t *testing.T, q *queue.Queue) {
		abc(t, q)
		got := receive(t, q, 1, time.Minute, 0)
		wantErr(t, q.Release(got[0].Handle, time.Second), nil)
		want(t, receive(t, q, 10, time.Hour, 0), "y1 y2")
		time.Sleep(time.Second)
		want(t, receive(t, q, 10, time.Minute, 0), "x1 x2 x3")
	})
	in(t, "a shorter delay does not overtake a longer one", ordered, func(t *testing.T, q *queue.Queue) {
		send(t, q, queue.Entry{Value: "x1", Group: "x", Delay: 10 * time.Second})
		send(t, q, queue.Entry{Value: "x2", Group: "x", Delay: 5 * time.Second}, queue.Entry{Value: "y1", Group: "y"})
		time.Sleep(5 * time.Second)
		want(t, receive(t, q, 10, time.Minute, 0), "y1")
		time.Sleep(5 * time.Second)
		want(t, receive(t, q, 10, time.Minute, 0), "x1 x2")
	})
	in(t, "a new delay holds for what is delayed already", ordered, func(t *testing.T, q *queue.Queue) {
		send(t, q, queue.Entry{Value: "x1", Group: "x", Delay: 10 * time.Second})
		send(t, q, queue.Entry{Value: "x2", Group: "x", Delay: 10 * time.Second})
		q.Reschedule(3 * time.Second)
		send(t, q, queue.Entry{Value: "x3", Group: "x", Delay: 3 * time.Second})
		time.Sleep(3 * time.Second)
		want(t, receive(t, q, 10, time.Minute, 0), "x1 x2 x3")
	})
	in(t, "messages without a group hold nobody back", ordered, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), entry("b"))
		want(t, receive(t, q, 1, time.Minute, 0), "a")
		want(t, receive(t, q, 1, time.Minute, 0), "b")
	})
}

func TestFairness(t *testing.T) {
	fair := queue.Options{Fair: queue.Fairness{Share: 0.1, MinLeased: 30, Memory: 5 * time.Minute}}
	backlog := func(t *testing.T, q *queue.Queue) {
		for i := range 100 {
			send(t, q, queue.Entry{Value: fmt.Sprint("noisy", i), Group: "noisy"})
		}
		send(t, q, queue.Entry{Value: "quiet", Group: "quiet"}, entry("alone"))
	}
	in(t, "a group with 30 messages leased waits for the others", fair, func(t *testing.T, q *queue.Queue) {
		backlog(t, q)
		receive(t, q, 29, time.Minute, 0)
		want(t, receive(t, q, 1, time.Minute, 0), "noisy29")
		want(t, receive(t, q, 4, time.Minute, 0), "quiet alone noisy30 noisy31")
	})
	in(t, "a group that takes the receivers' time waits for the others", fair, func(t *testing.T, q *queue.Queue) {
		backlog(t, q)
		d := receive(t, q, 1, time.Minute, 0)[0]
		time.Sleep(time.Second)
		wantErr(t, q.Settle(d.Handle), nil)
		want(t, receive(t, q, 3, time.Minute, 0), "quiet alone noisy1")
	})
	in(t, "a group that has sent nothing for a while is quiet again", fair, func(t *testing.T, q *queue.Queue) {
		backlog(t, q)
		receive(t, q, 30, time.Hour, 0)
		time.Sleep(5 * time.Minute)
		want(t, receive(t, q, 1, time.Minute, 0), "noisy30")
	})
	in(t, "of the groups that crowd, the one with the fewest leased messages goes first", fair, func(t *testing.T, q *queue.Queue) {
		for _, g := range []string{"a", "b"} {
			for range 40 {
				send(t, q, queue.Entry{Value: g, Group: g})
			}
		}
		receive(t, q, 30, time.Minute, 0) // a is crowded out now
		receive(t, q, 30, time.Minute, 0) // and so is b
		want(t, receive(t, q, 4, time.Minute, 0), "a b a b")
	})
	in(t, "without fairness a backlog is delivered by age", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		backlog(t, q)
		receive(t, q, 99, time.Minute, 0)
		want(t, receive(t, q, 2, time.Minute, 0), "noisy99 quiet")
	})
}

func TestWaiting(t *testing.T) {
	// after runs f in a while and returns how long Receive waited.
	after := func(t *testing.T, q *queue.Queue, f func()) (string, time.Duration) {
		t.Helper()
		go func() {
			time.Sleep(3 * time.Second)
			f()
		}()
		start := time.Now()
		got := receive(t, q, 10, time.Minute, 20*time.Second)
		return values(got), time.Since(start)
	}
	check := func(t *testing.T, gotValues string, took time.Duration, wantValues string, wantTook time.Duration) {
		t.Helper()
		if gotValues != wantValues || took != wantTook {
			t.Errorf("received %q after %s, want %q after %s", gotValues, took, wantValues, wantTook)
		}
	}
	in(t, "a receiver is woken by an arrival, and gets all of what arrived together", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		v, d := after(t, q, func() { send(t, q, entry("a"), entry("b")) })
		check(t, v, d, "a b", 3*time.Second)
	})
	in(t, "a receiver is woken by the end of a delay", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		v, d := after(t, q, func() { send(t, q, queue.Entry{Value: "a", Delay: 4 * time.Second}) })
		check(t, v, d, "a", 7*time.Second)
	})
	in(t, "a receiver is woken by the end of a lease", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		receive(t, q, 1, 5*time.Second, 0)
		v, d := after(t, q, func() {})
		check(t, v, d, "a", 5*time.Second)
	})
	in(t, "a receiver is woken by a lease that ends sooner than it should have", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"))
		h := receive(t, q, 1, time.Hour, 0)[0].Handle
		v, d := after(t, q, func() { _ = q.Renew(h, 2*time.Second) })
		check(t, v, d, "a", 5*time.Second)
	})
	in(t, "a receiver is woken when the group is free again", queue.Options{Ordered: true}, func(t *testing.T, q *queue.Queue) {
		send(t, q, queue.Entry{Value: "a", Group: "g"}, queue.Entry{Value: "b", Group: "g"})
		h := receive(t, q, 1, time.Hour, 0)[0].Handle
		v, d := after(t, q, func() { _ = q.Settle(h) })
		check(t, v, d, "b", 3*time.Second)
	})
	in(t, "a receiver gives up in time", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		v, d := after(t, q, func() {})
		check(t, v, d, "", 20*time.Second)
	})
	in(t, "receivers are served in order of arrival", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		var got [3]string
		for i := range got {
			go func() { got[i] = values(receive(t, q, 1, time.Minute, time.Hour)) }()
			synctest.Wait()
		}
		send(t, q, entry("a"), entry("b"), entry("c"))
		synctest.Wait()
		if got != [3]string{"a", "b", "c"} {
			t.Errorf("received %q", got)
		}
	})
	in(t, "a lease of no length makes way for the next receiver at once", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		got := make(chan string, 2)
		for range 2 {
			go func() { got <- values(receive(t, q, 1, 0, time.Minute)) }()
		}
		synctest.Wait()
		start := time.Now()
		send(t, q, entry("a"))
		if a, b := <-got, <-got; a != "a" || b != "a" || !time.Now().Equal(start) {
			t.Errorf("received %q and %q after %s", a, b, time.Since(start))
		}
	})
	in(t, "a receiver whose context ends leaves the line and takes nothing", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := q.Receive(ctx, 1, time.Minute, time.Hour)
		wantErr(t, err, context.DeadlineExceeded)
		send(t, q, entry("a"))
		want(t, receive(t, q, 1, time.Minute, 0), "a")
	})
	in(t, "closing ends the waiting", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		go func() {
			time.Sleep(time.Second)
			q.Close()
		}()
		_, err := q.Receive(t.Context(), 1, time.Minute, time.Hour)
		wantErr(t, err, queue.ErrClosed)
		_, err = q.Enqueue(entry("a"))
		wantErr(t, err, queue.ErrClosed)
		wantErr(t, q.Settle(queue.Handle{}), queue.ErrClosed)
	})
}

func TestTimeToLive(t *testing.T) {
	minute := queue.Options{TTL: time.Minute}
	in(t, "a message is dropped at the end of its life, by its own or the queue's", minute, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), queue.Entry{Value: "b", TTL: time.Second}, queue.Entry{Value: "c", TTL: time.Hour})
		time.Sleep(time.Second)
		if s := q.Stats(); s.Ready != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(59 * time.Second)
		want(t, receive(t, q, 10, time.Second, 0), "c")
	})
	in(t, "a leased message lives until its lease ends", minute, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), entry("b"))
		got := receive(t, q, 2, 2*time.Minute, 0)
		time.Sleep(90 * time.Second)
		wantErr(t, q.Settle(got[0].Handle), nil)
		time.Sleep(30 * time.Second)
		if s := q.Stats(); s.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
	in(t, "a new time to live holds for the messages that are there", minute, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("a"), queue.Entry{Value: "b", Delay: time.Hour})
		time.Sleep(30 * time.Second)
		q.Configure(func(o *queue.Options) { o.TTL = 31 * time.Second })
		if s := q.Stats(); s.Total() != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		if s := q.Stats(); s.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	// pair makes a queue that gives up messages to another.
	pair := func(o queue.Options, d queue.DeadLetter) (q, dead *queue.Queue) {
		b := queue.NewBroker()
		dead = b.NewQueue("dead", o)
		d.To = dead
		o.DeadLetter = d
		return b.NewQueue("q", o), dead
	}
	run := func(name string, o queue.Options, d queue.DeadLetter, f func(t *testing.T, q, dead *queue.Queue)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, dead := pair(o, d)
				defer q.Close()
				defer dead.Close()
				f(t, q, dead)
			})
		})
	}
	run("a message delivered often enough is given up instead of delivered again, and stays the same message", queue.Options{}, queue.DeadLetter{MaxDeliveries: 2}, func(t *testing.T, q, dead *queue.Queue) {
		sent := send(t, q, entry("a"))[0]
		start := time.Now()
		for range 2 {
			want(t, receive(t, q, 1, time.Second, 0), "a")
			time.Sleep(time.Second)
		}
		want(t, receive(t, q, 1, time.Second, 0), "")
		got := receive(t, dead, 1, time.Second, 0)
		want(t, got, "a")
		if d := got[0]; d.From != q || d.Deliveries != 3 || d.Origin != sent.ID || !d.Enqueued.Equal(start) {
			t.Errorf("%+v", d)
		}
	})
	run("receivers of the dead letters are woken, while those of the source wait on", queue.Options{}, queue.DeadLetter{MaxDeliveries: 1}, func(t *testing.T, q, dead *queue.Queue) {
		send(t, q, entry("a"))
		receive(t, q, 1, 5*time.Second, 0)
		go func() { _, _ = q.Receive(t.Context(), 1, time.Second, time.Hour) }()
		start := time.Now()
		want(t, receive(t, dead, 1, time.Second, time.Minute), "a")
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %s", took)
		}
		send(t, q, entry("b"))
		synctest.Wait()
		if s := q.Stats(); s != (queue.Stats{Leased: 1}) {
			t.Errorf("%+v", s)
		}
	})
	run("giving up the head of a group lets the next one through", queue.Options{Ordered: true}, queue.DeadLetter{MaxDeliveries: 1}, func(t *testing.T, q, dead *queue.Queue) {
		send(t, q, queue.Entry{Value: "a", Group: "g"}, queue.Entry{Value: "b", Group: "g"})
		receive(t, q, 1, time.Second, 0)
		time.Sleep(time.Second)
		want(t, receive(t, q, 2, time.Second, 0), "b")
		want(t, receive(t, dead, 2, time.Second, 0), "a")
	})
	run("a time to live goes on in the target", queue.Options{TTL: time.Minute}, queue.DeadLetter{MaxDeliveries: 1}, func(t *testing.T, q, dead *queue.Queue) {
		send(t, q, entry("a"))
		receive(t, q, 1, 20*time.Second, 0)
		time.Sleep(20 * time.Second)
		receive(t, q, 1, 0, 0)
		time.Sleep(40 * time.Second)
		if s := dead.Stats(); s.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
	run("a time to live starts anew where asked", queue.Options{TTL: time.Minute}, queue.DeadLetter{MaxDeliveries: 1, Renew: true}, func(t *testing.T, q, dead *queue.Queue) {
		send(t, q, entry("a"))
		receive(t, q, 1, 20*time.Second, 0)
		time.Sleep(20 * time.Second)
		receive(t, q, 1, 0, 0)
		time.Sleep(59 * time.Second)
		want(t, receive(t, dead, 1, 0, 0), "a")
	})
	run("expired messages go to the target on time where asked, though nobody looks", queue.Options{}, queue.DeadLetter{Expired: true}, func(t *testing.T, q, dead *queue.Queue) {
		send(t, q, queue.Entry{Value: "a", TTL: 10 * time.Second})
		start := time.Now()
		want(t, receive(t, dead, 1, time.Second, time.Minute), "a")
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
	run("without the target the message is delivered on", queue.Options{}, queue.DeadLetter{MaxDeliveries: 1}, func(t *testing.T, q, dead *queue.Queue) {
		send(t, q, entry("a"))
		dead.Close()
		for range 3 {
			want(t, receive(t, q, 1, 0, 0), "a")
		}
	})
	run("two queues that give up to each other do not pass a message round and round", queue.Options{}, queue.DeadLetter{MaxDeliveries: 1}, func(t *testing.T, q, dead *queue.Queue) {
		dead.Configure(func(o *queue.Options) { o.DeadLetter = queue.DeadLetter{To: q, MaxDeliveries: 1} })
		send(t, q, entry("a"))
		for i := range 3 {
			want(t, receive(t, q, 1, 0, 0), "a")
			want(t, receive(t, q, 1, 0, 0), "")
			got := receive(t, dead, 1, 0, 0)
			want(t, got, "a")
			if n := got[0].Deliveries; n != 2*i+2 {
				t.Errorf("%d deliveries in round %d", n, i)
			}
			want(t, receive(t, dead, 1, 0, 0), "")
		}
	})
}

func TestMove(t *testing.T) {
	in(t, "ready messages move in order, as new messages", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		b := queue.NewBroker()
		from, to := b.NewQueue("from", queue.Options{}), b.NewQueue("to", queue.Options{})
		old := send(t, from, entry("a"), entry("b"), entry("c"), queue.Entry{Value: "d", Delay: time.Hour})
		receive(t, from, 1, 0, 0)
		time.Sleep(time.Second)
		n := from.Move(2, func(d queue.Delivery) (*queue.Queue, any) { return to, d.Value.(string) + "!" })
		if n != 2 || from.Stats() != (queue.Stats{Ready: 1, Delayed: 1}) {
			t.Errorf("%d moved, left %+v", n, from.Stats())
		}
		got := receive(t, to, 10, time.Second, 0)
		want(t, got, "a! b!")
		if d := got[0]; d.Deliveries != 1 || d.Origin == old[0].ID || !d.Enqueued.Equal(time.Now()) || d.From != nil {
			t.Errorf("%+v", d)
		}
		if n := from.Move(2, func(queue.Delivery) (*queue.Queue, any) { return nil, nil }); n != 0 || from.Stats().Total() != 2 {
			t.Errorf("%d moved to nowhere, left %+v", n, from.Stats())
		}
	})
}

func TestDeduplication(t *testing.T) {
	id := func(group, id string) queue.Entry { return queue.Entry{Value: id, Group: group, DedupID: id} }
	window := queue.Dedup{Window: 5 * time.Minute}
	in(t, "an id is taken for the window, whether or not the message is still there", queue.Options{Dedup: window}, func(t *testing.T, q *queue.Queue) {
		first := send(t, q, id("g", "1"))[0]
		wantErr(t, q.Settle(receive(t, q, 1, time.Second, 0)[0].Handle), nil)
		time.Sleep(5*time.Minute - time.Nanosecond)
		again := send(t, q, id("h", "1"))[0]
		if !again.Duplicate || again.ID != first.ID || again.Seq != first.Seq {
			t.Errorf("%+v repeats %+v", again, first)
		}
		want(t, receive(t, q, 1, time.Second, 0), "")
		time.Sleep(time.Nanosecond)
		if r := send(t, q, id("g", "1"))[0]; r.Duplicate {
			t.Errorf("%+v", r)
		}
	})
	in(t, "groups can have ids of their own", queue.Options{Dedup: queue.Dedup{Window: window.Window, PerGroup: true}}, func(t *testing.T, q *queue.Queue) {
		receipts := send(t, q, id("g", "1"), id("h", "1"), id("g", "1"))
		if receipts[0].Duplicate || receipts[1].Duplicate || !receipts[2].Duplicate {
			t.Errorf("%+v", receipts)
		}
	})
}

func TestPeek(t *testing.T) {
	in(t, "the next message is seen and not delivered", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		if _, ok := q.Peek(); ok {
			t.Error("an empty queue has a next message")
		}
		send(t, q, queue.Entry{Value: "later", Delay: time.Minute}, entry("a"), queue.Entry{Value: "urgent", Priority: 1})
		for range 2 {
			if d, ok := q.Peek(); !ok || d.Value != "urgent" || d.Deliveries != 0 {
				t.Errorf("peeked %+v", d)
			}
		}
		want(t, receive(t, q, 1, time.Minute, 0), "urgent")
		if d, _ := q.Peek(); d.Value != "a" {
			t.Errorf("then %+v", d)
		}
	})
}

func TestPurge(t *testing.T) {
	in(t, "purging drops everything, leased messages too", queue.Options{Ordered: true}, func(t *testing.T, q *queue.Queue) {
		send(t, q, queue.Entry{Value: "a", Group: "g"}, queue.Entry{Value: "b", Group: "g"}, queue.Entry{Value: "c", Group: "h", Delay: time.Second})
		h := receive(t, q, 1, time.Second, 0)[0].Handle
		q.Purge()
		if s := q.Stats(); s.Total() != 0 {
			t.Errorf("%+v", s)
		}
		wantErr(t, q.Settle(h), queue.ErrUnknown)
		send(t, q, queue.Entry{Value: "d", Group: "g"})
		want(t, receive(t, q, 10, time.Second, time.Minute), "d")
	})
}

func TestFaults(t *testing.T) {
	in(t, "the next deliveries leave a copy each, which outlives the first", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		wantErr(t, q.DeliverTwice(1, 10*time.Second), nil)
		send(t, q, entry("a"), entry("b"))
		got := receive(t, q, 10, time.Minute, 0)
		want(t, got, "a b")
		for _, d := range got {
			wantErr(t, q.Settle(d.Handle), nil)
		}
		again := receive(t, q, 10, time.Minute, time.Minute)
		want(t, again, "a")
		if again[0].Origin != got[0].Origin || again[0].Deliveries != 1 {
			t.Errorf("%+v repeats %+v", again[0], got[0])
		}
		wantErr(t, q.Settle(again[0].Handle), nil)
		if s := q.Stats(); s.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
	in(t, "a copy without delay reaches another receiver that waits", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		wantErr(t, q.DeliverTwice(1, 0), nil)
		got := make(chan string, 2)
		for range 2 {
			go func() { got <- values(receive(t, q, 10, time.Minute, time.Minute)) }()
		}
		synctest.Wait()
		send(t, q, entry("a"))
		if a, b := <-got, <-got; a != "a" || b != "a" {
			t.Errorf("received %q and %q", a, b)
		}
	})
	in(t, "the next messages arrive last one first, for a receiver that is quick", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		send(t, q, entry("before"))
		wantErr(t, q.DeliverReversed(3, time.Minute), nil)
		want(t, receive(t, q, 10, time.Minute, 0), "before")
		send(t, q, entry("a"), entry("b"))
		want(t, receive(t, q, 10, time.Minute, 0), "")
		send(t, q, entry("c"), entry("after"))
		want(t, receive(t, q, 10, time.Minute, 0), "c b a after")
	})
	in(t, "held messages are delivered in the end, though not all have come", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		wantErr(t, q.DeliverReversed(3, time.Minute), nil)
		send(t, q, entry("a"), entry("b"))
		start := time.Now()
		want(t, receive(t, q, 10, time.Minute, time.Hour), "b a")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %s", took)
		}
	})
	in(t, "held messages can be purged", queue.Options{}, func(t *testing.T, q *queue.Queue) {
		wantErr(t, q.DeliverReversed(2, time.Minute), nil)
		send(t, q, entry("a"))
		q.Purge()
		send(t, q, entry("b"))
		want(t, receive(t, q, 10, time.Minute, 0), "b")
	})
	in(t, "an ordered queue has no such faults", queue.Options{Ordered: true}, func(t *testing.T, q *queue.Queue) {
		wantErr(t, q.DeliverTwice(1, 0), queue.ErrOrdered)
		wantErr(t, q.DeliverReversed(1, 0), queue.ErrOrdered)
	})
}
