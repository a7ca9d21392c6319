package exposition

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Escaping says what becomes of names that are not legacy names, those of
// [metric.IsName] and [metric.IsLabelName]. A scraper asks for it with the
// parameter "escaping" of its Accept header. The zero value is [Underscores].
type Escaping uint8

// The schemes that Prometheus knows.
const (
	// Underscores puts an underscore for each character that is not allowed.
	// Different names may become one.
	Underscores Escaping = iota
	// AllowUTF8 leaves names as they are; they are written in quotes.
	AllowUTF8
	// Dots writes "_dot_" for a dot and two underscores for an underscore or any
	// other character. As in client_golang, legacy names stay as they are.
	Dots
	// Values writes a name as "U__" and the characters that are not allowed as
	// their numbers, so that the name can be had back.
	Values
)

var escapingNames = [...]string{Underscores: "underscores", AllowUTF8: "allow-utf-8", Dots: "dots", Values: "values"}

// String returns the value of the parameter "escaping" for the scheme.
func (e Escaping) String() string {
	if int(e) < len(escapingNames) {
		return escapingNames[e]
	}
	return escapingNames[Underscores]
}

func parseEscaping(s string) Escaping {
	for e, name := range escapingNames {
		if name == s {
			return Escaping(e)
		}
	}
	return Underscores
}

// Keeps reports whether the scheme leaves all names of the family as they are.
func (e Escaping) Keeps(f *metric.Family) bool {
	if e == AllowUTF8 {
		return true
	}
	if !metric.IsName(f.Name) {
		return false
	}
	for i := range f.Samples {
		for _, l := range f.Samples[i].Labels {
			if !isLegacyLabel(l.Name) {
				return false
			}
		}
	}
	return true
}

// Escape returns the family with its names escaped, but for those in exemplars.
// Samples whose labels become one label are not valid afterwards; that is not
// checked. What is the same in both families is shared between them.
func (e Escaping) Escape(f metric.Family) metric.Family {
	if e.Keeps(&f) {
		return f
	}
	out := metric.Family{Desc: f.Desc, Samples: make([]metric.Sample, len(f.Samples))}
	if out.Name = e.name(f.Name, true); out.Name != f.Name {
		out.Unit = "" // the name does not have to end in it any more
	}
	for i, s := range f.Samples {
		labels := make([]metric.Label, len(s.Labels))
		for j, l := range s.Labels {
			labels[j] = metric.Label{Name: e.name(l.Name, false), Value: l.Value}
		}
		metric.SortLabels(labels)
		s.Labels = labels
		out.Samples[i] = s
	}
	return out
}

// LabelName returns the name of a label as the scheme has it.
func (e Escaping) LabelName(name string) string { return e.name(name, false) }

// name escapes one name.
func (e Escaping) name(s string, colon bool) string {
	if e == AllowUTF8 || isLegacyLabel(s) || colon && metric.IsName(s) {
		return s
	}
	var b strings.Builder
	if e == Values {
		b.WriteString("U__")
	}
	for i, r := range s {
		switch {
		case e != Underscores && r == '_':
			b.WriteString("__")
		case r < utf8.RuneSelf && isNameByte(byte(r), i, colon):
			b.WriteRune(r)
		case e == Dots && r == '.':
			b.WriteString("_dot_")
		case e == Dots:
			b.WriteString("__")
		case e == Values:
			b.WriteByte('_')
			b.WriteString(strconv.FormatInt(int64(r), 16))
			b.WriteByte('_')
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// isLegacyLabel reports whether a label's name needs no quotes. Names that begin
// with two underscores are made by escaping.
func isLegacyLabel(s string) bool {
	return metric.IsName(s) && !strings.Contains(s, ":")
}

func isNameByte(c byte, at int, colon bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		return true
	case c >= '0' && c <= '9':
		return at > 0
	default:
		return c == ':' && colon
	}
}
