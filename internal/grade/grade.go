// Package grade runs a learner's code against brokers of its own, in virtual time, and says what is wrong with it and why.
//
// An exercise declares its findings (what can be wrong) and its scenarios (what happens to the code). A scenario gets a [Lab]:
// a local cloud, and any number of processes. A [Process] stands for one computer that runs learner code; it has clients'
// configurations of its own, can be made to fail the way computers and networks do, and counts its calls. The scenario watches
// from outside, through the brokers, and reports findings:
//
//	var lost = grade.Finding{
//		Name:   "lost-on-crash",
//		Func:   "Work",
//		Cause:  "The message was deleted before its work was done, so nothing was left to deliver again.",
//		Lesson: "week01#point-to-point",
//	}
//
//	// Implementation is what the exercise asks for, field by field.
//	type Implementation struct {
//		Work func(ctx context.Context, client *sqs.Client, queueURL string, do func(body string) error) error
//	}
//
//	var Exercise = grade.Exercise[Implementation]{
//		Services: []string{"aws"},
//		Findings: []grade.Finding{lost},
//		Scenarios: []grade.Scenario[Implementation]{{
//			Name: "a worker crashes in the middle of its work",
//			Run: func(l *grade.Lab, impl Implementation) {
//				ours := sqs.NewFromConfig(l.Cloud().AWS()) // not counted, never faulty
//				queue := createQueue(l.Context(), ours, "jobs")
//				send(l.Context(), ours, queue, "job-1")
//
//				first := l.Process("first worker")
//				first.Go(func(ctx context.Context) error {
//					return impl.Work(ctx, sqs.NewFromConfig(first.AWS()), queue, func(string) error {
//						first.Crash()
//						return nil
//					})
//				})
//				first.Wait()
//
//				var done []string
//				second := l.Process("second worker")
//				second.Go(func(ctx context.Context) error {
//					return impl.Work(ctx, sqs.NewFromConfig(second.AWS()), queue, func(body string) error {
//						done = append(done, body)
//						return nil
//					})
//				})
//				time.Sleep(time.Minute) // virtual: longer than the visibility timeout
//				second.Stop()
//				if len(done) == 0 {
//					l.Report(lost, "job-1 was never done: its worker crashed in the middle of it.",
//						"The job is delivered again 30 s later and another worker does it.")
//				}
//				l.Cost(1, 2.00)
//			},
//		}},
//	}
//
// The exercise's own test is one line, and the whole of what `go test` in its folder runs:
//
//	func TestExercise(t *testing.T) { grade.Test(t, grader.Exercise, grader.Implementation{Work: Work}) }
//
// # How it runs
//
// Each scenario runs in a process of its own (the test binary executes itself), in a testing/synctest bubble, with GOMAXPROCS=1:
// a learner's panic, endless loop or fatal error cannot take anything else with it, and a run repeats exactly. Servers, clients
// and contexts are made in the bubble. A scenario waits with time.Sleep and with channels that it made itself; it must not use
// sockets, package-level channels or a context from outside.
//
// In virtual time code takes no time, but a process's calls do: a request to AWS takes [AWSLatency], an answer of Redis or Kafka
// [ConnLatency]. Otherwise a loop that polls without a pause would keep the clock from moving.
//
// A scenario's function may be called from one goroutine only; the methods of Lab and Process from any.
package grade

import (
	"os"
	"testing"
	"time"
)

// A Finding is something that can be wrong with an implementation, as the exercise declares it.
type Finding struct {
	Name   string // in kebab-case, unique in the exercise: "lost-on-crash"
	Func   string // the field of the implementation that it is most likely about; the verdict points there unless a stack tells better. Empty: the first
	Cause  string // the likely cause, in whole sentences, to the learner ("you ...")
	Lesson string // the section that explains it: "week01#point-to-point"
	NoCase string // why no mistake of the exercise shows this finding; empty means that one must
}

// An Exercise is what a grader package declares. I is a struct whose fields are the functions that the learner writes.
type Exercise[I any] struct {
	Services  []string // the brokers of the lab's cloud, of "aws", "redis" and "kafka"
	Findings  []Finding
	Scenarios []Scenario[I] // each runs alone, in this order of importance
}

// A Scenario is one thing that happens to an implementation.
type Scenario[I any] struct {
	Name   string        // in words, unique in the exercise: "a worker crashes in the middle of its work"
	Budget time.Duration // virtual time after which the code counts as never ending; 0 means 48 h
	Run    func(l *Lab, impl I)
}

// DefaultBudget is the virtual time that a scenario may take unless it says otherwise.
const DefaultBudget = 48 * time.Hour

// Test runs every scenario of e on impl. It is the body of an exercise's own test: an untouched starter skips, a passing
// implementation passes, and anything else fails with the rendered verdict.
func Test[I any](t *testing.T, e Exercise[I], impl I) {
	t.Helper()
	if os.Getenv(envVerdict) != "" {
		exitWithParent()
	}
	report(t, NewCase(e, impl).Run(t))
}
