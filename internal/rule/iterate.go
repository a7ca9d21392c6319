package rule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

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
		l := &f.labels[i]
		if s, ok := l.field.text(c); ok {
			c.values[i] = s
			continue
		}
		s, err := c.label(l.value)
		if err != nil {
			c.fail(ReasonLabel, fmt.Errorf("label %q: %w", l.name, err))
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

// step counts an element. It returns false when that was one too many.
func (c *Context) step() bool {
	c.budget.steps++
	return c.budget.steps%clockSteps != 0 || c.look()
}

// look ends the metric for this object when there were too many elements or they
// have taken too long.
func (c *Context) look() bool {
	switch err := c.budget.look(); {
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
