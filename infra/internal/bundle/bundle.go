// Package bundle builds the handlers in ../functions for deployment: a zip with one file, bootstrap. It is what CDK's own bundling does
// in a container, without one.
package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Flags are the arguments of go build, and the only place of this module that knows them. The module above has its own
// (internal/functions.Flags): each can be used without the other, and TestZipIsTheOneThatTheTestsRun holds them together.
//
// lambda.norpc leaves out the protocol of the retired go1.x runtime; the rest leaves out what differs from machine to machine (paths,
// the repository's state, the build id) and what nobody reads there (symbols).
func Flags() []string {
	return []string{"-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w -buildid="}
}

// A Target is what a handler is built for, in Go's words.
type Target struct{ OS, Arch string }

// architectures are Lambda's names of architectures and Go's.
var architectures = map[string]string{"arm64": "arm64", "x86_64": "amd64"}

// TargetFor returns what to build for Lambda's architecture: arm64, x86_64, or "", which is arm64. Where endpoint, the value of
// AWS_ENDPOINT_URL, is this machine, the handlers will run as processes of it, and are built for it whatever its system is.
func TargetFor(architecture, endpoint string) (Target, error) {
	if loopback(endpoint) {
		return Target{runtime.GOOS, runtime.GOARCH}, nil
	}
	if architecture == "" {
		architecture = "arm64"
	}
	arch, ok := architectures[architecture]
	if !ok {
		return Target{}, fmt.Errorf("the architecture is %q: Lambda has arm64 and x86_64", architecture)
	}
	return Target{"linux", arch}, nil
}

// Architecture is Lambda's name of the target's architecture.
func (t Target) Architecture() string {
	if t.Arch == "amd64" {
		return "x86_64"
	}
	return t.Arch
}

func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// Zip builds a handler, such as "workqueue/sqs", of the module in root, and returns its zip. The same source gives the same bytes on
// every machine. The error has what the compiler said.
func Zip(ctx context.Context, root, handler string, t Target) ([]byte, error) {
	folder, err := os.MkdirTemp("", "bundle-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "bootstrap")
	command := exec.CommandContext(ctx, "go", slices.Concat([]string{"build"}, Flags(), []string{"-o", program, "./functions/" + handler})...)
	command.Dir = root
	// GOWORK: a workspace of the user's would choose other versions than go.mod.
	command.Env = append(os.Environ(), "GOOS="+t.OS, "GOARCH="+t.Arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build functions/%s for %s/%s: %w\n%s", handler, t.OS, t.Arch, err, strings.TrimSpace(string(out)))
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}
