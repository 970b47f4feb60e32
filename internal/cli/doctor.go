package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerdojo/brokerdojo/internal/course"
)

// Machine is the computer as the doctor sees it.
type Machine struct {
	OS string // like runtime.GOOS

	// Run runs a program in a directory and returns what it prints. Its error is
	// exec.ErrNotFound when there is no such program.
	Run func(ctx context.Context, dir, program string, args ...string) (string, error)

	Listen    func(port int) error             // tries a loopback port
	Writable  func(dir string) error           // tries to write in a directory, or in the one that it would be created in
	FreeSpace func(dir string) (uint64, error) // bytes free on the directory's disk
}

// ThisMachine returns the computer that the program runs on.
func ThisMachine() Machine {
	return Machine{
		OS: runtime.GOOS,
		Run: func(ctx context.Context, dir, program string, args ...string) (string, error) {
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Dir = dir
			cmd.WaitDelay = 100 * time.Millisecond
			out, err := cmd.Output()
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return strings.TrimSpace(string(out)), err
		},
		Listen: func(port int) error {
			l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return err
			}
			return l.Close()
		},
		Writable:  writable,
		FreeSpace: freeSpace,
	}
}

func writable(dir string) error {
	f, err := os.CreateTemp(existing(dir), ".brokerdojo-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// existing returns the directory, or the nearest one above it that exists.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// The states of a diagnosis.
const (
	healthy  = "ok"
	optional = "optional" // absent, and only some things need it
	ill      = "problem"  // the course does not work without it
)

// diagnosis is what the doctor says about one thing.
type diagnosis struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	For    string `json:"for"`           // what needs it
	Fix    string `json:"fix,omitempty"` // for this platform
}

// What the course needs at least. Node 20 is no longer supported; see
// nodejs.org, "Node.js Releases".
const (
	minGo   = "go1.26"
	minNode = 22
	minAWS  = "2.13"  // the first that reads AWS_ENDPOINT_URL; version 1 does too, but sends SQS to Amazon all the same
	minDisk = 2 << 30 // the module cache, the build cache and what tests write
)

// askPatience is how long the doctor waits for a program to say its version.
const askPatience = 3 * time.Second

// standardPorts are those that up takes when they are free.
var standardPorts = []struct {
	port    int
	service string
}{{4566, "AWS"}, {6379, "Redis"}, {9092, "Kafka"}, {9093, "Kafka"}, {9094, "Kafka"}, {5672, "RabbitMQ"}, {15672, "RabbitMQ"}, {15692, "RabbitMQ"}}

func (a *app) doctorVerb() *cobra.Command {
	var asJSON bool
	cmd := a.verb("doctor", groupMore)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		root, err := course.FindRoot(a.Dir)
		if err != nil {
			return broken(err, textFixRoot)
		}
		found := examine(cmd.Context(), a.Machine, root)
		fine := true
		for _, d := range found {
			fine = fine && d.State != ill
		}
		if asJSON {
			err = a.json(struct {
				OK     bool        `json:"ok"`
				Checks []diagnosis `json:"checks"`
			}{fine, found})
		} else {
			a.showDiagnoses(found, fine)
		}
		if err == nil && !fine {
			return exitCode(ExitBroken)
		}
		return err
	}
	return cmd
}

func (a *app) showDiagnoses(found []diagnosis, fine bool) {
	var table [][]string
	for _, d := range found {
		mark := styleGood.Render(markPassed)
		switch d.State {
		case optional:
			mark = styleNote.Render(markTried)
		case ill:
			mark = styleBad.Render(markWrong)
		}
		table = append(table, []string{mark, d.Title, d.Detail, styleFaint.Render(d.For)})
	}
	a.printf("%s", columns("", table))
	for _, d := range found {
		if d.Fix != "" {
			a.printf("\n%s\n%s\n", styleTitle.Render(d.Title), indent(d.Fix, "  "))
		}
	}
	if fine {
		a.printf("\n%s\n", styleGood.Render(textDoctorFine))
	} else {
		a.printf("\n%s\n", styleBad.Render(textDoctorIll))
	}
}

// examine asks for everything at once: some programs take their time to say
// their version.
func examine(ctx context.Context, m Machine, root string) []diagnosis {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	checks := []func() []diagnosis{
		func() []diagnosis { return m.goTools(ctx, root) },
		func() []diagnosis { return []diagnosis{m.state(root), m.disk(root)} },
		func() []diagnosis { return []diagnosis{m.git(ctx, root)} },
		func() []diagnosis { return []diagnosis{m.docker(ctx, root)} },
		func() []diagnosis { return []diagnosis{m.compose(ctx, root)} },
		func() []diagnosis { return []diagnosis{m.node(ctx, root)} },
		func() []diagnosis { return []diagnosis{m.awsCLI(ctx, root)} },
		func() []diagnosis { return m.ports(root) },
	}
	results := make([][]diagnosis, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { results[i] = check() })
	}
	wg.Wait()
	var all []diagnosis
	for _, result := range results {
		all = append(all, result...)
	}
	return all
}

// found makes a diagnosis of a program's answer: absent, silent or there. judge
// looks at an answer and returns the state, the detail and whether the fix is
// wanted.
func (d diagnosis) found(output string, err error, absent, fix string, judge func(string) (state, detail string)) diagnosis {
	d.State, d.Fix = absent, fix
	switch {
	case errors.Is(err, exec.ErrNotFound):
		d.Detail = textNotInstalled
	case errors.Is(err, context.DeadlineExceeded):
		d.Detail = fmt.Sprintf(textNoAnswer, int(askPatience.Seconds()))
	case err != nil:
		d.Detail = fmt.Sprintf(textDoesNotRun, err)
	default:
		if d.State, d.Detail = judge(output); d.State == healthy {
			d.Fix = ""
		}
	}
	return d
}

// goTools looks at the go command and at its two caches.
func (m Machine) goTools(ctx context.Context, root string) []diagnosis {
	var env struct{ GOVERSION, GOMODCACHE, GOCACHE string }
	output, err := m.Run(ctx, root, "go", "env", "-json", "GOVERSION", "GOMODCACHE", "GOCACHE")
	tool := diagnosis{ID: "go", Title: "Go", For: forEverything}.found(output, err, ill, m.fix(fixGo), func(output string) (string, string) {
		if err := json.Unmarshal([]byte(output), &env); err != nil {
			return ill, err.Error()
		}
		if version.Compare(env.GOVERSION, minGo) < 0 {
			return ill, fmt.Sprintf(textTooOld, env.GOVERSION, minGo)
		}
		return healthy, env.GOVERSION
	})
	if env.GOVERSION == "" {
		return []diagnosis{tool}
	}
	caches := diagnosis{ID: "caches", Title: textCaches, For: forEverything, State: healthy, Detail: env.GOMODCACHE}
	for variable, dir := range map[string]string{"GOMODCACHE": env.GOMODCACHE, "GOCACHE": env.GOCACHE} {
		if err := m.Writable(dir); err != nil {
			caches.State, caches.Detail, caches.Fix = ill, err.Error(), fmt.Sprintf(fixCache, dir, variable)
		}
	}
	return []diagnosis{tool, caches}
}

func (m Machine) state(root string) diagnosis {
	d := diagnosis{ID: "progress", Title: textProgressFolder, For: forEverything, State: healthy, Detail: course.StateFolder}
	if err := m.Writable(filepath.Join(root, course.StateFolder)); err != nil {
		d.State, d.Detail, d.Fix = ill, err.Error(), textFixPermission
	}
	return d
}

func (m Machine) disk(root string) diagnosis {
	d := diagnosis{ID: "disk", Title: textDisk, For: forEverything, State: healthy}
	free, err := m.FreeSpace(root)
	switch {
	case err != nil:
		d.State, d.Detail = optional, err.Error()
	case free < minDisk:
		d.State, d.Fix = ill, fixDisk
		fallthrough
	default:
		d.Detail = fmt.Sprintf(textFree, float64(free)/(1<<30))
	}
	return d
}

func (m Machine) git(ctx context.Context, root string) diagnosis {
	output, err := m.Run(ctx, root, "git", "--version")
	return diagnosis{ID: "git", Title: "Git", For: forUpdates}.found(output, err, optional, m.fix(fixGit), firstVersion)
}

func (m Machine) docker(ctx context.Context, root string) diagnosis {
	output, err := m.Run(ctx, root, "docker", "version", "--format", "{{.Server.Version}}")
	d := diagnosis{ID: "docker", Title: "Docker", For: forDocker}
	var failed *exec.ExitError
	if errors.As(err, &failed) { // the client is there, and talks to nobody
		d.State, d.Detail, d.Fix = optional, textDockerStopped, m.fix(fixDockerStart)
		return d
	}
	return d.found(output, err, optional, m.fix(fixDocker), firstVersion)
}

func (m Machine) compose(ctx context.Context, root string) diagnosis {
	output, err := m.Run(ctx, root, "docker", "compose", "version", "--short")
	d := diagnosis{ID: "compose", Title: "Docker Compose", For: forDocker}
	var failed *exec.ExitError
	if errors.As(err, &failed) { // docker without the plugin
		err = exec.ErrNotFound
	}
	return d.found(output, err, optional, m.fix(fixCompose), firstVersion)
}

func (m Machine) node(ctx context.Context, root string) diagnosis {
	output, err := m.Run(ctx, root, "node", "--version")
	return diagnosis{ID: "node", Title: "Node.js", For: forCDK}.found(output, err, optional, m.fix(fixNode), func(output string) (string, string) {
		v := versionIn(output)
		major, _, _ := strings.Cut(v, ".")
		if n, err := strconv.Atoi(major); err != nil || n < minNode {
			return optional, fmt.Sprintf(textTooOld, output, strconv.Itoa(minNode))
		}
		return healthy, v
	})
}

func (m Machine) awsCLI(ctx context.Context, root string) diagnosis {
	output, err := m.Run(ctx, root, "aws", "--version")
	return diagnosis{ID: "aws", Title: "AWS CLI", For: forAWS}.found(output, err, optional, m.fix(fixAWS), func(output string) (string, string) {
		v := versionIn(output)
		if version.Compare("go"+v, "go"+minAWS) < 0 {
			return optional, fmt.Sprintf(textTooOld, v, minAWS)
		}
		return healthy, v
	})
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

func versionIn(output string) string { return versionNumber.FindString(output) }

// firstVersion is happy with any version.
func firstVersion(output string) (state, detail string) {
	if v := versionIn(output); v != "" {
		return healthy, v
	}
	return healthy, output
}

// ports looks whether up will get the standard ports.
func (m Machine) ports(root string) []diagnosis {
	d := diagnosis{ID: "ports", Title: textPorts, For: forUp, State: healthy}
	if running, err := findCloud(root); err == nil {
		d.Detail = fmt.Sprintf(textPortsOurs, running.PID)
		return []diagnosis{d}
	}
	var free, taken []string
	for _, p := range standardPorts {
		if err := m.Listen(p.port); err != nil {
			taken = append(taken, fmt.Sprintf("%d (%s)", p.port, p.service))
		} else {
			free = append(free, strconv.Itoa(p.port))
		}
	}
	if len(taken) == 0 {
		d.Detail = fmt.Sprintf(textPortsFree, strings.Join(free, ", "))
		return []diagnosis{d}
	}
	d.State, d.Detail, d.Fix = optional, fmt.Sprintf(textPortsTaken, strings.Join(taken, ", ")), m.fix(fixPorts)
	return []diagnosis{d}
}

// fix picks the remedy for the machine's platform.
func (m Machine) fix(remedies map[string]string) string {
	if remedy, ok := remedies[m.OS]; ok {
		return remedy
	}
	return remedies["linux"]
}
