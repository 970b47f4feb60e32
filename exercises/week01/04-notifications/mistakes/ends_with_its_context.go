// want: ended-with-its-context

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

// EndsWithItsContext takes the context of the call for that of the subscription.
var EndsWithItsContext = grader.Implementation{NewHub: func(rdb *redis.Client) grader.Hub {
	return &boundHub{with(func(*hub) {}).NewHub(rdb)}
}}

type boundHub struct{ grader.Hub }

func (h *boundHub) Subscribe(ctx context.Context, of grader.Topic, buffer int) (grader.Subscription, error) {
	s, err := h.Hub.Subscribe(ctx, of, buffer)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = s.Close() })
	}
	return s, err
}
