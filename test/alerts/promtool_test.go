package alerts

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kubevitals/kubevitals/test/promtool"
)

// folder is where the catalog is.
var folder = filepath.Join("..", "..", "catalog")

// TestPromtool runs "promtool check rules" and "promtool test rules" for each family.
func TestPromtool(t *testing.T) {
	tool, err := promtool.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range readRules(t) {
		for _, args := range [][]string{
			{"check", "rules", "--lint=all", "--lint-fatal", filepath.Join(folder, r.family, "alerts.yaml")},
			{"test", "rules", filepath.Join(folder, r.family, "testdata", "alerts_test.yaml")},
		} {
			t.Run(r.family+"/"+args[0], func(t *testing.T) {
				out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
				if err != nil {
					t.Errorf("promtool %q: %v\n%s", args, err, out)
				}
			})
		}
	}
}
