package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// page is indented text for people.
type page struct{ strings.Builder }

// line writes a line at an indentation.
func (p *page) line(indent int, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	p.WriteString(strings.TrimRight(strings.Repeat("  ", indent)+text, " ") + "\n")
}

// entry writes a line that starts with what it is about.
func (p *page) entry(indent int, name, format string, args ...any) {
	p.line(indent, "%-10s %s", name, fmt.Sprintf(format, args...))
}

// Text returns the whole explanation. all is the set with everything that flags
// switch off.
func (e *Explanation) Text(all *rule.Set) string {
	p := &page{}
	for i := range e.matched {
		if i > 0 {
			p.line(0, "")
		}
		e.series(p, &e.matched[i])
	}
	if !e.Found() {
		p.line(0, "no series matches %s", e.sel.text)
		e.nearest(p, all)
	} else if len(e.sel.matchers) == 0 {
		e.silent(p)
	}
	return p.String()
}

// series explains a series that there is.
func (e *Explanation) series(p *page, s *matchedSeries) {
	d := &e.set.Families()[s.family]
	p.line(0, "%s", seriesText(d, &s.sample))
	from := e.contributions(s)
	if len(from) == 0 {
		return
	}
	if a := from[0].trace.Metric.Aggregate; a != nil {
		e.aggregate(p, a, from)
		return
	}
	for i, c := range from {
		if i > 0 {
			p.line(0, "and the same series again, which a scrape may refuse: %s", number(c.result.Value))
		}
		p.entry(1, "rule", "%s", ruleText(c.trace.Metric))
		p.entry(1, "object", "%s", objectText(c.trace))
		e.path(p, 1, c)
		e.labels(p, c.result.Sources)
		e.value(p, 1, c)
		limitLines(p, c.trace.Metric)
		for _, note := range c.result.Notes {
			p.entry(1, "note", "%s", note)
		}
	}
}

// seriesText writes a series with its value.
func seriesText(d *metric.Desc, s *metric.Sample) string {
	if h := s.Histogram; h != nil {
		series, _, _ := strings.Cut(string(exposition.AppendSample(nil, d.Name, s.Labels, 0)), " 0\n")
		return fmt.Sprintf("%s: a histogram of %s values, their sum is %s", series, number(h.Count), number(h.Sum))
	}
	return strings.TrimSuffix(string(exposition.AppendSample(nil, d.Name, s.Labels, s.Value)), "\n")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// ruleText says which rule it is.
func ruleText(m *rule.Metric) string {
	text := fmt.Sprintf("%s of %s, %s", m.Name, m.Document, m.At)
	if m.Document == m.At.File {
		text = fmt.Sprintf("%s, %s", m.Name, m.At)
	}
	if len(m.Enable) > 0 {
		text += ", in opt-in group " + strings.Join(m.Enable, ", ")
	}
	return text
}

func objectText(t *rule.Trace) string {
	name := metadataText(t.Object, "name")
	if namespace := metadataText(t.Object, "namespace"); namespace != "" {
		name = namespace + "/" + name
	}
	return strings.TrimSpace(t.GVK.String() + " " + name)
}

// path says what leads from the object to the sample.
func (e *Explanation) path(p *page, indent int, c contribution) {
	for _, d := range c.trace.Lookups {
		p.entry(indent, "lookup", "%s is %s", d.Name, d.Text)
	}
	for _, d := range c.result.Steps {
		p.entry(indent, d.Name, "%s", d.Text)
	}
}

// labels says where labels come from.
func (e *Explanation) labels(p *page, sources []rule.LabelSource) {
	if len(sources) == 0 {
		return
	}
	p.line(1, "labels")
	names, width := make([]string, len(sources)), 0
	for i, s := range sources {
		names[i] = s.Name + "=" + strconv.Quote(s.Value)
		if s.Value == "" {
			names[i] = "no " + s.Name
		}
		width = max(width, len(names[i]))
	}
	for i, s := range sources {
		p.line(2, "%-*s  %s", min(width, 40), names[i], s.From)
	}
}

// value says where the value comes from.
func (e *Explanation) value(p *page, indent int, c contribution) {
	for i, line := range c.result.From {
		name := "value"
		if i > 0 {
			name = ""
		}
		p.entry(indent, name, "%s", line)
	}
	if c.trace.Metric.Age {
		age := float64(e.opts.Now.UnixMilli()-int64(c.result.Value*1000)) / 1000
		p.entry(indent, "age", "%s s, at %s", number(age), e.opts.Now.UTC().Format(time.RFC3339))
	}
}

func limitLines(p *page, m *rule.Metric) {
	for _, l := range m.Limits {
		var parts []string
		if l.Series > 0 {
			parts = append(parts, fmt.Sprintf("%d series", l.Series))
		}
		if n := l.PerObject(); n > 0 {
			parts = append(parts, fmt.Sprintf("%d series of one object", n))
		}
		for _, label := range slices.Sorted(maps.Keys(l.Labels)) {
			parts = append(parts, fmt.Sprintf("%d values of label %s", l.Labels[label], label))
		}
		p.entry(1, "limit", "%s in %s", strings.Join(parts, ", "), l.Where)
	}
}

// aggregate explains a series that is made of many samples.
func (e *Explanation) aggregate(p *page, a *rule.Aggregate, from []contribution) {
	rules := make(map[*rule.Metric]bool)
	objects := make(map[string]bool)
	for _, c := range from {
		rules[c.trace.Metric], objects[objectText(c.trace)] = true, true
	}
	p.entry(1, "aggregate", "%s of %d samples from %d objects", a.Op, len(from), len(objects))
	done := make(map[*rule.Metric]bool)
	for i, c := range from {
		if m := c.trace.Metric; !done[m] {
			done[m] = true
			p.entry(1, "rule", "%s", ruleText(m))
			e.labels(p, c.result.Sources)
			limitLines(p, m)
		}
		if i == maxExplained {
			p.line(1, "and %d more samples", len(from)-i)
			return
		}
		p.entry(1, "object", "%s adds %s", objectText(c.trace), e.added(&c))
		e.path(p, 2, c)
		e.value(p, 2, c)
	}
}

// added is what a sample adds to an aggregate.
func (e *Explanation) added(c *contribution) string {
	if c.trace.Metric.Age {
		return "an age"
	}
	return number(c.result.Value)
}

// maxExplained bounds how many things of a kind are explained.
const maxExplained = 20
