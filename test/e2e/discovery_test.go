package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
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

// TestHalfDiscovery has an API server that names no kinds although it has them,
// as one does that has just started: none may get lost. Only what is not found
// when it is asked for is gone.
func TestHalfDiscovery(t *testing.T) {
	apply(t, control, routes("half", 2))
	for _, mode := range []string{"watch", "scrape"} {
		proxy := newFaultProxy(t, control)
		args := []string{"state", "--collect=" + mode, "--kubeconfig", proxy.kubeconfig}
		if mode == "watch" {
			args = append(args, "--discovery-interval=50ms")
		}
		p := start(t, args...)
		p.WaitReady(t)
		count := func(want int) error {
			if got := len(lines(scrape(t, p), "gatewayapi_httproute_created{", `namespace="half"`)); got != want {
				return fmt.Errorf("%d routes are served, want %d", got, want)
			}
			return nil
		}
		if err := count(2); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		var asked atomic.Int32
		nothing := fault{resource: "apis", answer: func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
			_, _ = fmt.Fprint(w, `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[]}`)
		}}
		proxy.set(nothing)
		// In watch mode an answer has been acted on when the one after the next comes.
		program.Poll(t, mode+": an empty discovery", func() error {
			if err := count(2); err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			if n := asked.Load(); n < 3 {
				return fmt.Errorf("asked %d times", n)
			}
			return nil
		})
		if err := count(2); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		proxy.set(nothing, fault{resource: "httproutes", answer: status(http.StatusServiceUnavailable, "ServiceUnavailable")})
		before := asked.Load()
		program.Poll(t, mode+": more of it, with a server that is not ready", func() error {
			text := scrape(t, p)
			if len(lines(text, `kubevitals_state_kind_objects{`, `kind="HTTPRoute"`)) != 1 {
				t.Fatalf("%s: the kind was dropped", mode)
			}
			if n := asked.Load(); n < before+3 {
				return fmt.Errorf("asked %d times more", n-before)
			}
			return nil
		})
		proxy.set(nothing, fault{resource: "httproutes", answer: status(http.StatusNotFound, "NotFound")})
		program.Poll(t, mode+": what is not found to be gone", func() error {
			text := scrape(t, p) // in which policies may name the kind as their target
			left := append(lines(text, `customresource_kind="HTTPRoute"`), lines(text, "kubevitals_state_kind_", `,kind="HTTPRoute"`)...)
			if len(left) > 0 {
				return fmt.Errorf("%d lines are left", len(left))
			}
			return nil
		})
	}
}
