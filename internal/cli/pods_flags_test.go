package cli_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/cli"
)

// TestPodsFlags sees that flags arrive where they are used.
func TestPodsFlags(t *testing.T) {
	a := newPodsAPI(t)
	const body = `# TYPE requests_total counter
requests_total{code="200",pod="mine"} 3 1700000000000
# TYPE queue gauge
queue 5
# TYPE secret gauge
secret 1
# TYPE noise gauge
noise 1
`
	a.add(t, "shop", "one", says(body))
	a.add(t, "shop", "two", says(body), "prometheus.io/path", "/other")
	a.add(t, "blog", "three", says(body))
	a.add(t, "hidden", "four", says(body))
	relabel := write(t, t.TempDir(), "relabel.yaml", "- {source_labels: [__name__], regex: noise, action: drop}\n")
	f := func(flags string, want ...string) {
		t.Helper()
		s := servePods(t, a, strings.Fields(flags)...)
		_, text := s.get(t, "/metrics")
		for _, line := range want {
			line, not := strings.CutPrefix(line, "!")
			if strings.Contains("\n"+text, "\n"+line) == not {
				t.Errorf("%s: is %q there: %v, in\n%s", flags, line, not, text)
			}
		}
		_ = s.stop(t)
	}
	f("--namespaces shop,blog --pod-name-label pod --namespace-label ns --target-label ip=pod_ip --target-label app=label:name --deny secret --scrape-reports=false",
		`requests_total{pod="one",ns="shop",ip="127.77.0.1",app="one",code="200",exported_pod="mine"} 3 1700000000000`,
		`up{pod="three",ns="blog",ip="127.77.0.3",app="three"} 1`, `!up{pod="four"`, "!secret", "!scrape_")
	f("--own-namespace=false --path-allow /metrics --sample-limit 3 --metric-relabel-configs "+relabel,
		`scrape_error{k8s_pod_name="one",k8s_namespace="shop",reason="sample_limit"} 1`,
		`scrape_error{k8s_pod_name="two",k8s_namespace="shop",reason="bad_annotation"} 1`)
	f("--honor-timestamps=false --metric-relabel-configs "+relabel+" --aggregate queue=sum --aggregate-by k8s_namespace",
		`requests_total{code="200",k8s_namespace="shop",k8s_pod_name="one",pod="mine"} 3`+"\n",
		`queue{k8s_namespace="shop"} 10`+"\n", `queue{k8s_namespace="blog"} 5`+"\n", "!noise")
	f("--body-size-limit 64 --target-limit 2 --field-selector metadata.name!=x",
		`scrape_error{k8s_pod_name="three",k8s_namespace="blog",reason="body_size"} 1`, `kubevitals_pods_targets{state="target_limit"} 2`)
	f("--shard 0/1 --pod-name-label pod --label-collisions honor --allow requests_*",
		`requests_total{k8s_namespace="shop",code="200",pod="mine"} 3`, "!queue", "!secret")

	a.mu.Lock()
	defer a.mu.Unlock()
	for _, want := range []string{"/api/v1/namespaces/blog/pods?", "labelSelector=app%3Dweb", "fieldSelector=metadata.name%21%3Dx%2Cstatus.phase%3DRunning"} {
		if !slices.ContainsFunc(a.queries, func(q string) bool { return strings.Contains(q, want) }) {
			t.Errorf("nobody has asked for %s, but for\n%s", want, strings.Join(a.queries, "\n"))
		}
	}
}

func TestWarnOfMemory(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sys/fs/cgroup"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := func(limit string, budget int64, want bool) {
		t.Helper()
		write(t, root, "sys/fs/cgroup/memory.max", limit)
		var log lockedBuffer
		cli.WarnOfMemory(root, budget, slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), "limit=256Mi budget=512Mi"); got != want || !want && log.String() != "" {
			t.Errorf("limit %s, budget %d: log %q", limit, budget, log.String())
		}
	}
	f("268435456\n", 512<<20, true)
	f("268435456\n", 128<<20, false)
	f("max\n", 512<<20, false)
}
