package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestManyRoutes serves 10,000 HTTPRoutes, on each of which two controllers
// report, and logs what that costs. Only completeness is asserted.
//
//	go test ./e2e -run ManyRoutes -v
func TestManyRoutes(t *testing.T) {
	const n = 10_000
	c := ownControlPlane(t, "standard")
	plain := filepath.Join(t.TempDir(), "kubevitals") // the race detector would be measured instead
	if err := program.Build(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	for i := range 10 { // a thousand in each of ten namespaces
		apply(t, c, routes(fmt.Sprintf("team-%d", i), n/10))
	}
	for _, mode := range []string{"watch", "scrape"} {
		began := time.Now()
		p := program.Start(t, plain, "state", "--pprof", "--collect="+mode, "--kubeconfig", c.Kubeconfig())
		p.WaitReady(t)
		ready := time.Since(began)
		if err := complete(scrape(t, p), n); err != nil {
			t.Error(err)
		}
		var size int
		times := map[string]time.Duration{}
		for range 5 {
			for _, encoding := range []string{"gzip", "identity"} {
				start := time.Now()
				_, body := p.Get(t, "/metrics", http.Header{"Accept-Encoding": {encoding}})
				if took := time.Since(start); times[encoding] == 0 || took < times[encoding] {
					times[encoding] = took
				}
				if encoding == "identity" {
					size = len(body)
				}
			}
		}
		t.Logf("%s: %d routes, %.1f MB; ready after %v; scrape %v as gzip, %v plain; memory %s", mode, n, float64(size)/1e6,
			ready.Round(time.Millisecond), times["gzip"].Round(100*time.Microsecond), times["identity"].Round(100*time.Microsecond), memory(t, p))
	}
}

func complete(text string, n int) error {
	var errs []error
	for family, perRoute := range map[string]int{
		"gatewayapi_httproute_labels": 1, "gatewayapi_httproute_created": 1, "gatewayapi_httproute_deleted": 1,
		"gatewayapi_httproute_hostname_info": 1, "gatewayapi_httproute_parent_info": 1,
		"gatewayapi_httproute_status_parent_info": 2, "gatewayapi_httproute_status_parents_conditions": 4,
	} {
		if got := strings.Count(text, "\n"+family+"{"); got != n*perRoute {
			errs = append(errs, fmt.Errorf("%d series of %s, want %d", got, family, n*perRoute))
		}
	}
	return errors.Join(errs...)
}

var heapAlloc = regexp.MustCompile(`(?m)^go_memstats_heap_alloc_bytes .*$`)

// memory returns the resident memory of a process, now and at its peak, and the
// live heap, after a garbage collection.
func memory(t *testing.T, p *program.Process) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return "unknown on " + runtime.GOOS
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	p.Get(t, "/debug/pprof/heap?gc=1", nil)
	_, body := p.Get(t, "/metrics", nil)
	return strings.Join(append(out, heapAlloc.FindString(string(body))), ", ")
}
