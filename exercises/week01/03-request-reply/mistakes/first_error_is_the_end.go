// want: gave-up

package mistakes

import "context"

// FirstErrorIsTheEnd leaves its callers without answers when SQS has a bad minute.
var FirstErrorIsTheEnd = asking(func(r *requester) {
	r.failed = func(context.Context) bool { return false }
})
