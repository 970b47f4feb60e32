// Package solution is the mailbox as it should be.
package solution

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Mailbox is the list's key.
const Mailbox = "mailbox"

// Send puts text into the mailbox.
func Send(ctx context.Context, rdb *redis.Client, text string) error {
	return rdb.RPush(ctx, Mailbox, text).Err()
}

// Receive hands every letter of the mailbox to handle, until ctx ends.
func Receive(ctx context.Context, rdb *redis.Client, handle func(text string)) error {
	for ctx.Err() == nil {
		letter, err := rdb.BLPop(ctx, 20*time.Second, Mailbox).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return err
		}
		handle(letter[1])
	}
	return ctx.Err()
}
