package otlp

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
)

// TestTracker compares the tracker with a set of strings, over many snapshots.
func TestTracker(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tr := newTracker(1 << 20)
	known := make(map[string]bool)
	metrics := []points.Metric{{Name: "a"}, {Name: "a", Shape: points.Histogram}, {Name: "b", Shape: points.Sum}}
	for range 60 {
		now := make(map[string]bool)
		tr.begin()
		share := r.Float64()
		for i := range metrics {
			for j := range 3000 {
				if r.Float64() > share {
					continue
				}
				labels := fmt.Sprintf(`namespace="namespace-%d",name="object-%d"`, j%7, j)
				tr.watch(&metrics[i], labels, fmt.Sprint(i))
				now[fmt.Sprint(i, labels, i)] = true
			}
			tr.sent()
		}
		var want, got []string
		for s := range known {
			if !now[s] {
				want = append(want, s)
			}
		}
		var all []gone
		err := tr.absent(func(g gone, m *points.Metric, labels, bounds string) error {
			got = append(got, fmt.Sprint(slices.Index(metrics, *m), labels, bounds))
			all = append(all, g)
			return nil
		})
		if err != nil || tr.pending() != len(got) {
			t.Errorf("%d pending, %d absent, %v", tr.pending(), len(got), err)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("absent (-want +got):\n%s", diff)
		}
		if r.IntN(3) > 0 { // else it was not acknowledged
			tr.forget(all)
			for _, s := range got {
				delete(known, s)
			}
		}
		for s := range now {
			known[s] = true
		}
		if tr.count != len(known) {
			t.Fatalf("%d series, want %d", tr.count, len(known))
		}
	}
	tr.begin()
	var all []gone
	_ = tr.absent(func(g gone, _ *points.Metric, _, _ string) error { all = append(all, g); return nil })
	tr.forget(all)
	if tr.count != 0 || len(tr.metrics) != 0 {
		t.Errorf("%d series of %d metrics are left", tr.count, len(tr.metrics))
	}
}

// BenchmarkTracker remembers 140,000 series and looks them up in each snapshot.
//
//	go test -run - -bench Tracker -benchtime 10x ./internal/otlp
func BenchmarkTracker(b *testing.B) {
	const n = 140_000
	m := points.Metric{Name: "kyma_resource_status_conditions"}
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprintf(`group="operator.kyma-project.io",kind="Telemetry",name="object-%d",namespace="namespace-%d",reason="AgentReady%d",status="True",type="Component%dHealthy",version="v1beta1"`,
			i/14, i/14%100, i%14, i%14)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tr := newTracker(1 << 20)
	snapshot := func() {
		tr.begin()
		for i, l := range labels {
			if tr.watch(&m, l, ""); i%10_000 == 0 {
				tr.sent()
			}
		}
		tr.sent()
	}
	snapshot()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	for b.Loop() {
		snapshot()
	}
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/n, "bytes/series")
	runtime.KeepAlive(tr)
}
