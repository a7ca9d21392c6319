package source

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// manifest is what files have of one kind. What a cluster knows of a kind is
// read off its objects, and off its CustomResourceDefinition if that is among
// the files.
type manifest struct {
	objects    []map[string]any
	definition map[string]any
	used       bool
}

const definitionKind = "CustomResourceDefinition"

// sort sorts objects by their kinds, and leaves out those of other namespaces.
func (f *Files) sort(objects []map[string]any) map[rule.GVK]*manifest {
	out := make(map[rule.GVK]*manifest)
	definitions := make(map[groupKind]map[string]any)
	for _, o := range objects {
		gvk := gvkOf(o)
		if gvk.Kind == definitionKind {
			definitions[groupKind{text(o, "spec", "group"), text(o, "spec", "names", "kind")}] = o
		}
		if out[gvk] == nil {
			out[gvk] = &manifest{}
		}
		if f.reads(text(o, "metadata", "namespace")) {
			out[gvk].objects = append(out[gvk].objects, o)
		}
	}
	for gvk, m := range out {
		m.definition = definitions[groupKind{gvk.Group, gvk.Kind}]
	}
	return out
}

// reads reports whether the objects of a namespace are wanted; those outside of
// namespaces are.
func (f *Files) reads(namespace string) bool {
	switch {
	case namespace == "":
		return true
	case len(f.Namespaces) > 0:
		return slices.Contains(f.Namespaces, namespace)
	default:
		return !slices.Contains(f.NamespacesDenylist, namespace)
	}
}

// served describes the kind to rules. An object's own version counts as the
// best one, and a field that an object has as one of the schema.
func (m *manifest) served(gvk rule.GVK) rule.Served {
	s := rule.Served{GVK: gvk, Best: true}
	for _, o := range m.objects {
		s.Namespaced = s.Namespaced || text(o, "metadata", "namespace") != ""
	}
	if scope := text(m.definition, "spec", "scope"); scope != "" {
		s.Namespaced = scope == "Namespaced"
	}
	categories, _ := value(m.definition, "spec", "names", "categories").([]any)
	for _, c := range categories {
		if c, ok := c.(string); ok {
			s.Categories = append(s.Categories, c)
		}
	}
	all, _ := value(m.definition, "metadata", "labels").(map[string]any)
	s.Labels = make(map[string]string, len(all))
	for key, v := range all {
		s.Labels[key], _ = v.(string)
	}
	s.Has = func(path []string) bool {
		return slices.ContainsFunc(m.objects, func(o map[string]any) bool { return value(o, path...) != nil })
	}
	return s
}

// selected returns the objects of a selection.
func (m *manifest) selected(s rule.Selection) []map[string]any {
	if s == (rule.Selection{}) {
		return m.objects
	}
	byLabel, err := labels.Parse(s.Labels)
	if err != nil {
		return nil // the rules would not have been loaded
	}
	byField, err := fields.ParseSelector(s.Fields)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(m.objects), func(o map[string]any) bool {
		all, _ := value(o, "metadata", "labels").(map[string]any)
		set := make(labels.Set, len(all))
		for key, v := range all {
			set[key], _ = v.(string)
		}
		values := fields.Set{}
		for _, r := range byField.Requirements() {
			if v := value(o, strings.Split(r.Field, ".")...); v != nil {
				values[r.Field] = fmt.Sprint(v)
			}
		}
		return !byLabel.Matches(set) || !byField.Matches(values)
	})
}

// value returns what a path of fields leads to, or nil.
func value(o map[string]any, path ...string) any {
	var v any = o
	for _, field := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[field]
	}
	return v
}

// text returns the text that a path of fields leads to, or nothing.
func text(o map[string]any, path ...string) string {
	s, _ := value(o, path...).(string)
	return s
}
