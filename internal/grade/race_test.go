//go:build race

package grade_test

import (
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/mistakes"
)

func TestWhatTheRaceDetectorFindsIsAFinding(t *testing.T) {
	v := grade.NewCase(grader.Exercise, mistakes.Races).Run(t)
	r := v.Deciding()
	if r == nil || r.Kind != grade.Wrong || r.Reports[0].Finding != "data-race" || r.Reports[0].At == nil {
		t.Fatalf("got %+v, want the finding data-race with its line", r)
	}
}
