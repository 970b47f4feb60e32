// want: never-stops

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// CannotBeStopped trusts that a cancelled context ends ReceiveMessage.
var CannotBeStopped = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		sub := rdb.Subscribe(ctx, channel)
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			return err
		}
		ready()
		for ctx.Err() == nil {
			if m, err := sub.ReceiveMessage(ctx); err == nil {
				handle(m.Payload)
			}
		}
		return nil
	},
}
