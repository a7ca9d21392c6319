package rule

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Sink takes what evaluating an object gives.
type Sink interface {
	// Sample takes a sample of a family, by its number. Labels are sorted by
	// name and belong to the caller again on return.
	Sample(family int, labels []metric.Label, value float64)
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
	ReasonDuplicate = "duplicate"
	ReasonLabel     = "label"
	ReasonScope     = "scope"
	ReasonState     = "state"
	ReasonUnlisted  = "unlisted_state" // the sample is made all the same
	ReasonValue     = "value"
)

// Reasons are all reasons of a [Problem].
var Reasons = []string{ReasonDuplicate, ReasonLabel, ReasonScope, ReasonState, ReasonUnlisted, ReasonValue}

// Context is the state of evaluating one object after the other. It is not
// safe for concurrent use; the zero value is ready.
type Context struct {
	sink      Sink
	vars      []any
	outer     []string
	resource  *resourceRules
	outerErrs []error
	values    []string // of the labels of the metric at work
	labels    []metric.Label
	current   *compiledMetric
	seed      maphash.Seed
	seen      map[int]map[uint64]struct{} // label sets by family, of this object
	numbers   map[int64]string
	keys      map[string]string // label names by what they were sanitised from
	taken     map[string]int

	spreadKeys []string // scratch
}

// Eval evaluates one object with all rules of the program.
func (p *Program) Eval(c *Context, object map[string]any, sink Sink) {
	if c.seen == nil {
		c.seed = maphash.MakeSeed()
		c.seen = make(map[int]map[uint64]struct{})
		c.numbers = make(map[int64]string)
		c.keys = make(map[string]string)
		c.taken = make(map[string]int)
	}
	for _, seen := range c.seen {
		clear(seen)
	}
	c.sink = sink
	c.vars = slices.Grow(c.vars[:0], p.vars)[:p.vars]
	c.vars[slotObject], c.vars[slotGVK] = object, p.gvkValue
	for _, r := range p.resources {
		c.enter(r)
		for i := range r.metrics {
			c.current = &r.metrics[i]
			c.current.eval.Eval(c)
		}
	}
	clear(c.vars)
}

// enter evaluates the labels that all metrics of a resource share.
func (c *Context) enter(r *resourceRules) {
	c.resource = r
	c.outer, c.outerErrs = c.outer[:0], c.outerErrs[:0]
	for i := range r.outer {
		s, err := c.text(r.outer[i].value.eval(c.vars))
		c.outer, c.outerErrs = append(c.outer, s), append(c.outerErrs, err)
	}
}

// Object returns the object under evaluation.
func (c *Context) Object() map[string]any { return c.vars[slotObject].(map[string]any) }

// Base appends the labels that the document and the resource give to every
// metric in their labels, in the order of their names.
func (c *Context) Base(dst []metric.Label) []metric.Label {
	for _, l := range c.resource.base {
		value, err := c.text(l.value.eval(c.vars))
		if err != nil {
			c.Fail(ReasonLabel, fmt.Errorf("label %q: %w", l.name, err))
		}
		if value != "" {
			dst = append(dst, metric.Label{Name: l.name, Value: value})
		}
	}
	return dst
}

// Emit gives a sample of the current metric. Labels must be sorted by name. A
// sample whose labels equal those of an earlier one of the object is a problem.
func (c *Context) Emit(labels []metric.Label, value float64) {
	if !c.current.unique && !c.first(labels) {
		c.Fail(ReasonDuplicate, errDuplicate)
		return
	}
	c.sink.Sample(c.current.family, labels, value)
}

var errDuplicate = errors.New("another sample of the object has the same labels")

// first reports whether no sample of the object and family had these labels.
func (c *Context) first(labels []metric.Label) bool {
	seen := c.seen[c.current.family]
	if seen == nil {
		seen = make(map[uint64]struct{})
		c.seen[c.current.family] = seen
	}
	var sum uint64
	for i := range labels {
		sum = sum*31 + maphash.String(c.seed, labels[i].Name)
		sum = sum*31 + maphash.String(c.seed, labels[i].Value)
	}
	before := len(seen)
	seen[sum] = struct{}{}
	return len(seen) > before
}

// Fail reports why a sample of the current metric is missing.
func (c *Context) Fail(reason string, err error) {
	c.sink.Problem(Problem{Family: c.current.family, Reason: reason, Err: err})
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
				c.Fail(ReasonLabel, fmt.Errorf("label %q: %w", f.labels[i].name, c.outerErrs[o]))
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
		s, err := c.text(f.labels[i].value.eval(c.vars))
		if err != nil {
			c.Fail(ReasonLabel, fmt.Errorf("label %q: %w", f.labels[i].name, err))
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
	switch in := s.in.eval(c.vars).(type) {
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
	if element == nil {
		return
	}
	s := &f.scopes[depth]
	c.vars[s.slot] = element
	if s.key > 0 {
		c.vars[s.key] = key
	}
	if s.index > 0 {
		c.vars[s.index] = int64(index)
	}
	if len(s.where) > 0 && !holds(s.where.eval(c.vars)) {
		return
	}
	if f.fill(c, depth+1) {
		f.iterate(c, depth+1)
	}
}

// holds is the verdict of a where: a boolean is its own, anything else holds
// when it is present.
func holds(v any) bool {
	b, isBool := v.(bool)
	return v != nil && (!isBool || b)
}
