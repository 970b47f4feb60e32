// want: said-sent

package mistakes

import (
	"context"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/solution"
)

// RefusedAndForgotten believes that a batch succeeds as a whole or fails as a whole.
var RefusedAndForgotten = grader.Implementation{
	Produce: func(ctx context.Context, client *sqs.Client, queueURL string, jobs []string) error {
		for chunk := range slices.Chunk(jobs, 10) {
			var entries []types.SendMessageBatchRequestEntry
			for i, job := range chunk {
				entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(job)})
			}
			if _, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(queueURL), Entries: entries}); err != nil {
				return err
			}
		}
		return nil
	},
	Consume: solution.Consume,
}
