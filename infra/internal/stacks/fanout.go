package stacks

import (
	"strings"

	"github.com/aws/jsii-runtime-go"

	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
)

// subscribers of the fanout: the values of SUBSCRIBER that the handler knows.
var subscribers = []string{"confirmation", "stock", "analytics"}

// fanout: an event is published once; each subscriber has a queue and a function of its own.
func fanout(s *messaging.Stack) {
	effects := s.QueueWithDLQ("Effects", messaging.QueueProps{FIFO: true, OldestMinutes: collected})
	orders := s.TopicWithFilters("Orders")
	for _, name := range subscribers {
		id := title(name)
		queue := s.QueueWithDLQ(id, messaging.QueueProps{})
		orders.Subscribe(id, queue, messaging.Filter{})
		f := s.MessagingFunction(id+"Subscriber", messaging.FunctionProps{
			Handler: "fanout/sqs", Description: "What " + name + " does when an order was placed.", Pattern: "fanout-" + name, Queue: queue,
			Environment: map[string]*string{"SUBSCRIBER": jsii.String(name), "EFFECTS_QUEUE_URL": effects.QueueUrl()},
			Allow:       []messaging.Permission{messaging.Send(effects.QueueArn())},
		})
		s.Output(id+"Url", "The events that wait for "+name, queue.QueueUrl())
		s.Output(id+"DeadUrl", "Events that "+name+" failed too often with", queue.Dead.QueueUrl())
		s.Output(id+"Name", "The function of "+name, f.FunctionName())
	}
	s.Output("TopicArn", "Where events are published", orders.TopicArn())
	s.Output("EffectsUrl", "What the subscribers did", effects.QueueUrl())
	s.Output("UndeliveredUrl", "Events that did not reach a queue", orders.Undelivered.QueueUrl())
}

// title makes a construct's id of a lower-case name.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
