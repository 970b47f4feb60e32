package sns

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventpattern"
)

// message is what was published, as it waits for its deliveries. What follows signing is filled in later; the rest stays as it is.
type message struct {
	id                       string
	subject                  *string
	body                     string            // for subscriptions whose protocol has none of its own
	bodies                   map[string]string // by protocol, with MessageStructure json
	attributes               map[string]MessageAttributeValue
	groupID, deduplicationID string
	sequence                 string // of a FIFO topic's message
	published                time.Time
	signatureVersion         string
	endpoint                 string // as the publisher reached it: the base of the URLs in the envelope

	signing    sync.Mutex
	signatures map[string]string // by what is signed

	bodyFields, attributeFields eventpattern.Fields // for filter policies; guarded by Service.mu
	bodyIsObject                bool
}

// publication is what an entry of PublishBatch and the input of Publish have in common.
type publication struct {
	Message                string
	Subject                *string
	MessageStructure       string
	MessageAttributes      map[string]MessageAttributeValue
	MessageDeduplicationID *string
	MessageGroupID         *string
}

type publishInput struct {
	TopicArn, TargetArn, PhoneNumber *string
	Message                          string
	Subject                          *string
	MessageStructure                 string
	MessageAttributes                map[string]MessageAttributeValue `query:"MessageAttributes,key=Name,value=Value"`
	MessageDeduplicationID           *string                          `query:"MessageDeduplicationId"`
	MessageGroupID                   *string                          `query:"MessageGroupId"`
}

type publishOutput struct {
	MessageID      string `query:"MessageId"`
	SequenceNumber string
}

var phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

func (s *Service) publish(c *api.Call, in *publishInput) (*publishOutput, error) {
	field, arn := "TopicArn", in.TopicArn
	switch {
	case in.PhoneNumber != nil:
		if !phoneNumber.MatchString(*in.PhoneNumber) {
			return nil, invalid("PhoneNumber Reason: %s is not valid to publish to", *in.PhoneNumber)
		}
		s.log.Warn("SMS is not offered", "service", "sns", "request", c.RequestID)
		return nil, invalid("PhoneNumber Reason: the local cloud sends no SMS")
	case arn == nil && in.TargetArn == nil:
		return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	case arn == nil:
		field, arn = "TargetArn", in.TargetArn
		if parts := strings.SplitN(*arn, ":", 6); len(parts) == 6 && strings.HasPrefix(parts[5], "endpoint/") {
			return nil, invalid("TargetArn Reason: No endpoint found for the target arn specified")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, field, *arn)
	if err != nil {
		return nil, err
	}
	m, err := t.message(c, "messageAttributes", publication{
		in.Message, in.Subject, in.MessageStructure, in.MessageAttributes, in.MessageDeduplicationID, in.MessageGroupID,
	})
	if err != nil {
		return nil, err
	}
	if size(in.Message, in.MessageAttributes) > t.maxSize {
		return nil, invalid("Message too long")
	}
	m = s.accept(t, m)
	return &publishOutput{m.id, m.sequence}, nil
}

// size is what a message counts as against the topic's MaximumMessageSize, in bytes: its body and all parts of its attributes.
func size(body string, attributes map[string]MessageAttributeValue) int {
	n := len(body)
	for name, a := range attributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

// message checks what is published to the topic. path is where its attributes stand in the request, for an error.
func (t *topic) message(c *api.Call, path string, p publication) (*message, error) {
	if p.Message == "" {
		return nil, invalid("Empty message")
	}
	if p.Subject != nil && !validSubject(*p.Subject) {
		return nil, invalid("Subject")
	}
	m := &message{
		id: api.UUID(), subject: p.Subject, body: p.Message, attributes: p.MessageAttributes,
		signatureVersion: t.attribute("SignatureVersion"), endpoint: c.Endpoint,
	}
	if err := m.structure(p.MessageStructure); err != nil {
		return nil, err
	}
	if err := checkAttributes(path, p.MessageAttributes); err != nil {
		return nil, err
	}
	if p.MessageGroupID != nil {
		if !validID(*p.MessageGroupID) {
			return nil, invalid("MessageGroupId Reason: it can be 1 to 128 alphanumeric characters and punctuation")
		}
		m.groupID = *p.MessageGroupID
	}
	if p.MessageDeduplicationID != nil {
		if !t.fifo {
			return nil, invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
		}
		if !validID(*p.MessageDeduplicationID) {
			return nil, invalid("MessageDeduplicationId Reason: it can be 1 to 128 alphanumeric characters and punctuation")
		}
		m.deduplicationID = *p.MessageDeduplicationID
	}
	if !t.fifo {
		return m, nil
	}
	if p.MessageGroupID == nil {
		return nil, invalid("The MessageGroupId parameter is required for FIFO topics")
	}
	if p.MessageDeduplicationID == nil {
		if !t.order.contentBased {
			return nil, invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		m.deduplicationID = deduplicationID(p.Message)
	}
	return m, nil
}

func validSubject(s string) bool {
	return s != "" && len([]rune(s)) <= 100 && !strings.ContainsFunc(s, unicode.IsControl)
}

// validID checks a group id and a deduplication id: visible ASCII.
func validID(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// structure takes the body apart: with MessageStructure json it has a body for each protocol.
func (m *message) structure(structure string) error {
	switch structure {
	case "":
		return nil
	case "json":
	default:
		return invalid("MessageStructure")
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(m.body), &members); err != nil {
		return invalid("Message Structure - JSON message body failed to parse")
	}
	m.bodies = map[string]string{}
	for protocol, body := range members {
		if text, ok := body.(string); ok { // a value that is no string is ignored
			m.bodies[protocol] = text
		}
	}
	text, ok := m.bodies["default"]
	if !ok {
		return invalid("Message Structure - No default entry in JSON message body")
	}
	m.body = text
	return nil
}

var attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// checkAttributes checks message attributes; path is where they stand in the request.
func checkAttributes(path string, attributes map[string]MessageAttributeValue) error {
	bad := func(format string, args ...any) error { return api.Errorf("ParameterValueInvalid", format, args...) }
	for name, a := range attributes {
		base, _, _ := strings.Cut(a.DataType, ".")
		switch {
		case a.DataType == "":
			return api.Errorf("ValidationError", "1 validation error detected: Value null at '%s.%s.member.dataType' failed to satisfy constraint: Member must not be null", path, name)
		case len(name) > 256:
			return bad("Length of message attribute name must be less than 256 bytes.")
		case !attributeName.MatchString(name):
			for _, r := range name {
				if !attributeName.MatchString(string(r)) {
					return bad("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", r)
				}
			}
			return bad("The message attribute name must not be empty.")
		case strings.HasPrefix(name, "."):
			return bad("Invalid message attribute name starting with character '.' was found.")
		case strings.HasSuffix(name, "."):
			return bad("Invalid message attribute name ending with character '.' was found.")
		case strings.Contains(name, ".."):
			return bad("Message attribute name can not have successive '.' character.")
		case base != "String" && base != "Number" && base != "Binary":
			return bad("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
		case base == "Binary" && a.StringValue != "":
			return bad("The message attribute '%s' with type '%s' must use field 'Binary'.", name, a.DataType)
		case base != "Binary" && a.BinaryValue != nil:
			return bad("The message attribute '%s' with type '%s' must use field 'String'.", name, a.DataType)
		case a.StringValue == "" && len(a.BinaryValue) == 0:
			return bad("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
		case base == "Number":
			if _, err := strconv.ParseFloat(a.StringValue, 64); err != nil {
				return bad("Could not cast message attribute '%s' value to number.", name)
			}
		}
	}
	return nil
}

// accept takes a checked message and has it delivered. Of a repetition it returns the message first published. The caller holds mu.
func (s *Service) accept(t *topic, m *message) *message {
	m.published = time.Now()
	s.count(t, messagesPublished, 1)
	s.count(t, publishSize, float64(size(m.body, m.attributes)))
	if t.fifo {
		if original := t.order.admit(m); original != nil {
			return original
		}
		t.archive.add(m)
	}
	s.fanOut(t, m)
	return m
}

type publishBatchInput struct {
	TopicArn                   string
	PublishBatchRequestEntries []publishBatchEntry
}

type publishBatchEntry struct {
	ID                     string `query:"Id"`
	Message                string
	Subject                *string
	MessageStructure       string
	MessageAttributes      map[string]MessageAttributeValue `query:"MessageAttributes,key=Name,value=Value"`
	MessageDeduplicationID *string                          `query:"MessageDeduplicationId"`
	MessageGroupID         *string                          `query:"MessageGroupId"`
}

type publishBatchOutput struct {
	Successful []batchSuccess
	Failed     []batchFailure
}

type batchSuccess struct {
	ID             string `query:"Id"`
	MessageID      string `query:"MessageId"`
	SequenceNumber string
}

type batchFailure struct {
	ID          string `query:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

const maxBatch = 10

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// publishBatch publishes up to ten messages. An entry without a message, or with an impossible subject, fails alone;
// any other mistake in an entry fails the batch (recorded 2023-08-24).
func (s *Service) publishBatch(c *api.Call, in *publishBatchInput) (*publishBatchOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	switch entries := in.PublishBatchRequestEntries; {
	case len(entries) == 0:
		return nil, api.Errorf("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case len(entries) > maxBatch:
		return nil, api.Errorf("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	}
	ids, total := map[string]bool{}, 0
	for _, e := range in.PublishBatchRequestEntries {
		if !entryID.MatchString(e.ID) {
			return nil, api.Errorf("InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification.")
		}
		if ids[e.ID] {
			return nil, api.Errorf("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		ids[e.ID] = true
		total += size(e.Message, e.MessageAttributes)
	}
	if total > t.maxSize {
		return nil, api.Errorf("BatchRequestTooLong", "The length of all the batch messages put together is more than the limit.")
	}

	out := &publishBatchOutput{Successful: []batchSuccess{}, Failed: []batchFailure{}}
	messages := make([]*message, len(in.PublishBatchRequestEntries))
	for i, e := range in.PublishBatchRequestEntries {
		if e.Message == "" || e.Subject != nil && !validSubject(*e.Subject) {
			what := "Invalid parameter: Subject"
			if e.Message == "" {
				what = "Invalid parameter: Empty message"
			}
			out.Failed = append(out.Failed, batchFailure{e.ID, "InvalidParameter", what, true})
			continue
		}
		path := "publishBatchRequestEntries." + strconv.Itoa(i+1) + ".member.messageAttributes"
		if messages[i], err = t.message(c, path, publication{
			e.Message, e.Subject, e.MessageStructure, e.MessageAttributes, e.MessageDeduplicationID, e.MessageGroupID,
		}); err != nil {
			return nil, err
		}
	}
	for i, m := range messages {
		if m != nil {
			m = s.accept(t, m)
			out.Successful = append(out.Successful, batchSuccess{in.PublishBatchRequestEntries[i].ID, m.id, m.sequence})
		}
	}
	return out, nil
}
