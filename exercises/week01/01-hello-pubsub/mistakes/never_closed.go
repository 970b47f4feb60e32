// want: still-subscribed

package mistakes

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// NeverClosed believes that the subscription ends with the context that it was made with.
var NeverClosed = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		sub := rdb.Subscribe(ctx, channel)
		if _, err := sub.Receive(ctx); err != nil {
			_ = sub.Close()
			return fmt.Errorf("subscribe: %w", err)
		}
		ready()
		messages := sub.Channel()
		for {
			select {
			case <-ctx.Done():
				return nil
			case m := <-messages:
				handle(m.Payload)
			}
		}
	},
}
