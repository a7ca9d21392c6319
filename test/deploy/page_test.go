package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/controlplane"
)

// section returns the commands of the section of a page, in order.
func section(t *testing.T, page, title string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n## "+title+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, title)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var out strings.Builder
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "```sh\n")
		if !found {
			return out.String()
		}
		block, next, _ := strings.Cut(after, "```")
		out.WriteString(block)
		rest = next
	}
}

// TestLookByHand runs what docs/prometheus-operator.md says to look at metrics by
// hand. There is no kubelet to forward a port: curl asks the program where it is.
func TestLookByHand(t *testing.T) {
	for _, name := range []string{"bash", "curl", "base64"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Geteuid() == 0 { // make test installs it
				t.Fatal(err)
			}
			t.Skipf("needs %s: %v", name, err)
		}
	}
	x := install(t, "kubevitals", "kubevitals-state", template(t, "kubevitals", `{}`))
	x.awaitToken(t)
	binaries, err := controlplane.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for line := range strings.Lines(section(t, "prometheus-operator.md", "A look by hand")) {
		if !strings.HasPrefix(line, "kubectl port-forward ") {
			script.WriteString(strings.ReplaceAll(line, "https://localhost:8443", "--silent --show-error --fail https://localhost:"+x.port()))
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+control.Kubeconfig(), "PATH="+filepath.Dir(binaries.Kubectl)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script.String(), out)
	}
	if n := strings.Count(string(out), "\ngateway_metrics_up "); n != 2 {
		t.Errorf("%d of 2 answers have gateway_metrics_up:\n%.2000s", n, out)
	}
}
