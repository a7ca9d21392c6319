package rule

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Context is the state of evaluating one object after the other. It is not
// safe for concurrent use; the zero value is ready.
type Context struct {
	// Budget is how long the expressions of one metric may take for one object;
	// 0 is a quarter of a second. A metric that takes longer pauses for ten times
	// as long.
	Budget time.Duration
	// Tracer is told how samples come about. It may be nil, and then costs
	// nothing.
	Tracer Tracer

	trace     *Trace // of the metric at work; nil without a tracer
	sink      Sink
	finder    Finder  // the sink, or nil
	limiter   Limiter // the sink, or nil
	budget    budget
	paused    map[any]time.Time // metrics and resources, until then
	shared    error             // why what the resource's metrics share is not known
	counts    map[*Limit]int    // series of this object
	vars      []any
	outer     []string
	resource  *resourceRules
	outerErrs []error
	values    []string // of the labels of the metric at work
	labels    []metric.Label
	current   *compiledMetric
	seed      maphash.Seed
	seen      []distinct // label sets by family, of this object
	touched   []int      // families with any
	numbers   map[int64]string
	keys      map[string]string // label names by what they were sanitised from
	taken     map[string]int

	spreadKeys []string // scratch
}

// Eval evaluates one object with all rules of the program.
func (p *Program) Eval(c *Context, object map[string]any, sink Sink) {
	if c.numbers == nil {
		c.seed = maphash.MakeSeed()
		c.numbers = make(map[int64]string)
		c.keys = make(map[string]string)
		c.taken = make(map[string]int)
		c.counts = make(map[*Limit]int)
		c.paused = make(map[any]time.Time)
		c.budget.limit = cmp.Or(c.Budget, defaultBudget)
	}
	for _, family := range c.touched {
		c.seen[family].reset()
	}
	c.touched = c.touched[:0]
	if len(c.counts) > 0 {
		clear(c.counts)
	}
	c.sink = sink
	if c.finder = nil; p.joins {
		c.finder, _ = sink.(Finder)
	}
	if c.limiter = nil; p.limited {
		c.limiter, _ = sink.(Limiter)
	}
	if c.Tracer != nil {
		c.sink = &tracedSink{sink, c}
	}
	c.vars = slices.Grow(c.vars[:0], p.vars)[:p.vars]
	c.vars[slotObject], c.vars[slotGVK] = object, p.gvkValue
	for _, r := range p.resources {
		c.enter(r)
		for i := range r.metrics {
			c.metric(p, &r.metrics[i])
		}
	}
	c.budget.reset()
	clear(c.vars)
}

// enter evaluates what all metrics of a resource share: objects that it looks
// up, and labels.
func (c *Context) enter(r *resourceRules) {
	c.resource = r
	c.vars[slotParam] = r.params
	c.outer, c.outerErrs = c.outer[:0], c.outerErrs[:0]
	if c.shared = nil; c.pauses(r) {
		c.shared = errPaused
		return
	}
	c.budget.reset()
	for i := range r.lookups {
		var err error
		if c.vars[r.lookups[i].slot], err = c.find(&r.lookups[i]); err != nil {
			c.shared = cmp.Or(c.shared, fmt.Errorf("lookup %q: %w", r.names[r.lookups[i].slot], err))
		}
	}
	for i := range r.outer {
		s, err := c.label(r.outer[i].value)
		c.outer, c.outerErrs = append(c.outer, s), append(c.outerErrs, err)
		if err != nil && errors.Is(err, ErrBudget) {
			c.shared = cmp.Or(c.shared, fmt.Errorf("label %q: %w", r.outer[i].name, err))
		}
	}
	if c.shared != nil && errors.Is(c.shared, ErrBudget) {
		c.pause(r)
	}
}

// metric evaluates one metric, within its budget.
func (c *Context) metric(p *Program, m *compiledMetric) {
	c.current = m
	if c.Tracer != nil {
		c.beginTrace(p, m)
	}
	c.budget.reset()
	switch {
	case c.pauses(m.info):
		c.Fail(ReasonBudget, errPaused)
	case c.shared != nil:
		c.failShared()
	default:
		m.eval.Eval(c)
	}
	if c.trace != nil {
		c.endTrace()
	}
}

// failShared reports why a metric is not evaluated: what it shares with others of
// its resource is not known.
func (c *Context) failShared() {
	switch {
	case errors.Is(c.shared, errPaused), errors.Is(c.shared, ErrBudget):
		c.Fail(ReasonBudget, c.shared)
	default:
		c.fail(ReasonScope, c.shared)
	}
}

// pause makes a metric, or what the metrics of a resource share, rest: it has
// run out of its budget.
func (c *Context) pause(what any) {
	c.paused[what] = time.Now().Add(pauseFactor * c.budget.limit)
}

// pauses reports whether what has run out of its budget still rests.
func (c *Context) pauses(what any) bool {
	if len(c.paused) == 0 {
		return false
	}
	until, pauses := c.paused[what]
	if pauses && !time.Now().Before(until) {
		delete(c.paused, what)
		return false
	}
	return pauses
}

// Paused reports whether a problem is that a metric rests: the object is to be
// evaluated again later.
func (p Problem) Paused() bool { return errors.Is(p.Err, errPaused) }

var errPaused = errors.New("the metric has used up its time and pauses")
