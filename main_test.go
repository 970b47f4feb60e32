package main

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"brokerdojo": main})
}

// The real command on the real course, in a copy of its own: a learner's first
// session, with the real grader.
func TestFirstSession(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Files:               []string{filepath.Join("internal", "cli", "testdata", "first-session.txtar")},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Cd = filepath.Join(env.WorkDir, "brokerdojo")
			// The copy is compiled with the caches of this machine, not offline
			// and cold in a home of the script's own.
			for _, name := range []string{"HOME", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "LocalAppData", "USERPROFILE"} {
				if value, ok := os.LookupEnv(name); ok {
					env.Setenv(name, value)
				}
			}
			return copyCourse(env.Cd)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"edit": edit},
	})
}

// What the README shows of the local cloud is a test that runs.
func TestTheREADMEsExampleIsATest(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join("localstack", "embedded", "example_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```go\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed || !strings.Contains(string(source), block) {
		t.Errorf("the README's Go block is not in localstack/embedded/example_test.go:\n%s", block)
	}
}

// edit replaces a text in a file: edit file old new.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	content := ts.ReadFile(args[0])
	if !strings.Contains(content, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(content, args[1], args[2])), 0o644))
}

// copyCourse copies the course as it is published: with the starters, whatever
// was written in the exercises since.
func copyCourse(to string) error {
	return filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		from := name
		if starter := filepath.Join(filepath.Dir(name), "starter", "starter.go"); entry.Name() == "exercise.go" {
			if _, err := os.Stat(starter); err == nil {
				from = starter
			}
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
}

// BenchmarkUp measures a built command from the start of its process until the
// local cloud is ready, and the memory it then holds.
//
//	go test -run '^$' -bench Up -benchtime 20x .
func BenchmarkUp(b *testing.B) {
	program := filepath.Join(b.TempDir(), "brokerdojo.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var ready time.Duration
	for b.Loop() {
		began := time.Now()
		cmd := exec.Command(program, "up", "--ports", "auto", "--json")
		cmd.Dir = b.TempDir() // outside of the course: a running cloud there is left alone
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadBytes('\n')
		ready += time.Since(began)
		var up struct {
			Ready bool `json:"ready"`
			PID   int  `json:"pid"`
		}
		if err != nil || json.Unmarshal(line, &up) != nil || !up.Ready || up.PID != cmd.Process.Pid {
			b.Errorf("the command said %q, %v", line, err)
		}
		if resident, ok := residentMB(cmd.Process.Pid); ok {
			b.ReportMetric(resident, "MB-resident")
		}
		if err := cmd.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	b.ReportMetric(float64(ready.Microseconds())/1000/float64(b.N), "ms-to-ready")
}

var vmRSS = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// residentMB returns the memory of a process where the system shows it as a file.
func residentMB(pid int) (float64, bool) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, false
	}
	m := vmRSS.FindSubmatch(status)
	if m == nil {
		return 0, false
	}
	kB, err := strconv.ParseFloat(string(m[1]), 64)
	return kB / 1024, err == nil
}
