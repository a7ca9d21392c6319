package rule

import (
	"slices"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Element is the step of a path to any element of a list or value of a map.
const Element = "[]"

// Read is a field that a rule reads of the objects it is about.
type Read struct {
	// Path leads there from the object, with [Element] for elements.
	Path []string
	// Source is the expression as it is written, and At where.
	Source string
	At     Position
	// Lists says that lists in between are not in the path: a legacy path goes
	// through them by itself.
	Lists bool
}

// Reading is a metric of the set with what it reads.
type Reading struct {
	*Metric
	Desc metric.Desc
	// GVK is what the resource names; Discovered says that it names nothing.
	GVK        GVK
	Discovered bool
	// Scopes are what the metric iterates over, outermost first. A path is nil
	// where it is not a field of the object.
	Scopes []Read
	// Reads are all fields, those of labels that metrics share included.
	Reads []Read
	// States are how many series a stateSet gives for each element, else 1.
	States int
	// Legacy is set for the each form.
	Legacy bool
}

// Readings returns all metrics of the set, in rule order.
func (s *Set) Readings() []Reading {
	var out []Reading
	for _, r := range s.resources {
		outer := r.reads()
		for i := range r.metrics {
			m := &r.metrics[i]
			reading := Reading{
				Metric: m.info, Desc: s.families[m.info.Family], GVK: r.gvk, Discovered: r.discover != nil,
				States: 1, Reads: outer,
			}
			if f, ok := m.eval.(*form); ok {
				f.read(r, &reading)
			} else if e, ok := m.eval.(interface{ Reads() []Read }); ok {
				reading.Legacy = true
				reading.Reads = slices.Concat(outer, e.Reads())
			}
			out = append(out, reading)
		}
	}
	return out
}

// roots are the paths of variables, by slot. A variable that is not a part of
// the object has none.
type roots struct {
	paths map[int][]string
	names names
}

func newRoots(n names) roots { return roots{map[int][]string{slotObject: {}}, n} }

// reads returns what the labels and lookups that metrics share read.
func (r *resourceRules) reads() []Read {
	at := newRoots(r.names)
	var out []Read
	for i := range r.lookups {
		out = append(out, r.lookups[i].reads(at)...)
	}
	for i := range r.outer {
		out = append(out, at.reads(r.outer[i].value)...)
	}
	return out
}

func (j *join) reads(at roots) []Read {
	return slices.Concat(at.reads(j.apiVersion), at.reads(j.kind), at.reads(j.namespace), at.reads(j.name))
}

// read fills in what a metric in the new form reads.
func (f *form) read(r *resourceRules, out *Reading) {
	at := newRoots(f.names)
	add := func(e expr) { out.Reads = append(out.Reads, at.reads(e)...) }
	out.Reads = slices.Clip(out.Reads)
	for i := range f.scopes {
		s := &f.scopes[i]
		if s.join != nil {
			out.Reads = append(out.Reads, s.join.reads(at)...)
			continue
		}
		in := at.reads(s.in)
		out.Reads = append(out.Reads, in...)
		scope := Read{}
		if len(in) > 0 {
			scope = in[0]
		}
		if s.one {
			scope.Path = nil // one element, whatever the schema says
		}
		if len(in) == 1 && len(s.in) == 1 && s.in[0].computed == nil {
			at.paths[s.slot] = append(slices.Clone(in[0].Path), Element)
			if s.one {
				at.paths[s.slot] = in[0].Path
			}
		}
		out.Scopes = append(out.Scopes, scope)
		add(s.where)
	}
	for i := range f.labels {
		add(f.labels[i].value)
	}
	for i := range f.spreads {
		add(f.spreads[i].from)
	}
	add(f.value)
	add(f.age)
	add(f.of)
	if f.typ == metric.StateSet {
		out.States = len(f.states)
	}
}

// reads returns the fields that an expression reads.
func (at roots) reads(e expr) []Read {
	var out []Read
	for i := range e {
		a := &e[i]
		root, known := at.paths[a.slot]
		read := Read{Source: a.source, At: a.at}
		switch {
		case a.literal != nil:
			continue
		case a.computed != nil:
			for _, p := range a.computed.Paths() {
				if root, known := at.paths[slices.Index(at.names, p[0])]; known {
					out = append(out, Read{Path: slices.Concat(root, p[1:]), Source: a.source, At: a.at})
				}
			}
			continue
		case !known:
			continue
		case a.legacy != nil:
			read.Lists = true
			read.Path = a.legacy.Fields()
		default:
			read.Path = append(slices.Clone(root), a.path.fields()...)
		}
		out = append(out, read)
	}
	return out
}

// fields returns the path with [Element] for every step into a list.
func (p Path) fields() []string {
	out := make([]string, len(p))
	for i := range p {
		out[i] = Element
		if p[i].kind == stepField {
			out[i] = p[i].key
		}
	}
	return out
}

// Fields returns the names of fields on the path, without steps into lists.
func (p LegacyPath) Fields() []string {
	var out []string
	for i := range p {
		switch {
		case p[i].lookup, p[i].isIndex:
		case p[i].isPair:
			out = append(out, p[i].key)
		default:
			out = append(out, p[i].text)
		}
	}
	return out
}

// Request is what the set asks to read.
type Request struct {
	// GVK is a kind, or every kind of a group when the kind is "*".
	GVK GVK
	// Discovered says that kinds are found by what they are: GVK is empty.
	Discovered bool
	// Lookup says that objects of the kind are looked up. With an empty GVK
	// what is looked up depends on other objects.
	Lookup bool
	// Document is the name of a rule document that asks.
	Document string
}

// Requests returns what the set asks to read, each once, in rule order.
func (s *Set) Requests() []Request {
	var out []Request
	add := func(r Request) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, r := range s.resources {
		if len(r.metrics) == 0 {
			continue
		}
		add(Request{GVK: r.gvk, Discovered: r.discover != nil, Document: r.document})
		for _, t := range r.targets {
			add(Request{GVK: t, Lookup: true, Document: r.document})
		}
		if r.anyTarget {
			add(Request{Lookup: true, Document: r.document})
		}
	}
	return out
}
