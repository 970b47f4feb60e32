package stacks

import (
	"github.com/aws/jsii-runtime-go"

	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
)

// routes are the values of ROUTE that the handler knows, with the filter policies of their subscriptions. The policies are
// ../functions/routing's own; TestRoutesAreThoseOfTheHandler compares them.
var routes = []struct {
	name string
	messaging.Filter
}{
	{"express", messaging.Filter{Scope: "MessageAttributes", Policy: `{"service":["express"]}`}},
	{"abroad", messaging.Filter{Scope: "MessageBody", Policy: `{"country":[{"anything-but":["DE"]}]}`}},
	{"large", messaging.Filter{Scope: "MessageBody", Policy: `{"cents":[{"numeric":[">=",100000]}]}`}},
}

// routing: the topic decides by its subscriptions' filters who gets an order.
func routing(s *messaging.Stack) {
	effects := s.QueueWithDLQ("Effects", messaging.QueueProps{FIFO: true, OldestMinutes: collected})
	orders := s.TopicWithFilters("Orders")
	for _, r := range routes {
		id := title(r.name)
		queue := s.QueueWithDLQ(id, messaging.QueueProps{})
		orders.Subscribe(id, queue, r.Filter)
		f := s.MessagingFunction(id+"Route", messaging.FunctionProps{
			Handler: "routing/sqs", Description: "What is done with orders that are " + r.name + ".", Pattern: "routing-" + r.name, Queue: queue,
			Environment: map[string]*string{"ROUTE": jsii.String(r.name), "EFFECTS_QUEUE_URL": effects.QueueUrl()},
			Allow:       []messaging.Permission{messaging.Send(effects.QueueArn())},
		})
		s.Output(id+"Url", "The orders that wait in the route "+r.name, queue.QueueUrl())
		s.Output(id+"DeadUrl", "Orders that failed too often in the route "+r.name, queue.Dead.QueueUrl())
		s.Output(id+"Name", "The function of the route "+r.name, f.FunctionName())
	}
	s.Output("TopicArn", "Where orders are published", orders.TopicArn())
	s.Output("EffectsUrl", "What the routes did", effects.QueueUrl())
	s.Output("UndeliveredUrl", "Orders that did not reach a queue", orders.Undelivered.QueueUrl())
}
