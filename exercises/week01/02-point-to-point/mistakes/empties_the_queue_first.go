// want: began-after-stop

package mistakes

import "context"

// EmptiesTheQueueFirst wants to leave nothing behind.
var EmptiesTheQueueFirst = with(func(c *consumer) {
	c.fetchWith = context.WithoutCancel
	c.goOn = func(ctx context.Context, received int) bool { return ctx.Err() == nil || received > 0 }
})
