package notifications

import (
	"testing"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

func TestExercise(t *testing.T) {
	grade.Test(t, grader.Exercise, grader.Implementation{NewHub: NewHub})
}
