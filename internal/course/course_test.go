package course_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/brokerdojo/brokerdojo/internal/course"
)

// tree is a whole course of two exercises; a test changes what it is about.
func tree() fstest.MapFS {
	files := fstest.MapFS{}
	put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	put("go.mod", "module example.test/course\n")
	put("exercises/week01/README.md", `---
week: 1
title: First steps
rows:
  W1.T1: "#why-a-broker"
  W1.T2: "#direct-calls"
  W1.T3: "#sync-and-async"
  W1.T4: "#the-patterns-one-by-one"
objectives: [say why]
---
# Week 1

## Why a broker?
See [the first exercise](01-hello/README.md#what-to-build), [below](#sync-and-async) and <https://example.test>.

## Direct calls
## Sync *and* async
## The patterns, one by one
`)
	put("exercises/week01/quiz.yaml", `week: 1
title: First steps
questions:
  - id: first
    rows: [W1.C1, W1.C2, W1.P4, W1.T1]
    text: Why?
    choices:
      - {text: Because., correct: true, explanation: It is so.}
      - {text: Never., explanation: It is not.}
    source: {title: A page, url: "https://example.test/page", checked: 2026-12-01}
`)
	for name, rows := range map[string]string{"01-hello": "W1.P2, W1.P3", "02-bye-bye": "W1.C3, L1.J1, T4, R1.1"} {
		folder := "exercises/week01/" + name
		put(folder+"/README.md", "---\nid: week01/"+name+"\ntitle: About "+name+"\nrows: ["+rows+"]\nbrokers: [redis]\nminutes: 20\nobjectives: [do it]\n---\n# It\n\n## What to build\n\nA [lesson](../README.md).\n")
		put(folder+"/exercise.go", "package it\n")
		put(folder+"/starter/starter.go", "package it\n")
		put(folder+"/exercise_test.go", "package it\n")
		put(folder+"/solution/solution.go", "package it\n")
		put(folder+"/grader/grader.go", "package grader // week01#direct-calls\n")
		put(folder+"/hints.md", "# Hints\n\n## Hint 1\n\nOne.\n\n## Hint 2: more\n\nTwo.\n")
		for _, mistake := range []string{"a", "b", "c"} {
			put(folder+"/mistakes/"+mistake+".go", "// want: finding-"+mistake+"\n\npackage mistakes\n")
		}
	}
	return files
}

func load(t *testing.T, files fs.FS) *course.Course {
	t.Helper()
	c, err := course.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad(t *testing.T) {
	c := load(t, tree())
	if len(c.Weeks) != 14 || len(c.Exercises) != 2 {
		t.Fatalf("%d weeks and %d exercises, want 14 and 2", len(c.Weeks), len(c.Exercises))
	}
	week := c.Weeks[0]
	if week.Title != "First steps" || !week.Published || !week.HasQuiz {
		t.Errorf("week 1 is %+v", week)
	}
	if c.Weeks[1].Published || c.Weeks[1].Title != "Message queue vs message streaming" {
		t.Errorf("week 2 is %+v", c.Weeks[1])
	}
	e := c.Exercises[1]
	if e.ID != "week01/02-bye-bye" || e.Minutes != 20 || !slices.Equal(e.Brokers, []string{"redis"}) {
		t.Errorf("exercise 2 is %+v", e)
	}
	hints, err := c.ReadHints(e)
	if err != nil || !slices.Equal(hints, []string{"One.", "Two."}) {
		t.Errorf("hints are %q, %v", hints, err)
	}
}

func TestLoadNamesTheFileAtFault(t *testing.T) {
	readme := "exercises/week01/01-hello/README.md"
	tests := []struct {
		name, file, text, want string
	}{
		{"an exercise without front matter", readme, "# Hello\n", readme + ": the file must begin with front matter"},
		{"front matter that never ends", readme, "---\nid: x\n", readme + ": the file must begin with front matter"},
		{"an unknown key, with its line", readme, "---\nid: week01/01-hello\nrow: [W1.P1]\n---\n", "[3:1]"},
		{"an id that is not the folder's", readme, "---\nid: week01/01-hallo\n---\n", `id is "week01/01-hallo", but the folder says "week01/01-hello"`},
		{"a lesson in another week's folder", "exercises/week01/README.md", "---\nweek: 2\n---\n", "week is 2, but the folder says 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := tree()
			files[tt.file] = &fstest.MapFile{Data: []byte(tt.text)}
			_, err := course.Load(files)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.file) {
				t.Errorf("the error is %v, want one with %q and %q", err, tt.want, tt.file)
			}
		})
	}
	t.Run("an exercise without a README", func(t *testing.T) {
		files := tree()
		delete(files, readme)
		if _, err := course.Load(files); err == nil || !strings.Contains(err.Error(), "has no README.md") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestFind(t *testing.T) {
	files := tree()
	add := func(id string) {
		files["exercises/"+id+"/README.md"] = &fstest.MapFile{Data: []byte("---\nid: " + id + "\n---\n")}
	}
	for _, id := range []string{"week01/03-request-reply", "week01/12-dead", "week01/13-dead-letter", "week02/03-dead-end", "week12/01-saga"} {
		add(id)
	}
	c := load(t, files)

	for query, want := range map[string]string{
		"week01/03-request-reply": "week01/03-request-reply",
		"request":                 "week01/03-request-reply",
		"Request-Reply":           "week01/03-request-reply",
		"week01/03":               "week01/03-request-reply",
		"1/3":                     "week01/03-request-reply",
		"w1/req":                  "week01/03-request-reply",
		"03-r":                    "week01/03-request-reply",
		"exercises/week01/03-request-reply/exercise.go": "week01/03-request-reply",
		`.\exercises\week01\03-request-reply\`:          "week01/03-request-reply",
		"dead":                                          "week01/12-dead",
		"2/3":                                           "week02/03-dead-end",
		"2":                                             "week01/02-bye-bye",
		"12":                                            "week01/12-dead",
		"saga":                                          "week12/01-saga",
		"12/1":                                          "week12/01-saga",
		"2/dea":                                         "week02/03-dead-end",
	} {
		t.Run(query+" is "+want, func(t *testing.T) {
			if e, err := c.Find(query); err != nil || e.ID != want {
				t.Errorf("got %v, %v", e, err)
			}
		})
	}

	for _, tt := range []struct {
		query      string
		ambiguous  bool
		candidates []string
	}{
		{"03", true, []string{"week01/03-request-reply", "week02/03-dead-end"}},
		{"1/d", true, []string{"week01/12-dead", "week01/13-dead-letter"}},
		{"reply", false, []string{"week01/03-request-reply"}},
		{"week02", false, []string{"week02/03-dead-end"}},
		{"2/", false, nil},
		{"nothing", false, nil},
		{"helo", false, []string{"week01/01-hello"}},
		{"reqeust", false, []string{"week01/03-request-reply"}},
		{"1/dedd", false, []string{"week01/12-dead", "week01/13-dead-letter"}},
		{"99", false, nil},
		{"", false, []string{"week01/01-hello", "week01/02-bye-bye", "week01/03-request-reply", "week01/12-dead", "week01/13-dead-letter", "week02/03-dead-end", "week12/01-saga"}},
	} {
		t.Run("'"+tt.query+"' fits no single exercise", func(t *testing.T) {
			e, err := c.Find(tt.query)
			if tt.query == "2/" { // a trailing slash is dropped, as shells complete folders
				if err != nil || e.ID != "week01/02-bye-bye" {
					t.Fatalf("got %v, %v", e, err)
				}
				return
			}
			var nameErr *course.NameError
			if !errors.As(err, &nameErr) {
				t.Fatalf("got %v, %v", e, err)
			}
			if nameErr.Ambiguous != tt.ambiguous || !slices.Equal(nameErr.Candidates, tt.candidates) {
				t.Errorf("got %+v", nameErr)
			}
		})
	}
}

func TestParseWeek(t *testing.T) {
	c := load(t, tree())
	for _, name := range []string{"1", "01", "w1", "week1", "week01", "Week-1", "exercises/week01", "exercises/week01/"} {
		if w, ok := c.ParseWeek(name); !ok || w.Number != 1 {
			t.Errorf("ParseWeek(%q) = %v, %v", name, w, ok)
		}
	}
	for _, name := range []string{"", "0", "15", "week", "weeks1", "1x"} {
		if w, ok := c.ParseWeek(name); ok {
			t.Errorf("ParseWeek(%q) = week %d", name, w.Number)
		}
	}
}

func TestFindRoot(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(root, tree()); err != nil {
		t.Fatal(err)
	}
	nested := filepath.Join(root, "infra", "stacks")
	if err := os.MkdirAll(nested, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "infra", "go.mod"), []byte("module infra\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{root, filepath.Join(root, "exercises", "week01"), nested} {
		if got, err := course.FindRoot(dir); err != nil || got != root {
			t.Errorf("FindRoot(%s) = %s, %v", dir, got, err)
		}
	}
	if got, err := course.FindRoot(filepath.Dir(root)); !errors.Is(err, course.ErrNoRoot) {
		t.Errorf("outside of a course FindRoot returns %q, %v", got, err)
	}
}

func TestCurriculum(t *testing.T) {
	rows := course.Rows()
	if len(rows) != 140 {
		t.Errorf("%d rows, want 140", len(rows))
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row.ID] || row.Text == "" {
			t.Errorf("row %q is there twice or empty", row.ID)
		}
		seen[row.ID] = true
	}
	weeks := map[string][]int{"W1.T1": {1}, "W4.J3": {4, 5}, "W10.P1": {10, 11}, "W13.P6": {13, 14}, "W12.P1": {12}, "L2.J1": {4, 5, 6, 7}, "R1.1": nil, "T8": nil, "G1": nil}
	for id, want := range weeks {
		if got := (course.Row{ID: id}).Weeks(); !slices.Equal(got, want) {
			t.Errorf("row %s belongs to weeks %v, want %v", id, got, want)
		}
	}
	if levels := course.Levels(); len(levels) != 4 || levels[3].Title != "Mastery" || levels[0].Hours != "30-35" {
		t.Errorf("levels are %+v", levels)
	}
}

func TestCoverage(t *testing.T) {
	coverage, err := load(t, tree()).Coverage()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"W1.T1": "week01#why-a-broker week01/quiz", "W1.T2": "week01#direct-calls", "W1.T3": "week01#sync-and-async",
		"W1.T4": "week01#the-patterns-one-by-one", "W1.P1": "doctor", "W1.P2": "week01/01-hello", "W1.P3": "week01/01-hello",
		"W1.P4": "week01/quiz", "W1.C1": "week01/quiz", "W1.C2": "week01/quiz", "W1.C3": "week01/02-bye-bye",
		"L1.J1": "week01/02-bye-bye", "T4": "week01/02-bye-bye", "R1.1": "week01/02-bye-bye",
	}
	for _, cover := range coverage {
		var refs []string
		for _, claim := range cover.Claims {
			refs = append(refs, claim.Ref)
		}
		if got := strings.Join(refs, " "); got != want[cover.ID] {
			t.Errorf("row %s is claimed by %q, want %q", cover.ID, got, want[cover.ID])
		}
		if cover.Covered() != (want[cover.ID] != "") {
			t.Errorf("row %s covered: %v", cover.ID, cover.Covered())
		}
	}
}

func TestAnchors(t *testing.T) {
	page := "# Why a *broker*?\n## `at-least-once` & co.\n## Twice\n### Twice\n## Имя_1\n[text](x) in a line\n===\n"
	want := []string{"why-a-broker", "at-least-once--co", "twice", "twice-1", "имя_1", "text-in-a-line"}
	if got := course.Anchors([]byte(page)); !slices.Equal(got, want) {
		t.Errorf("anchors are %q, want %q", got, want)
	}
}
