// want: stalled-by-slow-subscriber

package mistakes

import "github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"

// SlowStallsAll sends to each subscriber's channel and waits until there is room.
var SlowStallsAll = with(func(h *hub) {
	h.offer = func(s *subscription, n grader.Notification) {
		select {
		case s.c <- n:
		case <-s.done:
		}
	}
})
