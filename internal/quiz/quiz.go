// Package quiz holds the questions of a week: reads them from
// exercises/weekNN/quiz.yaml, puts their choices in an order that a seed
// decides, marks an answer and adds up a score for each curriculum row.
//
// A quiz file looks like this; every key is required unless said otherwise:
//
//	week: 1
//	title: Fundamental concepts
//	questions:
//	  - id: pubsub-late-subscriber            # kebab-case, unique in the file
//	    rows: [W1.C2]                         # curriculum rows it checks
//	    objectives: [name what each pattern loses] # optional
//	    text: |                               # Markdown
//	      A subscriber connects one second after a message was published. What does it get?
//	    choices:                              # 2 to 8
//	      - text: Nothing.
//	        correct: true                     # left out means wrong; two or more make a multiple choice
//	        explanation: Pub/Sub keeps no message for those who are not there.
//	      - text: The message, at once.
//	        explanation: That would need a log or a queue.
//	    source:
//	      title: "Redis documentation: Pub/Sub"
//	      url: https://redis.io/docs/latest/develop/pubsub/
//	      checked: 2026-12-01                 # the day somebody last compared the two
//
// An unknown key is an error, so that a misspelt one is not silently ignored.
package quiz

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Quiz is the questions of one week, in the order they teach.
type Quiz struct {
	Week      int        `yaml:"week" json:"week"`
	Title     string     `yaml:"title" json:"title"`
	Questions []Question `yaml:"questions" json:"questions"`
}

// Question is one question with its choices in the file's order.
type Question struct {
	ID         string   `yaml:"id" json:"id"`
	Rows       []string `yaml:"rows" json:"rows"`
	Objectives []string `yaml:"objectives" json:"objectives,omitempty"`
	Text       string   `yaml:"text" json:"text"`
	Choices    []Choice `yaml:"choices" json:"choices"`
	Source     Source   `yaml:"source" json:"source"`
}

// Choice is one answer that can be picked, with the reason why it is right or
// wrong.
type Choice struct {
	Text        string `yaml:"text" json:"text"`
	Correct     bool   `yaml:"correct" json:"correct"`
	Explanation string `yaml:"explanation" json:"explanation"`
}

// Source says where a question's facts can be read, and on which day
// (YYYY-MM-DD) they were last compared with it.
type Source struct {
	Title   string `yaml:"title" json:"title"`
	URL     string `yaml:"url" json:"url"`
	Checked string `yaml:"checked" json:"checked"`
}

// MaxChoices keeps a question readable and its choices lettered a to h.
const MaxChoices = 8

// Parse reads a quiz. name is the file's name as errors should show it. Syntax
// errors carry the line and the column; all other faults are reported at once,
// joined, each naming its question.
func Parse(name string, data []byte) (*Quiz, error) {
	var q Quiz
	if err := yaml.UnmarshalWithOptions(data, &q, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(name+": "+format, args...))
	}
	if q.Week < 1 {
		fault("week is missing")
	}
	if q.Title == "" {
		fault("title is missing")
	}
	if len(q.Questions) == 0 {
		fault("there are no questions")
	}
	seen := map[string]bool{}
	for i, question := range q.Questions {
		label := fmt.Sprintf("question %q", question.ID)
		if question.ID == "" {
			label = fmt.Sprintf("question number %d", i+1)
		}
		for _, f := range question.faults() {
			fault("%s: %s", label, f)
		}
		if question.ID != "" && seen[question.ID] {
			fault("%s: another question has this id", label)
		}
		seen[question.ID] = true
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &q, nil
}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// faults says everything that is wrong with the question.
func (q Question) faults() []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !kebab.MatchString(q.ID) {
		fault("the id must be kebab-case, like pubsub-late-subscriber")
	}
	if strings.TrimSpace(q.Text) == "" {
		fault("text is missing")
	}
	if len(q.Rows) == 0 {
		fault("rows is missing: name the curriculum rows it checks")
	}
	if n := len(q.Choices); n < 2 || n > MaxChoices {
		fault("it has %d choices: 2 to %d are needed", n, MaxChoices)
	}
	texts := map[string]bool{}
	for i, c := range q.Choices {
		if strings.TrimSpace(c.Text) == "" {
			fault("choice %d has no text", i+1)
		} else if texts[c.Text] {
			fault("choice %d says the same as another one", i+1)
		}
		texts[c.Text] = true
		if strings.TrimSpace(c.Explanation) == "" {
			fault("choice %d has no explanation", i+1)
		}
	}
	switch right := q.Right(); {
	case len(right) == 0:
		fault("no choice is marked correct: true")
	case len(right) == len(q.Choices):
		fault("every choice is marked correct: at least one must be wrong")
	}
	if q.Source.Title == "" {
		fault("source.title is missing")
	}
	if u, err := url.Parse(q.Source.URL); err != nil || u.Scheme != "https" || u.Host == "" {
		fault("source.url %q is not an https address", q.Source.URL)
	}
	if _, err := time.Parse(time.DateOnly, q.Source.Checked); err != nil {
		fault("source.checked %q is not a date like 2026-12-01", q.Source.Checked)
	}
	return faults
}

// Find returns the question with the id.
func (q *Quiz) Find(id string) (Question, bool) {
	i := slices.IndexFunc(q.Questions, func(question Question) bool { return question.ID == id })
	if i < 0 {
		return Question{}, false
	}
	return q.Questions[i], true
}

// Rows returns the curriculum rows that the questions check, each once, sorted.
func (q *Quiz) Rows() []string {
	var rows []string
	for _, question := range q.Questions {
		rows = append(rows, question.Rows...)
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// Right returns the positions of the correct choices in the file's order.
func (q Question) Right() []int {
	var right []int
	for i, c := range q.Choices {
		if c.Correct {
			right = append(right, i)
		}
	}
	return right
}

// Multiple reports whether more than one choice is correct.
func (q Question) Multiple() bool { return len(q.Right()) > 1 }

// Order returns the order in which to show the choices: Order(seed)[0] is the
// position in the file of the choice shown first. The same seed gives the same
// order; it does not depend on the other questions, so that a quiz that gained
// a question can be resumed.
func (q Question) Order(seed uint64) []int {
	h := fnv.New64a()
	h.Write([]byte(q.ID))
	return rand.New(rand.NewPCG(seed, h.Sum64())).Perm(len(q.Choices))
}

// Letters reads an answer such as "b", "AC" or "a, c" against an order and
// returns the positions of the picked choices in the file's order, sorted.
// Its errors are written for the learner.
func (q Question) Letters(answer string, order []int) ([]int, error) {
	last := 'a' + rune(len(order)) - 1
	var picked []int
	for _, r := range strings.ToLower(answer) {
		switch {
		case r == ' ' || r == ',' || r == '\t':
		case r >= 'a' && r <= last:
			picked = append(picked, order[r-'a'])
		default:
			return nil, fmt.Errorf("%q is not one of the letters a to %c", r, last)
		}
	}
	slices.Sort(picked)
	picked = slices.Compact(picked)
	want := len(q.Right())
	switch {
	case len(picked) == 0:
		return nil, fmt.Errorf("pick a letter from a to %c", last)
	case want == 1 && len(picked) > 1:
		return nil, errors.New("this question has one answer: pick one letter")
	case len(picked) != want:
		return nil, fmt.Errorf("this question has %d answers: you picked %d", want, len(picked))
	}
	return picked, nil
}

// Correct reports whether the picked positions (in the file's order) are
// exactly the correct ones.
func (q Question) Correct(picked []int) bool {
	sorted := slices.Compact(slices.Sorted(slices.Values(picked)))
	return slices.Equal(sorted, q.Right())
}

// Score is how many questions were answered and how many of those correctly.
type Score struct {
	Correct   int `json:"correct"`
	Answered  int `json:"answered"`
	Questions int `json:"questions"`
}

// Complete reports whether every question was answered.
func (s Score) Complete() bool { return s.Answered == s.Questions }

// RowScore is the score of the questions that check one curriculum row.
type RowScore struct {
	Row string `json:"row"`
	Score
}

// Score adds up the answers: answers maps a question's id to whether it was
// answered correctly. Answers to questions that no longer exist do not count.
// The rows are sorted.
func (q *Quiz) Score(answers map[string]bool) (total Score, rows []RowScore) {
	byRow := map[string]*RowScore{}
	for _, row := range q.Rows() {
		rows = append(rows, RowScore{Row: row})
	}
	for i := range rows {
		byRow[rows[i].Row] = &rows[i]
	}
	for _, question := range q.Questions {
		correct, answered := answers[question.ID]
		total.add(answered, correct)
		for _, row := range slices.Compact(slices.Sorted(slices.Values(question.Rows))) {
			byRow[row].add(answered, correct)
		}
	}
	return total, rows
}

func (s *Score) add(answered, correct bool) {
	s.Questions++
	if answered {
		s.Answered++
	}
	if correct {
		s.Correct++
	}
}
