package logs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// selector is a path into a JSON value: $.a.b[0]. Of a wildcard, [*] or .*, any element may match.
type selector struct {
	text  string
	steps []step
}

type step struct {
	name  string
	index int
	kind  stepKind
}

type stepKind int

const (
	stepName stepKind = iota
	stepIndex
	stepAny
)

func (s *selector) find(v any) []any {
	found := []any{v}
	for _, step := range s.steps {
		var next []any
		for _, v := range found {
			switch v := v.(type) {
			case map[string]any:
				if step.kind == stepAny {
					for _, e := range v {
						next = append(next, e)
					}
				} else if e, ok := v[step.name]; ok && step.kind == stepName {
					next = append(next, e)
				}
			case []any:
				if step.kind == stepAny {
					next = append(next, v...)
				} else if step.kind == stepIndex && step.index < len(v) {
					next = append(next, v[step.index])
				}
			}
		}
		found = next
	}
	return found
}

func decodeObject(message string) (map[string]any, bool) {
	if !strings.HasPrefix(strings.TrimLeftFunc(message, unicode.IsSpace), "{") {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(message))
	d.UseNumber()
	var object map[string]any
	return object, d.Decode(&object) == nil && object != nil
}

// object reads conditions on a JSON object.
func (p *patternParser) object() *pattern {
	out := &pattern{}
	p.expect("{")
	root := p.any(out)
	p.expect("}")
	if p.skip(); p.err == nil && p.rest != "" {
		p.fail("unexpected %q", p.rest)
	}
	out.matches = func(message string) bool {
		object, ok := decodeObject(message)
		return ok && root(object)
	}
	out.field = jsonField
	return out
}

// jsonField returns the value of a selector as metrics and dimensions take it.
func jsonField(message, at string) (string, bool) {
	object, ok := decodeObject(message)
	p := &patternParser{rest: at}
	s := p.selector()
	if !ok || p.err != nil || p.rest != "" {
		return "", false
	}
	found := s.find(object)
	if len(found) == 0 {
		return "", false
	}
	return text(found[0])
}

func (p *patternParser) any(out *pattern) func(any) bool {
	first := p.every(out)
	for p.err == nil && p.take("||") {
		left, right := first, p.every(out)
		first = func(v any) bool { return left(v) || right(v) }
	}
	return first
}

func (p *patternParser) every(out *pattern) func(any) bool {
	first := p.member(out)
	for p.err == nil && p.take("&&") {
		left, right := first, p.member(out)
		first = func(v any) bool { return left(v) && right(v) }
	}
	return first
}

// member reads parentheses or the condition of one member.
func (p *patternParser) member(out *pattern) func(any) bool {
	if p.depth++; p.depth > maxNesting {
		p.fail("it is nested too deeply")
		return nil
	}
	defer func() { p.depth-- }()
	if p.take("(") {
		inner := p.any(out)
		p.expect(")")
		return inner
	}
	s := p.selector()
	if p.err != nil {
		return nil
	}
	out.fields = append(out.fields, s.text)
	some := func(match condition) func(any) bool {
		return func(v any) bool {
			for _, e := range s.find(v) {
				if match(e) {
					return true
				}
			}
			return false
		}
	}
	switch {
	case p.words("NOT", "EXISTS"):
		return func(v any) bool { return len(s.find(v)) == 0 }
	case p.words("IS", "NULL"):
		return some(func(v any) bool { return v == nil })
	case p.words("IS", "TRUE"):
		return some(func(v any) bool { return v == true })
	case p.words("IS", "FALSE"):
		return some(func(v any) bool { return v == false })
	}
	return some(p.condition(")}&|"))
}

// words reads keywords, if all of them come next.
func (p *patternParser) words(words ...string) bool {
	rest := p.rest
	for _, w := range words {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if len(rest) < len(w) || !strings.EqualFold(rest[:len(w)], w) {
			return false
		}
		rest = rest[len(w):]
	}
	p.rest = rest
	return true
}

func (p *patternParser) selector() *selector {
	p.skip()
	whole := p.rest
	if !strings.HasPrefix(p.rest, "$") {
		p.fail("a selector begins with $: %q", p.rest)
		return nil
	}
	p.rest = p.rest[1:]
	s := &selector{}
	for p.rest != "" {
		switch p.rest[0] {
		case '.':
			p.rest = p.rest[1:]
			if strings.HasPrefix(p.rest, "[") {
				continue // $.['a b']
			}
			n := strings.IndexFunc(p.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(".[]=!<>(){}&|,\"", r) })
			if n < 0 {
				n = len(p.rest)
			}
			name := p.rest[:n]
			p.rest = p.rest[n:]
			switch name {
			case "":
				p.fail("a name is missing at %q", p.rest)
				return nil
			case "*":
				s.steps = append(s.steps, step{kind: stepAny})
			default:
				s.steps = append(s.steps, step{name: name})
			}
		case '[':
			end := strings.IndexByte(p.rest, ']')
			if end < 0 {
				p.fail("%q does not end", p.rest)
				return nil
			}
			st, err := bracket(p.rest[1:end])
			if err != nil {
				p.fail("%v", err)
				return nil
			}
			s.steps = append(s.steps, st)
			p.rest = p.rest[end+1:]
		default:
			s.text = whole[:len(whole)-len(p.rest)]
			return s
		}
	}
	s.text = whole
	return s
}

func bracket(inside string) (step, error) {
	if inside == "*" {
		return step{kind: stepAny}, nil
	}
	if n := len(inside); n > 2 && (inside[0] == '\'' || inside[0] == '"') && inside[n-1] == inside[0] {
		return step{name: inside[1 : n-1]}, nil
	}
	index, err := strconv.Atoi(inside)
	if err != nil || index < 0 {
		return step{}, fmt.Errorf("[%s] is no index of an array", inside)
	}
	return step{index: index, kind: stepIndex}, nil
}
