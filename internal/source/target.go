package source

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// target is what is listed or watched as one: objects of a kind, of all
// namespaces or of one, with one selection.
type target struct {
	// slot stays the same when the best version changes.
	slot       slot
	gvk        rule.GVK
	resource   string
	namespaced bool
	watchable  bool
	denied     []string // namespaces
	program    *rule.Program
}

type slot struct {
	groupKind
	version   string // empty for the best one
	namespace string // empty for all
	selection rule.Selection
}

// same reports whether two targets of a slot are collected alike.
func (t target) same(other target) bool {
	return t.gvk == other.gvk && t.resource == other.resource && t.namespaced == other.namespaced &&
		t.program.Same(other.program)
}

func (t target) gvr() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: t.gvk.Group, Version: t.gvk.Version, Resource: t.resource}
}

// alike reports whether two targets are the same objects, in one version.
func (t target) alike(other target) bool {
	return t.gvk == other.gvk && t.slot.selection == other.slot.selection && t.slot.namespace == other.slot.namespace
}

// moved returns the slot that a target stands in by now, if another version has
// become, or is no longer, the best one.
func moved(t target, targets map[slot]target) (slot, bool) {
	for s, other := range targets {
		if other.alike(t) {
			return s, true
		}
	}
	return slot{}, false
}

// client returns what the target's requests are made with.
func (t target) client(all dynamic.Interface) dynamic.ResourceInterface {
	if t.slot.namespace != "" {
		return all.Resource(t.gvr()).Namespace(t.slot.namespace)
	}
	return all.Resource(t.gvr())
}

// selectors puts the target's selection into the options of a request.
func (t target) selectors(opts *metav1.ListOptions) {
	opts.LabelSelector = t.slot.selection.Labels
	fields := []string{}
	if t.slot.selection.Fields != "" {
		fields = append(fields, t.slot.selection.Fields)
	}
	if t.namespaced && t.slot.namespace == "" {
		for _, namespace := range t.denied {
			fields = append(fields, "metadata.namespace!="+namespace)
		}
	}
	opts.FieldSelector = strings.Join(fields, ",")
}

// targets returns what the rules ask for and the cluster serves, each version
// of a kind once.
func (c *Cluster) targets(s served) map[slot]target {
	out := make(map[slot]target)
	wanted := c.Store.Wanted()
	for key, versions := range s {
		for i, v := range versions {
			k := c.describe(key, v, i == 0)
			k.Wanted = slices.Contains(wanted, rule.GVK{Group: key.group, Kind: key.kind})
			for _, p := range c.Set.Programs(k) {
				c.addTargets(out, key, v, &k, p)
			}
		}
	}
	return out
}

// addTargets adds the targets of one program.
func (c *Cluster) addTargets(out map[slot]target, key groupKind, v servedKind, k *rule.Served, p *rule.Program) {
	t := target{
		slot: slot{groupKind: key, selection: p.Selection()},
		gvk:  k.GVK, resource: v.resource, namespaced: v.namespaced, watchable: v.watchable,
		denied: c.NamespacesDenylist, program: p,
	}
	if !k.Best {
		t.slot.version = v.version
	}
	if !v.namespaced || len(c.Namespaces) == 0 {
		out[t.slot] = t
		return
	}
	for _, t.slot.namespace = range c.Namespaces {
		out[t.slot] = t
	}
}
