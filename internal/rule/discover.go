package rule

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Served is a kind that a source can read, with what rules may ask about it.
type Served struct {
	GVK
	// Best says that no other version of the kind goes before this one. Rules
	// without a version apply to it alone.
	Best bool
	// Namespaced says that objects are in namespaces.
	Namespaced bool
	// Categories are those of the resource.
	Categories []string
	// Labels are those of the kind's CustomResourceDefinition.
	Labels map[string]string
	// Has reports whether objects can have a field. It may be nil: then they
	// have none.
	Has func(path []string) bool
	// Wanted says that another object refers to one of the kind.
	Wanted bool
}

// discoverSpec is a discover field: it matches kinds by what they are.
type discoverSpec struct {
	pos                    *yaml.Node
	groups, kinds, exclude []string
	categories             []string
	labels, excludeLabels  []crdLabel
	having, havingAny      [][]string
	scope                  string
	hasGroups              bool
	// Parameters whose values are labels too.
	paramLabels, paramExcludeLabels []*yaml.Node
}

// crdLabel is a label that a CustomResourceDefinition must have, with any value
// or a certain one.
type crdLabel struct {
	key, value string
	any        bool
}

func (r Reporter) discover(n *yaml.Node) *discoverSpec {
	d := &discoverSpec{pos: n}
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "expected a map, found %s", kindName(n))
		return d
	}
	r.Fields(n, false, map[string]func(*yaml.Node){
		"groups": func(v *yaml.Node) { d.hasGroups = true; r.globs(&d.groups)(v) },
		"kinds":  r.globs(&d.kinds), "exclude": r.globs(&d.exclude),
		"categories": r.Texts(&d.categories), "scope": r.Text(&d.scope),
		"crdLabels":     func(v *yaml.Node) { d.labels, d.paramLabels = r.crdLabels(v) },
		"excludeLabels": func(v *yaml.Node) { d.excludeLabels, d.paramExcludeLabels = r.crdLabels(v) },
		"having": func(v *yaml.Node) {
			r.Each(v, func(item *yaml.Node) { d.having = append(d.having, r.fieldPath(item)) })
		},
		"havingAny": func(v *yaml.Node) {
			r.Each(v, func(item *yaml.Node) { d.havingAny = append(d.havingAny, r.fieldPath(item)) })
		},
	})
	if d.scope != "" && d.scope != "Namespaced" && d.scope != "Cluster" {
		r.Errorf(n, "unknown scope %q: expected Namespaced or Cluster", d.scope)
	}
	if len(d.groups)+len(d.kinds)+len(d.categories)+len(d.labels)+len(d.paramLabels)+len(d.having)+len(d.havingAny) == 0 && d.scope == "" {
		r.Errorf(n, "discover matches every kind: say groups, kinds, categories, crdLabels, having, havingAny or scope")
	}
	return d
}

// crdLabels reads labels as a map, or as a list of KEY=VALUE, KEY and
// param.NAME. The latter are returned apart.
func (r Reporter) crdLabels(n *yaml.Node) (labels []crdLabel, params []*yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		r.Each(n, func(item *yaml.Node) {
			var s string
			r.Text(&s)(item)
			if _, ok := paramName(s); ok {
				params = append(params, item)
			} else if s != "" {
				labels = append(labels, parseCRDLabel(s))
			}
		})
		return labels, params
	}
	r.Pairs(n, func(key, value *yaml.Node) {
		l := crdLabel{key: key.Value}
		r.Text(&l.value)(value)
		labels = append(labels, l)
	})
	return labels, nil
}

// in reports whether some labels have this one.
func (l *crdLabel) in(labels map[string]string) bool {
	have, ok := labels[l.key]
	return ok && (l.any || have == l.value)
}

// parseCRDLabel reads KEY=VALUE, or KEY for any value.
func parseCRDLabel(s string) crdLabel {
	key, value, ok := strings.Cut(s, "=")
	return crdLabel{key: strings.TrimSpace(key), value: strings.TrimSpace(value), any: !ok}
}

// byLabel reports whether labels of CustomResourceDefinitions decide.
func (d *discoverSpec) byLabel() bool { return len(d.labels)+len(d.excludeLabels) > 0 }

// fieldPath reads a path of fields, such as status.conditions.
func (r Reporter) fieldPath(n *yaml.Node) []string {
	source := "object." + strings.TrimPrefix(n.Value, "object.")
	path, _, err := parseSteps(source, len("object"))
	if n.Kind != yaml.ScalarNode || n.Value == "" || err != nil {
		r.Errorf(n, "expected a path of fields such as status.conditions, found %s", kindName(n))
		return nil
	}
	out := make([]string, 0, len(path))
	for i := range path {
		if path[i].kind != stepField {
			r.Errorf(n, "having: the path may have fields only")
		}
		out = append(out, path[i].key)
	}
	return out
}

// matches reports whether a kind is meant.
func (d *discoverSpec) matches(k *Served) bool {
	full := k.Kind + "." + k.Group
	switch {
	case d.hasGroups && !matchAny(d.groups, k.Group),
		len(d.kinds) > 0 && !matchAny(d.kinds, k.Kind) && !matchAny(d.kinds, full),
		matchAny(d.exclude, k.Kind), matchAny(d.exclude, full),
		d.scope == "Namespaced" && !k.Namespaced, d.scope == "Cluster" && k.Namespaced:
		return false
	}
	for _, c := range d.categories {
		if !slices.Contains(k.Categories, c) {
			return false
		}
	}
	carries := func(l crdLabel) bool { return l.in(k.Labels) }
	if slices.ContainsFunc(d.labels, func(l crdLabel) bool { return !carries(l) }) || slices.ContainsFunc(d.excludeLabels, carries) {
		return false
	}
	has := func(path []string) bool { return k.Has != nil && k.Has(path) }
	if len(d.havingAny) > 0 && !slices.ContainsFunc(d.havingAny, has) {
		return false
	}
	return !slices.ContainsFunc(d.having, func(path []string) bool { return !has(path) })
}

// matches reports whether the entry of spec.resources is about a kind.
func (r *resourceRules) matches(k *Served) bool {
	if r.discover != nil {
		return k.Best && r.discover.matches(k)
	}
	kind := r.gvk.Kind == "*" || r.gvk.Kind == k.Kind
	version := r.gvk.Version == k.Version || r.gvk.Version == "" && k.Best
	return r.gvk.Group == k.Group && kind && version
}

// Selection says which objects of a kind are asked for. The zero value is all
// of them.
type Selection struct {
	// Labels and Fields are selectors as the API server takes them.
	Labels, Fields string
}

// selection reads selector and fieldSelector, and puts them in a form in which
// equal ones are the same.
func (r Reporter) selection(byLabel, byField *yaml.Node) Selection {
	var s Selection
	if byLabel != nil {
		parsed, err := labels.Parse(byLabel.Value)
		if err != nil || byLabel.Kind != yaml.ScalarNode {
			r.Errorf(byLabel, "selector: expected a label selector such as team=payments,tier!=test: %v", orKind(err, byLabel))
			return s
		}
		s.Labels = plainSelector(parsed)
	}
	if byField != nil {
		parsed, err := fields.ParseSelector(byField.Value)
		if err != nil || byField.Kind != yaml.ScalarNode {
			r.Errorf(byField, "fieldSelector: expected a field selector such as metadata.namespace!=kube-system: %v", orKind(err, byField))
			return s
		}
		s.Fields = parsed.String()
	}
	return s
}

// plainSelector writes a selector with one sign for "equals" of the two there are.
func plainSelector(s labels.Selector) string {
	requirements, _ := s.Requirements()
	plain := labels.NewSelector()
	for _, r := range requirements {
		if r.Operator() == selection.DoubleEquals {
			// What has been parsed is valid.
			if same, err := labels.NewRequirement(r.Key(), selection.Equals, r.Values().List()); err == nil {
				r = *same
			}
		}
		plain = plain.Add(r)
	}
	return plain.String()
}

func orKind(err error, n *yaml.Node) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("found %s", kindName(n))
}
