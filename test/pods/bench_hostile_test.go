package pods_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/podtest"
)

// benchHostile scrapes pods that try to use up the memory of the proxy: a bomb, a
// body that never ends, and a thousand that stop in the middle.
func benchHostile(b *testing.B, binary string) {
	b.Helper()
	const slow = 1000
	pods := []*podtest.Pod{podtest.Start(b, podtest.Body("healthy 1\n"))}
	base := startChild(b, binary, startAPI(b, pods), 1, loopback...).memory(b, "VmHWM")

	pods = append(pods, podtest.Start(b, podtest.Bomb(512)), podtest.Start(b, podtest.Endless()))
	part := strings.Repeat("slow{a=\"b\"} 1\n", 1_000_000/14)
	for range slow {
		pods = append(pods, podtest.Start(b, podtest.HangInBody(part)))
	}
	c := startChild(b, binary, startAPI(b, pods), untilReady, loopback...)
	for i := range 3 {
		var text strings.Builder
		if err := c.scrape(b.Context(), &text, http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"2"}}); err != nil {
			b.Fatal(err)
		}
		// Who hangs is known from the second scrape on.
		if i > 0 && !strings.Contains(text.String(), "\nhealthy{") {
			b.Fatalf("the healthy pod is missing: %v", upOf(text.String(), "pod-0000"))
		}
	}
	const budget = 512 << 20
	peak := c.memory(b, "VmHWM")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(base/mega, "base-RSS-MB")
	b.ReportMetric(peak/mega, "peak-RSS-MB")
	b.ReportMetric((base+budget)/mega, "allowed-RSS-MB")
}

// upOf returns the lines about a pod in a failure.
func upOf(text, pod string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, pod) {
			out = append(out, line)
		}
	}
	return out
}
