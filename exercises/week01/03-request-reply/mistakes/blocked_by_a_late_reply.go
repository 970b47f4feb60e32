// want: stalled-by-unwanted-reply

package mistakes

import "context"

// BlockedByALateReply hands a reply to an Ask that has gone, and waits for it to take it.
var BlockedByALateReply = asking(func(r *requester) {
	r.forget = false
	r.newChannel = func() chan string { return make(chan string) }
	r.hand = func(ctx context.Context, answers chan<- string, answer string) {
		select {
		case answers <- answer:
		case <-ctx.Done():
		}
	}
})
