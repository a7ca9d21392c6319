package e2e

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
)

// routes makes HTTPRoutes of one parent, on which two controllers report.
func routes(namespace string, n int) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, n)
	for i := range out {
		out[i] = route(namespace, fmt.Sprintf("route-%05d", i))
	}
	return out
}

func route(namespace, name string) *unstructured.Unstructured {
	ref := map[string]any{
		"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateway-system", "sectionName": "https",
	}
	condition := func(typ, status, reason string) any {
		return map[string]any{
			"type": typ, "status": status, "reason": reason, "message": "As a controller would say it.",
			"observedGeneration": int64(1), "lastTransitionTime": "2026-05-20T11:45:33Z",
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{
			"name": name, "namespace": namespace,
			"labels": map[string]any{"service": name, "deployment": name},
		},
		"spec": map[string]any{
			"hostnames":  []any{name + ".example.com"},
			"parentRefs": []any{ref},
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": name, "port": int64(8080)}}}},
		},
		"status": map[string]any{"parents": []any{
			map[string]any{
				"controllerName": "istio.io/gateway-controller", "parentRef": ref,
				"conditions": []any{condition("Accepted", "True", "Accepted"), condition("ResolvedRefs", "False", "BackendNotFound")},
			},
			map[string]any{
				"controllerName": "kuadrant.io/policy-controller", "parentRef": ref,
				"conditions": []any{
					condition("kuadrant.io/AuthPolicyAffected", "True", "Accepted"),
					condition("kuadrant.io/RateLimitPolicyAffected", "True", "Accepted"),
				},
			},
		}},
	}}
}

func apply(t *testing.T, c *controlplane.ControlPlane, objects []*unstructured.Unstructured) {
	t.Helper()
	if err := c.ApplyObjects(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
}
