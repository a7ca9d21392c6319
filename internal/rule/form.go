package rule

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// form is a compiled metric in the new form.
type form struct {
	typ      metric.Type
	info     *Metric
	scopes   []scope
	names    names
	labels   []label
	own      [2]int  // from the first to behind the last that the metric does not share with others
	byDepth  [][]int // the labels that are known once scope i has been entered
	spreads  []spread
	value    expr
	valueMap map[string]float64
	fallback *float64
	states   []string
	anyState bool // others are expected
	state    int  // index of the state label
	age      expr // instead of value
	of       expr // the state whose changes count, instead of value
	simple   bool // a gauge with a value that is a number, or may be missing
	use      joinUse
}

// scope is a compiled forEach entry.
type scope struct {
	slot, key, index int // variables; 0 where there is none
	in, where        expr
	one              bool
	join             *join // instead of in
}

// label is one label of a form: either one that the resource's metrics share
// (outer >= 0) or one of its own. Labels are sorted by name.
type label struct {
	name  string
	outer int
	value expr
	field plainField // what value is, if it is nothing more
}

type spread struct {
	from        expr
	prefix      string
	allow, deny []string
}

// form compiles a metric in the new form. scope are the names that the resource
// has; what it shares with other metrics is outer.
func (c *compiler) form(r Reporter, rules *resourceRules, m *metricSpec, info *Metric) *form {
	f := &form{typ: m.typ, info: info, valueMap: m.valueMap, fallback: m.fallback, states: c.states(r, m), anyState: m.anyState, state: -1}
	scope := slices.Clone(rules.names)
	depths := slices.Repeat([]int{0}, len(scope))
	for i := range m.forEach {
		s := &m.forEach[i]
		compiled := c.scope(r, f, s, &scope)
		for len(depths) < len(scope) {
			depths = append(depths, i+1)
		}
		compiled.where = c.compile(r, s.where, scope)
		f.scopes = append(f.scopes, compiled)
	}
	f.names = scope
	c.bindLabels(r, rules.outer, m, f, scope)
	c.derive(r, m, f, rules.outer, scope)
	f.placeLabels(depths)
	for i := range m.spread {
		s := &m.spread[i]
		f.spreads = append(f.spreads, spread{c.compile(r, s.from, scope), s.prefix, s.allow, s.deny})
	}
	f.value = c.compile(r, m.value, scope)
	if f.typ == metric.StateSet {
		f.state = slices.IndexFunc(f.labels, func(l label) bool { return l.name == m.stateLabel })
	}
	f.simple = f.typ == metric.Gauge && f.info.Aggregate == nil && f.valueMap == nil && len(f.age) == 0
	r.checkLimits(m.limits, f, rules.outer)
	return f
}

// states returns the states of a stateSet, those of parameters included, each
// once.
func (c *compiler) states(r Reporter, m *metricSpec) []string {
	var out []string
	for _, state := range c.expand(r, m.pos, m.states) {
		if !slices.Contains(out, state) {
			out = append(out, state)
		}
	}
	return out
}

// placeLabels finds out where each label is known.
func (f *form) placeLabels(depths []int) {
	f.byDepth = make([][]int, len(f.scopes)+1)
	for i := range f.labels {
		l := &f.labels[i]
		if l.outer < 0 {
			if f.own[1] == 0 {
				f.own[0] = i
			}
			f.own[1] = i + 1
		}
		if l.outer >= 0 || len(l.value) == 0 { // shared, or the label of a state
			continue
		}
		d := 0
		for _, slot := range l.value.reads() {
			d = max(d, depths[slot])
		}
		f.byDepth[d] = append(f.byDepth[d], i)
		l.field = l.value.field()
	}
}

// identifies reports whether a label of a metric is the object's name or its
// UID, or might be.
func (s *resourceSpec) identifies(m *metricSpec, outer []boundLabel) bool {
	for _, l := range slices.Concat(s.labelsFromPath, m.labelsFromPath) {
		if strings.Contains(l.name, "*") || slices.Contains(l.path, "name") || slices.Contains(l.path, "uid") {
			return true
		}
	}
	for _, l := range m.labels {
		for _, n := range l.value.alternatives {
			if isIdentity(n.Value) {
				return true
			}
		}
	}
	if m.each != nil || len(m.spread) > 0 {
		// A legacy block or a map may have anything in it.
		if slices.ContainsFunc(outer, func(l boundLabel) bool { return l.value.identifies() }) {
			return true
		}
		return len(m.spread) > 0 || anyNode(m.each, func(n *yaml.Node) bool { return n.Value == "name" || n.Value == "uid" })
	}
	return slices.ContainsFunc(outer, func(l boundLabel) bool { return l.value.identifies() })
}

// identifies reports whether an expression is the object's name or its UID.
func (e expr) identifies() bool {
	return slices.ContainsFunc(e, func(a alternative) bool {
		return a.slot == slotObject && len(a.path) == 2 && a.path[0].key == "metadata" && (a.path[1].key == "name" || a.path[1].key == "uid")
	})
}

func isIdentity(expression string) bool {
	return expression == "object.metadata.name" || expression == "object.metadata.uid"
}

// anyNode reports whether a predicate holds for a node or one below it.
func anyNode(n *yaml.Node, holds func(*yaml.Node) bool) bool {
	return holds(n) || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return anyNode(c, holds) })
}

// scope compiles a forEach entry and declares its names. Its "in" sees only the
// names before it.
func (c *compiler) scope(r Reporter, f *form, s *scopeSpec, scope *names) scope {
	compiled := newScope(c.compile(r, s.in, *scope), s.one)
	if s.lookup != nil {
		j := c.join(r, &f.use, s.lookup, scope)
		compiled.join, compiled.slot = &j, j.slot
		return compiled
	}
	compiled.slot, compiled.key, compiled.index = r.declare(s.pos, s.as, scope), r.declare(s.pos, s.key, scope), r.declare(s.pos, s.index, scope)
	return compiled
}

func newScope(in expr, one bool) scope { return scope{in: in, one: one} }

// bindLabels puts the metric's labels together: what the resource's metrics
// share, then its common labels, its labels from paths, its own labels.
func (c *compiler) bindLabels(r Reporter, outer []boundLabel, m *metricSpec, f *form, scope names) {
	own := labelTable{}
	for _, l := range m.commonLabels {
		own.set(l.name, expr{{literal: l.value}})
	}
	for _, l := range m.labelsFromPath {
		if strings.Contains(l.name, "*") {
			r.Errorf(l.pos, "labelsFromPath %q: write spread: [{from: ...}] in a metric of this form", l.name)
			continue
		}
		own.addPath(r, l)
	}
	c.addLabels(own, r, m.labels, scope)
	if f.typ == metric.StateSet && m.stateLabel != "" {
		if own[m.stateLabel] != nil {
			r.Errorf(m.pos, "label %q is the stateLabel", m.stateLabel)
		}
		own.set(m.stateLabel, expr{})
	}
	for _, l := range own.sorted() {
		f.labels = append(f.labels, label{name: l.name, outer: -1, value: l.value})
	}
	for i, o := range outer {
		if own[o.name] == nil {
			f.labels = append(f.labels, label{name: o.name, outer: i})
		}
	}
	slices.SortFunc(f.labels, func(a, b label) int { return strings.Compare(a.name, b.name) })
}
