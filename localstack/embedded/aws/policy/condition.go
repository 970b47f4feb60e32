package policy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is one key of one operator: it holds if the request's values of the key pass.
type condition struct {
	key    string // lower case
	values []string
	test   func(want, got string) bool
	// negated operators hold if no wanted value passes: StringNotEquals.
	negated bool
	ifSet   bool // …IfExists: a request without the key passes
	set     setOperator
	null    bool // the operator Null, which asks only whether the key is there
	plain   bool // wildcards of an expanded variable are taken back: the operator compares as it is
}

type setOperator int

const (
	single setOperator = iota
	forAny
	forAll
)

// tests are the comparisons, by the operators' names without prefix, suffix and Not.
var tests = map[string]comparison{
	"StringEquals":             {test: func(w, g string) bool { return w == g }, negated: "StringNotEquals", plain: true},
	"StringEqualsIgnoreCase":   {test: strings.EqualFold, negated: "StringNotEqualsIgnoreCase", plain: true},
	"StringLike":               {test: like, negated: "StringNotLike"},
	"ArnEquals":                {test: likeARN, negated: "ArnNotEquals"},
	"ArnLike":                  {test: likeARN, negated: "ArnNotLike"},
	"NumericEquals":            numeric(func(order int) bool { return order == 0 }, "NumericNotEquals"),
	"NumericLessThan":          numeric(func(order int) bool { return order < 0 }, ""),
	"NumericLessThanEquals":    numeric(func(order int) bool { return order <= 0 }, ""),
	"NumericGreaterThan":       numeric(func(order int) bool { return order > 0 }, ""),
	"NumericGreaterThanEquals": numeric(func(order int) bool { return order >= 0 }, ""),
	"DateEquals":               date(func(order int) bool { return order == 0 }, "DateNotEquals"),
	"DateLessThan":             date(func(order int) bool { return order < 0 }, ""),
	"DateLessThanEquals":       date(func(order int) bool { return order <= 0 }, ""),
	"DateGreaterThan":          date(func(order int) bool { return order > 0 }, ""),
	"DateGreaterThanEquals":    date(func(order int) bool { return order >= 0 }, ""),
	"Bool":                     {test: strings.EqualFold, plain: true},
	"BinaryEquals":             {test: binaryEqual, plain: true},
	"IpAddress": {test: inNetwork, negated: "NotIpAddress", plain: true, valid: func(s string) bool {
		_, ok := network(s)
		return ok
	}},
	"Null": {plain: true},
}

type comparison struct {
	test    func(want, got string) bool
	negated string            // the name of its opposite
	plain   bool              // see condition
	valid   func(string) bool // of a wanted value without variables; nil: any
}

func numeric(passes func(order int) bool, negated string) comparison {
	return comparison{negated: negated, plain: true, test: func(want, got string) bool {
		w, err1 := strconv.ParseFloat(want, 64)
		g, err2 := strconv.ParseFloat(got, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		switch {
		case g < w:
			return passes(-1)
		case g > w:
			return passes(1)
		}
		return passes(0)
	}}
}

func date(passes func(order int) bool, negated string) comparison {
	return comparison{negated: negated, plain: true, test: func(want, got string) bool {
		w, ok1 := moment(want)
		g, ok2 := moment(got)
		return ok1 && ok2 && passes(g.Compare(w))
	}}
}

// moment reads a date of ISO 8601, or seconds since 1970.
func moment(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15Z07:00", time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}

func binaryEqual(want, got string) bool {
	w, err1 := base64.StdEncoding.DecodeString(want)
	g, err2 := base64.StdEncoding.DecodeString(got)
	return err1 == nil && err2 == nil && bytes.Equal(w, g)
}

func network(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func inNetwork(want, got string) bool {
	p, ok := network(want)
	a, err := netip.ParseAddr(got)
	return ok && err == nil && p.Contains(a)
}

func newCondition(operator, key string, values []string) (condition, error) {
	c := condition{key: strings.ToLower(key), values: values}
	name := operator
	if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		name, c.set = rest, forAny
	} else if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		name, c.set = rest, forAll
	}
	if rest, ok := strings.CutSuffix(name, "IfExists"); ok {
		name, c.ifSet = rest, true
	}
	found, ok := tests[name]
	if !ok {
		for _, t := range tests {
			if t.negated == name && name != "" {
				found, ok, c.negated = t, true, true
			}
		}
	}
	if !ok || name == "Null" && (c.ifSet || c.set != single) {
		return c, malformed("there is no condition operator %s", operator)
	}
	c.test, c.null, c.plain = found.test, name == "Null", found.plain
	for _, v := range values {
		if found.valid != nil && !strings.Contains(v, "${") && !found.valid(v) {
			return c, malformed("%q is no value of %s", v, operator)
		}
	}
	return c, nil
}

// holds tells whether the request passes.
func (c condition) holds(d *Document, r *Request) bool {
	got := r.values(c.key)
	switch {
	case c.null:
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, "true") == (len(got) == 0) })
	case len(got) == 0 && (c.ifSet || c.set == forAll):
		return true
	case len(got) == 0:
		return c.negated && c.set == single
	}
	passes := func(value string) bool {
		return c.negated != slices.ContainsFunc(c.values, func(want string) bool {
			want, ok := d.expand(want, r)
			if !ok {
				return false
			}
			if c.plain {
				want = literals.Replace(want)
			}
			return c.test(want, value)
		})
	}
	fails := func(value string) bool { return !passes(value) }
	switch {
	case c.set == forAll, c.set == single && c.negated:
		return !slices.ContainsFunc(got, fails)
	default:
		return slices.ContainsFunc(got, passes)
	}
}
