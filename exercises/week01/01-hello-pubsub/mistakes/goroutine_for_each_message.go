// want: not-in-turn

package mistakes

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// GoroutineForEachMessage gives the order of the messages away for speed that nobody asked for.
var GoroutineForEachMessage = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		var handling sync.WaitGroup
		defer handling.Wait()
		return solution.Subscribe(ctx, rdb, channel, ready, func(payload string) {
			handling.Go(func() { handle(payload) })
		})
	},
}
