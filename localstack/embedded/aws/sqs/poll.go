package sqs

import (
	"context"
	"errors"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// What an event source mapping of the same cloud asks of a queue: the same as the API's clients, without requests.

// Received is a message as ReceiveMessage shows it, with all attributes.
type Received struct {
	MessageID, ReceiptHandle, MD5OfBody, Body string
	Attributes                                map[string]string
	MessageAttributes                         map[string]MessageAttribute
	MD5OfMessageAttributes                    string
	Until                                     time.Time // when it becomes visible again
}

// Receive receives up to 10 messages from the queue of that ARN, as ReceiveMessage with the queue's own visibility timeout does.
// Its error is an *api.Error, QueueDoesNotExist if the queue is not there, or the context's.
func (s *Service) Receive(ctx context.Context, queueARN string, most int, wait time.Duration) ([]Received, error) {
	q, err := s.atARN(queueARN)
	if err != nil {
		return nil, err
	}
	q.touch()
	got, err := q.engine.Receive(ctx, min(most, maxMessages), q.settings.Load().visibility, wait)
	if errors.Is(err, engine.ErrClosed) {
		return nil, queueDoesNotExist(&api.Call{})
	}
	if err != nil {
		return nil, err
	}
	q.count(func(m *Minute) {
		m.Received += len(got)
		if len(got) == 0 {
			m.EmptyReceives++
		}
	})
	messages := make([]Received, len(got))
	for i, m := range s.received(q, got, allAttributes, []string{"All"}).Messages {
		messages[i] = Received{
			MessageID: m.MessageId, ReceiptHandle: m.ReceiptHandle, MD5OfBody: m.MD5OfBody, Body: m.Body, Attributes: m.Attributes,
			MessageAttributes: m.MessageAttributes, MD5OfMessageAttributes: m.MD5OfMessageAttributes, Until: got[i].Until,
		}
	}
	return messages, nil
}

// Delete deletes the message of a receipt handle, as DeleteMessage does.
func (s *Service) Delete(queueARN, receiptHandle string) error {
	q, err := s.atARN(queueARN)
	if err != nil {
		return err
	}
	return q.delete(receiptHandle)
}

// VisibilityTimeout returns the visibility timeout of the queue of that ARN, and false if there is none.
func (s *Service) VisibilityTimeout(queueARN string) (time.Duration, bool) {
	q, err := s.atARN(queueARN)
	if err != nil {
		return 0, false
	}
	return q.settings.Load().visibility, true
}

func (s *Service) atARN(queueARN string) (*queue, error) {
	if n, ok := parseARN(queueARN); ok {
		if q := s.lookup(n); q != nil {
			return q, nil
		}
	}
	return nil, queueDoesNotExist(&api.Call{})
}
