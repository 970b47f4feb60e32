// Package solution is one good answer to the exercise.
package solution

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Publish sends payload to channel and returns how many subscribers Redis handed it to.
func Publish(ctx context.Context, rdb *redis.Client, channel, payload string) (receivers int64, err error) {
	receivers, err = rdb.Publish(ctx, channel, payload).Result()
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w", channel, err)
	}
	return receivers, nil
}

// Subscribe handles what is published to channel, from the call of ready until ctx ends.
func Subscribe(ctx context.Context, rdb *redis.Client, channel string, ready func(), handle func(payload string)) error {
	sub := rdb.Subscribe(ctx, channel)
	defer sub.Close()

	// The first thing that comes in is Redis's confirmation. Without it we would not know whether we miss anything.
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("subscribe to %s: %w", channel, err)
	}
	ready()

	// Channel, and not ReceiveMessage(ctx): it subscribes again after a lost connection, and it lets us wait for ctx.
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-messages:
			handle(m.Payload)
		}
	}
}
