package operatortest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/operator/operatortest"
)

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	ctx      context.Context
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Error(args ...any)        { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func record(t *testing.T, f func(testing.TB)) []string {
	r := &recorder{TB: t, ctx: t.Context()}
	f(r)
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	return r.failures
}

func emits(err error, metrics ...operator.Metric) operator.Source {
	return operatortest.Collector(func(_ context.Context, emit func(operator.Metric)) error {
		for _, m := range metrics {
			emit(m)
		}
		return err
	})
}

var (
	depthA = operator.Metric{Name: "depth", Help: "Items.", Type: metric.Gauge, Labels: metric.Labels("queue", "a"), Value: 2}
	depthB = operator.Metric{Name: "depth", Help: "Items.", Type: metric.Gauge, Labels: metric.Labels("queue", "b"), Value: 3}
	other  = operator.Metric{Name: "other", Type: metric.Gauge, Value: 1}
)

func TestCompare(t *testing.T) {
	f := func(name string, src operator.Source, want string, names []string, failures ...string) {
		t.Helper()
		got := record(t, func(t testing.TB) { operatortest.Compare(t, src, want, names...) })
		text := strings.Join(got, "\n")
		if (len(failures) == 0) != (len(got) == 0) {
			t.Errorf("%s: failures %q, want %q", name, got, failures)
		}
		for _, want := range failures {
			if !strings.Contains(text, want) {
				t.Errorf("%s: failures %q, want one with %q", name, got, want)
			}
		}
	}
	whole := `
		# HELP depth Items.
		# TYPE depth gauge
		depth{queue="a"} 2
		depth{queue="b"} 3
		`
	f("equal", emits(nil, depthB, depthA), whole, nil)
	f("other order", emits(nil, depthA, depthB), "depth{queue=\"b\"} 3\n\ndepth{queue=\"a\"} 2", nil)
	f("one of two families", emits(nil, depthA, depthB, other), whole, []string{"depth"})
	f("more than wanted", emits(nil, depthA, depthB, other), whole, nil, "+ other 1", "+ # TYPE other gauge")
	f("less than wanted", emits(nil, depthA), whole, nil, `- depth{queue="b"} 3`)
	f("other value", emits(nil, depthA), `depth{queue="a"} 1`, nil, `- depth{queue="a"} 1`, `+ depth{queue="a"} 2`)
	f("twice in want", emits(nil, other), "other 1\nother 1", nil, "- other 1")
	f("fails", emits(errors.New("bad luck")), "", nil, "bad luck")
	f("there twice", emits(nil, other, other), "other 1", nil, "1 samples cannot be exposed: duplicate: other: two samples have the same labels")
	f("two types", emits(nil, other, operator.Metric{Name: "other", Type: metric.Counter}), "other 1", nil, "cannot be exposed: conflict: other, a counter: the name")
	f("invalid", emits(nil, other, operator.Metric{Name: "x_total", Type: metric.Counter, Value: -1}), "other 1", nil, "cannot be exposed: invalid: x_total: counter has the value -1")
	f("a hash in a label", emits(nil, operator.Metric{Name: "a", Type: metric.Gauge, Value: 1, Labels: metric.Labels("issue", "#1")}), `a{issue="#1"} 1`, nil)
	f("panics", operatortest.Collector(func(context.Context, func(operator.Metric)) error { panic("p") }), "", nil, "panic: p")

	op := operator.New(operator.Options{})
	op.Collect("c", func(_ context.Context, emit func(operator.Metric)) error { emit(other); return nil })
	f("an Operator", op, "other 1", nil)
	f("its self-metrics", op, `operator_collector_up{collector="c"} 1`, []string{"operator_collector_up"})
}

func TestNoLeaks(t *testing.T) {
	operatortest.NoLeaks(t)
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		failures := record(t, func(t testing.TB) {
			operatortest.NoLeaks(t)
			go func() { <-stop }()
		})
		if len(failures) != 1 || !strings.Contains(failures[0], "1 goroutines are left") || !strings.Contains(failures[0], "TestNoLeaks") {
			t.Errorf("failures %q, want one goroutine", failures)
		}
		// Those of before do not count, and some time to end is given.
		failures = record(t, func(t testing.TB) {
			operatortest.NoLeaks(t)
			go func() { time.Sleep(4 * time.Second) }()
		})
		if len(failures) != 0 {
			t.Errorf("failures %q, want none", failures)
		}
	})
}

// TestNoLeaksOfManyGoroutines: the stacks need more than the first buffer.
func TestNoLeaksOfManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		var deep func(int)
		deep = func(n int) {
			if n > 0 {
				deep(n - 1)
				runtime.Gosched()
				return
			}
			<-stop
		}
		failures := record(t, func(t testing.TB) {
			operatortest.NoLeaks(t)
			for range 500 {
				go deep(60)
			}
		})
		if len(failures) != 1 || !strings.HasPrefix(failures[0], "500 goroutines") {
			t.Errorf("%d failures, want one of 500 goroutines: %.100s", len(failures), failures)
		}
	})
}
