package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

func (a *app) checkVerb() *cobra.Command {
	var asJSON bool
	cmd := a.verb("check [exercise]", groupLearn)
	cmd.ValidArgsFunction = a.completeExercise
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		e, err := a.exercise(p, args)
		if err != nil {
			return err
		}
		stop := a.working(fmt.Sprintf(textChecking, e.ID))
		verdict, p, err := a.check(cmd.Context(), e)
		stop()
		if err != nil {
			return err
		}
		if asJSON {
			err = a.json(verdict)
		} else {
			err = a.show(verdict, p, e)
		}
		if err != nil {
			return err
		}
		switch verdict.Kind {
		case grade.Passed:
			return nil
		case grade.OurFault:
			return exitCode(ExitBroken)
		}
		return exitCode(ExitWrong)
	}
	return cmd
}

// check grades an exercise and records the attempt.
func (a *app) check(ctx context.Context, e *course.Exercise) (grade.Verdict, *course.Progress, error) {
	began := time.Now()
	verdict, err := a.Check(ctx, a.root, e.ID)
	if ctx.Err() != nil {
		return grade.Verdict{}, nil, exitCode(ExitInterrupted)
	}
	if err != nil {
		return grade.Verdict{}, nil, broken(err, a.text(textFixCheck))
	}
	attempt := course.Attempt{
		At:       began.UTC().Truncate(time.Second),
		Verdict:  string(verdict.Kind),
		Findings: findings(verdict),
		Seconds:  time.Since(began).Round(10 * time.Millisecond).Seconds(),
	}
	p, err := a.store.Update(func(p *course.Progress) error {
		p.Current = e.ID
		// Looking at a starter is no attempt at it.
		if verdict.Kind != grade.NotStarted {
			p.Exercise(e.ID).Record(attempt, verdict.Kind == grade.Passed)
		}
		return nil
	})
	return verdict, p, err
}

// findings returns the names of what a verdict found, each once.
func findings(v grade.Verdict) []string {
	var names []string
	for _, scenario := range v.Scenarios {
		for _, report := range scenario.Reports {
			if !slices.Contains(names, report.Finding) {
				names = append(names, report.Finding)
			}
		}
	}
	return names
}

// show renders a verdict and says what to do next.
func (a *app) show(v grade.Verdict, p *course.Progress, e *course.Exercise) error {
	err := v.Render(a.out, grade.Style{
		Width: a.width(),
		Bold:  whole(styleTitle), Dim: whole(styleFaint), Good: whole(styleGood), Bad: whole(styleBad), Note: whole(styleNote), Link: whole(styleCode),
	})
	if err != nil {
		return err
	}
	a.printf("\n")
	switch v.Kind {
	case grade.Passed:
		a.printf("%s\n", a.text(a.afterPass(p, e)))
	case grade.OurFault:
		a.printf("%s\n", a.text(textOurFault))
	case grade.NotStarted:
		a.printf("%s\n", a.text(fmt.Sprintf(textNotStarted, a.relative(a.path(e.File())), a.naming(p, e))))
	default:
		a.printf("%s\n", a.text(fmt.Sprintf(textAfterWrong, a.naming(p, e))))
	}
	return nil
}

// afterPass says what comes after a passed exercise.
func (a *app) afterPass(p *course.Progress, e *course.Exercise) string {
	text := fmt.Sprintf(textCompare, e.ID)
	w, _ := a.course.Week(e.Week)
	if passed, total := tally(p, w); passed == total && w.HasQuiz {
		text += "\n" + fmt.Sprintf(textWeekPassed, w.Number)
	}
	if next := a.course.After(p, e); next != nil {
		return text + "\n" + fmt.Sprintf(textNextIs, next.ID, next.Title)
	}
	return text + "\n" + textStatusAllPassed
}

// whole renders a text as it is: tabs stay tabs.
func whole(s lipgloss.Style) func(string) string {
	s = s.TabWidth(lipgloss.NoTabConversion)
	return func(text string) string { return s.Render(text) }
}

// The progress indication: how often it moves, how long a wait needs none, and
// how long one needs an explanation.
const (
	spinnerBeat    = 100 * time.Millisecond
	spinnerDelay   = 300 * time.Millisecond
	firstTimeDelay = 5 * time.Second
)

var spinner = []string{"|", "/", "-", `\`}

// working tells the learner that something takes its time, until the returned
// function is called. On a terminal it is a line that goes away again; elsewhere
// it is one line, if the wait is long.
func (a *app) working(doing string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	_, tty := terminal(a.Stderr)
	go func() {
		defer close(done)
		if tty {
			a.spin(ctx, doing)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(firstTimeDelay):
			fmt.Fprintf(a.err, "%s %s\n", doing, textFirstTime)
		}
	}()
	return func() { cancel(); <-done }
}

func (a *app) spin(ctx context.Context, doing string) {
	began := time.Now()
	beat := time.NewTicker(spinnerBeat)
	defer beat.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			if i > 0 {
				fmt.Fprint(a.err, "\r"+ansi.EraseLineRight)
			}
			return
		case <-beat.C:
		}
		waited := time.Since(began)
		if waited < spinnerDelay {
			i = -1 // nothing was written yet
			continue
		}
		line := fmt.Sprintf("%s %s %d s", spinner[i%len(spinner)], doing, int(waited.Seconds()))
		if waited > firstTimeDelay {
			line += " " + textFirstTime
		}
		fmt.Fprint(a.err, "\r"+ansi.EraseLineRight+ansi.Truncate(line, a.width()-1, ""))
	}
}

// interrupted reports whether an error only says that the learner ended it.
func interrupted(err error) bool {
	var code exitCode
	return errors.As(err, &code) && code == ExitInterrupted
}
