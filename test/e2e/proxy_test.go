package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/test/controlplane"
)

// proxyPath is where the proxy serves the API, as those of cluster managers do.
const proxyPath = "/k8s/clusters/c-1"

// faultProxy stands between kubevitals and a real API server and answers some
// requests in its place.
type faultProxy struct {
	kubeconfig string
	server     *httptest.Server

	mu     sync.Mutex
	faults []fault
}

// fault answers the requests that it is for.
type fault struct {
	resource string // plural name, or apis for discovery
	watch    bool   // watches, else lists
	times    int    // how often; 0 for always
	answer   http.HandlerFunc
}

func newFaultProxy(t *testing.T, c *controlplane.ControlPlane) *faultProxy {
	t.Helper()
	config := c.Config()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
	}
	p := &faultProxy{}
	server := httptest.NewServer(http.StripPrefix(proxyPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := p.take(r); answer != nil {
			answer(w, r)
			return
		}
		reverse.ServeHTTP(w, r)
	})))
	t.Cleanup(func() {
		server.CloseClientConnections() // watches never end by themselves
		server.Close()
	})
	p.server = server
	p.kubeconfig = writeFile(t, "kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: proxy, cluster: {server: %q}}]
contexts: [{name: proxy, context: {cluster: proxy}}]
current-context: proxy
`, server.URL+proxyPath))
	return p
}

func (p *faultProxy) set(faults ...fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults
}

// take returns the answer of the fault that a request meets, or nil.
func (p *faultProxy) take(r *http.Request) http.HandlerFunc {
	p.mu.Lock()
	defer p.mu.Unlock()
	watch := r.URL.Query().Has("watch")
	for i, f := range p.faults {
		if !strings.HasSuffix(r.URL.Path, "/"+f.resource) || f.watch != watch {
			continue
		}
		if f.times == 1 {
			p.faults = slices.Delete(slices.Clone(p.faults), i, i+1)
		} else if f.times > 1 {
			p.faults[i].times--
		}
		return f.answer
	}
	return nil
}

// status answers with a Kubernetes error.
func status(code int, reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"by the test","reason":%q,"code":%d}`, reason, code)
	}
}

// hang answers nothing until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
