package otlp_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

const kyma = `
apiVersion: operator.kyma-project.io/v1beta2
kind: Kyma
metadata: {name: default, namespace: kyma-system}
status:
  state: Ready
  modules:
  - {name: telemetry, state: Ready, resource: {apiVersion: operator.kyma-project.io/v1alpha1, kind: Telemetry, metadata: {name: default, namespace: kyma-system}}}
  - {name: keda, state: Ready, resource: {apiVersion: operator.kyma-project.io/v1alpha1, kind: Keda, metadata: {name: default, namespace: kyma-system}}}
---
apiVersion: operator.kyma-project.io/v1alpha1
kind: Telemetry
metadata: {name: default, namespace: kyma-system}
status: {state: Ready, conditions: [{type: LogComponentsHealthy, status: "True", reason: Fine}]}
---
apiVersion: operator.kyma-project.io/v1alpha1
kind: Keda
metadata: {name: default, namespace: kyma-system}
status: {state: Warning}
`

func pipelineTo(address, modules string, enabled bool) string {
	return fmt.Sprintf(`
apiVersion: telemetry.kyma-project.io/v1alpha1
kind: MetricPipeline
metadata: {name: sample}
spec:
  input: {kyma: {enabled: %t, modules: [%s]}}
  output: {otlp: {protocol: http, endpoint: {value: "http://%s"}}}
`, enabled, modules, address)
}

// TestPipeline: a MetricPipeline switches the catalog kyma on for some modules and
// says where to push; when it changes the push does, and when it is switched off
// there are no such metrics any more.
func TestPipeline(t *testing.T) {
	t.Parallel()
	first, second := new(sink), new(sink)
	addresses := []string{receive(t, first, "http", nil), receive(t, second, "http", nil)}
	folder := t.TempDir()
	objectFile, file := filepath.Join(folder, "objects.yaml"), filepath.Join(folder, "pipeline.yaml")
	write(t, objectFile, kyma)
	write(t, file, pipelineTo(addresses[0], "telemetry", true))
	p := program.Start(t, binary, "state", "--from", objectFile, "--metric-pipeline", file, "--otlp-interval", "1s", "--otlp-min-interval", "1s")
	seen := func(s *sink, module string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for key := range s.points {
			if strings.HasPrefix(key, "kyma.module.status.state{") && strings.Contains(key, "name="+module+",") {
				return nil
			}
		}
		return fmt.Errorf("there is no state of %s among %d series", module, len(s.points))
	}
	program.Poll(t, "the module at the first receiver", func() error { return seen(first, "telemetry") })
	if seen(first, "keda") == nil {
		t.Error("a module that was not asked for was pushed")
	}
	write(t, file, pipelineTo(addresses[1], "", true))
	program.Poll(t, "all modules at the second receiver", func() error {
		return errors.Join(seen(second, "telemetry"), seen(second, "keda"))
	})
	write(t, file, pipelineTo(addresses[1], "", false))
	program.Poll(t, "the metrics to be gone", func() error {
		if _, body := p.Get(t, "/metrics", nil); strings.Contains(string(body), "\nkyma_module") {
			return errors.New("they are still there")
		}
		return nil
	})
	first.check(t)
	second.check(t)
}
