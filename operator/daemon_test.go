package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// background runs o in a bubble until the returned function stops it, which
// gives what Run returned.
func background(t *testing.T, o *operator.Operator) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- o.Run(ctx) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-result
	}
}

func restartsLine(name string, n int) string {
	return fmt.Sprintf(`operator_daemon_restarts_total{daemon="%s"} %d`, name, n)
}

func runningLine(name string, n int) string {
	return fmt.Sprintf(`operator_daemon_running{daemon="%s"} %d`, name, n)
}

func TestDaemonRestarts(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":         func() error { return errors.New("no luck") },
		"panic":         func() error { panic("no luck") },
		"wrapped error": func() error { return fmt.Errorf("x: %w", context.Canceled) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				var starts atomic.Int32
				o.Daemon("d", func(ctx context.Context) error {
					if starts.Add(1) <= 3 {
						return fail()
					}
					<-ctx.Done()
					return ctx.Err()
				})
				stop := background(t, o)
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := starts.Load(); n != 4 {
					t.Errorf("%d starts, want 4", n)
				}
				wantLines(t, scrape(t, o), runningLine("d", 1), restartsLine("d", 3))
				if err := stop(); err != nil {
					t.Errorf("Run: %v", err)
				}
				wantLines(t, scrape(t, o), runningLine("d", 0), restartsLine("d", 3))
			})
		})
	}
}

func TestDaemonPausesBetweenRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Daemon("d", func(context.Context) error { return errors.New("no luck") }, operator.Restart(1000*time.Hour, 1000*time.Hour, time.Hour))
		stop := background(t, o)
		wantLines(t, scrape(t, o), runningLine("d", 0), restartsLine("d", 0))
		if err := stop(); err != nil { // a pause does not hold up the shutdown
			t.Errorf("Run: %v", err)
		}
	})
}

// TestDaemonBackoff runs many daemons that always fail, as one pause is random
// but the longest of many is not: its odds to stay below half the bound are
// one to 2^64.
func TestDaemonBackoff(t *testing.T) {
	const daemons, runs = 64, 8
	f := func(name string, want [runs]time.Duration, opts ...operator.TaskOption) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			var mu sync.Mutex
			var longest [runs]time.Duration
			for i := range daemons {
				var n int
				var ended time.Time
				o.Daemon(fmt.Sprint(i), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					if n > 0 {
						longest[n-1] = max(longest[n-1], time.Since(ended))
					}
					if n++; n > runs {
						return nil
					}
					ended = time.Now()
					return errors.New("no luck")
				}, opts...)
			}
			stop := background(t, o)
			time.Sleep(24 * time.Hour)
			if err := stop(); err != nil {
				t.Errorf("%s: Run: %v", name, err)
			}
			for i := range want {
				if longest[i] > want[i] || longest[i] <= want[i]/2 {
					t.Errorf("%s: the longest pause before restart %d is %s, want more than half of %s, and not more than that", name, i+1, longest[i], want[i])
				}
			}
		})
	}
	const ms, s = time.Millisecond, time.Second
	f("default", [runs]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, time.Minute, time.Minute})
	f("set", [runs]time.Duration{100 * ms, 200 * ms, 400 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms},
		operator.Restart(100*ms, 500*ms, time.Hour))
	constant := [runs]time.Duration{s, s, s, s, s, s, s, s}
	f("constant", constant, operator.Restart(s, s, time.Hour))
	f("longest shorter than shortest", constant, operator.Restart(s, ms, time.Hour))
	least := [runs]time.Duration{ms, ms, ms, ms, ms, ms, ms, ms}
	f("none", least, operator.Restart(0, 0, time.Hour))
	f("negative", least, operator.Restart(-s, -s, time.Hour))
	f("shortest too short to double", [runs]time.Duration{ms, 2 * ms, 4 * ms, 8 * ms, 16 * ms, 32 * ms, 64 * ms, 100 * ms},
		operator.Restart(0, 100*ms, time.Hour))
}

// TestDaemonRecovers lets the bound grow to a thousand hours, and shrink again
// after a run of five minutes.
func TestDaemonRecovers(t *testing.T) {
	f := func(name string, lasts time.Duration, within bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			var n int
			var ended time.Time
			pause := make(chan time.Duration, 1)
			o.Daemon("d", func(context.Context) error {
				switch n++; {
				case n <= 30:
				case n == 31:
					time.Sleep(lasts)
					ended = time.Now()
				default:
					pause <- time.Since(ended)
					return nil
				}
				return errors.New("no luck")
			}, operator.Restart(time.Second, 1e6*time.Hour, 5*time.Minute))
			stop := background(t, o)
			if got := <-pause; got <= time.Second != within {
				t.Errorf("%s: pause of %s, want it to be within a second: %v", name, got, within)
			}
			if err := stop(); err != nil {
				t.Errorf("%s: Run: %v", name, err)
			}
		})
	}
	f("healthy", 5*time.Minute, true)
	f("healthy for long", 50*time.Minute, true)
	f("not quite healthy", 5*time.Minute-1, false)
}

func TestDaemonEnds(t *testing.T) {
	for name, end := range map[string]error{
		"nil":          nil,
		"stop":         operator.ErrStop,
		"wrapped stop": fmt.Errorf("nothing to do: %w", operator.ErrStop),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				var starts, ticks atomic.Int32
				o.Daemon("ends", func(context.Context) error {
					starts.Add(1)
					return end
				})
				o.Daemon("goes on", func(ctx context.Context) error {
					for {
						select {
						case <-ctx.Done():
							return nil
						case <-time.After(time.Minute):
							ticks.Add(1)
						}
					}
				})
				stop := background(t, o)
				time.Sleep(time.Hour)
				synctest.Wait()
				if starts.Load() != 1 || ticks.Load() < 59 {
					t.Errorf("%d starts and %d ticks of the other, want 1 and about 60", starts.Load(), ticks.Load())
				}
				wantLines(t, scrape(t, o), runningLine("ends", 0), runningLine("goes on", 1), restartsLine("ends", 0))
				if err := stop(); err != nil {
					t.Errorf("Run: %v", err)
				}
				if log.Len() != 0 {
					t.Errorf("the log has a word about it: %s", log.String())
				}
			})
		})
	}
}

func TestDaemonFailuresAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		var n int
		o.Daemon("d", func(context.Context) error {
			switch n++; n {
			case 1:
				return errors.New("bad luck")
			case 2:
				panic("at the disco")
			}
			return nil
		})
		stop := background(t, o)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		got := log.String()
		for _, want := range []string{"daemon=d", "bad luck", "panic: at the disco", "daemon_test.go"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in the log:\n%s", want, got)
			}
		}
	})
}

func TestCriticalDaemon(t *testing.T) {
	errBad := fmt.Errorf("bad luck: %w", operator.ErrStop)
	for _, c := range []struct {
		name, want string
		end        func() error
		is         error
	}{
		{"nil", `daemon "d" has ended`, func() error { return nil }, nil},
		{"stop", `daemon "d" has ended`, func() error { return operator.ErrStop }, nil},
		{"wrapped stop", `daemon "d" has ended: bad luck: stop`, func() error { return errBad }, errBad},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				awaited := false
				o.Daemon("other", func(ctx context.Context) error {
					<-ctx.Done()
					time.Sleep(time.Second)
					awaited = true
					return nil
				})
				o.Daemon("d", func(context.Context) error {
					time.Sleep(time.Minute)
					return c.end()
				}, operator.Critical())
				start := time.Now()
				err := o.Run(t.Context())
				if err == nil || err.Error() != c.want {
					t.Errorf("Run: %v, want %q", err, c.want)
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("Run: %v, which is not %v", err, c.is)
				}
				if d := time.Since(start); d != time.Minute+time.Second {
					t.Errorf("Run took %s, want a minute and the second of the other daemon", d)
				}
				if !awaited {
					t.Error("the other daemon was not awaited")
				}
				if w := get(o, "/readyz"); w.Code != 503 {
					t.Errorf("/readyz gives %d afterwards, want 503", w.Code)
				}
			})
		})
	}
}

// TestCriticalTaskFails: a failure is not the end. The task is started again,
// and Run goes on until it says that it has ended.
func TestCriticalTaskFails(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"error":          func(context.Context) error { return errors.New("no luck") },
		"panic":          func(context.Context) error { panic("no luck") },
		"own goroutine":  func(context.Context) error { runtime.Goexit(); return nil },
		"of a cancelled": func(context.Context) error { return fmt.Errorf("asking: %w", context.Canceled) },
	} {
		f := func(kind string, register func(*operator.Operator, operator.TaskFunc), want ...string) {
			t.Run(kind+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newOperator(operator.Options{})
					calls := 0
					var ended time.Time
					register(o, func(ctx context.Context) error {
						if calls++; calls <= 3 {
							return fail(ctx)
						}
						time.Sleep(time.Hour)
						ended = time.Now()
						return fmt.Errorf("enough: %w", operator.ErrStop)
					})
					err := o.Run(t.Context())
					if want := kind + ` "x" has ended: enough: stop`; err == nil || err.Error() != want || !errors.Is(err, operator.ErrStop) {
						t.Errorf("Run: %v, want %q", err, want)
					}
					if calls != 4 || time.Since(ended) != 0 {
						t.Errorf("Run returned after %d calls, %s after the last; want 4 and at once", calls, time.Since(ended))
					}
					wantLines(t, scrape(t, o), want...)
				})
			})
		}
		f("daemon", func(o *operator.Operator, fn operator.TaskFunc) {
			o.Daemon("x", fn, operator.Critical())
		}, restartsLine("x", 3), runningLine("x", 0))
		f("timer", func(o *operator.Operator, fn operator.TaskFunc) {
			o.Timer("x", time.Minute, fn, operator.Critical())
		}, timerFailures("x", 3))
	}
}

// TestTasksWithoutAFunction are mistakes that show when they are made.
func TestTasksWithoutAFunction(t *testing.T) {
	o := newOperator(operator.Options{})
	wantPanic(t, `daemon "d" has no function`, func() { o.Daemon("d", nil) })
	wantPanic(t, `timer "t" has no function`, func() { o.Timer("t", time.Minute, nil) })
}

// TestDaemonFailsWhileItIsStopped: Run does not fail for it, but the log says so.
func TestDaemonFailsWhileItIsStopped(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(context.Context) error
		want string
	}{
		{"panic", func(context.Context) error { panic("at the disco") }, "panic: at the disco"},
		{"error", func(context.Context) error { return errors.New("bad luck") }, "bad luck"},
		{"nil", func(context.Context) error { return nil }, ""},
		{"stop", func(context.Context) error { return operator.ErrStop }, ""},
		{"its context's error", func(ctx context.Context) error { return fmt.Errorf("x: %w", ctx.Err()) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				o.Daemon("d", func(ctx context.Context) error {
					<-ctx.Done()
					return c.end(ctx)
				})
				if err := background(t, o)(); err != nil {
					t.Errorf("Run: %v", err)
				}
				if got := log.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" {
					t.Errorf("the log has %q, want %q in it", got, c.want)
				}
			})
		})
	}
}

func TestCriticalDaemonThatIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Daemon("d", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, operator.Critical())
		if err := background(t, o)(); err != nil {
			t.Errorf("Run: %v, want nil: it was told to end", err)
		}
	})
}
