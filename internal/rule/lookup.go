package rule

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Ref names an object. It has no version: an object is the same in each.
type Ref struct {
	Group, Kind, Namespace, Name string
}

// Finder is a [Sink] that knows other objects.
type Finder interface {
	// Find returns an object, or nil. The object under evaluation is evaluated
	// again when the answer changes.
	Find(ref Ref) map[string]any
}

// lookupSpec is an entry of lookup.
type lookupSpec struct {
	pos                               *yaml.Node
	as                                string
	apiVersion, kind, namespace, name exprSpec
	group                             exprSpec // instead of apiVersion
	groups                            []string // the only ones to look in
}

// join is a compiled lookup.
type join struct {
	slot                              int
	apiVersion, kind, namespace, name expr
	isGroup                           bool // apiVersion is the group alone
	hasNamespace                      bool
	groups                            []string // patterns; nil for all groups
}

func (r Reporter) lookup(n *yaml.Node) lookupSpec { return r.scopeLookup(n, nil) }

// scopeLookup reads a lookup whose name may stand outside of it.
func (r Reporter) scopeLookup(n, as *yaml.Node) lookupSpec {
	s := lookupSpec{pos: n}
	if as != nil {
		s.as = as.Value
	}
	expression := func(dst *exprSpec) func(*yaml.Node) { return func(v *yaml.Node) { *dst = r.expr(v) } }
	r.Fields(n, false, map[string]func(*yaml.Node){
		"as": r.Text(&s.as), "apiVersion": expression(&s.apiVersion), "group": expression(&s.group), "kind": expression(&s.kind),
		"namespace": expression(&s.namespace), "name": expression(&s.name), "groups": r.globs(&s.groups),
	})
	for field, missing := range map[string]bool{
		"as": s.as == "", "apiVersion or group": s.apiVersion.empty() && s.group.empty(), "kind": s.kind.empty(), "name": s.name.empty(),
	} {
		if missing {
			r.Errorf(n, "a lookup needs %s", field)
		}
	}
	if !s.apiVersion.empty() && !s.group.empty() {
		r.Errorf(n, "a lookup has either apiVersion or group")
	}
	return s
}

// join compiles a lookup, which sees the names before it, and declares its own.
func (c *compiler) join(r Reporter, use *joinUse, s *lookupSpec, scope *names) join {
	j := join{
		apiVersion: c.compile(r, s.apiVersion, *scope), kind: c.compile(r, s.kind, *scope),
		namespace: c.compile(r, s.namespace, *scope), name: c.compile(r, s.name, *scope),
		hasNamespace: !s.namespace.empty(), isGroup: !s.group.empty(),
	}
	if j.isGroup {
		j.apiVersion = c.compile(r, s.group, *scope)
	}
	if len(s.groups) > 0 {
		j.groups = c.expand(r, s.pos, s.groups)
	}
	j.slot = r.declare(s.pos, s.as, scope)
	use.joins = true
	target, fixed := j.target()
	switch {
	case fixed:
		use.targets = append(use.targets, target)
	case j.groups == nil || slices.ContainsFunc(j.groups, isPattern):
		use.anyTarget = true
	default:
		use.anyOf = append(use.anyOf, j.groups...)
	}
	return j
}

// joinUse is what lookups need of a source.
type joinUse struct {
	joins     bool     // there is a lookup
	targets   []GVK    // of lookups that always name the same kind
	anyTarget bool     // there is a lookup that does not
	anyOf     []string // groups in which there is one that does not
}

// add adds what other lookups need.
func (u *joinUse) add(other joinUse) {
	u.joins = u.joins || other.joins
	u.targets = append(u.targets, other.targets...)
	u.anyTarget = u.anyTarget || other.anyTarget
	u.anyOf = append(u.anyOf, other.anyOf...)
}

// target returns the kind that is looked up, if it is always the same.
func (j *join) target() (GVK, bool) {
	apiVersion, fixed := j.apiVersion.constant()
	kind, fixedKind := j.kind.constant()
	return GVK{Group: j.group(apiVersion), Kind: kind}, fixed && fixedKind
}

// group returns the group that an apiVersion, or a group, says.
func (j *join) group(apiVersion string) string {
	if j.isGroup {
		return apiVersion
	}
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return group
}

// find returns the object that a lookup names, or nil.
func (c *Context) find(j *join) (any, error) {
	ref, ok, err := c.ref(j)
	if err != nil || !ok || c.finder == nil {
		return nil, err
	}
	if object := c.finder.Find(ref); object != nil {
		return object, nil
	}
	return nil, nil
}

// ref evaluates what a lookup names. ok is false when a part of it is absent.
func (c *Context) ref(j *join) (ref Ref, ok bool, err error) {
	var apiVersion string
	parts := []struct {
		from expr
		to   *string
	}{{j.apiVersion, &apiVersion}, {j.kind, &ref.Kind}, {j.namespace, &ref.Namespace}, {j.name, &ref.Name}}
	for _, p := range parts {
		v, err := p.from.eval(c)
		if err == nil {
			*p.to, err = c.text(v)
		}
		if err != nil {
			return ref, false, err
		}
	}
	ref.Group = j.group(apiVersion)
	ok = (apiVersion != "" || j.isGroup) && ref.Kind != "" && ref.Name != "" && (ref.Namespace != "" || !j.hasNamespace) &&
		(j.groups == nil || matchAny(j.groups, ref.Group))
	return ref, ok, nil
}

// declare gives a name a slot. The empty name has none.
func (r Reporter) declare(n *yaml.Node, name string, scope *names) int {
	switch {
	case name == "":
		return 0
	case identifier(name) != len(name):
		r.Errorf(n, "the name %q does not match [a-zA-Z_][a-zA-Z0-9_]*", name)
	case slices.Contains(*scope, name):
		r.Errorf(n, "the name %q is taken already", name)
	}
	*scope = append(*scope, name)
	return len(*scope) - 1
}
