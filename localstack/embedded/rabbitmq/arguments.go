package rabbitmq

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// integer returns a field value that is a whole number.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

// typeName is how messages call a field value's type.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case amqp.Decimal:
		return "decimal"
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case time.Time:
		return "timestamp"
	case amqp.Table:
		return "table"
	default:
		return "array"
	}
}

// sameArgument checks one argument of a declaration against that of what is there.
func sameArgument(name, where string, received, current amqp.Table) *exception {
	r, rok := received[name]
	c, cok := current[name]
	value := func(v any) string { return fmt.Sprintf("the value '%v' of type '%s'", v, typeName(v)) }
	switch {
	case !rok && !cok || rok && cok && equalValues(r, c):
		return nil
	case !rok:
		return fail(preconditionFailed, "inequivalent arg '%s' for %s: received none but current is %s", name, where, value(c))
	case !cok:
		return fail(preconditionFailed, "inequivalent arg '%s' for %s: received %s but current is none", name, where, value(r))
	}
	return fail(preconditionFailed, "inequivalent arg '%s' for %s: received '%v' but current is '%v'", name, where, r, c)
}

// The kinds of queues.
const (
	classic = "classic"
	quorum  = "quorum"
	stream  = "stream"
)

// A check says what is wrong with an argument's value, or nothing.
type check func(v any) string

func whole(from, to int64) check {
	return func(v any) string {
		n, ok := integer(v)
		switch {
		case !ok:
			return fmt.Sprintf("expected integer, got %s", typeName(v))
		case n < from:
			return fmt.Sprintf("value_too_small: %d", n)
		case n > to:
			return fmt.Sprintf("value_too_large: %d", n)
		}
		return ""
	}
}

func text(allowed ...string) check {
	return func(v any) string {
		s, ok := v.(string)
		switch {
		case !ok:
			return fmt.Sprintf("expected 'longstr', got %s", typeName(v))
		case len(allowed) > 0 && !slices.Contains(allowed, s):
			return fmt.Sprintf("'%s' is not one of %v", s, allowed)
		}
		return ""
	}
}

func truth(v any) string {
	if _, ok := v.(bool); !ok {
		return fmt.Sprintf("expected 'bool', got %s", typeName(v))
	}
	return ""
}

// maxMilliseconds is the longest time to live.
const maxMilliseconds = math.MaxUint32

// queueArguments are those that a queue's declaration may have, and for which kinds; a policy has them without "x-".
// Source: RabbitMQ documentation, "Queues", "Quorum Queues", "Streams" (checked 2026-12-01). x-queue-mode and x-queue-version are
// accepted without effect, as before 4.3.
var queueArguments = map[string]struct {
	check check
	kinds []string
}{
	"x-queue-type":                    {text(classic, quorum, stream), []string{classic, quorum, stream}},
	"x-expires":                       {whole(1, maxMilliseconds), []string{classic, quorum}},
	"x-message-ttl":                   {whole(0, maxMilliseconds), []string{classic, quorum}},
	"x-dead-letter-exchange":          {text(), []string{classic, quorum}},
	"x-dead-letter-routing-key":       {text(), []string{classic, quorum}},
	"x-dead-letter-strategy":          {text("at-most-once", "at-least-once"), []string{quorum}},
	"x-max-length":                    {whole(0, math.MaxInt64), []string{classic, quorum}},
	"x-max-length-bytes":              {whole(0, math.MaxInt64), []string{classic, quorum, stream}},
	"x-overflow":                      {text("drop-head", "reject-publish", "reject-publish-dlx"), []string{classic, quorum}},
	"x-max-priority":                  {whole(0, 255), []string{classic, quorum}},
	"x-queue-mode":                    {text("default", "lazy"), []string{classic}},
	"x-queue-version":                 {whole(1, 2), []string{classic}},
	"x-queue-master-locator":          {text(), []string{classic}},
	"x-queue-leader-locator":          {text("client-local", "balanced"), []string{classic, quorum, stream}},
	"x-single-active-consumer":        {truth, []string{classic, quorum}},
	"x-delivery-limit":                {whole(-1, math.MaxInt64), []string{quorum}},
	"x-quorum-initial-group-size":     {whole(1, 1000), []string{quorum}},
	"x-quorum-target-group-size":      {whole(1, 1000), []string{quorum}},
	"x-max-in-memory-length":          {whole(0, math.MaxInt64), []string{quorum}},
	"x-max-in-memory-bytes":           {whole(0, math.MaxInt64), []string{quorum}},
	"x-max-age":                       {maxAge, []string{stream}},
	"x-stream-max-segment-size-bytes": {whole(1, 3<<30), []string{stream}},
	"x-initial-cluster-size":          {whole(1, 1000), []string{stream}},
}

// notOffered are arguments that would change what a queue does, and do not here.
var notOffered = []string{"x-consumer-timeout", "x-delayed-retry-type", "x-delayed-retry-min", "x-delayed-retry-max"}

// ages are the units of x-max-age.
var ages = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'D': 24 * time.Hour, 'M': 30 * 24 * time.Hour, 'Y': 365 * 24 * time.Hour}

func maxAge(v any) string {
	if s, ok := v.(string); ok {
		if _, ok := parseAge(s); ok {
			return ""
		}
	}
	return fmt.Sprintf("invalid max age %v", v)
}

func parseAge(s string) (time.Duration, bool) {
	if len(s) < 2 {
		return 0, false
	}
	unit, ok := ages[s[len(s)-1]]
	n := 0
	for _, c := range s[:len(s)-1] {
		if c < '0' || c > '9' || n > 1e9 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return time.Duration(n) * unit, ok
}

// checkQueueArguments checks the arguments of a new queue and returns its kind.
func (ch *channel) checkQueueArguments(name string, t amqp.Table) (kind string, e *exception) {
	where := ch.vhost.described("queue", name)
	kind = classic
	if v, ok := t["x-queue-type"]; ok {
		s, isText := v.(string)
		if !isText || !slices.Contains([]string{classic, quorum, stream}, s) {
			return "", fail(preconditionFailed, "invalid arg 'x-queue-type' for %s: unknown queue type '%v'", where, v)
		}
		kind = s
	}
	for name, v := range t {
		if slices.Contains(notOffered, name) || name == "x-dead-letter-strategy" && v == "at-least-once" {
			return "", fail(notImplemented, "arg '%s' with value '%v' for %s is not offered by this RabbitMQ", name, v, where)
		}
		a, known := queueArguments[name]
		if !known {
			continue // any other may be there, for the application's own use
		}
		if !slices.Contains(a.kinds, kind) {
			return "", fail(preconditionFailed, "invalid arg '%s' for %s of queue type rabbit_%s_queue", name, where, kind)
		}
		if problem := a.check(v); problem != "" {
			return "", fail(preconditionFailed, "invalid arg '%s' for %s: %s", name, where, problem)
		}
	}
	if _, ok := t["x-dead-letter-routing-key"]; ok {
		if _, ok := t["x-dead-letter-exchange"]; !ok {
			return "", fail(preconditionFailed, "invalid arg 'x-dead-letter-routing-key' for %s: routing_key_but_no_dlx_defined", where)
		}
	}
	if kind == quorum && t["x-overflow"] == "reject-publish-dlx" {
		return "", fail(preconditionFailed, "invalid arg 'x-overflow' for %s: 'reject-publish-dlx' is not supported by quorum queues", where)
	}
	if kind == quorum {
		if n, ok := integer(t["x-max-priority"]); ok && n > 31 {
			return "", fail(preconditionFailed, "invalid arg 'x-max-priority' for %s: value_too_large: %d", where, n)
		}
	}
	return kind, nil
}
