package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/cli"
)

// result is what a command line gave.
type result struct {
	code        int
	out, stderr string
}

// run runs a command line in this process.
func run(t *testing.T, stdin []byte, args ...string) result {
	t.Helper()
	var out, stderr bytes.Buffer
	code := cli.Main(args, cli.Streams{In: bytes.NewReader(stdin), Out: &out, Err: &stderr})
	return result{code, out.String(), stderr.String()}
}

// ok returns the output of a command that must have succeeded.
func (r result) ok(t *testing.T) string {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d, stderr:\n%s", r.code, r.stderr)
	}
	return r.out
}

const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec: {gatewayClassName: istio}
`

func TestEvalReadsStdin(t *testing.T) {
	out := run(t, []byte(gateway), "eval", "-").ok(t)
	want := `gatewayapi_gateway_info{customresource_group="gateway.networking.k8s.io",customresource_kind="Gateway",` +
		`customresource_version="v1",gatewayclass_name="istio",name="web",namespace="shop"} 1`
	if !strings.Contains(out, want+"\n") {
		t.Errorf("no line %s in\n%s", want, out)
	}
}

func TestEvalFormats(t *testing.T) {
	openMetrics := run(t, []byte(gateway), "eval", "--format", "openmetrics", "-").ok(t)
	if !strings.HasSuffix(openMetrics, "# EOF\n") || !strings.Contains(openMetrics, "# TYPE gatewayapi_gateway info\n") {
		t.Errorf("not OpenMetrics:\n%s", openMetrics)
	}
	var families []struct {
		Name, Type string
		Samples    []struct {
			Labels map[string]string
			Value  any
		}
	}
	if err := json.Unmarshal([]byte(run(t, []byte(gateway), "eval", "--format", "json", "-").ok(t)), &families); err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.Name == "gatewayapi_gateway_info" && f.Type == "info" && f.Samples[0].Labels["gatewayclass_name"] == "istio" && f.Samples[0].Value == 1.0 {
			return
		}
	}
	t.Errorf("no gatewayapi_gateway_info in %+v", families)
}

func TestEvalKeepsGoodInput(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "good.yaml", gateway)
	write(t, dir, "bad.yaml", "a: [b\n---\n"+strings.Replace(gateway, "web", "second", 1))
	r := run(t, nil, "eval", dir)
	if r.code != 1 {
		t.Errorf("exit code %d, want 1", r.code)
	}
	for _, name := range []string{"web", "second"} {
		if !strings.Contains(r.out, `name="`+name+`"`) {
			t.Errorf("Gateway %s was lost:\n%s", name, r.out)
		}
	}
	if !strings.Contains(r.stderr, "bad.yaml: document 1: not valid YAML") {
		t.Errorf("stderr does not say what is wrong:\n%s", r.stderr)
	}
}

func TestEvalNamesObjectsWithoutRule(t *testing.T) {
	r := run(t, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"), "eval", "-")
	if want := "note: no rule applies to v1/Pod (1 objects)\n"; r.stderr != want {
		t.Errorf("stderr %q, want %q", r.stderr, want)
	}
}

// TestConfigurationErrors checks that what is wrong ends the command with code 1
// and a line that says where and what to do.
func TestConfigurationErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "empty.yaml", "")
	write(t, dir, "notyaml.yaml", "kind: MetricRules\n\tspec: x\n")
	write(t, dir, "typo.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Foo}
    metrics:
    - name: status
      forEech: [{as: c, in: object.status.conditions}]
      value: c.status
`)
	write(t, dir, "cel.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Foo}
    metrics:
    - name: status
      value: objekt.status.ready
`)
	write(t, dir, "reserved.yaml", `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Foo}
    labels: {name: object.metadata.name}
    metrics: [{name: gateway_metrics_up, value: "1"}, {name: kubevitals_x, value: "1"}, {name: go_x, value: "1"}]
`)
	f := func(want string, args ...string) {
		t.Helper()
		r := run(t, nil, append([]string{"eval"}, args...)...)
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("eval %v: code %d, stderr\n%s\nwant a line with %q", args, r.code, r.stderr, want)
		}
	}
	f(`there is no catalog "gatewayapi": there are conditions, gateway-api, kuadrant, kyma`, "--catalog", "gatewayapi", "-")
	f(filepath.Join(dir, "empty.yaml")+`: the file has no rules`, "--rules", dir, "-") // and all others of the folder
	f(`the folder has no rule files (*.yaml, *.yml, *.json)`, "--rules", t.TempDir(), "-")
	f(`empty.yaml: the file has no rules`, "--rules", filepath.Join(dir, "empty.yaml"), "-")
	f(`notyaml.yaml:2: not valid YAML`, "--rules", filepath.Join(dir, "notyaml.yaml"), "-")
	f(`typo.yaml:8:7: metric "status": unknown field "forEech", did you mean "forEach"?`, "--rules", filepath.Join(dir, "typo.yaml"), "-")
	f(`cel.yaml:8:14: metric "status": expression "objekt.status.ready": unknown name "objekt": in scope are object, gvk, did you mean "object"?`,
		"--rules", filepath.Join(dir, "cel.yaml"), "-")
	f(`reserved.yaml:7:15: metric "gateway_metrics_up": the name gateway_metrics_up is taken: it is a metric of Kubevitals about itself`,
		"--rules", filepath.Join(dir, "reserved.yaml"), "-")
	f(`the name kubevitals_x is taken`, "--rules", filepath.Join(dir, "reserved.yaml"), "-")
	f(`the name go_x is taken`, "--rules", filepath.Join(dir, "reserved.yaml"), "-")
	f(`no such file`, "--rules", filepath.Join(dir, "missing.yaml"), "-")
	f(`--enable: no rule has the group "x"`, "--enable", "x", "-")
	f(`--format "xml": expected prometheus, openmetrics or json`, "--format", "xml", "-")
	f(`no such file`, filepath.Join(dir, "missing-objects.yaml"))
}

func TestPortInUse(t *testing.T) {
	ln := listen(t)
	objects := write(t, t.TempDir(), "gateway.yaml", gateway)
	r := run(t, nil, "state", "--from", objects, "--listen", ln.Addr().String())
	want := "kubevitals: --listen " + ln.Addr().String() + ": the port is in use, choose another\n"
	if r.code != 1 || r.stderr != want {
		t.Errorf("code %d, stderr %q, want code 1 and %q", r.code, r.stderr, want)
	}
}

func TestVersion(t *testing.T) {
	if out := run(t, nil, "version").ok(t); !strings.HasPrefix(out, "kubevitals ") {
		t.Errorf("version prints %q", out)
	}
}

func TestCompletion(t *testing.T) {
	if out := run(t, nil, "__complete", "eval", "--catalog", "").ok(t); !strings.HasPrefix(out, "conditions\ngateway-api\nkuadrant\nkyma\n") {
		t.Errorf("--catalog completes to %q", out)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
