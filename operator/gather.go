package operator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// gathered is one family on its way into an exposition: either rendered by a
// part, or put together from the samples of collectors.
type gathered struct {
	desc     metric.Desc
	part     bool
	rendered exposition.Rendered
	samples  []ownedSample
}

type ownedSample struct {
	metric.Sample
	source *source
}

// gather calls all sources at once and merges what they gave. Sources count in
// registration order, whatever the order in which they answered, so that equal
// input gives equal output.
func (o *Operator) gather(ctx context.Context, f exposition.Format) []gathered {
	o.mu.Lock()
	sources, base, prefix := slices.Clone(o.sources), o.ctx, o.prefix
	o.mu.Unlock()

	results := make([]result, len(sources))
	errs := make([]error, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() { results[i], errs[i] = s.call(ctx, base, f) })
	}
	wg.Wait()

	m := merge{families: make(map[string]*gathered)}
	for i, s := range sources {
		o.account(s, errs[i])
		for _, r := range results[i].rendered {
			m.addRendered(s, r)
		}
		for j := range results[i].metrics {
			m.addMetric(s, &results[i].metrics[j])
		}
	}
	m.deduplicate()
	if prefix != "" {
		for _, metric := range o.selfMetrics(prefix, sources) {
			m.addMetric(nil, &metric)
		}
	}
	return m.sorted()
}

// account counts the outcome of a call and logs a failure when it is new.
func (o *Operator) account(s *source, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.stats.err
	s.stats.err = err
	if err == nil {
		return
	}
	s.stats.failures[failureOf(err)]++
	if before == nil || before.Error() != err.Error() {
		o.log.Error("Collector failed", "collector", s.name, "err", err)
	}
}

func failureOf(err error) failure {
	var p panicError
	switch {
	case errors.As(err, &p):
		return failedPanic
	case errors.Is(err, errBusy):
		return failedBusy
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return failedTimeout
	case errors.Is(err, errTooMany):
		return failedLimit
	default:
		return failedError
	}
}

// merge puts families together. It belongs to one scrape.
type merge struct {
	families map[string]*gathered
}

func (m *merge) addRendered(s *source, r exposition.Rendered) {
	if err := r.Validate(); err != nil {
		s.drop(droppedInvalid)
		return
	}
	if m.families[r.Name] != nil {
		s.drop(droppedConflict)
		return
	}
	m.families[r.Name] = &gathered{desc: r.Desc, part: true, rendered: r}
}

func (m *merge) addMetric(s *source, x *Metric) {
	sample := metric.Sample{Labels: x.Labels, Value: x.Value}
	metric.SortLabels(sample.Labels)
	g := m.families[x.Name]
	if g == nil {
		g = &gathered{desc: metric.Desc{Name: x.Name, Help: x.Help, Unit: x.Unit, Type: x.Type}}
		if g.desc.Validate() != nil {
			s.drop(droppedInvalid)
			return
		}
	}
	switch {
	case g.part || g.desc.Type != x.Type:
		s.drop(droppedConflict)
	case sample.Validate(x.Type) != nil:
		s.drop(droppedInvalid)
	default:
		m.families[x.Name] = g
		g.samples = append(g.samples, ownedSample{sample, s})
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
				s.source.drop(droppedDuplicate)
				continue
			}
			kept = append(kept, s)
		}
		g.samples = kept
	}
}

func (m *merge) sorted() []gathered {
	out := make([]gathered, 0, len(m.families))
	for _, g := range m.families {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b gathered) int { return cmp.Compare(a.desc.Name, b.desc.Name) })
	return out
}

// write encodes the family.
func (g *gathered) write(w *exposition.Writer) {
	if g.part {
		w.WriteRendered(g.rendered)
		return
	}
	family := metric.Family{Desc: g.desc, Samples: make([]metric.Sample, len(g.samples))}
	for i, s := range g.samples {
		family.Samples[i] = s.Sample
	}
	w.WriteFamily(family)
}

// sourceStats are guarded by source.mu.
type sourceStats struct {
	err      error // of the last call
	duration time.Duration
	failures [numFailures]uint64
	dropped  [numDropped]uint64
}

func (s *source) drop(why dropped) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.dropped[why]++
}
