package merge

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// live is how many bytes are in use.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// checkMemory merges pods and writes all families, and checks how much memory is in
// use in the meantime besides the bodies. It returns how many samples were written.
func checkMemory(t *testing.T, opts Options, most uint64, pods ...pod) (samples int) {
	t.Helper()
	from := sources(t, pods...)
	var m Merger
	before := live()
	families, _ := m.Families(from, opts)
	peak := live()
	for _, f := range families {
		if err := f.Runs(func([]byte) error {
			peak = max(peak, live())
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		parsed, err := f.Parse(opts.Format)
		if err != nil {
			t.Fatal(err)
		}
		samples += len(parsed.Samples)
	}
	if peak > before+most {
		t.Errorf("%d bytes are in use, which are more than %d", peak-before, most)
	}
	runtime.KeepAlive(from)
	return samples
}

const many = 10_000

// manyHistograms has the lines of each in three places.
func manyHistograms(pad int) pod {
	lines := []string{"# TYPE h histogram"}
	for _, form := range []string{`h_bucket{x="%d%s",le="+Inf"} %[1]d`, `h_sum{x="%d%s"} %[1]d`, `h_count{x="%d%s"} %[1]d`} {
		for i := range many {
			lines = append(lines, fmt.Sprintf(form, i, strings.Repeat("x", pad)))
		}
	}
	return text("p1", lines...)
}

// TestTakenApartInPlace: families that are taken apart are not copied.
func TestTakenApartInPlace(t *testing.T) {
	big := manyHistograms(100)
	for f, most := range map[exposition.Format]uint64{exposition.Text: 1 << 20, exposition.OpenMetrics: 1 << 20, exposition.Protobuf: 1 << 20} {
		if got, want := checkMemory(t, Options{Format: f}, most, big, text("p2", "# TYPE h_sum gauge", "h_sum 1")), 3*many+1; got != want {
			t.Errorf("%d samples, not %d", got, want)
		}
	}
}

// TestRecordsInParts: what is read to be written in another way is not read as a
// whole.
func TestRecordsInParts(t *testing.T) {
	var samples []metric.Sample
	for i := range many {
		samples = append(samples, metric.Sample{Labels: metric.Labels("pod", "own", "x", fmt.Sprint(i)), Value: float64(i)})
	}
	of := metric.Family{Desc: metric.Desc{Name: "a", Type: metric.Gauge}, Samples: samples}
	for _, format := range []exposition.Format{exposition.Text, exposition.Protobuf} {
		if got := checkMemory(t, Options{Format: format}, 1<<20, records("p1", of)); got != many {
			t.Errorf("%d samples, not %d", got, many)
		}
	}
}

// TestHistogramsInParts: so it is with lines that become records, though the lines of
// a histogram are not next to each other.
func TestHistogramsInParts(t *testing.T) {
	big := manyHistograms(20)
	if got := checkMemory(t, Options{Format: exposition.Protobuf}, 2<<20, big); got != many {
		t.Errorf("%d samples, not %d", got, many)
	}
	families, _ := new(Merger).Families(sources(t, big), Options{Format: exposition.Protobuf})
	h, err := families[0].Parse(exposition.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range h.Samples {
		if want := float64(i); s.Histogram.Count != want || s.Histogram.Sum != want || len(s.Histogram.Buckets) != 1 || s.Histogram.Buckets[0].Count != want {
			t.Fatalf("sample %d is %+v", i, s.Histogram)
		}
	}
}

// TestOpenMetricsInParts has what only that format has.
func TestOpenMetricsInParts(t *testing.T) {
	lines := []string{"# TYPE c counter"}
	for i := range many {
		lines = append(lines, fmt.Sprintf("c_total{x=\"%d\"} %d # {t=\"u\"} 1", i, i), fmt.Sprintf("c_created{x=\"%d\"} 5", i))
	}
	families, _ := new(Merger).Families(sources(t, open("p", lines...)), Options{Format: exposition.Protobuf})
	c, err := families[0].Parse(exposition.Protobuf)
	if err != nil || len(c.Samples) != many {
		t.Fatalf("%d samples: %v", len(c.Samples), err)
	}
	for i, s := range c.Samples {
		if s.Value != float64(i) || s.Exemplar == nil {
			t.Fatalf("sample %d is %+v", i, s)
		}
	}
}
