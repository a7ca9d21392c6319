package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// aboutPods returns the lines of an exposition that are about pods. Those about
// kubevitals itself are made for each scraper.
func aboutPods(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "k8s_pod_name=") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// stable returns those that do not depend on time either.
func stable(text string) string {
	var out strings.Builder
	for line := range strings.Lines(aboutPods(text)) {
		if !strings.HasPrefix(line, "scrape_duration_seconds{") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestPodsRepeated tests that pods that do not change give the same bytes in every
// scrape, from other orders of answers too, over connections that are kept open;
// and that a connection is kept after an answer that is none, and replaced when
// the pod has closed it.
func TestPodsRepeated(t *testing.T) {
	const space, count = "pods-repeated", 120
	var pods []pod
	for i := range count {
		body := podtest.Compact(podtest.Text)
		handler := podtest.Answer{ContentType: podtest.Text, Body: body}
		if i%10 == 0 {
			handler = podtest.Answer{Status: http.StatusServiceUnavailable, Body: []byte("not now")}
		}
		pods = append(pods, pod{name: fmt.Sprintf("p%03d", i), server: podtest.Start(t, handler)})
	}
	once := podtest.Start(t, podtest.OncePerConnection(podtest.Body("a 1\n")))
	createPods(t, space, append(pods, pod{name: "once", server: once})...)
	p := podProxy(t, space)
	first := stable(scrape(t, p))
	if n := strings.Count(first, "\nup{"); n != count+1 {
		t.Errorf("there are %d pods", n)
	}
	for range 3 {
		again := stable(scrape(t, p))
		if diff := cmp.Diff(strings.Split(first, "\n"), strings.Split(again, "\n")); diff != "" {
			t.Fatalf("another scrape is another one:\n%s", diff)
		}
	}
	if !strings.Contains(first, fmt.Sprintf("\nup{k8s_pod_name=\"once\",k8s_namespace=%q} 1\n", space)) {
		t.Error("the pod is down that closes connections")
	}
	for _, p := range pods {
		if n := p.server.Connections(); n != 1 {
			t.Errorf("%s has got %d connections for 4 scrapes", p.name, n)
		}
	}
}

// TestPodsShared tests that scrapers who come at the same time get the same bytes,
// for which pods are asked once.
func TestPodsShared(t *testing.T) {
	const space, scrapers = "pods-shared", 8
	gate := make(chan struct{})
	server := podtest.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		podtest.Body("a 1\n").ServeHTTP(w, r)
	}))
	createPods(t, space, pod{name: "p", server: server})
	p := podProxy(t, space)
	var sent, done sync.WaitGroup
	sent.Add(scrapers)
	bodies := make([]string, scrapers)
	for i := range scrapers {
		done.Go(func() {
			trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent.Done() }}
			bodies[i] = aboutPods(bodyOf(httptrace.WithClientTrace(t.Context(), trace), p.URL+"/metrics", nil))
		})
	}
	sent.Wait()
	if err := server.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p.Get(t, "/livez", nil) // on a connection that is newer than those of the scrapers
	close(gate)
	done.Wait()
	slices.Sort(bodies)
	different := slices.Compact(bodies)
	// One of them may just have come too late.
	if n := server.Requests(); n > 2 || len(different) > n {
		t.Errorf("for %d scrapers the pod got %d requests, and there are %d different answers", scrapers, n, len(different))
	}
	for _, body := range different {
		if !strings.HasPrefix(body, "a{k8s_pod_name=\"p\"") {
			t.Errorf("an answer without the pod: %.500q", body)
		}
	}
}

// bodyOf returns the body of an answer, or the error.
func bodyOf(ctx context.Context, url string, header http.Header) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	req.Header = header
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// TestPodsDeadline tests that a scrape ends in the time that the scraper has, with
// all pods but those that hang, and that pods are told how long they have.
func TestPodsDeadline(t *testing.T) {
	const space = "pods-deadline"
	good := podtest.Start(t, podtest.Body("a 1\n"))
	createPods(t, space, pod{name: "good", server: good}, pod{name: "hangs", server: podtest.Start(t, podtest.Hang())})
	p := podProxy(t, space, "--timeout", "50s")
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	body := bodyOf(ctx, p.URL+"/metrics", http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"3"}})
	if diff := cmp.Diff([]string{"good 1", "hangs 0"}, upLines(body)); diff != "" {
		t.Errorf("up (-want +got):\n%s", diff)
	}
	left, err := strconv.ParseFloat(good.Header().Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || left <= 0 || left > 3 {
		t.Errorf("the pod was told that it has %v s: %v", left, err)
	}
}

// TestPodsSlowClient tests that a scraper that does not read what it has asked for
// keeps nobody else from a whole scrape.
func TestPodsSlowClient(t *testing.T) {
	const space, count = "pods-slow-client", 10
	var pods []pod
	for i := range count {
		pods = append(pods, pod{name: fmt.Sprintf("p%d", i), server: podtest.Start(t, podtest.Answer{ContentType: podtest.Text, Body: podtest.Standard(podtest.Text)})})
	}
	createPods(t, space, pods...)
	p := podProxy(t, space)
	for range 3 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	got := stored(t, p, promtest.Text)
	for pod, up := range ups(got) {
		if up != 1 {
			t.Errorf("%s is not up", pod)
		}
	}
	if len(ups(got)) != count || len(got) < 9900*count {
		t.Errorf("Prometheus has %d series of %d pods", len(got), len(ups(got)))
	}
}

// TestPodsHanging tests that pods that hang do not cost others their turn, however
// many they are, once it is known who they are: when each has had a turn.
func TestPodsHanging(t *testing.T) {
	const space, count = "pods-hanging", 30
	pods := []pod{{name: "well", server: podtest.Start(t, podtest.Body("a 1\n"))}} // behind all others by name
	for i := range count {
		pods = append(pods, pod{name: fmt.Sprintf("hangs-%02d", i), server: podtest.Start(t, podtest.Hang())})
	}
	createPods(t, space, pods...)
	p := podProxy(t, space, "--concurrency", "4", "--timeout", "1s")
	program.Poll(t, "all pods to have had a turn", func() error {
		scrape(t, p)
		for _, pod := range pods {
			if pod.server.Requests() == 0 {
				return fmt.Errorf("%s has had none", pod.name)
			}
		}
		return nil
	})
	for range 5 {
		_, text := p.Get(t, "/metrics", nil)
		if got := upLines(string(text)); len(got) != count+1 || got[count] != "well 1" {
			t.Errorf("up is %q", got)
		}
	}
}

// TestPodsDiscovery tests that Prometheus finds the pods by http_sd_configs, and
// scrapes each of them through the proxy.
func TestPodsDiscovery(t *testing.T) {
	const space = "pods-sd"
	createPods(t, space,
		pod{name: "text", server: podtest.Start(t, podtest.Body("a 1\n"))},
		pod{name: "negotiates", server: podtest.Start(t, podtest.Negotiating())},
		pod{name: "lies", server: podtest.Start(t, podtest.Body("<html>\n"))},
		pod{name: "path", server: podtest.Start(t, podtest.ByPath{"/x": podtest.Body("b 1\n")}), annotations: map[string]string{"prometheus.io/path": "/x"}},
		pod{name: "not-asked", server: podtest.Start(t, podtest.Body("c 1\n")), annotations: map[string]string{"prometheus.io/path": "y"}},
	)
	p := podProxy(t, space)
	s := promtest.New(t)
	s.Run(t, fmt.Sprintf(`
scrape_configs:
- job_name: pods
  scrape_interval: 10m
  scrape_timeout: 30s
  scrape_native_histograms: true
  http_sd_configs:
  - url: %s/sd
`, p.URL), 4)
	got := s.Series(t)
	for pod, want := range map[string]float64{"text": 1, "negotiates": 1, "lies": 0, "path": 1} {
		if up, ok := got[podUp(t, space, pod)]; !ok || up != want {
			t.Errorf("%s: up is %v (present: %v), want %v", pod, up, ok, want)
		}
	}
	for _, series := range []string{ofPod(t, space, "text", "a"), ofPod(t, space, "path", "b")} {
		if got[series] != 1 {
			t.Errorf("%s is %v", series, got[series])
		}
	}
	if code, body := p.Get(t, "/pods/"+space+"/other/80", nil); code != http.StatusNotFound {
		t.Errorf("a pod that is none: %d %s", code, body)
	}
	_, list := p.Get(t, "/sd", nil)
	var groups []struct{ Targets []string }
	if err := json.Unmarshal(list, &groups); err != nil || len(groups) != 4 {
		t.Errorf("%d groups, %v", len(groups), err)
	}
}

// TestPodsPages tests the page with the targets, which says what is wrong, and the
// metrics of the process.
func TestPodsPages(t *testing.T) {
	const space = "pods-pages"
	createPods(t, space,
		pod{name: "good", server: podtest.Start(t, podtest.Body("a 1\n"))},
		pod{name: "lies", server: podtest.Start(t, podtest.Body("<script>alert(1)</script>\n"))})
	p := podProxy(t, space)
	scrape(t, p)
	code, page := p.Get(t, "/targets", nil)
	if code != http.StatusOK || !bytes.Contains(page, []byte("good")) || !bytes.Contains(page, []byte("parse")) {
		t.Errorf("/targets: %d\n%s", code, page)
	}
	if bytes.Contains(page, []byte("<script>alert")) {
		t.Error("a pod can write HTML")
	}
	_, self := p.Get(t, "/metrics/self", nil)
	for _, want := range []string{
		"\nkubevitals_build_info{", "\nprocess_resident_memory_bytes ", "\nkubevitals_pods_scrapes_total 2\n",
		"\nkubevitals_pods_scrape_failures_total{reason=\"parse\"} 1\n",
	} {
		if !strings.Contains(string(self), want) {
			t.Errorf("/metrics/self has no %q", want)
		}
	}
	if strings.Contains(string(self), "k8s_pod_name") {
		t.Error("/metrics/self has metrics of pods")
	}
}

// TestPodsLoop tests proxies that select themselves and each other: every pod is
// asked once.
func TestPodsLoop(t *testing.T) {
	const space = "pods-loop"
	server := podtest.Start(t, podtest.Body("a 1\n"))
	createPods(t, space, pod{name: "app", server: server})
	first, second := podProxy(t, space), podProxy(t, space)
	var proxies []pod
	for name, p := range map[string]*program.Process{"proxy-1": first, "proxy-2": second} {
		proxies = append(proxies, pod{name: name, ip: "127.0.0.1", annotations: map[string]string{"prometheus.io/port": p.URL[strings.LastIndexByte(p.URL, ':')+1:]}})
	}
	createPods(t, space, proxies...)
	haveUp(t, first, "app 1", "proxy-1 0", "proxy-2 0")
	haveUp(t, second, "app 1", "proxy-1 0", "proxy-2 0")
	before := server.Requests()
	got := stored(t, first, promtest.Text)
	if n := server.Requests() - before; n != 1 {
		t.Errorf("the app got %d requests for one scrape", n)
	}
	for _, name := range []string{"proxy-1", "proxy-2"} {
		if series := ofPod(t, space, name, `scrape_error{reason="loop"}`); got[series] != 1 {
			t.Errorf("%s is %v", series, got[series])
		}
	}
}
