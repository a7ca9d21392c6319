package aggregate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
)

func TestMaxSeries(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{MaxSeries: 4}, "requests_total=sum")
	w.want("requests_total 2", pod{"a", value(1)}, pod{"b", value(1)}) // 3 numbers
	got, refused := w.scrape(pod{"a", value(2) + value(5, "x", "y")}, pod{"b", value(2)}, pod{"c", value(2)}, pod{"d", value(1)})
	if got != "requests_total 6" || len(refused) != 2 || refused[0] != aggregate.Full {
		t.Errorf("%s, refused %v", got, refused)
	}
	got, refused = w.scrape(pod{"a", value(2)}, pod{"d", value(1)}) // b and c are one number
	if got != "requests_total 7" || len(refused) > 0 {
		t.Errorf("%s, refused %v", got, refused)
	}
	w = newWorld(t, gauge, aggregate.Options{MaxSeries: 1}, "depth=sum")
	got, refused = w.scrape(pod{"a", "depth 1\ndepth{x=\"y\"} 1"})
	if got != "depth 1" || len(refused) != 1 || refused[0] != aggregate.Full {
		t.Errorf("numbers of one scrape: %s, refused %v", got, refused)
	}
}

// TestRulesShare: the families of one rule take nothing from those of another,
// whoever comes first.
func TestRulesShare(t *testing.T) {
	w := newWorld(t, requests, aggregate.Options{MaxSeries: 9}, "requests_total=sum", "depth=max", "requests_total=sum", "wait_*=sum")
	var many strings.Builder
	for i := range 9 {
		many.WriteString(value(1, "x", fmt.Sprint(i)))
	}
	w.Begin([]string{"a"})
	if got := w.add(pod{"a", many.String()}, requests); got != aggregate.Full {
		t.Errorf("refused because of %q", got)
	}
	if got := w.add(pod{"a", "depth 1\ndepth{x=\"y\"} 2\n"}, gauge); got != "" {
		t.Errorf("the other rule is refused because of %q", got)
	}
	if got, want := w.text(), "depth 1\ndepth{x=\"y\"} 2\nrequests_total{x=\"0\"} 1"; got != want {
		t.Error(got)
	}
	want := []aggregate.Usage{
		{Rule: aggregate.Rule{Family: "requests_total"}, Series: 2, Max: 3},
		{Rule: aggregate.Rule{Family: "depth", Op: aggregate.Max}, Series: 2, Max: 3},
		{Rule: aggregate.Rule{Family: "wait_*"}, Max: 3},
	}
	if diff := cmp.Diff(want, w.Usage()); diff != "" {
		t.Error(diff)
	}
}

// TestLongLabels: what is remembered is bounded in bytes as well.
func TestLongLabels(t *testing.T) {
	long := strings.Repeat("x", 128*10)
	w := newWorld(t, requests, aggregate.Options{MaxSeries: 20}, "requests_total=sum")
	got, refused := w.scrape(pod{"a", value(1, "a", long) + value(1, "b", long) + value(2)})
	if want := strings.TrimSpace(value(2) + value(1, "a", long)); got != want || len(refused) != 1 || refused[0] != aggregate.Full {
		t.Errorf("%s, refused %v", got, refused)
	}
	w = newWorld(t, gauge, aggregate.Options{MaxSeries: 20}, "depth=sum")
	got, refused = w.scrape(pod{"a", fmt.Sprintf("depth{a=%q} 1\ndepth{b=%q} 1\ndepth 2\n", long, long)})
	if want := fmt.Sprintf("depth 2\ndepth{a=%q} 1", long); got != want || len(refused) != 1 || refused[0] != aggregate.Full {
		t.Errorf("%s, refused %v", got, refused)
	}
}
