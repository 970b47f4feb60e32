package rabbitmq_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
)

// cluster is three nodes with a client at each.
type cluster struct {
	*rabbitmq.Server
	t *testing.T
}

func inCluster(t *testing.T, name string, f func(t *testing.T, c *cluster)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{rabbitmq.New(rabbitmq.Options{Nodes: 3}), t}
			defer func() { _ = c.Close() }()
			f(t, c)
		})
	})
}

func (c *cluster) dial(node int) *client.Connection {
	c.t.Helper()
	conn, err := client.DialConfig("amqp://guest:guest@localhost/", client.Config{Heartbeat: 10 * time.Second, Dial: func(string, string) (net.Conn, error) {
		return c.DialNode(context.Background(), c.Nodes()[node])
	}})
	must(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (c *cluster) channel(node int) *client.Channel {
	c.t.Helper()
	ch, err := c.dial(node).Channel()
	must(c.t, err)
	must(c.t, ch.Confirm(false))
	return ch
}

func (c *cluster) declare(ch *client.Channel, kind string) {
	c.t.Helper()
	_, err := ch.QueueDeclare(kind, true, false, false, false, client.Table{"x-queue-type": kind})
	must(c.t, err)
}

func publishTo(t *testing.T, ch *client.Channel, queue, body string) *client.DeferredConfirmation {
	t.Helper()
	c, err := ch.PublishWithDeferredConfirm("", queue, true, false, client.Publishing{Body: []byte(body)})
	must(t, err)
	return c
}

// unconfirmed wants no word within a minute.
func unconfirmed(t *testing.T, c *client.DeferredConfirmation) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if ok, err := c.WaitContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("confirmed: %v, %v", ok, err)
	}
}

func TestCluster(t *testing.T) {
	inCluster(t, "a queue is reached through every node", func(t *testing.T, c *cluster) {
		one, three := c.channel(0), c.channel(2)
		for _, kind := range []string{"classic", "quorum"} {
			c.declare(one, kind)
			if !publishTo(t, three, kind, "order").Wait() {
				t.Error("refused")
			}
			if d, ok, err := c.channel(1).Get(kind, true); !ok || err != nil || string(d.Body) != "order" {
				t.Errorf("%s: %v %v", kind, ok, err)
			}
		}
	})
	inCluster(t, "when the leader's node fails, a quorum queue goes on with another leader", func(t *testing.T, c *cluster) {
		one, two := c.channel(0), c.channel(1)
		c.declare(two, "quorum")
		got, err := one.Consume("quorum", "", false, false, false, false, nil)
		must(t, err)
		if leader := c.Leader("/", "quorum"); leader != "rabbit@node2" {
			t.Errorf("leader %s", leader)
		}
		closed := two.NotifyClose(make(chan *client.Error, 1))
		must(t, c.StopNode("rabbit@node2"))
		if e := <-closed; e.Code != 320 || !strings.Contains(e.Reason, "broker forced connection closure") {
			t.Errorf("closed with %v", e)
		}
		if leader := c.Leader("/", "quorum"); leader != "rabbit@node1" {
			t.Errorf("then %s", leader)
		}
		if !publishTo(t, one, "quorum", "order").Wait() {
			t.Error("refused")
		}
		if d := <-got; string(d.Body) != "order" {
			t.Errorf("received %s", d.Body)
		}
	})
	inCluster(t, "without a majority publications are not confirmed, and are when it is back", func(t *testing.T, c *cluster) {
		one := c.channel(0)
		c.declare(one, "quorum")
		got, err := one.Consume("quorum", "", false, false, false, false, nil)
		must(t, err)
		must(t, c.StopNode("rabbit@node2"))
		must(t, c.StopNode("rabbit@node3"))
		if leader := c.Leader("/", "quorum"); leader != "" {
			t.Errorf("%s leads", leader)
		}
		waiting := publishTo(t, one, "quorum", "held")
		unconfirmed(t, waiting)
		c.declare(one, "classic")
		if !publishTo(t, one, "classic", "other").Wait() { // other queues go on, and their confirmations do not stand for it
			t.Error("refused")
		}
		unconfirmed(t, waiting)
		select {
		case d := <-got:
			t.Errorf("%s was delivered", d.Body)
		default:
		}
		must(t, c.StartNode("rabbit@node3"))
		if !waiting.Wait() {
			t.Error("refused")
		}
		if d := <-got; string(d.Body) != "held" {
			t.Errorf("received %s", d.Body)
		}
	})
	inCluster(t, "without a majority a get waits for it", func(t *testing.T, c *cluster) {
		one := c.channel(0)
		c.declare(one, "quorum")
		if !publishTo(t, one, "quorum", "order").Wait() {
			t.Error("refused")
		}
		must(t, c.StopNode("rabbit@node2"))
		must(t, c.StopNode("rabbit@node3"))
		time.AfterFunc(time.Hour, func() { _ = c.StartNode("rabbit@node2") })
		start := time.Now()
		if _, ok, err := one.Get("quorum", true); !ok || err != nil || time.Since(start) != time.Hour {
			t.Errorf("%v, %v after %v", ok, err, time.Since(start))
		}
	})
	inCluster(t, "a classic queue is out of reach while its node is down, and what is published to it is not routed", func(t *testing.T, c *cluster) {
		one, two := c.channel(0), c.channel(1)
		c.declare(two, "classic")
		if !publishTo(t, one, "classic", "before").Wait() {
			t.Error("refused")
		}
		cancelled, returned := one.NotifyCancel(make(chan string, 1)), one.NotifyReturn(make(chan client.Return, 1))
		_, err := one.Consume("classic", "k", false, true, false, false, nil)
		must(t, err)
		must(t, c.StopNode("rabbit@node2"))
		if tag := <-cancelled; tag != "k" {
			t.Errorf("cancelled %q", tag)
		}
		if !publishTo(t, one, "classic", "lost").Wait() {
			t.Error("refused")
		}
		if r := <-returned; r.ReplyText != "NO_ROUTE" {
			t.Errorf("returned %+v", r)
		}
		_, err = one.QueueDeclarePassive("classic", true, false, false, false, nil)
		var e *client.Error
		if !errors.As(err, &e) || e.Code != 404 || !strings.Contains(e.Reason, "home node 'rabbit@node2' of durable queue 'classic' in vhost '/' is down or inaccessible") {
			t.Errorf("declared: %v", err)
		}
		must(t, c.StartNode("rabbit@node2"))
		if d, ok, err := c.channel(0).Get("classic", true); !ok || err != nil || string(d.Body) != "before" {
			t.Errorf("after its start: %s, %v, %v", d.Body, ok, err)
		}
	})
	inCluster(t, "a node that is down takes no clients", func(t *testing.T, c *cluster) {
		must(t, c.StopNode("rabbit@node3"))
		if _, err := c.DialNode(t.Context(), "rabbit@node3"); err == nil {
			t.Error("a client got in")
		}
		var wrong *rabbitmq.NodeError
		if err := c.StopNode("rabbit@node3"); !errors.As(err, &wrong) {
			t.Errorf("stopped again: %v", err)
		}
		if err := c.StartNode("rabbit@node4"); !errors.As(err, &wrong) {
			t.Errorf("a node that is not there: %v", err)
		}
	})
}
