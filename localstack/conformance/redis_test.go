package conformance_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// redisRule is a rule from Redis's documentation that a redis-server 7.0.15 was seen to keep on the same day.
func redisRule(name, source string) Rule {
	return Rule{Name: name, Source: "Redis documentation, " + source, Checked: "2026-12-01"}
}

// value returns a command's result and ends the rule if there is none.
func value[T any](t *testing.T, cmd interface{ Result() (T, error) }) T {
	t.Helper()
	v, err := cmd.Result()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return v
}

// refused ends the rule unless err is an answer of the server that begins with the code.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	var answer redis.Error
	if !errors.As(err, &answer) || !strings.HasPrefix(err.Error(), code) {
		t.Fatalf("got %v, want an answer that begins with %s", err, code)
	}
}

// isNil ends the rule unless the server answered that there is nothing.
func isNil(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, redis.Nil) {
		t.Fatalf("got %v, want nil from the server", err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// setting changes a setting of the server for as long as the rule runs.
func setting(t *testing.T, client *redis.Client, name, value string) {
	t.Helper()
	old, err := client.ConfigGet(t.Context(), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.ConfigSet(context.Background(), name, old[name]).Err(); err != nil {
			t.Errorf("restore %s: %v", name, err)
		}
	})
}

// needsBelow skips a rule on a server whose version is at least major.minor.
func needsBelow(t *testing.T, client *redis.Client, major, minor int) {
	t.Helper()
	for line := range strings.Lines(value(t, client.Info(t.Context(), "server"))) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok {
			parts := strings.Split(v, ".")
			x, _ := strconv.Atoi(parts[0])
			y, _ := strconv.Atoi(parts[1])
			if x > major || x == major && y >= minor {
				t.Skipf("the server is %s", v)
			}
			return
		}
	}
	t.Fatal("the server does not say its version")
}

// subscriber is a subscription whose every confirmation has arrived.
type subscriber struct {
	*redis.PubSub
	t *testing.T
}

func subscribed(t *testing.T, ps *redis.PubSub, channels int) subscriber {
	t.Helper()
	t.Cleanup(func() { _ = ps.Close() })
	for range channels {
		m, err := ps.ReceiveTimeout(t.Context(), 5*time.Second)
		if _, ok := m.(*redis.Subscription); err != nil || !ok {
			t.Fatalf("subscribe: %v %v", m, err)
		}
	}
	return subscriber{ps, t}
}

// next returns the next message.
func (s subscriber) next() *redis.Message {
	s.t.Helper()
	for {
		m, err := s.ReceiveTimeout(s.t.Context(), 5*time.Second)
		if err != nil {
			s.t.Fatalf("no message: %v", err)
		}
		if m, ok := m.(*redis.Message); ok {
			return m
		}
	}
}

// nothing ends the rule if a message comes within a while.
func (s subscriber) nothing() {
	s.t.Helper()
	m, err := s.ReceiveTimeout(s.t.Context(), 200*time.Millisecond)
	if err == nil {
		s.t.Fatalf("got %v, want no message", m)
	}
}
