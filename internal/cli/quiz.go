package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/internal/quiz"
)

func (a *app) quizVerb() *cobra.Command {
	var again, asJSON bool
	var seed uint64
	cmd := a.verb("quiz [week]", groupLearn)
	cmd.ValidArgsFunction = a.completeWeek
	cmd.Flags().BoolVar(&again, "again", false, flagAgain)
	cmd.Flags().Uint64Var(&seed, "seed", 0, flagSeed)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		w, err := a.quizWeek(p, args)
		if err != nil {
			return err
		}
		q, err := a.course.ReadQuiz(w)
		if err != nil {
			return broken(err, textFixCourse)
		}
		if again && asJSON {
			return usage("", textAgainAndJSON)
		}
		if asJSON {
			return a.quizJSON(q, p.Quizzes[w.ID()])
		}
		if !cmd.Flags().Changed("seed") {
			seed = rand.Uint64N(1 << 32) // short enough to type
		}
		p, err = a.store.Update(func(p *course.Progress) error {
			if again {
				delete(p.Quizzes, w.ID())
			}
			state := p.Quiz(w.ID(), seed)
			if cmd.Flags().Changed("seed") {
				state.Seed = seed
			}
			return nil
		})
		if err != nil {
			return err
		}
		session := &quizSession{app: a, week: w, quiz: q, state: p.Quizzes[w.ID()], lines: a.lines(cmd.Context())}
		return session.run(cmd.Context())
	}
	return cmd
}

// quizWeek returns the week that the argument names, or the learner's: that of
// the current exercise, or the last that has a quiz.
func (a *app) quizWeek(p *course.Progress, args []string) (*course.Week, error) {
	if len(args) == 0 {
		if e := a.course.Current(p); e != nil {
			if w, _ := a.course.Week(e.Week); w.HasQuiz {
				return w, nil
			}
		}
		for _, w := range slices.Backward(a.course.Weeks) {
			if w.HasQuiz {
				return w, nil
			}
		}
		return nil, broken(errors.New(textNoQuiz), textFixCourse)
	}
	w, ok := a.course.ParseWeek(a.fromRoot(args[0]))
	if !ok {
		return nil, usage(textFixWeekName, textNoSuchWeek, args[0])
	}
	if !w.HasQuiz {
		return nil, usage(a.text(textFixWeek), textWeekWithoutQuiz, w.Number)
	}
	return w, nil
}

// lines returns the lines of the input; the channel is closed at its end. The
// reader stays behind when ctx ends, waiting for a line that nobody wants: a
// read from a terminal cannot be called off.
func (a *app) lines(ctx context.Context) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(a.Stdin)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// quizSession asks the questions that are not answered yet.
type quizSession struct {
	*app
	week  *course.Week
	quiz  *quiz.Quiz
	state *course.QuizState
	lines <-chan string
}

// errStopped means that the learner goes on later.
var errStopped = errors.New("stopped")

func (s *quizSession) run(ctx context.Context) error {
	s.printf("%s\n", styleTitle.Render(fmt.Sprintf(textQuizTitle, s.week.Number, s.quiz.Title)))
	score, _ := s.quiz.Score(s.state.Results())
	if score.Answered > 0 && !score.Complete() {
		s.printf(textQuizResumed+"\n", score.Answered, score.Questions)
	}
	if !score.Complete() {
		s.printf("%s\n", textQuizKeys)
	}
	for i, question := range s.quiz.Questions {
		if _, answered := s.state.Answers[question.ID]; answered {
			continue
		}
		err := s.ask(ctx, i, question)
		if errors.Is(err, errStopped) || errors.Is(err, io.EOF) {
			s.printf("%s\n", s.text(fmt.Sprintf(textQuizStopped, s.week.Number)))
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.score()
	return nil
}

// ask puts one question until it is answered, saves the answer and explains
// every choice.
func (s *quizSession) ask(ctx context.Context, i int, question quiz.Question) error {
	text, err := s.markdown(question.Text)
	if err != nil {
		return err
	}
	order := question.Order(s.state.Seed)
	s.printf("\n%s\n\n%s\n", styleTitle.Render(fmt.Sprintf(textQuestion, i+1, len(s.quiz.Questions))), indent(text, "  "))
	for n, choice := range order {
		s.printf("%s", s.choice(letter(n)+")", question.Choices[choice].Text))
	}
	prompt := textAnswerOne
	if n := len(question.Right()); n > 1 {
		prompt = fmt.Sprintf(textAnswerMany, n)
	}
	var picked []int
	for picked == nil {
		line, err := s.line(ctx, prompt)
		if err != nil {
			return err
		}
		switch strings.TrimSpace(strings.ToLower(line)) {
		case "q", "quit":
			return errStopped
		}
		if picked, err = question.Letters(line, order); err != nil {
			s.printf("%s\n", styleNote.Render(err.Error()))
		}
	}
	answer := course.Answer{At: time.Now().UTC().Truncate(time.Second), Correct: question.Correct(picked)}
	for _, choice := range picked {
		answer.Choices = append(answer.Choices, choice+1)
	}
	p, err := s.store.Update(func(p *course.Progress) error {
		p.Quiz(s.week.ID(), s.state.Seed).Answers[question.ID] = answer
		return nil
	})
	if err != nil {
		return err
	}
	s.state = p.Quizzes[s.week.ID()]
	s.explain(question, order, picked)
	return nil
}

// line asks for a line. Where nobody sees what they type, the prompt has a line
// of its own.
func (s *quizSession) line(ctx context.Context, prompt string) (string, error) {
	if _, tty := terminal(s.Stdin); tty {
		s.printf("\n%s ", prompt)
	} else {
		s.printf("\n%s\n", prompt)
	}
	select {
	case <-ctx.Done():
		s.printf("\n")
		return "", exitCode(ExitInterrupted)
	case line, ok := <-s.lines:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	}
}

func letter(n int) string { return string(rune('a' + n)) }

// explain shows the right answer and why each choice is right or wrong.
func (s *quizSession) explain(question quiz.Question, order, picked []int) {
	if question.Correct(picked) {
		s.printf("\n%s\n", styleGood.Render(textCorrect))
	} else {
		s.printf("\n%s\n", styleBad.Render(textIncorrect))
	}
	for n, choice := range order {
		c := question.Choices[choice]
		mark := styleBad.Render(markWrong)
		if c.Correct {
			mark = styleGood.Render(markPassed)
		}
		s.printf("%s", s.choice(mark+" "+letter(n)+")", c.Explanation))
	}
	s.printf("%s\n", styleFaint.Render(indent(fmt.Sprintf(textSource, question.Source.Title, question.Source.URL, question.Source.Checked), "  ")))
}

// choice lays out a lettered text with the lines after the first under it.
func (s *quizSession) choice(label, content string) string {
	text, err := s.markdown(content)
	if err != nil {
		text = content + "\n"
	}
	first, rest, _ := strings.Cut(text, "\n")
	margin := "     "
	if strings.Contains(label, " ") {
		margin = "       "
	}
	out := "  " + label + " " + first + "\n"
	return out + indent(rest, margin)
}

// score shows the result, by curriculum row.
func (s *quizSession) score() {
	total, rows := s.quiz.Score(s.state.Results())
	s.printf("\n%s\n", styleTitle.Render(fmt.Sprintf(textScore, total.Correct, total.Questions)))
	texts := map[string]string{}
	for _, row := range course.Rows() {
		texts[row.ID] = row.Text
	}
	var table [][]string
	for _, row := range rows {
		table = append(table, []string{row.Row, fmt.Sprintf("%d/%d", row.Correct, row.Questions), texts[row.Row]})
	}
	s.printf("%s", columns("  ", table))
	s.printf("  %s\n", styleFaint.Render(textSeveralRows))
	s.printf("\n%s\n", s.text(fmt.Sprintf(textQuizAgain, s.week.Number)))
}

// quizJSON shows a quiz to a script: all questions; of those that are answered
// also what is right and why.
func (a *app) quizJSON(q *quiz.Quiz, state *course.QuizState) error {
	type choice struct {
		Number      int    `json:"number"` // in the quiz file, from 1
		Text        string `json:"text"`
		Correct     *bool  `json:"correct,omitempty"`
		Explanation string `json:"explanation,omitempty"`
	}
	type question struct {
		ID         string         `json:"id"`
		Rows       []string       `json:"rows"`
		Objectives []string       `json:"objectives,omitempty"`
		Text       string         `json:"text"`
		Pick       int            `json:"pick"` // how many choices are right
		Choices    []choice       `json:"choices"`
		Source     quiz.Source    `json:"source"`
		Answer     *course.Answer `json:"answer,omitempty"`
	}
	out := struct {
		Week      int             `json:"week"`
		Title     string          `json:"title"`
		Score     quiz.Score      `json:"score"`
		Rows      []quiz.RowScore `json:"rows"`
		Questions []question      `json:"questions"`
	}{Week: q.Week, Title: q.Title}
	out.Score, out.Rows = q.Score(state.Results())
	answers := map[string]course.Answer{}
	if state != nil {
		answers = maps.Clone(state.Answers)
	}
	for _, asked := range q.Questions {
		shown := question{ID: asked.ID, Rows: asked.Rows, Objectives: asked.Objectives, Text: asked.Text, Pick: len(asked.Right()), Source: asked.Source}
		answer, answered := answers[asked.ID]
		if answered {
			shown.Answer = &answer
		}
		for i, c := range asked.Choices {
			line := choice{Number: i + 1, Text: c.Text}
			if answered {
				line.Correct, line.Explanation = &c.Correct, c.Explanation
			}
			shown.Choices = append(shown.Choices, line)
		}
		out.Questions = append(out.Questions, shown)
	}
	return a.json(out)
}
