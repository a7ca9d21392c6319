package operator_test

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
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

type nilErr struct{ s string }

func (e *nilErr) Error() string { return e.s }

// TestUnreadableErrors runs what once ended the process in a process of its own:
// nil pointers as errors, and a pause that cannot be doubled.
func TestUnreadableErrors(t *testing.T) {
	kinds := map[string]func(*testing.T){
		"collector, second failure": func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("c", func(context.Context, func(operator.Metric)) error { var e *nilErr; return e })
			scrape(t, o)
			scrape(t, o)
		},
		"collector, first failure": func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("c", func(context.Context, func(operator.Metric)) error { var e *url.Error; return e })
			scrape(t, o)
		},
		"daemon": func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				o.Daemon("c", func(context.Context) error { var e *url.Error; return e })
				background(t, o)()
			})
		},
		"probe": func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Probe("c", func(context.Context) (any, error) { var e *nilErr; return nil, e })
			get(o, "/probes")
		},
		"restart": func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				o.Daemon("d", func(context.Context) error { return errors.New("no luck") }, operator.Restart(math.MaxInt64, math.MaxInt64, time.Hour))
				background(t, o)()
			})
		},
		"restart, doubled": func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				calls, ended := 0, time.Now()
				o.Daemon("d", func(context.Context) error {
					if pause := time.Since(ended); pause > math.MaxInt64/4 {
						t.Errorf("a pause of %s", pause)
					}
					ended = time.Now()
					if calls++; calls > 3 { // four might be more than the clock can count
						return operator.ErrStop
					}
					return errors.New("no luck")
				}, operator.Restart(math.MaxInt64-1, math.MaxInt64, math.MaxInt64), operator.Critical())
				if err := o.Run(t.Context()); err == nil || calls != 4 {
					t.Errorf("Run: %v after %d calls", err, calls)
				}
			})
		},
	}
	if name := os.Getenv("OPERATOR_TEST_CRASH"); name != "" {
		kinds[name](t)
		return
	}
	for name := range kinds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestUnreadableErrors$")
		cmd.Env = append(os.Environ(), "OPERATOR_TEST_CRASH="+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: the process ended: %v\n%.160s", name, err, out)
		}
	}
}

// TestMiddlewareOfAnotherGoroutine has something to find for the race detector:
// the guard must bear a middleware that answers while the handler still runs.
func TestMiddlewareOfAnotherGoroutine(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Protect(func(h http.Handler) http.Handler { return http.TimeoutHandler(h, 10*time.Millisecond, "late") })
	release := make(chan struct{})
	o.Handle("GET /slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	get(o, "/slow")
	close(release)
}

// TestFamiliesOwnTheirLabels changes a label of what Families returned, which
// must not change what a later scrape gets of the same call.
func TestFamiliesOwnTheirLabels(t *testing.T) {
	o := plain()
	o.Collect("c", emits(gauge("a", 1, "x", "1")), operator.MinInterval(time.Hour))
	families, _ := o.Families(t.Context())
	families[0].Samples[0].Labels[0].Value = "changed"
	wantSeries(t, scrape(t, o), `a{x="1"} 1`)
}

// TestPartOwnsItsFamilyInEveryFormat wants a collector's samples kept out of a
// part's family also where the part's lines are parsed to become data.
func TestPartOwnsItsFamilyInEveryFormat(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Expose("/json", exposition.JSON{})
	o.AddPart("p", renders("a"))
	o.Collect("c", emits(gauge("a", 1, "x", "1")))
	wantSeries(t, scrape(t, o), "a 1")
	if got := get(o, "/json?name[]=a").Body.String(); strings.Contains(got, `"x"`) {
		t.Errorf("JSON has more: %s", got)
	}
	wantLines(t, scrape(t, o), droppedLine("c", "conflict", 3))
}

// TestCertificateOfNoClient asks for the certificate's end with a function that
// panics when no client is there, which must not cost the scrape.
func TestCertificateOfNoClient(t *testing.T) {
	o := newOperator(operator.Options{TLS: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return nil, h.Context().Err()
	}}})
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("the scrape panics: %v", p)
		}
	}()
	scrape(t, o)
}

// TestTaskThatEndsItsGoroutine wants a task that calls runtime.Goexit counted as
// failed and started again, also when it is critical.
func TestTaskThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Timer("t", time.Minute, func(context.Context) error { runtime.Goexit(); return nil })
		o.Daemon("d", func(context.Context) error { runtime.Goexit(); return nil }, operator.Critical())
		stop := background(t, o)
		time.Sleep(time.Hour)
		body := scrape(t, o)
		if strings.Contains(body, "last_success") {
			t.Error("it counts as a success")
		}
		if strings.Contains(body, restartsLine("d", 0)) || strings.Contains(body, timerFailures("t", 0)) {
			t.Errorf("it was not started again:\n%s", body)
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v, want nil: a failure is not the end of a critical task", err)
		}
	})
}

// TestStartupStaysPassed lets kubelets hang up in the instant in which a startup
// check passes, which must not make it be asked again.
func TestStartupStaysPassed(t *testing.T) {
	bad := 0
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			var calls atomic.Int32
			o.Check(operator.Startup, "s", func(context.Context) error {
				calls.Add(1)
				time.Sleep(500 * time.Millisecond)
				return nil
			})
			var wg sync.WaitGroup
			for range 4 { // kubelets that hang up as it passes
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				wg.Go(func() { do(ctx, o, "GET", "/startupz") })
			}
			passed := false
			wg.Go(func() { passed = get(o, "/startupz").Code == 200 })
			wg.Wait()
			get(o, "/startupz")
			if passed && calls.Load() != 1 {
				bad++
			}
		})
	}
	if bad > 0 {
		t.Errorf("a check that has passed was asked again in %d of 300 runs", bad)
	}
}

// TestPrefixThatIsEscaped wants the names of self-metrics reserved as they are
// after escaping, not only as the prefix says them.
func TestPrefixThatIsEscaped(t *testing.T) {
	o := newOperator(operator.Options{})
	o.SelfMetrics("my.op")
	o.Collect("c", emits(gauge("my_op_collector_up", 7, "collector", "z"), counter("my_op_collector_duration_seconds", 7)))
	body := scrape(t, o)
	wantLines(t, body, `my_op_collector_up{collector="c"} 1`, "# TYPE my_op_collector_duration_seconds gauge",
		`my_op_samples_dropped_total{collector="c",reason="conflict"} 2`)
}

// TestLeaderTermsDoNotOverlap begins a second term while a call of the first is
// stuck, and wants no call of the same timer beside it.
func TestLeaderTermsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{Grace: time.Second})
		var now, most atomic.Int32
		release := make(chan struct{})
		o.Timer("t", time.Minute, func(context.Context) error {
			most.Store(max(most.Load(), now.Add(1)))
			<-release
			now.Add(-1)
			return nil
		}, operator.LeaderOnly())
		l := o.LeaderBackground()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			_ = l.Start(ctx)
			cancel()
		}
		close(release)
		if n := most.Load(); n != 1 {
			t.Errorf("%d calls of one timer at once", n)
		}
	})
}

// TestListenerIsClosedAfterRun stops Run before it has begun to serve, which must
// not leave the listener open.
func TestListenerIsClosedAfterRun(t *testing.T) {
	late := 0
	for range 500 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = newOperator(operator.Options{Listener: ln}).Run(ctx)
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			late++
		}
	}
	if late > 0 {
		t.Errorf("open after Run: %d of 500", late)
	}
}

// TestRenderKnowsTheFormat wants a timestamp of Render in seconds when the scrape
// is in OpenMetrics.
func TestRenderKnowsTheFormat(t *testing.T) {
	o := plain()
	o.AddPart("p", part{gather: func(ctx context.Context, f exposition.Format) ([]exposition.Rendered, error) {
		return operator.Render(ctx, f, emits(operator.Metric{Name: "a", Type: metric.Gauge, Time: time.UnixMilli(1_700_000_000_123)}))
	}})
	wantSeries(t, scrape(t, o, "Accept", formats["OpenMetrics"]), "a 0 1700000000.123")
}

// TestEncoderByPointer wants the same exposition of a Prometheus encoder that is
// given by its address.
func TestEncoderByPointer(t *testing.T) {
	o := plain()
	o.Expose("/p", &exposition.Prometheus{})
	o.Collect("c", emits(gauge("a.b", 1), gauge("a_b", 2), gauge("x", 1), counter("x_total", 1)))
	for _, accept := range []string{"", formats["OpenMetrics"]} {
		if a, b := scrape(t, o, "Accept", accept), get(o, "/p", "Accept", accept).Body.String(); a != b {
			t.Errorf("by value:\n%sby pointer:\n%s", a, b)
		}
	}
}

// TestRefusedPartLeavesNothing: a panic may be recovered.
func TestRefusedPartLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		stop := background(t, o)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a part that comes late is accepted")
				}
			}()
			o.AddPart("late", part{gather: badChunk("late")})
		}()
		if body := scrape(t, o); strings.Contains(body, "late") {
			t.Errorf("the part is asked:\n%s", body)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestNothingIsKeptBeyondRun: a call that ends with Run has failed for that, and
// the next Run asks anew.
func TestNothingIsKeptBeyondRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(ctx context.Context, emit func(operator.Metric)) error {
			emit(gauge("a", 1))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}, operator.MinInterval(time.Hour))
		stop := background(t, o)
		done := make(chan string)
		go func() { done <- scrape(t, o) }()
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		wantLines(t, <-done, up("c", 0))
		stop = background(t, o)
		wantLines(t, scrape(t, o), "a 1", up("c", 1))
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
