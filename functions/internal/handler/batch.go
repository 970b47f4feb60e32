package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// A Message is one message of a batch.
type Message struct {
	ID            string
	Body          string
	CorrelationID string // of the message attribute correlation-id, or the message's own id
	Receives      int    // how often it was received, this time included
	Attributes    map[string]string
}

// Batch walks through the batches of a queue.
type Batch struct {
	Log         *slog.Logger
	Metrics     *Metrics
	Concurrency int           // messages at a time; 1 for a FIFO queue
	Reserve     time.Duration // kept before the function's deadline: no message is begun in it
}

// ErrNoTime is why a message was not begun: too little was left of the function's time.
var ErrNoTime = errors.New("too little time is left")

// Handle has handle process each message and reports those that failed, so that only they come back. A panic is a failure of its
// message. The event source mapping must have ReportBatchItemFailures; without it every message of the batch would be deleted.
//
// Messages of a FIFO queue (they have a group) are processed one after the other, and after a failure those that follow in the same
// group are reported unprocessed, so that their order is kept.
func (b *Batch) Handle(ctx context.Context, event events.SQSEvent, handle func(context.Context, Message) error) (events.SQSEventResponse, error) {
	begin := time.Now()
	var last time.Time // at which no message is begun any more
	work := ctx
	if deadline, ok := ctx.Deadline(); ok {
		last = deadline.Add(-b.Reserve)
		limited, cancel := context.WithDeadline(ctx, last)
		defer cancel()
		work = limited
	}

	failed := make([]error, len(event.Records))
	one := func(i int) {
		m := message(event.Records[i])
		log := b.Log.With("messageId", m.ID, "correlationId", m.CorrelationID, "receives", m.Receives)
		if work.Err() != nil || !last.IsZero() && !time.Now().Before(last) {
			failed[i] = ErrNoTime
		} else {
			failed[i] = safely(WithLog(work, log), m, handle)
		}
		if failed[i] != nil {
			log.Warn("message failed", "error", failed[i].Error())
		}
	}
	if ordered(event) {
		broken := map[string]bool{}
		for i, r := range event.Records {
			group := r.Attributes["MessageGroupId"]
			if broken[group] {
				failed[i] = errors.New("an earlier message of its group failed")
				continue
			}
			one(i)
			broken[group] = failed[i] != nil
		}
	} else {
		slots := make(chan struct{}, max(1, b.Concurrency))
		var all sync.WaitGroup
		for i := range event.Records {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				one(i)
			})
		}
		all.Wait()
	}

	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, err := range failed {
		if err != nil {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: event.Records[i].MessageId})
		}
	}
	b.Metrics.Put(
		Value{"Processed", "Count", float64(len(event.Records) - len(response.BatchItemFailures))},
		Value{"Failed", "Count", float64(len(response.BatchItemFailures))},
		Value{"BatchTime", "Milliseconds", float64(time.Since(begin).Microseconds()) / 1000},
	)
	return response, nil
}

func ordered(event events.SQSEvent) bool {
	return len(event.Records) > 0 && event.Records[0].Attributes["SequenceNumber"] != "" // only FIFO queues number
}

func message(r events.SQSMessage) Message {
	m := Message{ID: r.MessageId, Body: r.Body, CorrelationID: r.MessageId, Attributes: map[string]string{}}
	for name, a := range r.MessageAttributes {
		if a.StringValue != nil {
			m.Attributes[name] = *a.StringValue
		}
	}
	if id := m.Attributes["correlation-id"]; id != "" {
		m.CorrelationID = id
	}
	m.Receives, _ = strconv.Atoi(r.Attributes["ApproximateReceiveCount"]) // 0 where it is not there: in a test's event
	return m
}

// safely turns a panic into an error, with where it was.
func safely(ctx context.Context, m Message, handle func(context.Context, Message) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			Log(ctx).Error("panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return handle(ctx, m)
}
