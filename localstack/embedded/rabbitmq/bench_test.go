package rabbitmq_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
)

// servers are what the benchmarks measure: this RabbitMQ over loopback, and beside it a real one where
// BROKERDOJO_CONFORMANCE_RABBITMQ says where one is:
//
//	BROKERDOJO_RABBITMQ_RUN='go test -run=^$ -bench=. ./localstack/embedded/rabbitmq' scripts/conformance-rabbitmq.sh
func servers(b *testing.B, f func(b *testing.B, conn *amqp.Connection)) {
	each := func(name, address string) {
		b.Run(name, func(b *testing.B) {
			conn, err := amqp.Dial("amqp://guest:guest@" + address + "/")
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			f(b, conn)
		})
	}
	s := rabbitmq.New(rabbitmq.Options{})
	defer func() { _ = s.Close() }()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		b.Fatal(err)
	}
	each("embedded", l.Addr().String())
	if address := os.Getenv("BROKERDOJO_CONFORMANCE_RABBITMQ"); address != "" {
		each("real", address)
	}
}

// queue declares a classic transient queue, which only an exclusive one may be, and removes it.
func queue(b *testing.B, ch *amqp.Channel) string {
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = ch.QueueDelete(q.Name, false, false, false) })
	return q.Name
}

var body = bytes.Repeat([]byte("x"), 100)

// publish sends n messages and waits for the confirmations of each 1,000.
func publish(b *testing.B, ch *amqp.Channel, q string, n int) {
	var last *amqp.DeferredConfirmation
	for i := range n {
		c, err := ch.PublishWithDeferredConfirm("", q, false, false, amqp.Publishing{Body: body})
		if err != nil {
			b.Fatal(err)
		}
		if last = c; i%1000 == 999 || i == n-1 {
			if !last.Wait() {
				b.Fatal("refused")
			}
		}
	}
}

func channel(b *testing.B, conn *amqp.Connection) *amqp.Channel {
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	return ch
}

// BenchmarkPublish publishes 100 bytes, with confirmations for each 1,000.
func BenchmarkPublish(b *testing.B) {
	servers(b, func(b *testing.B, conn *amqp.Connection) {
		ch := channel(b, conn)
		q := queue(b, ch)
		b.ResetTimer()
		publish(b, ch, q, b.N)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}

// BenchmarkConsume receives and acknowledges what is there, each by itself, with a prefetch of 250.
func BenchmarkConsume(b *testing.B) {
	servers(b, func(b *testing.B, conn *amqp.Connection) {
		ch := channel(b, conn)
		q := queue(b, ch)
		publish(b, ch, q, b.N)
		if err := ch.Qos(250, 0, false); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		got, err := ch.Consume(q, "", false, false, false, false, nil)
		if err != nil {
			b.Fatal(err)
		}
		for range b.N {
			d := <-got
			if err := d.Ack(false); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}

// BenchmarkLatency measures a message's way from a publisher to a consumer that waits, one at a time.
func BenchmarkLatency(b *testing.B) {
	servers(b, func(b *testing.B, conn *amqp.Connection) {
		ch := channel(b, conn)
		q := queue(b, ch)
		got, err := ch.Consume(q, "", true, false, false, false, nil)
		if err != nil {
			b.Fatal(err)
		}
		var took []time.Duration
		b.ResetTimer()
		for range b.N {
			start := time.Now()
			if err := ch.Publish("", q, false, false, amqp.Publishing{Body: body}); err != nil {
				b.Fatal(err)
			}
			<-got
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	})
}

// BenchmarkBacklog publishes to a queue that holds some already: its length must make no difference.
func BenchmarkBacklog(b *testing.B) {
	for _, length := range []int{0, 1_000_000} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			s := rabbitmq.New(rabbitmq.Options{})
			defer func() { _ = s.Close() }()
			conn, err := amqp.DialConfig("amqp://guest:guest@127.0.0.1/", amqp.Config{Dial: func(string, string) (net.Conn, error) { return s.Dial(b.Context()) }})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			ch := channel(b, conn)
			q := queue(b, ch)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			publish(b, ch, q, length)
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ResetTimer()
			publish(b, ch, q, b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "MiB")
		})
	}
}

// BenchmarkStart starts a server and closes it.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		if err := rabbitmq.New(rabbitmq.Options{}).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdle reports what a server that nobody uses takes.
func BenchmarkIdle(b *testing.B) {
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before := heap()
		s := rabbitmq.New(rabbitmq.Options{})
		b.ReportMetric((heap()-before)/1024, "KiB")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
