package redis

import "strings"

// matches is Redis's glob: * ? [abc] [^a] [a-z], and \ before a character that is meant as such. Unlike path.Match's, * and ?
// match a slash and a class may be left open.
func matches(pattern, s string) bool {
	afterStar, retry, starred := "", "", false // where to go on when the rest does not match: * takes one more character
	for s != "" || pattern != "" {
		if strings.HasPrefix(pattern, "*") {
			pattern = pattern[1:]
			afterStar, retry, starred = pattern, s, true
			continue
		}
		if s != "" && pattern != "" {
			if ok, rest := matchOne(pattern, s[0]); ok {
				pattern, s = rest, s[1:]
				continue
			}
		}
		if !starred || retry == "" {
			return false
		}
		retry = retry[1:]
		pattern, s = afterStar, retry
	}
	return true
}

// matchOne matches one character with the first element of a pattern, and returns the rest of the pattern.
func matchOne(pattern string, c byte) (matched bool, rest string) {
	switch {
	case pattern[0] == '?':
		return true, pattern[1:]
	case pattern[0] == '\\' && len(pattern) > 1:
		return pattern[1] == c, pattern[2:]
	case pattern[0] != '[':
		return pattern[0] == c, pattern[1:]
	}
	class := pattern[1:]
	not := strings.HasPrefix(class, "^")
	class = strings.TrimPrefix(class, "^")
	for class != "" && class[0] != ']' {
		switch {
		case class[0] == '\\' && len(class) > 1:
			matched = matched || class[1] == c
			class = class[2:]
		case len(class) > 2 && class[1] == '-':
			low, high := min(class[0], class[2]), max(class[0], class[2])
			matched = matched || low <= c && c <= high
			class = class[3:]
		default:
			matched = matched || class[0] == c
			class = class[1:]
		}
	}
	if class != "" {
		class = class[1:]
	}
	return matched != not, class
}
