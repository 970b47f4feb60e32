package handler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/brokerdojo/brokerdojo/functions/internal/handler"
)

func batch(concurrency int) handler.Batch {
	return handler.Batch{Log: slog.New(slog.DiscardHandler), Metrics: &handler.Metrics{W: io.Discard}, Concurrency: concurrency, Reserve: time.Second}
}

func event(bodies ...string) events.SQSEvent {
	var e events.SQSEvent
	for _, b := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: "id-" + b, Body: b, Attributes: map[string]string{"ApproximateReceiveCount": "2"}})
	}
	return e
}

func failures(r events.SQSEventResponse) string {
	var ids []string
	for _, f := range r.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return strings.Join(ids, " ")
}

func TestOnlyWhatFailedIsReported(t *testing.T) {
	b := batch(4)
	r, err := b.Handle(t.Context(), event("a", "b", "c"), func(_ context.Context, m handler.Message) error {
		switch m.Body {
		case "b":
			return errors.New("no")
		case "c":
			panic("oh")
		}
		return nil
	})
	if got := failures(r); err != nil || got != "id-b id-c" {
		t.Errorf("failures %q, error %v", got, err)
	}
}

func TestAnAnswerWithoutFailuresIsAnEmptyListAndNotNull(t *testing.T) {
	b := batch(1)
	r, _ := b.Handle(t.Context(), event("a"), func(context.Context, handler.Message) error { return nil })
	if text, _ := json.Marshal(r); string(text) != `{"batchItemFailures":[]}` {
		t.Errorf("%s", text)
	}
}

func TestNoMoreAtOnceThanConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		b := batch(3)
		_, _ = b.Handle(t.Context(), event("a", "b", "c", "d", "e", "f", "g"), func(context.Context, handler.Message) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			return nil
		})
		if most.Load() != 3 {
			t.Errorf("%d at once, want 3", most.Load())
		}
	})
}

func TestNoMessageIsBegunInTheLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		b := batch(1)
		begun := 0
		r, _ := b.Handle(ctx, event("a", "b", "c", "d"), func(context.Context, handler.Message) error {
			begun++
			time.Sleep(2 * time.Second)
			return nil
		})
		if got := failures(r); begun != 2 || got != "id-c id-d" {
			t.Errorf("%d were begun, failures %q", begun, got)
		}
	})
}

func TestAFIFOGroupStopsAtItsFirstFailure(t *testing.T) {
	e := event("a1", "b1", "a2", "b2")
	for i := range e.Records {
		e.Records[i].Attributes["SequenceNumber"], e.Records[i].Attributes["MessageGroupId"] = "1", e.Records[i].Body[:1]
	}
	var order []string
	b := batch(10)
	r, _ := b.Handle(t.Context(), e, func(_ context.Context, m handler.Message) error {
		order = append(order, m.Body)
		if m.Body == "a1" {
			return errors.New("no")
		}
		return nil
	})
	if got := failures(r); strings.Join(order, " ") != "a1 b1 b2" || got != "id-a1 id-a2" {
		t.Errorf("processed %v, failures %q", order, got)
	}
}

func TestLogsAndMetricsAreLinesOfJSONWithTheCorrelationID(t *testing.T) {
	var out bytes.Buffer
	b := batch(1)
	b.Log, b.Metrics = handler.Logger(&out), &handler.Metrics{W: &out, Namespace: "N", Pattern: "p"}
	e := event("a")
	id := "order-17"
	e.Records[0].MessageAttributes = map[string]events.SQSMessageAttribute{"correlation-id": {StringValue: &id, DataType: "String"}}
	_, _ = b.Handle(t.Context(), e, func(ctx context.Context, m handler.Message) error {
		handler.Log(ctx).Info("working")
		return nil
	})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	var log struct {
		CorrelationID string
		Receives      int
	}
	var metrics struct {
		Processed float64
		AWS       struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
			}
		} `json:"_aws"`
	}
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &log), json.Unmarshal([]byte(lines[1]), &metrics)); err != nil {
		t.Fatal(err)
	}
	if log.CorrelationID != "order-17" || log.Receives != 2 || metrics.Processed != 1 || metrics.AWS.CloudWatchMetrics[0].Namespace != "N" || metrics.AWS.CloudWatchMetrics[0].Dimensions[0][0] != "pattern" {
		t.Errorf("%s", out.String())
	}
}

func TestEnvironmentSaysAllThatIsWrong(t *testing.T) {
	env := handler.NewEnvironment(func(name string) (string, bool) {
		v, ok := map[string]string{"N": "many", "ONE": "c"}[name]
		return v, ok
	})
	env.Text("URL")
	env.Number("N", 1, 5, 1)
	env.OneOf("ONE", "a", "b")
	if n := env.Number("OTHER", 1, 5, 3); n != 3 {
		t.Errorf("what is not set is %d", n)
	}
	err := env.Err()
	for _, part := range []string{"URL is not set", `N is "many": it must be a number from 1 to 5`, `ONE is "c": it must be one of a, b`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want %q in it", err, part)
		}
	}
}
