package course

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Problem is something that a course must not be published with.
type Problem struct {
	File string // under the root, with slashes; empty when no single file is at fault
	Text string
}

func (p Problem) String() string {
	if p.File == "" {
		return p.Text
	}
	return p.File + ": " + p.Text
}

// MinMistakes is how many wrong solutions an exercise must be able to tell
// apart from a right one.
const MinMistakes = 3

// Verify looks for everything that would let a learner down: broken links and
// lesson anchors, exercises with parts missing, rows claimed wrongly or not at
// all. Where starters must be untouched, as in a fresh clone, untouched makes
// it compare them with their copies too. An error means that something could
// not be read.
func (c *Course) Verify(untouched bool) ([]Problem, error) {
	var problems []Problem
	for _, w := range c.Weeks {
		p, err := c.weekProblems(w)
		if err != nil {
			return nil, err
		}
		problems = append(problems, p...)
		for _, e := range w.Exercises {
			p, err := c.exerciseProblems(e, untouched)
			if err != nil {
				return nil, err
			}
			problems = append(problems, p...)
		}
	}
	rows, err := c.rowProblems()
	if err != nil {
		return nil, err
	}
	links, err := c.linkProblems()
	if err != nil {
		return nil, err
	}
	return slices.Concat(problems, rows, links), nil
}

func (c *Course) weekProblems(w *Week) ([]Problem, error) {
	var problems []Problem
	if len(w.Exercises) > 0 && !w.Published {
		problems = append(problems, Problem{w.Folder(), "the week has exercises, but no lesson (README.md)"})
	}
	if !w.Published {
		return problems, nil
	}
	if len(w.Exercises) == 0 {
		problems = append(problems, Problem{w.Folder(), "the week has a lesson, but no exercise"})
	}
	if !w.HasQuiz {
		problems = append(problems, Problem{w.Folder(), "the week has no quiz (quiz.yaml)"})
	}
	if len(w.Objectives) == 0 {
		problems = append(problems, Problem{w.Lesson(), "objectives is missing"})
	}
	anchors, err := c.anchors(w.Lesson())
	if err != nil {
		return nil, err
	}
	for _, row := range slices.Sorted(maps.Keys(w.Rows)) {
		anchor := w.Rows[row]
		if name, ok := strings.CutPrefix(anchor, "#"); !ok || !slices.Contains(anchors, name) {
			problems = append(problems, Problem{w.Lesson(), fmt.Sprintf("row %s points to %q, which is no heading", row, anchor)})
		}
	}
	return problems, nil
}

func (c *Course) exerciseProblems(e *Exercise, untouched bool) ([]Problem, error) {
	var problems []Problem
	problem := func(file, format string, args ...any) {
		problems = append(problems, Problem{file, fmt.Sprintf(format, args...)})
	}
	if e.Title == "" {
		problem(e.Readme(), "title is missing")
	}
	if len(e.Rows) == 0 {
		problem(e.Readme(), "rows is missing: name what passing the exercise covers")
	}
	if len(e.Brokers) == 0 {
		problem(e.Readme(), "brokers is missing")
	}
	if e.Minutes <= 0 {
		problem(e.Readme(), "minutes is missing")
	}
	if len(e.Objectives) == 0 {
		problem(e.Readme(), "objectives is missing")
	}
	for _, id := range e.After {
		if _, ok := c.Exercise(id); !ok {
			problem(e.Readme(), "after names %q, which is no exercise", id)
		} else if id >= e.ID {
			problem(e.Readme(), "after names %q, which comes later", id)
		}
	}
	for _, file := range []string{e.File(), e.Starter(), e.Solution(), e.Folder() + "/exercise_test.go", e.Folder() + "/grader/grader.go"} {
		if _, err := fs.Stat(c.files, file); err != nil {
			problem(file, "the file is missing")
		}
	}
	if _, err := c.ReadHints(e); errors.Is(err, fs.ErrNotExist) {
		problem(e.HintsFile(), "the file is missing")
	} else if err != nil {
		problems = append(problems, Problem{"", err.Error()})
	}
	mistakes, err := c.mistakes(e)
	if err != nil {
		return nil, err
	}
	if len(mistakes) < MinMistakes {
		problem(e.Folder()+"/mistakes", "%d files begin with // want: <finding>; at least %d are needed", len(mistakes), MinMistakes)
	}
	if untouched {
		file, err := fs.ReadFile(c.files, e.File())
		starter, err2 := fs.ReadFile(c.files, e.Starter())
		if err == nil && err2 == nil && lines(file) != lines(starter) {
			problem(e.File(), "it differs from %s, which must be its copy: the report's diffs start there", e.Starter())
		}
	}
	return problems, nil
}

var wantLine = regexp.MustCompile(`^// want: [a-z0-9]+(-[a-z0-9]+)*\n`)

// mistakes returns the files of wrong solutions that name their finding.
func (c *Course) mistakes(e *Exercise) ([]string, error) {
	files, err := fs.Glob(c.files, e.Folder()+"/mistakes/*.go")
	if err != nil {
		return nil, err
	}
	var mistakes []string
	for _, file := range files {
		data, err := fs.ReadFile(c.files, file)
		if err != nil {
			return nil, err
		}
		if wantLine.MatchString(lines(data)) {
			mistakes = append(mistakes, file)
		}
	}
	return mistakes, nil
}

// lines returns a file's text with the line ends of every platform made equal.
func lines(data []byte) string { return strings.ReplaceAll(string(data), "\r\n", "\n") }

var lessonRef = regexp.MustCompile(`week\d\d#[a-z0-9_-]+`)

// linkProblems follows the relative links of every page of the course, and the
// references to lessons (week01#anchor) in graders.
func (c *Course) linkProblems() ([]Problem, error) {
	var pages, graders []string
	err := fs.WalkDir(c.files, "exercises", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case strings.HasSuffix(name, ".md"):
			pages = append(pages, name)
		case path.Base(path.Dir(name)) == "grader" && strings.HasSuffix(name, ".go"):
			graders = append(graders, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(c.files, "README.md"); err == nil {
		pages = append(pages, "README.md")
	}
	var problems []Problem
	for _, page := range pages {
		body, err := c.ReadText(page)
		if err != nil {
			return nil, err
		}
		for _, link := range relativeLinks([]byte(body)) {
			if fault := c.follow(page, link); fault != "" {
				problems = append(problems, Problem{page, fmt.Sprintf("the link to %s is broken: %s", link, fault)})
			}
		}
	}
	for _, grader := range graders {
		data, err := fs.ReadFile(c.files, grader)
		if err != nil {
			return nil, err
		}
		for _, ref := range lessonRef.FindAllString(string(data), -1) {
			week, anchor, _ := strings.Cut(ref, "#")
			if fault := c.follow("exercises/x", week+"/README.md#"+anchor); fault != "" {
				problems = append(problems, Problem{grader, fmt.Sprintf("the reference to %s is broken: %s", ref, fault)})
			}
		}
	}
	return problems, nil
}

// follow says what is wrong with a relative link of a page, or nothing.
func (c *Course) follow(page, link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return "it is not an address"
	}
	target := page
	if u.Path != "" {
		target = path.Join(path.Dir(page), u.Path)
		if strings.HasPrefix(u.Path, "/") || strings.HasPrefix(target, "..") {
			return "it leads out of the course's folder"
		}
	}
	if _, err := fs.Stat(c.files, target); err != nil {
		return "there is no " + target
	}
	if u.Fragment == "" || !strings.HasSuffix(target, ".md") {
		return ""
	}
	anchors, err := c.anchors(target)
	if err != nil {
		return err.Error()
	}
	if !slices.Contains(anchors, u.Fragment) {
		return fmt.Sprintf("%s has no heading #%s", target, u.Fragment)
	}
	return ""
}

func (c *Course) anchors(page string) ([]string, error) {
	body, err := c.ReadText(page)
	if err != nil {
		return nil, err
	}
	return Anchors([]byte(body)), nil
}

// Anchors returns the anchors of a Markdown page's headings as GitHub makes
// them: lower case, spaces to hyphens, punctuation dropped, and -1, -2 ... after
// a heading that came before.
func Anchors(page []byte) []string {
	var anchors []string
	times := map[string]int{}
	walk(page, func(n ast.Node) {
		if n.Kind() != ast.KindHeading {
			return
		}
		anchor := slug(plainText(n, page))
		times[anchor]++
		if n := times[anchor]; n > 1 {
			anchor = fmt.Sprintf("%s-%d", anchor, n-1)
		}
		anchors = append(anchors, anchor)
	})
	return anchors
}

// relativeLinks returns the destinations of a page's links and images that stay
// within the repository.
func relativeLinks(page []byte) []string {
	var links []string
	walk(page, func(n ast.Node) {
		var destination string
		switch n := n.(type) {
		case *ast.Link:
			destination = string(n.Destination)
		case *ast.Image:
			destination = string(n.Destination)
		default:
			return
		}
		if u, err := url.Parse(destination); err == nil && (u.Scheme != "" || u.Host != "") {
			return
		}
		links = append(links, destination)
	})
	return links
}

// walk visits the nodes of a page, read as GitHub does, with tables and footnotes.
func walk(page []byte, visit func(ast.Node)) {
	root := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser().Parse(text.NewReader(page))
	// The visitor returns no error, so Walk returns none.
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			visit(n)
		}
		return ast.WalkContinue, nil
	})
}

// plainText returns what a reader sees of a node: its text without the markup.
func plainText(n ast.Node, page []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		switch child := child.(type) {
		case *ast.Text:
			b.Write(child.Segment.Value(page))
			if child.SoftLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(child.Value)
		default:
			b.WriteString(plainText(child, page))
		}
	}
	return b.String()
}

func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
