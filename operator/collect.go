package operator

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Metric is one sample together with the description of its family. All
// samples of a family repeat the description; the first one's help stays.
type Metric struct {
	// Name is the full family name, with the "_total" of a counter and without
	// the "_bucket", "_sum" and "_count" of a histogram or summary.
	Name string
	// Help is one line for people.
	Help string
	// Unit is a base unit; when set, the name ends in it (before "_total").
	Unit string
	// Type is the type of the family.
	Type metric.Type
	// Labels need not be sorted. The slice is not kept.
	Labels []metric.Label
	// Value is the value of the sample, except for histograms and summaries.
	Value float64
	// Histogram is the value of a histogram. It is kept and must not be changed
	// any more, like what the other pointers point to.
	Histogram *metric.HistogramValue
	// Summary is the value of a summary.
	Summary *metric.SummaryValue
	// Exemplar is one of the events that a counter counted, or nil.
	Exemplar *metric.Exemplar
	// Created is when a counter, histogram or summary began to count; zero if
	// unknown.
	Created time.Time
	// Time is when the value was true. It should be zero, for the time of the
	// scrape, unless the value was measured elsewhere: Prometheus does not mark
	// a series with timestamps as stale when it ends.
	Time time.Time
}

// CollectorFunc makes metrics while a scrape waits. The context ends with the
// scrape's deadline, or earlier by [Timeout]. emit may be called from several
// goroutines, and does nothing after the function has returned or its time is
// over. Calls of one collector never overlap: concurrent scrapes share one.
//
// When it returns an error or panics, all samples of that call are dropped, as
// half a family falsifies every sum over it; [Partial] keeps them.
type CollectorFunc func(ctx context.Context, emit func(Metric)) error

// FromSeq makes a collector of a function that yields its metrics. The first
// error that it yields ends the call.
func FromSeq(fn func(ctx context.Context) iter.Seq2[Metric, error]) CollectorFunc {
	return func(ctx context.Context, emit func(Metric)) error {
		for m, err := range fn(ctx) {
			if err != nil {
				return err
			}
			emit(m)
		}
		return nil
	}
}

// Source gives metric families that exist already as data, such as those of
// another metrics library, or of another process.
type Source interface {
	// Families returns what there is now, in any order. The slices belong to
	// the caller, who sorts and changes them; what pointers in samples point to
	// is not changed by anybody afterwards. Families beside an error are
	// served; the error is counted. Calls never overlap, and the context ends
	// with the scrape's deadline.
	Families(ctx context.Context) ([]metric.Family, error)
}

// CollectOption changes how one collector, source or part is called.
type CollectOption func(*source)

// Timeout is how long a call may take at most. The scrape's own deadline holds
// in any case.
func Timeout(d time.Duration) CollectOption {
	return func(s *source) { s.timeout = d }
}

// MaxSamples is how many samples a call may give, where each bucket and quantile
// counts as one; with more, all are dropped. The default is 100,000. Parts are
// not counted.
func MaxSamples(n int) CollectOption {
	return func(s *source) { s.maxSamples = n }
}

// MinInterval is how far apart the beginnings of two calls are at least. Scrapes
// in between get the last result, or failure, again. Use it for what is dear to
// ask or has limits on how often it may be asked.
func MinInterval(d time.Duration) CollectOption {
	return func(s *source) { s.minInterval = d }
}

// ServeStale lets the last good result stand in, up to this old, when a call
// fails or has not returned in time. That the collector is down shows in the
// self-metrics all the same.
func ServeStale(d time.Duration) CollectOption {
	return func(s *source) { s.serveStale = d }
}

// Partial keeps what a collector has emitted before it returns an error. After
// a panic, or when its time is over, all is dropped in any case.
func Partial() CollectOption {
	return func(s *source) { s.partial = true }
}

// ConstLabels adds labels, given as names and values in turn, to every sample
// that has none of that name: to tell apart what several collectors or sources
// give under the same names. Parts ignore it.
func ConstLabels(pairs ...string) CollectOption {
	labels := normalized(metric.Labels(pairs...), nil)
	return func(s *source) { s.labels = labels }
}

// Collect registers a collector under a name, which is the value of the label
// "collector" in self-metrics.
func (o *Operator) Collect(name string, fn CollectorFunc, opts ...CollectOption) {
	s := o.newSource(name, opts)
	s.gather = func(ctx context.Context, _ exposition.Format) (result, error) {
		b := &batch{max: s.maxSamples, extra: s.labels}
		err := fn(ctx, b.emit)
		families, overflow := b.seal()
		switch {
		case overflow:
			return result{}, errTooMany
		case err != nil && !s.partial:
			return result{}, err
		}
		return tidy(families), err
	}
	o.addSource(s)
}

// AddSource registers a source under a name, which is the value of the label
// "collector" in self-metrics.
func (o *Operator) AddSource(name string, src Source, opts ...CollectOption) {
	s := o.newSource(name, opts)
	s.gather = func(ctx context.Context, _ exposition.Format) (result, error) {
		families, err := src.Families(ctx)
		n := 0
		for i := range families {
			for j := range families[i].Samples {
				x := &families[i].Samples[j]
				x.Labels = normalized(slices.Clip(x.Labels), s.labels)
				n += size(x.Histogram, x.Summary)
			}
		}
		if n > s.maxSamples {
			return result{}, errTooMany
		}
		return tidy(families), err
	}
	o.addSource(s)
}

// normalized sorts labels in place, with those that are added to every sample,
// and leaves out those with an empty value, which are the same as none.
func normalized(labels, extra []metric.Label) []metric.Label {
	labels = slices.DeleteFunc(labels, func(l metric.Label) bool { return l.Value == "" })
	for _, l := range extra {
		if !slices.ContainsFunc(labels, func(own metric.Label) bool { return own.Name == l.Name }) {
			labels = append(labels, l)
		}
	}
	if !slices.IsSortedFunc(labels, metric.CompareNames) {
		metric.SortLabels(labels)
	}
	return labels
}

func (o *Operator) newSource(name string, opts []CollectOption) *source {
	s := &source{
		name: name, log: o.log, maxSamples: 100_000,
		inflight: make(map[exposition.Format]*call), last: make(map[exposition.Format]*call), good: make(map[exposition.Format]kept),
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// addSource registers a source, of which nothing changes any more.
func (o *Operator) addSource(s *source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, other := range o.sources {
		if other.name == s.name {
			panic(fmt.Sprintf("operator: collector %q is registered twice", s.name))
		}
	}
	o.sources = append(o.sources, s)
}
