// want: killed-by-a-bad-message

package mistakes

// DiesOfABadMessage returns from its loop when a payload cannot be decoded.
var DiesOfABadMessage = with(func(h *hub) {
	h.bad = func(error) bool { return false }
})
