package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

// A Case is an exercise with one implementation of it: the learner's, the solution or a mistake.
type Case struct {
	services  []string
	findings  []Finding
	scenarios []scenario
	source    source
}

type scenario struct {
	name   string
	budget time.Duration
	run    func(l *Lab)
}

// NewCase makes a case of e and impl. It panics if e is not complete; an implementation's fields are all functions.
func NewCase[I any](e Exercise[I], impl I) Case {
	if len(e.Scenarios) == 0 {
		panic("grade: an exercise needs a scenario")
	}
	c := Case{services: e.Services, findings: e.Findings, source: newSource(e.Scenarios[0].Run, impl)}
	for _, s := range e.Scenarios {
		if s.Budget == 0 {
			s.Budget = DefaultBudget
		}
		c.scenarios = append(c.scenarios, scenario{s.Name, s.Budget, func(l *Lab) { s.Run(l, impl) }})
	}
	return c
}

// Exercise is the exercise's name: "week01/01-hello-pubsub".
func (c Case) Exercise() string { return c.source.exercise() }

// Findings are the findings that the exercise declares.
func (c Case) Findings() []Finding { return slices.Clone(c.findings) }

// Functions are the names of the implementation's fields.
func (c Case) Functions() []string { return slices.Clone(c.source.fields) }

// Run runs each scenario in a child process: the test binary again, at the test that calls Run, so in a child Run does not
// return. No more than GOMAXPROCS children run at a time, whoever calls.
func (c Case) Run(t *testing.T) Verdict {
	t.Helper()
	binary, err := c.binary(t)
	if err != nil {
		return c.noBinary(err)
	}
	results := make([]*Result, len(c.scenarios))
	var stuck atomic.Bool // one that hangs takes seconds: the others would keep the learner waiting for nothing
	var wg sync.WaitGroup
	for i, s := range c.scenarios {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if stuck.Load() {
				return
			}
			r := c.spawn(t, binary, s.name)
			results[i] = &r
			if r.Kind == Hangs {
				stuck.Store(true)
			}
		})
	}
	wg.Wait()
	var done []Result
	for _, r := range results {
		if r != nil {
			done = append(done, *r)
		}
	}
	return verdict(c.Exercise(), done)
}

// RunUntilDecided is like Run, but runs the scenarios one after the other and leaves out those that follow the first in which
// the implementation fails. They would not change the verdict's kind.
func (c Case) RunUntilDecided(t *testing.T) Verdict {
	t.Helper()
	binary, err := c.binary(t)
	if err != nil {
		return c.noBinary(err)
	}
	var done []Result
	for _, s := range c.scenarios {
		slots <- struct{}{}
		r := c.spawn(t, binary, s.name)
		<-slots
		done = append(done, r)
		if r.Kind != Passed && r.Kind != NotStarted {
			break
		}
	}
	return verdict(c.Exercise(), done)
}

// binary returns the program that the children are. In a child it runs the scenario and does not return.
func (c Case) binary(t *testing.T) (string, error) {
	if name := os.Getenv(envScenario); name != "" {
		c.child(t, name)
	}
	if !kafkaRuns && slices.Contains(c.services, embedded.Kafka) {
		return kafkaBinary()
	}
	return os.Executable()
}

func (c Case) noBinary(err error) Verdict {
	return Verdict{Exercise: c.Exercise(), Kind: OurFault, Message: "The test binary is not to be had: " + err.Error()}
}

// slots bounds the children of this process.
var slots = make(chan struct{}, runtime.GOMAXPROCS(0))

// spawn runs one scenario in a child process.
func (c Case) spawn(t *testing.T, binary, scenario string) Result {
	began := time.Now()
	fault := func(format string, args ...any) Result {
		return Result{Scenario: scenario, Kind: OurFault, Message: fmt.Sprintf(format, args...), Real: time.Since(began)}
	}
	dir, err := os.MkdirTemp("", "brokerdojo-*")
	if err != nil {
		return fault("A folder for the result cannot be made: %v", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "result.json")

	// The child ends itself within longest; this is for one that cannot.
	ctx, cancel := context.WithTimeout(t.Context(), 2*longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run="+exactly(t.Name()), "-test.timeout=0")
	cmd.Env = append(os.Environ(),
		envScenario+"="+scenario, envResult+"="+file,
		"GOMAXPROCS=1", // so that a run repeats exactly
		"GODEBUG="+strings.TrimPrefix(os.Getenv("GODEBUG")+",tracebackancestors=16,tracebacklabels=1", ","),
		"GOTRACEBACK=single",
		"GORACE="+strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"), // else the race detector sleeps a second before each exit
	)
	output := &tail{limit: 1 << 20}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = time.Second
	hold, err := cmd.StdinPipe() // its end tells the child that we are gone
	if err != nil {
		return fault("A pipe cannot be made: %v", err)
	}
	defer func() { _ = hold.Close() }()
	err = cmd.Run()

	var result Result
	data, readErr := os.ReadFile(file)
	switch {
	case readErr == nil:
		if err := json.Unmarshal(data, &result); err != nil {
			return fault("The scenario's result cannot be read: %v", err)
		}
		result.Output = output.buffer.String()
	case ctx.Err() != nil:
		return fault("The scenario did not end: %v", ctx.Err())
	case err != nil && cmd.ProcessState == nil:
		return fault("The scenario's process did not start: %v", err)
	default:
		result = c.source.died(output.buffer.String(), cmd.ProcessState)
	}
	if race := c.source.raced(output.buffer.String()); race != nil && (result.Kind == Passed || result.Kind == Wrong) {
		result.Kind, result.Reports = Wrong, append([]Report{*race}, result.Reports...)
	}
	if over := len(result.Output) - 4<<10; over > 0 {
		result.Output = result.Output[over:]
	}
	result.Scenario, result.Real = scenario, time.Since(began)
	return result
}

// exactly is the -test.run pattern of the test with that name and no other.
func exactly(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

var (
	diedRE = regexp.MustCompile(`(?m)^(?:panic|fatal error): (.*)$`)
	todoRE = regexp.MustCompile(`lab\.TODO at (.+?):(\d+): (.*?)(?: \[recovered.*)?$`)
)

// died says why a child ended without a result, by what it wrote: a panic in a goroutine that nobody recovers, a fatal error of
// the runtime, or a call of os.Exit.
func (s source) died(output string, state *os.ProcessState) Result {
	m := diedRE.FindStringSubmatchIndex(output)
	if m == nil {
		if strings.Contains("\n"+output, "\ngrade: ") { // see end
			return Result{Kind: OurFault, Message: "The scenario has no result.", Detail: output}
		}
		if state != nil && !state.Exited() {
			return Result{
				Kind: Panics, Output: output, At: s.function(""),
				Message: fmt.Sprintf("The system ended the program (%s): does your code use up the memory?", state),
			}
		}
		return Result{
			Kind: Panics, Output: output, At: s.function(""),
			Message: fmt.Sprintf("Your code ended the whole program (%s): does it call os.Exit or log.Fatal? Return an error instead.", state),
		}
	}
	before, said, trace := output[:m[0]], output[m[2]:m[3]], output[m[0]:]
	var result Result
	if todo := todoRE.FindStringSubmatch(said); todo != nil {
		line, _ := strconv.Atoi(todo[2])
		result = s.notStarted(todo[1], line, todo[3], trace)
	} else {
		result = s.panicResult(said, trace)
	}
	result.Output = before
	return result
}

// DataRace is the finding of every exercise when its code is built with the race detector.
const DataRace = "data-race"

// raced finds the race detector's report of a race that the learner's code takes part in.
func (s source) raced(output string) *Report {
	_, trace, ok := strings.Cut(output, "WARNING: DATA RACE")
	if !ok {
		return nil
	}
	for line := range strings.Lines(trace) {
		m := lineRE.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		f := frame{File: strings.ReplaceAll(m[1], `\`, "/")}
		f.Line, _ = strconv.Atoi(m[2])
		if s.learners(f) {
			return &Report{
				Finding:  DataRace,
				Observed: "Two goroutines use the same variable at the same time, and one of them writes it.",
				Expected: "Goroutines share a variable under a lock, or hand values on through a channel.",
				Cause:    "A variable of your function is used in a callback or a goroutine as well.",
				At:       s.position(f),
			}
		}
	}
	return nil
}

// kafkaBinary builds the calling test binary again so that Kafka's client can run in virtual time, once a process. It stays in
// the user's cache, locked while this process runs. The test's working directory is its package's.
var kafkaBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	binary, unlock, err := binaryOf(context.Background(), dir+"#"+kafkaTag)
	if err != nil {
		return "", err
	}
	keepLocked = append(keepLocked, unlock)
	out, err := exec.Command("go", testBuild(binary, true)...).CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("build with -tags %s: %w", kafkaTag, err), errors.New(string(out)))
	}
	return binary, nil
})

// keepLocked keeps the lock of kafkaBinary's file from being collected, which would open it.
var keepLocked []func()

// kafkaTag is the build tag that makes franz-go's locks fit for a bubble.
const kafkaTag = "synctests"

// testBuild returns the arguments of the go command that build the test binary of the package in the working directory.
// Vet is for `go test`, and git need not be asked what commit this is: a learner waits.
func testBuild(binary string, kafka bool) []string {
	args := []string{"test", "-c", "-o", binary, "-vet=off", "-buildvcs=false"}
	if kafka {
		args = append(args, "-tags="+kafkaTag)
	}
	if info, ok := debug.ReadBuildInfo(); ok { // a test with the race detector stays one
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	return append(args, ".")
}

// report turns a verdict into the outcome of a test.
func report(t *testing.T, v Verdict) {
	t.Helper()
	if file := os.Getenv(envVerdict); file != "" {
		data, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			t.Fatalf("write the verdict: %v", err)
		}
		return
	}
	if v.Untouched() {
		t.Skip("\n" + rendered(v))
	}
	for _, r := range v.Scenarios {
		t.Run(r.Scenario, func(t *testing.T) {
			if r.Kind != Passed {
				t.Error(titles[r.Kind]) // the whole story is the parent's to tell, once
			}
		})
	}
	if v.Kind == Passed {
		t.Log("\n" + rendered(v))
	} else {
		t.Error("\n" + rendered(v))
	}
}

func rendered(v Verdict) string {
	var text strings.Builder
	_ = v.Render(&text, Style{}) // a strings.Builder does not fail
	return text.String()
}
