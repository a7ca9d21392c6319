package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

// team is a namespace with a ConfigMap that has rules.
type team struct {
	t         *testing.T
	namespace string
}

// rules puts one rule file into the team's ConfigMap.
func (o team) rules(text string) {
	o.t.Helper()
	apply(o.t, control, []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "vitals", "namespace": o.namespace, "labels": map[string]any{"team": "rules"}},
		"data":     map[string]any{"rules.yaml": text, "README.md": "not a rule"},
	}}})
}

func (o team) remove() {
	o.t.Helper()
	run(o.t, control, "delete", "configmap", "vitals", "--namespace", o.namespace, "--ignore-not-found")
}

// events returns the Events on the team's ConfigMap, as "Type Reason Message".
func (o team) events() []string {
	o.t.Helper()
	list, err := dynamicClient(o.t, control).Resource(events).Namespace(o.namespace).List(o.t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=ConfigMap,involvedObject.name=vitals",
	})
	if err != nil {
		o.t.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		text := func(field string) string {
			s, _, _ := unstructured.NestedString(list.Items[i].Object, field)
			return s
		}
		out = append(out, text("type")+" "+text("reason")+" "+text("message"))
	}
	return out
}

// told waits for the nth Event that has some texts in it.
func (o team) told(n int, parts ...string) {
	o.t.Helper()
	program.Poll(o.t, "an Event about "+o.namespace, func() error {
		all := strings.Join(o.events(), "\n")
		if got := len(lines(all, parts...)); got != n {
			return fmt.Errorf("%d with %q, want %d, among\n%s", got, parts, n, all)
		}
		return nil
	})
}

// namespaceRules gives a metric of one namespace.
func namespaceRules(family, typ, of string) string {
	return fmt.Sprintf(`apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: %s}
spec:
  resources:
  - groupVersionKind: {group: "", kind: Namespace}
    fieldSelector: metadata.name=%s
    labels: {name: object.metadata.name}
    metrics:
    - {name: %[1]s, help: Namespaces of a team., type: %[3]s, value: "1"}
`, family, of, typ)
}

func twoTeams(t *testing.T, name string) (a, b team) {
	t.Helper()
	a, b = team{t, name + "-a"}, team{t, name + "-b"}
	for _, o := range []team{a, b} {
		namespace(t, control, o.namespace)
		t.Cleanup(o.remove)
	}
	return a, b
}

// TestConfigMaps has the rules of two teams: what one does costs the other
// nothing, and each is told on its own ConfigMap.
func TestConfigMaps(t *testing.T) {
	a, b := twoTeams(t, "rules")
	a.rules(namespaceRules("e2e_a", "gauge", a.namespace))
	p := start(t, "state", "--kubeconfig", control.Kubeconfig(), "--rules-configmaps", "team=rules", "--log-format=json")
	p.WaitReady(t)
	lineA, lineB := `e2e_a{name="rules-a"} 1`, `e2e_b{name="rules-b"} 1`
	if err := has(scrape(t, p), lineA); err != nil {
		t.Errorf("ready before the rules that were there: %v", err)
	}
	if got := a.events(); len(got) > 0 {
		t.Errorf("events about rules that were good from the beginning: %q", got)
	}

	b.rules(namespaceRules("e2e_b", "gauge", b.namespace))
	both := func(what string) {
		t.Helper()
		program.Poll(t, what, func() error {
			text := scrape(t, p)
			return errors.Join(has(text, lineA), has(text, lineB))
		})
	}
	both("both teams' rules")

	b.rules(strings.Replace(namespaceRules("e2e_b", "gauge", b.namespace), "value:", "valeu:", 1))
	b.told(1, "Warning RulesRefused", "configmap rules-b/vitals: rules.yaml:10:", `valeu`)
	text := scrape(t, p)
	if err := errors.Join(has(text, lineA), has(text, lineB), has(text, "kubevitals_rules_last_reload_successful 0"),
		has(text, `kubevitals_rules_valid{rules="configmap rules-a/vitals"} 1`),
		has(text, `kubevitals_rules_valid{rules="configmap rules-b/vitals"} 0`)); err != nil {
		t.Error(err)
	}
	if code, body := p.Get(t, "/readyz?verbose", nil); code != http.StatusOK || !strings.Contains(string(body), "rules-b/vitals") {
		t.Errorf("with refused rules: /readyz is %d %s", code, body)
	}

	// The other team goes on meanwhile.
	a.rules(namespaceRules("e2e_a2", "gauge", a.namespace))
	a.told(1, "Normal RulesAccepted")
	program.Poll(t, "the other team's change", func() error {
		text := scrape(t, p)
		return errors.Join(has(text, `e2e_a2{name="rules-a"} 1`), has(text, lineB), without(text, "e2e_a{"))
	})
	if got := b.events(); len(got) != 1 {
		t.Errorf("told more than once: %q", got)
	}
	a.rules(namespaceRules("e2e_a", "gauge", a.namespace))

	b.rules(namespaceRules("e2e_b", "gauge", b.namespace) + " ")
	b.told(1, "Normal RulesAccepted")
	both("the repaired rules")

	// Both are right by themselves.
	b.rules(namespaceRules("e2e_a", "counter", b.namespace))
	b.told(1, "Warning RulesRefused", "configmap rules-b/vitals: rules.yaml:10:", "configmap rules-a/vitals: rules.yaml:10", "e2e_a")
	both("the rules of before the conflict")
	if got := lines(strings.Join(a.events(), "\n"), "RulesRefused"); len(got) > 0 {
		t.Errorf("the other team is told: %q", got)
	}

	a.remove() // which ends the conflict
	program.Poll(t, "the end of the conflict", func() error {
		text := scrape(t, p)
		return errors.Join(has(text, `e2e_a{name="rules-b"} 1`), without(text, lineA), without(text, "e2e_b{"),
			has(text, "kubevitals_rules_last_reload_successful 1"))
	})
	b.told(2, "Normal RulesAccepted")
	b.remove()
	program.Poll(t, "the removal", func() error {
		text := scrape(t, p)
		return errors.Join(without(text, "e2e_"), without(text, `kubevitals_rules_valid{rules="configmap`))
	})
}

// without fails if an exposition has a text.
func without(text, part string) error {
	if found := lines(text, part); len(found) > 0 {
		return fmt.Errorf("there is still %q", found[0])
	}
	return nil
}

// TestConfigMapsAtTheStart: of rules that are in each other's way at the start,
// those of the first ConfigMap by name are used, beside those of the flags.
func TestConfigMapsAtTheStart(t *testing.T) {
	a, b := twoTeams(t, "conflict")
	a.rules(namespaceRules("e2e_conflict", "gauge", a.namespace))
	b.rules(namespaceRules("e2e_conflict", "counter", b.namespace))
	own := writeFile(t, "own.yaml", namespaceRules("e2e_own", "gauge", a.namespace))
	for i, mode := range []string{"watch", "scrape"} {
		p := start(t, "state", "--kubeconfig", control.Kubeconfig(), "--collect="+mode, "--rules", own,
			"--rules-configmaps", "team=rules", "--rules-configmaps-namespaces", a.namespace+","+b.namespace)
		p.WaitReady(t)
		text := scrape(t, p)
		if err := errors.Join(has(text, `e2e_own{name="conflict-a"} 1`), has(text, `e2e_conflict{name="conflict-a"} 1`),
			without(text, `e2e_conflict{name="conflict-b"`)); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		b.told(i+1, "Warning RulesRefused", "configmap conflict-b/vitals: rules.yaml:10:", "configmap conflict-a/vitals: rules.yaml:10")
		if got := a.events(); len(got) > 0 {
			t.Errorf("%s: the first of them is told %q", mode, got)
		}
	}
}

// TestConfigMapsWithoutEvents may not write Events: rules are used all the same,
// and one line of the log says that nobody is told.
func TestConfigMapsWithoutEvents(t *testing.T) {
	a, b := twoTeams(t, "silent")
	p := start(t, "state", "--kubeconfig", coreReader(t, "silent", "namespaces, configmaps"), "--rules-configmaps", "team=rules",
		"--rules-configmaps-namespaces", a.namespace+","+b.namespace)
	p.WaitReady(t)
	for i, o := range []team{a, b, a, b} {
		o.rules("kind: Nothing" + fmt.Sprint(i))
		program.Poll(t, "the refusal", func() error {
			if n := len(lines(p.Output.String(), "Rules are refused")); n != i+1 {
				return fmt.Errorf("%d refusals", n)
			}
			return nil
		})
	}
	a.rules(namespaceRules("e2e_a", "gauge", a.namespace))
	served(t, p, "the rules", "e2e_a{", `e2e_a{name="silent-a"} 1`)
	if got := lines(p.Output.String(), "Event"); len(got) != 1 {
		t.Errorf("%d lines about events, want one:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// coreReader returns a kubeconfig of an account that may read kinds of the core
// group, and no others. Their names are separated by commas.
func coreReader(t *testing.T, name, resources string) (kubeconfig string) {
	t.Helper()
	name = "e2e-reader-" + name
	manifest := strings.ReplaceAll(fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME}
rules:
- {apiGroups: [""], resources: [%s], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}
subjects: [{kind: ServiceAccount, namespace: NAME, name: NAME}]
`, resources), "NAME", name)
	if err := control.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, control, "delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found") })
	return serviceAccount(t, name, name)
}
