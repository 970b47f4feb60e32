package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbudgets"
	"github.com/aws/jsii-runtime-go"
)

// budget: a mail when a sandbox account costs more than it should. It is for AWS only, where there is something to pay.
//
// Its parameters have no place in the context: whom to write to is of the account, not of the app.
func budget(app awscdk.App) awscdk.Stack {
	p := props("budget", "Brokerdojo: a mail when the account costs more than it should")
	s := awscdk.NewStack(app, jsii.String("budget"), &p)
	email := awscdk.NewCfnParameter(s, jsii.String("Email"), &awscdk.CfnParameterProps{
		Type: jsii.String("String"), Description: jsii.String("Who gets the mail"), AllowedPattern: jsii.String(".+@.+"),
	})
	limit := awscdk.NewCfnParameter(s, jsii.String("MonthlyLimit"), &awscdk.CfnParameterProps{
		Type: jsii.String("Number"), Description: jsii.String("US dollars a month"), Default: jsii.Number(10), MinValue: jsii.Number(1),
	})
	notify := func(kind string, percent float64) awsbudgets.CfnBudget_NotificationWithSubscribersProperty {
		return awsbudgets.CfnBudget_NotificationWithSubscribersProperty{
			Notification: &awsbudgets.CfnBudget_NotificationProperty{
				NotificationType: &kind, ComparisonOperator: jsii.String("GREATER_THAN"), Threshold: &percent, ThresholdType: jsii.String("PERCENTAGE"),
			},
			Subscribers: []any{awsbudgets.CfnBudget_SubscriberProperty{SubscriptionType: jsii.String("EMAIL"), Address: email.ValueAsString()}},
		}
	}
	awsbudgets.NewCfnBudget(s, jsii.String("Budget"), &awsbudgets.CfnBudgetProps{
		Budget: &awsbudgets.CfnBudget_BudgetDataProperty{
			BudgetType: jsii.String("COST"), TimeUnit: jsii.String("MONTHLY"),
			BudgetLimit: &awsbudgets.CfnBudget_SpendProperty{Amount: limit.ValueAsNumber(), Unit: jsii.String("USD")},
		},
		NotificationsWithSubscribers: []any{notify("ACTUAL", 50), notify("ACTUAL", 100), notify("FORECASTED", 100)},
	})
	return s
}
