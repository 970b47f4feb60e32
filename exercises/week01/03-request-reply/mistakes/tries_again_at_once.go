// want: hammers-when-refused

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// TriesAgainAtOnce has turned the client's retries off, as it tries again itself, and forgets the pause that came with them.
var TriesAgainAtOnce = asking(func(r *requester) {
	r.options = func(o *sqs.Options) { o.RetryMaxAttempts = 1 }
	r.failed = func(context.Context) bool { return true }
})
