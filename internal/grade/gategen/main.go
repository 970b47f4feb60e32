// Command gategen writes exercises/registry_test.go, the list of all exercises that the gate goes by. It runs in the folder
// exercises: go generate ./exercises.
package main

import (
	"fmt"
	"os"

	"github.com/brokerdojo/brokerdojo/internal/grade/gate"
)

func main() {
	source, err := gate.Registry(os.DirFS("."), gate.ImportPath)
	if err == nil {
		err = os.WriteFile(gate.RegistryFile, source, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gategen:", err)
		os.Exit(1)
	}
}
