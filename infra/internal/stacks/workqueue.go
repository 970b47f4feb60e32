package stacks

import "github.com/brokerdojo/brokerdojo/infra/internal/messaging"

// workqueue: jobs in a queue, worked by a function; invoices go to a FIFO queue, which drops a job's second one.
func workqueue(s *messaging.Stack) {
	jobs := s.QueueWithDLQ("Jobs", messaging.QueueProps{})
	invoices := s.QueueWithDLQ("Invoices", messaging.QueueProps{FIFO: true, OldestMinutes: collected})
	worker := s.MessagingFunction("Worker", messaging.FunctionProps{
		Handler: "workqueue/sqs", Description: "Makes an invoice of each order.", Pattern: "workqueue", Queue: jobs,
		Environment: map[string]*string{"INVOICES_QUEUE_URL": invoices.QueueUrl()},
		Allow:       []messaging.Permission{messaging.Send(invoices.QueueArn())},
	})

	s.Output("JobsUrl", "Where jobs are sent", jobs.QueueUrl())
	s.Output("JobsDeadUrl", "Jobs that failed too often", jobs.Dead.QueueUrl())
	s.Output("EffectsUrl", "The invoices", invoices.QueueUrl())
	s.Output("WorkerName", "The function", worker.FunctionName())
}

// collected is the age in minutes at which an effect should have been collected by whoever is next, which is not in the stack.
const collected = 24 * 60
