package grade_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		exercise string
		want     grade.Kind
	}{
		"a solved exercise passes":                {"week01/04-sum", grade.Passed},
		"a starter of several parts is not begun": {"week01/01-mailbox", grade.NotStarted},
		"what does not compile says where":        {"week01/05-does-not-compile", grade.DoesNotCompile},
		"a panic before the first scenario":       {"week01/06-dies-at-start", grade.Panics},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := grade.Check(t.Context(), "testdata", tc.exercise)
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind != tc.want || v.Exercise != tc.exercise {
				t.Errorf("got %s of %s, want %s of %s", v.Kind, v.Exercise, tc.want, tc.exercise)
			}
			compare(t, name, v, grade.Style{})
		})
	}
	t.Run("an exercise that does not exist is an error", func(t *testing.T) {
		if _, err := grade.Check(t.Context(), "testdata", "week01/99-none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("the end of the context ends a check at once", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		// Code that hangs has a verdict, after some seconds; this check must not get there.
		if v, err := grade.Check(ctx, "testdata", "week01/07-stuck"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %s and %v, want the context's error", v.Kind, err)
		}
	})
}

// A scenario must not outlive who asked for it. The child here is stuck, and would end itself only seconds later.
func TestChildEndsWithItsParent(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(t.TempDir(), "result.json")
	child := exec.CommandContext(t.Context(), binary, "-test.run=^TestVerdict$/^a_lock_held_across_a_wait_hangs$")
	child.Env = append(os.Environ(), "BROKERDOJO_SCENARIO=two letters arrive", "BROKERDOJO_RESULT="+result)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := stdin.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the child ended with %v, want exit status 1", err)
	}
	if _, err := os.Stat(result); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the child went on to its result: %v", err)
	}
}

func TestVerdictJSONIsStable(t *testing.T) {
	at := &grade.Position{File: "exercise.go", Line: 7, Func: "Send"}
	v := grade.Verdict{
		Exercise: "week01/01-mailbox", Kind: grade.Wrong,
		Scenarios: []grade.Result{{
			Scenario: "two letters arrive", Kind: grade.Wrong, Message: "m", At: at,
			Reports:    []grade.Report{{Finding: "lost-letter", Observed: "o", Expected: "e", Cause: "c", Lesson: "week01#l", At: at}},
			Goroutines: []grade.Goroutine{{Process: "sender", Doing: "sleeps", At: at, Started: at}},
			Calls:      []grade.Calls{{Process: "sender", Service: "redis", Operation: "RPUSH", Count: 2, Billed: 1}},
			Cost:       &grade.Cost{Messages: 1, Billed: 2, Dollars: 0.8, Limit: 1.2, Source: "s"},
			Output:     "out", Detail: "d", Virtual: time.Second, Real: time.Millisecond,
		}},
		Compile: []grade.CompileError{{At: at, Message: "undefined: x"}}, Message: "m", Detail: "d",
	}
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "verdict.json", string(got)+"\n")
}
