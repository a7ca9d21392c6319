package queries

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// startDemo serves the sample cluster, unchanging, until the test ends and
// returns the URL of the process, which is the first line that it prints.
func startDemo(t *testing.T) string {
	t.Helper()
	p := program.Start(t, binary, "demo", "--every", "0")
	if first, _, _ := strings.Cut(p.Output.String(), "\n"); first != p.URL {
		t.Errorf("the first line is %q, not the address", first)
	}
	p.WaitReady(t)
	return p.URL
}
