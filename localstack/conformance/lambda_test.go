package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
	embedded "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
)

// The rules of Lambda and of its event source mappings. Their functions run in the cloud's own process, so the rules need the
// embedded cloud: what a bootstrap must do is tested in the package of the embedded Lambda.
const lambdaChecked = "2026-12-01"

type lambdaCloud struct {
	*conformance.Cloud
	*lambda.Client
	t   *testing.T
	ctx context.Context
}

func lambdaRule(t *testing.T, name, source string, f func(t *testing.T, l lambdaCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: "AWS Lambda " + source, Checked: lambdaChecked}, func(t *testing.T, c *conformance.Cloud) {
		c.Control()
		f(t, lambdaCloud{c, lambda.NewFromConfig(c.AWS()), t, t.Context()})
	})
}

// function makes a function that runs here and returns its name.
func (l lambdaCloud) function(handler embedded.Handler, settings ...func(*embedded.Registration)) string {
	l.t.Helper()
	r := embedded.Registration{}
	for _, set := range settings {
		set(&r)
	}
	name := l.Name("f")
	_, err := l.Control().Lambda().Register("000000000000", "us-east-1", name, handler, r)
	l.ok(err)
	return name
}

func timeout(d time.Duration) func(*embedded.Registration) {
	return func(r *embedded.Registration) { r.Timeout = d }
}

func echo(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

// Sleep lets d pass and what is due by then happen.
func (l lambdaCloud) Sleep(d time.Duration) {
	l.Cloud.Sleep(d)
	synctest.Wait()
}

func (l lambdaCloud) ok(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l lambdaCloud) call(name, payload string) *lambda.InvokeOutput {
	l.t.Helper()
	out, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload)})
	l.ok(err)
	return out
}

func (l lambdaCloud) event(name, payload string) {
	l.t.Helper()
	out, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload), InvocationType: types.InvocationTypeEvent})
	l.ok(err)
	if out.StatusCode != 202 {
		l.t.Errorf("status %d, want 202", out.StatusCode)
	}
}

func (l lambdaCloud) arn(name string) string {
	l.t.Helper()
	out, err := l.GetFunction(l.ctx, &lambda.GetFunctionInput{FunctionName: &name})
	l.ok(err)
	return *out.Configuration.FunctionArn
}

func (l lambdaCloud) queues() sqsCloud { return sqsCloud{l.Cloud, l.SQS(), l.t, l.ctx} }

func TestLambdaFunctions(t *testing.T) {
	lambdaRule(t, "a function is found by its name, by a part of its ARN and by the whole", "API Reference: GetFunction, FunctionName", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		for _, text := range []string{name, "function:" + name, "000000000000:function:" + name, "arn:aws:lambda:us-east-1:000000000000:function:" + name, name + ":$LATEST"} {
			out, err := l.GetFunctionConfiguration(l.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &text})
			l.ok(err)
			if *out.FunctionName != name {
				t.Errorf("%s is %s", text, *out.FunctionName)
			}
		}
	})
	lambdaRule(t, "a function that is not there is a typed error", "API Reference: ResourceNotFoundException", func(t *testing.T, l lambdaCloud) {
		_, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: aws.String("none")})
		wantError[*types.ResourceNotFoundException](t, err)
		_, err = l.GetFunction(l.ctx, &lambda.GetFunctionInput{FunctionName: aws.String("none")})
		wantError[*types.ResourceNotFoundException](t, err)
	})
	lambdaRule(t, "a new function has the defaults of the service, and is active", "API Reference: CreateFunction", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		out, err := l.GetFunctionConfiguration(l.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		l.ok(err)
		if *out.Timeout != 3 || *out.MemorySize != 128 || *out.EphemeralStorage.Size != 512 || out.State != types.StateActive || out.LastUpdateStatus != types.LastUpdateStatusSuccessful || *out.Version != "$LATEST" {
			t.Errorf("timeout %d, memory %d, storage %d, state %s, %s, version %s", *out.Timeout, *out.MemorySize, *out.EphemeralStorage.Size, out.State, out.LastUpdateStatus, *out.Version)
		}
	})
	lambdaRule(t, "what is out of bounds is refused, and says so", "API Reference: UpdateFunctionConfiguration", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		for what, in := range map[string]*lambda.UpdateFunctionConfigurationInput{
			"timeout": {Timeout: aws.Int32(901)}, "memorySize": {MemorySize: aws.Int32(127)}, "AWS_REGION": {Environment: &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}},
			"4KB": {Environment: &types.Environment{Variables: map[string]string{"BIG": strings.Repeat("x", 5000)}}}, "role": {Role: aws.String("nobody")},
		} {
			in.FunctionName = &name
			if _, err := l.UpdateFunctionConfiguration(l.ctx, in); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	lambdaRule(t, "an update is refused when the function is not the one that the client has seen", "API Reference: PreconditionFailedException", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		_, err := l.UpdateFunctionConfiguration(l.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: aws.String("x"), RevisionId: aws.String("old")})
		wantError[*types.PreconditionFailedException](t, err)
	})
	lambdaRule(t, "a published version does not change with the function, and the same code makes no second one", "Developer Guide: Manage Lambda function versions", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		publish := func() string {
			out, err := l.PublishVersion(l.ctx, &lambda.PublishVersionInput{FunctionName: &name})
			l.ok(err)
			return *out.Version
		}
		one, again := publish(), publish()
		_, err := l.UpdateFunctionConfiguration(l.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Timeout: aws.Int32(9)})
		l.ok(err)
		if two := publish(); one != "1" || again != "1" || two != "2" {
			t.Errorf("versions %s, %s, %s", one, again, two)
		}
		out, err := l.GetFunctionConfiguration(l.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: aws.String("1")})
		l.ok(err)
		if *out.Timeout != 3 {
			t.Errorf("version 1 has a timeout of %d now", *out.Timeout)
		}
	})
	lambdaRule(t, "an alias calls its version, or two of them by weight, and keeps them from being deleted", "Developer Guide: Lambda function aliases", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		for i := range 2 {
			_, err := l.UpdateFunctionConfiguration(l.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Timeout: aws.Int32(int32(10 + i))})
			l.ok(err)
			_, err = l.PublishVersion(l.ctx, &lambda.PublishVersionInput{FunctionName: &name})
			l.ok(err)
		}
		_, err := l.CreateAlias(l.ctx, &lambda.CreateAliasInput{FunctionName: &name, Name: aws.String("live"), FunctionVersion: aws.String("1"),
			RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.5}}})
		l.ok(err)
		seen := map[string]int{}
		for range 200 {
			out, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, Qualifier: aws.String("live")})
			l.ok(err)
			seen[*out.ExecutedVersion]++
		}
		if seen["1"] < 50 || seen["2"] < 50 {
			t.Errorf("of 200 invocations went %v", seen)
		}
		_, err = l.DeleteFunction(l.ctx, &lambda.DeleteFunctionInput{FunctionName: &name, Qualifier: aws.String("2")})
		wantError[*types.ResourceConflictException](t, err)
	})
	lambdaRule(t, "a permission is a statement of the function's policy, and its id is used once", "Developer Guide: Viewing resource-based IAM policies", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		add := &lambda.AddPermissionInput{FunctionName: &name, StatementId: aws.String("topic"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("sns.amazonaws.com"), SourceArn: aws.String("arn:aws:sns:us-east-1:000000000000:t")}
		_, err := l.AddPermission(l.ctx, add)
		l.ok(err)
		_, err = l.AddPermission(l.ctx, add)
		wantError[*types.ResourceConflictException](t, err)
		out, err := l.GetPolicy(l.ctx, &lambda.GetPolicyInput{FunctionName: &name})
		l.ok(err)
		if !strings.Contains(*out.Policy, `"Service":"sns.amazonaws.com"`) || !strings.Contains(*out.Policy, `"ArnLike":{"AWS:SourceArn":"arn:aws:sns:us-east-1:000000000000:t"}`) {
			t.Errorf("the policy is %s", *out.Policy)
		}
		_, err = l.RemovePermission(l.ctx, &lambda.RemovePermissionInput{FunctionName: &name, StatementId: aws.String("topic")})
		l.ok(err)
		_, err = l.GetPolicy(l.ctx, &lambda.GetPolicyInput{FunctionName: &name})
		wantError[*types.ResourceNotFoundException](t, err)
	})
	lambdaRule(t, "a function's tags are changed by its ARN", "API Reference: TagResource", func(t *testing.T, l lambdaCloud) {
		arn := l.arn(l.function(echo))
		_, err := l.TagResource(l.ctx, &lambda.TagResourceInput{Resource: &arn, Tags: map[string]string{"a": "1", "b": "2"}})
		l.ok(err)
		_, err = l.UntagResource(l.ctx, &lambda.UntagResourceInput{Resource: &arn, TagKeys: []string{"a"}})
		l.ok(err)
		out, err := l.ListTags(l.ctx, &lambda.ListTagsInput{Resource: &arn})
		l.ok(err)
		if len(out.Tags) != 1 || out.Tags["b"] != "2" {
			t.Errorf("tags %v", out.Tags)
		}
	})
	lambdaRule(t, "functions are listed in pages", "API Reference: ListFunctions", func(t *testing.T, l lambdaCloud) {
		for range 5 {
			l.function(echo)
		}
		n := 0
		for p := lambda.NewListFunctionsPaginator(l.Client, &lambda.ListFunctionsInput{MaxItems: aws.Int32(2)}); p.HasMorePages(); {
			page, err := p.NextPage(l.ctx)
			l.ok(err)
			if len(page.Functions) > 2 {
				t.Errorf("a page of %d", len(page.Functions))
			}
			n += len(page.Functions)
		}
		if n != 5 {
			t.Errorf("%d functions, want 5", n)
		}
	})
}

func TestLambdaInvocations(t *testing.T) {
	lambdaRule(t, "a synchronous invocation answers with what the function returns, and with the version that ran", "API Reference: Invoke", func(t *testing.T, l lambdaCloud) {
		out := l.call(l.function(echo), `{"a":1}`)
		if string(out.Payload) != `{"a":1}` || out.StatusCode != 200 || out.FunctionError != nil || *out.ExecutedVersion != "$LATEST" {
			t.Errorf("%d %s, error %v, version %s", out.StatusCode, out.Payload, out.FunctionError, *out.ExecutedVersion)
		}
	})
	lambdaRule(t, "a function's error is an answer with status 200, marked Unhandled", "Developer Guide: Understanding function errors", func(t *testing.T, l lambdaCloud) {
		out := l.call(l.function(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no stock") }), `{}`)
		if out.StatusCode != 200 || aws.ToString(out.FunctionError) != "Unhandled" || string(out.Payload) != `{"errorMessage":"no stock","errorType":"errorString"}` {
			t.Errorf("%d, %s, %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
		}
	})
	lambdaRule(t, "a dry run runs nothing", "API Reference: Invoke, InvocationType", func(t *testing.T, l lambdaCloud) {
		ran := false
		name := l.function(func(context.Context, []byte) ([]byte, error) { ran = true; return nil, nil })
		out, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, InvocationType: types.InvocationTypeDryRun})
		l.ok(err)
		if out.StatusCode != 204 || ran {
			t.Errorf("status %d, ran %t", out.StatusCode, ran)
		}
	})
	lambdaRule(t, "a payload that is no JSON is refused", "API Reference: InvalidRequestContentException", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		_, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte("order 17")})
		wantError[*types.InvalidRequestContentException](t, err)
	})
	lambdaRule(t, "a payload is at most 6 MB, and 1 MB asynchronously", "Developer Guide: Lambda quotas", func(t *testing.T, l lambdaCloud) {
		name := l.function(func(context.Context, []byte) ([]byte, error) { return nil, nil })
		text := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
		for kind, limit := range map[types.InvocationType]int{types.InvocationTypeRequestResponse: 6 << 20, types.InvocationTypeEvent: 1 << 20} {
			_, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, Payload: text(limit), InvocationType: kind})
			l.ok(err)
			_, err = l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name, Payload: text(limit + 1), InvocationType: kind})
			wantError[*types.RequestTooLargeException](t, err)
		}
	})
	lambdaRule(t, "a function that takes longer than its timeout is ended there", "Developer Guide: Configure Lambda function timeout", func(t *testing.T, l lambdaCloud) {
		name := l.function(func(ctx context.Context, _ []byte) ([]byte, error) {
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left != 7*time.Second {
				t.Errorf("it has %s, want 7s", left)
			}
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil, nil
		}, timeout(7*time.Second))
		start := time.Now()
		out := l.call(name, `{}`)
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("it took %s", took)
		}
		if !strings.Contains(string(out.Payload), "Task timed out after 7.00 seconds") || aws.ToString(out.FunctionError) != "Unhandled" {
			t.Errorf("%s", out.Payload)
		}
	})
	lambdaRule(t, "more at once than a function has reserved are throttled", "Developer Guide: Configuring reserved concurrency", func(t *testing.T, l lambdaCloud) {
		name := l.function(func(context.Context, []byte) ([]byte, error) { time.Sleep(time.Second); return nil, nil })
		_, err := l.PutFunctionConcurrency(l.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(1)})
		l.ok(err)
		done := make(chan error)
		go func() {
			_, err := l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name})
			done <- err
		}()
		l.Sleep(100 * time.Millisecond)
		_, err = l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 })
		var throttled *types.TooManyRequestsException
		if !errors.As(err, &throttled) || throttled.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded {
			t.Errorf("error %v", err)
		}
		l.ok(<-done)
		l.call(name, `{}`)
	})
	lambdaRule(t, "a function with nothing reserved is switched off", "Developer Guide: Configuring reserved concurrency", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		_, err := l.PutFunctionConcurrency(l.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0)})
		l.ok(err)
		_, err = l.Invoke(l.ctx, &lambda.InvokeInput{FunctionName: &name}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 })
		wantError[*types.TooManyRequestsException](t, err)
	})
	lambdaRule(t, "functions leave at least 100 of an account's concurrent executions unreserved", "API Reference: PutFunctionConcurrency", func(t *testing.T, l lambdaCloud) {
		name := l.function(echo)
		_, err := l.PutFunctionConcurrency(l.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(901)})
		wantError[*types.InvalidParameterValueException](t, err)
	})
}

func TestLambdaAsynchronous(t *testing.T) {
	lambdaRule(t, "an event that fails is tried again after one minute and after two more", "Developer Guide: Error handling for asynchronous invocation", func(t *testing.T, l lambdaCloud) {
		var at []time.Duration
		start := time.Now()
		name := l.function(func(context.Context, []byte) ([]byte, error) {
			at = append(at, time.Since(start).Round(time.Second))
			return nil, errors.New("no")
		})
		l.event(name, `{}`)
		l.Sleep(time.Hour)
		if want := []time.Duration{0, time.Minute, 3 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("it ran at %v, want %v", at, want)
		}
	})
	lambdaRule(t, "an event that fails for good goes to the dead letter queue as it came, with the error as attributes", "Developer Guide: Adding a dead-letter queue", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		name := l.function(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no stock") }, func(r *embedded.Registration) { r.DeadLetter = q.arn(url) })
		l.event(name, `{"order":17}`)
		l.Sleep(time.Hour)
		m := q.one(url)
		if *m.Body != `{"order":17}` || *m.MessageAttributes["ErrorMessage"].StringValue != "no stock" || *m.MessageAttributes["ErrorCode"].StringValue != "200" || m.MessageAttributes["RequestID"].StringValue == nil {
			t.Errorf("body %s, attributes %v", *m.Body, m.MessageAttributes)
		}
	})
	lambdaRule(t, "destinations get a record of success and of failure", "Developer Guide: Capturing records of asynchronous invocations", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		good, bad := q.create(), q.create()
		name := l.function(func(_ context.Context, payload []byte) ([]byte, error) {
			if strings.Contains(string(payload), "bad") {
				return nil, errors.New("no")
			}
			return []byte(`"done"`), nil
		})
		_, err := l.PutFunctionEventInvokeConfig(l.ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: &name, MaximumRetryAttempts: aws.Int32(1), DestinationConfig: &types.DestinationConfig{
			OnSuccess: &types.OnSuccess{Destination: aws.String(q.arn(good))}, OnFailure: &types.OnFailure{Destination: aws.String(q.arn(bad))},
		}})
		l.ok(err)
		l.event(name, `{"kind":"good"}`)
		l.event(name, `{"kind":"bad"}`)
		l.Sleep(time.Hour)
		type record struct {
			RequestContext struct {
				Condition, FunctionArn string
				ApproximateInvokeCount int
			}
			RequestPayload  json.RawMessage
			ResponseContext struct {
				StatusCode    int
				FunctionError string
			}
			ResponsePayload json.RawMessage
		}
		read := func(url string) (r record) {
			l.ok(json.Unmarshal([]byte(*q.one(url).Body), &r))
			return r
		}
		if r := read(good); r.RequestContext.Condition != "Success" || string(r.RequestPayload) != `{"kind":"good"}` || string(r.ResponsePayload) != `"done"` || !strings.HasSuffix(r.RequestContext.FunctionArn, name+":$LATEST") {
			t.Errorf("success: %+v", r)
		}
		if r := read(bad); r.RequestContext.Condition != "RetriesExhausted" || r.RequestContext.ApproximateInvokeCount != 2 || r.ResponseContext.FunctionError != "Unhandled" {
			t.Errorf("failure: %+v", r)
		}
	})
	lambdaRule(t, "a throttled event waits, longer each time, and runs when there is room", "Developer Guide: Error handling for asynchronous invocation", func(t *testing.T, l lambdaCloud) {
		var ran atomic.Int32
		name := l.function(func(context.Context, []byte) ([]byte, error) { ran.Add(1); return nil, nil })
		_, err := l.PutFunctionConcurrency(l.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0)})
		l.ok(err)
		l.event(name, `{}`)
		l.Sleep(time.Hour)
		if ran.Load() != 0 {
			t.Error("it ran although it has no concurrency")
		}
		_, err = l.DeleteFunctionConcurrency(l.ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &name})
		l.ok(err)
		l.Sleep(6 * time.Minute)
		if ran.Load() != 1 {
			t.Errorf("it ran %d times", ran.Load())
		}
	})
	lambdaRule(t, "an event that is too old is given up", "Developer Guide: Error handling for asynchronous invocation, MaximumEventAgeInSeconds", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		name := l.function(echo)
		_, err := l.PutFunctionConcurrency(l.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0)})
		l.ok(err)
		_, err = l.PutFunctionEventInvokeConfig(l.ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: &name, MaximumEventAgeInSeconds: aws.Int32(60),
			DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(q.arn(url))}}})
		l.ok(err)
		l.event(name, `{}`)
		l.Sleep(61 * time.Second)
		if m := q.one(url); !strings.Contains(*m.Body, "EventAgeExceeded") {
			t.Errorf("the record is %s", *m.Body)
		}
	})
	lambdaRule(t, "a topic has the function run on its message, and retries are Lambda's", "Developer Guide: Invoking Lambda functions with Amazon SNS notifications", func(t *testing.T, l lambdaCloud) {
		var events []string
		name := l.function(func(_ context.Context, payload []byte) ([]byte, error) {
			events = append(events, string(payload))
			return nil, errors.New("no")
		})
		topic, err := l.SNS().CreateTopic(l.ctx, &sns.CreateTopicInput{Name: aws.String(l.Name("t"))})
		l.ok(err)
		_, err = l.SNS().Subscribe(l.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("lambda"), Endpoint: aws.String(l.arn(name))})
		l.ok(err)
		_, err = l.SNS().Publish(l.ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("order 17")})
		l.ok(err)
		l.Sleep(time.Hour)
		if len(events) != 3 {
			t.Fatalf("it ran %d times, want 3", len(events))
		}
		var e struct {
			Records []struct {
				EventSource, EventSubscriptionArn string
				Sns                               struct{ Message, TopicArn, Type string }
			}
		}
		l.ok(json.Unmarshal([]byte(events[0]), &e))
		if r := e.Records[0]; r.EventSource != "aws:sns" || r.Sns.Message != "order 17" || r.Sns.TopicArn != *topic.TopicArn || r.Sns.Type != "Notification" {
			t.Errorf("the event is %s", events[0])
		}
	})
}

// mapping maps a queue to a function.
func (l lambdaCloud) mapping(url, function string, settings ...func(*lambda.CreateEventSourceMappingInput)) string {
	l.t.Helper()
	in := &lambda.CreateEventSourceMappingInput{EventSourceArn: aws.String(l.queues().arn(url)), FunctionName: &function}
	for _, set := range settings {
		set(in)
	}
	out, err := l.CreateEventSourceMapping(l.ctx, in)
	l.ok(err)
	return *out.UUID
}

func batch(size int32, window time.Duration) func(*lambda.CreateEventSourceMappingInput) {
	return func(in *lambda.CreateEventSourceMappingInput) {
		in.BatchSize, in.MaximumBatchingWindowInSeconds = &size, aws.Int32(int32(window.Seconds()))
	}
}

func itemFailures(in *lambda.CreateEventSourceMappingInput) {
	in.FunctionResponseTypes = []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures}
}

func filters(patterns ...string) func(*lambda.CreateEventSourceMappingInput) {
	return func(in *lambda.CreateEventSourceMappingInput) {
		in.FilterCriteria = &types.FilterCriteria{}
		for _, p := range patterns {
			in.FilterCriteria.Filters = append(in.FilterCriteria.Filters, types.Filter{Pattern: &p})
		}
	}
}

// An sqsEvent is what a function gets from a queue.
type sqsEvent struct {
	Records []struct {
		MessageID                                    string `json:"messageId"`
		ReceiptHandle                                string `json:"receiptHandle"`
		Body, EventSource, EventSourceARN, AwsRegion string
		Attributes                                   map[string]string
		MessageAttributes                            map[string]struct{ StringValue, DataType string }
	}
}

// seen records the batches that a function gets, as bodies.
type seen struct {
	mu      sync.Mutex
	batches [][]string
	at      []time.Duration
	start   time.Time
}

func (s *seen) add(t *testing.T, payload []byte) sqsEvent {
	t.Helper()
	var e sqsEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, r := range e.Records {
		bodies = append(bodies, r.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, bodies)
	s.at = append(s.at, time.Since(s.start))
	return e
}

func TestEventSourceMappings(t *testing.T) {
	lambdaRule(t, "a mapping invokes the function with the queue's messages and deletes them when it succeeds", "Developer Guide: Using Lambda with Amazon SQS", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		var got sqsEvent
		s := &seen{}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) { got = s.add(t, p); return nil, nil })
		l.mapping(url, name)
		_, err := l.SQS().SendMessage(l.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("order 17")})
		l.ok(err)
		l.Sleep(time.Second)
		r := got.Records[0]
		if r.Body != "order 17" || r.EventSource != "aws:sqs" || r.EventSourceARN != q.arn(url) || r.AwsRegion != "us-east-1" || r.Attributes["ApproximateReceiveCount"] != "1" || r.ReceiptHandle == "" {
			t.Errorf("%+v", r)
		}
		l.Sleep(time.Hour)
		q.wantNothing(url)
		if len(s.batches) != 1 {
			t.Errorf("it ran %d times", len(s.batches))
		}
	})
	lambdaRule(t, "when the function fails the whole batch comes back after the visibility timeout", "Developer Guide: Handling errors for an SQS event source", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create("VisibilityTimeout", "20")
		s := &seen{start: time.Now()}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) {
			s.add(t, p)
			if len(s.batches) < 3 {
				return nil, errors.New("no")
			}
			return nil, nil
		})
		q.send(url, "a", "b")
		l.mapping(url, name)
		l.Sleep(time.Hour)
		if len(s.batches) != 3 || len(s.batches[2]) != 2 || s.at[1] != 20*time.Second || s.at[2] != 40*time.Second {
			t.Errorf("batches %v at %v", s.batches, s.at)
		}
		q.wantNothing(url)
	})
	lambdaRule(t, "a message that fails again and again goes to the queue's dead letter queue", "Developer Guide: Creating and configuring an Amazon SQS event source mapping, dead-letter queue", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		dead := q.create()
		url := q.create("VisibilityTimeout", "10", "RedrivePolicy", redrivePolicy(q.arn(dead), 3))
		ran := 0
		name := l.function(func(context.Context, []byte) ([]byte, error) { ran++; return nil, errors.New("no") })
		l.mapping(url, name)
		q.send(url, "poison")
		l.Sleep(time.Hour)
		q.want(dead, "poison")
		if ran != 3 {
			t.Errorf("it was tried %d times, want 3", ran)
		}
	})
	lambdaRule(t, "with partial batch responses only what the function reports comes back", "Developer Guide: Implementing partial batch responses", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create("VisibilityTimeout", "20")
		s := &seen{}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) {
			e := s.add(t, p)
			for _, r := range e.Records {
				if r.Body == "b" && r.Attributes["ApproximateReceiveCount"] == "1" {
					return fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":"%s"}]}`, r.MessageID), nil
				}
			}
			return []byte(`{"batchItemFailures":[]}`), nil
		})
		q.send(url, "a", "b", "c")
		l.mapping(url, name, itemFailures)
		l.Sleep(time.Hour)
		if fmt.Sprint(s.batches) != "[[a b c] [b]]" {
			t.Errorf("batches %v", s.batches)
		}
		q.wantNothing(url)
	})
	lambdaRule(t, "of partial batch responses an empty one is a success, and one that is wrong a failure of everything", "Developer Guide: Implementing partial batch responses, success and failure conditions", func(t *testing.T, l lambdaCloud) {
		for response, success := range map[string]bool{
			`{"batchItemFailures":[]}`: true, `{"batchItemFailures":null}`: true, `{}`: true, `null`: true, `{"failures":[{"itemIdentifier":"x"}]}`: true,
			`{"batchItemFailures":[{"itemIdentifier":""}]}`: false, `{"batchItemFailures":[{"itemIdentifier":null}]}`: false,
			`{"batchItemFailures":[{"id":"x"}]}`: false, `{"batchItemFailures":[{"itemIdentifier":"not-there"}]}`: false, `{"batchItemFailures":`: false,
		} {
			q := l.queues()
			url := q.create("VisibilityTimeout", "10")
			ran := 0
			name := l.function(func(context.Context, []byte) ([]byte, error) {
				if ran++; ran == 1 {
					return []byte(response), nil
				}
				return nil, nil
			})
			q.send(url, "a")
			l.mapping(url, name, itemFailures)
			l.Sleep(time.Minute)
			if (ran == 1) != success {
				t.Errorf("%s: it ran %d times", response, ran)
			}
		}
	})
	lambdaRule(t, "without ReportBatchItemFailures the answer does not matter", "API Reference: CreateEventSourceMapping, FunctionResponseTypes", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create("VisibilityTimeout", "10")
		ran := 0
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) {
			ran++
			return []byte(`{"batchItemFailures":[{"itemIdentifier":""}]}`), nil
		})
		q.send(url, "a")
		l.mapping(url, name)
		l.Sleep(time.Minute)
		if ran != 1 {
			t.Errorf("it ran %d times", ran)
		}
	})
	lambdaRule(t, "a batch window waits for a full batch, and no longer", "Developer Guide: Batching behavior", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create("VisibilityTimeout", "120")
		s := &seen{}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) { s.add(t, p); return nil, nil })
		l.mapping(url, name, batch(20, 30*time.Second), func(in *lambda.CreateEventSourceMappingInput) {
			in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: aws.Int32(2)}
		})
		s.start = time.Now()
		for i := range 3 {
			q.send(url, fmt.Sprint(i))
			l.Sleep(time.Second)
		}
		l.Sleep(time.Minute)
		total := 0
		for i, b := range s.batches {
			total += len(b)
			if s.at[i] < 30*time.Second || s.at[i] > 32*time.Second {
				t.Errorf("batch %v came after %s, want the window's 30 s", b, s.at[i])
			}
		}
		if total != 3 {
			t.Errorf("batches %v", s.batches)
		}
		s.batches, s.at, s.start = nil, nil, time.Now()
		for i := range 40 {
			q.send(url, fmt.Sprint(i))
		}
		l.Sleep(time.Minute)
		for i, b := range s.batches {
			if len(b) == 20 && s.at[i] > time.Second {
				t.Errorf("a full batch waited %s", s.at[i])
			}
		}
	})
	lambdaRule(t, "maximum concurrency limits how many run at once", "Developer Guide: Configuring maximum concurrency for Amazon SQS event sources", func(t *testing.T, l lambdaCloud) {
		for limit, name := range map[int32]string{2: "two", 0: "none"} {
			q := l.queues()
			url := q.create("VisibilityTimeout", "600")
			var now, most atomic.Int32
			f := l.function(func(context.Context, []byte) ([]byte, error) {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(2 * time.Second)
				now.Add(-1)
				return nil, nil
			})
			for i := range 100 {
				q.send(url, fmt.Sprint(i))
			}
			l.mapping(url, f, batch(1, 0), func(in *lambda.CreateEventSourceMappingInput) {
				if limit > 0 {
					in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: &limit}
				}
			})
			l.Sleep(time.Second)
			if limit == 0 && (most.Load() < 5 || most.Load() > 11) {
				t.Errorf("after a second %d ran at once, want the first five and a few more", most.Load())
			}
			l.Sleep(10 * time.Minute)
			if limit > 0 && most.Load() != limit {
				t.Errorf("%s: %d ran at once, want %d", name, most.Load(), limit)
			}
			q.wantNothing(url)
		}
	})
	lambdaRule(t, "a message that no filter matches is deleted, and the function never sees it", "Developer Guide: Using event filtering with an Amazon SQS event source", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		s := &seen{}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) { s.add(t, p); return nil, nil })
		l.mapping(url, name, filters(`{"body":{"kind":["order"],"total":[{"numeric":[">",10]}]}}`, `{"body":{"urgent":[{"exists":true}]}}`))
		q.send(url, `{"kind":"order","total":11}`, `{"kind":"order","total":9}`, `{"urgent":null}`, `plain`, `{"kind":"return","total":50}`)
		l.Sleep(time.Minute)
		var all []string
		for _, b := range s.batches {
			all = append(all, b...)
		}
		slices.Sort(all)
		if fmt.Sprint(all) != `[{"kind":"order","total":11} {"urgent":null}]` {
			t.Errorf("it saw %v", all)
		}
		q.wantNothing(url)
		if n := q.attribute(url, "ApproximateNumberOfMessagesNotVisible"); n != "0" {
			t.Errorf("%s messages are in flight", n)
		}
	})
	lambdaRule(t, "a filter on plain text and a body in JSON do not match, nor the other way round", "Developer Guide: Properly filtering Amazon SQS messages", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		s := &seen{}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) { s.add(t, p); return nil, nil })
		l.mapping(url, name, filters(`{"body":[{"prefix":"order"}]}`))
		q.send(url, `order 17`, `{"order":1}`, `return 3`)
		l.Sleep(time.Minute)
		if fmt.Sprint(s.batches) != "[[order 17]]" {
			t.Errorf("it saw %v", s.batches)
		}
	})
	lambdaRule(t, "a FIFO queue's group waits while one of its messages has failed, and other groups go on", "Developer Guide: Configuring scaling behavior for SQS event source mappings, FIFO queues", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.createFIFO("VisibilityTimeout", "30")
		s := &seen{}
		var failed atomic.Bool
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) {
			e := s.add(t, p)
			if e.Records[0].Body == "a1" && failed.CompareAndSwap(false, true) {
				return nil, errors.New("no")
			}
			return nil, nil
		})
		q.sendFIFO(url, "a1", "a2", "b1", "b2")
		l.mapping(url, name, batch(1, 0))
		l.Sleep(10 * time.Minute)
		var a, b []string
		for _, batch := range s.batches {
			if body := batch[0]; body[0] == 'a' {
				a = append(a, body)
			} else {
				b = append(b, body)
			}
		}
		if fmt.Sprint(a, b) != "[a1 a1 a2] [b1 b2]" {
			t.Errorf("group a %v, group b %v", a, b)
		}
	})
	lambdaRule(t, "a throttled batch is tried again while its messages are invisible", "Developer Guide: Backoff strategy for failed invocations", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create("VisibilityTimeout", "300")
		s := &seen{}
		var counts []string
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) {
			counts = append(counts, s.add(t, p).Records[0].Attributes["ApproximateReceiveCount"])
			return nil, nil
		})
		_, err := l.PutFunctionConcurrency(l.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0)})
		l.ok(err)
		l.mapping(url, name)
		q.send(url, "a")
		l.Sleep(time.Minute)
		_, err = l.DeleteFunctionConcurrency(l.ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &name})
		l.ok(err)
		l.Sleep(time.Minute)
		if fmt.Sprint(s.batches, counts) != "[[a]] [1]" {
			t.Errorf("batches %v with receive counts %v", s.batches, counts)
		}
	})
	lambdaRule(t, "a disabled mapping leaves the queue alone, and goes on when it is enabled", "API Reference: UpdateEventSourceMapping, Enabled", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		s := &seen{}
		name := l.function(func(_ context.Context, p []byte) ([]byte, error) { s.add(t, p); return nil, nil })
		id := l.mapping(url, name)
		state := func() string {
			out, err := l.GetEventSourceMapping(l.ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
			l.ok(err)
			return *out.State
		}
		set := func(enabled bool) {
			_, err := l.UpdateEventSourceMapping(l.ctx, &lambda.UpdateEventSourceMappingInput{UUID: &id, Enabled: &enabled})
			l.ok(err)
		}
		if got := state(); got != "Enabled" {
			t.Errorf("state %s", got)
		}
		set(false)
		q.send(url, "a")
		l.Sleep(time.Hour)
		if got := state(); got != "Disabled" || len(s.batches) != 0 {
			t.Errorf("state %s, batches %v", got, s.batches)
		}
		set(true)
		l.Sleep(time.Second)
		if fmt.Sprint(s.batches) != "[[a]]" {
			t.Errorf("batches %v", s.batches)
		}
		_, err := l.DeleteEventSourceMapping(l.ctx, &lambda.DeleteEventSourceMappingInput{UUID: &id})
		l.ok(err)
		_, err = l.GetEventSourceMapping(l.ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
		wantError[*types.ResourceNotFoundException](t, err)
	})
	lambdaRule(t, "a mapping that cannot work is refused, and the error says why", "API Reference: CreateEventSourceMapping", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url, fifo := q.create(), q.createFIFO()
		name, slow := l.function(echo), l.function(echo, timeout(time.Minute))
		arn := q.arn(url)
		create := func(change func(in *lambda.CreateEventSourceMappingInput)) error {
			in := &lambda.CreateEventSourceMappingInput{EventSourceArn: &arn, FunctionName: &name}
			change(in)
			_, err := l.CreateEventSourceMapping(l.ctx, in)
			return err
		}
		for want, change := range map[string]func(in *lambda.CreateEventSourceMappingInput){
			"Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds": func(in *lambda.CreateEventSourceMappingInput) { in.FunctionName = &slow },
			"Function does not exist": func(in *lambda.CreateEventSourceMappingInput) { in.FunctionName = aws.String("none") },
			"NonExistentQueue":        func(in *lambda.CreateEventSourceMappingInput) { in.EventSourceArn = aws.String(arn + "x") },
			"Maximum batch window in seconds must be greater than 0": func(in *lambda.CreateEventSourceMappingInput) { in.BatchSize = aws.Int32(11) },
			"FIFO": func(in *lambda.CreateEventSourceMappingInput) {
				in.EventSourceArn, in.MaximumBatchingWindowInSeconds = aws.String(q.arn(fifo)), aws.Int32(1)
			},
			"maximumConcurrency": func(in *lambda.CreateEventSourceMappingInput) {
				in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: aws.Int32(1)}
			},
			"Invalid filter pattern":     filters(`{"body":"order"}`),
			"BisectBatchOnFunctionError": func(in *lambda.CreateEventSourceMappingInput) { in.BisectBatchOnFunctionError = aws.Bool(true) },
		} {
			if err := create(change); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		l.mapping(url, name)
		wantError[*types.ResourceConflictException](t, create(func(*lambda.CreateEventSourceMappingInput) {}))
	})
	lambdaRule(t, "polling an empty queue for twelve hours costs its receives and wakes nobody", "Developer Guide: Using Lambda with Amazon SQS, long polling", func(t *testing.T, l lambdaCloud) {
		q := l.queues()
		url := q.create()
		ran := 0
		name := l.function(func(context.Context, []byte) ([]byte, error) { ran++; return nil, nil })
		l.mapping(url, name)
		l.Sleep(12 * time.Hour)
		if ran != 0 {
			t.Errorf("it ran %d times", ran)
		}
	})
}
