package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// The rules of CloudWatch Logs are in the files logs_*_test.go. Their sources are the Amazon CloudWatch Logs User Guide and API
// Reference.

type logsCloud struct {
	*conformance.Cloud
	*logs.Client
	t   *testing.T
	ctx context.Context
}

func logsRule(t *testing.T, takes time.Duration, name, source string, f func(t *testing.T, l logsCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: source, Checked: "2026-12-01", Takes: takes}, func(t *testing.T, c *conformance.Cloud) {
		f(t, logsCloud{c, logs.NewFromConfig(c.AWS()), t, t.Context()})
	})
}

func (l logsCloud) ok(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// group creates a log group with the streams of these names.
func (l logsCloud) group(streams ...string) string {
	l.t.Helper()
	name := l.Name("group")
	_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: &name})
	l.ok(err)
	for _, s := range streams {
		_, err := l.CreateLogStream(l.ctx, &logs.CreateLogStreamInput{LogGroupName: &name, LogStreamName: &s})
		l.ok(err)
	}
	return name
}

// at is an event so long before now.
func at(ago time.Duration, message string) types.InputLogEvent {
	return types.InputLogEvent{Timestamp: aws.Int64(time.Now().Add(-ago).UnixMilli()), Message: &message}
}

func (l logsCloud) put(group, stream string, events ...types.InputLogEvent) *logs.PutLogEventsOutput {
	l.t.Helper()
	out, err := l.tryPut(group, stream, events...)
	l.ok(err)
	return out
}

func (l logsCloud) tryPut(group, stream string, events ...types.InputLogEvent) (*logs.PutLogEventsOutput, error) {
	return l.PutLogEvents(l.ctx, &logs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: events})
}

// say puts messages with the present time.
func (l logsCloud) say(group, stream string, messages ...string) {
	l.t.Helper()
	var events []types.InputLogEvent
	for _, m := range messages {
		events = append(events, at(0, m))
	}
	l.put(group, stream, events...)
}

// filter returns the messages of a group that match a pattern.
func (l logsCloud) filter(group, pattern string, settings ...func(*logs.FilterLogEventsInput)) string {
	l.t.Helper()
	in := &logs.FilterLogEventsInput{LogGroupName: &group, FilterPattern: &pattern}
	for _, s := range settings {
		s(in)
	}
	var found []string
	for p := logs.NewFilterLogEventsPaginator(l.Client, in); p.HasMorePages(); {
		page, err := p.NextPage(l.ctx)
		l.ok(err)
		for _, e := range page.Events {
			found = append(found, *e.Message)
		}
	}
	return strings.Join(found, " | ")
}

// get reads a stream from its head or its end, and returns the messages and the answer.
func (l logsCloud) get(group, stream string, settings ...func(*logs.GetLogEventsInput)) (string, *logs.GetLogEventsOutput) {
	l.t.Helper()
	in := &logs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &stream}
	for _, s := range settings {
		s(in)
	}
	out, err := l.GetLogEvents(l.ctx, in)
	l.ok(err)
	var messages []string
	for _, e := range out.Events {
		messages = append(messages, *e.Message)
	}
	return strings.Join(messages, " "), out
}

func wantErrorText[E error](t *testing.T, err error, text string) {
	t.Helper()
	var e E
	if !errors.As(err, &e) || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %T with %q", err, e, text)
	}
}

func TestLogsGroups(t *testing.T) {
	logsRule(t, 0, "a group and a stream are made once, and are there until deleted", "API Reference: CreateLogGroup, CreateLogStream, DeleteLogStream", func(t *testing.T, l logsCloud) {
		group := l.group("s")
		_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: &group})
		wantErrorText[*types.ResourceAlreadyExistsException](t, err, "The specified log group already exists")
		_, err = l.CreateLogStream(l.ctx, &logs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: aws.String("s")})
		wantErrorText[*types.ResourceAlreadyExistsException](t, err, "The specified log stream already exists")
		_, err = l.DeleteLogStream(l.ctx, &logs.DeleteLogStreamInput{LogGroupName: &group, LogStreamName: aws.String("s")})
		l.ok(err)
		_, err = l.tryPut(group, "s", at(0, "m"))
		wantErrorText[*types.ResourceNotFoundException](t, err, "The specified log stream does not exist.")
		_, err = l.DeleteLogGroup(l.ctx, &logs.DeleteLogGroupInput{LogGroupName: &group})
		l.ok(err)
		_, err = l.tryPut(group, "s", at(0, "m"))
		wantErrorText[*types.ResourceNotFoundException](t, err, "The specified log group does not exist.")
	})
	logsRule(t, 0, "names are of certain characters, up to 512", "API Reference: CreateLogGroup, CreateLogStream", func(t *testing.T, l logsCloud) {
		for _, name := range []string{"a b", "a:b", strings.Repeat("x", 513)} {
			_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: &name})
			wantError[*types.InvalidParameterException](t, err)
		}
		group := l.group("2026/12/01/[$LATEST]0123456789abcdef")
		for _, name := range []string{"a:b", "a*b", strings.Repeat("x", 513)} {
			_, err := l.CreateLogStream(l.ctx, &logs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &name})
			wantError[*types.InvalidParameterException](t, err)
		}
	})
	logsRule(t, 0, "groups are found by prefix or by any part of the name, fifty a page", "API Reference: DescribeLogGroups", func(t *testing.T, l logsCloud) {
		prefix := l.Name("many")
		for i := range 51 {
			_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: aws.String(fmt.Sprintf("%s/%02d", prefix, i))})
			l.ok(err)
		}
		first, err := l.DescribeLogGroups(l.ctx, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix})
		l.ok(err)
		rest, err := l.DescribeLogGroups(l.ctx, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix, NextToken: first.NextToken})
		l.ok(err)
		if len(first.LogGroups) != 50 || len(rest.LogGroups) != 1 || rest.NextToken != nil {
			t.Errorf("%d and %d groups", len(first.LogGroups), len(rest.LogGroups))
		}
		g := rest.LogGroups[0]
		if !strings.HasSuffix(*g.Arn, ":log-group:"+prefix+"/50:*") || *g.LogGroupArn+":*" != *g.Arn || g.LogGroupClass != types.LogGroupClassStandard || g.RetentionInDays != nil {
			t.Errorf("%s %s %s %v", *g.Arn, *g.LogGroupArn, g.LogGroupClass, g.RetentionInDays)
		}
		part, err := l.DescribeLogGroups(l.ctx, &logs.DescribeLogGroupsInput{LogGroupNamePattern: aws.String(prefix[1:] + "/07")})
		l.ok(err)
		if len(part.LogGroups) != 1 {
			t.Errorf("%d groups by a part of the name", len(part.LogGroups))
		}
		_, err = l.DescribeLogGroups(l.ctx, &logs.DescribeLogGroupsInput{LogGroupNamePattern: &prefix, LogGroupNamePrefix: &prefix})
		wantError[*types.InvalidParameterException](t, err)
	})
	logsRule(t, 0, "streams are listed by name or by the time of their last event", "API Reference: DescribeLogStreams", func(t *testing.T, l logsCloud) {
		group := l.group("a", "b", "c")
		l.put(group, "b", at(time.Minute, "old"))
		l.put(group, "a", at(time.Second, "new"))
		list := func(in *logs.DescribeLogStreamsInput) (names string) {
			in.LogGroupName = &group
			out, err := l.DescribeLogStreams(l.ctx, in)
			l.ok(err)
			for _, s := range out.LogStreams {
				names += *s.LogStreamName
			}
			return names
		}
		for want, in := range map[string]*logs.DescribeLogStreamsInput{
			"abc": {}, "cba": {Descending: aws.Bool(true)}, "b": {LogStreamNamePrefix: aws.String("b")}, "ab": {Limit: aws.Int32(2)},
		} {
			if got := list(in); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if got := list(&logs.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)}); l.Embedded() && got != "abc" {
			t.Errorf("newest first: %q", got)
		}
		_, err := l.DescribeLogStreams(l.ctx, &logs.DescribeLogStreamsInput{LogGroupName: &group, OrderBy: types.OrderByLastEventTime, LogStreamNamePrefix: aws.String("a")})
		wantError[*types.InvalidParameterException](t, err)
	})
	logsRule(t, 0, "a retention is one of certain numbers of days", "API Reference: PutRetentionPolicy", func(t *testing.T, l logsCloud) {
		group := l.group()
		for days, good := range map[int32]bool{1: true, 14: true, 3653: true, 0: false, 2: false, 366: false} {
			_, err := l.PutRetentionPolicy(l.ctx, &logs.PutRetentionPolicyInput{LogGroupName: &group, RetentionInDays: &days})
			if good {
				l.ok(err)
			} else {
				wantError[*types.InvalidParameterException](t, err)
			}
		}
		_, err := l.DeleteRetentionPolicy(l.ctx, &logs.DeleteRetentionPolicyInput{LogGroupName: &group})
		l.ok(err)
		out, err := l.DescribeLogGroups(l.ctx, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &group})
		l.ok(err)
		if out.LogGroups[0].RetentionInDays != nil {
			t.Errorf("a retention of %d days is left", *out.LogGroups[0].RetentionInDays)
		}
	})
	logsRule(t, 48*time.Hour, "events older than the retention are gone", "API Reference: PutRetentionPolicy", func(t *testing.T, l logsCloud) {
		l.Control()
		group := l.group("s")
		_, err := l.PutRetentionPolicy(l.ctx, &logs.PutRetentionPolicyInput{LogGroupName: &group, RetentionInDays: aws.Int32(1)})
		l.ok(err)
		l.put(group, "s", at(23*time.Hour, "old"), at(0, "new"))
		l.Sleep(2 * time.Hour)
		if got := l.filter(group, ""); got != "new" {
			t.Errorf("after two hours: %q", got)
		}
		l.Sleep(23 * time.Hour)
		if got, _ := l.get(group, "s"); got != "" {
			t.Errorf("after a day: %q", got)
		}
	})
	logsRule(t, 0, "a group has tags, by its name and by its ARN", "API Reference: TagResource, TagLogGroup", func(t *testing.T, l logsCloud) {
		name := l.Name("group")
		_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: &name, Tags: map[string]string{"a": "1"}})
		l.ok(err)
		out, err := l.DescribeLogGroups(l.ctx, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
		l.ok(err)
		arn := out.LogGroups[0].LogGroupArn
		_, err = l.TagResource(l.ctx, &logs.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"b": "2"}})
		l.ok(err)
		//lint:ignore SA1019 the older operation is part of the rule
		_, err = l.TagLogGroup(l.ctx, &logs.TagLogGroupInput{LogGroupName: &name, Tags: map[string]string{"c": "3"}})
		l.ok(err)
		_, err = l.UntagResource(l.ctx, &logs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
		l.ok(err)
		tags, err := l.ListTagsForResource(l.ctx, &logs.ListTagsForResourceInput{ResourceArn: arn})
		l.ok(err)
		if got := fmt.Sprint(tags.Tags); got != "map[b:2 c:3]" {
			t.Errorf("tags %s", got)
		}
	})
	logsRule(t, 0, "a protected group cannot be deleted", "API Reference: CreateLogGroup, DeletionProtectionEnabled", func(t *testing.T, l logsCloud) {
		name := l.Name("group")
		_, err := l.CreateLogGroup(l.ctx, &logs.CreateLogGroupInput{LogGroupName: &name, DeletionProtectionEnabled: aws.Bool(true)})
		l.ok(err)
		_, err = l.DeleteLogGroup(l.ctx, &logs.DeleteLogGroupInput{LogGroupName: &name})
		if err == nil {
			t.Error("it is deleted")
		}
		_, err = l.PutLogGroupDeletionProtection(l.ctx, &logs.PutLogGroupDeletionProtectionInput{LogGroupIdentifier: &name, DeletionProtectionEnabled: aws.Bool(false)})
		l.ok(err)
		_, err = l.DeleteLogGroup(l.ctx, &logs.DeleteLogGroupInput{LogGroupName: &name})
		l.ok(err)
	})
	logsRule(t, 0, "what the local cloud has not is refused by name", "this cloud's own rule", func(t *testing.T, l logsCloud) {
		l.Control()
		group := l.group()
		_, err := l.PutSubscriptionFilter(l.ctx, &logs.PutSubscriptionFilterInput{LogGroupName: &group, FilterName: aws.String("f"), FilterPattern: aws.String(""), DestinationArn: aws.String("arn:aws:lambda:us-east-1:000000000000:function:f")})
		wantErrorText[*types.InvalidOperationException](t, err, "PutSubscriptionFilter")
		_, err = l.StartQuery(l.ctx, &logs.StartQueryInput{QueryString: aws.String("fields @message"), StartTime: aws.Int64(0), EndTime: aws.Int64(1), LogGroupName: &group})
		wantErrorText[*types.InvalidOperationException](t, err, "StartQuery")
	})
}
