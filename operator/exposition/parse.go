package exposition

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// ParseSamples reads the lines of one family, as [AppendSample] and
// [AppendLines] write them in the format, [Text] or [OpenMetrics]. Comment lines
// and empty lines are passed over; lines of any other family are an error. Those
// of a histogram or summary become one sample for each label set; what is told
// apart by nothing but the order of lines is not checked.
func ParseSamples(f Format, d metric.Desc, lines []byte) ([]metric.Sample, error) {
	p := parser{format: f, desc: d}
	err := p.lines(lines)
	return p.samples, err
}

// lines reads whole lines, which may go on in the next call.
func (p *parser) lines(lines []byte) error {
	for n := 1; len(lines) > 0; n++ {
		var text []byte
		text, lines, _ = bytes.Cut(lines, []byte("\n"))
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if err := p.line(string(text)); err != nil {
			return fmt.Errorf("line %d: %w: %q", n, err, text)
		}
	}
	return nil
}

type parser struct {
	format  Format
	desc    metric.Desc
	samples []metric.Sample
	index   map[string]int // of distributions, by their labels
}

// parsed is one line.
type parsed struct {
	suffix string // of the name, behind that of the family
	metric.Sample
}

func (p *parser) line(text string) error {
	x, err := p.parse(text)
	if err != nil {
		return err
	}
	switch {
	case p.desc.Type == metric.Histogram, p.desc.Type == metric.GaugeHistogram:
		return p.histogram(x)
	case p.desc.Type == metric.Summary:
		return p.summary(x)
	case x.suffix != "":
		return fmt.Errorf("not a sample of %s", p.desc.Name)
	}
	p.samples = append(p.samples, x.Sample)
	return nil
}

func (p *parser) histogram(x parsed) error {
	var bound float64
	var err error
	switch x.suffix {
	case "_sum", "_count":
	case "_bucket":
		if bound, err = takeBound(&x, "le"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("not a line of the histogram %s", p.desc.Name)
	}
	s := p.distribution(x.Sample)
	if s.Histogram == nil {
		s.Histogram = new(metric.HistogramValue)
	}
	switch h := s.Histogram; x.suffix {
	case "_sum":
		h.Sum = x.Value
	case "_count":
		h.Count = x.Value
	default:
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: bound, Count: x.Value, Exemplar: x.Exemplar})
	}
	return nil
}

func (p *parser) summary(x parsed) error {
	var bound float64
	var err error
	switch x.suffix {
	case "_sum", "_count":
	case "":
		if bound, err = takeBound(&x, "quantile"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("not a line of the summary %s", p.desc.Name)
	}
	s := p.distribution(x.Sample)
	if s.Summary == nil {
		s.Summary = new(metric.SummaryValue)
	}
	switch x.suffix {
	case "_sum":
		s.Summary.Sum = x.Value
	case "_count":
		s.Summary.Count = x.Value
	default:
		s.Summary.Quantiles = append(s.Summary.Quantiles, metric.Quantile{Quantile: bound, Value: x.Value})
	}
	return nil
}

// distribution returns the sample that has the labels of x, which is made if
// there is none. Lines of one sample follow each other as a rule.
func (p *parser) distribution(x metric.Sample) *metric.Sample {
	if n := len(p.samples); n > 0 && metric.CompareLabels(p.samples[n-1].Labels, x.Labels) == 0 {
		return &p.samples[n-1]
	}
	key := string(appendLabelKey(nil, x.Labels))
	if i, ok := p.index[key]; ok {
		return &p.samples[i]
	}
	if p.index == nil {
		p.index = make(map[string]int)
	}
	p.index[key] = len(p.samples)
	p.samples = append(p.samples, metric.Sample{Labels: x.Labels, Time: x.Time})
	return &p.samples[len(p.samples)-1]
}

func appendLabelKey(dst []byte, labels []metric.Label) []byte {
	dst, _ = appendLabels(dst, ',', labels)
	return dst
}

// takeBound removes the label that the type has for itself, and returns its
// value.
func takeBound(x *parsed, name string) (float64, error) {
	for i, l := range x.Labels {
		if l.Name == name {
			x.Labels = append(x.Labels[:i:i], x.Labels[i+1:]...)
			return strconv.ParseFloat(l.Value, 64)
		}
	}
	return 0, fmt.Errorf("no label %s", name)
}

// parse reads a line: name, labels, value, and perhaps a timestamp and an
// exemplar.
func (p *parser) parse(text string) (parsed, error) {
	var x parsed
	rest, err := p.name(text, &x)
	if err != nil {
		return x, err
	}
	numbers, exemplar, hasExemplar := strings.Cut(rest, " # ")
	if hasExemplar && p.format == OpenMetrics {
		if x.Exemplar, err = parseExemplar(exemplar); err != nil {
			return x, err
		}
	} else {
		numbers = rest
	}
	text, ok := strings.CutPrefix(numbers, " ")
	if !ok {
		return x, fmt.Errorf("no space before the value")
	}
	x.Value, x.Time, err = parseNumbers(p.format, text)
	return x, err
}

// name reads the name, which may be in quotes behind the opening brace, and the
// labels.
func (p *parser) name(text string, x *parsed) (rest string, err error) {
	var name string
	quoted := strings.HasPrefix(text, `{"`)
	if quoted {
		if name, rest, err = unquote(text[2:]); err != nil {
			return "", err
		}
	} else {
		end := strings.IndexAny(text, "{ ")
		if end < 0 {
			return "", fmt.Errorf("no value")
		}
		name, rest = text[:end], text[end:]
	}
	var ok bool
	if x.suffix, ok = strings.CutPrefix(name, p.desc.Name); !ok || name == "" {
		return "", fmt.Errorf("not a sample of %s", p.desc.Name)
	}
	switch {
	case quoted && strings.HasPrefix(rest, ","):
		rest = rest[1:]
	case quoted && !strings.HasPrefix(rest, "}"):
		return "", fmt.Errorf("expected a comma or a closing brace behind the name")
	case !quoted && rest[0] != '{':
		return rest, nil
	case !quoted:
		rest = rest[1:]
	}
	x.Labels, rest, err = parseLabels(rest)
	return rest, err
}

func parseNumbers(f Format, text string) (value float64, t time.Time, err error) {
	text, stamp, stamped := strings.Cut(text, " ")
	if value, err = strconv.ParseFloat(text, 64); err != nil {
		return 0, t, fmt.Errorf("not a number: %q", text)
	}
	if stamped {
		t, err = parseTime(f, stamp)
	}
	return value, t, err
}

func parseTime(f Format, text string) (time.Time, error) {
	if f != OpenMetrics {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("not a timestamp in milliseconds: %q", text)
		}
		return time.UnixMilli(ms), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(seconds) > 1e12 || math.IsNaN(seconds) {
		return time.Time{}, fmt.Errorf("not a timestamp in seconds: %q", text)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))), nil
}

func parseExemplar(text string) (*metric.Exemplar, error) {
	text, ok := strings.CutPrefix(text, "{")
	if !ok {
		return nil, fmt.Errorf("expected the labels of an exemplar")
	}
	e := new(metric.Exemplar)
	var err error
	if e.Labels, text, err = parseLabels(text); err != nil {
		return nil, err
	}
	if text, ok = strings.CutPrefix(text, " "); !ok {
		return nil, fmt.Errorf("no space before the value of the exemplar")
	}
	e.Value, e.Time, err = parseNumbers(OpenMetrics, text)
	return e, err
}

// parseLabels reads labels up to the closing brace and returns what follows it.
func parseLabels(s string) (labels []metric.Label, rest string, err error) {
	for {
		if rest, ok := strings.CutPrefix(s, "}"); ok {
			return labels, rest, nil
		}
		var l metric.Label
		if l, s, err = parseLabel(s); err != nil {
			return nil, "", err
		}
		labels = append(labels, l)
		after := s
		s = strings.TrimPrefix(after, ",")
		if s == after && !strings.HasPrefix(s, "}") {
			return nil, "", fmt.Errorf("expected a comma or a closing brace")
		}
	}
}

func parseLabel(s string) (l metric.Label, rest string, err error) {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		if l.Name, s, err = unquote(quoted); err != nil {
			return l, "", err
		}
		if s, ok = strings.CutPrefix(s, `="`); !ok || !metric.IsUTF8LabelName(l.Name) {
			return l, "", fmt.Errorf("expected a label")
		}
	} else if l.Name, s, ok = strings.Cut(s, `="`); !ok || !metric.IsLabelName(l.Name) {
		return l, "", fmt.Errorf("expected a label")
	}
	l.Value, rest, err = unquote(s)
	return l, rest, err
}

// unquote reads a label value up to its closing quote.
func unquote(s string) (value, rest string, err error) {
	if end := strings.IndexAny(s, `"\`); end >= 0 && s[end] == '"' {
		return s[:end], s[end+1:], nil
	}
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
