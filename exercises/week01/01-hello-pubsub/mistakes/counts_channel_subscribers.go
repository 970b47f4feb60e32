// want: wrong-receivers

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// CountsChannelSubscribers asks a second question for what the first one's answer says.
var CountsChannelSubscribers = grader.Implementation{
	Publish: func(ctx context.Context, rdb *redis.Client, channel, payload string) (receivers int64, err error) {
		if err := rdb.Publish(ctx, channel, payload).Err(); err != nil {
			return 0, err
		}
		subscribers, err := rdb.PubSubNumSub(ctx, channel).Result() // does not count patterns
		return subscribers[channel], err
	},
	Subscribe: solution.Subscribe,
}
