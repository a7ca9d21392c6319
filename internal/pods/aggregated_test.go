package pods_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestAggregatesAreShared: a target with very many series, which comes first, has
// what room the others leave, whatever their families are called; and the metrics
// say how much there is.
func TestAggregatesAreShared(t *testing.T) {
	const few = "# TYPE a_total counter\na_total 1\n# TYPE m_total counter\nm_total 2\n"
	var hog strings.Builder
	hog.WriteString("# TYPE a_total counter\n")
	for i := range 100 {
		fmt.Fprintf(&hog, "a_total{x=\"%d\"} 1\n", i)
	}
	for i := range 100 {
		fmt.Fprintf(&hog, "# TYPE b%d_total counter\nb%d_total 1\n", i, i)
	}
	rules, err := aggregate.ParseRules([]string{"*_total=sum", "q=max"})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := part(t, answers(t, always(hog.String()+"# TYPE q gauge\nq 7\n"), always(few), always(few)), func(o *pods.Options) {
		o.Aggregate = aggregate.New(aggregate.Options{Rules: rules, MaxSeries: 40})
	})
	for range 2 {
		wants(t, scrape(t, p, exposition.Text), "a_total 2", "m_total 4", "q 7")
	}
	got := make(map[string]float64)
	if err := p.Collect(t.Context(), func(m operator.Metric) {
		if i := slices.IndexFunc(m.Labels, func(l metric.Label) bool { return l.Name == "rule" || l.Name == "reason" }); i >= 0 {
			got[m.Name+" "+m.Labels[i].Value] = m.Value
		}
	}); err != nil {
		t.Fatal(err)
	}
	for series, want := range map[string]float64{
		"kubevitals_pods_aggregate_series *_total=sum": 20, "kubevitals_pods_aggregate_series_limit *_total=sum": 20,
		"kubevitals_pods_aggregate_series q=max": 1, "kubevitals_pods_aggregate_series_limit q=max": 20,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, not %v", series, got[series], want)
		}
	}
	if got["kubevitals_pods_aggregates_refused_total limit"] == 0 {
		t.Error("nothing was refused")
	}
}
