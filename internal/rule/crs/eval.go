package crs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// series is one result of an each block: the labels of its own and the value.
type series struct {
	labels labelSet
	value  float64
	from   *origin
}

// Eval makes the samples of the metric. Samples of one object are in the order
// of their own labels.
func (e *each) Eval(c *rule.Context) {
	base := labelSet(c.Base(nil))
	for _, l := range e.commonLabels {
		base = base.set(l.Name, l.Value)
	}
	base = e.outer.apply(base, c.Object())

	var out []series
	v := e.path.Walk(c.Object())
	if t := c.Trace(); t != nil {
		t.Known(base)
		e.tracePath(t, c.Object(), v)
	}
	switch e.typ {
	case metric.Info:
		out = e.info(c, v)
	case metric.StateSet:
		out = e.stateSet(c, v)
	default:
		out = e.gauge(c, v)
	}
	for i := range out {
		metric.SortLabels(out[i].labels)
	}
	slices.SortStableFunc(out, func(a, b series) int { return metric.CompareLabels(a.labels, b.labels) })
	for _, s := range out {
		labels := slices.Clone(base)
		for _, l := range s.labels {
			labels = labels.set(l.Name, l.Value)
		}
		sorted := labels.sorted()
		if t := c.Trace(); t != nil {
			e.traceEmit(t, &s, sorted)
		}
		c.Emit(sorted, s.value)
	}
}

// gauge: a scalar is one series, a list one per element, a map one per key.
func (e *each) gauge(c *rule.Context, v any) []series {
	switch x := v.(type) {
	case nil:
		if e.nilIsZero {
			out := []series{{value: 0}}
			if t := c.Trace(); t != nil {
				e.traceGauge(t, spot{whole: true}, &out[0], false)
			}
			return out
		}
		return nil
	case []any:
		var out []series
		for i, element := range x {
			s, err := e.gaugeOf(element)
			if t := c.Trace(); t != nil {
				e.traceGauge(t, spot{value: element, index: i}, s, err != nil)
			}
			switch {
			case err != nil:
				c.Fail(rule.ReasonValue, fmt.Errorf("element %d: %w", i, err))
			case s != nil:
				out = append(out, *s)
			}
		}
		return out
	case map[string]any:
		return e.gaugeOfMap(c, x)
	default:
		s, err := e.gaugeOf(v)
		if t := c.Trace(); t != nil {
			e.traceGauge(t, spot{value: v, whole: true}, s, err != nil)
		}
		if err != nil {
			c.Fail(rule.ReasonValue, err)
		}
		if s == nil {
			return nil
		}
		return []series{*s}
	}
}

// gaugeOf gives the series of one value, or nil when valueFrom leads nowhere.
func (e *each) gaugeOf(v any) (*series, error) {
	value := e.valueFrom.Walk(v)
	if value == nil {
		if !e.nilIsZero {
			return nil, nil
		}
		value = false
	}
	n, err := rule.ToNumber(value)
	if err != nil {
		return nil, err
	}
	return &series{labels: e.inner.apply(nil, v), value: n}, nil
}

// gaugeOfKey gives the series of the key that valueFrom names, or nil.
func (e *each) gaugeOfKey(c *rule.Context, value any) *series {
	number := value
	if value == nil {
		if !e.nilIsZero {
			return nil
		}
		number = false
	}
	n, err := rule.ToNumber(number)
	if err != nil {
		c.Fail(rule.ReasonValue, fmt.Errorf("key %q: %w", e.valueKey, err))
		return nil
	}
	return &series{labels: e.inner.apply(nil, value), value: n}
}

// gaugeOfMap gives a series for each key that has a number: the value of the
// key that valueFrom names, or what valueFrom leads to in each child. Labels of
// the map replace those of the child. Children without a number are left out
// silently.
func (e *each) gaugeOfMap(c *rule.Context, m map[string]any) []series {
	var out []series
	keys := slices.Sorted(maps.Keys(m))
	if i := slices.Index(keys, e.valueKey); i > 0 {
		// Before a zero for a sibling, which may be the same series.
		keys = slices.Concat([]string{e.valueKey}, slices.Delete(keys, i, i+1))
	}
	for _, key := range keys {
		var s *series
		if e.valueKey != "" && key == e.valueKey {
			s = e.gaugeOfKey(c, m[key])
		} else {
			s, _ = e.gaugeOf(m[key])
		}
		if t := c.Trace(); t != nil {
			e.traceGauge(t, spot{value: m[key], key: key}, s, false)
		}
		if s == nil {
			continue
		}
		if e.labelFromKey != "" && key != "" {
			labels := labelSet{{Name: e.labelFromKey, Value: key}}
			for _, l := range s.labels {
				labels = labels.set(l.Name, l.Value)
			}
			s.labels = labels
		}
		s.labels = e.inner.apply(s.labels, m)
		metric.SortLabels(s.labels)
		isZero := e.nilIsZero && e.valueFrom.Walk(m[key]) == nil
		if isZero && keys[0] == e.valueKey && len(out) > 0 && slices.Equal(s.labels, out[0].labels) {
			continue // the zero of a sibling would be the series of the value again
		}
		out = append(out, *s)
	}
	return out
}

// info: one series per element of a list; one for a map, and one for each of
// its children that has a label.
func (e *each) info(c *rule.Context, v any) []series {
	var out []series
	add := func(at spot, labels labelSet) {
		if len(labels) > 0 {
			out = append(out, series{labels: labels, value: 1})
		}
		if t := c.Trace(); t != nil {
			e.traceInfo(t, at, lastIf(out, len(labels) > 0))
		}
	}
	switch x := v.(type) {
	case nil:
	case []any:
		for i, element := range x {
			add(spot{value: element, index: i}, e.inner.apply(nil, element))
		}
	case map[string]any:
		add(spot{value: x, whole: true}, e.inner.apply(nil, x))
		for _, key := range slices.Sorted(maps.Keys(x)) {
			labels := e.inner.apply(nil, x[key])
			if e.labelFromKey != "" && key != "" {
				labels = e.inner.apply(labelSet{{Name: e.labelFromKey, Value: key}}, x[key])
			}
			add(spot{value: x[key], key: key}, labels)
		}
	default:
		add(spot{value: v, whole: true}, e.inner.apply(nil, v))
	}
	return out
}

// stateSet: one series per listed state, 1 for the current one; for a list, of
// each element.
func (e *each) stateSet(c *rule.Context, v any) []series {
	var out []series
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for i, element := range list {
		value := element
		if len(e.valueFrom) > 0 {
			value = e.valueFrom.Walk(element)
		}
		at := spot{value: element, index: i, whole: !isList}
		if t := c.Trace(); t != nil {
			e.traceState(t, at, value)
		}
		if value == nil {
			continue
		}
		current, ok := value.(string)
		if !ok {
			c.Fail(rule.ReasonState, fmt.Errorf("a state must be text, found a %T", value))
			continue
		}
		for _, state := range e.list {
			s := series{labels: e.inner.apply(labelSet{{Name: e.labelName, Value: state}}, element)}
			if state == current {
				s.value = 1
			}
			if c.Trace() != nil {
				s.from = e.stateFrom(at, current, s.value)
			}
			out = append(out, s)
		}
	}
	return out
}
