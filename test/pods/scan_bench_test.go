package pods

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// clientBody is what client_golang writes: about 1 MB, 10,000 samples in 216
// families.
func clientBody(b *testing.B, format expfmt.Format) []byte {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	registry := prometheus.NewRegistry()
	for i := range 36 {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: fmt.Sprintf("http_server_%02d_request_duration_seconds", i), Help: "How long requests took.", Buckets: prometheus.DefBuckets,
		}, []string{"code", "handler", "method"})
		registry.MustRegister(h)
		for s := range 14 {
			o := h.WithLabelValues(fmt.Sprint(200+s%3), fmt.Sprintf("/api/v1/things/%d", s/4), []string{"GET", "POST", "PUT", "DELETE"}[s%4])
			for range 1 + r.IntN(50) {
				o.Observe(r.ExpFloat64())
			}
		}
	}
	for i := range 90 {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: fmt.Sprintf("worker_%02d_processed_items_total", i), Help: "How many items were processed.",
		}, []string{"controller", "namespace", "result"})
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: fmt.Sprintf("cache_%02d_resident_bytes", i), Help: "How large the cache is.",
		}, []string{"cache", "kind", "zone"})
		registry.MustRegister(c, g)
		for s := range 16 {
			c.WithLabelValues(fmt.Sprintf("deployment-%d", s/2), fmt.Sprintf("team-%d", s/8), []string{"ok", "error"}[s%2]).Add(float64(r.IntN(10_000_000)))
			g.WithLabelValues(fmt.Sprintf("objects-%d", s/4), fmt.Sprintf("Kind%d", s%4), fmt.Sprintf("eu-central-1%c", 'a'+s%3)).Set(r.ExpFloat64() * 1e4)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	e := expfmt.NewEncoder(&out, format)
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			b.Fatal(err)
		}
	}
	if closer, ok := e.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return out.Bytes()
}

// next reads a body as a scrape must at least, without making labels.
func next(b *testing.B, format exposition.Format, body []byte) {
	b.Helper()
	p := newParser(format, body)
	for {
		if _, err := p.Next(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan measures in one run what the scanner and Prometheus' parser cost
// for the same body. The rounds alternate, and the best of each is reported, so
// that what else the machine does matters little.
//
//	go test -run xxx -bench Scan -benchtime 200x ./pods
func BenchmarkScan(b *testing.B) {
	for _, c := range []struct {
		name   string
		format exposition.Format
		accept expfmt.FormatType
	}{
		{"text", exposition.Text, expfmt.TypeTextPlain},
		{"openmetrics", exposition.OpenMetrics, expfmt.TypeOpenMetrics},
		{"protobuf", exposition.Protobuf, expfmt.TypeProtoDelim},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := clientBody(b, expfmt.NewFormat(c.accept))
			var memory scan.Memory
			ours, fresh, theirs := time.Hour, time.Hour, time.Hour
			x := scan.Exposition{Format: c.format}
			once := func(opts scan.Options) time.Duration {
				start := time.Now()
				if err := x.Scan(body, opts); err != nil {
					b.Fatal(err)
				}
				return time.Since(start)
			}
			once(scan.Options{Memory: &memory})
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				ours = min(ours, once(scan.Options{Memory: &memory}))
				fresh = min(fresh, once(scan.Options{}))
				start := time.Now()
				next(b, c.format, body)
				theirs = min(theirs, time.Since(start))
			}
			perByte := func(d time.Duration) float64 {
				return float64(d.Nanoseconds()) / float64(len(body))
			}
			b.ReportMetric(perByte(ours), "scan-ns/B")
			b.ReportMetric(perByte(fresh), "first-scan-ns/B")
			b.ReportMetric(perByte(theirs), "textparse-ns/B")
			b.ReportMetric(float64(theirs)/float64(ours), "times-faster")
		})
	}
}
