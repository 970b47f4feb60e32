// Package mistakes holds solutions that are wrong the way people really get it wrong. Each is the hub of this file with one
// piece exchanged for a wrong one.
package mistakes

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

// hub is right as it stands. The fields that are functions are the pieces; nil is the right one.
type hub struct {
	rdb *redis.Client

	name    func(part string) string                       // of a user or a kind, in a channel
	encode  func(n grader.Notification) ([]byte, error)    // a payload
	decode  func(b []byte, n *grader.Notification) error   // what encode made
	confirm func(t *topic)                                 // waits for Redis
	read    func(h *hub)                                   // receives until the end
	bad     func(err error) (goOn bool)                    // a payload could not be decoded
	fits    func(h *hub, pattern, channel string) []*topic // who gets a message
	offer   func(s *subscription, n grader.Notification)   // hands it to a subscriber
	leave   func(h *hub, t *topic)                         // Redis is told, or not

	mu      sync.Mutex
	sub     *redis.PubSub
	topics  map[string]*topic
	started bool
	reading sync.WaitGroup
}

type topic struct {
	pattern   string
	confirmed chan struct{}
	once      sync.Once
	subs      map[*subscription]bool
}

type subscription struct {
	hub     *hub
	topic   *topic
	c       chan grader.Notification
	done    chan struct{} // closed with c
	dropped atomic.Int64
}

func with(change func(h *hub)) grader.Implementation {
	return grader.Implementation{NewHub: func(rdb *redis.Client) grader.Hub {
		h := &hub{
			rdb: rdb, topics: map[string]*topic{},
			name:    url.QueryEscape,
			encode:  func(n grader.Notification) ([]byte, error) { return json.Marshal(n) },
			decode:  func(b []byte, n *grader.Notification) error { return json.Unmarshal(b, n) },
			confirm: func(t *topic) { <-t.confirmed },
			read:    readAll,
			bad:     func(error) bool { return true },
			fits:    byPattern,
			offer:   dropOldest,
			leave:   unsubscribeWhenEmpty,
		}
		change(h)
		return h
	}}
}

func (h *hub) Publish(ctx context.Context, n grader.Notification) error {
	payload, err := h.encode(n)
	if err != nil {
		return err
	}
	return h.rdb.Publish(ctx, "n:"+h.name(n.User)+":"+h.name(n.Kind), payload).Err()
}

func (h *hub) pattern(t grader.Topic) string {
	user, kind := "*", "*"
	if t.User != "" {
		user = h.name(t.User)
	}
	if t.Kind != "" {
		kind = h.name(t.Kind)
	}
	return "n:" + user + ":" + kind
}

func (h *hub) Subscribe(ctx context.Context, of grader.Topic, buffer int) (grader.Subscription, error) {
	pattern := h.pattern(of)
	h.mu.Lock()
	t := h.topics[pattern]
	if t == nil {
		t = &topic{pattern: pattern, confirmed: make(chan struct{}), subs: map[*subscription]bool{}}
		h.topics[pattern] = t
		if h.sub == nil {
			h.sub = h.rdb.PSubscribe(ctx, pattern)
		} else if err := h.sub.PSubscribe(ctx, pattern); err != nil {
			h.mu.Unlock()
			return nil, err
		}
		if !h.started {
			h.started = true
			h.reading.Go(func() { h.read(h) })
		}
	}
	s := &subscription{hub: h, topic: t, c: make(chan grader.Notification, buffer), done: make(chan struct{})}
	t.subs[s] = true
	h.mu.Unlock()
	h.confirm(t)
	return s, nil
}

func readAll(h *hub) {
	for m := range h.sub.ChannelWithSubscriptions() {
		if !h.incoming(m) {
			return
		}
	}
}

func (h *hub) incoming(m any) bool {
	switch m := m.(type) {
	case *redis.Subscription:
		h.mu.Lock()
		if t := h.topics[m.Channel]; t != nil && m.Kind == "psubscribe" {
			t.once.Do(func() { close(t.confirmed) })
		}
		h.mu.Unlock()
	case *redis.Message:
		var n grader.Notification
		if err := h.decode([]byte(m.Payload), &n); err != nil {
			return h.bad(err)
		}
		h.mu.Lock()
		var subs []*subscription
		for _, t := range h.fits(h, m.Pattern, m.Channel) {
			for s := range t.subs {
				subs = append(subs, s)
			}
		}
		h.mu.Unlock()
		for _, s := range subs {
			h.offer(s, n)
		}
	}
	return true
}

func byPattern(h *hub, pattern, _ string) []*topic {
	if t := h.topics[pattern]; t != nil {
		return []*topic{t}
	}
	return nil
}

func dropOldest(s *subscription, n grader.Notification) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for s.topic.subs[s] {
		select {
		case s.c <- n:
			return
		default:
		}
		select {
		case <-s.c:
			s.dropped.Add(1)
		default:
		}
	}
}

func unsubscribeWhenEmpty(h *hub, t *topic) {
	if len(t.subs) == 0 {
		delete(h.topics, t.pattern)
		_ = h.sub.PUnsubscribe(context.Background(), t.pattern)
	}
}

func (h *hub) Close() error {
	h.mu.Lock()
	for _, t := range h.topics {
		for s := range t.subs {
			s.close()
		}
	}
	var err error
	if h.sub != nil {
		err = h.sub.Close()
	}
	h.mu.Unlock()
	h.reading.Wait()
	return err
}

func (s *subscription) Notifications() <-chan grader.Notification { return s.c }

func (s *subscription) Dropped() int { return int(s.dropped.Load()) }

func (s *subscription) Close() error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.topic.subs[s] {
		s.close()
		s.hub.leave(s.hub, s.topic)
	}
	return nil
}

func (s *subscription) close() {
	delete(s.topic.subs, s)
	close(s.done)
	close(s.c)
}
