package sqs

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Limits of ReceiveMessage.
const (
	maxMessages          = 10
	maxWaitSeconds       = 20
	maxVisibilitySeconds = int(maxVisibility / time.Second)
	attemptInterval      = 5 * time.Minute // for which a ReceiveRequestAttemptId counts
)

type receiveMessageInput struct {
	QueueUrl                    string
	AttributeNames              []string `query:"AttributeName"` // the older name of the next
	MessageSystemAttributeNames []string `query:"MessageSystemAttributeName"`
	MessageAttributeNames       []string `query:"MessageAttributeName"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     string
}

type receiveMessageOutput struct {
	Messages []receivedMessage `json:",omitempty" query:"Message"`
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string           `json:",omitempty" query:"Attribute,key=Name,value=Value"`
	MD5OfMessageAttributes string                      `json:",omitempty"`
	MessageAttributes      map[string]MessageAttribute `json:",omitempty" query:"MessageAttribute,key=Name,value=Value"`
}

// orDefault returns a parameter's value, or the default if it was left out. It must be within the limits.
func orDefault(v *int, parameter string, least, most int, fallback int, reason string) (int, error) {
	if v == nil {
		return fallback, nil
	}
	if *v < least || *v > most {
		return 0, invalidValue(strconv.Itoa(*v), parameter, reason)
	}
	return *v, nil
}

func (s *Service) receiveMessage(c *api.Call, in *receiveMessageInput) (*receiveMessageOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	set := q.settings.Load()
	n, err := orDefault(in.MaxNumberOfMessages, "MaxNumberOfMessages", 1, maxMessages, 1, "Must be between 1 and 10, if provided.")
	if err != nil {
		return nil, err
	}
	wait, err := orDefault(in.WaitTimeSeconds, "WaitTimeSeconds", 0, maxWaitSeconds, int(set.wait/time.Second), "Must be >= 0 and <= 20, if provided.")
	if err != nil {
		return nil, err
	}
	visibility, err := orDefault(in.VisibilityTimeout, "VisibilityTimeout", 0, maxVisibilitySeconds, int(set.visibility/time.Second), "Must be >= 0 and <= 43200, if provided.")
	if err != nil {
		return nil, err
	}
	system, err := systemNames(in.AttributeNames, in.MessageSystemAttributeNames)
	if err != nil {
		return nil, err
	}
	lease := time.Duration(visibility) * time.Second
	if id := in.ReceiveRequestAttemptId; id != "" {
		if !q.fifo {
			return nil, invalidValue(id, "ReceiveRequestAttemptId", "The request include parameter that is not valid for this queue type.")
		}
		if err := checkID("ReceiveRequestAttemptId", id); err != nil {
			return nil, err
		}
		if got := q.repeat(id, lease); got != nil {
			return s.received(q, got, system, in.MessageAttributeNames), nil
		}
	}
	got, err := q.engine.Receive(c.Context, n, lease, time.Duration(wait)*time.Second)
	switch {
	case errors.Is(err, engine.ErrClosed):
		return nil, queueDoesNotExist(c)
	case err != nil: // the client left
		return nil, err
	case len(got) == 0 && !q.fifo && wait == 0 && q.engine.Stats().Leased >= maxInFlight: // a FIFO queue, or a long poll, just gets nothing
		return nil, overLimit("The maximum number of in flight messages is reached.")
	}
	q.count(func(m *Minute) {
		m.Received += len(got)
		if len(got) == 0 {
			m.EmptyReceives++
		}
	})
	if in.ReceiveRequestAttemptId != "" && len(got) > 0 {
		q.remember(in.ReceiveRequestAttemptId, got)
	}
	return s.received(q, got, system, in.MessageAttributeNames), nil
}

func (s *Service) received(q *queue, got []engine.Delivery, system systemSet, names []string) *receiveMessageOutput {
	out := &receiveMessageOutput{}
	for _, d := range got {
		m := d.Value.(*message)
		selected := selectAttributes(m.attributes, names)
		out.Messages = append(out.Messages, receivedMessage{
			MessageId: s.messageID(d.Origin), ReceiptHandle: q.receipt(d.Handle), Body: m.body, MD5OfBody: md5Hex(m.bodyMD5),
			Attributes:        s.systemAttributes(q, d, m, system),
			MessageAttributes: selected, MD5OfMessageAttributes: attributesMD5(selected),
		})
	}
	return out
}

// systemSet is which system attributes a receiver wants, a bit for each of systemAttributeNames.
type systemSet uint16

const (
	senderID systemSet = 1 << iota
	sentTimestamp
	receiveCount
	firstReceiveTimestamp
	sequence
	deduplicationID
	groupID
	traceHeader
	deadLetterSource
	allAttributes systemSet = 1<<iota - 1
)

var systemAttributeNames = map[string]systemSet{
	"All": allAttributes, "SenderId": senderID, "SentTimestamp": sentTimestamp, "ApproximateReceiveCount": receiveCount,
	"ApproximateFirstReceiveTimestamp": firstReceiveTimestamp, "SequenceNumber": sequence, "MessageDeduplicationId": deduplicationID,
	"MessageGroupId": groupID, "AWSTraceHeader": traceHeader, "DeadLetterQueueSourceArn": deadLetterSource,
}

func systemNames(lists ...[]string) (systemSet, error) {
	var set systemSet
	for _, names := range lists {
		for _, n := range names {
			bit, ok := systemAttributeNames[n]
			if _, ofQueue := attributes[n]; !ok && !ofQueue { // AttributeNames takes a queue's attributes too, and ignores them
				return 0, unknownAttribute(n)
			}
			set |= bit
		}
	}
	return set, nil
}

func (s *Service) systemAttributes(q *queue, d engine.Delivery, m *message, want systemSet) map[string]string {
	if want == 0 {
		return nil
	}
	values := make(map[string]string)
	add := func(bit systemSet, name, v string) {
		if want&bit != 0 && v != "" {
			values[name] = v
		}
	}
	add(senderID, "SenderId", m.sender)
	add(sentTimestamp, "SentTimestamp", strconv.FormatInt(m.sent, 10))
	add(receiveCount, "ApproximateReceiveCount", strconv.Itoa(d.Deliveries))
	add(firstReceiveTimestamp, "ApproximateFirstReceiveTimestamp", strconv.FormatInt(d.FirstDelivered.UnixMilli(), 10))
	add(groupID, "MessageGroupId", d.Group)
	add(traceHeader, "AWSTraceHeader", m.trace)
	if d.From != nil {
		add(deadLetterSource, "DeadLetterQueueSourceArn", d.From.Name)
	}
	if q.fifo {
		add(sequence, "SequenceNumber", sequenceNumber(d.Seq))
		if d.From == nil {
			add(deduplicationID, "MessageDeduplicationId", m.dedupID)
		} else { // so that two messages with one deduplication id can be in a dead-letter queue: sqs-configure-dead-letter-queue-redrive
			add(deduplicationID, "MessageDeduplicationId", s.messageID(d.Origin))
		}
	}
	return values
}

// selectAttributes returns the attributes that a receiver asks for: by name, by a prefix followed by .*, or all.
func selectAttributes(attributes map[string]MessageAttribute, names []string) map[string]MessageAttribute {
	if len(names) == 0 || len(attributes) == 0 {
		return nil
	}
	if slices.Contains(names, "All") || slices.Contains(names, ".*") {
		return attributes
	}
	var selected map[string]MessageAttribute
	for name, a := range attributes {
		wanted := slices.ContainsFunc(names, func(pattern string) bool {
			prefix, isPrefix := strings.CutSuffix(pattern, ".*")
			return name == pattern || isPrefix && strings.HasPrefix(name, prefix)
		})
		if wanted {
			if selected == nil {
				selected = make(map[string]MessageAttribute)
			}
			selected[name] = a
		}
	}
	return selected
}

// attempt is what a receive with a ReceiveRequestAttemptId returned.
type attempt struct {
	at  time.Time
	got []engine.Delivery
}

// remember keeps what an attempt returned, and forgets what nobody may repeat any more.
func (q *queue) remember(id string, got []engine.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.attemptOrder) > 0 {
		oldest := q.attempts[q.attemptOrder[0]]
		if now.Sub(oldest.at) < attemptInterval {
			break
		}
		delete(q.attempts, q.attemptOrder[0])
		q.attemptOrder = q.attemptOrder[1:]
	}
	if _, ok := q.attempts[id]; !ok {
		q.attemptOrder = append(q.attemptOrder, id)
	}
	q.attempts[id] = attempt{now, slices.Clone(got)}
}

// repeat returns the same messages under the same handles as the attempt of that id did before, and lets their visibility
// timeout start anew. It returns nil if there was none of late, or if one of its messages was deleted or had its visibility changed.
func (q *queue) repeat(id string, visibility time.Duration) []engine.Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	a, ok := q.attempts[id]
	if !ok || time.Since(a.at) >= attemptInterval {
		return nil
	}
	for _, d := range a.got {
		if until, err := q.engine.Until(d.Handle); err != nil || !until.Equal(d.Until) {
			return nil
		}
	}
	for i, d := range a.got {
		if q.engine.Renew(d.Handle, visibility) != nil {
			return nil
		}
		if until, err := q.engine.Until(d.Handle); err == nil {
			a.got[i].Until = until
		}
	}
	return slices.Clone(a.got)
}
