package sqs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// What the rest of the local cloud asks of SQS, past the API.

// A Message is what another service of the same cloud sends to a queue.
type Message struct {
	Body            string
	Attributes      map[string]MessageAttribute
	GroupID         string // needed on a FIFO queue
	DeduplicationID string // FIFO queues only; empty: content-based, where the queue has that
}

// Deliver sends a message to the queue of that ARN, as SendMessage does and with its errors, which have type *api.Error:
// QueueDoesNotExist, or what is wrong with the message. Whether the queue's policy allows it is for the caller to ask.
func (s *Service) Deliver(queueARN string, m Message) error {
	q, err := s.atARN(queueARN)
	if err != nil {
		return err
	}
	q.touch()
	in := &sendMessageInput{MessageBody: m.Body, MessageAttributes: m.Attributes, MessageGroupId: m.GroupID, MessageDeduplicationId: m.DeduplicationID}
	e, err := q.entry(q.account, in)
	if err != nil {
		return err
	}
	if _, err := q.engine.Enqueue(e); err != nil {
		return queueDoesNotExist(&api.Call{})
	}
	q.countSent(in)
	return nil
}

// DeliverTwice makes a standard queue deliver each of the next n messages a second time, the given time after the first, even if
// the first receiver has deleted it by then. Real queues seldom do it, but no consumer may rely on that: "You might receive more
// than one copy of a message" (Developer Guide, standard-queues-at-least-once-delivery, 2026-12-01; so says DeleteMessage in the
// API Reference). The second copy has the same message id, and a receipt handle and a receive count of its own: it comes from a
// server that knows nothing of the first. FIFO queues deliver once, and return an error here.
func (s *Service) DeliverTwice(queueURL string, n int, after time.Duration) error {
	q, err := s.byURL(queueURL)
	if err != nil {
		return err
	}
	return q.engine.DeliverTwice(n, after)
}

// DeliverReversed makes a standard queue keep the next n messages that are sent to it until all of them are there, or the given
// time has passed, and then deliver them last one first. Real queues mix the order up a little, and no consumer may rely on less
// (Developer Guide, standard-queues: best-effort ordering, 2026-12-01). FIFO queues keep the order, and return an error here.
func (s *Service) DeliverReversed(queueURL string, n int, within time.Duration) error {
	q, err := s.byURL(queueURL)
	if err != nil {
		return err
	}
	return q.engine.DeliverReversed(n, within)
}

// byURL finds the one queue that a URL means, whatever its region.
func (s *Service) byURL(queueURL string) (*queue, error) {
	account, queueName, _ := splitURL(queueURL)
	for _, q := range s.all() {
		if q.account == account && q.name.queue == queueName {
			return q, nil
		}
	}
	return nil, fmt.Errorf("no queue at %s", queueURL)
}

// ResourcePolicy returns the policy of the queue of that ARN; empty: it has none, or there is no such queue.
func (s *Service) ResourcePolicy(queueARN string) string {
	n, ok := parseARN(queueARN)
	if !ok {
		return ""
	}
	q := s.lookup(n)
	if q == nil {
		return ""
	}
	text, _ := q.settings.Load().policy.text()
	return text
}

// resources returns the ARN of the queue that a request is about, whether there is one or not. The inputs name it by URL, by name,
// as the source of a message move task or by such a task; ListQueues is about all, whose ARN ends where a name would begin.
func (s *Service) resources(c *api.Call, in any) []string {
	v := reflect.ValueOf(in).Elem()
	text := func(field string) (string, bool) {
		f := v.FieldByName(field)
		if !f.IsValid() {
			return "", false
		}
		return f.String(), true
	}
	n := name{c.Account, c.Region, ""}
	if url, ok := text("QueueUrl"); ok {
		if url == "" {
			url = c.Path
		}
		n.account, n.queue, _ = splitURL(url)
	} else if queueName, ok := text("QueueName"); ok {
		n.queue = queueName
		if owner, _ := text("QueueOwnerAWSAccountId"); owner != "" {
			n.account = owner
		}
	} else if arn, ok := text("SourceArn"); ok {
		return []string{arn}
	} else if handle, ok := text("TaskHandle"); ok {
		var h taskHandle
		if b, err := base64.StdEncoding.DecodeString(handle); err == nil && json.Unmarshal(b, &h) == nil {
			return []string{h.SourceARN}
		}
	}
	return []string{n.arn()}
}
