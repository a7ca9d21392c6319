package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

func demoObjects(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../internal/cli/demo/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSameBytes reads the same objects of one server by watch, by scrape and
// from a dump of kubectl.
func TestSameBytes(t *testing.T) {
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	watched, listed := state(t), state(t, "--collect=scrape")
	files := start(t, "state", "--from", dumpAll(t))
	for _, accept := range []string{"text/plain", "application/openmetrics-text"} {
		families := func(p *program.Process) string {
			_, body := p.Get(t, "/metrics", http.Header{"Accept": {accept}})
			return gatewayFamilies(string(body))
		}
		want := families(watched)
		if n := strings.Count(want, "\n"); n < 400 {
			t.Fatalf("only %d lines:\n%s", n, want)
		}
		if diff := cmp.Diff(want, families(listed)); diff != "" {
			t.Errorf("%s, -watch +scrape:\n%s", accept, diff)
		}
		if diff := cmp.Diff(want, families(files)); diff != "" {
			t.Errorf("%s, -watch +files:\n%s", accept, diff)
		}
	}
	if diff := cmp.Diff(gatewayFamilies(scrape(t, watched)), gatewayFamilies(scrape(t, listed))); diff != "" {
		t.Errorf("compressed, -watch +scrape:\n%s", diff)
	}
}

// kinds are the resources of the catalogs that the shared control plane has.
var kinds = []string{
	"gatewayclasses", "gateways", "listenersets", "httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes",
	"backendtlspolicies", "referencegrants", "xbackendtrafficpolicies", "xmeshes", "xbackends",
	"tlspolicies", "dnspolicies", "ratelimitpolicies", "authpolicies", "tokenratelimitpolicies", "dnsrecords",
	"dnshealthcheckprobes", "planpolicies", "oidcpolicies", "telemetrypolicies", "threatpolicies",
}

func dumpAll(t *testing.T) (file string) {
	t.Helper()
	out, err := control.Kubectl(t.Context(), "get", strings.Join(kinds, ","), "--all-namespaces", "--output", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "dump.yaml", out)
}

// TestScrapeModeRequests reads the API server's own log: nothing between
// scrapes, and during one exactly a conditional discovery request and one list
// of each kind, however many objects there are.
func TestScrapeModeRequests(t *testing.T) {
	c := ownControlPlane(t, "standard")
	p := start(t, "state", "--collect=scrape", "--kubeconfig", c.Kubeconfig())
	scrape(t, p) // the first discovery cannot be conditional

	served := []string{
		"backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes", "listenersets", "referencegrants",
		"tcproutes", "tlsroutes", "udproutes",
	}
	check := func(objects int) {
		t.Helper()
		mark, err := c.Mark()
		if err != nil {
			t.Fatal(err)
		}
		text := scrape(t, p)
		if got := len(lines(text, "gatewayapi_httproute_created{")); got != objects {
			t.Errorf("%d routes are served, want %d", got, objects)
		}
		var discoveries, lists []string
		for _, r := range requests(t, c, mark) {
			if r.URI == "/apis" {
				discoveries = append(discoveries, fmt.Sprint(r.Code))
			} else {
				lists = append(lists, r.Verb+" "+r.Resource+" "+query(r.URI))
			}
		}
		if !slices.Equal(discoveries, []string{"304"}) {
			t.Errorf("with %d objects: discovery was answered with %v, want one 304", objects, discoveries)
		}
		var want []string
		for _, kind := range served {
			want = append(want, "list "+kind+" ")
		}
		slices.Sort(lists)
		if diff := cmp.Diff(want, lists); diff != "" {
			t.Errorf("with %d objects, requests (-want +got):\n%s", objects, diff)
		}
	}
	check(0)
	apply(t, c, routes("requests", 1))
	check(1)
	apply(t, c, routes("requests", 5000))
	check(5000)

	mark, err := c.Mark()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		p.Get(t, "/", nil)
		p.Get(t, "/readyz", nil)
	}
	if idle := requests(t, c, mark); len(idle) > 0 {
		t.Errorf("requests between scrapes: %v", idle)
	}
}

// requests returns what kubevitals has asked since a mark.
func requests(t *testing.T, c *controlplane.ControlPlane, mark controlplane.Mark) []controlplane.Request {
	t.Helper()
	all, err := c.Requests(mark)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(r controlplane.Request) bool { return !strings.HasPrefix(r.UserAgent, "kubevitals/") })
}

func query(uri string) string {
	_, q, _ := strings.Cut(uri, "?")
	return q
}

// TestScrapeModeIsFresh creates and deletes objects just before scrapes.
func TestScrapeModeIsFresh(t *testing.T) {
	p := state(t, "--collect=scrape")
	const rounds = 200
	for i := range rounds {
		name := fmt.Sprintf("fresh-%03d", i)
		apply(t, control, routes(name, 1))
		if len(lines(scrape(t, p), "gatewayapi_httproute_created{", `namespace="`+name+`"`)) != 1 {
			t.Fatalf("round %d: a route that was there before the scrape is missing", i)
		}
		if _, err := control.Kubectl(t.Context(), "delete", "httproute", "--namespace", name, "route-00000", "--wait=false"); err != nil {
			t.Fatal(err)
		}
		if len(lines(scrape(t, p), `namespace="`+name+`"`)) != 0 {
			t.Fatalf("round %d: a route that was deleted before the scrape is still served", i)
		}
	}
}

// TestScrapesAreShared lets several scrapers come while one is being answered,
// and ask for different formats.
func TestScrapesAreShared(t *testing.T) {
	proxy := newFaultProxy(t, control)
	p := start(t, "state", "--pprof", "--collect=scrape", "--kubeconfig", proxy.kubeconfig)
	p.WaitReady(t)

	const scrapers = 6
	release, arrived := make(chan struct{}), make(chan struct{}, scrapers)
	proxy.set(fault{resource: "httproutes", answer: func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		status(http.StatusInternalServerError, "InternalError")(w, r)
	}})
	codes := make(chan int, scrapers)
	ask := func(accept string) {
		code, _ := p.Get(t, "/metrics", http.Header{"Accept": {accept}})
		codes <- code
	}
	go ask("text/plain")
	<-arrived // it is under way
	for i := range scrapers - 1 {
		go ask([]string{"text/plain", "application/openmetrics-text"}[i%2])
	}
	program.Poll(t, "all scrapes to have come", func() error {
		_, body := p.Get(t, "/debug/pprof/goroutine?debug=2", nil)
		if n := strings.Count(string(body), ".serveMetrics("); n != scrapers {
			return fmt.Errorf("%d are being served", n)
		}
		return nil
	})
	close(release)
	for range scrapers {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	}
	if n := 1 + len(arrived); n != 1 {
		t.Errorf("%d scrapes at once listed a kind %d times, want once", scrapers, n)
	}
}

// TestScrapeCacheKeepsNoFailure fails once: the next scrape asks again.
func TestScrapeCacheKeepsNoFailure(t *testing.T) {
	proxy := newFaultProxy(t, control)
	p := start(t, "state", "--collect=scrape", "--scrape-cache=1h", "--kubeconfig", proxy.kubeconfig)
	p.WaitReady(t)
	proxy.set(fault{resource: "httproutes", answer: status(http.StatusInternalServerError, "InternalError")})
	if err := has(scrape(t, p), "gateway_metrics_up 0"); err != nil {
		t.Error(err)
	}
	proxy.set()
	if err := has(scrape(t, p), "gateway_metrics_up 1"); err != nil {
		t.Error(err)
	}
}

// TestScrapeCache checks that the RFC's optional cache saves requests.
func TestScrapeCache(t *testing.T) {
	p := start(t, "state", "--collect=scrape", "--scrape-cache=1h", "--kubeconfig", control.Kubeconfig())
	first := scrape(t, p)
	mark, err := control.Mark()
	skipNotOwned(t, err)
	second := scrape(t, p)
	if got := requests(t, control, mark); len(got) > 0 {
		t.Errorf("requests although the answer is cached: %v", got)
	}
	if diff := cmp.Diff(gatewayFamilies(first), gatewayFamilies(second)); diff != "" {
		t.Errorf("-first +second:\n%s", diff)
	}
}
