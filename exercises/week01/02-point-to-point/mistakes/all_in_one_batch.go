// want: not-sent

package mistakes

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/solution"
)

// AllInOneBatch does not know that ten is the most.
var AllInOneBatch = grader.Implementation{
	Produce: func(ctx context.Context, client *sqs.Client, queueURL string, jobs []string) error {
		var entries []types.SendMessageBatchRequestEntry
		for i, job := range jobs {
			entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(job)})
		}
		sent, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(queueURL), Entries: entries})
		if err != nil {
			return err
		}
		if len(sent.Failed) > 0 {
			return fmt.Errorf("%d jobs were refused", len(sent.Failed))
		}
		return nil
	},
	Consume: solution.Consume,
}
