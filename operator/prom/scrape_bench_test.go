package prom_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const (
	benchCollectors = 100
	benchSamples    = 1000
)

// benchValues are the label values of the samples that one collector gives.
func benchValues() (values [benchSamples]string) {
	for i := range values {
		values[i] = "object-" + strconv.Itoa(i)
	}
	return values
}

// libraryCollector is a collector of client_golang that makes its samples
// during a scrape.
type libraryCollector struct {
	desc   *prometheus.Desc
	values [benchSamples]string
}

func (c *libraryCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *libraryCollector) Collect(ch chan<- prometheus.Metric) {
	for i := range c.values {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(i)+0.5, "default", c.values[i], "Ready")
	}
}

func libraryHandler() http.Handler {
	registry := prometheus.NewRegistry()
	for i := range benchCollectors {
		name := fmt.Sprintf("operator_objects_%d", i)
		registry.MustRegister(&libraryCollector{
			prometheus.NewDesc(name, "State of an object.", []string{"namespace", "name", "phase"}, nil), benchValues(),
		})
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

func operatorHandler() http.Handler {
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	for i := range benchCollectors {
		name, values := fmt.Sprintf("operator_objects_%d", i), benchValues()
		op.Collect(name, func(_ context.Context, emit func(operator.Metric)) error {
			labels := make([]metric.Label, 3)
			for i := range values {
				labels[0] = metric.Label{Name: "name", Value: values[i]}
				labels[1] = metric.Label{Name: "namespace", Value: "default"}
				labels[2] = metric.Label{Name: "phase", Value: "Ready"}
				emit(operator.Metric{Name: name, Help: "State of an object.", Type: metric.Gauge, Labels: labels, Value: float64(i) + 0.5})
			}
			return nil
		})
	}
	op.Expose("/metrics", exposition.Prometheus{})
	return op.Handler()
}

// discard is a response that counts its bytes.
type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.n += len(p)
	return len(p), nil
}

func benchScrape(h http.Handler, header http.Header) int {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header = header
	w := &discard{header: make(http.Header)}
	h.ServeHTTP(w, r)
	return w.n
}

// cpu returns the CPU time that the process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkScrape scrapes 100 collectors of 1,000 samples each. "x-cpu" is the
// CPU time as a share of what client_golang's registry and promhttp need for the
// same in the same run, where the two take turns; "allocs/sample" is of ours.
//
//	go test -run '^$' -bench Scrape -benchmem
func BenchmarkScrape(b *testing.B) {
	for _, c := range []struct {
		name   string
		header http.Header
	}{
		{"text", http.Header{"Accept": {"text/plain"}}},
		{"gzip", http.Header{"Accept": {"text/plain"}, "Accept-Encoding": {"gzip"}}},
		{"openmetrics", http.Header{"Accept": {"application/openmetrics-text"}}},
		{"protobuf", http.Header{"Accept": {protobuf}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			ours, theirs := operatorHandler(), libraryHandler()
			if n := benchScrape(ours, c.header); n < 100_000 {
				b.Fatalf("a scrape has %d bytes", n)
			}
			benchScrape(theirs, c.header)
			var mine, library time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := cpu(b)
				benchScrape(ours, c.header)
				mine += cpu(b) - start
				b.StopTimer()
				start = cpu(b)
				benchScrape(theirs, c.header)
				library += cpu(b) - start
				b.StartTimer()
			}
			b.ReportMetric(float64(mine)/float64(library), "x-cpu")
			allocs := testing.AllocsPerRun(1, func() { benchScrape(ours, c.header) })
			b.ReportMetric(allocs/(benchCollectors*benchSamples), "allocs/sample")
		})
	}
}
