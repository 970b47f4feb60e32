// Package solution is one good answer to the exercise: one Redis connection a hub, whatever the number of its subscribers.
package solution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

var errClosed = errors.New("the hub is closed")

// NewHub returns a hub that talks to rdb.
func NewHub(rdb *redis.Client) grader.Hub {
	return &hub{rdb: rdb, topics: map[string]*topic{}, done: make(chan struct{})}
}

type hub struct {
	rdb  *redis.Client
	done chan struct{} // closed by Close

	mu      sync.Mutex
	closed  bool
	sub     *redis.PubSub     // nil until somebody subscribes
	topics  map[string]*topic // by pattern
	once    sync.Once         // starts the reader
	reading sync.WaitGroup    // the reader
}

// topic is a pattern that the hub is subscribed to, for one or more subscribers.
type topic struct {
	pattern     string
	confirmed   chan struct{} // closed when Redis has confirmed the pattern
	subscribers map[*subscription]struct{}
}

// Publish sends n as JSON.
func (h *hub) Publish(ctx context.Context, n grader.Notification) error {
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notification %s: %w", n.ID, err)
	}
	if err := h.rdb.Publish(ctx, channel(url.QueryEscape(n.User), url.QueryEscape(n.Kind)), payload).Err(); err != nil {
		return fmt.Errorf("publish notification %s: %w", n.ID, err)
	}
	return nil
}

// Subscribe listens to a topic.
func (h *hub) Subscribe(ctx context.Context, of grader.Topic, buffer int) (grader.Subscription, error) {
	s, t, err := h.add(ctx, pattern(of), buffer)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %+v: %w", of, err)
	}
	select {
	case <-t.confirmed:
		return s, nil
	case <-h.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("subscribe to %+v: %w", of, ctx.Err()), s.Close())
	}
}

func (h *hub) add(ctx context.Context, pattern string, buffer int) (*subscription, *topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, errClosed
	}
	if h.sub == nil {
		h.sub = h.rdb.PSubscribe(ctx) // to nothing yet, which takes no connection
	}
	t := h.topics[pattern]
	if t == nil {
		if err := h.sub.PSubscribe(ctx, pattern); err != nil {
			return nil, nil, err
		}
		h.once.Do(func() {
			incoming := h.sub.ChannelWithSubscriptions()
			h.reading.Go(func() { h.read(incoming) })
		})
		t = &topic{pattern: pattern, confirmed: make(chan struct{}), subscribers: map[*subscription]struct{}{}}
		h.topics[pattern] = t
	}
	s := &subscription{hub: h, topic: t, notifications: make(chan grader.Notification, max(buffer, 1))}
	t.subscribers[s] = struct{}{}
	return s, t, nil
}

// read passes on what comes from Redis until the connection is closed for good. go-redis connects and subscribes again by
// itself when the connection is lost.
func (h *hub) read(incoming <-chan any) {
	for m := range incoming {
		switch m := m.(type) {
		case *redis.Subscription:
			if m.Kind == "psubscribe" {
				h.confirm(m.Channel)
			}
		case *redis.Message:
			h.deliver(m)
		}
	}
}

func (h *hub) confirm(pattern string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[pattern]
	if t == nil {
		return
	}
	select {
	case <-t.confirmed: // before the connection was lost
	default:
		close(t.confirmed)
	}
}

// deliver hands a message to the subscribers of the one pattern that it came for. If it matches several of our patterns,
// Redis sends it once for each of them.
func (h *hub) deliver(m *redis.Message) {
	var n grader.Notification
	if err := json.Unmarshal([]byte(m.Payload), &n); err != nil {
		return // not one of ours; a service would count and log it
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[m.Pattern]; t != nil {
		for s := range t.subscribers {
			s.offer(n) // does not block
		}
	}
}

// remove ends a subscription. The caller holds h.mu.
func (h *hub) remove(s *subscription) error {
	t := s.topic
	if _, ok := t.subscribers[s]; !ok {
		return nil
	}
	delete(t.subscribers, s)
	close(s.notifications)
	if len(t.subscribers) > 0 {
		return nil
	}
	delete(h.topics, t.pattern)
	if err := h.sub.PUnsubscribe(context.Background(), t.pattern); err != nil {
		return fmt.Errorf("unsubscribe from %s: %w", t.pattern, err)
	}
	return nil
}

// Close ends all subscriptions and waits for the reader.
func (h *hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	close(h.done)
	var err error
	if h.sub != nil {
		err = h.sub.Close() // Redis forgets the patterns along with the connection
	}
	for _, t := range h.topics {
		for s := range t.subscribers {
			delete(t.subscribers, s)
			close(s.notifications)
		}
	}
	clear(h.topics)
	h.mu.Unlock()
	h.reading.Wait()
	return err
}

type subscription struct {
	hub           *hub
	topic         *topic
	notifications chan grader.Notification // its capacity is the subscriber's buffer
	dropped       atomic.Int64
}

// Notifications returns the channel that they arrive on.
func (s *subscription) Notifications() <-chan grader.Notification { return s.notifications }

// Dropped returns how many were dropped.
func (s *subscription) Dropped() int { return int(s.dropped.Load()) }

// Close ends the subscription.
func (s *subscription) Close() error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.hub.remove(s)
}

// offer puts n into the buffer and, as long as it is full, throws the oldest out. It never waits for the subscriber.
// The caller holds hub.mu, so nobody else puts anything in, and the channel is open.
func (s *subscription) offer(n grader.Notification) {
	for {
		select {
		case s.notifications <- n:
			return
		default:
		}
		select {
		case <-s.notifications:
			s.dropped.Add(1)
		default: // the subscriber has just made room
		}
	}
}

// channel is the name that a notification is published under. In a pattern "*" stands for any characters, the separator
// included, so the separator must not be in a user's or a kind's name: it is escaped there, and so is "*" itself.
func channel(user, kind string) string { return "notifications:" + user + ":" + kind }

// pattern matches the channels of a topic's notifications, and no others.
func pattern(t grader.Topic) string {
	user, kind := "*", "*"
	if t.User != "" {
		user = url.QueryEscape(t.User)
	}
	if t.Kind != "" {
		kind = url.QueryEscape(t.Kind)
	}
	return channel(user, kind)
}
