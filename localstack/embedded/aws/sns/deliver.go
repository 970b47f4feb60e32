package sns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// latency is how long after its publication a message gets to its subscribers. The real time varies and is longer or shorter;
// this one is never zero, so that nobody who receives without waiting finds the message by luck.
const latency = 13 * time.Millisecond

// responseTime is how long an HTTP subscriber may take to answer.
// Source: Amazon SNS Developer Guide, "Fanout Amazon SNS notifications to HTTPS endpoints" (checked 2026-12-01).
const responseTime = 15 * time.Second

// maxRawAttributes is how many attributes a raw message to a queue may have.
// Source: Amazon SNS Developer Guide, "Amazon SNS message attributes" (checked 2026-12-01).
const maxRawAttributes = 10

// delivery is one message on its way to one subscription.
type delivery struct {
	sub      *subscription
	settings *settings // the subscription's, when the message was published
	message  *message
	kind     string // notification, or one of the confirmations
	token    string // of a confirmation
	endpoint string // base of the URLs in the envelope
	due      time.Time
	replay   *replay // the replay that this delivery is part of

	http subscriptionDelivery // how an HTTP delivery is made
}

// permanentError is the error of a delivery that no retry can help.
type permanentError struct{ error }

// body is the message for the subscription's protocol.
func (d *delivery) body() string {
	if own, ok := d.message.bodies[d.sub.protocol]; ok {
		return own
	}
	return d.message.body
}

// raw says whether the message goes without an envelope: a confirmation never does.
func (d *delivery) raw() bool { return d.settings.raw && d.kind == notification }

// fanOut sends a message to all subscriptions that want it. The caller holds mu.
func (s *Service) fanOut(t *topic, m *message) {
	var queues []*delivery
	for _, sub := range t.subscriptions {
		if !sub.confirmed {
			continue
		}
		if !sub.settings.filter.accepts(m) {
			s.countFiltered(t, sub.settings.filter)
			continue
		}
		d := &delivery{sub: sub, settings: sub.settings, message: m, kind: notification, endpoint: m.endpoint, due: m.published.Add(latency)}
		switch {
		case t.fifo:
			if r := sub.replay; r != nil && !r.end.IsZero() && m.published.After(r.end) {
				continue // the replay's end is the subscription's
			}
			s.enqueue(d)
		case sub.protocol == "sqs":
			queues = append(queues, d)
		default:
			s.send(d)
		}
	}
	if len(queues) == 0 {
		return
	}
	s.start(func() { // a queue takes a message at once: one goroutine is enough for all
		if !s.sleep(latency) {
			return
		}
		for _, d := range queues {
			if err := s.attempt(d); temporary(err) {
				s.start(func() { s.retry(d, err) })
			} else if err != nil {
				s.fail(d, err)
			}
		}
	})
}

// send delivers d in a goroutine of its own. The caller holds mu.
func (s *Service) send(d *delivery) {
	d.http = d.settings.delivery.effective(d.sub.topic)
	s.start(func() {
		if s.sleep(time.Until(d.due)) {
			s.deliver(d)
		}
	})
}

// lane is what a subscription of a FIFO topic still has to get of one message group. A failed delivery holds back
// those behind it.
type lane struct{ waiting []*delivery }

// enqueue delivers d after what waits in its lane. The caller holds mu.
func (s *Service) enqueue(d *delivery) {
	sub, group := d.sub, d.message.groupID
	l := sub.lanes[group]
	if l != nil {
		l.waiting = append(l.waiting, d)
		return
	}
	if sub.lanes == nil {
		sub.lanes = map[string]*lane{}
	}
	l = &lane{waiting: []*delivery{d}}
	sub.lanes[group] = l
	s.start(func() { s.empty(sub, group, l) })
}

// empty delivers what is in a lane, one after the other, and removes the lane.
func (s *Service) empty(sub *subscription, group string, l *lane) {
	for {
		s.mu.Lock()
		if len(l.waiting) == 0 {
			delete(sub.lanes, group)
			s.mu.Unlock()
			return
		}
		d := l.waiting[0]
		l.waiting = l.waiting[1:]
		s.mu.Unlock()
		if !s.sleep(time.Until(d.due)) {
			return
		}
		s.deliver(d)
	}
}

// deliver attempts a delivery until it succeeds or nothing is left to try.
func (s *Service) deliver(d *delivery) {
	if err := s.attempt(d); temporary(err) {
		s.retry(d, err)
	} else if err != nil {
		s.fail(d, err)
	}
}

func temporary(err error) bool {
	return err != nil && !errors.As(err, new(permanentError))
}

// retry repeats a delivery that failed with err.
func (s *Service) retry(d *delivery, err error) {
	policy := managedRetries
	if !protocols[d.sub.protocol].managed {
		policy = *d.http.Retry
	}
	for n := 1; temporary(err); n++ {
		wait, ok := policy.delay(n)
		if !ok {
			break
		}
		if !s.sleep(wait) {
			return
		}
		err = s.attempt(d)
	}
	if err != nil {
		s.fail(d, err)
	}
}

// attempt delivers d once. It returns nil too if the delivery is no longer wanted.
func (s *Service) attempt(d *delivery) error {
	s.mu.Lock()
	wanted := !d.sub.gone || d.kind == unsubscribeConfirmation
	if d.replay != nil {
		wanted = wanted && d.sub.replay == d.replay
		d.replay.begun = true
	}
	slot := d.sub.takeSlot(d.http.Throttle)
	s.mu.Unlock()
	if !wanted || !s.sleep(slot) {
		return nil
	}
	err := protocols[d.sub.protocol].attempt(s, d)
	if err == nil {
		s.done(d)
	}
	switch {
	case d.kind != notification:
	case err == nil:
		s.count(d.sub.topic, notificationsDelivered, 1)
	case !protocols[d.sub.protocol].managed:
		s.count(d.sub.topic, notificationsFailed, 1)
	}
	return err
}

// takeSlot returns how long a delivery has to wait so that the subscription gets no more than its rate. The caller holds the
// service's mu.
func (sub *subscription) takeSlot(p *throttlePolicy) time.Duration {
	if p == nil {
		return 0
	}
	now := time.Now()
	slot := sub.slot
	if slot.Before(now) {
		slot = now
	}
	sub.slot = slot.Add(time.Second / time.Duration(p.MaxReceivesPerSecond))
	return slot.Sub(now)
}

// done counts a delivery that has ended.
func (s *Service) done(d *delivery) {
	if d.replay != nil {
		s.mu.Lock()
		d.replay.left--
		s.mu.Unlock()
	}
}

// fail gives a delivery up: the message goes to the dead-letter queue, if there is one.
func (s *Service) fail(d *delivery, err error) {
	defer s.done(d)
	if d.kind == notification && protocols[d.sub.protocol].managed {
		s.count(d.sub.topic, notificationsFailed, 1)
	}
	log := s.log.With("service", "sns", "subscription", d.sub.arn, "endpoint", d.sub.endpoint, "message", d.message.id, "error", err)
	if d.settings.deadLetter == "" || d.kind != notification {
		log.Warn("message could not be delivered and is dropped")
		return
	}
	if dead := s.queue(d, d.settings.deadLetter); dead != nil {
		s.count(d.sub.topic, notRedriven, 1)
		log.Warn("message could not be delivered, nor be put into the dead-letter queue, and is dropped", "queue", d.settings.deadLetter, "queueError", dead)
		return
	}
	s.count(d.sub.topic, redriven, 1)
	log.Warn("message could not be delivered and is in the dead-letter queue", "queue", d.settings.deadLetter)
}

// toQueue delivers d to the queue that is subscribed.
func (s *Service) toQueue(d *delivery) error {
	err := s.queue(d, d.sub.endpoint)
	if err != nil && !errors.Is(err, ErrUnavailable) {
		return permanentError{err}
	}
	return err
}

func (s *Service) queue(d *delivery, queueARN string) error {
	if s.queues == nil {
		return permanentError{errors.New("there are no queues")}
	}
	m := QueueMessage{TopicARN: d.sub.topic.arn}
	if d.raw() {
		if len(d.message.attributes) > maxRawAttributes {
			return permanentError{fmt.Errorf("a raw message with %d attributes: a queue takes %d", len(d.message.attributes), maxRawAttributes)}
		}
		m.Body, m.Attributes = d.body(), maps.Clone(d.message.attributes)
	} else {
		m.Body = s.envelope(d)
	}
	switch fifo := strings.HasSuffix(queueARN, ".fifo"); {
	case fifo:
		m.GroupID, m.DeduplicationID = d.message.groupID, d.message.deduplicationID
	case !d.sub.topic.fifo:
		m.GroupID = d.message.groupID // for fair queues; a standard queue gets none from a FIFO topic (recorded 2025-08-18)
	}
	return s.queues.Deliver(queueARN, m)
}

// toHTTP posts d to the subscriber. An answer 2xx is a success. 5xx, 429 and no answer are failures that may pass; any
// other answer is final.
// Source: Amazon SNS Developer Guide, "Message delivery retries" and "Parsing message formats" (checked 2026-12-01).
func (s *Service) toHTTP(d *delivery) error {
	if s.http == nil {
		return permanentError{errors.New("there is no network")}
	}
	body := d.body()
	if !d.raw() {
		body = s.envelope(d)
	}
	ctx, cancel := context.WithTimeout(s.ctx, responseTime)
	defer cancel()
	u, err := url.Parse(d.sub.endpoint)
	if err != nil {
		return permanentError{err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return permanentError{err}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		r.SetBasicAuth(u.User.Username(), password)
		r.URL.User = nil
	}
	r.Header.Set("Content-Type", defaultContentType)
	r.Header.Set("User-Agent", "Amazon Simple Notification Service Agent")
	r.Header.Set("X-Amz-Sns-Message-Type", d.kind)
	r.Header.Set("X-Amz-Sns-Message-Id", d.message.id)
	r.Header.Set("X-Amz-Sns-Topic-Arn", d.sub.topic.arn)
	if d.kind != subscriptionConfirmation {
		r.Header.Set("X-Amz-Sns-Subscription-Arn", d.sub.arn)
	}
	if d.kind == notification {
		r.Header.Set("Content-Type", d.http.Request.HeaderContentType)
	}
	if d.raw() {
		r.Header.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	resp, err := s.http.RoundTrip(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 5, resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("the subscriber answered %d", resp.StatusCode)
	}
	return permanentError{fmt.Errorf("the subscriber answered %d", resp.StatusCode)}
}
