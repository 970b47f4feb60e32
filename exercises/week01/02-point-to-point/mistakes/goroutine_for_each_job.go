// want: too-many-at-once

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// GoroutineForEachJob receives as fast as it can and starts a goroutine for each job.
var GoroutineForEachJob = with(func(c *consumer) {
	c.batch = 10
	c.handle = func(ctx context.Context, c *consumer, m types.Message) {
		go workThenDelete(ctx, c, m)
	}
})
