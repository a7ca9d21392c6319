package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Explanation gathers why rules give some series for objects, and others not.
// It is the [rule.Tracer] of their evaluation.
type Explanation struct {
	sel     *Selector
	set     *rule.Set
	objects []map[string]any
	opts    Options
	order   map[*rule.Metric]int // of the rules
	wanted  map[int]bool         // families
	traces  map[traceKey]*rule.Trace
	matched []matchedSeries
	made    map[string][]contribution // what makes a series, by its text
}

// traceKey names a metric and an object. An object may be evaluated more than
// once; the last time counts.
type traceKey struct {
	metric          *rule.Metric
	gvk             rule.GVK
	namespace, name string
}

// matchedSeries is a series that is asked about. Objects may give it more than
// once; the sample is the first.
type matchedSeries struct {
	family int
	sample metric.Sample
}

// Options say how the objects are evaluated.
type Options struct {
	// Enabled are the opt-in groups that are switched on.
	Enabled []string
	// Now is when ages are computed.
	Now time.Time
}

// New returns an explanation of what a set gives for objects, which it keeps. It
// has to be the tracer of their evaluation, and then to be shown what that gave
// with [Explanation.Match], before it has anything to tell.
func New(sel *Selector, set *rule.Set, objects []map[string]any, opts Options) *Explanation {
	e := &Explanation{
		sel: sel, set: set, objects: slices.Clone(objects), opts: opts,
		order: make(map[*rule.Metric]int), wanted: make(map[int]bool), traces: make(map[traceKey]*rule.Trace),
	}
	families := set.Families()
	for i := range families {
		e.wanted[i] = sel.family(&families[i])
	}
	for i, r := range set.Readings() {
		e.order[r.Metric] = i
	}
	return e
}

// Wants reports whether a metric is of a family that is asked about.
func (e *Explanation) Wants(m *rule.Metric) bool { return e.wanted[m.Family] }

// Trace keeps a trace.
func (e *Explanation) Trace(t *rule.Trace) {
	e.traces[traceKey{t.Metric, t.GVK, metadataText(t.Object, "namespace"), metadataText(t.Object, "name")}] = t
}

func metadataText(o map[string]any, field string) string {
	metadata, _ := o["metadata"].(map[string]any)
	s, _ := metadata[field].(string)
	return s
}

// kindOf returns the kind of an object.
func kindOf(o map[string]any) rule.GVK {
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	return rule.GVK{Group: group, Version: version, Kind: kind}
}

// Match finds the series that are asked about among all that there are. Families
// are in the text format.
func (e *Explanation) Match(families []exposition.Rendered) error {
	seen := make(map[string]bool)
	for i, d := range e.set.Families() {
		at := slices.IndexFunc(families, func(r exposition.Rendered) bool { return r.Name == d.Name })
		if !e.wanted[i] || at < 0 {
			continue
		}
		f, err := families[at].Parse(exposition.Text)
		if err != nil {
			return err
		}
		for _, s := range f.Samples {
			series := e.seriesKey(i, s.Labels)
			if !seen[series] && len(mismatches(e.sel.conditions(&d), s.Labels, true)) == 0 {
				seen[series] = true
				e.matched = append(e.matched, matchedSeries{i, s})
			}
		}
	}
	return nil
}

// Found reports whether there is a series that is asked about.
func (e *Explanation) Found() bool { return len(e.matched) > 0 }

// mismatches returns the conditions that labels do not meet. Of labels that are
// not complete, those that are absent may still come.
func mismatches(conditions []matcher, labels []metric.Label, complete bool) []string {
	var out []string
	for _, m := range conditions {
		i := slices.IndexFunc(labels, func(l metric.Label) bool { return l.Name == m.label })
		value := ""
		if i >= 0 {
			value = labels[i].Value
		} else if !complete {
			continue
		}
		if !m.matches(value) {
			out = append(out, m.differs(value))
		}
	}
	return out
}

// sorted returns the traces of a family: by object, then in rule order.
func (e *Explanation) sorted(family int) []*rule.Trace {
	var keys []traceKey
	for k := range e.traces {
		if k.metric.Family == family {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b traceKey) int {
		return cmp.Or(a.gvk.Compare(b.gvk), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name),
			cmp.Compare(e.order[a.metric], e.order[b.metric]))
	})
	out := make([]*rule.Trace, len(keys))
	for i, k := range keys {
		out[i] = e.traces[k]
	}
	return out
}

// contribution is a sample that makes a series, or goes into one.
type contribution struct {
	trace  *rule.Trace
	result *rule.Result
}

// contributions returns what makes a series.
func (e *Explanation) contributions(s *matchedSeries) []contribution {
	if e.made == nil {
		e.made = make(map[string][]contribution)
		for i := range e.set.Families() {
			for _, t := range e.sorted(i) {
				e.index(i, t)
			}
		}
	}
	return e.made[e.seriesKey(s.family, s.sample.Labels)]
}

// index finds the series that a trace has samples of.
func (e *Explanation) index(family int, t *rule.Trace) {
	for i := range t.Results {
		if r := &t.Results[i]; r.Given {
			key := e.seriesKey(family, r.Labels)
			e.made[key] = append(e.made[key], contribution{t, r})
		}
	}
}

// seriesKey names a series.
func (e *Explanation) seriesKey(family int, labels []metric.Label) string {
	return string(exposition.AppendSample(nil, e.set.Families()[family].Name, labels, 0))
}
