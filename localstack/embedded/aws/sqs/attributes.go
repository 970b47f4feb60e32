package sqs

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// settings are the attributes of a queue that can be set. They do not change: a new value makes a copy.
type settings struct {
	visibility, delay, retention, wait time.Duration
	maxMessageSize                     int // bytes

	contentDedup               bool
	dedupScope, fifoThroughput string // FIFO queues only

	redrive      *redrivePolicy
	redriveAllow *redriveAllowPolicy
	policy       *policy

	kmsKey   string
	kmsReuse time.Duration
	sse      bool

	modified time.Time
}

// Values of DeduplicationScope and FifoThroughputLimit.
const (
	scopeQueue         = "queue"
	scopeGroup         = "messageGroup"
	throughputPerQueue = "perQueue"
	throughputPerGroup = "perMessageGroupId"
)

const (
	minMessageSize = 1 << 10
	maxMessageSize = 1 << 20
)

func defaults(fifo bool) settings {
	s := settings{
		visibility: 30 * time.Second, retention: 4 * 24 * time.Hour, maxMessageSize: maxMessageSize,
		kmsReuse: 5 * time.Minute, sse: true,
	}
	if fifo {
		s.dedupScope, s.fifoThroughput = scopeQueue, throughputPerQueue
	}
	return s
}

// An attribute is one row of the API's table of attributes. Set parses a value into the settings of a queue; get returns what
// GetQueueAttributes shows, with ok false where the attribute is absent.
type attribute struct {
	fifo bool // of FIFO queues only
	set  func(v string, q *queue, s *settings) error
	get  func(q *queue, s *settings) (v string, ok bool)
}

var attributes = map[string]attribute{
	"VisibilityTimeout":             seconds("VisibilityTimeout", 0, 43_200, func(s *settings) *time.Duration { return &s.visibility }),
	"DelaySeconds":                  seconds("DelaySeconds", 0, 900, func(s *settings) *time.Duration { return &s.delay }),
	"MessageRetentionPeriod":        seconds("MessageRetentionPeriod", 60, 1_209_600, func(s *settings) *time.Duration { return &s.retention }),
	"ReceiveMessageWaitTimeSeconds": seconds("ReceiveMessageWaitTimeSeconds", 0, 20, func(s *settings) *time.Duration { return &s.wait }),
	"MaximumMessageSize": {
		set: func(v string, _ *queue, s *settings) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < minMessageSize || n > maxMessageSize {
				return invalidAttributeValue("MaximumMessageSize", "")
			}
			s.maxMessageSize = n
			return nil
		},
		get: func(_ *queue, s *settings) (string, bool) { return strconv.Itoa(s.maxMessageSize), true },
	},

	"FifoQueue": {fifo: true,
		set: func(v string, q *queue, _ *settings) error {
			if v != strconv.FormatBool(q.fifo) {
				return invalidAttributeValue("FifoQueue", "Modifying queue type is not supported.")
			}
			return nil
		},
		get: func(*queue, *settings) (string, bool) { return "true", true },
	},
	"ContentBasedDeduplication": boolean("ContentBasedDeduplication", true, func(s *settings) *bool { return &s.contentDedup }),
	"DeduplicationScope":        choice("DeduplicationScope", func(s *settings) *string { return &s.dedupScope }, scopeQueue, scopeGroup),
	"FifoThroughputLimit":       choice("FifoThroughputLimit", func(s *settings) *string { return &s.fifoThroughput }, throughputPerQueue, throughputPerGroup),

	"RedrivePolicy": {
		set: func(v string, _ *queue, s *settings) (err error) {
			s.redrive, err = parseRedrivePolicy(v)
			return err
		},
		get: func(_ *queue, s *settings) (string, bool) { return document(s.redrive) },
	},
	"RedriveAllowPolicy": {
		set: func(v string, _ *queue, s *settings) (err error) {
			s.redriveAllow, err = parseRedriveAllowPolicy(v)
			return err
		},
		get: func(_ *queue, s *settings) (string, bool) { return document(s.redriveAllow) },
	},
	"Policy": {
		set: func(v string, _ *queue, s *settings) (err error) {
			s.policy, err = parsePolicy(v)
			return err
		},
		get: func(_ *queue, s *settings) (string, bool) { return s.policy.text() },
	},

	"KmsMasterKeyId": {
		set: func(v string, _ *queue, s *settings) error {
			s.kmsKey = v
			return nil
		},
		get: func(_ *queue, s *settings) (string, bool) { return s.kmsKey, s.kmsKey != "" },
	},
	"KmsDataKeyReusePeriodSeconds": {
		set: seconds("KmsDataKeyReusePeriodSeconds", 60, 86_400, func(s *settings) *time.Duration { return &s.kmsReuse }).set,
		get: func(_ *queue, s *settings) (string, bool) { return inSeconds(s.kmsReuse), s.kmsKey != "" },
	},
	"SqsManagedSseEnabled": boolean("SqsManagedSseEnabled", false, func(s *settings) *bool { return &s.sse }),

	"QueueArn":              readOnly(func(q *queue, _ *settings) string { return q.arn() }),
	"CreatedTimestamp":      readOnly(func(q *queue, _ *settings) string { return epoch(q.created) }),
	"LastModifiedTimestamp": readOnly(func(_ *queue, s *settings) string { return epoch(s.modified) }),
	"ApproximateNumberOfMessages": readOnly(func(q *queue, _ *settings) string {
		return strconv.Itoa(q.engine.Stats().Ready)
	}),
	"ApproximateNumberOfMessagesNotVisible": readOnly(func(q *queue, _ *settings) string {
		return strconv.Itoa(q.engine.Stats().Leased)
	}),
	"ApproximateNumberOfMessagesDelayed": readOnly(func(q *queue, _ *settings) string {
		return strconv.Itoa(q.engine.Stats().Delayed)
	}),
}

func inSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

func epoch(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func seconds(name string, least, most int, field func(*settings) *time.Duration) attribute {
	return attribute{
		set: func(v string, _ *queue, s *settings) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < least || n > most {
				return invalidAttributeValue(name, "")
			}
			*field(s) = time.Duration(n) * time.Second
			return nil
		},
		get: func(_ *queue, s *settings) (string, bool) { return inSeconds(*field(s)), true },
	}
}

func boolean(name string, fifo bool, field func(*settings) *bool) attribute {
	return attribute{fifo: fifo,
		set: func(v string, _ *queue, s *settings) error {
			b, err := parseBool(v)
			if err != nil {
				return invalidAttributeValue(name, "")
			}
			*field(s) = b
			return nil
		},
		get: func(_ *queue, s *settings) (string, bool) { return strconv.FormatBool(*field(s)), true },
	}
}

func parseBool(v string) (bool, error) {
	if v != "true" && v != "false" {
		return false, strconv.ErrSyntax
	}
	return v == "true", nil
}

func choice(name string, field func(*settings) *string, values ...string) attribute {
	return attribute{fifo: true,
		set: func(v string, _ *queue, s *settings) error {
			if !slices.Contains(values, v) {
				return invalidAttributeValue(name, "")
			}
			*field(s) = v
			return nil
		},
		get: func(_ *queue, s *settings) (string, bool) { return *field(s), true },
	}
}

func readOnly(get func(*queue, *settings) string) attribute {
	return attribute{get: func(q *queue, s *settings) (string, bool) { return get(q, s), true }}
}

// document is the JSON of a policy, absent if there is none.
func document[T any](policy *T) (string, bool) {
	if policy == nil {
		return "", false
	}
	text, err := json.Marshal(policy)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return string(text), true
}

// isFIFO reads the attribute that makes the type of a queue. It cannot say false: a standard queue has no such attribute.
func isFIFO(attributes map[string]string) (bool, error) {
	switch v, ok := attributes["FifoQueue"]; {
	case !ok:
		return false, nil
	case v == "true":
		return true, nil
	case v == "false":
		return false, unknownAttribute("FifoQueue")
	default:
		return false, invalidAttributeValue("FifoQueue", "")
	}
}

// parseAttributes returns s with the given attributes set. The holder of s.changes calls it.
func (s *Service) parseAttributes(q *queue, set settings, values map[string]string) (*settings, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		a, ok := attributes[name]
		if !ok || a.set == nil || a.fifo && !q.fifo {
			return nil, unknownAttribute(name)
		}
		if err := a.set(values[name], q, &set); err != nil {
			return nil, err
		}
	}
	if set.fifoThroughput == throughputPerGroup && set.dedupScope != scopeGroup {
		return nil, invalidAttributeValue("FifoThroughputLimit", "perMessageGroupId is allowed only when DeduplicationScope is messageGroup.")
	}
	if values["SqsManagedSseEnabled"] == "true" && set.kmsKey != "" {
		return nil, api.Errorf("InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	}
	if set.kmsKey != "" { // one replaces the other
		set.sse = false
	}
	if _, ok := values["RedrivePolicy"]; ok {
		if err := s.checkRedrive(q, &set); err != nil {
			return nil, err
		}
	}
	set.modified = time.Now()
	return &set, nil
}

// sameAttributes is how CreateQueue finds that a queue of the name exists: with equal values for whatever the caller names, it is
// the caller's own; with any other, it is not.
func (s *Service) sameAttributes(q *queue, values map[string]string) error {
	current := q.settings.Load()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		a, ok := attributes[name]
		if !ok || a.set == nil || a.fifo && !q.fifo {
			return unknownAttribute(name)
		}
		wanted := *current
		if err := a.set(values[name], q, &wanted); err != nil {
			return err
		}
		old, _ := a.get(q, current)
		if v, _ := a.get(q, &wanted); v != old {
			return queueNameExists(name)
		}
	}
	return nil
}

type setQueueAttributesInput struct {
	QueueUrl   string
	Attributes map[string]string `query:"Attribute,key=Name,value=Value"`
}

func (s *Service) setQueueAttributes(c *api.Call, in *setQueueAttributesInput) (*struct{}, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) == 0 {
		return nil, missingParameter("Attribute.Name")
	}
	set, err := s.parseAttributes(q, *q.settings.Load(), in.Attributes)
	if err != nil {
		return nil, err
	}
	s.apply(q, set)
	return &struct{}{}, nil
}

type getQueueAttributesInput struct {
	QueueUrl       string
	AttributeNames []string `query:"AttributeName"`
}

type getQueueAttributesOutput struct {
	Attributes map[string]string `json:",omitempty" query:"Attribute,key=Name,value=Value"`
}

func (s *Service) getQueueAttributes(c *api.Call, in *getQueueAttributesInput) (*getQueueAttributesOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	names := in.AttributeNames
	if slices.Contains(names, "All") {
		names = slices.Collect(maps.Keys(attributes))
	}
	set := q.settings.Load()
	out := &getQueueAttributesOutput{Attributes: make(map[string]string, len(names))}
	for _, name := range names {
		a, ok := attributes[name]
		if !ok {
			return nil, unknownAttribute(name)
		}
		if a.fifo && !q.fifo {
			continue
		}
		if v, ok := a.get(q, set); ok {
			out.Attributes[name] = v
		}
	}
	return out, nil
}
