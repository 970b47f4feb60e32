package embedded

import (
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
)

// queues is how SNS reaches the queues of the same cloud.
type queues struct {
	service   *sqs.Service
	authority *authority
}

func (q queues) Deliver(queueARN string, m sns.QueueMessage) error {
	if err := q.authority.authorizeService("sns.amazonaws.com", "sqs:SendMessage", queueARN, m.TopicARN); err != nil {
		return err
	}
	attributes := make(map[string]sqs.MessageAttribute, len(m.Attributes))
	for name, a := range m.Attributes {
		attributes[name] = sqs.MessageAttribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	return q.service.Deliver(queueARN, sqs.Message{Body: m.Body, Attributes: attributes, GroupID: m.GroupID, DeduplicationID: m.DeduplicationID})
}
