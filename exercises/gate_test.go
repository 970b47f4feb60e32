// The course's own gate: every starter is not started, every solution passes, and every mistake is caught by the finding that
// it names. BROKERDOJO_GATE_RUNS=1000 runs each solution that often instead, to find a grader that fails now and then.
package exercises_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade/gate"
)

//go:generate go run ../internal/grade/gategen

func TestGate(t *testing.T) { gate.Run(t, registry) }

func TestRegistryListsEveryExercise(t *testing.T) {
	want, err := gate.Registry(os.DirFS("."), gate.ImportPath)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(gate.RegistryFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Fatalf("%s is not up to date; run: go generate ./exercises", gate.RegistryFile)
	}
}
