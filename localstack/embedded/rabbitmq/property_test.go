package rabbitmq_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
)

// What a consumer last did about a message in a queue.
const (
	acknowledged = 1 + iota // and the server is known to have heard it
	uncertain               // acknowledged or rejected just before the connection was cut
	refused                 // rejected for good: it must be dead
)

// fates is what is known of the messages of one queue, by their number.
type fates struct {
	mu    sync.Mutex
	what  map[int]int
	first map[int]int // deliveries that were not marked redelivered
}

// TestNothingIsLostAndNothingDoubled sends messages through an exchange of each type while consumers give back, reject, close
// channels and lose connections. Whatever happens, a message ends acknowledged, dead or still in its queue.
func TestNothingIsLostAndNothingDoubled(t *testing.T) {
	messages := 4_000 // through each exchange, to two queues each
	if s := os.Getenv("BROKERDOJO_RABBITMQ_MESSAGES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		messages = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, kind := range []string{"direct", "fanout", "topic", "headers"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { disturb(t, kind, messages, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func disturb(t *testing.T, kind string, messages int, random *rand.Rand) {
	s := rabbitmq.New(rabbitmq.Options{})
	defer func() { _ = s.Close() }()
	conn := dial(t, s)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(t, err)
	must(t, ch.ExchangeDeclare("x", kind, true, false, false, false, nil))
	must(t, ch.ExchangeDeclare("dead", "fanout", true, false, false, false, nil))
	queues := []string{"classic", "quorum"}
	for _, q := range queues {
		dead := q + "-dead"
		_, err := ch.QueueDeclare(dead, true, false, false, false, nil)
		must(t, err)
		_, err = ch.QueueDeclare(q, true, false, false, false, amqp.Table{
			"x-queue-type": q, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead,
		})
		must(t, err)
		must(t, ch.QueueBind(q, map[string]string{"topic": "order.#"}[kind], "x", false, amqp.Table{"x-match": "any", "kind": "order"}))
	}

	known := map[string]*fates{}
	var consumers sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for i, q := range queues {
		f := &fates{what: map[int]int{}, first: map[int]int{}}
		known[q] = f
		for j := range 2 {
			r := rand.New(rand.NewPCG(random.Uint64(), uint64(10*i+j)))
			consumers.Go(func() { consume(ctx, t, s, q, f, r) })
		}
	}

	must(t, ch.Confirm(false))
	key := map[string]string{"topic": "order.paid.eu"}[kind]
	var last *amqp.DeferredConfirmation
	for i := range messages {
		last, err = ch.PublishWithDeferredConfirm("x", key, true, false, amqp.Publishing{MessageId: strconv.Itoa(i), Headers: amqp.Table{"kind": "order"}})
		must(t, err)
		if i%500 == 499 && !last.Wait() {
			t.Fatal("refused")
		}
	}
	if !last.Wait() {
		t.Fatal("refused")
	}
	time.Sleep(time.Second) // the rest has been received by then
	stop()
	consumers.Wait()
	time.Sleep(time.Second)

	for _, q := range queues {
		places := map[int][]string{}
		for _, place := range []string{q, q + "-dead"} {
			for {
				d, ok, err := ch.Get(place, true)
				must(t, err)
				if !ok {
					break
				}
				n, err := strconv.Atoi(d.MessageId)
				must(t, err)
				places[n] = append(places[n], place)
			}
		}
		f := known[q]
		for n := range messages {
			where, what := places[n], f.what[n]
			problem := ""
			switch {
			case len(where) > 1:
				problem = "is there twice"
			case f.first[n] > 1:
				problem = fmt.Sprintf("was delivered for the first time %d times", f.first[n])
			case len(where) == 0 && what != acknowledged && what != uncertain:
				problem = "is lost"
			case len(where) == 1 && what == acknowledged:
				problem = "is there although it was acknowledged"
			case len(where) == 1 && what == refused && where[0] == q:
				problem = "is in its queue although it was rejected for good"
			}
			if problem != "" {
				t.Errorf("%s: message %d %s (%v, known as %d)", q, n, problem, where, what)
			}
		}
		if len(f.what) == 0 {
			t.Errorf("%s: nothing was consumed", q)
		}
	}
}

// consume works on a queue until ctx ends, badly.
func consume(ctx context.Context, t *testing.T, s *rabbitmq.Server, q string, f *fates, random *rand.Rand) {
	for ctx.Err() == nil {
		var wire net.Conn
		conn, err := amqp.DialConfig("amqp://guest:guest@localhost/", amqp.Config{Heartbeat: 10 * time.Second, Dial: func(string, string) (net.Conn, error) {
			c, err := s.Dial(context.WithoutCancel(ctx))
			wire = c
			return c, err
		}})
		if err != nil {
			t.Error(err)
			return
		}
		for cut := false; !cut && ctx.Err() == nil; {
			cut = session(ctx, t, conn, wire, q, f, random)
		}
		_ = conn.Close()
	}
}

// session is the life of one channel. It returns true if it ended with its connection.
func session(ctx context.Context, t *testing.T, conn *amqp.Connection, wire net.Conn, q string, f *fates, random *rand.Rand) (cut bool) {
	ch, err := conn.Channel()
	if err != nil {
		t.Error(err)
		return true
	}
	_ = ch.Qos(1+random.IntN(50), 0, false)
	got, err := ch.Consume(q, "", false, false, false, false, nil)
	if err != nil {
		t.Error(err)
		return true
	}
	since := map[int]int{} // what was done on this channel
	settle := func(sure bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for n, what := range since {
			if !sure {
				what = uncertain
			}
			f.what[n] = what
		}
	}
	for {
		select {
		case <-ctx.Done():
			sure := ch.Close() == nil
			settle(sure)
			return !sure
		case d, ok := <-got:
			if !ok {
				settle(false)
				return true
			}
			n, err := strconv.Atoi(d.MessageId)
			if err != nil {
				t.Error(err)
			}
			f.mu.Lock()
			if !d.Redelivered {
				f.first[n]++
			}
			f.mu.Unlock()
			switch dice := random.IntN(1000); {
			case dice < 850:
				_ = d.Ack(false)
				since[n] = acknowledged
			case dice < 920:
				_ = d.Nack(false, true)
				delete(since, n)
			case dice < 950:
				_ = d.Reject(true)
				delete(since, n)
			case dice < 985:
				_ = d.Reject(false)
				since[n] = refused
			case dice < 995:
				sure := ch.Close() == nil
				settle(sure)
				return !sure
			default:
				_ = wire.Close()
				settle(false)
				return true
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
