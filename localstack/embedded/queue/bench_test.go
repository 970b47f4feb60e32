package queue_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// BenchmarkCycle enqueues, leases and settles one message, with a backlog behind which it stays.
func BenchmarkCycle(b *testing.B) {
	for _, backlog := range []int{0, 1_000, 1_000_000} {
		for _, ordered := range []bool{false, true} {
			b.Run(fmt.Sprintf("backlog=%d/ordered=%t", backlog, ordered), func(b *testing.B) {
				q := queue.NewBroker().NewQueue("q", queue.Options{Ordered: ordered})
				defer q.Close()
				body := any("body")
				for i := range backlog {
					if _, err := q.Enqueue(queue.Entry{Value: body, Group: fmt.Sprint("g", i%1000)}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := q.Enqueue(queue.Entry{Value: body, Group: "g"}); err != nil {
						b.Fatal(err)
					}
					got, err := q.Receive(b.Context(), 1, time.Minute, 0)
					if err != nil || len(got) != 1 {
						b.Fatal(got, err)
					}
					if err := q.Settle(got[0].Handle); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkHandover measures a message's way to a receiver that waits for it.
func BenchmarkHandover(b *testing.B) {
	q := queue.NewBroker().NewQueue("q", queue.Options{})
	defer q.Close()
	got := make(chan struct{})
	go func() {
		for range b.N {
			if d, err := q.Receive(b.Context(), 1, time.Minute, time.Hour); err == nil {
				_ = q.Settle(d[0].Handle)
			}
			got <- struct{}{}
		}
	}()
	b.ResetTimer()
	for range b.N {
		if _, err := q.Enqueue(queue.Entry{Value: "body"}); err != nil {
			b.Fatal(err)
		}
		<-got
	}
}

// BenchmarkMemory reports the memory of a message of 100 bytes in a backlog of a million.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		q := queue.NewBroker().NewQueue("q", queue.Options{TTL: time.Hour})
		for i := range n {
			if _, err := q.Enqueue(queue.Entry{Value: fmt.Sprintf("%0100d", i)}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/n, "B/message")
		q.Close()
	}
}
