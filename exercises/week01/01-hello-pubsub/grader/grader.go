// Package grader checks the exercise.
package grader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is what the exercise asks for.
type Implementation struct {
	Publish   func(ctx context.Context, rdb *redis.Client, channel, payload string) (receivers int64, err error)
	Subscribe func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error
}

var (
	nobodyIsAnError = grade.Finding{
		Name: "nobody-is-an-error", Func: "Publish",
		Cause:  "You treat a count of 0 as a failure. Publishing to nobody succeeds: the publisher does not depend on its subscribers, that is the point of the pattern.",
		Lesson: "week01#publish-subscribe",
	}
	wrongReceivers = grade.Finding{
		Name: "wrong-receivers", Func: "Publish",
		Cause:  "PUBLISH answers with the number of clients it sent the message to, by channel and by pattern. PUBSUB NUMSUB, for one, does not count patterns. Return the answer of PUBLISH.",
		Lesson: "week01#redis-pubsub",
	}
	errorSwallowed = grade.Finding{
		Name: "error-swallowed", Func: "Publish",
		Cause:  "The error of the PUBLISH command got lost. Val() returns the value without the error; Result() and Err() have it.",
		Lesson: "week01#redis-pubsub",
	}
	neverReady = grade.Finding{
		Name: "never-ready", Func: "Subscribe",
		Cause:  "Nothing called ready. The confirmation is the first thing that Receive returns after Subscribe, as a *redis.Subscription; Channel and ReceiveMessage leave it out.",
		Lesson: "week01#the-traps",
		NoCase: "people forget the confirmation, not the call",
	}
	lostBeforeSubscribed = grade.Finding{
		Name: "lost-before-subscribed", Func: "Subscribe",
		Cause:  "You called ready before Redis had confirmed the subscription. Client.Subscribe sends the command and returns; until Redis has it, a message passes by.",
		Lesson: "week01#the-traps",
	}
	readyAgain = grade.Finding{
		Name: "ready-again", Func: "Subscribe",
		Cause:  "After a lost connection the client subscribes again, and Redis confirms again. You take each confirmation for the first.",
		Lesson: "week01#redis-pubsub",
	}
	startedWithoutRedis = grade.Finding{
		Name: "started-without-redis", Func: "Subscribe",
		Cause:  "Client.Subscribe returns no error: that comes with the first Receive. It was not looked at.",
		Lesson: "week01#the-traps",
		NoCase: "who does not wait for the confirmation is told of lost-before-subscribed first",
	}
	notHandled = grade.Finding{
		Name: "not-handled", Func: "Subscribe",
		Cause:  "A message came to the subscription and handle was not called with it. Does everything that is received reach handle?",
		Lesson: "week01#redis-pubsub",
		NoCase: "the ways to lose a message have findings of their own",
	}
	notInTurn = grade.Finding{
		Name: "not-in-turn", Func: "Subscribe",
		Cause:  "You call handle in a goroutine for each message. Redis delivers in order; that order ends where several goroutines run side by side.",
		Lesson: "week01#redis-pubsub",
	}
	gaveUp = grade.Finding{
		Name: "gave-up", Func: "Subscribe",
		Cause:  "You end at the first error of Receive or ReceiveMessage. A lost connection is an everyday matter: the next call connects and subscribes again, and Channel does all of it by itself.",
		Lesson: "week01#redis-pubsub",
	}
	neverStops = grade.Finding{
		Name: "never-stops", Func: "Subscribe",
		Cause:  "You wait in Receive or ReceiveMessage. A context that is cancelled does not end a read from the connection, only a deadline or Close does. Select on ctx.Done() and the messages' channel, or close the subscription when ctx ends.",
		Lesson: "week01#redis-pubsub",
	}
	leftWhileHandling = grade.Finding{
		Name: "left-while-handling", Func: "Subscribe",
		Cause:  "You return at once when ctx ends, while handle still runs in another goroutine. The caller believes that all is over, and goes on to close what handle uses.",
		Lesson: "week01#the-traps",
	}
	stillSubscribed = grade.Finding{
		Name: "still-subscribed", Func: "Subscribe",
		Cause:  "The subscription was not closed. It has a connection and goroutines of its own, and they stay until Close, whatever happens to ctx.",
		Lesson: "week01#redis-pubsub",
	}
)

// Exercise is what is checked.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"redis"},
	Findings: []grade.Finding{
		nobodyIsAnError, wrongReceivers, errorSwallowed, neverReady, lostBeforeSubscribed, readyAgain, startedWithoutRedis,
		notHandled, notInTurn, gaveUp, neverStops, leftWhileHandling, stillSubscribed,
	},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "something is published to nobody, and to some", Run: publish},
		{Name: "Redis cannot be reached when something is published", Run: publishUnreachable},
		{Name: "a message comes the moment the subscriber is ready", Run: ready},
		{Name: "three messages come while the first is handled", Run: inTurn},
		{Name: "the context ends while a message is handled", Run: stop},
		{Name: "the context ends while nothing happens", Run: stopIdle},
		{Name: "the connection is lost", Run: disconnect},
		{Name: "Redis cannot be reached by the subscriber", Run: subscribeUnreachable},
	},
}

const (
	channel = "news"
	patient = 10 * time.Second // for what should happen at once
)

func publish(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	p := l.Process("publisher")
	theirs := redis.NewClient(p.Redis())
	defer theirs.Close()

	var received []<-chan *redis.Message
	for want := range int64(3) {
		payload := fmt.Sprintf("message for %d", want)
		var got int64
		err := p.Do(func(ctx context.Context) (err error) {
			got, err = impl.Publish(ctx, theirs, channel, payload)
			return err
		})
		switch {
		case err != nil && want == 0:
			l.Report(nobodyIsAnError, fmt.Sprintf("Nobody was subscribed, and Publish returned the error %q.", err), "Publish returns 0 and no error.")
			return
		case err != nil || got != want:
			l.Report(wrongReceivers, fmt.Sprintf("%s Publish returned %d and the error %v.", listening[want], got, err), fmt.Sprintf("Publish returns %d and no error.", want))
			return
		}
		for _, messages := range received {
			select {
			case m := <-messages:
				if m.Payload == payload {
					continue
				}
				l.Report(wrongReceivers, fmt.Sprintf("A subscriber received %q.", m.Payload), fmt.Sprintf("It receives what was passed to Publish: %q.", payload))
			case <-time.After(patient):
				l.Report(wrongReceivers, fmt.Sprintf("Publish returned %d, but a subscriber to %q received nothing.", got, channel), fmt.Sprintf("%q is published to %q.", payload, channel))
			}
			return
		}
		listen := ours.Subscribe
		if want == 1 {
			listen = ours.PSubscribe
		}
		sub := listen(l.Context(), channel) // as a pattern, it matches itself
		defer sub.Close()
		if _, err := sub.Receive(l.Context()); err != nil {
			panic(err)
		}
		received = append(received, sub.Channel())
	}
}

var listening = []string{
	"Nobody was subscribed.",
	"One client was subscribed to the channel.",
	"One client was subscribed to the channel and one to a pattern that matches it.",
}

func publishUnreachable(l *grade.Lab, impl Implementation) {
	p := l.Process("publisher")
	theirs := redis.NewClient(p.Redis())
	defer theirs.Close()
	p.LoseRequest("PUBLISH", grade.Always)
	err := p.Do(func(ctx context.Context) error {
		_, err := impl.Publish(ctx, theirs, channel, "lost")
		return err
	})
	if err == nil {
		l.Report(errorSwallowed, "Each connection broke before the command arrived, and Publish returned no error.", "Publish returns the client's error.")
	}
}

func ready(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	p := l.Process("subscriber")
	options := p.Redis()
	options.OnConnect = func(context.Context, *redis.Conn) error {
		// The network is slow just now: what the subscriber sends after connecting is 300 ms under way.
		p.Partition()
		time.AfterFunc(300*time.Millisecond, p.Heal)
		return nil
	}
	var receivers int64
	s := subscribe(p, impl, options, func() {
		receivers = ours.Publish(l.Context(), channel, "first").Val()
	}, nil)
	if !s.waitReady(l) {
		return
	}
	time.Sleep(time.Second)
	if !slices.Contains(s.handled(), "first") {
		if receivers == 0 {
			l.Report(lostBeforeSubscribed,
				"A message was published as soon as you called ready. Redis knew of no subscriber, and the message is lost.",
				"ready is called when the subscription is in force, so that nothing published after it is missed.")
			return
		}
		l.Report(notHandled, "Redis sent the subscriber a message, and handle was not called within a second.", "handle is called for each message.")
		return
	}
	s.stop(l)
}

func inTurn(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	p := l.Process("subscriber")
	var mu sync.Mutex
	running, most := 0, 0
	s := subscribe(p, impl, p.Redis(), nil, func(payload string) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		if payload == "one" { // the first takes longest
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		running--
		mu.Unlock()
	})
	if !s.waitReady(l) {
		return
	}
	want := []string{"one", "two", "three"}
	for _, payload := range want {
		if err := ours.Publish(l.Context(), channel, payload).Err(); err != nil {
			panic(err)
		}
	}
	time.Sleep(3 * time.Second)
	mu.Lock()
	defer mu.Unlock()
	got := s.handled()
	switch {
	case most > 1:
		l.Report(notInTurn, fmt.Sprintf("handle ran %d times at the same time.", most), "handle is called for one message after the other, in the order of publishing.")
	case !slices.Equal(got, want):
		l.Report(notHandled, fmt.Sprintf("Published: %s. Handled: %s.", strings.Join(want, ", "), list(got)), "All are handled, once each, in the order of publishing.")
	default:
		s.stop(l)
	}
}

func stop(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	p := l.Process("subscriber")
	var mu sync.Mutex
	begun, ended := false, false
	s := subscribe(p, impl, p.Redis(), nil, func(string) {
		mu.Lock()
		begun = true
		mu.Unlock()
		time.Sleep(2 * time.Second)
		mu.Lock()
		ended = true
		mu.Unlock()
	})
	if !s.waitReady(l) {
		return
	}
	if err := ours.Publish(l.Context(), channel, "last").Err(); err != nil {
		panic(err)
	}
	time.Sleep(time.Second)
	if !s.stop(l) {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	switch {
	case !begun:
		l.Report(notHandled, "A message was published a second before ctx ended, and handle was not called.", "handle is called for each message.")
	case !ended:
		l.Report(leftWhileHandling, "handle had been running for a second when ctx ended. Subscribe returned, and handle went on.", "Subscribe returns when handle has returned.")
	}
}

func stopIdle(l *grade.Lab, impl Implementation) {
	p := l.Process("subscriber")
	s := subscribe(p, impl, p.Redis(), nil, nil)
	if s.waitReady(l) {
		time.Sleep(time.Hour)
		s.stop(l)
	}
}

func disconnect(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	p := l.Process("subscriber")
	s := subscribe(p, impl, p.Redis(), nil, nil)
	if !s.waitReady(l) {
		return
	}
	time.Sleep(time.Second)
	p.Disconnect()
	time.Sleep(patient)
	if err := ours.Publish(l.Context(), channel, "after the break").Err(); err != nil {
		panic(err)
	}
	time.Sleep(time.Second)
	switch {
	case s.ended():
		l.Report(gaveUp, fmt.Sprintf("The connection was cut once, and Subscribe returned: %v.", s.err), "Subscribe connects again and goes on until ctx ends.")
	case !slices.Contains(s.handled(), "after the break"):
		l.Report(gaveUp, "The connection was cut once. A message published 10 s later was not handled.", "Subscribe connects and subscribes again, and handles what comes from then on.")
	case s.timesReady() != 1:
		l.Report(readyAgain, fmt.Sprintf("The connection was cut once. ready was called %d times in all.", s.timesReady()), "ready is called once.")
	default:
		s.stop(l)
	}
}

func subscribeUnreachable(l *grade.Lab, impl Implementation) {
	p := l.Process("subscriber")
	p.LoseRequest("HELLO", grade.Always) // what a client says first
	s := subscribe(p, impl, p.Redis(), nil, nil)
	select {
	case <-s.done:
	case <-s.ready:
	case <-time.After(time.Minute):
	}
	const expected = "Subscribe returns the error, and ready is not called."
	switch {
	case s.timesReady() > 0:
		l.Report(startedWithoutRedis, "Redis could not be reached, and ready was called.", expected)
	case !s.ended():
		l.Report(startedWithoutRedis, "Redis could not be reached. After a minute Subscribe had not returned.", expected)
	case s.err == nil:
		l.Report(startedWithoutRedis, "Redis could not be reached, and Subscribe returned no error.", expected)
	default:
		_ = s.rdb.Close()
	}
}

// subscriber is a process in which the learner's Subscribe runs.
type subscriber struct {
	rdb    *redis.Client
	cancel context.CancelFunc
	ready  chan struct{} // closed when ready is first called
	done   chan struct{} // closed when Subscribe has returned
	err    error         // what it returned

	mu      sync.Mutex
	readies int
	got     []string
}

// subscribe runs Subscribe in p. Either callback may be nil; handled messages are recorded after handle.
func subscribe(p *grade.Process, impl Implementation, options *redis.Options, ready func(), handle func(payload string)) *subscriber {
	s := &subscriber{rdb: redis.NewClient(options), ready: make(chan struct{}), done: make(chan struct{})}
	started := make(chan struct{})
	p.Go(func(ctx context.Context) error {
		ctx, s.cancel = context.WithCancel(ctx)
		close(started)
		defer close(s.done)
		s.err = impl.Subscribe(ctx, s.rdb, channel, func() {
			if ready != nil {
				ready()
			}
			s.mu.Lock()
			s.readies++
			first := s.readies == 1
			s.mu.Unlock()
			if first {
				close(s.ready)
			}
		}, func(payload string) {
			if handle != nil {
				handle(payload)
			}
			s.mu.Lock()
			s.got = append(s.got, payload)
			s.mu.Unlock()
		})
		if errors.Is(s.err, context.Canceled) { // as good as nil
			s.err = nil
		}
		return nil
	})
	<-started
	return s
}

// waitReady waits until ready was called, and reports if it was not.
func (s *subscriber) waitReady(l *grade.Lab) bool {
	select {
	case <-s.ready:
		return true
	case <-s.done:
		l.Report(neverReady, fmt.Sprintf("Subscribe returned before it called ready: %v.", s.err), "Subscribe calls ready and then listens until ctx ends.")
	case <-time.After(patient):
		l.Report(neverReady, "10 s after its start Subscribe had not called ready.", "ready is called when Redis has confirmed the subscription.")
	}
	return false
}

// stop ends the context and waits for Subscribe; it reports what is wrong about that.
func (s *subscriber) stop(l *grade.Lab) bool {
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(patient):
		l.Report(neverStops, "ctx ended, and 10 s later Subscribe had not returned.", "Subscribe returns when ctx has ended and handle is not running.")
		return false
	}
	if s.err != nil {
		l.Report(gaveUp, fmt.Sprintf("Subscribe returned an error: %v.", s.err), "Subscribe returns nil when ctx ends.")
		return false
	}
	defer s.rdb.Close() // not before Redis was asked: it would close forgotten subscriptions, too
	time.Sleep(time.Second)
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	if n := ours.PubSubNumSub(l.Context(), channel).Val()[channel]; n != 0 {
		l.Report(stillSubscribed, fmt.Sprintf("Subscribe returned; a second later Redis counts %d subscriber to %q.", n, channel), "Redis counts 0.")
		return false
	}
	return true
}

func (s *subscriber) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *subscriber) handled() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *subscriber) timesReady() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readies
}

func list(payloads []string) string {
	if len(payloads) == 0 {
		return "nothing"
	}
	return strings.Join(payloads, ", ")
}
