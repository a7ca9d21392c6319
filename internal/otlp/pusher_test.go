package otlp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/goleak"

	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a receiver without a network. answer says what becomes of a request.
type fake struct {
	answer func(ctx context.Context, md pmetric.Metrics) (client.Result, error)

	mu       sync.Mutex
	requests []string          // when, how many points, and how many of them end a series
	state    map[string]string // of each series: its value, or "ended"
}

func (f *fake) Close() error { return nil }

func (f *fake) Export(ctx context.Context, md pmetric.Metrics) (client.Result, error) {
	var r client.Result
	var err error
	if f.answer != nil {
		r, err = f.answer(ctx, md)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == nil {
		f.state = make(map[string]string)
	}
	ended := 0
	eachPoint(md, func(series, value string) {
		if value == "ended" {
			ended++
		}
		if err == nil {
			f.state[series] = value
		}
	})
	word := "ok"
	if err != nil {
		word = client.KindOf(err).String()
	}
	f.requests = append(f.requests, fmt.Sprintf("%s %d/%d %s", time.Since(epoch), md.DataPointCount(), ended, word))
	return r, err
}

// eachPoint calls fn with the numbers of metrics.
func eachPoint(md pmetric.Metrics, fn func(series, value string)) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				ps := pmetric.NewNumberDataPointSlice()
				switch m.Type() {
				case pmetric.MetricTypeSum:
					ps = m.Sum().DataPoints()
				case pmetric.MetricTypeGauge:
					ps = m.Gauge().DataPoints()
				}
				for _, p := range ps.All() {
					name := m.Name()
					for _, v := range p.Attributes().All() {
						name += "/" + v.AsString()
					}
					value := fmt.Sprint(p.DoubleValue())
					if p.Flags().NoRecordedValue() {
						value = "ended"
					}
					fn(name, value)
				}
			}
		}
	}
}

// epoch is when time begins in synctest.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// world is what is pushed: gauges a{x} by the values of x.
type world struct {
	mu     sync.Mutex
	values map[string]float64
}

func (w *world) set(values map[string]float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.values = values
}

func (w *world) collect(_ context.Context, emit func(operator.Metric)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x, v := range w.values {
		emit(operator.Metric{Name: "a", Type: metric.Gauge, Value: v, Labels: metric.Labels("x", x)})
	}
	return nil
}

// many has n series, each with a label of a length.
func many(n, length int) map[string]float64 {
	out := make(map[string]float64, n)
	for i := range n {
		out[fmt.Sprintf("%0*d", length, i)] = float64(i)
	}
	return out
}

// start runs a Pusher of w until the test ends, in a bubble of synctest. change
// may be nil.
func start(t *testing.T, w *world, f client.Client, change func(*otlp.Options)) *otlp.Pusher {
	t.Helper()
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.SelfMetrics("")
	op.Collect("world", w.collect)
	opts := otlp.Options{
		Client: f, Logger: slog.New(slog.DiscardHandler),
		Source: func(ctx context.Context, f exposition.Format) (*operator.Snapshot, error) { return op.Snapshot(ctx, f) },
	}
	if change != nil {
		change(&opts)
	}
	p, err := otlp.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	return p
}

// all returns the requests so far.
func (f *fake) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

func (f *fake) wantRequests(t *testing.T, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff(want, f.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func (f *fake) wantState(t *testing.T, want map[string]string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff(want, f.state); diff != "" {
		t.Errorf("state at the receiver (-want +got):\n%s", diff)
	}
}

// numbers are the Pusher's own metrics that are not 0, as lines.
func numbers(t *testing.T, p *otlp.Pusher, names ...string) []string {
	t.Helper()
	var out []string
	err := p.Collect(t.Context(), func(m operator.Metric) {
		name := strings.TrimPrefix(m.Name, "kubevitals_otlp_")
		if m.Value == 0 || !slices.Contains(names, name) {
			return
		}
		for _, l := range m.Labels {
			name += " " + l.Value
		}
		out = append(out, fmt.Sprintf("%s %v", name, m.Value))
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

func wantNumbers(t *testing.T, p *otlp.Pusher, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, numbers(t, p, "pushes_total", "points_total", "requests_total", "tracked_series", "queue_tombstones", "leader")); diff != "" {
		t.Errorf("self-metrics (-want +got):\n%s", diff)
	}
}

// TestSchedule: at once, every minute, and soon after changes, but no more often
// than allowed.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fake
		w := &world{values: many(1, 1)}
		p := start(t, w, &f, nil)
		time.Sleep(61 * time.Second) // 60
		for range 10 {
			p.Notify()
		}
		time.Sleep(5 * time.Second) // 65
		p.Notify()
		time.Sleep(time.Second)
		p.Notify()
		time.Sleep(9 * time.Second) // 70, not again
		time.Sleep(time.Minute)     // 130
		p.Notify()                  // 135.. the interval is long over
		time.Sleep(time.Second)
		f.wantRequests(t, "0s 1/0 ok", "1m0s 1/0 ok", "1m5s 1/0 ok", "1m10s 1/0 ok", "2m10s 1/0 ok", "2m16s 1/0 ok")
	})
}

// TestTombstones: what is gone is ended once, what comes back is there again, and
// a receiver that does not acknowledge is told again.
func TestTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		f := fake{answer: func(_ context.Context, md pmetric.Metrics) (r client.Result, err error) {
			eachPoint(md, func(_, value string) {
				if value == "ended" && failing.Load() {
					r.Rejected = 1
				}
			})
			return r, nil
		}}
		w := &world{values: map[string]float64{"1": 1, "2": 2, "3": 3}}
		p := start(t, w, &f, nil)
		step := func(values map[string]float64) {
			w.set(values)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		synctest.Wait()
		step(map[string]float64{"1": 5})
		f.wantState(t, map[string]string{"a/1": "5", "a/2": "ended", "a/3": "ended"})
		step(map[string]float64{"1": 5, "3": 7})
		f.wantState(t, map[string]string{"a/1": "5", "a/2": "ended", "a/3": "7"})
		failing.Store(true)
		step(nil)
		step(nil)
		failing.Store(false)
		step(map[string]float64{"1": 1})
		step(map[string]float64{"1": 1})
		f.wantState(t, map[string]string{"a/1": "1", "a/2": "ended", "a/3": "ended"})
		f.wantRequests(t,
			"0s 3/0 ok", "1m0s 1/0 ok", "1m0s 2/2 ok", "2m0s 2/0 ok", "3m0s 2/2 ok", "4m0s 2/2 ok", "5m0s 1/0 ok", "5m0s 1/1 ok", "6m0s 1/0 ok")
		wantNumbers(t, p,
			"pushes_total success 5", "pushes_total partial 2", "points_total sent 8", "points_total rejected 2", "points_total tombstone 5",
			"requests_total accepted 9", "tracked_series 1", "leader 1")
	})
}

// TestTombstonesEnd: a receiver that never acknowledges is not told for ever.
func TestTombstonesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake{answer: func(_ context.Context, md pmetric.Metrics) (r client.Result, err error) {
			eachPoint(md, func(_, value string) {
				if value == "ended" {
					r.Rejected++
				}
			})
			return r, nil
		}}
		w := &world{values: many(2, 1)}
		p := start(t, w, &f, nil)
		synctest.Wait()
		w.set(many(1, 1))
		time.Sleep(20*time.Minute + time.Second)
		wantNumbers(t, p, "pushes_total success 16", "pushes_total partial 5", "points_total sent 22", "points_total rejected 5", "points_total dropped 1",
			"requests_total accepted 26", "tracked_series 1", "leader 1")
	})
}

func failure(kind client.Kind, after time.Duration, unsent bool) error {
	return &client.Error{Kind: kind, After: after, Unsent: unsent}
}

// TestRetry: the chunk that failed is sent again with the same values, those
// before it are not, and there is no queue.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := fake{answer: func(context.Context, pmetric.Metrics) (client.Result, error) {
			if n++; n == 2 || n == 3 {
				return client.Result{}, failure(client.Retry, 11*time.Second, false)
			}
			return client.Result{}, nil
		}}
		w := &world{values: many(40, 1000)}
		p := start(t, w, &f, func(o *otlp.Options) { o.Points.Limit = 25_000 })
		synctest.Wait()
		w.set(nil)
		p.Notify() // half of it is sent: it goes on
		time.Sleep(23 * time.Second)
		f.wantRequests(t, "0s 23/0 ok", "0s 17/0 retry", "11s 17/0 retry", "22s 17/0 ok", "22s 23/23 ok", "22s 17/17 ok")
		wantNumbers(t, p, "pushes_total success 2", "points_total sent 40", "points_total tombstone 40",
			"requests_total accepted 4", "requests_total retry 2", "leader 1")
	})
}

// TestOutage: while the receiver is away, nothing grows, and only the newest
// snapshot is tried.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		f := fake{answer: func(context.Context, pmetric.Metrics) (client.Result, error) {
			if away.Load() {
				return client.Result{}, failure(client.Retry, 0, true)
			}
			return client.Result{}, nil
		}}
		w := &world{values: many(1, 1)}
		p := start(t, w, &f, nil)
		for i := range 600 {
			w.set(map[string]float64{fmt.Sprint("generation", i): 1})
			p.Notify()
			time.Sleep(time.Second)
		}
		if got := numbers(t, p, "tracked_series", "queue_tombstones"); len(got) > 0 {
			t.Errorf("after an outage: %v", got)
		}
		if n := len(f.all()); n < 600/38 || n > 600/5 {
			t.Errorf("%d requests in ten minutes", n)
		}
		away.Store(false)
		time.Sleep(40 * time.Second)
		f.wantState(t, map[string]string{"a/generation599": "1"})
		if all := f.all(); !strings.HasSuffix(all[len(all)-1], "1/0 ok") {
			t.Errorf("last request %s", all[len(all)-1])
		}
	})
}

// TestUncertain: what was sent without an answer may have been recorded, and is
// ended as well.
func TestUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := fake{answer: func(context.Context, pmetric.Metrics) (client.Result, error) {
			if n++; n == 1 {
				return client.Result{}, failure(client.Retry, 0, false)
			}
			return client.Result{}, nil
		}}
		w := &world{values: many(1, 1)}
		p := start(t, w, &f, nil)
		time.Sleep(time.Second)
		w.set(map[string]float64{"new": 1})
		p.Notify()
		time.Sleep(10 * time.Second)
		f.wantState(t, map[string]string{"a/0": "ended", "a/new": "1"})
		if got := numbers(t, p, "pushes_total"); !slices.Equal(got, []string{"pushes_total success 1", "pushes_total superseded 1"}) {
			t.Errorf("pushes %v", got)
		}
	})
}

// TestRefusals: one chunk that is refused costs nothing else; a receiver that
// refuses everything is left alone.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := fake{answer: func(context.Context, pmetric.Metrics) (client.Result, error) {
			switch n++; n {
			case 1:
				return client.Result{}, failure(client.Refused, 0, false)
			case 3:
				return client.Result{}, failure(client.RefusedAll, 0, false)
			}
			return client.Result{}, nil
		}}
		p := start(t, &world{values: many(40, 1000)}, &f, func(o *otlp.Options) { o.Points.Limit = 25_000 })
		time.Sleep(time.Minute + time.Second)
		f.wantRequests(t, "0s 23/0 refused", "0s 17/0 ok", "1m0s 23/0 refused_all")
		time.Sleep(time.Minute)
		wantNumbers(t, p, "pushes_total success 1", "pushes_total partial 1", "pushes_total failed 1", "points_total sent 57", "points_total dropped 46",
			"requests_total accepted 3", "requests_total refused 1", "requests_total refused_all 1", "tracked_series 40", "leader 1")
	})
}

// TestTooLarge: requests are halved until they are taken, and stay small.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake{answer: func(_ context.Context, md pmetric.Metrics) (client.Result, error) {
			if new(pmetric.ProtoMarshaler).MetricsSize(md) > 30_000 {
				return client.Result{}, failure(client.TooLarge, 0, false)
			}
			return client.Result{}, nil
		}}
		p := start(t, &world{values: many(100, 1000)}, &f, nil)
		time.Sleep(time.Second)
		f.wantRequests(t, "0s 100/0 too_large", "0s 50/0 too_large", "0s 25/0 ok", "0s 25/0 ok", "0s 50/0 too_large", "0s 25/0 ok", "0s 25/0 ok")
		f.forget()
		time.Sleep(time.Minute)
		f.wantRequests(t, "1m0s 24/0 ok", "1m0s 24/0 ok", "1m0s 24/0 ok", "1m0s 24/0 ok", "1m0s 4/0 ok")
		if got := numbers(t, p, "points_total", "tracked_series"); !slices.Equal(got, []string{"points_total sent 200", "tracked_series 100"}) {
			t.Errorf("%v", got)
		}
	})
	// One point alone that nobody takes.
	synctest.Test(t, func(t *testing.T) {
		f := fake{answer: func(context.Context, pmetric.Metrics) (client.Result, error) {
			return client.Result{}, failure(client.TooLarge, 0, false)
		}}
		p := start(t, &world{values: many(2, 1000)}, &f, nil)
		time.Sleep(time.Second)
		wantNumbers(t, p, "pushes_total partial 1", "points_total dropped 2", "requests_total too_large 3", "leader 1")
	})
}

// TestLeader: only the leader pushes, at once when it becomes one; a request under
// way ends with the leadership, and nothing is ended then.
func TestLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var term context.Context
		var end context.CancelFunc
		var mu sync.Mutex
		leader := func() (context.Context, bool) {
			mu.Lock()
			defer mu.Unlock()
			return term, term != nil
		}
		elect := func() {
			mu.Lock()
			defer mu.Unlock()
			term, end = context.WithCancel(t.Context())
		}
		var hangs atomic.Bool
		f := fake{answer: func(ctx context.Context, _ pmetric.Metrics) (client.Result, error) {
			if hangs.Load() {
				<-ctx.Done()
				return client.Result{}, failure(client.Retry, 0, false)
			}
			return client.Result{}, nil
		}}
		w := &world{values: many(2, 1)}
		p := start(t, w, &f, func(o *otlp.Options) { o.Leader = leader })
		time.Sleep(10 * time.Second)
		f.wantRequests(t)
		wantNumbers(t, p)
		elect()
		time.Sleep(2 * time.Second)
		wantNumbers(t, p, "pushes_total success 1", "points_total sent 2", "requests_total accepted 1", "tracked_series 2", "leader 1")
		hangs.Store(true)
		w.set(nil)
		p.Notify()
		time.Sleep(10 * time.Second)
		end()
		synctest.Wait()
		if got := numbers(t, p, "leader", "pushes_total"); !slices.Equal(got, []string{"pushes_total success 1", "pushes_total demoted 1"}) {
			t.Errorf("%v", got)
		}
		hangs.Store(false)
		n := len(f.all())
		time.Sleep(5 * time.Minute)
		if all := f.all(); len(all) != n {
			t.Errorf("requests without leadership: %v", all[n:])
		}
		elect()
		time.Sleep(2 * time.Second)
		f.wantState(t, map[string]string{"a/0": "ended", "a/1": "ended"})
		end()
	})
}

// TestSourceFails: nothing is sent, and nothing is ended.
func TestSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fake
		var fails atomic.Bool
		p := start(t, &world{values: many(1, 1)}, &f, func(o *otlp.Options) {
			source := o.Source
			o.Source = func(ctx context.Context, f exposition.Format) (*operator.Snapshot, error) {
				if fails.Load() {
					return nil, errors.New("no")
				}
				return source(ctx, f)
			}
		})
		synctest.Wait()
		fails.Store(true)
		time.Sleep(2*time.Minute + time.Second)
		f.wantState(t, map[string]string{"a/0": "0"})
		if got := numbers(t, p, "pushes_total"); !slices.Equal(got, []string{"pushes_total success 1", "pushes_total failed 2"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestMaxSeries: more series than are remembered just stop.
func TestMaxSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fake
		w := &world{values: many(10, 1)}
		p := start(t, w, &f, func(o *otlp.Options) { o.MaxSeries = 4 })
		synctest.Wait()
		w.set(nil)
		time.Sleep(time.Minute + time.Second)
		if got := numbers(t, p, "points_total", "tracked_series"); !slices.Equal(got, []string{"points_total sent 10", "points_total tombstone 4"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestNames: the Pusher's own metrics are named as Prometheus recommends.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &world{values: many(1, 1)}, new(fake), nil)
		synctest.Wait()
		op := operator.New(operator.Options{})
		op.SelfMetrics("")
		op.Collect("otlp", p.Collect)
		w := httptest.NewRecorder()
		op.Exposition(exposition.Prometheus{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if !strings.Contains(w.Body.String(), "kubevitals_otlp_last_success_timestamp_seconds") {
			t.Errorf("got\n%s", w.Body)
		}
		problems, err := promlint.New(w.Body).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v, %v", problems, err)
		}
	})
}

func TestNew(t *testing.T) {
	if _, err := otlp.New(otlp.Options{}); err == nil {
		t.Error("no error without a source")
	}
}
