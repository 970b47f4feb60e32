package conformance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// withDeadLetters creates a queue and its dead-letter queue.
func (s sqsCloud) withDeadLetters(maxReceiveCount int, create func(...string) string) (url, dead string) {
	s.t.Helper()
	dead = create()
	return create("RedrivePolicy", redrivePolicy(s.arn(dead), maxReceiveCount)), dead
}

// fail receives a message as often as its queue allows and gives it back each time; the receive after that gets nothing of it.
func (s sqsCloud) fail(url string, times int) {
	s.t.Helper()
	for range times {
		s.ok(s.change(url, s.one(url), 0))
	}
}

func TestSQSDeadLetters(t *testing.T) {
	sqsRule(t, 10*time.Second, "a message received too often moves to the dead-letter queue and stays the same message", "Developer Guide: Using dead-letter queues in Amazon SQS; API Reference: ReceiveMessage", func(t *testing.T, s sqsCloud) {
		url, dead := s.withDeadLetters(2, s.create)
		sent, err := s.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m"), MessageAttributes: map[string]types.MessageAttributeValue{"a": text("v")}})
		s.ok(err)
		before := s.one(url)
		s.ok(s.change(url, before, 0))
		s.Sleep(time.Second)
		s.ok(s.change(url, s.one(url), 0))
		s.wantNothing(url)
		m := s.one(dead)
		if *m.MessageId != *sent.MessageId || *m.Body != "m" || *m.MessageAttributes["a"].StringValue != "v" ||
			systemAttribute(m, "SentTimestamp") != systemAttribute(before, "SentTimestamp") ||
			systemAttribute(m, "ApproximateReceiveCount") != "3" || systemAttribute(m, "DeadLetterQueueSourceArn") != s.arn(url) {
			t.Errorf("%+v, was %+v", m, before)
		}
	})
	sqsRule(t, 10*time.Second, "a message moves when it would be received once more, not before", "API Reference: SetQueueAttributes, RedrivePolicy", func(t *testing.T, s sqsCloud) {
		url, dead := s.withDeadLetters(1, s.create)
		s.send(url, "m")
		s.fail(url, 1)
		s.wantNothing(dead)
		s.wantNothing(url)
		s.want(dead, "m")
	})
	sqsRule(t, 10*time.Second, "a message group goes on when its head moves to the dead-letter queue", "Developer Guide: Using dead-letter queues in Amazon SQS", func(t *testing.T, s sqsCloud) {
		url, dead := s.withDeadLetters(1, s.createFIFO)
		s.sendFIFO(url, "a1", "a2")
		s.fail(url, 1)
		s.want(url, "a2")
		s.want(dead, "a1")
	})
	sqsRule(t, 10*time.Second, "in a FIFO dead-letter queue the message id is the deduplication id", "Developer Guide: Learn how to configure a dead-letter queue redrive", func(t *testing.T, s sqsCloud) {
		url, dead := s.withDeadLetters(1, s.createFIFO)
		s.sendFIFO(url, "a1")
		s.fail(url, 1)
		s.wantNothing(url)
		m := s.one(dead)
		if id := systemAttribute(m, "MessageDeduplicationId"); id != *m.MessageId || systemAttribute(m, "MessageGroupId") != "a" {
			t.Errorf("%+v", m)
		}
	})
	sqsRule(t, 2*time.Minute, "in a standard dead-letter queue a message's retention counts from when it was first sent, in a FIFO one from the move", "Developer Guide: Setting-up dead-letter queue retention", func(t *testing.T, s sqsCloud) {
		for _, fifo := range []bool{false, true} {
			create, send := s.create, s.send
			if fifo {
				create, send = s.createFIFO, s.sendFIFO
			}
			url, dead := s.withDeadLetters(1, create)
			s.set(dead, "MessageRetentionPeriod", "60")
			send(url, "a1")
			s.Sleep(40 * time.Second)
			s.fail(url, 1)
			s.wantNothing(url)
			s.Sleep(30 * time.Second)
			got := s.receive(dead)
			if wanted := map[bool]int{false: 0, true: 1}[fifo]; len(got) != wanted {
				t.Errorf("fifo %t: %d messages left", fifo, len(got))
			}
		}
	})
	sqsRule(t, 0, "a redrive policy names an existing queue of the same type and 1 to 1000 receives", "API Reference: SetQueueAttributes, RedrivePolicy; recorded 2022", func(t *testing.T, s sqsCloud) {
		dead, url := s.create(), s.create()
		arn := s.arn(dead)
		set := func(policy string) error {
			_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"RedrivePolicy": policy}})
			return err
		}
		for _, policy := range []string{
			"no JSON", redrivePolicy("dummy", 1), redrivePolicy(arn+"x", 1), redrivePolicy(s.arn(s.createFIFO()), 1), redrivePolicy(arn, 0), redrivePolicy(arn, 1001), redrivePolicy(arn, `"x"`),
		} {
			wantCode(t, set(policy), "InvalidParameterValue")
		}
		s.ok(set(redrivePolicy(arn, 1000)))
		s.ok(set(redrivePolicy(arn, `"3"`)))
		if got := s.attribute(url, "RedrivePolicy"); !strings.Contains(got, arn) || !strings.Contains(got, "3") {
			t.Error(got)
		}
		s.ok(set(""))
		if got := s.attribute(url, "RedrivePolicy"); got != "" {
			t.Error(got)
		}
	})
	sqsRule(t, 0, "a dead-letter queue can say which queues may use it", "API Reference: SetQueueAttributes, RedriveAllowPolicy", func(t *testing.T, s sqsCloud) {
		dead, one, other := s.create(), s.create(), s.create()
		use := func(url string) error {
			_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"RedrivePolicy": redrivePolicy(s.arn(dead), 3)}})
			return err
		}
		s.set(dead, "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
		wantCode(t, use(one), "InvalidParameterValue")
		s.set(dead, "RedriveAllowPolicy", fmt.Sprintf(`{"redrivePermission":"byQueue","sourceQueueArns":["%s"]}`, s.arn(one)))
		s.ok(use(one))
		wantCode(t, use(other), "InvalidParameterValue")
		s.set(dead, "RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`)
		s.ok(use(other))
		eleven := slices.Repeat([]string{`"` + s.arn(one) + `"`}, 11)
		for _, policy := range []string{`{"redrivePermission":"some"}`, `{"redrivePermission":"byQueue"}`, `{"redrivePermission":"byQueue","sourceQueueArns":[` + strings.Join(eleven, ",") + `]}`} {
			_, err := s.SetQueueAttributes(s.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &dead, Attributes: map[string]string{"RedriveAllowPolicy": policy}})
			wantCode(t, err, "InvalidParameterValue")
		}
	})
	sqsRule(t, 0, "a dead-letter queue's sources are listed", "API Reference: ListDeadLetterSourceQueues", func(t *testing.T, s sqsCloud) {
		dead := s.create()
		var want, got []string
		for range 3 {
			want = append(want, s.create("RedrivePolicy", redrivePolicy(s.arn(dead), 3)))
		}
		for p := sqs.NewListDeadLetterSourceQueuesPaginator(s.Client, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &dead, MaxResults: aws.Int32(2)}); p.HasMorePages(); {
			page, err := p.NextPage(s.ctx)
			s.ok(err)
			got = append(got, page.QueueUrls...)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestSQSMessageMoveTasks(t *testing.T) {
	// dead makes a queue and a dead-letter queue that n messages of it have come to.
	dead := func(s sqsCloud, n int) (url, dead string, bodies []string) {
		s.t.Helper()
		url, dead = s.withDeadLetters(1, s.create)
		for i := range n {
			bodies = append(bodies, fmt.Sprint("m", i))
		}
		s.send(url, bodies...)
		for got := 0; got < n; {
			for _, m := range s.receive(url, wait(20)) {
				s.ok(s.change(url, m, 0))
				got++
			}
		}
		s.Eventually("all messages are dead letters", time.Minute, func() bool {
			s.receive(url, wait(0))
			return s.attribute(dead, "ApproximateNumberOfMessages") == fmt.Sprint(n)
		})
		return url, dead, bodies
	}
	start := func(s sqsCloud, source, destination string, rate int32) (string, error) {
		in := &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(s.arn(source))}
		if destination != "" {
			in.DestinationArn = aws.String(s.arn(destination))
		}
		if rate != 0 {
			in.MaxNumberOfMessagesPerSecond = &rate
		}
		out, err := s.StartMessageMoveTask(s.ctx, in)
		if err != nil {
			return "", err
		}
		return *out.TaskHandle, nil
	}
	list := func(s sqsCloud, source string, n int32) []types.ListMessageMoveTasksResultEntry {
		s.t.Helper()
		out, err := s.ListMessageMoveTasks(s.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(s.arn(source)), MaxResults: &n})
		s.ok(err)
		return out.Results
	}
	ends := func(s sqsCloud, source, status string) types.ListMessageMoveTasksResultEntry {
		s.t.Helper()
		s.Eventually("the task is "+status, 3*time.Minute, func() bool { return *list(s, source, 1)[0].Status == status })
		return list(s, source, 1)[0]
	}
	sqsRule(t, 3*time.Minute, "dead letters move back to their source as new messages", "API Reference: StartMessageMoveTask; Developer Guide: Learn how to configure a dead-letter queue redrive; recorded 2024", func(t *testing.T, s sqsCloud) {
		url, deadURL, bodies := dead(s, 3)
		old := s.one(deadURL)
		s.ok(s.change(deadURL, old, 0))
		s.Sleep(2 * time.Second)
		_, err := start(s, deadURL, "", 0)
		s.ok(err)
		r := ends(s, deadURL, "COMPLETED")
		if r.ApproximateNumberOfMessagesMoved != 3 || *r.ApproximateNumberOfMessagesToMove != 3 || r.TaskHandle != nil || r.DestinationArn != nil || *r.SourceArn != s.arn(deadURL) {
			t.Errorf("%+v", r)
		}
		for _, m := range s.want(url, bodies...) {
			if *m.MessageId == *old.MessageId || systemAttribute(m, "ApproximateReceiveCount") != "1" ||
				systemAttribute(m, "DeadLetterQueueSourceArn") != "" || systemAttribute(m, "SentTimestamp") <= systemAttribute(old, "SentTimestamp") {
				t.Errorf("%+v was %+v", m, old)
			}
		}
	})
	sqsRule(t, 3*time.Minute, "dead letters move to another queue, if it is of the same type", "API Reference: StartMessageMoveTask; recorded 2024", func(t *testing.T, s sqsCloud) {
		_, deadURL, bodies := dead(s, 2)
		_, err := start(s, deadURL, s.createFIFO(), 0)
		wantCode(t, err, "InvalidParameterValue")
		other := s.create()
		_, err = start(s, deadURL, other, 0)
		s.ok(err)
		s.want(other, bodies...)
		if r := ends(s, deadURL, "COMPLETED"); aws.ToString(r.DestinationArn) != s.arn(other) {
			t.Errorf("%+v", r)
		}
	})
	sqsRule(t, 3*time.Minute, "a task keeps to its rate, is the only one, and can be cancelled", "API Reference: StartMessageMoveTask, CancelMessageMoveTask, ListMessageMoveTasks; recorded 2024", func(t *testing.T, s sqsCloud) {
		_, deadURL, _ := dead(s, 10)
		handle, err := start(s, deadURL, s.create(), 1)
		s.ok(err)
		_, err = start(s, deadURL, "", 0)
		wantCode(t, err, "InvalidParameterValue")
		s.Sleep(3500 * time.Millisecond)
		if r := list(s, deadURL, 1)[0]; *r.Status != "RUNNING" || *r.TaskHandle != handle || *r.MaxNumberOfMessagesPerSecond != 1 || s.Embedded() && r.ApproximateNumberOfMessagesMoved != 3 {
			t.Errorf("%+v", r)
		}
		_, err = s.CancelMessageMoveTask(s.ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: &handle})
		s.ok(err)
		if r := ends(s, deadURL, "CANCELLED"); r.ApproximateNumberOfMessagesMoved > 6 {
			t.Errorf("%+v", r)
		}
		_, err = start(s, deadURL, "", 500)
		s.ok(err)
		ends(s, deadURL, "COMPLETED")
		if all := list(s, deadURL, 10); len(all) != 2 || *all[0].Status != "COMPLETED" || *all[1].Status != "CANCELLED" {
			t.Errorf("%+v", all)
		}
	})
	sqsRule(t, 0, "a task needs a dead-letter queue as its source, and queues that exist", "API Reference: StartMessageMoveTask; recorded 2024", func(t *testing.T, s sqsCloud) {
		url := s.create()
		_, err := start(s, url, "", 0)
		wantCode(t, err, "InvalidParameterValue")
		_, err = s.StartMessageMoveTask(s.ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(s.arn(url) + "x")})
		wantError[*types.ResourceNotFoundException](t, err)
		_, deadURL, _ := dead(s, 1)
		_, err = s.StartMessageMoveTask(s.ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(s.arn(deadURL)), DestinationArn: aws.String(s.arn(url) + "x")})
		wantError[*types.ResourceNotFoundException](t, err)
		_, err = start(s, deadURL, "", 501)
		wantCode(t, err, "InvalidParameterValue")
		_, err = s.CancelMessageMoveTask(s.ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: aws.String("nonsense")})
		wantCode(t, err, "InvalidParameterValue")
	})
	sqsRule(t, 3*time.Minute, "a message that was sent to the dead-letter queue itself has no source to move back to", "API Reference: StartMessageMoveTask; ListMessageMoveTasks, FailureReason", func(t *testing.T, s sqsCloud) {
		_, deadURL := s.withDeadLetters(1, s.create)
		s.send(deadURL, "m")
		s.Eventually("the message is counted", time.Minute, func() bool { return s.attribute(deadURL, "ApproximateNumberOfMessages") == "1" })
		_, err := start(s, deadURL, "", 0)
		s.ok(err)
		if r := ends(s, deadURL, "FAILED"); aws.ToString(r.FailureReason) != "CouldNotDetermineMessageSource" {
			t.Errorf("%+v", r)
		}
		s.want(deadURL, "m")
	})
}
