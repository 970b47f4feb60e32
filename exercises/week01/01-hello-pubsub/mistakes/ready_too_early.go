// want: lost-before-subscribed

// Package mistakes holds solutions that are wrong the way people really get it wrong.
package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// ReadyTooEarly takes the return of Client.Subscribe for the subscription.
var ReadyTooEarly = grader.Implementation{
	Publish: solution.Publish,
	Subscribe: func(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
		sub := rdb.Subscribe(ctx, channel)
		defer sub.Close()
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
