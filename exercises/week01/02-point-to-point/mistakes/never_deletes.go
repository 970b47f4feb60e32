// want: never-deleted

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// NeverDeletes takes a receive for a take.
var NeverDeletes = with(func(c *consumer) {
	c.handle = func(ctx context.Context, c *consumer, m types.Message) {
		stop := c.extend(m)
		defer stop()
		_ = c.do(c.workWith(ctx), aws.ToString(m.Body))
	}
})
