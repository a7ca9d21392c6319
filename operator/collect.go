package operator

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	s := &source{name: name, maxSamples: 100_000, inflight: make(map[exposition.Format]*call)}
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

// source is a collector or a part, and the calls of it that are under way.
type source struct {
	name       string
	timeout    time.Duration
	maxSamples int
	gather     func(context.Context, exposition.Format) (result, error)

	mu       sync.Mutex
	inflight map[exposition.Format]*call
	stats    sourceStats
}

// result is what one call gave: samples of a collector or families of a part.
type result struct {
	metrics  []Metric
	rendered []exposition.Rendered
}

// call is one call of a source. The fields below done are set before it closes.
type call struct {
	done      chan struct{}
	abandoned bool // guarded by source.mu: somebody waited in vain

	result result
	err    error
}

var (
	errBusy    = errors.New("an earlier call has not returned yet")
	errTimeout = errors.New("no answer before the deadline")
	errTooMany = errors.New("too many samples")
)

type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// call starts a call, or joins the one under way, and waits for it until ctx
// ends. base is the context of the Operator: a call must not end because the
// scrape that began it was hung up, as others may have joined. The call's own
// time is over a little earlier than the wait: what it returns because of that
// must still be heard.
func (s *source) call(ctx, base context.Context, f exposition.Format) (result, error) {
	s.mu.Lock()
	c := s.inflight[f]
	if c != nil && c.abandoned {
		s.mu.Unlock()
		return result{}, errBusy
	}
	if c == nil {
		c = &call{done: make(chan struct{})}
		s.inflight[f] = c
		deadline, _ := ctx.Deadline()
		remaining := time.Until(deadline)
		go s.run(base, deadline.Add(-min(remaining/20, 250*time.Millisecond)), f, c)
	}
	s.mu.Unlock()

	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c.done: // both were ready
		return c.result, c.err
	default:
		c.abandoned = true
		return result{}, errTimeout
	}
}

func (s *source) run(base context.Context, deadline time.Time, f exposition.Format, c *call) {
	ctx, cancel := context.WithDeadline(base, deadline)
	defer cancel()
	if s.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			c.result, c.err = result{}, fmt.Errorf("%w\n%s", panicError{p}, debug.Stack())
		}
		s.mu.Lock()
		delete(s.inflight, f)
		s.stats.duration = time.Since(start)
		s.mu.Unlock()
		close(c.done)
	}()
	c.result, c.err = s.gather(ctx, f)
}

// batch gathers the samples of one call until it is sealed.
type batch struct {
	max int

	mu       sync.Mutex
	metrics  []Metric
	sealed   bool
	overflow bool
}

func (b *batch) emit(m Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.sealed:
	case len(b.metrics) >= b.max:
		b.overflow = true
	default:
		m.Labels = append([]metric.Label(nil), m.Labels...)
		b.metrics = append(b.metrics, m)
	}
}

func (b *batch) seal() (metrics []Metric, overflow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	return b.metrics, b.overflow
}
