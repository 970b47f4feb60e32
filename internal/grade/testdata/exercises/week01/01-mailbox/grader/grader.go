// Package grader grades the mailbox.
package grader

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is what the exercise asks for.
type Implementation struct {
	Send    func(ctx context.Context, rdb *redis.Client, text string) error
	Receive func(ctx context.Context, rdb *redis.Client, handle func(text string)) error
}

var (
	lost = grade.Finding{
		Name: "lost-letter", Func: "Receive",
		Cause:  "You send to one list and receive from another, or you return after the first letter although the context has not ended and more letters come.",
		Lesson: "week01#point-to-point",
	}
	failed = grade.Finding{
		Name: "send-failed", Func: "Send",
		Cause:  "You return an error although the letter is in the mailbox.",
		Lesson: "week01#point-to-point",
	}
)

// Exercise is the mailbox.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"redis"},
	Findings: []grade.Finding{lost, failed},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "two letters arrive", Run: letters},
		{Name: "the mailbox stays empty", Run: func(l *grade.Lab, impl Implementation) {
			receiver := l.Process("the receiver")
			receiver.Go(func(ctx context.Context) error {
				rdb := redis.NewClient(receiver.Redis())
				defer rdb.Close()
				return impl.Receive(ctx, rdb, func(string) {})
			})
			time.Sleep(time.Hour)
			receiver.Stop()
		}},
	},
}

func letters(l *grade.Lab, impl Implementation) {
	var mu sync.Mutex
	var got []string
	receiver := l.Process("the receiver")
	receiver.Go(func(ctx context.Context) error {
		rdb := redis.NewClient(receiver.Redis())
		defer rdb.Close()
		return impl.Receive(ctx, rdb, func(text string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, text)
			if text == "" {
				panic("the grader cannot read an empty letter")
			}
		})
	})
	time.Sleep(time.Second) // the receiver is there first, whatever the scheduler thinks
	sender := l.Process("the sender")
	for i := range 2 {
		err := sender.Do(func(ctx context.Context) error {
			rdb := redis.NewClient(sender.Redis())
			defer rdb.Close()
			return impl.Send(ctx, rdb, fmt.Sprint("letter ", i+1))
		})
		if err != nil {
			l.Report(failed, fmt.Sprintf("Send returned %q.", err), "Send returns nil.")
		}
	}
	time.Sleep(10 * time.Second)
	mu.Lock()
	defer mu.Unlock()
	for i := range 2 {
		text := fmt.Sprint("letter ", i+1)
		if !slices.Contains(got, text) {
			l.Report(lost, fmt.Sprintf("The sender sent %q, and after 10 s the receiver had %q.", text, got), "Every letter reaches the receiver within 10 s.")
			return
		}
	}
}
