package operator

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/internal/selfmetric"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// gathered is one family on its way into an exposition: either rendered by a
// part, or put together from the samples of collectors.
type gathered struct {
	metric.Family
	part     bool                 // it belongs to a part alone
	rendered *exposition.Rendered // of the part, unless it had to be parsed
	shares   []share              // of collectors, if it is not a part's
}

// share is what one source has given to a family.
type share struct {
	owner   owner
	samples []metric.Sample
}

// owner is the source of something, and whether this scrape counts what is
// dropped of it: scrapes that share a call must not count it twice.
type owner struct {
	source *source
	counts bool
}

func (o owner) drop(reason dropped, n int, err error) {
	if o.counts && n > 0 {
		o.source.drop(reason, n, err)
	}
}

func (o owner) dropAll(r result) {
	for reason, n := range r.dropped {
		o.drop(dropped(reason), int(n), r.why[reason])
	}
}

// errTaken says why a family is in conflict.
func errTaken(d metric.Desc) error {
	return fmt.Errorf("%s, a %s: the name, or that of one of its series, belongs to another collector, part or type", d.Name, d.Type)
}

// merge puts families together. It belongs to one scrape.
type merge struct {
	families map[string]*gathered
	series   map[string]*gathered // by the names of their series
	reserved map[string]bool      // names that nobody may use but the Operator
	view
}

// newMerge returns a merge that keeps the names of self-metrics with a prefix,
// if it is not empty, from being used.
func newMerge(prefix string, v view) *merge {
	m := &merge{
		families: make(map[string]*gathered), series: make(map[string]*gathered),
		reserved: make(map[string]bool), view: v,
	}
	if prefix != "" {
		for _, name := range selfmetric.Names(prefix) {
			m.reserved[v.escaping.Escape(metric.Family{Desc: metric.Desc{Name: name}}).Name] = true
		}
	}
	return m
}

// claim takes the names of a family's series, or none if one is taken.
func (m *merge) claim(d metric.Desc) *gathered {
	names := seriesNames(d)
	for _, name := range names {
		if m.series[name] != nil || m.reserved[name] {
			return nil
		}
	}
	g := &gathered{Family: metric.Family{Desc: d}}
	for _, name := range names {
		m.series[name] = g
	}
	m.families[d.Name] = g
	return g
}

// seriesNames returns the names that the series of a family have in the text
// formats, and the family's own.
func seriesNames(d metric.Desc) []string {
	switch d.Type {
	case metric.Histogram, metric.GaugeHistogram:
		return []string{d.Name, d.Name + "_bucket", d.Name + "_sum", d.Name + "_count"}
	case metric.Summary:
		return []string{d.Name, d.Name + "_sum", d.Name + "_count"}
	default:
		return []string{d.Name}
	}
}

// addPart adds the families of a part. Those whose names have to be escaped come
// last: who calls one "a.b" must not take the name "a_b" from another, as a part
// may have them from many who know nothing of each other.
func (m *merge) addPart(o owner, families []exposition.Rendered, lines exposition.Format) {
	for _, escaped := range []bool{false, true} {
		for _, r := range families {
			if m.renames(r.Desc) == escaped {
				m.addRendered(o, r, lines)
			}
		}
	}
}

// renames reports whether the name of a family has to be escaped.
func (m *merge) renames(d metric.Desc) bool {
	return m.escaping != exposition.AllowUTF8 && !metric.IsName(d.Name)
}

// addRendered adds a part's family, whose lines are in the format lines.
func (m *merge) addRendered(o owner, r exposition.Rendered, lines exposition.Format) {
	if r.UTF8 && r.Escaped != nil && !m.data && m.escaping != exposition.AllowUTF8 && !m.renames(r.Desc) {
		r.Lines, r.UTF8 = r.Escaped(m.escaping), false
	}
	switch err := r.Validate(); {
	case err != nil:
		o.drop(droppedInvalid, 1, err)
	case m.data, m.format == exposition.Protobuf && lines != exposition.Protobuf, !m.keeps(&r):
		m.addParsed(o, r, lines)
	default:
		g := m.claim(r.Desc)
		if g == nil {
			o.drop(droppedConflict, 1, errTaken(r.Desc))
			return
		}
		g.part, g.rendered = true, &r
	}
}

// keeps reports whether no name in a part's family has to be escaped.
func (m *merge) keeps(r *exposition.Rendered) bool {
	return m.escaping == exposition.AllowUTF8 || !r.UTF8 && m.escaping.Keeps(&metric.Family{Desc: r.Desc})
}

// addParsed adds a part's family as data. Lines may have their labels in any
// order.
func (m *merge) addParsed(o owner, r exposition.Rendered, lines exposition.Format) {
	family, err := r.Parse(lines)
	if err != nil {
		o.drop(droppedInvalid, 1, err)
		return
	}
	for i := range family.Samples {
		s := &family.Samples[i]
		s.Labels = normalized(s.Labels, nil)
	}
	tidied := tidy([]metric.Family{family})
	o.dropAll(tidied)
	for _, family := range tidied.families {
		if !m.escaping.Keeps(&family) {
			family = m.escaped(o, family)
		}
		g := m.claim(family.Desc)
		if g == nil {
			o.drop(droppedConflict, 1, errTaken(family.Desc))
			return
		}
		g.part, g.Samples = true, family.Samples
	}
}

// addFamily adds a family that is as [tidy] leaves it.
func (m *merge) addFamily(o owner, f metric.Family) {
	if !m.escaping.Keeps(&f) {
		f = m.escaped(o, f)
	}
	m.share(o, f)
}

// escaped escapes the names of a family, and drops what becomes the same by it.
func (m *merge) escaped(o owner, f metric.Family) metric.Family {
	f = m.escaping.Escape(f)
	before := len(f.Samples)
	f.Samples = slices.DeleteFunc(f.Samples, func(s metric.Sample) bool {
		for i := 1; i < len(s.Labels); i++ {
			if s.Labels[i-1].Name == s.Labels[i].Name {
				return true
			}
		}
		return false
	})
	o.drop(droppedInvalid, before-len(f.Samples), fmt.Errorf("%s: two labels have one name once it is escaped (%s)", f.Name, m.escaping))
	o.drop(droppedDuplicate, sortSamples(&f), fmt.Errorf("%s: two samples have the same labels once they are escaped (%s)", f.Name, m.escaping))
	return f
}

func (m *merge) share(o owner, f metric.Family) {
	if len(f.Samples) == 0 {
		return
	}
	g := m.families[f.Name]
	if g == nil {
		g = m.claim(f.Desc)
	}
	if g == nil || g.part || g.Type != f.Type {
		o.drop(droppedConflict, len(f.Samples), errTaken(f.Desc))
		return
	}
	g.shares = append(g.shares, share{o, f.Samples})
}

// join makes one of the shares that were added to each family since the last
// time. Of equal series the first in registration order stays.
func (m *merge) join() {
	for _, g := range m.families {
		switch len(g.shares) {
		case 0:
		case 1:
			g.Samples = g.shares[0].samples
		default:
			g.joinShares()
		}
		g.shares = nil
	}
}

func (g *gathered) joinShares() {
	type owned struct {
		metric.Sample
		owner owner
	}
	var all []owned
	for _, s := range g.shares {
		for _, x := range s.samples {
			all = append(all, owned{x, s.owner})
		}
	}
	slices.SortStableFunc(all, func(a, b owned) int { return metric.CompareLabels(a.Labels, b.Labels) })
	g.Samples = make([]metric.Sample, 0, len(all))
	for _, x := range all {
		if n := len(g.Samples); n > 0 && metric.CompareLabels(g.Samples[n-1].Labels, x.Labels) == 0 {
			x.owner.drop(droppedDuplicate, 1, fmt.Errorf("%s: another collector has given a sample with the same labels", g.Name))
			continue
		}
		g.Samples = append(g.Samples, x.Sample)
	}
}

func (m *merge) sorted() []*gathered {
	out := make([]*gathered, 0, len(m.families))
	for _, g := range m.families {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *gathered) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// write encodes the family.
func (g *gathered) write(w *exposition.Writer) {
	if g.rendered == nil {
		w.WriteFamily(g.Family)
		return
	}
	r := *g.rendered
	r.Desc = g.Desc // the type may have changed
	w.WriteRendered(r)
}
