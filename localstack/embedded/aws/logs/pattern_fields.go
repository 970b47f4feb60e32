package logs

import (
	"strings"
	"unicode"
)

// column is what a pattern says of one space-delimited field, or of any number of them.
type column struct {
	name     string
	ellipsis bool
	holds    func(field) bool // nil: anything
}

// columns reads conditions on space-delimited fields: [ip, status = 4*, ..., size > 10].
func (p *patternParser) columns() *pattern {
	p.expect("[")
	var columns []column
	for p.err == nil {
		columns = append(columns, p.column())
		if !p.take(",") {
			break
		}
	}
	p.expect("]")
	if p.skip(); p.err == nil && p.rest != "" {
		p.fail("unexpected %q", p.rest)
	}
	out := &pattern{}
	ellipses := 0
	for _, c := range columns {
		if c.ellipsis {
			ellipses++
		} else if c.name != "" {
			out.fields = append(out.fields, "$"+c.name)
		}
	}
	if ellipses > 1 {
		p.fail("only one ellipsis is possible")
	}
	out.matches = func(message string) bool {
		fields, ok := align(columns, split(message))
		if !ok {
			return false
		}
		for i, c := range columns {
			if c.holds != nil && !c.holds(fields[i]) {
				return false
			}
		}
		return true
	}
	out.field = func(message, selector string) (string, bool) {
		fields, ok := align(columns, split(message))
		for i, c := range columns {
			if ok && "$"+c.name == selector {
				return string(fields[i]), true
			}
		}
		return "", false
	}
	return out
}

func (p *patternParser) column() column {
	if p.take("...") {
		return column{ellipsis: true}
	}
	c := column{name: p.name()}
	if p.skip(); p.rest == "" || p.rest[0] == ',' || p.rest[0] == ']' {
		return c
	}
	one := func() func(field) bool {
		match := p.condition(",]&|")
		return func(f field) bool { return match(f) }
	}
	c.holds = one()
	for p.err == nil {
		and := p.take("&&")
		if !and && !p.take("||") {
			break
		}
		if name := p.name(); name != c.name {
			p.fail("a condition on %s stands in the place of %s", name, c.name)
			break
		}
		left, right := c.holds, one()
		if and {
			c.holds = func(f field) bool { return left(f) && right(f) }
		} else {
			c.holds = func(f field) bool { return left(f) || right(f) }
		}
	}
	return c
}

// name reads a field's name, which may be left out.
func (p *patternParser) name() string {
	p.skip()
	n := strings.IndexFunc(p.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("=!<>,]&|", r) })
	if n < 0 {
		n = len(p.rest)
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	return name
}

// align finds the field of each column. There must be as many fields as columns, or at least that many with an ellipsis, which
// stands for the rest.
func align(columns []column, fields []field) ([]field, bool) {
	at := -1
	for i, c := range columns {
		if c.ellipsis {
			at = i
		}
	}
	if at < 0 {
		return fields, len(fields) == len(columns)
	}
	if len(fields) < len(columns)-1 {
		return nil, false
	}
	aligned := append([]field{}, fields[:at]...)
	aligned = append(aligned, "")
	return append(aligned, fields[len(fields)-(len(columns)-1-at):]...), true
}

// split divides a message at spaces. What is in double quotes or in brackets is one field.
func split(message string) []field {
	var fields []field
	for rest := strings.TrimSpace(message); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		if closing := map[byte]string{'"': "\"", '[': "]"}[rest[0]]; closing != "" {
			if end := strings.Index(rest[1:], closing); end >= 0 {
				fields = append(fields, field(rest[1:end+1]))
				rest = rest[end+2:]
				continue
			}
		}
		n := strings.IndexFunc(rest, unicode.IsSpace)
		if n < 0 {
			n = len(rest)
		}
		fields = append(fields, field(rest[:n]))
		rest = rest[n:]
	}
	return fields
}
