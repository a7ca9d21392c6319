package queries

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// startDemo serves the sample cluster, unchanging, until the test ends and
// returns the URL of the process, which is the first line that it prints. With
// opt-in groups the same objects are read from their file.
func startDemo(t *testing.T, groups ...string) string {
	t.Helper()
	args := []string{"demo", "--every", "0"}
	if len(groups) > 0 {
		args = []string{"state", "--from", "../../internal/cli/demo/cluster.yaml", "--enable", strings.Join(groups, ",")}
	}
	p := program.Start(t, binary, args...)
	if first, _, _ := strings.Cut(p.Output.String(), "\n"); len(groups) == 0 && first != p.URL {
		t.Errorf("the first line is %q, not the address", first)
	}
	p.WaitReady(t)
	return p.URL
}
