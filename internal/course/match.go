package course

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// NameError means that a name fits no exercise, or several. Candidates are
// those it fits or, when it fits none, those that the learner may have meant.
type NameError struct {
	Name       string
	Ambiguous  bool
	Candidates []string
}

func (e *NameError) Error() string {
	if e.Ambiguous {
		return fmt.Sprintf("%q fits %d exercises", e.Name, len(e.Candidates))
	}
	return fmt.Sprintf("there is no exercise %q", e.Name)
}

// Find returns the one exercise that name fits. A name is an id
// (week01/03-request-reply) or the beginning of its parts: 3, 03, req,
// request-reply, week01/03, 1/3, w1/req. A path to the exercise's folder or to
// a file in it fits too. The error is a *NameError.
func (c *Course) Find(name string) (*Exercise, error) {
	query := strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	query = strings.TrimPrefix(strings.Trim(path.Clean("/"+query), "/"), "exercises/")
	parts := strings.SplitN(query, "/", 3)
	week, part := "", parts[0]
	if len(parts) > 1 {
		week, part = parts[0], parts[1]
	}

	var exact, prefix, near []*Exercise
	for _, e := range c.Exercises {
		if week != "" && !fitsWeek(week, e.Week) {
			continue
		}
		switch how := fitsName(part, e.Name()); {
		case how == whole:
			exact = append(exact, e)
		case how == beginning && part != "":
			prefix = append(prefix, e)
		case part != "" && strings.Contains(e.Name(), part),
			part == "", week == "" && fitsWeek(part, e.Week),
			misspells(part, e.Name()):
			near = append(near, e)
		}
	}
	for _, found := range [][]*Exercise{exact, prefix} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return nil, &NameError{Name: name, Ambiguous: true, Candidates: ids(found)}
		}
	}
	return nil, &NameError{Name: name, Candidates: ids(near)}
}

type fit int

const (
	none fit = iota
	beginning
	whole
)

// fitsName compares a part of a query with a folder's name like
// 03-request-reply, by its number, its words or both.
func fitsName(part, name string) fit {
	digits, words, _ := strings.Cut(name, "-")
	if n, err := strconv.Atoi(part); err == nil {
		if m, _ := strconv.Atoi(digits); m == n {
			return whole
		}
		return none
	}
	switch {
	case part == name || part == words:
		return whole
	case strings.HasPrefix(name, part) || strings.HasPrefix(words, part):
		return beginning
	}
	return none
}

// misspells reports whether a part of a query is a folder's name, or a word of
// it, with typing errors: one for each three letters, and two at most.
func misspells(part, name string) bool {
	_, words, _ := strings.Cut(name, "-")
	for _, word := range append(strings.Split(words, "-"), words, name) {
		if edits(part, word) <= min(len(part)/3, 2) {
			return true
		}
	}
	return false
}

// edits returns the Levenshtein distance: how many bytes to insert, delete or
// replace to make a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // from the part of a so far to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

var weekName = regexp.MustCompile(`^(?:w|week)?-?0*(\d+)$`)

func fitsWeek(query string, week int) bool {
	m := weekName.FindStringSubmatch(query)
	return m != nil && m[1] == strconv.Itoa(week)
}

// ParseWeek reads the name of a week: 1, 01, w1, week1, week01, or a path to
// its folder.
func (c *Course) ParseWeek(name string) (*Week, bool) {
	query := strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	query = strings.TrimPrefix(strings.Trim(path.Clean("/"+query), "/"), "exercises/")
	for _, w := range c.Weeks {
		if fitsWeek(query, w.Number) {
			return w, true
		}
	}
	return nil, false
}

func ids(exercises []*Exercise) []string {
	var ids []string
	for _, e := range exercises {
		ids = append(ids, e.ID)
	}
	return ids
}
