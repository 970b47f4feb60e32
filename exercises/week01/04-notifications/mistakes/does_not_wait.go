// want: lost-before-subscribed

package mistakes

// DoesNotWait takes the return of PSubscribe for the subscription.
var DoesNotWait = with(func(h *hub) {
	h.confirm = func(*topic) {}
})
