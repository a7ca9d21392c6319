package rule

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Steps of a [Read] that are not the names of fields.
const (
	// Element leads to any element of a list or value of a map.
	Element = "[]"
	// Through leads to any element of a list, and nowhere from anything else.
	Through = "[*]"
)

// Read is a field that a rule reads of the objects it is about.
type Read struct {
	// Path leads there from the object, by the names of fields, [Element] and
	// [Through].
	Path []string
	// Source is the expression as it is written, and At where.
	Source string
	At     Position
	// Group is the same for all reads of an expression and Alternative for those
	// of one alternative of it: the first alternative that is present counts.
	Group, Alternative int
	// Label is the label that the field is read for, if it is.
	Label string
	// Value says that the field is read for the value, Scope that it is iterated
	// over.
	Value, Scope bool
	// Computed says that what is read is only a part of the expression.
	Computed bool
	// Legacy says that the path is written as kube-state-metrics has them.
	Legacy bool
}

// Scope is what a metric iterates over.
type Scope struct {
	// Source is the expression as it is written.
	Source string
	// Reads are the fields that the expression reads.
	Reads []Read
	// Lone says that what is no list counts as one element.
	Lone bool
}

// covers reports whether a field is what is read, or a part of it, or has it.
func (r Read) covers(path ...string) bool {
	n := min(len(path), len(r.Path))
	return slices.Equal(path[:n], r.Path[:n])
}

// Reading is a metric of the set with what it reads.
type Reading struct {
	*Metric
	Desc metric.Desc
	// GVK is what the resource names; Discovered says that it names nothing.
	GVK        GVK
	Discovered bool
	// Selection is which objects the resource is about.
	Selection Selection
	// Scopes are what the metric iterates over, outermost first.
	Scopes []Scope
	// Reads are all fields, those of labels that metrics share included. Those
	// of a group follow each other.
	Reads []Read
	// States are those of a stateSet, which gives a series for each.
	States []string
	// Labels are the names of the labels that the new form has.
	Labels []string
	// Fixed are the labels that have the same value in every series.
	Fixed map[string]string
	// Legacy is set for the each form.
	Legacy bool

	resource *resourceRules
}

// Reader is an [Evaluator] that can tell what it reads.
type Reader interface {
	// Read adds what the metric reads.
	Read(out *Reading)
}

// Readings returns all metrics of the set, in rule order.
func (s *Set) Readings() []Reading {
	var out []Reading
	for _, r := range s.resources {
		for i := range r.metrics {
			m := &r.metrics[i]
			reading := Reading{
				Metric: m.info, Desc: s.families[m.info.Family], GVK: r.gvk, Discovered: r.discover != nil,
				Selection: r.selection, Fixed: make(map[string]string), resource: r,
			}
			r.read(&reading)
			switch e := m.eval.(type) {
			case *form:
				e.read(&reading)
			case Reader:
				reading.Legacy = true
				e.Read(&reading)
			}
			out = append(out, reading)
		}
	}
	return out
}

// Matches reports whether the metric is about a kind.
func (r *Reading) Matches(k Served) bool { return r.resource.matches(&k) }

// Add adds the reads of one expression.
func (r *Reading) Add(reads ...Read) {
	group := 0
	if n := len(r.Reads); n > 0 {
		group = r.Reads[n-1].Group + 1
	}
	for _, read := range reads {
		read.Group = group
		r.Reads = append(r.Reads, read)
	}
}

// fix notes a label, if its value is fixed.
func (r *Reading) fix(name string, value expr) {
	delete(r.Fixed, name)
	if text, fixed := value.constant(); fixed {
		r.Fixed[name] = text
	}
}

// roots are the paths of variables, by slot: more than one when a variable is
// the first of several fields that is present. A variable that is not a part of
// the object has none.
type roots struct {
	paths map[int][][]string
	names names
}

func newRoots(n names) roots { return roots{map[int][][]string{slotObject: {{}}}, n} }

// read adds what the labels and lookups that metrics share read.
func (r *resourceRules) read(out *Reading) {
	at := newRoots(r.names)
	for i := range r.lookups {
		r.lookups[i].read(at, out)
	}
	for i := range r.outer {
		out.fix(r.outer[i].name, r.outer[i].value)
		out.Add(labelled(at.reads(r.outer[i].value), r.outer[i].name)...)
	}
}

func (j *join) read(at roots, out *Reading) {
	for _, e := range []expr{j.apiVersion, j.kind, j.namespace, j.name} {
		out.Add(at.reads(e)...)
	}
}

// labelled says of reads which label they are for.
func labelled(reads []Read, name string) []Read {
	for i := range reads {
		reads[i].Label = name
	}
	return reads
}

// read adds what a metric in the new form reads.
func (f *form) read(out *Reading) {
	at := newRoots(f.names)
	for i := range f.scopes {
		f.scopes[i].read(at, out)
		out.Add(at.reads(f.scopes[i].where)...)
	}
	for i := range f.labels {
		out.Labels = append(out.Labels, f.labels[i].name)
		if f.labels[i].outer < 0 {
			out.fix(f.labels[i].name, f.labels[i].value)
		}
		out.Add(labelled(at.reads(f.labels[i].value), f.labels[i].name)...)
	}
	for i := range f.spreads {
		out.Add(at.reads(f.spreads[i].from)...)
	}
	value := at.reads(f.value)
	for i := range value {
		value[i].Value = true
	}
	out.Add(value...)
	out.Add(at.reads(f.age)...)
	out.Add(at.reads(f.of)...)
	if f.typ == metric.StateSet {
		out.States = f.states
	}
}

// read adds what a scope reads, and notes what its variable stands for.
func (s *scope) read(at roots, out *Reading) {
	if s.join != nil {
		s.join.read(at, out)
		return
	}
	reads := at.reads(s.in)
	step, plain := Element, true
	if s.one {
		step = Through
	}
	var paths [][]string
	for i := range reads {
		reads[i].Scope = true
		plain = plain && !reads[i].Computed
		paths = append(paths, append(slices.Clone(reads[i].Path), step))
	}
	if plain {
		at.paths[s.slot] = paths
	}
	out.Add(reads...)
	scope := Scope{Reads: reads, Lone: s.one}
	if len(s.in) > 0 {
		scope.Source = s.in[0].source
	}
	out.Scopes = append(out.Scopes, scope)
}

// reads returns the fields that an expression reads.
func (at roots) reads(e expr) []Read {
	var out []Read
	number := 0
	for i := range e {
		a := &e[i]
		read := Read{Source: a.source, At: a.at}
		switch {
		case a.literal != nil:
		case a.computed != nil:
			read.Computed, read.Alternative = true, number
			number++
			for _, p := range a.computed.Paths() {
				if root := at.paths[slices.Index(at.names, p[0])]; len(root) == 1 {
					read.Path = slices.Concat(root[0], p[1:])
					out = append(out, read)
				}
			}
		default:
			for _, root := range at.paths[a.slot] {
				read.Path, read.Alternative = slices.Concat(root, a.path.fields(), a.legacy.Steps()), number
				read.Legacy = a.legacy != nil
				number++
				out = append(out, read)
			}
		}
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

// Steps returns the path with [Element] for every step into a list.
func (p LegacyPath) Steps() []string {
	out := make([]string, len(p))
	for i := range p {
		switch {
		case p[i].lookup, p[i].isIndex:
			out[i] = Element
		case p[i].isPair:
			out[i] = p[i].key
		default:
			out[i] = p[i].text
		}
	}
	return out
}

// At returns where a node is.
func (r Reporter) At(n *yaml.Node) Position {
	return Position{File: r.file, Line: n.Line, Column: n.Column}
}

// Suggest returns `, did you mean "x"?` for the candidate nearest to a name, or
// nothing when none is near.
func Suggest(name string, candidates []string) string { return suggest(name, candidates) }

// Groups returns the opt-in groups of the document, each once, in order.
func (d *Document) Groups() []string {
	var out []string
	for i := range d.resources {
		out = append(out, d.resources[i].enable)
		for j := range d.resources[i].metrics {
			out = append(out, d.resources[i].metrics[j].enable)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(g string) bool { return g == "" })
}

// Request is what the set asks to read.
type Request struct {
	// GVK is a kind, or every kind of a group when the kind is "*".
	GVK GVK
	// Discovered says that kinds are found by what they are: GVK is empty.
	Discovered bool
	// Lookup says that objects of the kind are looked up. With an empty GVK, or
	// the kind "*" in a group, what is looked up depends on other objects.
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
		own := Request{GVK: r.gvk, Document: r.document}
		if r.discover != nil {
			own = Request{Discovered: true, Document: r.document}
		}
		add(own)
		for _, t := range r.targets {
			add(Request{GVK: t, Lookup: true, Document: r.document})
		}
		if r.anyTarget {
			add(Request{Lookup: true, Document: r.document})
			continue
		}
		for _, group := range r.anyOf {
			add(Request{GVK: GVK{Group: group, Kind: "*"}, Lookup: true, Document: r.document})
		}
	}
	return out
}
