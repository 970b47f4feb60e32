// want: never-stops

package mistakes

import (
	"context"
	"time"
)

// TriesForEver takes the end of its context for one more error to try again after.
var TriesForEver = with(func(c *consumer) {
	c.goOn = func(context.Context, int) bool { return true }
	c.failed = func(context.Context, error) bool {
		time.Sleep(time.Second)
		return true
	}
})
