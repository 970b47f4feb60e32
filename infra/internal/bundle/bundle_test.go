package bundle_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/infra/internal/bundle"
)

const root = "../../.."

func TestZipIsTheOneThatTheTestsRun(t *testing.T) {
	// The module above builds all of its handlers into a folder; nothing of it can be imported here.
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "go", "run", "./internal/functions/build", "-o", folder)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	built, err := filepath.Glob(filepath.Join(folder, "*.zip"))
	if err != nil || len(built) == 0 {
		t.Fatal("nothing was built", err)
	}
	target, err := bundle.TargetFor("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range built {
		handler := strings.Replace(strings.TrimSuffix(filepath.Base(file), ".zip"), "-", "/", 1)
		t.Run(handler, func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := bundle.Zip(t.Context(), root, handler, target)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error("what is deployed is not what is tested: compare bundle.Flags with functions.Flags of the module above")
			}
		})
	}
}

func TestZipSaysWhatTheCompilerSaid(t *testing.T) {
	_, err := bundle.Zip(t.Context(), root, "nowhere/sqs", bundle.Target{OS: "linux", Arch: "arm64"})
	if err == nil || !strings.Contains(err.Error(), "build functions/nowhere/sqs for linux/arm64") || !strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestTargetFor(t *testing.T) {
	host := bundle.Target{OS: runtime.GOOS, Arch: runtime.GOARCH}
	for name, tc := range map[string]struct {
		architecture, endpoint string
		want                   bundle.Target
		wrong                  bool
	}{
		"Graviton unless it is said otherwise":        {"", "", bundle.Target{OS: "linux", Arch: "arm64"}, false},
		"Intel on request":                            {"x86_64", "", bundle.Target{OS: "linux", Arch: "amd64"}, false},
		"Go's name of it is not Lambda's":             {"amd64", "", bundle.Target{}, true},
		"this machine by its name":                    {"", "http://localhost:4566", host, false},
		"this machine by its address":                 {"", "http://127.0.0.1:4566", host, false},
		"this machine by its other address":           {"", "http://[::1]:4566", host, false},
		"this machine, whatever is asked for":         {"x86_64", "http://127.0.0.1:4566", host, false},
		"another machine":                             {"", "http://10.0.0.7:4566", bundle.Target{OS: "linux", Arch: "arm64"}, false},
		"a name that only begins like this machine's": {"", "http://localhost.example.com", bundle.Target{OS: "linux", Arch: "arm64"}, false},
		"an endpoint of AWS":                          {"", "https://sqs.us-east-1.amazonaws.com", bundle.Target{OS: "linux", Arch: "arm64"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bundle.TargetFor(tc.architecture, tc.endpoint)
			if got != tc.want || (err != nil) != tc.wrong {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
