package eventsource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// How a mapping reads: "Configuring scaling behavior for SQS event source mappings".
const (
	firstPollers = 5
	leastPollers = 2
	mostPollers  = 1250                   // of a mapping without a limit of its own
	growInterval = time.Minute / 300      // at which pollers are added while all are busy
	longPoll     = 20 * time.Second       // of one receive
	maxPayload   = 6 << 20                // bytes of an event; quotas of Lambda, "Invocation payload"
	queueIsGone  = time.Minute            // after which a queue that was not there is looked for again
	retryFirst   = 500 * time.Millisecond // after an invocation that was throttled, doubling
	retryLast    = 30 * time.Second
)

// A group is the pollers of one mapping with one set of settings.
type group struct {
	service *Service
	ctx     context.Context // ends when the mapping is disabled, changed or deleted
	queue   string          // ARN
	region  string
	set     settings
	most    int

	cancel    context.CancelFunc
	receiving sync.WaitGroup // the pollers that are at the queue

	mu      sync.Mutex
	stopped bool
	pollers int
	busy    int
	grow    *time.Timer // set while all are busy
}

// stop ends the group's receiving: afterwards it takes nothing more from the queue. What it has in hand it finishes.
func (g *group) stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.cancel()
	g.receiving.Wait()
}

// poll starts the pollers of a mapping.
func (s *Service) poll(queue, region string, set settings) *group {
	g := &group{service: s, queue: queue, region: region, set: set, most: mostPollers}
	g.ctx, g.cancel = context.WithCancel(s.ctx)
	if set.concurrency > 0 {
		g.most = set.concurrency
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for range min(firstPollers, g.most) {
		g.add()
	}
	return g
}

// add starts one poller. The caller holds mu.
func (g *group) add() {
	g.pollers++
	g.service.polling.Go(func() {
		for g.ctx.Err() == nil && g.turn() {
		}
		g.mu.Lock()
		g.pollers--
		g.mu.Unlock()
	})
}

// turn reads one batch and deals with it. It returns false when this poller should end.
func (g *group) turn() bool {
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		return false
	}
	g.receiving.Add(1)
	g.mu.Unlock()
	batch := g.collect()
	g.receiving.Done()
	if len(batch) == 0 {
		return !g.spare(firstPollers)
	}
	g.setBusy(+1)
	defer g.setBusy(-1)
	whole := true
	for len(batch) > 0 {
		event, n := g.event(batch)
		if !g.invoke(event, batch[:n]) {
			whole = false
		}
		batch = batch[n:]
	}
	// "Lambda gradually backs off", but not where the function reports which messages failed.
	return whole || g.set.items || !g.spare(leastPollers)
}

// spare tells whether there are more pollers than least.
func (g *group) spare(least int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pollers > least
}

func (g *group) setBusy(change int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy += change
	switch wanted := g.busy >= g.pollers && g.pollers < g.most; {
	case wanted && g.grow == nil:
		g.grow = time.AfterFunc(growInterval, g.another)
	case !wanted && g.grow != nil:
		g.grow.Stop()
		g.grow = nil
	}
}

func (g *group) another() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grow = nil
	if g.busy >= g.pollers && g.pollers < g.most && g.ctx.Err() == nil && g.busy > 0 {
		g.add()
	}
}

// collect receives up to a batch of messages: it waits for the first, and for more as long as the batch window says.
// What no filter lets through is deleted.
func (g *group) collect() (batch []Message) {
	size := 0
	wait := longPoll
	var end time.Time
	for len(batch) < g.set.batch && size < maxPayload {
		got, err := g.service.queues.Receive(g.ctx, g.queue, min(10, g.set.batch-len(batch)), min(wait, longPoll))
		var refused *api.Error
		if errors.As(err, &refused) && len(batch) == 0 {
			g.service.log.Warn("an event source mapping cannot read its queue", "queue", g.queue, "error", err)
			g.pause(queueIsGone)
		}
		if err != nil || len(got) == 0 && end.IsZero() {
			return batch
		}
		if end.IsZero() {
			end = time.Now().Add(g.set.window)
		}
		for _, m := range got {
			if g.set.filters.match(m.Body) {
				batch = append(batch, m)
				size += len(m.Body)
			} else {
				g.delete(m)
			}
		}
		if wait = time.Until(end); wait <= 0 {
			return batch
		}
	}
	return batch
}

// pause waits, unless the mapping ends before.
func (g *group) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.ctx.Done():
	}
}

func (g *group) delete(m Message) {
	if err := g.service.queues.Delete(g.queue, m.ReceiptHandle); err != nil { // its visibility timeout has ended, or the queue is gone
		g.service.log.Debug("an event source mapping could not delete a message", "queue", g.queue, "message", m.MessageID, "error", err)
	}
}

// record is a message as the function gets it.
type record struct {
	MessageID         string                      `json:"messageId"`
	ReceiptHandle     string                      `json:"receiptHandle"`
	Body              string                      `json:"body"`
	Attributes        map[string]string           `json:"attributes"`
	MessageAttributes map[string]MessageAttribute `json:"messageAttributes"`
	MD5OfBody         string                      `json:"md5OfBody"`
	EventSource       string                      `json:"eventSource"`
	EventSourceARN    string                      `json:"eventSourceARN"`
	AWSRegion         string                      `json:"awsRegion"`
}

// event makes the event of as many messages as go into one invocation.
func (g *group) event(batch []Message) (event []byte, n int) {
	event = append(event, `{"Records":[`...)
	for i, m := range batch {
		attributes := m.MessageAttributes
		if attributes == nil {
			attributes = map[string]MessageAttribute{}
		}
		b, err := json.Marshal(record{m.MessageID, m.ReceiptHandle, m.Body, m.Attributes, attributes, m.MD5OfBody, "aws:sqs", g.queue, g.region})
		if err != nil {
			panic("eventsource: a record is always JSON: " + err.Error())
		}
		if i > 0 {
			if len(event)+len(b)+3 > maxPayload {
				break
			}
			event = append(event, ',')
		}
		event = append(event, b...)
		n++
	}
	return append(event, "]}"...), n
}

// invoke runs the function on an event and deletes the messages that it has dealt with. It returns false if all failed.
// A throttled invocation is tried again until the messages are visible again; what failed is left to its visibility timeout.
func (g *group) invoke(event []byte, batch []Message) bool {
	until := batch[0].Until
	for delay := retryFirst; ; delay = min(2*delay, retryLast) {
		answer, failure, err := g.service.functions.Invoke(g.service.ctx, g.set.function.ARN, event)
		if err == nil {
			if failure != "" {
				return false
			}
			return g.settle(batch, answer)
		}
		g.service.log.Debug("an event source mapping could not invoke its function", "function", g.set.function.ARN, "error", err)
		if time.Until(until) <= delay {
			return false
		}
		g.pause(delay)
		if g.ctx.Err() != nil {
			return false
		}
	}
}

// settle deletes what the function's answer does not report as failed. It returns false if all of it failed.
func (g *group) settle(batch []Message, answer []byte) bool {
	var failed map[string]bool
	if g.set.items {
		var ok bool
		if failed, ok = itemFailures(answer, batch); !ok {
			return false
		}
	}
	for _, m := range batch {
		if !failed[m.MessageID] {
			g.delete(m)
		}
	}
	return len(failed) < len(batch)
}

// itemFailures reads which messages a function reports as failed. It returns false if the answer makes the whole batch a failure.
// Source: "Implementing partial batch responses", success and failure conditions.
func itemFailures(answer []byte, batch []Message) (failed map[string]bool, ok bool) {
	switch string(bytes.TrimSpace(answer)) {
	case "", "null", `""`, "[]": // an empty or a null response
		return nil, true
	}
	var response map[string]json.RawMessage // maps, as a name in another case is another name
	var items []map[string]any
	if json.Unmarshal(answer, &response) != nil || len(response["batchItemFailures"]) > 0 && json.Unmarshal(response["batchItemFailures"], &items) != nil {
		return nil, false
	}
	ids := make(map[string]bool, len(batch))
	for _, m := range batch {
		ids[m.MessageID] = true
	}
	failed = map[string]bool{}
	for _, item := range items {
		id, ok := item["itemIdentifier"].(string)
		if !ok || !ids[id] {
			return nil, false
		}
		failed[id] = true
	}
	return failed, true
}
