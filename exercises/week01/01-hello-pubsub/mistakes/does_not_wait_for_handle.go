// want: left-while-handling

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// DoesNotWaitForHandle receives in one goroutine and waits for the context in another.
var DoesNotWaitForHandle = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		sub := rdb.Subscribe(ctx, channel)
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			return err
		}
		ready()
		go func() {
			for m := range sub.Channel() {
				handle(m.Payload)
			}
		}()
		<-ctx.Done()
		return nil
	},
}
