package conformance_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// rabbitRule is a rule from RabbitMQ's documentation, version 4.3, that RabbitMQ 3.10.8 was seen to keep on the same day.
func rabbitRule(name, source string) Rule {
	return Rule{Name: name, Source: "RabbitMQ documentation, " + source, Checked: "2026-12-01"}
}

// rabbit is a rule's way to RabbitMQ: a connection, its first channel, and the names that it makes.
type rabbit struct {
	*amqp.Channel
	t    *testing.T
	c    *Cloud
	conn *amqp.Connection
}

func rabbitmq(t *testing.T, c *Cloud) *rabbit {
	t.Helper()
	r := &rabbit{t: t, c: c, conn: c.RabbitMQ()}
	r.Channel = r.channel()
	return r
}

// since skips a rule on a given RabbitMQ that is older than the one that first kept it.
func (r *rabbit) since(version string) {
	r.t.Helper()
	var is, want [2]int
	have := fmt.Sprint(r.conn.Properties["version"])
	_, err := fmt.Sscanf(have, "%d.%d", &is[0], &is[1])
	_, err2 := fmt.Sscanf(version, "%d.%d", &want[0], &want[1])
	if err := errors.Join(err, err2); err != nil {
		r.t.Fatal(err)
	}
	if slices.Compare(is[:], want[:]) < 0 {
		r.t.Skipf("RabbitMQ keeps this since %s; this one is %s", version, have)
	}
}

func (r *rabbit) channel() *amqp.Channel {
	r.t.Helper()
	ch, err := r.conn.Channel()
	r.must(err)
	return ch
}

func (r *rabbit) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// queue declares a durable queue.
func (r *rabbit) queue(args amqp.Table) string {
	r.t.Helper()
	name := r.c.Name("q")
	_, err := r.QueueDeclare(name, true, false, false, false, args)
	r.must(err)
	return name
}

// exchange declares a durable exchange.
func (r *rabbit) exchange(kind string, args amqp.Table) string {
	r.t.Helper()
	name := r.c.Name("x")
	r.must(r.ExchangeDeclare(name, kind, true, false, false, false, args))
	return name
}

func (r *rabbit) bind(queue, key, exchange string, args amqp.Table) {
	r.t.Helper()
	r.must(r.QueueBind(queue, key, exchange, false, args))
}

// send publishes and waits until RabbitMQ has taken it. It returns whether it was not refused.
func (r *rabbit) send(exchange, key string, p amqp.Publishing) bool {
	r.t.Helper()
	r.must(r.Confirm(false))
	confirmed, err := r.PublishWithDeferredConfirm(exchange, key, false, false, p)
	r.must(err)
	return confirmed.Wait()
}

func (r *rabbit) sendText(exchange, key string, bodies ...string) {
	r.t.Helper()
	for _, b := range bodies {
		if !r.send(exchange, key, amqp.Publishing{Body: []byte(b)}) {
			r.t.Fatalf("%s was refused", b)
		}
	}
}

// take gets a message, which must be there.
func (r *rabbit) take(queue string, ack bool) amqp.Delivery {
	r.t.Helper()
	d, ok, err := r.Get(queue, ack)
	r.must(err)
	if !ok {
		r.t.Fatalf("no message is in %s", queue)
	}
	return d
}

// drain gets the bodies of all messages.
func (r *rabbit) drain(queue string) []string {
	r.t.Helper()
	bodies := []string{}
	for {
		d, ok, err := r.Get(queue, true)
		r.must(err)
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

func (r *rabbit) consume(queue string, args amqp.Table) <-chan amqp.Delivery {
	r.t.Helper()
	got, err := r.Consume(queue, "", false, false, false, false, args)
	r.must(err)
	return got
}

// none fails if something comes within 200 ms.
func none(t *testing.T, got <-chan amqp.Delivery) {
	t.Helper()
	select {
	case d := <-got:
		t.Fatalf("%s came", d.Body)
	case <-time.After(200 * time.Millisecond):
	}
}

// next waits for a delivery.
func next(t *testing.T, got <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, ok := <-got:
		if !ok {
			t.Fatal("the consumer has ended")
		}
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no message came within 10 s")
		panic("unreachable")
	}
}

// closed ends the rule unless err is RabbitMQ's, with that code, and its text contains what is wanted.
func closed(t *testing.T, err error, code int, text string) {
	t.Helper()
	var e *amqp.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Reason, text) {
		t.Fatalf("got %v, want code %d and a text with %q", err, code, text)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func TestRabbitMQConnections(t *testing.T) {
	Run(t, rabbitRule("a virtual host that is not there refuses the connection", "Virtual Hosts"), func(t *testing.T, c *Cloud) {
		_, err := c.RabbitMQAs("guest", "guest", func(config *amqp.Config) { config.Vhost = "nowhere" })
		closed(t, err, 530, "vhost nowhere not found")
	})
	Run(t, rabbitRule("the client may ask for fewer channels than the server offers", "Channels, maximum number of channels"), func(t *testing.T, c *Cloud) {
		conn, err := c.RabbitMQAs("guest", "guest", func(config *amqp.Config) { config.ChannelMax = 2 })
		if err != nil {
			t.Fatal(err)
		}
		same(t, "channel max", conn.Config.ChannelMax, uint16(2))
		for range 2 {
			if _, err := conn.Channel(); err != nil {
				t.Fatal(err)
			}
		}
	})
	Run(t, rabbitRule("the server offers 2,047 channels and frames of 128 KiB", "Configuration, channel_max and frame_max"), func(t *testing.T, c *Cloud) {
		conn, err := c.RabbitMQAs("guest", "guest", func(config *amqp.Config) { config.ChannelMax, config.FrameSize = 0, 0 })
		if err != nil {
			t.Fatal(err)
		}
		same(t, "channel max, frame max", []int{int(conn.Config.ChannelMax), conn.Config.FrameSize}, []int{2047, 131072})
	})
	Run(t, rabbitRule("an error closes its channel and no other", "Channels, errors"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		other := r.channel()
		_, err := r.QueueDeclarePassive(c.Name("not-there"), true, false, false, false, nil)
		closed(t, err, 404, "no queue")
		if !r.Channel.IsClosed() || other.IsClosed() || r.conn.IsClosed() {
			t.Error("the wrong ones are closed")
		}
		_, err = other.QueueDeclare("", false, false, true, false, nil)
		r.must(err)
	})
	Run(t, rabbitRule("a number of a channel can be used again", "Channels, lifecycle"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		for range 3000 { // more than there are
			ch := r.channel()
			r.must(ch.Close())
		}
	})
	Run(t, rabbitRule("the operator can close a connection, and say why", "HTTP API Reference, connections"), func(t *testing.T, c *Cloud) {
		name := c.Name("connection")
		conn, err := c.RabbitMQAs("guest", "guest", func(config *amqp.Config) { config.Properties = amqp.Table{"connection_name": name} })
		if err != nil {
			t.Fatal(err)
		}
		gone := conn.NotifyClose(make(chan *amqp.Error, 1))
		c.Eventually("the API knows the connection", 15*time.Second, func() bool { // the statistics come every 5 s
			_, answer := c.RabbitMQAPI("GET", "/api/connections", nil)
			for _, e := range answer.([]any) {
				o := e.(map[string]any)
				if properties, _ := o["client_properties"].(map[string]any); properties["connection_name"] == name {
					c.RabbitMQAPI("DELETE", "/api/connections/"+url.PathEscape(o["name"].(string)), nil)
					return true
				}
			}
			return false
		})
		closed(t, <-gone, 320, "Closed via management plugin")
	})
	Run(t, rabbitRule("a client whose heartbeats stop is cut off", "Detecting Dead TCP Connections with Heartbeats"), func(t *testing.T, c *Cloud) {
		var silent atomic.Bool
		conn, err := c.RabbitMQAs("guest", "guest", func(config *amqp.Config) {
			dial := config.Dial
			if dial == nil {
				dial = amqp.DefaultDial(10 * time.Second)
			}
			config.Heartbeat = time.Second // the shorter of the client's and the server's counts
			config.Dial = func(network, address string) (net.Conn, error) {
				conn, err := dial(network, address)
				return mute{conn, &silent}, err
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		gone := conn.NotifyClose(make(chan *amqp.Error, 1))
		silent.Store(true)
		start := time.Now()
		select {
		case <-gone:
			if d := time.Since(start); d < time.Second {
				t.Errorf("cut off after %s already", d)
			}
		case <-time.After(10 * time.Second):
			t.Error("after 10 s the connection still stands")
		}
	})
	Run(t, rabbitRule("under a resource alarm publishers are told, and wait, and consumers go on", "Memory and Disk Alarms; Connection Blocked Notifications"), func(t *testing.T, c *Cloud) {
		server := c.Control().RabbitMQServer()
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "before")
		publisher, err := c.RabbitMQAs("guest", "guest")
		r.must(err)
		ch, err := publisher.Channel()
		r.must(err)
		blocked := publisher.NotifyBlocked(make(chan amqp.Blocking, 2))
		server.Block("memory")
		defer server.Unblock("memory")
		r.must(ch.Publish("", q, false, false, amqp.Publishing{Body: []byte("during")}))
		same(t, "blocked", <-blocked, amqp.Blocking{Active: true, Reason: "low on memory"})
		got := r.consume(q, nil)
		same(t, "body", string(next(t, got).Body), "before")
		none(t, got)
		server.Unblock("memory")
		same(t, "unblocked", (<-blocked).Active, false)
		same(t, "body", string(next(t, got).Body), "during")
	})
}

// mute is a connection that sends nothing any more once it is silent.
type mute struct {
	net.Conn
	silent *atomic.Bool
}

func (m mute) Write(b []byte) (int, error) {
	if m.silent.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

func TestRabbitMQExchanges(t *testing.T) {
	route := func(kind string, args amqp.Table, bindings []string, sent map[string][]int) func(t *testing.T, c *Cloud) {
		return func(t *testing.T, c *Cloud) {
			r := rabbitmq(t, c)
			x := r.exchange(kind, args)
			var queues []string
			for _, key := range bindings {
				q := r.queue(nil)
				r.bind(q, key, x, nil)
				queues = append(queues, q)
			}
			for key, want := range sent {
				r.sendText(x, key, key)
				got := []int{}
				for i, q := range queues {
					if len(r.drain(q)) == 1 {
						got = append(got, i)
					}
				}
				same(t, fmt.Sprintf("%q goes to the queues", key), got, want)
			}
		}
	}
	Run(t, rabbitRule("a direct exchange routes by the whole routing key", "Exchanges, direct"), route("direct", nil,
		[]string{"order", "order.paid", ""}, map[string][]int{"order": {0}, "order.paid": {1}, "": {2}, "Order": {}}))
	Run(t, rabbitRule("a fanout exchange ignores routing keys", "Exchanges, fanout"), route("fanout", nil,
		[]string{"a", "b"}, map[string][]int{"a": {0, 1}, "x": {0, 1}}))
	Run(t, rabbitRule("in a topic exchange * is one word and # is any number of words", "Exchanges, topic"), route("topic", nil,
		[]string{"order.*", "order.#", "#", "*.paid.*", "#.eu", "order.#.eu"},
		map[string][]int{
			"order": {1, 2}, "order.paid": {0, 1, 2}, "order.paid.eu": {1, 2, 3, 4, 5}, "order.a.b.eu": {1, 2, 4, 5}, "order.eu": {0, 1, 2, 4, 5},
			"x.paid.y": {2, 3}, "eu": {2, 4}, "": {2},
		}))
	Run(t, rabbitRule("in a topic exchange words may be empty", "Exchanges, topic"), route("topic", nil,
		[]string{"a.*.b", "*", "a.", "a.*"}, map[string][]int{"a..b": {0}, "a.": {2, 3}, "a.b": {3}, "x": {1}}))
	Run(t, rabbitRule("the default exchange routes to the queue that is named like the key", "Exchanges, default"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "x")
		same(t, "messages", r.drain(q), []string{"x"})
		closed(t, r.QueueBind(q, "k", "", false, nil), 403, "operation not permitted on the default exchange")
	})
	for mode, want := range map[string][]string{"all": {"both"}, "any": {"both", "colour", "size"}, "": {"both"}} {
		Run(t, rabbitRule("a headers exchange compares headers, x-match "+mode, "Exchanges, headers"), func(t *testing.T, c *Cloud) {
			r := rabbitmq(t, c)
			x, q := r.exchange("headers", nil), r.queue(nil)
			args := amqp.Table{"colour": "red", "size": int32(5)}
			if mode != "" {
				args["x-match"] = mode
			}
			r.bind(q, "", x, args)
			r.send(x, "", amqp.Publishing{Body: []byte("both"), Headers: amqp.Table{"colour": "red", "size": int64(5), "more": true}})
			r.send(x, "", amqp.Publishing{Body: []byte("colour"), Headers: amqp.Table{"colour": "red"}})
			r.send(x, "", amqp.Publishing{Body: []byte("size"), Headers: amqp.Table{"size": int32(5), "colour": "blue"}})
			r.send(x, "", amqp.Publishing{Body: []byte("neither"), Headers: amqp.Table{"size": int32(6)}})
			same(t, "routed", r.drain(q), want)
		})
	}
	Run(t, rabbitRule("a headers exchange leaves headers that begin with x- out, unless x-match ends in -with-x", "Exchanges, headers"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		x, plain, with := r.exchange("headers", nil), r.queue(nil), r.queue(nil)
		r.bind(plain, "", x, amqp.Table{"x-match": "all", "x-kind": "a", "size": int32(1)})
		r.bind(with, "", x, amqp.Table{"x-match": "all-with-x", "x-kind": "a", "size": int32(1)})
		r.send(x, "", amqp.Publishing{Body: []byte("other"), Headers: amqp.Table{"x-kind": "b", "size": int32(1)}})
		r.send(x, "", amqp.Publishing{Body: []byte("same"), Headers: amqp.Table{"x-kind": "a", "size": int32(1)}})
		same(t, "without x-", r.drain(plain), []string{"other", "same"})
		same(t, "with x-", r.drain(with), []string{"same"})
	})
	Run(t, rabbitRule("a binding to a header without a value asks only whether it is there", "Exchanges, headers"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		x, q := r.exchange("headers", nil), r.queue(nil)
		r.bind(q, "", x, amqp.Table{"colour": nil})
		r.send(x, "", amqp.Publishing{Body: []byte("has"), Headers: amqp.Table{"colour": "red"}})
		r.send(x, "", amqp.Publishing{Body: []byte("has not"), Headers: amqp.Table{"size": int32(1)}})
		same(t, "routed", r.drain(q), []string{"has"})
	})
	Run(t, rabbitRule("what an exchange cannot route goes to its alternate exchange", "Alternate Exchanges"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		lost := r.exchange("fanout", nil)
		x, q, rest := r.exchange("direct", amqp.Table{"alternate-exchange": lost}), r.queue(nil), r.queue(nil)
		r.bind(q, "known", x, nil)
		r.bind(rest, "", lost, nil)
		r.sendText(x, "known", "a")
		r.sendText(x, "unknown", "b")
		same(t, "routed", r.drain(q), []string{"a"})
		same(t, "not routed", r.drain(rest), []string{"b"})
	})
	Run(t, rabbitRule("exchanges can be bound to exchanges, and a message reaches a queue once", "Exchange to Exchange Bindings"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		from, to, q := r.exchange("topic", nil), r.exchange("fanout", nil), r.queue(nil)
		r.must(r.ExchangeBind(to, "order.#", from, false, nil))
		r.bind(q, "", to, nil)
		r.bind(q, "order.*", from, nil)
		r.must(r.ExchangeBind(from, "", to, false, nil)) // a circle
		r.sendText(from, "order.paid", "a")
		same(t, "messages", r.drain(q), []string{"a"})
		r.must(r.ExchangeUnbind(to, "order.#", from, false, nil))
		r.sendText(from, "order.a.b", "b")
		same(t, "after unbinding", r.drain(q), []string{})
	})
	Run(t, rabbitRule("clients cannot publish to an internal exchange", "Exchanges, internal"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		name := c.Name("x")
		r.must(r.ExchangeDeclare(name, "fanout", true, false, true, false, nil))
		gone := r.NotifyClose(make(chan *amqp.Error, 1))
		r.must(r.Publish(name, "", false, false, amqp.Publishing{}))
		closed(t, <-gone, 403, "cannot publish to internal exchange '"+name+"' in vhost '/'")
	})
	Run(t, rabbitRule("an auto-delete exchange goes with its last binding", "Exchanges, auto-delete"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		name, q := c.Name("x"), r.queue(nil)
		r.must(r.ExchangeDeclare(name, "fanout", true, true, false, false, nil))
		r.bind(q, "", name, nil)
		r.must(r.QueueUnbind(q, "", name, nil))
		closed(t, r.ExchangeDeclarePassive(name, "fanout", true, true, false, false, nil), 404, "no exchange '"+name+"' in vhost '/'")
	})
	Run(t, rabbitRule("an exchange is declared again only as it was", "Exchanges, property equivalence"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		x := r.exchange("direct", nil)
		r.must(r.ExchangeDeclare(x, "direct", true, false, false, false, nil))
		closed(t, r.ExchangeDeclare(x, "fanout", true, false, false, false, nil), 406, "inequivalent arg 'type' for exchange '"+x+"' in vhost '/': received 'fanout' but current is 'direct'")
		r.Channel = r.channel()
		closed(t, r.ExchangeDeclare(x, "direct", false, false, false, false, nil), 406, "inequivalent arg 'durable' for exchange '"+x+"' in vhost '/': received 'false' but current is 'true'")
	})
	Run(t, rabbitRule("names that begin with amq. are the server's", "Exchanges, reserved names"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		closed(t, r.ExchangeDeclare("amq.mine", "direct", true, false, false, false, nil), 403, "exchange name 'amq.mine' contains reserved prefix 'amq.*'")
		r.Channel = r.channel()
		closed(t, r.ExchangeDelete("amq.direct", false, false), 403, "deletion of system exchange 'amq.direct' in vhost '/' not allowed")
		r.Channel = r.channel()
		_, err := r.QueueDeclare("amq.mine", true, false, false, false, nil)
		closed(t, err, 403, "queue name 'amq.mine' contains reserved prefix 'amq.*'")
	})
	Run(t, rabbitRule("an exchange with bindings is kept by if-unused", "AMQP 0-9-1 Reference, exchange.delete"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		x, q := r.exchange("direct", nil), r.queue(nil)
		r.bind(q, "k", x, nil)
		closed(t, r.ExchangeDelete(x, true, false), 406, "exchange '"+x+"' in vhost '/' in use")
		r.Channel = r.channel()
		r.must(r.ExchangeDelete(c.Name("not-there"), false, false))
	})
	Run(t, rabbitRule("an unknown exchange type ends the connection", "AMQP 0-9-1 Reference, exchange.declare"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		closed(t, r.ExchangeDeclare(c.Name("x"), "x-odd", true, false, false, false, nil), 503, "unknown exchange type 'x-odd'")
		if !r.conn.IsClosed() {
			t.Error("the connection is open")
		}
	})
}

func TestRabbitMQQueues(t *testing.T) {
	Run(t, rabbitRule("a queue without a name gets one from the server", "Queues, server-named"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q, err := r.QueueDeclare("", false, false, true, false, nil)
		r.must(err)
		if !strings.HasPrefix(q.Name, "amq.gen-") {
			t.Errorf("name %q", q.Name)
		}
		r.must(r.QueueBind("", "", "amq.direct", false, nil)) // the queue declared last
		r.sendText("amq.direct", q.Name, "a")
		same(t, "messages", r.drain(""), []string{"a"})
	})
	Run(t, rabbitRule("an exclusive queue is for its connection, and goes with it", "Queues, exclusive"), func(t *testing.T, c *Cloud) {
		r, other := rabbitmq(t, c), rabbitmq(t, c)
		q := c.Name("q")
		_, err := r.QueueDeclare(q, false, false, true, false, nil)
		r.must(err)
		_, err = other.QueueDeclarePassive(q, false, false, true, false, nil)
		closed(t, err, 405, "cannot obtain exclusive access to locked queue '"+q+"' in vhost '/'")
		r.must(r.conn.Close())
		other.Channel = other.channel()
		c.Eventually("the queue is gone", 5*time.Second, func() bool {
			_, err := other.QueueDeclarePassive(q, false, false, true, false, nil)
			other.Channel = other.channel()
			var e *amqp.Error
			return errors.As(err, &e) && e.Code == 404
		})
	})
	Run(t, rabbitRule("an auto-delete queue goes with its last consumer, not before its first", "Queues, auto-delete"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := c.Name("q")
		_, err := r.QueueDeclare(q, true, true, false, false, nil)
		r.must(err)
		_, err = r.QueueDeclarePassive(q, true, true, false, false, nil)
		r.must(err)
		_, err = r.Consume(q, "k", false, false, false, false, nil)
		r.must(err)
		r.must(r.Cancel("k", false))
		_, err = r.QueueDeclarePassive(q, true, true, false, false, nil)
		closed(t, err, 404, "no queue '"+q+"' in vhost '/'")
	})
	Run(t, rabbitRule("a queue is declared again only as it was", "Queues, property equivalence"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-message-ttl": int32(60000)})
		_, err := r.QueueDeclare(q, true, false, false, false, amqp.Table{"x-message-ttl": int64(60000)})
		r.must(err) // the type of the number makes no difference
		_, err = r.QueueDeclare(q, true, true, false, false, amqp.Table{"x-message-ttl": int32(60000)})
		closed(t, err, 406, "inequivalent arg 'auto_delete' for queue '"+q+"' in vhost '/': received 'true' but current is 'false'")
		r.Channel = r.channel()
		_, err = r.QueueDeclare(q, true, false, false, false, amqp.Table{"x-message-ttl": int32(5)})
		closed(t, err, 406, "inequivalent arg 'x-message-ttl' for queue '"+q+"' in vhost '/': received '5' but current is '60000'")
		r.Channel = r.channel()
		_, err = r.QueueDeclare(q, true, false, false, false, nil)
		closed(t, err, 406, "inequivalent arg 'x-message-ttl' for queue '"+q+"' in vhost '/': received none but current is the value '60000' of type 'signedint'")
	})
	Run(t, rabbitRule("arguments that make no sense are refused", "Queues, optional arguments"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		for name, tc := range map[string]struct {
			args amqp.Table
			want string
		}{
			"a negative time to live":         {amqp.Table{"x-message-ttl": int32(-1)}, "invalid arg 'x-message-ttl'"},
			"a text for a number":             {amqp.Table{"x-max-length": "many"}, "invalid arg 'x-max-length'"},
			"expiry at once":                  {amqp.Table{"x-expires": int32(0)}, "invalid arg 'x-expires'"},
			"an unknown overflow":             {amqp.Table{"x-overflow": "explode"}, "invalid arg 'x-overflow'"},
			"a dead letter key without a DLX": {amqp.Table{"x-dead-letter-routing-key": "k"}, "routing_key_but_no_dlx_defined"},
			"too many priorities":             {amqp.Table{"x-max-priority": int32(256)}, "invalid arg 'x-max-priority'"},
		} {
			_, err := r.QueueDeclare(c.Name("q"), true, false, false, false, tc.args)
			var e *amqp.Error
			if !errors.As(err, &e) || e.Code != 406 || !strings.Contains(e.Reason, tc.want) {
				t.Errorf("%s: %v", name, err)
			}
			r.Channel = r.channel()
		}
	})
	Run(t, rabbitRule("the mode lazy is taken and changes nothing to a client", "Lazy Queues"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-queue-mode": "lazy"})
		r.sendText("", q, "a", "b")
		same(t, "messages", r.drain(q), []string{"a", "b"})
	})
	Run(t, rabbitRule("a quorum queue is durable and not exclusive", "Quorum Queues"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := c.Name("q")
		_, err := r.QueueDeclare(q, false, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		closed(t, err, 406, "invalid property 'non-durable' for queue '"+q+"' in vhost '/'")
		r.Channel = r.channel()
		_, err = r.QueueDeclare(q, true, false, true, false, amqp.Table{"x-queue-type": "quorum"})
		closed(t, err, 406, "invalid property 'exclusive")
	})
	Run(t, rabbitRule("a queue that is neither durable nor exclusive is not permitted", "Deprecated Features, transient_nonexcl_queues (denied by default since 4.3)"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		r.since("4.3")
		_, err := r.QueueDeclare(c.Name("q"), false, false, false, false, nil)
		closed(t, err, 541, "Feature `transient_nonexcl_queues` is deprecated")
	})
	Run(t, rabbitRule("a queue that nobody uses goes after x-expires", "Time-To-Live, queue TTL"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-expires": int32(1000)})
		got := r.consume(q, nil)
		c.Sleep(1500 * time.Millisecond)
		none(t, got) // it is in use
		r.must(r.Channel.Close())
		r.Channel = r.channel()
		c.Sleep(1500 * time.Millisecond)
		_, err := r.QueueDeclarePassive(q, true, false, false, false, nil)
		closed(t, err, 404, "no queue")
	})
	Run(t, rabbitRule("purging drops what is ready, not what is out", "AMQP 0-9-1 Reference, queue.purge"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b", "c")
		d := r.take(q, false)
		n, err := r.QueuePurge(q, false)
		r.must(err)
		same(t, "purged", n, 2)
		r.must(d.Nack(false, true))
		same(t, "left", r.drain(q), []string{"a"})
	})
	Run(t, rabbitRule("a queue in use or with messages is kept by if-unused and if-empty", "AMQP 0-9-1 Reference, queue.delete"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a")
		_, err := r.QueueDelete(q, false, true, false)
		closed(t, err, 406, "queue '"+q+"' in vhost '/' not empty")
		r.Channel = r.channel()
		got := r.consume(q, nil)
		next(t, got)
		_, err = r.QueueDelete(q, true, false, false)
		closed(t, err, 406, "queue '"+q+"' in vhost '/' in use")
		r.Channel = r.channel()
		n, err := r.QueueDelete(q, false, false, false)
		r.must(err)
		same(t, "messages", n, 1)
		n, err = r.QueueDelete(q, false, false, false)
		r.must(err) // deleting it again is no error
		same(t, "messages", n, 0)
	})
	Run(t, rabbitRule("a consumer is told when its queue is deleted", "Consumer Cancel Notification"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		gone := r.NotifyCancel(make(chan string, 1))
		_, err := r.Consume(q, "k", false, false, false, false, nil)
		r.must(err)
		_, err = r.QueueDelete(q, false, false, false)
		r.must(err)
		same(t, "cancelled", <-gone, "k")
	})
}

func TestRabbitMQExpiry(t *testing.T) {
	Run(t, rabbitRule("a message expires by the shorter of its queue's and its own time to live", "Time-To-Live"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-message-ttl": int32(1000)})
		r.send("", q, amqp.Publishing{Body: []byte("own"), Expiration: "300"})
		r.send("", q, amqp.Publishing{Body: []byte("queue's"), Expiration: "60000"})
		c.Sleep(600 * time.Millisecond)
		same(t, "after 600 ms", string(r.take(q, true).Body), "queue's")
		r.sendText("", q, "x")
		c.Sleep(1300 * time.Millisecond)
		same(t, "after the queue's", r.drain(q), []string{})
	})
	Run(t, rabbitRule("a message expires only at the head of its queue", "Time-To-Live, caveats"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		dead := r.queue(nil)
		q := r.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
		r.send("", q, amqp.Publishing{Body: []byte("long"), Expiration: "2000"})
		r.send("", q, amqp.Publishing{Body: []byte("short"), Expiration: "200"})
		c.Sleep(time.Second)
		same(t, "dead after 1 s", r.drain(dead), []string{})
		state, err := r.QueueDeclarePassive(q, true, false, false, false, nil)
		r.must(err)
		same(t, "in the queue after 1 s", state.Messages, 2)
		c.Eventually("both are dead", 3*time.Second, func() bool {
			state, err := r.QueueDeclarePassive(dead, true, false, false, false, nil)
			r.must(err)
			return state.Messages == 2
		})
		same(t, "order", r.drain(dead), []string{"long", "short"})
	})
	Run(t, rabbitRule("a message with time to live 0 reaches a consumer that waits, and nobody else", "Time-To-Live"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-message-ttl": int32(0)})
		r.sendText("", q, "nobody")
		same(t, "kept", r.drain(q), []string{})
		got := r.consume(q, nil)
		r.sendText("", q, "somebody")
		same(t, "received", string(next(t, got).Body), "somebody")
	})
	Run(t, rabbitRule("an expiration that is no number of milliseconds closes the channel", "Time-To-Live, per-message"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		for expiration, want := range map[string]string{"soon": "invalid expiration 'soon'", "-1": "invalid expiration '-1'"} {
			gone := r.NotifyClose(make(chan *amqp.Error, 1))
			r.must(r.Publish("", q, false, false, amqp.Publishing{Expiration: expiration}))
			closed(t, <-gone, 406, want)
			r.Channel = r.channel()
		}
	})
}

func TestRabbitMQDeadLetters(t *testing.T) {
	// deaths reads the header x-death.
	deaths := func(t *testing.T, d amqp.Delivery) []amqp.Table {
		t.Helper()
		list, ok := d.Headers["x-death"].([]any)
		if !ok {
			t.Fatalf("no x-death in %v", d.Headers)
		}
		var tables []amqp.Table
		for _, e := range list {
			tables = append(tables, e.(amqp.Table))
		}
		return tables
	}
	for reason, kill := range map[string]func(r *rabbit, x, q string){
		"rejected": func(r *rabbit, x, _ string) {
			d := r.take(x, false)
			r.must(d.Reject(false))
		},
		"expired": func(r *rabbit, _, _ string) { r.c.Sleep(700 * time.Millisecond) },
		"maxlen":  func(r *rabbit, x, _ string) { r.sendText("", x, "newer") },
	} {
		Run(t, rabbitRule("a message that dies goes to the dead letter exchange, with its history: "+reason, "Dead Letter Exchanges"), func(t *testing.T, c *Cloud) {
			r := rabbitmq(t, c)
			x, dead := r.exchange("topic", nil), r.queue(nil)
			r.bind(dead, "#", x, nil)
			args := amqp.Table{"x-dead-letter-exchange": x}
			switch reason {
			case "expired":
				args["x-message-ttl"] = int32(300)
			case "maxlen":
				args["x-max-length"] = int32(1)
			}
			q := r.queue(args)
			r.send("", q, amqp.Publishing{Body: []byte("order"), Headers: amqp.Table{"mine": "kept"}, MessageId: "m-1", DeliveryMode: amqp.Persistent})
			kill(r, q, dead)
			c.Eventually("the message is dead", 5*time.Second, func() bool {
				s, err := r.QueueDeclarePassive(dead, true, false, false, false, nil)
				r.must(err)
				return s.Messages == 1
			})
			d := r.take(dead, true)
			same(t, "body, id, header", []any{string(d.Body), d.MessageId, d.Headers["mine"]}, []any{"order", "m-1", "kept"})
			same(t, "exchange and key", []string{d.Exchange, d.RoutingKey}, []string{x, q})
			h := deaths(t, d)[0]
			same(t, "x-death", []any{h["reason"], h["queue"], h["exchange"], h["count"], h["routing-keys"]}, []any{reason, q, "", int64(1), []any{q}})
			if _, ok := h["time"].(time.Time); !ok {
				t.Errorf("time is %v", h["time"])
			}
			same(t, "first death", []any{d.Headers["x-first-death-reason"], d.Headers["x-first-death-queue"], d.Headers["x-first-death-exchange"]}, []any{reason, q, ""})
		})
	}
	Run(t, rabbitRule("dying again in the same way counts up, and the last death stands first", "Dead Letter Exchanges, effects"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		work, wait := c.Name("work"), c.Name("wait")
		declare := func(name string, args amqp.Table) {
			_, err := r.QueueDeclare(name, true, false, false, false, args)
			r.must(err)
		}
		declare(work, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait})
		declare(wait, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work, "x-message-ttl": int32(200)})
		r.sendText("", work, "order")
		got := r.consume(work, nil)
		for range 3 {
			d := next(t, got)
			r.must(d.Reject(false))
		}
		h := deaths(t, next(t, got))
		same(t, "deaths", []any{h[0]["queue"], h[0]["reason"], h[0]["count"], h[1]["queue"], h[1]["reason"], h[1]["count"]},
			[]any{wait, "expired", int64(3), work, "rejected", int64(3)})
	})
	Run(t, rabbitRule("a message that expires in a circle is dropped", "Dead Letter Exchanges, automatic cycles"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := c.Name("q")
		_, err := r.QueueDeclare(q, true, false, false, false, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q, "x-message-ttl": int32(100)})
		r.must(err)
		r.sendText("", q, "order")
		c.Sleep(time.Second)
		same(t, "left", r.drain(q), []string{})
	})
	Run(t, rabbitRule("a message's own expiration does not go along", "Dead Letter Exchanges, effects"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		dead := r.queue(nil)
		q := r.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
		r.send("", q, amqp.Publishing{Body: []byte("order"), Expiration: "100"})
		c.Sleep(500 * time.Millisecond)
		d := r.take(dead, true)
		same(t, "expiration", []any{d.Expiration, deaths(t, d)[0]["original-expiration"]}, []any{"", "100"})
	})
	Run(t, rabbitRule("without a dead letter exchange a dead message is gone", "Dead Letter Exchanges"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q, other := r.queue(nil), r.queue(amqp.Table{"x-dead-letter-exchange": c.Name("not-there")})
		for _, q := range []string{q, other} {
			r.sendText("", q, "order")
			d := r.take(q, false)
			r.must(d.Reject(false))
			same(t, "left", r.drain(q), []string{})
		}
	})
}

func TestRabbitMQLimits(t *testing.T) {
	Run(t, rabbitRule("a full queue drops its oldest messages", "Queue Length Limit"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-max-length": int32(2)})
		r.sendText("", q, "a", "b", "c", "d")
		same(t, "left", r.drain(q), []string{"c", "d"})
		q = r.queue(amqp.Table{"x-max-length-bytes": int32(10)})
		r.sendText("", q, "aaaa", "bbbb", "cccc")
		same(t, "left", r.drain(q), []string{"bbbb", "cccc"})
	})
	Run(t, rabbitRule("a full queue with reject-publish refuses new messages", "Queue Length Limit, overflow"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"})
		r.sendText("", q, "a", "b")
		if r.send("", q, amqp.Publishing{Body: []byte("c")}) {
			t.Error("the third was taken")
		}
		same(t, "left", r.drain(q), []string{"a", "b"})
	})
	Run(t, rabbitRule("with reject-publish-dlx what is refused is dead-lettered too", "Queue Length Limit, overflow"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		dead := r.queue(nil)
		q := r.queue(amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
		r.sendText("", q, "a")
		if r.send("", q, amqp.Publishing{Body: []byte("b")}) {
			t.Error("the second was taken")
		}
		same(t, "dead", r.drain(dead), []string{"b"})
	})
	Run(t, rabbitRule("a queue can be full by the bytes of its bodies", "Queue Length Limit"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-max-length-bytes": int32(10)})
		r.sendText("", q, "12345", "678", "90", "abc")
		same(t, "left", r.drain(q), []string{"678", "90", "abc"})
	})
	Run(t, rabbitRule("messages that are out do not count towards the length", "Queue Length Limit"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-max-length": int32(1)})
		r.sendText("", q, "a")
		d := r.take(q, false)
		r.sendText("", q, "b")
		same(t, "ready", string(r.take(q, true).Body), "b")
		r.must(d.Ack(false))
	})
	Run(t, rabbitRule("higher priorities are delivered first", "Priority Queue Support"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-max-priority": int32(5)})
		for _, m := range []struct {
			body     string
			priority uint8
		}{{"a", 0}, {"b", 5}, {"c", 1}, {"d", 9}, {"e", 1}} {
			r.send("", q, amqp.Publishing{Body: []byte(m.body), Priority: m.priority})
		}
		same(t, "order", r.drain(q), []string{"b", "d", "c", "e", "a"}) // over the maximum counts as the maximum
	})
}

func TestRabbitMQPublishing(t *testing.T) {
	Run(t, rabbitRule("every publication is confirmed, in the order of its number", "Publisher Confirms"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.must(r.Confirm(false))
		confirmed := r.NotifyPublish(make(chan amqp.Confirmation, 100))
		for range 100 {
			r.must(r.Publish("", q, false, false, amqp.Publishing{}))
		}
		for i := range uint64(100) {
			got := <-confirmed
			if got.DeliveryTag != i+1 || !got.Ack {
				t.Fatalf("confirmation %d is %+v", i+1, got)
			}
		}
	})
	Run(t, rabbitRule("a mandatory message that reaches no queue comes back, before its confirmation", "Publisher Confirms and mandatory messages"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		r.must(r.Confirm(false))
		events := make(chan string, 2)
		returned, confirmed := r.NotifyReturn(make(chan amqp.Return)), r.NotifyPublish(make(chan amqp.Confirmation))
		key := c.Name("nobody")
		r.must(r.Publish("", key, true, false, amqp.Publishing{Body: []byte("order"), MessageId: "m-1"}))
		for range 2 {
			select {
			case m := <-returned:
				same(t, "returned", []any{m.ReplyCode, m.ReplyText, m.Exchange, m.RoutingKey, string(m.Body), m.MessageId}, []any{uint16(312), "NO_ROUTE", "", key, "order", "m-1"})
				events <- "returned"
			case m := <-confirmed:
				same(t, "confirmed", m.Ack, true)
				events <- "confirmed"
			}
		}
		same(t, "order", []string{<-events, <-events}, []string{"returned", "confirmed"})
	})
	Run(t, rabbitRule("publishing to an exchange that is not there closes the channel", "Channels, errors"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		other := r.channel()
		gone := r.NotifyClose(make(chan *amqp.Error, 1))
		name := c.Name("not-there")
		r.must(r.Publish(name, "", false, false, amqp.Publishing{}))
		closed(t, <-gone, 404, "no exchange '"+name+"' in vhost '/'")
		_, err := other.QueueDeclare("", false, false, true, false, nil)
		r.must(err) // the others go on
	})
	Run(t, rabbitRule("immediate is not implemented", "Specification Differences"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		gone := r.conn.NotifyClose(make(chan *amqp.Error, 1))
		r.must(r.Publish("", "k", false, true, amqp.Publishing{}))
		closed(t, <-gone, 540, "immediate=true")
	})
	Run(t, rabbitRule("a message arrives as it was sent", "Publishers, message properties"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		sent := amqp.Publishing{
			ContentType: "application/json", ContentEncoding: "gzip", DeliveryMode: amqp.Persistent, Priority: 3, CorrelationId: "c", ReplyTo: "r", Expiration: "60000",
			MessageId: "m", Timestamp: time.Unix(1764570000, 0), Type: "t", UserId: "guest", AppId: "a", Body: []byte(strings.Repeat("x", 300_000)),
			Headers: amqp.Table{"text": "a", "number": int32(-5), "long": int64(1) << 40, "yes": true, "nothing": nil, "list": []any{"a", int32(1)}, "table": amqp.Table{"k": "v"}, "bytes": []byte{0, 255}},
		}
		r.send("", q, sent)
		d := r.take(q, true)
		got := amqp.Publishing{
			ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
			Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body, Headers: d.Headers,
		}
		if !got.Timestamp.Equal(sent.Timestamp) {
			t.Errorf("timestamp %v", got.Timestamp)
		}
		got.Timestamp = sent.Timestamp
		if !reflect.DeepEqual(got, sent) {
			t.Errorf("got %+v, want %+v", got.Headers, sent.Headers)
		}
	})
	Run(t, rabbitRule("the user id of a message must be the publisher's", "Validated User-ID"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		gone := r.NotifyClose(make(chan *amqp.Error, 1))
		r.must(r.Publish("", "k", false, false, amqp.Publishing{UserId: "somebody"}))
		closed(t, <-gone, 406, "user_id property set to 'somebody' but authenticated user was 'guest'")
	})
	Run(t, rabbitRule("headers CC and BCC name further routing keys, and BCC is not shown", "Sender-selected Distribution"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		to, cc, bcc := r.queue(nil), r.queue(nil), r.queue(nil)
		r.send("", to, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{cc}, "BCC": []any{bcc}}})
		for _, q := range []string{to, cc, bcc} {
			d := r.take(q, true)
			if _, shown := d.Headers["BCC"]; shown || d.Headers["CC"] == nil {
				t.Errorf("headers %v", d.Headers)
			}
		}
	})
	Run(t, rabbitRule("what a transaction publishes is there when it commits, and not after a rollback", "Transactions (tx)"), func(t *testing.T, c *Cloud) {
		r, tx := rabbitmq(t, c), (*amqp.Channel)(nil)
		tx = r.channel()
		q := r.queue(nil)
		r.must(tx.Tx())
		r.must(tx.Publish("", q, false, false, amqp.Publishing{Body: []byte("a")}))
		r.must(tx.TxRollback())
		r.must(tx.Publish("", q, false, false, amqp.Publishing{Body: []byte("b")}))
		state, err := tx.QueueDeclarePassive(q, true, false, false, false, nil)
		r.must(err)
		same(t, "before the commit", state.Messages, 0)
		r.must(tx.TxCommit())
		same(t, "after the commit", r.drain(q), []string{"b"})
		closed(t, tx.Confirm(false), 406, "cannot switch from tx to confirm mode")
	})
	Run(t, rabbitRule("an acknowledgement in a transaction counts when it commits", "Transactions (tx)"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		tx, q := r.channel(), r.queue(nil)
		r.sendText("", q, "a")
		r.must(tx.Tx())
		d, ok, err := tx.Get(q, false)
		r.must(err)
		same(t, "there", ok, true)
		r.must(d.Ack(false))
		r.must(tx.TxRollback())
		r.must(tx.Close())
		same(t, "back", r.drain(q), []string{"a"})
	})
}

func TestRabbitMQConsuming(t *testing.T) {
	Run(t, rabbitRule("a consumer has no more than its prefetch count unacknowledged", "Consumer Prefetch"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b", "c", "d")
		r.must(r.Qos(2, 0, false))
		got := r.consume(q, nil)
		first, second := next(t, got), next(t, got)
		none(t, got)
		r.must(first.Ack(false))
		same(t, "third", string(next(t, got).Body), "c")
		none(t, got)
		r.must(second.Ack(false))
		same(t, "fourth", string(next(t, got).Body), "d")
	})
	Run(t, rabbitRule("the prefetch count holds for each consumer that is started after it", "Consumer Prefetch"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		free := r.consume(q, nil)
		r.must(r.Qos(1, 0, false))
		one, another := r.consume(q, nil), r.consume(q, nil)
		for i := range 9 {
			r.sendText("", q, fmt.Sprint(i))
		}
		next(t, one)
		next(t, another)
		none(t, one)
		none(t, another)
		for range 7 {
			next(t, free)
		}
	})
	Run(t, rabbitRule("one limit for a whole channel is not permitted", "Deprecated Features, global_qos (denied by default since 4.3)"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		r.since("4.3")
		closed(t, r.Qos(1, 0, true), 541, "Feature `global_qos` is deprecated")
	})
	Run(t, rabbitRule("no-local is ignored: a consumer gets what its own connection publishes", "AMQP 0-9-1 Errata and specification differences: basic.consume no-local"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		got, err := r.Consume(q, "", true, false, true, false, nil)
		r.must(err)
		r.sendText("", q, "mine")
		same(t, "body", string(next(t, got).Body), "mine")
	})
	Run(t, rabbitRule("consumers of a queue take turns", "Consumers"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		one, another := r.consume(q, nil), r.consume(q, nil)
		r.sendText("", q, "a", "b", "c", "d")
		same(t, "first", []string{string(next(t, one).Body), string(next(t, one).Body)}, []string{"a", "c"})
		same(t, "second", []string{string(next(t, another).Body), string(next(t, another).Body)}, []string{"b", "d"})
	})
	Run(t, rabbitRule("a consumer with a higher priority gets messages as long as it has room", "Consumer Priorities"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.must(r.Qos(2, 0, false))
		low := r.consume(q, nil)
		high := r.consume(q, amqp.Table{"x-priority": int32(10)})
		r.sendText("", q, "a", "b", "c")
		same(t, "high", []string{string(next(t, high).Body), string(next(t, high).Body)}, []string{"a", "b"})
		same(t, "low", string(next(t, low).Body), "c")
	})
	Run(t, rabbitRule("of a single active consumer's queue one consumer gets everything, and then the next", "Consumers, Single Active Consumer"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-single-active-consumer": true})
		got, err := r.Consume(q, "first", false, false, false, false, nil)
		r.must(err)
		waiting := r.consume(q, nil)
		r.sendText("", q, "a", "b")
		for _, want := range []string{"a", "b"} {
			d := next(t, got)
			same(t, "first", string(d.Body), want)
			r.must(d.Ack(false))
		}
		none(t, waiting)
		r.must(r.Cancel("first", false))
		r.sendText("", q, "c")
		same(t, "then", string(next(t, waiting).Body), "c")
	})
	Run(t, rabbitRule("an exclusive consumer is the only one", "Consumers, exclusivity"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		_, err := r.Consume(q, "", false, true, false, false, nil)
		r.must(err)
		other := r.channel()
		_, err = other.Consume(q, "", false, false, false, false, nil)
		closed(t, err, 403, "queue '"+q+"' in vhost '/' in exclusive use")
	})
	Run(t, rabbitRule("one acknowledgement can stand for all before it", "Consumer Acknowledgements, multiple"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b", "c")
		got := r.consume(q, nil)
		next(t, got)
		second := next(t, got)
		next(t, got)
		r.must(second.Ack(true))
		r.must(r.Channel.Close())
		r.Channel = r.channel()
		same(t, "left", r.drain(q), []string{"c"})
	})
	Run(t, rabbitRule("a delivery is settled once", "Consumer Acknowledgements, double acking"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a")
		d := r.take(q, false)
		gone := r.NotifyClose(make(chan *amqp.Error, 1))
		r.must(d.Ack(false))
		r.must(d.Ack(false))
		closed(t, <-gone, 406, "unknown delivery tag 1")
	})
	Run(t, rabbitRule("what is given back stands at its old place, and is marked redelivered", "Consumer Acknowledgements, requeueing"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b", "c")
		first, second := r.take(q, false), r.take(q, false)
		same(t, "redelivered", []bool{first.Redelivered, second.Redelivered}, []bool{false, false})
		r.must(second.Nack(false, true))
		r.must(first.Nack(false, true))
		again := r.take(q, true)
		same(t, "first again", []any{string(again.Body), again.Redelivered}, []any{"a", true})
		same(t, "then", r.drain(q), []string{"b", "c"})
	})
	Run(t, rabbitRule("what a closed channel has not acknowledged goes back", "Consumer Acknowledgements"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b")
		ch := r.channel()
		got, err := ch.Consume(q, "", false, false, false, false, nil)
		r.must(err)
		next(t, got)
		next(t, got)
		r.must(ch.Close())
		same(t, "back", r.drain(q), []string{"a", "b"})
	})
	Run(t, rabbitRule("what a deleted queue has handed out may still be acknowledged", "Consumer Acknowledgements"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b")
		first, second := r.take(q, false), r.take(q, false)
		_, err := r.QueueDelete(q, false, false, false)
		r.must(err)
		r.must(first.Ack(false))
		r.must(second.Reject(true))
		_, err = r.QueueDeclare("", false, false, true, false, nil)
		r.must(err) // the channel is open
	})
	Run(t, rabbitRule("without acknowledgements a message is gone when it is sent", "Consumer Acknowledgements, automatic"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a")
		ch := r.channel()
		got, err := ch.Consume(q, "", true, false, false, false, nil)
		r.must(err)
		next(t, got)
		r.must(ch.Close())
		same(t, "back", r.drain(q), []string{})
	})
	Run(t, rabbitRule("recover gives everything back", "AMQP 0-9-1 Reference, basic.recover"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a")
		r.take(q, false)
		r.must(r.Recover(true)) //lint:ignore SA1019 what it does is the rule
		same(t, "redelivered", r.take(q, true).Redelivered, true)
	})
	Run(t, rabbitRule("an empty queue answers get at once", "AMQP 0-9-1 Reference, basic.get"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		_, ok, err := r.Get(q, false)
		r.must(err)
		same(t, "there", ok, false)
		r.sendText("", q, "a", "b", "c")
		same(t, "messages left", r.take(q, true).MessageCount, uint32(2))
	})
	Run(t, rabbitRule("a consumer tag is used once on a channel", "Consumers, consumer tags"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		_, err := r.Consume(q, "k", false, false, false, false, nil)
		r.must(err)
		gone := r.conn.NotifyClose(make(chan *amqp.Error, 1))
		_, _ = r.Consume(q, "k", false, false, false, false, nil)
		closed(t, <-gone, 530, "attempt to reuse consumer tag 'k'")
	})
	Run(t, rabbitRule("a reply reaches its asker without a queue", "Direct Reply-to"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		asker := r.channel()
		replies, err := asker.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		r.must(err)
		r.must(asker.Publish("", q, false, false, amqp.Publishing{Body: []byte("?"), ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "17"}))
		got := r.consume(q, nil)
		d := next(t, got)
		if !strings.HasPrefix(d.ReplyTo, "amq.rabbitmq.reply-to.") {
			t.Fatalf("reply to %q", d.ReplyTo)
		}
		r.must(r.Publish("", d.ReplyTo, false, false, amqp.Publishing{Body: []byte("!"), CorrelationId: d.CorrelationId}))
		reply := next(t, replies)
		same(t, "reply", []string{string(reply.Body), reply.CorrelationId}, []string{"!", "17"})
		gone := r.NotifyClose(make(chan *amqp.Error, 1))
		r.must(r.Publish("", q, false, false, amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to"}))
		closed(t, <-gone, 406, "fast reply consumer does not exist")
	})
	Run(t, rabbitRule("direct replies are consumed without acknowledgement", "Direct Reply-to"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		_, err := r.Consume("amq.rabbitmq.reply-to", "", false, false, false, false, nil)
		closed(t, err, 406, "reply consumer cannot acknowledge")
	})
}

func TestRabbitMQQuorumQueues(t *testing.T) {
	args := func(limit int32, dead string) amqp.Table {
		return amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": limit, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
	}
	Run(t, rabbitRule("a message that is rejected more often than the delivery limit is dead", "Quorum Queues, poison message handling"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		dead := r.queue(nil)
		q := r.queue(args(2, dead))
		r.sendText("", q, "poison")
		got := r.consume(q, nil)
		for i := range 3 {
			d := next(t, got)
			count, _ := d.Headers["x-delivery-count"].(int64)
			same(t, "x-delivery-count", count, int64(i))
			r.must(d.Reject(true))
		}
		none(t, got)
		c.Eventually("the message is dead", 5*time.Second, func() bool {
			s, err := r.QueueDeclarePassive(dead, true, false, false, false, nil)
			r.must(err)
			return s.Messages == 1
		})
		d := r.take(dead, true)
		same(t, "reason", d.Headers["x-first-death-reason"], "delivery_limit")
	})
	Run(t, rabbitRule("what is given back by basic.nack does not count towards the delivery limit", "Negative Acknowledgements (since 4.3)"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		r.since("4.3")
		dead := r.queue(nil)
		q := r.queue(args(2, dead))
		r.sendText("", q, "order")
		got := r.consume(q, nil)
		for range 10 {
			d := next(t, got)
			r.must(d.Nack(false, true))
		}
		next(t, got)
	})
	Run(t, rabbitRule("the delivery limit is 20 unless the queue says otherwise", "Quorum Queues, poison message handling (since 4.0)"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		r.since("4.0")
		q := r.queue(amqp.Table{"x-queue-type": "quorum"})
		r.sendText("", q, "poison")
		got := r.consume(q, nil)
		for range 21 {
			d := next(t, got)
			r.must(d.Reject(true))
		}
		none(t, got)
	})
}

func TestRabbitMQStreams(t *testing.T) {
	read := func(t *testing.T, r *rabbit, q string, offset any, n int) []string {
		t.Helper()
		ch := r.channel()
		r.must(ch.Qos(100, 0, false))
		got, err := ch.Consume(q, "", false, false, false, false, amqp.Table{"x-stream-offset": offset})
		r.must(err)
		var bodies []string
		for range n {
			d := next(t, got)
			bodies = append(bodies, string(d.Body))
			r.must(d.Ack(false))
		}
		none(t, got)
		r.must(ch.Close())
		return bodies
	}
	Run(t, rabbitRule("reading a stream takes nothing out of it", "Streams"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-queue-type": "stream"})
		r.sendText("", q, "a", "b", "c")
		same(t, "first reader", read(t, r, q, "first", 3), []string{"a", "b", "c"})
		same(t, "second reader", read(t, r, q, "first", 3), []string{"a", "b", "c"})
		same(t, "from an offset", read(t, r, q, int64(1), 2), []string{"b", "c"})
		same(t, "from next", read(t, r, q, "next", 0), []string(nil))
		same(t, "from a time", read(t, r, q, time.Now().Add(-time.Hour), 3), []string{"a", "b", "c"})
		r.must(r.Qos(10, 0, false))
		last := r.consume(q, amqp.Table{"x-stream-offset": "last"})
		for string(next(t, last).Body) != "c" { // the last chunk, which may have all three
		}
		none(t, last)
	})
	Run(t, rabbitRule("a stream drops whole segments, when a new one is begun", "Streams, data retention"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		c.Control() // the files of a real one are of 500 MB
		q := r.queue(amqp.Table{"x-queue-type": "stream", "x-max-age": "1D", "x-stream-max-segment-size-bytes": int32(20)})
		r.sendText("", q, strings.Repeat("a", 10), strings.Repeat("b", 10), "c") // two segments
		c.Sleep(48 * time.Hour)
		same(t, "as long as nothing comes", read(t, r, q, "first", 3), []string{strings.Repeat("a", 10), strings.Repeat("b", 10), "c"})
		r.sendText("", q, strings.Repeat("d", 20))
		same(t, "in the same segment", len(read(t, r, q, "first", 4)), 4)
		r.sendText("", q, "e") // begins a segment
		same(t, "afterwards", read(t, r, q, "first", 3), []string{"c", strings.Repeat("d", 20), "e"})
	})
	Run(t, rabbitRule("a stream's consumer must have a prefetch count, and acknowledge", "Streams"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-queue-type": "stream"})
		_, err := r.Consume(q, "", false, false, false, false, nil)
		closed(t, err, 406, "consumer prefetch count is not set for")
		r.Channel = r.channel()
		r.must(r.Qos(1, 0, false))
		gone := r.conn.NotifyClose(make(chan *amqp.Error, 1))
		_, _ = r.Consume(q, "", true, false, false, false, nil)
		closed(t, <-gone, 540, "automatic acknowledgement not supported by stream queues")
	})
	Run(t, rabbitRule("basic.get is not for streams", "Streams, feature comparison"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-queue-type": "stream"})
		gone := r.conn.NotifyClose(make(chan *amqp.Error, 1))
		_, _, _ = r.Get(q, false)
		closed(t, <-gone, 540, "basic.get not supported by stream queues")
	})
	Run(t, rabbitRule("a delivery says its offset", "Streams"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-queue-type": "stream"})
		r.sendText("", q, "a", "b")
		r.must(r.Qos(10, 0, false))
		got := r.consume(q, amqp.Table{"x-stream-offset": "first"})
		for i := range 2 {
			d := next(t, got)
			same(t, "offset", d.Headers["x-stream-offset"], int64(i))
		}
	})
}

func TestRabbitMQPolicies(t *testing.T) {
	put := func(t *testing.T, c *Cloud, name string, policy map[string]any) {
		t.Helper()
		status, answer := c.RabbitMQAPI("PUT", "/api/policies/%2F/"+name, policy)
		if status != 201 {
			t.Fatalf("status %d, %v", status, answer)
		}
	}
	Run(t, rabbitRule("a policy holds for the queues whose names fit its pattern", "Policies"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q, other := r.queue(nil), r.queue(nil)
		put(t, c, c.Name("p"), map[string]any{"pattern": "^" + q + "$", "definition": map[string]any{"max-length": 1}, "apply-to": "queues"})
		c.Eventually("the policy holds", 5*time.Second, func() bool {
			r.sendText("", q, "a", "b")
			return len(r.drain(q)) == 1
		})
		r.sendText("", other, "a", "b")
		same(t, "another queue", r.drain(other), []string{"a", "b"})
	})
	Run(t, rabbitRule("of a limit that both a policy and the queue give, the smaller one holds", "Policies, combining"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(amqp.Table{"x-max-length": int32(3)})
		put(t, c, c.Name("p"), map[string]any{"pattern": "^" + q + "$", "definition": map[string]any{"max-length": 2}, "apply-to": "queues"})
		c.Eventually("the policy holds", 5*time.Second, func() bool {
			r.sendText("", q, "a", "b", "c", "d")
			return len(r.drain(q)) == 2
		})
	})
}

func TestRabbitMQManagement(t *testing.T) {
	Run(t, rabbitRule("the API declares, binds, publishes, gets and deletes", "HTTP API Reference"), func(t *testing.T, c *Cloud) {
		q, x := c.Name("q"), c.Name("x")
		do := func(want int, method, path string, body any) any {
			t.Helper()
			status, answer := c.RabbitMQAPI(method, path, body)
			if status != want {
				t.Fatalf("%s %s: status %d, %v", method, path, status, answer)
			}
			return answer
		}
		do(201, "PUT", "/api/queues/%2F/"+q, map[string]any{"durable": true})
		do(204, "PUT", "/api/queues/%2F/"+q, map[string]any{"durable": true})
		do(201, "PUT", "/api/exchanges/%2F/"+x, map[string]any{"type": "topic"})
		do(201, "POST", "/api/bindings/%2F/e/"+x+"/q/"+q, map[string]any{"routing_key": "order.#"})
		publish := map[string]any{"routing_key": "order.paid", "payload": "17", "payload_encoding": "string", "properties": map[string]any{"headers": map[string]any{"k": "v"}}}
		same(t, "routed", do(200, "POST", "/api/exchanges/%2F/"+x+"/publish", publish), map[string]any{"routed": true})
		publish["routing_key"] = "other"
		same(t, "not routed", do(200, "POST", "/api/exchanges/%2F/"+x+"/publish", publish), map[string]any{"routed": false})
		got := do(200, "POST", "/api/queues/%2F/"+q+"/get", map[string]any{"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}).([]any)
		same(t, "messages", len(got), 1)
		m := got[0].(map[string]any)
		same(t, "message", []any{m["payload"], m["routing_key"], m["exchange"], m["properties"].(map[string]any)["headers"]}, []any{"17", "order.paid", x, map[string]any{"k": "v"}})
		do(204, "DELETE", "/api/queues/%2F/"+q+"/contents", nil)
		do(204, "DELETE", "/api/queues/%2F/"+q, nil)
		do(404, "GET", "/api/queues/%2F/"+q, nil)
		do(204, "DELETE", "/api/exchanges/%2F/"+x, nil)
	})
	Run(t, rabbitRule("a user does what its permissions allow", "Authentication, Authorisation, Access Control"), func(t *testing.T, c *Cloud) {
		user := c.Name("user")
		c.RabbitMQAPI("PUT", "/api/users/"+user, map[string]any{"password": "secret", "tags": ""})
		c.RabbitMQAPI("PUT", "/api/permissions/%2F/"+user, map[string]any{"configure": "^mine-", "write": "^mine-", "read": "^mine-"})
		conn, err := c.RabbitMQAs(user, "secret")
		if err != nil {
			t.Fatal(err)
		}
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ch.QueueDeclare("yours-1", true, false, false, false, nil)
		closed(t, err, 403, "access to queue 'yours-1' in vhost '/' refused for user '"+user+"'")
		if ch, err = conn.Channel(); err != nil {
			t.Fatal(err)
		}
		gone := ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := ch.Publish("", "mine-1", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		closed(t, <-gone, 403, "access to exchange 'amq.default' in vhost '/' refused for user '"+user+"'")
	})
	Run(t, rabbitRule("a wrong password is refused", "Authentication, Authorisation, Access Control"), func(t *testing.T, c *Cloud) {
		_, err := c.RabbitMQAs("guest", "wrong")
		closed(t, err, 403, "username or password not allowed")
	})
	Run(t, rabbitRule("the health checks and the aliveness test answer ok", "HTTP API Reference, health checks"), func(t *testing.T, c *Cloud) {
		for _, path := range []string{"/api/health/checks/alarms", "/api/health/checks/local-alarms", "/api/health/checks/virtual-hosts", "/api/aliveness-test/%2F"} {
			status, answer := c.RabbitMQAPI("GET", path, nil)
			if o, _ := answer.(map[string]any); status != 200 || o["status"] != "ok" {
				t.Errorf("%s: status %d, %v", path, status, answer)
			}
		}
	})
	Run(t, rabbitRule("the definitions that are exported make the same again", "Schema Definition Export and Import"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q, x := r.queue(amqp.Table{"x-max-length": int32(5)}), r.exchange("topic", nil)
		r.bind(q, "a.#", x, nil)
		_, definitions := c.RabbitMQAPI("GET", "/api/definitions/%2F", nil)
		_, err := r.QueueDelete(q, false, false, false)
		r.must(err)
		r.must(r.ExchangeDelete(x, false, false))
		if status, answer := c.RabbitMQAPI("POST", "/api/definitions/%2F", definitions); status != 204 && status != 201 {
			t.Fatalf("status %d, %v", status, answer)
		}
		r.sendText(x, "a.b", "1", "2", "3", "4", "5", "6")
		same(t, "messages", r.drain(q), []string{"2", "3", "4", "5", "6"})
	})
	Run(t, rabbitRule("the API counts a queue's messages, what is out and who consumes", "HTTP API Reference, queues"), func(t *testing.T, c *Cloud) {
		r := rabbitmq(t, c)
		q := r.queue(nil)
		r.sendText("", q, "a", "b", "c")
		r.must(r.Qos(2, 0, false))
		got := r.consume(q, nil)
		next(t, got)
		next(t, got)
		var have map[string]any
		c.Eventually("the queue's numbers are right", 15*time.Second, func() bool { // the statistics come every 5 s
			_, answer := c.RabbitMQAPI("GET", "/api/queues/%2F/"+q, nil)
			have, _ = answer.(map[string]any)
			return have["messages"] == 3.0 && have["messages_ready"] == 1.0 && have["messages_unacknowledged"] == 2.0 && have["consumers"] == 1.0
		})
	})
}
