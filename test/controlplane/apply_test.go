package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resources are the kinds of testdata/cluster.yaml.
var resources = map[string]schema.GroupVersionResource{
	"AuthPolicy":   {Group: "kuadrant.io", Version: "v1", Resource: "authpolicies"},
	"ConfigMap":    {Version: "v1", Resource: "configmaps"},
	"Gateway":      {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"},
	"GatewayClass": {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gatewayclasses"},
	"HTTPRoute":    {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
	"Namespace":    {Version: "v1", Resource: "namespaces"},
	"Pod":          {Version: "v1", Resource: "pods"},
}

func testApply(t *testing.T, control *ControlPlane) {
	manifests, err := os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time over objects that have a status
		if err := control.Apply(t.Context(), manifests); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := ParseManifests(manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range objects {
		t.Run(want.GetKind(), func(t *testing.T) {
			namespace := want.GetNamespace()
			if want.GetKind() == "ConfigMap" {
				namespace = "default" // the manifest has none
			}
			got := read(t, control, resources[want.GetKind()], namespace, want.GetName())
			if got.GetUID() == "" || got.GetUID() == want.GetUID() {
				t.Errorf("UID is %q, want one of the server", got.GetUID())
			}
			if diff := cmp.Diff(want.GetLabels(), got.GetLabels()); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Object["status"], got.Object["status"]); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func testApplyMany(t *testing.T, control *ControlPlane) {
	const count = 30
	var manifests strings.Builder
	for i := range count {
		fmt.Fprintf(&manifests, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: many-%d, namespace: many}}\n", i)
	}
	if err := control.Apply(t.Context(), []byte(manifests.String())); err != nil {
		t.Fatal(err)
	}
	list, err := dynamicClient(t, control.Config()).Resource(resources["ConfigMap"]).Namespace("many").
		List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != count {
		t.Errorf("got %d objects, want %d", len(list.Items), count)
	}
}

func TestRuns(t *testing.T) {
	objects, err := ParseManifests([]byte(`
{apiVersion: v1, kind: Pod, metadata: {name: a}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: b}}
---
{apiVersion: v1, kind: Pod, metadata: {name: c}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: d}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: e}}
---
{apiVersion: v1, kind: Pod, metadata: {name: f}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, run := range runs(objects) {
		var names []string
		for _, object := range run {
			names = append(names, object.GetName())
		}
		got = append(got, strings.Join(names, " "))
	}
	if diff := cmp.Diff([]string{"d", "b", "a c", "e", "f"}, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func testApplyErrors(t *testing.T, control *ControlPlane) {
	f := func(manifest string, want ...string) {
		t.Helper()
		err := control.Apply(t.Context(), []byte(manifest))
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("applying %s: got error %v, want %q in it", manifest, err, part)
			}
		}
	}
	f("{apiVersion: example.com/v1, kind: Thing, metadata: {name: a}}", `example.com/v1 Thing "a"`, "does not serve Thing")
	f("{apiVersion: v1, kind: ConfigMap, metadata: {namespace: b}}", `v1 ConfigMap "b/"`, "no metadata.name")
	f("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, date: {}}", `v1 ConfigMap "default/c"`, "date")
	f("kind: ConfigMap", "document 1")
	f("{apiVersion: v1, kind: Pod, metadata: {name: d}, spec: {containers: [{name: x, image: x}]}, status: {phrase: Running}}",
		`v1 Pod "default/d"`, "status", "phrase")
}
