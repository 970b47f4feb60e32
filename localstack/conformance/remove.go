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
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
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
	remove := map[string]func(context.Context) error{"TestCloudFormation": c.removeStacks, "TestCloudWatch": c.removeCloudWatch, "TestLogs": c.removeLogs, "TestS3": c.removeBuckets, "TestIAM": c.removeIAM, "TestSSM": c.removeParameters}
	for prefix, f := range remove { // an endpoint need not have the services that a rule is not about
		if strings.HasPrefix(c.t.Name(), prefix) {
			if err := f(ctx); err != nil {
				return err
			}
		}
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

func (c *Cloud) removeBuckets(ctx context.Context) error {
	buckets, err := c.S3().ListBuckets(ctx, &s3.ListBucketsInput{Prefix: &c.prefix})
	if err != nil {
		return err
	}
	for _, b := range buckets.Buckets {
		for versions := s3.NewListObjectVersionsPaginator(c.S3(), &s3.ListObjectVersionsInput{Bucket: b.Name}); versions.HasMorePages(); {
			page, err := versions.NextPage(ctx)
			if err != nil {
				return err
			}
			var objects []s3types.ObjectIdentifier
			for _, v := range page.Versions {
				objects = append(objects, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
			}
			for _, m := range page.DeleteMarkers {
				objects = append(objects, s3types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
			}
			if len(objects) > 0 {
				if _, err := c.S3().DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: b.Name, Delete: &s3types.Delete{Objects: objects}}); err != nil {
					return err
				}
			}
		}
		if _, err := c.S3().DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b.Name}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) removeStacks(ctx context.Context) error {
	client := cloudformation.NewFromConfig(c.AWS())
	stacks := cloudformation.NewDescribeStacksPaginator(client, &cloudformation.DescribeStacksInput{})
	for stacks.HasMorePages() {
		page, err := stacks.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, s := range page.Stacks {
			if strings.HasPrefix(aws.ToString(s.StackName), c.prefix) {
				if _, err := client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: s.StackName}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// removeCloudWatch removes alarms and dashboards. Metrics cannot be removed; they go by themselves.
func (c *Cloud) removeCloudWatch(ctx context.Context) error {
	client := cloudwatch.NewFromConfig(c.AWS())
	for _, kind := range []types.AlarmType{types.AlarmTypeCompositeAlarm, types.AlarmTypeMetricAlarm} {
		alarms, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: &c.prefix, AlarmTypes: []types.AlarmType{kind}, MaxRecords: aws.Int32(100)})
		if err != nil {
			return err
		}
		var names []string
		for _, a := range alarms.MetricAlarms {
			names = append(names, *a.AlarmName)
		}
		for _, a := range alarms.CompositeAlarms { // no two at a time, and those that others depend on last
			names = append([]string{*a.AlarmName}, names...)
		}
		for _, name := range names {
			if _, err := client.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}}); err != nil {
				return err
			}
		}
	}
	boards, err := client.ListDashboards(ctx, &cloudwatch.ListDashboardsInput{DashboardNamePrefix: &c.prefix})
	if err != nil {
		return err
	}
	for _, b := range boards.DashboardEntries {
		if _, err := client.DeleteDashboards(ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{*b.DashboardName}}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) removeLogs(ctx context.Context) error {
	client := cloudwatchlogs.NewFromConfig(c.AWS())
	for groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(client, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &c.prefix}); groups.HasMorePages(); {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.LogGroups {
			if _, err := client.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: g.LogGroupName}); err != nil {
				return err
			}
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
