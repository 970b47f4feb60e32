// Package functions builds the handlers of the patterns (functions/) as they are deployed: a zip with one file, bootstrap.
package functions

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// MaxZip is how large a handler's zip may be, in bytes.
const MaxZip = 5 << 20

// A Target is what a handler is built for.
type Target struct{ OS, Arch string }

// Lambda is what runs in the cloud: Graviton costs less there, and a Go program does not mind.
var Lambda = Target{"linux", "arm64"}

// Host is this machine, where the embedded cloud runs handlers.
func Host() Target { return Target{runtime.GOOS, runtime.GOARCH} }

// Flags are the arguments of go build. lambda.norpc leaves the retired go1.x runtime out; what else is left out (symbols, paths, the
// build id, the repository's state) is not needed to run, and makes the same source the same program on every machine.
func Flags() []string {
	return []string{"-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w -buildid="}
}

// All returns the handlers below root, the module's folder, as paths such as "workqueue/sqs".
func All(root string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "*", "main.go"))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, m := range mains {
		name, err := filepath.Rel(filepath.Join(root, "functions"), filepath.Dir(m))
		if err != nil {
			return nil, err
		}
		all = append(all, filepath.ToSlash(name))
	}
	slices.Sort(all)
	return all, nil
}

// Build builds a handler, such as "workqueue/sqs", and returns its zip. Its error has what the compiler said.
func Build(ctx context.Context, root, name string, t Target) ([]byte, error) {
	folder, err := os.MkdirTemp("", "brokerdojo-function-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "bootstrap")
	command := exec.CommandContext(ctx, "go", slices.Concat([]string{"build"}, Flags(), []string{"-o", program, "./functions/" + name})...)
	command.Dir = root
	command.Env = append(os.Environ(), "GOOS="+t.OS, "GOARCH="+t.Arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build functions/%s: %w\n%s", name, err, strings.TrimSpace(string(out)))
	}
	b, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	return pack(b)
}

// pack makes the zip. Its time is fixed, so that the same program is the same zip.
func pack(program []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(program); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}
