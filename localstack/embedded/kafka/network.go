package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequest is Kafka's socket.request.max.bytes.
const maxRequest = 100 << 20

// forwarded are the requests that only the controller carries out: a broker hands them on.
var forwarded = []kmsg.Key{kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.CreatePartitions, kmsg.AlterUserSCRAMCredentials}

// followed are the requests whose answers Cluster.answered is to see.
var followed = append([]kmsg.Key{
	kmsg.Metadata, kmsg.DescribeCluster, kmsg.DescribeTopicPartitions, kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs, kmsg.ElectLeaders,
}, forwarded...)

// listener accepts the connections of one broker.
type listener struct {
	net.Listener
	c      *Cluster
	broker int32
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &conn{Conn: nc, c: l.c, broker: l.broker, following: map[int32]kmsg.Request{}, gone: make(chan struct{})}
	l.c.conns.add(conn)
	return conn, nil
}

// connections are the open connections of all brokers.
type connections struct {
	mu   sync.Mutex
	open map[*conn]bool
}

func (s *connections) init() { s.open = map[*conn]bool{} }

func (s *connections) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
}

func (s *connections) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// cut closes the connections to a broker and returns their number.
func (s *connections) cut(broker int32) int {
	s.mu.Lock()
	var cut []*conn
	for c := range s.open {
		if c.broker == broker {
			cut = append(cut, c)
		}
	}
	s.mu.Unlock()
	for _, c := range cut {
		_ = c.Close()
	}
	return len(cut)
}

// conn is kfake's end of a connection. kfake reads requests from it that are well-formed, so that no client can bring it down, and
// writes each answer to it in one piece.
type conn struct {
	net.Conn
	c      *Cluster
	broker int32
	unread []byte // of the request that kfake reads at the moment

	mu        sync.Mutex
	following map[int32]kmsg.Request // by correlation id: requests that Cluster.answered will see
	running   int                    // requests without an answer yet
	idle      chan struct{}          // closed when running becomes 0
	gone      chan struct{}
	closing   sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// next reads requests until one comes that is for kfake's broker.
func (c *conn) next() error {
	for {
		frame, err := readFrame(c.Conn)
		if err != nil {
			return err
		}
		req, err := parse(frame)
		if err != nil {
			c.c.log.Warn("kafka: connection closed after a malformed request", "broker", c.broker, "client", c.RemoteAddr().String(), "error", err)
			return err
		}
		key := kmsg.Key(req.Key())
		if slices.Contains(forwarded, key) {
			if err := c.forward(frame, req); err != nil {
				return err
			}
			continue
		}
		produce, isProduce := req.(*kmsg.ProduceRequest)
		c.mu.Lock()
		if !isProduce || produce.Acks != 0 { // acks=0 is not answered
			c.running++
		}
		if slices.Contains(followed, key) {
			c.following[correlation(frame[4:])] = req
		}
		c.mu.Unlock()
		c.unread = frame
		return nil
	}
}

// forward has the controller answer a request, after those that came before it.
func (c *conn) forward(frame []byte, req kmsg.Request) error {
	c.mu.Lock()
	var idle chan struct{}
	if c.running > 0 {
		idle = make(chan struct{})
		c.idle = idle
	}
	c.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-c.gone:
			return net.ErrClosed
		}
	}
	refusal := tooManyPartitions(req)
	if refusal == nil {
		refusal = badReplicas(req, len(c.c.ports))
	}
	if refusal != nil {
		_, err := c.Conn.Write(encode(correlation(frame[4:]), refusal))
		return err
	}
	answer, err := c.c.controller.call(frame)
	if err != nil {
		return err
	}
	_, err = c.Conn.Write(c.c.follow(req, answer))
	return err
}

// maxPartitions is how many partitions a KRaft controller makes at one request (MAX_PARTITIONS_PER_BATCH of its
// ReplicationControlManager).
const maxPartitions = 10_000

// tooManyPartitions returns the answer to a request for more partitions than a controller makes, and nil to any other.
func tooManyPartitions(req kmsg.Request) kmsg.Response {
	n := 0
	switch req := req.(type) {
	case *kmsg.CreateTopicsRequest:
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, t := range req.Topics {
			n += max(int(t.NumPartitions), len(t.ReplicaAssignment), 0)
			st := kmsg.NewCreateTopicsResponseTopic()
			st.Topic, st.ErrorCode = t.Topic, kerr.PolicyViolation.Code
			resp.Topics = append(resp.Topics, st)
		}
		if n > maxPartitions {
			return resp
		}
	case *kmsg.CreatePartitionsRequest:
		resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
		for _, t := range req.Topics {
			n += max(int(t.Count), 0)
			st := kmsg.NewCreatePartitionsResponseTopic()
			st.Topic, st.ErrorCode = t.Topic, kerr.PolicyViolation.Code
			resp.Topics = append(resp.Topics, st)
		}
		if n > maxPartitions {
			return resp
		}
	}
	return nil
}

// badReplicas returns the answer to a request for a topic with an impossible replication factor or assignment, which kfake would
// take, and nil to any other. The other topics of the request are refused with it.
func badReplicas(req kmsg.Request, brokers int) kmsg.Response {
	create, ok := req.(*kmsg.CreateTopicsRequest)
	if !ok {
		return nil
	}
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	bad := false
	for _, t := range create.Topics {
		st := kmsg.NewCreateTopicsResponseTopic()
		st.Topic, st.ErrorCode = t.Topic, kerr.PolicyViolation.Code
		if t.ReplicationFactor == 0 || t.ReplicationFactor < -1 {
			st.ErrorCode, bad = kerr.InvalidReplicationFactor.Code, true
		}
		seen := map[int32]bool{}
		for _, a := range t.ReplicaAssignment { // Kafka wants the partitions 0 to n-1, each once, on brokers that exist
			if a.Partition < 0 || int(a.Partition) >= len(t.ReplicaAssignment) || seen[a.Partition] || len(a.Replicas) == 0 ||
				slices.ContainsFunc(a.Replicas, func(b int32) bool { return b < 0 || int(b) >= brokers }) {
				st.ErrorCode, bad = kerr.InvalidReplicaAssignment.Code, true
			}
			seen[a.Partition] = true
		}
		resp.Topics = append(resp.Topics, st)
	}
	if bad {
		return resp
	}
	return nil
}

// encode returns an answer as it goes over the wire.
func encode(id int32, resp kmsg.Response) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(id))
	if resp.IsFlexible() {
		b = append(b, 0) // no tags in the header
	}
	b = resp.AppendTo(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (c *conn) Write(answer []byte) (int, error) {
	c.mu.Lock()
	id := correlation(answer)
	req := c.following[id]
	delete(c.following, id)
	c.mu.Unlock()
	changed := answer
	if req != nil {
		changed = c.c.follow(req, answer)
	}
	if n, err := c.Conn.Write(changed); err != nil {
		return min(n, len(answer)), err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.running == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	return len(answer), nil
}

func (c *conn) Close() error {
	c.closing.Do(func() {
		close(c.gone)
		c.c.conns.remove(c)
	})
	return c.Conn.Close()
}

// correlation returns the correlation id of an answer, whose first four bytes are its size, or of a request from its size's end on.
func correlation(b []byte) int32 { return int32(binary.BigEndian.Uint32(b[4:8])) }

// follow shows an answer to Cluster.answered and returns it as it is after that.
func (c *Cluster) follow(req kmsg.Request, answer []byte) []byte {
	resp := req.ResponseKind()
	body := 8
	if resp.IsFlexible() {
		body++ // no tags in the header
	}
	if err := resp.ReadFrom(answer[body:]); err != nil {
		c.log.Error("kafka: answer not understood", "key", kmsg.Key(req.Key()).Name(), "error", err)
		return answer
	}
	c.answered(req, resp)
	return encode(correlation(answer), resp)
}

// readFrame reads a size and as many bytes, and returns both.
func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxRequest {
		return nil, fmt.Errorf("a request of %d bytes is larger than socket.request.max.bytes", n)
	}
	frame := bytes.NewBuffer(slices.Clone(size[:])) // grows with what really arrives, not with what was announced
	if _, err := io.CopyN(frame, r, int64(n)); err != nil {
		return nil, err
	}
	return frame.Bytes(), nil
}

var errMalformed = errors.New("malformed request")

// parse reads a request as kfake will.
func parse(frame []byte) (req kmsg.Request, err error) {
	defer func() {
		if recover() != nil { // a decoder that trusts its input: better here than in kfake
			err = errMalformed
		}
	}()
	r := kbin.Reader{Src: frame[4:]}
	key, version := r.Int16(), r.Int16()
	r.Int32()
	r.NullableString()
	if !r.Ok() {
		return nil, errMalformed
	}
	if req = kmsg.RequestForKey(key); req == nil {
		return nil, fmt.Errorf("unknown request key %d", key)
	}
	if version < 0 || version > req.MaxVersion() {
		if kmsg.Key(key) != kmsg.ApiVersions { // which answers what versions there are
			return nil, fmt.Errorf("request key %d has no version %d", key, version)
		}
	}
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	return req, req.ReadFrom(r.Src)
}

// controller is the connection to the controller. It carries one request at a time.
type controller struct {
	conn net.Conn
	turn chan struct{}
}

func newController(conn net.Conn) *controller {
	c := &controller{conn: conn, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// call sends a request as a client sent it and returns the answer.
func (c *controller) call(frame []byte) ([]byte, error) {
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	if _, err := c.conn.Write(frame); err != nil {
		return nil, err
	}
	return readFrame(c.conn)
}

// ping returns once the controller serves the connection.
func (c *controller) ping() error {
	_, err := c.call(kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1))
	return err
}

func (c *controller) close() { _ = c.conn.Close() }
