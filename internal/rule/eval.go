package rule

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Sink takes what evaluating an object gives.
type Sink interface {
	// Sample takes a sample of a metric. Labels are sorted by name and belong
	// to the caller again on return.
	Sample(m *Metric, labels []metric.Label, value float64)
	// State takes the state of something whose changes a metric counts. Labels
	// tell it from others of the object. since is when the state began, in
	// Unix seconds, or NaN when the object does not say.
	State(m *Metric, labels []metric.Label, state string, since float64)
	// Problem takes a reason why a sample is missing.
	Problem(p Problem)
}

// Problem is why a sample that a rule asks for could not be made.
type Problem struct {
	// Family is the number of the family.
	Family int
	// Reason is one of [Reasons].
	Reason string
	// Err says more.
	Err error
}

// The reasons of a [Problem].
const (
	ReasonBudget     = "budget" // an expression took too long
	ReasonDuplicate  = "duplicate"
	ReasonExpression = "expression" // an expression failed
	ReasonLabel      = "label"
	ReasonLimit      = "limit"
	ReasonScope      = "scope"
	ReasonState      = "state"
	ReasonUnlisted   = "unlisted_state" // the sample is made all the same
	ReasonValue      = "value"
)

// Reasons are all reasons of a [Problem].
var Reasons = []string{ReasonBudget, ReasonDuplicate, ReasonExpression, ReasonLabel, ReasonLimit, ReasonScope, ReasonState, ReasonUnlisted, ReasonValue}

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
	clear(c.counts)
	c.sink = sink
	c.finder, _ = sink.(Finder)
	c.limiter, _ = sink.(Limiter)
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
		if errors.Is(err, ErrBudget) {
			c.shared = cmp.Or(c.shared, fmt.Errorf("label %q: %w", r.outer[i].name, err))
		}
	}
	if errors.Is(c.shared, ErrBudget) {
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
	case c.pauses(m.info) || errors.Is(c.shared, errPaused):
		c.Fail(ReasonBudget, errPaused)
	case errors.Is(c.shared, ErrBudget):
		c.Fail(ReasonBudget, c.shared)
	case c.shared != nil:
		c.fail(ReasonScope, c.shared)
	default:
		m.eval.Eval(c)
	}
	if c.trace != nil {
		c.endTrace()
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

// Object returns the object under evaluation.
func (c *Context) Object() map[string]any { return c.vars[slotObject].(map[string]any) }

// Base appends the labels that the document and the resource give to every
// metric in their labels, in the order of their names.
func (c *Context) Base(dst []metric.Label) []metric.Label {
	for _, l := range c.resource.base {
		value, err := c.label(l.value)
		if err != nil {
			c.fail(ReasonLabel, fmt.Errorf("label %q: %w", l.name, err))
		}
		if value != "" {
			dst = append(dst, metric.Label{Name: l.name, Value: value})
		}
	}
	return dst
}

// Emit gives a sample of the current metric. Labels must be sorted by name. A
// sample whose labels equal those of an earlier one of the object is a problem,
// and so is one beyond a limit.
func (c *Context) Emit(labels []metric.Label, value float64) {
	if c.admit(labels) {
		c.sink.Sample(c.current.info, labels, value)
	}
}

// admit reports whether there may be a sample with these labels, which limits
// may change.
func (c *Context) admit(labels []metric.Label) bool {
	m := c.current
	limited := len(m.info.Limits) > 0
	if limited && !c.withinLabels(labels) {
		return false
	}
	if !m.unique && !c.first(labels) {
		c.Fail(ReasonDuplicate, errDuplicate)
		return false
	}
	return !limited || m.info.Aggregate != nil || c.withinSeries()
}

var errDuplicate = errors.New("another sample of the object has the same labels")

// first reports whether no sample of the object and family had these labels.
func (c *Context) first(labels []metric.Label) bool {
	family := c.current.info.Family
	for len(c.seen) <= family {
		c.seen = append(c.seen, distinct{})
	}
	d := &c.seen[family]
	if len(d.ends) == 0 {
		c.touched = append(c.touched, family)
	}
	if c.current.sole != nil {
		for _, i := range c.current.sole.own {
			d.rows = append(d.rows, c.values[i])
		}
		return d.add(c.seed)
	}
	for i := range labels {
		d.rows = append(d.rows, labels[i].Name, labels[i].Value)
	}
	return d.add(c.seed)
}

// Fail reports why a sample of the current metric is missing.
func (c *Context) Fail(reason string, err error) {
	c.sink.Problem(Problem{Family: c.current.info.Family, Reason: reason, Err: err})
}

// fail is Fail for an error that may come from an expression. A metric that has
// run out of its budget pauses.
func (c *Context) fail(reason string, err error) {
	var failed *expressionError
	switch {
	case errors.Is(err, ErrBudget):
		if !c.budget.over {
			c.pause(c.current.info)
			c.Fail(ReasonBudget, err)
		}
		c.budget.over = true
	case errors.As(err, &failed):
		c.Fail(ReasonExpression, err)
	default:
		c.Fail(reason, err)
	}
}

// expressionError is why an expression has no value.
type expressionError struct {
	source string
	err    error
}

func (e *expressionError) Error() string { return fmt.Sprintf("expression %q: %v", e.source, e.err) }
func (e *expressionError) Unwrap() error { return e.err }

// label evaluates an expression to a label value, "" when it is absent.
func (c *Context) label(e expr) (string, error) {
	v, err := e.eval(c)
	if err != nil {
		return "", err
	}
	return c.text(v)
}

// text returns the label value of a scalar, "" for nil.
func (c *Context) text(v any) (string, error) {
	switch x := v.(type) {
	case nil:
		return "", nil
	case string:
		return x, nil
	case int64:
		s, ok := c.numbers[x]
		if !ok {
			s = strconv.FormatInt(x, 10)
			if len(c.numbers) < maxCached {
				c.numbers[x] = s
			}
		}
		return s, nil
	}
	if s, ok := text(v); ok {
		return s, nil
	}
	return "", fmt.Errorf("%s cannot be a label value", typeName(v))
}

// maxCached bounds the caches of a Context, whose keys come from objects.
const maxCached = 4096

// Eval makes the samples of the metric.
func (f *form) Eval(c *Context) {
	c.values = slices.Grow(c.values[:0], len(f.labels))[:len(f.labels)]
	for i := range f.labels {
		c.values[i] = ""
		if o := f.labels[i].outer; o >= 0 {
			c.values[i] = c.outer[o]
			if c.outerErrs[o] != nil {
				c.fail(ReasonLabel, fmt.Errorf("label %q: %w", f.labels[i].name, c.outerErrs[o]))
				return
			}
		}
	}
	if f.fill(c, 0) {
		f.iterate(c, 0)
	}
}

// fill evaluates the labels that are known at a depth. It returns false when
// one of them has no text.
func (f *form) fill(c *Context, depth int) bool {
	for _, i := range f.byDepth[depth] {
		s, err := c.label(f.labels[i].value)
		if err != nil {
			c.fail(ReasonLabel, fmt.Errorf("label %q: %w", f.labels[i].name, err))
			return false
		}
		c.values[i] = s
	}
	return true
}

// iterate enters the scope at a depth, or emits below the last.
func (f *form) iterate(c *Context, depth int) {
	if depth == len(f.scopes) {
		f.emit(c)
		return
	}
	s := &f.scopes[depth]
	if s.join != nil {
		f.lookup(c, depth)
		return
	}
	v, err := s.in.eval(c)
	if err != nil {
		c.fail(ReasonScope, fmt.Errorf("forEach %d: %w", depth+1, err))
		return
	}
	if c.trace != nil {
		c.trace.found(depth, v)
	}
	switch in := v.(type) {
	case nil:
	case []any:
		for i, element := range in {
			f.element(c, depth, element, nil, i)
		}
	case map[string]any:
		if s.one {
			f.element(c, depth, in, nil, 0)
			return
		}
		for i, key := range slices.Sorted(maps.Keys(in)) {
			f.element(c, depth, in[key], key, i)
		}
	default:
		if s.one {
			f.element(c, depth, in, nil, 0)
			return
		}
		c.Fail(ReasonScope, fmt.Errorf("forEach %d: %s is neither a list nor a map", depth+1, typeName(in)))
	}
}

// element evaluates everything below one element of a scope. An element that is
// null is absent.
func (f *form) element(c *Context, depth int, element, key any, index int) {
	if c.budget.over || !c.step() || element == nil {
		return
	}
	s := &f.scopes[depth]
	if c.trace != nil {
		c.trace.element(depth, key, index)
	}
	c.vars[s.slot] = element
	if s.key > 0 {
		c.vars[s.key] = key
	}
	if s.index > 0 {
		c.vars[s.index] = int64(index)
	}
	f.inside(c, depth)
}

// step counts an element. It returns false, and ends the metric for this
// object, when there were too many or they have taken too long.
func (c *Context) step() bool {
	switch err := c.budget.step(); {
	case err == nil:
		return true
	case errors.Is(err, ErrBudget):
		c.fail(ReasonBudget, err)
	default:
		c.budget.over = true
		c.Fail(ReasonLimit, err)
	}
	return false
}

// inside evaluates what is below an element that has been entered.
func (f *form) inside(c *Context, depth int) {
	if where := f.scopes[depth].where; len(where) > 0 {
		v, err := where.eval(c)
		if err != nil {
			c.fail(ReasonScope, fmt.Errorf("forEach %d: where: %w", depth+1, err))
		}
		if c.trace != nil && err == nil {
			c.trace.where(depth, v)
		}
		if err != nil || !holds(v) {
			return
		}
	}
	if f.fill(c, depth+1) {
		f.iterate(c, depth+1)
	}
}

// lookup enters the scope of an object that is looked up. It goes on without
// the object if there is none.
func (f *form) lookup(c *Context, depth int) {
	s := &f.scopes[depth]
	object, err := c.find(s.join)
	if err != nil {
		c.fail(ReasonScope, fmt.Errorf("forEach %d: lookup: %w", depth+1, err))
		return
	}
	c.vars[s.slot] = object
	if c.trace != nil {
		c.trace.looked(depth)
	}
	f.inside(c, depth)
}

// holds is the verdict of a where: a boolean is its own, anything else holds
// when it is present.
func holds(v any) bool {
	b, isBool := v.(bool)
	return v != nil && (!isBool || b)
}
