package rbac

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Permission says what may be done to a resource, and what for.
type Permission struct {
	// Group and Resource may each be "*", for all.
	Group, Resource string
	// Name is the only object that is meant, or empty.
	Name string
	// Verbs are sorted.
	Verbs []string
	// Why is a line about what asks for it.
	Why string
}

// Permissions are what an account needs, by place: a namespace, or the whole
// cluster under the empty name.
type Permissions struct {
	byPlace map[string]map[resource]*need
}

type resource struct {
	group, name string
	object      string // the only one, or empty
}

// need is a permission in the making.
type need struct {
	verbs map[string]bool
	why   map[string]map[string]bool // what asks, by the kind it asks for
	notes map[string]bool
}

// request is one reason for a permission.
type request struct {
	resource
	verbs []string
	kind  string // or what else the resource is for
	by    string // what asks, or nothing
	note  string
}

// add adds a permission at some places, for the whole cluster if there are none.
func (p *Permissions) add(r request, places ...string) {
	if len(places) == 0 {
		places = []string{""}
	}
	if p.byPlace == nil {
		p.byPlace = make(map[string]map[resource]*need)
	}
	for _, place := range places {
		if p.byPlace[place] == nil {
			p.byPlace[place] = make(map[resource]*need)
		}
		n := p.byPlace[place][r.resource]
		if n == nil {
			n = &need{verbs: make(map[string]bool), why: make(map[string]map[string]bool), notes: make(map[string]bool)}
			p.byPlace[place][r.resource] = n
		}
		for _, verb := range r.verbs {
			n.verbs[verb] = true
		}
		if n.why[r.kind] == nil {
			n.why[r.kind] = make(map[string]bool)
		}
		if r.by != "" {
			n.why[r.kind][r.by] = true
		}
		if r.note != "" {
			n.notes[r.note] = true
		}
	}
}

// Allow adds a permission for what someone else than rules asks for, at some
// places: namespaces, or the whole cluster if there are none.
func (p *Permissions) Allow(x Permission, places ...string) {
	p.add(request{resource: resource{x.Group, x.Resource, x.Name}, verbs: x.Verbs, kind: x.Why}, places...)
}

// AllowReviews adds what it takes to ask who sends a request, and whether they
// may.
func (p *Permissions) AllowReviews() {
	for _, r := range []resource{{group: "authentication.k8s.io", name: "tokenreviews"}, {group: "authorization.k8s.io", name: "subjectaccessreviews"}} {
		p.add(request{resource: r, verbs: []string{"create"}, kind: "--auth"})
	}
}

// Places returns the namespaces that have permissions of their own, sorted, with
// the whole cluster first.
func (p *Permissions) Places() []string {
	var out []string
	for _, place := range slices.Sorted(maps.Keys(p.byPlace)) {
		if len(p.At(place)) > 0 {
			out = append(out, place)
		}
	}
	return out
}

// At returns the permissions of a place, sorted by group and resource. What
// another permission allows already is left out.
func (p *Permissions) At(place string) []Permission {
	var out []Permission
	for r, n := range p.byPlace[place] {
		verbs := slices.Collect(maps.Keys(n.verbs))
		verbs = slices.DeleteFunc(verbs, func(verb string) bool { return p.allowed(place, r, verb) })
		if len(verbs) > 0 {
			slices.Sort(verbs)
			out = append(out, Permission{Group: r.group, Resource: r.name, Name: r.object, Verbs: verbs, Why: n.reason()})
		}
	}
	slices.SortFunc(out, func(a, b Permission) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Name, b.Name))
	})
	return out
}

// Rule is what may be done to resources of one group, or to one object if that is
// named, with the same verbs.
type Rule struct {
	Group, Name string
	Verbs       []string
	Permissions []Permission
}

// Rules returns the permissions of a place as the rules of a role.
func (p *Permissions) Rules(place string) (out []Rule) {
	for _, x := range p.At(place) {
		i := slices.IndexFunc(out, func(r Rule) bool { return r.Group == x.Group && r.Name == x.Name && slices.Equal(r.Verbs, x.Verbs) })
		if i < 0 {
			i, out = len(out), append(out, Rule{Group: x.Group, Name: x.Name, Verbs: x.Verbs})
		}
		out[i].Permissions = append(out[i].Permissions, x)
	}
	return out
}

// allowed reports whether a verb is allowed by something wider.
func (p *Permissions) allowed(place string, r resource, verb string) bool {
	for _, at := range []string{place, ""} {
		for _, wider := range []resource{r, {group: r.group, name: r.name}, {group: r.group, name: "*"}, {group: "*", name: "*"}} {
			n := p.byPlace[at][wider]
			if n != nil && n.verbs[verb] && (at != place || wider != r) {
				return true
			}
		}
	}
	return false
}

// reason says what asks for the resource.
func (n *need) reason() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(n.why)) {
		part := kind
		if by := slices.Sorted(maps.Keys(n.why[kind])); len(by) > 0 {
			part += ": " + strings.Join(by, ", ")
		}
		parts = append(parts, part)
	}
	return strings.Join(append(parts, slices.Sorted(maps.Keys(n.notes))...), "; ")
}
