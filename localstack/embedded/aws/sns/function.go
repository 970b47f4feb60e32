package sns

import (
	"errors"
	"strings"
)

// Functions is how messages get to Lambda.
type Functions interface {
	// InvokeAsync has a function run on an event of a topic, later. Its error says that it is not there or does not let the topic in,
	// and stays.
	InvokeAsync(topicARN, functionARN string, event []byte) error
}

func checkFunction(t *topic, endpoint string) error {
	if parts := strings.Split(endpoint, ":"); len(parts) < 7 || len(parts) > 8 || parts[0] != "arn" || parts[2] != "lambda" || parts[5] != "function" {
		return invalid("Lambda endpoint ARN")
	}
	if t.fifo {
		return invalid("Protocol Reason: a FIFO topic delivers to queues only")
	}
	return nil
}

// toFunction has the function that is subscribed run on d: asynchronously, so its own failures are Lambda's to retry.
// Source: AWS Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications" (checked 2026-12-01).
func (s *Service) toFunction(d *delivery) error {
	if s.functions == nil {
		return permanentError{errors.New("there are no functions")}
	}
	m, t := d.message, d.sub.topic
	e := object{}
	e.add("Type", d.kind)
	e.add("MessageId", m.id)
	e.add("TopicArn", t.arn)
	if m.subject != nil {
		e.add("Subject", *m.subject)
	} else {
		e.raw("Subject", "null")
	}
	e.add("Message", d.body())
	e.add("Timestamp", timestamp(m.published))
	e.add("SignatureVersion", m.signatureVersion)
	e.add("Signature", s.signature(d))
	e.add("SigningCertUrl", d.endpoint+CertificatePath)
	e.add("UnsubscribeUrl", d.endpoint+"/?Action=Unsubscribe&SubscriptionArn="+d.sub.arn)
	e.raw("MessageAttributes", envelopeAttributes(m.attributes))
	record := object{}
	record.add("EventSource", "aws:sns")
	record.add("EventVersion", "1.0")
	record.add("EventSubscriptionArn", d.sub.arn)
	record.raw("Sns", e.String())
	if err := s.functions.InvokeAsync(d.sub.topic.arn, d.sub.endpoint, []byte(`{"Records":[`+record.String()+`]}`)); err != nil {
		return permanentError{err}
	}
	return nil
}
