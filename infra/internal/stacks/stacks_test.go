package stacks_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/brokerdojo/brokerdojo/infra/internal/bundle"
	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
	"github.com/brokerdojo/brokerdojo/infra/internal/stacks"
)

// All tests that need jsii are in this package: it is one Node.js process, which takes seconds to start.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

var names = []string{"workqueue", "fanout", "routing", "deadletter"}

// newApp returns an app with the feature flags of cdk.json, as the CDK CLI starts it.
func newApp(t *testing.T) awscdk.App {
	t.Helper()
	b, err := os.ReadFile("../../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	return awscdk.NewApp(&awscdk.AppProps{
		Context: &config.Context, AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(t.TempDir()),
	})
}

// settings are those of a context, with code that is not built.
func settings(t *testing.T, context map[string]any) messaging.Settings {
	t.Helper()
	s, err := messaging.FromContext(func(name string) any { return context[name] })
	if err != nil {
		t.Fatal(err)
	}
	s.Code = func(stack awscdk.Stack, handler string) awslambda.Code {
		return codeAt(stack, jsii.String("code"), jsii.String(handler+".zip"))
	}
	return s
}

// codeAt is code that is in a bucket.
func codeAt(stack awscdk.Stack, bucketName, key *string) awslambda.Code {
	id := jsii.String("Code")
	bucket, ok := stack.Node().TryFindChild(id).(awss3.IBucket)
	if !ok {
		bucket = awss3.Bucket_FromBucketName(stack, id, bucketName)
		warning := jsii.String("@aws-cdk/aws-lambda:codeFromBucketObjectVersionNotSpecified")
		awscdk.Annotations_Of(bucket).AcknowledgeWarning(warning, jsii.String("other code has another key"))
	}
	return awslambda.Code_FromBucketV2(bucket, key, nil)
}

// A resource is a resource of a template.
type resource struct {
	Type                                string
	Properties                          map[string]any
	DeletionPolicy, UpdateReplacePolicy string
	DependsOn                           any
}

type template map[string]resource

// of returns the resources of a type by their names.
func (t template) of(kind string) map[string]resource {
	found := map[string]resource{}
	for name, r := range t {
		if r.Type == kind {
			found[name] = r
		}
	}
	return found
}

// one returns the resource of a type whose name begins with a prefix.
func (t template) one(tb testing.TB, kind, prefix string) (string, resource) {
	tb.Helper()
	for name, r := range t.of(kind) {
		if strings.HasPrefix(name, prefix) {
			return name, r
		}
	}
	tb.Fatalf("there is no %s %s", kind, prefix)
	return "", resource{}
}

func resources(t *testing.T, app awscdk.App, name string) template {
	t.Helper()
	stack := app.Node().FindChild(&name).(awscdk.Stack)
	b, err := json.Marshal(assertions.Template_FromStack(stack, nil).ToJSON())
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Resources template }
	if err := json.Unmarshal(b, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed.Resources
}

// sandbox are the templates of an app without context.
var sandbox = sync.OnceValue(func() func(*testing.T) map[string]template {
	var once sync.Once
	all := map[string]template{}
	return func(t *testing.T) map[string]template {
		t.Helper()
		once.Do(func() {
			app := newApp(t)
			stacks.Add(app, settings(t, nil))
			for _, name := range append(names, "budget") {
				all[name] = resources(t, app, name)
			}
		})
		return all
	}
})

func patterns(t *testing.T) map[string]template {
	t.Helper()
	all := map[string]template{}
	for _, name := range names {
		all[name] = sandbox()(t)[name]
		if len(all[name]) == 0 {
			t.Fatalf("the stack %s is empty", name)
		}
	}
	return all
}

func forEach(t *testing.T, kind string, check func(t *testing.T, in template, name string, r resource)) {
	t.Helper()
	for stack, in := range patterns(t) {
		for name, r := range in.of(kind) {
			t.Run(stack+"/"+name, func(t *testing.T) { check(t, in, name, r) })
		}
	}
}

// get walks through maps and lists: get(v, "a", 0, "b"). It is nil where there is nothing.
func get(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, texts(e)...)
		}
		return all
	}
	return nil
}

// refers says whether a value is a reference to a resource, its id or an attribute.
func refers(v any, name string) bool {
	return get(v, "Ref") == name || get(v, "Fn::GetAtt", 0) == name
}

func statements(r resource) []map[string]any {
	var all []map[string]any
	list, _ := get(r.Properties, "PolicyDocument", "Statement").([]any)
	for _, s := range list {
		all = append(all, s.(map[string]any))
	}
	return all
}

func TestStacksHaveOnlyTypesThatTheLocalCloudHas(t *testing.T) {
	known := strings.Fields(`AWS::SQS::Queue AWS::SQS::QueuePolicy AWS::SNS::Topic AWS::SNS::TopicPolicy AWS::SNS::Subscription AWS::Lambda::Function
		AWS::Lambda::EventSourceMapping AWS::Lambda::EventInvokeConfig AWS::IAM::Role AWS::IAM::Policy AWS::Logs::LogGroup AWS::CloudWatch::Alarm
		AWS::CloudWatch::Dashboard AWS::KMS::Key`)
	app := newApp(t)
	stacks.Add(app, settings(t, map[string]any{"stage": "prod", "alarm-email": "a@example.com"})) // it has the most
	for _, name := range names {
		for resource, r := range resources(t, app, name) {
			if !slices.Contains(known, r.Type) {
				t.Errorf("%s has %s, a %s", name, resource, r.Type)
			}
		}
	}
}

func TestEveryMappingReportsWhichMessagesFailed(t *testing.T) {
	forEach(t, "AWS::Lambda::EventSourceMapping", func(t *testing.T, in template, _ string, r resource) {
		if got := texts(r.Properties["FunctionResponseTypes"]); !slices.Equal(got, []string{"ReportBatchItemFailures"}) {
			t.Errorf("FunctionResponseTypes is %v: messages that failed would be deleted", got)
		}
		if n, _ := get(r.Properties, "ScalingConfig", "MaximumConcurrency").(float64); n < 2 || n > 1000 {
			t.Errorf("MaximumConcurrency is %v", n)
		}
		queue := in[get(r.Properties, "EventSourceArn", "Fn::GetAtt", 0).(string)]
		function := in[get(r.Properties, "FunctionName", "Ref").(string)]
		visibility, timeout := queue.Properties["VisibilityTimeout"].(float64), function.Properties["Timeout"].(float64)
		if visibility < 6*timeout {
			t.Errorf("the visibility timeout is %v s, less than six times the function's timeout of %v s", visibility, timeout)
		}
		if queue.Properties["RedrivePolicy"] == nil {
			t.Error("its queue has no dead letter queue")
		}
	})
}

func TestEveryQueueHasADeadLetterQueueOrIsOne(t *testing.T) {
	last := []string{"OrdersUndelivered", "PoisonQueue", "RedriveFailedQueue"} // what comes there is for people
	forEach(t, "AWS::SQS::Queue", func(t *testing.T, in template, name string, r resource) {
		if dead := get(r.Properties, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0); dead != nil {
			if n := get(r.Properties, "RedrivePolicy", "maxReceiveCount"); n != 5.0 {
				t.Errorf("maxReceiveCount is %v", n)
			}
			target := in[dead.(string)]
			if target.Properties["FifoQueue"] != r.Properties["FifoQueue"] {
				t.Error("a FIFO queue and its dead letter queue are of one kind")
			}
			if target.Properties["RedrivePolicy"] != nil {
				t.Error("a dead letter queue has one itself")
			}
			return
		}
		isDead := slices.ContainsFunc(last, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		for _, q := range in.of("AWS::SQS::Queue") {
			isDead = isDead || refers(get(q.Properties, "RedrivePolicy", "deadLetterTargetArn"), name)
		}
		if !isDead {
			t.Error("nothing takes its dead letters")
		}
		if r.Properties["MessageRetentionPeriod"] != 14*24*3600.0 {
			t.Errorf("its messages are kept for %v s, not for 14 days", r.Properties["MessageRetentionPeriod"])
		}
	})
}

func TestEveryQueueIsEncryptedAndClosedToPlainHTTP(t *testing.T) {
	forEach(t, "AWS::SQS::Queue", func(t *testing.T, in template, name string, r resource) {
		if r.Properties["SqsManagedSseEnabled"] != true {
			t.Error("it is not encrypted")
		}
		for _, policy := range in.of("AWS::SQS::QueuePolicy") {
			if !refers(get(policy.Properties, "Queues", 0), name) {
				continue
			}
			for _, s := range statements(policy) {
				if s["Effect"] == "Deny" && s["Action"] == "sqs:*" && get(s, "Condition", "Bool", "aws:SecureTransport") == "false" &&
					refers(s["Resource"], name) {
					return
				}
			}
		}
		t.Error("it takes plain HTTP")
	})
}

func TestEveryTopicIsEncryptedAndClosedToPlainHTTP(t *testing.T) {
	forEach(t, "AWS::SNS::Topic", func(t *testing.T, in template, name string, r resource) {
		if r.Properties["KmsMasterKeyId"] != "alias/aws/sns" {
			t.Errorf("its key is %v", r.Properties["KmsMasterKeyId"])
		}
		_, policy := in.one(t, "AWS::SNS::TopicPolicy", "Orders")
		s := statements(policy)[0]
		if s["Effect"] != "Deny" || get(s, "Condition", "Bool", "aws:SecureTransport") != "false" || !refers(s["Resource"], name) {
			t.Errorf("it takes plain HTTP: %v", s)
		}
	})
}

func TestEverySubscriptionIsRawAndHasADeadLetterQueueThatLetsItIn(t *testing.T) {
	forEach(t, "AWS::SNS::Subscription", func(t *testing.T, in template, _ string, r resource) {
		if r.Properties["RawMessageDelivery"] != true {
			t.Error("its messages are in an envelope that the handlers do not open")
		}
		topic := get(r.Properties, "TopicArn", "Ref").(string)
		for _, queue := range []any{
			get(r.Properties, "Endpoint", "Fn::GetAtt", 0), get(r.Properties, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0),
		} {
			allowed := false
			for name, policy := range in.of("AWS::SQS::QueuePolicy") {
				for _, s := range statements(policy) {
					if s["Effect"] == "Allow" && refers(s["Resource"], queue.(string)) {
						allowed = s["Action"] == "sqs:SendMessage" && get(s, "Principal", "Service") == "sns.amazonaws.com" &&
							refers(get(s, "Condition", "ArnEquals", "aws:SourceArn"), topic) && slices.Contains(texts(r.DependsOn), name)
					}
				}
			}
			if !allowed {
				t.Errorf("the topic, and only it, may send to %v, before it is subscribed", queue)
			}
		}
	})
}

// may are the permissions of each function, by the prefix of its role; logs are in each.
var may = map[string]map[string][]string{
	"workqueue": {"Worker": {"sqs:SendMessage Invoices", "sqs:ReceiveMessage Jobs", "sqs:DeleteMessage Jobs", "sqs:GetQueueAttributes Jobs"}},
	"deadletter": {
		"Consumer": {
			"sqs:SendMessage Receipts", "sqs:SendMessage Poison",
			"sqs:ReceiveMessage Payments", "sqs:DeleteMessage Payments", "sqs:GetQueueAttributes Payments",
		},
		"Redrive": {
			"sqs:StartMessageMoveTask PaymentsDead", "sqs:ListMessageMoveTasks PaymentsDead",
			"sqs:ReceiveMessage PaymentsDead", "sqs:DeleteMessage PaymentsDead", "sqs:GetQueueAttributes PaymentsDead", "sqs:SendMessage Payments", "sqs:SendMessage RedriveFailed",
		},
	},
	"fanout": {}, "routing": {},
}

func init() {
	for stack, functions := range map[string]map[string]string{
		"fanout":  {"ConfirmationSubscriber": "Confirmation", "StockSubscriber": "Stock", "AnalyticsSubscriber": "Analytics"},
		"routing": {"ExpressRoute": "Express", "AbroadRoute": "Abroad", "LargeRoute": "Large"},
	} {
		for function, queue := range functions {
			may[stack][function] = []string{
				"sqs:SendMessage Effects", "sqs:ReceiveMessage " + queue, "sqs:DeleteMessage " + queue, "sqs:GetQueueAttributes " + queue,
			}
		}
	}
}

func TestFunctionsMayDoWhatTheyDoAndNothingElse(t *testing.T) {
	for stack, in := range patterns(t) {
		policies := in.of("AWS::IAM::Policy")
		if len(policies) != len(may[stack]) || len(in.of("AWS::Lambda::Function")) != len(policies) {
			t.Fatalf("%s has %d policies and %d functions, want %d", stack, len(policies), len(in.of("AWS::Lambda::Function")), len(may[stack]))
		}
		for function, want := range may[stack] {
			t.Run(stack+"/"+function, func(t *testing.T) {
				want := append([]string{"logs:CreateLogStream " + function + "Logs", "logs:PutLogEvents " + function + "Logs"}, want...)
				_, policy := in.one(t, "AWS::IAM::Policy", function+"Role")
				var got []string
				for _, s := range statements(policy) {
					if s["Effect"] != "Allow" || s["Condition"] != nil || s["NotAction"] != nil || s["NotResource"] != nil {
						t.Errorf("statement %v", s)
					}
					list, ok := s["Resource"].([]any)
					if !ok {
						list = []any{s["Resource"]}
					}
					for _, r := range list {
						name, _ := get(r, "Fn::GetAtt", 0).(string)
						if name == "" || get(r, "Fn::GetAtt", 1) != "Arn" {
							t.Errorf("the resource %v is not one of the stack", r)
						}
						name = strings.TrimSuffix(name[:max(0, len(name)-8)], "Queue") // without the hash
						for _, action := range texts(s["Action"]) {
							got = append(got, action+" "+name)
						}
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("it may\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				_, role := in.one(t, "AWS::IAM::Role", function+"Role")
				if role.Properties["ManagedPolicyArns"] != nil || role.Properties["Policies"] != nil {
					t.Errorf("its role has more: %v", role.Properties)
				}
			})
		}
	}
}

func TestFunctionsAreWhatTheHandlersNeed(t *testing.T) {
	forEach(t, "AWS::Lambda::Function", func(t *testing.T, in template, name string, r resource) {
		for property, want := range map[string]any{"Runtime": "provided.al2023", "Handler": "bootstrap", "MemorySize": 128.0, "Timeout": 10.0} {
			if r.Properties[property] != want {
				t.Errorf("%s is %v, want %v", property, r.Properties[property], want)
			}
		}
		if got := texts(r.Properties["Architectures"]); !slices.Equal(got, []string{"arm64"}) {
			t.Errorf("Architectures are %v", got)
		}
		logs, _ := get(r.Properties, "LoggingConfig", "LogGroup", "Ref").(string)
		if in[logs].Properties["RetentionInDays"] != 7.0 {
			t.Errorf("its logs are kept for %v days", in[logs].Properties["RetentionInDays"])
		}
	})
}

func TestWhateverCanFailRaisesAnAlarm(t *testing.T) {
	// watched says whether a resource has an alarm on a metric.
	watched := func(in template, name, metric string) bool {
		for _, a := range in.of("AWS::CloudWatch::Alarm") {
			dimension := get(a.Properties, "Dimensions", 0, "Value")
			if a.Properties["MetricName"] == metric && refers(dimension, name) && a.Properties["TreatMissingData"] == "notBreaching" {
				return true
			}
		}
		return false
	}
	forEach(t, "AWS::SQS::Queue", func(t *testing.T, in template, name string, r resource) {
		metric := "ApproximateAgeOfOldestMessage"
		if r.Properties["RedrivePolicy"] == nil {
			metric = "ApproximateNumberOfMessagesVisible" // of dead letters
		}
		if !watched(in, name, metric) {
			t.Error("there is no alarm on its " + metric)
		}
	})
	forEach(t, "AWS::Lambda::Function", func(t *testing.T, in template, name string, _ resource) {
		for _, metric := range []string{"Errors", "Throttles"} {
			if !watched(in, name, metric) {
				t.Error("there is no alarm on its " + metric)
			}
		}
	})
}

func TestASandboxLeavesNothingBehindAndProdKeepsWhatHoldsData(t *testing.T) {
	app := newApp(t)
	stacks.Add(app, settings(t, map[string]any{"stage": "prod", "alarm-email": "a@example.com"}))
	data := []string{"AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Logs::LogGroup", "AWS::KMS::Key"}
	for stack, in := range patterns(t) {
		for name, r := range in {
			if r.DeletionPolicy != "" && r.DeletionPolicy != "Delete" {
				t.Errorf("sandbox: %s keeps %s", stack, name)
			}
		}
		for name, r := range resources(t, app, stack) {
			if want := slices.Contains(data, r.Type); (r.DeletionPolicy == "Retain") != want || (r.UpdateReplacePolicy == "Retain") != want {
				t.Errorf("prod: %s has %s, a %s, with the deletion policy %q", stack, name, r.Type, r.DeletionPolicy)
			}
			if r.Type == "AWS::Logs::LogGroup" && r.Properties["RetentionInDays"] != 90.0 {
				t.Errorf("prod: logs are kept for %v days", r.Properties["RetentionInDays"])
			}
		}
		if protected := app.Node().FindChild(&stack).(awscdk.Stack).TerminationProtection(); !*protected {
			t.Errorf("prod: %s can be deleted by mistake", stack)
		}
	}
}

func TestAlarmsReachAnEncryptedTopicThatSendsMail(t *testing.T) {
	app := newApp(t)
	stacks.Add(app, settings(t, map[string]any{"alarm-email": "a@example.com"}))
	in := resources(t, app, "workqueue")
	key, k := in.one(t, "AWS::KMS::Key", "Alarms")
	topic, r := in.one(t, "AWS::SNS::Topic", "Alarms")
	if !refers(r.Properties["KmsMasterKeyId"], key) || k.Properties["EnableKeyRotation"] != true {
		t.Errorf("topic %v, key %v", r.Properties, k.Properties)
	}
	_, mail := in.one(t, "AWS::SNS::Subscription", "Alarms")
	if mail.Properties["Protocol"] != "email" || mail.Properties["Endpoint"] != "a@example.com" {
		t.Errorf("subscription %v", mail.Properties)
	}
	for name, a := range in.of("AWS::CloudWatch::Alarm") {
		if !refers(get(a.Properties, "AlarmActions", 0), topic) || !refers(get(a.Properties, "OKActions", 0), topic) {
			t.Errorf("%s tells nobody: %v", name, a.Properties)
		}
	}
	// CloudWatch may use the key, and only alarms of this account.
	found := false
	list, _ := get(k.Properties, "KeyPolicy", "Statement").([]any)
	for _, s := range list {
		if get(s, "Principal", "Service") != "cloudwatch.amazonaws.com" {
			continue
		}
		actions := texts(get(s, "Action"))
		found = slices.Equal(actions, []string{"kms:Decrypt", "kms:GenerateDataKey"}) &&
			get(s, "Condition", "StringEquals", "aws:SourceAccount", "Ref") == "AWS::AccountId" && get(s, "Condition", "ArnLike", "aws:SourceArn") != nil
	}
	if !found {
		t.Errorf("the key's policy is %v", list)
	}
	for name, in := range patterns(t) {
		if keys := in.of("AWS::KMS::Key"); len(keys) > 0 {
			t.Errorf("%s has a key, for a dollar a month, that nobody asked for", name)
		}
	}
}

func TestRedriveKeepsTheEventsOfInvocationsThatFailed(t *testing.T) {
	in := patterns(t)["deadletter"]
	_, r := in.one(t, "AWS::Lambda::EventInvokeConfig", "Redrive")
	queue, _ := in.one(t, "AWS::SQS::Queue", "RedriveFailed")
	if !refers(get(r.Properties, "DestinationConfig", "OnFailure", "Destination"), queue) || r.Properties["MaximumRetryAttempts"] != 0.0 {
		t.Errorf("%v", r.Properties)
	}
}

func TestPoisonIsNotInTheQueueThatIsRedriven(t *testing.T) {
	in := patterns(t)["deadletter"]
	_, consumer := in.one(t, "AWS::Lambda::Function", "Consumer")
	_, redrive := in.one(t, "AWS::Lambda::Function", "Redrive")
	poison := get(consumer.Properties, "Environment", "Variables", "POISON_QUEUE_URL", "Ref")
	dead := get(redrive.Properties, "Environment", "Variables", "DEAD_LETTER_QUEUE_URL", "Ref")
	if poison == nil || dead == nil || poison == dead {
		t.Errorf("poison goes to %v, and %v is redriven: SQS cannot tell where the poison came from, and the task fails", poison, dead)
	}
}

func TestTheBudgetWritesAtHalfAtAllAndBefore(t *testing.T) {
	in := sandbox()(t)["budget"]
	_, b := in.one(t, "AWS::Budgets::Budget", "Budget")
	if get(b.Properties, "Budget", "BudgetLimit", "Amount", "Ref") != "MonthlyLimit" {
		t.Errorf("the limit is %v", get(b.Properties, "Budget", "BudgetLimit"))
	}
	var got []string
	list, _ := b.Properties["NotificationsWithSubscribers"].([]any)
	for _, n := range list {
		percent, _ := json.Marshal(get(n, "Notification", "Threshold"))
		got = append(got, get(n, "Notification", "NotificationType").(string)+" "+string(percent))
		if get(n, "Subscribers", 0, "Address", "Ref") != "Email" {
			t.Errorf("it writes to %v", get(n, "Subscribers"))
		}
	}
	if want := []string{"ACTUAL 50", "ACTUAL 100", "FORECASTED 100"}; !slices.Equal(got, want) {
		t.Errorf("it writes at %v, want %v", got, want)
	}
}

func TestTagsSayWhatAThingIsOf(t *testing.T) {
	forEach(t, "AWS::SQS::Queue", func(t *testing.T, _ template, _ string, r resource) {
		tags := map[any]any{}
		list, _ := r.Properties["Tags"].([]any)
		for _, tag := range list {
			tags[get(tag, "Key")] = get(tag, "Value")
		}
		stack, _, _ := strings.Cut(strings.TrimPrefix(t.Name(), "TestTagsSayWhatAThingIsOf/"), "/")
		if tags["project"] != "brokerdojo" || tags["stage"] != "sandbox" || tags["pattern"] != stack {
			t.Errorf("tags %v", tags)
		}
	})
}

func TestTheSolutionsArchitectsOfAWSFindNothing(t *testing.T) {
	for name, context := range map[string]map[string]any{"sandbox": nil, "prod": {"stage": "prod", "alarm-email": "a@example.com"}} {
		t.Run(name, func(t *testing.T) {
			app := newApp(t)
			stacks.Add(app, settings(t, context))
			stacks.Check(app)
			for _, stack := range append(names, "budget") {
				func() {
					defer func() {
						if found := recover(); found != nil {
							t.Errorf("%s: %v", stack, found)
						}
					}()
					annotations := assertions.Annotations_FromStack(app.Node().FindChild(&stack).(awscdk.Stack))
					annotations.HasNoError(jsii.String("*"), assertions.Match_AnyValue())
					annotations.HasNoWarning(jsii.String("*"), assertions.Match_AnyValue())
				}()
			}
		})
	}
}

// The policy of the role that CloudFormation deploys with names what it may do: see README.md.
func TestTheDeployPolicyKnowsEveryTypeAndHasNoWildcardInAnAction(t *testing.T) {
	var policy struct {
		Statement []struct{ Action any }
	}
	for _, file := range []string{"cloudformation.json", "deployer.json"} {
		b, err := os.ReadFile("../../permissions/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if len(strings.Join(strings.Fields(string(b)), "")) > 6144 { // white space does not count
			t.Errorf("%s is over the 6,144 characters that a managed policy may have", file)
		}
		if err := json.Unmarshal(b, &policy); err != nil {
			t.Fatal(err)
		}
		for _, s := range policy.Statement {
			for _, action := range texts(s.Action) {
				if strings.Contains(action, "*") {
					t.Errorf("%s allows %s", file, action)
				}
			}
		}
		if file != "cloudformation.json" {
			continue
		}
		services := map[string]bool{}
		for _, s := range policy.Statement {
			for _, action := range texts(s.Action) {
				service, _, _ := strings.Cut(action, ":")
				services[service] = true
			}
		}
		app := newApp(t)
		stacks.Add(app, settings(t, map[string]any{"alarm-email": "a@example.com"}))
		for _, name := range append(names, "budget") {
			for _, r := range resources(t, app, name) {
				if service := strings.ToLower(strings.Split(r.Type, "::")[1]); !services[service] {
					t.Errorf("%s: the policy knows nothing of %s", name, r.Type)
				}
			}
		}
	}
}

// bundled is a module with the handlers that the stacks name, of one source.
func bundled(t *testing.T, source string) (root string) {
	t.Helper()
	root = t.TempDir()
	write := func(name, content string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/handlers\n\ngo 1.26\n")
	for _, handler := range []string{"workqueue/sqs", "fanout/sqs", "routing/sqs", "deadletter/sqs", "deadletter/redrive"} {
		write("functions/"+handler+"/main.go", strings.ReplaceAll(source, "HANDLER", handler))
	}
	return root
}

func TestHandlersAreBuiltWithoutAContainer(t *testing.T) {
	root := bundled(t, "package main\n\nfunc main() { println(\"HANDLER\") }\n")
	target := bundle.Target{OS: "linux", Arch: "arm64"}
	app, s := newApp(t), settings(t, nil)
	var err error
	if s.Code, err = stacks.Bundled(root, target); err != nil {
		t.Fatal(err)
	}
	stacks.Add(app, s)
	app.Synth(nil)
	assets, err := filepath.Glob(filepath.Join(*app.Outdir(), "asset.*"))
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for _, file := range assets {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b)
	}
	if len(got) != 5 {
		t.Errorf("there are %d assets, want one for each of five handlers: %v", len(got), assets)
	}
	want, err := bundle.Zip(t.Context(), root, "deadletter/redrive", target)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(got, func(b []byte) bool { return bytes.Equal(b, want) }) {
		t.Error("no asset is the zip of deadletter/redrive")
	}
}

func TestAHandlerThatDoesNotCompileSaysSo(t *testing.T) {
	root := bundled(t, "package main\n\nfunc main() { undefinedThing() }\n")
	app, s := newApp(t), settings(t, nil)
	var err error
	if s.Code, err = stacks.Bundled(root, bundle.Target{OS: "linux", Arch: "arm64"}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "functions/workqueue/sqs") || !strings.Contains(got, "undefinedThing") {
			t.Errorf("it says %s", got)
		}
	}()
	stacks.Add(app, s)
}
