// Package eventpattern compiles the JSON patterns by which an AWS service picks the messages that a subscriber wants,
// and matches messages against them. It knows the operators of Amazon SNS filter policies.
//
//	{
//	  "store": ["example"],
//	  "price": [{"numeric": [">=", 100]}, {"exists": false}],
//	  "$or":   [{"city": ["Kyiv"]}, {"urgent": [true]}]
//	}
//
// All fields of an object must match (and), any value in a field's list is enough (or), and "$or" is an or of objects.
// A field below a field is named by the path to it, with dots: {"a": {"b": ["x"]}} and {"a.b": ["x"]} are the same
// pattern, for the pattern as well as for the message.
//
// # Where EventBridge patterns and event source mapping filters differ
//
//   - EventBridge has more operators: wildcard, and anything-but with suffix, wildcard and equals-ignore-case.
//   - EventBridge demands that what matches in an array of objects matches within one element. SNS's guide asks only that
//     each property has a value that matches, so {"items": {"sku": ["a"], "size": [1]}} also matches when item 1 has the
//     sku and item 2 has the size.
//   - In EventBridge, null, "" and [] are matched as values; in SNS "exists" wants a value that is neither null nor empty.
//   - An event source mapping's filter is an EventBridge pattern too: [ParseRecord] reads it as far as the operators here go.
//
// Sources: Amazon SNS Developer Guide, "Subscription filter policies" and the pages below it; the messages of errors are
// those that SNS answered with in recordings of May 2024 and October 2025 (checked 2026-12-01).
package eventpattern

import (
	"errors"
	"fmt"
	"slices"
)

// A Pattern is a compiled pattern. It is immutable: any number of goroutines may match with it.
type Pattern struct {
	all      group
	nested   bool
	leaves   int
	branches int // the product described at Combinations
}

// group is an object of the pattern: all of it must match.
type group struct {
	fields []field
	ors    [][]group // of each, one must match
}

type field struct {
	path     string
	matchers []matcher // one must match
}

// operators are the names that an object within a field's list may have as its key. A "$or" whose objects use one
// of them as a field's name is a field of that name itself.
// Source: Amazon SNS Developer Guide, "AND/OR logic" (checked 2026-12-01).
var operators = []string{"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"}

const orKey = "$or"

// Parse compiles a pattern. The error of a pattern that is no JSON is a [*JSONError]; any other says in SNS's words
// which rule is broken.
func Parse(text string) (*Pattern, error) {
	root, err := decode(text)
	if err != nil {
		return nil, &JSONError{err: err}
	}
	if root.kind != object {
		return nil, &JSONError{err: errors.New("the pattern is not an object")}
	}
	p := &Pattern{}
	p.all, p.branches, err = p.compile(root, "", 1)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// ParseRecord compiles the pattern of an event source mapping's filter: "exists" asks whether the field is there, whatever its value.
// Source: AWS Lambda Developer Guide, "Filter rule syntax" (checked 2026-12-01).
func ParseRecord(text string) (*Pattern, error) {
	p, err := Parse(text)
	if err == nil {
		p.all.existsIsPresent()
	}
	return p, err
}

func (g *group) existsIsPresent() {
	for _, f := range g.fields {
		for i, m := range f.matchers {
			if want, ok := m.(exists); ok {
				f.matchers[i] = present(want)
			}
		}
	}
	for _, or := range g.ors {
		for i := range or {
			or[i].existsIsPresent()
		}
	}
}

// ruleError says which rule a pattern breaks. Its words and their case are the service's own.
type ruleError string

func (e ruleError) Error() string { return string(e) }

func refuse(format string, args ...any) error { return ruleError(fmt.Sprintf(format, args...)) }

// JSONError is the error of a text that is not a JSON object.
type JSONError struct{ err error }

func (e *JSONError) Error() string { return e.err.Error() }

// Unwrap returns what was wrong with the text.
func (e *JSONError) Unwrap() error { return e.err }

// Empty says whether the pattern has no fields; it matches everything.
func (p *Pattern) Empty() bool { return p.leaves == 0 }

// Nested says whether the pattern names a field below a field.
func (p *Pattern) Nested() bool { return p.nested }

// Keys is how many keys hold a list of values, on all levels.
func (p *Pattern) Keys() int { return p.leaves }

// Combinations is how complex the pattern is: the number of values in each list times the depth of its key, multiplied
// over all lists; the alternatives of a "$or" are added up before. It saturates at 1<<30.
func (p *Pattern) Combinations() int { return p.branches }

func saturate(n int) int { return min(n, 1<<30) }

func (p *Pattern) compile(obj value, path string, depth int) (g group, combinations int, err error) {
	combinations = 1
	for _, e := range obj.entries {
		switch {
		case e.key == orKey && isOr(e.value):
			var alternatives []group
			sum := 0
			for _, o := range e.value.elements {
				a, n, err := p.compile(o, path, depth)
				if err != nil {
					return g, 0, err
				}
				alternatives = append(alternatives, a)
				sum = saturate(sum + n)
			}
			g.ors = append(g.ors, alternatives)
			combinations = saturate(combinations * sum)
		case e.value.kind == object:
			if len(e.value.entries) == 0 {
				return g, 0, refuse("Empty objects are not allowed")
			}
			p.nested = true
			inner, n, err := p.compile(e.value, join(path, e.key), depth+1)
			if err != nil {
				return g, 0, err
			}
			g.fields = append(g.fields, inner.fields...)
			g.ors = append(g.ors, inner.ors...)
			combinations = saturate(combinations * n)
		case e.value.kind == array:
			if len(e.value.elements) == 0 {
				return g, 0, refuse("Empty arrays are not allowed")
			}
			f := field{path: join(path, e.key)}
			for _, v := range e.value.elements {
				m, err := compileMatcher(v)
				if err != nil {
					return g, 0, err
				}
				f.matchers = append(f.matchers, m)
			}
			g.fields = append(g.fields, f)
			p.leaves++
			combinations = saturate(combinations * saturate(len(f.matchers)*depth))
		default:
			return g, 0, refuse("%q must be an object or an array", e.key)
		}
	}
	return g, combinations, nil
}

// isOr says whether the value of a key "$or" makes it the operator: two objects or more, none with an operator as a field.
func isOr(v value) bool {
	if v.kind != array || len(v.elements) < 2 {
		return false
	}
	for _, o := range v.elements {
		if o.kind != object || len(o.entries) == 0 {
			return false
		}
		for _, e := range o.entries {
			if slices.Contains(operators, e.key) {
				return false
			}
		}
	}
	return true
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Match says whether a message with the given fields matches.
func (p *Pattern) Match(f Fields) bool { return p.all.match(f) }

func (g *group) match(f Fields) bool {
	for i := range g.fields {
		if !g.fields[i].match(f) {
			return false
		}
	}
	for _, or := range g.ors {
		if !slices.ContainsFunc(or, func(g group) bool { return g.match(f) }) {
			return false
		}
	}
	return true
}

func (f *field) match(fields Fields) bool {
	values, present := fields[f.path]
	return slices.ContainsFunc(f.matchers, func(m matcher) bool { return m.match(values, present) })
}

// Fields are the values of a message by the path of their field. An array gives its field several values;
// a field with an empty array has none.
type Fields map[string]Values

// Values are what one field holds.
type Values struct {
	List []Value
	// Attribute is set for a message attribute: an array in it passes anything-but only if all of its elements do, as the guide's
	// "String value matching" says since 2025; before, it said that one is enough. In a message's body one is.
	Attribute bool
}

// A Value is one scalar of a message.
type Value struct {
	kind   kind
	text   string  // of a string
	number float64 // of a number
	truth  bool    // of a boolean
}

// String and Number are the values of scalars of these types.
func String(s string) Value { return Value{kind: text, text: s} }

// Number is the value of a number.
func Number(f float64) Value { return Value{kind: number, number: f} }

// Body returns the fields of a JSON object, and false if s is none.
func Body(s string) (Fields, bool) {
	root, err := decode(s)
	if err != nil || root.kind != object {
		return nil, false
	}
	f := Fields{}
	f.add("", root)
	return f, true
}

func (f Fields) add(path string, v value) {
	switch v.kind {
	case object:
		for _, e := range v.entries {
			f.add(join(path, e.key), e.value)
		}
	case array:
		for _, e := range v.elements {
			f.add(path, e)
		}
	default:
		f[path] = Values{List: append(f[path].List, v.Value)}
	}
}

// Elements returns the scalars of a JSON array, and false if s is none.
func Elements(s string) ([]Value, bool) {
	root, err := decode(s)
	if err != nil || root.kind != array {
		return nil, false
	}
	var list []Value
	for _, e := range root.elements {
		if e.kind != object && e.kind != array {
			list = append(list, e.Value)
		}
	}
	return list, true
}

// equal compares scalars; numbers to five digits after the point, as the guide's "Filter policy constraints" says.
func (v Value) equal(w Value) bool {
	return v.kind == w.kind && v.text == w.text && v.truth == w.truth && digits(v.number) == digits(w.number)
}

func (v Value) empty() bool { return v.kind == null || v.kind == text && v.text == "" }

func (v Value) string() (string, bool) { return v.text, v.kind == text }
