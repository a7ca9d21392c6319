package rule

import (
	"path"
	"strings"
)

// checkGlob reports whether a pattern is valid.
func checkGlob(pattern string) error {
	_, err := path.Match(pattern, "")
	return err
}

// matchAny reports whether one of some valid patterns matches s. In a label
// key a slash is a character like any other, which path.Match would treat as a
// separator: it stands as a NUL on both sides.
func matchAny(patterns []string, s string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(noSlash(p), noSlash(s)); ok && err == nil {
			return true
		}
	}
	return false
}

func noSlash(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == '/' {
			b[i] = 0
		}
	}
	return string(b)
}

// isPattern reports whether a glob may match more than one text.
func isPattern(glob string) bool { return strings.ContainsAny(glob, `*?[\`) }
