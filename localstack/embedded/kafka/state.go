package kafka

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// state is what the cluster knows beyond kfake: which brokers live, where replicas are and who leads. It is guarded by Cluster.turn.
type state struct {
	brokers int
	alive   map[int32]bool
	topics  map[string]*topic
	first   int                             // where the next topic's first replica goes, so that leaders are spread
	asked   map[string][]replicas           // placements that clients asked for, until the topic is learned of
	minISR  int                             // the brokers' min.insync.replicas
	faults  map[string][]*kfake.FaultHandle // by topic
}

type topic struct {
	id         [16]byte
	partitions []partition
}

type replicas []int32

type partition struct {
	replicas replicas // the first is the preferred leader
	leader   int32    // -1: none
}

func (s *state) init(brokers int) {
	*s = state{brokers: brokers, alive: map[int32]bool{}, topics: map[string]*topic{}, asked: map[string][]replicas{}, minISR: 1, faults: map[string][]*kfake.FaultHandle{}}
	for b := range int32(brokers) {
		s.alive[b] = true
	}
}

// living returns the brokers that live, of which there is always one.
func (s *state) living() []int32 {
	var living []int32
	for b := range int32(s.brokers) {
		if s.alive[b] {
			living = append(living, b)
		}
	}
	return living
}

// inSync returns the replicas whose brokers live.
func (s *state) inSync(r replicas) replicas {
	return slices.DeleteFunc(slices.Clone(r), func(b int32) bool { return !s.alive[b] })
}

// learn brings what is known of a topic up to date: it may be new, deleted and made again, or have got partitions.
func (c *Cluster) learn(name string) {
	s := &c.state
	info, partitions := c.fake.TopicInfo(name), len(c.fake.PartitionInfos(name))
	if info == nil || partitions == 0 {
		delete(s.topics, name)
		c.enforce(name)
		return
	}
	t := s.topics[name]
	if t == nil || t.id != info.TopicID {
		t = &topic{id: info.TopicID}
		s.topics[name] = t
	}
	asked := s.asked[name]
	delete(s.asked, name)
	living := s.living()
	for p := len(t.partitions); p < partitions; p++ {
		var r replicas
		if p < len(asked) && len(asked[p]) > 0 {
			r = asked[p]
		} else {
			for i := range max(1, min(info.NumReplicas, len(living))) { // kfake takes a replication factor of 0 or less
				r = append(r, living[(s.first+i)%len(living)])
			}
			s.first++
		}
		t.partitions = append(t.partitions, partition{replicas: r, leader: r[0]})
	}
	c.lead(name)
	c.enforce(name)
}

// settle is called when a broker came or went: kfake has then given every partition a leader of its own choice.
func (c *Cluster) settle() {
	for name := range c.state.topics {
		c.lead(name)
		c.enforce(name)
	}
}

// lead gives each partition its leader: who leads it already, if that broker lives, or the first of its replicas that does.
func (c *Cluster) lead(name string) {
	t := c.state.topics[name]
	for p := range t.partitions {
		part := &t.partitions[p]
		if part.leader < 0 || !c.state.alive[part.leader] {
			part.leader = -1
			if living := c.state.inSync(part.replicas); len(living) > 0 {
				part.leader = living[0]
			}
		}
		if part.leader >= 0 && c.fake.LeaderFor(name, int32(p)) != part.leader {
			_ = c.fake.MoveTopicPartition(name, int32(p), part.leader) // fails only if the topic was deleted just now
		}
	}
}

// enforce has kfake refuse what Kafka would refuse by the number of replicas.
func (c *Cluster) enforce(name string) {
	s := &c.state
	old := s.faults[name]
	delete(s.faults, name)
	if t := s.topics[name]; t != nil {
		need := c.minInSync(name)
		var offline, few []int32
		for p, part := range t.partitions {
			switch living := len(s.inSync(part.replicas)); {
			case living == 0:
				offline = append(offline, int32(p))
			case living < need:
				few = append(few, int32(p))
			}
		}
		if len(offline) > 0 {
			s.faults[name] = append(s.faults[name], c.fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.ListOffsets}, Topic: name, Partitions: offline, Err: kerr.NotLeaderForPartition, Count: -1,
			}))
		}
		if len(few) > 0 {
			s.faults[name] = append(s.faults[name], c.fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Partitions: few, Err: kerr.NotEnoughReplicas, Count: -1,
				When: func(r kmsg.Request) bool { p, ok := r.(*kmsg.ProduceRequest); return ok && p.Acks == -1 },
			}))
		}
	}
	for _, h := range old {
		h.Remove()
	}
}

// minInSync is a topic's min.insync.replicas.
func (c *Cluster) minInSync(name string) int {
	if info := c.fake.TopicInfo(name); info != nil {
		if v := info.Configs["min.insync.replicas"]; v != nil {
			if n, err := strconv.Atoi(*v); err == nil {
				return n
			}
		}
	}
	return c.state.minISR
}

// answered is called with a request that was carried out, before its client reads the answer, and may change the answer.
// The client therefore never sees a state that this package does not know of.
func (c *Cluster) answered(req kmsg.Request, resp kmsg.Response) {
	if c.take() != nil {
		return
	}
	defer c.give()
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		c.fixMetadata(resp)
	case *kmsg.DescribeTopicPartitionsResponse:
		c.fixDescription(resp)
	case *kmsg.DescribeClusterResponse:
		resp.ControllerID = c.anyBroker()
		slices.SortFunc(resp.Brokers, func(a, b kmsg.DescribeClusterResponseBroker) int { return int(a.NodeID - b.NodeID) })
	case *kmsg.CreateTopicsResponse:
		for _, t := range req.(*kmsg.CreateTopicsRequest).Topics {
			for _, a := range t.ReplicaAssignment {
				if a.Partition < 0 || a.Partition >= maxPartitions || len(a.Replicas) == 0 ||
					slices.ContainsFunc(a.Replicas, func(b int32) bool { return b < 0 || int(b) >= c.state.brokers }) {
					continue
				}
				for len(c.state.asked[t.Topic]) <= int(a.Partition) {
					c.state.asked[t.Topic] = append(c.state.asked[t.Topic], nil)
				}
				c.state.asked[t.Topic][a.Partition] = a.Replicas
			}
			c.learn(t.Topic)
			delete(c.state.asked, t.Topic)
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range resp.Topics {
			c.learn(t.Topic)
		}
	case *kmsg.DeleteTopicsResponse:
		for name := range c.state.topics {
			if c.fake.TopicInfo(name) == nil {
				c.learn(name)
			}
		}
	case *kmsg.ElectLeadersResponse:
		c.electPreferred(req.(*kmsg.ElectLeadersRequest))
	case *kmsg.AlterConfigsResponse:
		for _, r := range req.(*kmsg.AlterConfigsRequest).Resources {
			if r.ResourceType == kmsg.ConfigResourceTypeBroker {
				c.state.minISR = 1 // it replaces all
				for _, config := range r.Configs {
					c.setMinISR(config.Name, config.Value)
				}
			}
		}
		c.settle()
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, r := range req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
			if r.ResourceType == kmsg.ConfigResourceTypeBroker {
				for _, config := range r.Configs {
					c.setMinISR(config.Name, config.Value)
				}
			}
		}
		c.settle()
	}
}

// setMinISR notes the brokers' min.insync.replicas; nil sets it back.
func (c *Cluster) setMinISR(name string, value *string) {
	if name != "min.insync.replicas" {
		return
	}
	c.state.minISR = 1
	if value != nil {
		if n, err := strconv.Atoi(*value); err == nil {
			c.state.minISR = n
		}
	}
}

// anyBroker is who a client is told the controller is: any broker takes a controller's requests and hands them on, as in KRaft.
func (c *Cluster) anyBroker() int32 { return c.state.living()[0] }

func (c *Cluster) fixMetadata(resp *kmsg.MetadataResponse) {
	resp.ControllerID = c.anyBroker()
	slices.SortFunc(resp.Brokers, func(a, b kmsg.MetadataResponseBroker) int { return int(a.NodeID - b.NodeID) })
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || t.ErrorCode != 0 {
			continue
		}
		c.learn(*t.Topic)
		known := c.state.topics[*t.Topic]
		slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if known == nil || int(p.Partition) >= len(known.partitions) {
				continue // deleted just now
			}
			part := known.partitions[p.Partition]
			if info := c.fake.PartitionInfo(*t.Topic, p.Partition); info != nil {
				p.LeaderEpoch = info.Epoch
			}
			p.Leader, p.Replicas, p.ISR = part.leader, part.replicas, c.state.inSync(part.replicas)
			p.OfflineReplicas = slices.DeleteFunc(slices.Clone(part.replicas), func(b int32) bool { return c.state.alive[b] })
			if part.leader < 0 {
				p.ErrorCode = kerr.LeaderNotAvailable.Code
			}
		}
	}
}

func (c *Cluster) fixDescription(resp *kmsg.DescribeTopicPartitionsResponse) {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || t.ErrorCode != 0 {
			continue
		}
		c.learn(*t.Topic)
		known := c.state.topics[*t.Topic]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if known == nil || int(p.Partition) >= len(known.partitions) {
				continue
			}
			part := known.partitions[p.Partition]
			p.LeaderID, p.Replicas, p.ISR = part.leader, part.replicas, c.state.inSync(part.replicas)
			p.OfflineReplicas = slices.DeleteFunc(slices.Clone(part.replicas), func(b int32) bool { return c.state.alive[b] })
			if part.leader < 0 {
				p.ErrorCode = kerr.LeaderNotAvailable.Code
			}
		}
	}
}

// electPreferred gives partitions back to their first replica, if it lives. Without topics the request is about all.
func (c *Cluster) electPreferred(req *kmsg.ElectLeadersRequest) {
	elect := func(name string, p int32) {
		t := c.state.topics[name]
		if t == nil || p < 0 || int(p) >= len(t.partitions) {
			return
		}
		if preferred := t.partitions[p].replicas[0]; c.state.alive[preferred] {
			t.partitions[p].leader = preferred
		}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			elect(t.Topic, p)
		}
	}
	if req.Topics == nil {
		for name, t := range c.state.topics {
			for p := range t.partitions {
				elect(name, int32(p))
			}
		}
	}
	c.settle()
}
