package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// LegacyPath is a path as kube-state-metrics has them: a list of segments, each
// a key, an index into a list, or a [key=value] lookup in one.
type LegacyPath []segment

type segment struct {
	text    string
	index   int
	isIndex bool
	key     string // of key=value
	value   string
	lookup  bool // [key=value], an element of a list
	isPair  bool // key=value, a value of a map
}

// ParseLegacyPath compiles the segments of a path.
func ParseLegacyPath(segments []string) (LegacyPath, error) {
	p := make(LegacyPath, 0, len(segments))
	for _, text := range segments {
		s := segment{text: text}
		if i, err := strconv.Atoi(text); err == nil {
			s.index, s.isIndex = i, true
		}
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			s.lookup = true
			var ok bool
			if s.key, s.value, ok = strings.Cut(text[1:len(text)-1], "="); !ok {
				return nil, fmt.Errorf("path segment %q: a lookup in a list is written [key=value]", text)
			}
		} else if strings.Count(text, "=") == 1 {
			s.isPair = true
			s.key, s.value, _ = strings.Cut(text, "=")
		}
		p = append(p, s)
	}
	return p, nil
}

// Walk returns what the path leads to, or nil. The empty path leads to v itself.
func (p LegacyPath) Walk(v any) any {
	for i := range p {
		if v = p[i].get(v); v == nil {
			return nil
		}
	}
	return v
}

func (s *segment) get(v any) any {
	switch x := v.(type) {
	case map[string]any:
		switch {
		case s.lookup:
			return nil
		case s.isPair && x[s.key] == any(s.value):
			return s.value
		}
		return x[s.text]
	case []any:
		if s.isIndex {
			i := s.index
			if i < 0 {
				i += len(x)
			}
			if i < 0 || i >= len(x) {
				return nil
			}
			return x[i]
		}
		if s.lookup {
			for _, e := range x {
				if m, ok := e.(map[string]any); ok && s.matches(m[s.key]) {
					return m
				}
			}
		}
	}
	return nil
}

// matches compares as kube-state-metrics does: as text, as numbers or as
// booleans, whichever fits first.
func (s *segment) matches(v any) bool {
	switch x := v.(type) {
	case nil, map[string]any, []any:
		return false
	case string:
		if x == s.value {
			return true
		}
	case bool:
		if b, err := strconv.ParseBool(strings.ToLower(s.value)); err == nil && b == x {
			return true
		}
	}
	a, errA := ToNumber(v)
	b, errB := ToNumber(s.value)
	return errA == nil && errB == nil && a == b
}
