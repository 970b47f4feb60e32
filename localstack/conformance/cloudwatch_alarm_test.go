package conformance_test

import (
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
)

func TestCloudWatchAlarm(t *testing.T) {
	watchRule(t, 10*time.Minute, "an alarm begins with too little data, and follows its metric", "User Guide: Alarm evaluation; reasons recorded 2025", func(t *testing.T, w watchCloud) {
		name := w.alarm(treat("notBreaching"))
		a := w.described(name)
		if a.StateValue != types.StateValueInsufficientData || *a.StateReason != "Unchecked: Initial alarm creation" {
			t.Errorf("new: %s, %s", a.StateValue, *a.StateReason)
		}
		w.until(1)
		if a = w.described(name); a.StateValue != types.StateValueOk || *a.StateReason != "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]." {
			t.Errorf("without data: %s, %s", a.StateValue, *a.StateReason)
		}
		at := minute(0)
		w.put(latency(10.5, at))
		w.wantState(name, types.StateValueOk) // the minute has not ended
		w.until(1)
		want := "Threshold Crossed: 1 datapoint [10.5 (" + at.UTC().Format("02/01/06 15:04:05") + ")] was greater than the threshold (10.0)."
		if a = w.described(name); a.StateValue != types.StateValueAlarm || *a.StateReason != want {
			t.Errorf("breaching: %s, %s; want %s", a.StateValue, *a.StateReason, want)
		}
		var data struct {
			Statistic        string
			Period           int
			RecentDatapoints []float64
			Threshold        float64
		}
		w.ok(json.Unmarshal([]byte(*a.StateReasonData), &data))
		if data.Statistic != "Sum" || data.Period != 60 || !slices.Equal(data.RecentDatapoints, []float64{10.5}) || data.Threshold != 10 {
			t.Errorf("reason data %s", *a.StateReasonData)
		}
		w.put(latency(10, minute(0)))
		w.until(1)
		if a = w.described(name); a.StateValue != types.StateValueOk || !strings.Contains(*a.StateReason, "was not greater than the threshold (10.0)") {
			t.Errorf("back: %s, %s", a.StateValue, *a.StateReason)
		}
	})
	watchRule(t, 15*time.Minute, "M breaching datapoints of the last N make an alarm, in any order", "User Guide: Alarm evaluation; reasons recorded 2025", func(t *testing.T, w watchCloud) {
		name := w.alarm(outOf(2, 3))
		w.series("Latency", -3, 20, 1, 1)
		w.until(0)
		w.Sleep(time.Minute)
		start := minute(0)
		for i, step := range []struct {
			v    float64
			want types.StateValue
		}{{1, types.StateValueOk}, {20, types.StateValueOk}, {1, types.StateValueOk}, {30, types.StateValueAlarm}, {1, types.StateValueOk}} {
			w.put(latency(step.v, minute(0)))
			w.until(1)
			a := w.described(name)
			if a.StateValue != step.want {
				t.Errorf("minute %d: %s (%s), want %s", i, a.StateValue, *a.StateReason, step.want)
			}
			day := func(n int) string {
				return start.Add(time.Duration(n) * time.Minute).UTC().Format("02/01/06 15:04:05")
			}
			if want := "Threshold Crossed: 2 out of the last 3 datapoints [30.0 (" + day(3) + "), 20.0 (" + day(1) + ")] were greater than the threshold (10.0) (minimum 2 datapoints for OK -> ALARM transition)."; i == 3 && *a.StateReason != want {
				t.Errorf("reason %s, want %s", *a.StateReason, want)
			}
		}
	})
	watchRule(t, time.Hour, "missing datapoints are treated in four ways", "User Guide: Configuring how CloudWatch alarms treat missing data, tables", func(t *testing.T, w watchCloud) {
		const gap, good, bad = '-', '0', 'X'
		keep := types.StateValue("")
		ok, alarm, insufficient := types.StateValueOk, types.StateValueAlarm, types.StateValueInsufficientData
		for _, test := range []struct {
			m, n int32
			data string
			want [4]types.StateValue // missing, ignore, breaching, notBreaching
		}{
			{3, 3, "0-X-X", [4]types.StateValue{ok, ok, ok, ok}},
			{3, 3, "0----", [4]types.StateValue{ok, ok, ok, ok}},
			{3, 3, "-----", [4]types.StateValue{insufficient, keep, alarm, ok}},
			{3, 3, "0XX-X", [4]types.StateValue{alarm, alarm, alarm, alarm}},
			{3, 3, "--X--", [4]types.StateValue{alarm, keep, alarm, ok}},
			{2, 3, "0-X-X", [4]types.StateValue{alarm, alarm, alarm, alarm}},
			{2, 3, "00X0X", [4]types.StateValue{alarm, alarm, alarm, alarm}},
			{2, 3, "0-X--", [4]types.StateValue{ok, ok, alarm, ok}},
			{2, 3, "----0", [4]types.StateValue{ok, ok, alarm, ok}},
			{2, 3, "---X-", [4]types.StateValue{alarm, keep, alarm, ok}},
		} {
			metric := w.Name("m")
			for i, c := range test.data {
				switch c {
				case good:
					w.series(metric, i-5, 1)
				case bad:
					w.series(metric, i-5, 99)
				case gap:
				}
			}
			var names []string
			for _, how := range []string{"missing", "ignore", "breaching", "notBreaching"} {
				name := w.alarm(outOf(test.m, test.n), treat(how), func(in *cloudwatch.PutMetricAlarmInput) { in.MetricName = &metric })
				before := ok
				if how == "missing" && test.data == "-----" {
					before = alarm
				}
				w.setState(name, before)
				names = append(names, name)
			}
			w.until(0)
			for i, name := range names {
				want := test.want[i]
				if want == keep {
					want = ok
				}
				if got := w.described(name).StateValue; got != want {
					t.Errorf("%d of %d, %s, way %d: %s, want %s", test.m, test.n, test.data, i, got, want)
				}
			}
			w.Sleep(time.Until(minute(1)))
		}
	})
	watchRule(t, 10*time.Minute, "a reason with missing datapoints tells how many came and how many were filled in", "recorded 2026", func(t *testing.T, w watchCloud) {
		name := w.alarm(outOf(2, 3), treat("breaching"))
		w.setState(name, types.StateValueOk)
		w.until(0)
		want := "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."
		w.until(1)
		if got := *w.described(name).StateReason; got != want {
			t.Errorf("reason %s, want %s", got, want)
		}
		w.series("Latency", 0, 1)
		w.setState(name, types.StateValueOk)
		w.until(1)
		want = "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching]."
		if got := *w.described(name).StateReason; got != want {
			t.Errorf("reason %s, want %s", got, want)
		}
	})
	watchRule(t, 30*time.Minute, "a single datapoint keeps its alarm up for two more periods, as the evaluation range is longer than the evaluation periods", "User Guide: Configuring how CloudWatch alarms treat missing data; recorded 2026 (a period of 15 minutes, 46 minutes in ALARM)", func(t *testing.T, w watchCloud) {
		w.Control()
		name := w.alarm(treat("notBreaching"))
		w.put(latency(99, minute(0)))
		for _, want := range []types.StateValue{types.StateValueAlarm, types.StateValueAlarm, types.StateValueAlarm, types.StateValueOk} {
			w.until(1)
			w.wantState(name, want)
		}
	})
	watchRule(t, 5*time.Minute, "the comparison is with the value first and the threshold second", "API Reference: PutMetricAlarm, ComparisonOperator", func(t *testing.T, w watchCloud) {
		w.series("Latency", 0, 10)
		names := map[string]types.StateValue{}
		for operator, breaching := range map[types.ComparisonOperator][3]bool{ // of thresholds 9, 10 and 11
			types.ComparisonOperatorGreaterThanThreshold: {true, false, false}, types.ComparisonOperatorGreaterThanOrEqualToThreshold: {true, true, false},
			types.ComparisonOperatorLessThanThreshold: {false, false, true}, types.ComparisonOperatorLessThanOrEqualToThreshold: {false, true, true},
		} {
			for i, b := range breaching {
				name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
					in.ComparisonOperator, in.Threshold = operator, aws.Float64(float64(9+i))
				})
				names[name] = map[bool]types.StateValue{true: types.StateValueAlarm, false: types.StateValueOk}[b]
			}
		}
		w.until(1)
		for name, want := range names {
			w.wantState(name, want)
		}
	})
	watchRule(t, 5*time.Minute, "an alarm can watch a percentile, and ignore periods with few samples", "User Guide: Percentile-based alarms and low data samples", func(t *testing.T, w watchCloud) {
		percentile := func(low string) string {
			return w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
				in.Statistic, in.ExtendedStatistic = "", aws.String("p90")
				if low != "" {
					in.EvaluateLowSampleCountPercentile = &low
				}
			})
		}
		always, enough := percentile(""), percentile("ignore")
		for i := range 9 {
			w.put(latency(float64(i*2), minute(0)))
		}
		w.until(1)
		w.wantState(always, types.StateValueAlarm)
		w.wantState(enough, types.StateValueInsufficientData)
		w.put(types.MetricDatum{MetricName: aws.String("Latency"), Values: []float64{1, 50}, Counts: []float64{200, 50}, Timestamp: aws.Time(minute(0))})
		w.until(1)
		w.wantState(enough, types.StateValueAlarm)
	})
	watchRule(t, 5*time.Minute, "an alarm can watch an expression", "API Reference: PutMetricAlarm, Metrics", func(t *testing.T, w watchCloud) {
		stat := func(id, metric string) types.MetricDataQuery {
			return types.MetricDataQuery{Id: &id, ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: aws.String("Sum"), Metric: &types.Metric{Namespace: &w.namespace, MetricName: &metric}}}
		}
		name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
			in.Namespace, in.MetricName, in.Period, in.Statistic = nil, nil, nil, ""
			in.Metrics = []types.MetricDataQuery{stat("errors", "Errors"), stat("calls", "Calls"),
				{Id: aws.String("rate"), Expression: aws.String("100 * errors / FILL(calls, 1)"), ReturnData: aws.Bool(true)}}
		})
		w.series("Errors", 0, 2)
		w.series("Calls", 0, 10)
		w.until(1)
		w.wantState(name, types.StateValueAlarm)
		if a := w.described(name); len(a.Metrics) != 3 || a.MetricName != nil {
			t.Errorf("described with %d metrics", len(a.Metrics))
		}
		w.series("Errors", 0, 1)
		w.series("Calls", 0, 10)
		w.until(1)
		w.wantState(name, types.StateValueOk)
	})
	watchRule(t, 5*time.Minute, "an alarm with a period of ten seconds is evaluated each ten seconds", "User Guide: Alarm evaluation, high resolution", func(t *testing.T, w watchCloud) {
		name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(10) })
		d := latency(99, time.Now().Truncate(10*time.Second))
		d.StorageResolution = aws.Int32(1)
		w.put(d)
		w.Sleep(time.Until(time.Now().Truncate(10*time.Second).Add(10*time.Second)) + settle)
		w.wantState(name, types.StateValueAlarm)
	})
	watchRule(t, 10*time.Minute, "an update keeps the state until the next evaluation", "API Reference: PutMetricAlarm", func(t *testing.T, w watchCloud) {
		in := w.alarmInput()
		_, err := w.PutMetricAlarm(w.ctx, in)
		w.ok(err)
		w.series("Latency", 0, 20, 20)
		w.until(1)
		in.Threshold = aws.Float64(30)
		_, err = w.PutMetricAlarm(w.ctx, in)
		w.ok(err)
		w.wantState(*in.AlarmName, types.StateValueAlarm)
		w.until(1)
		w.wantState(*in.AlarmName, types.StateValueOk)
	})
	watchRule(t, 0, "what an alarm must not be", "API Reference: PutMetricAlarm", func(t *testing.T, w watchCloud) {
		for name, change := range map[string]func(*cloudwatch.PutMetricAlarmInput){
			"more than a day": func(in *cloudwatch.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Int32(1441) },
			"more than a week": func(in *cloudwatch.PutMetricAlarmInput) {
				in.Period, in.EvaluationPeriods = aws.Int32(3600), aws.Int32(169)
			},
			"M over N":         outOf(3, 2),
			"another way":      treat("guess"),
			"a period of 45 s": func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(45) },
			"no threshold":     func(in *cloudwatch.PutMetricAlarmInput) { in.Threshold = nil },
			"two statistics":   func(in *cloudwatch.PutMetricAlarmInput) { in.ExtendedStatistic = aws.String("p90") },
			"six actions": func(in *cloudwatch.PutMetricAlarmInput) {
				in.AlarmActions = slices.Repeat([]string{"arn:aws:sns:us-east-1:000000000000:t"}, 6)
			},
			"an action that is no ARN": func(in *cloudwatch.PutMetricAlarmInput) { in.OKActions = []string{"topic"} },
			"an action in another region": func(in *cloudwatch.PutMetricAlarmInput) {
				in.OKActions = []string{"arn:aws:sns:eu-west-9:000000000000:t"}
			},
		} {
			if _, err := w.PutMetricAlarm(w.ctx, w.alarmInput(change)); err == nil {
				t.Errorf("%s is accepted", name)
			}
		}
	})
	watchRule(t, 0, "what the local cloud has not is refused by name", "this cloud's own rule", func(t *testing.T, w watchCloud) {
		w.Control()
		for want, change := range map[string]func(*cloudwatch.PutMetricAlarmInput){
			"arn:aws:automate:us-east-1:ec2:stop": func(in *cloudwatch.PutMetricAlarmInput) {
				in.AlarmActions = []string{"arn:aws:automate:us-east-1:ec2:stop"}
			},
			"ThresholdMetricId": func(in *cloudwatch.PutMetricAlarmInput) { in.ThresholdMetricId = aws.String("ad1") },
			"tm90":              func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic, in.ExtendedStatistic = "", aws.String("tm90") },
		} {
			_, err := w.PutMetricAlarm(w.ctx, w.alarmInput(change))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v", want, err)
			}
		}
		_, err := w.PutAnomalyDetector(w.ctx, &cloudwatch.PutAnomalyDetectorInput{})
		wantCode(t, err, "InvalidAction")
	})
	watchRule(t, 0, "alarms are found by name, prefix, state and action, in pages", "API Reference: DescribeAlarms", func(t *testing.T, w watchCloud) {
		prefix := w.Name("list")
		topic := "arn:aws:sns:" + w.AWS().Region + ":000000000000:t"
		for i := range 5 {
			w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
				in.AlarmName = aws.String(fmt.Sprint(prefix, "-", i))
				if i == 3 && w.Embedded() {
					in.AlarmActions = []string{topic}
				}
			})
		}
		w.setState(prefix+"-2", types.StateValueAlarm)
		find := func(in *cloudwatch.DescribeAlarmsInput) string {
			var found []string
			for p := cloudwatch.NewDescribeAlarmsPaginator(w.Client, in); p.HasMorePages(); {
				page, err := p.NextPage(w.ctx)
				w.ok(err)
				for _, a := range page.MetricAlarms {
					found = append(found, strings.TrimPrefix(*a.AlarmName, prefix+"-"))
				}
			}
			return strings.Join(found, "")
		}
		for want, in := range map[string]*cloudwatch.DescribeAlarmsInput{
			"01234": {AlarmNamePrefix: &prefix, MaxRecords: aws.Int32(2)},
			"2":     {AlarmNamePrefix: &prefix, StateValue: types.StateValueAlarm},
			"14":    {AlarmNames: []string{prefix + "-4", prefix + "-1", prefix + "-9"}},
		} {
			if got := find(in); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if got := find(&cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: &prefix, ActionPrefix: aws.String("arn:aws:sns:")}); w.Embedded() && got != "3" {
			t.Errorf("with the action: %q", got)
		}
		out, err := w.DescribeAlarmsForMetric(w.ctx, &cloudwatch.DescribeAlarmsForMetricInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), Statistic: types.StatisticSum})
		w.ok(err)
		other, err := w.DescribeAlarmsForMetric(w.ctx, &cloudwatch.DescribeAlarmsForMetricInput{Namespace: &w.namespace, MetricName: aws.String("Latency"), Dimensions: dims("a", "b")})
		w.ok(err)
		if len(out.MetricAlarms) != 5 || len(other.MetricAlarms) != 0 {
			t.Errorf("%d for the metric, %d for another", len(out.MetricAlarms), len(other.MetricAlarms))
		}
	})
	watchRule(t, 0, "deleting ignores names that no alarm has", "API Reference: DeleteAlarms", func(t *testing.T, w watchCloud) {
		name := w.alarm()
		_, err := w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name, name + "x"}})
		w.ok(err)
		out, err := w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
		w.ok(err)
		if len(out.MetricAlarms) != 0 {
			t.Error("it is still there")
		}
		_, err = w.SetAlarmState(w.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: types.StateValueOk, StateReason: aws.String("r")})
		wantError[*types.ResourceNotFound](t, err)
	})
	watchRule(t, 0, "an alarm has tags, which an update does not change", "API Reference: PutMetricAlarm and TagResource", func(t *testing.T, w watchCloud) {
		in := w.alarmInput(func(in *cloudwatch.PutMetricAlarmInput) {
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
		})
		for range 2 {
			_, err := w.PutMetricAlarm(w.ctx, in)
			w.ok(err)
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("other")}}
		}
		arn := w.described(*in.AlarmName).AlarmArn
		_, err := w.TagResource(w.ctx, &cloudwatch.TagResourceInput{ResourceARN: arn, Tags: []types.Tag{{Key: aws.String("stage"), Value: aws.String("b")}}})
		w.ok(err)
		tags := func() (text string) {
			out, err := w.ListTagsForResource(w.ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: arn})
			w.ok(err)
			for _, tag := range out.Tags {
				text += *tag.Key + "=" + *tag.Value + " "
			}
			return text
		}
		if got := tags(); got != "stage=b team=a " {
			t.Errorf("tags %s", got)
		}
		_, err = w.UntagResource(w.ctx, &cloudwatch.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"stage"}})
		w.ok(err)
		if got := tags(); got != "team=a " {
			t.Errorf("tags %s", got)
		}
		_, err = w.ListTagsForResource(w.ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: aws.String(*arn + "x")})
		wantError[*types.ResourceNotFoundException](t, err)
	})
}

func TestCloudWatchActions(t *testing.T) {
	watchRule(t, 10*time.Minute, "an alarm tells its topic the state, the reason and what triggered it", "User Guide: Acting on alarm changes; message recorded 2025", func(t *testing.T, w watchCloud) {
		box := w.inbox()
		name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
			in.AlarmActions, in.AlarmDescription, in.Dimensions = []string{box.topicARN}, aws.String("too slow"), dims("Server", "a")
		})
		w.put(latency(11, minute(0), "Server", "a"))
		w.until(1)
		subject, m := box.next()
		if region := w.AWS().Region; region == "us-east-1" && subject != `ALARM: "`+name+`" in US East (N. Virginia)` {
			t.Errorf("subject %q", subject)
		}
		trigger, _ := m["Trigger"].(map[string]any)
		for _, test := range []struct{ what, got, want any }{
			{"AlarmName", m["AlarmName"], name}, {"AlarmDescription", m["AlarmDescription"], "too slow"}, {"NewStateValue", m["NewStateValue"], "ALARM"},
			{"OldStateValue", m["OldStateValue"], "INSUFFICIENT_DATA"}, {"NewStateReason", m["NewStateReason"], *w.described(name).StateReason},
			{"AlarmArn", m["AlarmArn"], *w.described(name).AlarmArn}, {"MetricName", trigger["MetricName"], "Latency"}, {"Namespace", trigger["Namespace"], w.namespace},
			{"StatisticType", trigger["StatisticType"], "Statistic"}, {"Statistic", trigger["Statistic"], "SUM"}, {"Unit", trigger["Unit"], nil},
			{"Period", trigger["Period"], 60.0}, {"EvaluationPeriods", trigger["EvaluationPeriods"], 1.0}, {"Threshold", trigger["Threshold"], 10.0},
			{"ComparisonOperator", trigger["ComparisonOperator"], "GreaterThanThreshold"}, {"TreatMissingData", trigger["TreatMissingData"], "missing"},
			{"Dimensions", fmt.Sprint(trigger["Dimensions"]), "[map[name:Server value:a]]"},
		} {
			if test.got != test.want {
				t.Errorf("%s is %v, want %v", test.what, test.got, test.want)
			}
		}
		if changed, err := time.Parse("2006-01-02T15:04:05.000-0700", fmt.Sprint(m["StateChangeTime"])); err != nil || time.Since(changed) > time.Minute {
			t.Errorf("StateChangeTime %v, %v", m["StateChangeTime"], err)
		}
	})
	watchRule(t, 10*time.Minute, "each state has its actions, and a state that stays has none", "User Guide: Alarm actions", func(t *testing.T, w watchCloud) {
		box := w.inbox()
		topic := []string{box.topicARN}
		name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
			in.OKActions, in.AlarmActions, in.InsufficientDataActions = topic, topic, topic
		})
		w.series("Latency", 0, 11, 12, 1)
		var got []string
		for range 8 {
			w.until(1)
			if _, m := box.next(); m != nil {
				got = append(got, fmt.Sprint(m["NewStateValue"]))
			}
		}
		if text := strings.Join(got, " "); text != "ALARM OK INSUFFICIENT_DATA" {
			t.Errorf("notified of %s", text)
		}
		w.wantState(name, types.StateValueInsufficientData)
	})
	watchRule(t, 5*time.Minute, "actions that are disabled do not run, the state changes nonetheless", "API Reference: DisableAlarmActions", func(t *testing.T, w watchCloud) {
		box := w.inbox()
		name := w.alarm(treat("ignore"), func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = []string{box.topicARN} })
		_, err := w.DisableAlarmActions(w.ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{name}})
		w.ok(err)
		w.setState(name, types.StateValueAlarm)
		if _, m := box.next(); m != nil {
			t.Errorf("notified: %v", m)
		}
		w.wantState(name, types.StateValueAlarm)
		_, err = w.EnableAlarmActions(w.ctx, &cloudwatch.EnableAlarmActionsInput{AlarmNames: []string{name}})
		w.ok(err)
		w.setState(name, types.StateValueOk)
		w.setState(name, types.StateValueAlarm)
		if _, m := box.next(); m == nil {
			t.Error("not notified once enabled")
		}
	})
	watchRule(t, 5*time.Minute, "a state that was set runs its actions and lasts until the next evaluation", "API Reference: SetAlarmState", func(t *testing.T, w watchCloud) {
		box := w.inbox()
		name := w.alarm(treat("notBreaching"), func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = []string{box.topicARN} })
		w.setState(name, types.StateValueAlarm)
		if _, m := box.next(); m == nil || m["NewStateReason"] != "set" {
			t.Errorf("message %v", m)
		}
		w.wantState(name, types.StateValueAlarm)
		w.until(1)
		w.wantState(name, types.StateValueOk)
		_, err := w.SetAlarmState(w.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: types.StateValueOk, StateReason: aws.String("r"), StateReasonData: aws.String("{")})
		wantError[*types.InvalidFormatFault](t, err)
	})
	watchRule(t, 5*time.Minute, "the history tells changes of configuration and state, and actions", "API Reference: DescribeAlarmHistory", func(t *testing.T, w watchCloud) {
		box := w.inbox()
		name := w.alarm(treat("ignore"), func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = []string{box.topicARN} })
		w.Sleep(time.Second)
		w.setState(name, types.StateValueAlarm)
		box.next()
		_, err := w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}})
		w.ok(err)
		history := func(in *cloudwatch.DescribeAlarmHistoryInput) (items []string) {
			in.AlarmName = &name
			out, err := w.DescribeAlarmHistory(w.ctx, in)
			w.ok(err)
			for _, item := range out.AlarmHistoryItems {
				if !json.Valid([]byte(*item.HistoryData)) {
					t.Errorf("history data %s", *item.HistoryData)
				}
				items = append(items, string(item.HistoryItemType)+": "+*item.HistorySummary)
			}
			return items
		}
		want := []string{
			`ConfigurationUpdate: Alarm "` + name + `" created`, "StateUpdate: Alarm updated from INSUFFICIENT_DATA to ALARM",
			"Action: Successfully executed action " + box.topicARN, `ConfigurationUpdate: Alarm "` + name + `" deleted`,
		}
		if got := history(&cloudwatch.DescribeAlarmHistoryInput{ScanBy: types.ScanByTimestampAscending}); !slices.Equal(got, want) {
			t.Errorf("history %q, want %q", got, want)
		}
		if got := history(&cloudwatch.DescribeAlarmHistoryInput{}); len(got) != 4 || got[0] != want[3] {
			t.Errorf("the newest does not come first: %q", got)
		}
		if got := history(&cloudwatch.DescribeAlarmHistoryInput{HistoryItemType: types.HistoryItemTypeStateUpdate}); len(got) != 1 {
			t.Errorf("state updates: %q", got)
		}
	})
	watchRule(t, 0, "an action that fails is in the history", "API Reference: DescribeAlarmHistory", func(t *testing.T, w watchCloud) {
		w.Control()
		name := w.alarm(func(in *cloudwatch.PutMetricAlarmInput) {
			in.AlarmActions = []string{"arn:aws:sns:us-east-1:000000000000:none"}
		})
		w.setState(name, types.StateValueAlarm)
		w.Sleep(time.Second)
		out, err := w.DescribeAlarmHistory(w.ctx, &cloudwatch.DescribeAlarmHistoryInput{AlarmName: &name, HistoryItemType: types.HistoryItemTypeAction})
		w.ok(err)
		if len(out.AlarmHistoryItems) != 1 || !strings.HasPrefix(*out.AlarmHistoryItems[0].HistorySummary, "Failed to execute action") {
			t.Errorf("%+v", out.AlarmHistoryItems)
		}
	})
	watchRule(t, 0, "twelve hours of alarms cost next to nothing", "this cloud's own rule", func(t *testing.T, w watchCloud) {
		w.Control()
		for range 20 {
			w.alarm(outOf(2, 3))
		}
		w.series("Latency", 0, 99)
		w.Sleep(12 * time.Hour)
		w.series("Latency", 0, 99, 99)
		w.until(2)
		out, err := w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{StateValue: types.StateValueAlarm})
		w.ok(err)
		if len(out.MetricAlarms) != 20 {
			t.Errorf("%d alarms are up, want 20", len(out.MetricAlarms))
		}
	})
}

func TestCloudWatchComposite(t *testing.T) {
	put := func(w watchCloud, rule string, actions ...string) string {
		w.t.Helper()
		name := w.Name("composite")
		_, err := w.PutCompositeAlarm(w.ctx, &cloudwatch.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &rule, AlarmActions: actions})
		w.ok(err)
		return name
	}
	watchRule(t, 5*time.Minute, "a composite alarm is up while its rule holds", "API Reference: PutCompositeAlarm, AlarmRule", func(t *testing.T, w watchCloud) {
		a, b := w.alarm(treat("ignore")), w.alarm(treat("ignore"))
		w.setState(a, types.StateValueAlarm)
		w.setState(b, types.StateValueOk)
		arn := *w.described(a).AlarmArn
		for rule, want := range map[string]types.StateValue{
			fmt.Sprintf("ALARM(%q) AND ALARM(%q)", a, b):                          types.StateValueOk,
			fmt.Sprintf("ALARM(%q) OR ALARM(%q)", a, b):                           types.StateValueAlarm,
			fmt.Sprintf("ALARM(%s) AND NOT ALARM(%s)", a, b):                      types.StateValueAlarm,
			fmt.Sprintf("OK(%q) AND (TRUE OR FALSE)", b):                          types.StateValueAlarm,
			fmt.Sprintf("NOT (ALARM(%q) OR INSUFFICIENT_DATA(%q))", arn, b):       types.StateValueOk,
			fmt.Sprintf("FALSE AND FALSE OR ALARM(%q)", arn):                      types.StateValueAlarm,
			fmt.Sprintf("AT_LEAST(1, ALARM, (%s, %q))", a, b):                     types.StateValueAlarm,
			fmt.Sprintf("AT_LEAST(2, ALARM, (%s, %s))", a, b):                     types.StateValueOk,
			fmt.Sprintf("AT_LEAST(100%%, NOT INSUFFICIENT_DATA, (%s, %s))", a, b): types.StateValueAlarm,
			fmt.Sprintf("NOT ALARM(%q) AND FALSE OR INSUFFICIENT_DATA(%q)", a, b): types.StateValueOk,
		} {
			name := put(w, rule)
			w.Eventually(rule, time.Minute, func() bool { return w.composite(name).StateValue == want })
		}
	})
	watchRule(t, 5*time.Minute, "a composite alarm follows its alarms at once, through other composite ones, and tells which it was", "User Guide: Composite alarms", func(t *testing.T, w watchCloud) {
		box := w.inbox()
		child := w.alarm(treat("ignore"))
		w.setState(child, types.StateValueOk)
		middle := put(w, fmt.Sprintf("ALARM(%q)", child))
		top := put(w, fmt.Sprintf("ALARM(%q)", middle), box.topicARN)
		w.setState(child, types.StateValueAlarm)
		subject, m := box.next()
		children, _ := m["TriggeringChildren"].([]any)
		if !strings.HasPrefix(subject, `ALARM: "`+top+`"`) || m["NewStateValue"] != "ALARM" || m["AlarmRule"] == nil || len(children) != 1 {
			t.Errorf("%s: %v", subject, m)
		}
		if c := w.composite(top); !strings.HasPrefix(*c.StateReason, *w.composite(middle).AlarmArn+" transitioned to ALARM at ") {
			t.Errorf("reason %s", *c.StateReason)
		}
		w.setState(child, types.StateValueOk)
		w.Eventually("the top is OK again", time.Minute, func() bool { return w.composite(top).StateValue == types.StateValueOk })
	})
	watchRule(t, 0, "a rule must be right, and its alarms be there", "API Reference: PutCompositeAlarm", func(t *testing.T, w watchCloud) {
		name := w.alarm()
		for _, rule := range []string{"ALARM(", "ALARM()", "MAYBE(" + name + ")", name, "ALARM(" + name + ") AND", "ALARM(" + name + ") ALARM(" + name + ")", "(TRUE", "ALARM(" + name + "-none)", " TRUE", "AT_LEAST(3, ALARM, (" + name + "))"} {
			_, err := w.PutCompositeAlarm(w.ctx, &cloudwatch.PutCompositeAlarmInput{AlarmName: aws.String(w.Name("c")), AlarmRule: &rule})
			if err == nil {
				t.Errorf("%s is accepted", rule)
				continue
			}
			wantCode(t, err, "ValidationError")
		}
	})
	watchRule(t, 0, "composite alarms are described when asked for, with their relations", "API Reference: DescribeAlarms, AlarmTypes, ChildrenOfAlarmName, ParentsOfAlarmName", func(t *testing.T, w watchCloud) {
		child := w.alarm()
		parent := put(w, "ALARM("+child+")")
		out, err := w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{parent}})
		w.ok(err)
		if len(out.CompositeAlarms) != 0 {
			t.Error("described without being asked for")
		}
		out, err = w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{ChildrenOfAlarmName: &parent})
		w.ok(err)
		if len(out.MetricAlarms) != 1 || *out.MetricAlarms[0].AlarmName != child {
			t.Errorf("children: %d", len(out.MetricAlarms))
		}
		out, err = w.DescribeAlarms(w.ctx, &cloudwatch.DescribeAlarmsInput{ParentsOfAlarmName: &child})
		w.ok(err)
		if len(out.CompositeAlarms) != 1 || *out.CompositeAlarms[0].AlarmName != parent {
			t.Errorf("parents: %d", len(out.CompositeAlarms))
		}
	})
	watchRule(t, 0, "an alarm that a composite one depends on cannot be deleted", "API Reference: DeleteAlarms; recorded 2025", func(t *testing.T, w watchCloud) {
		child := w.alarm()
		parent := put(w, "ALARM("+child+")")
		_, err := w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{child}})
		wantCode(t, err, "ValidationError")
		if want := "Cannot delete " + child + " as there are composite alarm(s) depending on it."; err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		_, err = w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{parent, child}})
		w.ok(err)
		lower := put(w, "FALSE")
		upper := put(w, "ALARM("+lower+")")
		_, err = w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{lower}})
		wantCode(t, err, "ValidationError")
		_, err = w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{upper, lower}})
		wantCode(t, err, "ValidationError") // only one at a time
		for _, name := range []string{upper, lower} {
			_, err = w.DeleteAlarms(w.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}})
			w.ok(err)
		}
	})
}

func TestCloudWatchDashboards(t *testing.T) {
	const body = `{"widgets":[{"type":"text","x":0,"y":0,"width":6,"height":3,"properties":{"markdown":"hello"}}]}`
	put := func(w watchCloud, name, body string) error {
		_, err := w.PutDashboard(w.ctx, &cloudwatch.PutDashboardInput{DashboardName: &name, DashboardBody: aws.String(body)})
		return err
	}
	watchRule(t, 0, "a dashboard is kept as it was put", "API Reference: PutDashboard, GetDashboard, ListDashboards", func(t *testing.T, w watchCloud) {
		name := w.Name("board")
		w.ok(put(w, name, body))
		got, err := w.GetDashboard(w.ctx, &cloudwatch.GetDashboardInput{DashboardName: &name})
		w.ok(err)
		if *got.DashboardBody != body || !strings.HasSuffix(*got.DashboardArn, ":dashboard/"+name) {
			t.Errorf("%s: %s", *got.DashboardArn, *got.DashboardBody)
		}
		list, err := w.ListDashboards(w.ctx, &cloudwatch.ListDashboardsInput{DashboardNamePrefix: &name})
		w.ok(err)
		if len(list.DashboardEntries) != 1 || *list.DashboardEntries[0].Size != int64(len(body)) || math.Abs(time.Since(*list.DashboardEntries[0].LastModified).Hours()) > 1 {
			t.Errorf("%+v", list.DashboardEntries)
		}
		_, err = w.DeleteDashboards(w.ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{name}})
		w.ok(err)
		_, err = w.GetDashboard(w.ctx, &cloudwatch.GetDashboardInput{DashboardName: &name})
		wantCode(t, err, "ResourceNotFound")
	})
	watchRule(t, 0, "a body that is none is refused, and so is an unknown name", "API Reference: PutDashboard, DashboardInvalidInputError; DeleteDashboards", func(t *testing.T, w watchCloud) {
		for _, wrong := range []string{"", "{", "[]", `{"widgets":{}}`, `{"widgets":[{"properties":{}}]}`, `{"widgets":[{"type":"cake","properties":{}}]}`} {
			wantCode(t, put(w, w.Name("board"), wrong), "InvalidParameterInput")
		}
		name := w.Name("board")
		w.ok(put(w, name, body))
		_, err := w.DeleteDashboards(w.ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{name, name + "x"}})
		wantCode(t, err, "ResourceNotFound")
		_, err = w.GetDashboard(w.ctx, &cloudwatch.GetDashboardInput{DashboardName: &name})
		w.ok(err)
	})
}
