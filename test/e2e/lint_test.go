package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/test/controlplane"
)

// lint runs kubevitals lint and returns what it prints, but for notes.
func lint(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, append([]string{"lint"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, ": note: ") && !strings.HasPrefix(line, "ok ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// A policy of another namespace could not be meant by any kind that there is now;
// the label is that of gateway-api-state-metrics.
const catalogFindings = `catalog/gateway-api/rules.yaml:684:27: warning: metric "target_info": path target.namespace: ` +
	`BackendTLSPolicy v1 and XBackendTrafficPolicy v1alpha1 have no field "namespace" in spec.targetRefs[]
`

// TestLintCatalogs looks the fields of the catalogs up in the CRDs of the Gateway
// API, as files and as the API server has them. Those of Kuadrant are our own,
// and accept any field.
func TestLintCatalogs(t *testing.T) {
	crds, err := controlplane.GatewayAPICRDs("experimental")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"--catalog", "gateway-api,kuadrant"}
	for _, crd := range crds {
		files = append(files, "--crds", crd)
	}
	if diff := cmp.Diff(catalogFindings, lint(t, files...)); diff != "" {
		t.Errorf("with --crds (-want +got):\n%s", diff)
	}
	cluster := []string{"--cluster", "--kubeconfig", control.Kubeconfig()}
	if diff := cmp.Diff(catalogFindings, lint(t, append(cluster, "--catalog", "gateway-api,kuadrant")...)); diff != "" {
		t.Errorf("with --cluster (-want +got):\n%s", diff)
	}
}

// TestLintCluster looks up fields of kinds that no CRD defines.
func TestLintCluster(t *testing.T) {
	rules := writeFile(t, "rules.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  labels: {namespace: object.metadata.namespace, name: object.metadata.name}
  resources:
  - groupVersionKind: {kind: Pod}
    metricNamePrefix: pod
    metrics:
    - {name: phase, help: x, type: stateSet, stateLabel: phase, states: [Running], value: object.status.phase}
    - {name: restarts, help: x, forEach: [{as: c, in: object.status.containerStatuses}], labels: {c: c.name}, value: c.restartCounts}
  - groupVersionKind: {group: apps, kind: Deployment}
    metricNamePrefix: deployment
    metrics:
    - {name: replicas, help: x, value: object.status.replica}
  - discover: {groups: [apps], having: [status.replicas]}
    metrics:
    - {name: workload_replicas, help: x, value: object.status.replicas, labels: {kind: gvk.kind}}
    - {name: workload_replica, help: x, value: object.status.replica}
`)
	out := strings.ReplaceAll(lint(t, "--cluster", "--kubeconfig", control.Kubeconfig(), rules), rules+":", "")
	want := `9:7: warning: metric "phase": states: status.phase of Pod v1 can also be Failed, Pending, Succeeded, Unknown
10:118: warning: metric "restarts": path c.restartCounts: Pod v1 has no field "restartCounts" in status.containerStatuses[], did you mean "restartCount"?
14:40: warning: metric "replicas": path object.status.replica: Deployment v1 has no field "replica" in status, did you mean "replicas"?
18:48: warning: metric "workload_replica": path object.status.replica: Deployment v1, ReplicaSet v1 and StatefulSet v1 have no field "replica" in status, did you mean "replicas"?
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
