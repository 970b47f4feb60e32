// Package rabbitmq is a RabbitMQ for the local cloud: AMQP 0-9-1 with RabbitMQ's extensions on the queue engine. Any client of
// AMQP 0-9-1 reaches it over loopback or in memory.
//
// It answers as RabbitMQ 4.3 does with its default configuration. Where older ones differ in a way that people meet, the rule's
// test in localstack/conformance says so.
//
// What is not offered, and answers RabbitMQ's own error: one prefetch limit for a channel, exchange types of plugins, x-delayed
// and at-least-once dead lettering, consumer timeouts, topic permissions, federation, shovels, AMQP 1.0, MQTT, STOMP and the
// stream protocol. Accepted without effect: x-queue-mode, x-queue-version, leader locators and group sizes.
//
// A message's way through it:
//
//	connection.go  frames come in, one connection at a time
//	channel.go     a method is looked up and run; its failure closes the channel, or the connection
//	publish.go     exchanges route a message to queues (exchange.go)
//	queue.go       a queue keeps it, in the queue engine, and hands it to a consumer that has room
//	consume.go     the consumer settles it, or it comes back, or it dies (deadletter.go)
//
// One lock guards everything; its holders never wait. What goes out to a client waits in the connection's outbox, and a client
// that does not read gets nothing more from queues until it does.
package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// Version is what the server says it is.
const Version = "4.3.5"

// DefaultUser and DefaultPassword are those of a new server. The user may do everything.
const (
	DefaultUser     = "guest"
	DefaultPassword = "guest"
)

// Features that RabbitMQ 4.3 does not permit unless its configuration says so. Source: RabbitMQ 4.3.0 release notes, "Deprecated
// Features are Now Disabled by Default" (checked 2026-12-01).
const (
	TransientNonexclQueues = "transient_nonexcl_queues" // queues that are neither durable nor exclusive
	GlobalQoS              = "global_qos"               // one prefetch limit for all consumers of a channel
)

// Features returns those that can be permitted here. GlobalQoS is not among them: it is not offered.
func Features() []string { return []string{TransientNonexclQueues} }

// Options are what New takes. The zero value is a server with the default configuration.
type Options struct {
	Log *slog.Logger // nil discards
	// Permit names deprecated features to permit, as deprecated_features.permit.* in rabbitmq.conf does.
	Permit []string
	// Nodes is how many nodes the server plays: 0 and 1 are a single one, 3 is a cluster (see cluster.go).
	Nodes int
}

// Server is a running RabbitMQ node. Its methods may be called from several goroutines.
type Server struct {
	log     *slog.Logger
	permit  []string
	nodes   []*node
	started time.Time
	ended   sync.WaitGroup // accept loops and connections

	mu        sync.Mutex // held while one method runs, never while anything is waited for
	closed    bool
	listeners []net.Listener
	conns     map[*conn]struct{}
	lastID    int
	vhosts    map[string]*vhost
	users     map[string]*user
	alarms    []string // reasons why publishers are blocked: "memory", "disk"
	settling  []*queueState
	operation uint64 // counts what settle has ended

	received, confirmed, dropped, returned uint64            // publications
	deadLettered                           map[string]uint64 // by reason
	gone                                   counters          // of queues that were deleted
	rates                                  rates             // of all queues together
}

var errClosed = errors.New("rabbitmq: the server is closed")

// New starts a server. Clients reach it through Serve or Dial. In a testing/synctest bubble, call it inside the bubble.
func New(o Options) *Server {
	s := &Server{
		log: o.Log, permit: o.Permit, nodes: newNodes(o.Nodes), started: time.Now(),
		conns: map[*conn]struct{}{}, vhosts: map[string]*vhost{}, users: map[string]*user{}, deadLettered: map[string]uint64{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.addVHost("/")
	s.users[DefaultUser] = &user{name: DefaultUser, password: newPassword(DefaultPassword), tags: []string{"administrator"}, permissions: map[string]permission{"/": everything}}
	return s
}

// Serve accepts connections from l in the background until Close, which closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(errClosed, l.Close())
	}
	s.listeners = append(s.listeners, l)
	s.ended.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					s.log.Error("rabbitmq: accept connections", "error", err)
				}
				return
			}
			s.connect(c, nil)
		}
	})
	return nil
}

// Dial connects a client in this process.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	if !s.connect(server, nil) {
		return nil, errors.Join(errClosed, client.Close())
	}
	return client, nil
}

// connect serves a connection to a node (nil: the first that is up) in the background. It returns false, and closes the
// connection, if the server is closed or no node is up.
func (s *Server) connect(nc net.Conn, n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == nil {
		n = s.first()
	}
	if s.closed || n == nil {
		_ = nc.Close()
		return false
	}
	s.lastID++
	c := newConn(s, nc, s.lastID)
	c.node = n
	s.conns[c] = struct{}{}
	s.ended.Go(c.serve)
	s.ended.Go(c.out.write)
	return true
}

// DisconnectAll cuts all connections, as a network that fails does.
func (s *Server) DisconnectAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.net.Close()
	}
	return len(s.conns)
}

// Block makes the server an alarm's, for reason ("memory", "disk"): it reads nothing more from connections that publish, after
// telling them so. Unblock ends the alarm. Source: RabbitMQ documentation, "Memory and Disk Alarms" (checked 2026-12-01).
func (s *Server) Block(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.alarms, reason) {
		s.alarms = append(s.alarms, reason)
	}
}

// Unblock ends what Block began.
func (s *Server) Unblock(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarms = slices.DeleteFunc(s.alarms, func(a string) bool { return a == reason })
	if len(s.alarms) > 0 {
		return
	}
	for c := range s.conns {
		c.unblock()
	}
}

// Close ends the server and all connections to it. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	var errs []error
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range s.conns {
		_ = c.net.Close()
		c.unblock()
	}
	s.mu.Unlock()
	s.ended.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.vhosts {
		for _, q := range v.queues {
			q.stop()
		}
	}
	return errors.Join(errs...)
}
