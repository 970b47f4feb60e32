package sqs

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// redrivePolicy says when a queue gives up a message and to which queue.
type redrivePolicy struct {
	DeadLetterTargetARN string `json:"deadLetterTargetArn"`
	MaxReceiveCount     int    `json:"maxReceiveCount"`
}

// target is the ARN of the dead-letter queue; of no policy it is empty.
func (p *redrivePolicy) target() string {
	if p == nil {
		return ""
	}
	return p.DeadLetterTargetARN
}

// maxReceiveCount can be at most this: RedrivePolicy's own error says so.
const mostReceives = 1000

func invalidRedrive(v, reason string) error { return invalidValue(v, "RedrivePolicy", reason) }

// parseRedrivePolicy reads the attribute; an empty one takes the policy away. The API Reference has a default for
// maxReceiveCount, the service has been seen to insist on it: so does this.
func parseRedrivePolicy(v string) (*redrivePolicy, error) {
	if v == "" {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(v), &raw); err != nil || raw == nil {
		return nil, invalidRedrive(v, "Redrive policy is not a valid JSON map.")
	}
	for _, required := range []string{"deadLetterTargetArn", "maxReceiveCount"} {
		if raw[required] == nil {
			return nil, invalidRedrive(v, "Redrive policy does not contain mandatory attribute: "+required+".")
		}
	}
	if len(raw) > 2 {
		return nil, invalidRedrive(v, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].")
	}
	p := &redrivePolicy{}
	if err := json.Unmarshal(raw["deadLetterTargetArn"], &p.DeadLetterTargetARN); err != nil {
		return nil, invalidRedrive(v, "Invalid value for deadLetterTargetArn.")
	}
	if _, ok := parseARN(p.DeadLetterTargetARN); !ok {
		return nil, invalidRedrive(v, "Invalid value for deadLetterTargetArn.")
	}
	count := string(bytes.Trim(raw["maxReceiveCount"], `"`)) // a number, or a number in quotes
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > mostReceives {
		return nil, invalidRedrive(v, "Invalid value for maxReceiveCount: "+count+", valid values are from 1 to 1000 both inclusive.")
	}
	p.MaxReceiveCount = n
	return p, nil
}

// redriveAllowPolicy says, on a dead-letter queue, which queues may name it.
type redriveAllowPolicy struct {
	RedrivePermission string   `json:"redrivePermission"`
	SourceQueueARNs   []string `json:"sourceQueueArns,omitempty"`
}

// Values of redrivePermission, and how many queues byQueue may list.
const (
	allowAll          = "allowAll"
	denyAll           = "denyAll"
	byQueue           = "byQueue"
	mostRedriveQueues = 10
)

func parseRedriveAllowPolicy(v string) (*redriveAllowPolicy, error) {
	if v == "" {
		return nil, nil
	}
	bad := func(reason string) (*redriveAllowPolicy, error) {
		return nil, invalidValue(v, "RedriveAllowPolicy", reason)
	}
	p := &redriveAllowPolicy{}
	d := json.NewDecoder(bytes.NewReader([]byte(v)))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return bad("Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.")
	}
	switch {
	case !slices.Contains([]string{allowAll, denyAll, byQueue}, p.RedrivePermission):
		return bad("Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.")
	case p.RedrivePermission == byQueue && len(p.SourceQueueARNs) == 0:
		return bad("Amazon SQS can't create the redrive allow policy. When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")
	case p.RedrivePermission == byQueue && len(p.SourceQueueARNs) > mostRedriveQueues:
		return bad("Amazon SQS can't create the redrive allow policy. The maximum number of sourceQueueArns values is 10.")
	case p.RedrivePermission != byQueue && len(p.SourceQueueARNs) > 0:
		return bad("Amazon SQS can't create the redrive allow policy. When you specify the allowAll or denyAll permission type, you can't specify sourceQueueArns values.")
	}
	for _, arn := range p.SourceQueueARNs {
		if _, ok := parseARN(arn); !ok {
			return bad("Amazon SQS can't create the redrive allow policy, as " + arn + " is not the ARN of a queue.")
		}
	}
	return p, nil
}

func (p *redriveAllowPolicy) allows(arn string) bool {
	return p == nil || p.RedrivePermission == allowAll || p.RedrivePermission == byQueue && slices.Contains(p.SourceQueueARNs, arn)
}

// checkRedrive refuses a policy whose target is not there, is of the other type, or does not allow it.
func (s *Service) checkRedrive(q *queue, set *settings) error {
	if set.redrive == nil {
		return nil
	}
	v, _ := document(set.redrive)
	n, _ := parseARN(set.redrive.DeadLetterTargetARN)
	target := s.deadLetterQueue(set)
	switch {
	case n.account != q.account || n.region != q.region:
		return invalidRedrive(v, "Dead-letter target owner should be same as the source.")
	case target == nil:
		return invalidRedrive(v, "Dead letter target does not exist.")
	case target.fifo != q.fifo:
		return invalidRedrive(v, "Dead-letter queue must be same type of queue as the source.")
	case !target.settings.Load().redriveAllow.allows(q.arn()):
		return invalidRedrive(v, "Queue "+n.queue+" does not allow this queue to use it as a dead-letter queue.")
	}
	return nil
}

// deadLetterQueue returns the queue that the policy names, or nil.
func (s *Service) deadLetterQueue(set *settings) *queue {
	n, ok := parseARN(set.redrive.target())
	if !ok {
		return nil
	}
	return s.lookup(n)
}

// deadLetter makes the policy the engine's. On a FIFO queue the retention starts anew with the move, on a standard queue it
// counts from the original enqueueing: setting-up-dead-letter-queue-retention.
func deadLetter(q *queue, set *settings, target *queue) engine.DeadLetter {
	if target == nil || target.fifo != q.fifo {
		return engine.DeadLetter{}
	}
	return engine.DeadLetter{To: target.engine, MaxDeliveries: set.redrive.MaxReceiveCount, Renew: q.fifo}
}

// relink lets the sources of a dead-letter queue that was created or deleted find it, or its absence. Without it they keep their
// messages. The holder of s.changes calls it.
func (s *Service) relink(arn string) {
	for _, q := range s.all() {
		if set := q.settings.Load(); set.redrive.target() == arn {
			target := s.deadLetterQueue(set)
			q.engine.Configure(func(o *engine.Options) { o.DeadLetter = deadLetter(q, set, target) })
		}
	}
}
