package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// kafkaRule is a rule from Kafka's documentation. It was seen to hold on the embedded cluster, in memory and on sockets.
func kafkaRule(name, source string) Rule {
	return Rule{Name: name, Source: "Apache Kafka 4.x documentation, " + source, Checked: "2026-12-01"}
}

func slowKafkaRule(name, source string, takes time.Duration) Rule {
	r := kafkaRule(name, source)
	r.Takes = takes
	return r
}

// newTopic makes a topic with as many replicas as the cluster gives by default.
func newTopic(t *testing.T, c *Cloud, partitions int32, configs ...string) string {
	t.Helper()
	return newTopicWith(t, c, partitions, -1, configs...)
}

func newTopicWith(t *testing.T, c *Cloud, partitions int32, replicas int16, configs ...string) string {
	t.Helper()
	name := c.Name("topic")
	settings := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		settings[configs[i]] = &configs[i+1]
	}
	made, err := kadm.NewClient(c.Kafka()).CreateTopic(t.Context(), partitions, replicas, settings, name)
	if err != nil || made.Err != nil {
		t.Fatalf("create %s: %v %v", name, err, made.Err)
	}
	return name
}

// produce stores records of the given values, one after the other, in partition 0.
func produce(t *testing.T, client *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		record := &kgo.Record{Topic: topic, Value: []byte(v)}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatalf("produce %q: %v", v, err)
		}
	}
}

// reader reads a topic's partition 0 from the given offset without a group.
func reader(c *Cloud, topic string, at kgo.Offset, opts ...kgo.Opt) *kgo.Client {
	return c.Kafka(append([]kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: at}})}, opts...)...)
}

func atStart() kgo.Offset { return kgo.NewOffset().AtStart() }

// member joins a group.
func member(c *Cloud, group, topic string, opts ...kgo.Opt) *kgo.Client {
	return c.Kafka(append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(atStart()), kgo.DisableAutoCommit()}, opts...)...)
}

// poll returns the next n records.
func poll(t *testing.T, client *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollRecords(ctx, n-len(records))
		for _, e := range fetches.Errors() {
			t.Fatalf("after %d of %d records: %s %d: %v", len(records), n, e.Topic, e.Partition, e.Err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// pollNothing ends the rule if a record comes within a while.
func pollNothing(t *testing.T, client *kgo.Client, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	fetches := client.PollFetches(ctx)
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			t.Fatal(e.Err)
		}
	}
	if n := fetches.NumRecords(); n > 0 {
		t.Fatalf("got %d records, want none: first %q", n, fetches.Records()[0].Value)
	}
}

func values(records []*kgo.Record) string {
	var values []string
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return strings.Join(values, " ")
}

// numbers returns "1 2 ... n" as values.
func numbers(n int) []string {
	var values []string
	for i := range n {
		values = append(values, fmt.Sprint(i+1))
	}
	return values
}

// assigned collects the partitions that a member has.
type assigned struct{ changes chan map[int32]bool }

// watchAssignment returns options that report a member's partitions of one topic each time they change.
func watchAssignment(topic string) (*assigned, []kgo.Opt) {
	a := &assigned{changes: make(chan map[int32]bool, 100)}
	own := map[int32]bool{}
	report := func(add bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			for _, p := range changed[topic] {
				if add {
					own[p] = true
				} else {
					delete(own, p)
				}
			}
			now := map[int32]bool{}
			for p := range own {
				now[p] = true
			}
			a.changes <- now
		}
	}
	return a, []kgo.Opt{kgo.OnPartitionsAssigned(report(true)), kgo.OnPartitionsRevoked(report(false)), kgo.OnPartitionsLost(report(false))}
}

// wait returns when the members' partitions fulfil the condition.
func waitAssigned(t *testing.T, condition func(owned []int) bool, members ...*assigned) {
	t.Helper()
	owned := make([]int, len(members))
	timeout := time.After(90 * time.Second)
	type change struct{ member, partitions int }
	changes := make(chan change)
	done := make(chan struct{})
	defer close(done)
	for i, m := range members {
		go func() {
			for {
				select {
				case now := <-m.changes:
					select {
					case changes <- change{i, len(now)}:
					case <-done:
						return
					}
				case <-done:
					return
				}
			}
		}()
	}
	for !condition(owned) {
		select {
		case c := <-changes:
			owned[c.member] = c.partitions
		case <-timeout:
			t.Fatalf("partitions by member: %v", owned)
		}
	}
}

func exactly(want ...int) func([]int) bool {
	return func(owned []int) bool { return slices.Equal(owned, want) }
}

// keepPolling polls in the background, as a consumer does, until the client is closed.
func keepPolling(client *kgo.Client) (records chan *kgo.Record) {
	records = make(chan *kgo.Record, 10000)
	go func() {
		defer close(records)
		for {
			fetches := client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			for _, r := range fetches.Records() {
				records <- r
			}
			client.AllowRebalance()
		}
	}()
	return records
}
