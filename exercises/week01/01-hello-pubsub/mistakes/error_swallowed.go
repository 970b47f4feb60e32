// want: error-swallowed

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/solution"
)

// ErrorSwallowed takes the command's value without its error.
var ErrorSwallowed = grader.Implementation{
	Publish: func(ctx context.Context, rdb *redis.Client, channel, payload string) (receivers int64, err error) {
		return rdb.Publish(ctx, channel, payload).Val(), nil
	},
	Subscribe: solution.Subscribe,
}
