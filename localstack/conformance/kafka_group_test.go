package conformance_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

func TestKafkaGroups(t *testing.T) {
	for _, protocol := range []struct {
		name, source string
		opts         []kgo.Opt
	}{
		{"classic", "Design, Consumer group membership", nil},
		{"KIP-848", "Design, Consumer Rebalance Protocol", []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}},
	} {
		Run(t, kafkaRule(protocol.name+": a partition is read by one member of a group", protocol.source), func(t *testing.T, c *Cloud) {
			topic, group := newTopic(t, c, 4), c.Name("group")
			a, aOpts := watchAssignment(topic)
			b, bOpts := watchAssignment(topic)
			keepPolling(member(c, group, topic, append(aOpts, protocol.opts...)...))
			waitAssigned(t, exactly(4), a)
			keepPolling(member(c, group, topic, append(bOpts, protocol.opts...)...))
			waitAssigned(t, exactly(2, 2), a, b)
		})
	}
	Run(t, kafkaRule("members beyond the number of partitions get none", "Introduction to consumers"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 1), c.Name("group")
		a, aOpts := watchAssignment(topic)
		keepPolling(member(c, group, topic, aOpts...))
		waitAssigned(t, exactly(1), a)
		idle := member(c, group, topic)
		produce(t, c.Kafka(), topic, "1", "2", "3")
		pollNothing(t, idle, 10*time.Second)
	})
	Run(t, kafkaRule("every group gets every record", "Introduction"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1)
		produce(t, c.Kafka(), topic, "1", "2")
		for range 2 {
			equal(t, "values", values(poll(t, member(c, c.Name("group"), topic), 2)), "1 2")
		}
	})
	Run(t, kafkaRule("a group goes on after what it committed, and gets again what it did not", "Design, Consumer Position"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 1), c.Name("group")
		produce(t, c.Kafka(), topic, numbers(5)...)
		first := member(c, group, topic)
		records := poll(t, first, 4)
		if err := first.CommitRecords(t.Context(), records[:2]...); err != nil {
			t.Fatal(err)
		}
		first.CloseAllowingRebalance()
		equal(t, "values", values(poll(t, member(c, group, topic), 3)), "3 4 5")
	})
	Run(t, kafkaRule("what is committed is the offset of the next record", "Design, Consumer Position"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 1), c.Name("group")
		produce(t, c.Kafka(), topic, numbers(3)...)
		client := member(c, group, topic)
		if err := client.CommitRecords(t.Context(), poll(t, client, 3)...); err != nil {
			t.Fatal(err)
		}
		committed, err := kadm.NewClient(c.Kafka()).FetchOffsets(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "committed", committed[topic][0].At, 3)
	})
	Run(t, kafkaRule("a group without committed offsets starts where its members say", "Consumer Configs, auto.offset.reset"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1)
		produce(t, c.Kafka(), topic, "early")
		latest := member(c, c.Name("group"), topic, kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
		pollNothing(t, latest, 10*time.Second)
		produce(t, c.Kafka(), topic, "late")
		equal(t, "value", values(poll(t, latest, 1)), "late")
	})
	Run(t, kafkaRule("a member that leaves hands its partitions over at once", "Design, Consumer group membership"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 2), c.Name("group")
		a, aOpts := watchAssignment(topic)
		b, bOpts := watchAssignment(topic)
		keepPolling(member(c, group, topic, aOpts...))
		leaving := member(c, group, topic, bOpts...)
		keepPolling(leaving)
		waitAssigned(t, exactly(1, 1), a, b)
		start := time.Now()
		leaving.CloseAllowingRebalance()
		waitAssigned(t, exactly(2), a)
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("it took %s", took)
		}
	})
	Run(t, kafkaRule("a member that falls silent loses its partitions after its session timeout", "Consumer Configs, session.timeout.ms"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 2), c.Name("group")
		silent := joinByHand(t, c, group, topic, 6*time.Second)
		start := time.Now()
		a, aOpts := watchAssignment(topic)
		keepPolling(member(c, group, topic, append(aOpts, kgo.Balancers(kgo.RangeBalancer()))...))
		waitAssigned(t, exactly(2), a)
		if took := time.Since(start); took < 5*time.Second || took > 20*time.Second {
			t.Fatalf("it took %s, want about 6 s", took)
		}
		is(t, silent.heartbeat(t), kerr.UnknownMemberID)
	})
	Run(t, kafkaRule("who is not a member of a living group cannot commit for it", "Protocol, OffsetCommit; Error Codes"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 1), c.Name("group")
		produce(t, c.Kafka(), topic, "1")
		client := member(c, group, topic)
		poll(t, client, 1)
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, 1, -1)
		committed, err := kadm.NewClient(c.Kafka()).CommitOffsets(t.Context(), group, offsets)
		if err != nil {
			t.Fatal(err)
		}
		is(t, committed.Error(), kerr.UnknownMemberID)
	})
	Run(t, kafkaRule("an empty group's offsets can be set", "Basic Kafka Operations, Managing consumer groups"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 1), c.Name("group")
		produce(t, c.Kafka(), topic, numbers(5)...)
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, 3, -1)
		if err := kadm.NewClient(c.Kafka()).CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
		equal(t, "values", values(poll(t, member(c, group, topic), 2)), "4 5")
	})
	Run(t, kafkaRule("a group's lag is what it has yet to commit", "Basic Kafka Operations, Checking consumer position"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 1), c.Name("group")
		produce(t, c.Kafka(), topic, numbers(5)...)
		client := member(c, group, topic)
		if err := client.CommitRecords(t.Context(), poll(t, client, 2)...); err != nil {
			t.Fatal(err)
		}
		lags, err := kadm.NewClient(c.Kafka()).Lag(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "lag", lags[group].Lag.Total(), 3)
	})
	Run(t, kafkaRule("a static member's partitions wait for it until its session timeout", "Design, Static Membership"), func(t *testing.T, c *Cloud) {
		topic, group := newTopic(t, c, 2), c.Name("group")
		a, aOpts := watchAssignment(topic)
		b, bOpts := watchAssignment(topic)
		keepPolling(member(c, group, topic, append(aOpts, kgo.InstanceID("a"))...))
		away := member(c, group, topic, append(bOpts, kgo.InstanceID("b"), kgo.SessionTimeout(20*time.Second))...)
		keepPolling(away)
		waitAssigned(t, exactly(1, 1), a, b)
		c.Sleep(5 * time.Second)
		for len(a.changes) > 0 {
			<-a.changes
		}
		away.CloseAllowingRebalance() // says no farewell
		c.Sleep(12 * time.Second)
		equal(t, "changes at the other member", len(a.changes), 0)
		waitAssigned(t, exactly(2), a)
	})
	Run(t, kafkaRule("the members of a share group read one partition together", "Design, Share groups (since 4.2)"), func(t *testing.T, c *Cloud) {
		fake := c.Control().KafkaCluster().Fake()
		topic, group := newTopic(t, c, 1), c.Name("group")
		fake.SetGroupConfigs(group, map[string]string{"share.auto.offset.reset": "earliest"})
		produce(t, c.Kafka(), topic, numbers(20)...)
		var all []*kgo.Record
		for range 2 {
			client := c.Kafka(kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ShareMaxRecords(3), kgo.ShareMaxRecordsStrict())
			all = append(all, poll(t, client, 3)...)
		}
		equal(t, "records of both", values(all), "1 2 3 4 5 6")
	})
}

// handMember is a group member that sends only what it is told to.
type handMember struct {
	client     *kgo.Client
	group, id  string
	generation int32
}

// joinByHand joins a group as its first member and leader, and takes all partitions.
func joinByHand(t *testing.T, c *Cloud, group, topic string, session time.Duration) *handMember {
	t.Helper()
	m := &handMember{client: c.Kafka(), group: group}
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{topic}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(session.Milliseconds()), 10_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", meta.AppendTo(nil)
	join.Protocols = append(join.Protocols, protocol)
	for {
		resp, err := join.RequestWith(t.Context(), m.client)
		if err != nil {
			t.Fatal(err)
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); errors.Is(err, kerr.MemberIDRequired) {
			join.MemberID = resp.MemberID
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		m.id, m.generation = resp.MemberID, resp.Generation
		break
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, m.id, m.generation
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	all := kmsg.NewConsumerMemberAssignment()
	part := kmsg.NewConsumerMemberAssignmentTopic()
	part.Topic, part.Partitions = topic, []int32{0, 1}
	all.Topics = append(all.Topics, part)
	given := kmsg.NewSyncGroupRequestGroupAssignment()
	given.MemberID, given.MemberAssignment = m.id, all.AppendTo(nil)
	sync.GroupAssignment = append(sync.GroupAssignment, given)
	resp, err := sync.RequestWith(t.Context(), m.client)
	if err = errors.Join(err, kerr.ErrorForCode(resp.ErrorCode)); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *handMember) heartbeat(t *testing.T) error {
	t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	resp, err := req.RequestWith(t.Context(), m.client)
	if err != nil {
		t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func TestKafkaTransactions(t *testing.T) {
	transactional := func(t *testing.T, c *Cloud, id string, opts ...kgo.Opt) *kgo.Client {
		return c.Kafka(append([]kgo.Opt{kgo.TransactionalID(id)}, opts...)...)
	}
	begin := func(t *testing.T, client *kgo.Client) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(t *testing.T, client *kgo.Client, commit kgo.TransactionEndTry) {
		t.Helper()
		if err := client.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	readCommitted := kgo.FetchIsolationLevel(kgo.ReadCommitted())
	Run(t, kafkaRule("read_committed shows a transaction's records when it is committed, read_uncommitted at once", "Design, Using Transactions; Consumer Configs, isolation.level"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), transactional(t, c, c.Name("tx"))
		begin(t, client)
		produce(t, client, topic, "1", "2")
		equal(t, "read_uncommitted", values(poll(t, reader(c, topic, atStart()), 2)), "1 2")
		committed := reader(c, topic, atStart(), readCommitted)
		pollNothing(t, committed, time.Second)
		end(t, client, kgo.TryCommit)
		equal(t, "read_committed", values(poll(t, committed, 2)), "1 2")
	})
	Run(t, kafkaRule("read_committed never shows what was aborted", "Design, Using Transactions"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), transactional(t, c, c.Name("tx"))
		begin(t, client)
		produce(t, client, topic, "aborted")
		end(t, client, kgo.TryAbort)
		begin(t, client)
		produce(t, client, topic, "committed")
		end(t, client, kgo.TryCommit)
		equal(t, "read_committed", values(poll(t, reader(c, topic, atStart(), readCommitted), 1)), "committed")
		equal(t, "read_uncommitted", values(poll(t, reader(c, topic, atStart()), 2)), "aborted committed")
	})
	Run(t, kafkaRule("an open transaction holds back what comes after it from who reads committed records", "Consumer Configs, isolation.level"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), transactional(t, c, c.Name("tx"))
		begin(t, client)
		produce(t, client, topic, "open")
		produce(t, c.Kafka(), topic, "plain")
		committed := reader(c, topic, atStart(), readCommitted)
		pollNothing(t, committed, time.Second)
		end(t, client, kgo.TryAbort)
		equal(t, "read_committed", values(poll(t, committed, 1)), "plain")
	})
	Run(t, kafkaRule("a transaction covers partitions of several topics", "Design, Using Transactions"), func(t *testing.T, c *Cloud) {
		a, b, client := newTopic(t, c, 1), newTopic(t, c, 1), transactional(t, c, c.Name("tx"))
		begin(t, client)
		produce(t, client, a, "1")
		produce(t, client, b, "2")
		end(t, client, kgo.TryCommit)
		equal(t, "a", values(poll(t, reader(c, a, atStart(), readCommitted), 1)), "1")
		equal(t, "b", values(poll(t, reader(c, b, atStart(), readCommitted), 1)), "2")
	})
	Run(t, kafkaRule("a new producer with the same transactional id fences the old one", "Producer Configs, transactional.id"), func(t *testing.T, c *Cloud) {
		topic, id := newTopic(t, c, 1), c.Name("tx")
		old := transactional(t, c, id)
		begin(t, old)
		produce(t, old, topic, "old")
		newer := transactional(t, c, id)
		begin(t, newer)
		produce(t, newer, topic, "new")
		end(t, newer, kgo.TryCommit)
		err := old.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("too late")}).FirstErr()
		if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
			t.Fatalf("got %v, want the old producer to be fenced", err)
		}
		equal(t, "read_committed", values(poll(t, reader(c, topic, atStart(), readCommitted), 1)), "new")
	})
	Run(t, kafkaRule("a transaction that is not ended in time is aborted", "Producer Configs, transaction.timeout.ms"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), transactional(t, c, c.Name("tx"), kgo.TransactionTimeout(5*time.Second))
		begin(t, client)
		produce(t, client, topic, "forgotten")
		produce(t, c.Kafka(), topic, "plain")
		equal(t, "read_committed", values(poll(t, reader(c, topic, atStart(), readCommitted), 1)), "plain")
	})
	Run(t, kafkaRule("offsets committed in a transaction count when it is committed", "Design, Using Transactions"), func(t *testing.T, c *Cloud) {
		from, to, group := newTopic(t, c, 1), newTopic(t, c, 1), c.Name("group")
		produce(t, c.Kafka(), from, numbers(2)...)
		// The session is of a client that the frame does not close: it is given its options through one that it does.
		client := c.Kafka()
		session, err := kgo.NewGroupTransactSession(append(client.Opts(), kgo.TransactionalID(c.Name("tx")), kgo.ConsumerGroup(group),
			kgo.ConsumeTopics(from), kgo.ConsumeResetOffset(atStart()), readCommitted)...)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		committed := func() string {
			offsets, err := kadm.NewClient(client).FetchOffsets(t.Context(), group)
			if err != nil {
				t.Fatal(err)
			}
			if o, ok := offsets.Lookup(from, 0); ok {
				return fmt.Sprint(o.At)
			}
			return "none"
		}
		for _, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
			if err := session.Begin(); err != nil {
				t.Fatal(err)
			}
			n := 0
			for n < 2 {
				fetches := session.PollFetches(t.Context())
				if err := fetches.Err(); err != nil {
					t.Fatal(err)
				}
				for _, r := range fetches.Records() {
					session.Produce(t.Context(), &kgo.Record{Topic: to, Value: r.Value}, nil)
					n++
				}
			}
			if _, err := session.End(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
			equal(t, "committed offset", committed(), map[kgo.TransactionEndTry]string{kgo.TryAbort: "none", kgo.TryCommit: "2"}[commit])
		}
		equal(t, "what was produced", values(poll(t, reader(c, to, atStart(), readCommitted), 2)), "1 2")
	})
}
