package grade

import (
	"path"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// A stack is one goroutine of a dump as the runtime prints it, with GODEBUG=tracebackancestors.
type stack struct {
	State     string // "chan receive", "select (durable)"
	Bubble    string // number of its synctest bubble; empty outside
	Process   string // the label that Process.Go gives its goroutine and that those it starts inherit
	Frames    []frame
	Creator   frame   // the go statement that started it; zero for the main goroutine
	Ancestors []stack // who ran that go statement, and so on
}

type frame struct {
	Func string // github.com/redis/go-redis/v9.(*Client).Publish
	File string
	Line int
}

var (
	headRE     = regexp.MustCompile(`^goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[([^\]]*)\]:?$`)
	ancestorRE = regexp.MustCompile(`^\[originating from goroutine \d+\]:$`)
	bubbleRE   = regexp.MustCompile(`, synctest bubble (\d+)`)
	processRE  = regexp.MustCompile(` labels:\{.*"process": ("(?:[^"\\]|\\.)*").*\}`)
	lineRE     = regexp.MustCompile(`^\s+(.+):(\d+)(?: \+0x[0-9a-f]+)?(?: fp=.*)?$`)
)

// parseStacks reads every goroutine of a dump. Other text between them is skipped.
func parseStacks(dump string) []stack {
	var stacks []stack
	var at *stack // what frames go to
	var call string
	created := false
	for line := range strings.Lines(dump) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case headRE.MatchString(line):
			state := headRE.FindStringSubmatch(line)[1]
			s := stack{}
			if m := processRE.FindStringSubmatch(state); m != nil {
				s.Process, _ = strconv.Unquote(m[1])
				state = strings.Replace(state, m[0], "", 1)
			}
			if m := bubbleRE.FindStringSubmatch(state); m != nil {
				s.Bubble = m[1]
				state = strings.Replace(state, m[0], "", 1)
			}
			s.State, _, _ = strings.Cut(state, ", ")
			stacks = append(stacks, s)
			at = &stacks[len(stacks)-1]
		case at == nil:
		case ancestorRE.MatchString(line):
			root := &stacks[len(stacks)-1]
			root.Ancestors = append(root.Ancestors, stack{})
			at = &root.Ancestors[len(root.Ancestors)-1]
		case strings.HasPrefix(line, "created by "):
			call, _, _ = strings.Cut(strings.TrimPrefix(line, "created by "), " in goroutine ")
			created = true
		case call != "" && lineRE.MatchString(line):
			m := lineRE.FindStringSubmatch(line)
			f := frame{Func: call, File: strings.ReplaceAll(m[1], `\`, "/")}
			f.Line, _ = strconv.Atoi(m[2])
			if created {
				at.Creator = f
			} else {
				at.Frames = append(at.Frames, f)
			}
			call, created = "", false
		case line == "":
			at, call, created = nil, "", false
		case line[0] != '\t' && line[0] != ' ':
			if i := strings.LastIndexByte(line, '('); i > 0 {
				call = line[:i]
			}
		}
	}
	return stacks
}

// closureRE matches what the compiler adds to a function's name for the function literals in it.
var closureRE = regexp.MustCompile(`(\.func\d+|\.gowrap\d+|\.\d+|-fm|-range\d+)+$`)

// source knows whose code is whose: the learner's (the exercise's folder, without its grader and tests) and ours (the grader,
// the engine and the brokers). Everything else belongs to neither: the standard library and the clients.
type source struct {
	folder string // the exercise's, with slashes and a slash at the end
	funcs  []Position
	fields []string // names of the implementation's fields, as funcs
}

// module is this module's path.
var module = strings.TrimSuffix(reflect.TypeFor[Lab]().PkgPath(), "/internal/grade")

// newSource finds the exercise's folder by one of its scenarios' functions, and where the implementation's functions are.
func newSource(scenario any, impl any) source {
	var s source
	file, _ := funcFile(reflect.ValueOf(scenario))
	s.folder = path.Dir(path.Dir(file)) + "/"
	v := reflect.ValueOf(impl)
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.Func || v.Field(i).IsNil() {
			continue
		}
		file, line := funcFile(v.Field(i))
		s.fields = append(s.fields, v.Type().Field(i).Name)
		s.funcs = append(s.funcs, Position{File: strings.TrimPrefix(file, s.folder), Line: line, Func: v.Type().Field(i).Name})
	}
	return s
}

func funcFile(f reflect.Value) (string, int) {
	pc := f.Pointer()
	file, line := runtime.FuncForPC(pc).FileLine(pc)
	return strings.ReplaceAll(file, `\`, "/"), line
}

// exercise is the exercise's name: the last two elements of its folder.
func (s source) exercise() string {
	folder := strings.TrimSuffix(s.folder, "/")
	return path.Base(path.Dir(folder)) + "/" + path.Base(folder)
}

// function is where the implementation's function for a field is; the first if no field has that name.
func (s source) function(field string) *Position {
	for i, name := range s.fields {
		if name == field {
			return &s.funcs[i]
		}
	}
	if len(s.funcs) > 0 {
		return &s.funcs[0]
	}
	return nil
}

func (s source) learners(f frame) bool {
	file, ok := strings.CutPrefix(f.File, s.folder)
	return ok && !strings.HasPrefix(file, "grader/") && !strings.HasSuffix(file, "_test.go")
}

func (s source) ours(f frame) bool {
	for _, prefix := range []string{
		module + "/internal/grade.", module + "/localstack/",
		"github.com/alicebob/miniredis/", "github.com/twmb/franz-go/pkg/kfake",
	} {
		if strings.HasPrefix(f.Func, prefix) {
			return true
		}
	}
	return strings.HasPrefix(f.File, s.folder) && !s.learners(f)
}

func (s source) position(f frame) *Position {
	name := f.Func[strings.LastIndexByte(f.Func, '/')+1:]
	_, name, _ = strings.Cut(name, ".") // the package's
	name = closureRE.ReplaceAllString(name, "")
	if name == "init" || name == "glob." {
		name = "" // a function literal in a variable's declaration
	}
	return &Position{File: strings.TrimPrefix(f.File, s.folder), Line: f.Line, Func: name}
}

// innermost is the innermost line of the learner's in a stack, or nil.
func (s source) innermost(st stack) *Position {
	for _, f := range st.Frames {
		if s.learners(f) {
			return s.position(f)
		}
	}
	return nil
}

// blame decides whose fault a panic is by its stack: whose code is innermost among the learner's and ours, in the goroutine
// itself and then in those that started it. The position is nil if it is not the learner's.
func (s source) blame(st stack) *Position {
	frames := st.Frames
	for i, f := range frames {
		if f.Func == "panic" {
			frames = frames[i+1:]
			break
		}
	}
	for _, from := range append([]stack{{Frames: frames, Creator: st.Creator}}, st.Ancestors...) {
		for _, f := range append(from.Frames[:len(from.Frames):len(from.Frames)], from.Creator) {
			if s.learners(f) {
				return s.position(f)
			}
			if s.ours(f) {
				return nil
			}
		}
	}
	return nil
}

// goroutine describes a stack if it is a goroutine of the learner's: one that the learner's code started or is running in, or
// one that a client started for it. Those that serve a learner's connection on our side are not.
func (s source) goroutine(st stack) (Goroutine, bool) {
	g := Goroutine{Process: st.Process}
	for i, f := range st.Frames {
		if s.learners(f) {
			g.At = s.position(f)
			g.Doing = doing(st.State, st.Frames[:i])
			break
		}
	}
	if s.learners(st.Creator) {
		g.Started = s.position(st.Creator)
	}
	if g.At != nil || g.Started != nil {
		if g.Doing == "" {
			g.Doing = doing(st.State, st.Frames)
		}
		return g, true
	}
	if len(st.Frames) == 0 || s.ours(st.Frames[len(st.Frames)-1]) || s.ours(st.Creator) {
		return g, false
	}
	for _, from := range st.Ancestors {
		for _, f := range append(from.Frames[:len(from.Frames):len(from.Frames)], from.Creator) {
			if s.learners(f) {
				g.Started = s.position(f)
				g.Doing = doing(st.State, st.Frames)
				return g, true
			}
			if s.ours(f) {
				return g, false
			}
		}
	}
	return g, false
}

// states says in plain words what the runtime's states mean. The first whose key the state starts with applies.
var states = []struct{ prefix, words string }{
	{"chan receive (nil chan)", "receives from a nil channel, for ever"},
	{"chan send (nil chan)", "sends to a nil channel, for ever"},
	{"select (no cases)", "waits in an empty select, for ever"},
	{"chan receive", "waits to receive from a channel"},
	{"chan send", "waits to send to a channel"},
	{"select", "waits in a select"},
	{"sleep", "sleeps"},
	{"sync.WaitGroup.Wait", "waits for a WaitGroup"},
	{"sync.Cond.Wait", "waits for a Cond"},
	{"sync.Mutex.Lock", "waits for a Mutex"},
	{"sync.RWMutex", "waits for an RWMutex"},
	{"semacquire", "waits for a lock"},
	{"IO wait", "waits for a real connection or file"},
	{"syscall", "waits for the operating system"},
	{"running", "runs"},
	{"runnable", "runs"},
}

// doing says what a goroutine does, by its state and the calls that the learner's line is in, innermost first.
func doing(state string, inside []frame) string {
	words := "is in state " + state
	for _, s := range states {
		if strings.HasPrefix(state, s.prefix) {
			words = s.words
			break
		}
	}
	if len(inside) == 0 || strings.HasPrefix(state, "run") { // where a loop happens to be says nothing
		return words
	}
	// The outermost of those calls is the one that stands in the learner's line.
	called := inside[len(inside)-1].Func
	for _, std := range []string{"runtime.", "time.Sleep", "sync.", "internal/"} {
		if strings.HasPrefix(called, std) {
			return words
		}
	}
	return words + " inside " + inWords(called)
}

var versionRE = regexp.MustCompile(`/v\d+(\.|$)`)

// inWords shortens a function's name to its package and its own name: "go-redis.BLPop".
func inWords(function string) string {
	function = versionRE.ReplaceAllString(closureRE.ReplaceAllString(function, ""), "$1")
	function = function[strings.LastIndexByte(function, '/')+1:]
	pkg, name, _ := strings.Cut(function, ".")
	return pkg + "." + name[strings.LastIndexByte(name, '.')+1:]
}
