package operator

import (
	"fmt"
	"slices"
	"sync"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// batch gathers the samples of one call, family by family, until it is sealed.
type batch struct {
	max   int
	extra []metric.Label // added to every sample

	mu       sync.Mutex
	families []metric.Family
	index    map[familyKey]int
	last     int            // index of the family of the last sample
	slab     []metric.Label // what the next labels are cut from
	size     int
	sealed   bool
	overflow bool
}

// familyKey tells families apart: of one name and two types, one is a conflict.
type familyKey struct {
	name string
	typ  metric.Type
}

// emit keeps a copy of the sample with its labels sorted and without those that
// are empty.
func (b *batch) emit(m Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch n := size(m.Histogram, m.Summary); {
	case b.sealed:
		return
	case b.size+n > b.max:
		b.overflow = true
		return
	default:
		b.size += n
	}
	f := b.family(&m)
	f.Samples = append(f.Samples, metric.Sample{
		Labels: b.labels(m.Labels), Value: m.Value, Histogram: m.Histogram, Summary: m.Summary,
		Exemplar: m.Exemplar, Created: m.Created, Time: m.Time,
	})
}

// family returns the family that a sample belongs to.
func (b *batch) family(m *Metric) *metric.Family {
	if b.last < len(b.families) {
		if f := &b.families[b.last]; f.Name == m.Name && f.Type == m.Type {
			return f
		}
	}
	key := familyKey{m.Name, m.Type}
	i, ok := b.index[key]
	if !ok {
		if b.index == nil {
			b.index = make(map[familyKey]int)
		}
		i = len(b.families)
		b.index[key] = i
		b.families = append(b.families, metric.Family{Desc: metric.Desc{Name: m.Name, Help: m.Help, Unit: m.Unit, Type: m.Type}})
	}
	b.last = i
	return &b.families[i]
}

// slabSize is how many labels are allocated at once.
const slabSize = 256

func (b *batch) labels(labels []metric.Label) []metric.Label {
	n := len(labels) + len(b.extra)
	if n == 0 {
		return nil
	}
	if n > cap(b.slab)-len(b.slab) {
		b.slab = make([]metric.Label, 0, max(slabSize, n))
	}
	start := len(b.slab)
	b.slab = b.slab[:start+n]
	cut := append(b.slab[start:start:start+n], labels...)
	return normalized(cut, b.extra)
}

func (b *batch) seal() (families []metric.Family, overflow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	return b.families, b.overflow
}

// size is how many series a sample is in the text formats.
func size(h *metric.HistogramValue, s *metric.SummaryValue) int {
	switch {
	case h != nil:
		return len(h.Buckets) + 2
	case s != nil:
		return len(s.Quantiles) + 2
	default:
		return 1
	}
}

// tidy makes a result of the families that one call gave: samples that cannot
// be exposed are left out and counted, the others sorted by their labels, of
// equal ones the first is kept.
func tidy(families []metric.Family) result {
	r := result{families: families[:0]}
	for _, f := range families {
		if err := f.Validate(); err != nil {
			r.drop(droppedInvalid, len(f.Samples), err)
			continue
		}
		valid := f.Samples[:0]
		for _, s := range f.Samples {
			if err := s.Validate(f.Type); err != nil {
				r.drop(droppedInvalid, 1, fmt.Errorf("%s: %w", f.Name, err))
				continue
			}
			valid = append(valid, s)
		}
		f.Samples = valid
		if n := sortSamples(&f); n > 0 {
			r.drop(droppedDuplicate, n, fmt.Errorf("%s: two samples have the same labels", f.Name))
		}
		if len(f.Samples) > 0 {
			r.families = append(r.families, f)
		}
	}
	return r
}

// sortSamples sorts the samples of a family by their labels, removes all but
// the first of equal ones, and returns how many it has removed.
func sortSamples(f *metric.Family) int {
	compare := func(a, b metric.Sample) int { return metric.CompareLabels(a.Labels, b.Labels) }
	if !slices.IsSortedFunc(f.Samples, compare) {
		slices.SortStableFunc(f.Samples, compare)
	}
	before := len(f.Samples)
	f.Samples = slices.CompactFunc(f.Samples, func(a, b metric.Sample) bool { return compare(a, b) == 0 })
	return before - len(f.Samples)
}
