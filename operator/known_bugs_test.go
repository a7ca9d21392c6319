//go:build knownbugs

package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
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

// The tests of this file failed when they were written. Each goes to the file
// that it belongs to once the code is right.
//
//	go test -race -tags knownbugs -run Bug ./...

// Section 3.4: waited for min(own timeout, scrape deadline). collect.go: call
// waits for the scrape's deadline only.
func TestBugOwnTimeoutBoundsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		defer close(release)
		o.Collect("deaf", func(context.Context, func(operator.Metric)) error {
			<-release
			return nil
		}, operator.Timeout(time.Second))
		start := time.Now()
		wantLines(t, scrape(t, o), failures("deaf", "timeout", 1))
		if d := time.Since(start); d != time.Second {
			t.Errorf("the scrape took %s, want the collector's own second", d)
		}
	})
}

// CollectorFunc: emit does nothing after its time is over.
func TestBugEmitAfterOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			time.Sleep(2 * time.Second)
			emit(gauge("late", 1))
			return nil
		}, operator.Timeout(time.Second))
		body := scrape(t, o)
		wantSeries(t, body)
		wantLines(t, body, up("c", 0), failures("c", "timeout", 1))
		synctest.Wait()
		time.Sleep(time.Minute)
	})
}

// A scraper that hangs up is no deadline of the collector: later scrapes must
// join the call, and no timeout must be counted.
func TestBugHangUpMakesOthersBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			<-release
			emit(gauge("a", 1))
			return nil
		})
		var wg sync.WaitGroup
		first, hangUp := context.WithCancel(t.Context())
		wg.Go(func() { do(first, o, http.MethodGet, "/metrics") })
		synctest.Wait()
		hangUp()
		synctest.Wait()
		wg.Go(func() {
			body := scrape(t, o)
			wantSeries(t, body, "a 1")
			wantLines(t, body, failures("c", "busy", 0), failures("c", "timeout", 0))
		})
		synctest.Wait()
		close(release)
		wg.Wait()
	})
}

// A scraper with a short deadline must not take a call from one with a long
// deadline that comes later, while the call's own time is not over.
func TestBugShortDeadlineMakesOthersBusy(t *testing.T) {
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
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "1")) }) // joins and gives up
		time.Sleep(2 * time.Second)
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "10"), "a 1") })
		wg.Wait()
	})
}

// Scrapes that share a call sort the same label slices: a race.
func TestBugSharedSamplesAreSortedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			<-release
			for i := range 200 {
				emit(operator.Metric{Name: "a", Labels: []metric.Label{{Name: "z", Value: fmt.Sprint(i)}, {Name: "m", Value: "1"}, {Name: "a", Value: "1"}}})
			}
			return nil
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if n := len(series(scrape(t, o))); n != 200 {
					t.Errorf("%d series, want 200", n)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
	})
}

// CollectorFunc: calls of one collector never overlap. Two formats do.
func TestBugFormatsOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		release := make(chan struct{})
		o.Collect("c", func(context.Context, func(operator.Metric)) error {
			calls.Add(1)
			<-release
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { scrape(t, o, "Accept", "text/plain") })
		wg.Go(func() { scrape(t, o, "Accept", "application/openmetrics-text") })
		synctest.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls at once, want 1", n)
		}
		close(release)
		wg.Wait()
	})
}

// metric.Label: an empty value is the same as no label.
func TestBugEmptyLabelValueIsADuplicate(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", emits(gauge("a", 1), gauge("a", 2, "x", "")))
	body := scrape(t, o)
	if n := len(series(body)); n != 1 {
		t.Errorf("%d series, want 1: they are the same to Prometheus", n)
	}
	wantLines(t, body, droppedLine("c", "duplicate", 1))
}

// Self-metrics join after the duplicates have gone.
func TestBugSelfMetricsDuplicate(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", emits(operator.Metric{Name: "operator_collector_up", Type: metric.Gauge, Labels: metric.Labels("collector", "c"), Value: 7}))
	body := scrape(t, o)
	if n := strings.Count(body, `operator_collector_up{collector="c"}`); n != 1 {
		t.Errorf("the series is there %d times:\n%s", n, body)
	}
}

// The error of a panic carries a stack with the number of a goroutine and
// addresses: it is always new, and logged with each scrape.
func TestBugSamePanicIsLoggedAgain(t *testing.T) {
	var log bytes.Buffer
	o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	o.Collect("c", func(context.Context, func(operator.Metric)) error { panic("p") })
	for range 5 {
		scrape(t, o)
	}
	if n := strings.Count(log.String(), "Collector failed"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

// One failed call that two scrapes share counts as two; so do its drops.
func TestBugSharedFailureCountsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
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
	})
}

// OpenMetrics: the metadata of a and a_total, or of a_total and a_info, is of
// one name, which must be unique.
func TestBugOpenMetricsNamesClash(t *testing.T) {
	f := func(ms ...operator.Metric) {
		t.Helper()
		o := plain()
		o.Collect("c", emits(ms...))
		body := scrape(t, o, "Accept", "application/openmetrics-text")
		if n := strings.Count(body, "# TYPE a "); n > 1 {
			t.Errorf("%d families of one name:\n%s", n, body)
		}
	}
	f(gauge("a", 1), counter("a_total", 1))
	f(counter("a_total", 1), operator.Metric{Name: "a_info", Type: metric.Info, Value: 1})
}

// Options.Listener: Run closes it.
func TestBugListenerStaysOpen(t *testing.T) {
	ln := listen(t)
	o := newOperator(operator.Options{Listener: ln})
	p := renders("a")
	p.families = []string{"a"}
	o.AddPart("one", p)
	o.AddPart("two", p)
	if err := o.Run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run left the listener open")
	}
}

// A check that blocks for good costs a goroutine per request.
func TestBugStuckCheckPilesUp(t *testing.T) {
	o := newOperator(operator.Options{})
	release := make(chan struct{})
	defer close(release)
	o.Check(operator.Live, "stuck", func(context.Context) error {
		<-release
		return nil
	})
	before := runtime.NumGoroutine()
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		do(ctx, o, http.MethodGet, "/livez")
		cancel()
	}
	for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before+1; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are stuck, want 1", runtime.NumGoroutine()-before)
		}
	}
}

// A part with a chunk that cannot be inflated costs an identity scrape all.
func TestBugBadChunkCostsTheScrape(t *testing.T) {
	o := newOperator(operator.Options{})
	o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		return []exposition.Rendered{{Desc: metric.Desc{Name: "p"}, Chunks: []exposition.Chunk{{Deflate: []byte("\xff"), Size: 7}}}}, nil
	}})
	o.Collect("c", emits(gauge("a", 1)))
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic %v", p)
		}
	}()
	wantSeries(t, scrape(t, o), "a 1")
}

// Several lines of a header are one list (RFC 9110 section 5.3).
func TestBugSeveralAcceptLines(t *testing.T) {
	o := plain()
	o.Collect("c", emits(gauge("a", 1)))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header["Accept"] = []string{"text/plain;q=0.5", "application/openmetrics-text"}
	r.Header["Accept-Encoding"] = []string{"deflate", "gzip"}
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	if h := w.Result().Header; !strings.HasPrefix(h.Get("Content-Type"), "application/openmetrics-text") || h.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %v", h)
	}
}

// A daemon that panics or fails while it is cancelled leaves no trace.
func TestBugFailureAtShutdownIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		o.Daemon("d", func(ctx context.Context) error {
			<-ctx.Done()
			panic("while draining")
		})
		err := background(t, o)()
		if err == nil && !strings.Contains(log.String(), "while draining") {
			t.Error("neither the log nor Run has a word about the panic")
		}
	})
}

// The header names 2 hours, the scrape gets the default of 10 seconds.
func TestBugLongDeadline(t *testing.T) {
	o := plain()
	var got time.Duration
	o.Collect("c", func(ctx context.Context, _ func(operator.Metric)) error {
		d, _ := ctx.Deadline()
		got = time.Until(d)
		return nil
	})
	scrape(t, o, timeoutHeader, "7200")
	if got < time.Minute {
		t.Errorf("the collector has %s of two hours", got)
	}
}
