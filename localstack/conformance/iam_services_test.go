package conformance_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	embedded "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
)

// What services do for each other asks policies too.
func TestIAMServices(t *testing.T) {
	const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	role := func(c iamCloud, policy string) string {
		name := c.Name("role")
		out, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(lambdaTrust)})
		c.ok(err)
		if policy != "" {
			_, err = c.PutRolePolicy(c.ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy})
			c.ok(err)
		}
		return *out.Role.Arn
	}
	policyRule(t, "an event source mapping needs a role that may read the queue", "AWS Lambda Developer Guide: Configuring execution role permissions for an SQS event source", func(t *testing.T, c iamCloud) {
		_, arn := c.queue("")
		functions := lambda.NewFromConfig(c.AWS())
		mapped := func(policy string) error {
			function, err := c.Control().Lambda().Register("000000000000", "us-east-1", c.Name("f"), func(context.Context, []byte) ([]byte, error) { return nil, nil }, embedded.Registration{Role: role(c, policy)})
			c.ok(err)
			_, err = functions.CreateEventSourceMapping(c.ctx, &lambda.CreateEventSourceMappingInput{FunctionName: &function, EventSourceArn: &arn})
			return err
		}
		wantMessage(t, mapped(""), "InvalidParameterValueException", "The provided execution role does not have permissions to call ReceiveMessage on SQS")
		wantMessage(t, mapped(allow("sqs:ReceiveMessage", arn)), "InvalidParameterValueException", "DeleteMessage")
		c.ok(mapped(allow("sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes", arn)))
	})
	policyRule(t, "a topic reaches a function only if its policy lets it in", "Amazon SNS Developer Guide: Fanout to Lambda functions, permissions", func(t *testing.T, c iamCloud) {
		ran := 0
		function, err := c.Control().Lambda().Register("000000000000", "us-east-1", c.Name("f"), func(context.Context, []byte) ([]byte, error) { ran++; return nil, nil }, embedded.Registration{})
		c.ok(err)
		topic, err := c.SNS().CreateTopic(c.ctx, &sns.CreateTopicInput{Name: aws.String(c.Name("t"))})
		c.ok(err)
		_, err = c.SNS().Subscribe(c.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("lambda"), Endpoint: &function})
		c.ok(err)
		publish := func(want int) {
			t.Helper()
			_, err := c.SNS().Publish(c.ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("m")})
			c.ok(err)
			c.Sleep(time.Second)
			synctest.Wait()
			if ran != want {
				t.Errorf("it ran %d times, want %d", ran, want)
			}
		}
		publish(0)
		_, err = lambda.NewFromConfig(c.AWS()).AddPermission(c.ctx, &lambda.AddPermissionInput{FunctionName: &function, StatementId: aws.String("s"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("sns.amazonaws.com"), SourceArn: topic.TopicArn})
		c.ok(err)
		publish(1)
	})
	policyRule(t, "a function's role must be there, trust Lambda, and be the caller's to pass", "IAM User Guide: Granting a user permissions to pass a role to an AWS service", func(t *testing.T, c iamCloud) {
		create := func(config aws.Config, roleARN string) error {
			_, err := lambda.NewFromConfig(config).UpdateFunctionConfiguration(c.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Role: &roleARN})
			return err
		}
		_, err := c.Control().Lambda().Register("000000000000", "us-east-1", "f", func(context.Context, []byte) ([]byte, error) { return nil, nil }, embedded.Registration{})
		c.ok(err)
		good := role(c, "")
		c.ok(create(c.AWS(), good))
		wantMessage(t, create(c.AWS(), good+"x"), "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")
		_, config := c.user(allow("lambda:*", "*"))
		wantMessage(t, create(config, good), "AccessDeniedException", "iam:PassRole")
	})
	policyRule(t, "a permission for one function is none for another", "Service Authorization Reference: AWS Lambda, resource types", func(t *testing.T, c iamCloud) {
		var arns []string
		for range 2 {
			arn, err := c.Control().Lambda().Register("000000000000", "us-east-1", c.Name("f"), func(context.Context, []byte) ([]byte, error) { return []byte("1"), nil }, embedded.Registration{})
			c.ok(err)
			arns = append(arns, arn)
		}
		_, config := c.user(allow("lambda:InvokeFunction", arns[0]))
		invoke := func(arn string) error {
			_, err := lambda.NewFromConfig(config).Invoke(c.ctx, &lambda.InvokeInput{FunctionName: &arn})
			return err
		}
		c.ok(invoke(arns[0]))
		wantMessage(t, invoke(arns[1]), "AccessDeniedException", "lambda:InvokeFunction on resource: "+arns[1])
	})
}
