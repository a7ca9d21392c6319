package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

func TestConcurrentScrapesShareACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		release := make(chan struct{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			n := calls.Add(1)
			<-release
			emit(gauge("a", float64(n)))
			return nil
		})
		var wg sync.WaitGroup
		for i := range 6 { // whatever the format
			wg.Go(func() {
				accept := []string{"text/plain", "application/openmetrics-text"}[i%2]
				wantSeries(t, scrape(t, o, "Accept", accept), "a 1")
			})
		}
		synctest.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls under way, want 1", n)
		}
		close(release)
		wg.Wait()
		wantSeries(t, scrape(t, o), "a 2") // nothing is cached
	})
}

// TestPartIsCalledPerFormat: its lines may depend on the format.
func TestPartIsCalledPerFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls [2]atomic.Int32
		release := make(chan struct{})
		o.AddPart("p", part{gather: func(_ context.Context, f exposition.Format) ([]exposition.Rendered, error) {
			calls[f].Add(1)
			<-release
			return []exposition.Rendered{rendered("p", fmt.Sprintf("p %d\n", f))}, nil
		}})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { wantSeries(t, scrape(t, o, "Accept", "text/plain"), "p 0") })
			wg.Go(func() { wantSeries(t, scrape(t, o, "Accept", "application/openmetrics-text"), "p 1") })
		}
		synctest.Wait()
		if text, om := calls[exposition.Text].Load(), calls[exposition.OpenMetrics].Load(); text != 1 || om != 1 {
			t.Errorf("%d calls for text and %d for OpenMetrics under way, want 1 and 1", text, om)
		}
		close(release)
		wg.Wait()
	})
}

// TestSharedResult has something to find for the race detector, too: scrapes
// that share samples must not sort or otherwise change them.
func TestSharedResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			<-release
			for i := range 200 {
				emit(operator.Metric{Name: "a", Labels: []metric.Label{{Name: "z", Value: fmt.Sprint(i)}, {Name: "m", Value: "1"}, {Name: "a", Value: ""}}})
			}
			return nil
		})
		o.AddPart("p", renders("b", "a", "b"))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				accept := []string{"text/plain", "application/openmetrics-text"}[i%2]
				if n := len(series(scrape(t, o, "Accept", accept))); n != 201 {
					t.Errorf("%d series, want 201", n)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
	})
}

func TestSharedFailureCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		release := make(chan struct{})
		o.Collect("fails", func(context.Context, func(operator.Metric)) error {
			<-release
			return errors.New("no luck")
		})
		o.Collect("drops", func(_ context.Context, emit func(operator.Metric)) error {
			<-release
			emit(counter("a", -1))
			return nil
		})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { scrape(t, o) })
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		wantLines(t, scrape(t, o), failures("fails", "error", 2), droppedLine("drops", "invalid", 2))
		for _, line := range []string{"collector=fails", "collector=drops"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%d lines in the log with %s, want 1:\n%s", n, line, log.String())
			}
		}
	})
}

// TestHungUpScraper: neither the call nor the scrape that joined it ends with
// the scrape that began it.
func TestHungUpScraper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		var inner context.Context
		release := make(chan struct{})
		o.Collect("c", func(ctx context.Context, emit func(operator.Metric)) error {
			inner = ctx
			calls.Add(1)
			<-release
			emit(gauge("a", 1))
			return ctx.Err()
		})
		served := func() {
			body := scrape(t, o)
			wantSeries(t, body, "a 1")
			wantLines(t, body, up("c", 1), failures("c", "busy", 0), failures("c", "timeout", 0), failures("c", "error", 0))
		}
		var wg sync.WaitGroup
		first, hangUp := context.WithCancel(t.Context())
		wg.Go(func() { do(first, o, http.MethodGet, "/metrics") })
		synctest.Wait()
		wg.Go(served) // joins before
		synctest.Wait()
		hangUp()
		synctest.Wait()
		if err := inner.Err(); err != nil {
			t.Errorf("the collector's context ended: %v", err)
		}
		wg.Go(served) // joins after
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

// TestScraperWithAShortDeadline gives up alone.
func TestScraperWithAShortDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			time.Sleep(5 * time.Second)
			emit(gauge("a", 1))
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "10"), "a 1") })
		synctest.Wait()
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "1")) })
		time.Sleep(2 * time.Second)
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "10"), "a 1") })
		wg.Wait()
	})
}

// TestMorePatientScraper joins a call that one with less time has begun.
func TestMorePatientScraper(t *testing.T) {
	f := func(name string, collect operator.CollectorFunc) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("c", collect)
			var wg sync.WaitGroup
			wg.Go(func() {
				if got := series(scrape(t, o, timeoutHeader, "1")); len(got) != 0 {
					t.Errorf("%s: after a second there is %q already", name, got)
				}
			})
			synctest.Wait()
			wg.Go(func() {
				if got := series(scrape(t, o, timeoutHeader, "10")); len(got) != 1 {
					t.Errorf("%s: %q in ten seconds, want a series", name, got)
				}
			})
			wg.Wait()
		})
	}
	f("deaf", func(_ context.Context, emit func(operator.Metric)) error {
		time.Sleep(3 * time.Second)
		emit(gauge("a", 1))
		return nil
	})
	f("heeds its context", func(ctx context.Context, emit func(operator.Metric)) error {
		select {
		case <-ctx.Done():
			return fmt.Errorf("asking: %w", ctx.Err())
		case <-time.After(3 * time.Second):
			emit(gauge("a", 1))
			return nil
		}
	})
}

// TestGoexit: a collector that ends its goroutine has failed, and is called
// again.
func TestGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(context.Context, func(operator.Metric)) error {
			runtime.Goexit()
			return nil
		})
		start := time.Now()
		for n := 1; n <= 3; n++ {
			wantLines(t, scrape(t, o), up("c", 0), failures("c", "error", n))
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("scrapes waited for it: %s", d)
		}
	})
}

func TestContextEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var inner context.Context
		o.Collect("c", func(ctx context.Context, _ func(operator.Metric)) error {
			inner = ctx
			return nil
		})
		scrape(t, o)
		synctest.Wait()
		if err := inner.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("the context of a call that has returned: %v, want %v", err, context.Canceled)
		}
	})
}

func TestOwnTimeoutBoundsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		defer close(release)
		o.Collect("deaf", func(context.Context, func(operator.Metric)) error {
			<-release
			return nil
		}, operator.Timeout(time.Second))
		start := time.Now()
		var wg sync.WaitGroup
		waits := func() {
			wantLines(t, scrape(t, o), up("deaf", 0), failures("deaf", "timeout", 1))
			if d := time.Since(start); d != time.Second {
				t.Errorf("the scrape took until %s, want the collector's own second", d)
			}
		}
		wg.Go(waits)
		time.Sleep(time.Second / 2)
		wg.Go(waits) // its deadline is later, the collector's is not
		wg.Wait()
	})
}

// TestTimedOutScrapeSaysSo: what a scrape lacks, its self-metrics know. Several
// timers end in that instant, in any order.
func TestTimedOutScrapeSaysSo(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			release := make(chan struct{})
			defer close(release)
			o.Collect("stuck", func(context.Context, func(operator.Metric)) error {
				<-release
				return nil
			})
			wantLines(t, scrape(t, o), up("stuck", 0), failures("stuck", "timeout", 1))
		})
	}
}

func TestEmitAfterOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("early", 1))
			time.Sleep(2 * time.Second)
			emit(gauge("late", 1))
			return nil
		}, operator.Timeout(time.Second))
		body := scrape(t, o)
		wantSeries(t, body)
		wantLines(t, body, up("c", 0), failures("c", "timeout", 1))
		time.Sleep(time.Minute)
	})
}

// TestFailuresAreLoggedOncePerMinute, whatever they are: who scrapes does not
// say how much is logged.
func TestFailuresAreLoggedOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		good := func() error { return nil }
		ends := map[string]func() error{"c": good, "other": good}
		for _, name := range []string{"c", "other"} {
			o.Collect(name, func(context.Context, func(operator.Metric)) error { return ends[name]() })
		}
		f := func(name string, after time.Duration, collector string, next func() error, want int, words ...string) {
			t.Helper()
			time.Sleep(after)
			log.Reset()
			ends[collector] = next
			for range 5 {
				scrape(t, o)
			}
			if n := strings.Count(log.String(), `msg="Collector failed"`); n != want || strings.Count(log.String(), "\n") != want {
				t.Errorf("five scrapes, %s: %d lines, want %d:\n%s", name, n, want, log.String())
			}
			for _, w := range words {
				if !strings.Contains(log.String(), w) {
					t.Errorf("%s: no %q in:\n%s", name, w, log.String())
				}
			}
		}
		fails := func(s string) func() error { return func() error { return errors.New(s) } }
		panics := func() error { panic("at the disco") }
		const m = time.Minute
		f("good", 0, "c", good, 0)
		f("an error", m, "c", fails("one"), 1, "collector=c", "err=one")
		f("the same", m/2, "c", fails("one"), 0)
		f("another", 0, "c", fails("two"), 0)
		f("good again", 0, "c", good, 0)
		f("bad after that", m/2-1, "c", fails("one"), 0)
		f("another collector", 0, "other", fails("three"), 1, "collector=other", "err=three")
		f("a minute is over", 1, "c", fails("two"), 1, "collector=c", "err=two")
		f("and that of the other", m-1, "c", good, 1, "collector=other", "err=three")
		f("a panic", m, "c", panics, 2, "panic: at the disco", "call_test.go") // where it was
		f("the same panic", m-1, "c", panics, 0)
	})
}

// TestDropsAreLogged: the log says which family lacks samples, and why.
func TestDropsAreLogged(t *testing.T) {
	const d = time.Minute
	escaped := emits(gauge("a", 2, "x.y", "1", "x_y", "1"))
	for _, c := range []struct {
		name     string
		accept   string
		register func(o *operator.Operator)
		want     string // without quotes
	}{
		{"invalid samples", "", func(o *operator.Operator) {
			o.Collect("c", emits(counter("a", 1), counter("a", -1, "x", "1"), counter("a", -2, "x", "2")))
		}, "collector=c reason=invalid samples=2 err=a: counter has the value -1"},
		{"invalid family", "", func(o *operator.Operator) {
			o.Collect("c", emits(operator.Metric{Name: "b", Unit: "seconds"}, operator.Metric{Name: "b", Unit: "seconds", Labels: metric.Labels("x", "1")}))
		}, "collector=c reason=invalid samples=2 err=metric name b does not end in its unit seconds"},
		{"duplicate of its own", "", func(o *operator.Operator) {
			o.Collect("c", emits(gauge("a", 1), gauge("a", 2), gauge("a", 3)))
		}, "collector=c reason=duplicate samples=2 err=a: two samples have the same labels"},
		{"duplicate of another", "", func(o *operator.Operator) {
			o.Collect("first", emits(gauge("a", 1)))
			o.Collect("c", emits(gauge("a", 2), gauge("a", 2, "x", "1")))
		}, "collector=c reason=duplicate samples=1 err=a: another collector has given a sample with the same labels"},
		{"conflict", "", func(o *operator.Operator) {
			o.Collect("first", emits(gauge("a", 1)))
			o.Collect("c", emits(counter("a", 2), counter("a", 2, "x", "1")))
		}, "collector=c reason=conflict samples=2 err=a, a counter: the name, or that of one of its series, belongs to another collector, part or type"},
		{"source", "", func(o *operator.Operator) {
			src := plain()
			src.Collect("x", emits(gauge("a", 1)))
			o.Collect("first", emits(counter("a", 1)))
			o.AddSource("c", src)
		}, "collector=c reason=conflict samples=1 err=a, a gauge: the name, or that of one of its series, belongs to another collector, part or type"},
		{"labels of one sample, escaped", underscores, func(o *operator.Operator) {
			o.Collect("c", escaped)
		}, "collector=c reason=invalid samples=1 err=a: two labels have one name once it is escaped (underscores)"},
		{"labels of two samples, escaped", underscores, func(o *operator.Operator) {
			o.Collect("c", emits(gauge("a", 1, "x.y", "1"), gauge("a", 1, "x_y", "1")))
		}, "collector=c reason=duplicate samples=1 err=a: two samples have the same labels once they are escaped (underscores)"},
		{"labels of one sample, not escaped", allowUTF8, func(o *operator.Operator) { o.Collect("c", escaped) }, ""},
		{"part, invalid", "", func(o *operator.Operator) {
			o.AddPart("c", lines(metric.Desc{Name: "b", Unit: "seconds"}, "b 1\n"))
		}, "collector=c reason=invalid samples=1 err=metric name b does not end in its unit seconds"},
		{"part, conflict", "", func(o *operator.Operator) {
			o.AddPart("first", renders("a"))
			o.AddPart("c", renders("a"))
		}, "collector=c reason=conflict samples=1 err=a, a gauge: the name, or that of one of its series, belongs to another collector, part or type"},
		{"part as data, conflict", formats["protobuf"], func(o *operator.Operator) {
			o.AddPart("first", renders("a"))
			o.AddPart("c", renders("a"))
		}, "collector=c reason=conflict samples=1 err=a, a gauge: the name, or that of one of its series, belongs to another collector, part or type"},
		{"part as data, duplicate", formats["protobuf"], func(o *operator.Operator) {
			o.AddPart("c", lines(metric.Desc{Name: "a", Type: metric.Gauge}, "a 1\na 2\n"))
		}, "collector=c reason=duplicate samples=1 err=a: two samples have the same labels"},
		{"nothing", "", func(o *operator.Operator) {
			o.Collect("c", emits(gauge("a", 1)))
			o.AddPart("p", renders("b"))
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				c.register(o)
				for _, after := range []time.Duration{0, d / 2, d/2 - 1, 1} { // the last is a minute after the first
					time.Sleep(after)
					logged := after != d/2 && after != d/2-1
					log.Reset()
					scrape(t, o, "Accept", c.accept)
					scrape(t, o, "Accept", c.accept)
					_, got, _ := strings.Cut(strings.NewReplacer(`\"`, "", `"`, "").Replace(log.String()), "level=WARN msg=")
					want := ""
					if logged && c.want != "" {
						want = "Samples cannot be exposed " + c.want + "\n"
					}
					if got != want {
						t.Errorf("the log has\n%swant\n%s", got, want)
					}
				}
			})
		})
	}
}

// TestDropsAreLoggedPerReason, and per collector.
func TestDropsAreLoggedPerReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		emitted := map[string][]operator.Metric{}
		for _, name := range []string{"first", "second"} {
			o.Collect(name, func(ctx context.Context, emit func(operator.Metric)) error { return emits(emitted[name]...)(ctx, emit) })
		}
		f := func(after time.Duration, collector string, want []string, ms ...operator.Metric) {
			t.Helper()
			time.Sleep(after)
			log.Reset()
			clear(emitted)
			emitted[collector] = ms
			scrape(t, o)
			if n := strings.Count(log.String(), "\n"); n != len(want) {
				t.Errorf("%d lines, want %d:\n%s", n, len(want), log.String())
			}
			for _, w := range want {
				if !strings.Contains(log.String(), "collector="+collector+" reason="+w+" ") {
					t.Errorf("nothing of %s, %s:\n%s", collector, w, log.String())
				}
			}
		}
		a, b := gauge("a", 1), counter("b", -1)
		f(0, "first", []string{"invalid"}, b)
		f(time.Second, "first", []string{"duplicate"}, a, a, b)
		f(0, "second", []string{"invalid", "duplicate"}, a, a, b)
		f(59*time.Second, "first", []string{"invalid"}, a, a, b)
		f(time.Second, "first", []string{"duplicate"}, a, a, b)
		f(0, "second", []string{"invalid", "duplicate"}, a, a, b)
	})
}

// TestStuckCollectorIsLoggedOnce: that it is busy is no news.
func TestStuckCollectorIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		release := make(chan struct{})
		defer close(release)
		o.Collect("stuck", func(context.Context, func(operator.Metric)) error {
			<-release
			return nil
		})
		for range 5 {
			scrape(t, o)
			synctest.Wait()
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines, want 1:\n%s", n, log.String())
		}
	})
}
