package quiz_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/quiz"
)

const good = `week: 1
title: Fundamental concepts
questions:
  - id: one-answer
    rows: [W1.C2]
    text: Which?
    choices:
      - text: This.
        correct: true
        explanation: It is.
      - text: That.
        explanation: It is not.
      - text: Neither.
        explanation: One is.
    source: {title: A page, url: "https://example.test/a", checked: 2026-12-01}
  - id: two-answers
    rows: [W1.C1, W1.C2]
    objectives: [tell them apart]
    text: Which two?
    choices:
      - {text: A, correct: true, explanation: yes}
      - {text: B, explanation: "no"}
      - {text: C, correct: true, explanation: yes}
    source: {title: A page, url: "https://example.test/b", checked: 2026-12-01}
`

func parse(t *testing.T) *quiz.Quiz {
	t.Helper()
	q, err := quiz.Parse("quiz.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestParse(t *testing.T) {
	q := parse(t)
	if q.Week != 1 || len(q.Questions) != 2 || !slices.Equal(q.Rows(), []string{"W1.C1", "W1.C2"}) {
		t.Errorf("parsed %+v", q)
	}
	one, two := q.Questions[0], q.Questions[1]
	if one.Multiple() || !two.Multiple() || !slices.Equal(two.Right(), []int{0, 2}) {
		t.Errorf("one answer: %v, two answers: %v", one.Right(), two.Right())
	}
	if one.Source != (quiz.Source{Title: "A page", URL: "https://example.test/a", Checked: "2026-12-01"}) {
		t.Errorf("the source is %+v", one.Source)
	}
	if found, ok := q.Find("two-answers"); !ok || !reflect.DeepEqual(found, two) {
		t.Errorf("Find returns %+v, %v", found, ok)
	}
	if _, ok := q.Find("three-answers"); ok {
		t.Error("a question was found that is not there")
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"an unknown key, with its line", "rows: [W1.C2]\n", "row: [W1.C2]\n", "[5:5]"},
		{"a missing week", "week: 1\n", "", "week is missing"},
		{"a missing title", "title: Fundamental concepts\n", "", "title is missing"},
		{"a repeated id", "two-answers", "one-answer", `question "one-answer": another question has this id`},
		{"a missing id", "- id: one-answer\n    rows", "- rows", "question number 1: the id must be kebab-case"},
		{"an id with capitals", "one-answer", "OneAnswer", "the id must be kebab-case"},
		{"a missing text", "text: Which two?", "text: ' '", "text is missing"},
		{"no rows", "rows: [W1.C2]", "rows: []", "rows is missing"},
		{"a choice without explanation", "explanation: One is.", "explanation: ''", `question "one-answer": choice 3 has no explanation`},
		{"a choice without text", "text: Neither.", "text: ''", "choice 3 has no text"},
		{"two equal choices", "text: Neither.", "text: That.", "choice 3 says the same as another one"},
		{"no correct choice", "        correct: true\n", "", "no choice is marked correct"},
		{"nothing but correct choices", "{text: B, ", "{text: B, correct: true, ", "every choice is marked correct"},
		{"a single choice", "      - {text: B, explanation: \"no\"}\n      - {text: C, correct: true, explanation: yes}\n", "", "it has 1 choices: 2 to 8 are needed"},
		{"a source that is no address", "https://example.test/a", "example", `source.url "example" is not an https address`},
		{"a source without a title", "{title: A page, url: \"https://example.test/a\"", "{url: \"https://example.test/a\"", "source.title is missing"},
		{"a date that is none", "checked: 2026-12-01}\n  - id", "checked: 1 December}\n  - id", `source.checked "1 December" is not a date`},
		{"a file without questions", good[strings.Index(good, "questions:"):], "", "there are no questions"},
		{"text that is not YAML", "week: 1", "week: [1", "quiz.yaml: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("the good quiz has no %q", tt.old)
			}
			_, err := quiz.Parse("quiz.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "quiz.yaml: ") {
				t.Errorf("the error is %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("several faults at once", func(t *testing.T) {
		bad := strings.NewReplacer("title: Fundamental concepts\n", "", "explanation: One is.", "explanation: ''").Replace(good)
		_, err := quiz.Parse("quiz.yaml", []byte(bad))
		if err == nil || !strings.Contains(err.Error(), "title is missing") || !strings.Contains(err.Error(), "choice 3") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestOrder(t *testing.T) {
	q := parse(t)
	orders := map[string]bool{}
	for seed := range uint64(50) {
		order := q.Questions[0].Order(seed)
		if !slices.Equal(order, q.Questions[0].Order(seed)) {
			t.Fatalf("seed %d gives two orders", seed)
		}
		if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, []int{0, 1, 2}) {
			t.Fatalf("order %v is no permutation", order)
		}
		orders[string([]byte{byte(order[0]), byte(order[1]), byte(order[2])})] = true
	}
	if len(orders) != 6 {
		t.Errorf("50 seeds gave %d of 6 orders", len(orders))
	}
}

func TestLetters(t *testing.T) {
	q := parse(t)
	one, two := q.Questions[0], q.Questions[1]
	order := []int{2, 0, 1} // a is the file's third choice
	for _, tt := range []struct {
		name     string
		question quiz.Question
		answer   string
		picked   []int
		fault    string
		correct  bool
	}{
		{"a letter", one, "b", []int{0}, "", true},
		{"a wrong letter", one, "a", []int{2}, "", false},
		{"a capital with spaces", one, "  C ", []int{1}, "", false},
		{"two letters together", two, "ab", []int{0, 2}, "", true},
		{"two letters apart", two, "B, A", []int{0, 2}, "", true},
		{"a letter twice counts once", two, "aa", nil, "this question has 2 answers: you picked 1", false},
		{"two letters for one answer", one, "ab", nil, "this question has one answer", false},
		{"three letters for two answers", two, "abc", nil, "you picked 3", false},
		{"a letter beyond the last", one, "d", nil, "'d' is not one of the letters a to c", false},
		{"nothing", one, " ", nil, "pick a letter from a to c", false},
		{"a word", one, "what", nil, "'w' is not one of the letters", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			picked, err := tt.question.Letters(tt.answer, order)
			if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Fatalf("the error is %v, want %q", err, tt.fault)
			}
			if !slices.Equal(picked, tt.picked) || tt.question.Correct(picked) != tt.correct {
				t.Errorf("picked %v, correct %v", picked, tt.question.Correct(picked))
			}
		})
	}
}

func TestScore(t *testing.T) {
	q := parse(t)
	total, rows := q.Score(map[string]bool{"one-answer": false, "two-answers": true, "deleted-since": true})
	if total != (quiz.Score{Correct: 1, Answered: 2, Questions: 2}) || !total.Complete() {
		t.Errorf("the total is %+v", total)
	}
	want := []quiz.RowScore{
		{Row: "W1.C1", Score: quiz.Score{Correct: 1, Answered: 1, Questions: 1}},
		{Row: "W1.C2", Score: quiz.Score{Correct: 1, Answered: 2, Questions: 2}},
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %+v, want %+v", rows, want)
	}
	if total, _ := q.Score(nil); total.Answered != 0 || total.Complete() {
		t.Errorf("before any answer the total is %+v", total)
	}
}
