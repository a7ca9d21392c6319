package rule

import (
	"fmt"
	"strconv"
	"strings"
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
	stepSegment
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

// LegacyPath makes a path of segments as kube-state-metrics' paths have them: a
// key, which is an index where there is a list, or [key=value].
func LegacyPath(segments []string) (Path, error) {
	p := make(Path, 0, len(segments))
	for _, s := range segments {
		inner, bracket := strings.CutPrefix(s, "[")
		inner, closed := strings.CutSuffix(inner, "]")
		key, value, isPair := strings.Cut(inner, "=")
		i, err := strconv.Atoi(s)
		switch {
		case bracket && closed && !isPair:
			return nil, fmt.Errorf("path segment %q: a lookup in a list is written [key=value]", s)
		case bracket && closed:
			p = append(p, Match(key, value))
		case err == nil:
			p = append(p, Step{kind: stepSegment, key: s, index: i})
		default:
			p = append(p, Field(s))
		}
	}
	return p, nil
}

// Walk returns the value at the end of the path, or nil when a step finds
// nothing.
func (p Path) Walk(v any) any {
	for i := range p {
		s := &p[i]
		kind := s.kind
		if kind == stepSegment {
			kind = stepField
			if _, isList := v.([]any); isList {
				kind = stepIndex
			}
		}
		switch kind {
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
