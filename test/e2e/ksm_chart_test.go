package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// chartRules are what the chart mounts: values of customResourceState.config.
const chartRules = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: chart.e2e.kubevitals.io, version: v1, kind: Charted}
    labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}
    metrics:
    - name: ready
      help: Whether it is ready.
      each:
        type: Gauge
        gauge: {path: [status, conditions], labelsFromPath: {type: [type]}, valueFrom: [status]}
    - name: phase
      help: The phase.
      each: {type: StateSet, stateSet: {labelName: phase, path: [status, phase], list: [Pending, Running]}}
    - name: info
      help: What it is.
      each: {type: Info, info: {labelsFromPath: {size: [spec, size]}}}
`

// TestChart runs the binary as the Helm chart of kube-state-metrics runs that:
// with its arguments, a mounted rule file, and its probes.
func TestChart(t *testing.T) {
	k := kind{group: "chart.e2e.kubevitals.io", name: "Charted"}
	install(t, control, k)
	o := k.object("charted", "one", map[string]any{"size": "big"})
	o.Object["status"] = map[string]any{
		"phase": "Running", "conditions": []any{map[string]any{"type": "Ready", "status": "True"}},
	}
	apply(t, control, []*unstructured.Unstructured{o})

	dir := t.TempDir()
	link := filepath.Join(dir, "kube-state-metrics")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	port, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	telemetryPort, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "config.yaml", chartRules)
	p := runLink(t, link, fmt.Sprintf("http://127.0.0.1:%d", port),
		fmt.Sprintf("--port=%d", port),
		"--custom-resource-state-only=true",
		"--custom-resource-state-config-file="+file,
		"--kubeconfig="+control.Kubeconfig(),
		"--metric-labels-allowlist=pods=[*]",
		"--metric-denylist=kube_customresource_nothing",
		"--telemetry-host=127.0.0.1",
		fmt.Sprintf("--telemetry-port=%d", telemetryPort))
	telemetry := &program.Process{URL: fmt.Sprintf("http://127.0.0.1:%d", telemetryPort)}

	// The chart's startup and liveness probes ask /livez of the main port, its
	// readiness probe /readyz of the port for telemetry; older ones /healthz and /.
	for _, one := range []*program.Process{p, telemetry} {
		one.WaitReady(t)
		for _, path := range []string{"/livez", "/readyz", "/healthz", "/"} {
			if code, body := one.Get(t, path, nil); code != http.StatusOK {
				t.Errorf("%s%s: %d %s", one.URL, path, code, body)
			}
		}
	}
	series := func(p *program.Process) string {
		t.Helper()
		code, body := p.Get(t, "/metrics", nil)
		if code != http.StatusOK {
			t.Errorf("%s: status %d", p.URL, code)
		}
		return string(body)
	}
	const identity = `customresource_group="chart.e2e.kubevitals.io",customresource_kind="Charted",customresource_version="v1",name="one",namespace="charted"`
	wants := []string{
		`kube_customresource_ready{` + identity + `,type="Ready"} 1`,
		`kube_customresource_phase{` + identity + `,phase="Pending"} 0`,
		`kube_customresource_phase{` + identity + `,phase="Running"} 1`,
		`kube_customresource_info{` + identity + `,size="big"} 1`,
	}
	text := series(p)
	for _, want := range wants {
		if err := has(text, want); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(text, "kubevitals_") || strings.Contains(text, "process_") {
		t.Errorf("self-metrics on the main port:\n%s", text)
	}
	text = series(telemetry)
	if err := errors.Join(has(text, `kubevitals_state_kind_up{group="chart.e2e.kubevitals.io",kind="Charted",version="v1"} 1`),
		without(text, "kube_customresource")); err != nil {
		t.Error(err)
	}
	// The chart changes the ConfigMap; kube-state-metrics reads such a change.
	rewrite(t, file, strings.Replace(chartRules, "name: ready", "name: is_ready", 1))
	program.Poll(t, "the changed rules", func() error {
		text := series(p)
		return errors.Join(has(text, strings.Replace(wants[0], "ready", "is_ready", 1)), without(text, "kube_customresource_ready"))
	})
	// Events of the object are followed.
	o.Object["status"].(map[string]any)["phase"] = "Pending"
	apply(t, control, []*unstructured.Unstructured{o})
	program.Poll(t, "a changed object", func() error {
		return has(series(p), `kube_customresource_phase{`+identity+`,phase="Pending"} 1`)
	})
	if n := len(regexp.MustCompile(`metric-labels-allowlist`).FindAllString(p.Output.String(), -1)); n != 1 {
		t.Errorf("%d mentions of a flag without effect, want one:\n%s", n, p.Output)
	}
}

// runLink runs a program with exactly these arguments until the test ends.
func runLink(t *testing.T, link, url string, args ...string) *program.Process {
	t.Helper()
	p := &program.Process{URL: url, Output: &program.Output{}}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), link, args...)
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("it has ended before the test: %v", err)
		}
		if err := cmd.Wait(); err != nil || strings.Contains(p.Output.String(), "DATA RACE") {
			t.Errorf("it ended with %v", err)
		}
		if t.Failed() {
			t.Logf("output:\n%s", p.Output)
		}
	})
	program.Poll(t, "both servers", func() error {
		if len(lines(p.Output.String(), "msg=Serving ")) != 1 || len(lines(p.Output.String(), "telemetry=")) != 1 {
			return fmt.Errorf("output so far:\n%s", p.Output)
		}
		return nil
	})
	return p
}
