// Package redis is the local cloud's Redis: a server that any Redis client reaches over loopback or in memory.
//
// It answers as Redis 7.2 does. Everything that a message travels through is written here: connections and their output buffers,
// Pub/Sub (sharded too), streams with consumer groups, blocking commands, transactions, expiry and keyspace notifications.
// Strings, lists, hashes, sets, sorted sets, HyperLogLogs, positions and the Lua interpreter come from
// github.com/alicebob/miniredis/v2, which never sees a connection: a command reaches it only under the server's lock, one at a
// time, as in Redis. conn.go is where to start reading, then command.go.
//
// What is as in Redis and worth knowing
//   - A subscriber that does not read never slows a publisher down. What waits for it is bounded by client-output-buffer-limit
//     (for Pub/Sub 32 MB at once, or 8 MB for 60 s); past that its connection is cut and what waited is lost. In memory nothing
//     waits in between; over a socket the kernel's buffers, some megabytes, come before the server's.
//   - Blocked clients are served in the order in which they blocked.
//   - MAXLEN ~ and MINID ~ remove whole blocks of 100 entries only, so that up to 99 more stay than asked for.
//
// What differs
//   - A key expires at its very moment, and the expired event comes with it. Redis may be late by a tenth of a second or more.
//   - Nothing is written to disk, nothing is replicated, nothing is evicted: maxmemory is not enforced, WAIT answers 0.
//   - The radix tree's figures in XINFO STREAM are estimates. The 4,096-byte limit of a stream's block is not modelled.
//   - Scripts run in a Lua 5.1 of their own (gopher-lua): cjson is there, cmsgpack, bit and struct are not. They cannot be
//     killed: one that does not end holds up everybody, Close too.
//
// What is not offered answers Redis's own error for an unknown command or subcommand, and is logged: cluster mode, FUNCTION,
// MONITOR, CLIENT TRACKING, ACL users, DUMP, RESTORE, MIGRATE, SORT, BITFIELD, LCS, OBJECT ENCODING, events of key misses and of
// new keys (m, n), persistence and replication commands, hash-field expiry (7.4), and the stream commands of Redis 8: XACKDEL and
// XDELEX (8.2), XREADGROUP's CLAIM (8.4), XADD's IDMP (8.6), XNACK (8.8).
package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// version is what the server says it is: the newest whose commands it has.
const version = "7.2.4"

// Options are what New takes.
type Options struct {
	Log *slog.Logger // nil discards
}

// Server is a running Redis. Its methods may be called from several goroutines.
type Server struct {
	log     *slog.Logger
	started time.Time
	ended   sync.WaitGroup // accept loops and connections

	mu         sync.Mutex // held while one command runs, never while anything is waited for
	closed     bool
	listeners  []net.Listener
	conns      []*conn // in the order in which they came
	lastID     int64
	store      *miniredis.Miniredis
	delegating *server.Peer // the peer of the command that the store runs at the moment
	running    *conn        // the connection whose command runs at the moment
	scriptDB   int          // the database that the running script has selected

	settings map[string]string
	events   eventClasses // notify-keyspace-events, parsed
	limits   map[string]outputLimit

	channels, shards subscriptions
	patterns         subscriptions

	streams  map[string]*stream // by the handle that the store keeps under the key
	handles  int64
	sweepAt  int // number of streams at which those without a key are looked for
	expiry   expiry
	watchers map[dbKey][]*conn
	blocked  []*blockedClient // in the order in which they blocked
	ready    map[dbKey]bool   // keys that changed since blocked clients were last served

	slow     []slowCommand
	slowID   int
	commands int // counters of INFO
	accepted int
	expired  int
}

// dbKey is a key in one of the numbered databases.
type dbKey struct {
	db  int
	key string
}

// New starts a server. Clients reach it through Serve, Listen or Dial. In a testing/synctest bubble, call it inside the bubble.
func New(o Options) *Server {
	s := &Server{
		log:      o.Log,
		started:  time.Now(),
		store:    miniredis.NewMiniRedis(),
		settings: defaultSettings(),
		channels: subscriptions{}, shards: subscriptions{}, patterns: subscriptions{},
		streams:  map[string]*stream{},
		sweepAt:  64,
		watchers: map[dbKey][]*conn{},
		ready:    map[dbKey]bool{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.limits, _ = parseOutputLimits(s.settings["client-output-buffer-limit"])
	s.expiry.init(s.expireDue)
	// The store has its commands once a connection was made; this one is never used.
	if c, err := s.store.Dial(); err == nil {
		_ = c.Close()
	}
	s.store.Server().SetPreHook(s.fromScript)
	return s
}

// Serve accepts connections from l in the background until Close, which closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
		return errClosed
	}
	s.listeners = append(s.listeners, l)
	s.ended.Add(1)
	go func() {
		defer s.ended.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					s.log.Error("redis: accept connections", "error", err)
				}
				return
			}
			if s.connect(c, c.RemoteAddr().String(), c.LocalAddr().String()) != nil {
				return
			}
		}
	}()
	return nil
}

var errClosed = errors.New("redis: the server is closed")

// Listen opens addr, such as "127.0.0.1:0", and serves it until Close.
func (s *Server) Listen(addr string) (net.Addr, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return l.Addr(), s.Serve(l)
}

// Dial returns the client's end of a new connection in memory. It suits go-redis's Options.Dialer.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, c := net.Pipe()
	s.mu.Lock()
	addr := fmt.Sprintf("127.0.0.1:%d", 40000+s.accepted%20000) // so that CLIENT LIST tells connections apart
	s.mu.Unlock()
	if err := s.connect(c, addr, "127.0.0.1:6379"); err != nil {
		return nil, err
	}
	return &clientEnd{Conn: client}, nil
}

// clientEnd is the client's end of a connection in memory. Written to after the server has closed it, it takes the data as a
// socket does, and the next read says that the connection is over: what clients are made for.
type clientEnd struct {
	net.Conn
	closed atomic.Bool
}

func (c *clientEnd) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil && c.unnoticed(err) == nil {
		return len(p), nil
	}
	return n, err
}

func (c *clientEnd) SetDeadline(t time.Time) error     { return c.unnoticed(c.Conn.SetDeadline(t)) }
func (c *clientEnd) SetReadDeadline(t time.Time) error { return c.unnoticed(c.Conn.SetReadDeadline(t)) }
func (c *clientEnd) SetWriteDeadline(t time.Time) error {
	return c.unnoticed(c.Conn.SetWriteDeadline(t))
}

// unnoticed drops the error of a connection that the other end has closed.
func (c *clientEnd) unnoticed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) && !c.closed.Load() {
		return nil
	}
	return err
}

func (c *clientEnd) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// Client is what the server knows of a connection.
type Client struct {
	ID            int64  // counts up from 1
	Addr          string // the client's address
	Name          string // CLIENT SETNAME
	Library       string // CLIENT SETINFO LIB-NAME
	Subscriptions int    // channels, patterns and shard channels
	Command       string // the last one, lower case
}

// Clients lists the connections, oldest first.
func (s *Server) Clients() []Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	clients := make([]Client, len(s.conns))
	for i, c := range s.conns {
		clients[i] = c.client()
	}
	return clients
}

// Disconnect cuts the connections for which match holds, at once, as a failing network does: what the server had not yet sent is
// lost. It returns how many it cut. A client library usually connects again.
func (s *Server) Disconnect(match func(Client) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range slices.Clone(s.conns) {
		if match(c.client()) {
			c.drop()
			n++
		}
	}
	return n
}

// DisconnectAll cuts every connection. It returns how many there were.
func (s *Server) DisconnectAll() int { return s.Disconnect(func(Client) bool { return true }) }

// Close closes listeners and connections and returns when all the server's goroutines have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.expiry.stop()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	for _, c := range slices.Clone(s.conns) {
		c.drop()
	}
	s.mu.Unlock()
	s.ended.Wait()
	s.store.Close()
	return nil
}
