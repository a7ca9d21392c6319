package rule

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// emit gives the samples of the innermost scope.
func (f *form) emit(c *Context) {
	switch {
	case f.simple:
		if v, ok := f.number(c); ok {
			f.emitLabels(c, v)
		}
	case f.typ == metric.Info:
		f.emitLabels(c, 1)
	case f.typ == metric.StateSet:
		f.emitStates(c)
	case f.info.Transition != nil:
		f.emitState(c)
	case f.info.Aggregate != nil && f.info.Aggregate.Op == OpCount && len(f.age) == 0:
		f.emitCounted(c)
	default:
		if v, ok := f.number(c); ok {
			f.emitLabels(c, v)
		}
	}
}

// number evaluates the value.
func (f *form) number(c *Context) (float64, bool) {
	value, isAge := f.value, len(f.age) > 0
	if isAge {
		value = f.age
	}
	v, err := value.eval(c)
	if f.simple && err == nil && v != nil {
		if n, err := ToNumber(v); err == nil {
			return n, true // the usual case
		}
	}
	if err == nil && v == nil && f.fallback == nil {
		if c.trace != nil {
			c.trace.noValue(value)
		}
		return 0, false
	}
	var n float64
	switch {
	case err != nil:
	case isAge:
		n, err = toTime(v)
	default:
		n, err = f.convert(v)
	}
	switch {
	case err != nil:
	case f.typ == metric.Counter && !(n >= 0):
		err = fmt.Errorf("a counter cannot be %v", n)
	case f.info.Aggregate != nil && math.IsNaN(n):
		err = errNaN
	}
	if err != nil {
		c.fail(ReasonValue, err)
		return 0, false
	}
	return n, true
}

var errNaN = errors.New("NaN cannot be aggregated")

// toTime returns a time in Unix seconds.
func toTime(v any) (float64, error) {
	switch x := v.(type) {
	case time.Time:
		return unixSeconds(x), nil
	case int64:
		return float64(x), nil
	case float64:
		return x, nil
	case string:
		if t, err := time.Parse(time.RFC3339, x); err == nil {
			return unixSeconds(t), nil
		}
		return 0, fmt.Errorf("%q is not a time such as 2026-05-16T16:17:38Z", x)
	default:
		return 0, fmt.Errorf("%s is not a time", typeName(v))
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

// emitCounted gives a sample that is to be counted, unless the metric has a
// value that does not hold.
func (f *form) emitCounted(c *Context) {
	if len(f.value) > 0 {
		v, err := f.value.eval(c)
		if err != nil {
			c.fail(ReasonValue, err)
		} else if c.trace != nil && !holds(v) {
			c.trace.notCounted(v)
		}
		if err != nil || !holds(v) {
			return
		}
	}
	f.emitLabels(c, 1)
}

// emitState gives the state whose changes count.
func (f *form) emitState(c *Context) {
	state, err := c.label(f.of)
	since := math.NaN()
	if err == nil && len(f.age) > 0 {
		var v any
		if v, err = f.age.eval(c); v != nil {
			since, err = toTime(v)
		}
	}
	if err != nil {
		c.fail(ReasonState, err)
		return
	}
	if c.trace != nil {
		c.trace.state(state)
	}
	if state == "" {
		return
	}
	if labels := f.labelSet(c); c.admit(labels, 0) {
		c.sink.State(f.info, labels, state, since)
	}
}

// convert makes a number of the value; of nil, the default.
func (f *form) convert(v any) (float64, error) {
	switch {
	case v == nil:
		return *f.fallback, nil
	case f.valueMap == nil:
		return ToNumber(v)
	}
	s, ok := text(v)
	if !ok {
		return 0, fmt.Errorf("%s cannot be looked up in the valueMap", typeName(v))
	}
	if n, listed := f.valueMap[s]; listed {
		return n, nil
	}
	if n, others := f.valueMap["*"]; others {
		return n, nil
	}
	return 0, fmt.Errorf("%q is not in the valueMap", s)
}

// emitStates gives a sample for each listed state, and one for a current state
// that is not listed.
func (f *form) emitStates(c *Context) {
	current, err := c.label(f.value)
	if err != nil {
		c.fail(ReasonState, err)
		return
	}
	if current == "" {
		if c.trace != nil {
			c.trace.noValue(f.value)
		}
		return
	}
	listed := false
	for _, state := range f.states {
		c.values[f.state] = state
		if state == current {
			listed = true
			f.emitLabels(c, 1)
		} else {
			f.emitLabels(c, 0)
		}
	}
	if !listed {
		if !f.anyState {
			c.Fail(ReasonUnlisted, fmt.Errorf("the state %q is not listed", current))
		}
		c.values[f.state] = current
		f.emitLabels(c, 1)
	}
}

// emitLabels emits a sample with the current label set.
func (f *form) emitLabels(c *Context, value float64) { c.Emit(f.labelSet(c), value) }

// labelSet puts the label set together.
func (f *form) labelSet(c *Context) []metric.Label {
	if c.trace != nil {
		c.trace.emitting()
	}
	labels := c.labels[:0]
	for i := range f.labels {
		if c.values[i] != "" {
			labels = append(labels, metric.Label{Name: f.labels[i].name, Value: c.values[i]})
		}
	}
	if len(f.spreads) > 0 {
		for i := range f.spreads {
			labels = f.spreads[i].append(c, f, labels)
		}
		metric.SortLabels(labels)
	}
	c.labels = labels
	return labels
}

// append adds a label for each key of the spread's map. A name that two keys
// give, or that the rule names elsewhere, gets a number, in key order: labels
// of an object can take no other label's place.
func (s *spread) append(c *Context, f *form, labels []metric.Label) []metric.Label {
	v, err := s.from.eval(c)
	from, ok := v.(map[string]any)
	if !ok {
		if v != nil {
			err = fmt.Errorf("%s is not a map", typeName(v))
		}
		if err != nil {
			c.fail(ReasonLabel, fmt.Errorf("spread: %w", err))
		}
		return labels
	}
	clear(c.taken)
	for i := range f.labels {
		c.taken[f.labels[i].name] = taken
	}
	for _, l := range labels { // of an earlier spread
		c.taken[l.Name] = taken
	}
	keys := c.spreadKeys[:0]
	for key := range from {
		if (len(s.allow) == 0 || matchAny(s.allow, key)) && !matchAny(s.deny, key) {
			keys = append(keys, key)
			c.taken[c.labelName(s.prefix, key)]++
		}
	}
	slices.Sort(keys)
	c.spreadKeys = keys
	for _, key := range keys {
		value, err := c.text(from[key])
		if err != nil {
			c.Fail(ReasonLabel, fmt.Errorf("label %q: %w", key, err))
			continue
		}
		name := c.labelName(s.prefix, key)
		if c.taken[name] > 1 {
			name = c.conflict(name)
		}
		if value != "" {
			labels = append(labels, metric.Label{Name: name, Value: value})
		}
	}
	return labels
}

// taken is more than any number of keys: the name cannot be had.
const taken = 1 << 40

// conflict returns the first free name_conflictN.
func (c *Context) conflict(name string) string {
	if name == "_" {
		name = "" // two underscores at the start are Prometheus' own
	}
	for n := 1; ; n++ {
		candidate := name + "_conflict" + strconv.Itoa(n)
		if c.taken[candidate] == 0 {
			c.taken[candidate] = taken
			return candidate
		}
	}
}

// labelName returns the label name of a key, from a cache if it can.
func (c *Context) labelName(prefix, key string) string {
	if prefix != "" {
		key = prefix + key
	}
	name, ok := c.keys[key]
	if !ok {
		name = metric.SanitizeLabelName(key)
		if len(c.keys) < maxCached {
			c.keys[key] = name
		}
	}
	return name
}
