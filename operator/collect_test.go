package operator_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestFailureCostsOnlyItsOwn(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		collect      operator.CollectorFunc
		opts         []operator.CollectOption
	}{
		{"error", "error", func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("bad", 1))
			return errors.New("no luck")
		}, nil},
		{"panic", "panic", func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("bad", 1))
			panic("at the disco")
		}, nil},
		{"panic with an error", "panic", func(context.Context, func(operator.Metric)) error {
			panic(context.DeadlineExceeded) // must not count as a timeout
		}, nil},
		{"nil dereference", "panic", func(context.Context, func(operator.Metric)) error {
			var m map[string]int
			m["a"] = 1
			return nil
		}, nil},
		{"nil function", "panic", nil, nil},
		{"flood", "limit", emits(gauge("bad", 1, "n", "1"), gauge("bad", 1, "n", "2"), gauge("bad", 1, "n", "3")),
			[]operator.CollectOption{operator.MaxSamples(2)}},
		{"flood with an error", "limit", func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("bad", 1))
			return errors.New("no luck")
		}, []operator.CollectOption{operator.MaxSamples(0)}},
		{"own deadline", "timeout", func(context.Context, func(operator.Metric)) error {
			return fmt.Errorf("asking: %w", context.DeadlineExceeded)
		}, nil},
		{"cancelled", "error", func(context.Context, func(operator.Metric)) error {
			return context.Canceled
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("first", emits(gauge("a", 1)))
			o.Collect("bad", c.collect, c.opts...)
			o.Collect("last", emits(gauge("z", 1)))
			o.AddPart("part", renders("p"))
			for n := 1; n <= 3; n++ {
				body := scrape(t, o)
				wantSeries(t, body, "a 1", "p 1", "z 1")
				wantLines(t, body, up("first", 1), up("bad", 0), up("last", 1), up("part", 1), failures("bad", c.reason, n), failures("last", c.reason, 0))
			}
		})
	}
}

func TestAtTheLimitIsNoFlood(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", emits(gauge("a", 1, "n", "1"), gauge("a", 1, "n", "2")), operator.MaxSamples(2))
	body := scrape(t, o)
	wantSeries(t, body, `a{n="1"} 1`, `a{n="2"} 1`)
	wantLines(t, body, up("c", 1), failures("c", "limit", 0))
}

func TestDefaultLimit(t *testing.T) {
	o := newOperator(operator.Options{})
	n := 100_000
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		for i := range n {
			emit(gauge("a", 1, "n", fmt.Sprint(i)))
		}
		return nil
	})
	if got := len(series(scrape(t, o))); got != n {
		t.Errorf("%d series of %d", got, n)
	}
	n++
	if got := len(series(scrape(t, o))); got != 0 {
		t.Errorf("%d series of %d, want none", got, n)
	}
}

// TestFloodOfBuckets: each bucket and quantile counts, as each is a series.
func TestFloodOfBuckets(t *testing.T) {
	f := func(m operator.Metric, size int) {
		t.Helper()
		for _, limit := range []int{size, size - 1} {
			o := newOperator(operator.Options{})
			o.Collect("c", emits(m), operator.MaxSamples(limit))
			o.AddSource("s", source{families: []metric.Family{{
				Desc:    metric.Desc{Name: "of_a_source", Type: m.Type},
				Samples: []metric.Sample{{Value: m.Value, Histogram: m.Histogram, Summary: m.Summary}},
			}}}, operator.MaxSamples(limit))
			body := scrape(t, o)
			failed := size - limit
			for _, name := range []string{"c", "s"} {
				wantLines(t, body, up(name, 1-failed), failures(name, "limit", failed))
			}
			if got := len(series(body)) > 0; got != (failed == 0) {
				t.Errorf("%s of %d with a limit of %d: %v", m.Type, size, limit, series(body))
			}
		}
	}
	f(gauge("a", 1), 1)
	f(histogram("a", 1), 4)
	f(summary("a", 1), 3)
	f(operator.Metric{Name: "a", Type: metric.Histogram, Histogram: &metric.HistogramValue{}}, 2)
	long := histogram("a", 1)
	for i := range 100 {
		long.Histogram.Buckets = append(long.Histogram.Buckets, metric.Bucket{UpperBound: float64(10 + i), Count: 1})
	}
	f(long, 104)
}

// TestManyBucketsFlood has few samples, but more series than the default limit.
func TestManyBucketsFlood(t *testing.T) {
	o := newOperator(operator.Options{})
	n := 25_000
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		for i := range n {
			emit(histogram("a", 1, "n", fmt.Sprint(i)))
		}
		return nil
	})
	wantLines(t, scrape(t, o), up("c", 1), failures("c", "limit", 0))
	n++
	wantLines(t, scrape(t, o), up("c", 0), failures("c", "limit", 1))
}

func TestCollectorRecovers(t *testing.T) {
	o := newOperator(operator.Options{})
	var n int
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		emit(gauge("a", 1))
		switch n++; n {
		case 2:
			return errors.New("no luck")
		case 3:
			panic("p")
		}
		return nil
	})
	wantLines(t, scrape(t, o), "a 1", up("c", 1))
	for range 2 {
		body := scrape(t, o)
		wantSeries(t, body)
		wantLines(t, body, up("c", 0))
	}
	wantLines(t, scrape(t, o), "a 1", up("c", 1), failures("c", "error", 1), failures("c", "panic", 1))
}

// TestBlockedCollector blocks without a look at the context. The end of the
// bubble proves that no goroutine is left.
func TestBlockedCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		var inner context.Context
		release := make(chan struct{})
		o.Collect("stuck", func(ctx context.Context, emit func(operator.Metric)) error {
			inner = ctx
			if calls.Add(1) == 1 {
				<-release
			}
			emit(gauge("b", float64(calls.Load())))
			return nil
		})
		o.Collect("good", emits(gauge("a", 1)))

		start := time.Now()
		body := scrape(t, o, timeoutHeader, "1")
		if d := time.Since(start); d != 900*time.Millisecond {
			t.Errorf("the first scrape took %s, want its deadline", d)
		}
		wantSeries(t, body, "a 1")
		wantLines(t, body, up("stuck", 0), up("good", 1), failures("stuck", "timeout", 1), failures("stuck", "busy", 0))
		synctest.Wait()
		if !errors.Is(inner.Err(), context.DeadlineExceeded) {
			t.Errorf("the collector's context: %v, want %v", inner.Err(), context.DeadlineExceeded)
		}

		start = time.Now()
		for n := 1; n <= 100; n++ {
			body = scrape(t, o)
			wantSeries(t, body, "a 1")
			wantLines(t, body, up("stuck", 0), failures("stuck", "timeout", 1), failures("stuck", "busy", n))
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("100 more scrapes waited %s, want none to wait", d)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}

		close(release)
		synctest.Wait()
		body = scrape(t, o)
		wantSeries(t, body, "a 1", "b 2") // nothing of the first call
		wantLines(t, body, up("stuck", 1), failures("stuck", "busy", 100))
	})
}

// TestBlockedCollectorGoroutines counts the goroutines of the real thing.
func TestBlockedCollectorGoroutines(t *testing.T) {
	noLeaks(t, 0)
	before := runtime.NumGoroutine()
	o := newOperator(operator.Options{})
	release := make(chan struct{})
	o.Collect("stuck", func(context.Context, func(operator.Metric)) error {
		<-release
		return nil
	})
	for range 100 {
		scrape(t, o, timeoutHeader, "0.01")
	}
	eventually(t, "one goroutine is left of 100 scrapes", func() bool { return runtime.NumGoroutine() <= before+1 })
	close(release)
}

func TestCollectorThatHeedsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.Collect("slow", func(ctx context.Context, _ func(operator.Metric)) error {
			calls.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}, operator.Timeout(time.Second))
		for n := 1; n <= 3; n++ {
			start := time.Now()
			wantLines(t, scrape(t, o), up("slow", 0), failures("slow", "timeout", n), failures("slow", "busy", 0))
			if d := time.Since(start); d != time.Second {
				t.Errorf("scrape %d took %s, want the collector's own second", n, d)
			}
			synctest.Wait()
		}
		if n := calls.Load(); n != 3 {
			t.Errorf("%d calls, want 3: it was never busy", n)
		}
	})
}

// TestCollectorDeadline blocks until its time is over, and then on. The scrape
// waits for the deadline to the instant; a collector that heeds its context is
// told a little earlier, so that its answer is still heard.
func TestCollectorDeadline(t *testing.T) {
	f := func(name string, opts operator.Options, header string, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(opts)
			var told time.Duration
			release := make(chan struct{})
			defer close(release)
			o.Collect("c", func(ctx context.Context, _ func(operator.Metric)) error {
				start := time.Now()
				<-ctx.Done()
				told = time.Since(start)
				<-release
				return nil
			})
			start := time.Now()
			scrape(t, o, timeoutHeader, header)
			if got := time.Since(start); got != want {
				t.Errorf("%s: the scrape took %s, want %s", name, got, want)
			}
			synctest.Wait()
			if told > want || told < want*9/10 {
				t.Errorf("%s: the collector's time was over after %s of %s", name, told, want)
			}
		})
	}
	const s, ms = time.Second, time.Millisecond
	five := operator.Options{ScrapeTimeout: 5 * s}
	f("nothing said", operator.Options{}, "", 9500*ms)
	f("option", five, "", 4500*ms)
	f("short option", operator.Options{ScrapeTimeout: s}, "", 900*ms)
	f("negative option", operator.Options{ScrapeTimeout: -s}, "", 9500*ms)
	f("header shorter", five, "2", 1800*ms)
	f("header longer", five, "60", 59500*ms)
	f("header with a fraction", five, "0.5", 450*ms)
	f("header in exponents", five, "1e1", 9500*ms)
	f("header 0", five, "0", 4500*ms)
	f("header negative", five, "-1", 4500*ms)
	f("header no number", five, "10s", 4500*ms)
	f("header NaN", five, "NaN", 4500*ms)
	// A request may ask for two minutes, or for what the option says.
	f("header of two minutes", five, "120", 119500*ms)
	f("header of more", five, "120.5", 119500*ms)
	f("header of hours", five, "7200", 119500*ms)
	f("header Inf", five, "Inf", 119500*ms)
	f("header overflows", five, "1e300", 119500*ms)
	longer := operator.Options{ScrapeTimeout: 300 * s}
	f("longer option", longer, "", 299500*ms)
	f("header below a longer option", longer, "200", 199500*ms)
	f("header above a longer option", longer, "7200", 299500*ms)
}

func TestTimeout(t *testing.T) {
	f := func(name string, timeout, least, most time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			var told time.Duration
			o.Collect("c", func(ctx context.Context, _ func(operator.Metric)) error {
				deadline, _ := ctx.Deadline()
				told = time.Until(deadline)
				return nil
			}, operator.Timeout(timeout))
			scrape(t, o, timeoutHeader, "2")
			if told < least || told > most {
				t.Errorf("%s: the collector has %s, want %s to %s", name, told, least, most)
			}
		})
	}
	const s, ms = time.Second, time.Millisecond
	f("shorter than the scrape's", s, s, s)
	f("longer than the scrape's", 3*s, 1620*ms, 1800*ms)
	f("none", 0, 1620*ms, 1800*ms)
}

func TestLateEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		var late sync.WaitGroup
		first := func() bool {
			select {
			case <-release:
				return false
			default:
				return true
			}
		}
		o.Collect("leaves a goroutine", func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("a", 1))
			if first() {
				late.Go(func() {
					<-release
					emit(gauge("late", 1))
				})
			}
			return nil
		})
		o.Collect("outlives the deadline", func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("b", 1))
			if first() {
				<-release
				emit(gauge("late", 2))
			}
			return nil
		})
		wantSeries(t, scrape(t, o), "a 1")
		close(release)
		late.Wait()
		synctest.Wait()
		wantSeries(t, scrape(t, o), "a 1", "b 1")
	})
}

// TestEmitRacesWithTheEnd has nothing to check but the race detector.
func TestEmitRacesWithTheEnd(t *testing.T) {
	noLeaks(t, 0)
	o := newOperator(operator.Options{})
	var wg sync.WaitGroup
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		for i := range 4 {
			wg.Go(func() {
				for j := range 50 {
					emit(gauge("a", 1, "n", fmt.Sprint(i, j)))
				}
			})
		}
		return nil
	})
	for range 20 {
		scrape(t, o)
	}
	wg.Wait()
}

func TestEmitFromSeveralGoroutines(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 100 {
					emit(gauge("a", 1, "n", fmt.Sprint(100*i+j)))
				}
			})
		}
		wg.Wait()
		return nil
	})
	if n := len(series(scrape(t, o))); n != 800 {
		t.Errorf("%d series, want 800", n)
	}
}

func TestEmitDoesNotKeepLabels(t *testing.T) {
	o := plain()
	labels := make([]metric.Label, 2)
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		for _, v := range []string{"1", "2"} {
			labels[0], labels[1] = metric.Label{Name: "b", Value: v}, metric.Label{Name: "a", Value: v}
			emit(operator.Metric{Name: "m", Labels: labels})
		}
		labels[0].Value = "3"
		return nil
	})
	wantSeries(t, scrape(t, o), `m{a="1",b="1"} 0`, `m{a="2",b="2"} 0`)
	if labels[0].Name != "b" {
		t.Errorf("the collector's labels were sorted in place: %q", labels)
	}
}

func TestNamesAreTakenOnce(t *testing.T) {
	nothing := emits()
	f := func(name, want string, register func(o *operator.Operator)) {
		t.Helper()
		defer func() {
			t.Helper()
			if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), want) {
				t.Errorf("%s: panic %v, want one with %q", name, p, want)
			}
		}()
		o := newOperator(operator.Options{})
		register(o)
	}
	f("two collectors", `collector "c" is registered twice`, func(o *operator.Operator) {
		o.Collect("c", nothing)
		o.Collect("c", nothing)
	})
	f("collector and part", `collector "c" is registered twice`, func(o *operator.Operator) {
		o.Collect("c", nothing)
		o.AddPart("c", renders("a"))
	})
	f("two daemons", `daemon "d" is registered twice`, func(o *operator.Operator) {
		o.Daemon("d", func(context.Context) error { return nil })
		o.Daemon("d", func(context.Context) error { return nil })
	})
	f("two routes", "conflicts", func(o *operator.Operator) {
		o.Expose("/metrics", exposition.Prometheus{})
	})
	f("route of the operator", "conflicts", func(o *operator.Operator) {
		o.Handle("GET /livez", http.NotFoundHandler())
	})
}
