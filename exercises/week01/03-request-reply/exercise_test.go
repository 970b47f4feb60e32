package requestreply

import (
	"testing"

	"github.com/brokerdojo/brokerdojo/exercises/week01/03-request-reply/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

func TestExercise(t *testing.T) {
	grade.Test(t, grader.Exercise, grader.Implementation{NewRequester: NewRequester, Respond: Respond})
}
