package operator_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// newOperator returns a silent Operator that exposes /metrics.
func newOperator(opts operator.Options) *operator.Operator {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	o := operator.New(opts)
	o.Expose("/metrics", exposition.Prometheus{})
	return o
}

// plain is newOperator without self-metrics.
func plain() *operator.Operator {
	o := newOperator(operator.Options{})
	o.SelfMetrics("")
	return o
}

// do serves one request; header holds names and values in turn.
func do(ctx context.Context, o *operator.Operator, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	return w
}

func get(o *operator.Operator, path string, header ...string) *httptest.ResponseRecorder {
	return do(context.Background(), o, http.MethodGet, path, header...)
}

// scrape returns the body of a scrape that must succeed.
func scrape(t testing.TB, o *operator.Operator, header ...string) string {
	t.Helper()
	w := get(o, "/metrics", header...)
	if w.Code != http.StatusOK {
		t.Errorf("status %d, want 200", w.Code)
	}
	return w.Body.String()
}

// series are the sample lines of a body, without those of self-metrics.
func series(body string) []string {
	var out []string
	for line := range strings.Lines(body) {
		if line[0] != '#' && !strings.HasPrefix(line, "operator_") {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

// wantSeries compares the sample lines, self-metrics left aside.
func wantSeries(t testing.TB, body string, want ...string) {
	t.Helper()
	if got := series(body); !slices.Equal(got, want) {
		t.Errorf("series:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// wantLines demands that each line is there exactly once.
func wantLines(t testing.TB, body string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if n := strings.Count("\n"+body, "\n"+line+"\n"); n != 1 {
			t.Errorf("line %q is there %d times, want once, in:\n%s", line, n, body)
		}
	}
}

// failures is the line of the self-metric that counts failed calls.
func failures(collector, reason string, n int) string {
	return fmt.Sprintf(`operator_collector_failures_total{collector="%s",reason="%s"} %d`, collector, reason, n)
}

func droppedLine(collector, reason string, n int) string {
	return fmt.Sprintf(`operator_samples_dropped_total{collector="%s",reason="%s"} %d`, collector, reason, n)
}

func up(collector string, n int) string {
	return fmt.Sprintf(`operator_collector_up{collector="%s"} %d`, collector, n)
}

// emits is a collector of constant samples.
func emits(ms ...operator.Metric) operator.CollectorFunc {
	return func(_ context.Context, emit func(operator.Metric)) error {
		for _, m := range ms {
			emit(m)
		}
		return nil
	}
}

func gauge(name string, v float64, labels ...string) operator.Metric {
	return operator.Metric{Name: name, Type: metric.Gauge, Value: v, Labels: metric.Labels(labels...)}
}

func counter(name string, v float64, labels ...string) operator.Metric {
	return operator.Metric{Name: name, Type: metric.Counter, Value: v, Labels: metric.Labels(labels...)}
}

// histogram has the buckets 1, with all observations but one, and 5.
func histogram(name string, n float64, labels ...string) operator.Metric {
	return operator.Metric{Name: name, Type: metric.Histogram, Labels: metric.Labels(labels...), Histogram: &metric.HistogramValue{
		Count: n, Sum: 2 * n, Buckets: []metric.Bucket{{UpperBound: 1, Count: n - 1}, {UpperBound: 5, Count: n}},
	}}
}

// summary has one quantile.
func summary(name string, n float64, labels ...string) operator.Metric {
	return operator.Metric{Name: name, Type: metric.Summary, Labels: metric.Labels(labels...), Summary: &metric.SummaryValue{
		Count: n, Sum: 2 * n, Quantiles: []metric.Quantile{{Quantile: 0.5, Value: 2}},
	}}
}

// formats are values of the header Accept, one for each format.
var formats = map[string]string{
	"text":        "text/plain",
	"OpenMetrics": "application/openmetrics-text",
	"protobuf":    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
}

// part is a [operator.Part] of functions.
type part struct {
	families []string
	gather   func(context.Context, exposition.Format) ([]exposition.Rendered, error)
}

func (p part) Families() []string { return p.families }

func (p part) Gather(ctx context.Context, f exposition.Format) ([]exposition.Rendered, error) {
	return p.gather(ctx, f)
}

// renders is a part of constant families, of one gauge sample each.
func renders(names ...string) part {
	return part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		var out []exposition.Rendered
		for _, name := range names {
			out = append(out, rendered(name, name+" 1\n"))
		}
		return out, nil
	}}
}

func rendered(name, lines string) exposition.Rendered {
	return exposition.Rendered{
		Desc:   metric.Desc{Name: name, Type: metric.Gauge},
		Chunks: []exposition.Chunk{{Raw: []byte(lines)}},
	}
}

// lines is a part of one family, whose lines are the same in every format.
func lines(d metric.Desc, text string) part {
	return part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		return []exposition.Rendered{{Desc: d, Chunks: []exposition.Chunk{{Raw: []byte(text)}}}}, nil
	}}
}

// wantPanic calls fn, which must panic with words that are wanted.
func wantPanic(t testing.TB, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), want) {
			t.Errorf("panic %v, want one with %q", p, want)
		}
	}()
	fn()
}

// isClosed does not wait.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// eventually polls until ok holds, for half a minute at most.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond) // the pace of polling, not a wait for state
	}
}

// noLeaks fails the test if more goroutines than now, and than allowed, are
// left at its end. It must be called first, and outside of synctest.
func noLeaks(t *testing.T, allowed int) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(30 * time.Second)
		for runtime.NumGoroutine() > before+allowed {
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines, %d before the test and %d allowed", runtime.NumGoroutine(), before, allowed)
				_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// client returns a client whose connections end with the test.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// fetch returns status and body of a request to a running server.
func fetch(t testing.TB, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Errorf("GET %s: %v", url, err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("GET %s: %v", url, err)
	}
	return resp.StatusCode, string(body)
}
