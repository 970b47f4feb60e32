package rabbitmq_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
)

func dial(t *testing.T, s *rabbitmq.Server) *amqp.Connection {
	t.Helper()
	c, err := amqp.DialConfig("amqp://guest:guest@localhost/", amqp.Config{
		Heartbeat: 10 * time.Second,
		Dial:      func(string, string) (net.Conn, error) { return s.Dial(t.Context()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAMessageGoesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rabbitmq.New(rabbitmq.Options{})
		defer s.Close()
		c := dial(t, s)
		defer c.Close()
		ch, err := c.Channel()
		if err != nil {
			t.Fatal(err)
		}
		q, err := ch.QueueDeclare("orders", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		got, err := ch.Consume(q.Name, "", false, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		conf, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", q.Name, true, false, amqp.Publishing{Body: []byte("order 17")})
		if err != nil {
			t.Fatal(err)
		}
		if !conf.Wait() {
			t.Error("refused")
		}
		d := <-got
		if string(d.Body) != "order 17" {
			t.Errorf("%+v", d)
		}
		time.Sleep(time.Hour)
		if err := d.Nack(false, true); err != nil {
			t.Fatal(err)
		}
		if d = <-got; !d.Redelivered {
			t.Errorf("%+v", d)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	})
}
