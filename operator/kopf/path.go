package kopf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// path leads from a value to one inside it. The text form of the package
// comment is unambiguous: parsePath reads what String writes.
type path []step

// step leads to an element of an object or a list.
type step struct {
	kind  stepKind
	key   string
	index int
}

type stepKind uint8

const (
	stepKey stepKind = iota
	stepIndex
	stepAny // every element
)

// String writes the path without a dot in front.
func (p path) String() string {
	var b []byte
	for i, s := range p {
		switch {
		case s.kind == stepIndex:
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = append(b, ']')
		case s.kind == stepAny:
			b = append(b, "[*]"...)
		case isPlain(s.key):
			if i > 0 {
				b = append(b, '.')
			}
			b = append(b, s.key...)
		default:
			b = append(b, '[')
			b = strconv.AppendQuote(b, s.key)
			b = append(b, ']')
		}
	}
	return string(b)
}

// size is how many bytes the keys of the path have.
func (p path) size() (n int) {
	for _, s := range p {
		n += len(s.key)
	}
	return n
}

// isPlain reports whether a key needs no quotes in a path.
func isPlain(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return strings.ContainsRune(`.[]"*`, r) || !unicode.IsPrint(r)
	})
}

// parsePattern reads a path whose first step is a probe.
func parsePattern(s string) (path, error) {
	if s == "" {
		return nil, errors.New("it is empty")
	}
	if s[0] != '[' {
		s = "." + s
	}
	return parsePath(s)
}

// parseRooted reads a path that begins with $, which is the value of a probe.
func parseRooted(s string) (path, error) {
	rest, ok := strings.CutPrefix(s, "$")
	if !ok {
		return nil, errors.New("it must begin with $")
	}
	return parsePath(rest)
}

// parsePath reads steps of the forms .key, .*, ["key"], [0] and [*].
func parsePath(s string) (path, error) {
	var p path
	for s != "" {
		var st step
		var err error
		switch s[0] {
		case '.':
			st, s, err = parseKey(s[1:])
		case '[':
			st, s, err = parseBracket(s)
		default:
			err = fmt.Errorf("at %q: a dot or a bracket must come here", s)
		}
		if err != nil {
			return nil, err
		}
		p = append(p, st)
	}
	return p, nil
}

func parseKey(s string) (st step, rest string, err error) {
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	switch key := s[:end]; {
	case key == "*":
		return step{kind: stepAny}, s[end:], nil
	case isPlain(key):
		return step{key: key}, s[end:], nil
	default:
		return step{}, "", fmt.Errorf("at %q: the key %q must be written as [%q]", s, key, key)
	}
}

func parseBracket(s string) (st step, rest string, err error) {
	if rest, ok := strings.CutPrefix(s, "[*]"); ok {
		return step{kind: stepAny}, rest, nil
	}
	if quoted, err := strconv.QuotedPrefix(s[1:]); err == nil && quoted[0] == '"' {
		key, err := strconv.Unquote(quoted)
		if rest, ok := strings.CutPrefix(s[1+len(quoted):], "]"); ok && err == nil {
			return step{key: key}, rest, nil
		}
	}
	inner, rest, closed := strings.Cut(s[1:], "]")
	index, err := strconv.ParseUint(inner, 10, 31)
	if err != nil || !closed {
		return step{}, "", fmt.Errorf(`at %q: brackets must hold a key in double quotes, a number or a star`, s)
	}
	return step{kind: stepIndex, index: int(index)}, rest, nil
}

// of returns the element of v that the step leads to.
func (s step) of(v any) (element any, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		if s.kind == stepKey {
			element, ok = v[s.key]
		}
	case []any:
		if s.kind == stepIndex && s.index < len(v) {
			return v[s.index], true
		}
	}
	return element, ok
}

// children calls f for each element of an object, by ascending key, or for each
// of the first so many elements of a list.
func children(v any, most int, f func(step, any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			f(step{key: key}, v[key])
		}
	case []any:
		for i, x := range v[:min(len(v), most)] {
			f(step{kind: stepIndex, index: i}, x)
		}
	}
}

// find calls f for everything that the path leads to, with the path from v that
// has no stars; f does not keep it. at is the path that has led to v.
func (p path) find(v any, at path, most int, f func(at path, found any)) {
	switch {
	case len(p) == 0:
		f(at, v)
	case p[0].kind == stepAny:
		children(v, most, func(s step, x any) { p[1:].find(x, append(at, s), most, f) })
	default:
		if x, ok := p[0].of(v); ok {
			p[1:].find(x, append(at, p[0]), most, f)
		}
	}
}

// covers reports whether a pattern leads to the value at a path, or to what
// holds it, and whether to exactly that.
func (p path) covers(at path) (covered, exactly bool) {
	if len(p) > len(at) {
		return false, false
	}
	for i, s := range p {
		if s.kind != stepAny && s != at[i] {
			return false, false
		}
	}
	return true, len(p) == len(at)
}

// coveredBy is covers for several patterns.
func (p path) coveredBy(patterns []path) (covered, exactly bool) {
	for _, pattern := range patterns {
		c, e := pattern.covers(p)
		covered, exactly = covered || c, exactly || e
	}
	return covered, exactly
}

func sortedKeys(m map[string]any) []string {
	return slices.Sorted(maps.Keys(m))
}
