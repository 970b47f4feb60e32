// want: ignores-timeout

package mistakes

// WaitsForEver has no idea that a responder can be away.
var WaitsForEver = asking(func(r *requester) {
	r.deadline = false
})
