package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// A server can play a cluster of three nodes, for lessons about what a node's failure does. It is a simulation: there is one
// process and nothing is replicated, but clients see what they would see. (The real one stands in infra/onprem.)
//
//   - Every node takes clients, and each client reaches every queue through its node.
//   - A classic queue lives on the node that it was declared through. While that node is down, the queue cannot be used: to declare
//     it or to consume from it fails, and what is published to it is not routed.
//   - A quorum queue and a stream have a member on every node. One of them leads. As long as a majority is up, all goes on; when
//     the leader's node fails, another member leads. Without a majority nothing is delivered, and publications wait unconfirmed
//     until the majority is back.
//
// What differs: a failover takes no time, classic queues keep transient messages over a restart of their node, and an
// acknowledgement to a quorum queue without a majority counts at once.
//
// Source: RabbitMQ documentation, "Clustering Guide" and "Quorum Queues", seen on a cluster of RabbitMQ 3.10.8 (2026-12-01).

// node is one of a cluster's.
type node struct {
	name string
	up   bool
}

// A NodeError is about a node that is not there, or is not in the state that is asked for.
type NodeError struct{ Problem string }

func (e *NodeError) Error() string { return e.Problem }

func newNodes(n int) []*node {
	if n <= 1 {
		return []*node{{nodeName, true}}
	}
	var nodes []*node
	for i := range n {
		nodes = append(nodes, &node{fmt.Sprintf("rabbit@node%d", i+1), true})
	}
	return nodes
}

// Nodes returns the names of the nodes. A client of Serve and Dial is one of the first that is up.
func (s *Server) Nodes() []string {
	var names []string
	for _, n := range s.nodes {
		names = append(names, n.name)
	}
	return names
}

// first returns the first node that is up, or nil.
func (s *Server) first() *node {
	for _, n := range s.nodes {
		if n.up {
			return n
		}
	}
	return nil
}

// DialNode connects a client in this process to a node. A node that is down refuses it.
func (s *Server) DialNode(ctx context.Context, name string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.nodes, func(n *node) bool { return n.name == name })
	up := i >= 0 && s.nodes[i].up
	s.mu.Unlock()
	switch {
	case i < 0:
		return nil, &NodeError{"no node is called " + name}
	case !up:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused: " + name + " is down")}
	}
	client, server := net.Pipe()
	if !s.connect(server, s.nodes[i]) {
		return nil, errors.Join(errClosed, client.Close())
	}
	return client, nil
}

func (s *Server) switchNode(name string, up bool) (*node, error) {
	i := slices.IndexFunc(s.nodes, func(n *node) bool { return n.name == name })
	if i < 0 {
		return nil, &NodeError{"no node is called " + name}
	}
	n := s.nodes[i]
	if n.up == up {
		return nil, &NodeError{fmt.Sprintf("%s is %s already", name, map[bool]string{true: "up", false: "down"}[up])}
	}
	n.up = up
	return n, nil
}

// StopNode ends a node: its clients lose their connections, and queues do without it.
func (s *Server) StopNode(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.switchNode(name, false)
	if err != nil {
		return err
	}
	for _, c := range sortedConns(s) {
		if c.node == n {
			c.force("broker forced connection closure with reason 'shutdown'")
		}
	}
	for _, v := range s.vhosts {
		for _, q := range v.queues {
			if q.kind == classic && q.home == n {
				for _, k := range slices.Clone(q.consumers) {
					k.gone()
				}
			}
			q.elect()
		}
	}
	s.settle()
	return nil
}

// StartNode starts a node that was stopped.
func (s *Server) StartNode(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.switchNode(name, true); err != nil {
		return err
	}
	for _, v := range s.vhosts {
		for _, q := range v.queues {
			q.elect()
			if q.available() {
				q.catchUp()
			}
			s.touch(q)
		}
	}
	s.settle()
	return nil
}

// Leader returns the node that leads a queue, or that a classic queue is on. It is empty if nobody leads it.
func (s *Server) Leader(vhost, queue string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.vhosts[vhost]
	if v == nil || v.queues[queue] == nil || v.queues[queue].home == nil {
		return ""
	}
	return v.queues[queue].home.name
}

// elect finds a replicated queue a leader if its own is down. Without a majority nobody leads it.
func (q *queueState) elect() {
	switch {
	case q.kind == classic:
	case !q.majority():
		q.home = nil
	case q.home == nil || !q.home.up:
		q.home = q.vhost.s.first()
	}
}

func (q *queueState) majority() bool {
	up := 0
	for _, n := range q.vhost.s.nodes {
		if n.up {
			up++
		}
	}
	return 2*up > len(q.vhost.s.nodes)
}

// available says whether a queue can be used now.
func (q *queueState) available() bool { return q.home != nil && q.home.up }

// reachable refuses to use a classic queue whose node is down.
func (q *queueState) reachable() *exception {
	if q.kind != classic || q.available() {
		return nil
	}
	return fail(notFound, "home node '%s' of durable %s is down or inaccessible", q.home.name, q.vhost.described("queue", q.name))
}

// pending is a publication that waits for a queue's majority.
type pending struct {
	message *message
	channel *channel
	tag     uint64
}

// catchUp takes the publications that have waited, and answers who has asked for a message. Those whose channel is gone are
// dropped: their publisher has had no word.
func (q *queueState) catchUp() {
	waiting, asked := q.waiting, q.asked
	q.waiting, q.asked = nil, nil
	defer func() {
		for _, get := range asked {
			_ = get() // it was allowed when it came
		}
	}()
	for _, p := range waiting {
		if p.channel.over {
			continue
		}
		accepted := q.put(p.message)
		p.channel.taken(p.tag, accepted)
	}
}

// await says that a publication is not confirmed before n queues have taken it.
func (ch *channel) await(tag uint64, n int) {
	ch.confirm() // a confirmation for several would stand for this one too
	if ch.awaited == nil {
		ch.awaited = map[uint64]*awaited{}
	}
	ch.awaited[tag] = &awaited{queues: n, accepted: true}
}

// awaited is a publication that some queues have not taken yet.
type awaited struct {
	queues   int
	accepted bool
}

// taken says that one more queue has taken a publication, or refused it.
func (ch *channel) taken(tag uint64, accepted bool) {
	a := ch.awaited[tag]
	if a == nil { // without confirms
		return
	}
	a.accepted = a.accepted && accepted
	if a.queues--; a.queues > 0 {
		return
	}
	delete(ch.awaited, tag)
	if a.accepted {
		ch.conn.s.confirmed++
		ch.send(amqp.BasicAck{DeliveryTag: tag})
	} else {
		ch.send(amqp.BasicNack{DeliveryTag: tag})
	}
}
