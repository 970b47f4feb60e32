package grade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerdojo/brokerdojo/internal/grade/lab"
	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

// The environment of a child process.
const (
	envScenario = "BROKERDOJO_SCENARIO" // the scenario to run
	envResult   = "BROKERDOJO_RESULT"   // the file that takes its Result, as JSON
)

const (
	leakGrace = time.Minute             // virtual: for timers, keep-alives and closers to notice that all is over
	tick      = 9973 * time.Millisecond // virtual: how often the bubble shows that its clock moves
	stall     = 5 * time.Second         // real: how long nothing may move
	longest   = time.Minute             // real: how long a scenario may take although things move
)

// run is one scenario in its child process.
type run struct {
	scenario string
	findings []Finding
	source   source
	result   string // file
	lab      *Lab
	start    time.Time // virtual

	progress atomic.Int64 // grows with every call of a process and every tick of the bubble's clock
	clock    atomic.Int64 // virtual nanoseconds since start, as of the last tick
	ended    atomic.Bool
}

// child runs one scenario and ends the process. It does not return.
func (c Case) child(t *testing.T, name string) {
	i := slices.IndexFunc(c.scenarios, func(s scenario) bool { return s.name == name })
	if i < 0 {
		panic(fmt.Sprintf("grade: %s has no scenario %q", c.source.exercise(), name))
	}
	s := c.scenarios[i]
	r := &run{scenario: name, findings: c.findings, source: c.source, result: os.Getenv(envResult)}
	r.lab = &Lab{run: r}
	exitWithParent()

	// The goroutine that os/signal keeps for ever must not be born in the bubble: it would stop the bubble's clock. Other lazy
	// globals, such as the resolver's configuration, may: they fail only when a second bubble meets them, and a process has one.
	warm := make(chan os.Signal, 1)
	signal.Notify(warm, os.Interrupt)
	signal.Stop(warm)

	go r.watch()
	synctest.Test(t, func(t *testing.T) {
		r.start = time.Now()
		go func() {
			for {
				time.Sleep(tick)
				r.clock.Store(int64(time.Since(r.start)))
				r.progress.Add(1)
			}
		}()
		time.AfterFunc(s.budget, r.usedUp)
		var cancel context.CancelFunc
		r.lab.ctx, cancel = context.WithCancel(context.Background())
		r.lab.guard(func() {
			if len(c.services) > 0 {
				r.lab.cloud = embedded.InMemory(embedded.Options{Services: c.services})
			}
			s.run(r.lab)
		}, func() {})
		r.finish(cancel)
	})
}

// finish decides on a scenario that came to its end.
func (r *run) finish(cancel context.CancelFunc) {
	l := r.lab
	l.mu.Lock()
	found, processes := len(l.reports) > 0, l.processes
	l.mu.Unlock()
	if found {
		r.end(Result{Kind: Wrong})
	}
	for _, p := range processes {
		if !p.hasEnded() {
			_ = p.Stop() // the scenario did not ask for its errors
		}
	}
	cancel()
	time.Sleep(leakGrace)
	left := slices.DeleteFunc(r.goroutines(), func(g Goroutine) bool { // a crash takes a computer's goroutines along
		return slices.ContainsFunc(processes, func(p *Process) bool { return p.name == g.Process && p.Crashed() })
	})
	if len(left) > 0 {
		message := "Your code returned and left a goroutine behind."
		if len(left) > 1 {
			message = fmt.Sprintf("Your code returned and left %d goroutines behind.", len(left))
		}
		r.end(Result{Kind: Leaks, Message: message, At: where(left), Goroutines: left})
	}
	if l.cloud != nil {
		if err := l.cloud.Close(); err != nil {
			r.end(Result{Kind: OurFault, Message: "The local cloud did not close: " + err.Error()})
		}
	}
	r.end(Result{Kind: Passed})
}

// end writes the result and ends the process. The first one counts; it does not return.
func (r *run) end(result Result) {
	if !r.ended.CompareAndSwap(false, true) {
		select {} // another goroutine is at it
	}
	r.lab.mu.Lock()
	processes := r.lab.processes
	result.Cost = r.lab.cost
	if reports := r.lab.reports; len(reports) > 0 && result.Kind != NotStarted && result.Kind != OurFault {
		// What came after the first finding, a panic or a process that does not stop, is most likely its consequence.
		result = Result{Kind: Wrong, Reports: reports, Cost: result.Cost}
	}
	r.lab.mu.Unlock()
	result.Scenario = r.scenario
	result.Virtual = time.Duration(r.clock.Load())
	if parseStacks(string(debug.Stack()))[0].Bubble != "" { // else the clock here is the real one
		result.Virtual = time.Since(r.start)
	}
	for _, p := range processes {
		result.Calls = append(result.Calls, p.counted()...)
	}
	data, err := json.Marshal(result)
	if err == nil {
		err = os.WriteFile(r.result, data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grade: write the scenario's result:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (r *run) declares(f Finding) bool {
	return slices.ContainsFunc(r.findings, func(g Finding) bool { return g.Name == f.Name })
}

// panicked ends the scenario with what value, recovered in the goroutine of trace, says.
func (r *run) panicked(value any, trace string) {
	if err, ok := value.(error); ok {
		var todo lab.NotStarted
		if errors.As(err, &todo) {
			r.end(r.source.notStarted(todo.File, todo.Line, todo.Text, trace))
		}
	}
	r.end(r.source.panicResult(fmt.Sprint(value), trace))
}

func (s source) notStarted(file string, line int, text, trace string) Result {
	result := Result{Kind: NotStarted, Message: text}
	f := frame{File: strings.ReplaceAll(file, `\`, "/"), Line: line}
	if s.learners(f) {
		result.At = s.position(f)
	} else if stacks := parseStacks(trace); len(stacks) > 0 { // `go lab.TODO(...)` has no caller
		result.At = s.blame(stacks[0])
	}
	return result
}

// panicResult is the result of a panic or a fatal error: what the runtime said, and the stack of the goroutine that it happened in.
func (s source) panicResult(said, trace string) Result {
	stacks := parseStacks(trace)
	if len(stacks) > 0 {
		if at := s.blame(stacks[0]); at != nil {
			return Result{Kind: Panics, Message: "Your code panicked: " + said, At: at}
		}
	}
	return Result{Kind: OurFault, Message: "The grader panicked: " + said, Detail: trace}
}

// usedUp runs when the virtual budget is over.
func (r *run) usedUp() {
	r.lab.mu.Lock()
	awaited := r.lab.awaited
	r.lab.mu.Unlock()
	left := r.goroutines()
	if awaited != nil {
		left = of(awaited, left)
	}
	result := Result{Kind: NeverEnds, At: where(left), Goroutines: left}
	took := words(time.Since(r.start))
	if len(left) > 0 {
		result.Message = "Your code was still at it after " + took + " of the lab's time."
	} else {
		result.Message = "The scenario waited " + took + " of the lab's time for something that your code did not do."
		result.At = r.source.function("")
	}
	r.end(result)
}

// didNotStop ends the scenario because p outlived its grace.
func (r *run) didNotStop(p *Process) {
	left := of(p, r.goroutines())
	at := where(left)
	if at == nil {
		at = r.source.function("")
	}
	r.end(Result{
		Kind: NeverEnds, At: at, Goroutines: left,
		Message: fmt.Sprintf("The context of the process %q ended, and %s later your code had not returned.", p.name, words(StopGrace)),
	})
}

// watch ends a scenario in which nothing moves. It runs outside the bubble, in real time. It counts its own rounds rather than
// time, so that a machine that is busy with other things does not look like a scenario that hangs.
func (r *run) watch() {
	const round = 100 * time.Millisecond
	last, still := int64(-1), time.Duration(0)
	for waited := time.Duration(0); waited < longest; waited += round {
		time.Sleep(round)
		if p := r.progress.Load(); p != last {
			last, still = p, 0
		}
		if still += round; still > stall {
			r.hangs()
		}
	}
	took := words(longest)
	if still > stall {
		r.end(Result{Kind: OurFault, Message: "Nothing moved for " + took + ", and not because of your code.", Detail: allStacks()})
	}
	left := r.goroutines()
	r.end(Result{
		Kind: NeverEnds, At: where(left), Goroutines: left,
		Message: fmt.Sprintf("Your code was still at it after %s of real time, in which %s passed in the lab.", took, words(time.Duration(r.clock.Load()))),
	})
}

// hangs ends the scenario if the learner's code keeps the clock from moving. What a loop is doing at this moment may not show
// that; then the next round will.
func (r *run) hangs() {
	var culprits []Goroutine
	state := ""
	for _, st := range parseStacks(allStacks()) {
		if st.Bubble == "" || strings.HasSuffix(st.State, "(durable)") {
			continue // what waits for time or for others in the bubble does not keep time from passing
		}
		if g, ok := r.source.goroutine(st); ok {
			culprits = append(culprits, g)
			if state == "" {
				state = st.State
			}
		}
	}
	if len(culprits) == 0 {
		return
	}
	result := Result{Kind: Hangs, At: where(culprits), Goroutines: culprits}
	for _, h := range hangs {
		if strings.HasPrefix(state, h.prefix) {
			result.Message = h.words
			break
		}
	}
	r.end(result)
}

// hangs says for a state of a goroutine why time stands still.
var hangs = []struct{ prefix, words string }{
	{"run", "Your code is in a loop that never waits for anything. Does it go round again after an error or the end of its context?"},
	{"sync.", "Your code waits for a lock whose holder waits too. Do not hold a lock while you sleep, wait or call a broker."},
	{"semacquire", "Your code waits for a lock whose holder waits too. Do not hold a lock while you sleep, wait or call a broker."},
	{"IO wait", "Your code waits for a connection of its own. Use the client that it is given."},
	{"syscall", "Your code waits for the operating system. Use nothing but the client that it is given."},
	{"chan", "Your code waits for a channel that was made before the scenario began. Make channels in the function that uses them, not in a package variable."},
	{"select", "Your code waits for a channel that was made before the scenario began. Make channels in the function that uses them, not in a package variable."},
	{"", "Your code stands still."},
}

// goroutines returns the learner's goroutines of the bubble, without the calling one.
func (r *run) goroutines() []Goroutine {
	var left []Goroutine
	for i, st := range parseStacks(allStacks()) {
		if i == 0 || st.Bubble == "" { // the first is the caller
			continue
		}
		if g, ok := r.source.goroutine(st); ok {
			left = append(left, g)
		}
	}
	return left
}

// of returns those that belong to p.
func of(p *Process, gs []Goroutine) []Goroutine {
	return slices.DeleteFunc(gs, func(g Goroutine) bool { return g.Process != p.name })
}

// where is the first position that any of them is at, or else was started at.
func where(gs []Goroutine) *Position {
	for _, g := range gs {
		if g.At != nil {
			return g.At
		}
	}
	for _, g := range gs {
		if g.Started != nil {
			return g.Started
		}
	}
	return nil
}

func allStacks() string {
	buffer := make([]byte, 1<<20)
	for {
		if n := runtime.Stack(buffer, true); n < len(buffer) {
			return string(buffer[:n])
		}
		buffer = make([]byte, 2*len(buffer))
	}
}

// exitWithParent ends this process when the one that started it is gone, on every system: then its standard input ends.
func exitWithParent() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
}

// words writes a duration as the course does: "48 h", "30 s"; one that is no whole number of them as Go does: "1m30s".
func words(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d >= unit.d && d%unit.d == 0 {
			return fmt.Sprintf("%d %s", d/unit.d, unit.name)
		}
	}
	return d.Round(time.Millisecond).String()
}

// tail is a writer that keeps the end of what is written.
type tail struct {
	buffer bytes.Buffer
	limit  int
}

func (w *tail) Write(p []byte) (int, error) {
	w.buffer.Write(p)
	if over := w.buffer.Len() - 2*w.limit; over > 0 {
		w.buffer.Next(w.buffer.Len() - w.limit)
	}
	return len(p), nil
}
