// want: kept-the-oldest

package mistakes

import "github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"

// DropsTheNew never waits, and keeps what nobody wants to know any more.
var DropsTheNew = with(func(h *hub) {
	h.offer = func(s *subscription, n grader.Notification) {
		select {
		case s.c <- n:
		default:
			s.dropped.Add(1)
		}
	}
})
