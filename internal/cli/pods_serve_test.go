package cli_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// servePods serves pods of an API server and waits until they are known.
func servePods(t *testing.T, a *podsAPI, args ...string) *server {
	t.Helper()
	s := serve(t, append([]string{"pods", "--kubeconfig", a.kubeconfig(t), "--selector", "app=web", "--pod-cidr", "127.77.0.0/16"}, args...)...)
	poll(t, "pods", func() bool {
		code, _ := s.get(t, "/readyz")
		return code == http.StatusOK
	})
	return s
}

func TestPods(t *testing.T) {
	a := newPodsAPI(t)
	a.add(t, "shop", "good", says("# TYPE go_goroutines gauge\ngo_goroutines 7\nrequests_total{code=\"200\"} 3\n"))
	a.add(t, "shop", "page", says("<html>"))
	a.add(t, "other", "wrong", says("a 1\n"), "prometheus.io/path", "@127.0.0.99:9999/x")
	s := servePods(t, a)
	code, body := s.get(t, "/metrics")
	want := []string{
		"# TYPE go_goroutines gauge\ngo_goroutines{k8s_pod_name=\"good\",k8s_namespace=\"shop\"} 7\n",
		`requests_total{k8s_pod_name="good",k8s_namespace="shop",code="200"} 3` + "\n",
		`up{k8s_pod_name="good",k8s_namespace="shop"} 1` + "\n",
		`up{k8s_pod_name="page",k8s_namespace="shop"} 0` + "\n",
		`scrape_error{k8s_pod_name="page",k8s_namespace="shop",reason="parse"} 1` + "\n",
		`scrape_error{k8s_pod_name="wrong",k8s_namespace="other",reason="bad_annotation"} 1` + "\n",
		"kubevitals_build_info{", "kubevitals_pods_scrapes_total ", `kubevitals_pods_targets{state="active"} 2` + "\n",
	}
	for _, line := range want {
		if code != http.StatusOK || !strings.Contains(body, line) {
			t.Errorf("GET /metrics: %d, no %q in\n%s", code, line, body)
		}
	}
	if regexp.MustCompile(`(?m)^(process_|go_gc_)`).MatchString(body) {
		t.Errorf("/metrics has the metrics of the process:\n%s", body)
	}
	f := func(path string, wantCode int, want string) {
		t.Helper()
		code, body := s.get(t, path)
		if code != wantCode || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d\n%s\nwant %d with %q", path, code, body, wantCode, want)
		}
	}
	f("/metrics/self", 200, "process_cpu_seconds_total ")
	f("/metrics/self", 200, "kubevitals_pods_scrapes_total ")
	f("/metrics/self", 200, `kubevitals_collector_up{collector="pods_about"} 1`)
	f("/sd", 200, `"k8s_pod_name":"good"`)
	f("/targets", 200, `<td class="error-text">down: parse<br>`)
	f("/targets?state=up", 200, `<td>good</td>`)
	if _, down := s.get(t, "/targets?state=down"); strings.Count(down, `data-name="took"`) != 1 || strings.Count(down, ">never<") != 1 {
		t.Errorf("a target that is never asked has taken time:\n%s", down)
	}
	f("/", 200, "with the labels app=web")
	f("/pods/shop/none/80", 404, "no such target")
	_, page := s.get(t, "/targets")
	link := regexp.MustCompile(`href="(/pods/shop/good/[^"]*)"`).FindStringSubmatch(page)
	if link == nil {
		t.Fatalf("no link to what the pod answers in\n%s", page)
	}
	f(strings.ReplaceAll(link[1], "&amp;", "&"), 200, "\nrequests_total{code=\"200\"} 3\n")
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0\n%s", code, s.output)
	}
	for _, want := range []string{`msg="Stopping: `, "msg=Stopped\n"} {
		if log := s.output.String(); strings.Count(log, want) != 1 {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
}

// TestPodsRefusesLoops asks as another proxy does.
func TestPodsRefusesLoops(t *testing.T) {
	s := servePods(t, newPodsAPI(t))
	for _, path := range []string{"/metrics", "/pods/a/b/80"} {
		req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Metrics-Fanout-Hop", "somebody")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusLoopDetected {
			t.Errorf("GET %s: %d, want 508", path, resp.StatusCode)
		}
	}
	if code, body := s.get(t, "/metrics"); code != 200 || !strings.Contains(body, `kubevitals_pods_targets{state="active"} 0`) {
		t.Errorf("without pods: %d\n%s", code, body)
	}
}

// TestPodsNotAllowed has an API server that says no.
func TestPodsNotAllowed(t *testing.T) {
	a := newPodsAPI(t)
	a.denied = true
	s := serve(t, "pods", "--kubeconfig", a.kubeconfig(t), "--selector", "app=web")
	poll(t, "the reason", func() bool {
		code, body := s.get(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "must allow list and watch of pods")
	})
	if log := s.output.String(); !strings.Contains(log, "Listing failed; nothing is known yet") || strings.Contains(log, "Watching failed") {
		t.Errorf("the log says\n%s", log)
	}
	if code, body := s.get(t, "/sd"); code != http.StatusServiceUnavailable || !strings.Contains(body, "403") {
		t.Errorf("/sd: %d\n%s", code, body)
	}
	if _, body := s.get(t, "/"); !strings.Contains(body, "403") {
		t.Errorf("the page does not say why:\n%s", body)
	}
	if code, body := s.get(t, "/metrics"); code != 200 || !strings.Contains(body, `kubevitals_pods_watch_up{resource="pods"} 0`) {
		t.Errorf("/metrics: %d\n%s", code, body)
	}
}

// TestPodsProtected wants a cluster that decides, and TLS.
func TestPodsProtected(t *testing.T) {
	r := run(t, nil, "pods", "--kubeconfig", newPodsAPI(t).kubeconfig(t), "--selector", "app=web", "--listen", "127.0.0.1:0", "--auth=kubernetes")
	if want := "kubevitals: --auth=kubernetes needs TLS"; r.code != 1 || !strings.HasPrefix(r.stderr, want) {
		t.Errorf("code %d, stderr %s, want %q", r.code, r.stderr, want)
	}
}

// TestPodsStops asks a pod that takes its time, and ends the process meanwhile.
func TestPodsStops(t *testing.T) {
	a := newPodsAPI(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	a.add(t, "shop", "slow", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		_, _ = w.Write([]byte("a 1\n"))
	}))
	s := servePods(t, a)
	type answered struct {
		code int
		body string
	}
	got := make(chan answered, 1)
	go func() {
		code, body := s.get(t, "/metrics")
		got <- answered{code, body}
	}()
	<-asked
	stopped := make(chan int, 1)
	go func() { stopped <- s.stop(t) }()
	poll(t, "the signal to arrive", func() bool { return strings.Contains(s.output.String(), `msg="Stopping: `) })
	select {
	case code := <-stopped:
		t.Errorf("it ended with %d while a scrape was under way", code)
	default:
	}
	close(answer)
	if g := <-got; g.code != 200 || !strings.Contains(g.body, `up{k8s_pod_name="slow",k8s_namespace="shop"} 1`) {
		t.Errorf("the scrape got %d\n%s", g.code, g.body)
	}
	if code := <-stopped; code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0\n%s", code, s.output)
	}
}

// TestMetricsProxy calls the program as metrics-k8s-proxy is called: without
// arguments.
func TestMetricsProxy(t *testing.T) {
	a := newPodsAPI(t)
	a.add(t, "shop", "good", says("a 1\n"))
	proxy := filepath.Join(t.TempDir(), "metrics-proxy")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, proxy); err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	_, port, _ := strings.Cut(ln.Addr().String(), ":")
	_ = ln.Close() // it is free now, most likely
	s := &server{output: &lockedBuffer{}, url: "http://127.0.0.1:" + port}
	s.cmd = exec.Command(proxy)
	s.cmd.Env = append(os.Environ(), "KUBEVITALS_TEST_MAIN=1", "POD_LABEL_SELECTOR=app=web", "SCRAPE_TIMEOUT=5s", "PORT="+port, "KUBECONFIG="+a.kubeconfig(t))
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	poll(t, "the pods", func() bool {
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	// 127.77.0.1 is a loopback address: none that a pod has.
	if _, body := s.get(t, "/metrics"); !strings.Contains(body, `scrape_error{k8s_pod_name="good",k8s_namespace="shop",reason="address"} 1`) {
		t.Errorf("the pod is not listed:\n%s\n%s", body, s.output)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0\n%s", code, s.output)
	}
}
