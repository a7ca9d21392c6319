package rule

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/kubevitals/kubevitals/operator/metric"
)

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
	if c.admit(labels, value) {
		c.sink.Sample(c.current.info, labels, value)
	}
}

// admit reports whether there may be a sample with these labels, which limits
// may change.
func (c *Context) admit(labels []metric.Label, value float64) bool {
	m := c.current
	limited := len(m.info.Limits) > 0
	if limited && !c.withinLabels(labels) {
		return false
	}
	if !m.unique {
		switch first, same := c.first(labels, value); {
		case first:
		case same:
			c.Fail(ReasonDuplicate, errDuplicate)
			return false
		default:
			c.Fail(ReasonConflict, errConflict)
			return false
		}
	}
	return !limited || m.info.Aggregate != nil || c.withinSeries()
}

var (
	errDuplicate = errors.New("another sample of the object has the same labels")
	errConflict  = errors.New("another sample of the object has the same labels and another value: add a label that tells them apart")
)

// first reports whether no sample of the object and family had these labels, and
// if one had, whether it had the same value.
func (c *Context) first(labels []metric.Label, value float64) (first, same bool) {
	family := c.current.info.Family
	if len(c.seen) <= family {
		c.seen = append(c.seen, make([]distinct, family+1-len(c.seen))...)
	}
	d := &c.seen[family]
	if len(d.ends) == 0 {
		c.touched = append(c.touched, family)
	}
	if c.current.sole != nil {
		own := &c.current.sole.own
		d.rows = append(d.rows, c.values[own[0]:own[1]]...)
		return d.add(c.seed, value)
	}
	for i := range labels {
		d.rows = append(d.rows, labels[i].Name, labels[i].Value)
	}
	return d.add(c.seed, value)
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
