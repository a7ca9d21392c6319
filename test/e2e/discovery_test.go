package e2e

import (
	"errors"
	"net/http"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestSilentServer has an API server that accepts connections and does not
// answer: everything says so, and nothing waits for it for good.
func TestSilentServer(t *testing.T) {
	proxy := newFaultProxy(t, control)
	proxy.set(fault{resource: "apis", answer: hang})
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = start(t, "state", "--collect="+mode, "--kubeconfig", proxy.kubeconfig)
	}
	for mode, p := range processes {
		code, body := p.Get(t, "/metrics", http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"2"}})
		text := string(body)
		if err := errors.Join(has(text, "gateway_metrics_up 0"), has(text, "kubevitals_state_source_up 0"),
			has(text, `kubevitals_collector_up{collector="state"} 1`)); err != nil || code != http.StatusOK {
			t.Errorf("%s: status %d, %v", mode, code, err)
		}
	}
	// The requests under way are never answered, the next ones are.
	proxy.set()
	for _, p := range processes {
		p.WaitReady(t)
	}
}
