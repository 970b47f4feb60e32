// want: gave-up

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// EndsAtFirstError takes a lost connection for the end of the world.
var EndsAtFirstError = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		sub := rdb.Subscribe(ctx, channel)
		defer sub.Close()
		defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
		if _, err := sub.Receive(ctx); err != nil {
			return err
		}
		ready()
		for {
			m, err := sub.ReceiveMessage(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			handle(m.Payload)
		}
	},
}
