package embedded

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudwatch"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/logs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
)

const (
	sqsNamespace = "AWS/SQS"
	snsNamespace = "AWS/SNS"
)

// queueMetrics is how SQS reports to CloudWatch.
type queueMetrics struct{ service *cloudwatch.Service }

func (q queueMetrics) Put(m sqs.Minute) {
	dimensions := []cloudwatch.Dimension{{Name: "QueueName", Value: m.Queue}}
	data := make([]cloudwatch.Datum, 0, 9)
	add := func(metric, unit string, v float64) {
		data = append(data, cloudwatch.Datum{Metric: metric, Dimensions: dimensions, Unit: unit, At: m.At, Value: v})
	}
	add("ApproximateNumberOfMessagesVisible", "Count", float64(m.Visible))
	add("ApproximateNumberOfMessagesNotVisible", "Count", float64(m.NotVisible))
	add("ApproximateNumberOfMessagesDelayed", "Count", float64(m.Delayed))
	add("ApproximateAgeOfOldestMessage", "Seconds", float64(int(m.Oldest.Seconds())))
	add("NumberOfMessagesSent", "Count", float64(m.Sent))
	add("NumberOfMessagesReceived", "Count", float64(m.Received))
	add("NumberOfMessagesDeleted", "Count", float64(m.Deleted))
	add("NumberOfEmptyReceives", "Count", float64(m.EmptyReceives))
	if size := m.SentSize; size.Count > 0 {
		data = append(data, cloudwatch.Datum{Metric: "SentMessageSize", Dimensions: dimensions, Unit: "Bytes", At: m.At, Set: &cloudwatch.Set{
			SampleCount: float64(size.Count), Sum: float64(size.Sum), Minimum: float64(size.Least), Maximum: float64(size.Most),
		}})
	}
	q.service.Put(m.Account, m.Region, sqsNamespace, data...)
}

// topicMetrics is how SNS reports to CloudWatch.
type topicMetrics struct{ service *cloudwatch.Service }

func (t topicMetrics) Count(account, region, topic, metric, unit string, value float64) {
	t.service.Put(account, region, snsNamespace, cloudwatch.Datum{
		Metric: metric, Dimensions: []cloudwatch.Dimension{{Name: "TopicName", Value: topic}}, Unit: unit, Value: value,
	})
}

// logMetrics is how metrics in log events get to CloudWatch.
type logMetrics struct{ service *cloudwatch.Service }

func (l logMetrics) Put(account, region, namespace string, data ...logs.Metric) {
	put := make([]cloudwatch.Datum, 0, len(data))
	for _, m := range data {
		d := cloudwatch.Datum{Metric: m.Name, Unit: m.Unit, At: m.At, Values: m.Values, Resolution: m.Resolution}
		for name, value := range m.Dimensions {
			d.Dimensions = append(d.Dimensions, cloudwatch.Dimension{Name: name, Value: value})
		}
		put = append(put, d)
	}
	l.service.Put(account, region, namespace, put...)
}

// notify is how alarms reach SNS.
func (c *Cloud) notify(ctx context.Context, topicARN, subject, message string) error {
	const maxSubject = 100
	if runes := []rune(subject); len(runes) > maxSubject {
		subject = string(runes[:maxSubject])
	}
	var alarm struct{ AlarmArn string }
	if err := json.Unmarshal([]byte(message), &alarm); err != nil {
		return err
	}
	if err := c.authority.authorizeService("cloudwatch.amazonaws.com", "sns:Publish", topicARN, alarm.AlarmArn); err != nil {
		return err
	}
	parts := strings.SplitN(topicARN, ":", 6) // CloudWatch has checked that there are six
	from := api.Caller{Account: parts[4], Region: parts[3], Endpoint: c.awsURL}
	return c.services.Invoke(ctx, from, "sns", "Publish", map[string]any{"TopicArn": topicARN, "Subject": subject, "Message": message}, nil)
}
