package rabbitmq

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// What the server proposes. Source: RabbitMQ documentation, "Configuration" (channel_max, frame_max, heartbeat,
// handshake_timeout), checked 2026-12-01.
const (
	channelMax       = 2047
	frameMax         = 131072
	heartbeat        = 60 // s
	handshakePatient = 10 * time.Second
	closePatient     = 5 * time.Second // until a client has confirmed that it is closed
)

// How many bytes may wait for a client before queues hand it no more messages, and before nothing more is read from it.
const (
	cloggedAt = 1 << 20
	fullAt    = 8 << 20
)

// conn is one client's connection.
type conn struct {
	s      *Server
	id     int
	node   *node
	net    net.Conn
	in     *bufio.Reader
	frames *amqp.Reader
	out    *outbox
	since  time.Time
	opened bool

	blocked   chan struct{} // while an alarm holds publications back; closed at its end. Guarded by the server's lock
	held      []amqp.Frame  // back meanwhile
	heldBytes int

	user       *user
	vhost      *vhost
	properties amqp.Table // of the client
	frameMax   uint32
	channelMax uint16
	heartbeat  time.Duration
	channels   map[uint16]*channel
	exclusive  map[*queueState]struct{}
	clogged    bool // its outbox is full
	forced     bool // told to close: only its confirmation counts. Guarded by the server's lock
}

func newConn(s *Server, nc net.Conn, id int) *conn {
	c := &conn{
		s: s, id: id, net: nc, in: bufio.NewReaderSize(nc, 64<<10), since: time.Now(), frameMax: frameMax, channelMax: channelMax,
		channels: map[uint16]*channel{}, exclusive: map[*queueState]struct{}{},
	}
	c.frames = amqp.NewReader(c.in, frameMax)
	c.out = newOutbox(c)
	return c
}

// can tells whether the client has said that it knows an extension.
func (c *conn) can(capability string) bool {
	capabilities, _ := c.properties["capabilities"].(amqp.Table)
	yes, _ := capabilities[capability].(bool)
	return yes
}

// serve reads what the client sends until the connection ends.
func (c *conn) serve() {
	err := c.converse()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
		c.s.log.Info("rabbitmq: connection ended", "connection", c.id, "error", err)
	}
	c.s.mu.Lock()
	for _, ch := range c.channels {
		ch.end()
	}
	for q := range c.exclusive {
		q.vhost.deleteQueue(q)
	}
	delete(c.s.conns, c)
	c.s.settle()
	c.s.mu.Unlock()
	c.out.finish()
}

// converse is the conversation from the first byte on.
func (c *conn) converse() error {
	_ = c.net.SetReadDeadline(time.Now().Add(handshakePatient))
	preamble := make([]byte, len(amqp.Preamble))
	if _, err := io.ReadFull(c.in, preamble); err != nil {
		return err
	}
	if string(preamble) != amqp.Preamble {
		c.out.bytes([]byte(amqp.Preamble))
		return fmt.Errorf("a client of another protocol: %q", preamble)
	}
	if err := c.handshake(); err != nil {
		return err
	}
	for {
		f, err := c.next()
		if err != nil {
			if timeout := (net.Error)(nil); errors.As(err, &timeout) && timeout.Timeout() {
				return fmt.Errorf("no heartbeat within %v", 2*c.heartbeat)
			}
			if e := broken(err); e != nil {
				return c.abandon(e)
			}
			return err
		}
		c.s.mu.Lock()
		done, err := c.handle(f)
		if c.in.Buffered() == 0 && len(c.held) == 0 || done {
			for _, ch := range c.channels {
				ch.confirm()
			}
		}
		c.s.mu.Unlock()
		if done || err != nil {
			return err
		}
	}
}

// next returns the next frame to handle. While an alarm is in force, a publisher's frames are held back, as many as a socket's
// buffers would hold; then nothing more is read.
func (c *conn) next() (amqp.Frame, error) {
	for {
		c.out.wait()
		c.s.mu.Lock()
		blocked := c.blocked
		c.s.mu.Unlock()
		if blocked == nil && len(c.held) > 0 {
			f := c.held[0]
			if c.held = c.held[1:]; len(c.held) == 0 {
				c.heldBytes = 0
			}
			if !c.holds(f) {
				return f, nil
			}
			c.held = slices.Insert(c.held, 0, f)
			continue
		}
		if blocked != nil && c.heldBytes > maxHeld {
			<-blocked
			continue
		}
		c.expectWithin(blocked != nil)
		if c.unblocked(blocked) { // before the deadline was set, so that it interrupts nothing any more
			continue
		}
		if _, err := c.in.Peek(1); err != nil { // nothing is taken off yet: unblock may interrupt it
			if errors.Is(err, os.ErrDeadlineExceeded) && c.unblocked(blocked) {
				continue
			}
			return amqp.Frame{}, err
		}
		f, err := c.frames.Next()
		if err != nil {
			return f, err
		}
		if f.Type == amqp.FrameHeartbeat || blocked == nil && len(c.held) == 0 && !c.holds(f) {
			return f, nil
		}
		f.Payload = slices.Clone(f.Payload)
		c.held = append(c.held, f)
		c.heldBytes += len(f.Payload)
	}
}

// maxHeld is how much is held back of a publisher that is blocked, in bytes.
const maxHeld = 1 << 20

// unblocked says whether the alarm for which the connection was blocked is over.
func (c *conn) unblocked(blocked chan struct{}) bool {
	if blocked == nil {
		return false
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.blocked != blocked
}

// expectWithin sets how long the client may be silent: two heartbeats, as RabbitMQ's timeout is that of missing two in a row.
// Source: RabbitMQ documentation, "Detecting Dead TCP Connections with Heartbeats" (checked 2026-12-01).
func (c *conn) expectWithin(blocked bool) {
	switch {
	case c.heartbeat > 0 && !blocked:
		_ = c.net.SetReadDeadline(time.Now().Add(2 * c.heartbeat))
	default:
		_ = c.net.SetReadDeadline(time.Time{})
	}
}

// broken is the exception for bytes that make no frame; nil if the connection itself failed.
func broken(err error) *exception {
	var syntax *amqp.SyntaxError
	switch {
	case errors.Is(err, amqp.ErrFrameTooLarge), errors.As(err, &syntax):
		return fail(frameError, "%v", err)
	}
	return nil
}

// method reads frames until one has a method of the handshake.
func (c *conn) method() (amqp.Method, error) {
	for {
		f, err := c.frames.Next()
		if err != nil {
			return nil, err
		}
		switch {
		case f.Type == amqp.FrameHeartbeat:
		case f.Type != amqp.FrameMethod || f.Channel != 0:
			return nil, fmt.Errorf("a frame of type %d on channel %d in the handshake", f.Type, f.Channel)
		default:
			return amqp.ParseMethod(f.Payload)
		}
	}
}

func (c *conn) handshake() error {
	c.out.method(0, amqp.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, Mechanisms: "AMQPLAIN PLAIN", Locales: "en_US",
		ServerProperties: amqp.Table{
			"product": "RabbitMQ", "version": Version, "platform": "Go", "cluster_name": nodeName,
			"information": "The local cloud's RabbitMQ: an emulation of RabbitMQ " + Version,
			"capabilities": amqp.Table{
				"publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true, "consumer_cancel_notify": true,
				"connection.blocked": true, "consumer_priorities": true, "authentication_failure_close": true,
				"per_consumer_qos": true, "direct_reply_to": true,
			},
		},
	})
	m, err := c.method()
	if err != nil {
		return err
	}
	start, ok := m.(amqp.ConnectionStartOk)
	if !ok {
		return fmt.Errorf("%T instead of start-ok", m)
	}
	c.s.mu.Lock()
	c.properties = start.ClientProperties
	u, refused := c.s.authenticate(start.Mechanism, string(start.Response))
	c.user = u
	c.s.mu.Unlock()
	if refused != nil {
		if c.can("authentication_failure_close") {
			return c.abandon(refused)
		}
		return refused
	}
	c.out.method(0, amqp.ConnectionTune{ChannelMax: channelMax, FrameMax: frameMax, Heartbeat: heartbeat})
	if m, err = c.method(); err != nil {
		return err
	}
	tune, ok := m.(amqp.ConnectionTuneOk)
	if !ok {
		return fmt.Errorf("%T instead of tune-ok", m)
	}
	if tune.FrameMax != 0 && tune.FrameMax < amqp.MinFrameMax {
		return c.abandon(fail(notAllowed, "negotiated frame_max = %d is lower than the minimum allowed value (%d)", tune.FrameMax, amqp.MinFrameMax))
	}
	if tune.FrameMax == 0 || tune.FrameMax > frameMax {
		return c.abandon(fail(notAllowed, "negotiated frame_max = %d is higher than the maximum allowed value (%d)", tune.FrameMax, frameMax))
	}
	if tune.ChannelMax == 0 || tune.ChannelMax > channelMax {
		return c.abandon(fail(notAllowed, "negotiated channel_max = %d is higher than the maximum allowed value (%d)", tune.ChannelMax, channelMax))
	}
	c.s.mu.Lock() // the management API looks at them
	c.frameMax, c.channelMax, c.heartbeat = tune.FrameMax, tune.ChannelMax, time.Duration(tune.Heartbeat)*time.Second
	c.s.mu.Unlock()
	c.frames.Limit(c.frameMax)
	if m, err = c.method(); err != nil {
		return err
	}
	open, ok := m.(amqp.ConnectionOpen)
	if !ok {
		return fmt.Errorf("%T instead of open", m)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	v := c.s.vhosts[open.VirtualHost]
	if v == nil {
		return c.abandonLocked(fail(notAllowed, "vhost %s not found", open.VirtualHost))
	}
	if _, ok := c.user.permissions[v.name]; !ok {
		return c.abandonLocked(fail(notAllowed, "access to vhost '%s' refused for user '%s'", v.name, c.user.name))
	}
	c.vhost, c.opened = v, true
	c.out.heartbeats(c.heartbeat)
	c.out.method(0, amqp.ConnectionOpenOk{})
	return nil
}

// abandon sends connection.close and waits for its confirmation.
func (c *conn) abandon(e *exception) error { return c.leave(e, amqp.ID{}) }

func (c *conn) abandonLocked(e *exception) error {
	c.s.mu.Unlock()
	defer c.s.mu.Lock()
	return c.leave(e, amqp.ID{})
}

func (c *conn) leave(e *exception, at amqp.ID) error {
	c.out.method(0, closeMethod(e, at))
	_ = c.net.SetReadDeadline(time.Now().Add(closePatient))
	for {
		f, err := c.frames.Next()
		if err != nil {
			return e
		}
		if f.Type != amqp.FrameMethod || f.Channel != 0 {
			continue
		}
		switch m, _ := amqp.ParseMethod(f.Payload); m.(type) {
		case amqp.ConnectionCloseOk:
			return e
		case amqp.ConnectionClose: // both at once
			c.out.method(0, amqp.ConnectionCloseOk{})
		}
	}
}

func closeMethod(e *exception, at amqp.ID) amqp.ConnectionClose {
	return amqp.ConnectionClose{ReplyCode: e.code, ReplyText: shorten(e.Error()), ClassID: at.Class, MethodID: at.Method}
}

// shorten makes a text fit into a short string.
func shorten(s string) string {
	if len(s) > 255 {
		return s[:252] + "..."
	}
	return s
}

// handle runs what a frame asks for. The server's lock is held.
func (c *conn) handle(f amqp.Frame) (done bool, err error) {
	defer c.s.settle()
	if c.forced {
		m, err := amqp.ParseMethod(f.Payload)
		_, confirmed := m.(amqp.ConnectionCloseOk)
		return err == nil && f.Type == amqp.FrameMethod && f.Channel == 0 && confirmed, nil
	}
	var e *exception
	var at amqp.ID
	switch {
	case f.Type == amqp.FrameHeartbeat:
		return false, nil
	case f.Channel == 0:
		done, at, e = c.control(f)
	default:
		ch := c.channels[f.Channel]
		if ch == nil {
			ch, at, e = c.open(f)
		}
		if e == nil && ch != nil {
			at, e = ch.handle(f)
		}
		if e != nil && !e.hard() && ch != nil {
			ch.close(e, at)
			e = nil
		}
	}
	if e == nil {
		return done, nil
	}
	for _, ch := range c.channels {
		ch.end()
	}
	clear(c.channels)
	c.s.settle()
	c.s.mu.Unlock()
	defer c.s.mu.Lock()
	return true, c.leave(e, at)
}

// control runs a method of the connection itself.
func (c *conn) control(f amqp.Frame) (done bool, at amqp.ID, e *exception) {
	if f.Type != amqp.FrameMethod {
		return false, at, fail(unexpectedFrame, "a frame of type %d on channel 0", f.Type)
	}
	m, e := parse(f)
	if e != nil {
		return false, at, e
	}
	switch m := m.(type) {
	case amqp.ConnectionClose:
		for _, ch := range c.channels {
			ch.end()
		}
		clear(c.channels)
		c.out.method(0, amqp.ConnectionCloseOk{})
		return true, at, nil
	case amqp.ConnectionUpdateSecret:
		c.out.method(0, amqp.ConnectionUpdateSecretOk{})
		return false, at, nil
	case amqp.ConnectionCloseOk:
		return false, at, nil
	default:
		return false, amqp.IDOf(m), fail(commandInvalid, "%T on channel 0", m)
	}
}

func parse(f amqp.Frame) (amqp.Method, *exception) {
	m, err := amqp.ParseMethod(f.Payload)
	var unknown *amqp.UnknownMethodError
	switch {
	case errors.As(err, &unknown):
		return nil, fail(notImplemented, "%v", err)
	case err != nil:
		return nil, fail(syntaxError, "%v", err)
	}
	return m, nil
}

// open makes a channel of the first frame on its number.
func (c *conn) open(f amqp.Frame) (*channel, amqp.ID, *exception) {
	if f.Type == amqp.FrameMethod {
		m, e := parse(f)
		if e != nil {
			return nil, amqp.ID{}, e
		}
		switch m.(type) {
		case amqp.ChannelOpen:
			if f.Channel > c.channelMax {
				return nil, amqp.IDOf(m), fail(notAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax)
			}
			c.channels[f.Channel] = newChannel(c, f.Channel)
			c.out.method(f.Channel, amqp.ChannelOpenOk{})
			return nil, amqp.ID{}, nil
		case amqp.ChannelCloseOk: // crossed with ours
			return nil, amqp.ID{}, nil
		}
		return nil, amqp.IDOf(m), fail(channelError, "expected 'channel.open'")
	}
	return nil, amqp.ID{}, fail(channelError, "expected 'channel.open'")
}

// holds says whether a frame is a publication's and an alarm is in force. The connection is blocked from then on, and told so.
func (c *conn) holds(f amqp.Frame) bool {
	if f.Type != amqp.FrameMethod || len(f.Payload) < 4 || f.Payload[1] != 60 || f.Payload[3] != 40 { // basic.publish
		return false
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if len(c.s.alarms) == 0 || c.s.closed {
		return false
	}
	c.blocked = make(chan struct{})
	if c.can("connection.blocked") {
		c.out.method(0, amqp.ConnectionBlocked{Reason: "low on " + strings.Join(c.s.alarms, " & ")})
	}
	return true
}

// unblock lets a blocked connection go on.
func (c *conn) unblock() {
	if c.blocked == nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // so that next goes on with what was held back
	close(c.blocked)
	c.blocked = nil
	if c.can("connection.blocked") {
		c.out.method(0, amqp.ConnectionUnblocked{})
	}
}

// force tells a client that its connection ends, and cuts it when it has confirmed that, or has had the time to. The server's lock
// is held.
func (c *conn) force(reason string) {
	if c.forced {
		return
	}
	c.forced = true
	c.out.method(0, closeMethod(fail(connectionForced, "%s", reason), amqp.ID{}))
	time.AfterFunc(closePatient, c.out.finish)
}

// outbox is what waits to be written to a client.
type outbox struct {
	conn *conn
	wake chan struct{} // says that buf has something, or that it is over

	mu       sync.Mutex
	room     *sync.Cond // buf has become shorter, or the client is gone
	buf      []byte
	over     bool // nothing more will come
	ended    bool // nothing more is written
	interval time.Duration
}

func newOutbox(c *conn) *outbox {
	o := &outbox{conn: c, wake: make(chan struct{}, 1)}
	o.room = sync.NewCond(&o.mu)
	return o
}

// wait waits while the client reads too little of what it has asked for.
func (o *outbox) wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) > fullAt && !o.ended {
		o.room.Wait()
	}
}

// finish lets what waits be written, and then the connection be closed. A client that does not read is not waited for.
func (o *outbox) finish() {
	_ = o.conn.net.SetWriteDeadline(time.Now().Add(closePatient))
	o.mu.Lock()
	o.over = true
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// heartbeats makes the writer send a heartbeat whenever it has been silent for half of the timeout.
func (o *outbox) heartbeats(timeout time.Duration) {
	o.mu.Lock()
	o.interval = timeout / 2
	o.mu.Unlock()
	o.signal()
}

// put adds what add appends, and says how much waits now.
func (o *outbox) put(add func([]byte) ([]byte, error)) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return 0
	}
	b, err := add(o.buf)
	if err != nil {
		o.conn.s.log.Error("rabbitmq: a method could not be written", "error", err)
		return len(o.buf)
	}
	o.buf = b
	o.signal()
	return len(b)
}

func (o *outbox) bytes(p []byte) {
	o.put(func(b []byte) ([]byte, error) { return append(b, p...), nil })
}

func (o *outbox) method(channel uint16, m amqp.Method) {
	o.put(func(b []byte) ([]byte, error) { return amqp.AppendMethod(b, channel, m) })
}

func (o *outbox) content(channel uint16, m amqp.Method, p amqp.Properties, body []byte) int {
	return o.put(func(b []byte) ([]byte, error) {
		start := len(b)
		b, err := amqp.AppendMethod(b, channel, m)
		if err == nil {
			b, err = amqp.AppendContent(b, channel, p, body, o.conn.frameMax)
		}
		if err != nil {
			return b[:start], err
		}
		return b, nil
	})
}

// write writes until the connection ends.
func (o *outbox) write() {
	defer func() {
		_ = o.conn.net.Close()
		o.mu.Lock()
		o.ended, o.over, o.buf = true, true, nil
		o.mu.Unlock()
		o.room.Broadcast()
	}()
	var spare []byte
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	for {
		o.mu.Lock()
		buf, over, interval := o.buf, o.over, o.interval
		o.buf = spare[:0]
		o.mu.Unlock()
		o.room.Broadcast()
		if len(buf) > 0 {
			if _, err := o.conn.net.Write(buf); err != nil {
				return
			}
			o.relieve()
		}
		if spare = buf; cap(spare) > cloggedAt {
			spare = nil
		}
		if len(buf) > 0 {
			continue
		}
		if over {
			return
		}
		if interval == 0 {
			interval = time.Hour
		}
		idle.Reset(interval)
		select {
		case <-o.wake:
		case <-idle.C:
			o.mu.Lock()
			if o.interval > 0 && len(o.buf) == 0 && !o.over {
				o.buf = amqp.AppendHeartbeat(o.buf)
			}
			o.mu.Unlock()
		}
	}
}

// relieve lets queues go on to hand messages to a client that has read.
func (o *outbox) relieve() {
	c := o.conn
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.clogged {
		return
	}
	c.clogged = false
	for _, ch := range c.channels {
		for _, k := range ch.consumers {
			c.s.touch(k.queue)
		}
	}
	c.s.settle()
}
