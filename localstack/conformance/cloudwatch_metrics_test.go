package conformance_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const soon = 2 * time.Minute // rules that read what they have just put take so long on a real endpoint

func TestCloudWatchMetrics(t *testing.T) {
	watchRule(t, soon, "the values of a period are summed up to five statistics", "API Reference: GetMetricStatistics", func(t *testing.T, w watchCloud) {
		w.put(latency(1, minute(0)), latency(2, minute(0)), latency(6, minute(0)))
		got := w.stats(1, 60, "SampleCount", "Sum", "Average", "Minimum", "Maximum")
		if len(got) != 1 {
			t.Fatalf("%d datapoints, want one", len(got))
		}
		d := got[0]
		if *d.SampleCount != 3 || *d.Sum != 9 || *d.Average != 3 || *d.Minimum != 1 || *d.Maximum != 6 || d.Unit != types.StandardUnitNone || !d.Timestamp.Equal(minute(0)) {
			t.Errorf("%v %v %v %v %v %s at %s", *d.SampleCount, *d.Sum, *d.Average, *d.Minimum, *d.Maximum, d.Unit, d.Timestamp)
		}
	})
	watchRule(t, soon, "values with counts are as many values", "API Reference: PutMetricData", func(t *testing.T, w watchCloud) {
		w.put(types.MetricDatum{MetricName: aws.String("Latency"), Values: []float64{10, 20}, Counts: []float64{9, 1}, Timestamp: aws.Time(minute(0))})
		d := w.stats(1, 60, "SampleCount", "Sum", "p90", "p91")[0]
		if *d.SampleCount != 10 || *d.Sum != 110 || d.ExtendedStatistics["p90"] != 10 || d.ExtendedStatistics["p91"] != 20 {
			t.Errorf("%v %v %v", *d.SampleCount, *d.Sum, d.ExtendedStatistics)
		}
	})
	watchRule(t, soon, "a percentile is the value below which so many percent of the values are", "User Guide: CloudWatch statistics definitions", func(t *testing.T, w watchCloud) {
		for i := range 100 {
			w.put(latency(float64(i+1), minute(0)))
		}
		got := w.stats(1, 60, "p0", "p50", "p90", "p99.9", "p100")[0].ExtendedStatistics
		for name, want := range map[string]float64{"p0": 1, "p50": 50, "p90": 90, "p99.9": 100, "p100": 100} {
			if math.Abs(got[name]-want) > 1 {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	})
	watchRule(t, soon, "a statistic set has no percentiles, unless its values are all the same", "API Reference: PutMetricData", func(t *testing.T, w watchCloud) {
		set := func(least, most float64) types.MetricDatum {
			return types.MetricDatum{MetricName: aws.String("Latency"), Timestamp: aws.Time(minute(0)), StatisticValues: &types.StatisticSet{
				SampleCount: aws.Float64(4), Sum: aws.Float64(20), Minimum: &least, Maximum: &most}}
		}
		w.put(set(5, 5))
		if d := w.stats(1, 60, "p50", "Average"); len(d) != 1 || d[0].ExtendedStatistics["p50"] != 5 || *d[0].Average != 5 {
			t.Errorf("equal values: %+v", d)
		}
		w.put(set(1, 9))
		d := w.stats(1, 60, "p50", "Maximum")
		if _, has := d[0].ExtendedStatistics["p50"]; has || *d[0].Maximum != 9 {
			t.Errorf("different values: %+v", d)
		}
	})
	watchRule(t, soon, "other dimensions make another metric, and nothing adds metrics up", "User Guide: Metrics concepts, Dimensions", func(t *testing.T, w watchCloud) {
		w.put(latency(1, minute(0), "Server", "a"), latency(2, minute(0), "Server", "b", "Domain", "d"))
		if got := w.stats(1, 60, "Sum"); len(got) != 0 {
			t.Errorf("without dimensions: %d datapoints", len(got))
		}
		for _, test := range []struct {
			dimensions []types.Dimension
			want       float64
		}{{dims("Server", "a"), 1}, {dims("Domain", "d", "Server", "b"), 2}, {dims("Server", "b"), 0}} {
			got := w.statsOf(&cloudwatch.GetMetricStatisticsInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), Dimensions: test.dimensions,
				StartTime: aws.Time(minute(-1)), EndTime: aws.Time(minute(1)), Period: aws.Int32(60), Statistics: []types.Statistic{types.StatisticSum}})
			if (test.want == 0) != (len(got) == 0) || len(got) == 1 && *got[0].Sum != test.want {
				t.Errorf("%v: %d datapoints", test.want, len(got))
			}
		}
	})
	watchRule(t, soon, "a longer period sums up several minutes", "API Reference: GetMetricStatistics, Period", func(t *testing.T, w watchCloud) {
		start := time.Now().Truncate(time.Hour).Add(-time.Hour)
		for i := range 10 {
			w.put(latency(1, start.Add(time.Duration(i)*time.Minute)))
		}
		got := w.statsOf(&cloudwatch.GetMetricStatisticsInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), StartTime: &start,
			EndTime: aws.Time(start.Add(10 * time.Minute)), Period: aws.Int32(300), Statistics: []types.Statistic{types.StatisticSum}})
		if len(got) != 2 || *got[0].Sum != 5 || *got[1].Sum != 5 || !got[1].Timestamp.Equal(start.Add(5*time.Minute)) {
			t.Errorf("%+v", got)
		}
	})
	watchRule(t, soon, "datapoints at the end of the range are not in it", "API Reference: GetMetricStatistics, EndTime", func(t *testing.T, w watchCloud) {
		w.series("Latency", -3, 1, 2, 3)
		if got := w.data(-3, -1, "m1=Latency"); got != "-3:1 -2:2" {
			t.Errorf("got %q", got)
		}
	})
	watchRule(t, soon, "a storage resolution of one second makes periods under a minute", "API Reference: MetricDatum, StorageResolution", func(t *testing.T, w watchCloud) {
		at := minute(-1)
		for i := range 6 {
			d := latency(float64(i), at.Add(time.Duration(i)*5*time.Second))
			d.StorageResolution = aws.Int32(1)
			w.put(d)
		}
		var sums []string
		for _, d := range w.stats(2, 10, "Sum") {
			sums = append(sums, fmt.Sprint(d.Timestamp.Sub(at), "=", *d.Sum))
		}
		if got := strings.Join(sums, " "); got != "0s=1 10s=5 20s=9" {
			t.Errorf("got %s", got)
		}
		if whole := w.stats(2, 60, "Sum"); len(whole) != 1 || *whole[0].Sum != 15 {
			t.Errorf("by the minute: %+v", whole)
		}
	})
	watchRule(t, 0, "data may be two weeks old and two hours early", "API Reference: PutMetricData", func(t *testing.T, w watchCloud) {
		for ago, good := range map[time.Duration]bool{14*24*time.Hour - time.Minute: true, 14*24*time.Hour + time.Minute: false, -2*time.Hour + time.Minute: true, -2*time.Hour - time.Minute: false} {
			_, err := w.PutMetricData(w.ctx, &cloudwatch.PutMetricDataInput{Namespace: &w.namespace, MetricData: []types.MetricDatum{latency(1, time.Now().Add(-ago))}})
			if good {
				w.ok(err)
			} else {
				wantError[*types.InvalidParameterValueException](t, err)
			}
		}
	})
	watchRule(t, 0, "what a datum must not be", "API Reference: PutMetricData", func(t *testing.T, w watchCloud) {
		var many []string
		for i := range 31 {
			many = append(many, fmt.Sprint("d", i), "v")
		}
		datum := func(change func(*types.MetricDatum)) types.MetricDatum {
			d := latency(1, time.Now())
			change(&d)
			return d
		}
		for name, d := range map[string]types.MetricDatum{
			"31 dimensions":       latency(1, time.Now(), many...),
			"over 2^360":          latency(math.Pow(2, 361), time.Now()),
			"not a number":        latency(math.NaN(), time.Now()),
			"infinite":            latency(math.Inf(1), time.Now()),
			"151 values":          datum(func(d *types.MetricDatum) { d.Value, d.Values = nil, make([]float64, 151) }),
			"counts too few":      datum(func(d *types.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1, 2}, []float64{1} }),
			"an unknown unit":     datum(func(d *types.MetricDatum) { d.Unit = "Apples" }),
			"a resolution of 30":  datum(func(d *types.MetricDatum) { d.StorageResolution = aws.Int32(30) }),
			"a dimension ':name'": latency(1, time.Now(), ":name", "v"),
		} {
			_, err := w.PutMetricData(w.ctx, &cloudwatch.PutMetricDataInput{Namespace: &w.namespace, MetricData: []types.MetricDatum{d}})
			if err == nil {
				t.Errorf("%s is accepted", name)
				continue
			}
			wantCode(t, err, "InvalidParameterValue")
		}
		_, err := w.PutMetricData(w.ctx, &cloudwatch.PutMetricDataInput{Namespace: &w.namespace, MetricData: []types.MetricDatum{datum(func(d *types.MetricDatum) { d.Values = []float64{1} })}})
		wantError[*types.InvalidParameterCombinationException](t, err)
		_, err = w.PutMetricData(w.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/Mine"), MetricData: []types.MetricDatum{latency(1, time.Now())}})
		wantError[*types.InvalidParameterValueException](t, err)
	})
	watchRule(t, soon, "a request holds up to a thousand data, compressed if it is large", "API Reference: PutMetricData", func(t *testing.T, w watchCloud) {
		var data []types.MetricDatum
		for range 1001 {
			data = append(data, latency(1, minute(0)))
		}
		_, err := w.PutMetricData(w.ctx, &cloudwatch.PutMetricDataInput{Namespace: &w.namespace, MetricData: data})
		wantCode(t, err, "InvalidParameterValue")
		w.put(data[:1000]...)
		if got := w.stats(1, 60, "Sum"); len(got) != 1 || *got[0].Sum != 1000 {
			t.Errorf("%+v", got)
		}
	})
	watchRule(t, soon, "units are kept apart", "API Reference: GetMetricStatistics, Unit", func(t *testing.T, w watchCloud) {
		for unit, v := range map[types.StandardUnit]float64{types.StandardUnitSeconds: 2, types.StandardUnitMilliseconds: 2000} {
			d := latency(v, minute(0))
			d.Unit = unit
			w.put(d)
		}
		if got := w.stats(1, 60, "Sum"); len(got) != 2 {
			t.Errorf("%d datapoints, want one a unit", len(got))
		}
		in := &cloudwatch.GetMetricStatisticsInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), StartTime: aws.Time(minute(-1)), EndTime: aws.Time(minute(1)),
			Period: aws.Int32(60), Statistics: []types.Statistic{types.StatisticSum}, Unit: types.StandardUnitSeconds}
		if got := w.statsOf(in); len(got) != 1 || *got[0].Sum != 2 {
			t.Errorf("seconds: %+v", got)
		}
	})
	watchRule(t, 0, "GetMetricStatistics returns up to 1,440 datapoints", "API Reference: GetMetricStatistics", func(t *testing.T, w watchCloud) {
		in := &cloudwatch.GetMetricStatisticsInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), StartTime: aws.Time(minute(-1440)), EndTime: aws.Time(minute(1)),
			Period: aws.Int32(60), Statistics: []types.Statistic{types.StatisticSum}}
		_, err := w.GetMetricStatistics(w.ctx, in)
		wantError[*types.InvalidParameterCombinationException](t, err)
		in.Period = aws.Int32(45)
		_, err = w.GetMetricStatistics(w.ctx, in)
		wantError[*types.InvalidParameterValueException](t, err)
	})
	watchRule(t, 16*24*time.Hour, "seconds are kept for three hours, minutes for fifteen days", "API Reference: GetMetricStatistics, retention", func(t *testing.T, w watchCloud) {
		start := time.Now().Truncate(time.Hour)
		d := latency(7, start.Add(time.Minute))
		d.StorageResolution = aws.Int32(1)
		w.put(d)
		read := func(period int32) int {
			return len(w.statsOf(&cloudwatch.GetMetricStatisticsInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), StartTime: &start,
				EndTime: aws.Time(start.Add(5 * time.Minute)), Period: &period, Statistics: []types.Statistic{types.StatisticSum}}))
		}
		for _, step := range []struct {
			wait time.Duration
			want string // by periods of 1, 60 and 300 seconds
		}{{2 * time.Hour, "111"}, {2 * time.Hour, "011"}, {15 * 24 * time.Hour, "001"}} {
			w.Sleep(step.wait)
			if got := fmt.Sprint(read(1)) + fmt.Sprint(read(60)) + fmt.Sprint(read(300)); got != step.want {
				t.Errorf("after %s more: %s, want %s", step.wait, got, step.want)
			}
		}
	})
	watchRule(t, 15*time.Minute, "metrics are listed by name and dimension, for two weeks after their last datapoint", "API Reference: ListMetrics", func(t *testing.T, w watchCloud) {
		w.put(latency(1, time.Now(), "Server", "a"), latency(1, time.Now(), "Server", "b"), latency(1, time.Now()))
		count := func(in *cloudwatch.ListMetricsInput) int {
			in.Namespace = &w.namespace
			out, err := w.ListMetrics(w.ctx, in)
			w.ok(err)
			return len(out.Metrics)
		}
		filter := func(value *string) *cloudwatch.ListMetricsInput {
			return &cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("Server"), Value: value}}}
		}
		w.Eventually("three metrics are listed", 15*time.Minute, func() bool { return count(&cloudwatch.ListMetricsInput{}) == 3 })
		if any, a := count(filter(nil)), count(filter(aws.String("a"))); any != 2 || a != 1 {
			t.Errorf("%d with the dimension, %d with its value; want 2 and 1", any, a)
		}
		if !w.Embedded() {
			return
		}
		w.Sleep(4 * time.Hour)
		if recent := count(&cloudwatch.ListMetricsInput{RecentlyActive: types.RecentlyActivePt3h}); recent != 0 {
			t.Errorf("%d recently active after four hours", recent)
		}
		w.Sleep(14 * 24 * time.Hour)
		if left := count(&cloudwatch.ListMetricsInput{}); left != 0 {
			t.Errorf("%d left after two weeks", left)
		}
	})
}

func TestCloudWatchMath(t *testing.T) {
	gap := math.NaN()
	watchRule(t, soon, "operators combine two metrics where both have a value", "User Guide: Using metric math", func(t *testing.T, w watchCloud) {
		w.series("A", -5, 6, 8, gap, 4)
		w.series("B", -5, 2, 0, 3, 8)
		for expression, want := range map[string]string{
			"m1+m2": "-5:8 -4:8 -2:12", "m1-m2": "-5:4 -4:8 -2:-4", "m1*m2": "-5:12 -4:0 -2:32",
			"m1/m2": "-5:3 -2:0.5", "100*(m1-1)/2": "-5:250 -4:350 -2:150", "-m1": "-5:-6 -4:-8 -2:-4", "m1>5": "-5:1 -4:1 -2:0",
		} {
			if got := w.data(-6, 0, "m1=A", "m2=B", "e="+expression); got != want {
				t.Errorf("%s: %q, want %q", expression, got, want)
			}
		}
	})
	watchRule(t, soon, "functions of an array go over all its metrics, those of one metric over its time", "User Guide: Using metric math, functions", func(t *testing.T, w watchCloud) {
		w.series("A", -5, 6, 8, gap)
		w.series("B", -5, 2, gap, 3)
		for expression, want := range map[string]string{
			"SUM(METRICS())": "-5:8 -4:8 -3:3", "AVG([m1,m2])": "-5:4 -4:8 -3:3", "MAX(METRICS())": "-5:6 -4:8 -3:3", "MIN(METRICS())": "-5:2 -4:8 -3:3",
			"m1/SUM(m1)*14": "-5:6 -4:8", `SUM(METRICS("m2"))`: "-5:2 -3:3", "m2*PERIOD(m2)": "-5:120 -3:180", "METRICS()": "-5:6 -4:8 | -5:2 -3:3", "m1-MIN(m1)": "-5:0 -4:2",
		} {
			if got := w.data(-6, 0, "m1=A", "m2=B", "e="+expression); got != want {
				t.Errorf("%s: %q, want %q", expression, got, want)
			}
		}
	})
	watchRule(t, soon, "FILL gives the periods without a value one", "User Guide: Using metric math, FILL", func(t *testing.T, w watchCloud) {
		w.series("A", -4, 2, gap, 6)
		for expression, want := range map[string]string{
			"FILL(m1,0)": "-5:0 -4:2 -3:0 -2:6 -1:0", "FILL(m1,REPEAT)": "-4:2 -3:2 -2:6 -1:6", "FILL(m1,LINEAR)": "-4:2 -3:4 -2:6",
		} {
			if got := w.data(-5, 0, "m1=A", "e="+expression); got != want {
				t.Errorf("%s: %q, want %q", expression, got, want)
			}
		}
	})
	watchRule(t, soon, "IF chooses by a condition at each time", "User Guide: Using metric math, IF", func(t *testing.T, w watchCloud) {
		w.series("A", -4, 2, 5, 9)
		for expression, want := range map[string]string{
			"IF(m1>4,m1,0)": "-4:0 -3:5 -2:9", "IF(m1>4,m1)": "-3:5 -2:9", "IF(m1>4 && m1<6, 1, 2)": "-4:2 -3:1 -2:2", "IF(m1==2 OR m1==9, 1, 0)": "-4:1 -3:0 -2:1",
		} {
			if got := w.data(-5, 0, "m1=A", "e="+expression); got != want {
				t.Errorf("%s: %q, want %q", expression, got, want)
			}
		}
	})
	watchRule(t, 0, "an expression that cannot be evaluated is refused", "API Reference: GetMetricData; User Guide: Using metric math", func(t *testing.T, w watchCloud) {
		for _, expression := range []string{"m1+", "m1+m9", "(m1", "NOSUCH(m1)", "e", "SUM(m1)", "SUM(m1,m1)", "METRICS()+METRICS()", "1+1"} {
			_, err := w.tryData(-5, 0, "m1=A", "e="+expression)
			if err == nil {
				t.Errorf("%s is accepted", expression)
				continue
			}
			wantCode(t, err, "ValidationError")
		}
	})
	watchRule(t, soon, "results come newest first unless asked otherwise, in pages of datapoints", "API Reference: GetMetricData, ScanBy and MaxDatapoints", func(t *testing.T, w watchCloud) {
		w.series("A", -5, 1, 2, 3, 4)
		w.series("B", -5, 9, 8)
		query := func(id, name string) types.MetricDataQuery {
			return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Metric: &types.Metric{Namespace: &w.namespace, MetricName: &name}, Period: aws.Int32(60), Stat: aws.String("Sum")}}
		}
		in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(minute(-5)), EndTime: aws.Time(minute(0)), MaxDatapoints: aws.Int32(3),
			MetricDataQueries: []types.MetricDataQuery{query("a", "A"), query("b", "B")}}
		var got []string
		for p := cloudwatch.NewGetMetricDataPaginator(w.Client, in); p.HasMorePages(); {
			page, err := p.NextPage(w.ctx)
			w.ok(err)
			for _, r := range page.MetricDataResults {
				got = append(got, fmt.Sprint(*r.Id, r.Values, r.StatusCode))
			}
		}
		if text := strings.Join(got, " "); text != "a[4 3 2]PartialData a[1]Complete b[8 9]Complete" {
			t.Errorf("got %s", text)
		}
	})
}

func TestCloudWatchQueues(t *testing.T) {
	queueData := func(w watchCloud, queue, metric, stat string, from, to int) string {
		w.t.Helper()
		out, err := w.GetMetricData(w.ctx, &cloudwatch.GetMetricDataInput{StartTime: aws.Time(minute(from)), EndTime: aws.Time(minute(to)), ScanBy: types.ScanByTimestampAscending,
			MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("q"), MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: &stat,
				Metric: &types.Metric{Namespace: aws.String("AWS/SQS"), MetricName: &metric, Dimensions: dims("QueueName", queue)}}}}})
		w.ok(err)
		return strings.Trim(fmt.Sprint(out.MetricDataResults[0].Values), "[]")
	}
	watchRule(t, 20*time.Minute, "a queue reports each minute what it holds and how old the oldest message is", "SQS Developer Guide: Available CloudWatch metrics for Amazon SQS", func(t *testing.T, w watchCloud) {
		w.Control()
		name := w.Name("q")
		s := sqsCloud{w.Cloud, w.SQS(), t, w.ctx}
		w.Sleep(10 * time.Second)
		url := s.createNamed(name, "VisibilityTimeout", "90")
		s.send(url, "a", "b", "c") // minute 0
		_, err := s.SendMessage(w.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("later"), DelaySeconds: 200})
		w.ok(err)
		w.Sleep(time.Minute) // minute 1
		s.one(url)           // invisible until minute 2
		w.Sleep(4 * time.Minute)
		for metric, want := range map[string]string{
			"ApproximateNumberOfMessagesVisible": "3 2 3 4 4", "ApproximateNumberOfMessagesNotVisible": "0 1 0 0 0",
			"ApproximateNumberOfMessagesDelayed": "1 1 1 0 0", "ApproximateAgeOfOldestMessage": "50 110 170 230 290",
		} {
			if got := queueData(w, name, metric, "Maximum", -5, 0); got != want {
				t.Errorf("%s: %s, want %s", metric, got, want)
			}
		}
	})
	watchRule(t, 20*time.Minute, "a queue counts what is sent, received and deleted, with zeros between", "SQS Developer Guide: Available CloudWatch metrics for Amazon SQS", func(t *testing.T, w watchCloud) {
		w.Control()
		name := w.Name("q")
		s := sqsCloud{w.Cloud, w.SQS(), t, w.ctx}
		url := s.createNamed(name)
		s.send(url, "four", "sixsix")
		w.ok(s.delete(url, s.one(url)))
		w.Sleep(2 * time.Minute)
		s.one(url)
		s.receive(url, wait(0))
		w.Sleep(time.Minute)
		for metric, want := range map[string]string{
			"NumberOfMessagesSent": "2 0 0", "NumberOfMessagesReceived": "1 0 1", "NumberOfMessagesDeleted": "1 0 0", "NumberOfEmptyReceives": "0 0 1", "SentMessageSize": "10",
		} {
			if got := queueData(w, name, metric, "Sum", -3, 0); got != want {
				t.Errorf("%s: %s, want %s", metric, got, want)
			}
		}
		if got := queueData(w, name, "SentMessageSize", "Maximum", -3, 0); got != "6" {
			t.Errorf("largest message: %s", got)
		}
	})
	watchRule(t, 24*time.Hour, "an empty queue reports for six hours after its last call", "SQS Developer Guide: Available CloudWatch metrics for Amazon SQS", func(t *testing.T, w watchCloud) {
		w.Control()
		name := w.Name("q")
		s := sqsCloud{w.Cloud, w.SQS(), t, w.ctx}
		url := s.createNamed(name)
		w.Sleep(12 * time.Hour)
		s.send(url, "m")
		w.Sleep(time.Minute)
		got := len(strings.Fields(queueData(w, name, "ApproximateNumberOfMessagesVisible", "Maximum", -721, 0)))
		if got != 6*60+1 {
			t.Errorf("%d minutes, want 361", got)
		}
	})
	watchRule(t, 20*time.Minute, "a message that comes to a dead-letter queue raises the alarm there, and its age starts anew", "SQS Developer Guide: Creating alarms for dead-letter queues", func(t *testing.T, w watchCloud) {
		w.Control()
		s := sqsCloud{w.Cloud, w.SQS(), t, w.ctx}
		deadName, box := w.Name("dead"), w.inbox()
		dead := s.createNamed(deadName)
		url := s.create("VisibilityTimeout", "30", "RedrivePolicy", redrivePolicy(s.arn(dead), 1))
		name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
			in.Namespace, in.MetricName, in.Dimensions = aws.String("AWS/SQS"), aws.String("ApproximateNumberOfMessagesVisible"), dims("QueueName", deadName)
			in.Statistic, in.Threshold, in.AlarmActions = types.StatisticMaximum, aws.Float64(0), []string{box.topicARN}
		})
		s.send(url, "poison")
		s.one(url)
		w.until(2)
		w.wantState(name, types.StateValueOk)
		s.wantNothing(url) // moves it
		w.until(1)
		w.wantState(name, types.StateValueAlarm)
		if subject, _ := box.next(); subject != `ALARM: "`+name+`" in US East (N. Virginia)` {
			t.Errorf("subject %q", subject)
		}
		if age := queueData(w, deadName, "ApproximateAgeOfOldestMessage", "Maximum", -1, 0); age != "58" {
			t.Errorf("its age is %s s, want 58", age)
		}
	})
	watchRule(t, 20*time.Minute, "a topic counts what is published, delivered, filtered out and failed", "SNS Developer Guide: Amazon SNS metrics", func(t *testing.T, w watchCloud) {
		w.Control()
		box := w.inbox()
		gone := strings.Replace(box.topicARN, ":sns:", ":sqs:", 1) + "-none"
		for policy, endpoint := range map[string]string{`{"kind":["a"]}`: strings.Replace(gone, "-none", "", 1), "": gone} {
			in := &sns.SubscribeInput{TopicArn: &box.topicARN, Protocol: aws.String("sqs"), Endpoint: &endpoint}
			if policy != "" {
				in.Attributes = map[string]string{"FilterPolicy": policy}
			}
			_, err := w.SNS().Subscribe(w.ctx, in)
			w.ok(err)
		}
		for range 3 {
			_, err := w.SNS().Publish(w.ctx, &sns.PublishInput{TopicArn: &box.topicARN, Message: aws.String("m")})
			w.ok(err)
		}
		w.Sleep(time.Minute)
		topic := box.topicARN[strings.LastIndexByte(box.topicARN, ':')+1:]
		for metric, want := range map[string]float64{"NumberOfMessagesPublished": 3, "NumberOfNotificationsDelivered": 3, "NumberOfNotificationsFilteredOut": 3, "NumberOfNotificationsFailed": 3, "PublishSize": 3} {
			got := w.statsOf(&cloudwatch.GetMetricStatisticsInput{Namespace: aws.String("AWS/SNS"), MetricName: &metric, Dimensions: dims("TopicName", topic),
				StartTime: aws.Time(minute(-2)), EndTime: aws.Time(minute(1)), Period: aws.Int32(300), Statistics: []types.Statistic{types.StatisticSum}})
			if len(got) != 1 || *got[0].Sum != want {
				t.Errorf("%s: %+v, want %v", metric, got, want)
			}
		}
	})
}
