package pods_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Pods that hang do not keep the others from their turn, once it is known.
func TestHungTargetsComeLast(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	targets := append([]target.Target{{
		ID: "hung", Namespace: "n", Pod: "hung", IP: at.Addr(), Port: at.Port(), Path: "/", Labels: metric.Labels("pod", "hung"),
	}}, answers(t, always("a 1\n"))...)
	client, err := fetch.New(fetch.Options{Concurrency: 1, InFlight: 1, SlowAfter: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	p, _ := part(t, targets, func(o *pods.Options) { o.Client, o.Timeout = client, 300*time.Millisecond })
	scrape(t, p, exposition.Text) // either may come first
	wants(t, scrape(t, p, exposition.Text), `up{pod="p0"} 1`, `up{pod="hung"} 0`, `scrape_error{pod="hung",reason="timeout"} 1`)
}

func sums(t *testing.T, rules ...string) *aggregate.Aggregator {
	t.Helper()
	parsed, err := aggregate.ParseRules(rules)
	if err != nil {
		t.Fatal(err)
	}
	return aggregate.New(aggregate.Options{Rules: parsed})
}

// A pod whose family is called as a series of an aggregate does not get the name.
func TestAggregatesKeepTheirNames(t *testing.T) {
	const histogram = "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n"
	p, _ := part(t, answers(t, always(histogram), always(histogram), always("# TYPE a_bucket gauge\na_bucket 1\n")),
		func(o *pods.Options) { o.Aggregate = sums(t, "a=sum") })
	o := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	o.SelfMetrics("")
	o.AddPart("pods", p, operator.Native())
	o.Expose("/metrics", exposition.Prometheus{}, operator.Public())
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	wants(t, w.Body.String(), `a_bucket{le="+Inf"} 4`, "a_sum 6", "a_count 4", `up{pod="p2"} 1`)
}

// What a pod calls as we call our own must not be exposed without the pod's labels,
// and what is denied must not be exposed as a sum.
func TestAggregatesOfOurNames(t *testing.T) {
	p, _ := part(t, answers(t, always("up 0\nscrape_x 1\nexported_up 2\nsecret 3\na 4\n"), always("a 5\n")), func(o *pods.Options) {
		o.Aggregate = sums(t, "*=sum")
		o.Filter = &relabel.Filter{Deny: []string{"secret"}}
	})
	out := scrape(t, p, exposition.Text)
	wants(t, out, "a 9", `up{pod="p0"} 1`, `exported_up{pod="p0"} 0`, `exported_scrape_x{pod="p0"} 1`, `exported_exported_up{pod="p0"} 2`)
	for _, bad := range []string{"\nup 0\n", "\nscrape_x", "secret"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q in:\n%s", bad, out)
		}
	}
}

// A target that is out of sight for a moment is not counted twice.
func TestAggregatesOfTargetsThatComeBack(t *testing.T) {
	all := answers(t, always("# TYPE a counter\na 7\n"), always("# TYPE a counter\na 1\n"))
	now := all
	p, _ := part(t, nil, func(o *pods.Options) {
		o.Aggregate = sums(t, "a=sum")
		o.Targets = func() []target.Target { return now }
	})
	for _, targets := range [][]target.Target{all, all[1:], all, nil, all} {
		now = targets
		out := scrape(t, p, exposition.Text)
		wants(t, out, "a 8")
	}
}
