// want: still-subscribed

package mistakes

// NeverUnsubscribes forgets the subscriber, and leaves Redis to send.
var NeverUnsubscribes = with(func(h *hub) {
	h.leave = func(*hub, *topic) {}
})
