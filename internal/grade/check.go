package grade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// envVerdict names the file that Test writes its verdict to, as JSON, instead of failing.
const envVerdict = "BROKERDOJO_VERDICT"

// Check builds and runs the test of an exercise ("week01/01-hello-pubsub") below root, the folder that holds "exercises", and
// returns its verdict. An error means that there is none: no such exercise, no working go command, or ctx ended, which kills
// what runs. Two checks of one exercise at a time wait for each other.
func Check(ctx context.Context, root, exercise string) (Verdict, error) {
	folder, err := filepath.Abs(filepath.Join(root, "exercises", filepath.FromSlash(exercise)))
	if err != nil {
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "exercise_test.go")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Verdict{}, fmt.Errorf("there is no exercise %s: %w", exercise, err)
		}
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, err)
	}
	binary, unlock, err := binaryOf(ctx, folder)
	if err != nil {
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, err)
	}
	defer unlock()

	build := exec.CommandContext(ctx, "go", testBuild(binary, usesKafka(folder))...)
	build.Dir, build.WaitDelay = folder, time.Second
	if out, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return Verdict{}, fmt.Errorf("check %s: %w", exercise, context.Cause(ctx))
		}
		v, ok := notCompiled(exercise, string(out))
		if !ok {
			return Verdict{}, fmt.Errorf("check %s: go test -c: %w\n%s", exercise, err, out)
		}
		return v, nil
	}
	return runTest(ctx, binary, folder, exercise)
}

// usesKafka says whether an exercise imports the Kafka client, and so should be built for it at once. With the tag, the client
// and all that stands on it are compiled a second time, half a minute that the other exercises should not cost a fresh clone.
// It need not be right: Test builds again what it finds built wrong.
func usesKafka(folder string) bool {
	for _, pattern := range []string{"*.go", filepath.Join("grader", "*.go")} {
		files, _ := filepath.Glob(filepath.Join(folder, pattern)) // fails for a bad pattern only
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				continue
			}
			for _, i := range tree.Imports {
				if strings.HasPrefix(i.Path.Value, `"github.com/twmb/franz-go/`) {
					return true
				}
			}
		}
	}
	return false
}

// binaryOf returns where the test binary of a folder is kept, and locks it. Kept between checks, it is not linked again when
// nothing has changed: that is most of the time that a check takes.
func binaryOf(ctx context.Context, folder string) (string, func(), error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir() // a user without a home checks all the same
	}
	sum := sha256.Sum256([]byte(folder))
	dir := filepath.Join(cache, "brokerdojo", "check", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return "", nil, fmt.Errorf("wait for another check: %w", err)
	}
	return filepath.Join(dir, executable("exercise.test")), func() { _ = lock.Unlock() }, nil
}

// executable is the file name of a program on this system.
func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// runTest runs an exercise's test binary and returns the verdict that it writes.
func runTest(ctx context.Context, binary, folder, exercise string) (Verdict, error) {
	dir, err := os.MkdirTemp("", "brokerdojo-*")
	if err != nil {
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "verdict.json")

	output := &tail{limit: 1 << 20}
	cmd := exec.CommandContext(ctx, binary, "-test.run=^TestExercise$", "-test.timeout=0")
	cmd.Dir, cmd.WaitDelay = folder, time.Second
	cmd.Env = append(os.Environ(), envVerdict+"="+file)
	cmd.Stdout, cmd.Stderr = output, output
	hold, err := cmd.StdinPipe() // its end tells the test, and through it the scenarios, that we are gone
	if err != nil {
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, err)
	}
	defer func() { _ = hold.Close() }()
	err = cmd.Run()
	if ctx.Err() != nil {
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, context.Cause(ctx))
	}
	if err != nil && cmd.ProcessState == nil {
		return Verdict{}, fmt.Errorf("check %s: %w", exercise, err)
	}
	data, err := os.ReadFile(file)
	if err != nil { // the test died before a scenario ran: in an init function, or in a package variable
		s := source{folder: filepath.ToSlash(folder) + "/"}
		r := s.died(output.buffer.String(), cmd.ProcessState)
		r.Scenario = "the program starts"
		return verdict(exercise, []Result{r}), nil
	}
	var v Verdict
	if err := json.Unmarshal(data, &v); err != nil {
		return Verdict{}, fmt.Errorf("check %s: read the verdict: %w", exercise, err)
	}
	return v, nil
}

// compileRE matches an error of the compiler: "./exercise.go:12:5: undefined: x", "grader/grader.go:3:2: ...".
var compileRE = regexp.MustCompile(`^(?:vet: )?(.+\.go):(\d+)(?::\d+)?: (.*)$`)

// notCompiled makes a verdict of what the go command wrote. It is false if that is no error of the compiler's.
func notCompiled(exercise, out string) (Verdict, bool) {
	v := Verdict{Exercise: exercise, Kind: DoesNotCompile}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		switch m := compileRE.FindStringSubmatch(line); {
		case m != nil:
			at := &Position{File: path.Clean(strings.ReplaceAll(m[1], `\`, "/"))}
			at.Line, _ = strconv.Atoi(m[2])
			v.Compile = append(v.Compile, CompileError{At: at, Message: m[3]})
			if strings.Contains(at.File, "/") { // the learner's file stands in the folder itself
				return Verdict{Exercise: exercise, Kind: OurFault, Message: "A file of the course does not compile: " + line, Detail: out}, true
			}
		case strings.HasPrefix(line, "\t") && len(v.Compile) > 0: // the error goes on: have ..., want ...
			last := &v.Compile[len(v.Compile)-1]
			last.Message += "\n" + strings.TrimSpace(line)
		}
	}
	return v, len(v.Compile) > 0
}
