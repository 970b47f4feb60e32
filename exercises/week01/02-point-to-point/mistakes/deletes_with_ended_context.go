// want: done-again-after-stop

package mistakes

import "context"

// DeletesWithEndedContext does the work to its end and then deletes with a context that has ended.
var DeletesWithEndedContext = with(func(c *consumer) {
	c.endWith = func(ctx context.Context) context.Context { return ctx }
})
