package operator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Metric is one sample together with the description of its family. All
// samples of a family repeat the description; the first one's help stays.
type Metric struct {
	// Name is the full family name.
	Name string
	// Help is one line for people.
	Help string
	// Unit is a base unit; when set, the name ends in it.
	Unit string
	// Type is the type of the family.
	Type metric.Type
	// Labels need not be sorted. The slice is not kept.
	Labels []metric.Label
	// Value is the value of the sample.
	Value float64
}

// CollectorFunc makes metrics while a scrape waits. The context ends with the
// scrape's deadline, or earlier by [Timeout]. emit may be called from several
// goroutines, and does nothing after the function has returned or its time is
// over. Calls of one collector never overlap: concurrent scrapes share one.
//
// When it returns an error or panics, all samples of that call are dropped:
// half a family falsifies every sum over it.
type CollectorFunc func(ctx context.Context, emit func(Metric)) error

// CollectOption changes how one collector or part is called.
type CollectOption func(*source)

// Timeout is how long a call may take at most. The scrape's own deadline holds
// in any case.
func Timeout(d time.Duration) CollectOption {
	return func(s *source) { s.timeout = d }
}

// MaxSamples is how many samples a call may emit; with more, all are dropped.
// The default is 100,000.
func MaxSamples(n int) CollectOption {
	return func(s *source) { s.maxSamples = n }
}

// Collect registers a collector under a name, which is the value of the label
// "collector" in self-metrics.
func (o *Operator) Collect(name string, fn CollectorFunc, opts ...CollectOption) {
	s := o.addSource(name, opts)
	s.gather = func(ctx context.Context, _ exposition.Format) (result, error) {
		b := &batch{max: s.maxSamples}
		err := fn(ctx, b.emit)
		metrics, overflow := b.seal()
		if overflow {
			err = errTooMany
		}
		if err != nil {
			metrics = nil
		}
		return result{metrics: metrics}, err
	}
}

func (o *Operator) addSource(name string, opts []CollectOption) *source {
	s := &source{name: name, log: o.log, maxSamples: 100_000, inflight: make(map[exposition.Format]*call)}
	for _, opt := range opts {
		opt(s)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, other := range o.sources {
		if other.name == name {
			panic(fmt.Sprintf("operator: collector %q is registered twice", name))
		}
	}
	o.sources = append(o.sources, s)
	return s
}

// batch gathers the samples of one call until it is sealed.
type batch struct {
	max int

	mu       sync.Mutex
	metrics  []Metric
	sealed   bool
	overflow bool
}

// emit keeps a copy of the sample with its labels sorted and without those that
// are empty, which are the same as none.
func (b *batch) emit(m Metric) {
	labels := slices.DeleteFunc(slices.Clone(m.Labels), func(l metric.Label) bool { return l.Value == "" })
	metric.SortLabels(labels)
	m.Labels = labels
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.sealed:
	case len(b.metrics) >= b.max:
		b.overflow = true
	default:
		b.metrics = append(b.metrics, m)
	}
}

func (b *batch) seal() (metrics []Metric, overflow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	return b.metrics, b.overflow
}
