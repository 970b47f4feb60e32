// Package grader checks the exercise.
package grader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is what the exercise asks for.
type Implementation struct {
	Produce func(ctx context.Context, client *sqs.Client, queueURL string, jobs []string) error
	Consume func(ctx context.Context, client *sqs.Client, queueURL string, workers int, do func(ctx context.Context, job string) error) error
}

var (
	notSent = grade.Finding{
		Name: "not-sent", Func: "Produce",
		Cause:  "A call takes ten messages at most, and each job is a message of its own. Are the last ones sent, too, when their number does not divide by ten?",
		Lesson: "week01#sqs",
	}
	saidSent = grade.Finding{
		Name: "said-sent", Func: "Produce",
		Cause:  "SQS refused a message, and you did not look. SendMessage returns an error; SendMessageBatch succeeds in part and lists what failed under Failed.",
		Lesson: "week01#sqs",
	}
	notDone = grade.Finding{
		Name: "not-done", Func: "Consume",
		Cause:  "A job was in the queue, and do was not called with it.",
		Lesson: "week01#point-to-point",
		NoCase: "the ways to lose a job have findings of their own",
	}
	neverDeleted = grade.Finding{
		Name: "never-deleted", Func: "Consume",
		Cause:  "Receiving does not take a message out of the queue, it hides it for the visibility timeout. What is not deleted comes back.",
		Lesson: "week01#point-to-point",
	}
	oneAtATime = grade.Finding{
		Name: "one-at-a-time", Func: "Consume",
		Cause:  "The jobs were done one after the other. Each worker is a goroutine that receives for itself.",
		Lesson: "week01#point-to-point",
	}
	tooManyAtOnce = grade.Finding{
		Name: "too-many-at-once", Func: "Consume",
		Cause:  "You start a goroutine for each message. The number of workers is a limit: what they work with (memory, a database, a printer) does not grow with the queue.",
		Lesson: "week01#point-to-point",
	}
	failedJobLost = grade.Finding{
		Name: "failed-job-lost", Func: "Consume",
		Cause:  "You deleted a job whose do returned an error. Leave it: it becomes visible again when its visibility timeout ends, and is tried again.",
		Lesson: "week01#point-to-point",
	}
	lostInCrash = grade.Finding{
		Name: "lost-in-crash", Func: "Consume",
		Cause:  "You deleted the message before the work was done. When the process died in the middle of it, nothing was left to deliver again.",
		Lesson: "week01#point-to-point",
	}
	hiddenTooLong = grade.Finding{
		Name: "hidden-too-long", Func: "Consume",
		Cause:  "Your visibility timeout is so long that a job stays hidden when do has failed or the process has died. Take a short one and extend it while you work.",
		Lesson: "week01#the-traps",
	}
	doneTwice = grade.Finding{
		Name: "done-twice", Func: "Consume",
		Cause:  "A visibility timeout is a lease, not a lock. The work took longer, the message became visible again, and another worker received it. Extend the lease, again and again, with ChangeMessageVisibility while do runs.",
		Lesson: "week01#the-traps",
	}
	waitedTooLong = grade.Finding{
		Name: "waited-too-long", Func: "Consume",
		Cause:  "You receive several messages at once and do them one after the other. They wait in the hands of one worker while another has nothing to do. And the visibility timeout of all of them runs from the receive: the last ones become visible while they wait for their turn.",
		Lesson: "week01#the-traps",
	}
	workCutOff = grade.Finding{
		Name: "work-cut-off", Func: "Consume",
		Cause:  "do got the context that ends when the process shall stop, so its work was cut off in the middle, or nobody waited for it. Give it context.WithoutCancel(ctx), and wait for your workers.",
		Lesson: "week01#the-traps",
	}
	doneAgainAfterStop = grade.Finding{
		Name: "done-again-after-stop", Func: "Consume",
		Cause:  "The job was done, but not deleted: the delete used the context that had ended. Somebody else does it again. Delete with context.WithoutCancel(ctx) and a timeout.",
		Lesson: "week01#the-traps",
	}
	beganAfterStop = grade.Finding{
		Name: "began-after-stop", Func: "Consume",
		Cause:  "After ctx had ended you took another job. A process that empties the queue before it stops is killed in the middle of one.",
		Lesson: "week01#the-traps",
	}
	pollsWithoutPause = grade.Finding{
		Name: "polls-without-pause", Func: "Consume",
		Cause:  "You ask SQS again as soon as it has said that there is nothing. Each of these requests is paid. With WaitTimeSeconds 20 it answers when there is a job, or after 20 s.",
		Lesson: "week01#sqs",
	}
	neverStops = grade.Finding{
		Name: "never-stops", Func: "Consume",
		Cause:  "Your loop goes on after ctx has ended. ReceiveMessage returns an error then; do you take it for one to try again after?",
		Lesson: "week01#the-traps",
	}
	gaveUp = grade.Finding{
		Name: "gave-up", Func: "Consume",
		Cause:  "You return when a call to SQS fails, or you wait too long between tries. The client has tried three times by then, but a throttle or an outage can take longer: wait a little and go on, until ctx ends.",
		Lesson: "week01#sqs",
	}
	hammers = grade.Finding{
		Name: "hammers-when-refused", Func: "Consume",
		Cause:  "When a call fails you try again at once. The client pauses only between the few tries of one call, and not at all if its retries are turned off or used up. A service in trouble gets hundreds of calls a second from each process then. Wait a second before you go on.",
		Lesson: "week01#sqs",
	}
)

// Exercise is what is checked.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"aws"},
	Findings: []grade.Finding{
		notSent, saidSent, notDone, neverDeleted, oneAtATime, tooManyAtOnce, failedJobLost, lostInCrash, hiddenTooLong,
		doneTwice, waitedTooLong, workCutOff, doneAgainAfterStop, beganAfterStop, pollsWithoutPause, neverStops, gaveUp, hammers,
	},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "27 jobs are produced", Run: produce},
		{Name: "a job is refused", Run: refuse},
		{Name: "three workers do twelve jobs", Run: share},
		{Name: "a job fails at first", Run: fail},
		{Name: "a process dies in the middle of a job", Run: crash},
		{Name: "a job takes an hour", Run: long},
		{Name: "many jobs wait, each takes 20 seconds", Run: backlog},
		{Name: "the process is told to stop in the middle of a job", Run: stop},
		{Name: "SQS has a bad minute", Run: refusing},
		{Name: "little to do", Run: idle},
	},
}

const (
	recovery = 2 * time.Minute  // after a crash, until somebody else can have the job
	toStop   = 30 * time.Second // what a stopping process is given, after its work

	badMinute = time.Minute
	hammering = 1200 // calls in it; a pause of 50 ms between two makes fewer
)

func produce(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	p := l.Process("producer")
	var jobs []string
	for i := range 27 {
		jobs = append(jobs, fmt.Sprintf("label for parcel %02d", i+1))
	}
	if err := p.Do(func(ctx context.Context) error { return impl.Produce(ctx, client(p), q.url, jobs) }); err != nil {
		l.Report(notSent, fmt.Sprintf("Produce returned the error %q.", err), "It sends 27 jobs and returns nil.")
		return
	}
	got := q.drain()
	if !slices.Equal(got, jobs) { // drain sorts
		l.Report(notSent, fmt.Sprintf("Produce was given 27 jobs. In the queue were %d messages, the last of them %.80q.", len(got), last(got)), "Each job is the body of one message.")
		return
	}
	if err := p.Do(func(ctx context.Context) error { return impl.Produce(ctx, client(p), q.url, nil) }); err != nil {
		l.Report(notSent, fmt.Sprintf("Produce was given no jobs and returned the error %q.", err), "It returns nil.")
	}
}

func last(bodies []string) string {
	if len(bodies) == 0 {
		return ""
	}
	return bodies[len(bodies)-1]
}

func refuse(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	p := l.Process("producer")
	jobs := []string{"label for parcel 1", "label for parcel \x01", "label for parcel 3"} // a control character that SQS does not take
	if err := p.Do(func(ctx context.Context) error { return impl.Produce(ctx, client(p), q.url, jobs) }); err == nil {
		l.Report(saidSent, fmt.Sprintf("The second of three jobs contains a character that SQS refuses. %d arrived, and Produce returned nil.", len(q.drain())), "Produce returns an error when a job did not get into the queue.")
		return
	}
	p.LoseRequest("SendMessage", grade.Always)
	p.LoseRequest("SendMessageBatch", grade.Always)
	if err := p.Do(func(ctx context.Context) error { return impl.Produce(ctx, client(p), q.url, jobs[:1]) }); err == nil {
		l.Report(saidSent, "SQS could not be reached, and Produce returned nil.", "Produce returns the error.")
	}
}

func share(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	const workers, jobs, each = 3, 12, 5 * time.Second
	q.send(jobs)
	start := time.Now()
	c := consume(l, impl, q, "consumer", workers, func(context.Context, string, int) error {
		time.Sleep(each)
		return nil
	})
	if !wait(l, time.Minute+30*time.Second, c) {
		return
	}
	w := c.summary()
	switch {
	case w.most > workers:
		l.Report(tooManyAtOnce, fmt.Sprintf("Up to %d jobs were being done at once.", w.most), fmt.Sprintf("With %d workers it is %d.", workers, workers))
	case w.distinct > 0 && w.most < 2:
		l.Report(oneAtATime, fmt.Sprintf("12 jobs of 5 s each with 3 workers: %d were done after 90 s, and never two at a time.", w.distinct), "They are done after 20 s, three at a time.")
	case w.distinct == jobs && w.finished(jobs).Sub(start) > 40*time.Second:
		l.Report(waitedTooLong, fmt.Sprintf("12 jobs of 5 s each with 3 workers: they were done after %v.", w.finished(jobs).Sub(start).Round(time.Second)), "They are done after 20 s.")
	case w.distinct < jobs:
		l.Report(notDone, fmt.Sprintf("After 90 s, %d of 12 jobs were done.", w.distinct), "All are done after 20 s.")
	case w.begun > jobs:
		l.Report(neverDeleted, fmt.Sprintf("12 jobs were sent, and do was called %d times in 90 s: for %s more than once.", w.begun, w.again), "Each job is done once and deleted.")
	default:
		if c.stop(l) && q.count() > 0 {
			l.Report(neverDeleted, fmt.Sprintf("All jobs were done; %d are still in the queue.", q.count()), "What is done is deleted.")
		}
	}
}

func fail(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	q.send(3)
	c := consume(l, impl, q, "consumer", 1, func(_ context.Context, job string, times int) error {
		time.Sleep(time.Second)
		if job == "job 2" && times == 1 {
			return errors.New("out of paper")
		}
		return nil
	})
	if !wait(l, recovery+time.Minute, c) {
		return
	}
	w := c.summary()
	switch {
	case c.ended():
		l.Report(gaveUp, fmt.Sprintf("do returned an error, and Consume returned: %v.", c.err), "Consume goes on until ctx ends.")
	case w.times["job 2"] == 1 && q.count() > 0:
		l.Report(hiddenTooLong, "do returned an error for job 2. Three minutes later the job was still hidden.", "It becomes visible soon, and is tried again.")
	case w.times["job 2"] < 2:
		l.Report(failedJobLost, "do returned an error for job 2. It was not called with it again in three minutes.", "A failed job comes back and is tried again.")
	default:
		if c.stop(l) && q.count() > 0 {
			l.Report(neverDeleted, fmt.Sprintf("At the second try job 2 was done; %d messages are still in the queue.", q.count()), "What is done is deleted.")
		}
	}
}

func crash(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	q.send(1)
	first := l.Process("first process")
	consumeIn(first, impl, q, 1, func(ctx context.Context, _ string, _ int) error {
		time.Sleep(45 * time.Second)
		first.Crash()
		return ctx.Err()
	})
	for range 60 {
		if time.Sleep(time.Second); first.Crashed() {
			break
		}
	}
	if !first.Crashed() {
		l.Report(notDone, "There was one job in the queue, and after a minute no worker had been at it for 45 s.", "A worker takes it at once.")
		return
	}
	second := consume(l, impl, q, "second process", 1, func(context.Context, string, int) error { return nil })
	if !wait(l, recovery, second) {
		return
	}
	if second.summary().distinct == 0 {
		if q.count() == 0 {
			l.Report(lostInCrash, "A process died while it did a job. The job is gone.", "It is still in the queue, and another process does it.")
		} else {
			l.Report(hiddenTooLong, "A process died while it did a job. Two minutes later the job was still hidden from another process.", "It becomes visible soon, and another process does it.")
		}
		return
	}
	second.stop(l)
}

func long(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	q.send(2)
	do := func(ctx context.Context, job string, _ int) error {
		if job == "job 1" {
			time.Sleep(time.Hour)
		}
		return ctx.Err()
	}
	consumers := []*consumer{
		consume(l, impl, q, "first process", 2, do), consume(l, impl, q, "second process", 2, do),
	}
	if !wait(l, time.Hour+time.Minute, consumers...) {
		return
	}
	begun, done := 0, 0
	for _, c := range consumers {
		w := c.summary()
		begun += w.times["job 1"]
		if _, ok := w.done["job 1"]; ok {
			done++
		}
	}
	switch {
	case begun > 1:
		l.Report(doneTwice, fmt.Sprintf("A job took an hour. In this time it was begun %d times.", begun), "It is done once: nobody else gets it while a worker is at it.")
	case done == 0:
		l.Report(notDone, "A job took an hour. A minute later it was not done.", "do is called once and runs to its end.")
	default:
		for _, c := range consumers {
			if !c.stop(l) {
				return
			}
		}
		if n := q.count(); n > 0 {
			l.Report(neverDeleted, fmt.Sprintf("A job took an hour and another one no time. Both were done; %d are still in the queue.", n), "What is done is deleted.")
			return
		}
		l.Cost(1, 1000) // the job of an hour: its heartbeats, and three workers who wait meanwhile
	}
}

func backlog(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	const jobs = 10
	q.send(jobs)
	do := func(context.Context, string, int) error {
		time.Sleep(20 * time.Second)
		return nil
	}
	consumers := []*consumer{
		consume(l, impl, q, "first process", 1, do), consume(l, impl, q, "second process", 1, do),
	}
	if !wait(l, 5*time.Minute, consumers...) {
		return
	}
	times := map[string]int{}
	for _, c := range consumers {
		for job, n := range c.summary().times {
			times[job] += n
		}
	}
	for i := range jobs {
		job := fmt.Sprintf("job %d", i+1)
		if times[job] > 1 {
			l.Report(waitedTooLong, fmt.Sprintf("Ten jobs of 20 s each waited, and two processes with a worker each did them. %s was done %d times.", job, times[job]), "Each job is done once.")
			return
		}
		if times[job] == 0 {
			l.Report(notDone, fmt.Sprintf("Ten jobs of 20 s each waited. After five minutes, %s was not done.", job), "Each job is done once.")
			return
		}
	}
	for _, c := range consumers {
		if !c.stop(l) {
			return
		}
	}
}

func stop(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	q.send(5)
	c := consume(l, impl, q, "consumer", 1, func(ctx context.Context, _ string, _ int) error {
		select {
		case <-time.After(20 * time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	time.Sleep(10 * time.Second)
	before := c.summary()
	if before.begun != 1 {
		l.Report(notDone, fmt.Sprintf("Five jobs waited and there was one worker. After 10 s, %d were being done.", before.begun), "One is.")
		return
	}
	c.cancel()
	select {
	case <-c.done:
	case <-time.After(10*time.Second + toStop):
		if after := c.summary(); after.begun > 1 {
			l.Report(beganAfterStop, fmt.Sprintf("ctx ended in the middle of a job. Then %d more were begun.", after.begun-1), "What is being done is finished, and no new job is begun.")
			return
		}
		l.Report(neverStops, "ctx ended in the middle of a job. Half a minute after the job's end Consume had not returned.", "Consume returns when what is being done is finished.")
		return
	}
	returned := time.Now()
	time.Sleep(time.Minute)
	after := c.summary()
	left := q.count()
	switch {
	case after.begun > 1:
		l.Report(beganAfterStop, fmt.Sprintf("ctx ended in the middle of a job. Then %d more were begun.", after.begun-1), "What is being done is finished, and no new job is begun.")
	case len(after.done) == 0:
		l.Report(workCutOff, "ctx ended in the middle of a job, and so did the context of do.", "The context of do goes on; do runs to its end.")
	case after.finished(1).After(returned):
		l.Report(workCutOff, "ctx ended in the middle of a job. Consume returned, and do went on.", "Consume returns when do has returned.")
	case left == 5:
		l.Report(doneAgainAfterStop, "ctx ended in the middle of a job. The job was done, and it is still in the queue.", "What is done is deleted before Consume returns.")
	case left < 4:
		l.Report(lostInCrash, fmt.Sprintf("One of five jobs was done before the process stopped; %d are left in the queue.", left), "The other four stay in the queue.")
	case c.err != nil && !errors.Is(c.err, context.Canceled):
		l.Report(gaveUp, fmt.Sprintf("Consume returned the error %q.", c.err), "It returns nil.")
	}
}

func refusing(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	q.send(4)
	p := l.Process("consumer")
	p.Outage(badMinute)
	began := time.Now()
	c := consumeIn(p, impl, q, 1, func(context.Context, string, int) error { return nil })
	for range int(badMinute / time.Second) {
		time.Sleep(time.Second)
		if n := p.Refused(); n > hammering {
			l.Report(hammers, fmt.Sprintf("SQS was down, and one worker called it %d times within %v.", n, time.Since(began).Round(time.Second)), "It waits a little before it calls again.")
			return
		}
	}
	if !wait(l, 5*time.Minute, c) {
		return
	}
	w := c.summary()
	switch {
	case c.ended():
		l.Report(gaveUp, fmt.Sprintf("SQS refused all calls for a minute, and Consume returned: %v.", c.err), "Consume tries again until ctx ends.")
	case w.distinct < 4:
		l.Report(gaveUp, fmt.Sprintf("SQS refused all calls for a minute. Five minutes after that, %d of 4 jobs were done.", w.distinct), "Consume tries again until ctx ends.")
	default:
		c.stop(l)
	}
}

// idle looks at the price: a few jobs, and much time without any.
func idle(l *grade.Lab, impl Implementation) {
	q := newQueue(l)
	const jobs = 20
	producer := l.Process("producer")
	var bodies []string
	for i := range jobs {
		bodies = append(bodies, fmt.Sprintf("job %d", i+1))
	}
	c := consume(l, impl, q, "consumer", 2, func(context.Context, string, int) error { return nil })
	if err := producer.Do(func(ctx context.Context) error { return impl.Produce(ctx, client(producer), q.url, bodies) }); err != nil {
		l.Report(notSent, fmt.Sprintf("Produce returned the error %q.", err), "It sends 20 jobs and returns nil.")
		return
	}
	if !wait(l, 30*time.Second, c) {
		return
	}
	if w := c.summary(); w.distinct < jobs {
		l.Report(notDone, fmt.Sprintf("Half a minute after 20 jobs were sent, %d were done.", w.distinct), "Jobs that take no time are done at once.")
		return
	}
	if c.stop(l) {
		l.Cost(jobs, 2.00)
	}
}

// queue is the scenario's queue, as the grader sees it.
type queue struct {
	lab  *grade.Lab
	ours *sqs.Client
	url  string
}

func newQueue(l *grade.Lab) *queue {
	ours := sqs.NewFromConfig(l.Cloud().AWS())
	created, err := ours.CreateQueue(l.Context(), &sqs.CreateQueueInput{QueueName: aws.String("labels")})
	if err != nil {
		panic(err)
	}
	return &queue{lab: l, ours: ours, url: aws.ToString(created.QueueUrl)}
}

// send puts "job 1" to "job n" into the queue.
func (q *queue) send(n int) {
	for i := range n {
		_, err := q.ours.SendMessage(q.lab.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(q.url), MessageBody: aws.String(fmt.Sprintf("job %d", i+1))})
		if err != nil {
			panic(err)
		}
	}
}

// drain takes everything out of the queue and returns the bodies, sorted.
func (q *queue) drain() []string {
	var bodies []string
	for {
		got, err := q.ours.ReceiveMessage(q.lab.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(q.url), MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			panic(err)
		}
		if len(got.Messages) == 0 {
			slices.Sort(bodies)
			return bodies
		}
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
		}
	}
}

// count returns how many messages are in the queue, hidden ones included.
func (q *queue) count() int {
	names := []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	got, err := q.ours.GetQueueAttributes(q.lab.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(q.url), AttributeNames: names})
	if err != nil {
		panic(err)
	}
	total := 0
	for _, name := range names {
		n := 0
		if _, err := fmt.Sscan(got.Attributes[string(name)], &n); err != nil {
			panic(err)
		}
		total += n
	}
	return total
}

func client(p *grade.Process) *sqs.Client { return sqs.NewFromConfig(p.AWS()) }

// consumer is a process in which the learner's Consume runs.
type consumer struct {
	process *grade.Process
	workers int
	cancel  context.CancelFunc
	done    chan struct{} // closed when Consume has returned
	err     error         // what it returned

	mu  sync.Mutex
	now int // how many are being done
	log summary
}

// summary is what a consumer's calls of do amount to.
type summary struct {
	begun, most int
	times       map[string]int         // how often each job was begun
	done        map[string][]time.Time // when do returned nil
	distinct    int                    // jobs that were done
	again       string                 // jobs that were begun more than once
}

// finished returns when the n-th call of do ended well, or the zero time.
func (s summary) finished(n int) time.Time {
	var ends []time.Time
	for _, t := range s.done {
		ends = append(ends, t...)
	}
	slices.SortFunc(ends, time.Time.Compare)
	if len(ends) < n {
		return time.Time{}
	}
	return ends[n-1]
}

// consume starts a process with Consume in it. do is told how often its job was begun, this time included.
func consume(l *grade.Lab, impl Implementation, q *queue, name string, workers int, do func(ctx context.Context, job string, times int) error) *consumer {
	return consumeIn(l.Process(name), impl, q, workers, do)
}

func consumeIn(p *grade.Process, impl Implementation, q *queue, workers int, do func(ctx context.Context, job string, times int) error) *consumer {
	c := &consumer{process: p, workers: workers, done: make(chan struct{})}
	c.log.times, c.log.done = map[string]int{}, map[string][]time.Time{}
	started := make(chan struct{})
	p.Go(func(ctx context.Context) error {
		ctx, c.cancel = context.WithCancel(ctx)
		close(started)
		defer close(c.done)
		c.err = impl.Consume(ctx, client(p), q.url, workers, func(ctx context.Context, job string) error {
			if p.Crashed() {
				return errors.New("the process is dead")
			}
			c.mu.Lock()
			c.log.times[job]++
			times := c.log.times[job]
			c.log.begun++
			c.now++
			c.log.most = max(c.log.most, c.now)
			c.mu.Unlock()
			err := do(ctx, job, times)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.now--
			if err == nil && !p.Crashed() {
				c.log.done[job] = append(c.log.done[job], time.Now())
			}
			return err
		})
		return nil
	})
	<-started
	return c
}

func (c *consumer) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *consumer) summary() summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.log
	s.times, s.done = map[string]int{}, map[string][]time.Time{}
	var again []string
	for job, n := range c.log.times {
		s.times[job] = n
		if n > 1 {
			again = append(again, job)
		}
	}
	for job, ends := range c.log.done {
		s.done[job] = slices.Clone(ends)
	}
	s.distinct = len(s.done)
	slices.Sort(again)
	s.again = strings.Join(again, ", ")
	return s
}

// wait lets d pass, and reports if a consumer polls as fast as it can meanwhile.
func wait(l *grade.Lab, d time.Duration, consumers ...*consumer) bool {
	const most = 20 // receives a second and worker; a pause of 50 ms between two makes fewer
	for began := time.Now(); ; {
		took := time.Since(began)
		for _, c := range consumers {
			n := c.process.Calls("ReceiveMessage")
			if n > 500+most*c.workers*int(took.Seconds()) {
				l.Report(pollsWithoutPause, fmt.Sprintf("%d jobs were done, and %d workers called ReceiveMessage %d times in %v.", c.summary().distinct, c.workers, n, took.Round(time.Second)), "A worker with nothing to do calls it three times a minute.")
				return false
			}
		}
		if took >= d {
			return true
		}
		time.Sleep(min(10*time.Second, d-took))
	}
}

// stop ends the context of a consumer that does nothing just now, and reports if it does not return.
func (c *consumer) stop(l *grade.Lab) bool {
	if c.ended() {
		l.Report(gaveUp, fmt.Sprintf("Consume returned before ctx ended: %v.", c.err), "It goes on until ctx ends.")
		return false
	}
	c.cancel()
	select {
	case <-c.done:
	case <-time.After(toStop):
		l.Report(neverStops, "ctx ended while there was nothing to do, and half a minute later Consume had not returned.", "Consume returns when ctx has ended.")
		return false
	}
	if c.err != nil && !errors.Is(c.err, context.Canceled) { // which is as good as nil
		l.Report(gaveUp, fmt.Sprintf("ctx ended, and Consume returned the error %q.", c.err), "It returns nil.")
		return false
	}
	return true
}
