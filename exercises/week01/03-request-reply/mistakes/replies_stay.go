// want: reply-left-behind

package mistakes

// RepliesStay takes a receive for a take.
var RepliesStay = asking(func(r *requester) {
	r.remove = false
})
