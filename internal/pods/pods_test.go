package pods

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// answer serves a body.
func answer(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(body))
	}
}

// proxy serves the pods, whose names are a, b, and so on. Change adapts the
// options.
func proxy(t *testing.T, change func(*Options), pods ...http.Handler) (*Pods, http.Handler) {
	t.Helper()
	client, err := fetch.New(fetch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var targets []target.Target
	for i, pod := range pods {
		server := httptest.NewServer(pod)
		t.Cleanup(server.Close)
		name := string(rune('a' + i))
		addr := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
		targets = append(targets, target.Target{
			ID: name, Namespace: "shop", Pod: name, IP: addr.Addr(), Port: addr.Port(), Scheme: "http", Path: "/metrics?x=y",
			Labels: metric.Labels("k8s_pod_name", name),
		})
	}
	opts := Options{Targets: func() []target.Target { return targets }, Client: client, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&opts)
	}
	p := New(opts)
	op := operator.New(operator.Options{Logger: opts.Log})
	op.SelfMetrics("")
	op.AddPart("pods", p, operator.Native())
	op.Handle("GET /sd", p.Discovery())
	op.Handle("GET /pods/{namespace}/{pod}/{port}", p.Single())
	op.Expose("/metrics", exposition.Prometheus{})
	return p, RefuseLoops(op.Handler())
}

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const plain = "text/plain; version=0.0.4"

func TestMetrics(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Options)
		pods   []http.Handler
		want   string
	}{
		{"one of two is a web page", nil, []http.Handler{answer("text/html", "<html>"), answer(plain, "x 1\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 0\nup{k8s_pod_name=\"b\"} 1\n# TYPE x untyped\nx{k8s_pod_name=\"b\"} 1\n"},
		{"names that are reserved", nil, []http.Handler{answer("", "up 7\nkubevitals_x 1\n")},
			"# TYPE exported_kubevitals_x untyped\nexported_kubevitals_x{k8s_pod_name=\"a\"} 1\n# TYPE exported_up untyped\nexported_up{k8s_pod_name=\"a\"} 7\n# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\n"},
		{"invalid lines are dropped", func(o *Options) { o.DropInvalidLines = true }, []http.Handler{answer(plain, "x 1\n{\ny 2\n<\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\n# TYPE x untyped\nx{k8s_pod_name=\"a\"} 1\n# TYPE y untyped\ny{k8s_pod_name=\"a\"} 2\n"},
		{"too many invalid lines", func(o *Options) { o.DropInvalidLines = true }, []http.Handler{answer(plain, strings.Repeat("{\n", maxInvalid+1))},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 0\n"},
		{"a type that is none of metrics", nil, []http.Handler{answer("application/octet-stream", "x 1\n")}, "# TYPE up gauge\nup{k8s_pod_name=\"a\"} 0\n"},
		{"the fallback", func(o *Options) { o.Fallback = "text" }, []http.Handler{answer("application/octet-stream", "x 1\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\n# TYPE x untyped\nx{k8s_pod_name=\"a\"} 1\n"},
		{"limits", func(o *Options) { o.Limits.Samples = 1 }, []http.Handler{answer(plain, "x 1\n"), answer(plain, "x 1\ny 1\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\nup{k8s_pod_name=\"b\"} 0\n# TYPE x untyped\nx{k8s_pod_name=\"a\"} 1\n"},
		{"a limit of labels counts those of the target", func(o *Options) { o.Limits.Labels = 3 }, []http.Handler{answer(plain, "x{a=\"b\"} 1\n"), answer(plain, "x{a=\"b\",c=\"d\"} 1\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\nup{k8s_pod_name=\"b\"} 0\n# TYPE x untyped\nx{k8s_pod_name=\"a\",a=\"b\"} 1\n"},
		{"families are filtered", func(o *Options) { o.Filter = &relabel.Filter{Deny: []string{"x*"}} }, []http.Handler{answer(plain, "x 1\ny 2\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\n# TYPE y untyped\ny{k8s_pod_name=\"a\"} 2\n"},
		{"samples are combined", func(o *Options) {
			rules, err := aggregate.ParseRules([]string{"x=sum"})
			if err != nil {
				t.Fatal(err)
			}
			o.Aggregate = aggregate.New(aggregate.Options{Rules: rules})
		}, []http.Handler{answer(plain, "# TYPE x gauge\nx 1\n"), answer(plain, "# TYPE x gauge\nx 2\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\nup{k8s_pod_name=\"b\"} 1\n# TYPE x gauge\nx 3\n"},
		{"samples are relabelled", func(o *Options) {
			configs, err := relabel.ParseConfigs([]byte("- {source_labels: [__name__], regex: x, target_label: __name__, replacement: y}"))
			if err != nil {
				t.Fatal(err)
			}
			o.Relabel = &relabel.Relabeler{Configs: configs}
		}, []http.Handler{answer(plain, "x 1\n")},
			"# TYPE up gauge\nup{k8s_pod_name=\"a\"} 1\n# TYPE y untyped\ny{k8s_pod_name=\"a\"} 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, h := proxy(t, tt.change, tt.pods...)
			for range 2 { // the second time it remembers
				got := withoutHelp(get(t, h, "/metrics").Body.String())
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func withoutHelp(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# HELP ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestReports looks at what is said of each target.
func TestReports(t *testing.T) {
	p, h := proxy(t, func(o *Options) { o.Reports = true }, answer(plain, "x 1\nx 2\n"), answer(plain, "{"), http.NotFoundHandler())
	got := get(t, h, "/metrics").Body.String()
	for _, want := range []string{
		`scrape_body_size_bytes{k8s_pod_name="a"} 8`, `scrape_response_code{k8s_pod_name="a"} 200`, `scrape_samples_duplicate{k8s_pod_name="a"} 1`,
		`scrape_samples_post_metric_relabeling{k8s_pod_name="a"} 1`, `scrape_samples_scraped{k8s_pod_name="a"} 2`,
		`scrape_error{k8s_pod_name="b",reason="parse"} 1`, `scrape_error{k8s_pod_name="c",reason="http_404"} 1`, `scrape_response_code{k8s_pod_name="c"} 404`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	statuses := p.Statuses()
	if len(statuses) != 3 || statuses[0].Reason != "" || statuses[0].Samples != 2 || statuses[1].Reason != "parse" || !strings.Contains(statuses[1].Detail, "line 1") {
		t.Errorf("%+v", statuses)
	}
	if held := p.opts.Client.Stats().Held; held != 0 {
		t.Errorf("%d bytes are held after all", held)
	}
}

// TestSingle goes through service discovery to each target.
func TestSingle(t *testing.T) {
	_, h := proxy(t, nil, answer(plain, "x 1\n"), answer(plain, "{"))
	var groups []group
	if err := json.Unmarshal(get(t, h, "http://proxy:15090/sd").Body.Bytes(), &groups); err != nil {
		t.Fatal(err)
	}
	if len(groups) != 2 || groups[0].Targets[0] != "proxy:15090" || groups[0].Labels["k8s_pod_name"] != "a" || groups[0].Labels["__param_path"] != "/metrics?x=y" {
		t.Fatalf("%+v", groups)
	}
	for i, want := range []struct {
		code int
		body string
	}{{http.StatusOK, "x 1\n"}, {http.StatusBadGateway, "parse: "}} {
		w := get(t, h, groups[i].Labels["__metrics_path__"]+"?path=%2Fmetrics%3Fx%3Dy")
		if w.Code != want.code || !strings.HasPrefix(w.Body.String(), want.body) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	for _, path := range []string{"/pods/shop/a/1", "/pods/other/a/80", groups[0].Labels["__metrics_path__"] + "?path=/other"} {
		if w := get(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestRefuseLoops(t *testing.T) {
	_, h := proxy(t, nil, answer(plain, "x 1\n"))
	if w := get(t, h, "/metrics", fetch.HopHeader, "another"); w.Code != http.StatusLoopDetected {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRemaining(t *testing.T) {
	f := func(header string, want time.Duration) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set(timeoutHeader, header)
		if got := remaining(r, 9*time.Second); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
	f("", 9*time.Second)
	f("2", 1800*time.Millisecond)
	f("8", 7500*time.Millisecond)
	f("100", 9*time.Second)
	f("-1", 9*time.Second)
	f("NaN", 9*time.Second)
	f("x", 9*time.Second)
}

// TestMostAgree: a target that comes first and says that a family is something else
// than it is for most others decides nothing.
func TestMostAgree(t *testing.T) {
	rules, err := aggregate.ParseRules([]string{"*=sum"})
	if err != nil {
		t.Fatal(err)
	}
	_, h := proxy(t, func(o *Options) { o.Aggregate = aggregate.New(aggregate.Options{Rules: rules}) },
		answer(plain, "# TYPE x gauge\nx 7\n# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"),
		answer(plain, "# TYPE x counter\nx 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"),
		answer(plain, "# TYPE x counter\nx 2\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"))
	got := withoutHelp(get(t, h, "/metrics").Body.String())
	for _, want := range []string{"# TYPE x counter\nx 3\n", "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 2\nh_sum 2\nh_count 2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}
