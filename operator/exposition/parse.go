package exposition

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// ParseSamples reads the sample lines of one family, as [AppendSample] writes
// them: name, labels, value, without timestamps or exemplars. Comment lines and
// empty lines are passed over; the samples of any other name are an error.
func ParseSamples(name string, lines []byte) ([]metric.Sample, error) {
	var out []metric.Sample
	for n := 1; len(lines) > 0; n++ {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		s, err := parseSample(name, string(line))
		if err != nil {
			return out, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseSample(name, line string) (metric.Sample, error) {
	var s metric.Sample
	rest, ok := strings.CutPrefix(line, name)
	if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
		return s, fmt.Errorf("not a sample of %s: %q", name, line)
	}
	if rest[0] == '{' {
		var err error
		if s.Labels, rest, err = parseLabels(rest[1:]); err != nil {
			return s, fmt.Errorf("%w: %q", err, line)
		}
	}
	text, ok := strings.CutPrefix(rest, " ")
	if !ok {
		return s, fmt.Errorf("no space before the value: %q", line)
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return s, fmt.Errorf("not a number: %q", text)
	}
	s.Value = value
	return s, nil
}

// parseLabels reads labels up to the closing brace and returns what follows it.
func parseLabels(s string) (labels []metric.Label, rest string, err error) {
	for {
		if rest, ok := strings.CutPrefix(s, "}"); ok {
			return labels, rest, nil
		}
		name, quoted, ok := strings.Cut(s, `="`)
		if !ok || !metric.IsLabelName(name) {
			return nil, "", fmt.Errorf("expected a label")
		}
		value, after, err := unquote(quoted)
		if err != nil {
			return nil, "", err
		}
		labels = append(labels, metric.Label{Name: name, Value: value})
		s = strings.TrimPrefix(after, ",")
		if s == after && !strings.HasPrefix(s, "}") {
			return nil, "", fmt.Errorf("expected a comma or a closing brace")
		}
	}
}

// unquote reads a label value up to its closing quote.
func unquote(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			switch {
			case i == len(s):
				return "", "", fmt.Errorf("the label value ends in a backslash")
			case s[i] == 'n':
				b.WriteByte('\n')
			case s[i] == '\\', s[i] == '"':
				b.WriteByte(s[i])
			default:
				return "", "", fmt.Errorf("unknown escape \\%c", s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", fmt.Errorf("the label value has no closing quote")
}
