// Package messaging has the constructs that the patterns' stacks are made of: queues with their dead letter queues, topics whose
// subscriptions filter, and functions that work a queue. Each comes with what it takes to be run: encryption, refusal of plain HTTP,
// the least permissions, alarms, a place on the stack's dashboard. What is not set has the default that its field documents.
package messaging

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// A Stack is a stack with a dashboard, and with a way to tell of alarms.
type Stack struct {
	Stack    awscdk.Stack // not embedded: jsii would take the wrapper for an object of its own
	settings Settings
	action   awscloudwatch.IAlarmAction // nil where nobody is told
	board    [][]awscloudwatch.IWidget
}

// NewStack makes a stack; Dashboard completes it.
func NewStack(scope constructs.Construct, id string, settings Settings, props awscdk.StackProps) *Stack {
	props.TerminationProtection = jsii.Bool(settings.Prod)
	s := &Stack{Stack: awscdk.NewStack(scope, &id, &props), settings: settings}
	if settings.Parameters != nil {
		settings.Parameters(s.Stack, &s.settings)
	}
	if settings.AlarmEmail != "" {
		s.action = awscloudwatchactions.NewSnsAction(s.alarmTopic())
	}
	return s
}

// alarmTopic makes an encrypted topic that alarms can publish to. That takes a key of its own, for $1 a month: the policy of the free
// key alias/aws/sns lets no other service in.
// Source: SNS Developer Guide, "Managing Amazon SNS encryption keys and costs", compatibility with event sources (2026-12-01).
func (s *Stack) alarmTopic() awssns.Topic {
	scope := constructs.NewConstruct(s.Stack, jsii.String("Alarms"))
	fromAlarms := map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": s.Stack.Account()},
		"ArnLike": map[string]any{"aws:SourceArn": s.Stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String("*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
		})},
	}
	cloudwatch := &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)}

	key := awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description: jsii.String("Encrypts the alarms of " + *s.Stack.StackName()), EnableKeyRotation: jsii.Bool(true),
		PendingWindow: awscdk.Duration_Days(jsii.Number(7)), RemovalPolicy: s.removal(),
	})
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: cloudwatch, Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: jsii.Strings("*"), Conditions: &fromAlarms,
	}), nil) // the resource of a key's policy is that key

	topic := awssns.NewTopic(scope, jsii.String("Topic"), &awssns.TopicProps{MasterKey: key, EnforceSSL: jsii.Bool(true)})
	topic.ApplyRemovalPolicy(s.removal())
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: cloudwatch, Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{topic.TopicArn()}, Conditions: &fromAlarms,
	}))
	topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&s.settings.AlarmEmail, nil))
	return topic
}

// An alarm that is not described otherwise looks at minutes, and takes missing data for good news: an idle queue reports nothing.
type alarm struct {
	says      string
	metric    awscloudwatch.Metric
	threshold float64 // the alarm is raised at it
	minutes   float64 // in a row
}

func (s *Stack) alarm(scope constructs.Construct, id string, a alarm) {
	made := awscloudwatch.NewAlarm(scope, &id, &awscloudwatch.AlarmProps{
		AlarmDescription: &a.says, Metric: a.metric, Threshold: &a.threshold, EvaluationPeriods: &a.minutes,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD, TreatMissingData: awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	if s.action != nil {
		made.AddAlarmAction(s.action)
		made.AddOkAction(s.action)
	}
}

// over is the statistic of a metric by the minute, and by what name a graph shows it.
func over(statistic, label string) *awscloudwatch.MetricOptions {
	o := each(statistic)
	o.Label = &label
	return o
}

// each is the statistic of a metric by the minute, for an alarm.
func each(statistic string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: &statistic, Period: awscdk.Duration_Minutes(jsii.Number(1))}
}

// row adds a row to the dashboard.
func (s *Stack) row(widgets ...awscloudwatch.IWidget) { s.board = append(s.board, widgets) }

func graph(title string, width float64, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{Title: &title, Width: &width, Left: &metrics})
}

// Dashboard makes the stack's dashboard of what its constructs have to show.
func (s *Stack) Dashboard() {
	awscloudwatch.NewDashboard(s.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{DashboardName: s.Stack.StackName(), Widgets: toLists(s.board)})
}

func toLists(rows [][]awscloudwatch.IWidget) *[]*[]awscloudwatch.IWidget {
	lists := make([]*[]awscloudwatch.IWidget, len(rows))
	for i := range rows {
		lists[i] = &rows[i]
	}
	return &lists
}

// Output makes an output of the stack.
func (s *Stack) Output(name, description string, value *string) {
	awscdk.NewCfnOutput(s.Stack, &name, &awscdk.CfnOutputProps{Value: value, Description: &description})
}

// lastResort tells cdk-nag that a queue needs no dead letter queue.
func lastResort(queue awssqs.Queue, reason string) {
	cdknag.NagSuppressions_AddResourceSuppressions(queue, &[]*cdknag.NagPackSuppression{{Id: jsii.String("AwsSolutions-SQS3"), Reason: &reason}}, nil)
}

func (s *Stack) removal() awscdk.RemovalPolicy {
	if s.settings.Prod {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}

func (s *Stack) logRetention() awslogs.RetentionDays {
	if s.settings.Prod {
		return awslogs.RetentionDays_THREE_MONTHS
	}
	return awslogs.RetentionDays_ONE_WEEK
}
