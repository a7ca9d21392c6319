package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// manyKinds returns kinds with conditions, a phase or a state, in some groups, of
// which every fifth is outside of namespaces.
func manyKinds(n, groups int) []kind {
	var out []kind
	for i := range n {
		out = append(out, kind{group: conditionsGroup(fmt.Sprintf("g%02d", i%groups)), name: fmt.Sprintf("Kind%03d", i), cluster: i%5 == 4})
	}
	return out
}

// manyCRD is the definition of a kind whose status has one of the fields, and is
// written with the object.
func manyCRD(k kind, i int) *unstructured.Unstructured {
	field := []string{"conditions", "phase", "state"}[i%3]
	text := map[string]any{"type": "string"}
	schema := text
	if field == "conditions" {
		item := map[string]any{"type": "object", "properties": map[string]any{"type": text, "status": text, "reason": text, "message": text, "lastTransitionTime": text}}
		schema = map[string]any{"type": "array", "items": item}
	}
	crd := k.crd()
	version := crd.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	delete(version, "subresources")
	properties := version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)
	properties["status"] = map[string]any{"type": "object", "properties": map[string]any{field: schema}}
	return crd
}

// manyObject is an object of the kind that manyCRD defines.
func manyObject(k kind, i, n int) *unstructured.Unstructured {
	namespace := "many"
	if k.cluster {
		namespace = ""
	}
	status := []map[string]any{conditionsOf("Ready=True", "Degraded=False", "Synced=Unknown"), {"phase": "Running"}, {"state": "Warning"}}[i%3]
	return withStatus(k.object(namespace, fmt.Sprintf("object-%03d", n), map[string]any{}), status)
}

// TestConditionsOfManyKinds serves 20,000 objects of 200 kinds, of which one group
// may not be read, and logs what that costs: everything else is complete, and each
// kind is watched once.
//
//	go test ./e2e -run ConditionsOfManyKinds -v
func TestConditionsOfManyKinds(t *testing.T) {
	const kinds, groups, each = 200, 20, 100
	c := ownControlPlane(t, "standard")
	plain := filepath.Join(t.TempDir(), "kubevitals") // the race detector would be measured instead
	if err := program.Build(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	all := manyKinds(kinds, groups)
	began := time.Now()
	makeMany(t, c, all, each)
	made := time.Since(began)

	mark, err := c.Mark()
	if err != nil {
		t.Fatal(err)
	}
	refused := all[groups-1].group
	began = time.Now()
	p := program.Start(t, plain, "state", "--pprof", "--catalog=conditions", "--kubeconfig", manyReader(t, c, all, refused))
	p.WaitReady(t)
	ready := time.Since(began)

	const readable = kinds - kinds/groups
	program.Poll(t, "all objects that may be read", func() error {
		text := scrape(t, p)
		if got := len(lines(text, "kube_object_healthy{", ".conditions.e2e.kubevitals.io")); got != readable*each {
			return fmt.Errorf("%d objects, want %d", got, readable*each)
		}
		return nil
	})
	text := scrape(t, p)
	got := map[string]int{
		"conditions": len(lines(text, "kube_object_condition{", ".conditions.e2e.kubevitals.io")),
		"healthy":    len(lines(text, "kube_object_condition_healthy{", ".conditions.e2e.kubevitals.io")),
		"phases":     len(lines(text, "kube_object_phase{", ".conditions.e2e.kubevitals.io", "} 1")),
		"states":     len(lines(text, "kube_object_state{", ".conditions.e2e.kubevitals.io", "} 1")),
		"refused":    len(lines(text, "kubevitals_state_kind_error_info{", `group="`+refused+`"`, `reason="forbidden"`)),
	}
	want := map[string]int{"refused": kinds / groups}
	for i, k := range all {
		if k.group == refused {
			continue
		}
		switch i % 3 {
		case 0:
			want["conditions"] += 3 * each
			want["healthy"] += 3 * each
		case 1:
			want["phases"] += each
		case 2:
			want["states"] += each
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	watchedOnce(t, requests(t, c, mark), all, refused)
	t.Logf("%d kinds, %d objects: made in %v, ready after %v, %.1f MB; memory %s", kinds, kinds*each, made.Round(time.Millisecond),
		ready.Round(time.Millisecond), float64(len(text))/1e6, memory(t, p))
	if peak := peakMemory(t, p); peak > 600<<20 {
		t.Errorf("the process has taken %d MiB", peak>>20)
	}
}

// makeMany defines kinds and makes objects of each.
func makeMany(t *testing.T, c *controlplane.ControlPlane, kinds []kind, each int) {
	t.Helper()
	namespace(t, c, "many")
	definitions := make([]*unstructured.Unstructured, len(kinds))
	for i, k := range kinds {
		definitions[i] = manyCRD(k, i)
	}
	apply(t, c, definitions)
	for i, k := range kinds {
		objects := make([]*unstructured.Unstructured, each)
		for n := range objects {
			objects[n] = manyObject(k, i, n)
		}
		create(t, c, k, objects)
	}
}

// manyReader returns the kubeconfig of an account that may read all groups but one.
func manyReader(t *testing.T, c *controlplane.ControlPlane, kinds []kind, refused string) string {
	t.Helper()
	groups := map[string]bool{}
	for _, k := range kinds {
		if k.group != refused {
			groups[`"`+k.group+`"`] = true
		}
	}
	var list []string
	for g := range groups {
		list = append(list, g)
	}
	manifest := fmt.Sprintf(`
{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "many"},
 "rules": [{"apiGroups": [%s], "resources": ["*"], "verbs": ["list", "watch"]}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: many}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: many}
subjects: [{kind: ServiceAccount, namespace: many, name: many}]
`, strings.Join(list, ", "))
	if err := c.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	token, err := c.ServiceAccountToken(t.Context(), "many", "many")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := c.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// watchedOnce makes sure that there is one watch for each kind that may be read.
func watchedOnce(t *testing.T, log []controlplane.Request, kinds []kind, refused string) {
	t.Helper()
	watches := make(map[string]int)
	for _, r := range log {
		if r.Verb == "watch" && r.Begun {
			watches[r.Resource]++
		}
	}
	for _, k := range kinds {
		if n := watches[k.plural()]; n != 1 && k.group != refused {
			t.Errorf("%s: %d watches", k.crdName(), n)
		}
	}
}
