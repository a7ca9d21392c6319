package pods_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/test/podtest"
)

const namespace = "space"

// proxy is the part in the test's process, with one server for all of its pods:
// each has a path of its own.
type proxy struct {
	server  *podtest.Pod
	handler http.Handler
	client  *fetch.Client

	mu      sync.Mutex
	targets []target.Target // guarded by mu
}

func newProxy(t testing.TB, change func(*pods.Options)) *proxy {
	t.Helper()
	p := &proxy{server: podtest.Start(t, http.NotFoundHandler())}
	var err error
	p.client, err = fetch.New(fetch.Options{BodyLimit: 2 << 20, WireLimit: 1 << 20, Budget: 64 << 20, PerHost: 16, Compression: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.client.Close)
	opts := pods.Options{Targets: p.now, Client: p.client, Timeout: 20 * time.Second, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&opts)
	}
	part := pods.New(opts)
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler), ScrapeTimeout: 30 * time.Second})
	op.SelfMetrics("")
	op.AddPart("pods", part, operator.Native())
	op.Expose("/metrics", exposition.Prometheus{}, operator.Public())
	p.handler = op.Handler()
	return p
}

func (p *proxy) now() []target.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.targets
}

// serve makes the proxy have these pods.
func (p *proxy) serve(bodies []body) {
	handlers := podtest.ByPath{}
	targets := make([]target.Target, len(bodies))
	for i, b := range bodies {
		path := fmt.Sprintf("/%d", i)
		handlers[path] = b.answer
		targets[i] = target.Target{
			ID: fmt.Sprintf("uid-%d%s", i, path), Namespace: namespace, Pod: podName(i), UID: fmt.Sprintf("uid-%d", i),
			IP: p.server.Addr.Addr(), Port: p.server.Addr.Port(), Scheme: "http", Path: path,
			Labels: []metric.Label{{Name: podLabel, Value: podName(i)}, {Name: namespaceLabel, Value: namespace}},
		}
	}
	p.server.Answer(handlers)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = targets
}

func podName(i int) string { return fmt.Sprintf("pod-%d", i) }

const (
	podLabel       = target.DefaultPodLabel
	namespaceLabel = target.DefaultNamespaceLabel
)

// accepts are the headers that Prometheus sends for each format.
var accepts = map[string]string{
	podtest.Text:        "text/plain;version=0.0.4;escaping=allow-utf-8",
	podtest.OpenMetrics: "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
	podtest.Protobuf:    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8",
}

// scrape returns the exposition of a format.
func (p *proxy) scrape(t testing.TB, format string) (contentType string, text []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accepts[format])
	p.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	return w.Header().Get("Content-Type"), w.Body.Bytes()
}

// verify tests what must be so whatever pods send.
func (p *proxy) verify(t *testing.T, bodies []body) {
	t.Helper()
	p.serve(bodies)
	for format := range accepts {
		contentType, text := p.scrape(t, format)
		got, err := parse(text, contentType, format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			p.show(t, bodies, text)
			return
		}
		if err := expect(got, bodies); err != nil {
			t.Errorf("%s: %v", format, err)
			p.show(t, bodies, text)
			return
		}
		if _, again := p.scrape(t, format); !bytes.Equal(text, again) {
			t.Errorf("%s: the next scrape is another one:\n%q\n%q", format, text, again)
			p.show(t, bodies, text)
			return
		}
	}
}

// accepted tests only that parsers accept the exposition, whatever is in it.
func (p *proxy) accepted(t *testing.T, bodies []body) {
	t.Helper()
	p.serve(bodies)
	for format := range accepts {
		contentType, text := p.scrape(t, format)
		series, err := parseTextparse(text, contentType)
		seen := make(map[string]bool)
		for _, s := range series {
			if seen[s.key()] {
				err = errors.Join(err, fmt.Errorf("%s is there twice", s.key()))
			}
			seen[s.key()] = true
		}
		if err = errors.Join(err, parseExpfmt(text, format)); err != nil {
			t.Errorf("%s: %v", format, err)
			p.show(t, bodies, text)
			return
		}
	}
}

// expect says what is missing of the healthy pods, and what is there without a pod.
func expect(got map[string]float64, bodies []body) error {
	for i, b := range bodies {
		if b.want == nil {
			continue
		}
		want := maps.Clone(b.want)
		want[key("up", map[string]string{podLabel: podName(i), namespaceLabel: namespace})] = 1
		for series, v := range want {
			have, ok := got[series]
			switch {
			case !ok:
				return fmt.Errorf("%s: %s is missing", podName(i), series)
			case have != v && !(math.IsNaN(have) && math.IsNaN(v)):
				return fmt.Errorf("%s: %s is %v, want %v", podName(i), series, have, v)
			}
		}
	}
	return nil
}

func (p *proxy) show(t *testing.T, bodies []body, text []byte) {
	t.Helper()
	for i, b := range bodies {
		t.Logf("%s sends %q %q:\n%.1500q", podName(i), b.answer.ContentType, b.answer.Encoding, b.answer.Body)
	}
	t.Logf("exposition:\n%.3000s", text)
}
