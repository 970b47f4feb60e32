package course

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The curriculum, as tab-separated values with a header line.
var (
	//go:embed curriculum.tsv
	curriculumTSV string
	//go:embed weeks.tsv
	weeksTSV string
	//go:embed levels.tsv
	levelsTSV string
)

// Kind is what sort of thing a curriculum row asks for.
type Kind string

const (
	Theory     Kind = "theory"     // a lesson section explains it
	Practice   Kind = "practice"   // an exercise, a quiz or the doctor checks it
	Check      Kind = "check"      // an exercise or a quiz checks it
	Project    Kind = "project"    // one exercise is it
	Platform   Kind = "platform"   // a tool that the course must touch
	Readiness  Kind = "readiness"  // a skill, proved by exercises
	Graduation Kind = "graduation" // what finishing a level, or the course, takes
)

// Row is one line of the curriculum.
type Row struct {
	ID   string `json:"id"` // like W1.T2, L1.J1, T4, R1.3 or G1
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

// Level is a stretch of weeks.
type Level struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	Hours  string `json:"hours"` // a range, like 30-35
}

// Rows returns the 140 rows of the curriculum in its order.
func Rows() []Row {
	var rows []Row
	for _, f := range records(curriculumTSV, 3) {
		rows = append(rows, Row{ID: f[0], Kind: Kind(f[1]), Text: f[2]})
	}
	return rows
}

// Levels returns the four levels.
func Levels() []Level {
	var levels []Level
	for _, f := range records(levelsTSV, 3) {
		levels = append(levels, Level{Number: number(f[0]), Title: f[1], Hours: f[2]})
	}
	return levels
}

// plannedWeeks returns the 14 weeks, with nothing in them.
func plannedWeeks() []*Week {
	var weeks []*Week
	for _, f := range records(weeksTSV, 3) {
		weeks = append(weeks, &Week{Number: number(f[0]), Level: number(f[1]), Title: f[2]})
	}
	return weeks
}

// records splits embedded values; a malformed file is a fault of this package
// that its tests find.
func records(tsv string, fields int) [][]string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(tsv, "\r\n", "\n")), "\n")
	var records [][]string
	for _, line := range lines[1:] {
		record := strings.Split(line, "\t")
		if len(record) != fields {
			panic(fmt.Sprintf("course: embedded line %q has %d fields, not %d", line, len(record), fields))
		}
		records = append(records, record)
	}
	return records
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("course: embedded number: " + err.Error())
	}
	return n
}

// sharedRows are the weeks that the curriculum plans as one: the rows carry the
// number of the first.
var sharedRows = map[int][]int{4: {4, 5}, 10: {10, 11}, 13: {13, 14}}

var rowOfWeek = regexp.MustCompile(`^([WL])(\d+)\.`)

// Weeks returns the weeks in which the row may be covered, or nil when it
// belongs to no week in particular: a week's row in that week (or pair of
// weeks), a level's project in any week of its level.
func (r Row) Weeks() []int {
	m := rowOfWeek.FindStringSubmatch(r.ID)
	if m == nil {
		return nil
	}
	n := number(m[2])
	if m[1] == "L" {
		var weeks []int
		for _, w := range plannedWeeks() {
			if w.Level == n {
				weeks = append(weeks, w.Number)
			}
		}
		return weeks
	}
	if weeks, ok := sharedRows[n]; ok {
		return slices.Clone(weeks)
	}
	return []int{n}
}
