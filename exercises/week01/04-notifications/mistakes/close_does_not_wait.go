// want: close-does-not-wait

package mistakes

import (
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

// CloseDoesNotWait leaves the end to a goroutine that looks now and then whether the hub is closed.
var CloseDoesNotWait = grader.Implementation{NewHub: func(rdb *redis.Client) grader.Hub {
	h := &watchedForClose{Hub: with(func(*hub) {}).NewHub(rdb), closed: make(chan struct{})}
	go func() {
		for {
			time.Sleep(100 * time.Millisecond)
			select {
			case <-h.closed:
				_ = h.Hub.Close()
				return
			default:
			}
		}
	}()
	return h
}}

type watchedForClose struct {
	grader.Hub
	closed chan struct{}
}

func (h *watchedForClose) Close() error {
	close(h.closed)
	return nil
}
