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
			if !ok || r.metrics[i].family != family {
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

// Kinds returns what the resources of the set ask for, each once, in rule
// order. A kind may be "*", for every kind of the group; an empty version
// stands for the best one that is served.
func (s *Set) Kinds() []GVK {
	var out []GVK
	for _, r := range s.resources {
		if !slices.Contains(out, r.gvk) && len(r.metrics) > 0 {
			out = append(out, r.gvk)
		}
	}
	return out
}

// Program is what a set has to say about one kind of object.
type Program struct {
	gvk       GVK
	gvkValue  map[string]any
	resources []*resourceRules
	families  []int
	documents []string
	vars      int
	order     int
}

// Program returns the program for objects of a group, version and kind. best
// says that the version is the best served one, so that rules without a version
// apply. It returns nil when no rule applies.
func (s *Set) Program(gvk GVK, best bool) *Program {
	p := &Program{
		gvk:      gvk,
		gvkValue: map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind},
		vars:     firstScope,
	}
	for i, r := range s.resources {
		kind := r.gvk.Kind == "*" || r.gvk.Kind == gvk.Kind
		version := r.gvk.Version == gvk.Version || r.gvk.Version == "" && best
		if r.gvk.Group != gvk.Group || !kind || !version || len(r.metrics) == 0 {
			continue
		}
		if len(p.resources) == 0 {
			p.order = i
		}
		p.resources = append(p.resources, r)
		p.documents = append(p.documents, r.document)
		for i := range r.metrics {
			p.families = append(p.families, r.metrics[i].family)
			if f, ok := r.metrics[i].eval.(*form); ok {
				p.vars = max(p.vars, f.vars)
			}
		}
	}
	if len(p.resources) == 0 {
		return nil
	}
	slices.Sort(p.families)
	p.families = slices.Compact(p.families)
	slices.Sort(p.documents)
	p.documents = slices.Compact(p.documents)
	return p
}

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
