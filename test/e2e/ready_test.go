package e2e

import (
	"net/http"
	"testing"
)

// TestReadyIsListed has rules about all kinds there are: none may be missing
// when a process says that it is ready.
func TestReadyIsListed(t *testing.T) {
	namespace(t, control, "ready")
	rules := writeFile(t, "rules.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: ready}
spec:
  resources:
  - discover: {groups: ["*"], exclude: [Event]}
    labels: {kind: gvk.kind, group: gvk.group, name: object.metadata.name, namespace: object.metadata.namespace}
    metrics: [{name: e2e_any, help: Any., value: "1"}]
`)
	for range 5 {
		p := start(t, "state", "--kubeconfig", control.Kubeconfig(), "--rules", rules)
		for ready := false; !ready; {
			code, _ := p.Get(t, "/readyz", nil)
			ready = code == http.StatusOK
		}
		text := scrape(t, p)
		for _, kind := range []string{`kind="Namespace",name="ready"`, `kind="CustomResourceDefinition",name="gateways.gateway.networking.k8s.io"`,
			`kind="ClusterRole",name="cluster-admin"`} {
			if len(lines(text, "e2e_any{", kind)) != 1 {
				t.Errorf("ready without %s: %d series", kind, len(lines(text, "e2e_any{")))
			}
		}
	}
}
