package course_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/brokerdojo/brokerdojo/internal/course"
)

// The course itself: this is what keeps its links, rows and exercises whole.
func TestTheCourseIsWhole(t *testing.T) {
	root, err := course.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	c, err := course.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	// A learner's exercise.go differs from the starter: that is what it is for.
	// A clone that was never worked in, and every build server, must have them equal.
	_, err = os.Stat(course.NewStore(root).Path())
	untouched := os.IsNotExist(err) || os.Getenv("CI") != ""
	problems, err := c.Verify(untouched)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	coverage, err := c.Coverage()
	if err != nil {
		t.Fatal(err)
	}
	covered := 0
	for _, row := range coverage {
		if row.Covered() {
			covered++
		}
	}
	t.Logf("%d of %d curriculum rows are covered", covered, len(coverage))
}

func TestVerifyFindsNothingInAWholeCourse(t *testing.T) {
	problems, err := load(t, tree()).Verify(true)
	if err != nil || len(problems) != 0 {
		t.Errorf("problems %v, error %v", problems, err)
	}
}

func TestVerify(t *testing.T) {
	const (
		lesson = "exercises/week01/README.md"
		quiz   = "exercises/week01/quiz.yaml"
		folder = "exercises/week01/01-hello"
		readme = folder + "/README.md"
	)
	remove := func(name string) func(fstest.MapFS) { return func(files fstest.MapFS) { delete(files, name) } }
	replace := func(name, old, new string) func(fstest.MapFS) {
		return func(files fstest.MapFS) {
			text := string(files[name].Data)
			if !strings.Contains(text, old) {
				panic("fixture has no " + old)
			}
			files[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, old, new))}
		}
	}
	tests := []struct {
		name   string
		change func(fstest.MapFS)
		want   string
	}{
		{"a row that points to no heading", replace(lesson, `"#direct-calls"`, `"#direct-call"`), lesson + `: row W1.T2 points to "#direct-call", which is no heading`},
		{"a link to a missing file", replace(lesson, "01-hello/README.md#what", "01-hullo/README.md#what"), "there is no exercises/week01/01-hullo/README.md"},
		{"a link to a missing heading of another page", replace(lesson, "README.md#what-to-build", "README.md#what"), "exercises/week01/01-hello/README.md has no heading #what"},
		{"a link to a missing heading of the same page", replace(lesson, "](#sync-and-async)", "](#sync)"), lesson + " has no heading #sync"},
		{"a link out of the course", replace(readme, "(../README.md)", "(../../../../README.md)"), "it leads out of the course's folder"},
		{"a broken link in hints", replace(folder+"/hints.md", "One.", "![One](one.png)"), "the link to one.png is broken"},
		{"a grader's reference to a missing section", replace(folder+"/grader/grader.go", "week01#direct-calls", "week01#direct"), folder + "/grader/grader.go: the reference to week01#direct is broken"},
		{"an exercise without rows", replace(readme, "rows: [W1.P2, W1.P3]\n", ""), readme + ": rows is missing"},
		{"an exercise without a title", replace(readme, "title: About 01-hello\n", ""), readme + ": title is missing"},
		{"an exercise without hints", remove(folder + "/hints.md"), folder + "/hints.md: the file is missing"},
		{"hints without headings", replace(folder+"/hints.md", "## Hint", "## Tip"), "there is no heading like ## Hint 1"},
		{"hints out of order", replace(folder+"/hints.md", "## Hint 2", "## Hint 3"), "heading 2 is called Hint 3"},
		{"an exercise without a solution", remove(folder + "/solution/solution.go"), folder + "/solution/solution.go: the file is missing"},
		{"an exercise without a starter's copy", remove(folder + "/starter/starter.go"), folder + "/starter/starter.go: the file is missing"},
		{"a starter that drifted from its copy", replace(folder+"/exercise.go", "package it", "package is"), folder + "/exercise.go: it differs from"},
		{"two mistakes only", remove(folder + "/mistakes/a.go"), folder + "/mistakes: 2 files begin with // want: <finding>; at least 3 are needed"},
		{"a mistake that names no finding", replace(folder+"/mistakes/a.go", "// want: ", "// wants "), "2 files begin with"},
		{"an unknown exercise in after", replace(readme, "minutes: 20", "minutes: 20\nafter: [week01/09-nine]"), `after names "week01/09-nine", which is no exercise`},
		{"an after that comes later", replace(readme, "minutes: 20", "minutes: 20\nafter: [week01/02-bye-bye]"), `after names "week01/02-bye-bye", which comes later`},
		{"an unknown row", replace(readme, "W1.P2,", "W1.P2, W1.P9,"), readme + ": the curriculum has no row W1.P9"},
		{"an unknown row in a quiz", replace(quiz, "W1.C2,", "W1.C2, W9.C2,"), quiz + ": the curriculum has no row W9.C2"},
		{"a row claimed twice by one exercise", replace(readme, "W1.P2,", "W1.P2, W1.P2,"), readme + ": row W1.P2 is claimed twice"},
		{"a project claimed by two exercises", replace(readme, "W1.P2,", "W1.P2, L1.J1,"), "row L1.J1 is already covered by week01/01-hello"},
		{"theory claimed by an exercise", replace(readme, "W1.P2,", "W1.P2, W1.T1,"), readme + ": row W1.T1 is of kind theory, which is not for the exercise to claim"},
		{"a project claimed by a lesson", replace(lesson, "W1.T1:", "L1.J1:"), lesson + ": row L1.J1 is of kind project, which is not for the lesson to claim"},
		{"practice that only a lesson claims", func(files fstest.MapFS) {
			replace(lesson, "W1.T1:", "W1.P2: \"#direct-calls\"\n  W1.T1:")(files)
			replace(readme, "W1.P2, ", "")(files)
		}, "row W1.P2 (Run a simple Redis Pub/Sub example) belongs to a published week, but nothing covers it"},
		{"a row of another week", replace(readme, "W1.P2,", "W1.P2, W2.P1,"), "row W2.P1 belongs to week [2], not to week 1"},
		{"a project of another level", replace(readme, "W1.P2,", "W1.P2, L2.J1,"), "row L2.J1 belongs to week [4 5 6 7], not to week 1"},
		{"a row of a published week that nothing covers", replace(lesson, "  W1.T2: \"#direct-calls\"\n", ""), "row W1.T2 (Problems of direct service-to-service calls) belongs to a published week, but nothing covers it"},
		{"a theory row that only a quiz asks about", replace(lesson, "  W1.T1: \"#why-a-broker\"\n", ""), "row W1.T1 (What a message broker is and why it is needed) belongs to a published week"},
		{"a week without a quiz", remove(quiz), "exercises/week01: the week has no quiz"},
		{"a week without a lesson", remove(lesson), "exercises/week01: the week has exercises, but no lesson"},
		{"a broken link in the course's own README", func(files fstest.MapFS) {
			files["README.md"] = &fstest.MapFile{Data: []byte("[x](exercises/none.md)\n")}
		}, "README.md: the link to exercises/none.md is broken"},
	}
	for _, tt := range tests {
		t.Run("finds "+tt.name, func(t *testing.T) {
			files := tree()
			tt.change(files)
			problems, err := load(t, files).Verify(true)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				if strings.Contains(p.String(), tt.want) {
					return
				}
			}
			t.Errorf("no problem says %q; they are %q", tt.want, problems)
		})
	}
	t.Run("lets a learner change exercise.go", func(t *testing.T) {
		files := tree()
		files[folder+"/exercise.go"] = &fstest.MapFile{Data: []byte("package mine\n")}
		problems, err := load(t, files).Verify(false)
		if err != nil || len(problems) != 0 {
			t.Errorf("problems %v, error %v", problems, err)
		}
	})
}
