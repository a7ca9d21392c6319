package aggregate_test

import (
	"math"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestCounterOverflows: a sum that is too large for a number is infinite as long as
// the pods say so, and no longer.
func TestCounterOverflows(t *testing.T) {
	huge := pod{"a", value(1e308)}
	w := newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	w.want("requests_total 1e+308", huge, pod{"b", value(1)})
	w.want("requests_total +Inf", huge, pod{"b", value(1e308)})
	w.want("requests_total +Inf", huge, pod{"b", value(1e308)})
	w.want("requests_total 3", pod{"a", value(1)}, pod{"b", value(2)}) // both restart
	w.want("requests_total 5", pod{"a", value(3)}, pod{"b", value(2)})

	w = newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	w.want("requests_total +Inf", huge, pod{"b", value(1e308)})
	w.want("requests_total 4", pod{"c", value(4)}) // both are gone
	w.want("requests_total 6", pod{"c", value(6)})

	w = newWorld(t, requests, aggregate.Options{}, "requests_total=sum")
	w.want("requests_total 1e+308", huge)
	w.want("requests_total 1e+308", pod{"a", value(5)}) // 5 more
	w.want("requests_total 1e+308", huge)               // 1e308 more
	w.want("requests_total 1e+308", pod{"a", value(5)}) // has restarted twice
}

func TestGaugeOverflows(t *testing.T) {
	for rule, want := range map[string]string{
		"depth=sum":   "depth +Inf",
		"depth=avg":   "depth 1e+308",
		"depth=max":   "depth 1e+308",
		"depth=min":   "depth 1e+308",
		"depth=count": "depth 2",
	} {
		w := newWorld(t, gauge, aggregate.Options{}, rule)
		w.want(want, pod{"a", "depth 1e308"}, pod{"b", "depth 1e308"})
		w.want(map[bool]string{true: "depth 1", false: "depth 4"}[rule == "depth=count"], pod{"a", "depth 4"})
	}
	// What is too large on the way only is no overflow.
	w := newWorld(t, gauge, aggregate.Options{}, "depth=sum")
	w.want("depth 1e+308", pod{"a", "depth 1e308"}, pod{"b", "depth 1e308"}, pod{"c", "depth -1e308"})
	w.want("depth +Inf", pod{"a", "depth +Inf"}, pod{"b", "depth 1"})
	w.want("depth NaN", pod{"a", "depth +Inf"}, pod{"b", "depth -Inf"})
}

func TestDistributionOverflows(t *testing.T) {
	w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
	huge := hist(1e308, 1e308, 1e308)
	w.want(hist(math.Inf(1), math.MaxFloat64, math.MaxFloat64), pod{"a", huge}, pod{"b", huge})
	w.want(hist(5, 2, 4), pod{"a", hist(2, 1, 2)}, pod{"b", hist(3, 1, 2)})
	w.want(hist(6, 3, 5), pod{"a", hist(2, 1, 2)}, pod{"b", hist(4, 2, 3)})

	// Sums have both signs, and can overflow in both directions.
	w = newWorld(t, lag, aggregate.Options{}, "lag=sum")
	w.want(hist(math.Inf(-1), 2, 2), pod{"a", hist(-1e308, 1, 1)}, pod{"b", hist(-1e308, 1, 1)})
	w.want(hist(3, 2, 2), pod{"a", hist(1, 1, 1)}, pod{"b", hist(2, 1, 1)})

	waits := metric.Desc{Name: "wait", Type: metric.Summary}
	w = newWorld(t, waits, aggregate.Options{}, "wait=sum")
	w.Begin([]string{"a", "b"})
	w.add(pod{"a", "wait_sum 1\nwait_count 1e308\n"}, waits)
	w.add(pod{"b", "wait_sum 1\nwait_count 1e308\n"}, waits)
	if got := w.Families(); len(got) != 1 || got[0].Samples[0].Summary.Count != math.MaxFloat64 {
		t.Errorf("%+v", got)
	}
	w.want("wait_sum 2\nwait_count 2", pod{"a", "wait_sum 1\nwait_count 1\n"}, pod{"b", "wait_sum 1\nwait_count 1\n"})
}
