package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// beginnings runs a timer in a bubble and returns when its calls began, counted
// from the start of Run. fn gets the number of its call, from 1.
func beginnings(t *testing.T, lasts, interval time.Duration, fn func(n int) error, opts ...operator.TaskOption) (at []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{Grace: 24 * time.Hour})
		start := time.Now()
		running := false
		o.Timer("t", interval, func(context.Context) error {
			if running {
				t.Error("two calls at once")
			}
			running = true
			defer func() { running = false }()
			at = append(at, time.Since(start))
			return fn(len(at))
		}, opts...)
		stop := background(t, o)
		time.Sleep(lasts)
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return at
}

// gaps are the times between neighbours.
func gaps(at []time.Duration) (out []time.Duration) {
	for i := 1; i < len(at); i++ {
		out = append(out, at[i]-at[i-1])
	}
	return out
}

func TestTimerInterval(t *testing.T) {
	const s, m = time.Second, time.Minute
	takes := func(d time.Duration) func(int) error {
		return func(int) error {
			time.Sleep(d)
			return nil
		}
	}
	f := func(name string, fn func(int) error, want []time.Duration, opts ...operator.TaskOption) {
		t.Helper()
		if got := beginnings(t, 7*m-s, m, fn, opts...); !slices.Equal(got, want) {
			t.Errorf("%s: calls began at %v, want %v", name, got, want)
		}
	}
	f("a call of no time", takes(0), []time.Duration{0, m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m})
	f("from the end", takes(m/2), []time.Duration{0, 90 * s, 3 * m, 270 * s, 6 * m})
	f("from the end of a long call", takes(2*m), []time.Duration{0, 3 * m, 6 * m})
	f("sharp", takes(m/2), []time.Duration{0, m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m}, operator.Sharp())
	f("sharp, ticks pass by", takes(90*s), []time.Duration{0, 2 * m, 4 * m, 6 * m}, operator.Sharp())
	f("sharp, one slow call", func(n int) error {
		if n == 2 {
			time.Sleep(150 * s)
		}
		return nil
	}, []time.Duration{0, m, 4 * m, 5 * m, 6 * m}, operator.Sharp())
	f("delay", takes(0), []time.Duration{90 * s, 150 * s, 210 * s, 270 * s, 330 * s, 390 * s}, operator.InitialDelay(90*s))
	f("delay, sharp", takes(m/2), []time.Duration{5 * m, 6 * m}, operator.InitialDelay(5*m), operator.Sharp())
	f("delay that is not over", takes(0), nil, operator.InitialDelay(time.Hour))
	f("negative delay", takes(4*m), []time.Duration{0, 5 * m}, operator.InitialDelay(-m))
}

func TestTimerJitter(t *testing.T) {
	const m = time.Minute
	f := func(name string, least, most time.Duration, takes time.Duration, opts ...operator.TaskOption) {
		t.Helper()
		at := beginnings(t, 300*m, m, func(int) error {
			time.Sleep(takes)
			return nil
		}, opts...)
		between := gaps(at)
		if len(between) < 100 {
			t.Fatalf("%s: only %d intervals", name, len(between))
		}
		low, high := slices.Min(between), slices.Max(between)
		if low < least || high > most {
			t.Errorf("%s: intervals of %s to %s, want %s to %s", name, low, high, least, most)
		}
		// Of a hundred random ones, some are in the outer thirds: the odds are
		// one to 2^58 against it.
		if third := (most - least) / 3; low > least+third || high < most-third {
			t.Errorf("%s: intervals of %s to %s are not spread over %s to %s", name, low, high, least, most)
		}
	}
	f("a tenth", m*9/10, m*11/10, 0, operator.Jitter(0.1))
	f("all of it", 0, 2*m, 0, operator.Jitter(1))
	f("more than all", 0, 2*m, 0, operator.Jitter(7))
	f("behind a call", m*14/10, m*16/10, m/2, operator.Jitter(0.1))
	f("sharp", m*9/10, m*11/10, m/2, operator.Jitter(0.1), operator.Sharp())
	f("none", m, m, 0, operator.Jitter(0))
	f("negative", m, m, 0, operator.Jitter(-1))
	f("no number", m, m, 0, operator.Jitter(math.NaN()))
}

// TestTimerBacksOff: after a failure it is the pause that counts, be it shorter
// or longer than the interval.
func TestTimerBacksOff(t *testing.T) {
	const h = time.Hour
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no luck") },
		"panic": func() error { panic("no luck") },
	} {
		t.Run(name, func(t *testing.T) {
			at := beginnings(t, 250*h, 100*h, func(n int) error {
				if n <= 5 {
					return fail()
				}
				return nil
			}, operator.Restart(time.Second, time.Second, time.Hour))
			between := gaps(at)
			if len(between) != 7 || slices.Max(between[:5]) > time.Second || between[5] != 100*h || between[6] != 100*h {
				t.Errorf("five failures and two successes with pauses of %v, want five of a second at most and two of the interval", between)
			}
			at = beginnings(t, h, time.Millisecond, func(int) error { return fail() }, operator.Restart(1e6*h, 1e6*h, time.Hour))
			if len(at) != 1 {
				t.Errorf("%d calls, want 1: the pause is much longer than the interval", len(at))
			}
		})
	}
}

// TestTimerRecovers lets the bound of the pause grow to a thousand hours; one
// success, however short, brings it back.
func TestTimerRecovers(t *testing.T) {
	at := beginnings(t, 1e6*time.Hour, time.Minute, func(n int) error {
		switch n {
		case 31:
			return nil
		case 33:
			return operator.ErrStop
		}
		return errors.New("no luck")
	}, operator.Restart(time.Second, 1e6*time.Hour, 5*time.Minute))
	between := gaps(at)
	if len(between) != 32 {
		t.Fatalf("%d pauses, want 32", len(between))
	}
	if longest := slices.Max(between[:30]); longest < time.Hour {
		t.Errorf("the longest of 30 pauses is %s, they have not grown", longest)
	}
	if between[30] != time.Minute || between[31] > time.Second {
		t.Errorf("pauses of %s after the success and %s after the failure behind it, want the interval and a second at most", between[30], between[31])
	}
}

func TestTimerEnds(t *testing.T) {
	for name, end := range map[string]error{
		"stop":         operator.ErrStop,
		"wrapped stop": fmt.Errorf("nothing to do: %w", operator.ErrStop),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				calls, others := 0, 0
				o.Timer("ends", time.Minute, func(context.Context) error {
					if calls++; calls == 3 {
						return end
					}
					return nil
				})
				o.Timer("goes on", time.Minute, func(context.Context) error {
					others++
					return nil
				})
				stop := background(t, o)
				last := float64(time.Now().Add(time.Minute).Unix())
				time.Sleep(time.Hour - time.Second)
				synctest.Wait()
				wantLines(t, scrape(t, o), timerFailures("ends", 0), lastSuccess("ends", last))
				if err := stop(); err != nil {
					t.Errorf("Run: %v", err)
				}
				if calls != 3 || others != 60 {
					t.Errorf("%d calls, and %d of the other, want 3 and 60", calls, others)
				}
				if log.Len() != 0 {
					t.Errorf("the log has a word about it: %s", log.String())
				}
			})
		})
	}
}

func timerFailures(name string, n int) string {
	return fmt.Sprintf(`operator_timer_failures_total{timer="%s"} %d`, name, n)
}

func lastSuccess(name string, at float64) string {
	return fmt.Sprintf(`operator_timer_last_success_timestamp_seconds{timer="%s"} %g`, name, at)
}

// TestTimerMetrics: who alerts on the age of the last success must not be told
// of one that never was, nor lose the one that was.
func TestTimerMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		first := true
		o.Timer("t", 2*time.Hour, func(context.Context) error {
			time.Sleep(time.Minute)
			if first {
				first = false
				return errors.New("bad luck")
			}
			return nil
		}, operator.Restart(0, 0, 0))
		calls := 0
		o.Timer("later", time.Hour, func(context.Context) error {
			if calls++; calls > 1 {
				panic("at the disco")
			}
			return nil
		}, operator.Restart(1e6*time.Hour, 1e6*time.Hour, 0))
		before := scrape(t, o)
		wantLines(t, before, timerFailures("t", 0), timerFailures("later", 0))
		if strings.Contains(before, "last_success") {
			t.Errorf("a success before the first call:\n%s", before)
		}
		start := time.Now()
		stop := background(t, o)
		time.Sleep(90 * time.Second)
		body := scrape(t, o)
		wantLines(t, body, timerFailures("t", 1), lastSuccess("later", float64(start.Unix())))
		if strings.Contains(body, `last_success_timestamp_seconds{timer="t"}`) {
			t.Errorf("a success after a failure:\n%s", body)
		}
		time.Sleep(time.Hour)
		wantLines(t, scrape(t, o),
			timerFailures("t", 1), lastSuccess("t", float64(start.Add(2*time.Minute).Unix())),
			timerFailures("later", 1), lastSuccess("later", float64(start.Unix()))) // it stays
		if strings.Contains(scrape(t, o), "operator_daemon_") {
			t.Error("timers are counted as daemons")
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "timer=later") || !strings.Contains(log.String(), "timer_test.go") {
			t.Errorf("%d lines in the log, want one for each failure and none for a success:\n%s", n, log.String())
		}
	})
}

// TestTimerIsCancelled: neither a call nor a pause holds up the shutdown, and
// what a call returns because of it is no failure.
func TestTimerIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Timer("waits", time.Hour, func(context.Context) error { return nil })
		o.Timer("is delayed", time.Hour, func(context.Context) error { return nil }, operator.InitialDelay(time.Hour))
		o.Timer("runs", time.Hour, func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("asking: %w", ctx.Err())
		})
		stop := background(t, o)
		start := time.Now()
		if err := stop(); err != nil || time.Since(start) != 0 {
			t.Errorf("Run: %v after %s, want nil at once", err, time.Since(start))
		}
		body := scrape(t, o)
		wantLines(t, body, timerFailures("waits", 0), timerFailures("is delayed", 0), timerFailures("runs", 0))
		if strings.Contains(body, `last_success_timestamp_seconds{timer="runs"}`) {
			t.Errorf("a call that was cancelled counts as a success:\n%s", body)
		}
	})
}

func TestCriticalTimer(t *testing.T) {
	for _, c := range []struct {
		name, want string
		end        error
	}{
		{"stop", `timer "t" has ended`, operator.ErrStop},
		{"wrapped stop", `timer "t" has ended: bad luck: stop`, fmt.Errorf("bad luck: %w", operator.ErrStop)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{})
				calls := 0
				o.Timer("t", time.Minute, func(context.Context) error {
					if calls++; calls < 5 {
						return nil // a call's end is not the timer's
					}
					return c.end
				}, operator.Critical())
				start := time.Now()
				err := o.Run(t.Context())
				if err == nil || err.Error() != c.want || !errors.Is(err, c.end) && c.end != operator.ErrStop {
					t.Errorf("Run: %v, want %q", err, c.want)
				}
				if d := time.Since(start); d != 4*time.Minute {
					t.Errorf("Run took %s, want 4 minutes", d)
				}
			})
		})
	}
}

func TestTimerIsRefused(t *testing.T) {
	fn := func(context.Context) error { return nil }
	f := func(want string, register func(o *operator.Operator)) {
		t.Helper()
		defer func() {
			t.Helper()
			if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), want) {
				t.Errorf("panic %v, want one with %q", p, want)
			}
		}()
		register(newOperator(operator.Options{}))
	}
	f(`timer "t" has the interval 0s`, func(o *operator.Operator) { o.Timer("t", 0, fn) })
	f(`timer "t" has the interval -1s`, func(o *operator.Operator) { o.Timer("t", -time.Second, fn) })
	f(`timer "t" is registered twice`, func(o *operator.Operator) {
		o.Timer("t", time.Second, fn)
		o.Timer("t", time.Minute, fn)
	})
	f(`timer "t" is registered twice`, func(o *operator.Operator) {
		o.Daemon("t", fn)
		o.Timer("t", time.Minute, fn)
	})
}
