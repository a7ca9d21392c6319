package release

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// rock is rockcraft.yaml, as far as it is tested.
type rock struct {
	Name, Version, Base string
	RunUser             string         `json:"run-user"`
	Entrypoint          string         `json:"entrypoint-service"`
	Services            map[string]any `json:"services"`
	Checks              map[string]any `json:"checks"`
	Parts               map[string]struct {
		Plugin           string
		BuildEnvironment []map[string]string `json:"build-environment"`
		OverrideBuild    string              `json:"override-build"`
	}
}

// readRock reads rockcraft.yaml and builds its part as Rockcraft does: by its
// script, in the tree. It returns the folder that is then the root of the rock.
func readRock(t *testing.T) (r rock, install string) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, root(t), "rockcraft.yaml"), &r); err != nil {
		t.Fatal(err)
	}
	install = t.TempDir()
	part := r.Parts["kubevitals"]
	if part.Plugin != "go" || part.OverrideBuild == "" {
		t.Fatalf("the part is %+v", part)
	}
	if err := os.MkdirAll(filepath.Join(install, "usr", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", part.OverrideBuild)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CRAFT_PART_INSTALL="+install, "CRAFT_PROJECT_VERSION="+r.Version)
	for _, variables := range part.BuildEnvironment {
		for name, value := range variables {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the rock's part: %v\n%s", err, out)
	}
	return r, install
}

// layer is what Rockcraft puts into the rock for Pebble.
func (r *rock) layer(t *testing.T) string {
	t.Helper()
	data, err := yaml.Marshal(map[string]any{"services": r.Services, "checks": r.Checks})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// pebble is a running Pebble.
type pebble struct {
	binary, dir string
	url         string // that takes the place of the layer's port
}

// startPebble runs Pebble with one layer, whose programs are those of a rock and
// whose port is a free one, until the test ends.
func startPebble(t *testing.T, install, layer string, port int, args []string, environment ...string) *pebble {
	t.Helper()
	p := &pebble{binary: filepath.Join(t.TempDir(), "pebble"), dir: t.TempDir()}
	command(t, filepath.Join(root(t), "tools", "release"), "go", "build", "-o", p.binary, "github.com/canonical/pebble/cmd/pebble")
	free, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", free)
	p.url = "http://" + address
	local := regexp.MustCompile(fmt.Sprintf(`(localhost)?:%d\b`, port))
	here := func(s string) string {
		return local.ReplaceAllString(strings.ReplaceAll(s, "/usr/bin/", install+"/usr/bin/"), address)
	}
	if !local.MatchString(layer) {
		t.Fatalf("the layer does not have port %d:\n%s", port, layer)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "layers"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, []byte(here(layer)), p.dir, "layers", "001-kubevitals.yaml")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), p.binary, "run", "--verbose")
	for _, arg := range args {
		cmd.Args = append(cmd.Args, here(arg))
	}
	cmd.Env = append(os.Environ(), "PEBBLE="+p.dir, fmt.Sprintf("PORT=%d", free))
	cmd.Env = append(cmd.Env, environment...)
	output := new(program.Output)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("Pebble has ended before the test: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("Pebble ended with %v", err)
		}
		if t.Failed() {
			t.Logf("output of Pebble:\n%s", output)
		}
	})
	return p
}

func (p *pebble) metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, body)
	}
	return string(body)
}

func (p *pebble) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return try(t, p.dir, append([]string{"env", "PEBBLE=" + p.dir, p.binary}, args...)...)
}

// waitUp waits until a service is active and each check has been good when it
// was run at once.
func (p *pebble) waitUp(t *testing.T, service string, checks ...string) {
	t.Helper()
	program.Poll(t, service+" to be up", func() error {
		out, err := p.try(t, "services", service)
		if err != nil || !regexp.MustCompile(`(?m)^`+service+` +enabled +active\b`).MatchString(out) {
			return fmt.Errorf("the service (%v):\n%s", err, out)
		}
		for _, check := range checks {
			out, err := p.try(t, "check", "--refresh", check)
			if err != nil || !strings.Contains(out, "status: up") || strings.Contains(out, "error:") {
				return fmt.Errorf("check %s (%v):\n%s", check, err, out)
			}
		}
		return nil
	})
}

// TestRock runs the rock's own layer, with the arguments that "--args" would
// give it, and the checks of the layer.
func TestRock(t *testing.T) {
	r, install := readRock(t)
	if r.Base != "bare" || r.RunUser != "_daemon_" || r.Entrypoint != "kubevitals" {
		t.Errorf("the rock is %+v", r)
	}
	kubevitals := filepath.Join(install, "usr", "bin", "kubevitals")
	if out := command(t, install, kubevitals, "version"); !strings.HasPrefix(out, "kubevitals v"+r.Version+" ") {
		t.Errorf("the rock of version %s has %s", r.Version, out)
	}
	for _, name := range []string{"kube-state-metrics", "metrics-proxy"} {
		if out := command(t, install, filepath.Join(install, "usr", "bin", name), "--help"); !strings.Contains(out, name) {
			t.Errorf("called %s, the program says %s", name, out)
		}
	}
	// There is no cluster: objects are from a file, by an argument more in the layer,
	// or by other arguments in the place of those in brackets.
	objects := filepath.Join(root(t), "internal", "cli", "demo", "cluster.yaml")
	service := r.Services["kubevitals"].(map[string]any)
	written := service["command"].(string)
	service["command"] = strings.Replace(written, " ]", " --from "+objects+" ]", 1)
	more := r.layer(t)
	service["command"] = written
	for name, test := range map[string]struct {
		layer string
		args  []string
	}{
		"layer":     {more, nil},
		"arguments": {r.layer(t), []string{"--args", "kubevitals", "state", "--from", objects, "--listen", ":8080"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := startPebble(t, install, test.layer, 8080, test.args)
			p.waitUp(t, "kubevitals", "live", "ready")
			if out := p.metrics(t); !strings.Contains(out, "\ngatewayapi_") {
				t.Errorf("no metrics of the demo:\n%s", out)
			}
		})
	}
}

var layerBlock = regexp.MustCompile("(?ms)^( *)```yaml title=\"src/layers/([a-z]+)\\.yaml\"\n(.*?)^ *```$")

// TestLayers runs the layers of docs/juju.md against a real API server.
func TestLayers(t *testing.T) {
	control, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := control.Stop(); err != nil {
			t.Error(err)
		}
	})
	layers := make(map[string]string)
	for _, m := range layerBlock.FindAllStringSubmatch(string(read(t, root(t), "docs", "juju.md")), -1) {
		for line := range strings.Lines(m[3]) {
			layers[m[2]] += strings.TrimPrefix(line, m[1])
		}
	}
	_, install := readRock(t)
	for _, test := range []struct {
		layer, service string
		port           int
		metric         string
	}{
		{"state", "kubevitals", 8080, "\nkubevitals_state_source_up 1\n"},
		{"pods", "metrics-proxy", 15090, "\nkubevitals_pods_scrapes_total "},
	} {
		t.Run(test.layer, func(t *testing.T) {
			// There is no namespace of an account outside of a pod.
			layer := strings.Replace(layers[test.layer], " --own-namespace", " --namespaces default", 1)
			p := startPebble(t, install, layer, test.port, nil, "KUBECONFIG="+control.Kubeconfig())
			p.waitUp(t, test.service, test.service+"-live", test.service+"-ready")
			if out := p.metrics(t); !strings.Contains(out, test.metric) {
				t.Errorf("the metrics have no line %q:\n%s", test.metric, out)
			}
		})
	}
}
