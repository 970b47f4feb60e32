package grade

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Style dresses up a rendered verdict. Each function returns its text emphasised; nil leaves it plain, so the zero Style is
// plain text.
type Style struct {
	Width int                 // line length in columns; 0 means 80
	Bold  func(string) string // headings and labels
	Dim   func(string) string // what is secondary
	Good  func(string) string // passed
	Bad   func(string) string // not passed
	Note  func(string) string // not started, and notes
	Link  func(string) string // files and lessons
}

// IssuesURL is where a fault of ours is reported.
const IssuesURL = "https://github.com/brokerdojo/brokerdojo/issues"

// titles says in a few words what each kind means.
var titles = map[Kind]string{
	Passed:         "passed",
	NotStarted:     "not started",
	DoesNotCompile: "does not compile",
	Wrong:          "not right yet",
	NeverEnds:      "never ends",
	Hangs:          "hangs",
	Leaks:          "leaks goroutines",
	Panics:         "panics",
	OurFault:       "our fault, not yours",
}

// Render writes the verdict for a person to read: what is wrong in the scenario that matters most, then one line a scenario.
func (v Verdict) Render(w io.Writer, s Style) error {
	p := &page{style: s, width: s.Width, folder: path.Join("exercises", v.Exercise)}
	if p.width == 0 {
		p.width = 80
	}
	mark, paint := p.mark(v.Kind)
	p.line(0, paint, mark+" "+v.Exercise+": "+titles[v.Kind])

	switch r := v.Deciding(); {
	case v.Kind == DoesNotCompile:
		p.compile(v.Compile)
	case r != nil:
		p.blank()
		p.line(2, s.Bold, r.Scenario)
		p.result(*r)
	case v.Kind == OurFault:
		p.blank()
		p.fault(v.Message, v.Detail)
	}
	if len(v.Scenarios) > 1 || v.Kind == Passed && len(v.Scenarios) > 0 {
		p.blank()
		for _, r := range v.Scenarios {
			mark, paint := p.mark(r.Kind)
			text := r.Scenario
			if r.Kind != Passed {
				text += " (" + titles[r.Kind] + ")"
			}
			p.item(mark, paint, text)
		}
	}
	for _, r := range v.Scenarios {
		if r.Cost != nil && r.Kind == Passed {
			p.cost(r)
		}
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// page is a rendered verdict in the making.
type page struct {
	style  Style
	width  int
	folder string // of the exercise, below the root
	text   strings.Builder
}

func (p *page) mark(k Kind) (string, func(string) string) {
	switch k {
	case Passed:
		return "✓", p.style.Good
	case NotStarted:
		return "·", p.style.Note
	}
	return "✗", p.style.Bad
}

// result writes what is wrong in one scenario.
func (p *page) result(r Result) {
	switch r.Kind {
	case Wrong:
		for _, f := range r.Reports {
			p.blank()
			p.line(2, p.style.Bad, f.Finding)
			p.field("Observed", nil, f.Observed)
			p.field("Expected", nil, f.Expected)
			p.field("Likely", nil, f.Cause)
			if week, section, ok := strings.Cut(f.Lesson, "#"); ok {
				p.field("Lesson", p.style.Link, path.Join("exercises", week, "README.md")+"#"+section)
			}
			p.at(f.At)
		}
	case OurFault:
		p.fault(r.Message, r.Detail)
	case NotStarted:
		p.blank()
		p.field("To do", nil, r.Message)
		p.at(r.At)
	default:
		p.blank()
		p.field("Observed", nil, r.Message)
		if r.Kind == NeverEnds || r.Kind == Hangs {
			p.calls(r)
		}
		p.at(r.At)
		p.goroutines(r.Goroutines)
	}
	if r.Output != "" {
		p.blank()
		p.line(4, p.style.Bold, "Your code printed")
		p.verbatim(r.Output, 20)
	}
}

// goroutines writes one line for all that do the same.
func (p *page) goroutines(gs []Goroutine) {
	var texts []string
	count := map[string]int{}
	for _, g := range gs {
		text := g.Doing
		if g.Process != "" {
			text = g.Process + ": " + text
		}
		if g.At != nil {
			text += fmt.Sprintf(", at %s:%d", g.At.File, g.At.Line)
		}
		if g.Started != nil && (g.At == nil || *g.Started != *g.At) {
			text += fmt.Sprintf(", started at %s:%d", g.Started.File, g.Started.Line)
		}
		if count[text]++; count[text] == 1 {
			texts = append(texts, text)
		}
	}
	label := "Goroutines"
	for _, text := range texts {
		if n := count[text]; n > 1 {
			text = fmt.Sprintf("%d times: %s", n, text)
		}
		p.field(label, nil, text)
		label = ""
	}
}

// calls writes the operation that was called most, which tells what a loop that never ends is about: by the processes whose
// goroutines remain, if that is known.
func (p *page) calls(r Result) {
	var most Calls
	for _, c := range r.Calls {
		remains := func(g Goroutine) bool { return g.Process == c.Process }
		if len(r.Goroutines) > 0 && !slices.ContainsFunc(r.Goroutines, remains) || c.Operation == "CLIENT" {
			continue // CLIENT is how go-redis introduces itself on each connection
		}
		if c.Count > most.Count {
			most = c
		}
	}
	if most.Count > 1 { // once is no loop
		p.field("Calls", nil, fmt.Sprintf("%s called %s %d times", most.Process, most.Operation, most.Count))
	}
}

func (p *page) cost(r Result) {
	if !r.Cost.Above() {
		return
	}
	p.blank()
	p.line(2, p.style.Note, "Works, but costs more than it has to: "+r.Scenario)
	p.field("Cost", nil, r.Cost.String())
	p.field("Can be", nil, fmt.Sprintf("$%.2f or less", r.Cost.Limit))
}

func (p *page) compile(errs []CompileError) {
	p.blank()
	called := false // by the test, as the starter declares it
	for _, e := range errs {
		called = called || e.At != nil && e.At.File == "exercise_test.go"
		if e.At != nil {
			p.line(2, p.style.Link, fmt.Sprintf("%s:%d", path.Join(p.folder, e.At.File), e.At.Line))
		}
		p.line(4, nil, e.Message)
	}
	if called {
		p.blank()
		p.line(2, p.style.Note, "exercise_test.go uses the functions as the starter declares them: keep their names, parameters and results.")
	}
}

func (p *page) fault(message, detail string) {
	p.blank()
	p.line(4, nil, message)
	p.line(4, nil, "The grader or the local cloud went wrong here; your code may be right. Please report it, with the exercise's name and what follows:")
	p.line(4, p.style.Link, IssuesURL)
	if detail != "" {
		p.blank()
		p.verbatim(detail, 40)
	}
}

func (p *page) at(at *Position) {
	if at != nil {
		p.field("Your code", p.style.Link, p.position(at))
	}
}

// position writes where the learner finds a line.
func (p *page) position(at *Position) string {
	text := fmt.Sprintf("%s:%d", path.Join(p.folder, at.File), at.Line)
	if at.Func != "" {
		text += " (" + at.Func + ")"
	}
	return text
}

// field writes a label and its text beside it.
func (p *page) field(label string, paint func(string) string, text string) {
	const indent, column = 4, 12
	for i, line := range wrap(text, p.width-indent-column) {
		if i > 0 {
			label = ""
		}
		p.text.WriteString(strings.Repeat(" ", indent))
		p.text.WriteString(painted(p.style.Bold, label))
		p.text.WriteString(strings.Repeat(" ", column-len(label)))
		p.text.WriteString(painted(paint, line) + "\n")
	}
}

// line writes a paragraph.
func (p *page) line(indent int, paint func(string) string, text string) {
	for _, line := range wrap(text, p.width-indent) {
		p.text.WriteString(strings.Repeat(" ", indent) + painted(paint, line) + "\n")
	}
}

// item writes a paragraph behind a mark.
func (p *page) item(mark string, paint func(string) string, text string) {
	for i, line := range wrap(text, p.width-4) {
		if i > 0 {
			mark = " "
		}
		p.text.WriteString("  " + painted(paint, mark+" "+line) + "\n")
	}
}

// verbatim writes the last lines of a text as they are.
func (p *page) verbatim(text string, limit int) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if over := len(lines) - limit; over > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines before)", over)}, lines[over:]...)
	}
	for _, line := range lines {
		p.text.WriteString("      " + painted(p.style.Dim, strings.TrimRight(line, "\r")) + "\n")
	}
}

func (p *page) blank() { p.text.WriteString("\n") }

func painted(paint func(string) string, text string) string {
	if paint == nil || text == "" {
		return text
	}
	return paint(text)
}

// wrap breaks text at spaces into lines of at most width columns; a longer word has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.Lines(text) {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				lines, line = append(lines, line), ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}
