package grade

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialer makes connections of the process to a broker out of dial's.
func (p *Process) dialer(service string, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !p.reach(ctx) {
			return nil, ctx.Err()
		}
		if p.Crashed() {
			return nil, reset("dial")
		}
		inner, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: inner, process: p, service: service, done: make(chan struct{}), moved: make(chan struct{}, 1)}
		c.requests, c.greeting = redisCommands, true
		if service == "kafka" {
			c.requests, c.greeting = kafkaRequests, false
		}
		p.mu.Lock()
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		return c, nil
	}
}

// conn is one connection of a process to a broker: the process's network with its faults, and the meter.
//
// Answers are late by [ConnLatency], not requests: a client may hold a lock while it writes, and a lock that is held while time
// passes stops a bubble's clock.
type conn struct {
	net.Conn
	process  *Process
	service  string
	requests func(buffered []byte) (names []string, rest []byte)
	done     chan struct{} // closed when the connection is
	moved    chan struct{} // the deadline was

	arrived []byte // read and not yet handed on; of the reader alone

	mu       sync.Mutex
	greeting bool // nothing but the client's handshake was sent yet
	closed   bool
	broken   bool   // by a fault: reads and writes say so
	sending  []byte // the start of a request whose rest is to come
	held     []byte // written during a partition
	after    *fault // what happens when the next answer arrives
	slow     time.Duration
	deadline time.Time // of reads
}

// Write sends b, unless a fault of one of the requests in it says otherwise.
func (c *conn) Write(b []byte) (int, error) {
	p := c.process
	c.mu.Lock()
	if c.broken {
		c.mu.Unlock()
		return 0, reset("write")
	}
	names, rest := c.requests(append(c.sending, b...))
	c.sending = rest
	c.mu.Unlock()

	for _, name := range names {
		kind, faulty := p.take(name)
		c.mu.Lock()
		c.slow += p.delay(name)
		c.greeting = c.greeting && handshake[name]
		c.mu.Unlock()
		if !faulty {
			p.count(operation{c.service, name}, 0)
			continue
		}
		switch kind {
		case crashBefore:
			p.Crash()
			return 0, reset("write")
		case loseRequest:
			c.cutOff()
			return 0, reset("write")
		case crashAfter, loseResponse:
			p.count(operation{c.service, name}, 0)
			c.mu.Lock()
			c.after = &fault{kind: kind}
			c.mu.Unlock()
		case throttle:
			panic("grade: Throttle is for SQS and SNS; neither Redis nor Kafka refuses a call for coming too fast")
		}
	}

	p.mu.Lock()
	partitioned := p.healed != nil
	p.mu.Unlock()
	if partitioned {
		c.mu.Lock()
		c.held = append(c.held, b...)
		c.mu.Unlock()
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// flush sends what a partition held back.
func (c *conn) flush() {
	c.mu.Lock()
	held := c.held
	c.held = nil
	c.mu.Unlock()
	if len(held) > 0 {
		_, _ = c.Conn.Write(held) // a connection that broke meanwhile says so on the next read
	}
}

// Read returns what arrived, once it had time to.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.arrived) == 0 {
		buffer := make([]byte, max(len(b), 4096))
		n, err := c.Conn.Read(buffer)
		if n == 0 {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.broken {
				err = reset("read")
			}
			return 0, err
		}
		c.mu.Lock()
		after, late := c.after, c.slow
		if !c.greeting {
			late += ConnLatency + c.process.latency
		}
		c.after, c.slow = nil, 0
		c.mu.Unlock()
		if after != nil {
			if after.kind == crashAfter {
				c.process.Crash()
			} else {
				c.cutOff()
			}
			return 0, reset("read")
		}
		c.arrived = buffer[:n]
		if err := c.travel(late); err != nil {
			return 0, err
		}
	} else if err := c.travel(0); err != nil {
		return 0, err
	}
	n := copy(b, c.arrived)
	c.arrived = c.arrived[n:]
	return n, nil
}

// travel lets d pass, and a partition if there is one, unless the deadline or the connection's end comes first.
func (c *conn) travel(d time.Duration) error {
	var wait <-chan time.Time
	if d > 0 {
		late := time.NewTimer(d)
		defer late.Stop()
		wait = late.C
	}
	for {
		c.process.mu.Lock()
		healed := c.process.healed
		c.process.mu.Unlock()
		if wait == nil && healed == nil {
			return nil
		}
		c.mu.Lock()
		deadline := c.deadline
		c.mu.Unlock()
		var expired <-chan time.Time
		var timer *time.Timer
		if !deadline.IsZero() {
			timer = time.NewTimer(time.Until(deadline))
			expired = timer.C
		}
		var err error
		select {
		case <-wait:
			wait = nil
		case <-healed:
		case <-c.moved:
		case <-expired:
			err = os.ErrDeadlineExceeded
		case <-c.done:
			err = net.ErrClosed
			c.mu.Lock()
			if c.broken {
				err = reset("read")
			}
			c.mu.Unlock()
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return err
		}
	}
}

// SetDeadline sets the deadline of reads; writes do not block.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of reads.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	select {
	case c.moved <- struct{}{}:
	default: // told already
	}
	return c.Conn.SetReadDeadline(t)
}

// Close closes the connection.
func (c *conn) Close() error {
	c.process.mu.Lock()
	delete(c.process.conns, c)
	c.process.mu.Unlock()
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.done)
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// cutOff breaks the connection.
func (c *conn) cutOff() {
	c.mu.Lock()
	c.broken = true
	c.mu.Unlock()
	_ = c.Close()
}

// redisCommands returns the names of the whole commands at the start of buffered, upper case, and what follows them.
// A command is an array of bulk strings: *2\r\n$4\r\nXACK\r\n$1\r\n-\r\n (Redis documentation "Redis serialization protocol specification").
func redisCommands(buffered []byte) (names []string, rest []byte) {
	rest = buffered
	for {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok || len(line) < 2 || line[0] != '*' {
			return names, rest
		}
		args, err := strconv.Atoi(string(line[1:]))
		if err != nil {
			return names, rest
		}
		name := ""
		for i := range args {
			line, body, ok := bytes.Cut(after, []byte("\r\n"))
			if !ok || len(line) < 2 {
				return names, rest
			}
			n, err := strconv.Atoi(string(line[1:]))
			if err != nil || len(body) < n+2 {
				return names, rest
			}
			if i == 0 {
				name = strings.ToUpper(string(body[:n]))
			}
			after = body[n+2:]
		}
		names, rest = append(names, name), after
	}
}

// kafkaRequests returns the names of the whole requests at the start of buffered, and what follows them. A request is its size
// in four bytes and then its API key in two (Apache Kafka, "Protocol Guide").
func kafkaRequests(buffered []byte) (names []string, rest []byte) {
	rest = buffered
	for len(rest) >= 6 {
		size := int(binary.BigEndian.Uint32(rest))
		if size < 2 || len(rest) < 4+size {
			break
		}
		names = append(names, kmsg.NameForKey(int16(binary.BigEndian.Uint16(rest[4:]))))
		rest = rest[4+size:]
	}
	return names, rest
}

// handshake are the commands that a Redis client sends when it has connected, before anybody asked it for anything. go-redis's
// PubSub holds its lock meanwhile, so they and the dial take no time: a lock that is held while time passes stops a bubble's clock.
var handshake = map[string]bool{"HELLO": true, "AUTH": true, "CLIENT": true, "SELECT": true, "READONLY": true}

// reach waits for a partition's end. It is false if ctx ended first.
func (p *Process) reach(ctx context.Context) bool {
	for {
		p.mu.Lock()
		healed := p.healed
		p.mu.Unlock()
		if healed == nil {
			return ctx.Err() == nil
		}
		select {
		case <-healed:
		case <-ctx.Done():
			return false
		}
	}
}
