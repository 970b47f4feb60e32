// want: reply-left-on-stop

package mistakes

import "context"

// DeletesWithEndedContext hands the reply to its Ask and then deletes with a context that may have ended.
var DeletesWithEndedContext = asking(func(r *requester) {
	r.deleteWith = func(ctx context.Context) context.Context { return ctx }
})
