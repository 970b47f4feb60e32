package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// removeAll removes from a shared endpoint what stands under the names of this rule.
func (c *Cloud) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the rule's own context has ended
	defer cancel()
	remove := map[string]func(context.Context) error{"aws": c.removeAWS, "redis": c.removeRedis, "kafka": c.removeKafka, "rabbitmq": c.removeRabbitMQ}
	if err := remove[c.service](ctx); err != nil {
		c.t.Errorf("remove what is named %s*: %v", c.prefix, err)
	}
}

func (c *Cloud) removeRabbitMQ(ctx context.Context) error {
	if os.Getenv(settingManagement) == "" {
		return errors.New("only the management API lists what there is: set " + settingManagement)
	}
	for _, kind := range []string{"queues", "exchanges", "policies", "users"} {
		path := "/api/" + kind + "/%2F"
		if kind == "users" {
			path = "/api/users"
		}
		_, answer, err := c.rabbitMQAPI(ctx, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		list, _ := answer.([]any)
		for _, e := range list {
			object, _ := e.(map[string]any)
			name, _ := object["name"].(string)
			if !strings.HasPrefix(name, c.prefix) {
				continue
			}
			if _, _, err := c.rabbitMQAPI(ctx, http.MethodDelete, path+"/"+url.PathEscape(name), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cloud) removeAWS(ctx context.Context) error {
	if err := errors.Join(c.removeIAM(ctx), c.removeParameters(ctx)); err != nil {
		return err
	}
	topics := sns.NewListTopicsPaginator(c.SNS(), &sns.ListTopicsInput{})
	for topics.HasMorePages() {
		page, err := topics.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, topic := range page.Topics {
			if strings.Contains(aws.ToString(topic.TopicArn), ":"+c.prefix) {
				if _, err := c.SNS().DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: topic.TopicArn}); err != nil {
					return err
				}
			}
		}
	}
	queues, err := c.SQS().ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: &c.prefix})
	if err != nil {
		return err
	}
	for _, url := range queues.QueueUrls {
		if _, err := c.SQS().DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) removeRedis(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: c.endpoint})
	defer client.Close()
	keys := client.Scan(ctx, 0, c.prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := client.Unlink(ctx, keys.Val()).Err(); err != nil {
			return err
		}
	}
	return keys.Err()
}

func (c *Cloud) removeKafka(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.endpoint, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		return err
	}
	ours := func(names []string) (found []string) {
		for _, name := range names {
			if strings.HasPrefix(name, c.prefix) {
				found = append(found, name)
			}
		}
		return found
	}
	if names := ours(topics.Names()); len(names) > 0 {
		if _, err := admin.DeleteTopics(ctx, names...); err != nil {
			return err
		}
	}
	if names := ours(groups.Groups()); len(names) > 0 {
		if _, err := admin.DeleteGroups(ctx, names...); err != nil {
			return err
		}
	}
	return nil
}

// removeParameters removes the parameters of Parameter Store; their names may begin with a slash.
func (c *Cloud) removeParameters(ctx context.Context) error {
	client := ssm.NewFromConfig(c.AWS())
	var names []string
	for p := ssm.NewDescribeParametersPaginator(client, &ssm.DescribeParametersInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, found := range page.Parameters {
			if strings.HasPrefix(strings.TrimPrefix(aws.ToString(found.Name), "/"), c.prefix) {
				names = append(names, *found.Name)
			}
		}
	}
	for some := range slices.Chunk(names, 10) {
		if _, err := client.DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: some}); err != nil {
			return err
		}
	}
	return nil
}

// removeIAM removes users, roles, groups and policies, with what holds them.
func (c *Cloud) removeIAM(ctx context.Context) error {
	client := iam.NewFromConfig(c.AWS())
	ours := func(name *string) bool {
		return strings.HasPrefix(strings.ToLower(aws.ToString(name)), c.prefix)
	}
	users, err := client.ListUsers(ctx, &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
	if err != nil {
		return err
	}
	var errs []error
	done := func(_ any, err error) { errs = append(errs, err) }
	for _, u := range users.Users {
		if !ours(u.UserName) {
			continue
		}
		keys, err := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: u.UserName})
		if err != nil {
			return err
		}
		for _, k := range keys.AccessKeyMetadata {
			done(client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: u.UserName, AccessKeyId: k.AccessKeyId}))
		}
		inline, err := client.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: u.UserName})
		if err != nil {
			return err
		}
		for _, name := range inline.PolicyNames {
			done(client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: u.UserName, PolicyName: &name}))
		}
		attached, err := client.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: u.UserName})
		if err != nil {
			return err
		}
		for _, p := range attached.AttachedPolicies {
			done(client.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: u.UserName, PolicyArn: p.PolicyArn}))
		}
		groups, err := client.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: u.UserName})
		if err != nil {
			return err
		}
		for _, g := range groups.Groups {
			done(client.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: g.GroupName, UserName: u.UserName}))
		}
		done(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: u.UserName}))
	}
	for p := iam.NewListRolesPaginator(client, &iam.ListRolesInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Roles {
			if !ours(r.RoleName) {
				continue
			}
			inline, err := client.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: r.RoleName})
			if err != nil {
				return err
			}
			for _, name := range inline.PolicyNames {
				done(client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: r.RoleName, PolicyName: &name}))
			}
			attached, err := client.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: r.RoleName})
			if err != nil {
				return err
			}
			for _, p := range attached.AttachedPolicies {
				done(client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: r.RoleName, PolicyArn: p.PolicyArn}))
			}
			done(client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: r.RoleName}))
		}
	}
	groups, err := client.ListGroups(ctx, &iam.ListGroupsInput{MaxItems: aws.Int32(1000)})
	if err != nil {
		return err
	}
	for _, g := range groups.Groups {
		if !ours(g.GroupName) {
			continue
		}
		attached, err := client.ListAttachedGroupPolicies(ctx, &iam.ListAttachedGroupPoliciesInput{GroupName: g.GroupName})
		if err != nil {
			return err
		}
		for _, p := range attached.AttachedPolicies {
			done(client.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: g.GroupName, PolicyArn: p.PolicyArn}))
		}
		done(client.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: g.GroupName}))
	}
	for p := iam.NewListPoliciesPaginator(client, &iam.ListPoliciesInput{Scope: iamtypes.PolicyScopeTypeLocal}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, policy := range page.Policies {
			if !ours(policy.PolicyName) {
				continue
			}
			versions, err := client.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: policy.Arn})
			if err != nil {
				return err
			}
			for _, v := range versions.Versions {
				if !v.IsDefaultVersion {
					done(client.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: policy.Arn, VersionId: v.VersionId}))
				}
			}
			done(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: policy.Arn}))
		}
	}
	return errors.Join(errs...)
}
