package eventpattern

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// matcher is one element of a field's list.
type matcher interface {
	// match gets the field's values; present says whether the message has the field at all.
	match(v Values, present bool) bool
}

// one matches if a value of the field does.
type one func(Value) bool

func (m one) match(v Values, _ bool) bool {
	for _, e := range v.List {
		if m(e) {
			return true
		}
	}
	return false
}

// anythingBut matches if a value is none of those that are ruled out: a field that is missing has no value.
type anythingBut func(Value) bool

func (m anythingBut) match(v Values, _ bool) bool {
	other := 0
	for _, e := range v.List {
		if !m(e) {
			other++
		}
	}
	if v.Attribute {
		return other > 0 && other == len(v.List)
	}
	return other > 0
}

// exists matches the presence of a value that is neither null nor empty, or the absence of the field.
// Source: Amazon SNS Developer Guide, "Key matching" (checked 2026-12-01).
type exists bool

func (m exists) match(v Values, present bool) bool {
	if !m {
		return !present
	}
	for _, e := range v.List {
		if !e.empty() {
			return true
		}
	}
	return false
}

// present matches the presence or the absence of the field.
type present bool

func (m present) match(_ Values, there bool) bool { return there == bool(m) }

// onText makes a matcher of strings.
func onText(f func(string) bool) one {
	return func(v Value) bool {
		s, ok := v.string()
		return ok && f(s)
	}
}

var (
	errOneKey = refuse("Only one key allowed in match expression")
	errMixed  = refuse("Inside anything but list, either all values are number or string, mixed type is not supported")
)

func compileMatcher(v value) (matcher, error) {
	switch v.kind {
	case array:
		return nil, refuse("Match value must be String, number, true, false, or null")
	case object:
		if len(v.entries) == 0 {
			return nil, refuse("Match expression name not found")
		}
		m, err := compileOperator(v.entries[0].key, v.entries[0].value)
		if err == nil && len(v.entries) > 1 {
			err = errOneKey
		}
		return m, err
	}
	want := v.Value
	return one(want.equal), nil
}

func compileOperator(name string, v value) (matcher, error) {
	switch name {
	case "prefix", "suffix", "equals-ignore-case":
		f, err := textOperator(name, v)
		return onText(f), err
	case "exists":
		if v.kind != boolean {
			return nil, refuse("exists match pattern must be either true or false.")
		}
		return exists(v.truth), nil
	case "numeric":
		return numeric(v)
	case "cidr":
		return cidr(v)
	case "anything-but":
		return compileAnythingBut(v)
	}
	return nil, refuse("Unrecognized match type %s", name)
}

func textOperator(name string, v value) (func(string) bool, error) {
	want, ok := v.string()
	if !ok {
		return nil, refuse("%s match pattern must be a string", name)
	}
	switch name {
	case "prefix":
		return func(s string) bool { return strings.HasPrefix(s, want) }, nil
	case "suffix":
		return func(s string) bool { return strings.HasSuffix(s, want) }, nil
	}
	want = strings.ToLower(want)
	return func(s string) bool { return strings.ToLower(s) == want }, nil
}

func compileAnythingBut(v value) (matcher, error) {
	switch v.kind {
	case text, number:
		want := v.Value
		return anythingBut(want.equal), nil
	case array:
		for _, e := range v.elements {
			if e.kind != v.elements[0].kind || e.kind != text && e.kind != number {
				return nil, errMixed
			}
		}
		if len(v.elements) == 0 {
			return nil, errMixed
		}
		return anythingBut(func(w Value) bool {
			for _, e := range v.elements {
				if e.equal(w) {
					return true
				}
			}
			return false
		}), nil
	case object:
		if len(v.entries) != 1 {
			return nil, errOneKey
		}
		name, inner := v.entries[0].key, v.entries[0].value
		if name != "prefix" {
			return nil, refuse("Unsupported anything-but pattern: %s", name)
		}
		f, err := textOperator(name, inner)
		return anythingBut(onText(f)), err
	}
	return nil, refuse("Value of anything-but must be an array or single string/number value.")
}

// digits is a number as numbers are compared: with five digits after the point.
// Source: Amazon SNS Developer Guide, "Filter policy constraints" (checked 2026-12-01).
func digits(f float64) float64 { return math.Round(f * 1e5) }

func numeric(v value) (matcher, error) {
	if v.kind != array {
		return nil, refuse("Value of numeric must be an array.")
	}
	rest := v.elements
	pop := func() (value, string) { // the next element, and as it is shown in an error
		if len(rest) == 0 {
			return value{}, "]"
		}
		e := rest[0]
		rest = rest[1:]
		switch e.kind {
		case text:
			return e, e.text
		case number:
			return e, strconv.FormatFloat(e.number, 'f', -1, 64)
		case boolean:
			return e, strconv.FormatBool(e.truth)
		case array:
			return e, "["
		case object:
			return e, "{"
		}
		return e, "null"
	}
	bound := func(operator string) (float64, error) {
		e, _ := pop()
		if e.kind != number {
			if operator == "=" {
				operator = "equals"
			}
			return 0, refuse("Value of %s must be numeric", operator)
		}
		return e.number, nil
	}

	first, shown := pop()
	if first.kind != text {
		return nil, refuse("Invalid member in numeric match: %s", shown)
	}
	compare, ok := comparisons[first.text]
	if !ok {
		return nil, refuse("Unrecognized numeric range operator: %s", first.text)
	}
	low, err := bound(first.text)
	if err != nil {
		return nil, err
	}
	is := func(v Value) bool { return v.kind == number && compare(digits(v.number), digits(low)) }
	if len(rest) == 0 {
		return one(is), nil
	}

	if !strings.HasPrefix(first.text, ">") {
		return nil, refuse("Too many elements in numeric expression")
	}
	second, shown := pop()
	if second.kind != text {
		return nil, refuse("Bad value in numeric range: %s", shown)
	}
	if !strings.HasPrefix(second.text, "<") || comparisons[second.text] == nil {
		return nil, refuse("Bad numeric range operator: %s", second.text)
	}
	high, err := bound(second.text)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, refuse("Too many terms in numeric range expression")
	}
	if high <= low {
		return nil, refuse("Bottom must be less than top")
	}
	below := comparisons[second.text]
	return one(func(v Value) bool { return is(v) && below(digits(v.number), digits(high)) }), nil
}

var comparisons = map[string]func(a, b float64) bool{
	"=":  func(a, b float64) bool { return a == b },
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
}

func cidr(v value) (matcher, error) {
	want, ok := v.string()
	if !ok {
		return nil, refuse("prefix match pattern must be a string") // sic: the service speaks of a prefix here
	}
	address, bits, ok := strings.Cut(want, "/")
	if !ok || strings.Contains(bits, "/") {
		return nil, refuse("Malformed CIDR, one '/' required")
	}
	n, err := strconv.Atoi(bits)
	if err != nil {
		return nil, refuse("Malformed CIDR, mask bits must be an integer")
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil, refuse("Nonstandard IP address: %s", address)
	}
	network, err := ip.Prefix(n)
	if err != nil {
		return nil, refuse("Malformed CIDR, mask bits out of range: %d", n)
	}
	return onText(func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err == nil && network.Contains(ip)
	}), nil
}
