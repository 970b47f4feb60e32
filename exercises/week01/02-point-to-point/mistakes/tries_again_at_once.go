// want: hammers-when-refused

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// TriesAgainAtOnce has turned the client's retries off, as it tries again itself, and forgets the pause that came with them.
var TriesAgainAtOnce = with(func(c *consumer) {
	c.options = func(o *sqs.Options) { o.RetryMaxAttempts = 1 }
	c.failed = func(context.Context, error) bool { return true }
})
