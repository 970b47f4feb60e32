package mailbox

import (
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade"
	"github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/01-mailbox/grader"
)

func TestExercise(t *testing.T) {
	grade.Test(t, grader.Exercise, grader.Implementation{Send: Send, Receive: Receive})
}
