package operator

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// gather calls all sources at once and merges what they gave. Sources count in
// registration order, whatever the order in which they answered, so that equal
// input gives equal output.
func (o *Operator) gather(ctx context.Context, f exposition.Format) []*gathered {
	o.mu.Lock()
	sources, base, prefix := slices.Clone(o.sources), o.ctx, o.prefix
	o.mu.Unlock()

	results := make([]result, len(sources))
	owners := make([]owner, len(sources))
	errs := make([]error, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() {
			var first bool
			results[i], first, errs[i] = s.call(ctx, base, f)
			owners[i] = owner{s, first}
		})
	}
	wg.Wait()

	m := merge{families: make(map[string]*gathered), prefix: prefix}
	for i := range sources {
		for _, r := range results[i].rendered {
			m.addRendered(owners[i], r)
		}
		for j := range results[i].metrics {
			m.addMetric(owners[i], &results[i].metrics[j])
		}
	}
	m.deduplicate()
	if prefix != "" {
		m.prefix = ""
		for _, self := range o.selfMetrics(prefix, sources, errs) {
			m.addMetric(owner{}, &self)
		}
	}
	families := m.sorted()
	descs := make([]*metric.Desc, len(families))
	for i := range families {
		descs[i] = &families[i].desc
	}
	exposition.Disambiguate(f, descs)
	return families
}

// gathered is one family on its way into an exposition: either rendered by a
// part, or put together from the samples of collectors.
type gathered struct {
	desc    metric.Desc
	part    bool
	chunks  []exposition.Chunk
	samples []ownedSample
}

type ownedSample struct {
	metric.Sample
	owner owner
}

// owner is the source of something, and whether this scrape counts what is
// dropped of it: scrapes that share a call must not count it twice.
type owner struct {
	source *source
	counts bool
}

func (o owner) drop(why dropped) {
	if o.counts {
		o.source.drop(why)
	}
}

// merge puts families together. It belongs to one scrape.
type merge struct {
	families map[string]*gathered
	prefix   string // of names that nobody else may use; empty for none
}

// reserved reports whether a name is that of a self-metric.
func (m *merge) reserved(name string) bool {
	suffix, ok := strings.CutPrefix(name, m.prefix)
	return ok && m.prefix != "" && slices.Contains(selfMetricNames, suffix)
}

func (m *merge) addRendered(o owner, r exposition.Rendered) {
	switch {
	case r.Validate() != nil:
		o.drop(droppedInvalid)
	case m.families[r.Name] != nil, m.reserved(r.Name):
		o.drop(droppedConflict)
	default:
		m.families[r.Name] = &gathered{desc: r.Desc, part: true, chunks: r.Chunks}
	}
}

func (m *merge) addMetric(o owner, x *Metric) {
	sample := metric.Sample{Labels: x.Labels, Value: x.Value}
	g := m.families[x.Name]
	if g == nil {
		g = &gathered{desc: metric.Desc{Name: x.Name, Help: x.Help, Unit: x.Unit, Type: x.Type}}
		if g.desc.Validate() != nil {
			o.drop(droppedInvalid)
			return
		}
	}
	switch {
	case g.part, g.desc.Type != x.Type, m.reserved(x.Name):
		o.drop(droppedConflict)
	case sample.Validate(x.Type) != nil:
		o.drop(droppedInvalid)
	default:
		m.families[x.Name] = g
		g.samples = append(g.samples, ownedSample{sample, o})
	}
}

// deduplicate sorts each family's samples by their labels and keeps the first
// of equal ones, in registration order.
func (m *merge) deduplicate() {
	for _, g := range m.families {
		slices.SortStableFunc(g.samples, func(a, b ownedSample) int {
			return metric.CompareLabels(a.Labels, b.Labels)
		})
		kept := g.samples[:0]
		for i, s := range g.samples {
			if i > 0 && metric.CompareLabels(kept[len(kept)-1].Labels, s.Labels) == 0 {
				s.owner.drop(droppedDuplicate)
				continue
			}
			kept = append(kept, s)
		}
		g.samples = kept
	}
}

func (m *merge) sorted() []*gathered {
	out := make([]*gathered, 0, len(m.families))
	for _, g := range m.families {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *gathered) int { return cmp.Compare(a.desc.Name, b.desc.Name) })
	return out
}

// write encodes the family.
func (g *gathered) write(w *exposition.Writer) {
	if g.part {
		w.WriteRendered(exposition.Rendered{Desc: g.desc, Chunks: g.chunks})
		return
	}
	family := metric.Family{Desc: g.desc, Samples: make([]metric.Sample, len(g.samples))}
	for i, s := range g.samples {
		family.Samples[i] = s.Sample
	}
	w.WriteFamily(family)
}
