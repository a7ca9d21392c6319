package e2e

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

// lookupRules refer to other objects by a kind that is always the same, and by
// one that the object names.
const lookupRules = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: lookup}
spec:
  resources:
  - groupVersionKind: {group: GROUP, kind: Referrer}
    lookup:
    - {as: zone, apiVersion: "'GROUP/v1'", kind: "'Zone'", name: object.spec.zone}
    - {as: space, apiVersion: "'v1'", kind: "'Namespace'", name: object.metadata.namespace}
    - {as: any, apiVersion: object.spec.ref.apiVersion, kind: object.spec.ref.kind, namespace: object.metadata.namespace, name: object.spec.ref.name}
    labels: {name: object.metadata.name}
    metrics:
    - {name: e2e_fixed, help: By a fixed kind., type: info, labels: {tier: zone.spec.tier, team: space.metadata.labels.team}}
    - {name: e2e_dynamic, help: By what the object says., value: any.spec.size, default: 0, labels: {kind: any.kind, color: any.metadata.labels.color}}
`

func (g lookupGroup) referrer(name, apiVersion, kind, target string) *unstructured.Unstructured {
	return g.kind("Referrer").object("lookup", name, map[string]any{
		"zone": "e2e-" + name, "ref": map[string]any{"apiVersion": apiVersion, "kind": kind, "name": target},
	})
}

// lookupGroup is a group of kinds that refer to each other.
type lookupGroup string

func (g lookupGroup) kind(name string) kind {
	return kind{group: string(g), name: name, cluster: name == "Zone"}
}

// rules writes a file of lookupRules for the group.
func (g lookupGroup) rules(t *testing.T) (file string) {
	t.Helper()
	return writeFile(t, "rules.yaml", strings.ReplaceAll(lookupRules, "GROUP", string(g)))
}

// TestLookup changes the objects that others refer to: what is said of those
// follows.
func TestLookup(t *testing.T) {
	const g lookupGroup = "lookup.e2e.kubevitals.io"
	zone, target := g.kind("Zone"), g.kind("Target")
	install(t, control, g.kind("Referrer"), zone, target)
	namespace(t, control, "lookup", "team=blue")
	apply(t, control, []*unstructured.Unstructured{
		g.referrer("r1", string(g)+"/v1", "Target", "t1"), g.referrer("r2", "v1", "ConfigMap", "c1"),
	})
	t.Cleanup(func() { run(t, control, "delete", "configmap/c1", "--namespace=lookup", "--ignore-not-found") })
	rules := g.rules(t)
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = state(t, "--rules", rules, "--collect="+mode)
	}
	check := func(what string, want ...string) {
		t.Helper()
		for mode, p := range processes {
			var fixed, dynamic []string
			for _, line := range want {
				if strings.HasPrefix(line, "e2e_fixed") {
					fixed = append(fixed, line)
				} else {
					dynamic = append(dynamic, line)
				}
			}
			served(t, p, mode+": "+what, "e2e_fixed{", fixed...)
			served(t, p, mode+": "+what, "e2e_dynamic{", dynamic...)
		}
	}
	f1, f2 := `e2e_fixed{name="r1",team="blue"} 1`, `e2e_fixed{name="r2",team="blue"} 1`
	d1, d2 := `e2e_dynamic{name="r1"} 0`, `e2e_dynamic{name="r2"} 0`
	check("nothing to look up but the namespace", f1, f2, d1, d2)

	apply(t, control, []*unstructured.Unstructured{zone.object("", "e2e-r1", map[string]any{"tier": "gold"})})
	f1 = `e2e_fixed{name="r1",team="blue",tier="gold"} 1`
	check("a target that is created", f1, f2, d1, d2)

	t1 := target.object("lookup", "t1", map[string]any{"size": int64(3)})
	elsewhere := target.object("lookup-other", "t1", map[string]any{"size": int64(99)})
	c1 := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "c1", "namespace": "lookup", "labels": map[string]any{"color": "red"}},
	}}
	apply(t, control, []*unstructured.Unstructured{t1, elsewhere, c1})
	d1, d2 = `e2e_dynamic{kind="Target",name="r1"} 3`, `e2e_dynamic{color="red",kind="ConfigMap",name="r2"} 0`
	check("targets of kinds that objects name", f1, f2, d1, d2)

	t1.Object["spec"] = map[string]any{"size": int64(4)}
	c1.SetLabels(map[string]string{"color": "green"})
	apply(t, control, []*unstructured.Unstructured{t1, c1, zone.object("", "e2e-r1", map[string]any{"tier": "silver"})})
	namespace(t, control, "lookup", "team=red")
	f1, f2 = `e2e_fixed{name="r1",team="red",tier="silver"} 1`, `e2e_fixed{name="r2",team="red"} 1`
	d1, d2 = `e2e_dynamic{kind="Target",name="r1"} 4`, `e2e_dynamic{color="green",kind="ConfigMap",name="r2"} 0`
	check("targets that change", f1, f2, d1, d2)

	apply(t, control, []*unstructured.Unstructured{g.referrer("r1", "v1", "ConfigMap", "c1")})
	check("another reference", f1, f2, `e2e_dynamic{color="green",kind="ConfigMap",name="r1"} 0`, d2)

	run(t, control, "delete", zone.crdName(), "e2e-r1")
	run(t, control, "delete", "configmap/c1", "--namespace=lookup")
	f1 = `e2e_fixed{name="r1",team="red"} 1`
	check("targets that are deleted", f1, f2, `e2e_dynamic{name="r1"} 0`, `e2e_dynamic{name="r2"} 0`)

	apply(t, control, []*unstructured.Unstructured{g.referrer("r1", string(g)+"/v1", "Target", "t1")})
	check("the first reference again", f1, f2, d1, `e2e_dynamic{name="r2"} 0`)
	uninstall(t, control, target)
	check("a kind of targets that is removed", f1, f2, `e2e_dynamic{name="r1"} 0`, `e2e_dynamic{name="r2"} 0`)
}
