// want: failed-job-lost

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// DeletesWhatFailed deletes in a defer, whatever became of the work.
var DeletesWhatFailed = with(func(c *consumer) {
	c.handle = func(ctx context.Context, c *consumer, m types.Message) {
		defer c.delete(c.endWith(ctx), m)
		stop := c.extend(m)
		defer stop()
		_ = c.do(c.workWith(ctx), aws.ToString(m.Body))
	}
})
