package course_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerdojo/brokerdojo/internal/course"
)

// TestMain lets the test binary act as a second command: with attemptsEnv set it
// records that many attempts in the course it names, and ends.
func TestMain(m *testing.M) {
	if root := os.Getenv(rootEnv); root != "" {
		for i := range attemptsEach {
			if err := attempt(root, fmt.Sprintf("%s-%d", os.Getenv(whoEnv), i)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		return
	}
	os.Exit(m.Run())
}

const (
	rootEnv      = "COURSE_TEST_ROOT"
	whoEnv       = "COURSE_TEST_WHO"
	attemptsEach = 10
)

func attempt(root, who string) error {
	_, err := course.NewStore(root).Update(func(p *course.Progress) error {
		p.Exercise("week01/01-hello").Record(course.Attempt{Verdict: "wrong", Findings: []string{who}}, false)
		return nil
	})
	return err
}

func TestNothingIsCreatedBeforeTheFirstChange(t *testing.T) {
	root := t.TempDir()
	p, err := course.NewStore(root).Load()
	if err != nil || p.Version != course.ProgressVersion || len(p.Exercises) != 0 {
		t.Errorf("loaded %+v, %v", p, err)
	}
	if entries, _ := os.ReadDir(root); len(entries) != 0 {
		t.Errorf("Load created %v", entries)
	}
}

func TestWhatWasChangedIsLoadedAgain(t *testing.T) {
	root := t.TempDir()
	at := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	saved, err := course.NewStore(root).Update(func(p *course.Progress) error {
		p.Current = "week01/02-bye"
		e := p.Exercise("week01/01-hello")
		e.Record(course.Attempt{At: at, Verdict: "wrong", Findings: []string{"b", "a", "b"}, Seconds: 1.5}, false)
		e.Record(course.Attempt{At: at.Add(time.Hour), Verdict: "passed"}, true)
		e.Record(course.Attempt{At: at.Add(2 * time.Hour), Verdict: "passed"}, true)
		e.Hints = 2
		p.Quiz("week01", 7).Answers["first"] = course.Answer{At: at, Choices: []int{1}, Correct: true}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := course.NewStore(root).Load()
	if err != nil || !reflect.DeepEqual(loaded, saved) {
		t.Errorf("loaded %+v, %v; saved %+v", loaded, err, saved)
	}
	e := loaded.Exercise("week01/01-hello")
	if !e.Passed.Equal(at.Add(time.Hour)) || !loaded.Passed("week01/01-hello") || loaded.Passed("week01/02-bye") {
		t.Errorf("passed at %v; want the time of the first pass", e.Passed)
	}
	if len(e.Attempts) != 2 {
		t.Errorf("%d attempts; want 2, a second pass is none", len(e.Attempts))
	}
	if got := strings.Join(e.Findings(), " "); got != "b a" {
		t.Errorf("findings are %q, want each once in the order they were met", got)
	}
	if got := loaded.Quiz("week01", 99); got.Seed != 7 || !got.Results()["first"] {
		t.Errorf("the quiz is %+v", got)
	}
	ignore, err := os.ReadFile(filepath.Join(root, course.StateFolder, ".gitignore"))
	if err != nil || string(ignore) != "*\n" {
		t.Errorf(".gitignore has %q, %v: git must ignore the folder", ignore, err)
	}
}

func TestARefusedChangeWritesNothing(t *testing.T) {
	store := course.NewStore(t.TempDir())
	refused := errors.New("no")
	_, err := store.Update(func(p *course.Progress) error { p.Current = "x"; return refused })
	if !errors.Is(err, refused) {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(store.Path()); !os.IsNotExist(err) {
		t.Errorf("the file was written: %v", err)
	}
}

func TestCommandsAtTheSameTimeLoseNothing(t *testing.T) {
	root := t.TempDir()
	const processes, goroutines = 6, 6
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range processes {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), rootEnv+"="+root, fmt.Sprintf("%s=process-%d", whoEnv, i))
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	for i := range goroutines {
		wg.Go(func() {
			for n := range attemptsEach {
				if err := attempt(root, fmt.Sprintf("goroutine-%d-%d", i, n)); err != nil {
					t.Error(err)
				}
				if _, err := course.NewStore(root).Load(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	p, err := course.NewStore(root).Load()
	if err != nil {
		t.Fatal(err)
	}
	e := p.Exercise("week01/01-hello")
	if want := (processes + goroutines) * attemptsEach; len(e.Attempts) != want || len(e.Findings()) != want {
		t.Errorf("%d attempts and %d different ones, want %d", len(e.Attempts), len(e.Findings()), want)
	}
}

func TestADamagedFileIsSetAside(t *testing.T) {
	for name, damaged := range map[string]string{
		"cut short":       `{"version": 1, "exercises": {"week01/01-he`,
		"empty":           "",
		"not progress":    `{"hello": "world"}`,
		"of wrong types":  `{"version": 1, "exercises": []}`,
		"not JSON at all": "<<<<<<< HEAD\n",
	} {
		for use, act := range map[string]func(*course.Store) (*course.Progress, error){
			"read": (*course.Store).Load,
			"changed": func(s *course.Store) (*course.Progress, error) {
				return s.Update(func(p *course.Progress) error { p.Current = "x"; return nil })
			},
		} {
			t.Run("a file that is "+name+" is kept when it is "+use, func(t *testing.T) {
				root := t.TempDir()
				folder := filepath.Join(root, course.StateFolder)
				if err := course.CreateStateFolder(root); err != nil {
					t.Fatal(err)
				}
				store := course.NewStore(root)
				var asides []string
				store.SetAside = func(path string, cause error) {
					if cause == nil {
						t.Error("no cause was given")
					}
					asides = append(asides, path)
				}
				for round := 1; round <= 2; round++ { // twice within a second: the names must differ
					if err := os.WriteFile(store.Path(), []byte(damaged), 0o644); err != nil {
						t.Fatal(err)
					}
					p, err := act(store)
					if err != nil || len(p.Exercises) != 0 {
						t.Fatalf("got %+v, %v; want an empty progress", p, err)
					}
					if len(asides) != round {
						t.Fatalf("told of %v in round %d", asides, round)
					}
					kept, err := os.ReadFile(asides[round-1])
					if err != nil || string(kept) != damaged {
						t.Errorf("kept %q, %v; want %q", kept, err, damaged)
					}
				}
				if filepath.Dir(asides[0]) != folder || asides[0] == asides[1] {
					t.Errorf("set aside as %v", asides)
				}
			})
		}
	}
}

func TestAFileOfANewerVersionIsLeftAlone(t *testing.T) {
	root := t.TempDir()
	if err := course.CreateStateFolder(root); err != nil {
		t.Fatal(err)
	}
	store := course.NewStore(root)
	newer := []byte(`{"version": 2, "exercises": []}`)
	if err := os.WriteFile(store.Path(), newer, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(); !errors.Is(err, course.ErrNewer) {
		t.Errorf("Load returns %v", err)
	}
	if err := attempt(root, "x"); !errors.Is(err, course.ErrNewer) {
		t.Errorf("Update returns %v", err)
	}
	if now, _ := os.ReadFile(store.Path()); string(now) != string(newer) {
		t.Errorf("the file is now %q", now)
	}
}

func TestNullsInAHandEditedFileDoNoHarm(t *testing.T) {
	root := t.TempDir()
	if err := course.CreateStateFolder(root); err != nil {
		t.Fatal(err)
	}
	store := course.NewStore(root)
	text := `{"version": 1, "exercises": {"week01/01-hello": null}, "quizzes": {"week01": {"seed": 3, "answers": null}, "week02": null}}`
	if err := os.WriteFile(store.Path(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := store.Update(func(p *course.Progress) error {
		p.Exercise("week01/01-hello").Hints++
		p.Quiz("week01", 1).Answers["q"] = course.Answer{}
		p.Quiz("week02", 1).Answers["q"] = course.Answer{}
		return nil
	})
	if err != nil || p.Quiz("week01", 1).Seed != 3 || p.Exercise("week01/01-hello").Hints != 1 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestCurrent(t *testing.T) {
	files := tree()
	c := load(t, files)
	hello, bye := c.Exercises[0], c.Exercises[1]
	progress := func(current string, passed ...*course.Exercise) *course.Progress {
		store := course.NewStore(t.TempDir())
		p, err := store.Update(func(p *course.Progress) error {
			p.Current = current
			for _, e := range passed {
				p.Exercise(e.ID).Record(course.Attempt{Verdict: "passed"}, true)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		name           string
		p              *course.Progress
		current, after *course.Exercise // after is After(hello)
	}{
		{"at the start it is the first", progress(""), hello, bye},
		{"a chosen one stays until it is passed", progress(bye.ID), bye, bye},
		{"after a pass it is the next", progress(hello.ID, hello), bye, bye},
		{"after the last it is the one that was left out", progress(bye.ID, bye), hello, nil},
		{"one that no longer exists is forgotten", progress("week01/77-gone"), hello, bye},
		{"there is none when all are passed", progress(bye.ID, hello, bye), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.Current(tt.p); got != tt.current {
				t.Errorf("current is %v, want %v", got, tt.current)
			}
			if got := c.After(tt.p, hello); got != tt.after {
				t.Errorf("after the first comes %v, want %v", got, tt.after)
			}
		})
	}
}
