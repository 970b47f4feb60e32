// want: nobody-is-an-error

package mistakes

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// NobodyIsAnError makes the publisher depend on its subscribers.
var NobodyIsAnError = grader.Implementation{
	Publish: func(ctx context.Context, rdb *redis.Client, channel, payload string) (receivers int64, err error) {
		receivers, err = rdb.Publish(ctx, channel, payload).Result()
		if err != nil {
			return 0, err
		}
		if receivers == 0 {
			return 0, fmt.Errorf("nobody listens to %s", channel)
		}
		return receivers, nil
	},
	Subscribe: solution.Subscribe,
}
