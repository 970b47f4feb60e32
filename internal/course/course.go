// Package course is the catalogue of the course and the learner's progress in
// it. The catalogue is read from the front matter under exercises/ and from the
// curriculum's rows; nothing is listed twice.
//
// A lesson, exercises/week01/README.md, begins with
//
//	---
//	week: 1
//	title: Fundamental concepts
//	rows:                       # theory rows, and the section that covers each
//	  W1.T1: "#why-a-broker"
//	objectives:
//	  - Say what a broker changes.
//	---
//
// and an exercise, exercises/week01/03-request-reply/README.md, with
//
//	---
//	id: week01/03-request-reply # its folder
//	title: Request and reply
//	rows: [W1.T4]               # curriculum rows that passing it covers
//	brokers: [sqs]
//	minutes: 40
//	after: [week01/02-point-to-point]
//	objectives:
//	  - Match replies to requests.
//	---
package course

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/brokerdojo/brokerdojo/internal/quiz"
)

// Course is everything there is to do, in order.
type Course struct {
	Weeks     []*Week     // all 14, whether published or not
	Exercises []*Exercise // of all weeks, in the order to do them
	files     fs.FS
}

// Week is one of the 14. A week without a lesson is still to come.
type Week struct {
	Number     int
	Level      int
	Title      string
	Rows       map[string]string // curriculum row -> anchor of the lesson's section, like #why-a-broker
	Objectives []string
	Exercises  []*Exercise
	Published  bool // it has a lesson
	HasQuiz    bool
}

// Exercise is one folder that a learner works in.
type Exercise struct {
	ID         string // like week01/03-request-reply
	Week       int
	Title      string
	Rows       []string
	Brokers    []string
	Minutes    int
	After      []string // ids of exercises to do before
	Objectives []string
}

// Folder returns the week's folder under the root, with slashes.
func (w *Week) Folder() string { return "exercises/" + w.ID() }

// ID returns the week's name, like week01.
func (w *Week) ID() string { return fmt.Sprintf("week%02d", w.Number) }

// Lesson returns the path of the lesson under the root, with slashes.
func (w *Week) Lesson() string { return w.Folder() + "/README.md" }

// Quiz returns the path of the questions under the root, with slashes.
func (w *Week) Quiz() string { return w.Folder() + "/quiz.yaml" }

// Folder returns the exercise's folder under the root, with slashes.
func (e *Exercise) Folder() string { return "exercises/" + e.ID }

// File returns the path of the only file that a learner edits.
func (e *Exercise) File() string { return e.Folder() + "/exercise.go" }

// Starter returns the path of the untouched copy of File.
func (e *Exercise) Starter() string { return e.Folder() + "/starter/starter.go" }

// Solution returns the path of the reference solution.
func (e *Exercise) Solution() string { return e.Folder() + "/solution/solution.go" }

// HintsFile returns the path of the hints.
func (e *Exercise) HintsFile() string { return e.Folder() + "/hints.md" }

// Readme returns the path of the exercise's text.
func (e *Exercise) Readme() string { return e.Folder() + "/README.md" }

// WeekID returns the name of the exercise's week, like week01.
func (e *Exercise) WeekID() string { return path.Dir(e.ID) }

// Name returns the last part of the id, like 03-request-reply.
func (e *Exercise) Name() string { return path.Base(e.ID) }

// ErrNoRoot means that a directory is not inside a copy of the course.
var ErrNoRoot = errors.New("not inside the course's folder")

// FindRoot returns the nearest directory at or above dir that holds the course:
// one with a go.mod and an exercises folder. (infra/ has a go.mod of its own.)
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		mod, modErr := os.Stat(filepath.Join(d, "go.mod"))
		exercises, exErr := os.Stat(filepath.Join(d, "exercises"))
		if modErr == nil && exErr == nil && mod.Mode().IsRegular() && exercises.IsDir() {
			return d, nil
		}
		if filepath.Dir(d) == d {
			return "", fmt.Errorf("%s is %w", dir, ErrNoRoot)
		}
	}
}

var exerciseFolder = regexp.MustCompile(`^\d\d-[a-z0-9]+(-[a-z0-9]+)*$`)

// Load reads the catalogue of the course whose root is files. An error names
// the file and, for a syntax error, its line.
func Load(files fs.FS) (*Course, error) {
	c := &Course{Weeks: plannedWeeks(), files: files}
	for _, w := range c.Weeks {
		if err := c.loadWeek(w); err != nil {
			return nil, err
		}
		c.Exercises = append(c.Exercises, w.Exercises...)
	}
	return c, nil
}

func (c *Course) loadWeek(w *Week) error {
	entries, err := fs.ReadDir(c.files, w.Folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch {
		case entry.Name() == "README.md":
			if err := c.loadLesson(w); err != nil {
				return err
			}
		case entry.Name() == "quiz.yaml":
			w.HasQuiz = true
		case entry.IsDir() && exerciseFolder.MatchString(entry.Name()):
			e, err := c.loadExercise(w, entry.Name())
			if err != nil {
				return err
			}
			w.Exercises = append(w.Exercises, e)
		}
	}
	slices.SortFunc(w.Exercises, func(a, b *Exercise) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

func (c *Course) loadLesson(w *Week) error {
	var front struct {
		Week       int               `yaml:"week"`
		Title      string            `yaml:"title"`
		Rows       map[string]string `yaml:"rows"`
		Objectives []string          `yaml:"objectives"`
	}
	if err := c.readFront(w.Lesson(), &front); err != nil {
		return err
	}
	if front.Week != w.Number {
		return fmt.Errorf("%s: week is %d, but the folder says %d", w.Lesson(), front.Week, w.Number)
	}
	if front.Title != "" {
		w.Title = front.Title
	}
	w.Rows, w.Objectives, w.Published = front.Rows, front.Objectives, true
	return nil
}

func (c *Course) loadExercise(w *Week, name string) (*Exercise, error) {
	e := &Exercise{ID: w.ID() + "/" + name, Week: w.Number}
	var front struct {
		ID         string   `yaml:"id"`
		Title      string   `yaml:"title"`
		Rows       []string `yaml:"rows"`
		Brokers    []string `yaml:"brokers"`
		Minutes    int      `yaml:"minutes"`
		After      []string `yaml:"after"`
		Objectives []string `yaml:"objectives"`
	}
	err := c.readFront(e.Readme(), &front)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: the exercise has no README.md: %w", e.Folder(), err)
	}
	if err != nil {
		return nil, err
	}
	if front.ID != e.ID {
		return nil, fmt.Errorf("%s: id is %q, but the folder says %q", e.Readme(), front.ID, e.ID)
	}
	e.Title, e.Rows, e.Brokers, e.Minutes = front.Title, front.Rows, front.Brokers, front.Minutes
	e.After, e.Objectives = front.After, front.Objectives
	return e, nil
}

// readFront decodes the front matter of a Markdown file. An unknown key is an
// error, so that a misspelt one is not silently ignored.
func (c *Course) readFront(name string, into any) error {
	data, err := fs.ReadFile(c.files, name)
	if err != nil {
		return err
	}
	front, _, ok := SplitFrontMatter(data)
	if !ok {
		return fmt.Errorf("%s: the file must begin with front matter between two lines of ---", name)
	}
	// The line of the first --- stays as an empty one, so that the lines of
	// errors are those of the file.
	if err := yaml.UnmarshalWithOptions(append([]byte("\n"), front...), into, yaml.Strict()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// SplitFrontMatter parts a Markdown file's YAML front matter from its body. ok
// is false when there is none; body is then the whole file.
func SplitFrontMatter(data []byte) (front, body []byte, ok bool) {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return nil, []byte(text), false
	}
	before, after, ok := strings.Cut("\n"+rest, "\n---\n")
	if !ok {
		return nil, []byte(text), false
	}
	return []byte(strings.TrimPrefix(before, "\n") + "\n"), []byte(after), true
}

// Week returns the week with the number.
func (c *Course) Week(number int) (*Week, bool) {
	if number < 1 || number > len(c.Weeks) {
		return nil, false
	}
	return c.Weeks[number-1], true
}

// Exercise returns the exercise with exactly this id.
func (c *Course) Exercise(id string) (*Exercise, bool) {
	i := slices.IndexFunc(c.Exercises, func(e *Exercise) bool { return e.ID == id })
	if i < 0 {
		return nil, false
	}
	return c.Exercises[i], true
}

// ReadQuiz reads the week's questions.
func (c *Course) ReadQuiz(w *Week) (*quiz.Quiz, error) {
	data, err := fs.ReadFile(c.files, w.Quiz())
	if err != nil {
		return nil, err
	}
	q, err := quiz.Parse(w.Quiz(), data)
	if err != nil {
		return nil, err
	}
	if q.Week != w.Number {
		return nil, fmt.Errorf("%s: week is %d, but the folder says %d", w.Quiz(), q.Week, w.Number)
	}
	return q, nil
}

// ReadText returns the body of a Markdown file of the course, without its front
// matter.
func (c *Course) ReadText(name string) (string, error) {
	data, err := fs.ReadFile(c.files, name)
	if err != nil {
		return "", err
	}
	_, body, _ := SplitFrontMatter(data)
	return strings.TrimLeft(string(body), "\n"), nil
}

var hintHeading = regexp.MustCompile(`(?m)^## Hint (\d+)[^\n]*$`)

// ReadHints returns the exercise's hints in order, as Markdown without the
// headings (## Hint 1, ## Hint 2 ...) that part them.
func (c *Course) ReadHints(e *Exercise) ([]string, error) {
	text, err := c.ReadText(e.HintsFile())
	if err != nil {
		return nil, err
	}
	headings := hintHeading.FindAllStringSubmatchIndex(text, -1)
	var hints []string
	for i, h := range headings {
		if n := text[h[2]:h[3]]; n != fmt.Sprint(i+1) {
			return nil, fmt.Errorf("%s: heading %d is called Hint %s", e.HintsFile(), i+1, n)
		}
		end := len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		hints = append(hints, strings.TrimSpace(text[h[1]:end]))
	}
	if len(hints) == 0 {
		return nil, fmt.Errorf("%s: there is no heading like ## Hint 1", e.HintsFile())
	}
	return hints, nil
}
