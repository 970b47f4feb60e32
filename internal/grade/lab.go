package grade

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

// A Lab is what one scenario works with: a local cloud of its own, and processes that run learner code.
type Lab struct {
	run   *run
	ctx   context.Context
	cloud *embedded.Cloud

	mu        sync.Mutex
	processes []*Process
	reports   []Report
	cost      *Cost
	awaited   *Process // that the scenario waits for
}

// Context ends with the scenario.
func (l *Lab) Context() context.Context { return l.ctx }

// Cloud returns the lab's local cloud. Its clients' configurations are the grader's own: no fault touches them and nothing
// counts their calls. It has the services that the exercise names.
func (l *Lab) Cloud() *embedded.Cloud {
	if l.cloud == nil {
		panic("grade: the exercise names no Services, so there is no cloud")
	}
	return l.cloud
}

// Process adds a process: one computer that runs learner code, with clients' configurations of its own. The name is how
// verdicts speak of it: "the second worker". A process that has stopped or crashed does not start again; add another.
func (l *Lab) Process(name string) *Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := newProcess(l, name, time.Duration(len(l.processes)))
	l.processes = append(l.processes, p)
	return p
}

// Do runs f, which calls learner code that needs no process of its own, to its end and returns its error.
// Like everything in a scenario it ends the scenario if it panics or goes on beyond the budget.
func (l *Lab) Do(f func(ctx context.Context) error) error {
	var err error
	done := make(chan struct{})
	go l.guard(func() { err = f(l.ctx) }, func() { close(done) })
	<-done
	return err
}

// Report says that f was found: what was observed and what was expected instead, in whole sentences with the names and numbers
// of this run. The verdict adds the cause, the lesson and the line of the learner's code. A scenario may report several
// findings; the first is the one that the learner reads first, so report the cause before its consequences.
func (l *Lab) Report(f Finding, observed, expected string) {
	if !l.run.declares(f) {
		panic(fmt.Sprintf("grade: the exercise does not declare the finding %q", f.Name))
	}
	at := l.run.source.innermost(parseStacks(string(debug.Stack()))[0])
	if at == nil {
		at = l.run.source.function(f.Func)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, Report{
		Finding: f.Name, Observed: observed, Expected: expected, Cause: f.Cause, Lesson: f.Lesson, At: at,
	})
}

// Found says whether f was reported already.
func (l *Lab) Found(f Finding) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.reports, func(r Report) bool { return r.Finding == f.Name })
}

// Cost prices the calls that the processes made so far: messages is how many messages they moved, limit what a million of
// them should cost at most, in US dollars. An implementation that costs more still passes; the verdict carries a note.
// Only AWS has a price a call; see [Prices].
func (l *Lab) Cost(messages int, limit float64) {
	if messages < 1 {
		panic("grade: Cost needs at least one message")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var calls []Calls
	for _, p := range l.processes {
		calls = append(calls, p.counted()...)
	}
	l.cost = priced(calls, messages, limit)
}

// guard runs f and then, unless it took the scenario down, after.
func (l *Lab) guard(f, after func()) {
	returned := false
	defer func() {
		if returned {
			after()
			return
		}
		if p := recover(); p != nil {
			l.run.panicked(p, string(debug.Stack()))
			return
		}
		l.run.end(Result{Kind: Panics, Message: "Your code called runtime.Goexit, which ends a goroutine without a return.", At: l.run.source.function("")})
	}()
	f()
	returned = true
}

// await notes which process the scenario waits for; nil is none.
func (l *Lab) await(p *Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaited = p
}
