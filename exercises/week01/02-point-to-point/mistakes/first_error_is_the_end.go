// want: gave-up

package mistakes

import "context"

// FirstErrorIsTheEnd leaves the queue alone when SQS has a bad minute.
var FirstErrorIsTheEnd = with(func(c *consumer) {
	c.failed = func(context.Context, error) bool { return false }
})
