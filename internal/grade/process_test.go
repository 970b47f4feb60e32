package grade_test

import (
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade"
	network "github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/02-network/grader"
	kafka "github.com/brokerdojo/brokerdojo/internal/grade/testdata/exercises/week01/03-kafka/grader"
)

// TestProcess runs scenarios that say themselves what a process's network must do.
func TestProcess(t *testing.T) {
	for name, c := range map[string]grade.Case{
		"AWS and Redis": grade.NewCase(network.Exercise, network.Implementation{}),
		"Kafka":         grade.NewCase(kafka.Exercise, kafka.Implementation{}),
	} {
		t.Run(name, func(t *testing.T) {
			v := c.Run(t)
			for _, r := range v.Scenarios {
				t.Run(r.Scenario, func(t *testing.T) {
					if r.Kind != grade.Passed {
						var text strings.Builder
						_ = grade.Verdict{Exercise: v.Exercise, Kind: r.Kind, Scenarios: []grade.Result{r}}.Render(&text, grade.Style{})
						t.Errorf("%+v\n%s", r.Reports, text.String())
					}
				})
			}
			if len(v.Scenarios) == 0 {
				t.Errorf("no scenario ran: %s", v.Message)
			}
		})
	}
}

// TestCost looks at the scenarios of which the prices are known.
func TestCost(t *testing.T) {
	v := grade.NewCase(network.Exercise, network.Implementation{}).Run(t)
	for scenario, want := range map[string]struct {
		billed  int
		dollars float64
		above   bool
	}{
		"a FIFO queue has a price of its own": {1, 0.50, false},
		"64 KiB are one request to pay":       {4, 1.60, true},
	} {
		t.Run(scenario, func(t *testing.T) {
			for _, r := range v.Scenarios {
				if r.Scenario != scenario {
					continue
				}
				if c := r.Cost; c == nil || c.Billed != want.billed || c.Dollars != want.dollars || c.Above() != want.above {
					t.Errorf("cost is %+v, want %+v", r.Cost, want)
				}
				return
			}
			t.Error("the scenario did not run")
		})
	}
}
