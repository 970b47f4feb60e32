package mistakes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/exercises/week01/03-request-reply/grader"
	"github.com/brokerdojo/brokerdojo/exercises/week01/03-request-reply/solution"
)

// step is what a responder has at hand for one request.
type step struct {
	ctx     context.Context
	request types.Message
	answer  func(ctx context.Context) (string, error)
	reply   func(ctx context.Context, answer string) error
	hold    func(seconds int32)
	remove  func()
}

// answering makes a responder of what is done with one request.
func answering(handle func(s step)) grader.Implementation {
	return grader.Implementation{
		NewRequester: solution.NewRequester,
		Respond: func(ctx context.Context, client *sqs.Client, requestsURL string, answer func(ctx context.Context, question string) (string, error)) error {
			for ctx.Err() == nil {
				messages, err := receive(ctx, client, requestsURL, []string{"All"})
				if err != nil {
					pause(ctx)
					continue
				}
				for _, m := range messages {
					handle(step{
						ctx: ctx, request: m,
						answer: func(ctx context.Context) (string, error) { return answer(ctx, aws.ToString(m.Body)) },
						reply: func(ctx context.Context, answer string) error {
							return send(ctx, client, attribute(m, grader.ReplyTo), answer, map[string]string{grader.CorrelationID: attribute(m, grader.CorrelationID)})
						},
						hold: func(seconds int32) {
							_, _ = client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
								QueueUrl: aws.String(requestsURL), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds,
							})
						},
						remove: func() { remove(context.WithoutCancel(ctx), client, requestsURL, m) },
					})
				}
			}
			return nil
		},
	}
}
