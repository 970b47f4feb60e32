package pointtopoint

import (
	"testing"

	"github.com/brokerdojo/brokerdojo/exercises/week01/02-point-to-point/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

func TestExercise(t *testing.T) {
	grade.Test(t, grader.Exercise, grader.Implementation{Produce: Produce, Consume: Consume})
}
