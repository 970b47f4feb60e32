// Package kafka is the local cloud's Kafka: a cluster of brokers that any Kafka client reaches over loopback or in memory.
//
// It is built on github.com/twmb/franz-go/pkg/kfake, which keeps logs, groups (classic and KIP-848), idempotent producers,
// transactions, compaction, retention and share groups as a Kafka 4 does, in memory. This package makes a cluster of it:
// brokers that can be stopped and started again, leaders that move, in-sync replicas, min.insync.replicas.
//
// What is as in Kafka and worth knowing
//   - acks=all is answered NOT_ENOUGH_REPLICAS while fewer brokers of a partition live than min.insync.replicas says. acks=1 and 0 are not.
//   - When a broker stops, each partition that it led is led by the next of its replicas; a partition without a living replica
//     has no leader and can be neither written nor read. Groups find another coordinator.
//   - A broker that comes back is in sync again, but leads nothing until leaders are elected (ElectLeaders).
//   - A topic is made by the first client that asks for it, if the client says so (auto.create.topics.enable, and the client's own
//     setting), with one partition (num.partitions). Topics have three replicas unless the client says otherwise.
//
// What is pretence
//   - Nothing is copied between brokers: there is one log, and a replica is in sync whenever its broker lives. So nothing is lost
//     when a leader stops, not even what was written with acks=1 or 0, and an unclean election cannot be shown.
//   - A broker that comes back catches up at once.
//   - Retention and compaction look at the log every 15 s (Kafka's log.cleaner.backoff.ms; its retention check is every 5 minutes)
//     and take single batches, where Kafka takes whole segments. Retention by default (7 days) is applied to topics that set
//     retention.ms or retention.bytes only.
//   - Quotas are accepted and not enforced. Nothing is written to disk. Racks, tiered storage and authorization are not offered.
//   - The controller is a part of the cluster that cannot be stopped, as in a KRaft cluster with controllers of its own.
//   - A static member that comes back causes a rebalance, in which it keeps its partitions; Kafka needs none.
//   - message.timestamp.type=LogAppendTime is not applied.
//   - Leaders are not moved back by themselves (auto.leader.rebalance.enable).
//   - On sockets, members of a KIP-848 group are told to send heartbeats every 50 ms, so that a rebalance takes no 5 s; in memory,
//     where time costs nothing, it is Kafka's 5 s. Classic groups follow the client's own settings.
//
// # In a testing/synctest bubble
//
// Call New and Close inside the bubble. Build with the tag synctests: franz-go then takes locks that a bubble knows to wait for.
// Without the tag most programs run all the same, the rules of localstack/conformance among them. What hangs for ever is a goroutine
// that waits for a lock of the client while who holds it waits for time to pass, because the bubble's clock stands still as long as
// somebody waits for a sync.Mutex. In franz-go 1.22 a commit holds such a lock until it is answered, retries and their pauses
// included: two goroutines that commit at once with one client, or one that commits during a rebalance, hang when the coordinator
// does not answer at once.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Options are what New takes.
type Options struct {
	Log       *slog.Logger   // nil discards
	Listeners []net.Listener // one for each broker, on loopback; none: three brokers in memory
}

// Cluster is a running cluster. Its brokers are numbered from 0. Its methods may be called from several goroutines.
type Cluster struct {
	log        *slog.Logger
	fake       *kfake.Cluster
	ports      []int                // by broker
	given      map[int]net.Listener // by port: to be used once
	memory     *kfake.VirtualNetwork
	inMemory   bool
	controller *controller
	conns      connections
	turn       chan struct{} // holds one token: who has it may change the state below
	state      state
	closed     bool // guarded by turn
}

// controllerPort is where the controller listens, in memory.
const controllerPort = 9091

// New starts a cluster.
func New(o Options) (*Cluster, error) {
	c := &Cluster{
		log: o.Log, given: map[int]net.Listener{}, memory: &kfake.VirtualNetwork{}, inMemory: len(o.Listeners) == 0,
		turn: make(chan struct{}, 1),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	heartbeat := "50"
	if c.inMemory {
		c.ports, heartbeat = []int{9092, 9093, 9094}, "5000"
	}
	for _, l := range o.Listeners {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("kafka: a broker listens on TCP, not on %s", l.Addr().Network())
		}
		c.ports = append(c.ports, tcp.Port)
		c.given[tcp.Port] = l
	}
	c.state.init(len(c.ports))
	c.conns.init()
	fake, err := kfake.NewCluster(
		kfake.Ports(append(slices.Clone(c.ports), controllerPort)...), // the last is the controller
		kfake.ListenFn(c.listen),
		kfake.ClusterID("brokerdojo"),
		kfake.MaxVersions(versions()),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(1),
		kfake.BrokerConfigs(map[string]string{
			"group.consumer.heartbeat.interval.ms": heartbeat,
			"group.share.heartbeat.interval.ms":    heartbeat,
			"log.cleaner.backoff.ms":               "15000",
		}),
		kfake.WithLogger(logger{c.log}),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	c.fake = fake
	// The controller is reached by one connection that stays. Taken from the list of brokers it leads no partition, coordinates no
	// group and shows in no answer.
	conn, err := c.memory.DialContext(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", controllerPort))
	if err == nil {
		c.controller = newController(conn)
		err = errors.Join(c.controller.ping(), fake.RemoveNode(int32(len(c.ports))))
	}
	if err != nil {
		fake.Close()
		return nil, fmt.Errorf("kafka: start the controller: %w", err)
	}
	c.turn <- struct{}{}
	return c, nil
}

// versions are those of Kafka 4, save for Produce: by version 13, which names topics by id, kfake panics when one request names two
// topics that are gone (handleProduce looks answers up by name, which is empty then).
func versions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.Produce), 12)
	return v
}

// listen opens the port of a broker, when it starts and when it starts again.
func (c *Cluster) listen(network, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if port == fmt.Sprint(controllerPort) && !slices.Contains(c.ports, controllerPort) {
		return c.memory.Listen(network, address)
	}
	broker := slices.IndexFunc(c.ports, func(p int) bool { return fmt.Sprint(p) == port })
	if broker < 0 {
		return nil, fmt.Errorf("no broker has port %s", port)
	}
	l := c.given[c.ports[broker]]
	delete(c.given, c.ports[broker])
	switch {
	case l != nil:
	case c.inMemory:
		l, err = c.memory.Listen(network, address)
	default:
		var config net.ListenConfig
		l, err = config.Listen(context.Background(), "tcp4", address)
	}
	if err != nil {
		return nil, err
	}
	return &listener{Listener: l, c: c, broker: int32(broker)}, nil
}

// Brokers returns the addresses of all brokers, those that are stopped too.
func (c *Cluster) Brokers() []string {
	var addresses []string
	for _, port := range c.ports {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return addresses
}

// ClientOptions returns what a client needs to reach the cluster: kgo.NewClient(cluster.ClientOptions()...).
func (c *Cluster) ClientOptions() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers()...)}
	if c.inMemory {
		opts = append(opts, kgo.Dialer(c.Dial))
	}
	return opts
}

// Dial connects to a broker of a cluster in memory. It suits kgo.Dialer.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !c.inMemory {
		return nil, errors.New("kafka: the cluster listens on sockets, dial those")
	}
	conn, err := c.memory.DialContext(ctx, network, address)
	if err != nil && ctx.Err() == nil { // as from a socket, so that clients try another broker
		err = &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%s: %w", address, syscall.ECONNREFUSED)}
	}
	return conn, err
}

// Fake is the kfake cluster underneath, for its fault injection and its views of partitions and groups. Brokers are stopped and
// started by this package's methods only.
func (c *Cluster) Fake() *kfake.Cluster { return c.fake }

// errClosed is returned after Close.
var errClosed = errors.New("kafka: the cluster is closed")

// take takes the turn; the caller gives it back. It fails after Close.
func (c *Cluster) take() error {
	<-c.turn
	if c.closed {
		c.give()
		return errClosed
	}
	return nil
}

func (c *Cluster) give() { c.turn <- struct{}{} }

// StopBroker stops a broker as if its process had ended: its connections are cut and its partitions get other leaders, where
// another replica lives. The last broker cannot be stopped.
func (c *Cluster) StopBroker(id int) error {
	if err := c.take(); err != nil {
		return err
	}
	defer c.give()
	node := int32(id)
	if !c.state.alive[node] {
		return fmt.Errorf("kafka: broker %d does not run", id)
	}
	if err := c.fake.RemoveNode(node); err != nil {
		return fmt.Errorf("kafka: stop broker %d: %w", id, err)
	}
	delete(c.state.alive, node)
	c.conns.cut(node)
	c.settle()
	return nil
}

// StartBroker starts a broker that was stopped, on the same address.
func (c *Cluster) StartBroker(id int) error {
	if err := c.take(); err != nil {
		return err
	}
	defer c.give()
	node := int32(id)
	if id < 0 || id >= len(c.ports) || c.state.alive[node] {
		return fmt.Errorf("kafka: broker %d is not stopped", id)
	}
	if _, _, err := c.fake.AddNode(node, c.ports[id]); err != nil {
		return fmt.Errorf("kafka: start broker %d: %w", id, err)
	}
	c.state.alive[node] = true
	c.settle()
	return nil
}

// Leader returns the broker that leads a partition, -1 if none does or there is no such partition.
func (c *Cluster) Leader(topic string, partition int32) int {
	if c.take() != nil {
		return -1
	}
	defer c.give()
	c.learn(topic)
	if ps := c.state.topics[topic]; ps != nil && int(partition) < len(ps.partitions) && partition >= 0 {
		return int(ps.partitions[partition].leader)
	}
	return -1
}

// Disconnect cuts all connections to a broker, as a network does; clients may connect again. It returns how many it cut.
func (c *Cluster) Disconnect(id int) int { return c.conns.cut(int32(id)) }

// Close stops all brokers and cuts their connections. It may be called more than once.
func (c *Cluster) Close() error {
	<-c.turn
	defer c.give()
	if c.closed {
		return nil
	}
	c.closed = true
	c.controller.close()
	c.fake.Close()
	for id := range c.ports {
		c.conns.cut(int32(id))
	}
	for _, l := range c.given {
		_ = l.Close()
	}
	return nil
}

// logger hands kfake's log on.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	levels := map[kfake.LogLevel]slog.Level{kfake.LogLevelError: slog.LevelError, kfake.LogLevelWarn: slog.LevelWarn, kfake.LogLevelInfo: slog.LevelInfo, kfake.LogLevelDebug: slog.LevelDebug}
	if l.log.Enabled(context.Background(), levels[level]) {
		l.log.Log(context.Background(), levels[level], "kafka: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
