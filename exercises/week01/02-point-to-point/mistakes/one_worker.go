// want: one-at-a-time

package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/solution"
)

// OneWorker ignores how many workers were asked for.
var OneWorker = grader.Implementation{
	Produce: solution.Produce,
	Consume: func(ctx context.Context, client *sqs.Client, queueURL string, _ int, do func(ctx context.Context, job string) error) error {
		return solution.Consume(ctx, client, queueURL, 1, do)
	},
}
