package course

import (
	"fmt"
	"maps"
	"slices"
)

// Claim says what covers a row.
type Claim struct {
	By  Claimer `json:"by"`
	Ref string  `json:"ref"` // week01#why-a-broker, week01/03-request-reply, week01/quiz, doctor
}

// Claimer is a sort of thing that can cover a row.
type Claimer string

const (
	ByLesson   Claimer = "lesson"   // a section of a week's lesson
	ByExercise Claimer = "exercise" // an exercise that a grader checks
	ByQuiz     Claimer = "quiz"     // at least one question
	ByDoctor   Claimer = "doctor"   // the doctor command
)

// covering lists, for each kind of row, what covers it. Nothing covers
// graduation yet: it takes a course that is whole.
var covering = map[Kind][]Claimer{
	Theory:     {ByLesson},
	Practice:   {ByExercise, ByQuiz, ByDoctor},
	Check:      {ByExercise, ByQuiz},
	Project:    {ByExercise},
	Platform:   {ByExercise, ByLesson},
	Readiness:  {ByExercise},
	Graduation: {},
}

// mentioning lists what may claim a row beside that which covers it: a quiz asks
// about theory, but does not teach it; a lesson introduces what exercises check.
var mentioning = map[Kind][]Claimer{
	Theory:    {ByQuiz},
	Practice:  {ByLesson},
	Check:     {ByLesson},
	Platform:  {ByQuiz},
	Readiness: {ByLesson, ByQuiz},
}

// doctorRows are the rows that the doctor command checks on the machine.
var doctorRows = []string{"W1.P1"}

// Coverage is a row with everything that claims it.
type Coverage struct {
	Row
	Claims []Claim `json:"claims"`
}

// Covered reports whether something that counts for the row's kind claims it.
func (c Coverage) Covered() bool {
	return slices.ContainsFunc(c.Claims, func(claim Claim) bool {
		return slices.Contains(covering[c.Kind], claim.By)
	})
}

// Coverage returns every row of the curriculum with what covers it. It reads
// the quizzes, whose faults are the only errors.
func (c *Course) Coverage() ([]Coverage, error) {
	claims, err := c.claims()
	if err != nil {
		return nil, err
	}
	var coverage []Coverage
	for _, row := range Rows() {
		cover := Coverage{Row: row, Claims: []Claim{}}
		for _, claim := range claims {
			if claim.row == row.ID && !slices.Contains(cover.Claims, claim.Claim) {
				cover.Claims = append(cover.Claims, claim.Claim)
			}
		}
		coverage = append(coverage, cover)
	}
	return coverage, nil
}

// rowClaim is a claim with its row and the file and week that make it.
type rowClaim struct {
	Claim
	row  string
	file string
	week int
}

// claims returns all claims in the order lessons, exercises, quizzes, doctor.
func (c *Course) claims() ([]rowClaim, error) {
	var lessons, exercises, quizzes, doctor []rowClaim
	for _, w := range c.Weeks {
		for _, row := range slices.Sorted(maps.Keys(w.Rows)) {
			lessons = append(lessons, rowClaim{Claim{ByLesson, w.ID() + w.Rows[row]}, row, w.Lesson(), w.Number})
		}
		for _, e := range w.Exercises {
			for _, row := range e.Rows {
				exercises = append(exercises, rowClaim{Claim{ByExercise, e.ID}, row, e.Readme(), w.Number})
			}
		}
		if !w.HasQuiz {
			continue
		}
		q, err := c.ReadQuiz(w)
		if err != nil {
			return nil, err
		}
		for _, row := range q.Rows() {
			quizzes = append(quizzes, rowClaim{Claim{ByQuiz, w.ID() + "/quiz"}, row, w.Quiz(), w.Number})
		}
	}
	for _, row := range doctorRows {
		doctor = append(doctor, rowClaim{Claim{ByDoctor, "doctor"}, row, "", 0})
	}
	return slices.Concat(lessons, exercises, quizzes, doctor), nil
}

// rowProblems says which claims are wrong, and which rows of published weeks
// nothing covers.
func (c *Course) rowProblems() ([]Problem, error) {
	var problems []Problem
	problem := func(file, format string, args ...any) {
		problems = append(problems, Problem{file, fmt.Sprintf(format, args...)})
	}
	claims, err := c.claims()
	if err != nil {
		return nil, err
	}
	rows := map[string]Row{}
	for _, row := range Rows() {
		rows[row.ID] = row
	}
	sole := map[string]rowClaim{} // rows that one claim covers whole
	seen := map[rowClaim]bool{}
	for _, claim := range claims {
		row, known := rows[claim.row]
		if !known {
			problem(claim.file, "the curriculum has no row %s", claim.row)
			continue
		}
		if seen[claim] {
			problem(claim.file, "row %s is claimed twice", row.ID)
			continue
		}
		seen[claim] = true
		counts := slices.Contains(covering[row.Kind], claim.By)
		if !counts && !slices.Contains(mentioning[row.Kind], claim.By) {
			problem(claim.file, "row %s is of kind %s, which is not for the %s to claim", row.ID, row.Kind, claim.By)
			continue
		}
		if weeks := row.Weeks(); claim.week != 0 && weeks != nil && !slices.Contains(weeks, claim.week) {
			problem(claim.file, "row %s belongs to week %v, not to week %d", row.ID, weeks, claim.week)
			continue
		}
		if counts && (row.Kind == Theory || row.Kind == Project) {
			if other, taken := sole[row.ID]; taken {
				problem(claim.file, "row %s is already covered by %s: one %s covers it", row.ID, other.Ref, claim.By)
				continue
			}
			sole[row.ID] = claim
		}
	}

	coverage, err := c.Coverage()
	if err != nil {
		return nil, err
	}
	for _, cover := range coverage {
		if !cover.Covered() && c.due(cover.Row) {
			problem("", "row %s (%s) belongs to a published week, but nothing covers it", cover.ID, cover.Text)
		}
	}
	return problems, nil
}

// due reports whether all weeks in which the row may be covered are published,
// so that it is no longer to come.
func (c *Course) due(row Row) bool {
	weeks := row.Weeks()
	return weeks != nil && !slices.ContainsFunc(weeks, func(n int) bool {
		w, _ := c.Week(n)
		return !w.Published
	})
}
