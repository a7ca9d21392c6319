package operator_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// TestOnlyAndExcept: two routes share the collectors, and each calls its own.
func TestOnlyAndExcept(t *testing.T) {
	o := newOperator(operator.Options{})
	var calls int
	var failure error
	o.Collect("a", func(_ context.Context, emit func(operator.Metric)) error {
		calls++
		emit(gauge("a", 1))
		return failure
	})
	o.Collect("b", emits(gauge("b", 1)))
	o.Expose("/a", exposition.Prometheus{}, operator.Only("a"))
	o.Expose("/rest", exposition.Prometheus{}, operator.Except("a"))
	o.Expose("/rest/strict", exposition.Prometheus{}, operator.Except("a"), operator.Strict())
	if got, want := get(o, "/a").Body.String(), "# TYPE a gauge\na 1\n"; got != want || calls != 1 {
		t.Errorf("/a: got\n%s\nafter %d calls, want\n%s", got, calls, want)
	}
	body := get(o, "/rest").Body.String()
	wantSeries(t, body, "b 1")
	wantLines(t, body, up("a", 1), up("b", 1))
	failure = errors.New("no")
	get(o, "/a")
	body = get(o, "/rest").Body.String()
	wantLines(t, body, up("a", 0), up("b", 1), failures("a", "error", 1))
	if code := get(o, "/rest/strict").Code; code != http.StatusOK {
		t.Errorf("/rest/strict: %d for the failure of a collector that is not in it", code)
	}
	if calls != 2 {
		t.Errorf("%d calls of a, want those of its two scrapes", calls)
	}
	wantSeries(t, scrape(t, o), "b 1")
}

// TestExposition: a second Operator serves the metrics of the first.
func TestExposition(t *testing.T) {
	first, second := newOperator(operator.Options{}), operator.New(operator.Options{})
	first.Collect("a", emits(gauge("a", 1)))
	first.Protect(marks("first"))
	second.Protect(marks("second"))
	second.Handle("GET /metrics", first.Exposition(exposition.Prometheus{}), operator.Public())
	second.Handle("GET /public", first.Exposition(exposition.Prometheus{}, operator.Public()), operator.Public())
	w := get(second, "/metrics")
	wantSeries(t, w.Body.String(), "a 1")
	if got := w.Header().Values("Passed"); len(got) != 1 || got[0] != "first" {
		t.Errorf("passed %v, want only the middleware of the first", got)
	}
	w = get(second, "/public")
	if got := w.Header().Values("Passed"); len(got) != 0 {
		t.Errorf("passed %v, want no middleware", got)
	}
	wantLines(t, w.Body.String(), decisionLine("allowed", 1))
}

// TestServerOption: the server can be changed before it serves.
func TestServerOption(t *testing.T) {
	o := operator.New(operator.Options{Addr: "127.0.0.1:0", Server: func(s *http.Server) {
		s.ReadTimeout = time.Hour
		s.Handler = answers(http.StatusTeapot)
	}})
	server, ln, err := o.Server()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if server.ReadTimeout != time.Hour {
		t.Errorf("ReadTimeout %s", server.ReadTimeout)
	}
	go func() { _ = server.Serve(ln) }()
	defer func() { _ = server.Close() }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot {
		t.Errorf("status %d", resp.StatusCode)
	}
}
