package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
)

// TestPodsMemory tests that the memory of the process stays inside of its budget
// whatever pods send: a bomb, bodies that never end, and many that stop in the
// middle. What the process needs without pods is added. The binary is one without
// the race detector, which multiplies memory.
func TestPodsMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux, whose /proc says how much memory a process has had")
	}
	const space, slow, budget = "pods-memory", 200, 128 << 20
	plain := filepath.Join(t.TempDir(), "kubevitals")
	if err := program.Build(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	pods := []pod{
		{name: "healthy", server: podtest.Start(t, podtest.Body("a 1\n"))},
		{name: "bomb", server: podtest.Start(t, podtest.Bomb(256))},
		{name: "endless-1", server: podtest.Start(t, podtest.Endless())},
		{name: "endless-2", server: podtest.Start(t, podtest.Endless())},
	}
	part := strings.Repeat("slow{a=\"b\"} 1\n", 1<<20/14)
	for i := range slow {
		pods = append(pods, pod{name: "slow-" + strconv.Itoa(i), server: podtest.Start(t, podtest.HangInBody(part))})
	}
	namespace(t, control, space)
	args := podArgs(space, "--budget", "128Mi", "--body-size-limit", "8Mi", "--wire-size-limit", "1Mi")
	p := program.Start(t, plain, args...)
	p.WaitReady(t)
	scrape(t, p)
	base := peakMemory(t, p)
	createPods(t, space, pods...)
	haveHealthy := func() string {
		_, text := p.Get(t, "/metrics", http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"1"}})
		return string(text)
	}
	program.Poll(t, "all pods", func() error {
		if got := len(upLines(haveHealthy())); got != len(pods) {
			return errPods(got)
		}
		return nil
	})
	for range 3 {
		text := haveHealthy()
		for _, line := range upLines(text) {
			if up := strings.HasPrefix(line, "healthy "); up != strings.HasSuffix(line, " 1") {
				t.Errorf("up of %s", line)
			}
		}
	}
	const slack = 32 << 20 // the garbage collector is not exact
	if peak := peakMemory(t, p); peak > base+budget+slack {
		t.Errorf("the process had %d MiB, which is more than %d MiB without pods and %d MiB for what they send", peak>>20, base>>20, budget>>20)
	} else {
		t.Logf("%d MiB, and %d MiB without pods", peak>>20, base>>20)
	}
}

type errPods int

func (n errPods) Error() string { return strconv.Itoa(int(n)) + " pods are known" }

// peakMemory returns the most memory that a process had.
func peakMemory(t *testing.T, p *program.Process) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
