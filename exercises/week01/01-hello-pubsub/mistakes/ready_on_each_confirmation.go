// want: ready-again

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// ReadyOnEachConfirmation forgets that the client subscribes again after a lost connection.
var ReadyOnEachConfirmation = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		sub := rdb.Subscribe(ctx, channel)
		defer sub.Close()
		if err := sub.Ping(ctx); err != nil {
			return err
		}
		incoming := sub.ChannelWithSubscriptions()
		for {
			select {
			case <-ctx.Done():
				return nil
			case m := <-incoming:
				switch m := m.(type) {
				case *redis.Subscription:
					ready()
				case *redis.Message:
					handle(m.Payload)
				}
			}
		}
	},
}
