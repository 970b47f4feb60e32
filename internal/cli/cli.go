// Package cli is the command's verbs: what a learner types, reads and gets back
// as an exit code. It decides nothing about the course, the quizzes, the verdicts
// or the cloud; it calls those packages and shows what they say.
//
// What a learner reads is in text.go, apart from the code, so that it can be
// translated.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"

	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// The exit codes. (go run itself turns every code but 0 into 1.)
const (
	ExitOK     = 0 // done; for check: passed
	ExitWrong  = 1 // the learner's code does not pass
	ExitUsage  = 2 // the command line makes no sense
	ExitBroken = 3 // the environment, the course's files or the program are at fault

	ExitInterrupted = 130 // Ctrl-C or SIGTERM ended it before it was done
)

// Invocation is one run of the command, with everything it takes from the
// process around it.
type Invocation struct {
	Args   []string // without the program's name
	Name   string   // how the learner starts the program, as help shows it: "go run ."
	Dir    string   // the working directory
	Env    []string // like os.Environ
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	// Check grades an exercise: grade.Check, but for tests.
	Check func(ctx context.Context, root, exercise string) (grade.Verdict, error)

	// Machine is the computer that doctor looks at.
	Machine Machine
}

// Main runs the command of this process and returns its exit code.
func Main() int {
	ctx, stop := Interrupts()
	defer stop()
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintf(os.Stderr, textError, err)
		return ExitBroken
	}
	return Invocation{
		Args: os.Args[1:], Name: name(os.Args[0], dir), Dir: dir, Env: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Check: grade.Check, Machine: ThisMachine(),
	}.Run(ctx)
}

// Interrupts returns a context that Ctrl-C or SIGTERM ends. A second one ends
// the process at once.
func Interrupts() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// builtByGoRun matches where go run puts the program: a temporary folder, or
// its place in the build cache.
var builtByGoRun = regexp.MustCompile(`[/\\]go-build\d+[/\\]|[/\\][0-9a-f]{2}[/\\][0-9a-f]{64}-d[/\\]`)

// name returns how the learner started the program.
func name(program, dir string) string {
	if !builtByGoRun.MatchString(program) {
		return strings.TrimSuffix(filepath.Base(program), ".exe")
	}
	root, err := course.FindRoot(dir)
	if err != nil {
		return "go run ."
	}
	path, err := filepath.Rel(dir, root)
	if err != nil {
		return "go run ."
	}
	return "go run " + path
}

// app is an invocation in progress.
type app struct {
	Invocation
	out, err io.Writer // Stdout and Stderr, stripped of colour where it is not wanted
	root     string    // the course's folder; see needRoot
	course   *course.Course
	store    *course.Store
}

// Run runs the command until it is done or ctx ends, and returns the exit code.
func (i Invocation) Run(ctx context.Context) int {
	a := &app{
		Invocation: i,
		out:        colorprofile.NewWriter(i.Stdout, i.Env),
		err:        colorprofile.NewWriter(i.Stderr, i.Env),
	}
	cmd := a.command()
	cmd.SetArgs(i.Args)
	cmd.SetIn(i.Stdin)
	cmd.SetOut(a.out)
	cmd.SetErr(a.err)
	a.completionVerb(cmd)
	helpVerb(cmd)
	return a.exit(cmd.ExecuteContext(ctx))
}

// fault is an error with what to do about it.
type fault struct {
	code  int
	cause error
	fix   string // one or more lines; may be empty
}

func (f *fault) Error() string { return f.cause.Error() }
func (f *fault) Unwrap() error { return f.cause }

// exitCode ends the command with a code, all being said already.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func usage(fix, format string, args ...any) error {
	return &fault{ExitUsage, fmt.Errorf(format, args...), fix}
}

func broken(cause error, fix string) error { return &fault{ExitBroken, cause, fix} }

// exit shows an error and returns the exit code that it stands for.
func (a *app) exit(err error) int {
	if err == nil {
		return ExitOK
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	var f *fault
	if !errors.As(err, &f) {
		f = &fault{ExitBroken, err, a.fixFor(err)}
	}
	fmt.Fprintf(a.err, styleBad.Render(textErrorLabel)+" %s\n", f.cause)
	if f.fix != "" {
		fmt.Fprintf(a.err, "%s\n", indent(f.fix, "  "))
	}
	return f.code
}

// fixFor knows what to do about errors of other packages.
func (a *app) fixFor(err error) string {
	switch {
	case errors.Is(err, course.ErrNewer):
		return textFixNewer
	case errors.Is(err, course.ErrBusy):
		return textFixBusy
	case errors.Is(err, os.ErrPermission):
		return textFixPermission
	}
	return ""
}

// needRoot finds the course and reads its catalogue.
func (a *app) needRoot() error {
	root, err := course.FindRoot(a.Dir)
	if err != nil {
		return broken(err, textFixRoot)
	}
	c, err := course.Load(os.DirFS(root))
	if err != nil {
		return broken(err, textFixCourse)
	}
	a.root, a.course = root, c
	a.store = course.NewStore(root)
	a.store.SetAside = func(path string, cause error) {
		fmt.Fprintf(a.err, styleBad.Render(textWarningLabel)+" "+textSetAside, a.relative(path), cause)
	}
	return nil
}

// load finds the course and reads the progress.
func (a *app) load() (*course.Progress, error) {
	if err := a.needRoot(); err != nil {
		return nil, err
	}
	return a.store.Load()
}

// exercise returns the exercise that the arguments name, or the current one.
func (a *app) exercise(p *course.Progress, args []string) (*course.Exercise, error) {
	if len(args) == 0 {
		if e := a.here(); e != nil {
			return e, nil
		}
		if e := a.course.Current(p); e != nil {
			return e, nil
		}
		return nil, usage(a.text(textFixAllPassed), textAllPassed)
	}
	e, err := a.course.Find(a.fromRoot(args[0]))
	var wrong *course.NameError
	if !errors.As(err, &wrong) {
		return e, err
	}
	wrong.Name = args[0]
	fix := a.text(textFixExerciseNone)
	if len(wrong.Candidates) > 0 {
		label := textFixExerciseNear
		if wrong.Ambiguous {
			label = textFixExerciseAmbiguous
		}
		fix = label + "\n  " + strings.Join(wrong.Candidates, "\n  ")
	}
	return nil, &fault{ExitUsage, wrong, fix}
}

// here returns the exercise whose folder the learner is in, or nil.
func (a *app) here() *course.Exercise {
	path, err := filepath.Rel(a.root, a.Dir)
	if err != nil {
		return nil
	}
	parts := strings.Split(filepath.ToSlash(path), "/")
	if len(parts) < 3 || parts[0] != "exercises" {
		return nil
	}
	e, _ := a.course.Exercise(parts[1] + "/" + parts[2])
	return e
}

// naming returns what must follow a verb for it to act on the exercise: nothing
// where it does so without a name.
func (a *app) naming(p *course.Progress, e *course.Exercise) string {
	if meant, err := a.exercise(p, nil); err == nil && meant == e {
		return ""
	}
	return " " + e.ID
}

// fromRoot turns a path to something that exists, as a shell completes it in any
// folder, into one under the root; other names stay.
func (a *app) fromRoot(name string) string {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.Dir, path)
	}
	if _, err := os.Stat(path); err != nil {
		return name
	}
	relative, err := filepath.Rel(a.root, path)
	if err != nil || strings.HasPrefix(relative, "..") {
		return name
	}
	if filepath.Dir(relative) == "." { // the root itself, or a file in it that happens to be called like an exercise
		return name
	}
	return filepath.ToSlash(relative)
}

// relative shortens a path for the learner's eyes: seen from where they are.
func (a *app) relative(path string) string {
	if r, err := filepath.Rel(a.Dir, path); err == nil {
		return r
	}
	return path
}

// path returns a file of the course, given by its slash path under the root, as
// the operating system names it.
func (a *app) path(name string) string { return filepath.Join(a.root, filepath.FromSlash(name)) }

// text fills in how the command is started.
func (a *app) text(s string) string { return strings.ReplaceAll(s, "{cmd}", a.Name) }

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// json prints a value for a script.
func (a *app) json(v any) error {
	enc := json.NewEncoder(a.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// terminal reports whether a stream is one that a person sits at, with its
// descriptor.
func terminal(stream any) (fd int, ok bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// command builds the verbs.
func (a *app) command() *cobra.Command {
	root := a.verb("brokerdojo", "")
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: a.Name}
	root.SuggestionsMinimumDistance = 2
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		fix := a.text(textFixVerb)
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			fix = fmt.Sprintf(textFixVerbNear, strings.Join(near, ", ")) + "\n" + fix
		}
		return usage(fix, textUnknownVerb, args[0])
	}
	root.RunE = func(*cobra.Command, []string) error { return a.status() }
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(a.text(fmt.Sprintf(textFixFlag, cmd.CommandPath())), "%w", err)
	})
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddGroup(
		&cobra.Group{ID: groupLearn, Title: textGroupLearn},
		&cobra.Group{ID: groupCloud, Title: textGroupCloud},
		&cobra.Group{ID: groupMore, Title: textGroupMore},
	)
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
	root.AddCommand(
		a.nextVerb(), a.readVerb(), a.checkVerb(), a.watchVerb(), a.hintVerb(), a.solutionVerb(), a.resetVerb(), a.quizVerb(), a.listVerb(),
		a.upVerb(), a.envVerb(),
		a.doctorVerb(), a.reportVerb(), a.versionVerb(),
	)
	return root
}

const (
	groupLearn = "learn"
	groupCloud = "cloud"
	groupMore  = "more"
)

// verb makes a command from its help text. use is its line of usage, which also
// says what arguments it takes: none, one <needed> or one [optional].
func (a *app) verb(use, group string) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	text := helpTexts[verb]
	return &cobra.Command{
		Use: use, GroupID: group,
		Short: text.short, Long: a.text(text.short + ".\n\n" + strings.TrimSpace(text.long)), Example: strings.TrimSuffix(columns("  ", a.examples(text.example)), "\n"),
		Args:                  a.arguments,
		DisableFlagsInUseLine: true,
	}
}

// arguments checks the number of arguments against the line of usage.
func (a *app) arguments(cmd *cobra.Command, given []string) error {
	_, takes, _ := strings.Cut(cmd.Use, " ")
	most := 0
	if takes != "" {
		most = 1
	}
	fix := fmt.Sprintf(textFixArguments, cmd.CommandPath()+strings.TrimSuffix(" "+takes, " "), cmd.CommandPath())
	switch {
	case len(given) > most:
		return usage(fix, textTooMany, cmd.Name(), given[most])
	case len(given) == 0 && strings.HasPrefix(takes, "<"):
		return usage(fix, textTooFew, cmd.Name(), takes)
	}
	return nil
}

// completionVerb adds cobra's completion verb, with a help that says what to
// type in which shell. It keeps the output that the root has at this moment.
func (a *app) completionVerb(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		text := helpTexts["completion"]
		cmd.Short, cmd.Long = text.short, text.short+".\n\n"+text.long
		cmd.Args = cobra.ArbitraryArgs // so that what follows can answer
		cmd.RunE = func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				return usage(fmt.Sprintf(textFixArguments, cmd.CommandPath()+" bash|fish|powershell|zsh", cmd.CommandPath()), textNoShell, given[0])
			}
			return cmd.Help()
		}
		for _, sub := range cmd.Commands() {
			sub.Args = a.arguments
		}
	}
}

// helpVerb adds cobra's help verb, but for its answer to a verb that does not
// exist.
func helpVerb(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args = func(_ *cobra.Command, given []string) error {
				if found, rest, err := root.Find(given); err != nil || found == root {
					return errors.Join(err, root.Args(root, rest))
				}
				return nil
			}
		}
	}
}

// examples parts commands from what they do, which follows after two spaces, so
// that they can be laid out however long the program's name is.
func (a *app) examples(text string) [][]string {
	var lines [][]string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		command, effect, _ := strings.Cut(strings.TrimSpace(line), "  ")
		lines = append(lines, []string{a.text(command), strings.TrimSpace(effect)})
	}
	return lines
}

// completeExercise completes the name of one exercise.
func (a *app) completeExercise(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 || a.needRoot() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, e := range a.course.Exercises {
		names = append(names, cobra.CompletionWithDesc(e.ID, e.Title))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeWeek completes the name of one published week.
func (a *app) completeWeek(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 || a.needRoot() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, w := range a.course.Weeks {
		if w.Published {
			names = append(names, cobra.CompletionWithDesc(w.ID(), w.Title))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// platform returns the Go version and platform, as doctor and version show them.
func platform() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }
