package rabbitmq_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// wire is a client that can do everything wrong.
type wire struct {
	net.Conn
	t      *testing.T
	frames *amqp.Reader
}

func connect(t *testing.T, s *rabbitmq.Server) *wire {
	t.Helper()
	c, err := s.Dial(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &wire{c, t, amqp.NewReader(c, 0)}
}

func (w *wire) send(channel uint16, methods ...amqp.Method) {
	w.t.Helper()
	for _, m := range methods {
		b, err := amqp.AppendMethod(nil, channel, m)
		must(w.t, err)
		_, err = w.Write(b)
		must(w.t, err)
	}
}

// next reads frames until one has a method.
func (w *wire) next() amqp.Method {
	w.t.Helper()
	for {
		f, err := w.frames.Next()
		must(w.t, err)
		if f.Type == amqp.FrameMethod {
			m, err := amqp.ParseMethod(f.Payload)
			must(w.t, err)
			return m
		}
	}
}

var startOk = amqp.ConnectionStartOk{
	Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US", ClientProperties: amqp.Table{"capabilities": amqp.Table{"authentication_failure_close": true}},
}

// open goes through the handshake.
func (w *wire) open(tune amqp.ConnectionTuneOk) {
	w.t.Helper()
	_, err := io.WriteString(w, amqp.Preamble)
	must(w.t, err)
	w.next()
	w.send(0, startOk)
	w.next()
	w.send(0, tune, amqp.ConnectionOpen{VirtualHost: "/"})
}

// opened is open, with what the server proposes.
func (w *wire) opened() {
	w.t.Helper()
	w.open(amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60})
	if m, ok := w.next().(amqp.ConnectionOpenOk); !ok {
		w.t.Fatalf("got %+v", m)
	}
}

// refused wants the connection to be closed with a code and a text.
func (w *wire) refused(code uint16, text string) {
	w.t.Helper()
	m, ok := w.next().(amqp.ConnectionClose)
	if !ok || m.ReplyCode != code || !strings.Contains(m.ReplyText, text) {
		w.t.Fatalf("got %+v, want code %d, %q", m, code, text)
	}
	w.send(0, amqp.ConnectionCloseOk{})
	w.ended()
}

// ended wants the connection to be over.
func (w *wire) ended() {
	w.t.Helper()
	if _, err := io.Copy(io.Discard, w); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		w.t.Fatal(err)
	}
}

func TestAConnectionThatGoesWrongEndsAlone(t *testing.T) {
	frame := func(b ...byte) func(w *wire) {
		return func(w *wire) {
			w.opened()
			_, err := w.Write(b)
			must(w.t, err)
		}
	}
	for name, tc := range map[string]struct {
		do   func(w *wire)
		code uint16 // 0: it ends without a word
		text string
	}{
		"another protocol": {func(w *wire) {
			_, err := io.WriteString(w, "GET / HT")
			must(w.t, err)
			b := make([]byte, 8)
			_, err = io.ReadFull(w, b)
			must(w.t, err)
			if string(b) != amqp.Preamble {
				w.t.Errorf("answered %q", b)
			}
		}, 0, ""},
		"silence":          {func(*wire) {}, 0, ""},
		"half a preamble":  {func(w *wire) { _, _ = io.WriteString(w, "AMQP") }, 0, ""},
		"half a handshake": {func(w *wire) { _, _ = io.WriteString(w, amqp.Preamble); w.next() }, 0, ""},
		"a wrong password": {func(w *wire) {
			_, _ = io.WriteString(w, amqp.Preamble)
			w.next()
			wrong := startOk
			wrong.Response = "\x00guest\x00wrong"
			w.send(0, wrong)
		}, 403, "Login was refused using authentication mechanism PLAIN"},
		"an unknown mechanism": {func(w *wire) {
			_, _ = io.WriteString(w, amqp.Preamble)
			w.next()
			wrong := startOk
			wrong.Mechanism = "MAGIC"
			w.send(0, wrong)
		}, 503, "unknown authentication mechanism 'MAGIC'"},
		"frames too small":     {func(w *wire) { w.open(amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 100}) }, 530, "frame_max = 100 is lower than the minimum"},
		"frames too large":     {func(w *wire) { w.open(amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 1 << 20}) }, 530, "frame_max = 1048576 is higher than the maximum"},
		"too many channels":    {func(w *wire) { w.open(amqp.ConnectionTuneOk{ChannelMax: 4000, FrameMax: 4096}) }, 530, "channel_max = 4000 is higher than the maximum"},
		"a frame too large":    {frame(1, 0, 1, 0xff, 0xff, 0xff, 0xff), 501, "larger than negotiated"},
		"an unknown frame":     {frame(9, 0, 0, 0, 0, 0, 0, 206), 501, "unknown frame type 9"},
		"a frame without end":  {frame(8, 0, 0, 0, 0, 0, 0, 0), 501, "instead of 0xce"},
		"an unknown method":    {frame(1, 0, 0, 0, 0, 0, 4, 0, 99, 0, 99, 206), 540, "unknown method {99,99}"},
		"cut off arguments":    {frame(1, 0, 1, 0, 0, 0, 4, 0, 20, 0, 10, 206), 502, "a field of 1 bytes where 0 are left"},
		"a channel not opened": {func(w *wire) { w.opened(); w.send(7, amqp.QueuePurge{Queue: "q"}) }, 504, "expected 'channel.open'"},
		"a channel opened twice": {func(w *wire) {
			w.opened()
			w.send(1, amqp.ChannelOpen{})
			w.next()
			w.send(1, amqp.ChannelOpen{})
		}, 504, "second 'channel.open' seen"},
		"a method of a channel on channel 0": {func(w *wire) { w.opened(); w.send(0, amqp.BasicGet{}) }, 503, "on channel 0"},
		"a method instead of a content": {func(w *wire) {
			w.opened()
			w.send(1, amqp.ChannelOpen{})
			w.next()
			w.send(1, amqp.BasicPublish{RoutingKey: "q"}, amqp.QueuePurge{Queue: "q"})
		}, 505, "expected content header"},
		"a body longer than announced": {func(w *wire) {
			w.opened()
			w.send(1, amqp.ChannelOpen{})
			w.next()
			w.send(1, amqp.BasicPublish{RoutingKey: "q"})
			b, err := amqp.AppendContent(nil, 1, amqp.Properties{}, []byte("12345"), 4096)
			must(w.t, err)
			_, err = w.Write(bytes.Replace(b, []byte{0, 0, 0, 0, 0, 0, 0, 5}, []byte{0, 0, 0, 0, 0, 0, 0, 3}, 1))
			must(w.t, err)
		}, 501, "longer than its header says"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := rabbitmq.New(rabbitmq.Options{})
				defer func() { _ = s.Close() }()
				other := dial(t, s)
				defer func() { _ = other.Close() }()
				w := connect(t, s)
				tc.do(w)
				if tc.code == 0 {
					w.ended()
				} else {
					w.refused(tc.code, tc.text)
				}
				if ch, err := other.Channel(); err != nil {
					t.Errorf("another connection: %v", err)
				} else if _, err := ch.QueueDeclare("", false, false, true, false, nil); err != nil {
					t.Errorf("another connection: %v", err)
				}
			})
		})
	}
}

func TestHeartbeats(t *testing.T) {
	t.Run("a client that is silent for two heartbeats is cut off, and its messages come back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := rabbitmq.New(rabbitmq.Options{})
			defer func() { _ = s.Close() }()
			w := connect(t, s)
			w.open(amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096, Heartbeat: 5})
			w.next()
			start := time.Now()
			w.ended() // reads the server's heartbeats, and sends none
			if took := time.Since(start); took != 10*time.Second {
				t.Errorf("cut off after %v", took)
			}
		})
	})
	t.Run("a client that sends heartbeats stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := rabbitmq.New(rabbitmq.Options{})
			defer func() { _ = s.Close() }()
			c := dial(t, s)
			defer func() { _ = c.Close() }()
			time.Sleep(24 * time.Hour)
			if _, err := c.Channel(); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rabbitmq.New(rabbitmq.Options{})
		defer func() { _ = s.Close() }()
		c := dial(t, s)
		defer func() { _ = c.Close() }()
		blocked := c.NotifyBlocked(make(chan client.Blocking, 2))
		ch, err := c.Channel()
		must(t, err)
		must(t, ch.Confirm(false))
		s.Block("memory")
		confirmed, err := ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{})
		must(t, err)
		if b := <-blocked; !b.Active || b.Reason != "low on memory" {
			t.Errorf("told %+v", b)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := confirmed.WaitContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("confirmed while blocked: %v", err)
		}
		s.Unblock("memory")
		if b := <-blocked; b.Active {
			t.Errorf("told %+v", b)
		}
		if !confirmed.Wait() {
			t.Error("refused")
		}
	})
}

func TestASlowClientHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rabbitmq.New(rabbitmq.Options{})
		defer func() { _ = s.Close() }()
		c := dial(t, s)
		defer func() { _ = c.Close() }()
		ch, err := c.Channel()
		must(t, err)
		_, err = ch.QueueDeclare("q", true, false, false, false, nil)
		must(t, err)
		w := connect(t, s)
		w.opened()
		w.send(1, amqp.ChannelOpen{})
		w.next()
		w.send(1, amqp.BasicConsume{Queue: "q", NoAck: true, NoWait: true}) // and reads no more
		must(t, ch.Confirm(false))
		for range 100 {
			confirmed, err := ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{Body: make([]byte, 100_000)})
			must(t, err)
			if !confirmed.Wait() {
				t.Fatal("refused")
			}
		}
		state, err := ch.QueueDeclarePassive("q", true, false, false, false, nil)
		must(t, err)
		if state.Messages < 80 {
			t.Errorf("%d of 100 messages wait in the queue: the others wait for a client that does not read", state.Messages)
		}
	})
}

func TestAClosedServerTakesNobody(t *testing.T) {
	s := rabbitmq.New(rabbitmq.Options{})
	must(t, s.Close())
	must(t, s.Close())
	if _, err := s.Dial(t.Context()); err == nil {
		t.Error("a client got in")
	}
}

func FuzzConnection(f *testing.F) {
	var opened []byte
	for _, m := range []amqp.Method{startOk, amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096}, amqp.ConnectionOpen{VirtualHost: "/"}} {
		opened, _ = amqp.AppendMethod(opened, 0, m)
	}
	var session []byte
	for _, m := range []amqp.Method{
		amqp.ChannelOpen{}, amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: amqp.Table{"x-max-length": int32(3)}}, amqp.BasicConsume{Queue: "q"}, amqp.BasicPublish{RoutingKey: "q"},
	} {
		session, _ = amqp.AppendMethod(session, 1, m)
	}
	session, _ = amqp.AppendContent(session, 1, amqp.Properties{Expiration: "5"}, []byte("body"), 4096)
	for _, m := range []amqp.Method{amqp.BasicAck{Multiple: true}, amqp.BasicNack{DeliveryTag: 1, Requeue: true}, amqp.TxSelect{}, amqp.TxCommit{}, amqp.QueueDelete{Queue: "q"}} {
		session, _ = amqp.AppendMethod(session, 1, m)
	}
	f.Add(session)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := rabbitmq.New(rabbitmq.Options{})
		c, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
		for _, p := range [][]byte{[]byte(amqp.Preamble), opened, b} {
			if _, err := c.Write(p); err != nil {
				break
			}
		}
		_ = c.Close()
		if err := s.Close(); err != nil { // it must be able to end
			t.Fatal(err)
		}
	})
}
