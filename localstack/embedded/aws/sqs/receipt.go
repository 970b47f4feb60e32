package sqs

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// A receipt handle names one receive of one message from one queue: three numbers and a checksum, which clients do not look into.
const receiptSize = 3*8 + 4

func (q *queue) receipt(h engine.Handle) string {
	b := make([]byte, 0, receiptSize)
	b = binary.BigEndian.AppendUint64(b, q.number)
	b = binary.BigEndian.AppendUint64(b, h.ID)
	b = binary.BigEndian.AppendUint64(b, h.Lease)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.StdEncoding.EncodeToString(b)
}

func (q *queue) handle(receipt string) (engine.Handle, error) {
	if receipt == "" {
		return engine.Handle{}, missingParameter("ReceiptHandle")
	}
	b, err := base64.StdEncoding.DecodeString(receipt)
	if err != nil || len(b) != receiptSize || crc32.ChecksumIEEE(b[:receiptSize-4]) != binary.BigEndian.Uint32(b[receiptSize-4:]) || binary.BigEndian.Uint64(b) != q.number {
		return engine.Handle{}, receiptHandleIsInvalid(receipt)
	}
	return engine.Handle{ID: binary.BigEndian.Uint64(b[8:]), Lease: binary.BigEndian.Uint64(b[16:])}, nil
}

// delete deletes the message of a receipt handle. To delete one that is gone is no error. On a standard queue a handle whose
// visibility timeout has ended still deletes, until the message is received again: then it is accepted and does nothing. On a
// FIFO queue it is refused. Sources: DeleteMessage in the API Reference; FIFO as recorded from the service (errors.go).
func (q *queue) delete(receipt string) error {
	h, err := q.handle(receipt)
	if err != nil {
		return err
	}
	err = q.engine.Settle(h)
	if q.fifo && (errors.Is(err, engine.ErrLeaseEnded) || errors.Is(err, engine.ErrSuperseded)) {
		return invalidValue(receipt, "ReceiptHandle", "The receipt handle has expired.")
	}
	q.count(func(m *Minute) { m.Deleted++ })
	return nil
}

// changeVisibility makes a message visible again after the given seconds. Too late, on a standard queue, it is accepted and does
// nothing (recorded from the service: github.com/localstack/localstack pull request 9632, 2023-11-14).
func (q *queue) changeVisibility(receipt string, visibility *int) error {
	if visibility == nil {
		return missingParameter("VisibilityTimeout")
	}
	h, err := q.handle(receipt)
	if err != nil {
		return err
	}
	n := *visibility
	if n < 0 || n > maxVisibilitySeconds {
		return invalidValue(strconv.Itoa(n), "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
	}
	err = q.engine.Renew(h, time.Duration(n)*time.Second)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrTooLong):
		return invalidValue(strconv.Itoa(n), "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	case !q.fifo && (errors.Is(err, engine.ErrLeaseEnded) || errors.Is(err, engine.ErrSuperseded)):
		return nil
	}
	return invalidValue(receipt, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
}

type deleteMessageInput struct{ QueueUrl, ReceiptHandle string }

func (s *Service) deleteMessage(c *api.Call, in *deleteMessageInput) (*struct{}, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, q.delete(in.ReceiptHandle)
}

type deleteMessageBatchInput struct {
	QueueUrl string
	Entries  []deleteMessageBatchRequestEntry `query:"DeleteMessageBatchRequestEntry"`
}

type deleteMessageBatchRequestEntry struct{ Id, ReceiptHandle string }

type deleteMessageBatchOutput struct {
	Successful []batchResultEntry      `query:"DeleteMessageBatchResultEntry"`
	Failed     []BatchResultErrorEntry `query:"BatchResultErrorEntry"`
}

type batchResultEntry struct{ Id string }

func (s *Service) deleteMessageBatch(c *api.Call, in *deleteMessageBatchInput) (*deleteMessageBatchOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("DeleteMessageBatchRequestEntry", in.Entries, func(e *deleteMessageBatchRequestEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	out := &deleteMessageBatchOutput{Successful: []batchResultEntry{}, Failed: []BatchResultErrorEntry{}}
	for _, e := range in.Entries {
		if err := q.delete(e.ReceiptHandle); err != nil {
			out.Failed = append(out.Failed, failed(e.Id, err))
		} else {
			out.Successful = append(out.Successful, batchResultEntry{e.Id})
		}
	}
	return out, nil
}

type changeMessageVisibilityInput struct {
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout *int
}

func (s *Service) changeMessageVisibility(c *api.Call, in *changeMessageVisibilityInput) (*struct{}, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, q.changeVisibility(in.ReceiptHandle, in.VisibilityTimeout)
}

type changeMessageVisibilityBatchInput struct {
	QueueUrl string
	Entries  []changeMessageVisibilityBatchRequestEntry `query:"ChangeMessageVisibilityBatchRequestEntry"`
}

type changeMessageVisibilityBatchRequestEntry struct {
	Id                string
	ReceiptHandle     string
	VisibilityTimeout *int
}

type changeMessageVisibilityBatchOutput struct {
	Successful []batchResultEntry      `query:"ChangeMessageVisibilityBatchResultEntry"`
	Failed     []BatchResultErrorEntry `query:"BatchResultErrorEntry"`
}

func (s *Service) changeMessageVisibilityBatch(c *api.Call, in *changeMessageVisibilityBatchInput) (*changeMessageVisibilityBatchOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("ChangeMessageVisibilityBatchRequestEntry", in.Entries, func(e *changeMessageVisibilityBatchRequestEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	out := &changeMessageVisibilityBatchOutput{Successful: []batchResultEntry{}, Failed: []BatchResultErrorEntry{}}
	for _, e := range in.Entries {
		if err := q.changeVisibility(e.ReceiptHandle, e.VisibilityTimeout); err != nil {
			out.Failed = append(out.Failed, failed(e.Id, err))
		} else {
			out.Successful = append(out.Successful, batchResultEntry{e.Id})
		}
	}
	return out, nil
}
