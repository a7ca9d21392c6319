package metric

import (
	"fmt"
	"math"
	"strings"
	"time"
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

// IsUTF8Name reports whether s can be the name of a metric where names may be
// any UTF-8, as in Prometheus since version 3: it is only not empty.
func IsUTF8Name(s string) bool {
	return s != "" && utf8.ValidString(s)
}

// IsUTF8LabelName reports whether s can be the name of a label where names may
// be any UTF-8: it is not empty, and does not start with two underscores.
func IsUTF8LabelName(s string) bool {
	return IsUTF8Name(s) && !strings.HasPrefix(s, "__")
}

// Validate reports the first thing that would make the description invalid in
// an exposition.
func (d Desc) Validate() error {
	if !IsUTF8Name(d.Name) {
		return fmt.Errorf("metric name %q is empty or not valid UTF-8", d.Name)
	}
	if !utf8.ValidString(d.Help) {
		return fmt.Errorf("help of %s is not valid UTF-8", d.Name)
	}
	if d.Unit != "" {
		rest, ok := strings.CutSuffix(strings.TrimSuffix(d.Name, "_total"), d.Unit)
		if !ok || !strings.HasSuffix(rest, "_") && !strings.HasSuffix(rest, ".") {
			return fmt.Errorf("metric name %s does not end in its unit %q", d.Name, d.Unit)
		}
	}
	return nil
}

// Validate reports the first thing that would make the sample invalid in a
// family of type t: labels that are invalid, out of order or there twice, or
// that the type needs for itself; a value that is not of the type, such as a
// negative counter.
func (s Sample) Validate(t Type) error {
	for i, l := range s.Labels {
		if err := l.validate(t); err != nil {
			return err
		}
		if i > 0 && s.Labels[i-1].Name >= l.Name {
			return fmt.Errorf("label %q is there twice, or labels are not sorted", l.Name)
		}
	}
	if !isTime(s.Time) || !isTime(s.Created) {
		return fmt.Errorf("time is not of the years 1970 to 9999")
	}
	if err := s.Exemplar.validate(); err != nil {
		return err
	}
	isHistogram := t == Histogram || t == GaugeHistogram
	if isHistogram != (s.Histogram != nil) || (t == Summary) != (s.Summary != nil) {
		return fmt.Errorf("value is not that of a %s", t)
	}
	switch {
	case isHistogram:
		return s.Histogram.validate()
	case t == Summary:
		return s.Summary.validate()
	case t == Counter && (s.Value < 0 || math.IsNaN(s.Value)),
		t == Info && s.Value != 1,
		t == StateSet && s.Value != 0 && s.Value != 1:
		return fmt.Errorf("%s has the value %v", t, s.Value)
	}
	return nil
}

// isTime reports whether a time is unknown, or one that every format can write.
func isTime(t time.Time) bool {
	return t.IsZero() || t.Unix() >= 0 && t.UTC().Year() <= 9999
}

func (l Label) validate(t Type) error {
	switch {
	case !IsLabelName(l.Name) && !IsUTF8LabelName(l.Name):
		return fmt.Errorf("label name %q is empty, not valid UTF-8, or starts with two underscores", l.Name)
	case l.Name == "le" && (t == Histogram || t == GaugeHistogram), l.Name == "quantile" && t == Summary:
		return fmt.Errorf("label %q belongs to the %s", l.Name, t)
	case !utf8.ValidString(l.Value):
		return fmt.Errorf("value of label %q is not valid UTF-8", l.Name)
	}
	return nil
}

func (e *Exemplar) validate() error {
	if e == nil {
		return nil
	}
	if !isTime(e.Time) {
		return fmt.Errorf("exemplar: time is not of the years 1970 to 9999")
	}
	for i, l := range e.Labels {
		if err := l.validate(Unknown); err != nil {
			return fmt.Errorf("exemplar: %w", err)
		}
		for _, other := range e.Labels[:i] {
			if other.Name == l.Name {
				return fmt.Errorf("exemplar: label %q is there twice", l.Name)
			}
		}
	}
	return nil
}
