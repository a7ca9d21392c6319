package rule

import (
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Op is how an aggregate makes one value of many.
type Op string

// The operations of an [Aggregate].
const (
	OpCount     Op = "count"
	OpSum       Op = "sum"
	OpMin       Op = "min"
	OpMax       Op = "max"
	OpAvg       Op = "avg"
	OpHistogram Op = "histogram"
)

var ops = []string{string(OpCount), string(OpSum), string(OpMin), string(OpMax), string(OpAvg), string(OpHistogram)}

// Aggregate says that a metric has no series for each object, but one for each
// set of labels.
type Aggregate struct {
	Op      Op
	Buckets []float64 // upper bounds of a histogram, ascending, without +Inf
}

// Transition says that a metric counts changes from one version of an object to
// the next, or how long a state lasted.
type Transition struct {
	// By are the labels of the series, sorted. "from" and "to" stand for the
	// two states.
	By []string
	// Buckets are those of a histogram of durations; without them changes are
	// counted.
	Buckets []float64
}

type aggregateSpec struct {
	pos     *yaml.Node
	op      string
	by      []string
	buckets []float64
}

type transitionSpec struct {
	pos     *yaml.Node
	of      exprSpec
	by      []string
	buckets []float64
}

func (r Reporter) aggregate(n *yaml.Node) *aggregateSpec {
	s := &aggregateSpec{pos: n}
	r.Fields(n, false, map[string]func(*yaml.Node){
		"op": r.Text(&s.op), "by": r.Texts(&s.by), "buckets": r.buckets(&s.buckets),
	})
	switch {
	case !slices.Contains(ops, s.op):
		r.Errorf(n, "unknown op %q: expected %s%s", s.op, strings.Join(ops, ", "), suggest(s.op, ops))
	case s.op == string(OpHistogram) && len(s.buckets) == 0:
		r.Errorf(n, "op histogram needs buckets: their upper bounds, such as [60, 3600]")
	case s.op != string(OpHistogram) && len(s.buckets) > 0:
		r.Errorf(n, "buckets belong to op histogram")
	}
	return s
}

func (r Reporter) transition(n *yaml.Node) *transitionSpec {
	s := &transitionSpec{pos: n}
	r.Fields(n, false, map[string]func(*yaml.Node){
		"of": func(v *yaml.Node) { s.of = r.expr(v) },
		"by": r.Texts(&s.by), "buckets": r.buckets(&s.buckets),
	})
	if s.of.empty() {
		r.Errorf(n, "onTransition needs the state whose changes count: of")
	}
	return s
}

// buckets stores ascending numbers.
func (r Reporter) buckets(dst *[]float64) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.Each(n, func(item *yaml.Node) {
			var f *float64
			if r.Number(&f)(item); f != nil {
				*dst = append(*dst, *f)
			}
		})
		for i, b := range *dst {
			if i > 0 && !(b > (*dst)[i-1]) || math.IsNaN(b) || math.IsInf(b, 0) {
				r.Errorf(n, "buckets must be finite and ascend")
				return
			}
		}
	}
}

// checkDerived checks age, aggregate and onTransition against the rest.
func (r Reporter) checkDerived(n *yaml.Node, s *metricSpec) {
	hasValue := !s.value.empty() || s.fallback != nil || s.valueMap != nil
	plain := s.typ == metric.Gauge || s.typ == metric.Histogram
	switch {
	case !s.age.empty() && hasValue:
		r.Errorf(n, "a metric has either an age or a value")
	case s.aggregate != nil && s.transition != nil:
		r.Errorf(n, "a metric has either aggregate or onTransition")
	case s.transition != nil && s.typ != metric.Counter && s.typ != metric.Histogram:
		r.Errorf(n, "onTransition makes a counter or a histogram: say type: counter or type: histogram")
	case s.transition != nil && s.typ == metric.Histogram && len(s.transition.buckets) == 0:
		r.Errorf(n, "a histogram of durations needs onTransition.buckets, in seconds")
	case s.transition != nil && s.typ == metric.Counter && len(s.transition.buckets) > 0:
		r.Errorf(n, "buckets belong to type histogram")
	case s.transition != nil && hasValue:
		r.Errorf(n, "onTransition has no value: it counts changes of what \"of\" says")
	case s.transition != nil:
	case !s.age.empty() && !plain:
		r.Errorf(n, "an age is a gauge or a histogram")
	case s.aggregate != nil && !plain:
		r.Errorf(n, "an aggregate is a gauge or a histogram")
	case s.typ == metric.Histogram && (s.aggregate == nil || s.aggregate.op != string(OpHistogram)):
		r.Errorf(n, "a histogram needs aggregate: {op: histogram, by: [...], buckets: [...]}")
	case s.typ != metric.Histogram && s.aggregate != nil && s.aggregate.op == string(OpHistogram):
		r.Errorf(n, "op histogram needs type: histogram")
	case s.aggregate != nil && s.aggregate.op == string(OpCount) && (s.fallback != nil || s.valueMap != nil):
		r.Errorf(n, "op count has no default and no valueMap: it counts the samples for which the value is present and not false")
	case s.aggregate != nil && s.aggregate.op != string(OpCount) && !hasValue && s.age.empty():
		r.Errorf(n, "op %s needs a value or an age", s.aggregate.op)
	case (s.aggregate != nil) && len(s.spread) > 0:
		r.Errorf(n, "spread has labels that nobody can name in by")
	}
}

// by checks the labels that an aggregate or a transition keeps, and returns
// them sorted. Labels that say the same of every object stay.
func (r Reporter) by(n *yaml.Node, by, also []string, f *form, outer []boundLabel) []string {
	keep := slices.Clone(by)
	known := slices.Clone(also)
	for _, l := range f.labels {
		known = append(known, l.name)
		value := l.value
		if l.outer >= 0 {
			value = outer[l.outer].value
		}
		if _, fixed := value.constant(); fixed {
			keep = append(keep, l.name)
		}
	}
	for _, name := range by {
		if !slices.Contains(known, name) {
			r.Errorf(n, "by: the metric has no label %q: there are %s%s", name, orNone(known), suggest(name, known))
		}
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}

// derive compiles age, aggregate and onTransition.
func (c *compiler) derive(r Reporter, m *metricSpec, f *form, outer []boundLabel, scope names) {
	f.age = c.compile(r, m.age, scope)
	f.info.Age = len(f.age) > 0
	switch {
	case m.aggregate != nil:
		by := r.by(m.aggregate.pos, m.aggregate.by, nil, f, outer)
		f.labels = slices.DeleteFunc(f.labels, func(l label) bool { return !slices.Contains(by, l.name) })
		f.info.Aggregate = &Aggregate{Op: Op(m.aggregate.op), Buckets: m.aggregate.buckets}
		if f.info.Aggregate.Op == OpHistogram {
			f.typ = metric.GaugeHistogram
		}
	case m.transition != nil:
		f.of = c.compile(r, m.transition.of, scope)
		f.info.Transition = &Transition{
			By:      r.by(m.transition.pos, m.transition.by, []string{"from", "to"}, f, outer),
			Buckets: m.transition.buckets,
		}
		if i := slices.IndexFunc(f.labels, func(l label) bool { return l.name == "from" || l.name == "to" }); i >= 0 {
			r.Errorf(m.transition.pos, "label %q has the name of a state of the transition: rename it", f.labels[i].name)
		}
	}
}

// sameShape reports whether two metrics of a family are made alike.
func (m *Metric) sameShape(other *Metric) bool {
	a, b := m.Aggregate, other.Aggregate
	t, u := m.Transition, other.Transition
	return m.Age == other.Age && (a == nil) == (b == nil) && (t == nil) == (u == nil) &&
		(a == nil || a.Op == b.Op && slices.Equal(a.Buckets, b.Buckets)) &&
		(t == nil || slices.Equal(t.Buckets, u.Buckets))
}
