package stacks

import (
	"github.com/aws/jsii-runtime-go"

	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
)

// deadletter: payments that fail for now become dead letters after some tries and can be sent back; payments that no retry can mend are
// put aside at once.
//
// Those that are put aside have a queue of their own. In the dead letter queue they would fail the move task as a whole
// (CouldNotDetermineMessageSource): SQS knows the way back only of what its redrive policy brought.
func deadletter(s *messaging.Stack) {
	payments := s.QueueWithDLQ("Payments", messaging.QueueProps{})
	receipts := s.QueueWithDLQ("Receipts", messaging.QueueProps{FIFO: true, OldestMinutes: collected})
	poison := s.Quarantine("Poison", "A payment is wrong in itself, and no retry will mend it: its attribute reason says why.")
	consumer := s.MessagingFunction("Consumer", messaging.FunctionProps{
		Handler: "deadletter/sqs", Description: "Makes payments, and puts poison aside.", Pattern: "deadletter", Queue: payments,
		Environment: map[string]*string{
			"RECEIPTS_QUEUE_URL": receipts.QueueUrl(), "POISON_QUEUE_URL": poison.QueueUrl(), "CURRENCIES": jsii.String("EUR"),
		},
		Allow: []messaging.Permission{messaging.Send(receipts.QueueArn(), poison.QueueArn())},
	})

	// The task receives and deletes with the rights of who starts it.
	// Source: SQS Developer Guide, "Amazon SQS API permissions: Actions and resource reference" (2026-12-01).
	redrive := s.MessagingFunction("Redrive", messaging.FunctionProps{
		Handler: "deadletter/redrive", Description: "Sends dead letters back to where they came from, slowly.",
		Environment: map[string]*string{
			"DEAD_LETTER_QUEUE_URL": payments.Dead.QueueUrl(), "DEAD_LETTER_QUEUE_ARN": payments.Dead.QueueArn(), "PER_SECOND": jsii.String("10"),
		},
		Allow: []messaging.Permission{
			{
				Actions: []string{
					"sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
				},
				Resources: []*string{payments.Dead.QueueArn()},
			},
			messaging.Send(payments.QueueArn()),
		},
	})
	failed := s.Quarantine("RedriveFailed", "The function Redrive was invoked asynchronously and failed: its event is in the queue.")
	redrive.OnFailure(failed.QueueArn())

	s.Output("PaymentsUrl", "Where payments are sent", payments.QueueUrl())
	s.Output("PaymentsDeadUrl", "Payments that failed too often", payments.Dead.QueueUrl())
	s.Output("PoisonUrl", "Payments that no retry can mend", poison.QueueUrl())
	s.Output("EffectsUrl", "The receipts", receipts.QueueUrl())
	s.Output("ConsumerName", "The function that makes payments", consumer.FunctionName())
	s.Output("RedriveName", "The function that sends dead letters back", redrive.FunctionName())
}
