package rbac

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Kind is a kind as a cluster or a CustomResourceDefinition has it.
type Kind struct {
	rule.Served
	// Resource is what it is called in URLs.
	Resource string
	// Watchable says that it can be watched, and not only listed.
	Watchable bool
}

// Plan says what an account is to do.
type Plan struct {
	// Rules are what is served. They may be nil: then no kind is read.
	Rules *rule.Set
	// Kinds are all that is known to be served, each version of them. Kinds that
	// are not among them are guessed.
	Kinds []Kind
	// Cluster says that Kinds are those of a cluster, and LookedUp what its
	// objects refer to.
	Cluster  bool
	LookedUp []rule.GVK
	// Wildcards allows whole groups, for want of Kinds.
	Wildcards bool
	// NewKinds allows whole groups for rules that discover kinds, so that those
	// that are installed later can be read.
	NewKinds bool
	// Namespaces are the only ones that are read, if there are any.
	Namespaces []string
	// Watch says that kinds are watched, and not only listed.
	Watch bool
	// WatchCRDs asks for what finds new kinds at once.
	WatchCRDs bool
	// Reviews says that the account asks who sends a request, and whether they
	// may.
	Reviews bool
	// ConfigMaps says that rules are read from ConfigMaps, of their namespaces if
	// there are any.
	ConfigMaps          bool
	ConfigMapNamespaces []string
}

var definitions = resource{group: "apiextensions.k8s.io", name: "customresourcedefinitions"}

// Permissions returns the least that the plan needs. It is an error if that
// cannot be known.
func (p *Plan) Permissions() (*Permissions, error) {
	out := new(Permissions)
	if p.Rules != nil {
		p.served(out)
		if err := p.requested(out); err != nil {
			return nil, err
		}
	}
	p.others(out)
	return out, nil
}

// others adds what is not about the objects of rules.
func (p *Plan) others(out *Permissions) {
	if p.WatchCRDs {
		out.add(request{resource: definitions, verbs: []string{"watch"}, kind: "--watch-crds"})
	}
	if p.Reviews {
		out.AllowReviews()
	}
	if p.ConfigMaps {
		const why = "--rules-configmaps"
		out.add(request{resource: resource{name: "configmaps"}, verbs: []string{"list", "watch"}, kind: why}, p.ConfigMapNamespaces...)
		out.add(request{resource: resource{name: "events"}, verbs: []string{"create"}, kind: why}, p.ConfigMapNamespaces...)
	}
}

// served adds the kinds that are known and that rules apply to.
func (p *Plan) served(out *Permissions) {
	for i := range p.Kinds {
		k := &p.Kinds[i]
		for _, program := range p.Rules.Programs(k.Served) {
			for _, document := range program.Documents() {
				p.read(out, k, document, "")
			}
		}
	}
}

// read adds a kind.
func (p *Plan) read(out *Permissions, k *Kind, by, note string) {
	verbs := []string{"list"}
	if p.Watch && k.Watchable {
		verbs = append(verbs, "watch")
	}
	r := request{resource: resource{group: k.Group, name: k.Resource}, verbs: verbs, kind: k.Kind, by: by, note: note}
	if k.Namespaced {
		out.add(r, p.Namespaces...)
	} else {
		out.add(r)
	}
}

// requested adds what rules ask for by name, be it known or not, and what takes
// the place of what is not known.
func (p *Plan) requested(out *Permissions) error {
	if p.Rules.Needs().Labels {
		out.add(request{resource: definitions, verbs: []string{"list"}, kind: "crdLabels", by: p.labelled()})
	}
	for _, r := range p.Rules.Requests() {
		var err error
		switch {
		case r.Discovered:
			err = p.discovered(out, r)
		case r.Lookup && r.GVK == rule.GVK{}:
			err = p.anything(out, r)
		case r.Lookup && r.GVK.Kind == "*":
			p.anyOf(out, r)
		case r.GVK.Kind == "*":
			err = p.group(out, r)
		case r.Lookup:
			p.named(out, r.GVK, r.Document+" (lookup)")
		default:
			p.named(out, r.GVK, r.Document)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// labelled names the documents that ask for labels of definitions.
func (p *Plan) labelled() string {
	var names []string
	for _, d := range p.Rules.Discoveries() {
		if d.Labels && !slices.Contains(names, d.Document) {
			names = append(names, d.Document)
		}
	}
	return strings.Join(names, ", ")
}

// named adds a kind by its name.
func (p *Plan) named(out *Permissions, gvk rule.GVK, by string) {
	i := slices.IndexFunc(p.Kinds, func(k Kind) bool { return k.Group == gvk.Group && k.Kind == gvk.Kind })
	if i >= 0 {
		p.read(out, &p.Kinds[i], by, "")
		return
	}
	k, sure := offline(gvk.Group, gvk.Kind)
	note := ""
	switch {
	case !sure && len(p.Namespaces) > 0:
		note = "guessed, as is that it is in namespaces"
	case !sure:
		note = "guessed"
	}
	if p.Cluster {
		note = strings.TrimSuffix("not served at present, "+note, ", ")
	}
	p.read(out, &k, by, note)
}

// group adds all kinds of a group, if they are not known.
func (p *Plan) group(out *Permissions, r rule.Request) error {
	switch {
	case slices.ContainsFunc(p.Kinds, func(k Kind) bool { return k.Group == r.GVK.Group }):
		return nil
	case len(p.Namespaces) > 0 && !p.Wildcards:
		return p.unknown(r, fmt.Sprintf("is about all kinds of the group %q, and which of them are in namespaces is not known", r.GVK.Group), true)
	}
	p.wildcard(out, r.GVK.Group, "every kind", r.Document)
	return nil
}

// discovered adds what stands for kinds that are found by what they are, unless
// the known kinds do.
func (p *Plan) discovered(out *Permissions, r rule.Request) error {
	known := len(p.Kinds) > 0 || p.Cluster
	switch {
	case p.NewKinds:
	case known:
		return nil
	case !p.Wildcards:
		return p.unknown(r, "discovers kinds by what they are", true)
	}
	for _, d := range p.Rules.Discoveries() {
		if d.Document != r.Document {
			continue
		}
		for _, group := range d.Groups {
			if strings.ContainsAny(group, `*?[\`) {
				group = "*" // RBAC has no other patterns
			}
			p.wildcard(out, group, "discover", r.Document)
		}
	}
	return nil
}

// anything adds what is looked up as objects say.
func (p *Plan) anything(out *Permissions, r rule.Request) error {
	switch {
	case p.Cluster:
		for _, gvk := range p.LookedUp {
			p.named(out, gvk, r.Document+" (lookup)")
		}
	case p.Wildcards:
		p.wildcard(out, "*", "lookup", r.Document)
	default:
		return p.unknown(r, "looks up kinds that objects name", false)
	}
	return nil
}

// anyOf adds what is looked up in a group as objects say: as far as a cluster says
// what that is, just that, else all of the group that is known.
func (p *Plan) anyOf(out *Permissions, r rule.Request) {
	by := r.Document + " (lookup)"
	found := p.Cluster
	for _, gvk := range p.LookedUp {
		if gvk.Group == r.GVK.Group {
			p.named(out, gvk, by)
		}
	}
	for i := range p.Kinds {
		if k := &p.Kinds[i]; !p.Cluster && k.Group == r.GVK.Group && k.Best {
			found = true
			p.read(out, k, by, "")
		}
	}
	if !found || p.NewKinds {
		p.wildcard(out, r.GVK.Group, "every kind", by)
	}
}

// wildcard allows to read a group.
func (p *Plan) wildcard(out *Permissions, group, what, by string) {
	verbs := []string{"list"}
	if p.Watch {
		verbs = append(verbs, "watch")
	}
	note, why := "all of the group", "as its kinds are not known"
	if group == "*" {
		note, why = "everything, Secrets included", "as the kinds are not known"
	}
	if p.NewKinds {
		why = "kinds that are installed later as well"
	}
	note += ", " + why
	out.add(request{resource: resource{group: group, name: "*"}, verbs: verbs, kind: what, by: by, note: note})
}

// unknown says what to give for a document that the plan does not know enough
// for.
func (p *Plan) unknown(r rule.Request, what string, crds bool) error {
	ways := "name a cluster with --kubeconfig"
	if crds {
		ways += ", or its CustomResourceDefinitions with --crds"
	}
	whole := "--allow-wildcards"
	if r.Discovered {
		whole += " or --new-kinds"
	}
	return fmt.Errorf("%s %s: %s, or grant whole groups with %s", r.Document, what, ways, whole)
}
