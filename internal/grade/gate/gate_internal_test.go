package gate

import (
	"errors"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade"
	mailbox "github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/solution"
)

// verdict is one with a scenario for each result.
func verdict(kind grade.Kind, results ...grade.Result) grade.Verdict {
	return grade.Verdict{Kind: kind, Scenarios: results}
}

func wrong(findings ...string) grade.Result {
	r := grade.Result{Kind: grade.Wrong}
	for _, f := range findings {
		r.Reports = append(r.Reports, grade.Report{Finding: f})
	}
	return r
}

func TestCaught(t *testing.T) {
	passes := grade.Result{Kind: grade.Passed}
	for name, tc := range map[string]struct {
		verdict grade.Verdict
		want    string // in the error; empty for none
	}{
		"the finding alone is enough":              {verdict(grade.Wrong, passes, wrong("lost")), ""},
		"the finding must come first":              {verdict(grade.Wrong, wrong("late", "lost")), "is by late"},
		"a later scenario does not help":           {verdict(grade.Wrong, wrong("late"), wrong("lost")), "is by late"},
		"a pass is not caught":                     {verdict(grade.Passed, passes), "passes"},
		"another kind of verdict is not a finding": {verdict(grade.Hangs, grade.Result{Kind: grade.Hangs}), "is by hangs"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, caught("lost", tc.verdict), tc.want) })
	}
	t.Run("a kind of verdict can be what is wanted", func(t *testing.T) {
		expect(t, caught("leaks", verdict(grade.Leaks, grade.Result{Kind: grade.Leaks})), "")
	})
	t.Run("the race detector may be first", func(t *testing.T) {
		want := "is by data-race"
		if raceDetector {
			want = ""
		}
		expect(t, caught("lost", verdict(grade.Wrong, wrong(grade.DataRace))), want)
	})
}

func TestPassed(t *testing.T) {
	for name, tc := range map[string]struct {
		verdict grade.Verdict
		want    string
	}{
		"a solution passes":            {verdict(grade.Passed, grade.Result{Kind: grade.Passed, Cost: &grade.Cost{Messages: 1, Dollars: 1, Limit: 1}}), ""},
		"a solution is not wrong":      {verdict(grade.Wrong, wrong("lost")), "must pass"},
		"a solution keeps to its cost": {verdict(grade.Passed, grade.Result{Kind: grade.Passed, Cost: &grade.Cost{Messages: 1, Dollars: 2, Limit: 1}}), "must not cost more"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, passed(tc.verdict), tc.want) })
	}
}

func TestNotStarted(t *testing.T) {
	todo := grade.Result{Kind: grade.NotStarted}
	t.Run("every scenario must end at a TODO", func(t *testing.T) { expect(t, notStarted(verdict(grade.NotStarted, todo, todo)), "") })
	t.Run("a scenario that passes is too much", func(t *testing.T) {
		expect(t, notStarted(verdict(grade.NotStarted, todo, grade.Result{Kind: grade.Passed})), "lab.TODO")
	})
}

func TestFindings(t *testing.T) {
	complete := []Mistake{{Name: "first_only", Want: "lost-letter"}, {Name: "says_no", Want: "send-failed"}, {Name: "spins", Want: "hangs"}}
	for name, tc := range map[string]struct {
		exercise string
		change   func(e *grade.Exercise[mailbox.Implementation])
		mistakes []Mistake
		want     string
	}{
		"a complete exercise has nothing wrong":       {mistakes: complete},
		"each finding needs a mistake":                {mistakes: complete[1:], want: "no mistake shows the finding lost-letter"},
		"a reason stands in for a mistake":            {mistakes: complete[1:], change: func(e *grade.Exercise[mailbox.Implementation]) { e.Findings[0].NoCase = "rare" }},
		"a reason beside a mistake is one of two":     {mistakes: complete, change: func(e *grade.Exercise[mailbox.Implementation]) { e.Findings[0].NoCase = "rare" }, want: "NoCase says that it has none"},
		"a mistake names a finding or a kind":         {mistakes: append([]Mistake{{Name: "x", Want: "lost-leter"}}, complete...), want: "no finding of the exercise"},
		"a finding is declared once":                  {mistakes: complete, change: func(e *grade.Exercise[mailbox.Implementation]) { e.Findings = append(e.Findings, e.Findings[0]) }, want: "declared twice"},
		"a finding has a lesson's section":            {mistakes: complete, change: func(e *grade.Exercise[mailbox.Implementation]) { e.Findings[0].Lesson = "week01" }, want: "section of a lesson"},
		"a finding is about a function that is there": {mistakes: complete, change: func(e *grade.Exercise[mailbox.Implementation]) { e.Findings[0].Func = "Recieve" }, want: "no function of the implementation"},
		"scenarios stand in their own exercise":       {exercise: "week01/02-other", mistakes: complete, want: "not in week01/01-mailbox"},
	} {
		t.Run(name, func(t *testing.T) {
			e := mailbox.Exercise
			e.Findings = append([]grade.Finding(nil), e.Findings...)
			if tc.change != nil {
				tc.change(&e)
			}
			impl := mailbox.Implementation{Send: solution.Send, Receive: solution.Receive}
			if tc.exercise == "" {
				tc.exercise = "week01/01-mailbox"
			}
			expect(t, errors.Join(findings(tc.exercise, grade.NewCase(e, impl), tc.mistakes)...), tc.want)
		})
	}
}

// expect fails unless err says want, or is nil if that is empty.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}
