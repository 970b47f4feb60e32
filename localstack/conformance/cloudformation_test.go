package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
)

// The rules of CloudFormation. Their sources are the CloudFormation User Guide, API Reference and Template Reference.
const cloudFormationChecked = "2026-12-01"

// stackCloud is a Cloud with the calls that the rules make again and again; a failed call ends the rule.
type stackCloud struct {
	*conformance.Cloud
	*cloudformation.Client
	t   *testing.T
	ctx context.Context
}

func stackRule(t *testing.T, name, source string, f func(t *testing.T, s stackCloud)) {
	t.Helper()
	rule := conformance.Rule{Name: name, Source: source, Checked: cloudFormationChecked, Takes: 30 * time.Second}
	conformance.Run(t, rule, func(t *testing.T, c *conformance.Cloud) {
		f(t, stackCloud{c, cloudformation.NewFromConfig(c.AWS()), t, t.Context()})
	})
}

// object is a part of a template.
type object = map[string]any

func ref(name string) object               { return object{"Ref": name} }
func sub(text string) object               { return object{"Fn::Sub": text} }
func getAtt(name, attribute string) object { return object{"Fn::GetAtt": []string{name, attribute}} }
func queueOf(properties object) object {
	return object{"Type": "AWS::SQS::Queue", "Properties": properties}
}
func resources(m object) object { return object{"Resources": m} }
func with(template object, section string, m object) object {
	template = maps.Clone(template)
	template[section] = m
	return template
}

func (s stackCloud) text(template any) *string {
	s.t.Helper()
	b, err := json.Marshal(template)
	if err != nil {
		s.t.Fatal(err)
	}
	return aws.String(string(b))
}

// begin starts to make a stack and returns its name.
func (s stackCloud) begin(template any, settings ...func(*cloudformation.CreateStackInput)) string {
	s.t.Helper()
	name := s.Name("stack")
	in := &cloudformation.CreateStackInput{StackName: &name, TemplateBody: s.text(template)}
	for _, set := range settings {
		set(in)
	}
	if _, err := s.CreateStack(s.ctx, in); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// end waits until the stack's operation has ended and returns its status.
func (s stackCloud) end(stack string) string {
	s.t.Helper()
	var status string
	s.Eventually("the operation on stack "+stack+" ends", 5*time.Minute, func() bool {
		status = string(s.stack(stack).StackStatus)
		return !strings.HasSuffix(status, "_IN_PROGRESS")
	})
	return status
}

func (s stackCloud) wantStatus(stack, want string) {
	s.t.Helper()
	if got := s.end(stack); got != want {
		s.t.Fatalf("stack %s is %s, want %s; its events, newest first:\n%s", stack, got, want, strings.Join(s.events(stack), "\n"))
	}
}

// events are the stack's, newest first: "Queue CREATE_FAILED why".
func (s stackCloud) events(stack string) (lines []string) {
	s.t.Helper()
	out, err := s.DescribeStackEvents(s.ctx, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range out.StackEvents {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", *e.LogicalResourceId, e.ResourceStatus, aws.ToString(e.ResourceStatusReason))))
	}
	return lines
}

func (s stackCloud) wantEvent(stack, part string) {
	s.t.Helper()
	if events := s.events(stack); !slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, part) }) {
		s.t.Errorf("no event has %q:\n%s", part, strings.Join(events, "\n"))
	}
}

func (s stackCloud) stack(name string) types.Stack {
	s.t.Helper()
	out, err := s.DescribeStacks(s.ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Stacks[0]
}

// make makes a stack and waits until it is there.
func (s stackCloud) make(template any, settings ...func(*cloudformation.CreateStackInput)) string {
	s.t.Helper()
	name := s.begin(template, settings...)
	s.wantStatus(name, "CREATE_COMPLETE")
	return name
}

func (s stackCloud) update(stack string, template any, settings ...func(*cloudformation.UpdateStackInput)) error {
	in := &cloudformation.UpdateStackInput{StackName: &stack, TemplateBody: s.text(template)}
	for _, set := range settings {
		set(in)
	}
	_, err := s.UpdateStack(s.ctx, in)
	return err
}

func (s stackCloud) updated(stack string, template any, settings ...func(*cloudformation.UpdateStackInput)) {
	s.t.Helper()
	if err := s.update(stack, template, settings...); err != nil {
		s.t.Fatal(err)
	}
	s.wantStatus(stack, "UPDATE_COMPLETE")
}

func (s stackCloud) outputs(stack string) map[string]string {
	s.t.Helper()
	m := map[string]string{}
	for _, o := range s.stack(stack).Outputs {
		m[*o.OutputKey] = *o.OutputValue
	}
	return m
}

// physical is the physical id of a resource.
func (s stackCloud) physical(stack, logical string) string {
	s.t.Helper()
	out, err := s.DescribeStackResource(s.ctx, &cloudformation.DescribeStackResourceInput{StackName: &stack, LogicalResourceId: &logical})
	if err != nil {
		s.t.Fatal(err)
	}
	return aws.ToString(out.StackResourceDetail.PhysicalResourceId)
}

func (s stackCloud) attribute(url, name string) string {
	s.t.Helper()
	out, err := s.SQS().GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeName(name)}})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Attributes[name]
}

func (s stackCloud) isThere(url string) bool {
	s.t.Helper()
	_, err := s.SQS().GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	var gone *sqstypes.QueueDoesNotExist
	if err != nil && !errors.As(err, &gone) {
		s.t.Fatal(err)
	}
	return err == nil
}

func (s stackCloud) createError(template any, settings ...func(*cloudformation.CreateStackInput)) error {
	in := &cloudformation.CreateStackInput{StackName: aws.String(s.Name("stack")), TemplateBody: s.text(template)}
	for _, set := range settings {
		set(in)
	}
	_, err := s.CreateStack(s.ctx, in)
	return err
}

func TestCloudFormationStacks(t *testing.T) {
	stackRule(t, "a stack makes what its template declares, and its outputs tell of it", "User Guide: Outputs", func(t *testing.T, s stackCloud) {
		stack := s.make(with(resources(object{
			"Dead":  queueOf(object{}),
			"Queue": queueOf(object{"VisibilityTimeout": 77, "RedrivePolicy": object{"deadLetterTargetArn": getAtt("Dead", "Arn"), "maxReceiveCount": 4}}),
		}), "Outputs", object{
			"Url": object{"Value": ref("Queue"), "Description": "where to send"}, "Arn": object{"Value": getAtt("Queue", "Arn")}, "Name": object{"Value": getAtt("Queue", "QueueName")},
		}))
		out := s.outputs(stack)
		if got := s.attribute(out["Url"], "VisibilityTimeout"); got != "77" {
			t.Errorf("visibility timeout %s, want 77", got)
		}
		if got, want := s.attribute(out["Url"], "QueueArn"), out["Arn"]; got != want {
			t.Errorf("ARN %s, want %s", got, want)
		}
		if want := s.attribute(s.physical(stack, "Dead"), "QueueArn"); !strings.Contains(s.attribute(out["Url"], "RedrivePolicy"), want) {
			t.Errorf("the redrive policy is %s, want one to %s", s.attribute(out["Url"], "RedrivePolicy"), want)
		}
		if !strings.HasPrefix(out["Name"], stack+"-Queue-") {
			t.Errorf("the name of the queue is %s, want it to begin with stack and logical id", out["Name"])
		}
		s.wantEvent(stack, "Queue CREATE_COMPLETE")
		s.wantEvent(stack, stack+" CREATE_COMPLETE")
	})
	stackRule(t, "a deleted stack takes its resources along and is found by its id only", "API Reference: DeleteStack, DescribeStacks", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{})}))
		url, id := s.physical(stack, "Queue"), *s.stack(stack).StackId
		if _, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &stack}); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(id, "DELETE_COMPLETE")
		if s.isThere(url) {
			t.Error("the queue is still there")
		}
		_, err := s.DescribeStacks(s.ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
		wantMessage(t, err, "ValidationError", "Stack with id "+stack+" does not exist")
		if _, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &stack}); err != nil {
			t.Errorf("deleting it again: %v", err)
		}
	})
	stackRule(t, "a name is taken while its stack exists", "API Reference: CreateStack, AlreadyExistsException", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{})}))
		_, err := s.CreateStack(s.ctx, &cloudformation.CreateStackInput{StackName: &stack, TemplateBody: s.text(resources(object{"Queue": queueOf(object{})}))})
		wantError[*types.AlreadyExistsException](t, err)
	})
	stackRule(t, "a stack with termination protection is not deleted", "User Guide: Protect a stack from being deleted", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{})}), func(in *cloudformation.CreateStackInput) { in.EnableTerminationProtection = aws.Bool(true) })
		_, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &stack})
		wantMessage(t, err, "ValidationError", "TerminationProtection")
		if _, err := s.UpdateTerminationProtection(s.ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: &stack, EnableTerminationProtection: aws.Bool(false)}); err != nil {
			t.Fatal(err)
		}
	})
	stackRule(t, "a resource with the deletion policy Retain outlives its stack", "Template Reference: DeletionPolicy attribute", func(t *testing.T, s stackCloud) {
		queue := queueOf(object{"QueueName": s.Name("retained")})
		queue["DeletionPolicy"] = "Retain"
		stack := s.make(resources(object{"Queue": queue}))
		url, id := s.physical(stack, "Queue"), *s.stack(stack).StackId
		if _, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &stack}); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(id, "DELETE_COMPLETE")
		s.wantEvent(id, "Queue DELETE_SKIPPED")
		if !s.isThere(url) {
			t.Error("the queue is gone")
		}
	})
	stackRule(t, "a stack's tags are its resources' too", "User Guide: Resource tag", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{"Tags": []object{{"Key": "team", "Value": "own"}}})}), func(in *cloudformation.CreateStackInput) {
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("stack")}, {Key: aws.String("stage"), Value: aws.String("test")}}
		})
		url := s.physical(stack, "Queue")
		out, err := s.SQS().ListQueueTags(s.ctx, &sqs.ListQueueTagsInput{QueueUrl: &url})
		if err != nil {
			t.Fatal(err)
		}
		if out.Tags["team"] != "own" || out.Tags["stage"] != "test" {
			t.Errorf("the queue's tags are %v, want its own team and the stack's stage", out.Tags)
		}
	})
}

func TestCloudFormationFailures(t *testing.T) {
	broken := queueOf(object{"VisibilityTimeout": 99999})
	stackRule(t, "a stack that cannot be made is rolled back, and its events say why", "User Guide: Stack failure options", func(t *testing.T, s stackCloud) {
		name := s.Name("kept")
		broken := queueOf(object{"VisibilityTimeout": 99999})
		broken["DependsOn"] = "Good"
		stack := s.begin(resources(object{"Good": queueOf(object{"QueueName": name}), "Bad": broken}))
		s.wantStatus(stack, "ROLLBACK_COMPLETE")
		s.wantEvent(stack, "Bad CREATE_FAILED Resource handler returned message:")
		s.wantEvent(stack, stack+" ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad].")
		s.wantEvent(stack, "Good DELETE_COMPLETE")
		if _, err := s.SQS().GetQueueUrl(s.ctx, &sqs.GetQueueUrlInput{QueueName: &name}); err == nil {
			t.Error("the good queue is still there")
		}
		wantMessage(t, s.update(stack, resources(object{"Good": queueOf(object{})})), "ValidationError", "ROLLBACK_COMPLETE state and can not be updated")
	})
	stackRule(t, "with rollback disabled what was made stays", "API Reference: CreateStack, DisableRollback", func(t *testing.T, s stackCloud) {
		bad := maps.Clone(broken)
		bad["DependsOn"] = "Good"
		stack := s.begin(resources(object{"Good": queueOf(object{}), "Bad": bad}), func(in *cloudformation.CreateStackInput) { in.DisableRollback = aws.Bool(true) })
		s.wantStatus(stack, "CREATE_FAILED")
		if !s.isThere(s.physical(stack, "Good")) {
			t.Error("the good queue is gone")
		}
	})
	stackRule(t, "with OnFailure DELETE a stack that cannot be made is deleted", "API Reference: CreateStack, OnFailure", func(t *testing.T, s stackCloud) {
		name := s.Name("stack")
		out, err := s.CreateStack(s.ctx, &cloudformation.CreateStackInput{StackName: &name, TemplateBody: s.text(resources(object{"Bad": broken})), OnFailure: types.OnFailureDelete})
		if err != nil {
			t.Fatal(err)
		}
		s.wantStatus(*out.StackId, "DELETE_COMPLETE")
	})
	stackRule(t, "an unknown type of resource is refused by its name", "User Guide: Troubleshooting, Unrecognized resource types", func(t *testing.T, s stackCloud) {
		wantMessage(t, s.createError(resources(object{"X": object{"Type": "AWS::Nothing::Here"}})), "ValidationError", "Unrecognized resource types: [AWS::Nothing::Here]")
	})
	stackRule(t, "an unknown property fails the stack by its name", "User Guide: Troubleshooting CloudFormation", func(t *testing.T, s stackCloud) {
		stack := s.begin(resources(object{"Queue": queueOf(object{"Visibility": 3})}))
		s.wantStatus(stack, "ROLLBACK_COMPLETE")
		s.wantEvent(stack, "extraneous key [Visibility] is not permitted")
	})
	stackRule(t, "an update that fails puts everything back", "User Guide: Stack failure options", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"A": queueOf(object{"DelaySeconds": 1}), "Gone": queueOf(object{})}))
		a, gone := s.physical(stack, "A"), s.physical(stack, "Gone")
		bad := maps.Clone(broken)
		bad["DependsOn"] = []string{"A", "New"}
		if err := s.update(stack, resources(object{"A": queueOf(object{"DelaySeconds": 2}), "New": queueOf(object{}), "Bad": bad})); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(stack, "UPDATE_ROLLBACK_COMPLETE")
		s.wantEvent(stack, stack+" UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: [Bad].")
		if got := s.attribute(a, "DelaySeconds"); got != "1" {
			t.Errorf("the delay is %s, want 1 as before", got)
		}
		if !s.isThere(gone) {
			t.Error("a queue that the failed update would have removed is gone")
		}
		out, err := s.ListStackResources(s.ctx, &cloudformation.ListStackResourcesInput{StackName: &stack})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.StackResourceSummaries) != 2 {
			t.Errorf("the stack has %d resources, want the two of before", len(out.StackResourceSummaries))
		}
		s.updated(stack, resources(object{"A": queueOf(object{"DelaySeconds": 3}), "Gone": queueOf(object{})}))
	})
}

func TestCloudFormationUpdates(t *testing.T) {
	stackRule(t, "an update in place keeps the resource", "Template Reference: AWS::SQS::Queue, Update requires: No interruption", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{"VisibilityTimeout": 40, "DelaySeconds": 5})}))
		url := s.physical(stack, "Queue")
		s.updated(stack, resources(object{"Queue": queueOf(object{"VisibilityTimeout": 50})}))
		if s.physical(stack, "Queue") != url {
			t.Error("the queue is another one")
		}
		if v, d := s.attribute(url, "VisibilityTimeout"), s.attribute(url, "DelaySeconds"); v != "50" || d != "0" {
			t.Errorf("visibility timeout %s and delay %s, want 50 and the default of 0", v, d)
		}
	})
	stackRule(t, "what cannot be changed is replaced: made anew first, removed at the end, and what refers to it follows", "User Guide: Update behaviors of stack resources", func(t *testing.T, s stackCloud) {
		template := func(name string) object {
			return resources(object{
				"Dead":  queueOf(object{"QueueName": name}),
				"Queue": queueOf(object{"RedrivePolicy": object{"deadLetterTargetArn": getAtt("Dead", "Arn"), "maxReceiveCount": 3}}),
			})
		}
		one, two := s.Name("one"), s.Name("two")
		stack := s.make(template(one))
		old, queue := s.physical(stack, "Dead"), s.physical(stack, "Queue")
		s.updated(stack, template(two))
		if s.isThere(old) {
			t.Error("the old queue is still there")
		}
		if s.physical(stack, "Queue") != queue {
			t.Error("the queue that refers to it was replaced too")
		}
		if got := s.attribute(queue, "RedrivePolicy"); !strings.Contains(got, two) {
			t.Errorf("the redrive policy is %s, want one to %s", got, two)
		}
		s.wantEvent(stack, "Dead UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.")
	})
	stackRule(t, "a resource with a name of its own is not replaced under the same name", "User Guide: Troubleshooting, custom-named resource", func(t *testing.T, s stackCloud) {
		name := s.Name("t")
		topic := func(fifo bool) object {
			p := object{"TopicName": name + ".fifo", "FifoTopic": true}
			if !fifo {
				p = object{"TopicName": name + ".fifo"}
			}
			return resources(object{"Topic": object{"Type": "AWS::SNS::Topic", "Properties": p}})
		}
		stack := s.make(topic(true))
		if err := s.update(stack, topic(false)); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(stack, "UPDATE_ROLLBACK_COMPLETE")
		s.wantEvent(stack, "CloudFormation cannot update a stack when a custom-named resource requires replacing.")
	})
	stackRule(t, "an update without changes is refused", "API Reference: UpdateStack", func(t *testing.T, s stackCloud) {
		template := resources(object{"Queue": queueOf(object{})})
		stack := s.make(template)
		wantMessage(t, s.update(stack, template), "ValidationError", "No updates are to be performed.")
	})
	stackRule(t, "a resource that the template no longer has is removed at the end", "User Guide: Update behaviors of stack resources", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"A": queueOf(object{}), "B": queueOf(object{})}))
		b := s.physical(stack, "B")
		s.updated(stack, resources(object{"A": queueOf(object{})}))
		if s.isThere(b) {
			t.Error("the queue is still there")
		}
	})
	stackRule(t, "an update may keep the template and change a parameter", "API Reference: UpdateStack, UsePreviousTemplate", func(t *testing.T, s stackCloud) {
		template := with(resources(object{"Queue": queueOf(object{"DelaySeconds": ref("Delay"), "VisibilityTimeout": ref("Visible")})}),
			"Parameters", object{"Delay": object{"Type": "Number", "Default": 1}, "Visible": object{"Type": "Number", "Default": 30}})
		stack := s.make(template, func(in *cloudformation.CreateStackInput) {
			in.Parameters = []types.Parameter{{ParameterKey: aws.String("Visible"), ParameterValue: aws.String("44")}}
		})
		_, err := s.UpdateStack(s.ctx, &cloudformation.UpdateStackInput{StackName: &stack, UsePreviousTemplate: aws.Bool(true), Parameters: []types.Parameter{
			{ParameterKey: aws.String("Delay"), ParameterValue: aws.String("9")}, {ParameterKey: aws.String("Visible"), UsePreviousValue: aws.Bool(true)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.wantStatus(stack, "UPDATE_COMPLETE")
		url := s.physical(stack, "Queue")
		if d, v := s.attribute(url, "DelaySeconds"), s.attribute(url, "VisibilityTimeout"); d != "9" || v != "44" {
			t.Errorf("delay %s and visibility timeout %s, want 9 and 44", d, v)
		}
	})
}

func TestCloudFormationChangeSets(t *testing.T) {
	changeSet := func(s stackCloud, stack string, kind types.ChangeSetType, template any) *cloudformation.DescribeChangeSetOutput {
		s.t.Helper()
		name := aws.String(s.Name("changes"))
		if _, err := s.CreateChangeSet(s.ctx, &cloudformation.CreateChangeSetInput{StackName: &stack, ChangeSetName: name, ChangeSetType: kind, TemplateBody: s.text(template)}); err != nil {
			s.t.Fatal(err)
		}
		var out *cloudformation.DescribeChangeSetOutput
		s.Eventually("the change set is made", time.Minute, func() bool {
			var err error
			out, err = s.DescribeChangeSet(s.ctx, &cloudformation.DescribeChangeSetInput{StackName: &stack, ChangeSetName: name})
			if err != nil {
				s.t.Fatal(err)
			}
			return out.Status == types.ChangeSetStatusCreateComplete || out.Status == types.ChangeSetStatusFailed
		})
		return out
	}
	stackRule(t, "a stack made by a change set waits in review until that is executed", "API Reference: CreateChangeSet, ExecuteChangeSet", func(t *testing.T, s stackCloud) {
		stack := s.Name("stack")
		cs := changeSet(s, stack, types.ChangeSetTypeCreate, resources(object{"Queue": queueOf(object{})}))
		if got := s.stack(stack).StackStatus; got != types.StackStatusReviewInProgress {
			t.Errorf("the stack is %s", got)
		}
		if len(cs.Changes) != 1 || cs.Changes[0].ResourceChange.Action != types.ChangeActionAdd {
			t.Errorf("the changes are %+v, want one queue to add", cs.Changes)
		}
		if _, err := s.ExecuteChangeSet(s.ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId}); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(stack, "CREATE_COMPLETE")
	})
	stackRule(t, "a change set tells what would be changed, replaced and removed, and changes nothing", "API Reference: ResourceChange", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Changed": queueOf(object{}), "Gone": queueOf(object{}), "Replaced": queueOf(object{"QueueName": s.Name("a")}), "Same": queueOf(object{})}))
		cs := changeSet(s, stack, types.ChangeSetTypeUpdate, resources(object{
			"Changed": queueOf(object{"DelaySeconds": 1}), "New": queueOf(object{}), "Replaced": queueOf(object{"QueueName": s.Name("b")}), "Same": queueOf(object{}),
		}))
		got := map[string]string{}
		for _, c := range cs.Changes {
			got[*c.ResourceChange.LogicalResourceId] = string(c.ResourceChange.Action) + " " + string(c.ResourceChange.Replacement)
		}
		want := map[string]string{"Changed": "Modify False", "Gone": "Remove ", "New": "Add ", "Replaced": "Modify True"}
		if !maps.Equal(got, want) {
			t.Errorf("the changes are %v, want %v", got, want)
		}
		if got := s.attribute(s.physical(stack, "Changed"), "DelaySeconds"); got != "0" {
			t.Errorf("the delay is %s already", got)
		}
	})
	stackRule(t, "a change set without changes fails and says so", "User Guide: Troubleshooting, No updates are to be performed", func(t *testing.T, s stackCloud) {
		template := resources(object{"Queue": queueOf(object{})})
		stack := s.make(template)
		cs := changeSet(s, stack, types.ChangeSetTypeUpdate, template)
		if cs.Status != types.ChangeSetStatusFailed || !strings.Contains(aws.ToString(cs.StatusReason), "didn't contain changes") || cs.ExecutionStatus != types.ExecutionStatusUnavailable {
			t.Errorf("status %s, %q, execution %s", cs.Status, aws.ToString(cs.StatusReason), cs.ExecutionStatus)
		}
		_, err := s.ExecuteChangeSet(s.ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: cs.ChangeSetId})
		wantError[*types.InvalidChangeSetStatusException](t, err)
	})
	stackRule(t, "a change set that is not there is an error of its own, and deleting it is none", "API Reference: ChangeSetNotFound, DeleteChangeSet", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{})}))
		_, err := s.DescribeChangeSet(s.ctx, &cloudformation.DescribeChangeSetInput{StackName: &stack, ChangeSetName: aws.String("none")})
		wantError[*types.ChangeSetNotFoundException](t, err)
		if _, err := s.DeleteChangeSet(s.ctx, &cloudformation.DeleteChangeSetInput{StackName: &stack, ChangeSetName: aws.String("none")}); err != nil {
			t.Error(err)
		}
	})
}

func TestCloudFormationTemplates(t *testing.T) {
	// output makes a stack whose output V is the given value.
	output := func(s stackCloud, template object, value any) string {
		s.t.Helper()
		if template["Resources"] == nil {
			template = with(template, "Resources", object{"Queue": queueOf(object{})})
		}
		stack := s.make(with(template, "Outputs", object{"V": object{"Value": value}}))
		return s.outputs(stack)["V"]
	}
	stackRule(t, "functions give what the reference says", "Template Reference: Intrinsic function reference", func(t *testing.T, s stackCloud) {
		template := object{
			"Parameters": object{"List": object{"Type": "CommaDelimitedList", "Default": "a, b,c"}},
			"Mappings":   object{"Map": object{"eu": object{"size": "small"}}},
			"Conditions": object{
				"Yes": object{"Fn::Equals": []any{"x", "x"}}, "No": object{"Fn::Not": []any{object{"Condition": "Yes"}}},
				"Both": object{"Fn::And": []any{object{"Condition": "Yes"}, object{"Condition": "No"}}}, "One": object{"Fn::Or": []any{object{"Condition": "Yes"}, object{"Condition": "No"}}},
			},
		}
		parts := []struct {
			value any
			want  string
		}{
			{object{"Fn::Join": []any{"-", ref("List")}}, "a-b-c"},
			{object{"Fn::Select": []any{1, object{"Fn::Split": []any{"/", "x/y/z"}}}}, "y"},
			{object{"Fn::FindInMap": []any{"Map", "eu", "size"}}, "small"},
			{object{"Fn::If": []any{"Yes", "yes", "no"}}, "yes"},
			{object{"Fn::If": []any{"Both", "yes", "no"}}, "no"},
			{object{"Fn::If": []any{"One", "yes", "no"}}, "yes"},
			{object{"Fn::Base64": "hi"}, "aGk="},
			{object{"Fn::Sub": []any{"${a}-${!literal}-${AWS::Partition}", object{"a": "x"}}}, "x-${literal}-aws"},
		}
		var values []any
		var want []string
		for _, p := range parts {
			values, want = append(values, p.value), append(want, p.want)
		}
		if got := output(s, template, object{"Fn::Join": []any{"|", values}}); got != strings.Join(want, "|") {
			t.Errorf("%s\nwant\n%s", got, strings.Join(want, "|"))
		}
	})
	stackRule(t, "a resource whose condition does not hold is not made, and a property of NoValue is left out", "Template Reference: Condition functions", func(t *testing.T, s stackCloud) {
		prod := queueOf(object{})
		prod["Condition"] = "Prod"
		template := with(with(resources(object{"Prod": prod, "Queue": queueOf(object{"DelaySeconds": object{"Fn::If": []any{"Prod", 9, ref("AWS::NoValue")}}})}),
			"Conditions", object{"Prod": object{"Fn::Equals": []any{ref("Stage"), "prod"}}}), "Parameters", object{"Stage": object{"Type": "String", "Default": "test"}})
		stack := s.make(template)
		if _, err := s.DescribeStackResource(s.ctx, &cloudformation.DescribeStackResourceInput{StackName: &stack, LogicalResourceId: aws.String("Prod")}); err == nil {
			t.Error("the queue for production is there")
		}
		if got := s.attribute(s.physical(stack, "Queue"), "DelaySeconds"); got != "0" {
			t.Errorf("delay %s, want none", got)
		}
		s.updated(stack, template, func(in *cloudformation.UpdateStackInput) {
			in.Parameters = []types.Parameter{{ParameterKey: aws.String("Stage"), ParameterValue: aws.String("prod")}}
		})
		s.physical(stack, "Prod")
	})
	stackRule(t, "parameters are checked against what the template allows", "User Guide: Parameters", func(t *testing.T, s stackCloud) {
		template := with(resources(object{"Queue": queueOf(object{})}), "Parameters", object{
			"Stage": object{"Type": "String", "AllowedValues": []string{"test", "prod"}, "Default": "test"},
			"Size":  object{"Type": "Number", "MinValue": 1, "MaxValue": 5, "Default": 2},
			"Name":  object{"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "small letters only", "Default": "a"},
			"Need":  object{"Type": "String", "MaxLength": 3},
		})
		set := func(name, value string) func(*cloudformation.CreateStackInput) {
			return func(in *cloudformation.CreateStackInput) {
				if name != "Need" {
					in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String("Need"), ParameterValue: aws.String("x")})
				}
				in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &name, ParameterValue: &value})
			}
		}
		wantMessage(t, s.createError(template), "ValidationError", "Parameters: [Need] must have values")
		wantMessage(t, s.createError(template, set("Other", "x")), "ValidationError", "Parameters: [Other] do not exist in the template")
		wantMessage(t, s.createError(template, set("Stage", "dev")), "ValidationError", "Parameter 'Stage' must be one of AllowedValues")
		wantMessage(t, s.createError(template, set("Size", "six")), "ValidationError", "Parameter 'Size' must be a number")
		wantMessage(t, s.createError(template, set("Size", "6")), "ValidationError", "Size")
		wantMessage(t, s.createError(template, set("Name", "A")), "ValidationError", "small letters only")
		wantMessage(t, s.createError(template, set("Need", "long")), "ValidationError", "Need")
	})
	stackRule(t, "a template that refers to what is not there is refused", "User Guide: Troubleshooting, Template format error", func(t *testing.T, s stackCloud) {
		wantMessage(t, s.createError(resources(object{"Queue": queueOf(object{"QueueName": ref("Nothing")})})), "ValidationError", "Unresolved resource dependencies [Nothing]")
	})
	stackRule(t, "resources that need each other are refused", "User Guide: Troubleshooting, Circular dependency", func(t *testing.T, s stackCloud) {
		wantMessage(t, s.createError(resources(object{"A": queueOf(object{"QueueName": getAtt("B", "QueueName")}), "B": queueOf(object{"QueueName": getAtt("A", "QueueName")})})),
			"ValidationError", "Circular dependency between resources: [A, B]")
	})
	stackRule(t, "YAML with the short forms of functions is the same template", "User Guide: Template format", func(t *testing.T, s stackCloud) {
		stack := s.Name("stack")
		_, err := s.CreateStack(s.ctx, &cloudformation.CreateStackInput{StackName: &stack, TemplateBody: aws.String(`
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Delay: {Type: Number, Default: 7}
Resources:
  Dead:
    Type: AWS::SQS::Queue
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 3
Outputs:
  Text:
    Value: !Sub |
      ${AWS::Region} ${Queue.QueueName}
  Joined:
    Value: !Join ["-", [!Select [0, [a, b]], c]]
`)})
		if err != nil {
			t.Fatal(err)
		}
		s.wantStatus(stack, "CREATE_COMPLETE")
		if got := s.attribute(s.physical(stack, "Queue"), "DelaySeconds"); got != "7" {
			t.Errorf("delay %s, want 7", got)
		}
		out := s.outputs(stack)
		if name := out["Text"]; !strings.Contains(name, " "+stack+"-Queue-") || out["Joined"] != "a-c" {
			t.Errorf("the outputs are %q", out)
		}
	})
	stackRule(t, "the template is given back as it came", "API Reference: GetTemplate", func(t *testing.T, s stackCloud) {
		template := resources(object{"Queue": queueOf(object{"DelaySeconds": "3"})})
		stack := s.make(template)
		out, err := s.GetTemplate(s.ctx, &cloudformation.GetTemplateInput{StackName: &stack})
		if err != nil {
			t.Fatal(err)
		}
		if *out.TemplateBody != *s.text(template) {
			t.Errorf("%s\nwant\n%s", *out.TemplateBody, *s.text(template))
		}
	})
	stackRule(t, "a template's rules are checked before anything is made", "Template Reference: Rules", func(t *testing.T, s stackCloud) {
		template := with(with(resources(object{"Queue": queueOf(object{})}), "Parameters", object{"Version": object{"Type": "String", "Default": "3"}}), "Rules", object{
			"Check": object{"Assertions": []object{{"Assert": object{"Fn::Not": []any{object{"Fn::Contains": []any{[]string{"1", "2", "3"}, ref("Version")}}}}, "AssertDescription": "at least version 4"}}},
		})
		wantMessage(t, s.createError(template), "ValidationError", "at least version 4")
	})
	stackRule(t, "roles and policies need the client's acknowledgement", "API Reference: CreateStack, Capabilities", func(t *testing.T, s stackCloud) {
		err := s.createError(resources(object{"Role": object{"Type": "AWS::IAM::Role", "Properties": object{"RoleName": s.Name("role"), "AssumeRolePolicyDocument": object{}}}}),
			func(in *cloudformation.CreateStackInput) {
				in.Capabilities = []types.Capability{types.CapabilityCapabilityIam}
			})
		wantError[*types.InsufficientCapabilitiesException](t, err)
	})
}

func TestCloudFormationExports(t *testing.T) {
	exporting := func(s stackCloud, name, value string) object {
		return with(resources(object{"Queue": queueOf(object{})}), "Outputs", object{"O": object{"Value": value, "Export": object{"Name": name}}})
	}
	stackRule(t, "what one stack exports another imports, and as long as it does the export stays as it is", "User Guide: Get exported outputs from a deployed stack", func(t *testing.T, s stackCloud) {
		name := s.Name("export")
		exporter := s.make(exporting(s, name, "12"))
		importer := s.make(resources(object{"Queue": queueOf(object{"DelaySeconds": object{"Fn::ImportValue": name}})}))
		if got := s.attribute(s.physical(importer, "Queue"), "DelaySeconds"); got != "12" {
			t.Errorf("delay %s, want 12", got)
		}
		if err := s.update(exporter, exporting(s, name, "13")); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(exporter, "UPDATE_ROLLBACK_COMPLETE")
		s.wantEvent(exporter, "as it is in use by "+importer)
		imports, err := s.ListImports(s.ctx, &cloudformation.ListImportsInput{ExportName: &name})
		if err != nil || !slices.Equal(imports.Imports, []string{importer}) {
			t.Errorf("imported by %v, %v", imports, err)
		}
		if _, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &exporter}); err != nil {
			t.Logf("refused at once: %v", err)
		}
		if got := s.end(exporter); got == "DELETE_COMPLETE" {
			t.Error("the exporting stack was deleted")
		}
	})
	stackRule(t, "an export's name is one stack's only", "User Guide: Export", func(t *testing.T, s stackCloud) {
		name := s.Name("export")
		first := s.make(exporting(s, name, "1"))
		second := s.begin(exporting(s, name, "2"))
		s.wantStatus(second, "ROLLBACK_COMPLETE")
		s.wantEvent(second, "Export with name "+name+" is already exported by stack "+first)
	})
	stackRule(t, "to import what nobody exports fails the resource", "Template Reference: Fn::ImportValue", func(t *testing.T, s stackCloud) {
		stack := s.begin(resources(object{"Queue": queueOf(object{"DelaySeconds": object{"Fn::ImportValue": s.Name("none")}})}))
		s.wantStatus(stack, "ROLLBACK_COMPLETE")
		s.wantEvent(stack, "No export named")
	})
}

func TestCloudFormationMessaging(t *testing.T) {
	stackRule(t, "a topic, its subscription with a filter and the queue's policy are made as declared", "Template Reference: AWS::SNS::Subscription, AWS::SQS::QueuePolicy", func(t *testing.T, s stackCloud) {
		template := func(kind string) object {
			return resources(object{
				"Topic": object{"Type": "AWS::SNS::Topic"},
				"Queue": queueOf(object{}),
				"Policy": object{"Type": "AWS::SQS::QueuePolicy", "Properties": object{"Queues": []any{ref("Queue")}, "PolicyDocument": object{
					"Version": "2012-10-17", "Statement": []object{{"Effect": "Allow", "Principal": object{"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": getAtt("Queue", "Arn"), "Condition": object{"ArnEquals": object{"aws:SourceArn": ref("Topic")}}}},
				}}},
				"Subscription": object{"Type": "AWS::SNS::Subscription", "Properties": object{
					"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": getAtt("Queue", "Arn"), "RawMessageDelivery": true, "FilterPolicyScope": "MessageBody", "FilterPolicy": object{"kind": []string{kind}},
				}},
			})
		}
		stack := s.make(template("order"))
		topic, url := s.physical(stack, "Topic"), s.physical(stack, "Queue")
		publish := func(body string) {
			if _, err := s.SNS().Publish(s.ctx, &sns.PublishInput{TopicArn: &topic, Message: &body}); err != nil {
				t.Fatal(err)
			}
		}
		queue := sqsCloud{s.Cloud, s.SQS(), t, s.ctx}
		publish(`{"kind":"order"}`)
		publish(`{"kind":"return"}`)
		queue.want(url, `{"kind":"order"}`)
		if s.attribute(url, "Policy") == "" {
			t.Error("the queue has no policy")
		}
		subscription := s.physical(stack, "Subscription")
		s.updated(stack, template("return"))
		if got := s.physical(stack, "Subscription"); got != subscription {
			t.Error("the subscription is another one")
		}
		s.Sleep(time.Second)
		publish(`{"kind":"return"}`)
		queue.want(url, `{"kind":"return"}`)
	})
	stackRule(t, "a FIFO queue without a name gets one that ends in .fifo", "Template Reference: AWS::SQS::Queue, QueueName", func(t *testing.T, s stackCloud) {
		stack := s.make(resources(object{"Queue": queueOf(object{"FifoQueue": true, "ContentBasedDeduplication": "true"})}))
		if url := s.physical(stack, "Queue"); !strings.HasSuffix(url, ".fifo") || s.attribute(url, "ContentBasedDeduplication") != "true" {
			t.Errorf("the queue is %s", url)
		}
	})
}

// provider is a function that answers custom resource requests as answer says, in the cloud's own process.
func (s stackCloud) provider(answer func(request object) object) string {
	s.t.Helper()
	client, ok := s.AWS().HTTPClient.(*http.Client)
	if !ok {
		client = http.DefaultClient
	}
	arn, err := s.Control().Lambda().Register("000000000000", "us-east-1", s.Name("provider"), func(ctx context.Context, payload []byte) ([]byte, error) {
		var request object
		if err := json.Unmarshal(payload, &request); err != nil {
			return nil, err
		}
		reply := object{"StackId": request["StackId"], "RequestId": request["RequestId"], "LogicalResourceId": request["LogicalResourceId"], "Status": "SUCCESS"}
		maps.Copy(reply, answer(request))
		body, err := json.Marshal(reply)
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, request["ResponseURL"].(string), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		return nil, resp.Body.Close()
	}, lambda.Registration{Timeout: 10 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	return arn
}

func TestCloudFormationCustomResources(t *testing.T) {
	custom := func(token string, properties object) object {
		properties["ServiceToken"] = token
		return object{"Type": "Custom::Thing", "Properties": properties}
	}
	stackRule(t, "a custom resource's provider is asked to create, update and delete, and what it answers can be used", "User Guide: Custom resources", func(t *testing.T, s stackCloud) {
		var asked []string
		token := s.provider(func(r object) object {
			p := r["ResourceProperties"].(object)
			asked = append(asked, fmt.Sprint(r["RequestType"], " ", p["Size"], " ", r["PhysicalResourceId"]))
			return object{"PhysicalResourceId": "thing-1", "Data": object{"Address": fmt.Sprint("at ", p["Size"])}}
		})
		template := func(size int) object {
			return with(resources(object{"Thing": custom(token, object{"Size": size})}), "Outputs", object{"A": object{"Value": getAtt("Thing", "Address")}, "R": object{"Value": ref("Thing")}})
		}
		stack := s.make(template(3))
		if out := s.outputs(stack); out["A"] != "at 3" || out["R"] != "thing-1" {
			t.Errorf("outputs %v", out)
		}
		s.updated(stack, template(4))
		if out := s.outputs(stack); out["A"] != "at 4" {
			t.Errorf("outputs %v", out)
		}
		id := *s.stack(stack).StackId
		if _, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &stack}); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(id, "DELETE_COMPLETE")
		synctest.Wait()
		if want := []string{"Create 3 <nil>", "Update 4 thing-1", "Delete 4 thing-1"}; !slices.Equal(asked, want) { // numbers come as text
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
	stackRule(t, "when an update gives another physical id the old one is deleted at the end", "User Guide: Custom resource reference, Update", func(t *testing.T, s stackCloud) {
		var deleted []string
		token := s.provider(func(r object) object {
			if r["RequestType"] == "Delete" {
				deleted = append(deleted, r["PhysicalResourceId"].(string))
			}
			return object{"PhysicalResourceId": "thing-" + r["ResourceProperties"].(object)["Size"].(string)}
		})
		stack := s.make(resources(object{"Thing": custom(token, object{"Size": 1})}))
		s.updated(stack, resources(object{"Thing": custom(token, object{"Size": 2})}))
		synctest.Wait()
		if s.physical(stack, "Thing") != "thing-2" || !slices.Equal(deleted, []string{"thing-1"}) {
			t.Errorf("now %s, deleted %v", s.physical(stack, "Thing"), deleted)
		}
	})
	stackRule(t, "a provider's failure is the resource's, with its reason", "User Guide: Custom resource response objects", func(t *testing.T, s stackCloud) {
		token := s.provider(func(r object) object {
			if r["RequestType"] == "Delete" {
				return object{"PhysicalResourceId": "x"}
			}
			return object{"Status": "FAILED", "Reason": "no room", "PhysicalResourceId": "x"}
		})
		stack := s.begin(resources(object{"Thing": custom(token, object{})}))
		s.wantStatus(stack, "ROLLBACK_COMPLETE")
		s.wantEvent(stack, "Received response status [FAILED] from custom resource. Message returned: no room")
	})
	stackRule(t, "a provider that does not answer fails after its service timeout", "Template Reference: AWS::CloudFormation::CustomResource, ServiceTimeout", func(t *testing.T, s stackCloud) {
		arn, err := s.Control().Lambda().Register("000000000000", "us-east-1", s.Name("silent"), func(context.Context, []byte) ([]byte, error) { return nil, nil }, lambda.Registration{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		stack := s.begin(resources(object{"Thing": custom(arn, object{"ServiceTimeout": 60})}), func(in *cloudformation.CreateStackInput) { in.DisableRollback = aws.Bool(true) })
		s.wantStatus(stack, "CREATE_FAILED")
		if took := time.Since(start); took < time.Minute || took > 62*time.Second {
			t.Errorf("it failed after %s", took)
		}
		s.wantEvent(stack, "CloudFormation did not receive a response from your Custom Resource")
	})
}

func TestCloudFormationServices(t *testing.T) {
	stackRule(t, "alarms, dashboards, log groups, parameters, keys and buckets are made, changed and removed", "Template Reference: AWS::CloudWatch, AWS::Logs, AWS::SSM, AWS::KMS, AWS::S3", func(t *testing.T, s stackCloud) {
		s.Control()
		template := func(n int, retention any) object {
			return resources(object{
				"Alarm": object{"Type": "AWS::CloudWatch::Alarm", "Properties": object{"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Maximum", "Period": "60",
					"EvaluationPeriods": 1, "Threshold": n, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": []any{ref("Topic")}, "Dimensions": []object{{"Name": "QueueName", "Value": getAtt("Queue", "QueueName")}}}},
				"Topic": object{"Type": "AWS::SNS::Topic"}, "Queue": queueOf(object{}),
				"Dashboard": object{"Type": "AWS::CloudWatch::Dashboard", "Properties": object{"DashboardBody": sub(`{"widgets":[{"type":"text","x":0,"y":0,"width":6,"height":3,"properties":{"markdown":"${Queue.QueueName}"}}]}`)}},
				"Logs":      object{"Type": "AWS::Logs::LogGroup", "Properties": object{"RetentionInDays": retention}},
				"Parameter": object{"Type": "AWS::SSM::Parameter", "Properties": object{"Type": "String", "Value": fmt.Sprint("v", n)}},
				"Key":       object{"Type": "AWS::KMS::Key", "Properties": object{"EnableKeyRotation": true, "KeyPolicy": object{"Version": "2012-10-17", "Statement": []object{{"Effect": "Allow", "Principal": object{"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}, "Action": "kms:*", "Resource": "*"}}}}},
				"Alias":     object{"Type": "AWS::KMS::Alias", "Properties": object{"AliasName": sub("alias/${AWS::StackName}"), "TargetKeyId": ref("Key")}},
				"Bucket": object{"Type": "AWS::S3::Bucket", "Properties": object{"VersioningConfiguration": object{"Status": "Enabled"}, "PublicAccessBlockConfiguration": object{"BlockPublicAcls": true, "BlockPublicPolicy": "true"},
					"BucketEncryption":          object{"ServerSideEncryptionConfiguration": []object{{"ServerSideEncryptionByDefault": object{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": getAtt("Key", "Arn")}}}},
					"NotificationConfiguration": object{"QueueConfigurations": []object{{"Event": "s3:ObjectCreated:*", "Queue": getAtt("Queue", "Arn")}}}}},
				"BucketPolicy": object{"Type": "AWS::S3::BucketPolicy", "Properties": object{"Bucket": ref("Bucket"), "PolicyDocument": object{"Version": "2012-10-17", "Statement": []object{{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": getAtt("Bucket", "Arn"), "Condition": object{"Bool": object{"aws:SecureTransport": "false"}}}}}}},
				"Role": object{"Type": "AWS::IAM::Role", "Properties": object{"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": []object{{"Effect": "Allow", "Principal": object{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}},
					"ManagedPolicyArns": []string{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}, "Policies": []object{{"PolicyName": "own", "PolicyDocument": object{"Version": "2012-10-17", "Statement": []object{{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": getAtt("Queue", "Arn")}}}}}}},
			})
		}
		capable := func(in *cloudformation.CreateStackInput) {
			in.Capabilities = []types.Capability{types.CapabilityCapabilityIam}
		}
		stack := s.make(template(1, 7), capable)
		s.updated(stack, template(2, 30), func(in *cloudformation.UpdateStackInput) {
			in.Capabilities = []types.Capability{types.CapabilityCapabilityIam}
		})
		value, err := ssm.NewFromConfig(s.AWS()).GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String(s.physical(stack, "Parameter"))})
		if err != nil || *value.Parameter.Value != "v2" {
			t.Errorf("the parameter is %v, %v", value, err)
		}
		bucket := s.physical(stack, "Bucket")
		versioning, err := s.S3().GetBucketVersioning(s.ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
		if err != nil || versioning.Status != "Enabled" {
			t.Errorf("versioning %v, %v", versioning, err)
		}
		id := *s.stack(stack).StackId
		if _, err := s.DeleteStack(s.ctx, &cloudformation.DeleteStackInput{StackName: &stack}); err != nil {
			t.Fatal(err)
		}
		s.wantStatus(id, "DELETE_COMPLETE")
		if _, err := s.S3().HeadBucket(s.ctx, &s3.HeadBucketInput{Bucket: &bucket}); err == nil {
			t.Error("the bucket is still there")
		}
	})
}
