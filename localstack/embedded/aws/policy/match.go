package policy

import (
	"slices"
	"strings"
)

// A pattern character of the language is * or ?, escaped as a private character where a policy variable means it literally.
const (
	literalStar   = '\ue000'
	literalMark   = '\ue001'
	literalDollar = '\ue002'
)

var literals = strings.NewReplacer(string(literalStar), "*", string(literalMark), "?", string(literalDollar), "$")

// like tells whether s matches a pattern with * and ?.
func like(pattern, s string) bool {
	p, r := []rune(pattern), []rune(s)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(r) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == r[j] || literal(p[i]) == r[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

func literal(r rune) rune {
	switch r {
	case literalStar:
		return '*'
	case literalMark:
		return '?'
	case literalDollar:
		return '$'
	}
	return -1
}

// likeARN matches two ARNs part by part, so that a wildcard stays within its part; the sixth has the rest. A pattern with
// fewer parts stands for any value in those that are missing.
func likeARN(pattern, arn string) bool {
	if pattern == "*" {
		return true
	}
	want, got := splitARN(pattern), strings.SplitN(arn, ":", 6)
	if len(got) != len(want) {
		return like(pattern, arn) && len(got) < 6 && !strings.HasPrefix(pattern, "arn:")
	}
	for i := range want {
		if !like(want[i], got[i]) {
			return false
		}
	}
	return true
}

func splitARN(pattern string) []string {
	parts := strings.SplitN(pattern, ":", 6)
	if parts[0] != "arn" {
		return parts
	}
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	return parts
}

func likeAction(pattern, action string) bool {
	if pattern == "*" {
		return true
	}
	wantPrefix, want, _ := strings.Cut(strings.ToLower(pattern), ":")
	prefix, name, _ := strings.Cut(strings.ToLower(action), ":")
	return wantPrefix == prefix && like(want, name)
}

// expand replaces the policy variables of a pattern. It is false if one has no value, and then nothing matches.
func (d *Document) expand(pattern string, r *Request) (string, bool) {
	if !d.variables || !strings.Contains(pattern, "${") {
		return pattern, true
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !ok {
			return b.String(), true
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString("${" + rest)
			return b.String(), true
		}
		pattern = after
		switch name {
		case "*":
			b.WriteRune(literalStar)
			continue
		case "?":
			b.WriteRune(literalMark)
			continue
		case "$":
			b.WriteRune(literalDollar)
			continue
		}
		key, fallback := variable(name)
		values := r.values(key)
		switch {
		case len(values) == 1:
			b.WriteString(escape(values[0]))
		case fallback != nil:
			b.WriteString(escape(*fallback))
		default:
			return "", false
		}
	}
}

// escape makes a value match itself only.
func escape(s string) string {
	return strings.NewReplacer("*", string(literalStar), "?", string(literalMark)).Replace(s)
}

// variable reads the inside of ${aws:username} or ${aws:username, 'nobody'}.
func variable(name string) (key string, fallback *string) {
	key, text, ok := strings.Cut(name, ",")
	if ok {
		text = strings.Trim(strings.TrimSpace(text), "'")
		fallback = &text
	}
	return strings.ToLower(strings.TrimSpace(key)), fallback
}

// variablesIn returns the keys of the policy variables in a text.
func (d *Document) variablesIn(text string) []string {
	var keys []string
	for d.variables {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			break
		}
		if !slices.Contains([]string{"*", "?", "$"}, name) {
			key, _ := variable(name)
			keys = append(keys, key)
		}
		text = after
	}
	return keys
}
