package operator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/internal/selfmetric"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// gather calls all selected sources at once and merges what they gave. Sources
// count in registration order, whatever the order in which they answered, so that
// equal input gives equal output. The errors are those of the sources, in that
// order.
func (o *Operator) gather(ctx context.Context, f exposition.Format, e exposition.Escaping, selected selection) ([]*gathered, []error) {
	o.mu.Lock()
	sources, base, prefix := slices.Clone(o.sources), o.ctx, o.prefix
	o.mu.Unlock()

	results := make([]result, len(sources))
	owners := make([]owner, len(sources))
	errs := make([]error, len(sources))
	up := make([]bool, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		if !selected.has(s.name) {
			up[i] = s.lastErr() == nil
			continue
		}
		wg.Go(func() {
			var first bool
			var err error
			if results[i], first, err = s.call(ctx, base, lineFormat(f)); err != nil {
				errs[i] = fmt.Errorf("collector %q: %w", s.name, err)
			}
			owners[i], up[i] = owner{s, first}, err == nil
		})
	}
	wg.Wait()

	m := newMerge(prefix, e)
	for i := range sources {
		for _, r := range results[i].rendered {
			m.addRendered(owners[i], r, f)
		}
		for _, family := range results[i].families {
			m.addFamily(owners[i], family)
		}
	}
	m.join()
	if prefix != "" && !selected.only {
		clear(m.reserved)
		for _, family := range o.selfMetrics(prefix, sources, up) {
			m.addFamily(owner{}, family)
		}
		m.join()
	}
	families := m.sorted()
	descs := make([]*metric.Desc, len(families))
	for i := range families {
		descs[i] = &families[i].Desc
	}
	exposition.Disambiguate(f, descs)
	return families, errs
}

// gathered is one family on its way into an exposition: either rendered by a
// part, or put together from the samples of collectors.
type gathered struct {
	metric.Family
	part   bool               // it belongs to a part alone
	chunks []exposition.Chunk // of the part, unless they had to be parsed
	shares []share            // of collectors, if it is not a part's
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
	escaping exposition.Escaping
}

// newMerge returns a merge that keeps the names of self-metrics with a prefix,
// if it is not empty, from being used.
func newMerge(prefix string, e exposition.Escaping) *merge {
	m := &merge{
		families: make(map[string]*gathered), series: make(map[string]*gathered),
		reserved: make(map[string]bool), escaping: e,
	}
	if prefix != "" {
		for _, name := range selfmetric.Names(prefix) {
			m.reserved[e.Escape(metric.Family{Desc: metric.Desc{Name: name}}).Name] = true
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

// addRendered adds a part's family, whose lines are in the format for lines that
// goes with f.
func (m *merge) addRendered(o owner, r exposition.Rendered, f exposition.Format) {
	switch err := r.Validate(); {
	case err != nil:
		o.drop(droppedInvalid, 1, err)
	case f == exposition.Protobuf || !m.escaping.Keeps(&metric.Family{Desc: r.Desc}):
		m.addParsed(o, r, lineFormat(f))
	default:
		g := m.claim(r.Desc)
		if g == nil {
			o.drop(droppedConflict, 1, errTaken(r.Desc))
			return
		}
		g.part, g.chunks = true, r.Chunks
	}
}

// addParsed adds a part's family as data.
func (m *merge) addParsed(o owner, r exposition.Rendered, f exposition.Format) {
	family, err := r.Parse(f)
	if err != nil {
		o.drop(droppedInvalid, 1, err)
		return
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

// lineFormat returns the format of the lines that parts are asked for.
func lineFormat(f exposition.Format) exposition.Format {
	if f == exposition.Text {
		return exposition.Text
	}
	return exposition.OpenMetrics
}

// write encodes the family.
func (g *gathered) write(w *exposition.Writer) {
	if g.chunks != nil {
		w.WriteRendered(exposition.Rendered{Desc: g.Desc, Chunks: g.chunks})
	} else {
		w.WriteFamily(g.Family)
	}
}
