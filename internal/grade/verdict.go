package grade

import "time"

// Kind is what a verdict comes down to.
type Kind string

// The kinds of verdicts.
const (
	Passed         Kind = "passed"
	NotStarted     Kind = "not-started"      // the code still says lab.TODO
	DoesNotCompile Kind = "does-not-compile" // the compiler or the linker says no
	Wrong          Kind = "wrong"            // it runs, and a finding says what is wrong
	NeverEnds      Kind = "never-ends"       // it goes on, or waits, beyond all bounds of virtual time
	Hangs          Kind = "hangs"            // it stands still in real time: a busy loop, a lock, a wait for something outside the lab
	Leaks          Kind = "leaks"            // it returned and left goroutines behind
	Panics         Kind = "panics"           // it panicked, or ended the whole program
	OurFault       Kind = "our-fault"        // the grader or the local cloud failed, not the learner
)

// A Verdict is what the scenarios of an exercise say about an implementation. Its JSON form is stable: fields are added, never
// renamed or removed.
type Verdict struct {
	Exercise  string   `json:"exercise"` // folder below the exercises, with slashes: "week01/01-hello-pubsub"
	Kind      Kind     `json:"kind"`     // of the scenario that matters most; see Deciding
	Scenarios []Result `json:"scenarios,omitempty"`

	// When the code does not compile:
	Compile []CompileError `json:"compile,omitempty"`

	// When it is our fault and no scenario's: what happened, with what a report needs.
	Message string `json:"message,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// A CompileError is one error of the compiler.
type CompileError struct {
	At      *Position `json:"at,omitempty"`
	Message string    `json:"message"`
}

// A Position is a line of a file of the learner's.
type Position struct {
	File string `json:"file"` // below the exercise's folder, with slashes: "exercise.go"
	Line int    `json:"line"` // from 1
	Func string `json:"func,omitempty"`
}

// A Result is what one scenario says.
type Result struct {
	Scenario string `json:"scenario"`
	Kind     Kind   `json:"kind"`

	Reports []Report  `json:"findings,omitempty"` // of the kind wrong, the first first
	Message string    `json:"message,omitempty"`  // of the other kinds: what happened, in whole sentences
	At      *Position `json:"at,omitempty"`       // where, in the learner's code

	Goroutines []Goroutine `json:"goroutines,omitempty"` // the learner's that remain
	Calls      []Calls     `json:"calls,omitempty"`      // of all processes, in order of process and operation
	Cost       *Cost       `json:"cost,omitempty"`       // if the scenario counts it
	Output     string      `json:"output,omitempty"`     // what the learner's code printed, its last 4 KiB
	Detail     string      `json:"detail,omitempty"`     // of our-fault: the stacks that a report needs

	Virtual time.Duration `json:"virtual_ns"` // time that passed in the lab
	Real    time.Duration `json:"real_ns"`    // time that passed on this machine, the process's start included
}

// A Report is a finding with what this run showed of it.
type Report struct {
	Finding  string    `json:"finding"`
	Observed string    `json:"observed"`
	Expected string    `json:"expected"`
	Cause    string    `json:"cause"`
	Lesson   string    `json:"lesson"` // "week01#point-to-point"
	At       *Position `json:"at,omitempty"`
}

// A Goroutine is one of the learner's goroutines that remains.
type Goroutine struct {
	Process string    `json:"process,omitempty"` // the lab's process that it belongs to
	Doing   string    `json:"doing"`             // in plain words: "waits to receive from a channel"
	At      *Position `json:"at,omitempty"`      // the learner's line that it is at
	Started *Position `json:"started,omitempty"` // the learner's line that started it
}

// Calls are a process's calls of one operation that reached a broker.
type Calls struct {
	Process   string `json:"process"`
	Service   string `json:"service"` // "sqs", "sqs-fifo", "sns", "sns-fifo", "redis" or "kafka"
	Operation string `json:"operation"`
	Count     int    `json:"count"`
	Billed    int    `json:"billed,omitempty"` // requests that AWS would bill
}

// Deciding returns the scenario that the verdict's kind comes from: the first that neither passed nor is not started; if there is
// none, the first that is not started; if there is none either, nil. So a learner who has begun reads what is wrong first.
func (v Verdict) Deciding() *Result {
	var notStarted *Result
	for i := range v.Scenarios {
		switch r := &v.Scenarios[i]; {
		case r.Kind == NotStarted && notStarted == nil:
			notStarted = r
		case r.Kind != NotStarted && r.Kind != Passed:
			return r
		}
	}
	return notStarted
}

// Untouched says whether every scenario ended at a lab.TODO.
func (v Verdict) Untouched() bool {
	for _, r := range v.Scenarios {
		if r.Kind != NotStarted {
			return false
		}
	}
	return len(v.Scenarios) > 0
}

func verdict(exercise string, results []Result) Verdict {
	v := Verdict{Exercise: exercise, Kind: Passed, Scenarios: results}
	if r := v.Deciding(); r != nil {
		v.Kind = r.Kind
	}
	return v
}
