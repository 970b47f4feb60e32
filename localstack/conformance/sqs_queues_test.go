package conformance_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestSQSQueues(t *testing.T) {
	sqsRule(t, 0, "creating a queue again with equal attributes gives the same queue", "API Reference: CreateQueue", func(t *testing.T, s sqsCloud) {
		name := s.Name("q")
		first := s.createNamed(name, "VisibilityTimeout", "40")
		for _, attributes := range [][]string{{"VisibilityTimeout", "40"}, {"DelaySeconds", "0"}, nil} {
			if again := s.createNamed(name, attributes...); again != first {
				t.Errorf("with %q: %s, want %s", attributes, again, first)
			}
		}
	})
	sqsRule(t, 0, "creating a queue again with another value is refused", "API Reference: CreateQueue, QueueNameExists", func(t *testing.T, s sqsCloud) {
		name := s.Name("q")
		s.createNamed(name)
		_, err := s.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"DelaySeconds": "1"}})
		wantError[*types.QueueNameExists](t, err)
	})
	sqsRule(t, 0, "names have up to 80 letters, digits, hyphens and underscores, and FIFO names end with .fifo", "API Reference: CreateQueue", func(t *testing.T, s sqsCloud) {
		fifo := map[string]string{"FifoQueue": "true"}
		for _, test := range []struct {
			name       string
			attributes map[string]string
		}{
			{strings.Repeat("x", 81), nil}, {"a.b", nil}, {"a b", nil}, {"queue.fifo", nil}, {"queue", fifo}, {strings.Repeat("x", 76) + ".fifo", fifo},
		} {
			_, err := s.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &test.name, Attributes: test.attributes})
			wantCode(t, err, "InvalidParameterValue")
		}
	})
	sqsRule(t, 2*time.Minute, "a deleted queue's name is free again after 60 seconds", "API Reference: DeleteQueue, QueueDeletedRecently", func(t *testing.T, s sqsCloud) {
		name := s.Name("q")
		url := s.createNamed(name)
		s.send(url, "gone")
		_, err := s.DeleteQueue(s.ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
		s.ok(err)
		_, err = s.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &name})
		wantError[*types.QueueDeletedRecently](t, err)
		s.Sleep(60 * time.Second)
		s.createNamed(name)
		s.wantNothing(url)
	})
	sqsRule(t, 0, "a queue that is not there is a typed error of every call", "API Reference: QueueDoesNotExist", func(t *testing.T, s sqsCloud) {
		url := s.create() + "x"
		_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")})
		wantError[*types.QueueDoesNotExist](t, err)
		_, err = s.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
		wantError[*types.QueueDoesNotExist](t, err)
		_, err = s.GetQueueUrl(s.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(s.Name("none"))})
		wantError[*types.QueueDoesNotExist](t, err)
	})
	sqsRule(t, 0, "a queue's URL is found by its name", "API Reference: GetQueueUrl", func(t *testing.T, s sqsCloud) {
		name := s.Name("q")
		url := s.createNamed(name)
		out, err := s.GetQueueUrl(s.ctx, &sqs.GetQueueUrlInput{QueueName: &name})
		s.ok(err)
		if *out.QueueUrl != url {
			t.Errorf("%s, want %s", *out.QueueUrl, url)
		}
	})
	sqsRule(t, 0, "queues are listed by prefix, in pages only where asked", "API Reference: ListQueues", func(t *testing.T, s sqsCloud) {
		prefix := s.Name("list")
		var want []string
		for i := range 5 {
			want = append(want, s.createNamed(fmt.Sprint(prefix, "-", i)))
		}
		s.create()
		all, err := s.ListQueues(s.ctx, &sqs.ListQueuesInput{QueueNamePrefix: &prefix})
		s.ok(err)
		if !slices.Equal(all.QueueUrls, want) || all.NextToken != nil {
			t.Errorf("%q and token %v, want %q and none", all.QueueUrls, all.NextToken, want)
		}
		var paged []string
		sizes := ""
		for p := sqs.NewListQueuesPaginator(s.Client, &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(2)}); p.HasMorePages(); {
			page, err := p.NextPage(s.ctx)
			s.ok(err)
			paged = append(paged, page.QueueUrls...)
			sizes += fmt.Sprint(len(page.QueueUrls))
		}
		if !slices.Equal(paged, want) || sizes != "221" {
			t.Errorf("pages of %s: %q", sizes, paged)
		}
		_, err = s.ListQueues(s.ctx, &sqs.ListQueuesInput{MaxResults: aws.Int32(1001)})
		wantCode(t, err, "InvalidParameterValue")
	})
	sqsRule(t, 2*time.Minute, "a queue is purged of all messages, once in 60 seconds", "API Reference: PurgeQueue, PurgeQueueInProgress", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "in flight", "waiting")
		held := s.one(url)
		_, err := s.PurgeQueue(s.ctx, &sqs.PurgeQueueInput{QueueUrl: &url})
		s.ok(err)
		_, err = s.PurgeQueue(s.ctx, &sqs.PurgeQueueInput{QueueUrl: &url})
		wantError[*types.PurgeQueueInProgress](t, err)
		s.Sleep(60 * time.Second)
		s.wantNothing(url)
		s.ok(s.delete(url, held))
		_, err = s.PurgeQueue(s.ctx, &sqs.PurgeQueueInput{QueueUrl: &url})
		s.ok(err)
	})
	sqsRule(t, 0, "tags are kept, overwritten by key and removed", "API Reference: TagQueue, UntagQueue, ListQueueTags", func(t *testing.T, s sqsCloud) {
		name := s.Name("q")
		out, err := s.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &name, Tags: map[string]string{"team": "a", "cost": "1"}})
		s.ok(err)
		url := out.QueueUrl
		_, err = s.TagQueue(s.ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"team": "b", "Team": "c", "empty": ""}})
		s.ok(err)
		_, err = s.UntagQueue(s.ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"cost", "never"}})
		s.ok(err)
		tags, err := s.ListQueueTags(s.ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
		s.ok(err)
		if got := fmt.Sprint(tags.Tags); got != "map[Team:c empty: team:b]" {
			t.Error(got)
		}
	})
	sqsRule(t, 0, "a permission becomes a statement of the queue's policy, and goes by its label", "API Reference: AddPermission, RemovePermission; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create()
		arn := s.arn(url)
		account := strings.Split(arn, ":")[4]
		add := func(label string, actions ...string) error {
			_, err := s.AddPermission(s.ctx, &sqs.AddPermissionInput{QueueUrl: &url, Label: &label, AWSAccountIds: []string{account}, Actions: actions})
			return err
		}
		s.ok(add("receivers", "ReceiveMessage", "DeleteMessage"))
		var policy struct{ Statement []map[string]any }
		s.ok(json.Unmarshal([]byte(s.attribute(url, "Policy")), &policy))
		want := fmt.Sprintf("map[Action:[SQS:ReceiveMessage SQS:DeleteMessage] Effect:Allow Principal:map[AWS:arn:aws:iam::%s:root] Resource:%s Sid:receivers]", account, arn)
		if len(policy.Statement) != 1 || fmt.Sprint(policy.Statement[0]) != want {
			t.Errorf("%v, want %s", policy.Statement, want)
		}
		wantCode(t, add("receivers", "SendMessage"), "InvalidParameterValue")
		wantError[*types.OverLimit](t, add("many", slices.Repeat([]string{"SendMessage"}, 8)...))
		remove := func(label string) error {
			_, err := s.RemovePermission(s.ctx, &sqs.RemovePermissionInput{QueueUrl: &url, Label: &label})
			return err
		}
		s.ok(remove("receivers"))
		wantCode(t, remove("receivers"), "InvalidParameterValue")
		if p := s.attribute(url, "Policy"); p != "" {
			t.Errorf("policy %s is left", p)
		}
	})
}

func TestSQSAttributes(t *testing.T) {
	sqsRule(t, 0, "a queue has these attributes when nothing is said", "API Reference: CreateQueue, GetQueueAttributes", func(t *testing.T, s sqsCloud) {
		common := map[string]string{
			"VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600", "MaximumMessageSize": "1048576",
			"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true",
			"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
		}
		fifo := map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
		for _, url := range []string{s.create(), s.createFIFO()} {
			out, err := s.GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
			s.ok(err)
			for name, want := range common {
				if got := out.Attributes[name]; got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
			for name, want := range fifo {
				if got, ok := out.Attributes[name]; ok != strings.HasSuffix(url, ".fifo") || ok && got != want {
					t.Errorf("%s of %s is %q, present %t", name, url, got, ok)
				}
			}
			for _, absent := range []string{"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"} {
				if got, ok := out.Attributes[absent]; ok {
					t.Errorf("%s is %s", absent, got)
				}
			}
		}
	})
	sqsRule(t, 0, "without names no attributes are returned", "API Reference: GetQueueAttributes", func(t *testing.T, s sqsCloud) {
		out, err := s.GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(s.create())})
		s.ok(err)
		if len(out.Attributes) != 0 {
			t.Error(out.Attributes)
		}
	})
	sqsRule(t, 0, "values out of range are refused, at the limits they are taken", "API Reference: SetQueueAttributes", func(t *testing.T, s sqsCloud) {
		url := s.create()
		for name, r := range map[string][4]string{ // least, most, and beyond them
			"VisibilityTimeout":             {"0", "43200", "-1", "43201"},
			"DelaySeconds":                  {"0", "900", "-1", "901"},
			"MessageRetentionPeriod":        {"60", "1209600", "59", "1209601"},
			"MaximumMessageSize":            {"1024", "1048576", "1023", "1048577"},
			"ReceiveMessageWaitTimeSeconds": {"0", "20", "-1", "21"},
			"KmsDataKeyReusePeriodSeconds":  {"60", "86400", "59", "86401"},
			"SqsManagedSseEnabled":          {"true", "false", "yes", "1"},
		} {
			for i, v := range r {
				_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{name: v}})
				if i < 2 {
					s.ok(err)
				} else {
					wantError[*types.InvalidAttributeValue](t, err)
				}
			}
		}
	})
	sqsRule(t, 0, "an attribute that the queue cannot have is refused", "API Reference: InvalidAttributeName; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.create()
		for _, name := range []string{"Nonsense", "QueueArn", "ApproximateNumberOfMessages", "FifoQueue", "ContentBasedDeduplication"} {
			_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{name: "true"}})
			wantError[*types.InvalidAttributeName](t, err)
		}
		_, err := s.GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"Nonsense"}})
		wantError[*types.InvalidAttributeName](t, err)
	})
	sqsRule(t, 0, "a queue keeps its type for ever", "API Reference: CreateQueue, FifoQueue; recorded 2023", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"FifoQueue": "false"}})
		wantError[*types.InvalidAttributeValue](t, err)
	})
	sqsRule(t, 0, "throughput is per message group only where deduplication is", "API Reference: SetQueueAttributes, FifoThroughputLimit", func(t *testing.T, s sqsCloud) {
		url := s.createFIFO()
		_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"FifoThroughputLimit": "perMessageGroupId"}})
		wantError[*types.InvalidAttributeValue](t, err)
		s.set(url, "FifoThroughputLimit", "perMessageGroupId", "DeduplicationScope", "messageGroup")
		if got := s.attribute(url, "FifoThroughputLimit"); got != "perMessageGroupId" {
			t.Error(got)
		}
	})
	sqsRule(t, 0, "a queue is encrypted in one way at a time", "Developer Guide: Server-side encryption; recorded 2022", func(t *testing.T, s sqsCloud) {
		url := s.create("KmsMasterKeyId", "alias/aws/sqs")
		if got := s.attribute(url, "SqsManagedSseEnabled"); got != "false" {
			t.Errorf("SqsManagedSseEnabled is %s beside a KMS key", got)
		}
		if got := s.attribute(url, "KmsDataKeyReusePeriodSeconds"); got != "300" {
			t.Errorf("KmsDataKeyReusePeriodSeconds is %s", got)
		}
		_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"SqsManagedSseEnabled": "true"}})
		wantError[*types.InvalidAttributeName](t, err)
	})
	sqsRule(t, 0, "a policy is kept as it is given, and taken away by an empty one", "API Reference: SetQueueAttributes, Policy", func(t *testing.T, s sqsCloud) {
		url := s.create()
		policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":%q}]}`, s.arn(url))
		s.set(url, "Policy", policy)
		if got := s.attribute(url, "Policy"); got != policy {
			t.Error(got)
		}
		_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": "{"}})
		wantError[*types.InvalidAttributeValue](t, err)
		s.set(url, "Policy", "")
		if got := s.attribute(url, "Policy"); got != "" {
			t.Error(got)
		}
	})
	sqsRule(t, time.Minute, "a message is counted as visible, in flight or delayed", "API Reference: GetQueueAttributes", func(t *testing.T, s sqsCloud) {
		url := s.create()
		s.send(url, "a", "b", "c")
		_, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("later"), DelaySeconds: 900})
		s.ok(err)
		s.one(url, visibility(600))
		s.Eventually("counts of 2 visible, 1 in flight, 1 delayed", time.Minute, func() bool {
			return s.attribute(url, "ApproximateNumberOfMessages") == "2" &&
				s.attribute(url, "ApproximateNumberOfMessagesNotVisible") == "1" &&
				s.attribute(url, "ApproximateNumberOfMessagesDelayed") == "1"
		})
	})
}
