package hellopubsub

import (
	"testing"

	"github.com/brokerdojo/brokerdojo/exercises/week01/01-hello-pubsub/grader"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

func TestExercise(t *testing.T) {
	grade.Test(t, grader.Exercise, grader.Implementation{Publish: Publish, Subscribe: Subscribe})
}
