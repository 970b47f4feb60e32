package grade_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade"
	mailbox "github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/mistakes"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/solution"
	cost "github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/02-network/grader"
)

var update = flag.Bool("update", false, "write the fixtures in testdata/verdicts anew")

// TestVerdict runs each implementation in processes of its own and compares what a learner would read.
func TestVerdict(t *testing.T) {
	for name, tc := range map[string]struct {
		impl grader.Implementation
		want grade.Kind
	}{
		"the solution passes":                                {grader.Implementation{Send: solution.Send, Receive: solution.Receive}, grade.Passed},
		"an untouched starter is not started":                {grader.Implementation{Send: mailbox.Send, Receive: mailbox.Receive}, grade.NotStarted},
		"a half that was not begun is not started":           {mistakes.HalfDone, grade.NotStarted},
		"a TODO in a goroutine is not started":               {mistakes.HalfDoneInGoroutine, grade.NotStarted},
		"a finding is wrong":                                 {mistakes.FirstOnly, grade.Wrong},
		"a retry without end never ends":                     {mistakes.Retries, grade.NeverEnds},
		"a function that outlives its context never ends":    {mistakes.Deaf, grade.NeverEnds},
		"a loop that does not wait hangs":                    {mistakes.Spins, grade.Hangs},
		"a lock held across a wait hangs":                    {mistakes.Locks, grade.Hangs},
		"a channel in a package variable hangs":              {mistakes.PackageChannel, grade.Hangs},
		"a goroutine left behind leaks":                      {mistakes.Forgets, grade.Leaks},
		"a subscription left open leaks":                     {mistakes.Subscribed, grade.Leaks},
		"a panic is said with its line":                      {mistakes.Panics, grade.Panics},
		"a panic in a goroutine is said with its line":       {mistakes.PanicsInGoroutine, grade.Panics},
		"a fatal error of the runtime is said with its line": {mistakes.FatalError, grade.Panics},
		"a call of os.Exit is said":                          {mistakes.Exits, grade.Panics},
		"a panic of the grader is our fault":                 {mistakes.BreaksGrader, grade.OurFault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := grade.NewCase(grader.Exercise, tc.impl).RunUntilDecided(t) // Run leaves out what did not begin before a hang was known
			if v.Kind != tc.want {
				t.Errorf("kind is %q, want %q", v.Kind, tc.want)
			}
			compare(t, name, v, grade.Style{})
		})
	}
}

var stackRE = regexp.MustCompile(`(?m)^      (goroutine \d+ .*|\t.*\.go:\d+.*|[^ ].*\(.*\)|panic\(.*|created by .*|\[originating.*|\(\d+ lines before\)|)\n`)

// compare compares the rendered verdict with its fixture.
func compare(t *testing.T, name string, v grade.Verdict, s grade.Style) {
	t.Helper()
	var text strings.Builder
	if err := v.Render(&text, s); err != nil {
		t.Fatal(err)
	}
	got := stackRE.ReplaceAllString(text.String(), "") // stacks of our own faults change with every line of ours
	golden(t, filepath.Join("verdicts", strings.ReplaceAll(name, " ", "-")+".txt"), got)
}

// golden compares got with the file of that name in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s is\n%s\nwant (run with -update if it should)\n%s", file, got, want)
	}
}

// TestStyle renders real verdicts in colours and in a narrow window.
func TestStyle(t *testing.T) {
	tag := func(name string) func(string) string {
		return func(text string) string { return "<" + name + ">" + text + "</" + name + ">" }
	}
	style := grade.Style{
		Width: 60, Bold: tag("bold"), Dim: tag("dim"), Good: tag("good"), Bad: tag("bad"), Note: tag("note"), Link: tag("link"),
	}
	for name, c := range map[string]grade.Case{
		"a finding in colours":           grade.NewCase(grader.Exercise, mistakes.FirstOnly),
		"a starter in colours":           grade.NewCase(grader.Exercise, grader.Implementation{Send: mailbox.Send, Receive: mailbox.Receive}),
		"a panic with output in colours": grade.NewCase(grader.Exercise, mistakes.PanicsInGoroutine),
		"a cost note in colours":         grade.NewCase(cost.Exercise, cost.Implementation{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, name, c.Run(t), style)
		})
	}
}
