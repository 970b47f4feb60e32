package cli

import (
	"bytes"
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/natefinch/atomic"
	"github.com/spf13/cobra"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/internal/quiz"
)

var (
	//go:embed report.md.tmpl
	reportMarkdown string
	//go:embed report.html.tmpl
	reportHTML string
)

func (a *app) reportVerb() *cobra.Command {
	var out, learner string
	var asJSON bool
	cmd := a.verb("report", groupMore)
	cmd.Flags().StringVar(&out, "out", "", flagOut)
	cmd.Flags().StringVar(&learner, "name", "", flagName)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(*cobra.Command, []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		r, err := a.report(p, learner)
		if err != nil {
			return err
		}
		if asJSON {
			return a.json(r)
		}
		folder := filepath.Join(a.root, course.StateFolder, "report")
		if out != "" {
			folder = out
			if !filepath.IsAbs(folder) {
				folder = filepath.Join(a.Dir, folder)
			}
		} else if err := course.CreateStateFolder(a.root); err != nil {
			return err
		}
		return a.writeReport(r, folder)
	}
	return cmd
}

func (a *app) writeReport(r *report, folder string) error {
	markdown, err := r.markdown()
	if err != nil {
		return err
	}
	html, err := r.html(markdown)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return broken(err, textFixOut)
	}
	a.printf("%s\n", textReportWritten)
	for _, file := range []struct {
		name    string
		content []byte
	}{{"report.md", markdown}, {"report.html", html}} {
		name := filepath.Join(folder, file.name)
		if err := atomic.WriteFile(name, bytes.NewReader(file.content)); err != nil {
			return broken(err, textFixOut)
		}
		a.printf("  %s\n", styleCode.Render(a.relative(name)))
	}
	a.printf("%s\n", textReportSend)
	return nil
}

// report is what a mentor reads. Its JSON form is what report --json prints.
type report struct {
	Learner  string       `json:"learner,omitempty"`
	Written  time.Time    `json:"written"`
	Version  versionJSON  `json:"version"`
	Passed   int          `json:"passed"`
	Of       int          `json:"of"`
	Findings []findingSum `json:"findings"` // of all exercises, in the order of the course
	Weeks    []weekReport `json:"weeks"`    // those with something done
}

// findingSum is how many attempts met a finding.
type findingSum struct {
	Name     string `json:"name"`
	Exercise string `json:"exercise"`
	Attempts int    `json:"attempts"`
}

type weekReport struct {
	Week      int              `json:"week"`
	Title     string           `json:"title"`
	Exercises []exerciseReport `json:"exercises"`
	Quiz      *quizReport      `json:"quiz,omitempty"` // of a quiz that was begun
}

type exerciseReport struct {
	ID    string                `json:"id"`
	Title string                `json:"title"`
	State *course.ExerciseState `json:"state"`
	Diff  string                `json:"diff"` // from the starter to the learner's file
}

type quizReport struct {
	Score  quiz.Score      `json:"score"`
	Rows   []quiz.RowScore `json:"rows"`
	Missed []string        `json:"missed"` // the texts of the questions answered wrongly
}

// report gathers what was done.
func (a *app) report(p *course.Progress, learner string) (*report, error) {
	r := &report{
		Learner: learner, Written: time.Now().UTC().Truncate(time.Second), Version: readVersion(),
		Of: len(a.course.Exercises), Findings: []findingSum{}, Weeks: []weekReport{},
	}
	for _, w := range a.course.Weeks {
		week := weekReport{Week: w.Number, Title: w.Title, Exercises: []exerciseReport{}}
		for _, e := range w.Exercises {
			diff, err := a.diffToStarter(e)
			if err != nil {
				return nil, err
			}
			state := p.Exercise(e.ID)
			if p.Passed(e.ID) {
				r.Passed++
			}
			r.Findings = append(r.Findings, sumFindings(e, state)...)
			if diff == "" && len(state.Attempts) == 0 && state.Hints == 0 && state.SolutionShown == nil {
				continue
			}
			week.Exercises = append(week.Exercises, exerciseReport{e.ID, e.Title, state, diff})
		}
		if state := p.Quizzes[w.ID()]; w.HasQuiz && state != nil && len(state.Answers) > 0 {
			q, err := a.course.ReadQuiz(w)
			if err != nil {
				return nil, broken(err, textFixCourse)
			}
			week.Quiz = reportQuiz(q, state)
		}
		if len(week.Exercises) > 0 || week.Quiz != nil {
			r.Weeks = append(r.Weeks, week)
		}
	}
	return r, nil
}

func sumFindings(e *course.Exercise, state *course.ExerciseState) []findingSum {
	var sums []findingSum
	for _, name := range state.Findings() {
		sum := findingSum{Name: name, Exercise: e.ID}
		for _, attempt := range state.Attempts {
			for _, met := range attempt.Findings {
				if met == name {
					sum.Attempts++
					break
				}
			}
		}
		sums = append(sums, sum)
	}
	return sums
}

func reportQuiz(q *quiz.Quiz, state *course.QuizState) *quizReport {
	results := state.Results()
	out := &quizReport{Missed: []string{}}
	out.Score, out.Rows = q.Score(results)
	for _, question := range q.Questions {
		if correct, answered := results[question.ID]; answered && !correct {
			out.Missed = append(out.Missed, question.Text)
		}
	}
	return out
}

// diffToStarter returns what the learner changed.
func (a *app) diffToStarter(e *course.Exercise) (string, error) {
	starter, err := a.source(e.Starter())
	if err != nil {
		return "", broken(err, textFixCourse)
	}
	mine, err := a.source(e.File())
	if os.IsNotExist(err) {
		mine, err = "", nil
	}
	if err != nil {
		return "", err
	}
	return udiff.Unified(path.Base(e.Starter()), path.Base(e.File()), starter, mine), nil
}

// markdown writes the report as a Markdown page.
func (r *report) markdown() ([]byte, error) {
	page, err := template.New("report").Funcs(template.FuncMap{
		"text":  escapeMarkdown,
		"list":  func(items []string) string { return escapeMarkdown(strings.Join(items, ", ")) },
		"fence": fence,
		"time":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	}).Parse(reportMarkdown)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// markup matches everything that Markdown could take for more than text.
var markup = regexp.MustCompile("[\\\\`*_{}\\[\\]()<>#+!|~&:@.-]")

// escapeMarkdown makes a text mean nothing but itself, on one line, in a
// paragraph or in a table.
func escapeMarkdown(s string) string {
	return markup.ReplaceAllString(strings.Join(strings.Fields(s), " "), `\$0`)
}

// html puts the Markdown page into a single file that needs no other. What is
// HTML in the Markdown is left out.
func (r *report) html(markdown []byte) ([]byte, error) {
	var body bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert(markdown, &body); err != nil {
		return nil, err
	}
	page, err := htmltemplate.New("report").Parse(reportHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, struct {
		Title string
		Body  htmltemplate.HTML
	}{fmt.Sprintf(textReportTitle, r.Written.Format(time.DateOnly)), htmltemplate.HTML(body.String())})
	return b.Bytes(), err
}
