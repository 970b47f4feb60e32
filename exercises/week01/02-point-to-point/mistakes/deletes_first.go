// want: lost-in-crash

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// DeletesFirst deletes what it received, so that nobody else does it, and then does it.
var DeletesFirst = with(func(c *consumer) {
	c.handle = func(ctx context.Context, c *consumer, m types.Message) {
		c.delete(ctx, m)
		if c.do(c.workWith(ctx), aws.ToString(m.Body)) != nil {
			_, _ = c.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: c.queue, MessageBody: m.Body}) // try again
		}
	}
})
