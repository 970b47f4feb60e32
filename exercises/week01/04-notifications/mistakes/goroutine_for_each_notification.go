// want: buffer-without-bound

package mistakes

import "github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"

// GoroutineForEachNotification lets goroutines wait where the buffer is full: a buffer without an end, and without an order.
var GoroutineForEachNotification = with(func(h *hub) {
	h.offer = func(s *subscription, n grader.Notification) {
		select {
		case s.c <- n:
		default:
			go func() {
				defer func() { _ = recover() }() // the channel may be closed by then
				s.c <- n
			}()
		}
	}
})
