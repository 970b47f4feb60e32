// want: work-cut-off

package mistakes

import "context"

// CutOffOnStop passes the context that ends on to the work.
var CutOffOnStop = with(func(c *consumer) {
	c.workWith = func(ctx context.Context) context.Context { return ctx }
})
