package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// String returns the path as it is written behind a name.
func (p Path) String() string {
	var b strings.Builder
	for i := range p {
		switch s := &p[i]; s.kind {
		case stepField:
			if s.key != "" && identifier(s.key) == len(s.key) {
				b.WriteString("." + s.key)
			} else {
				b.WriteString("[" + strconv.Quote(s.key) + "]")
			}
		case stepIndex:
			fmt.Fprintf(&b, "[%d]", s.index)
		case stepMatch:
			fmt.Fprintf(&b, "[%s=%s]", s.key, s.value)
		}
	}
	return b.String()
}

// missing says why the path leads to nothing from a value that is at a place:
// what is there instead of the first step that finds nothing.
func (p Path) missing(v any, at string) string {
	for i := range p {
		step := p[i : i+1]
		next := step.Walk(v)
		if next == nil {
			return p[i].missing(v, at)
		}
		v, at = next, at+step.String()
	}
	return at + " is absent"
}

func (s *Step) missing(v any, at string) string {
	switch s.kind {
	case stepField:
		return missingField(v, at, s.key)
	case stepIndex:
		return missingIndex(v, at)
	default:
		return missingMatch(v, at, s.key)
	}
}

func missingField(v any, at, key string) string {
	switch x := v.(type) {
	case nil:
		return at + " is absent"
	case map[string]any:
		if _, there := x[key]; there {
			return at + Path{Field(key)}.String() + " is null"
		}
		if len(x) == 0 {
			return at + " is an empty map"
		}
		keys := sortedKeys(x)
		hint := ""
		if len(key) > 2 { // to a shorter one anything is near
			hint = suggest(key, keys)
		}
		return at + " has the fields " + some(keys) + hint
	case []any:
		return fmt.Sprintf("%s is a list of %d elements, which has no fields", at, len(x))
	default:
		return fmt.Sprintf("%s is %s, which has no fields", at, show(v))
	}
}

func missingIndex(v any, at string) string {
	switch x := v.(type) {
	case nil:
		return at + " is absent"
	case []any:
		return fmt.Sprintf("%s has %d elements", at, len(x))
	default:
		return fmt.Sprintf("%s is %s, not a list", at, typeName(v))
	}
}

func missingMatch(v any, at, key string) string {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return missingIndex(v, at)
	}
	var there []string
	for _, element := range list {
		m, _ := element.(map[string]any)
		if s, ok := text(m[key]); ok && !slices.Contains(there, s) {
			there = append(there, s)
		}
	}
	if len(there) == 0 {
		return fmt.Sprintf("no element of %s has %s", at, key)
	}
	return fmt.Sprintf("the elements of %s have %s %s", at, key, some(there))
}

// String returns the path as it is written behind a name.
func (p LegacyPath) String() string {
	var b strings.Builder
	for i := range p {
		switch s := &p[i]; {
		case s.lookup:
			b.WriteString(s.text)
		case s.isIndex:
			b.WriteString("[" + s.text + "]")
		default:
			b.WriteString(Path{Field(s.text)}.String())
		}
	}
	return b.String()
}

// Missing says why the path leads to nothing from a value that is at a place.
func (p LegacyPath) Missing(v any, at string) string {
	for i := range p {
		s := &p[i]
		next := s.get(v)
		if next == nil {
			return s.missing(v, at)
		}
		v, at = next, at+p[i:i+1].String()
	}
	return at + " is absent"
}

func (s *segment) missing(v any, at string) string {
	_, isList := v.([]any)
	_, isMap := v.(map[string]any)
	switch {
	case s.lookup && isMap:
		return at + " is a map, in which " + s.text + " finds nothing: it looks in lists"
	case s.lookup:
		return missingMatch(v, at, s.key)
	case s.isIndex && isList:
		return missingIndex(v, at)
	case isList:
		return missingField(v, at, s.text) + ": choose an element by its number or by [key=value]"
	default:
		return missingField(v, at, s.text)
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// maxNamed bounds how many words some names.
const maxNamed = 16

// some lists words, not all if there are many.
func some(words []string) string {
	if more := len(words) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:maxNamed], ", "), more)
	}
	return strings.Join(words, ", ")
}

// Show writes a value for people, in one line that is not too long.
func Show(v any) string { return show(v) }

func show(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return cut(strconv.Quote(x))
	case time.Time, time.Duration:
		s, _ := text(x)
		return s
	case map[string]any, []any:
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(x) != nil {
			return typeName(v)
		}
		return cut(strings.TrimSuffix(b.String(), "\n"))
	default:
		s, _ := text(v)
		return s
	}
}

// maxShown bounds the text of one value, in bytes.
const maxShown = 100

func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

// labelsText writes labels as they stand behind the name of a family.
func labelsText(labels []metric.Label) string {
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = l.Name + "=" + strconv.Quote(l.Value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}
