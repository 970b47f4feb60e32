package messaging

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// A Topic is a topic and where that goes which it could not deliver.
type Topic struct {
	awssns.Topic
	Undelivered awssqs.Queue
	stack       *Stack
	scope       constructs.Construct
}

// A Filter is the filter policy of a subscription; the zero value lets everything through.
type Filter struct {
	Scope  string // MessageAttributes or MessageBody
	Policy string // JSON
}

// TopicWithFilters makes a topic, closed to plain HTTP and encrypted with the account's key for SNS, which costs nothing a month. What
// it cannot deliver goes to one queue for all its subscriptions, apart from the queues' own dead letters: StartMessageMoveTask moves
// only what came from a queue.
//
// With that key no other AWS service can publish to the topic (Stack.alarmTopic has one with which CloudWatch can); users and roles of the
// account that may publish can.
//
// Alarms: an undelivered message, and failed notifications.
func (s *Stack) TopicWithFilters(id string) *Topic {
	t := &Topic{stack: s, scope: constructs.NewConstruct(s.Stack, &id)}
	t.Topic = awssns.NewTopic(t.scope, jsii.String("Topic"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
	t.ApplyRemovalPolicy(s.removal())
	t.Node().DefaultChild().(awssns.CfnTopic).SetKmsMasterKeyId(jsii.String("alias/aws/sns"))

	t.Undelivered = s.queue(t.scope, "Undelivered", false, nil)
	lastResort(t.Undelivered, "It is the dead letter queue of the topic's subscriptions, which cdk-nag does not look at.")
	letIn(t.Undelivered, t.TopicArn())
	s.deadAlarm(t.scope, t.Undelivered, "A message of "+id+" could not be delivered to a subscriber's queue: see that queue's policy.")
	s.alarm(t.scope, "FailedAlarm", alarm{
		says: "Notifications of " + id + " fail.", metric: t.MetricNumberOfNotificationsFailed(each("Sum")), threshold: 1, minutes: 1,
	})
	s.row(
		graph(id+": published and delivered", 16,
			t.MetricNumberOfMessagesPublished(over("Sum", "published")), t.MetricNumberOfNotificationsDelivered(over("Sum", "delivered")),
			t.MetricNumberOfNotificationsFilteredOut(over("Sum", "filtered out"))),
		graph(id+": failed", 8,
			t.MetricNumberOfNotificationsFailed(over("Sum", "failed")), t.Undelivered.MetricApproximateNumberOfMessagesVisible(over("Maximum", "undelivered"))),
	)
	return t
}

// Subscribe has the topic deliver what passes the filter to a queue, as it was published: raw, without the envelope of SNS.
func (t *Topic) Subscribe(id string, q *Queue, f Filter) {
	letIn(q.Queue, t.TopicArn())
	p := awssns.CfnSubscriptionProps{
		TopicArn: t.TopicArn(), Protocol: jsii.String("sqs"), Endpoint: q.QueueArn(), RawMessageDelivery: jsii.Bool(true),
		RedrivePolicy: map[string]any{"deadLetterTargetArn": t.Undelivered.QueueArn()},
	}
	if f != (Filter{}) {
		var policy map[string]any
		if err := json.Unmarshal([]byte(f.Policy), &policy); err != nil {
			panic(fmt.Sprintf("the filter policy of %s: %v", id, err)) // it is a constant of this program
		}
		p.FilterPolicyScope, p.FilterPolicy = &f.Scope, policy
	}
	subscription := awssns.NewCfnSubscription(t.scope, &id, &p)
	for _, queue := range []awssqs.Queue{q.Queue, t.Undelivered} { // nothing is sent before their policies let it in
		subscription.Node().AddDependency(queue.Node().FindChild(jsii.String("Policy")))
	}
}
