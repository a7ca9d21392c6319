package e2e

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

const selectorGroup = "selectors.e2e.kubevitals.io"

// asked returns how a resource has been asked for since a mark: for each request
// the path and the selectors, each once.
func asked(t *testing.T, mark controlplane.Mark, resource string) []string {
	t.Helper()
	var out []string
	for _, r := range requests(t, control, mark) {
		if r.Resource != resource {
			continue
		}
		u, err := url.Parse(r.URI)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		one := u.Path
		for _, name := range []string{"labelSelector", "fieldSelector"} {
			if q.Has(name) {
				one += " " + name + "=" + q.Get(name)
			}
		}
		out = append(out, one)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestSelectors has rules about some objects of a kind, and others about others:
// the API server is asked for no more.
func TestSelectors(t *testing.T) {
	k := kind{group: selectorGroup, name: "Selected"}
	install(t, control, k)
	for name, tier := range map[string]string{"a": "gold", "b": "silver", "c": "bronze"} {
		o := k.object("selectors", name, map[string]any{})
		o.SetLabels(map[string]string{"tier": tier})
		apply(t, control, []*unstructured.Unstructured{o})
	}
	rules := writeFile(t, "rules.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: selectors}
spec:
  labels: {name: object.metadata.name}
  resources:
  - groupVersionKind: {group: selectors.e2e.kubevitals.io, kind: Selected}
    selector: tier=gold
    metrics: [{name: e2e_selected, help: Some., value: "1", labels: {by: "'gold'"}}]
  - groupVersionKind: {group: selectors.e2e.kubevitals.io, kind: Selected}
    selector: "tier in (silver,gold)"
    fieldSelector: metadata.name!=a
    metrics: [{name: e2e_selected, help: Some., value: "1", labels: {by: "'silver'"}}]
`)
	paths := "/apis/" + selectorGroup + "/v1/selecteds"
	for _, mode := range []string{"watch", "scrape"} {
		mark, err := control.Mark()
		skipNotOwned(t, err)
		p := state(t, "--rules", rules, "--collect="+mode)
		served(t, p, mode+": the selected objects", "e2e_selected{",
			`e2e_selected{by="gold",name="a"} 1`, `e2e_selected{by="silver",name="b"} 1`)
		want := []string{paths + " labelSelector=tier in (gold,silver) fieldSelector=metadata.name!=a", paths + " labelSelector=tier=gold"}
		if diff := cmp.Diff(want, asked(t, mark, k.plural())); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", mode, diff)
		}
		// An object that leaves a selection and comes into another.
		run(t, control, "label", k.crdName(), "b", "tier=gold", "--overwrite", "--namespace=selectors")
		served(t, p, mode+": an object of two selections", "e2e_selected{",
			`e2e_selected{by="gold",name="a"} 1`, `e2e_selected{by="gold",name="b"} 1`, `e2e_selected{by="silver",name="b"} 1`)
		run(t, control, "label", k.crdName(), "b", "tier=silver", "--overwrite", "--namespace=selectors")
		served(t, p, mode+": the selection of before", "e2e_selected{",
			`e2e_selected{by="gold",name="a"} 1`, `e2e_selected{by="silver",name="b"} 1`)
	}
}

// TestNamespaces reads some namespaces only: each is asked for by itself, so
// that permissions for it suffice. Kinds outside of namespaces are read as ever.
func TestNamespaces(t *testing.T) {
	t.Parallel() // beside TestNoWatch
	k := kind{group: selectorGroup, name: "Spaced"}
	outside := kind{group: selectorGroup, name: "Outside", cluster: true}
	install(t, control, k, outside)
	for _, namespace := range []string{"spaced-a", "spaced-b", "spaced-c"} {
		apply(t, control, []*unstructured.Unstructured{k.object(namespace, "o", map[string]any{})})
	}
	apply(t, control, []*unstructured.Unstructured{outside.object("", "o", map[string]any{})})
	rules := writeFile(t, "rules.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: namespaces}
spec:
  labels: {name: object.metadata.name, namespace: object.metadata.namespace}
  resources:
  - groupVersionKind: {group: selectors.e2e.kubevitals.io, kind: "*"}
    metrics: [{name: e2e_spaced, help: Some., value: "1"}]
`)
	path := func(namespace string) string {
		return "/apis/" + selectorGroup + "/v1/namespaces/" + namespace + "/spaceds"
	}
	line := func(namespace string) string { return fmt.Sprintf(`e2e_spaced{name="o",namespace="%s"} 1`, namespace) }
	for _, mode := range []string{"watch", "scrape"} {
		f := func(flag string, paths, want []string) {
			t.Helper()
			mark, err := control.Mark()
			skipNotOwned(t, err)
			p := state(t, "--rules", rules, "--collect="+mode, flag)
			program.Poll(t, mode+": "+flag, func() error {
				text := scrape(t, p)
				got := slices.DeleteFunc(lines(text, "e2e_spaced{"), func(l string) bool {
					return strings.Contains(l, "namespace=") && !strings.Contains(l, `"spaced-`)
				})
				if !slices.Equal(got, append([]string{`e2e_spaced{name="o"} 1`}, want...)) {
					return errors.New(strings.Join(got, "\n"))
				}
				return nil
			})
			if diff := cmp.Diff(paths, asked(t, mark, k.plural())); diff != "" {
				t.Errorf("%s %s: requests (-want +got):\n%s", mode, flag, diff)
			}
			if diff := cmp.Diff([]string{"/apis/" + selectorGroup + "/v1/outsides"}, asked(t, mark, outside.plural())); diff != "" {
				t.Errorf("%s %s: requests outside of namespaces (-want +got):\n%s", mode, flag, diff)
			}
		}
		f("--namespaces=spaced-a,spaced-b", []string{path("spaced-a"), path("spaced-b")}, []string{line("spaced-a"), line("spaced-b")})
		f("--namespaces-denylist=spaced-a,spaced-c",
			[]string{"/apis/" + selectorGroup + "/v1/spaceds fieldSelector=metadata.namespace!=spaced-a,metadata.namespace!=spaced-c"},
			[]string{line("spaced-b")})
	}
}

// TestNoWatch reads a kind that the API server lists and does not watch: it is
// listed again from time to time.
func TestNoWatch(t *testing.T) {
	t.Parallel() // it waits for the second list
	rules := writeFile(t, "rules.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: components}
spec:
  resources:
  - groupVersionKind: {group: "", kind: ComponentStatus}
    labels: {name: object.metadata.name}
    metrics:
    - name: e2e_component
      help: Whether a component is healthy.
      value: object.conditions[type=Healthy].status
`)
	mark, err := control.Mark()
	skipNotOwned(t, err)
	p := state(t, "--rules", rules, "--log-level=info")
	text := scrape(t, p)
	if err := errors.Join(has(text, `e2e_component{name="etcd-0"} 1`),
		has(text, `kubevitals_state_kind_up{kind="ComponentStatus",version="v1"} 1`)); err != nil {
		t.Error(err)
	}
	program.Poll(t, "the second list", func() error {
		lists := 0
		for _, r := range requests(t, control, mark) {
			switch {
			case r.Resource != "componentstatuses":
			case r.Verb != "list" || r.Code != 200:
				t.Fatalf("%s is answered with %d", r.Verb, r.Code)
			default:
				lists++
			}
		}
		if lists < 2 {
			return fmt.Errorf("%d lists", lists)
		}
		return nil
	})
	if err := has(scrape(t, p), `e2e_component{name="etcd-0"} 1`); err != nil {
		t.Error(err)
	}
}
