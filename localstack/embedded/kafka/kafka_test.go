package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/kafka"
)

func inMemory(t testing.TB) *kafka.Cluster {
	t.Helper()
	c, err := kafka.New(kafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func onSockets(t testing.TB) *kafka.Cluster {
	t.Helper()
	var listeners []net.Listener
	for range 3 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	c, err := kafka.New(kafka.Options{Listeners: listeners})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func client(t testing.TB, c *kafka.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(c.ClientOptions(), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.CloseAllowingRebalance)
	return cl
}

func topic(t testing.TB, c *kafka.Cluster, name string, partitions int32, replicas int16) {
	t.Helper()
	cl := client(t, c)
	defer cl.Close()
	if made, err := kadm.NewClient(cl).CreateTopic(t.Context(), partitions, replicas, nil, name); err != nil || made.Err != nil {
		t.Fatal(err, made.Err)
	}
}

func TestSockets(t *testing.T) {
	t.Run("a client finds the three brokers, and a broker that was stopped starts again on its port", func(t *testing.T) {
		c := onSockets(t)
		topic(t, c, "orders", 3, 3)
		cl := client(t, c, kgo.MetadataMinAge(10*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
		produce := func() {
			t.Helper()
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		produce()
		for id := range 3 {
			if err := c.StopBroker(id); err != nil {
				t.Fatal(err)
			}
			if conn, err := net.Dial("tcp", c.Brokers()[id]); err == nil {
				_ = conn.Close()
				t.Fatalf("broker %d still listens", id)
			}
			produce()
			if err := c.StartBroker(id); err != nil {
				t.Fatal(err)
			}
			produce()
		}
		brokers, err := kadm.NewClient(client(t, c)).ListBrokers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var addresses []string
		for _, b := range brokers {
			addresses = append(addresses, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
		}
		if !slices.Equal(addresses, c.Brokers()) {
			t.Fatalf("the brokers are %v, want %v", addresses, c.Brokers())
		}
	})
	t.Run("Close leaves no goroutine and no port", func(t *testing.T) {
		before := runtime.NumGoroutine()
		c := onSockets(t)
		topic(t, c, "orders", 3, 3)
		cl := client(t, c, kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		cl.PollFetches(ctx)
		cancel()
		cl.CloseAllowingRebalance()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for _, address := range c.Brokers() {
			l, err := net.Listen("tcp4", address)
			if err != nil {
				t.Fatalf("the port of %s is taken: %v", address, err)
			}
			_ = l.Close()
		}
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, before it were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
			runtime.Gosched()
		}
	})
}

func TestBrokers(t *testing.T) {
	bubble := func(name string, f func(t *testing.T, c *kafka.Cluster)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, inMemory(t)) })
		})
	}
	bubble("leaders of a topic's partitions are spread over the brokers", func(t *testing.T, c *kafka.Cluster) {
		topic(t, c, "orders", 3, 1)
		var leaders []int
		for p := range 3 {
			leaders = append(leaders, c.Leader("orders", int32(p)))
		}
		slices.Sort(leaders)
		if !slices.Equal(leaders, []int{0, 1, 2}) {
			t.Fatalf("the leaders are %v", leaders)
		}
	})
	bubble("replicas stand where a client puts them", func(t *testing.T, c *kafka.Cluster) {
		cl := client(t, c)
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = 5000
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = "orders", -1, -1
		for p, replicas := range [][]int32{{2, 0}, {1, 2}} {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = int32(p), replicas
			rt.ReplicaAssignment = append(rt.ReplicaAssignment, a)
		}
		req.Topics = append(req.Topics, rt)
		if _, err := req.RequestWith(t.Context(), cl); err != nil {
			t.Fatal(err)
		}
		topics, err := kadm.NewClient(cl).ListTopics(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		for p, want := range [][]int32{{2, 0}, {1, 2}} {
			got := topics["orders"].Partitions[int32(p)]
			if !slices.Equal(got.Replicas, want) || got.Leader != want[0] {
				t.Errorf("partition %d: replicas %v, leader %d; want %v", p, got.Replicas, got.Leader, want)
			}
		}
	})
	bubble("the last broker cannot be stopped, nor one twice, nor one that runs started", func(t *testing.T, c *kafka.Cluster) {
		for _, step := range []struct {
			do   func(int) error
			id   int
			fine bool
		}{{c.StopBroker, 0, true}, {c.StopBroker, 0, false}, {c.StopBroker, 1, true}, {c.StopBroker, 2, false}, {c.StartBroker, 2, false}, {c.StartBroker, 7, false}, {c.StartBroker, 0, true}} {
			if err := step.do(step.id); (err == nil) != step.fine {
				t.Fatalf("broker %d: %v", step.id, err)
			}
		}
	})
	bubble("no living broker serves a partition whose replicas have all stopped", func(t *testing.T, c *kafka.Cluster) {
		topic(t, c, "orders", 1, 1)
		stopped := c.Leader("orders", 0)
		if err := c.StopBroker(stopped); err != nil {
			t.Fatal(err)
		}
		cl := client(t, c)
		for id := range 3 {
			if id == stopped {
				continue
			}
			req := kmsg.NewPtrListOffsetsRequest()
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic, rt.Partitions = "orders", []kmsg.ListOffsetsRequestTopicPartition{kmsg.NewListOffsetsRequestTopicPartition()}
			req.Topics = append(req.Topics, rt)
			resp, err := cl.Broker(id).Request(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if code := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode; code != kerr.NotLeaderForPartition.Code {
				t.Errorf("broker %d answers %v", id, kerr.ErrorForCode(code))
			}
		}
	})
	bubble("a request for more partitions than a controller makes is refused", func(t *testing.T, c *kafka.Cluster) {
		made, err := kadm.NewClient(client(t, c)).CreateTopics(t.Context(), 1_000_000_000, 1, nil, "orders")
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Error(); !errors.Is(err, kerr.PolicyViolation) {
			t.Fatalf("got %v", err)
		}
	})
	bubble("after Close it says so", func(t *testing.T, c *kafka.Cluster) {
		for range 2 {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if c.StopBroker(0) == nil || c.Leader("orders", 0) != -1 {
			t.Fatal("a closed cluster still works")
		}
	})
	bubble("a client that is open when the cluster closes can be closed after it", func(t *testing.T, c *kafka.Cluster) {
		topic(t, c, "orders", 1, 3)
		cl := client(t, c, kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		cl.PollFetches(ctx)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
	bubble("cut connections are made again", func(t *testing.T, c *kafka.Cluster) {
		topic(t, c, "orders", 1, 3)
		cl := client(t, c, kgo.DefaultProduceTopic("orders"))
		for range 3 {
			if err := cl.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
				t.Fatal(err)
			}
			n := 0
			for id := range 3 {
				n += c.Disconnect(id)
			}
			if n == 0 {
				t.Fatal("no connection was cut")
			}
		}
	})
}

// send writes a frame on a connection of its own to a broker.
func send(t testing.TB, c *kafka.Cluster, frame []byte) {
	t.Helper()
	conn, err := c.Dial(context.Background(), "tcp", c.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write(frame); err == nil {
		_, _ = conn.Read(make([]byte, 1<<16)) // an answer, or the connection's end
	}
}

func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestMalformedRequests(t *testing.T) {
	for name, frame := range map[string][]byte{
		"a size of 4 GB":                 {0xff, 0xff, 0xff, 0xff, 0, 0},
		"an empty request":               framed(nil),
		"a request without its header":   framed([]byte{0, 3, 0}),
		"an unknown key":                 framed([]byte{0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff}),
		"a version from the future":      framed([]byte{0, 3, 0x7f, 0, 0, 0, 0, 1, 0xff, 0xff}),
		"a negative version":             framed([]byte{0, 3, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff}),
		"the words of another protocol":  []byte("GET / HTTP/1.1\r\n\r\n"),
		"a body that ends in the middle": framed(kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrCreateTopicsRequest(), 1)[4:20]),
	} {
		t.Run(name+" ends the connection and nothing else", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := inMemory(t)
				send(t, c, frame)
				if err := client(t, c).Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestImpossibleTopics: kfake takes these requests, and some of them end it.
func TestImpossibleTopics(t *testing.T) {
	assigned := func(partition int32, replicas ...int32) func(*kmsg.CreateTopicsRequestTopic) {
		return func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			t.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: partition, Replicas: replicas}}
		}
	}
	factor := func(n int16) func(*kmsg.CreateTopicsRequestTopic) {
		return func(t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions, t.ReplicationFactor = 1, n }
	}
	for _, test := range []struct {
		name string
		ask  func(*kmsg.CreateTopicsRequestTopic)
		want error
	}{
		{"a replication factor of 0", factor(0), kerr.InvalidReplicationFactor},
		{"a replication factor of -2", factor(-2), kerr.InvalidReplicationFactor},
		{"an assignment of partition -1", assigned(-1, 0), kerr.InvalidReplicaAssignment},
		{"an assignment of partition two billion", assigned(2_000_000_000, 0), kerr.InvalidReplicaAssignment},
		{"an assignment to nobody", assigned(0), kerr.InvalidReplicaAssignment},
		{"an assignment to a broker that is not there", assigned(0, 7), kerr.InvalidReplicaAssignment},
		{"an assignment to two brokers", assigned(0, 2, 0), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			cl := client(t, inMemory(t))
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic = "t"
			test.ask(&topic)
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Topics = append(req.Topics, topic)
			resp, err := req.RequestWith(t.Context(), cl)
			if err != nil {
				t.Fatal(err)
			}
			if got := kerr.ErrorForCode(resp.Topics[0].ErrorCode); !errors.Is(got, test.want) {
				t.Errorf("answered %v, want %v", got, test.want)
			}
			if err := cl.Ping(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestTopicsMayBeDeletedUnderAProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl := client(t, inMemory(t), kgo.ProducerLinger(20*time.Millisecond), kgo.RecordRetries(2), kgo.UnknownTopicRetries(1))
		admin := kadm.NewClient(cl)
		topics := []string{"a", "b", "c", "d", "e", "f"}
		if _, err := admin.CreateTopics(t.Context(), 1, 1, nil, topics...); err != nil {
			t.Fatal(err)
		}
		produce := func() {
			for _, name := range topics {
				cl.Produce(t.Context(), &kgo.Record{Topic: name, Value: []byte("x")}, nil)
			}
			if err := cl.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		produce()
		if _, err := admin.DeleteTopics(t.Context(), topics...); err != nil {
			t.Fatal(err)
		}
		produce() // fails, of course; the cluster stays
		if err := cl.Ping(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	c := inMemory(f)
	topic(f, c, "orders", 1, 3)
	for key := range int16(100) {
		if req := kmsg.RequestForKey(key); req != nil {
			for _, version := range []int16{0, req.MaxVersion()} {
				req.SetVersion(version)
				f.Add(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)[4:])
			}
		}
	}
	cl := client(f, c)
	f.Fuzz(func(t *testing.T, body []byte) {
		send(t, c, framed(body))
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := cl.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
