package messaging

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// QueueProps describe a queue with its dead letter queue.
type QueueProps struct {
	// FIFO keeps order within message groups and drops duplicates for five minutes.
	FIFO bool
	// OldestMinutes is the age at which the oldest message is an alarm: the consumer is down, or too slow. Default: 10.
	OldestMinutes float64
}

// A Queue is a queue and where its dead letters go.
type Queue struct {
	awssqs.Queue
	Dead awssqs.Queue
}

// QueueWithDLQ makes a queue, encrypted with keys of SQS and closed to plain HTTP, whose messages become dead letters after
// Settings.MaxReceives receives. Its visibility timeout is Settings.VisibilityTimeout. Dead letters are kept for 14 days, the most
// that SQS offers: in a standard queue a message keeps the time at which it was first sent, so that its days in the first queue count.
// Source: SQS Developer Guide, "Using dead-letter queues in Amazon SQS", retention periods (2026-12-01).
//
// Alarms: a dead letter, and the oldest message's age.
func (s *Stack) QueueWithDLQ(id string, p QueueProps) *Queue {
	scope := constructs.NewConstruct(s.Stack, &id)
	q := &Queue{Dead: s.queue(scope, "Dead", p.FIFO, nil)}
	q.Queue = s.queue(scope, "Queue", p.FIFO, &awssqs.DeadLetterQueue{Queue: q.Dead, MaxReceiveCount: s.settings.MaxReceives})
	minutes := p.OldestMinutes
	if minutes == 0 {
		minutes = 10
	}
	s.deadAlarm(scope, q.Dead, "A message of "+id+" failed too often and is in the dead letter queue: see why, mend it, and redrive.")
	s.alarm(scope, "OldestAlarm", alarm{
		says:   "The oldest message of " + id + " waits too long: its consumer is down, fails, or is too slow.",
		metric: q.MetricApproximateAgeOfOldestMessage(each("Maximum")), threshold: minutes * 60, minutes: 3,
	})
	s.row(
		graph(id+": messages", 8,
			q.MetricApproximateNumberOfMessagesVisible(over("Maximum", "waiting")), q.MetricApproximateNumberOfMessagesNotVisible(over("Maximum", "in flight")),
			q.MetricNumberOfMessagesSent(over("Sum", "sent")), q.MetricNumberOfMessagesDeleted(over("Sum", "deleted"))),
		graph(id+": age", 8, q.MetricApproximateAgeOfOldestMessage(over("Maximum", "oldest message, s"))),
		graph(id+": dead letters", 8, q.Dead.MetricApproximateNumberOfMessagesVisible(over("Maximum", "dead"))),
	)
	return q
}

// Quarantine makes a queue that nothing receives from but people: for messages that no retry can mend. Its messages are kept for 14
// days, and the first one is an alarm.
func (s *Stack) Quarantine(id, says string) awssqs.Queue {
	scope := constructs.NewConstruct(s.Stack, &id)
	q := s.queue(scope, "Queue", false, nil)
	lastResort(q, "Nothing receives from it but people: no message of it fails by being received too often.")
	s.deadAlarm(scope, q, says)
	s.row(graph(id, 24, q.MetricApproximateNumberOfMessagesVisible(over("Maximum", "messages"))))
	return q
}

// queue makes a queue: one without a dead letter queue is one itself.
func (s *Stack) queue(scope constructs.Construct, id string, fifo bool, dead *awssqs.DeadLetterQueue) awssqs.Queue {
	p := awssqs.QueueProps{
		Encryption: awssqs.QueueEncryption_SQS_MANAGED, EnforceSSL: jsii.Bool(true), DeadLetterQueue: dead, RemovalPolicy: s.removal(),
	}
	if fifo {
		p.Fifo = jsii.Bool(true) // false is not a value that SQS takes
	}
	if dead == nil {
		p.RetentionPeriod = awscdk.Duration_Days(jsii.Number(14))
	} else {
		p.VisibilityTimeout = awscdk.Duration_Seconds(s.settings.VisibilityTimeout)
	}
	return awssqs.NewQueue(scope, &id, &p)
}

func (s *Stack) deadAlarm(scope constructs.Construct, dead awssqs.Queue, says string) {
	s.alarm(scope, "DeadAlarm", alarm{says: says, metric: dead.MetricApproximateNumberOfMessagesVisible(each("Maximum")), threshold: 1, minutes: 1})
}

// letIn lets a topic send to a queue.
func letIn(queue awssqs.Queue, topicARN *string) {
	queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("sns.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"), Resources: &[]*string{queue.QueueArn()},
		Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": topicARN}},
	}))
}
