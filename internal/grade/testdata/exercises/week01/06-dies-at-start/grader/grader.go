// Package grader grades a sum.
package grader

import (
	"context"
	"fmt"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is what the exercise asks for.
type Implementation struct{ Sum func(a, b int) int }

var wrongSum = grade.Finding{Name: "wrong-sum", Cause: "You do not add.", Lesson: "week01#sums"}

// Exercise is the sum.
var Exercise = grade.Exercise[Implementation]{
	Findings: []grade.Finding{wrongSum},
	Scenarios: []grade.Scenario[Implementation]{{
		Name: "two numbers are added",
		Run: func(l *grade.Lab, impl Implementation) {
			_ = l.Do(func(context.Context) error {
				if got := impl.Sum(2, 3); got != 5 {
					l.Report(wrongSum, fmt.Sprintf("The sum of 2 and 3 was %d.", got), "It is 5.")
				}
				return nil
			})
		},
	}},
}
