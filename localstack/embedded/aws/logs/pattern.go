package logs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Filter patterns are of three kinds: terms that a message contains, conditions on the members of a JSON object in braces, and
// conditions on space-delimited fields in brackets. Case counts.
// Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax" (checked 2026-12-01).

// Limits of patterns.
const (
	maxPattern = 1024 // characters
	maxRegexps = 2
	maxNesting = 50
)

type pattern struct {
	matches func(message string) bool
	fields  []string                                                    // selectors that the pattern names
	field   func(message, selector string) (value string, present bool) // nil: the pattern has no fields
	regexps int
}

func parsePattern(text string) (*pattern, error) {
	if utf8.RuneCountInString(text) > maxPattern {
		return nil, fmt.Errorf("it is longer than %d characters", maxPattern)
	}
	p := &patternParser{rest: strings.TrimSpace(text)}
	var out *pattern
	switch {
	case strings.HasPrefix(p.rest, "{"):
		out = p.object()
	case strings.HasPrefix(p.rest, "["):
		out = p.columns()
	default:
		out = p.terms()
	}
	if p.err != nil {
		return nil, p.err
	}
	if out.regexps = p.regexps; p.regexps > maxRegexps {
		return nil, fmt.Errorf("it has more than %d regular expressions", maxRegexps)
	}
	return out, nil
}

type patternParser struct {
	rest    string
	regexps int
	depth   int
	err     error
}

func (p *patternParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest = ""
}

func (p *patternParser) skip() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

func (p *patternParser) take(prefix string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *patternParser) expect(symbol string) {
	if !p.take(symbol) {
		p.fail("%q is missing at %q", symbol, p.rest)
	}
}

// quoted reads a string whose opening quote has been read.
func (p *patternParser) quoted() string {
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest) && (p.rest[i+1] == '"' || p.rest[i+1] == '\\'):
			i++
			b.WriteByte(p.rest[i])
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	p.fail("a string does not end")
	return ""
}

// expression reads a regular expression whose opening percent sign has been read.
func (p *patternParser) expression() *regexp.Regexp {
	end := strings.IndexByte(p.rest, '%')
	if end <= 0 {
		p.fail("a regular expression does not end")
		return nil
	}
	text := p.rest[:end]
	p.rest = p.rest[end+1:]
	p.regexps++
	if strings.ContainsAny(text, "()!&~`\"'<>") {
		p.fail("the regular expression %s has a character that is not supported", text)
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		p.fail("the regular expression %s is wrong: %v", text, err)
	}
	return re
}

// terms reads terms: all of them must be there, but none with a minus sign. Those with a question mark count only among themselves:
// one of them must be there.
func (p *patternParser) terms() *pattern {
	type term struct {
		sign     byte
		contains func(string) bool
	}
	var terms []term
	signs := map[byte]int{}
	for p.skip(); p.rest != ""; p.skip() {
		t := term{}
		if c := p.rest[0]; c == '?' || c == '-' {
			t.sign = c
			p.rest = p.rest[1:]
		}
		switch {
		case strings.HasPrefix(p.rest, `"`):
			p.rest = p.rest[1:]
			text := p.quoted()
			t.contains = func(m string) bool { return strings.Contains(m, text) }
		case strings.HasPrefix(p.rest, "%"):
			p.rest = p.rest[1:]
			if re := p.expression(); re != nil {
				t.contains = re.MatchString
			}
		default:
			n := strings.IndexFunc(p.rest, unicode.IsSpace)
			if n < 0 {
				n = len(p.rest)
			}
			text := p.rest[:n]
			p.rest = p.rest[n:]
			if wrong := strings.TrimLeftFunc(text, isTerm); wrong != "" || text == "" {
				if n := strings.IndexFunc(wrong, isTerm); n >= 0 {
					wrong = wrong[:n]
				}
				p.fail("Invalid character(s) in term '%s'", wrong)
			}
			t.contains = func(m string) bool { return strings.Contains(m, text) }
		}
		signs[t.sign]++
		terms = append(terms, t)
	}
	onlyOptional := signs['?'] == len(terms)
	return &pattern{matches: func(m string) bool {
		if onlyOptional && len(terms) > 0 {
			for _, t := range terms {
				if t.contains(m) {
					return true
				}
			}
			return false
		}
		for _, t := range terms {
			if t.sign != '?' && t.contains(m) == (t.sign == '-') {
				return false
			}
		}
		return true
	}}
}

// isTerm tells whether a term may have the character without quotes.
func isTerm(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// condition compares a value: of a JSON member, or of a field as a string.
type condition func(v any) bool

var comparisons = []string{"!=", ">=", "<=", "=", ">", "<"} // longer ones first

// condition reads an operator and what it compares with. end are the characters that end a word without quotes.
func (p *patternParser) condition(end string) condition {
	operator := ""
	for _, o := range comparisons {
		if p.take(o) {
			operator = o
			break
		}
	}
	if operator == "" {
		p.fail("an operator is missing at %q", p.rest)
		return nil
	}
	equal, negated := operator == "=" || operator == "!=", operator == "!="
	p.skip()
	switch {
	case equal && strings.HasPrefix(p.rest, "%"):
		p.rest = p.rest[1:]
		re := p.expression()
		return func(v any) bool {
			s, ok := text(v)
			return ok && re.MatchString(s) != negated
		}
	case strings.HasPrefix(p.rest, `"`):
		p.rest = p.rest[1:]
		want := p.quoted()
		if !equal {
			p.fail("%s compares numbers only", operator)
		}
		return func(v any) bool {
			if _, number := v.(json.Number); number {
				return negated // a string is no number
			}
			s, ok := text(v)
			return ok && glob(want, s) != negated
		}
	}
	n := strings.IndexFunc(p.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(end, r) })
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	if word == "" {
		p.fail("a value is missing after %s", operator)
		return nil
	}
	number, err := strconv.ParseFloat(word, 64)
	numeric := err == nil
	if !equal {
		if !numeric {
			p.fail("%s compares numbers only", operator)
		}
		return func(v any) bool {
			n, ok := numberOf(v)
			return ok && compare(operator, n, number)
		}
	}
	return func(v any) bool {
		if n, ok := numberOf(v); ok && numeric {
			return (n == number) != negated
		}
		s, ok := text(v)
		return ok && glob(word, s) != negated
	}
}

func compare(operator string, x, y float64) bool {
	switch operator {
	case ">":
		return x > y
	case ">=":
		return x >= y
	case "<":
		return x < y
	}
	return x <= y
}

// numberOf is a JSON number, or a field that is one.
func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	case field:
		n, err := strconv.ParseFloat(string(v), 64)
		return n, err == nil
	}
	return 0, false
}

// field is the text of a space-delimited field.
type field string

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case field:
		return string(v), true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// glob matches text with a pattern in which * stands for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return len(text) >= len(last) && strings.HasSuffix(text, last)
}
