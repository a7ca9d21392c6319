package metric

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// IsName reports whether s matches [a-zA-Z_:][a-zA-Z0-9_:]*, the metric names
// that every version of Prometheus reads without escaping.
func IsName(s string) bool {
	return isName(s, true)
}

// IsLabelName reports whether s matches [a-zA-Z_][a-zA-Z0-9_]* and does not
// start with two underscores, which Prometheus keeps for itself.
func IsLabelName(s string) bool {
	return isName(s, false) && !strings.HasPrefix(s, "__")
}

func isName(s string, colon bool) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case c >= '0' && c <= '9' && i > 0:
		case c == ':' && colon:
		default:
			return false
		}
	}
	return s != ""
}

// SanitizeLabelName makes a label name of any string: a character outside
// [a-zA-Z0-9_] becomes an underscore, a leading digit gets one in front, and of
// several leading underscores one stays. A name that is valid is returned as it
// is, without allocation. The empty string gives "_".
func SanitizeLabelName(s string) string {
	if IsLabelName(s) {
		return s
	}
	b := make([]byte, 0, len(s)+1)
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b = append(b, byte(r))
		default:
			b = append(b, '_')
		}
	}
	for len(b) > 1 && b[0] == '_' && b[1] == '_' {
		b = b[1:]
	}
	if len(b) == 0 || b[0] >= '0' && b[0] <= '9' {
		b = append([]byte{'_'}, b...)
	}
	return string(b)
}

// Validate reports the first thing that would make the description invalid in
// an exposition.
func (d Desc) Validate() error {
	if !IsName(d.Name) {
		return fmt.Errorf("metric name %q does not match [a-zA-Z_:][a-zA-Z0-9_:]*", d.Name)
	}
	if !utf8.ValidString(d.Help) {
		return fmt.Errorf("help of %s is not valid UTF-8", d.Name)
	}
	if d.Unit != "" && !strings.HasSuffix(strings.TrimSuffix(d.Name, "_total"), "_"+d.Unit) {
		return fmt.Errorf("metric name %s does not end in its unit %q", d.Name, d.Unit)
	}
	return nil
}

// Validate reports the first thing that would make the sample invalid in a
// family of type t: a label name that is invalid, out of order or there twice,
// a value that is not UTF-8, a counter that is negative or not a number.
func (s Sample) Validate(t Type) error {
	for i, l := range s.Labels {
		if !IsLabelName(l.Name) {
			return fmt.Errorf("label name %q does not match [a-zA-Z_][a-zA-Z0-9_]*", l.Name)
		}
		if i > 0 && s.Labels[i-1].Name >= l.Name {
			return fmt.Errorf("label %q is there twice, or labels are not sorted", l.Name)
		}
		if !utf8.ValidString(l.Value) {
			return fmt.Errorf("value of label %q is not valid UTF-8", l.Name)
		}
	}
	if t == Counter && (s.Value < 0 || math.IsNaN(s.Value)) {
		return fmt.Errorf("counter has the value %v", s.Value)
	}
	return nil
}
