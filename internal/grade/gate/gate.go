// Package gate is the course's test of itself: every starter is not started, every solution passes, and every mistake is caught
// by what it names, first. One test binary holds all exercises, because linking one for each would take most of the time.
package gate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// An Exercise is one with all of its implementations, as the registry lists it.
type Exercise struct {
	Name              string // "week01/01-hello-pubsub"
	Starter, Solution func() grade.Case
	Mistakes          []Mistake
}

// A Mistake is an implementation that is wrong on purpose.
type Mistake struct {
	Name string // of its file
	Want string // the finding, or the kind of verdict, that it must be caught by
	Case func() grade.Case
}

// Runs is the environment variable that says how often each solution runs: 1 unless it is set. A high number finds graders
// that fail now and then; Run then leaves out everything else.
const Runs = "BROKERDOJO_GATE_RUNS"

// Run tests each exercise in parallel subtests.
func Run(t *testing.T, exercises []Exercise) {
	runs := 1
	if s := os.Getenv(Runs); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s: want a number from 1", Runs, s)
		}
		runs = n
	}
	for _, e := range exercises {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			t.Run("solution", func(t *testing.T) {
				t.Parallel()
				solve(t, e, runs)
			})
			if runs > 1 {
				return
			}
			t.Run("starter", func(t *testing.T) {
				t.Parallel()
				judge(t, e.Starter().Run(t), notStarted)
			})
			for _, m := range e.Mistakes {
				t.Run(m.Name, func(t *testing.T) {
					t.Parallel()
					judge(t, m.Case().RunUntilDecided(t), func(v grade.Verdict) error { return caught(m.Want, v) })
				})
			}
			t.Run("findings", func(t *testing.T) {
				for _, err := range findings(e.Name, e.Solution(), e.Mistakes) {
					t.Error(err)
				}
			})
		})
	}
}

// solve runs the solution runs times.
func solve(t *testing.T, e Exercise, runs int) {
	failed := 0
	for range runs {
		v := e.Solution().Run(t)
		if err := passed(v); err != nil {
			if failed++; failed == 1 {
				t.Errorf("%v\n%s", err, render(v))
			}
		}
	}
	if runs > 1 {
		t.Logf("%d of %d runs failed", failed, runs)
	}
}

func judge(t *testing.T, v grade.Verdict, by func(grade.Verdict) error) {
	t.Helper()
	if err := by(v); err != nil {
		t.Errorf("%v\n%s", err, render(v))
	}
}

func render(v grade.Verdict) string {
	var text strings.Builder
	_ = v.Render(&text, grade.Style{}) // a strings.Builder does not fail
	return text.String()
}

func notStarted(v grade.Verdict) error {
	if !v.Untouched() {
		return errors.New("the starter must end at a lab.TODO in every scenario")
	}
	return nil
}

func passed(v grade.Verdict) error {
	if v.Kind != grade.Passed {
		return errors.New("the solution must pass")
	}
	for _, r := range v.Scenarios {
		if r.Cost != nil && r.Cost.Above() {
			return fmt.Errorf("the solution must not cost more than the exercise asks for: %s", r.Cost)
		}
	}
	return nil
}

// caught says whether v comes down to want: the name of a finding, or of a kind of verdict. Under the race detector it may be a
// data race as well: many a wrong solution has one, and whether the detector sees it before the finding is up to the scheduler.
// Which finding comes first is what the run without the detector tells.
func caught(want string, v grade.Verdict) error {
	r := v.Deciding()
	if r == nil {
		return fmt.Errorf("the mistake must be caught by %s, and passes", want)
	}
	got := string(r.Kind)
	if r.Kind == grade.Wrong {
		got = r.Reports[0].Finding
	}
	if got != want && !(raceDetector && got == grade.DataRace) {
		return fmt.Errorf("the mistake must be caught by %s first, and is by %s", want, got)
	}
	return nil
}

// findings returns what is wrong with an exercise's findings as such.
func findings(name string, c grade.Case, mistakes []Mistake) (errs []error) {
	if c.Exercise() != name {
		errs = append(errs, fmt.Errorf("the scenarios must be declared in %s/grader, not in %s/grader", name, c.Exercise()))
	}
	seen := map[string]bool{}
	for _, f := range c.Findings() {
		if seen[f.Name] {
			errs = append(errs, fmt.Errorf("the finding %s is declared twice", f.Name))
		}
		seen[f.Name] = true
		if f.Name == "" || f.Cause == "" || !strings.Contains(f.Lesson, "#") {
			errs = append(errs, fmt.Errorf("the finding %q must have a name, a cause and the section of a lesson (week01#section)", f.Name))
		}
		if f.Func != "" && !slices.Contains(c.Functions(), f.Func) {
			errs = append(errs, fmt.Errorf("the finding %s is about %s, which is no function of the implementation", f.Name, f.Func))
		}
		shown := slices.ContainsFunc(mistakes, func(m Mistake) bool { return m.Want == f.Name })
		switch {
		case !shown && f.NoCase == "":
			errs = append(errs, fmt.Errorf("no mistake shows the finding %s: write one, or say in NoCase why there is none", f.Name))
		case shown && f.NoCase != "":
			errs = append(errs, fmt.Errorf("the finding %s has a mistake, and NoCase says that it has none", f.Name))
		}
	}
	kinds := []grade.Kind{grade.NeverEnds, grade.Hangs, grade.Leaks, grade.Panics}
	for _, m := range mistakes {
		if !seen[m.Want] && !slices.Contains(kinds, grade.Kind(m.Want)) {
			errs = append(errs, fmt.Errorf("the mistake %s wants %s, which is no finding of the exercise", m.Name, m.Want))
		}
	}
	return errs
}
