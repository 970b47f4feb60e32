package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/internal/quiz"
)

func (a *app) listVerb() *cobra.Command {
	var rows, asJSON bool
	cmd := a.verb("list", groupLearn)
	cmd.Flags().BoolVar(&rows, "rows", false, flagRows)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(*cobra.Command, []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		switch {
		case rows && asJSON:
			return a.rowsJSON()
		case rows:
			return a.rows()
		case asJSON:
			return a.listJSON(p)
		}
		return a.list(p)
	}
	return cmd
}

// list shows the weeks with their exercises and how far the learner is.
func (a *app) list(p *course.Progress) error {
	current := a.course.Current(p)
	// One table for all weeks, so that the columns line up; headings are cut in
	// where a line of it is the first of its week.
	var table [][]string
	for _, w := range a.course.Weeks {
		for _, e := range w.Exercises {
			table = append(table, a.exerciseLine(p, e, e == current))
		}
		if w.HasQuiz {
			line, err := a.quizLine(p, w)
			if err != nil {
				return err
			}
			table = append(table, line)
		}
	}
	lines := strings.SplitAfter(columns("  ", table), "\n")

	level := 0
	for _, w := range a.course.Weeks {
		if w.Level != level {
			if level != 0 {
				a.printf("\n")
			}
			level = w.Level
			l := course.Levels()[level-1]
			a.printf("%s\n", styleTitle.Render(fmt.Sprintf(textLevel, l.Number, l.Title, l.Hours)))
		}
		if !w.Published {
			a.printf("%s\n", styleFaint.Render(fmt.Sprintf(textWeekLineToCome, w.Number, w.Title)))
			continue
		}
		passed, total := tally(p, w)
		a.printf(textWeekLine+"\n", w.Number, w.Title, passed, total)
		n := len(w.Exercises)
		if w.HasQuiz {
			n++
		}
		a.printf("%s", strings.Join(lines[:n], ""))
		lines = lines[n:]
	}
	coverage, err := a.course.Coverage()
	if err != nil {
		return broken(err, textFixCourse)
	}
	a.printf("\n"+textRowsCovered+"\n", countCovered(coverage), len(coverage))
	return nil
}

func (a *app) exerciseLine(p *course.Progress, e *course.Exercise, current bool) []string {
	state := p.Exercise(e.ID)
	mark, said := " ", ""
	switch {
	case p.Passed(e.ID):
		mark, said = styleGood.Render(markPassed), styleGood.Render(fmt.Sprintf(textPassedAfter, len(state.Attempts)))
	case len(state.Attempts) > 0:
		mark, said = styleNote.Render(markTried), fmt.Sprintf(textTried, len(state.Attempts))
	}
	if current {
		mark = styleNote.Render(markCurrent)
	}
	return []string{mark, e.ID, e.Title, styleFaint.Render(strings.Join(e.Brokers, ", ")), styleFaint.Render(fmt.Sprintf(textMinutes, e.Minutes)), said}
}

func (a *app) quizLine(p *course.Progress, w *course.Week) ([]string, error) {
	q, err := a.course.ReadQuiz(w)
	if err != nil {
		return nil, broken(err, textFixCourse)
	}
	score, _ := q.Score(p.Quizzes[w.ID()].Results())
	mark, said := " ", fmt.Sprintf(textQuizQuestions, score.Questions)
	switch {
	case score.Complete():
		mark, said = styleGood.Render(markPassed), styleGood.Render(fmt.Sprintf(textQuizDone, score.Correct, score.Questions))
	case score.Answered > 0:
		mark, said = styleNote.Render(markTried), fmt.Sprintf(textQuizPart, score.Answered, score.Questions)
	}
	return []string{mark, w.ID() + "/quiz", textQuiz, "", "", said}, nil
}

func countCovered(coverage []course.Coverage) int {
	n := 0
	for _, c := range coverage {
		if c.Covered() {
			n++
		}
	}
	return n
}

// rows shows what covers each row of the curriculum.
func (a *app) rows() error {
	coverage, err := a.course.Coverage()
	if err != nil {
		return broken(err, textFixCourse)
	}
	var table [][]string
	for _, c := range coverage {
		by := styleFaint.Render(textToCome)
		if c.Covered() {
			by = styleGood.Render(refs(c.Claims))
		}
		table = append(table, []string{c.ID, string(c.Kind), by, c.Text})
	}
	a.printf("%s", columns("", table))
	a.printf("\n"+textRowsCovered+"\n", countCovered(coverage), len(coverage))
	return nil
}

func refs(claims []course.Claim) string {
	var refs []string
	for _, claim := range claims {
		refs = append(refs, claim.Ref)
	}
	return strings.Join(refs, ", ")
}

func (a *app) rowsJSON() error {
	coverage, err := a.course.Coverage()
	if err != nil {
		return broken(err, textFixCourse)
	}
	type row struct {
		course.Coverage
		Covered bool `json:"covered"`
	}
	out := struct {
		Covered int   `json:"covered"`
		Of      int   `json:"of"`
		Rows    []row `json:"rows"`
	}{countCovered(coverage), len(coverage), nil}
	for _, c := range coverage {
		out.Rows = append(out.Rows, row{c, c.Covered()})
	}
	return a.json(out)
}

func (a *app) listJSON(p *course.Progress) error {
	type week struct {
		Week      int            `json:"week"`
		Level     int            `json:"level"`
		Title     string         `json:"title"`
		Published bool           `json:"published"`
		Exercises []exerciseJSON `json:"exercises"`
		Quiz      *quiz.Score    `json:"quiz"`
	}
	var out struct {
		Current string         `json:"current"` // empty when everything is passed
		Levels  []course.Level `json:"levels"`
		Weeks   []week         `json:"weeks"`
	}
	out.Levels = course.Levels()
	if e := a.course.Current(p); e != nil {
		out.Current = e.ID
	}
	for _, w := range a.course.Weeks {
		line := week{Week: w.Number, Level: w.Level, Title: w.Title, Published: w.Published, Exercises: []exerciseJSON{}}
		for _, e := range w.Exercises {
			line.Exercises = append(line.Exercises, toJSON(p, e))
		}
		if w.HasQuiz {
			q, err := a.course.ReadQuiz(w)
			if err != nil {
				return broken(err, textFixCourse)
			}
			score, _ := q.Score(p.Quizzes[w.ID()].Results())
			line.Quiz = &score
		}
		out.Weeks = append(out.Weeks, line)
	}
	return a.json(out)
}
