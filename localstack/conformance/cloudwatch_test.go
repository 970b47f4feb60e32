package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// The rules of CloudWatch are in the files cloudwatch_*_test.go. Their sources are the Amazon CloudWatch User Guide and API
// Reference; "recorded" are messages of the service in public repositories, with the year.

// settle is how long after a minute's end an alarm has surely been evaluated: on the embedded cloud a second.
const settle = 2 * time.Second

type watchCloud struct {
	*conformance.Cloud
	*cloudwatch.Client
	t         *testing.T
	ctx       context.Context
	namespace string
}

func watchRule(t *testing.T, takes time.Duration, name, source string, f func(t *testing.T, w watchCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: source, Checked: "2026-12-01", Takes: takes}, func(t *testing.T, c *conformance.Cloud) {
		f(t, watchCloud{c, cloudwatch.NewFromConfig(c.AWS()), t, t.Context(), c.Name("app")})
	})
}

func (w watchCloud) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// minute returns the start of the present minute, or one so many minutes later.
func minute(n int) time.Time {
	return time.Now().Truncate(time.Minute).Add(time.Duration(n) * time.Minute)
}

func (w watchCloud) put(data ...types.MetricDatum) {
	w.t.Helper()
	_, err := w.PutMetricData(w.ctx, &cloudwatch.PutMetricDataInput{Namespace: &w.namespace, MetricData: data})
	w.ok(err)
}

// latency is a datum of the metric Latency at a time.
func latency(v float64, at time.Time, dimensions ...string) types.MetricDatum {
	return types.MetricDatum{MetricName: aws.String("Latency"), Value: &v, Timestamp: &at, Dimensions: dims(dimensions...)}
}

func dims(list ...string) (d []types.Dimension) {
	for i := 0; i < len(list); i += 2 {
		d = append(d, types.Dimension{Name: &list[i], Value: &list[i+1]})
	}
	return d
}

// stats returns the datapoints of Latency of the last n minutes and of the next, in the order of time.
func (w watchCloud) stats(minutes int, period int32, statistics ...string) []types.Datapoint {
	w.t.Helper()
	in := &cloudwatch.GetMetricStatisticsInput{
		Namespace: &w.namespace, MetricName: aws.String("Latency"), StartTime: aws.Time(minute(-minutes)), EndTime: aws.Time(minute(1)), Period: &period,
	}
	for _, s := range statistics {
		if strings.HasPrefix(s, "p") {
			in.ExtendedStatistics = append(in.ExtendedStatistics, s)
		} else {
			in.Statistics = append(in.Statistics, types.Statistic(s))
		}
	}
	return w.statsOf(in)
}

func (w watchCloud) statsOf(in *cloudwatch.GetMetricStatisticsInput) []types.Datapoint {
	w.t.Helper()
	out, err := w.GetMetricStatistics(w.ctx, in)
	w.ok(err)
	slices.SortFunc(out.Datapoints, func(x, y types.Datapoint) int { return x.Timestamp.Compare(*y.Timestamp) })
	return out.Datapoints
}

// data evaluates the last query of some "id=expression" over the minutes from and to, and returns "minute:value" in order.
func (w watchCloud) data(from, to int, queries ...string) string {
	w.t.Helper()
	out, err := w.tryData(from, to, queries...)
	w.ok(err)
	var all []string
	for _, r := range out.MetricDataResults {
		var list []string
		for i, at := range r.Timestamps {
			list = append(list, fmt.Sprintf("%d:%v", int(at.Sub(minute(0)).Minutes()), r.Values[i]))
		}
		all = append(all, strings.Join(list, " "))
	}
	return strings.Join(all, " | ")
}

// tryData is data. "m1=Latency" is the sum of the metric Latency by minute, "e=m1+1" an expression.
func (w watchCloud) tryData(from, to int, queries ...string) (*cloudwatch.GetMetricDataOutput, error) {
	in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(minute(from)), EndTime: aws.Time(minute(to)), ScanBy: types.ScanByTimestampAscending}
	for i, q := range queries {
		id, text, _ := strings.Cut(q, "=")
		query := types.MetricDataQuery{Id: &id, ReturnData: aws.Bool(i == len(queries)-1)}
		if id[0] == 'm' {
			query.MetricStat = &types.MetricStat{Metric: &types.Metric{Namespace: &w.namespace, MetricName: &text}, Period: aws.Int32(60), Stat: aws.String("Sum")}
		} else {
			query.Expression = &text
		}
		in.MetricDataQueries = append(in.MetricDataQueries, query)
	}
	return w.GetMetricData(w.ctx, in)
}

// series puts a value of a metric in each of the minutes from the given one on; NaN leaves one out.
func (w watchCloud) series(metric string, from int, values ...float64) {
	w.t.Helper()
	for i, v := range values {
		if !math.IsNaN(v) {
			w.put(types.MetricDatum{MetricName: &metric, Value: &v, Timestamp: aws.Time(minute(from + i))})
		}
	}
}

// alarm creates an alarm on the sum of Latency in a minute: over 10 is breaching.
func (w watchCloud) alarm(settings ...func(*cloudwatch.PutMetricAlarmInput)) string {
	w.t.Helper()
	in := w.alarmInput(settings...)
	_, err := w.PutMetricAlarm(w.ctx, in)
	w.ok(err)
	return *in.AlarmName
}

func (w watchCloud) alarmInput(settings ...func(*cloudwatch.PutMetricAlarmInput)) *cloudwatch.PutMetricAlarmInput {
	in := &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String(w.Name("alarm")), Namespace: &w.namespace, MetricName: aws.String("Latency"), Statistic: types.StatisticSum,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(10), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	}
	for _, s := range settings {
		s(in)
	}
	return in
}

func outOf(m, n int32) func(*cloudwatch.PutMetricAlarmInput) {
	return func(in *cloudwatch.PutMetricAlarmInput) { in.DatapointsToAlarm, in.EvaluationPeriods = &m, &n }
}

func treat(how string) func(*cloudwatch.PutMetricAlarmInput) {
	return func(in *cloudwatch.PutMetricAlarmInput) { in.TreatMissingData = &how }
}

func (w watchCloud) described(name string) types.MetricAlarm {
	w.t.Helper()
	out, err := w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	w.ok(err)
	if len(out.MetricAlarms) != 1 {
		w.t.Fatalf("%d alarms named %s", len(out.MetricAlarms), name)
	}
	return out.MetricAlarms[0]
}

func (w watchCloud) composite(name string) types.CompositeAlarm {
	w.t.Helper()
	out, err := w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeCompositeAlarm}})
	w.ok(err)
	if len(out.CompositeAlarms) != 1 {
		w.t.Fatalf("%d composite alarms named %s", len(out.CompositeAlarms), name)
	}
	return out.CompositeAlarms[0]
}

func (w watchCloud) wantState(name string, want types.StateValue) {
	w.t.Helper()
	if a := w.described(name); a.StateValue != want {
		w.t.Errorf("state %s (%s), want %s", a.StateValue, aws.ToString(a.StateReason), want)
	}
}

// until waits for the evaluation after the end of the present minute, or of a later one.
func (w watchCloud) until(n int) { w.Sleep(time.Until(minute(n)) + settle) }

func (w watchCloud) setState(name string, state types.StateValue) {
	w.t.Helper()
	_, err := w.SetAlarmState(w.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: state, StateReason: aws.String("set")})
	w.ok(err)
}

// inbox creates a topic with a queue that is subscribed to it.
type inbox struct {
	w        watchCloud
	topicARN string
	url      string
}

func (w watchCloud) inbox() inbox {
	w.t.Helper()
	topic, err := w.SNS().CreateTopic(w.ctx, &sns.CreateTopicInput{Name: aws.String(w.Name("topic"))})
	w.ok(err)
	queue, err := w.SQS().CreateQueue(w.ctx, &sqs.CreateQueueInput{QueueName: aws.String(w.Name("queue"))})
	w.ok(err)
	q := sqsCloud{w.Cloud, w.SQS(), w.t, w.ctx}
	arn := q.arn(*queue.QueueUrl)
	q.set(*queue.QueueUrl, "Policy", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"%s"}]}`, arn))
	_, err = w.SNS().Subscribe(w.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn})
	w.ok(err)
	return inbox{w, *topic.TopicArn, *queue.QueueUrl}
}

// next returns subject and message of the next notification, or none within five seconds.
func (b inbox) next() (subject string, message map[string]any) {
	b.w.t.Helper()
	out, err := b.w.SQS().ReceiveMessage(b.w.ctx, &sqs.ReceiveMessageInput{QueueUrl: &b.url, WaitTimeSeconds: 5})
	b.w.ok(err)
	if len(out.Messages) == 0 {
		return "", nil
	}
	_, err = b.w.SQS().DeleteMessage(b.w.ctx, &sqs.DeleteMessageInput{QueueUrl: &b.url, ReceiptHandle: out.Messages[0].ReceiptHandle})
	b.w.ok(err)
	var envelope struct{ Subject, Message string }
	b.w.ok(json.Unmarshal([]byte(*out.Messages[0].Body), &envelope))
	b.w.ok(json.Unmarshal([]byte(envelope.Message), &message))
	return envelope.Subject, message
}
