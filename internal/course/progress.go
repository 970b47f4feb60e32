package course

import (
	"slices"
	"time"
)

// ProgressVersion is the version of the progress file that this program reads
// and writes. Every change of the format raises it.
const ProgressVersion = 1

// Progress is what a learner has done: the contents of
// .brokerdojo/progress.json, in a folder that git ignores. All times are UTC.
//
//	{
//	  "version": 1,
//	  "current": "week01/02-point-to-point",
//	  "exercises": {
//	    "week01/01-hello-pubsub": {
//	      "attempts": [
//	        {"at": "2026-12-01T09:30:00Z", "verdict": "wrong", "findings": ["lost-before-subscribed"], "seconds": 1.2},
//	        {"at": "2026-12-01T09:41:00Z", "verdict": "passed", "seconds": 1.1}
//	      ],
//	      "passed": "2026-12-01T09:41:00Z",
//	      "hints": 1,
//	      "solution_shown": "2026-12-01T09:45:00Z",
//	      "resets": ["2026-12-01T09:20:00Z"]
//	    }
//	  },
//	  "quizzes": {
//	    "week01": {
//	      "seed": 4711,
//	      "answers": {
//	        "pubsub-late-subscriber": {"at": "2026-12-01T10:00:00Z", "choices": [2], "correct": true}
//	      }
//	    }
//	  }
//	}
type Progress struct {
	Version   int                       `json:"version"`
	Current   string                    `json:"current,omitempty"` // id of the exercise that verbs without a name act on
	Exercises map[string]*ExerciseState `json:"exercises"`         // by id
	Quizzes   map[string]*QuizState     `json:"quizzes"`           // by week, like week01
}

// ExerciseState is what was done in one exercise.
type ExerciseState struct {
	Attempts      []Attempt   `json:"attempts,omitempty"`       // oldest first
	Passed        *time.Time  `json:"passed,omitempty"`         // the first pass
	Hints         int         `json:"hints,omitempty"`          // how many hints were shown
	SolutionShown *time.Time  `json:"solution_shown,omitempty"` // the first time
	Resets        []time.Time `json:"resets,omitempty"`
}

// Attempt is one check; those that pass once more are not counted.
type Attempt struct {
	At       time.Time `json:"at"`
	Verdict  string    `json:"verdict"`            // the kind of the grader's verdict, like wrong
	Findings []string  `json:"findings,omitempty"` // the names of what was found
	Seconds  float64   `json:"seconds"`            // how long the check took
}

// QuizState is how far one quiz is.
type QuizState struct {
	Seed    uint64            `json:"seed"`    // decides the order of the choices
	Answers map[string]Answer `json:"answers"` // by the question's id
}

// Answer is the answer to one question.
type Answer struct {
	At      time.Time `json:"at"`
	Choices []int     `json:"choices"` // positions in the quiz file, from 1
	Correct bool      `json:"correct"`
}

func newProgress() *Progress {
	return &Progress{
		Version:   ProgressVersion,
		Exercises: map[string]*ExerciseState{},
		Quizzes:   map[string]*QuizState{},
	}
}

// Exercise returns the state of the exercise, which is empty, and not nil,
// before anything was done.
func (p *Progress) Exercise(id string) *ExerciseState {
	if p.Exercises[id] == nil {
		p.Exercises[id] = &ExerciseState{}
	}
	return p.Exercises[id]
}

// Passed reports whether the exercise was ever passed.
func (p *Progress) Passed(id string) bool {
	state := p.Exercises[id]
	return state != nil && state.Passed != nil
}

// Quiz returns the state of a week's quiz; seed is what a new one starts with.
func (p *Progress) Quiz(week string, seed uint64) *QuizState {
	if p.Quizzes[week] == nil {
		p.Quizzes[week] = &QuizState{Seed: seed, Answers: map[string]Answer{}}
	}
	return p.Quizzes[week]
}

// Record adds an attempt; passed says whether it passed the exercise. To pass
// once more is no attempt: watch does it with every save.
func (s *ExerciseState) Record(a Attempt, passed bool) {
	if passed && s.Passed != nil {
		return
	}
	s.Attempts = append(s.Attempts, a)
	if passed {
		at := a.At
		s.Passed = &at
	}
}

// Findings returns the names of all findings that attempts met, each once, in
// the order they were first met.
func (s *ExerciseState) Findings() []string {
	var names []string
	for _, a := range s.Attempts {
		for _, name := range a.Findings {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Results maps the answered questions to whether the answer was correct.
func (s *QuizState) Results() map[string]bool {
	results := map[string]bool{}
	if s == nil {
		return results
	}
	for id, answer := range s.Answers {
		results[id] = answer.Correct
	}
	return results
}

// Current returns the exercise that a verb without a name acts on: the one the
// learner chose last if it is not passed yet, else the first after it that is
// not, else the first of all that is not. It is nil when everything is passed.
func (c *Course) Current(p *Progress) *Exercise {
	start := slices.IndexFunc(c.Exercises, func(e *Exercise) bool { return e.ID == p.Current })
	return c.unpassed(p, max(start, 0))
}

// After returns the first exercise after e, and before it again once the end is
// reached, that is not passed and not e itself, or nil.
func (c *Course) After(p *Progress, e *Exercise) *Exercise {
	next := c.unpassed(p, slices.Index(c.Exercises, e)+1)
	if next == e {
		return nil
	}
	return next
}

func (c *Course) unpassed(p *Progress, start int) *Exercise {
	for i := range c.Exercises {
		if e := c.Exercises[(start+i)%len(c.Exercises)]; !p.Passed(e.ID) {
			return e
		}
	}
	return nil
}
