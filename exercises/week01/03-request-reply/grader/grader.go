// Package grader checks the exercise.
package grader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is what the exercise asks for.
type Implementation struct {
	NewRequester func(client *sqs.Client, requestsURL, repliesURL string) Requester
	Respond      func(ctx context.Context, client *sqs.Client, requestsURL string, answer func(ctx context.Context, question string) (string, error)) error
}

var (
	notTheFormat = grade.Finding{
		Name: "not-the-format", Func: "NewRequester",
		Cause:  "A message does not carry what the contract says: the text as its body, and CorrelationId and, on a request, ReplyTo as message attributes of the type String.",
		Lesson: "week01#request-reply",
		NoCase: "the names stand in the contract",
	}
	noAnswer = grade.Finding{
		Name: "no-answer", Func: "NewRequester",
		Cause:  "The reply was in the queue, and did not get to the Ask that waited for it. Message attributes are returned only to those who ask for them, with MessageAttributeNames: without it every CorrelationId is empty.",
		Lesson: "week01#request-reply",
	}
	replyLeftBehind = grade.Finding{
		Name: "reply-left-behind", Func: "NewRequester",
		Cause:  "A reply was received and not deleted, so it comes back, again and again, for days. Delete every reply, the unwanted ones as well.",
		Lesson: "week01#request-reply",
	}
	replyLeftOnStop = grade.Finding{
		Name: "reply-left-on-stop", Func: "NewRequester",
		Cause:  "ctx ended while Run had a reply in its hands, and the delete used that context, so it failed. Delete with context.WithoutCancel(ctx) and a timeout, and return after that.",
		Lesson: "week01#the-traps",
	}
	mixedUp = grade.Finding{
		Name: "answers-mixed-up", Func: "NewRequester",
		Cause:  "Whoever receives a reply takes it for theirs. Replies come in any order: compare the correlation id.",
		Lesson: "week01#request-reply",
	}
	answerDelayed = grade.Finding{
		Name: "answer-delayed", Func: "NewRequester",
		Cause:  "Each Ask receives for itself and leaves the replies of the others alone. But receiving has hidden them, for the whole visibility timeout. Let one goroutine receive, and hand each reply to the Ask that waits for it.",
		Lesson: "week01#request-reply",
	}
	answerLost = grade.Finding{
		Name: "answer-lost", Func: "NewRequester",
		Cause:  "Each Ask receives for itself and deletes what is not for it: the answers of others. Let one goroutine receive, and hand each reply to the Ask that waits for it.",
		Lesson: "week01#request-reply",
	}
	ignoresTimeout = grade.Finding{
		Name: "ignores-timeout", Func: "NewRequester",
		Cause:  "Ask waits for the reply alone. The responder may be down, and the caller has said with ctx how long it is worth waiting: select on both. Wrap ctx.Err() with %w, so that the caller can tell.",
		Lesson: "week01#request-reply",
	}
	lateReplyTaken = grade.Finding{
		Name: "late-reply-taken", Func: "NewRequester",
		Cause:  "The correlation id of the second request was that of the first, for instance because it is made of the question. An id must be new for each request.",
		Lesson: "week01#request-reply",
	}
	answerFromBefore = grade.Finding{
		Name: "answer-from-before", Func: "NewRequester",
		Cause:  "Your correlation ids start again with the process, and the replies to the last one's requests are still in the queue. Take random ids: crypto/rand's Text, or a UUID.",
		Lesson: "week01#request-reply",
	}
	stalled = grade.Finding{
		Name: "stalled-by-unwanted-reply", Func: "NewRequester",
		Cause:  "A reply came that nobody waited for: too late, or for the second time. Run stopped at it, most likely sending to a channel that nobody receives from, and does not get to the replies behind it. Give each Ask's channel room for one, forget it when Ask returns, and drop what has no owner.",
		Lesson: "week01#request-reply",
	}
	noReply = grade.Finding{
		Name: "no-reply", Func: "Respond",
		Cause:  "A request was in the queue, and its return address got no reply. Message attributes are returned only to those who ask for them, with MessageAttributeNames.",
		Lesson: "week01#request-reply",
		NoCase: "who forgets to ask for attributes is told of no-answer first",
	}
	requestLeftBehind = grade.Finding{
		Name: "request-left-behind", Func: "Respond",
		Cause:  "The request was answered and not deleted, so it comes back and is answered again.",
		Lesson: "week01#point-to-point",
	}
	requestLost = grade.Finding{
		Name: "request-lost-in-crash", Func: "Respond",
		Cause:  "You deleted the request before the reply was sent. When the process died between the two, nobody was left to answer.",
		Lesson: "week01#point-to-point",
	}
	hiddenTooLong = grade.Finding{
		Name: "hidden-too-long", Func: "Respond",
		Cause:  "Your visibility timeout is so long that a request stays hidden when answer has failed or the process has died. An answer takes ten seconds at most: the queue's 30 s are enough for one request at a time.",
		Lesson: "week01#the-traps",
	}
	failedDropped = grade.Finding{
		Name: "failed-request-dropped", Func: "Respond",
		Cause:  "answer returned an error and you deleted the request, or replied. Leave it: it becomes visible again and is tried again.",
		Lesson: "week01#point-to-point",
	}
	cutOff = grade.Finding{
		Name: "answer-cut-off", Func: "Respond",
		Cause:  "When ctx ended, what was being answered ended too, or its reply could not be sent any more. Answer, reply and delete with context.WithoutCancel(ctx).",
		Lesson: "week01#the-traps",
	}
	neverStops = grade.Finding{
		Name: "never-stops", Func: "NewRequester",
		Cause:  "A loop goes on after ctx has ended. ReceiveMessage returns an error then; do you take it for one to try again after?",
		Lesson: "week01#the-traps",
		NoCase: "02-point-to-point has it",
	}
	gaveUp = grade.Finding{
		Name: "gave-up", Func: "NewRequester",
		Cause:  "You return when a call to SQS fails, or you wait too long between tries. Wait a little and go on, until ctx ends.",
		Lesson: "week01#sqs",
	}
	hammers = grade.Finding{
		Name: "hammers-when-refused", Func: "NewRequester",
		Cause:  "When a call fails you try again at once. The client pauses only between the few tries of one call, and not at all if its retries are turned off or used up. A service in trouble gets hundreds of calls a second from each process then. Wait a second before you go on.",
		Lesson: "week01#sqs",
	}
)

// Exercise is what is checked.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"aws"},
	Findings: []grade.Finding{
		notTheFormat, noAnswer, replyLeftBehind, replyLeftOnStop, mixedUp, answerDelayed, answerLost, ignoresTimeout, lateReplyTaken,
		answerFromBefore, stalled, noReply, requestLeftBehind, requestLost, hiddenTooLong, failedDropped, cutOff, neverStops, gaveUp,
		hammers,
	},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "one question is asked", Run: one},
		{Name: "ten questions are asked at once", Run: many},
		{Name: "the reply comes too late", Run: late},
		{Name: "replies come twice", Run: twice},
		{Name: "a requester dies and is started again", Run: restart},
		{Name: "a requester is told to stop with a reply in its hands", Run: stopRequester},
		{Name: "two requests wait for a responder", Run: respond},
		{Name: "a responder dies before it replies", Run: crash},
		{Name: "the answer fails at first", Run: fail},
		{Name: "a responder is told to stop in the middle of an answer", Run: stop},
		{Name: "SQS has a bad minute", Run: refusing},
		{Name: "three requesters, two responders, and requests that come twice", Run: together},
	},
}

const (
	soon     = 5 * time.Second  // for what takes a few calls
	recovery = 2 * time.Minute  // after a crash or an error, until somebody else can have the request
	slack    = 30 * time.Second // and has answered it
	toStop   = 30 * time.Second

	badMinute = time.Minute
	hammering = 1200 // calls in it; a pause of 50 ms between two makes fewer
)

func one(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	shop := d.requester(impl, "requester", "replies")
	var mu sync.Mutex
	format := ""
	d.serve(func(r request) {
		mu.Lock()
		switch {
		case r.question != "how much is the fish?":
			format = fmt.Sprintf("The body of the request is %.80q.", r.question)
		case r.id == "":
			format = "The request has no message attribute CorrelationId of the type String."
		case r.replyTo != shop.repliesURL:
			format = fmt.Sprintf("The request's message attribute ReplyTo is %.120q.", r.replyTo)
		}
		mu.Unlock()
		d.reply(r, "4.20")
	})
	a := shop.ask("how much is the fish?", 20*time.Second)
	mu.Lock()
	defer mu.Unlock()
	switch {
	case format != "":
		l.Report(notTheFormat, format, "The body is the question, CorrelationId an id, ReplyTo the URL of the requester's reply queue.")
	case !a.returned:
		l.Report(noAnswer, fmt.Sprintf("A reply was sent; Ask had not returned after %v.", a.took), "Ask returns the answer at once.")
	case a.err != nil:
		l.Report(noAnswer, fmt.Sprintf("Ask returned the error %q after %v.", a.err, a.took), "Ask returns the answer at once.")
	case a.answer != "4.20":
		l.Report(mixedUp, fmt.Sprintf("The reply was \"4.20\", Ask returned %q.", a.answer), "Ask returns the body of the reply.")
	case a.took > soon:
		l.Report(noAnswer, fmt.Sprintf("Ask returned the answer after %v.", a.took), "Ask returns the answer at once.")
	case d.count(shop.repliesURL) > 0:
		time.Sleep(soon)
		if n := d.count(shop.repliesURL); n > 0 {
			l.Report(replyLeftBehind, "Ask returned the answer, and the reply is still in the queue.", "A reply that was received is deleted.")
			return
		}
		shop.stop()
	default:
		shop.stop()
	}
}

// many answers in the reverse order, a little apart.
func many(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	shop := d.requester(impl, "requester", "replies")
	const n = 10
	d.serve(func(r request) {
		i := 0
		_, _ = fmt.Sscanf(r.question, "price of %d?", &i)
		time.Sleep(2*time.Second + time.Duration(n-i)*150*time.Millisecond)
		d.reply(r, fmt.Sprintf("%d.00", i))
	})
	asks := make([]asked, n)
	var group sync.WaitGroup
	for i := range asks {
		group.Go(func() { asks[i] = shop.ask(fmt.Sprintf("price of %d?", i), 5*time.Minute) })
	}
	group.Wait()
	for i, a := range asks {
		if a.err == nil && a.returned && a.answer != fmt.Sprintf("%d.00", i) {
			l.Report(mixedUp, fmt.Sprintf("Ten questions were asked at once. \"price of %d?\" got the answer %q.", i, a.answer), fmt.Sprintf("It gets its own, \"%d.00\".", i))
			return
		}
	}
	for i, a := range asks {
		switch {
		case (a.err != nil || !a.returned) && d.count(shop.repliesURL) > 0:
			l.Report(answerDelayed, fmt.Sprintf("Ten questions were asked at once, and each was answered within 4 s. After 5 minutes \"price of %d?\" had no answer, with replies still in the queue.", i), "Each Ask returns its answer at once.")
			return
		case a.err != nil || !a.returned:
			l.Report(answerLost, fmt.Sprintf("Ten questions were asked at once, and each was answered within 4 s. After 5 minutes \"price of %d?\" had no answer.", i), "Each Ask returns its answer at once.")
			return
		case a.took > 20*time.Second:
			l.Report(answerDelayed, fmt.Sprintf("Ten questions were asked at once, and each was answered within 4 s. Ask returned one of the answers after %v.", a.took), "Each Ask returns its answer at once.")
			return
		}
	}
	shop.stop()
}

func late(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	shop := d.requester(impl, "requester", "replies")
	var mu sync.Mutex
	n := 0
	d.serve(func(r request) {
		mu.Lock()
		n++
		answer := fmt.Sprintf("answer %d", n)
		first := n == 1
		mu.Unlock()
		if first {
			time.Sleep(10 * time.Second)
		} else {
			time.Sleep(7 * time.Second) // the late one comes before it
		}
		d.reply(r, answer)
	})
	const question = "is it raining?"
	a := shop.ask(question, 6*time.Second)
	switch {
	case !a.returned || a.took > 8*time.Second:
		l.Report(ignoresTimeout, "ctx ended after 6 s without a reply, and Ask did not return.", "Ask returns when ctx ends.")
		return
	case a.err == nil:
		l.Report(ignoresTimeout, fmt.Sprintf("ctx ended after 6 s without a reply. Ask returned %q and no error.", a.answer), "Ask returns an error that wraps ctx.Err().")
		return
	case !errors.Is(a.err, context.DeadlineExceeded):
		l.Report(ignoresTimeout, fmt.Sprintf("ctx ended after 6 s without a reply. Ask returned the error %q, which does not wrap ctx.Err().", a.err), "errors.Is(err, context.DeadlineExceeded) is true.")
		return
	}
	for i := 2; i <= 4; i++ {
		a := shop.ask(question, time.Minute)
		want := fmt.Sprintf("answer %d", i)
		switch {
		case !a.returned || a.err != nil:
			l.Report(stalled, fmt.Sprintf("The reply to a question came after its Ask had given up. The question was asked again, and answered; that Ask returned no answer (error: %v).", a.err), "The late reply is dropped, and does not disturb.")
			return
		case a.answer != want:
			l.Report(lateReplyTaken, fmt.Sprintf("A question was asked %d times, as the first Ask had given up. This Ask got %q.", i, a.answer), fmt.Sprintf("It gets the answer to its own request, %q.", want))
			return
		}
	}
	time.Sleep(soon)
	if d.count(shop.repliesURL) > 0 {
		l.Report(replyLeftBehind, "A reply came after its Ask had given up. It is still in the queue.", "It is received, deleted and given to nobody.")
		return
	}
	shop.stop()
}

func twice(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	shop := d.requester(impl, "requester", "replies")
	d.serve(func(r request) {
		for range 3 {
			d.reply(r, "re: "+r.question)
		}
	})
	for i := range 5 {
		question := fmt.Sprintf("question %d", i+1)
		a := shop.ask(question, time.Minute)
		switch {
		case !a.returned || a.err != nil:
			l.Report(stalled, fmt.Sprintf("Each question is answered with three copies of the reply. %q got no answer.", question), "The copies that nobody waits for are dropped.")
			return
		case a.answer != "re: "+question:
			l.Report(mixedUp, fmt.Sprintf("Each question is answered with three copies of the reply. %q got the answer %q.", question, a.answer), "It gets its own.")
			return
		}
	}
	time.Sleep(soon)
	if n := d.count(shop.repliesURL); n > 0 {
		l.Report(replyLeftBehind, fmt.Sprintf("Each question was answered with three copies of the reply. %d messages are left in the reply queue.", n), "All are deleted.")
		return
	}
	shop.stop()
}

func restart(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	var mu sync.Mutex
	var held, fresh []request
	open := false
	d.serve(func(r request) {
		mu.Lock()
		if !open {
			held = append(held, r)
			mu.Unlock()
			return
		}
		fresh = append(fresh, r)
		mu.Unlock()
		time.Sleep(3 * time.Second)
		d.reply(r, "re: "+r.question)
	})
	before := d.requester(impl, "first process", "replies")
	for i := range 3 {
		question := fmt.Sprintf("old question %d", i+1)
		before.process.Go(func(ctx context.Context) error {
			if before.r != nil {
				_, _ = before.r.Ask(ctx, question)
			}
			return nil
		})
		time.Sleep(soon)
	}
	before.process.Crash()
	time.Sleep(time.Minute) // what a long poll of the dead process received is visible again
	mu.Lock()
	open = true
	for _, r := range held {
		d.reply(r, "re: "+r.question)
	}
	old := slices.Clone(held)
	mu.Unlock()
	after := d.requester(impl, "second process", "replies")
	for i := range 3 {
		question := fmt.Sprintf("new question %d", i+1)
		a := after.ask(question, time.Minute)
		switch {
		case !a.returned || a.err != nil:
			l.Report(stalled, fmt.Sprintf("A process died before the replies to its questions came. Its successor found them in the queue, and %q got no answer.", question), "Replies that nobody waits for are dropped.")
			return
		case strings.Contains(a.answer, "old"):
			l.Report(answerFromBefore, fmt.Sprintf("A process died before the replies to its questions came. Its successor asked %q and got %q.", question, a.answer), "It gets the answer to its own request.")
			return
		case a.answer != "re: "+question:
			l.Report(mixedUp, fmt.Sprintf("%q got the answer %q.", question, a.answer), "It gets its own.")
			return
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if from, to := ids(old), ids(fresh); numbered(slices.Concat(old, fresh)) {
		l.Report(answerFromBefore,
			fmt.Sprintf("The ids of a process's requests were %s, and those of its successor's %s. A variable that counts survived here, where both are in one program; it does not survive a process.", from, to),
			"A process never uses an id of the one before it.")
		return
	}
	after.stop()
}

func ids(requests []request) string {
	var ids []string
	for _, r := range requests {
		ids = append(ids, r.id)
	}
	return strings.Join(ids, ", ")
}

// numbered says whether the ids of all requests are small numbers. Nothing but a count from the process's start makes them so.
func numbered(requests []request) bool {
	return !slices.ContainsFunc(requests, func(r request) bool {
		n, err := strconv.Atoi(r.id)
		return err != nil || n < 0 || n > 1000
	})
}

// stopRequester ends the context of Run when the answer is there and the reply not yet deleted.
func stopRequester(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	shop := d.requester(impl, "requester", "replies")
	d.serve(func(r request) {
		time.Sleep(2 * time.Second)
		d.reply(r, "4.20")
	})
	shop.process.Delay("DeleteMessage", 500*time.Millisecond)
	shop.process.Delay("DeleteMessageBatch", 500*time.Millisecond)
	a := shop.ask("how much is the fish?", time.Minute)
	if !a.returned || a.err != nil {
		l.Report(noAnswer, fmt.Sprintf("A reply was sent, and Ask returned no answer (error: %v).", a.err), "Ask returns the answer.")
		return
	}
	if !shop.stop() {
		return
	}
	if d.count(shop.repliesURL) > 0 {
		l.Report(replyLeftOnStop, "Ask returned the answer, and at once ctx ended. Run returned, and the reply is still in the queue.", "What Run has received is deleted before it returns.")
	}
}

func respond(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	first, second := d.queue("first"), d.queue("second")
	d.send(d.requests, "how much is the fish?", map[string]string{CorrelationID: "id 1", ReplyTo: first})
	d.send(d.requests, "how much is the bread?", map[string]string{CorrelationID: "id 2", ReplyTo: second})
	s := d.responder(impl, "responder", shout)
	for queueURL, want := range map[string][2]string{first: {"id 1", "HOW MUCH IS THE FISH?"}, second: {"id 2", "HOW MUCH IS THE BREAD?"}} {
		m := d.receive(queueURL, 20)
		switch {
		case m == nil:
			l.Report(noReply, "A request waited. After 20 s there was no reply in the queue that its ReplyTo names.", "The reply goes to the request's return address.")
			return
		case aws.ToString(m.Body) != want[1]:
			l.Report(notTheFormat, fmt.Sprintf("The reply's body is %.80q.", aws.ToString(m.Body)), fmt.Sprintf("It is what answer returned, %q.", want[1]))
			return
		case attribute(*m, CorrelationID) != want[0]:
			l.Report(notTheFormat, fmt.Sprintf("The request's CorrelationId was %q, the reply's is %q.", want[0], attribute(*m, CorrelationID)), "The reply carries the request's.")
			return
		}
	}
	time.Sleep(soon)
	if n := d.count(d.requests); n > 0 {
		l.Report(requestLeftBehind, fmt.Sprintf("Two requests were answered; %d are still in the queue.", n), "A request that was answered is deleted.")
		return
	}
	s.stop()
}

func crash(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	replies := d.queue("replies")
	d.send(d.requests, "how much is the fish?", map[string]string{CorrelationID: "id 1", ReplyTo: replies})
	p := l.Process("first responder")
	p.CrashBefore("SendMessage")
	p.CrashBefore("SendMessageBatch")
	d.responderIn(p, impl, shout)
	for range 30 {
		if time.Sleep(time.Second); p.Crashed() {
			break
		}
	}
	if !p.Crashed() {
		l.Report(noReply, "A request waited, and after 30 s no reply had been sent.", "It is answered at once.")
		return
	}
	second := d.responder(impl, "second responder", shout)
	var m *types.Message
	for began := time.Now(); m == nil && time.Since(began) < recovery+slack; {
		m = d.receive(replies, 20)
	}
	switch {
	case m != nil:
		second.stop()
	case d.count(d.requests) == 0:
		l.Report(requestLost, "A responder died when it was about to reply. The request is gone.", "The request is still in the queue, and another responder answers it.")
	case second.ended():
		l.Report(gaveUp, fmt.Sprintf("A request was in the queue, and Respond returned: %v.", second.err), "Respond goes on until ctx ends.")
	default:
		l.Report(hiddenTooLong, "A responder died when it was about to reply. Two and a half minutes later another one had not answered, and the request was still in the queue.", "Within two minutes it is visible again, and another responder answers it.")
	}
}

func fail(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	replies := d.queue("replies")
	d.send(d.requests, "how much is the fish?", map[string]string{CorrelationID: "id 1", ReplyTo: replies})
	var tries atomic.Int64
	s := d.responder(impl, "responder", func(context.Context, string) (string, error) {
		if tries.Add(1) == 1 {
			return "0.00", errors.New("the till is closed")
		}
		return "4.20", nil
	})
	var m *types.Message
	for began := time.Now(); m == nil && time.Since(began) < recovery+slack; {
		m = d.receive(replies, 20)
	}
	switch {
	case s.ended():
		l.Report(gaveUp, fmt.Sprintf("answer returned an error, and Respond returned: %v.", s.err), "Respond goes on until ctx ends.")
	case m == nil && tries.Load() == 1 && d.count(d.requests) > 0:
		l.Report(hiddenTooLong, "answer returned an error. Two and a half minutes later the request was still hidden.", "Within two minutes it is visible again, and is answered.")
	case m == nil:
		l.Report(failedDropped, fmt.Sprintf("answer returned an error. In the two and a half minutes after it was called %d times more, and there was no reply.", tries.Load()-1), "The request comes back, is answered and replied to.")
	case aws.ToString(m.Body) != "4.20":
		l.Report(failedDropped, fmt.Sprintf("answer returned an error, and there was a reply: %q.", aws.ToString(m.Body)), "There is no reply until answer succeeds.")
	default:
		s.stop()
	}
}

func stop(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	replies := d.queue("replies")
	d.send(d.requests, "how much is the fish?", map[string]string{CorrelationID: "id 1", ReplyTo: replies})
	begun := make(chan struct{}, 10)
	s := d.responder(impl, "responder", func(ctx context.Context, _ string) (string, error) {
		begun <- struct{}{}
		select {
		case <-time.After(10 * time.Second):
			return "4.20", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
	select {
	case <-begun:
	case <-time.After(toStop):
		l.Report(noReply, "A request waited, and after 30 s answer had not been called.", "It is answered at once.")
		return
	}
	time.Sleep(time.Second)
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(9*time.Second + toStop):
		l.Report(neverStops, "ctx ended in the middle of an answer. Half a minute after the answer Respond had not returned.", "Respond returns when the answer is sent.")
		return
	}
	const expected = "The answer is given to its end and sent, and the request deleted, before Respond returns."
	switch {
	case d.receive(replies, 1) == nil:
		l.Report(cutOff, "ctx ended in the middle of an answer. Respond returned, and there was no reply.", expected)
	case d.count(d.requests) > 0:
		l.Report(cutOff, "ctx ended in the middle of an answer. The reply was sent, and the request is still in the queue.", expected)
	}
}

func refusing(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	began := time.Now()
	requester, responder := l.Process("requester"), l.Process("responder")
	requester.Outage(badMinute)
	responder.Outage(badMinute)
	shop, desk := d.requesterIn(requester, impl, "replies"), d.responderIn(responder, impl, shout)
	for range int(badMinute / time.Second) {
		time.Sleep(time.Second)
		for name, p := range map[string]*grade.Process{"Run": requester, "Respond": responder} {
			if n := p.Refused(); n > hammering {
				l.Report(hammers, fmt.Sprintf("SQS was down, and %s called it %d times within %v.", name, n, time.Since(began).Round(time.Second)), "It waits a little before it calls again.")
				return
			}
		}
	}
	time.Sleep(5 * time.Minute) // whoever waits longer after each error is late for it
	a := shop.ask("anybody there?", 5*time.Minute)
	switch {
	case shop.ended():
		l.Report(gaveUp, fmt.Sprintf("SQS refused all calls for a minute, and Run returned: %v.", shop.err), "Run goes on until ctx ends.")
	case desk.ended():
		l.Report(gaveUp, fmt.Sprintf("SQS refused all calls for a minute, and Respond returned: %v.", desk.err), "Respond goes on until ctx ends.")
	case !a.returned || a.err != nil:
		l.Report(gaveUp, "SQS refused all calls for a minute. A question asked five minutes after that got no answer.", "Run and Respond go on until ctx ends.")
	default:
		_ = desk.stop() && shop.stop()
	}
}

func together(l *grade.Lab, impl Implementation) {
	d := newDesk(l)
	if err := l.Cloud().SQS().DeliverTwice(d.requests, 10, 2*time.Second); err != nil {
		panic(err)
	}
	var ends []*running
	for i := range 2 {
		ends = append(ends, d.responder(impl, fmt.Sprintf("responder %d", i+1), shout))
	}
	const asks = 8
	var group sync.WaitGroup
	results := make([][]asked, 3)
	for i := range results {
		shop := d.requester(impl, fmt.Sprintf("requester %d", i+1), fmt.Sprintf("replies-%d", i+1))
		ends = append(ends, &shop.running)
		results[i] = make([]asked, asks)
		for j := range results[i] {
			group.Go(func() { results[i][j] = shop.ask(fmt.Sprintf("requester %d asks %d", i+1, j+1), 2*time.Minute) })
		}
	}
	group.Wait()
	for i := range results {
		for j, a := range results[i] {
			question := fmt.Sprintf("requester %d asks %d", i+1, j+1)
			switch {
			case !a.returned || a.err != nil:
				l.Report(answerLost, fmt.Sprintf("%q got no answer in two minutes (error: %v).", question, a.err), "Each Ask returns its answer.")
				return
			case a.answer != strings.ToUpper(question):
				l.Report(mixedUp, fmt.Sprintf("%q got the answer %q.", question, a.answer), "Each Ask returns its own answer.")
				return
			}
		}
	}
	time.Sleep(time.Minute)
	for _, e := range ends {
		if !e.stop() {
			return
		}
	}
	l.Cost(len(results)*asks, 5.00)
}

func shout(_ context.Context, question string) (string, error) { return strings.ToUpper(question), nil }

// desk is the scenario's queues, as the grader sees them.
type desk struct {
	lab      *grade.Lab
	ours     *sqs.Client
	requests string
}

func newDesk(l *grade.Lab) *desk {
	d := &desk{lab: l, ours: sqs.NewFromConfig(l.Cloud().AWS())}
	d.requests = d.queue("requests")
	return d
}

// queue returns the URL of a queue, which it creates if need be.
func (d *desk) queue(name string) string {
	created, err := d.ours.CreateQueue(d.lab.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name)})
	if err != nil {
		panic(err)
	}
	return aws.ToString(created.QueueUrl)
}

func (d *desk) send(queueURL, body string, attributes map[string]string) {
	in := &sqs.SendMessageInput{QueueUrl: aws.String(queueURL), MessageBody: aws.String(body), MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range attributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
	if _, err := d.ours.SendMessage(d.lab.Context(), in); err != nil && d.lab.Context().Err() == nil {
		panic(err)
	}
}

// receive takes one message out of a queue, and waits for it that many seconds at most. nil: none came.
func (d *desk) receive(queueURL string, seconds int32) *types.Message {
	got, err := d.ours.ReceiveMessage(d.lab.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(queueURL), WaitTimeSeconds: seconds, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		if d.lab.Context().Err() != nil {
			return nil
		}
		panic(err)
	}
	if len(got.Messages) == 0 {
		return nil
	}
	m := got.Messages[0]
	if _, err := d.ours.DeleteMessage(d.lab.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(queueURL), ReceiptHandle: m.ReceiptHandle}); err != nil && d.lab.Context().Err() == nil {
		panic(err)
	}
	return &m
}

// count returns how many messages are in the queue, hidden ones included.
func (d *desk) count(queueURL string) int {
	names := []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	got, err := d.ours.GetQueueAttributes(d.lab.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(queueURL), AttributeNames: names})
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

// request is a request as it came over the wire.
type request struct{ question, id, replyTo string }

func attribute(m types.Message, name string) string {
	a := m.MessageAttributes[name]
	if aws.ToString(a.DataType) != "String" {
		return ""
	}
	return aws.ToString(a.StringValue)
}

// serve is the grader's own responder. It calls f for each request, in a goroutine of its own, until the scenario ends.
func (d *desk) serve(f func(r request)) {
	go func() {
		for d.lab.Context().Err() == nil {
			if m := d.receive(d.requests, 20); m != nil {
				go f(request{aws.ToString(m.Body), attribute(*m, CorrelationID), attribute(*m, ReplyTo)})
			}
		}
	}()
}

// reply sends the answer, if the request says where to.
func (d *desk) reply(r request, answer string) {
	if r.replyTo != "" {
		d.send(r.replyTo, answer, map[string]string{CorrelationID: r.id})
	}
}

// running is a process in which the learner's Run or Respond runs.
type running struct {
	lab     *grade.Lab
	name    string // of the function
	process *grade.Process
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has returned
	err     error         // what it returned
}

func (r *running) start(l *grade.Lab, p *grade.Process, name string, f func(ctx context.Context) error) {
	r.lab, r.process, r.name, r.done = l, p, name, make(chan struct{})
	started := make(chan struct{})
	p.Go(func(ctx context.Context) error {
		ctx, r.cancel = context.WithCancel(ctx)
		close(started)
		defer close(r.done)
		if err := f(ctx); !errors.Is(err, context.Canceled) { // which is as good as nil
			r.err = err
		}
		return nil
	})
	<-started
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// stop ends the context while there is nothing to do, and reports what is wrong about that.
func (r *running) stop() bool {
	if r.ended() {
		r.lab.Report(gaveUp, fmt.Sprintf("%s returned before ctx ended: %v.", r.name, r.err), "It goes on until ctx ends.")
		return false
	}
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(toStop):
		r.lab.Report(neverStops, fmt.Sprintf("ctx ended, and half a minute later %s had not returned.", r.name), "It returns when ctx has ended.")
		return false
	}
	if r.err != nil {
		r.lab.Report(gaveUp, fmt.Sprintf("ctx ended, and %s returned the error %q.", r.name, r.err), "It returns nil.")
		return false
	}
	return true
}

func (d *desk) responder(impl Implementation, name string, answer func(ctx context.Context, question string) (string, error)) *running {
	return d.responderIn(d.lab.Process(name), impl, answer)
}

func (d *desk) responderIn(p *grade.Process, impl Implementation, answer func(ctx context.Context, question string) (string, error)) *running {
	r := &running{}
	r.start(d.lab, p, "Respond", func(ctx context.Context) error {
		return impl.Respond(ctx, sqs.NewFromConfig(p.AWS()), d.requests, func(ctx context.Context, question string) (string, error) {
			if p.Crashed() {
				return "", errors.New("the process is dead")
			}
			return answer(ctx, question)
		})
	})
	return r
}

// requester is a process with the learner's requester in it.
type requester struct {
	running
	r          Requester
	repliesURL string
}

func (d *desk) requester(impl Implementation, name, replies string) *requester {
	return d.requesterIn(d.lab.Process(name), impl, replies)
}

func (d *desk) requesterIn(p *grade.Process, impl Implementation, replies string) *requester {
	r := &requester{repliesURL: d.queue(replies)}
	_ = p.Do(func(context.Context) error {
		r.r = impl.NewRequester(sqs.NewFromConfig(p.AWS()), d.requests, r.repliesURL)
		return nil
	})
	r.start(d.lab, p, "Run", func(ctx context.Context) error {
		if r.r == nil {
			return errNoRequester
		}
		return r.r.Run(ctx)
	})
	return r
}

var errNoRequester = errors.New("NewRequester returned nil")

// asked is what became of a call of Ask.
type asked struct {
	answer   string
	err      error
	took     time.Duration
	returned bool
}

// ask calls Ask with that timeout, and waits a minute longer than that for its return.
func (r *requester) ask(question string, timeout time.Duration) asked {
	began := time.Now()
	var a asked
	done := make(chan struct{})
	r.process.Go(func(ctx context.Context) error {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if a.err = errNoRequester; r.r != nil {
			a.answer, a.err = r.r.Ask(ctx, question)
		}
		return nil
	})
	select {
	case <-done:
		a.returned, a.took = true, time.Since(began)
		return a
	case <-time.After(timeout + time.Minute):
		return asked{took: time.Since(began)}
	}
}
