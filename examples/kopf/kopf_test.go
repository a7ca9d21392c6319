package kopf_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/operatortest"
)

// runProbes loads operator.py with stand-ins for its two libraries, which cannot
// be had everywhere, and writes what its probes return as kopf does.
const runProbes = `
import json, sys, types, unittest.mock
probes = {}
kopf = unittest.mock.MagicMock()
kopf.on.probe = lambda id, errors: lambda fn: probes.setdefault(id, fn)
sys.modules["kopf"] = kopf
sys.modules["prometheus_client"] = unittest.mock.MagicMock()
exec(compile(open("operator.py").read(), "operator.py", "exec"))
print(json.dumps({id: fn() for id, fn in probes.items()}))
`

// TestProbes reads the probes of the operator.
func TestProbes(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Geteuid() == 0 { // make test installs it
			t.Fatal(err)
		}
		t.Skip(err)
	}
	body, err := exec.CommandContext(t.Context(), python, "-c", runProbes).Output()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	defer server.Close()
	source, err := kopf.New(kopf.Options{URL: server.URL, Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	operatortest.Compare(t, source, `
		# HELP example_pending Resources that wait.
		# TYPE example_pending gauge
		example_pending{priority="high"} 0
		example_pending{priority="low"} 0
		# HELP kopf_probe_up Whether the kopf operator has answered with its probes.
		# TYPE kopf_probe_up gauge
		kopf_probe_up 1
	`, "example_pending", "kopf_probe_up")
}

// TestDeployment: the annotations name a port that the container has.
func TestDeployment(t *testing.T) {
	data, err := os.ReadFile("deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict(data, &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template
	port := pod.Annotations["prometheus.io/port"]
	if pod.Annotations["prometheus.io/scrape"] != "true" || pod.Annotations["prometheus.io/path"] != "/metrics" {
		t.Errorf("annotations: %v", pod.Annotations)
	}
	found := slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
		return p.Name == "metrics" && strconv.Itoa(int(p.ContainerPort)) == port
	})
	if !found {
		t.Errorf("no port %q among %v", port, pod.Spec.Containers[0].Ports)
	}
}
