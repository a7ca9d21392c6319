package ruletest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// seriesLine is a line of an exposition.
type seriesLine struct {
	text   string
	name   string         // empty for a comment
	labels []metric.Label // sorted by name
	value  float64
}

// parseSeries reads a line with a sample.
func parseSeries(text string) (seriesLine, error) {
	name := text
	if end := strings.IndexAny(text, "{ "); end >= 0 {
		name = text[:end]
	}
	samples, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: name}, []byte(text))
	if err != nil {
		return seriesLine{}, fmt.Errorf("not a line of an exposition: %q", text)
	}
	s := seriesLine{text: text, name: name, labels: samples[0].Labels, value: samples[0].Value}
	slices.SortFunc(s.labels, func(a, b metric.Label) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// same reports whether two lines are of the same series.
func (s seriesLine) same(other seriesLine) bool {
	return s.name == other.name && metric.CompareLabels(s.labels, other.labels) == 0
}

// pattern is a line of a subset.
type pattern struct {
	seriesLine
	line      int // in its file, from 1
	not       bool
	anyLabels bool // a bare name
	anyValue  bool
}

// parsePatterns reads a subset: what must be among the lines of an exposition
// and, behind "! ", what must not. Labels stand in any order. A series without a
// value has any, a bare name is any series of that name. Comments other than
// those of an exposition are passed over.
func parsePatterns(text string) ([]pattern, error) {
	var out []pattern
	for i, line := range splitLines(text) {
		p := pattern{line: i + 1}
		rest, not := strings.CutPrefix(strings.TrimSpace(line), "! ")
		p.text, p.not = strings.TrimSpace(rest), not
		if p.text == "" || strings.HasPrefix(p.text, "#") {
			if isHeader(p.text) {
				out = append(out, p)
			}
			continue
		}
		series := squeeze(p.text)
		p.anyLabels = !strings.ContainsAny(series, "{ ")
		s, err := parseSeries(series)
		if err != nil {
			err = fmt.Errorf("not a line of an exposition: %q", p.text)
			var second error
			if s, second = parseSeries(series + " 0"); second != nil || !metric.IsName(s.name) {
				return nil, lineError{i + 1, err}
			}
			p.anyValue = true
		}
		p.name, p.labels, p.value = s.name, s.labels, s.value
		out = append(out, p)
	}
	return out, nil
}

// squeeze takes out the blanks that people put between labels; before the value
// one stays.
func squeeze(text string) string {
	var b strings.Builder
	quoted, braces, blank := false, false, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\' && i+1 < len(text):
			b.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ' ', c == '\t':
			blank = true
			continue
		case c == '{', c == '}':
			braces = c == '{'
		}
		if blank && !braces && c != '}' {
			b.WriteByte(' ')
		}
		blank = false
		b.WriteByte(c)
	}
	return b.String()
}

// lineError is what is wrong with a line, from 1, of some text.
type lineError struct {
	line int
	error
}

// isHeader reports whether a comment is one of an exposition.
func isHeader(text string) bool {
	return strings.HasPrefix(text, "# HELP ") || strings.HasPrefix(text, "# TYPE ") || strings.HasPrefix(text, "# UNIT ")
}

// matches reports whether the pattern stands for a line.
func (p pattern) matches(s seriesLine) bool {
	switch {
	case p.name == "" || s.name == "":
		return p.text == s.text
	case p.anyLabels:
		return p.name == s.name
	}
	return p.same(s) && (p.anyValue || p.value == s.value || math.IsNaN(p.value) && math.IsNaN(s.value))
}

// maxNear is how many lines are shown in place of one that is missing.
const maxNear = 5

// check compares the pattern with all lines. It returns what to show, "" if the
// pattern holds.
func (p pattern) check(lines []seriesLine) string {
	var hits, near, family []string
	for _, s := range lines {
		switch {
		case p.matches(s):
			hits = append(hits, s.text)
		case p.name == "" || p.name != s.name:
		case p.same(s):
			near = append(near, s.text)
		default:
			family = append(family, s.text)
		}
	}
	switch {
	case p.not && len(hits) > 0:
		return "-! " + p.text + "\n" + shown(hits)
	case p.not || len(hits) > 0:
		return ""
	case len(near) > 0:
		return "-" + p.text + "\n" + shown(near)
	}
	return "-" + p.text + "\n" + shown(family)
}

// shown returns some lines that came instead.
func shown(lines []string) string {
	var b strings.Builder
	for _, text := range lines[:min(maxNear, len(lines))] {
		b.WriteString("+" + text + "\n")
	}
	if more := len(lines) - maxNear; more > 0 {
		fmt.Fprintf(&b, "+(%d more of this name)\n", more)
	}
	return b.String()
}

// parseExposition reads the lines of a whole exposition.
func parseExposition(text string) ([]seriesLine, error) {
	var out []seriesLine
	for _, line := range splitLines(text) {
		if strings.HasPrefix(line, "#") {
			out = append(out, seriesLine{text: line})
			continue
		}
		s, err := parseSeries(line)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
