package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

// discoverGroup is a group of kinds that are discovered.
func discoverGroup(name string) string { return name + ".discover.e2e.kubevitals.io" }

// discoverRules gives a metric of each kind that is discovered in each way.
const discoverRules = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: discovered}
spec:
  labels: {kind: gvk.kind, name: object.metadata.name}
  resources:
  - discover: {groups: ["*.discover.e2e.kubevitals.io"], exclude: [Excluded, Outsider.other.discover.e2e.kubevitals.io]}
    metrics: [{name: e2e_group, help: By group., value: "1"}]
  - discover: {crdLabels: {e2e-vitals: "yes"}}
    metrics: [{name: e2e_labelled, help: By label., value: "1"}]
  - discover: {having: [status.conditions], groups: ["*.discover.e2e.kubevitals.io", apps, ""]}
    metrics: [{name: e2e_having, help: By field., value: "1"}]
  - discover: {categories: [e2e-vitals]}
    metrics: [{name: e2e_category, help: By category., value: "1"}]
  - discover: {groups: ["*.discover.e2e.kubevitals.io"], scope: Cluster}
    metrics: [{name: e2e_cluster, help: By scope., value: "1"}]
  - discover: {groups: ["*.discover.e2e.kubevitals.io"], kinds: ["*Named"], scope: Namespaced}
    metrics: [{name: e2e_named, help: By scope and name., value: "1"}]
`

// TestDiscover finds kinds in each way, and follows what becomes of them.
func TestDiscover(t *testing.T) {
	a, other := discoverGroup("a"), discoverGroup("other")
	plain := kind{group: a, name: "Plain"}
	labelled := kind{group: a, name: "Labelled", labels: map[string]any{"e2e-vitals": "yes"}}
	having := kind{group: a, name: "Having", conditions: true}
	category := kind{group: a, name: "Category", categories: []any{"all-e2e", "e2e-vitals"}}
	cluster := kind{group: a, name: "ClusterNamed", cluster: true}
	named := kind{group: other, name: "SpaceNamed"}
	excluded := kind{group: a, name: "Excluded"}
	outsider := kind{group: other, name: "Outsider"}
	all := []kind{plain, labelled, having, category, cluster, named, excluded, outsider}
	install(t, control, all...)
	object := func(k kind) *unstructured.Unstructured {
		namespace := "discover"
		if k.cluster {
			namespace = ""
		}
		return k.object(namespace, "discovered", map[string]any{})
	}
	for _, k := range all {
		apply(t, control, []*unstructured.Unstructured{object(k)})
	}
	// Built-in kinds with conditions.
	if err := control.Apply(t.Context(), []byte(deployment)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, control, "delete", "deployment/discovered", "--namespace=discover") })

	rules := writeFile(t, "rules.yaml", discoverRules)
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = state(t, "--rules", rules, "--collect="+mode)
	}
	want := map[string][]string{
		"group":    {"Category", "ClusterNamed", "Having", "Labelled", "Plain", "SpaceNamed"},
		"labelled": {"Labelled"},
		"having":   {"Deployment", "Having"},
		"category": {"Category"},
		"cluster":  {"ClusterNamed"},
		"named":    {"SpaceNamed"},
	}
	check := func(what string) {
		t.Helper()
		for mode, p := range processes {
			program.Poll(t, mode+": "+what, func() error {
				text := scrape(t, p)
				var errs []error
				for family, kinds := range want {
					var lines []string
					for _, k := range kinds {
						lines = append(lines, fmt.Sprintf(`e2e_%s{kind="%s",name="discovered"} 1`, family, k))
					}
					errs = append(errs, exactly(text, "e2e_"+family+"{", lines))
				}
				return errors.Join(errs...)
			})
		}
	}
	check("all ways")

	run(t, control, "label", "crd", plain.crdName(), "e2e-vitals=yes")
	want["labelled"] = []string{"Labelled", "Plain"}
	check("a label that is added")
	plain.conditions, plain.labels = true, map[string]any{"e2e-vitals": "yes"}
	apply(t, control, []*unstructured.Unstructured{plain.crd()})
	want["having"] = []string{"Deployment", "Having", "Plain"}
	check("a schema that gets the field")

	late := kind{group: discoverGroup("late"), name: "LateNamed", conditions: true, labels: map[string]any{"e2e-vitals": "yes"}, categories: []any{"e2e-vitals"}}
	install(t, control, late)
	apply(t, control, []*unstructured.Unstructured{object(late)})
	want["group"] = []string{"Category", "ClusterNamed", "Having", "Labelled", "LateNamed", "Plain", "SpaceNamed"}
	want["labelled"], want["having"] = []string{"Labelled", "LateNamed", "Plain"}, []string{"Deployment", "Having", "LateNamed", "Plain"}
	want["category"], want["named"] = []string{"Category", "LateNamed"}, []string{"LateNamed", "SpaceNamed"}
	check("a new kind")

	uninstall(t, control, late)
	want["group"] = []string{"Category", "ClusterNamed", "Having", "Labelled", "Plain", "SpaceNamed"}
	want["labelled"], want["having"] = []string{"Labelled", "Plain"}, []string{"Deployment", "Having", "Plain"}
	want["category"], want["named"] = []string{"Category"}, []string{"SpaceNamed"}
	check("the removed kind")
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: discovered, namespace: discover}
spec:
  selector: {matchLabels: {app: discovered}}
  template:
    metadata: {labels: {app: discovered}}
    spec: {containers: [{name: main, image: none}]}
`

// exactly fails unless the lines that have a part and the name of a test's
// object are these. Lines of other tests' objects do not count.
func exactly(text, part string, want []string) error {
	got := lines(text, part, `name="discovered"`)
	slices.Sort(got)
	if strings.Join(got, "\n") == strings.Join(want, "\n") {
		return nil
	}
	return fmt.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// TestDiscoverNoMore changes kinds that are still served so that rules are not
// about them any more.
func TestDiscoverNoMore(t *testing.T) {
	group := discoverGroup("gone")
	removed := kind{group: group, name: "Removed", labels: map[string]any{"e2e-gone": "yes"}}
	changed := kind{group: group, name: "Changed", labels: map[string]any{"e2e-gone": "yes"}}
	field := kind{group: group, name: "Field", conditions: true}
	install(t, control, removed, changed, field)
	for _, k := range []kind{removed, changed, field} {
		apply(t, control, []*unstructured.Unstructured{k.object("discover", "discovered", map[string]any{})})
	}
	rules := writeFile(t, "rules.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: discovered}
spec:
  labels: {kind: gvk.kind, name: object.metadata.name}
  resources:
  - discover: {crdLabels: {e2e-gone: "yes"}}
    metrics: [{name: e2e_labelled, help: By label., value: "1"}]
  - discover: {having: [status.conditions], groups: [gone.discover.e2e.kubevitals.io]}
    metrics: [{name: e2e_having, help: By field., value: "1"}]
`)
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = state(t, "--rules", rules, "--collect="+mode)
	}
	check := func(what string, labelled, having []string) {
		t.Helper()
		for mode, p := range processes {
			program.Poll(t, mode+": "+what, func() error {
				text := scrape(t, p)
				return errors.Join(exactly(text, "e2e_labelled{", labelled), exactly(text, `e2e_having{kind="Field"`, having))
			})
		}
	}
	const had = `e2e_having{kind="Field",name="discovered"} 1`
	check("all kinds",
		[]string{`e2e_labelled{kind="Changed",name="discovered"} 1`, `e2e_labelled{kind="Removed",name="discovered"} 1`}, []string{had})

	run(t, control, "label", "crd", removed.crdName(), "e2e-gone-")
	check("a label that is removed", []string{`e2e_labelled{kind="Changed",name="discovered"} 1`}, []string{had})
	run(t, control, "label", "crd", changed.crdName(), "e2e-gone=no", "--overwrite")
	field.conditions = false
	apply(t, control, []*unstructured.Unstructured{field.crd()})
	check("no label and no field", nil, nil)
}

// TestDiscoverWithoutPermission may not read CustomResourceDefinitions: what
// rules find by their labels is missing, and nothing else is.
func TestDiscoverWithoutPermission(t *testing.T) {
	namespace(t, control, "discover-forbidden")
	rules := writeFile(t, "rules.yaml", namespaceRules("e2e_own", "gauge", "discover-forbidden")+
		"  - discover: {crdLabels: {e2e-vitals: \"yes\"}}\n    labels: {name: object.metadata.name}\n    metrics: [{name: e2e_labelled, help: By label., value: \"1\"}]\n")
	kubeconfig := coreReader(t, "discover", "namespaces")
	for _, mode := range []string{"watch", "scrape"} {
		p := start(t, "state", "--kubeconfig", kubeconfig, "--rules", rules, "--collect="+mode)
		served(t, p, mode+": what may be read", "e2e_own{", `e2e_own{name="discover-forbidden"} 1`)
	}
}
