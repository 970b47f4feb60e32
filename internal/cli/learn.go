package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/natefinch/atomic"
	"github.com/spf13/cobra"

	"github.com/brokerdojo/brokerdojo/internal/course"
)

// status is what the command says without a verb: where the learner is, what is
// next and the verbs to know.
func (a *app) status() error {
	p, err := a.load()
	if err != nil {
		return err
	}
	a.printf("%s\n\n", styleTitle.Render(textTitle))
	if e := a.course.Current(p); e != nil {
		w, _ := a.course.Week(e.Week)
		passed, total := tally(p, w)
		a.printf(textWhere+"\n\n", w.Number, w.Title, passed, total)
		a.printf("%s\n", a.describe(e))
	} else {
		a.printf("%s\n\n", a.text(textStatusAllPassed))
	}
	a.printf("%s\n%s", a.text(textThreeVerbs), columns("  ", [][]string{
		{styleCode.Render(a.Name + " read"), textVerbRead},
		{styleCode.Render(a.Name + " check"), textVerbCheck},
		{styleCode.Render(a.Name + " hint"), textVerbHint},
	}))
	a.printf("\n%s\n", a.text(textAllVerbs))
	return nil
}

// tally counts a week's passed exercises and all of them.
func tally(p *course.Progress, w *course.Week) (passed, total int) {
	for _, e := range w.Exercises {
		if p.Passed(e.ID) {
			passed++
		}
	}
	return passed, len(w.Exercises)
}

// describe says what an exercise is and which file to open.
func (a *app) describe(e *course.Exercise) string {
	return fmt.Sprintf(textNextExercise, styleTitle.Render(e.ID), e.Title, e.Minutes) + "\n" +
		columns("  ", [][]string{
			{textOpen, styleCode.Render(a.relative(a.path(e.File())))},
			{textText, styleCode.Render(a.relative(a.path(e.Readme())))},
		})
}

// exerciseJSON is an exercise as --json shows it.
type exerciseJSON struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Brokers    []string `json:"brokers"`
	Minutes    int      `json:"minutes"`
	Rows       []string `json:"rows"`
	Objectives []string `json:"objectives"`
	File       string   `json:"file"` // under the root, with slashes
	Passed     bool     `json:"passed"`
	Attempts   int      `json:"attempts"`
	Hints      int      `json:"hints"`
}

func toJSON(p *course.Progress, e *course.Exercise) exerciseJSON {
	state := p.Exercise(e.ID)
	return exerciseJSON{
		ID: e.ID, Title: e.Title, Brokers: e.Brokers, Minutes: e.Minutes, Rows: e.Rows, Objectives: e.Objectives, File: e.File(),
		Passed: p.Passed(e.ID), Attempts: len(state.Attempts), Hints: state.Hints,
	}
}

func (a *app) nextVerb() *cobra.Command {
	var skip, asJSON bool
	cmd := a.verb("next", groupLearn)
	cmd.Flags().BoolVar(&skip, "skip", false, flagNextSkip)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(*cobra.Command, []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		e := a.course.Current(p)
		if e != nil && skip {
			if later := a.course.After(p, e); later != nil {
				e = later
			}
		}
		if e != nil && e.ID != p.Current {
			if _, err := a.store.Update(func(p *course.Progress) error { p.Current = e.ID; return nil }); err != nil {
				return err
			}
		}
		if asJSON {
			if e == nil {
				return a.json(nil)
			}
			return a.json(toJSON(p, e))
		}
		if e == nil {
			a.printf("%s\n", a.text(textStatusAllPassed))
			return nil
		}
		a.printf("%s", a.describe(e))
		if len(e.After) > 0 {
			a.printf(textAfter+"\n", strings.Join(e.After, ", "))
		}
		a.printf("\n%s\n%s", textObjectives, bullets(e.Objectives))
		a.printf("\n%s\n", a.text(textNextVerbs))
		return nil
	}
	return cmd
}

func bullets(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "  - %s\n", line)
	}
	return b.String()
}

func (a *app) readVerb() *cobra.Command {
	cmd := a.verb("read [week|exercise]", groupLearn)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		weeks, _ := a.completeWeek(cmd, args, toComplete)
		exercises, directive := a.completeExercise(cmd, args, toComplete)
		return append(weeks, exercises...), directive
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		page, err := a.pageFor(p, args)
		if err != nil {
			return err
		}
		text, err := a.course.ReadText(page)
		if err != nil {
			return err
		}
		rendered, err := a.page(text, path.Dir(page))
		if err != nil {
			return err
		}
		a.printf("%s", rendered)
		return nil
	}
	return cmd
}

// pageFor returns the page that read's arguments name: a week's lesson or an
// exercise's text.
func (a *app) pageFor(p *course.Progress, args []string) (string, error) {
	if len(args) == 1 && !strings.HasPrefix(args[0], "0") { // 01 is an exercise, 1 and week01 are a week
		if w, ok := a.course.ParseWeek(a.fromRoot(args[0])); ok {
			if !w.Published {
				return "", usage(a.weekToComeFix(args[0]), textWeekToCome, w.Number)
			}
			return w.Lesson(), nil
		}
	}
	e, err := a.exercise(p, args)
	if err != nil {
		return "", err
	}
	return e.Readme(), nil
}

// weekToComeFix says what to read instead of a week that is still to come: the
// exercises that its number fits, if there are any.
func (a *app) weekToComeFix(name string) string {
	var fits []string
	e, err := a.course.Find(name)
	var wrong *course.NameError
	switch {
	case err == nil:
		fits = []string{e.ID}
	case errors.As(err, &wrong) && wrong.Ambiguous:
		fits = wrong.Candidates
	default:
		return a.text(textFixWeek)
	}
	fix := textFixWeekExercise
	for _, id := range fits {
		fix += "\n  {cmd} read " + id
	}
	return a.text(fix)
}

func (a *app) hintVerb() *cobra.Command {
	var shown, asJSON bool
	cmd := a.verb("hint [exercise]", groupLearn)
	cmd.ValidArgsFunction = a.completeExercise
	cmd.Flags().BoolVar(&shown, "shown", false, flagHintShown)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		e, err := a.exercise(p, args)
		if err != nil {
			return err
		}
		return a.hint(e, shown, asJSON)
	}
	return cmd
}

// hint shows the next hint, or the last again, or all that were shown.
func (a *app) hint(e *course.Exercise, shown, asJSON bool) error {
	hints, err := a.course.ReadHints(e)
	if err != nil {
		return broken(err, textFixCourse)
	}
	n, repeated := 0, false
	p, err := a.store.Update(func(p *course.Progress) error {
		state := p.Exercise(e.ID)
		if !shown {
			repeated = state.Hints >= len(hints)
			state.Hints = min(state.Hints+1, len(hints))
		}
		n = min(state.Hints, len(hints))
		return nil
	})
	if err != nil {
		return err
	}
	first := max(n, 1)
	if shown {
		first = 1
	}
	if asJSON {
		return a.json(struct {
			Exercise string   `json:"exercise"`
			Number   int      `json:"number"` // of the last hint in texts
			Of       int      `json:"of"`
			Texts    []string `json:"texts"`
		}{e.ID, n, len(hints), hints[first-1 : n]})
	}
	if n == 0 {
		a.printf("%s\n", a.text(fmt.Sprintf(textNoHintYet, e.ID, a.naming(p, e))))
		return nil
	}
	for i := first; i <= n; i++ {
		text, err := a.markdown(hints[i-1])
		if err != nil {
			return err
		}
		a.printf("%s\n%s", styleTitle.Render(fmt.Sprintf(textHint, i, len(hints), e.ID)), indent(text, "  "))
	}
	switch {
	case repeated:
		a.printf("\n%s\n", a.text(fmt.Sprintf(textHintsOver, a.naming(p, e))))
	case n == len(hints):
		a.printf("\n%s\n", a.text(fmt.Sprintf(textHintLast, a.naming(p, e))))
	}
	return nil
}

func (a *app) solutionVerb() *cobra.Command {
	var spoil, asJSON bool
	cmd := a.verb("solution [exercise]", groupLearn)
	cmd.ValidArgsFunction = a.completeExercise
	cmd.Flags().BoolVar(&spoil, "spoil", false, flagSpoil)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		e, err := a.solutionFor(p, args)
		if err != nil {
			return err
		}
		if !p.Passed(e.ID) && !spoil {
			return usage(a.text(fmt.Sprintf(textFixSpoil, e.ID)), textNotPassedYet, e.ID)
		}
		solution, err := a.source(e.Solution())
		if err != nil {
			return broken(err, textFixCourse)
		}
		mine, err := a.source(e.File())
		if err != nil {
			return broken(err, a.text(fmt.Sprintf(textFixReset, e.ID)))
		}
		if _, err := a.store.Update(func(p *course.Progress) error {
			if state := p.Exercise(e.ID); state.SolutionShown == nil {
				now := time.Now().UTC()
				state.SolutionShown = &now
			}
			return nil
		}); err != nil {
			return err
		}
		diff := udiff.Unified(path.Base(e.File()), path.Base(e.Solution()), withoutPackage(mine), withoutPackage(solution))
		if asJSON {
			return a.json(struct {
				Exercise string `json:"exercise"`
				File     string `json:"file"`
				Source   string `json:"source"`
				Diff     string `json:"diff"`
			}{e.ID, e.Solution(), solution, diff})
		}
		a.printf("%s\n\n%s\n", styleTitle.Render(e.Solution()), a.goSource(solution))
		a.printf("%s\n\n", styleTitle.Render(textSolutionDiff))
		if diff == "" {
			a.printf("%s\n", textSolutionSame)
		}
		a.printf("%s", paintDiff(diff))
		return nil
	}
	return cmd
}

// solutionFor returns the exercise that solution's arguments name. Without any
// it is the one just passed, if the learner has moved no further: that is the
// moment to compare.
func (a *app) solutionFor(p *course.Progress, args []string) (*course.Exercise, error) {
	if len(args) == 0 && a.here() == nil && p.Passed(p.Current) {
		if e, ok := a.course.Exercise(p.Current); ok {
			return e, nil
		}
	}
	return a.exercise(p, args)
}

// source reads a Go file of the course, with line ends made equal.
func (a *app) source(name string) (string, error) {
	data, err := os.ReadFile(a.path(name))
	return strings.ReplaceAll(string(data), "\r\n", "\n"), err
}

// withoutPackage drops the package clause and what precedes it, which always
// differ between an exercise and its solution.
func withoutPackage(source string) string {
	for i, line := range strings.SplitAfter(source, "\n") {
		if strings.HasPrefix(line, "package ") {
			return strings.Join(strings.SplitAfter(source, "\n")[i+1:], "")
		}
	}
	return source
}

// goSource highlights Go where there is a terminal to show it.
func (a *app) goSource(source string) string {
	if _, ok := terminal(a.Stdout); !ok {
		return source
	}
	page, err := a.markdown(fence(source, "go"))
	if err != nil {
		return source
	}
	return page
}

// fence makes a Markdown code block that its content cannot end.
func fence(content, language string) string {
	marks := "```"
	for strings.Contains(content, marks) {
		marks += "`"
	}
	return marks + language + "\n" + strings.TrimSuffix(content, "\n") + "\n" + marks + "\n"
}

func paintDiff(diff string) string {
	lines := strings.SplitAfter(diff, "\n")
	for i, line := range lines {
		text, end := strings.CutSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "---"):
			text = styleTitle.Render(text)
		case strings.HasPrefix(text, "+"):
			text = paint(text, styleGood.Render)
		case strings.HasPrefix(text, "-"):
			text = paint(text, styleBad.Render)
		case strings.HasPrefix(text, "@@"):
			text = styleCode.Render(text)
		case text == " ":
			text = ""
		}
		if end {
			text += "\n"
		}
		lines[i] = text
	}
	return strings.Join(lines, "")
}

// paint renders a line without having its tabs changed into spaces.
func paint(line string, render func(...string) string) string {
	parts := strings.Split(line, "\t")
	for i, part := range parts {
		if part != "" {
			parts[i] = render(part)
		}
	}
	return strings.Join(parts, "\t")
}

func (a *app) resetVerb() *cobra.Command {
	var asJSON bool
	cmd := a.verb("reset <exercise>", groupLearn)
	cmd.ValidArgsFunction = a.completeExercise
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		e, err := a.exercise(p, args)
		if err != nil {
			return err
		}
		backup, err := a.reset(e)
		if err != nil {
			return err
		}
		if asJSON {
			return a.json(struct {
				Exercise string `json:"exercise"`
				Backup   string `json:"backup,omitempty"` // left out when there was nothing to reset
			}{e.ID, backup})
		}
		if backup == "" {
			a.printf(textResetNothing+"\n", e.ID)
			return nil
		}
		a.printf(textReset+"\n", a.relative(a.path(e.File())), a.relative(backup))
		return nil
	}
	return cmd
}

// reset puts the starter back and returns where the learner's file is kept, or
// nothing when they are the same.
func (a *app) reset(e *course.Exercise) (backup string, err error) {
	starter, err := os.ReadFile(a.path(e.Starter()))
	if err != nil {
		return "", broken(err, textFixCourse)
	}
	same := errors.New("the file is the starter")
	// The whole is one change of the progress, so that of two resets at once
	// the second finds the first one's starter and does nothing.
	_, err = a.store.Update(func(p *course.Progress) error {
		now := time.Now().UTC()
		mine, err := os.ReadFile(a.path(e.File()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // nothing to keep
		case err != nil:
			return err
		case bytes.Equal(mine, starter):
			return same
		default:
			if backup, err = a.keep(e, mine, now); err != nil {
				return err
			}
		}
		if err := atomic.WriteFile(a.path(e.File()), bytes.NewReader(starter)); err != nil {
			return err
		}
		state := p.Exercise(e.ID)
		state.Resets = append(state.Resets, now)
		return nil
	})
	if errors.Is(err, same) {
		return "", nil
	}
	return backup, err
}

// keep writes a copy of the learner's file under a name that is not taken.
func (a *app) keep(e *course.Exercise, content []byte, now time.Time) (string, error) {
	folder := filepath.Join(a.root, course.StateFolder, "backup", filepath.FromSlash(e.ID))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	stamp := now.Format("20060102T150405")
	for n := 1; ; n++ {
		name := "exercise-" + stamp + ".go"
		if n > 1 {
			name = fmt.Sprintf("exercise-%s-%d.go", stamp, n)
		}
		f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(content)
		return f.Name(), errors.Join(err, f.Close())
	}
}
