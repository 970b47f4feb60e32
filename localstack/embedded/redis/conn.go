package redis

import (
	"bufio"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// conn is one client's connection. Three goroutines serve it: read parses requests, run executes them in order, write sends
// what the output buffer holds, so that neither a slow client nor a blocked one holds up anybody else.
type conn struct {
	s           *Server
	net         net.Conn
	id          int64
	addr, laddr string
	since       time.Time
	gone        chan struct{} // closed when the connection is over
	out         output

	// The rest is guarded by Server.mu.
	dropped       bool
	quitting      bool // no more commands; the connection ends once the output buffer is sent
	resp3         bool
	authenticated bool
	noReply       replyMode
	name          string
	library       [2]string // name and version
	lastCommand   string
	lastActive    time.Time

	db     int
	peer   *server.Peer // under which the store runs this connection's commands
	buffer answer       // what the store answers there

	transaction *transaction
	watched     []dbKey
	watchBroken bool // a watched key has changed

	channels, shards, patterns []string // in the order of subscribing

	block *blockedClient // set while a command blocks
}

type replyMode int

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // the CLIENT REPLY SKIP itself is running
	replySkip     // the command after it
)

func (s *Server) connect(nc net.Conn, addr, laddr string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close()
		return errClosed
	}
	s.lastID++
	s.accepted++
	now := time.Now()
	c := &conn{s: s, net: nc, id: s.lastID, addr: addr, laddr: laddr, since: now, lastActive: now, gone: make(chan struct{})}
	c.out.wake = make(chan struct{}, 1)
	c.peer = server.NewPeer(bufio.NewWriter(&c.buffer))
	s.conns = append(s.conns, c)

	requests := make(chan request)
	s.ended.Add(3)
	go func() { defer s.ended.Done(); c.read(requests) }()
	go func() { defer s.ended.Done(); c.run(requests) }()
	go func() { defer s.ended.Done(); c.write() }()
	return nil
}

type request struct {
	args []string
	err  error // the client broke the protocol
}

func (c *conn) read(requests chan<- request) {
	defer close(requests)
	r := bufio.NewReader(c.net)
	for {
		args, err := readRequest(r)
		var protocol protocolError
		if err != nil && !errors.As(err, &protocol) {
			c.s.mu.Lock()
			c.drop() // the client has gone, perhaps while its command blocks
			c.s.mu.Unlock()
			return
		}
		if err == nil && len(args) == 0 {
			continue // an empty line, as people type into telnet
		}
		select {
		case requests <- request{args, err}:
		case <-c.gone:
			return
		}
		if err != nil {
			_, _ = io.Copy(io.Discard, c.net) // until write has sent the error and closed the connection
			return
		}
	}
}

func (c *conn) run(requests <-chan request) {
	for r := range requests {
		c.s.mu.Lock()
		if c.dropped || c.quitting {
			c.s.mu.Unlock()
			continue
		}
		if r.err != nil {
			c.send([]byte("-ERR Protocol error: " + r.err.Error() + "\r\n"))
			c.quitting = true
			c.out.finish()
			c.s.mu.Unlock()
			continue
		}
		block := c.s.execute(c, r.args)
		c.s.mu.Unlock()
		if block != nil {
			block.wait()
		}
	}
}

func (c *conn) write() {
	for {
		select {
		case <-c.out.wake:
		case <-c.gone:
			return
		}
		for {
			data, last := c.out.take()
			for chunk := range slices.Chunk(data, writeAtOnce) {
				if _, err := c.net.Write(chunk); err != nil {
					last = true
					break
				}
				c.out.wrote(len(chunk))
			}
			if last {
				c.s.mu.Lock()
				c.drop()
				c.s.mu.Unlock()
				return
			}
			if len(data) == 0 {
				break
			}
		}
	}
}

// send appends to what the client will read. Server.mu is held.
func (c *conn) send(data []byte) {
	if c.dropped || len(data) == 0 {
		return
	}
	class := "normal"
	if c.subscribed() {
		class = "pubsub"
	}
	limit := c.s.limits[class]
	waiting := c.out.append(data, limit, func() {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if waiting := c.out.size(); waiting >= limit.soft && !c.dropped {
			c.overrun(class, waiting)
		}
	})
	if limit.hard > 0 && waiting >= limit.hard {
		c.overrun(class, waiting)
	}
}

func (c *conn) overrun(class string, waiting int) {
	c.s.log.Warn("redis: client cut: it reads too slowly", "client", c.addr, "id", c.id, "waiting bytes", waiting, "class", class)
	c.drop()
}

// drop ends the connection at once. Server.mu is held.
func (c *conn) drop() {
	if c.dropped {
		return
	}
	c.dropped = true
	close(c.gone)
	_ = c.net.Close()
	c.out.stop()
	c.unsubscribeAll()
	c.unwatch()
	if c.block != nil {
		c.block.end()
	}
	c.s.conns = slices.DeleteFunc(c.s.conns, func(o *conn) bool { return o == c })
}

func (c *conn) client() Client {
	return Client{
		ID: c.id, Addr: c.addr, Name: c.name, Library: c.library[0], Command: c.lastCommand,
		Subscriptions: len(c.channels) + len(c.patterns) + len(c.shards),
	}
}

// writeAtOnce is how much of the output is handed to the network at a time; what was handed over no longer counts as waiting.
const writeAtOnce = 64 << 10

// output is what the client has yet to read. It has a lock of its own, held for moments: write takes from it without Server.mu.
type output struct {
	mu      sync.Mutex
	pending []byte
	taken   int  // bytes that write has taken and not yet handed over
	last    bool // nothing comes after pending
	wake    chan struct{}
	soft    int         // bytes from which on
	timer   *time.Timer // runs
}

// append adds data and returns how much waits. It has cut called once more than the soft limit has waited for its time.
func (o *output) append(data []byte, limit outputLimit, cut func()) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last {
		return 0
	}
	o.pending = append(o.pending, data...)
	o.kick()
	waiting := len(o.pending) + o.taken
	if limit.soft > 0 && waiting >= limit.soft && o.timer == nil {
		o.soft, o.timer = limit.soft, time.AfterFunc(limit.softFor, cut)
	}
	return waiting
}

// take returns what is pending, and whether nothing will follow what has been taken by now.
func (o *output) take() (data []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	data, o.pending = o.pending, nil
	o.taken = len(data)
	return data, o.last
}

func (o *output) wrote(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken -= n
	if len(o.pending)+o.taken < o.soft {
		o.stopLocked()
	}
}

func (o *output) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) + o.taken
}

func (o *output) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
	o.kick()
}

func (o *output) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopLocked()
}

func (o *output) stopLocked() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
}

func (o *output) kick() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
