package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// kind is a kind of a test's own, in a group of its own.
type kind struct {
	group, name string
	cluster     bool // outside of namespaces
	conditions  bool // the schema has status.conditions
	categories  []any
	labels      map[string]any // of the CRD
}

func (k kind) plural() string  { return strings.ToLower(k.name) + "s" }
func (k kind) crdName() string { return k.plural() + "." + k.group }

func (k kind) resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.group, Version: "v1", Resource: k.plural()}
}

// crd returns the definition of the kind. Any spec is accepted.
func (k kind) crd() *unstructured.Unstructured {
	anything := func() map[string]any {
		return map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	}
	status := anything()
	if k.conditions {
		status["properties"] = map[string]any{"conditions": map[string]any{"type": "array", "items": anything()}}
	}
	scope := "Namespaced"
	if k.cluster {
		scope = "Cluster"
	}
	names := map[string]any{"kind": k.name, "plural": k.plural(), "singular": strings.ToLower(k.name)}
	if len(k.categories) > 0 {
		names["categories"] = k.categories
	}
	metadata := map[string]any{"name": k.crdName()}
	if len(k.labels) > 0 {
		metadata["labels"] = k.labels
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata,
		"spec": map[string]any{
			"group": k.group, "scope": scope, "names": names,
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{"spec": anything(), "status": status},
				}},
			}},
		},
	}}
}

// object returns one of the kind. Its namespace is empty for a kind without.
func (k kind) object(namespace, name string, spec map[string]any) *unstructured.Unstructured {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": k.group + "/v1", "kind": k.name, "metadata": metadata, "spec": spec,
	}}
}

// install makes the API server serve kinds until the test ends.
func install(t *testing.T, c *controlplane.ControlPlane, kinds ...kind) {
	t.Helper()
	for _, k := range kinds {
		apply(t, c, []*unstructured.Unstructured{k.crd()})
		t.Cleanup(func() { uninstall(t, c, k) })
	}
}

// uninstall removes a kind and all of its objects, if it is there, and waits until
// it is gone: another one of the name would be removed with it.
func uninstall(t *testing.T, c *controlplane.ControlPlane, k kind) {
	t.Helper()
	client := dynamicClient(t, c).Resource(crds)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	err := client.Delete(ctx, k.crdName(), metav1.DeleteOptions{})
	for err == nil && ctx.Err() == nil {
		_, err = client.Get(ctx, k.crdName(), metav1.GetOptions{})
	}
	if !apierrors.IsNotFound(err) {
		t.Errorf("removing %s: %v", k.crdName(), err)
	}
}

var (
	crds   = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	events = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

func dynamicClient(t *testing.T, c *controlplane.ControlPlane) dynamic.Interface {
	t.Helper()
	config := c.Config()
	config.UserAgent = controlplane.UserAgent
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// create makes many objects of a kind, several at the same time.
func create(t *testing.T, c *controlplane.ControlPlane, k kind, objects []*unstructured.Unstructured) {
	t.Helper()
	client := dynamicClient(t, c).Resource(k.resource())
	var next atomic.Int64
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for t.Context().Err() == nil && !t.Failed() {
				i := int(next.Add(1)) - 1
				if i >= len(objects) {
					return
				}
				o := objects[i]
				if _, err := client.Namespace(o.GetNamespace()).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// namespace makes a namespace; labels are key=value.
func namespace(t *testing.T, c *controlplane.ControlPlane, name string, labels ...string) {
	t.Helper()
	set := map[string]any{}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		set[key] = value
	}
	apply(t, c, []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": set},
	}}})
}

// run runs kubectl, which must not fail.
func run(t *testing.T, c *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(context.WithoutCancel(t.Context()), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// served waits until exactly some lines of an exposition contain a string.
func served(t *testing.T, p *program.Process, what, part string, want ...string) {
	t.Helper()
	program.Poll(t, what, func() error {
		got := lines(scrape(t, p), part)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}
