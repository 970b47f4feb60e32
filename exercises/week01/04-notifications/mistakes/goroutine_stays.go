// want: leaks-on-unsubscribe

package mistakes

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

// GoroutineStays gives each subscription a goroutine that waits for the hub's end, whatever becomes of the subscription.
var GoroutineStays = grader.Implementation{NewHub: func(rdb *redis.Client) grader.Hub {
	ctx, cancel := context.WithCancel(context.Background())
	return &watchedHub{Hub: with(func(*hub) {}).NewHub(rdb), ctx: ctx, cancel: cancel}
}}

type watchedHub struct {
	grader.Hub
	ctx    context.Context
	cancel context.CancelFunc
}

func (h *watchedHub) Subscribe(ctx context.Context, of grader.Topic, buffer int) (grader.Subscription, error) {
	s, err := h.Hub.Subscribe(ctx, of, buffer)
	if err != nil {
		return nil, err
	}
	go func() {
		<-h.ctx.Done()
		_ = s.Close()
	}()
	return s, nil
}

func (h *watchedHub) Close() error {
	h.cancel()
	return h.Hub.Close()
}
