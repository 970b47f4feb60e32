// want: closed-someone-elses

package mistakes

import "context"

// UnsubscribesTheOthers takes a subscription for the subscription.
var UnsubscribesTheOthers = with(func(h *hub) {
	h.leave = func(h *hub, t *topic) {
		_ = h.sub.PUnsubscribe(context.Background(), t.pattern)
	}
})
