package messaging

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// FunctionProps describe a function.
type FunctionProps struct {
	Handler     string             // below functions/, such as "workqueue/sqs"
	Description string             // a sentence
	Environment map[string]*string // besides LOG_LEVEL
	Allow       []Permission       // besides writing its own log and working its queue

	// Queue is worked by the function; nil: it is invoked by others.
	Queue *Queue
	// Pattern is the dimension of the handler's own metrics in the namespace Brokerdojo; "": it has none.
	Pattern string
	// BatchSize is the most messages of an invocation. Default: 10, the most without a batching window.
	BatchSize float64
	// MaximumConcurrency is how many invocations work the queue at once, 2 to 1000. Default: 5. It holds back messages in the queue, where
	// a function's reserved concurrency would take them out and fail them, and takes nothing from the account's other functions.
	MaximumConcurrency float64
	// MemoryMB. Default: 128. A handler that waits for other services gains nothing from more.
	MemoryMB float64
}

// A Permission is what a function may do.
type Permission struct {
	Actions   []string
	Resources []*string
}

// Send allows to send to queues.
func Send(queueARNs ...*string) Permission { return Permission{[]string{"sqs:SendMessage"}, queueARNs} }

// A Function is a function and the role that it has.
type Function struct {
	awslambda.Function
	Role awsiam.Role
}

// MessagingFunction makes a function of a handler, with a role and a log group of its own. It may do what its properties say and
// nothing else; AWS's managed policy AWSLambdaBasicExecutionRole would let it write everybody's logs.
//
// With a queue it reports which messages of a batch failed: without that, one bad message has the whole batch done again. Its timeout
// is Settings.FunctionTimeout, of which a queue's visibility timeout should be six times.
// Source: Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping" (2026-12-01).
//
// Alarms: errors (crashes and timeouts: a message that fails alone is none) and throttles.
func (s *Stack) MessagingFunction(id string, p FunctionProps) *Function {
	scope := constructs.NewConstruct(s.Stack, &id)
	logs := awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{Retention: s.logRetention(), RemovalPolicy: s.removal()})
	role := awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil), Description: jsii.String("Of the function " + id),
	})
	allow := append([]Permission{{[]string{"logs:CreateLogStream", "logs:PutLogEvents"}, []*string{logs.LogGroupArn()}}}, p.Allow...)
	if p.Queue != nil {
		allow = append(allow, Permission{[]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, []*string{p.Queue.QueueArn()}})
	}
	for _, a := range allow {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(a.Actions...), Resources: &a.Resources}))
	}

	environment := maps.Clone(p.Environment)
	environment["LOG_LEVEL"] = jsii.String("INFO")
	f := &Function{Role: role}
	f.Function = awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		Description: &p.Description, Code: s.settings.Code(s.Stack, p.Handler), Role: role, LogGroup: logs, Environment: &environment,
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"),
		Architecture: awslambda.Architecture_Custom(&s.settings.Architecture, nil), // by name: it may be a template's parameter
		MemorySize:   or(p.MemoryMB, 128), Timeout: awscdk.Duration_Seconds(s.settings.FunctionTimeout),
	})
	if p.Queue != nil {
		awslambda.NewEventSourceMapping(scope, jsii.String("Mapping"), &awslambda.EventSourceMappingProps{
			Target: f.Function, EventSourceArn: p.Queue.QueueArn(), BatchSize: or(p.BatchSize, 10), MaxConcurrency: or(p.MaximumConcurrency, 5),
			ReportBatchItemFailures: jsii.Bool(true),
		})
	}

	s.alarm(scope, "ErrorsAlarm", alarm{
		says: id + " crashed or ran out of time: see its log.", metric: f.MetricErrors(each("Sum")), threshold: 1, minutes: 1,
	})
	s.alarm(scope, "ThrottlesAlarm", alarm{
		says: id + " is throttled: the account's concurrency is used up.", metric: f.MetricThrottles(each("Sum")), threshold: 1, minutes: 3,
	})
	own := []awscloudwatch.IMetric{f.MetricInvocations(over("Sum", "invocations"))}
	if p.Pattern != "" {
		for _, name := range []string{"Processed", "Failed"} {
			own = append(own, awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
				Namespace: jsii.String("Brokerdojo"), MetricName: &name, DimensionsMap: &map[string]*string{"pattern": &p.Pattern},
				Statistic: jsii.String("Sum"), Period: awscdk.Duration_Minutes(jsii.Number(1)),
			}))
		}
	}
	s.row(
		graph(id+": invocations and messages", 8, own...),
		graph(id+": errors and throttles", 8, f.MetricErrors(over("Sum", "errors")), f.MetricThrottles(over("Sum", "throttles"))),
		graph(id+": duration", 8, f.MetricDuration(over("p50", "p50, ms")), f.MetricDuration(over("p99", "p99, ms"))),
	)
	return f
}

// OnFailure keeps events of asynchronous invocations that failed in a queue. They are not tried again.
func (f *Function) OnFailure(queueARN *string) {
	f.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings("sqs:SendMessage"), Resources: &[]*string{queueARN}}))
	awslambda.NewCfnEventInvokeConfig(f.Function, jsii.String("OnFailure"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName: f.FunctionName(), Qualifier: jsii.String("$LATEST"), MaximumRetryAttempts: jsii.Number(0),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: queueARN},
		},
	})
}

func or(v, fallback float64) *float64 {
	if v == 0 {
		v = fallback
	}
	return &v
}
