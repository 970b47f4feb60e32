// Package mistakes holds the mailbox in every way that a verdict has a word for.
package mistakes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/internal/grade/lab"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/solution"
)

// FirstOnly returns after the first letter.
var FirstOnly = grader.Implementation{
	Send: solution.Send,
	Receive: func(ctx context.Context, rdb *redis.Client, handle func(text string)) error {
		fmt.Println("waiting for a letter")
		letter, err := rdb.BLPop(ctx, 0, solution.Mailbox).Result()
		if err != nil {
			return err
		}
		handle(letter[1])
		return nil
	},
}

// Retries goes on for ever when sending fails.
var Retries = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		for {
			if err := rdb.LPushX(ctx, "no such list", text).Err(); err == nil && rdb.LLen(ctx, "no such list").Val() > 0 {
				return nil
			}
			time.Sleep(time.Minute)
		}
	},
	Receive: solution.Receive,
}

// Deaf goes on although its context has ended.
var Deaf = grader.Implementation{
	Send: solution.Send,
	Receive: func(_ context.Context, rdb *redis.Client, handle func(text string)) error {
		for {
			letter, err := rdb.BLPop(context.Background(), 20*time.Second, solution.Mailbox).Result()
			if errors.Is(err, redis.Nil) {
				continue
			}
			if err != nil {
				return err
			}
			handle(letter[1])
		}
	},
}

// Spins does not wait after an error.
var Spins = grader.Implementation{
	Send: solution.Send,
	Receive: func(ctx context.Context, rdb *redis.Client, handle func(text string)) error {
		for { // the whole loop stands in one line, so that the fixture does not depend on where it is met
			if letter, err := rdb.BLPop(ctx, 20*time.Second, solution.Mailbox).Result(); err == nil {
				handle(letter[1])
			}
		}
	},
}

// Locks sleeps with a lock that another goroutine wants.
var Locks = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				mu.Lock()
				defer mu.Unlock()
				time.Sleep(time.Second)
			})
		}
		wg.Wait()
		return solution.Send(ctx, rdb, text)
	},
	Receive: solution.Receive,
}

var sending = make(chan struct{}, 1)

// PackageChannel bounds its goroutines with a channel that is made when the program starts.
var PackageChannel = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				sending <- struct{}{}
				time.Sleep(time.Second)
				<-sending
			})
		}
		wg.Wait()
		return solution.Send(ctx, rdb, text)
	},
	Receive: solution.Receive,
}

// Forgets leaves a goroutine that nobody receives from.
var Forgets = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		sent := make(chan error)
		go func() { sent <- solution.Send(ctx, rdb, text) }()
		time.Sleep(time.Second)
		return nil
	},
	Receive: solution.Receive,
}

// Subscribed leaves a subscription open, which has goroutines of the client's.
var Subscribed = grader.Implementation{
	Send: solution.Send,
	Receive: func(ctx context.Context, rdb *redis.Client, handle func(text string)) error {
		rdb.Subscribe(ctx, "doorbell").Channel()
		return solution.Receive(ctx, rdb, handle)
	},
}

// Panics writes to a nil map.
var Panics = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		var sent map[string]bool
		sent[text] = true
		return nil
	},
	Receive: solution.Receive,
}

// PanicsInGoroutine panics where nobody can recover.
var PanicsInGoroutine = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		fmt.Println("sending", text)
		go func() {
			letters := []string{}
			fmt.Println(letters[len(text)])
		}()
		time.Sleep(time.Second)
		return nil
	},
	Receive: solution.Receive,
}

// FatalError is one that the runtime does not let anybody recover.
var FatalError = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		var mu sync.Mutex
		mu.Unlock()
		return nil
	},
	Receive: solution.Receive,
}

// Exits ends the program.
var Exits = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		os.Exit(3)
		return nil
	},
	Receive: solution.Receive,
}

// HalfDone has not begun with one half.
var HalfDone = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		lab.TODO("push the text on the list")
		return nil
	},
	Receive: solution.Receive,
}

// HalfDoneInGoroutine says so where nobody can recover.
var HalfDoneInGoroutine = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		go lab.TODO("push the text on the list")
		time.Sleep(time.Second)
		return nil
	},
	Receive: solution.Receive,
}

// Races writes a variable in two goroutines.
var Races = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		sent := 0
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { sent++ })
		}
		wg.Wait()
		return solution.Send(ctx, rdb, text)
	},
	Receive: solution.Receive,
}

// BreaksGrader is our fault: the grader panics.
var BreaksGrader = grader.Implementation{
	Send: func(ctx context.Context, rdb *redis.Client, text string) error {
		return solution.Send(ctx, rdb, "")
	},
	Receive: solution.Receive,
}
