package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// nearest says why no series matches.
func (e *Explanation) nearest(p *page, all *rule.Set) {
	e.switchedOff(p, all)
	for i, d := range e.set.Families() {
		if e.wanted[i] {
			e.family(p, i, &d)
		}
	}
}

// switchedOff says which families and rules flags leave out, and when there is
// no such family at all.
func (e *Explanation) switchedOff(p *page, all *rule.Set) {
	here := make(map[string]bool)
	for _, m := range e.set.Readings() {
		here[m.At.String()] = true
	}
	known := false
	var names []string
	for _, m := range all.Readings() {
		names = append(names, m.Desc.Name)
		if !e.sel.family(&m.Desc) {
			continue
		}
		known = true
		switch off := e.disabled(m.Metric); {
		case here[m.At.String()]:
		case len(off) > 0:
			p.entry(1, "rule", "%s", ruleText(m.Metric))
			p.line(2, "switched off: --enable %s switches it on", strings.Join(off, ","))
		default:
			p.entry(1, "rule", "%s", ruleText(m.Metric))
			p.line(2, "left out: --metric-allowlist or --metric-denylist does not let %s through", m.Desc.Name)
		}
	}
	if !known && e.sel.name != "" {
		p.line(1, "no rule gives a family %s%s", e.sel.name, rule.Suggest(e.sel.name, names))
	} else if !known {
		p.line(1, "no rule gives such a family")
	}
}

// disabled are the opt-in groups of a metric that are not enabled.
func (e *Explanation) disabled(m *rule.Metric) []string {
	return slices.DeleteFunc(slices.Clone(m.Enable), func(g string) bool { return slices.Contains(e.opts.Enabled, g) })
}

// family says for each rule of a family what kept it from giving the series.
func (e *Explanation) family(p *page, family int, d *metric.Desc) {
	conditions := e.sel.conditions(d)
	stops := e.stops(family, conditions)
	for _, r := range e.set.Readings() {
		if r.Family != family {
			continue
		}
		p.entry(1, "rule", "%s", ruleText(r.Metric))
		if r.Transition != nil {
			p.line(2, "it counts changes, and objects in files never change: only a server that watches has its series")
		}
		own := slices.DeleteFunc(slices.Clone(stops), func(s stop) bool { return s.trace.Metric != r.Metric })
		if len(own) == 0 {
			e.kinds(p, &r)
			continue
		}
		e.stopped(p, d, own)
	}
}

// stop is what kept an object from giving a series that is asked for.
type stop struct {
	contribution
	differs []string // labels
}

// stops returns the stops of a family.
func (e *Explanation) stops(family int, conditions []matcher) []stop {
	var out []stop
	for _, t := range e.sorted(family) {
		for i := range t.Results {
			r := &t.Results[i]
			differs := mismatches(conditions, r.Labels, r.Given && r.State == "")
			out = append(out, stop{contribution{t, r}, differs})
		}
	}
	return out
}

// stopped shows the objects that come nearest.
func (e *Explanation) stopped(p *page, d *metric.Desc, stops []stop) {
	distance := make(map[*rule.Trace]int)
	for _, s := range stops {
		if best, known := distance[s.trace]; !known || len(s.differs) < best {
			distance[s.trace] = len(s.differs)
		}
	}
	nearest := slices.Min(slices.Collect(maps.Values(distance)))
	shown, further := 0, 0
	for len(stops) > 0 {
		t := stops[0].trace
		n := slices.IndexFunc(stops, func(s stop) bool { return s.trace != t })
		if n < 0 {
			n = len(stops)
		}
		if distance[t] == nearest && shown < maxExplained {
			shown++
			e.object(p, d, stops[:n])
		} else {
			further++
		}
		stops = stops[n:]
	}
	if further > 0 {
		p.line(2, "and %d more objects, none of them nearer", further)
	}
}

// object shows what an object gave instead.
func (e *Explanation) object(p *page, d *metric.Desc, stops []stop) {
	p.entry(2, "object", "%s", objectText(stops[0].trace))
	for _, l := range stops[0].trace.Lookups {
		p.entry(3, "lookup", "%s is %s", l.Name, l.Text)
	}
	stops = slices.Clone(stops)
	slices.SortStableFunc(stops, func(a, b stop) int { return cmp.Compare(len(a.differs), len(b.differs)) })
	for i, s := range stops {
		if i == maxExplained {
			p.line(3, "and %d more", len(stops)-i)
			return
		}
		e.reason(p, d, s)
	}
}

// reason shows one thing that an object gave, or did not give.
func (e *Explanation) reason(p *page, d *metric.Desc, s stop) {
	r := s.result
	switch {
	case r.State != "":
		p.line(3, "the state is %q: %s", r.State, strings.Join(r.From, "; "))
	case r.Given:
		p.line(3, "%s: %s", strings.Join(s.differs, "; "), seriesText(d, &metric.Sample{Labels: r.Labels, Value: r.Value}))
	default:
		why := r.Why
		if len(s.differs) > 0 {
			why = strings.Join(s.differs, "; ") + "; " + why
		}
		p.line(3, "%s", why)
		for _, more := range r.From {
			p.line(4, "%s", more)
		}
	}
	if !r.Given {
		for _, step := range r.Steps {
			p.entry(4, step.Name, "%s", step.Text)
		}
	}
}

// kinds says why a rule was not evaluated for any object.
func (e *Explanation) kinds(p *page, r *rule.Reading) {
	if r.Discovered {
		p.line(2, "its resource discovers none of the kinds among the objects: %s", e.there())
		return
	}
	asks := r.GVK.String()
	if r.GVK.Version == "" {
		asks += ", whatever the version"
	}
	var versions []string
	selected := 0
	for _, o := range e.objects {
		gvk := kindOf(o)
		if gvk.Group != r.GVK.Group || gvk.Kind != r.GVK.Kind && r.GVK.Kind != "*" {
			continue
		}
		if r.GVK.Version == "" || r.GVK.Version == gvk.Version {
			selected++
		} else {
			versions = append(versions, gvk.Version)
		}
	}
	slices.Sort(versions)
	switch {
	case selected > 0:
		p.line(2, "it asks for %s: %d objects are of the kind, and %s leaves them out", asks, selected, e.selection(r))
	case len(versions) > 0:
		p.line(2, "it asks for version %s of %s: the objects are of %s", r.GVK.Version, rule.GVK{Group: r.GVK.Group, Kind: r.GVK.Kind},
			strings.Join(slices.Compact(versions), ", "))
	default:
		p.line(2, "it asks for %s, of which there is no object: %s", asks, e.there())
	}
}

// there says which objects there are.
func (e *Explanation) there() string {
	counts := make(map[rule.GVK]int)
	for _, o := range e.objects {
		counts[kindOf(o)]++
	}
	parts := make([]string, 0, len(counts))
	for _, gvk := range slices.SortedFunc(maps.Keys(counts), rule.GVK.Compare) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[gvk], gvk))
	}
	if len(parts) == 0 {
		return "there are no objects"
	}
	return "there are " + strings.Join(parts, ", ")
}

// selection says which selector leaves objects out.
func (e *Explanation) selection(r *rule.Reading) string {
	for _, o := range e.objects {
		for _, program := range e.set.Programs(rule.Served{GVK: kindOf(o), Best: true}) {
			s := program.Selection()
			switch {
			case !slices.Contains(program.Families(), r.Family):
			case s.Labels != "" && s.Fields != "":
				return fmt.Sprintf("selector %s with fieldSelector %s", s.Labels, s.Fields)
			case s.Labels != "":
				return "selector " + s.Labels
			case s.Fields != "":
				return "fieldSelector " + s.Fields
			}
		}
	}
	return "the selector of the resource"
}

// silent says what the objects of a family did not give, besides what they did.
func (e *Explanation) silent(p *page) {
	first := true
	for i, d := range e.set.Families() {
		if !e.wanted[i] {
			continue
		}
		stops := slices.DeleteFunc(e.stops(i, nil), func(s stop) bool { return s.result.Given })
		slices.SortStableFunc(stops, func(a, b stop) int {
			return cmp.Compare(e.order[a.trace.Metric], e.order[b.trace.Metric])
		})
		for j := range stops {
			t := stops[j].trace
			if j > 0 && stops[j-1].trace == t {
				continue
			}
			if first {
				p.line(0, "")
				p.line(0, "no series from")
				first = false
			}
			if j == 0 || stops[j-1].trace.Metric != t.Metric {
				p.entry(1, "rule", "%s", ruleText(t.Metric))
			}
			e.object(p, &d, slices.DeleteFunc(slices.Clone(stops), func(s stop) bool { return s.trace != t }))
		}
	}
}
