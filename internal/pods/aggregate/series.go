package aggregate

import (
	"math"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// series is an aggregate of counters. Its vectors have what row.values has.
type series struct {
	labels  []metric.Label
	gone    []float64 // what targets have contributed that are gone
	emitted []float64 // what was said last
	parts   []part    // sorted by target
}

// part is what one target contributes: base and last together.
type part struct {
	target string
	scrape uint64    // the last in which it was there
	base   []float64 // up to when the counter began again
	last   []float64 // what the target has said last
}

// addCounter adds what a target says of a series, and returns how many numbers
// are remembered more; less than 0 if there is no room for them.
func (f *family) addCounter(id string, scrape uint64, r *row, room int) (added int) {
	_, starts := f.starting[id]
	if starts {
		f.starting[id] = true
	}
	s := f.series[r.key]
	if s == nil {
		n := len(r.values)
		if added = n + labelSize(r.key); added+n > room {
			return -1
		}
		s = &series{labels: cloneLabels(r.labels), gone: make([]float64, n), emitted: make([]float64, n)}
		f.series[strings.Clone(r.key)] = s
	}
	i, found := slices.BinarySearchFunc(s.parts, id, func(p part, id string) int { return strings.Compare(p.target, id) })
	if !found {
		n := len(r.values)
		if added+n > room {
			return -1
		}
		p := part{target: strings.Clone(id), scrape: scrape, base: make([]float64, n), last: slices.Clone(r.values)}
		for j := range r.values {
			if starts {
				p.base[j] = -r.values[j]
			}
		}
		s.parts = slices.Insert(s.parts, i, p)
		return added + n
	}
	p := &s.parts[i]
	if p.scrape == scrape {
		return 0 // a duplicate: the first counts, as in Prometheus
	}
	p.scrape = scrape
	if f.shape.isReset(p.last, r.values) {
		add(p.base, p.last)
	}
	copy(p.last, r.values)
	return 0
}

// isReset reports whether a counter, or all of a distribution, has begun again. A
// sum of observations can go down without that.
func (s *shape) isReset(last, now []float64) bool {
	for i := range s.counts(len(now)) {
		if now[i] < last[i] {
			return true
		}
	}
	return false
}

// counts returns how many of n numbers, from the first on, only grow.
func (s *shape) counts(n int) int {
	if s.kind == counter {
		return n
	}
	return n - 1
}

func add(sum, more []float64) {
	for i, v := range more {
		sum[i] += v
	}
}

// fold makes one number of what those have contributed who are gone, and returns
// how many numbers are remembered less.
func (s *series) fold(live map[string]bool) (removed int) {
	s.parts = slices.DeleteFunc(s.parts, func(p part) bool {
		if live[p.target] {
			return false
		}
		add(s.gone, p.base)
		add(s.gone, p.last)
		removed += len(p.base)
		return true
	})
	return removed
}

// rounding is how much less a sum of observations may be than before, relative
// to it, without having gone down: that sums are rounded differently when a
// target goes must not look like a counter that begins again.
const rounding = 1e-9

// sample returns the aggregate.
func (s *series) sample(shape *shape) metric.Sample {
	total := s.total()
	if !isFinite(total...) {
		s.forget()
		if total = s.total(); !isFinite(total...) {
			return shape.sample(slices.Clone(s.labels), shape.bounded(total))
		}
	}
	counts := shape.counts(len(total))
	for i := range counts {
		total[i] = max(total[i], s.emitted[i])
		if shape.kind == histogram && i > 0 {
			total[i] = max(total[i], total[i-1])
		}
	}
	for i := counts; i < len(total); i++ {
		if less := s.emitted[i] - total[i]; less > 0 && less <= rounding*math.Abs(s.emitted[i]) {
			total[i] = s.emitted[i]
		}
	}
	s.emitted = total
	return shape.sample(slices.Clone(s.labels), total)
}

// total returns what all targets have contributed.
func (s *series) total() []float64 {
	total := slices.Clone(s.gone)
	for _, p := range s.parts {
		for i := range total {
			total[i] += p.base[i] + p.last[i]
		}
	}
	return total
}

// forget lets the aggregate begin again with what targets say now. It is what is
// left to do when all that was ever counted is more than a number can be, which
// it would be in every later scrape as well.
func (s *series) forget() {
	clear(s.gone)
	clear(s.emitted)
	for i := range s.parts {
		clear(s.parts[i].base)
	}
}

func isFinite(v ...float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return math.IsInf(x, 0) || math.IsNaN(x) })
}

// bounded makes numbers of things finite, which those of distributions must be.
func (s *shape) bounded(v []float64) []float64 {
	if s.kind != counter {
		for i := range s.counts(len(v)) {
			v[i] = min(v[i], math.MaxFloat64)
		}
	}
	return v
}

// sample makes a sample of a vector.
func (s *shape) sample(labels []metric.Label, v []float64) metric.Sample {
	out := metric.Sample{Labels: labels}
	n := len(s.bounds)
	switch s.kind {
	case histogram:
		h := &metric.HistogramValue{Count: v[n], Sum: v[n+1], Buckets: make([]metric.Bucket, 0, n+1)}
		for i, bound := range s.bounds {
			h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: bound, Count: v[i]})
		}
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: math.Inf(1), Count: v[n]})
		out.Histogram = h
	case summary:
		out.Summary = &metric.SummaryValue{Count: v[0], Sum: v[1]}
	default:
		out.Value = v[0]
	}
	return out
}

// isOver reports that nobody who is still there, and has contributed, agrees with
// the family any more, but others have something to say.
func (f *family) isOver() bool {
	if f.accepted || f.other == nil {
		return false
	}
	for _, s := range f.series {
		for i := range s.parts {
			if !f.refused[s.parts[i].target] {
				return false
			}
		}
	}
	return true
}

// restart lets the family begin at zero, with what a target has said that did not
// agree, and returns how many numbers are remembered less.
func (f *family) restart(targets []string) (removed int) {
	for key, s := range f.series {
		removed += len(s.gone)*(1+len(s.parts)) + labelSize(key)
	}
	f.shape = *f.other
	f.series = make(map[string]*series)
	f.starting = make(map[string]bool, len(targets))
	for _, id := range targets {
		f.starting[id] = false
	}
	return removed
}

// cloneLabels returns labels that keep no line in memory.
func cloneLabels(labels []metric.Label) []metric.Label {
	out := make([]metric.Label, len(labels))
	for i, l := range labels {
		out[i] = metric.Label{Name: strings.Clone(l.Name), Value: strings.Clone(l.Value)}
	}
	return out
}
