package line

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Line is a sample line that was taken apart. The zero value is ready for
// [Line.Parse]. The strings stay valid; Labels is used again by the next call.
type Line struct {
	// Name is that of the line, with suffixes such as "_bucket".
	Name string
	// Labels are in the order of the line, without escapes. Those with an empty
	// value are there too.
	Labels []metric.Label
	// Value is the number as it was written.
	Value string
	// Timestamp is the time as it was written: milliseconds, in OpenMetrics
	// seconds. It is empty if there is none.
	Timestamp string
	// Exemplar is what stands behind the "# " of an exemplar in OpenMetrics:
	// labels in braces, a value, perhaps a time. It is empty if there is none.
	Exemplar string

	renamed []int // scratch of Join
}

// Samples gives the sample lines of a body or of a part of it, each without its
// newline, and passes over comments and blank lines.
func Samples(lines []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(lines) > 0 {
			var text []byte
			text, lines, _ = bytes.Cut(lines, []byte("\n"))
			text = bytes.Trim(text, " \t\r")
			if len(text) > 0 && text[0] != '#' && !yield(text) {
				return
			}
		}
	}
}

// Parse reads one line, with or without its newline, into a new Line. Those who
// read many use [Line.Parse].
func Parse(text []byte, f exposition.Format) (Line, error) {
	var l Line
	err := l.Parse(text, f)
	return l, err
}

// Parse reads one line, with or without its newline, of the format [exposition.Text]
// or [exposition.OpenMetrics], and replaces what l had. It makes one copy of the
// text. After an error l is of no use until the next call.
func (l *Line) Parse(text []byte, f exposition.Format) error {
	*l = Line{Labels: l.Labels[:0], renamed: l.renamed}
	rest := string(bytes.Trim(text, " \t\r\n"))
	end := strings.IndexAny(rest, "{ \t")
	if end < 0 {
		return errors.New("there is no value")
	}
	if l.Name = rest[:end]; l.Name != "" && !metric.IsName(l.Name) {
		return fmt.Errorf("%.50q is no name of a metric", l.Name)
	}
	rest = skip(rest[end:])
	if inside, ok := strings.CutPrefix(rest, "{"); ok {
		var err error
		if rest, err = l.labels(inside); err != nil {
			return err
		}
	}
	if l.Name == "" {
		return errors.New("there is no name")
	}
	return l.numbers(skip(rest), f)
}

// skip returns s without blanks at its beginning.
func skip(s string) string {
	return strings.TrimLeft(s, " \t")
}

// labels reads up to the closing brace and returns what follows it. A quoted text
// without a value is the name of the metric.
func (l *Line) labels(rest string) (string, error) {
	for {
		rest = skip(rest)
		if after, ok := strings.CutPrefix(rest, "}"); ok {
			return after, nil
		}
		name, after, err := labelName(rest)
		if err != nil {
			return "", err
		}
		quoted := rest[0] == '"'
		rest = skip(after)
		if after, ok := strings.CutPrefix(rest, "="); ok {
			x := metric.Label{Name: name}
			if x.Value, rest, err = unquote(skip(after)); err != nil {
				return "", err
			}
			l.Labels = append(l.Labels, x)
		} else if quoted && l.Name == "" && name != "" {
			l.Name = name
		} else {
			return "", fmt.Errorf("there is no value of the label %.50q", name)
		}
		rest = skip(rest)
		if after, ok := strings.CutPrefix(rest, ","); ok {
			rest = after
		} else if !strings.HasPrefix(rest, "}") {
			return "", errors.New("there is no comma or closing brace behind a label")
		}
	}
}

// labelName reads a name, which may be in quotes.
func labelName(s string) (name, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return unquote(s)
	}
	end := strings.IndexAny(s, "= \t,}")
	if end < 0 {
		return "", "", errors.New("the labels have no end")
	}
	if name = s[:end]; !isLegacy(name) {
		return "", "", fmt.Errorf("%.50q is no name of a label", name)
	}
	return name, s[end:], nil
}

// unquote reads a text in double quotes. As in Prometheus, a backslash before
// anything but a backslash, a quote or an n is only a backslash.
func unquote(s string) (text, rest string, err error) {
	s, ok := strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", errors.New("there is no opening quote")
	}
	end := strings.IndexAny(s, `"\`)
	if end >= 0 && s[end] == '"' {
		return s[:end], s[end+1:], nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return b.String(), s[i+1:], nil
		}
		if c == '\\' && i+1 < len(s) {
			switch next := s[i+1]; next {
			case 'n':
				c, i = '\n', i+1
			case '\\', '"':
				c, i = next, i+1
			}
		}
		b.WriteByte(c)
	}
	return "", "", errors.New("there is no closing quote")
}

// numbers reads what follows the labels.
func (l *Line) numbers(rest string, f exposition.Format) error {
	l.Value, rest = word(rest)
	if l.Value == "" {
		return errors.New("there is no value")
	}
	if !isExemplar(rest, f) {
		l.Timestamp, rest = word(rest)
	}
	if isExemplar(rest, f) {
		l.Exemplar, rest = skip(rest[1:]), ""
		if !strings.HasPrefix(l.Exemplar, "{") {
			return errors.New("there are no labels of the exemplar")
		}
	}
	if rest != "" {
		return fmt.Errorf("%.50q follows the sample", rest)
	}
	return nil
}

func isExemplar(rest string, f exposition.Format) bool {
	return f == exposition.OpenMetrics && strings.HasPrefix(rest, "#")
}

// word returns what stands before the next blank, and what follows it.
func word(s string) (first, rest string) {
	if end := strings.IndexAny(s, " \t"); end >= 0 {
		return s[:end], skip(s[end:])
	}
	return s, ""
}

// isLegacy reports whether the name of a label needs no quotes.
func isLegacy(name string) bool {
	return metric.IsName(name) && strings.IndexByte(name, ':') < 0
}
