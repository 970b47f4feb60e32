package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/brokerdojo/brokerdojo/internal/cli"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// The scripts in testdata/script run the command as a process of its own, in a
// copy of the small course in testdata/course. Only grading and the machine that
// the doctor looks at are replaced.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"brokerdojo": func() { os.Exit(run()) },
	})
}

func run() int {
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return cli.ExitBroken
	}
	ctx, stop := cli.Interrupts()
	defer stop()
	return cli.Invocation{
		Args: os.Args[1:], Name: "brokerdojo", Dir: dir, Env: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Check: check, Machine: machine(os.Getenv("MACHINE")),
	}.Run(ctx)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(6 * patience),
		Setup: func(env *testscript.Env) error {
			env.Cd = filepath.Join(env.WorkDir, "course")
			env.Setenv("SHELL", "/bin/bash")
			env.Values[processesKey{}] = map[string]*process{}
			env.Defer(func() { // after a failure, what was started is still there
				for _, p := range env.Values[processesKey{}].(map[string]*process) {
					_ = p.cmd.Process.Kill()
					_ = p.cmd.Wait()
				}
			})
			return os.CopyFS(env.Cd, os.DirFS(filepath.Join("testdata", "course")))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"tidy": tidy, "code": code, "each-verb-helps": eachVerbHelps, "together": together,
			"edit": edit, "append": appendTo, "kept": kept,
			"start": start, "see": see, "press": press, "interrupt": interrupt, "end": end,
		},
	})
}

// check grades by a word in exercise.go.
func check(ctx context.Context, root, exercise string) (grade.Verdict, error) {
	data, err := os.ReadFile(filepath.Join(root, "exercises", filepath.FromSlash(exercise), "exercise.go"))
	if err != nil {
		return grade.Verdict{}, err
	}
	v := grade.Verdict{Exercise: exercise, Kind: grade.Passed}
	result := grade.Result{Scenario: "it returns one", Kind: grade.Passed}
	switch code := string(data); {
	case strings.Contains(code, "SLOW"):
		fmt.Fprintln(os.Stderr, "the slow check began")
		<-ctx.Done()
		return v, ctx.Err()
	case strings.Contains(code, "SLEEPY"): // long enough for the progress indication
		<-time.After(500 * time.Millisecond)
	case strings.Contains(code, "NO TOOLS"):
		return v, errors.New("there is no go command")
	case strings.Contains(code, "FAULT"):
		v.Kind = grade.OurFault
		v.Message = "The cloud broke."
		return v, nil
	case strings.Contains(code, "TODO"):
		result.Kind = grade.NotStarted
	case strings.Contains(code, "WRONG"):
		result.Kind = grade.Wrong
		for _, name := range []string{"returns-two", "returns-late", "returns-two"} {
			result.Reports = append(result.Reports, grade.Report{Finding: name, Observed: "It returned 2.", Expected: "It returns 1.", Cause: "A typing error?", Lesson: "week01#why-a-broker"})
		}
	}
	v.Kind = result.Kind
	v.Scenarios = []grade.Result{result}
	return v, nil
}

// machine is a computer with everything on it, or one that lacks what its name says.
func machine(name string) cli.Machine {
	answers := map[string]string{
		"go env":         `{"GOVERSION": "go1.26.8", "GOMODCACHE": "/cache/mod", "GOCACHE": "/cache/build"}`,
		"git --version":  "git version 2.47.3",
		"docker version": "29.1.0",
		"docker compose": "2.40.3",
		"node --version": "v22.21.1",
		"aws --version":  "aws-cli/2.32.6 Python/3.13.9 Linux/6.1 exe/x86_64",
	}
	m := cli.Machine{
		OS:        "linux",
		Listen:    func(int) error { return nil },
		Writable:  func(string) error { return nil },
		FreeSpace: func(string) (uint64, error) { return 100 << 30, nil },
	}
	switch name {
	case "bare":
		answers = map[string]string{"go env": answers["go env"]}
		m.Listen = func(port int) error {
			if port == 6379 {
				return errors.New("address already in use")
			}
			return nil
		}
	case "old":
		answers["go env"] = strings.Replace(answers["go env"], "1.26.8", "1.24.1", 1)
		answers["node --version"] = "v20.19.0"
		answers["aws --version"] = "aws-cli/1.42.0 Python/3.13.9"
	case "no-go":
		delete(answers, "go env")
		m.OS = "windows"
	case "full":
		m.FreeSpace = func(string) (uint64, error) { return 1 << 30, nil }
		m.Writable = func(dir string) error {
			if dir == "/cache/mod" {
				return errors.New("read-only file system")
			}
			return nil
		}
	}
	m.Run = func(_ context.Context, _, program string, args ...string) (string, error) {
		if name == "no-service" && program == "docker" {
			return "", &exec.ExitError{}
		}
		if answer, ok := answers[program+" "+args[0]]; ok {
			return answer, nil
		}
		return "", exec.ErrNotFound
	}
	return m
}

// tidy fails unless the last command's output has neither control sequences nor
// spaces at the ends of lines.
func tidy(ts *testscript.TestScript, neg bool, args []string) {
	for _, stream := range []string{"stdout", "stderr"} {
		for i, line := range strings.Split(ts.ReadFile(stream), "\n") {
			if strings.ContainsRune(line, '\x1b') {
				ts.Fatalf("%s, line %d has a control sequence: %q", stream, i+1, line)
			}
			if strings.TrimRight(line, " \t\r") != line {
				ts.Fatalf("%s, line %d ends in a space: %q", stream, i+1, line)
			}
		}
	}
}

// code fails unless the command ends with the exit code: code 2 command ...
func code(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if want := args[0]; fmt.Sprint(got) != want {
		ts.Fatalf("exit code %d, want %s\n%s", got, want, ts.ReadFile("stderr"))
	}
}

// eachVerbHelps fails unless every verb's help has a text, an example and a
// usage, and fits into 80 columns.
func eachVerbHelps(ts *testscript.TestScript, neg bool, args []string) {
	for _, verb := range []string{"check", "doctor", "env", "hint", "list", "next", "quiz", "read", "report", "reset", "solution", "up", "version", "watch"} {
		ts.Check(ts.Exec("brokerdojo", verb, "--help"))
		help := ts.ReadFile("stdout")
		for _, part := range []string{"Usage:\n  brokerdojo " + verb, "Examples:\n  ", "brokerdojo " + verb} {
			if !strings.Contains(help, part) {
				ts.Fatalf("the help of %s has no %q:\n%s", verb, part, help)
			}
		}
		if strings.Contains(help, "{cmd}") || strings.Count(help, "\n") < 9 {
			ts.Fatalf("the help of %s is not finished:\n%s", verb, help)
		}
		about, _, _ := strings.Cut(help, "Examples:")
		for line := range strings.Lines(about) {
			if len([]rune(line)) > 86 {
				ts.Fatalf("the help of %s has a long line: %s", verb, line)
			}
		}
		tidy(ts, false, nil)
	}
}

// command prepares one of the commands of TestMain in the script's environment.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, args[0]))
		if err != nil {
			continue
		}
		cmd := exec.Command(path, args[1:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "SHELL=/bin/bash")
		return cmd
	}
	ts.Fatalf("there is no command %s", args[0])
	return nil
}

// together runs a command in many processes at once; all must succeed or, with
// a !, all must fail.
func together(ts *testscript.TestScript, neg bool, args []string) {
	const processes = 8
	var outputs [processes]bytes.Buffer
	var commands [processes]*exec.Cmd
	for i := range processes {
		commands[i] = command(ts, args)
		commands[i].Stdout, commands[i].Stderr = &outputs[i], &outputs[i]
		ts.Check(commands[i].Start())
	}
	for i, cmd := range commands {
		if err := cmd.Wait(); (err != nil) != neg {
			ts.Fatalf("process %d: %v\n%s", i, err, outputs[i].String())
		}
	}
}

// edit replaces a text in a file: edit file old new.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	content := ts.ReadFile(args[0])
	if !strings.Contains(content, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(content, args[1], args[2])), 0o644))
}

// appendTo appends a text, in which \n is a line's end, to a file.
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0]) + strings.ReplaceAll(args[1], `\n`, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// kept fails unless exactly so many files that fit the pattern have the text in
// them: kept pattern text number.
func kept(ts *testscript.TestScript, neg bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	with := 0
	for _, file := range files {
		if strings.Contains(ts.ReadFile(file), args[1]) {
			with++
		}
	}
	if fmt.Sprint(with) != args[2] {
		ts.Fatalf("%d of %q have %q in them, want %s", with, files, args[1], args[2])
	}
}

// process is a command that goes on while the script does.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output chan string // closed at its end
	unseen string      // output that see has not matched
}

type processesKey struct{}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(processesKey{}).(map[string]*process)
}

// start starts a command and gives it a name: start name command ...
func start(ts *testscript.TestScript, neg bool, args []string) {
	p := &process{cmd: command(ts, args[1:]), output: make(chan string, 1000)}
	stdin, err := p.cmd.StdinPipe()
	ts.Check(err)
	read, write, err := os.Pipe()
	ts.Check(err)
	p.stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, write, write
	ts.Check(p.cmd.Start())
	ts.Check(write.Close())
	go func() {
		defer close(p.output)
		defer read.Close()
		for buffer := make([]byte, 4096); ; {
			n, err := read.Read(buffer)
			if err != nil {
				return
			}
			p.output <- string(buffer[:n])
		}
	}()
	processes(ts)[args[0]] = p
}

// patience is how long a script waits for what must come.
const patience = 30 * time.Second

// see waits until the output, after what was seen before, matches: see name pattern.
func see(ts *testscript.TestScript, neg bool, args []string) {
	p, pattern := processes(ts)[args[0]], regexp.MustCompile("(?m)"+args[1])
	timeout := time.After(patience)
	for {
		if at := pattern.FindStringIndex(p.unseen); at != nil {
			p.unseen = p.unseen[at[1]:]
			return
		}
		select {
		case more, ok := <-p.output:
			if !ok {
				ts.Fatalf("%s ended without %q:\n%s", args[0], args[1], p.unseen)
			}
			p.unseen += more
		case <-timeout:
			ts.Fatalf("%s did not say %q in %v:\n%s", args[0], args[1], patience, p.unseen)
		}
	}
}

// press types a line: press name line.
func press(ts *testscript.TestScript, neg bool, args []string) {
	_, err := io.WriteString(processes(ts)[args[0]].stdin, args[1]+"\n")
	ts.Check(err)
}

// interrupt sends what Ctrl-C does: interrupt name.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(processes(ts)[args[0]].cmd.Process.Signal(os.Interrupt))
}

// end sends a signal, if one is named, and fails unless the process then ends
// with the exit code: end name INT|TERM|KILL|- code.
func end(ts *testscript.TestScript, neg bool, args []string) {
	p := processes(ts)[args[0]]
	delete(processes(ts), args[0])
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}
	if signal, ok := signals[args[1]]; ok {
		ts.Check(p.cmd.Process.Signal(signal))
	}
	began := time.Now()
	err := p.cmd.Wait()
	if took := time.Since(began); took > 2*time.Second {
		ts.Fatalf("%s took %v to end", args[0], took)
	}
	if got := p.cmd.ProcessState.ExitCode(); fmt.Sprint(got) != args[2] {
		ts.Fatalf("%s: exit code %d (%v), want %s", args[0], got, err, args[2])
	}
}
