package operator_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Results that are given to later scrapes.

// numbered counts its calls, gives the number of each, and fails those that
// fail says.
func numbered(calls *atomic.Int32, fail func(n int32) error) operator.CollectorFunc {
	return func(_ context.Context, emit func(operator.Metric)) error {
		n := calls.Add(1)
		emit(gauge("a", float64(n)))
		emit(gauge("a", float64(n))) // dropped
		if fail == nil {
			return nil
		}
		return fail(n)
	}
}

func TestMinInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.Collect("c", numbered(&calls, nil), operator.MinInterval(10*time.Second))
		o.Collect("duplicate", emits(gauge("a", 7)), operator.MinInterval(10*time.Second))
		f := func(at time.Duration, want int) {
			t.Helper()
			for _, accept := range formats { // they share the result
				get(o, "/metrics", "Accept", accept)
			}
			body := scrape(t, o)
			wantSeries(t, body, fmt.Sprint("a ", want))
			wantLines(t, body, up("c", 1), droppedLine("c", "duplicate", want), droppedLine("duplicate", "duplicate", want)) // counted with the call, not with each scrape
			if n := calls.Load(); int(n) != want {
				t.Errorf("%s: %d calls, want %d", at, n, want)
			}
		}
		f(0, 1)
		time.Sleep(10*time.Second - 1)
		f(10*time.Second-1, 1)
		time.Sleep(time.Nanosecond)
		f(10*time.Second, 2)
		time.Sleep(9 * time.Second)
		f(19*time.Second, 2)
		time.Sleep(time.Hour)
		f(time.Hour, 3)
	})
}

// TestMinIntervalOfAFailure: what has failed is not asked again before its time
// either, and what was good before is not given for it.
func TestMinIntervalOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.Collect("c", numbered(&calls, func(n int32) error {
			if n == 2 || n == 3 {
				return errors.New("no luck")
			}
			return nil
		}), operator.MinInterval(10*time.Second))
		wantLines(t, scrape(t, o), "a 1", up("c", 1))
		for n := 1; n <= 2; n++ {
			time.Sleep(10 * time.Second)
			for range 2 {
				body := scrape(t, o)
				wantSeries(t, body)
				wantLines(t, body, up("c", 0), failures("c", "error", n))
			}
		}
		time.Sleep(10 * time.Second)
		for range 2 {
			wantLines(t, scrape(t, o), "a 4", up("c", 1), failures("c", "error", 2))
		}
	})
}

// TestMinIntervalOfASlowCall: it counts from the beginning of the call.
func TestMinIntervalOfASlowCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.Collect("c", numbered(&calls, func(int32) error {
			time.Sleep(4 * time.Second)
			return nil
		}), operator.MinInterval(10*time.Second))
		start := time.Now()
		for _, c := range []struct {
			at   time.Duration
			want int
		}{{0, 1}, {10*time.Second - 1, 1}, {10 * time.Second, 2}, {20*time.Second - 1, 2}, {20 * time.Second, 3}} {
			time.Sleep(c.at - time.Since(start))
			wantSeries(t, scrape(t, o), fmt.Sprint("a ", c.want))
		}
	})
}

// TestMinIntervalOfManyScrapes that come while the first call is under way.
func TestMinIntervalOfManyScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{MaxScrapes: 100})
		var calls atomic.Int32
		o.Collect("c", numbered(&calls, func(int32) error {
			time.Sleep(time.Second)
			return nil
		}), operator.MinInterval(time.Hour))
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantSeries(t, scrape(t, o), "a 1") })
		}
		wg.Wait()
		wantSeries(t, scrape(t, o), "a 1")
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

func TestMinIntervalOfAPart(t *testing.T) {
	f := func(name string, want int32, opts ...operator.CollectOption) {
		t.Helper()
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
			calls.Add(1)
			return []exposition.Rendered{rendered("p", "p 1\n")}, nil
		}}, append(opts, operator.MinInterval(time.Hour))...)
		for range 3 {
			for _, accept := range formats {
				get(o, "/metrics", "Accept", accept)
			}
		}
		if n := calls.Load(); n != want {
			t.Errorf("%s: %d calls, want %d", name, n, want)
		}
	}
	f("lines for each format", 2) // protobuf is made of those for OpenMetrics
	f("lines for any", 1, operator.AnyFormat())
}

// TestServeStale: that the collector is down is to be seen all the while.
func TestServeStale(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name, reason string
		fail         func() error
	}{
		{"error", "error", func() error { return errors.New("no luck") }},
		{"panic", "panic", func() error { panic("at the disco") }},
		{"own deadline", "timeout", func() error { return fmt.Errorf("asking: %w", context.DeadlineExceeded) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				var calls atomic.Int32
				bad, failed := false, 0
				o.Collect("c", numbered(&calls, func(int32) error {
					if bad {
						return c.fail()
					}
					return nil
				}), operator.ServeStale(30*s))
				o.Collect("good", emits(gauge("z", 1)))
				f := func(isBad bool, want ...string) {
					t.Helper()
					bad = isBad
					if bad {
						failed++
					}
					body := scrape(t, o)
					wantSeries(t, body, append(want, "z 1")...)
					wantLines(t, body, up("c", map[bool]int{true: 0, false: 1}[bad]), up("good", 1), failures("c", c.reason, failed))
				}
				f(true) // there is nothing yet
				f(false, "a 2")
				f(false, "a 3") // it does not keep from calling
				f(true, "a 3")
				time.Sleep(30*s - 1)
				f(true, "a 3")
				time.Sleep(time.Nanosecond)
				f(true) // too old
				f(false, "a 7")
				f(true, "a 7")
				if w := get(o, "/metrics?strict=1"); w.Code != 500 {
					t.Errorf("strict gives %d, want 500", w.Code)
				}
			})
		})
	}
}

// TestServeStaleOfWhatBlocks: both the scrape that waits and those that find it
// busy have the last result.
func TestServeStaleOfWhatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		release := make(chan struct{})
		o.Collect("c", numbered(&calls, func(n int32) error {
			if n == 2 {
				<-release
			}
			return nil
		}), operator.ServeStale(time.Minute), operator.Timeout(time.Second))
		wantLines(t, scrape(t, o), "a 1", up("c", 1))
		for range 3 {
			wantLines(t, scrape(t, o), "a 1", up("c", 0))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantLines(t, do(ctx, o, "GET", "/metrics").Body.String(), "a 1", up("c", 0))
		wantLines(t, scrape(t, o), failures("c", "timeout", 1), failures("c", "busy", 4))
		time.Sleep(time.Minute)
		wantSeries(t, scrape(t, o))
		close(release)
		synctest.Wait()
		wantLines(t, scrape(t, o), "a 3", up("c", 1))
	})
}

// TestServeStaleOfHalf: what is there beside an error is served, and not mixed
// with what was before.
func TestServeStaleOfHalf(t *testing.T) {
	o := newOperator(operator.Options{})
	var calls atomic.Int32
	o.Collect("c", numbered(&calls, func(n int32) error {
		if n > 1 {
			return errors.New("no luck")
		}
		return nil
	}), operator.ServeStale(time.Hour), operator.Partial())
	parts := 0
	o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		switch parts++; parts {
		case 1:
			return []exposition.Rendered{rendered("p", "p 1\n"), rendered("q", "q 1\n")}, nil
		case 2:
			return []exposition.Rendered{rendered("p", "p 2\n")}, errors.New("no luck")
		default:
			return nil, errors.New("no luck")
		}
	}}, operator.ServeStale(time.Hour))
	wantSeries(t, scrape(t, o), "a 1", "p 1", "q 1")
	wantSeries(t, scrape(t, o), "a 2", "p 2")
	body := scrape(t, o)
	wantSeries(t, body, "a 3", "p 1", "q 1")
	wantLines(t, body, up("c", 0), up("p", 0))
}

// TestServeStaleWithMinInterval: one is about calls that are not made, the other
// about those that are not good.
func TestServeStaleWithMinInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.Collect("c", numbered(&calls, func(n int32) error {
			if n == 2 || n == 3 {
				return errors.New("no luck")
			}
			return nil
		}), operator.ServeStale(time.Minute), operator.MinInterval(10*time.Second))
		wantLines(t, scrape(t, o), "a 1", up("c", 1))
		wantLines(t, scrape(t, o), "a 1", up("c", 1))
		for n := 1; n <= 2; n++ {
			time.Sleep(10 * time.Second)
			for range 2 {
				wantLines(t, scrape(t, o), "a 1", up("c", 0), failures("c", "error", n))
			}
		}
		time.Sleep(10 * time.Second)
		wantLines(t, scrape(t, o), "a 4", up("c", 1))
	})
}

// TestKeptResultIsNotChanged by the scrapes that have it, whatever they escape
// and merge.
func TestKeptResultIsNotChanged(t *testing.T) {
	noLeaks(t, 0)
	o := newOperator(operator.Options{MaxScrapes: 100})
	o.SelfMetrics("")
	o.Expose("/metrics.json", exposition.JSON{})
	o.Collect("c", emits(gauge("a.b", 1, "z", "1", "x.y", "2"), gauge("a.b", 2), histogram("h", 3, "x.y", "1"), gauge("c_total", 1)), operator.MinInterval(time.Hour))
	o.Collect("d", emits(gauge("a.b", 3, "a", "1"), gauge("a_b", 4), histogram("h", 4)), operator.MinInterval(time.Hour))
	o.AddSource("s", source{families: []metric.Family{gauges("a.b", metric.Labels("s", "1")), gauges("q", nil)}}, operator.MinInterval(time.Hour))
	type request struct{ path, accept string }
	requests := []request{{"/metrics.json", ""}, {"/metrics", allowUTF8}, {"/metrics", underscores}, {"/metrics", dots}, {"/metrics", values}}
	for _, accept := range formats {
		requests = append(requests, request{"/metrics", accept})
	}
	want := make(map[request]string)
	for _, r := range requests {
		want[r] = get(o, r.path, "Accept", r.accept).Body.String()
	}
	var wg sync.WaitGroup
	for range 5 {
		for _, r := range requests {
			wg.Go(func() {
				if got := get(o, r.path, "Accept", r.accept).Body.String(); got != want[r] {
					t.Errorf("%v: got\n%s\nwant\n%s", r, got, want[r])
				}
			})
		}
	}
	wg.Wait()
}
