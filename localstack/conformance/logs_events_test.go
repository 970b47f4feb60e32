package conformance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	watchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	service "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/logs"
)

func TestLogsPut(t *testing.T) {
	logsRule(t, 0, "events of a batch must be in the order of time", "API Reference: PutLogEvents", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		_, err := l.tryPut(group, "s", at(0, "second"), at(time.Second, "first"))
		wantErrorText[*types.InvalidParameterException](t, err, "Log events in a single PutLogEvents request must be in chronological order.")
		l.put(group, "s", at(time.Second, "second"))
		l.put(group, "s", at(2*time.Second, "first")) // batches need no order
		if got, _ := l.get(group, "s"); l.Embedded() && got != "first second" {
			t.Errorf("read %q", got)
		}
	})
	logsRule(t, 0, "a batch has up to 10,000 events and 1 MiB, counting 26 bytes for each event", "API Reference: PutLogEvents", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		_, err := l.tryPut(group, "s", slices.Repeat([]types.InputLogEvent{at(0, "m")}, 10_001)...)
		wantError[*types.InvalidParameterException](t, err)
		l.put(group, "s", slices.Repeat([]types.InputLogEvent{at(0, "m")}, 10_000)...)
		_, err = l.tryPut(group, "s", at(0, strings.Repeat("x", 1<<20-25)))
		wantErrorText[*types.InvalidParameterException](t, err, "1048577 bytes exceeds limit of 1048576")
		l.put(group, "s", at(0, strings.Repeat("x", 1<<20-26)))
	})
	logsRule(t, 0, "a batch spans up to a day", "API Reference: PutLogEvents", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		_, err := l.tryPut(group, "s", at(24*time.Hour+time.Second, "a"), at(0, "b"))
		wantErrorText[*types.InvalidParameterException](t, err, "cannot span more than 24 hours")
		l.put(group, "s", at(24*time.Hour, "a"), at(0, "b"))
	})
	logsRule(t, 0, "events too old, expired or too new are rejected, and the others kept", "API Reference: PutLogEvents, RejectedLogEventsInfo", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		out := l.put(group, "s", at(15*24*time.Hour, "too old"), at(time.Minute, "good"), at(-3*time.Hour, "too new"))
		r := out.RejectedLogEventsInfo
		if r == nil || aws.ToInt32(r.TooOldLogEventEndIndex) != 1 || aws.ToInt32(r.TooNewLogEventStartIndex) != 2 || r.ExpiredLogEventEndIndex != nil {
			t.Errorf("rejected %+v", r)
		}
		_, err := l.PutRetentionPolicy(l.ctx, &logs.PutRetentionPolicyInput{LogGroupName: &group, RetentionInDays: aws.Int32(3)})
		l.ok(err)
		out = l.put(group, "s", at(4*24*time.Hour, "expired"), at(time.Minute, "good too"))
		if r = out.RejectedLogEventsInfo; r == nil || aws.ToInt32(r.ExpiredLogEventEndIndex) != 1 {
			t.Errorf("rejected %+v", r)
		}
		if got := l.filter(group, ""); l.Embedded() && got != "good | good too" {
			t.Errorf("kept %q", got)
		}
	})
	logsRule(t, 0, "sequence tokens are ignored", "API Reference: PutLogEvents", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		for range 2 {
			_, err := l.PutLogEvents(l.ctx, &logs.PutLogEventsInput{LogGroupName: &group, LogStreamName: aws.String("s"), SequenceToken: aws.String("wrong"), LogEvents: []types.InputLogEvent{at(0, "m")}})
			l.ok(err)
		}
	})
	logsRule(t, 0, "a function's log makes its group and stream", "Lambda Developer Guide: Sending Lambda function logs to CloudWatch Logs", func(t *testing.T, l logsCloud) {
		l.Control().Logs().Put("000000000000", "us-east-1", "/aws/lambda/f", "2026/12/01/[$LATEST]1", []service.Event{{Message: "START"}, {Message: "END"}})
		if got, out := l.get("/aws/lambda/f", "2026/12/01/[$LATEST]1"); got != "START END" || *out.Events[0].IngestionTime != time.Now().UnixMilli() {
			t.Errorf("read %q", got)
		}
	})
}

func TestLogsRead(t *testing.T) {
	head := func(in *logs.GetLogEventsInput) { in.StartFromHead = aws.Bool(true) }
	two := func(in *logs.GetLogEventsInput) { in.Limit = aws.Int32(2) }
	token := func(token *string) func(*logs.GetLogEventsInput) {
		return func(in *logs.GetLogEventsInput) { in.NextToken = token }
	}
	five := func(l logsCloud) string {
		group := l.group("s")
		l.put(group, "s", at(5*time.Second, "1"), at(4*time.Second, "2"), at(3*time.Second, "3"), at(2*time.Second, "4"), at(time.Second, "5"))
		if !l.Embedded() {
			l.Sleep(10 * time.Second)
		}
		return group
	}
	logsRule(t, time.Minute, "a stream is read from its end unless from the head, forward and back by tokens", "API Reference: GetLogEvents", func(t *testing.T, l logsCloud) {
		group := five(l)
		got, last := l.get(group, "s", two)
		if got != "4 5" {
			t.Errorf("without a word the last events: %q", got)
		}
		got, back := l.get(group, "s", two, token(last.NextBackwardToken))
		if got != "2 3" {
			t.Errorf("back: %q", got)
		}
		if got, _ = l.get(group, "s", two, token(back.NextBackwardToken)); got != "1" {
			t.Errorf("back again: %q", got)
		}
		got, first := l.get(group, "s", two, head)
		if got != "1 2" {
			t.Errorf("from the head: %q", got)
		}
		if got, _ = l.get(group, "s", two, head, token(first.NextForwardToken)); got != "3 4" {
			t.Errorf("forward: %q", got)
		}
	})
	logsRule(t, time.Minute, "at the end of a stream the token stays the same, until something new comes", "API Reference: GetLogEvents, NextForwardToken", func(t *testing.T, l logsCloud) {
		group := five(l)
		_, all := l.get(group, "s", head)
		got, end := l.get(group, "s", head, token(all.NextForwardToken))
		if got != "" || *end.NextForwardToken != *all.NextForwardToken {
			t.Errorf("%q and another token", got)
		}
		l.say(group, "s", "6")
		l.Eventually("the new event comes", 30*time.Second, func() bool {
			got, _ := l.get(group, "s", head, token(end.NextForwardToken))
			return got == "6"
		})
	})
	logsRule(t, time.Minute, "GetLogEvents leaves the end of the range out, FilterLogEvents takes it in", "API Reference: GetLogEvents and FilterLogEvents, EndTime", func(t *testing.T, l logsCloud) {
		group := five(l)
		_, all := l.get(group, "s")
		start, end := all.Events[1].Timestamp, all.Events[3].Timestamp
		if got, _ := l.get(group, "s", func(in *logs.GetLogEventsInput) { in.StartTime, in.EndTime = start, end }); got != "2 3" {
			t.Errorf("got %q", got)
		}
		if got := l.filter(group, "", func(in *logs.FilterLogEventsInput) { in.StartTime, in.EndTime = start, end }); got != "2 | 3 | 4" {
			t.Errorf("filtered %q", got)
		}
	})
	logsRule(t, time.Minute, "a search goes through all streams in the order of time, in pages, or through some", "API Reference: FilterLogEvents", func(t *testing.T, l logsCloud) {
		group := l.group("web-1", "web-2", "job")
		l.put(group, "web-1", at(4*time.Second, "1"), at(time.Second, "4"))
		l.put(group, "web-2", at(3*time.Second, "2"))
		l.put(group, "job", at(2*time.Second, "3"))
		if !l.Embedded() {
			l.Sleep(10 * time.Second)
		}
		for want, change := range map[string]func(*logs.FilterLogEventsInput){
			"1 | 2 | 3 | 4": func(in *logs.FilterLogEventsInput) { in.Limit = aws.Int32(1) },
			"1 | 2 | 4":     func(in *logs.FilterLogEventsInput) { in.LogStreamNamePrefix = aws.String("web") },
			"2 | 3":         func(in *logs.FilterLogEventsInput) { in.LogStreamNames = []string{"web-2", "job"} },
			"4 | 3 | 2 | 1": func(in *logs.FilterLogEventsInput) {
				in.StartFromHead, in.Limit = aws.Bool(false), aws.Int32(3)
				in.StartTime = aws.Int64(time.Now().Add(-time.Hour).UnixMilli())
			},
		} {
			if got := l.filter(group, "", change); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		}
		_, err := l.FilterLogEvents(l.ctx, &logs.FilterLogEventsInput{LogGroupName: &group, LogStreamNames: []string{"job"}, LogStreamNamePrefix: aws.String("web")})
		wantError[*types.InvalidParameterException](t, err)
	})
	logsRule(t, time.Minute, "an event's id is its own", "API Reference: FilteredLogEvent, EventId", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		l.say(group, "s", "same", "same")
		if !l.Embedded() {
			l.Sleep(10 * time.Second)
		}
		out, err := l.FilterLogEvents(l.ctx, &logs.FilterLogEventsInput{LogGroupName: &group})
		l.ok(err)
		if len(out.Events) != 2 || *out.Events[0].EventId == *out.Events[1].EventId || len(out.SearchedLogStreams) != 0 {
			t.Errorf("%+v", out.Events)
		}
	})
}

func TestLogsPattern(t *testing.T) {
	// test checks which of the messages, by their number, a pattern matches.
	test := func(l logsCloud, messages []string, patterns map[string]string) {
		l.t.Helper()
		for pattern, want := range patterns {
			out, err := l.TestMetricFilter(l.ctx, &logs.TestMetricFilterInput{FilterPattern: &pattern, LogEventMessages: messages})
			if err != nil {
				l.t.Errorf("%s: %v", pattern, err)
				continue
			}
			got := ""
			for _, m := range out.Matches {
				got += fmt.Sprint(m.EventNumber)
			}
			if got != want {
				l.t.Errorf("%s matches %q, want %q", pattern, got, want)
			}
		}
	}
	logsRule(t, 0, "terms must all be there, anywhere and in this case, those with a minus must not", "User Guide: Filter pattern syntax, Match terms", func(t *testing.T, l logsCloud) {
		test(l, []string{"[ERROR 400] BAD REQUEST", "[ERROR 401] UNAUTHORIZED REQUEST", "[WARN] error of ARGUMENTS", "Exiting with ERRORCODE: -1"}, map[string]string{
			"": "1234", "ERROR": "124", "ERROR REQUEST": "12", `"BAD REQUEST"`: "1", "ERROR -REQUEST": "4", "?BAD ?ARGUMENTS": "13", `?"[WARN]" ?Exiting`: "34",
			"ERROR ?BAD": "124", "%40[01]%": "12", `-"ERROR"`: "3",
		})
	})
	logsRule(t, 0, "a term with other characters than letters and digits needs quotes", "User Guide: Filter pattern syntax", func(t *testing.T, l logsCloud) {
		for _, pattern := range []string{"a.b", "[a", "{ $.a = 1", `"open`, "{ a = 1 }", "{ $.a > b }", "{ $.a ~ 1 }", "%a(b)%"} {
			_, err := l.TestMetricFilter(l.ctx, &logs.TestMetricFilterInput{FilterPattern: &pattern, LogEventMessages: []string{"m"}})
			if err == nil {
				t.Errorf("%s is accepted", pattern)
				continue
			}
			wantError[*types.InvalidParameterException](t, err)
		}
	})
	logsRule(t, 0, "the error names the characters that need quotes", "recorded 2026", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		for pattern, want := range map[string]string{"timeout:": "Invalid character(s) in term ':'", "a (b)": "Invalid character(s) in term '('"} {
			_, err := l.FilterLogEvents(l.ctx, &logs.FilterLogEventsInput{LogGroupName: &group, FilterPattern: &pattern})
			wantErrorText[*types.InvalidParameterException](t, err, want)
		}
	})
	logsRule(t, 0, "conditions on the members of a JSON object", "User Guide: Filter pattern syntax, Match terms in JSON log events", func(t *testing.T, l logsCloud) {
		test(l, []string{
			`{"level":"ERROR","n":4,"user":{"id":1,"email":"john@example.com"},"list":["a","b"],"flag":true}`,
			`{"level":"INFO","n":2.5,"user":{"id":2},"list":[],"flag":false,"gone":null}`,
			`{"level":"ERROR","n":3e3,"objects":[{"name":"x"},{"name":"y"}]}`,
			`plain ERROR`,
		}, map[string]string{
			`{ $.level = "ERROR" && $.n > 3 }`: "13", `{ $.level = ERROR }`: "13", `{ $.level != "ERROR" }`: "2", `{ $.level = "E*R" }`: "13",
			`{ $.n >= 2.5 && $.n < 4 }`: "2", `{ $.n = 3000 }`: "3", `{ $.user.email = "john*" || $.n = 2.5 }`: "12", `{ $.flag IS TRUE }`: "1", `{ $.flag IS FALSE }`: "2",
			`{ $.gone IS NULL }`: "2", `{ $.user NOT EXISTS }`: "3", `{ $.list[0] = "a" }`: "1", `{ $.objects[*].name = "y" }`: "3", `{ $.objects[1].name = "x" }`: "",
			`{ ($.level = "INFO" || $.level = "ERROR") && $.user.id = 1 }`: "1", `{ $.user.email = %@example\.com$% }`: "1", `{ $.['level'] = "INFO" }`: "2",
		})
	})
	logsRule(t, 0, "conditions on space-delimited fields, by position", "User Guide: Filter pattern syntax, Match terms in space-delimited log events", func(t *testing.T, l logsCloud) {
		test(l, []string{
			`127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`,
			`127.0.0.1 - bob [10/Oct/2000:13:26:15 -0700] "GET /a HTTP/1.0" 200 900`,
			`10.0.0.1 two`,
		}, map[string]string{
			"[ip, id, user, time, request, status, bytes]": "12", "[ip, id, user, time, request, status = 4*, bytes]": "1", "[..., bytes > 1000]": "1",
			"[ip = 127.0.0.1, ..., status, bytes < 1000]": "2", "[ip, user]": "3", `[ip, id, user, time, request = "*index*", ...]`: "1",
			"[ip, id, user, time, request, status = 404 || status = 200, bytes]": "12", "[ip, id, user = f* && user != frank, ...]": "", "[ip != 127*, ...]": "3",
		})
		out, err := l.TestMetricFilter(l.ctx, &logs.TestMetricFilterInput{FilterPattern: aws.String("[ip, word]"), LogEventMessages: []string{"10.0.0.1 two"}})
		l.ok(err)
		if got := fmt.Sprint(out.Matches[0].ExtractedValues); got != "map[$ip:10.0.0.1 $word:two]" {
			t.Errorf("extracted %s", got)
		}
	})
}

func TestLogsMetrics(t *testing.T) {
	// sum reads the sum of a metric by minute, the present one last.
	sum := func(l logsCloud, namespace, metric string, dimensions ...string) string {
		l.t.Helper()
		out, err := cloudwatch.NewFromConfig(l.AWS()).GetMetricData(l.ctx, &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(minute(-5)), EndTime: aws.Time(minute(1)), ScanBy: watchtypes.ScanByTimestampAscending,
			MetricDataQueries: []watchtypes.MetricDataQuery{{Id: aws.String("q"), MetricStat: &watchtypes.MetricStat{Period: aws.Int32(60), Stat: aws.String("Sum"),
				Metric: &watchtypes.Metric{Namespace: &namespace, MetricName: &metric, Dimensions: dims(dimensions...)}}}}})
		l.ok(err)
		return strings.Trim(fmt.Sprint(out.MetricDataResults[0].Values), "[]")
	}
	putFilter := func(l logsCloud, group, pattern string, m types.MetricTransformation) error {
		_, err := l.PutMetricFilter(l.ctx, &logs.PutMetricFilterInput{LogGroupName: &group, FilterName: aws.String("f"), FilterPattern: &pattern, MetricTransformations: []types.MetricTransformation{m}})
		return err
	}
	logsRule(t, 5*time.Minute, "a metric filter counts matches, or takes values and dimensions from them", "User Guide: Creating metric filters", func(t *testing.T, l logsCloud) {
		l.Control()
		group, namespace := l.group("s"), l.Name("app")
		l.say(group, "s", "ERROR before the filter")
		l.ok(putFilter(l, group, "ERROR", types.MetricTransformation{MetricName: aws.String("Errors"), MetricNamespace: &namespace, MetricValue: aws.String("1")}))
		l.say(group, "s", "ERROR one", "fine", "ERROR two")
		if got := sum(l, namespace, "Errors"); got != "2" {
			t.Errorf("counted %s", got)
		}
		l.ok(putFilter(l, group, "{ $.latency = * }", types.MetricTransformation{MetricName: aws.String("Latency"), MetricNamespace: &namespace, MetricValue: aws.String("$.latency"),
			Dimensions: map[string]string{"Route": "$.route"}}))
		l.say(group, "s", `{"latency":12.5,"route":"/a"}`, `{"latency":7,"route":"/a"}`, `{"latency":1}`)
		if got := sum(l, namespace, "Latency", "Route", "/a"); got != "19.5" {
			t.Errorf("latency %s", got)
		}
		list, err := l.DescribeMetricFilters(l.ctx, &logs.DescribeMetricFiltersInput{LogGroupName: &group})
		l.ok(err)
		if len(list.MetricFilters) != 1 || *list.MetricFilters[0].FilterPattern != "{ $.latency = * }" {
			t.Errorf("%d filters: the second has not taken the place of the first", len(list.MetricFilters))
		}
		_, err = l.DeleteMetricFilter(l.ctx, &logs.DeleteMetricFilterInput{LogGroupName: &group, FilterName: aws.String("f")})
		l.ok(err)
		_, err = l.DeleteMetricFilter(l.ctx, &logs.DeleteMetricFilterInput{LogGroupName: &group, FilterName: aws.String("f")})
		wantError[*types.ResourceNotFoundException](t, err)
	})
	logsRule(t, 5*time.Minute, "a default value is reported for a minute with events and no match", "User Guide: Creating metric filters, default value", func(t *testing.T, l logsCloud) {
		l.Control()
		group, namespace := l.group("s"), l.Name("app")
		l.ok(putFilter(l, group, "ERROR", types.MetricTransformation{MetricName: aws.String("Errors"), MetricNamespace: &namespace, MetricValue: aws.String("1"), DefaultValue: aws.Float64(0)}))
		l.say(group, "s", "fine", "ERROR")
		l.Sleep(time.Minute)
		l.say(group, "s", "fine")
		l.Sleep(2 * time.Minute) // the second without events
		if got := sum(l, namespace, "Errors"); got != "1 0" {
			t.Errorf("by minute %s, want 1 0", got)
		}
	})
	logsRule(t, 0, "what a metric filter must not be", "API Reference: PutMetricFilter", func(t *testing.T, l logsCloud) {
		group := l.group()
		metric := func(value string, change ...func(*types.MetricTransformation)) types.MetricTransformation {
			m := types.MetricTransformation{MetricName: aws.String("M"), MetricNamespace: aws.String("N"), MetricValue: &value}
			for _, c := range change {
				c(&m)
			}
			return m
		}
		route := func(m *types.MetricTransformation) { m.Dimensions = map[string]string{"Route": "$.route"} }
		for name, test := range map[string]struct {
			pattern string
			metric  types.MetricTransformation
		}{
			"a value of a pattern without fields": {"ERROR", metric("$.n")},
			"a value that is no number":           {"ERROR", metric("one")},
			"dimensions and a default":            {"{ $.n = 1 }", metric("1", route, func(m *types.MetricTransformation) { m.DefaultValue = aws.Float64(0) })},
			"a wrong pattern":                     {"{ $.n", metric("1")},
		} {
			if err := putFilter(l, group, test.pattern, test.metric); err == nil {
				t.Errorf("%s is accepted", name)
			} else {
				wantError[*types.InvalidParameterException](t, err)
			}
		}
	})
	logsRule(t, 5*time.Minute, "an event in the embedded metric format becomes metrics, a set of dimensions each", "CloudWatch User Guide: Specification: Embedded metric format", func(t *testing.T, l logsCloud) {
		l.Control()
		group, namespace := l.group("s"), l.Name("app")
		l.say(group, "s", fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":%q,"Dimensions":[["Function"],["Function","Stage"]],"Metrics":[{"Name":"Time","Unit":"Milliseconds"},{"Name":"Calls"}]}]},"Function":"f","Stage":"prod","Time":[10,20],"Calls":3}`,
			minute(0).UnixMilli(), namespace), `{"_aws":{"Timestamp":1,"CloudWatchMetrics":"wrong"}}`)
		for _, test := range []struct {
			metric, want string
			dimensions   []string
		}{{"Time", "30", []string{"Function", "f"}}, {"Calls", "3", []string{"Stage", "prod", "Function", "f"}}, {"Calls", "", nil}} {
			if got := sum(l, namespace, test.metric, test.dimensions...); got != test.want {
				t.Errorf("%s %v: %q, want %q", test.metric, test.dimensions, got, test.want)
			}
		}
		if got := strings.Count(l.filter(group, ""), "_aws"); got != 2 {
			t.Errorf("%d events are kept", got)
		}
	})
	logsRule(t, 0, "a group of the class for infrequent access has no metric filters", "User Guide: Log classes", func(t *testing.T, l logsCloud) {
		name := l.Name("rare")
		_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: &name, LogGroupClass: types.LogGroupClassInfrequentAccess})
		l.ok(err)
		if err := putFilter(l, name, "ERROR", types.MetricTransformation{MetricName: aws.String("M"), MetricNamespace: aws.String("N"), MetricValue: aws.String("1")}); err == nil {
			t.Error("a metric filter is accepted")
		}
	})
}
