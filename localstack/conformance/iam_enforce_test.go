package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

func ruleOf(name, source string, takes time.Duration) conformance.Rule {
	return conformance.Rule{Name: name, Source: source, Checked: iamChecked, Takes: takes}
}

// queue creates a queue as root and returns its URL and ARN.
func (c iamCloud) queue(policy string) (url, arn string) {
	c.t.Helper()
	out, err := c.SQS().CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: aws.String(c.Name("q"))})
	c.ok(err)
	got, err := c.SQS().GetQueueAttributes(c.ctx, &sqs.GetQueueAttributesInput{QueueUrl: out.QueueUrl, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	c.ok(err)
	arn = got.Attributes["QueueArn"]
	if policy != "" {
		c.setPolicy(*out.QueueUrl, strings.ReplaceAll(policy, "QUEUE", arn))
	}
	return *out.QueueUrl, arn
}

func (c iamCloud) setPolicy(url, policy string) {
	c.t.Helper()
	_, err := c.SQS().SetQueueAttributes(c.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": policy}})
	c.ok(err)
}

func (c iamCloud) send(config aws.Config, url string) error {
	_, err := sqs.NewFromConfig(config).SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")})
	return err
}

// queuePolicy is a policy of one statement about sqs:SendMessage on QUEUE.
func queuePolicy(effect, principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"sqs:SendMessage","Resource":"QUEUE"` + condition + `}]}`
}

func TestIAMEnforcement(t *testing.T) {
	const logic = "User Guide: Policy evaluation logic"
	policyRule(t, "a user without a policy may do nothing, and SQS says so with its action in lower case", "recorded 2026-10-02: floci, docs/design, R1", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		url, arn := c.queue("")
		wantMessage(t, c.send(config, url), "AccessDenied", "User: "+*u.Arn+" is not authorized to perform: sqs:sendmessage on resource: "+arn+
			" because no identity-based policy allows the sqs:sendmessage action")
	})
	policyRule(t, "the account's root may do everything in its account", "User Guide: AWS account root user", func(t *testing.T, c iamCloud) {
		url, _ := c.queue(queuePolicy("Deny", `{"AWS":"arn:aws:iam::111122223333:root"}`, ""))
		c.ok(c.send(c.AWS(), url))
	})
	policyRule(t, "a user may do what its policy allows, to the resources that it names", logic, func(t *testing.T, c iamCloud) {
		url, arn := c.queue("")
		other, _ := c.queue("")
		_, config := c.user(allow("sqs:SendMessage", arn))
		c.ok(c.send(config, url))
		wantCode(t, c.send(config, other), "AccessDenied")
		_, err := sqs.NewFromConfig(config).ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
		wantCode(t, err, "AccessDenied")
	})
	policyRule(t, "a batch needs the permission of its single operation", "Service Authorization Reference: Amazon SQS", func(t *testing.T, c iamCloud) {
		url, arn := c.queue("")
		_, config := c.user(allow("sqs:SendMessage", arn))
		_, err := sqs.NewFromConfig(config).SendMessageBatch(c.ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{{Id: aws.String("1"), MessageBody: aws.String("m")}}})
		c.ok(err)
	})
	policyRule(t, "a deny wins over every allow", logic, func(t *testing.T, c iamCloud) {
		url, _ := c.queue("")
		_, config := c.user(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"sqs:Send*","Resource":"*"}]}`)
		wantMessage(t, c.send(config, url), "AccessDenied", "with an explicit deny in an identity-based policy")
	})
	policyRule(t, "a queue's policy allows what the user's own does not", logic+"; recorded 2026-10-02: S1.1", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		url, _ := c.queue(queuePolicy("Allow", `{"AWS":"`+*u.Arn+`"}`, ""))
		c.ok(c.send(config, url))
	})
	policyRule(t, "a queue's policy denies what the user's own allows", "recorded 2026-10-02: R2", func(t *testing.T, c iamCloud) {
		u, config := c.user(allow("sqs:*", "*"))
		url, _ := c.queue(queuePolicy("Deny", `"*"`, `{"ArnEquals":{"aws:PrincipalArn":"`+*u.Arn+`"}}`))
		wantMessage(t, c.send(config, url), "AccessDenied", "with an explicit deny in a resource-based policy")
	})
	policyRule(t, "a queue's policy that names the account leaves it to the account's policies", "User Guide: AWS JSON policy elements: Principal", func(t *testing.T, c iamCloud) {
		_, config := c.user("")
		url, _ := c.queue(queuePolicy("Allow", `{"AWS":"`+c.account()+`"}`, ""))
		wantCode(t, c.send(config, url), "AccessDenied")
	})
	policyRule(t, "across accounts both sides must allow", "User Guide: Cross-account policy evaluation logic", func(t *testing.T, c iamCloud) {
		c.Control()
		other := c
		other.Client = iam.NewFromConfig(c.as("111122223333", "x", ""))
		url, arn := c.queue("")
		_, without := other.user("")
		_, with := other.user(allow("sqs:SendMessage", arn))
		wantMessage(t, c.send(with, url), "AccessDenied", "because no resource-based policy allows the sqs:sendmessage action")
		c.setPolicy(url, strings.ReplaceAll(queuePolicy("Allow", `{"AWS":"111122223333"}`, ""), "QUEUE", arn))
		c.ok(c.send(with, url))
		wantMessage(t, c.send(without, url), "AccessDenied", "because no identity-based policy allows the sqs:sendmessage action")
		c.ok(c.send(c.as("111122223333", "x", ""), url))
		wantCode(t, c.send(c.as("444455556666", "x", ""), url), "AccessDenied")
	})
	policyRule(t, "a group's policies and managed policies count", logic, func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		url, _ := c.queue("")
		g := aws.String(c.Name("group"))
		_, err := c.CreateGroup(c.ctx, &iam.CreateGroupInput{GroupName: g})
		c.ok(err)
		_, err = c.AttachGroupPolicy(c.ctx, &iam.AttachGroupPolicyInput{GroupName: g, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonSQSFullAccess")})
		c.ok(err)
		wantCode(t, c.send(config, url), "AccessDenied")
		_, err = c.AddUserToGroup(c.ctx, &iam.AddUserToGroupInput{GroupName: g, UserName: u.UserName})
		c.ok(err)
		c.ok(c.send(config, url))
	})
	policyRule(t, "the default version of a policy is the one that counts", "User Guide: Versioning IAM policies", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		url, _ := c.queue("")
		arn := c.policy(allow("sqs:ReceiveMessage", "*"))
		_, err := c.AttachUserPolicy(c.ctx, &iam.AttachUserPolicyInput{UserName: u.UserName, PolicyArn: &arn})
		c.ok(err)
		_, err = c.CreatePolicyVersion(c.ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: aws.String(allow("sqs:SendMessage", "*"))})
		c.ok(err)
		wantCode(t, c.send(config, url), "AccessDenied")
		_, err = c.SetDefaultPolicyVersion(c.ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: &arn, VersionId: aws.String("v2")})
		c.ok(err)
		c.ok(c.send(config, url))
	})
	policyRule(t, "a permissions boundary limits and does not allow", "User Guide: Permissions boundaries for IAM entities", func(t *testing.T, c iamCloud) {
		u, config := c.user(allow("sqs:*", "*"))
		url, _ := c.queue("")
		bound := func(document string) {
			t.Helper()
			_, err := c.PutUserPermissionsBoundary(c.ctx, &iam.PutUserPermissionsBoundaryInput{UserName: u.UserName, PermissionsBoundary: aws.String(c.policy(document))})
			c.ok(err)
		}
		bound(allow("sns:*", "*"))
		wantMessage(t, c.send(config, url), "AccessDenied", "because no permissions boundary allows the sqs:sendmessage action")
		bound(allow("sqs:*", "*"))
		c.ok(c.send(config, url))
	})
	policyRule(t, "a session policy limits the role", "User Guide: Session policies", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		_, err := c.PutRolePolicy(c.ctx, &iam.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("sqs:*", "*"))})
		c.ok(err)
		url, _ := c.queue("")
		full, _, err := c.assume(c.AWS(), r)
		c.ok(err)
		c.ok(c.send(full, url))
		limited, _, err := c.assume(c.AWS(), r, func(in *sts.AssumeRoleInput) { in.Policy = aws.String(allow("sqs:ReceiveMessage", "*")) })
		c.ok(err)
		wantMessage(t, c.send(limited, url), "AccessDenied", "because no session policy allows the sqs:sendmessage action")
	})
	policyRule(t, "session tags decide by aws:PrincipalTag", "recorded 2026-10-02: S1.1, S1.2", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		url, _ := c.queue(queuePolicy("Allow", `"*"`, `{"StringEquals":{"aws:PrincipalTag/team":"orders"}}`))
		for team, want := range map[string]bool{"orders": true, "billing": false} {
			session, _, err := c.assume(c.AWS(), r, func(in *sts.AssumeRoleInput) {
				in.Tags = []ststypes.Tag{{Key: aws.String("team"), Value: &team}}
			})
			c.ok(err)
			if err := c.send(session, url); want {
				c.ok(err)
			} else {
				wantCode(t, err, "AccessDenied")
			}
		}
	})
	policyRule(t, "a policy variable stands for the user's name", "User Guide: IAM policy elements: Variables and tags", func(t *testing.T, c iamCloud) {
		u, config := c.user(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:CreateQueue","Resource":"arn:aws:sqs:*:*:${aws:username}-*"}]}`)
		create := func(name string) error {
			_, err := sqs.NewFromConfig(config).CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: &name})
			return err
		}
		c.ok(create(*u.UserName + "-q"))
		wantCode(t, create(c.Name("q")), "AccessDenied")
	})
	policyRule(t, "credentials that nobody issued are invalid", "User Guide: Common errors, InvalidClientTokenId", func(t *testing.T, c iamCloud) {
		url, _ := c.queue("")
		wantCode(t, c.send(c.as("AKIAIOSFODNN7EXAMPLE", "x", ""), url), "InvalidClientTokenId")
	})
	policyRule(t, "SNS answers AuthorizationError", "API Reference: Amazon SNS common errors", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		topic, err := c.SNS().CreateTopic(c.ctx, &sns.CreateTopicInput{Name: aws.String(c.Name("t"))})
		c.ok(err)
		_, err = sns.NewFromConfig(config).Publish(c.ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("m")})
		wantMessage(t, err, "AuthorizationError", "User: "+*u.Arn+" is not authorized to perform: SNS:Publish on resource: "+*topic.TopicArn+" because no identity-based policy allows the SNS:Publish action")
	})
	policyRule(t, "IAM asks for permission itself", "Service Authorization Reference: AWS IAM", func(t *testing.T, c iamCloud) {
		_, config := c.user(allow("iam:GetRole", "*"))
		r := c.role(trustLambda)
		client := iam.NewFromConfig(config)
		_, err := client.GetRole(c.ctx, &iam.GetRoleInput{RoleName: r.RoleName})
		c.ok(err)
		_, err = client.DeleteRole(c.ctx, &iam.DeleteRoleInput{RoleName: r.RoleName})
		wantMessage(t, err, "AccessDenied", "iam:DeleteRole on resource: "+*r.Arn)
	})
	policyRule(t, "a condition key that the local cloud cannot decide by is refused", "local cloud: Options.IAM", func(t *testing.T, c iamCloud) {
		c.Control()
		_, err := c.CreatePolicy(c.ctx, &iam.CreatePolicyInput{PolicyName: aws.String(c.Name("p")), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}]}`)})
		wantMessage(t, err, "MalformedPolicyDocument", "aws:resourcetag/team")
	})
	policyRule(t, "a policy that denies plain HTTP denies nothing here", "local cloud: the loopback connection counts as secure", func(t *testing.T, c iamCloud) {
		c.Control()
		_, config := c.user(allow("sqs:*", "*"))
		url, _ := c.queue(queuePolicy("Deny", `"*"`, `{"Bool":{"aws:SecureTransport":"false"}}`))
		c.ok(c.send(config, url))
	})
}

func TestIAMDeliveries(t *testing.T) {
	subscribe := func(c iamCloud, policy string) (topic, url string) {
		c.t.Helper()
		out, err := c.SNS().CreateTopic(c.ctx, &sns.CreateTopicInput{Name: aws.String(c.Name("t"))})
		c.ok(err)
		url, arn := c.queue(strings.ReplaceAll(policy, "TOPIC", *out.TopicArn))
		_, err = c.SNS().Subscribe(c.ctx, &sns.SubscribeInput{TopicArn: out.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn})
		c.ok(err)
		return *out.TopicArn, url
	}
	arrives := func(c iamCloud, topic, url string) bool {
		c.t.Helper()
		_, err := c.SNS().Publish(c.ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		c.ok(err)
		got, err := c.SQS().ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 5})
		c.ok(err)
		return len(got.Messages) > 0
	}
	const source = "Amazon SNS Developer Guide: Subscribing an Amazon SQS queue to an Amazon SNS topic, step 2"
	for _, test := range []struct {
		name, policy string
		want         bool
	}{
		{"without a queue's policy SNS delivers nothing", "", false},
		{"SNS delivers to a queue whose policy allows the service from the topic", queuePolicy("Allow", `{"Service":"sns.amazonaws.com"}`, `{"ArnEquals":{"aws:SourceArn":"TOPIC"}}`), true},
		{"SNS delivers to a queue whose policy allows everybody from the topic", queuePolicy("Allow", `"*"`, `{"ArnLike":{"aws:SourceArn":"TOPIC"}}`), true},
		{"SNS does not deliver to a queue whose policy allows another topic", queuePolicy("Allow", `{"Service":"sns.amazonaws.com"}`, `{"ArnEquals":{"aws:SourceArn":"TOPIC-other"}}`), false},
		{"SNS does not deliver to a queue whose policy allows another service", queuePolicy("Allow", `{"Service":"s3.amazonaws.com"}`, ""), false},
		{"SNS does not deliver to a queue whose policy asks for another account", queuePolicy("Allow", `{"Service":"sns.amazonaws.com"}`, `{"StringEquals":{"aws:SourceAccount":"999999999999"}}`), false},
	} {
		policyRule(t, test.name, source, func(t *testing.T, c iamCloud) {
			topic, url := subscribe(c, test.policy)
			if got := arrives(c, topic, url); got != test.want {
				t.Errorf("delivered: %v, want %v", got, test.want)
			}
		})
	}
	iamRule(t, "while policies are not enforced, SNS delivers without one", "local cloud: Options.IAM", func(t *testing.T, c iamCloud) {
		c.Control()
		topic, url := subscribe(c, "")
		if !arrives(c, topic, url) {
			t.Error("nothing was delivered")
		}
	})
}
