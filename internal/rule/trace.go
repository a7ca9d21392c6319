package rule

import (
	"fmt"
	"slices"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Tracer learns how samples come about. A Context with one makes the same
// samples as without, only more slowly.
type Tracer interface {
	// Wants reports whether the tracer takes traces of a metric.
	Wants(m *Metric) bool
	// Trace takes what became of a metric and an object. The trace is the
	// tracer's own from then on.
	Trace(t *Trace)
}

// Trace is what became of one metric and one object.
type Trace struct {
	// GVK and Object say which object it was. The object must not be changed.
	GVK    GVK
	Object map[string]any
	// Metric is the rule.
	Metric *Metric
	// Lookups say which objects the resource looked up.
	Lookups []Detail
	// Results are the samples, and the reasons why there are no others, in the
	// order in which they came up.
	Results []Result

	c        *Context
	form     *form    // nil for a legacy metric
	probe    *Context // evaluates again, at nobody's cost
	at       []string // where the variables are in the object, by slot; "" is elsewhere
	scopes   [][]Detail
	pending  []Result // problems that may turn out to be of a sample
	unlisted bool     // the last of them is about the state of the sample to come
	legacy   legacyTrace
}

// Detail is a line about something that has a name.
type Detail struct {
	Name, Text string
}

// Result is a sample, or the first thing that kept a sample from being made.
type Result struct {
	// Given is set for a sample; otherwise Why says what was wrong.
	Given bool
	Why   string
	// Labels are those of the sample, or those that were known by then.
	Labels []metric.Label
	// Value is what the sample gives to its series.
	Value float64
	// State is set where changes are counted.
	State string
	// Steps lead from the object to the innermost scope.
	Steps []Detail
	// Sources say where each label of a sample comes from, and why others are
	// absent.
	Sources []LabelSource
	// From says where the value comes from. For no sample, it says more of Why.
	From []string
	// Notes are problems that did not keep the sample from being made.
	Notes []string
}

// LabelSource says where a label comes from; its value is empty when it is
// absent.
type LabelSource struct {
	Name, Value, From string
}

// Trace returns the trace of the metric at work, or nil when nobody wants it.
func (c *Context) Trace() *Trace { return c.trace }

// tracedSink tells the trace what it hands on to a sink.
type tracedSink struct {
	Sink
	c *Context
}

// Sample hands a sample on.
func (s *tracedSink) Sample(m *Metric, labels []metric.Label, value float64) {
	if s.c.trace != nil {
		s.c.trace.sample(labels, value)
	}
	s.Sink.Sample(m, labels, value)
}

// State hands a state on.
func (s *tracedSink) State(m *Metric, labels []metric.Label, state string, since float64) {
	if s.c.trace != nil {
		s.c.trace.sample(labels, since)
		last := &s.c.trace.Results[len(s.c.trace.Results)-1]
		last.State = state
	}
	s.Sink.State(m, labels, state, since)
}

// Problem hands a problem on.
func (s *tracedSink) Problem(p Problem) {
	if s.c.trace != nil {
		s.c.trace.problem(p)
	}
	s.Sink.Problem(p)
}

// beginTrace starts the trace of a metric, if it is wanted.
func (c *Context) beginTrace(p *Program, m *compiledMetric) {
	c.trace = nil
	if !c.Tracer.Wants(m.info) {
		return
	}
	t := &Trace{GVK: p.gvk, Object: c.Object(), Metric: m.info, c: c, at: make([]string, len(c.vars))}
	t.probe = &Context{vars: c.vars, numbers: make(map[int64]string)}
	t.probe.budget.limit = c.budget.limit
	t.form, _ = m.eval.(*form)
	t.at[slotObject], t.at[slotGVK], t.at[slotParam] = "object", "gvk", "param"
	for i := range c.resource.lookups {
		t.Lookups = append(t.Lookups, t.lookup(&c.resource.lookups[i]))
	}
	c.trace = t
}

// endTrace hands the trace over.
func (c *Context) endTrace() {
	t := c.trace
	t.flush()
	c.trace, t.c, t.probe = nil, nil, nil
	c.Tracer.Trace(t)
}

// flush makes results of the problems that were of no sample.
func (t *Trace) flush() {
	t.Results = append(t.Results, t.pending...)
	t.pending = nil
}

// leave forgets the scopes from a depth on.
func (t *Trace) leave(depth int) {
	t.flush()
	t.scopes = t.scopes[:min(depth, len(t.scopes))]
}

// result starts a result with what led to it.
func (t *Trace) result() Result {
	return Result{Steps: slices.Concat(t.scopes...), Labels: t.known()}
}

// stop adds the reason why there is no sample.
func (t *Trace) stop(why string, more []string) {
	t.flush()
	r := t.result()
	r.Why, r.From = why, more
	t.Results = append(t.Results, r)
}

// problem keeps a problem until it is known whether there is a sample anyway.
func (t *Trace) problem(p Problem) {
	r := t.result()
	r.Why = p.Err.Error()
	if p.Reason == ReasonValue || p.Reason == ReasonState {
		if where := t.valueSource(); where != "" {
			r.Why = where + ": " + r.Why
		}
	}
	if p.Reason == ReasonUnlisted {
		r.Why += " and becomes a series of its own"
		t.unlisted = true
	}
	if p.Reason == ReasonDuplicate || p.Reason == ReasonConflict {
		r.Labels = slices.Clone(t.c.labels)
		if t.form == nil {
			r.Labels = t.legacy.labels
		}
		r.Why = "an earlier sample of the object has the same labels: " + labelsText(r.Labels)
		if p.Reason == ReasonConflict {
			r.Why = "an earlier sample of the object has the same labels and another value: " + labelsText(r.Labels)
		}
	}
	t.pending = append(t.pending, r)
	if p.Reason == ReasonDuplicate || p.Reason == ReasonConflict {
		t.flush()
	}
}

// emitting says that what follows is about a new sample. The problem that its
// state is not listed comes before.
func (t *Trace) emitting() {
	if !t.unlisted {
		t.flush()
	}
	t.unlisted = false
}

// sample adds a sample.
func (t *Trace) sample(labels []metric.Label, value float64) {
	r := t.result()
	r.Given, r.Labels, r.Value = true, slices.Clone(labels), value
	for _, p := range t.pending {
		r.Notes = append(r.Notes, p.Why)
	}
	t.pending = nil
	if t.form != nil {
		r.Sources, r.From = t.sources(labels), t.valueFrom(value)
	} else {
		r.Sources, r.From = t.legacy.sources(t, labels), t.legacy.from
	}
	t.Results = append(t.Results, r)
}

// known returns the labels that are known in the innermost scope.
func (t *Trace) known() []metric.Label {
	if t.form == nil {
		return t.legacy.known
	}
	known := make(map[int]bool)
	for d := range min(len(t.scopes)+1, len(t.form.byDepth)) {
		for _, i := range t.form.byDepth[d] {
			known[i] = true
		}
	}
	var out []metric.Label
	for i := range t.form.labels {
		l := &t.form.labels[i]
		if l.outer < 0 && !known[i] {
			continue
		}
		if v, _ := t.eval(t.labelExpr(l)); v != nil {
			if s, ok := text(v); ok && s != "" {
				out = append(out, metric.Label{Name: l.name, Value: s})
			}
		}
	}
	return out
}

// labelExpr returns the expression of a label, its own or the resource's.
func (t *Trace) labelExpr(l *label) expr {
	if l.outer >= 0 {
		return t.c.resource.outer[l.outer].value
	}
	return l.value
}

// eval evaluates an expression, and says which alternative gave the value.
func (t *Trace) eval(e expr) (any, *alternative) {
	defer t.probe.budget.reset()
	for i := range e {
		if v, err := e[i].eval(t.probe); v != nil && err == nil {
			return v, &e[i]
		} else if err != nil {
			return nil, nil
		}
	}
	return nil, nil
}

// found says what a scope iterates over, before its elements.
func (t *Trace) found(depth int, v any) {
	t.leave(depth)
	s := &t.form.scopes[depth]
	name := fmt.Sprintf("forEach %d: ", depth+1)
	_, chosen := t.eval(s.in)
	switch x := v.(type) {
	case nil:
		why, more := t.absent(s.in)
		t.stop(name+why, more)
	case []any:
		if len(x) == 0 {
			t.stop(name+t.place(chosen)+" is an empty list", nil)
		}
		for i, element := range x {
			if element == nil {
				t.stop(fmt.Sprintf("%s%s is null", name, t.elementAt(depth, nil, i)), nil)
			}
		}
	case map[string]any:
		if len(x) == 0 && !s.one {
			t.stop(name+t.place(chosen)+" is an empty map", nil)
		}
		for _, key := range sortedKeys(x) {
			if x[key] == nil && !s.one {
				t.stop(name+t.elementAt(depth, key, 0)+" is null", nil)
			}
		}
	}
}

// elementAt says where an element of a scope is.
func (t *Trace) elementAt(depth int, key any, index int) string {
	s := &t.form.scopes[depth]
	_, chosen := t.eval(s.in)
	at := t.place(chosen)
	switch k, isKey := key.(string); {
	case s.one && (key == nil && index == 0):
		return at
	case chosen != nil && chosen.computed != nil && isKey:
		return fmt.Sprintf("the value of %q in %s", k, at)
	case chosen != nil && chosen.computed != nil:
		return fmt.Sprintf("element %d of %s", index, at)
	case isKey:
		return at + Path{Field(k)}.String()
	default:
		return at + Path{Index(index)}.String()
	}
}

// element enters an element of a scope.
func (t *Trace) element(depth int, key any, index int) {
	t.leave(depth)
	s := &t.form.scopes[depth]
	_, chosen := t.eval(s.in)
	at := t.elementAt(depth, key, index)
	name := t.form.names[s.slot]
	t.at[s.slot] = name
	if chosen != nil && chosen.computed == nil && chosen.literal == nil {
		t.at[s.slot] = at
	}
	line := name + " is " + at
	if s.key > 0 && key != nil {
		line += fmt.Sprintf(", %s is %s", t.form.names[s.key], show(key))
	}
	if s.index > 0 {
		line += fmt.Sprintf(", %s is %d", t.form.names[s.index], index)
	}
	for _, slot := range []int{s.key, s.index} {
		if slot > 0 {
			t.at[slot] = t.form.names[slot]
		}
	}
	t.scopes = append(t.scopes, []Detail{{fmt.Sprintf("forEach %d", depth+1), line}})
}

// where says whether the condition of a scope holds.
func (t *Trace) where(depth int, v any) {
	where := t.form.scopes[depth].where
	_, chosen := t.eval(where)
	switch {
	case v == nil:
		why, more := t.absent(where)
		t.stop(fmt.Sprintf("forEach %d: where: %s", depth+1, why), more)
	case !holds(v):
		t.stop(fmt.Sprintf("forEach %d: where: %s is false", depth+1, written(where)), t.reads(chosen))
	default:
		t.scopes[depth] = append(t.scopes[depth], Detail{"where", written(where) + " is " + show(v)})
	}
}

// looked enters the scope of an object that was looked up.
func (t *Trace) looked(depth int) {
	t.leave(depth)
	s := &t.form.scopes[depth]
	d := t.lookup(s.join)
	t.at[s.slot] = t.form.names[s.slot]
	t.scopes = append(t.scopes, []Detail{{fmt.Sprintf("forEach %d", depth+1), d.Name + " is " + d.Text}})
}

// noValue says that the value is absent.
func (t *Trace) noValue(e expr) {
	if v, _ := t.eval(e); v != nil {
		t.stop("value: "+written(e)+" is empty", nil)
		return
	}
	why, more := t.absent(e)
	t.stop("value: "+why, more)
}

// notCounted says that a sample does not count.
func (t *Trace) notCounted(v any) {
	if v == nil {
		t.noValue(t.form.value)
		return
	}
	_, chosen := t.eval(t.form.value)
	t.stop("value: "+written(t.form.value)+" is false: it does not count", t.reads(chosen))
}

// state is told the state whose changes count.
func (t *Trace) state(state string) {
	t.flush()
	if state == "" {
		why, more := t.absent(t.form.of)
		t.stop("onTransition: "+why, more)
	}
}
