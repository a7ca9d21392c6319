// Package glob matches names of metric families with patterns in which a star
// stands for any characters, or none. Nothing else in a pattern is special. Its
// functions are safe for concurrent use.
package glob

import "strings"

// Match reports whether the whole name matches the pattern. It takes no more
// steps than the product of both lengths.
func Match(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	for ok {
		var part string
		if part, rest, star = strings.Cut(rest, "*"); !star {
			return strings.HasSuffix(name, part)
		}
		// The first place is as good as any: what comes before is the star's.
		_, name, ok = strings.Cut(name, part)
	}
	return false
}

// MatchAny reports whether the name matches one of the patterns.
func MatchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if Match(p, name) {
			return true
		}
	}
	return false
}
