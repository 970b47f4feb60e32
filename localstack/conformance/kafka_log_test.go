package conformance_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

func is(t *testing.T, err error, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestKafkaRecords(t *testing.T) {
	Run(t, kafkaRule("a partition's records are read in the order of their offsets, which count up", "Introduction; Message Delivery Semantics"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), c.Kafka()
		for i := range 5 {
			record := &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint(i))}
			if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			equal(t, "offset", record.Offset, int64(i))
		}
		equal(t, "values", values(poll(t, reader(c, topic, atStart()), 5)), "0 1 2 3 4")
	})
	Run(t, kafkaRule("records of one key go to one partition, in order", "Producer, Load balancing"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 6), c.Kafka()
		at := map[string]int32{}
		for i := range 60 {
			record := &kgo.Record{Topic: topic, Key: []byte(fmt.Sprint("key", i%10))}
			if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if p, ok := at[string(record.Key)]; ok {
				equal(t, "partition of "+string(record.Key), record.Partition, p)
			}
			at[string(record.Key)] = record.Partition
		}
		used := map[int32]bool{}
		for _, p := range at {
			used[p] = true
		}
		if len(used) < 2 {
			t.Fatalf("ten keys went to partitions %v, want several", used)
		}
	})
	Run(t, kafkaRule("a record carries key, value, headers and the time of its creation", "Message Format, Record"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1)
		sent := &kgo.Record{Topic: topic, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}, {Key: "trace", Value: nil}}, Timestamp: time.Now().Add(-time.Hour).Truncate(time.Millisecond)}
		if err := c.Kafka().ProduceSync(t.Context(), sent).FirstErr(); err != nil {
			t.Fatal(err)
		}
		got := poll(t, reader(c, topic, atStart()), 1)[0]
		equal(t, "key", string(got.Key), "k")
		equal(t, "value is nil", got.Value == nil, true)
		equal(t, "headers", fmt.Sprint(got.Headers), fmt.Sprint(sent.Headers))
		equal(t, "time", got.Timestamp.UnixMilli(), sent.Timestamp.UnixMilli())
	})
	Run(t, kafkaRule("reading takes nothing away", "Introduction"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1)
		produce(t, c.Kafka(), topic, "a", "b")
		for range 2 {
			equal(t, "values", values(poll(t, reader(c, topic, atStart()), 2)), "a b")
		}
	})
	Run(t, kafkaRule("who starts at the end reads only what comes later", "Consumer Configs, auto.offset.reset"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), c.Kafka()
		produce(t, client, topic, "early")
		late := reader(c, topic, kgo.NewOffset().AtEnd())
		pollNothing(t, late, time.Second)
		produce(t, client, topic, "late")
		equal(t, "values", values(poll(t, late, 1)), "late")
	})
	Run(t, kafkaRule("records can be found by time", "Consumer API, offsetsForTimes"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), c.Kafka()
		start := time.Now().Add(-time.Hour).Truncate(time.Second)
		for i := range 5 {
			record := &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint(i)), Timestamp: start.Add(time.Duration(i) * time.Minute)}
			if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		from := start.Add(150 * time.Second) // between the third and the fourth
		equal(t, "values", values(poll(t, reader(c, topic, kgo.NewOffset().AfterMilli(from.UnixMilli())), 2)), "3 4")
	})
	Run(t, kafkaRule("a record larger than max.message.bytes is refused", "Topic Configs, max.message.bytes"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1, "max.message.bytes", "10000")
		client := c.Kafka(kgo.ProducerBatchCompression(kgo.NoCompression()))
		is(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: make([]byte, 20000)}).FirstErr(), kerr.MessageTooLarge)
		produce(t, client, topic, "small")
	})
	Run(t, kafkaRule("producing to a topic that does not exist fails, unless the client has it made", "Broker Configs, auto.create.topics.enable and num.partitions"), func(t *testing.T, c *Cloud) {
		record := &kgo.Record{Topic: c.Name("topic"), Value: []byte("x")}
		is(t, c.Kafka(kgo.UnknownTopicRetries(1)).ProduceSync(t.Context(), record).FirstErr(), kerr.UnknownTopicOrPartition)
		produce(t, c.Kafka(kgo.AllowAutoTopicCreation()), record.Topic, "x")
		details, err := kadm.NewClient(c.Kafka()).ListTopics(t.Context(), record.Topic)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "partitions", len(details[record.Topic].Partitions), 1)
	})
	Run(t, kafkaRule("a retry of an idempotent producer is not stored twice", "Message Delivery Semantics; Producer Configs, enable.idempotence"), func(t *testing.T, c *Cloud) {
		equal(t, "records", retriedAfterStoring(t, c), 1)
	})
	Run(t, kafkaRule("a retry of a producer without idempotence is stored twice", "Message Delivery Semantics; Producer Configs, enable.idempotence"), func(t *testing.T, c *Cloud) {
		equal(t, "records", retriedAfterStoring(t, c, kgo.DisableIdempotentWrite()), 2)
	})
}

// retriedAfterStoring has a produce request stored but answered as timed out, and returns how many records the producer's retry
// leaves in the log.
func retriedAfterStoring(t *testing.T, c *Cloud, opts ...kgo.Opt) int64 {
	t.Helper()
	fake := c.Control().KafkaCluster().Fake()
	topic := newTopic(t, c, 1)
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut})
	produce(t, c.Kafka(opts...), topic, "once")
	return fake.PartitionInfo(topic, 0).HighWatermark
}

func TestKafkaLogs(t *testing.T) {
	Run(t, slowKafkaRule("compaction keeps the last record of each key, and its offset", "Design, Log Compaction", 10*time.Minute), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1, "cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "0.01")
		client := c.Kafka()
		put := func(key, value string) {
			record := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
			if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		put("a", "1")
		put("b", "1")
		put("a", "2")
		put("a", "3")
		c.Sleep(2 * time.Second)
		put("end", "") // the newest records are never compacted
		left := func() string {
			var left []string
			r := reader(c, topic, atStart())
			defer r.Close()
			for {
				record := poll(t, r, 1)[0]
				if string(record.Key) == "end" {
					return strings.Join(left, " ")
				}
				left = append(left, fmt.Sprintf("%d:%s=%s", record.Offset, record.Key, record.Value))
			}
		}
		c.Eventually("the older records are gone", 5*time.Minute, func() bool { return left() == "1:b=1 3:a=3" })
	})
	Run(t, slowKafkaRule("retention removes old records, read or not, and offsets go on", "Topic Configs, retention.ms", 20*time.Minute), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1, "retention.ms", "60000", "segment.ms", "1000"), c.Kafka()
		produce(t, client, topic, "1", "2")
		c.Eventually("the old records are gone", 15*time.Minute, func() bool {
			starts, err := kadm.NewClient(client).ListStartOffsets(t.Context(), topic)
			return err == nil && starts[topic][0].Offset == 2
		})
		produce(t, client, topic, "3")
		got := poll(t, reader(c, topic, atStart()), 1)[0]
		equal(t, "offset and value", fmt.Sprint(got.Offset, string(got.Value)), fmt.Sprint(2, "3"))
	})
	Run(t, kafkaRule("a consumer whose offset was deleted goes on where it is told to", "Consumer Configs, auto.offset.reset"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), c.Kafka()
		produce(t, client, topic, numbers(5)...)
		admin := kadm.NewClient(client)
		if _, err := admin.DeleteRecords(t.Context(), kadm.OffsetsFromRecords(kgo.Record{Topic: topic, Partition: 0, Offset: 2, LeaderEpoch: -1})); err != nil {
			t.Fatal(err)
		}
		starts, err := admin.ListStartOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "first offset", starts[topic][0].Offset, 3)
		again := reader(c, topic, kgo.NewOffset().At(1), kgo.ConsumeResetOffset(atStart()))
		equal(t, "values", values(poll(t, again, 2)), "4 5")
	})
	Run(t, kafkaRule("a partition can be added, never taken", "Basic Kafka Operations, Modifying topics"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 2)
		admin := kadm.NewClient(c.Kafka())
		grown, err := admin.UpdatePartitions(t.Context(), 3, topic)
		if err != nil || grown.Error() != nil {
			t.Fatal(err, grown.Error())
		}
		shrunk, err := admin.UpdatePartitions(t.Context(), 1, topic)
		if err != nil {
			t.Fatal(err)
		}
		is(t, shrunk.Error(), kerr.InvalidPartitions)
	})
	Run(t, kafkaRule("a topic is made once", "Basic Kafka Operations, Adding and removing topics"), func(t *testing.T, c *Cloud) {
		topic := newTopic(t, c, 1)
		again, err := kadm.NewClient(c.Kafka()).CreateTopics(t.Context(), 1, -1, nil, topic)
		if err != nil {
			t.Fatal(err)
		}
		is(t, again.Error(), kerr.TopicAlreadyExists)
	})
	Run(t, kafkaRule("more replicas than brokers are refused", "Basic Kafka Operations, Adding and removing topics"), func(t *testing.T, c *Cloud) {
		made, err := kadm.NewClient(c.Kafka()).CreateTopics(t.Context(), 1, 99, nil, c.Name("topic"))
		if err != nil {
			t.Fatal(err)
		}
		is(t, made.Error(), kerr.InvalidReplicationFactor)
	})
	Run(t, kafkaRule("a deleted topic's records are gone", "Basic Kafka Operations, Adding and removing topics"), func(t *testing.T, c *Cloud) {
		topic, client := newTopic(t, c, 1), c.Kafka()
		produce(t, client, topic, "x")
		admin := kadm.NewClient(client)
		if _, err := admin.DeleteTopic(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
		c.Eventually("the topic can be made again", 30*time.Second, func() bool {
			made, err := admin.CreateTopic(t.Context(), 1, -1, nil, topic)
			return err == nil && made.Err == nil
		})
		ends, err := admin.ListEndOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "end offset", ends[topic][0].Offset, 0)
	})
}

func TestKafkaReplication(t *testing.T) {
	Run(t, kafkaRule("acks=all is refused while too few replicas are in sync, acks=1 is not", "Topic Configs, min.insync.replicas"), func(t *testing.T, c *Cloud) {
		cluster := c.Control().KafkaCluster()
		topic := newTopicWith(t, c, 1, 3, "min.insync.replicas", "2")
		all := c.Kafka(kgo.RecordRetries(2), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()))
		one := c.Kafka(kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
		leader := cluster.Leader(topic, 0)
		stop := func(id int) {
			if err := cluster.StopBroker(id); err != nil {
				t.Fatal(err)
			}
		}
		stop((leader + 1) % 3)
		produce(t, all, topic, "two are in sync")
		stop((leader + 2) % 3)
		is(t, all.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("lost?")}).FirstErr(), kerr.NotEnoughReplicas)
		produce(t, one, topic, "the leader alone")
		if err := cluster.StartBroker((leader + 1) % 3); err != nil {
			t.Fatal(err)
		}
		produce(t, all, topic, "two again")
		equal(t, "values", values(poll(t, reader(c, topic, atStart()), 3)), "two are in sync the leader alone two again")
	})
	Run(t, kafkaRule("min.insync.replicas takes effect when it is changed", "Topic Configs, min.insync.replicas"), func(t *testing.T, c *Cloud) {
		topic := newTopicWith(t, c, 1, 1)
		client := c.Kafka(kgo.RecordRetries(2), kgo.DisableIdempotentWrite())
		produce(t, client, topic, "one replica suffices")
		two := "2"
		if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "min.insync.replicas", Value: &two}}, topic); err != nil {
			t.Fatal(err)
		}
		is(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(), kerr.NotEnoughReplicas)
	})
	Run(t, kafkaRule("when a leader stops another replica leads and producing goes on", "Design, Replication"), func(t *testing.T, c *Cloud) {
		cluster := c.Control().KafkaCluster()
		topic, client := newTopicWith(t, c, 1, 3), c.Kafka()
		produce(t, client, topic, "1")
		for range 2 {
			old := cluster.Leader(topic, 0)
			if err := cluster.StopBroker(old); err != nil {
				t.Fatal(err)
			}
			produce(t, client, topic, "again")
			if cluster.Leader(topic, 0) == old {
				t.Fatal("the stopped broker still leads")
			}
			if err := cluster.StartBroker(old); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "values", values(poll(t, reader(c, topic, atStart()), 3)), "1 again again")
	})
	Run(t, kafkaRule("a partition without a living replica has no leader until one is back", "Design, Replication"), func(t *testing.T, c *Cloud) {
		cluster := c.Control().KafkaCluster()
		topic := newTopicWith(t, c, 1, 1)
		client := c.Kafka(kgo.RecordRetries(3), kgo.DisableIdempotentWrite())
		produce(t, client, topic, "1")
		broker := cluster.Leader(topic, 0)
		if err := cluster.StopBroker(broker); err != nil {
			t.Fatal(err)
		}
		equal(t, "leader", cluster.Leader(topic, 0), -1)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err == nil {
			t.Fatal("producing succeeded")
		}
		if err := cluster.StartBroker(broker); err != nil {
			t.Fatal(err)
		}
		produce(t, c.Kafka(), topic, "2")
		equal(t, "values", values(poll(t, reader(c, topic, atStart()), 2)), "1 2")
	})
	Run(t, kafkaRule("a broker that is back is in sync, and leads again when leaders are elected", "Basic Kafka Operations, Balancing leadership"), func(t *testing.T, c *Cloud) {
		cluster := c.Control().KafkaCluster()
		topic := newTopicWith(t, c, 1, 3)
		admin := kadm.NewClient(c.Kafka(kgo.MetadataMinAge(10 * time.Millisecond)))
		preferred := cluster.Leader(topic, 0)
		inSync := func() (int32, int) {
			c.Sleep(100 * time.Millisecond) // past the client's memory of the last answer
			topics, err := admin.ListTopics(t.Context(), topic)
			if err != nil {
				t.Fatal(err)
			}
			p := topics[topic].Partitions[0]
			return p.Leader, len(p.ISR)
		}
		if err := cluster.StopBroker(preferred); err != nil {
			t.Fatal(err)
		}
		leader, n := inSync()
		equal(t, "replicas in sync", n, 2)
		if err := cluster.StartBroker(preferred); err != nil {
			t.Fatal(err)
		}
		still, n := inSync()
		equal(t, "replicas in sync again", n, 3)
		equal(t, "leader", still, leader)
		if _, err := admin.ElectLeaders(t.Context(), kadm.ElectPreferredReplica, kadm.TopicsSet{topic: {0: {}}}); err != nil {
			t.Fatal(err)
		}
		leader, _ = inSync()
		equal(t, "leader after the election", int(leader), preferred)
	})
	Run(t, kafkaRule("topics can be made whichever broker is stopped", "KRaft"), func(t *testing.T, c *Cloud) {
		cluster := c.Control().KafkaCluster()
		for id := range 3 {
			if err := cluster.StopBroker(id); err != nil {
				t.Fatal(err)
			}
			produce(t, c.Kafka(), newTopic(t, c, 1), "x")
			if err := cluster.StartBroker(id); err != nil {
				t.Fatal(err)
			}
		}
	})
}
