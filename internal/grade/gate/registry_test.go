package gate_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/brokerdojo/brokerdojo/internal/grade/gate"
)

const folder = "week03/02-outbox/"

// course is one complete exercise, with changes made to it.
func course(changes map[string]string) fstest.MapFS {
	files := map[string]string{
		"README.md":                 "# not an exercise\n",
		folder + "grader/types.go":  "package grader\n\ntype Order struct{}\n",
		folder + "grader/grader.go": "package grader\n\ntype Implementation struct {\n\tPlace, Cancel func()\n\tShip func()\n}\n",
		folder + "mistakes/sends_before_commit.go": "// want: lost-event\n\n// Package mistakes is wrong.\npackage mistakes\n\n" +
			"// SendsBeforeCommit sends too early.\nvar SendsBeforeCommit = grader.Implementation{}\n",
		folder + "mistakes/shared.go": "package mistakes\n\nvar tables = 3\n",
	}
	for name, text := range changes {
		files[name] = text
	}
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func TestRegistryNamesEveryPartOfAnExercise(t *testing.T) {
	source, err := gate.Registry(course(nil), "example.org/exercises")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`w03e02starter "example.org/exercises/week03/02-outbox/starter"`,
		`Name: "week03/02-outbox"`,
		`Place:  w03e02solution.Place,`,
		`Cancel: w03e02solution.Cancel,`,
		`Ship:   w03e02starter.Ship,`,
		`{Name: "sends_before_commit", Want: "lost-event", Case: func() grade.Case { return grade.NewCase(w03e02grader.Exercise, w03e02mistakes.SendsBeforeCommit) }}`,
	} {
		if !strings.Contains(string(source), want) {
			t.Errorf("the registry does not have %s:\n%s", want, source)
		}
	}
	if strings.Contains(string(source), "shared") {
		t.Errorf("what mistakes have in common is no mistake:\n%s", source)
	}
}

func TestRegistrySaysWhatAnExerciseLacks(t *testing.T) {
	for name, tc := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"an implementation":          {map[string]string{folder + "grader/grader.go": "package grader\n"}, "no type Implementation"},
		"an implementation's fields": {map[string]string{folder + "grader/grader.go": "package grader\n\ntype Implementation func()\n"}, "must be a struct"},
		"the finding of a mistake":   {map[string]string{folder + "mistakes/late.go": "package mistakes\n\nvar Late = 1\n"}, "// want: "},
		"the variable of a mistake":  {map[string]string{folder + "mistakes/late.go": "// want: late\n\npackage mistakes\n\nvar TooLate = 1\n"}, "called like the file"},
		"mistakes":                   {map[string]string{"week03/03-empty/grader/grader.go": "package grader\n\ntype Implementation struct{}\n"}, "week03/03-empty/mistakes: no mistakes"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := gate.Registry(course(tc.changes), "example.org/exercises"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
