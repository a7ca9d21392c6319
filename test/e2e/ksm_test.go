package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

const gatewayGeneration = `kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: gateway.networking.k8s.io, version: v1, kind: Gateway}
    labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}
    metrics:
    - name: generation
      help: The generation.
      each: {type: Gauge, gauge: {path: [metadata, generation]}}
`

var telemetryURL = regexp.MustCompile(`telemetry=(http://127\.0\.0\.1:\d+)`)

// inPlaceOfKSM runs the binary by the name of kube-state-metrics, and returns it
// twice: by its main server and by the one for self-metrics.
func inPlaceOfKSM(t *testing.T, args ...string) (main, telemetry *program.Process) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "kube-state-metrics")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	main = program.Start(t, link, append([]string{
		"--kubeconfig", control.Kubeconfig(), "--custom-resource-state-only", "--telemetry-host", "127.0.0.1", "--telemetry-port", "0",
		"--custom-resource-state-config-file", writeFile(t, "crs.yaml", gatewayGeneration),
	}, args...)...)
	program.Poll(t, "the second server", func() error {
		if m := telemetryURL.FindStringSubmatch(main.Output.String()); m != nil {
			telemetry = &program.Process{URL: m[1]}
			return nil
		}
		return os.ErrNotExist
	})
	telemetry.WaitReady(t)
	return main, telemetry
}

// TestInPlaceOfKubeStateMetrics: two ports, each with what belongs there.
func TestInPlaceOfKubeStateMetrics(t *testing.T) {
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	watching, _ := inPlaceOfKSM(t)
	listing, telemetry := inPlaceOfKSM(t, "--collect=scrape")
	text := func(p *program.Process) string {
		header := http.Header{"Accept-Encoding": {"gzip"}} // which the main server ignores
		if p == telemetry {
			header = nil
		}
		_, body := p.Get(t, "/metrics", header)
		return string(body)
	}
	lists := func() []string { return lines(text(telemetry), `kubevitals_state_api_requests_total{`, `verb="list"`) }
	before := lists()
	if again := lists(); !slices.Equal(before, again) {
		t.Errorf("a scrape of self-metrics lists objects: %v, then %v", before, again)
	}
	want := text(watching)
	if n := len(lines(want, "kube_customresource_generation{", `customresource_kind="Gateway"`, `namespace="`)); n < 2 {
		t.Fatalf("%d series:\n%s", n, want)
	}
	for line := range strings.Lines(want) {
		if !strings.Contains(line, "kube_customresource_generation") {
			t.Errorf("the main server has %s", line)
		}
	}
	if got := text(listing); got != want {
		t.Errorf("listed during scrapes:\n%s\nwatched:\n%s", got, want)
	}
	if after := lists(); slices.Equal(before, after) {
		t.Errorf("a scrape of the main server lists nothing: %v", after)
	}
	for _, part := range []string{`kubevitals_state_kind_up{group="gateway.networking.k8s.io",kind="Gateway",version="v1"} 1`, "kubevitals_build_info{"} {
		if body := text(telemetry); len(lines(body, part)) != 1 || strings.Contains(body, "kube_customresource") {
			t.Errorf("no %s, or too much, in\n%s", part, body)
		}
	}
}

// TestNamespacesOfKubeStateMetrics: watched or listed, only what is asked for.
func TestNamespacesOfKubeStateMetrics(t *testing.T) {
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	f := func(want bool, namespace string, args ...string) {
		t.Helper()
		main, _ := inPlaceOfKSM(t, args...)
		_, body := main.Get(t, "/metrics", nil)
		if got := len(lines(string(body), "kube_customresource_generation{", `namespace="`+namespace+`"`)) > 0; got != want {
			t.Errorf("%v: Gateways of namespace %s served: %v, want %v\n%s", args, namespace, got, want, body)
		}
	}
	all, _ := inPlaceOfKSM(t)
	_, body := all.Get(t, "/metrics", nil)
	m := regexp.MustCompile(`namespace="([^"]+)"`).FindSubmatch(body)
	if m == nil {
		t.Fatalf("no Gateway:\n%s", body)
	}
	namespace := string(m[1])
	for _, collect := range []string{"watch", "scrape"} {
		f(true, namespace, "--namespaces", namespace, "--use-apiserver-cache", "--collect", collect)
		f(false, namespace, "--namespaces", "default", "--use-apiserver-cache", "--collect", collect)
		f(false, namespace, "--namespaces-denylist", namespace, "--collect", collect)
	}
}
