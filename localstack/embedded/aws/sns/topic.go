package sns

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A topic's sizes in bytes: MaximumMessageSize's default and limits.
// Above the default a topic is restricted, see topic.setMaximumMessageSize.
const (
	defaultMessageSize = 256 << 10
	leastMessageSize   = 1 << 10
	mostMessageSize    = 1 << 20
)

type topic struct {
	arn, name, account, region string
	fifo                       bool

	attributes map[string]string // what was set, as it is returned
	policy     policy            // the access policy
	protection string            // the data protection policy
	delivery   *topicDelivery    // the attribute DeliveryPolicy; nil: not set
	maxSize    int               // of a message, in bytes
	tags       map[string]string

	subscriptions []*subscription
	deleted       int // how many subscriptions there were that are deleted

	order   order   // of a FIFO topic
	archive archive // of a FIFO topic
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

const fifoNames = "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, " +
	"numbers, underscores, and hyphens, and must be between 1 and 256 characters long."

// newTopic returns the topic that the input describes, which is in no map yet.
func newTopic(c *api.Call, in *createTopicInput) (*topic, error) {
	t := &topic{
		name: in.Name, account: c.Account, region: c.Region, arn: "arn:aws:sns:" + c.Region + ":" + c.Account + ":" + in.Name,
		attributes: map[string]string{}, tags: map[string]string{}, maxSize: defaultMessageSize,
	}
	t.policy = defaultPolicy(t)
	t.order.sequence = firstSequence

	stem, isFIFO := strings.CutSuffix(in.Name, ".fifo")
	if v, ok := in.Attributes["FifoTopic"]; ok {
		fifo, err := parseBool("FifoTopic", v)
		if err != nil {
			return nil, invalid("Attributes Reason: %s", err)
		}
		if t.fifo = fifo; fifo && !isFIFO {
			return nil, invalid(fifoNames)
		}
	}
	if !topicName.MatchString(stem) || len(in.Name) > 256 || isFIFO != t.fifo {
		return nil, invalid("Topic Name")
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if name == "FifoTopic" {
			continue
		}
		if err := t.set(name, in.Attributes[name]); err != nil {
			return nil, invalid("Attributes Reason: %s", err)
		}
	}
	for _, tag := range in.Tags {
		if _, ok := t.tags[tag.Key]; ok {
			return nil, invalid("Duplicated keys are not allowed.")
		}
		t.tags[tag.Key] = tag.Value
	}
	if len(t.tags) > maxTags {
		return nil, errTagLimit
	}
	return t, nil
}

type createTopicInput struct {
	Name                 string
	Attributes           map[string]string
	Tags                 []tag
	DataProtectionPolicy *string
}

type createTopicOutput struct{ TopicArn string }

func (s *Service) createTopic(c *api.Call, in *createTopicInput) (*createTopicOutput, error) {
	t, err := newTopic(c, in)
	if err != nil {
		return nil, err
	}
	if in.DataProtectionPolicy != nil {
		if err := t.protect(*in.DataProtectionPolicy); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.topics[t.arn]
	if !ok {
		s.topics[t.arn] = t
		return &createTopicOutput{t.arn}, nil
	}
	for name := range in.Attributes { // what the request leaves out may differ
		if old.attribute(name) != t.attribute(name) {
			return nil, invalid("Attributes Reason: Topic already exists with different attributes")
		}
	}
	if len(in.Tags) > 0 && !maps.Equal(old.tags, t.tags) {
		return nil, invalid("Tags Reason: Topic already exists with different tags")
	}
	return &createTopicOutput{t.arn}, nil
}

type topicInput struct{ TopicArn string }

// deleteTopic deletes a topic with its subscriptions. Of a topic that does not exist it is a success.
func (s *Service) deleteTopic(c *api.Call, in *topicInput) (*struct{}, error) {
	if _, err := checkARN(c, "TopicArn", in.TopicArn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.topics[in.TopicArn]
	if !ok {
		return &struct{}{}, nil
	}
	if t.archive.active() {
		return nil, api.Errorf("InvalidState", "Cannot delete a topic with an ArchivePolicy. Deactivate the ArchivePolicy first.")
	}
	for _, sub := range slices.Clone(t.subscriptions) {
		s.remove(sub)
	}
	delete(s.topics, t.arn)
	return &struct{}{}, nil
}

// topic returns the topic with the given ARN, the value of the parameter field. The caller holds mu.
func (s *Service) topic(c *api.Call, field, arn string) (*topic, error) {
	if _, err := checkARN(c, field, arn); err != nil {
		return nil, err
	}
	t, ok := s.topics[arn]
	if !ok {
		return nil, notFound("Topic")
	}
	return t, nil
}

type listInput struct{ NextToken string }

type topicEntry struct{ TopicArn string }

type listTopicsOutput struct {
	Topics    []topicEntry
	NextToken string
}

func (s *Service) listTopics(c *api.Call, in *listInput) (*listTopicsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns, next, err := page(s.topics, in.NextToken, func(t *topic) bool { return t.account == c.Account && t.region == c.Region })
	if err != nil {
		return nil, err
	}
	out := &listTopicsOutput{Topics: []topicEntry{}, NextToken: next}
	for _, arn := range arns {
		out.Topics = append(out.Topics, topicEntry{arn})
	}
	return out, nil
}

type attributesOutput struct{ Attributes map[string]string }

func (s *Service) getTopicAttributes(c *api.Call, in *topicInput) (*attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	a := maps.Clone(t.attributes)
	for _, name := range []string{"DisplayName", "EffectiveDeliveryPolicy", "Owner", "Policy", "TopicArn"} {
		a[name] = t.attribute(name)
	}
	if t.fifo {
		for _, name := range []string{"ContentBasedDeduplication", "FifoTopic"} {
			a[name] = t.attribute(name)
		}
	}
	if t.archive.active() {
		a["BeginningArchiveTime"] = timestamp(t.archive.beginning(time.Now()))
	}
	pending, confirmed := 0, 0
	for _, sub := range t.subscriptions {
		switch {
		case sub.confirmed:
			confirmed++
		case !sub.expired():
			pending++
		}
	}
	a["SubscriptionsConfirmed"], a["SubscriptionsPending"] = strconv.Itoa(confirmed), strconv.Itoa(pending)
	a["SubscriptionsDeleted"] = strconv.Itoa(t.deleted)
	return &attributesOutput{a}, nil
}

// attribute returns an attribute's value or its default.
func (t *topic) attribute(name string) string {
	if v, ok := t.attributes[name]; ok {
		return v
	}
	switch name {
	case "ContentBasedDeduplication":
		return "false"
	case "EffectiveDeliveryPolicy":
		return t.effectiveDelivery()
	case "FifoThroughputScope":
		return "Topic"
	case "FifoTopic":
		return strconv.FormatBool(t.fifo)
	case "MaximumMessageSize":
		return strconv.Itoa(t.maxSize)
	case "Owner":
		return t.account
	case "Policy":
		return t.policy.String()
	case "SignatureVersion":
		return "1"
	case "TopicArn":
		return t.arn
	case "TracingConfig":
		return "PassThrough"
	}
	return ""
}

type setTopicAttributesInput struct{ TopicArn, AttributeName, AttributeValue string }

func (s *Service) setTopicAttributes(c *api.Call, in *setTopicAttributesInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	if err := t.set(in.AttributeName, in.AttributeValue); err != nil {
		return nil, invalid("%s", err)
	}
	return &struct{}{}, nil
}

var (
	feedbackRole = regexp.MustCompile(`^(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)FeedbackRoleArn$`)
	feedbackRate = regexp.MustCompile(`^(HTTP|Firehose|Lambda|Application|SQS)SuccessFeedbackSampleRate$`)
)

// set sets an attribute. Its error is what follows "Invalid parameter: ", and then nothing has changed.
func (t *topic) set(name, value string) error {
	switch name {
	case "DisplayName":
		if len([]rune(value)) > 100 {
			return reason("DisplayName: must be at most 100 characters")
		}
	case "SignatureVersion":
		if value != "1" && value != "2" {
			return reason("SignatureVersion: Invalid value [%s]. Must be 1 or 2.", value)
		}
	case "TracingConfig":
		if value != "PassThrough" && value != "Active" {
			return reason("TracingConfig: Invalid value [%s]. Must be PassThrough or Active.", value)
		}
	case "KmsMasterKeyId":
	case "Policy":
		p, err := parsePolicy(value)
		if err != nil {
			return reason("Policy Error: %s", err)
		}
		t.policy = p
		delete(t.attributes, name) // it is read from policy, which AddPermission changes
		return nil
	case "MaximumMessageSize":
		return t.setMaximumMessageSize(value)
	case "DeliveryPolicy":
		return t.setDelivery(value)
	case "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy":
		if !t.fifo {
			return reason("%s: is valid for FIFO topics only", name)
		}
		return t.setFIFO(name, value)
	default:
		switch {
		case feedbackRole.MatchString(name):
		case feedbackRate.MatchString(name):
			if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 100 {
				return reason("%s: Invalid value [%s]. Must be from 0 to 100.", name, value)
			}
		default:
			return reason("AttributeName")
		}
	}
	if value == "" && name != "DisplayName" {
		delete(t.attributes, name)
		return nil
	}
	t.attributes[name] = value
	return nil
}

// setMaximumMessageSize sets the limit for a message and for a batch. Above 256 KiB a topic may have 100 subscriptions at most,
// and of queues (or Firehose, or Lambda) only.
func (t *topic) setMaximumMessageSize(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < leastMessageSize || n > mostMessageSize {
		return reason("MaximumMessageSize: Invalid value [%s]. Must be from %d to %d.", value, leastMessageSize, mostMessageSize)
	}
	if n > defaultMessageSize {
		if len(t.subscriptions) > largeSubscriptions {
			return reason("MaximumMessageSize: a topic with more than %d subscriptions cannot have a value above %d", largeSubscriptions, defaultMessageSize)
		}
		for _, sub := range t.subscriptions {
			if sub.protocol != "sqs" && sub.protocol != "lambda" {
				return reason("MaximumMessageSize: a topic with a subscription of the protocol %s cannot have a value above %d", sub.protocol, defaultMessageSize)
			}
		}
	}
	t.maxSize = n
	t.attributes["MaximumMessageSize"] = value
	return nil
}

// largeSubscriptions is how many subscriptions a topic for messages above 256 KiB may have.
const largeSubscriptions = 100
