package lint

import (
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/schema"
)

// way is what a schema says of a path.
type way struct {
	schema.Result
	// Missing is set when the path is known to lead nowhere; At is how far it
	// leads then, Step the one that follows, and Type that of the value there.
	Missing bool
	At      []string
	Step    string
}

// prefix names the place that a path that leads nowhere fails at.
func (w way) prefix() string { return strings.Join(append(slices.Clone(w.At), w.Step), "\x00") }

// named reports whether it is the name of a field that is missing, and not
// fields as such.
func (w way) named() bool { return w.Type == "object" || w.Type == "map" }

// follow follows the steps of a rule's path through a schema.
func follow(s *schema.Schema, path []string) way { return followFrom(s, nil, nil, path) }

// followFrom goes on behind some steps, which exist; shown are those of the path
// that led there.
func followFrom(s *schema.Schema, steps []schema.Step, shown, rest []string) way {
	here := s.Find(steps)
	for len(rest) > 0 {
		step := rest[0]
		next := schema.Step{Field: step}
		switch {
		case step == rule.Through && here.Type == "":
			return way{}
		case step == rule.Through && here.Type != "list":
			rest = rest[1:]
			continue
		case step == rule.Element && here.Type == "object" && len(here.Fields) > 0:
			return followAny(s, here, steps, shown, rest[1:])
		case step == rule.Through, step == rule.Element:
			step, next = rule.Element, schema.Step{Element: true}
		}
		steps = append(slices.Clip(steps), next)
		found := s.Find(steps)
		if !found.Found {
			return way{Result: found, Missing: found.Known, At: shown, Step: step}
		}
		here, shown, rest = found, append(slices.Clip(shown), step), rest[1:]
	}
	return way{Result: here}
}

// followAny follows the rest of a path from all fields of an object. It exists
// where one of them has it, and is missing where none can have it.
func followAny(s *schema.Schema, here schema.Result, steps []schema.Step, shown, rest []string) way {
	// A field that nobody has tells whether there may be others than are listed.
	missing := way{Result: s.Find(append(slices.Clip(steps), schema.Step{Field: "\x00"}))}
	if missing.Found || !missing.Known {
		return way{}
	}
	for _, field := range here.Fields {
		w := followFrom(s, append(slices.Clip(steps), schema.Step{Field: field}), append(slices.Clip(shown), rule.Element), rest)
		if !w.Missing {
			return w
		}
		if !missing.Missing || w.named() && !missing.named() {
			missing = w
		}
	}
	return missing
}

// shownPath writes a path as rules do.
func shownPath(path []string) string {
	var b strings.Builder
	for _, step := range path {
		switch {
		case step == rule.Through:
		case step == rule.Element:
			b.WriteString("[]")
		case isIdentifier(step) && b.Len() > 0:
			b.WriteString("." + step)
		case isIdentifier(step):
			b.WriteString(step)
		default:
			b.WriteString(`["` + step + `"]`)
		}
	}
	return b.String()
}

func isIdentifier(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
