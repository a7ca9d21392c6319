// Package flags_test compares the flags of kube-state-metrics with those that
// the program understands in its place.
package flags_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/kube-state-metrics/v2/pkg/options"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestEveryFlagOfKubeStateMetrics: each parses with its own default, under both
// names of the program, and stands in the documentation.
func TestEveryFlagOfKubeStateMetrics(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "kubevitals")
	if err := program.Build(t.Context(), binary); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "kube-state-metrics")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "kube-state-metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := &cobra.Command{Use: "kube-state-metrics"}
	options.NewOptions().AddFlags(cmd)
	n := 0
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		n++
		dashes := "--"
		if flag.Name == flag.Shorthand {
			dashes = "-"
		}
		if !strings.Contains(string(page), "\n| `"+dashes+flag.Name+"` |") {
			t.Errorf("--%s does not stand in the documentation", flag.Name)
		}
		arg := "--" + flag.Name + "=" + flag.DefValue
		for _, args := range [][]string{{binary, "state"}, {link}} {
			out, err := exec.CommandContext(t.Context(), args[0], append(args[1:], arg, "--help")...).CombinedOutput()
			if err != nil {
				t.Errorf("%v %s: %v\n%s", args, arg, err, out)
			}
		}
	})
	if n < 50 {
		t.Errorf("found only %d flags of kube-state-metrics", n)
	}
}
