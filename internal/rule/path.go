package rule

import (
	"strconv"
)

// Path leads from a value to one below it.
type Path []Step

// Step is one step of a [Path].
type Step struct {
	kind  stepKind
	key   string
	value string
	index int
}

type stepKind uint8

const (
	stepField stepKind = iota
	stepIndex
	stepMatch
)

// Field is the step to the value of a map's key.
func Field(key string) Step { return Step{kind: stepField, key: key} }

// Index is the step to an element of a list, counted from its end if negative.
func Index(i int) Step { return Step{kind: stepIndex, index: i} }

// Match is the step to the first element of a list that is a map and has the
// value under the key. Numbers and booleans are compared by their text.
func Match(key, value string) Step { return Step{kind: stepMatch, key: key, value: value} }

// Walk returns the value at the end of the path, or nil when a step finds
// nothing.
func (p Path) Walk(v any) any {
	if len(p) == 1 && p[0].kind == stepField { // the usual case
		m, _ := v.(map[string]any)
		return m[p[0].key]
	}
	for i := range p {
		s := &p[i]
		switch s.kind {
		case stepField:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[s.key]
		case stepIndex:
			list, ok := v.([]any)
			n := s.index
			if n < 0 {
				n += len(list)
			}
			if !ok || n < 0 || n >= len(list) {
				return nil
			}
			v = list[n]
		case stepMatch:
			v = s.match(v)
		}
		if v == nil {
			return nil
		}
	}
	return v
}

func (s *Step) match(v any) any {
	list, _ := v.([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && equalText(m[s.key], s.value) {
			return m
		}
	}
	return nil
}

func equalText(v any, text string) bool {
	switch x := v.(type) {
	case string:
		return x == text
	case bool:
		return strconv.FormatBool(x) == text
	case int64:
		return strconv.FormatInt(x, 10) == text
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64) == text
	default:
		return false
	}
}
