package lab_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/grade/lab"
)

func TestTODOSaysWhereItWasReached(t *testing.T) {
	defer func() {
		n, ok := recover().(lab.NotStarted)
		if !ok || n.Text != "write this" || filepath.Base(n.File) != "lab_test.go" || n.Line == 0 {
			t.Errorf("TODO panics with %#v", n)
		}
		if !strings.HasSuffix(n.Error(), ": write this") {
			t.Errorf("the error reads %q", n.Error())
		}
	}()
	lab.TODO("write this")
}
