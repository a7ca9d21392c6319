package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKustomize builds each base with its components, as a kustomization of a user
// has them, and has the API server take what comes of it.
func TestKustomize(t *testing.T) {
	folder, err := filepath.Abs("../../deploy/kustomize")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "create", "namespace", "kustomize")
	for base, components := range map[string][]string{
		"state":           {"monitoring/state", "alerts", "dashboards"},
		"state-protected": {"monitoring/state-protected", "dashboards"},
		"pods":            {"monitoring/pods"},
		"state+pods":      {"monitoring/state", "monitoring/pods", "alerts", "dashboards"},
	} {
		t.Run(base, func(t *testing.T) {
			dir := t.TempDir()
			relative := func(path string) string {
				r, err := filepath.Rel(dir, filepath.Join(folder, path))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: kustomize\n"
			text += "resources:\n"
			for b := range strings.SplitSeq(base, "+") {
				text += "- " + relative(b) + "\n"
			}
			text += "components:\n"
			for _, c := range components {
				text += "- " + relative(c) + "\n"
			}
			if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			built := kubectl(t, "kustomize", dir)
			kubectl(t, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", writeFile(t, built))
		})
	}
}
