package rule

import (
	"slices"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Families returns the descriptions of all families of the set, sorted by name.
// A family's number is its index here. The slice must not be changed.
func (s *Set) Families() []metric.Desc { return s.families }

// Labels returns the names of the labels that rules in the new form give to a
// family, and whether it has one for each key of a map as well.
func (s *Set) Labels(family int) (labels []string, spread bool) {
	for _, r := range s.resources {
		for i := range r.metrics {
			f, ok := r.metrics[i].eval.(*form)
			if !ok || r.metrics[i].info.Family != family {
				continue
			}
			spread = spread || len(f.spreads) > 0
			for _, l := range f.labels {
				labels = append(labels, l.name)
			}
		}
	}
	slices.Sort(labels)
	return slices.Compact(labels), spread
}

// Kinds returns the kinds that resources of the set name, each once, in rule
// order. A kind may be "*", for every kind of the group; an empty version
// stands for the best one that is served. Kinds that are discovered or looked
// up are not among them.
func (s *Set) Kinds() []GVK {
	var out []GVK
	for _, r := range s.resources {
		if r.discover == nil && !slices.Contains(out, r.gvk) && len(r.metrics) > 0 {
			out = append(out, r.gvk)
		}
	}
	return out
}

// Needs says what a source must find out about kinds before it can ask for
// their programs.
type Needs struct {
	// Core says that kinds of the core group are asked for.
	Core bool
	// Labels and Fields say that [Served] must have Labels and Has.
	Labels, Fields bool
	// Lookups says that objects are looked up by what other objects say.
	Lookups bool
	// ManagedFields says that metadata.managedFields, which is often half of an
	// object, is or may be read.
	ManagedFields bool
}

// Needs returns what the set asks of a source.
func (s *Set) Needs() Needs {
	var n Needs
	for _, r := range s.resources {
		if len(r.metrics) == 0 {
			continue
		}
		if d := r.discover; d != nil {
			n.Core = n.Core || !d.hasGroups || matchAny(d.groups, "")
			n.Labels = n.Labels || d.byLabel()
			n.Fields = n.Fields || len(d.having)+len(d.havingAny) > 0
		} else {
			n.Core = n.Core || r.gvk.Group == ""
		}
		n.Core = n.Core || slices.ContainsFunc(r.targets, func(t GVK) bool { return t.Group == "" })
		n.Lookups = n.Lookups || r.joins
	}
	for _, reading := range s.Readings() {
		n.ManagedFields = n.ManagedFields || slices.ContainsFunc(reading.Reads, func(r Read) bool { return r.covers("metadata", "managedFields") })
	}
	return n
}

// Program is what a set has to say about some objects of one kind.
type Program struct {
	gvk       GVK
	gvkValue  map[string]any
	selection Selection
	resources []*resourceRules
	families  []int
	documents []string
	vars      int
	order     int
	joins     bool
	target    bool
	limited   bool

	transitions bool
}

// Programs returns the programs for a kind, one for each selection of its
// objects, in rule order. A kind that others look up has a program for all of
// its objects.
func (s *Set) Programs(k Served) []*Program {
	var out []*Program
	program := func(order int, selection Selection) *Program {
		i := slices.IndexFunc(out, func(p *Program) bool { return p.selection == selection })
		if i < 0 {
			i = len(out)
			out = append(out, newProgram(k.GVK, order, selection))
		}
		return out[i]
	}
	wanted := k.Wanted && k.Best
	for i, r := range s.resources {
		if len(r.metrics) > 0 && r.matches(&k) {
			program(i, r.selection).add(r)
		}
		wanted = wanted || k.Best && slices.Contains(r.targets, GVK{Group: k.Group, Kind: k.Kind})
	}
	if wanted {
		program(len(s.resources), Selection{}).target = true
	}
	for _, p := range out {
		p.finish()
	}
	return out
}

// Program returns the program for all objects of a kind, or nil when no rule
// applies. best says that the version is the best served one.
func (s *Set) Program(gvk GVK, best bool) *Program {
	for _, p := range s.Programs(Served{GVK: gvk, Best: best}) {
		if p.selection == (Selection{}) {
			return p
		}
	}
	return nil
}

func newProgram(gvk GVK, order int, selection Selection) *Program {
	return &Program{
		gvk: gvk, order: order, selection: selection, vars: firstScope,
		gvkValue: map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind},
	}
}

// add makes the program evaluate a resource's rules.
func (p *Program) add(r *resourceRules) {
	p.resources = append(p.resources, r)
	p.documents = append(p.documents, r.document)
	p.joins = p.joins || r.joins
	p.vars = max(p.vars, len(r.names))
	for i := range r.metrics {
		p.families = append(p.families, r.metrics[i].info.Family)
		p.transitions = p.transitions || r.metrics[i].info.Transition != nil
		p.limited = p.limited || len(r.metrics[i].info.Limits) > 0
		if f, ok := r.metrics[i].eval.(*form); ok {
			p.vars = max(p.vars, len(f.names))
		}
	}
}

func (p *Program) finish() {
	slices.Sort(p.families)
	p.families = slices.Compact(p.families)
	slices.Sort(p.documents)
	p.documents = slices.Compact(p.documents)
}

// Selection returns which objects of the kind the program is for.
func (p *Program) Selection() Selection { return p.selection }

// Joins reports whether the program looks up other objects.
func (p *Program) Joins() bool { return p.joins }

// Target reports whether other objects look up those of the program.
func (p *Program) Target() bool { return p.target }

// GVK returns the kind that the program is for, with its version.
func (p *Program) GVK() GVK { return p.gvk }

// Families returns the numbers of the families that the program can give, in
// order.
func (p *Program) Families() []int { return p.families }

// Documents returns the names of the rule documents that the program comes
// from, in order.
func (p *Program) Documents() []string { return p.documents }

// Order returns the place of the program's first resource in the rules.
func (p *Program) Order() int { return p.order }

// Documents returns the names of the documents that the set is made of, each
// once.
func (s *Set) Documents() []string {
	var out []string
	for _, r := range s.resources {
		if !slices.Contains(out, r.document) {
			out = append(out, r.document)
		}
	}
	return out
}

// Shape returns what the metrics of a family have in common: whether they are
// ages, aggregates or transitions.
func (s *Set) Shape(family int) *Metric {
	for _, r := range s.resources {
		for i := range r.metrics {
			if r.metrics[i].info.Family == family {
				return r.metrics[i].info
			}
		}
	}
	return &Metric{}
}

// Transitions reports whether a metric compares versions of objects.
func (p *Program) Transitions() bool { return p.transitions }

// Same reports whether two programs do the same with objects of one kind.
func (p *Program) Same(other *Program) bool {
	return p.gvk == other.gvk && p.target == other.target && slices.Equal(p.resources, other.resources)
}

// Limited reports whether a limit counts over all objects.
func (p *Program) Limited() bool { return p.limited }
