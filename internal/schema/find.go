package schema

import (
	"cmp"
	"slices"
)

// Find follows the steps from the object's root.
func (s *Schema) Find(steps []Step) Result {
	v := viewOf([]*node{s.root})
	for i, step := range steps {
		next, known := v.step(step)
		if next == nil {
			r := Result{Known: known, Depth: i, Fields: v.names(), Type: v.typeName()}
			if !step.Element {
				r.Suggestion = nearest(step.Field, r.Fields)
			}
			return r
		}
		v = viewOf(next)
	}
	return Result{
		Known: true, Found: true, Depth: len(steps),
		Fields: v.names(), Type: v.typeName(), MaxItems: v.max(), Enum: v.enum(),
	}
}

// view is all that is said of one value: by some nodes and by their parts.
type view struct {
	nodes []*node
	kind  kind
	// fields and elements say whether any node has them.
	fields, elements bool
	// unknown is true when there may be fields that no node lists.
	unknown bool
}

// viewLimit is how many nodes are put together at most. Schemas have a handful.
const viewLimit = 100

func viewOf(nodes []*node) view {
	var v view
	for len(nodes) > 0 {
		n := nodes[0]
		nodes = nodes[1:]
		if slices.Contains(v.nodes, n) {
			continue
		}
		if len(v.nodes) == viewLimit {
			v.unknown = true
			break
		}
		v.nodes = append(v.nodes, n)
		nodes = append(slices.Clip(nodes), n.parts...)
		v.kind = cmp.Or(v.kind, n.kind)
		v.fields = v.fields || len(n.fields) > 0
		v.elements = v.elements || n.element != nil
		v.unknown = v.unknown || n.open
	}
	v.unknown = v.unknown || v.kind == kindAny
	return v
}

// step returns the nodes of the value that a step leads to, or none and whether
// it is known that there is no such value.
func (v view) step(s Step) (next []*node, known bool) {
	switch {
	case v.kind == kindAny || v.kind == kindObject:
		if !s.Element {
			next = v.field(s.Field)
		}
		if next == nil {
			next = v.element()
		}
		// Which of its fields an element of an object is, is not known.
		return next, !v.unknown && (!s.Element || !v.fields)
	case v.kind == kindList && s.Element:
		return v.element(), true
	}
	return nil, true
}

func (v view) field(name string) []*node {
	var out []*node
	for _, n := range v.nodes {
		at, found := slices.BinarySearchFunc(n.fields, name, func(f field, name string) int { return cmp.Compare(f.name, name) })
		if found {
			out = append(out, n.fields[at].node)
		}
	}
	return out
}

func (v view) element() []*node {
	var out []*node
	for _, n := range v.nodes {
		if n.element != nil {
			out = append(out, n.element)
		}
	}
	return out
}

// names returns the names of the fields, sorted.
func (v view) names() []string {
	var out []string
	for _, n := range v.nodes {
		for _, f := range n.fields {
			out = append(out, f.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (v view) typeName() string {
	if v.kind == kindObject && v.elements && !v.fields {
		return "map"
	}
	return kindNames[v.kind]
}

// max returns the smallest of the limits.
func (v view) max() int {
	var out int32
	for _, n := range v.nodes {
		if n.max > 0 && (out == 0 || n.max < out) {
			out = n.max
		}
	}
	return int(out)
}

// enum returns the values that all nodes allow, or nil when none names any.
func (v view) enum() []string {
	var out []string
	for _, n := range v.nodes {
		switch {
		case n.enum == nil:
		case out == nil:
			out = slices.Clone(n.enum)
		default:
			allowed := make(map[string]bool, len(n.enum))
			for _, s := range n.enum {
				allowed[s] = true
			}
			out = slices.DeleteFunc(out, func(s string) bool { return !allowed[s] })
		}
	}
	return out
}
