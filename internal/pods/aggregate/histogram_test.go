package aggregate_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var lag = metric.Desc{Name: "lag", Type: metric.Histogram}

// hist writes a histogram with the bounds 1, 2 and so on.
func hist(sum float64, counts ...float64) string {
	return histLabels("", sum, counts...)
}

func histLabels(labels string, sum float64, counts ...float64) string {
	var b strings.Builder
	for i, n := range counts {
		bound := fmt.Sprint(i + 1)
		if i == len(counts)-1 {
			bound = "+Inf"
		}
		fmt.Fprintf(&b, "lag_bucket{%sle=%q} %v\n", labels, bound, n)
	}
	if labels != "" {
		labels = "{" + strings.TrimSuffix(labels, ",") + "}"
	}
	fmt.Fprintf(&b, "lag_sum%s %v\nlag_count%s %v\n", labels, sum, labels, counts[len(counts)-1])
	return b.String()
}

func TestHistogram(t *testing.T) {
	w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
	w.want(hist(5, 2, 4, 6), pod{"a", hist(2, 1, 2, 3)}, pod{"b", hist(3, 1, 2, 3) + "lag_created 5\n"})
	w.want(hist(7, 3, 5, 7), pod{"a", hist(4, 2, 3, 4)}, pod{"b", hist(3, 1, 2, 3)})
	// a restarts: its first bucket has more than before, and counts whole.
	w.want(hist(10, 6, 8, 10), pod{"a", hist(3, 3, 3, 3)}, pod{"b", hist(3, 1, 2, 3)})
	// Sums can go down.
	w.want(hist(8, 6, 8, 11), pod{"a", hist(3, 3, 3, 3)}, pod{"b", hist(1, 1, 2, 4)})
	w.want(hist(8, 6, 8, 11), pod{"a", hist(3, 3, 3, 3)})
	w.want(hist(8, 6, 8, 11)+histLabels(`x="y",`, 1, 1, 1, 1), pod{"c", histLabels(`x="y",`, 1, 1, 1, 1)})
}

func TestHistogramForms(t *testing.T) {
	for name, lines := range map[string]string{
		"buckets in any order":        "lag_count 3\nlag_bucket{le=\"+Inf\"} 3\nlag_bucket{le=\"2\"} 2\nlag_bucket{le=\"1.0\"} 1\nlag_sum 2\n",
		"no bucket of everything":     "lag_bucket{le=\"1\"} 1\nlag_bucket{le=\"2e0\"} 2\nlag_sum 2\nlag_count 3\n",
		"no count":                    "lag_bucket{le=\"1\"} 1\nlag_bucket{le=\"2\"} 2\nlag_bucket{le=\"inf\"} 3\nlag_sum 2\n",
		"interleaved with its labels": "lag_bucket{le=\"1\",pod=\"\"} 1\nlag_sum 2\nlag_bucket{le=\"2\"} 2\nlag_count 3\n",
	} {
		w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
		got, refused := w.scrape(pod{"a", lines})
		if want := strings.TrimSpace(hist(2, 1, 2, 3)); got != want || len(refused) > 0 {
			t.Errorf("%s: refused %v:\n%s", name, refused, got)
		}
	}
	w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
	w.want(hist(2, 1, 2, 3), pod{"a", hist(2, 1, 2, 3)})
	w.want(hist(0, 1, 2, 4), pod{"a", hist(math.NaN(), 1, 2, 4)})
	w.want(hist(3, 1, 2, 5), pod{"a", hist(3, 1, 2, 5)})
}

func TestBadHistograms(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  aggregate.Reason
	}{
		{hist(1, 3, 2, 1), aggregate.BadValue},
		{hist(1, -1, 2, 3), aggregate.BadValue},
		{hist(1, math.NaN(), 2, 3), aggregate.BadValue},
		{"lag_bucket{le=\"1\"} 1\nlag_bucket{le=\"2\"} 1\nlag_sum 1\n", aggregate.BadValue},
		{"lag_count -1\n", aggregate.BadValue},
		{"lag_bucket 1\n", aggregate.BadLine},
		{"lag_bucket{le=\"x\"} 1\n", aggregate.BadLine},
		{"lag_bucket{le=\"NaN\"} 1\n", aggregate.BadLine},
		{"lag 1\n", aggregate.BadLine},
		{"lag_x 1\n", aggregate.BadLine},
		{"lag_bucket{le=\"1\"} 1\nlag_bucket{le=\"1.0\"} 1\nlag_count 1\n", aggregate.BadBuckets},
		{hist(1, 1, 2), aggregate.BadBuckets},
		{hist(1, 1, 2, 3, 4), aggregate.BadBuckets},
	} {
		w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
		got, refused := w.scrape(pod{"a", hist(2, 1, 2, 3)}, pod{"b", c.lines})
		if got != strings.TrimSpace(hist(2, 1, 2, 3)) || len(refused) != 1 || refused[0] != c.want {
			t.Errorf("%s: refused %v, want %s:\n%s", c.lines, refused, c.want, got)
		}
	}
}

// TestBoundsTwice has bounds that are written in two ways.
func TestBoundsTwice(t *testing.T) {
	for _, bounds := range [][2]string{{"1", "1.0"}, {"+Inf", "Inf"}} {
		w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
		lines := fmt.Sprintf("lag_bucket{le=%q} 1\nlag_bucket{le=%q} 1\nlag_count 1\n", bounds[0], bounds[1])
		if got, refused := w.scrape(pod{"a", lines}); got != "" || len(refused) != 1 || refused[0] != aggregate.BadBuckets {
			t.Errorf("%q: refused %v:\n%s", bounds, refused, got)
		}
	}
}

// TestBucketsChange rolls pods out that have other buckets.
func TestBucketsChange(t *testing.T) {
	w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
	w.want(hist(2, 1, 2, 3), pod{"a", hist(1, 0, 1, 1)}, pod{"b", hist(1, 1, 1, 2)})
	check := func(want string, pods ...pod) {
		t.Helper()
		got, refused := w.scrape(pods...)
		if got != strings.TrimSpace(want) || len(refused) == 0 {
			t.Errorf("refused %v, got:\n%s", refused, got)
		}
	}
	check(hist(2, 1, 2, 4), pod{"a", hist(1, 0, 1, 2)}, pod{"c", hist(9, 5, 9)})
	check(hist(2, 1, 2, 4), pod{"a", ""}, pod{"c", hist(9, 5, 9)}, pod{"d", ""}) // a may come back
	check("", pod{"c", hist(9, 5, 9)}, pod{"d", ""})                             // a is gone
	w.want(hist(0, 0, 0), pod{"c", hist(9, 5, 9)}, pod{"d", ""})
	w.want(hist(1, 0, 1), pod{"c", hist(10, 5, 10)}, pod{"d", hist(7, 7, 7)}) // d was there before, too
	w.want(hist(5, 1, 5), pod{"c", hist(10, 5, 10)}, pod{"d", hist(7, 7, 7)}, pod{"e", hist(4, 1, 4)})
}

// TestSumIsNotRoundedDown has sums whose order matters for their last bits.
func TestSumIsNotRoundedDown(t *testing.T) {
	w := newWorld(t, lag, aggregate.Options{}, "lag=sum")
	var pods []pod
	for i := range 30 {
		pods = append(pods, pod{fmt.Sprintf("p%02d", (i*7)%30), hist(0.1*float64(i+1)/3, 1, 1)})
	}
	last := 0.0
	for len(pods) > 0 {
		ids := make([]string, 0, len(pods))
		for _, p := range pods {
			ids = append(ids, p.id)
		}
		w.Begin(ids)
		for _, p := range pods {
			w.add(p, lag)
		}
		sum := w.Families()[0].Samples[0].Histogram.Sum
		if sum < last {
			t.Fatalf("%v after %v", sum, last)
		}
		last = sum
		pods = pods[1:]
	}
}

func TestSummary(t *testing.T) {
	w := newWorld(t, metric.Desc{Name: "wait", Type: metric.Summary}, aggregate.Options{}, "wait=sum")
	w.want("wait_sum 3\nwait_count 5", pod{"a", "wait{quantile=\"0.5\"} 7\nwait_sum 1\nwait_count 2\nwait_created 5\n"}, pod{"b", "wait_sum 2\nwait_count 3\n"})
	w.want("wait_sum 4\nwait_count 6", pod{"a", "wait_sum 1\nwait_count 1\n"}, pod{"b", "wait_sum 2\nwait_count 3\n"})
	if _, refused := w.scrape(pod{"a", "wait_sum 1\n"}); len(refused) != 1 || refused[0] != aggregate.BadValue {
		t.Errorf("a summary without a count is refused because of %v", refused)
	}
}

// FuzzAdd checks that whatever pods send, the aggregates are valid, and counters
// do not decrease.
func FuzzAdd(f *testing.F) {
	f.Add(hist(1, 1, 2, 3), hist(2, 2, 2), uint8(metric.Histogram))
	f.Add("lag 1\nlag{a=\"b\"} 2\n", "lag 0.5\n", uint8(metric.Counter))
	f.Add("lag{quantile=\"1\"} 1\nlag_sum 1\nlag_count 1\n", "lag_count 0\n", uint8(metric.Summary))
	f.Fuzz(func(t *testing.T, one, two string, typ uint8) {
		if !strings.Contains(one, "lag") {
			return
		}
		w := newWorld(t, metric.Desc{Name: "lag", Type: metric.Type(typ % 8)}, aggregate.Options{MaxSeries: 100}, "lag=sum")
		last := make(map[string]float64)
		for i, lines := range []string{one, two, one, two} {
			w.Begin([]string{"a", fmt.Sprint("b", i/2)})
			_ = w.Add(target("a"), w.desc, exposition.OpenMetrics, []byte(lines))
			_ = w.Add(target(fmt.Sprint("b", i/2)), w.desc, exposition.Text, []byte(two))
			for _, family := range w.Families() {
				for _, s := range family.Samples {
					if err := s.Validate(family.Type); err != nil && !strings.Contains(err.Error(), "label") && !strings.Contains(err.Error(), "2^53") {
						t.Fatal(err)
					}
					if key := fmt.Sprint(s.Labels); family.Type == metric.Counter {
						if s.Value < last[key] && last[key] < math.MaxFloat64/4 { // one that overflows begins again
							t.Fatalf("%s: %v after %v", key, s.Value, last[key])
						}
						last[key] = s.Value
					}
				}
			}
		}
	})
}
