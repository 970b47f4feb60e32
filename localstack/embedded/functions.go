package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudwatch"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventsource"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/logs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
)

// mappedQueues is how event source mappings reach the queues of the same cloud.
type mappedQueues struct{ service *sqs.Service }

func (q mappedQueues) VisibilityTimeout(queueARN string) (time.Duration, bool) {
	return q.service.VisibilityTimeout(queueARN)
}

func (q mappedQueues) Delete(queueARN, receiptHandle string) error {
	return q.service.Delete(queueARN, receiptHandle)
}

func (q mappedQueues) Receive(ctx context.Context, queueARN string, most int, wait time.Duration) ([]eventsource.Message, error) {
	got, err := q.service.Receive(ctx, queueARN, most, wait)
	messages := make([]eventsource.Message, len(got))
	for i, m := range got {
		messages[i] = eventsource.Message{MessageID: m.MessageID, ReceiptHandle: m.ReceiptHandle, MD5OfBody: m.MD5OfBody, Body: m.Body, Attributes: m.Attributes, Until: m.Until}
		if len(m.MessageAttributes) == 0 {
			continue
		}
		messages[i].MessageAttributes = make(map[string]eventsource.MessageAttribute, len(m.MessageAttributes))
		for name, a := range m.MessageAttributes {
			seen := eventsource.MessageAttribute{DataType: a.DataType, BinaryValue: a.BinaryValue, StringListValues: []string{}, BinaryListValues: []string{}}
			if a.BinaryValue == nil {
				seen.StringValue = &a.StringValue
			}
			messages[i].MessageAttributes[name] = seen
		}
	}
	return messages, err
}

// mappedFunctions is how event source mappings reach the functions of the same cloud.
type mappedFunctions struct{ service *lambda.Service }

func (f mappedFunctions) Find(account, region, name string) (eventsource.Function, bool) {
	arn, role, timeout, ok := f.service.Find(account, region, name)
	return eventsource.Function{ARN: arn, Role: role, Timeout: timeout}, ok
}

func (f mappedFunctions) Invoke(ctx context.Context, functionARN string, payload []byte) (answer []byte, functionError string, err error) {
	r, err := f.service.Invoke(ctx, functionARN, payload)
	return r.Payload, r.FunctionError, err
}

// lambdaOptions join Lambda to the other services. address is where they are served; empty: in memory.
func (c *Cloud) lambdaOptions(log *slog.Logger, address string) lambda.Options {
	o := lambda.Options{
		Log: log, Deliver: c.deliver, PassRole: c.authority.passToLambda, Credentials: c.authority.roleCredentials,
		Object: func(account, bucket, key, version string) ([]byte, error) {
			return c.s3.Object(account, bucket, key, version)
		},
		MappingTags: func(arn string, change func(map[string]string)) bool { return c.eventSources.Tags(arn, change) },
		Logs: func(account, region, group, stream string, events []lambda.LogEvent) {
			put := make([]logs.Event, len(events))
			for i, e := range events {
				put[i] = logs.Event{At: e.Time, Message: e.Message}
			}
			c.logs.Put(account, region, group, stream, put)
		},
		Metric: func(account, region, name, unit string, value float64, dimensions map[string]string) {
			d := cloudwatch.Datum{Metric: name, Unit: unit, Value: value}
			for name, v := range dimensions {
				d.Dimensions = append(d.Dimensions, cloudwatch.Dimension{Name: name, Value: v})
			}
			c.watch.Put(account, region, "AWS/Lambda", d)
		},
	}
	if address != "" {
		o.Endpoint = func() string { return address }
	}
	return o
}

// sending is the action of policies that a service needs to deliver to a queue, a topic or a function.
func sending(targetARN string) string {
	switch {
	case strings.HasPrefix(targetARN, "arn:aws:sqs:"):
		return "sqs:SendMessage"
	case strings.HasPrefix(targetARN, "arn:aws:sns:"):
		return "sns:Publish"
	}
	return "lambda:InvokeFunction"
}

// subscribedFunctions is how SNS reaches the functions of the same cloud.
type subscribedFunctions struct {
	service   *lambda.Service
	authority *authority
}

func (f subscribedFunctions) InvokeAsync(topicARN, functionARN string, event []byte) error {
	if err := f.authority.authorizeService("sns.amazonaws.com", "lambda:InvokeFunction", functionARN, topicARN); err != nil {
		return err
	}
	return f.service.InvokeAsync(functionARN, event)
}

// deliver sends what one service has for a destination: a queue, a topic or a function.
func (c *Cloud) deliver(ctx context.Context, account, targetARN, body string, attributes map[string]string) error {
	parts := strings.Split(targetARN, ":")
	if len(parts) < 6 {
		return fmt.Errorf("not an ARN: %s", targetARN)
	}
	switch parts[2] {
	case "sqs":
		m := sqs.Message{Body: body, Attributes: map[string]sqs.MessageAttribute{}}
		for name, v := range attributes {
			m.Attributes[name] = sqs.MessageAttribute{DataType: "String", StringValue: v}
		}
		return c.sqs.Deliver(targetARN, m)
	case "sns":
		in := map[string]any{"TopicArn": targetARN, "Message": body}
		if len(attributes) > 0 {
			values := map[string]any{}
			for name, v := range attributes {
				values[name] = map[string]string{"DataType": "String", "StringValue": v}
			}
			in["MessageAttributes"] = values
		}
		return c.services.Invoke(ctx, api.Caller{Account: account, Region: parts[3], Endpoint: c.awsURL}, "sns", "Publish", in, nil)
	case "lambda":
		return c.lambda.InvokeAsync(targetARN, []byte(body))
	}
	return fmt.Errorf("nothing can be delivered to %s", targetARN)
}
