package podtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Standard returns the body that benchmarks are measured with, of a content type:
// about 1.03 MB in the text format, of 216 families and about 10,000 samples.
// Some histograms are native ones in protobuf, some samples have exemplars in
// OpenMetrics. It is always the same, but for times of creation in protobuf.
func Standard(contentType string) []byte {
	return standards()[contentType]
}

// Compact returns a body that is made as the standard one is, of about 100
// samples.
func Compact(contentType string) []byte {
	return compacts()[contentType]
}

var (
	standards = sync.OnceValue(func() map[string][]byte {
		return encodings(registry{counters: 150, gauges: 50, histograms: 12, summaries: 4, series: 30})
	})
	compacts = sync.OnceValue(func() map[string][]byte {
		return encodings(registry{counters: 5, gauges: 3, histograms: 2, summaries: 1, series: 4})
	})
)

// Negotiating answers as client_golang does, in the format that is asked for.
func Negotiating() http.Handler {
	return promhttp.HandlerFor(
		registry{counters: 5, gauges: 3, histograms: 2, summaries: 1, series: 4}.make(),
		promhttp.HandlerOpts{EnableOpenMetrics: true})
}

func encodings(r registry) map[string][]byte {
	families, err := r.make().Gather()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return map[string][]byte{
		Text:        encode(families, expfmt.NewFormat(expfmt.TypeTextPlain)),
		OpenMetrics: encode(families, expfmt.NewFormat(expfmt.TypeOpenMetrics)),
		Protobuf:    encode(families, expfmt.NewFormat(expfmt.TypeProtoDelim)),
	}
}

func encode(families []*dto.MetricFamily, format expfmt.Format) []byte {
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, format)
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	return out.Bytes()
}

// registry says how many families of each type there are, and how many series
// counters have; the other types have a part of it.
type registry struct {
	counters, gauges, histograms, summaries, series int
}

func (r registry) make() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	random := rand.New(rand.NewPCG(1, 2)) // always the same
	for i := range r.counters {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: fmt.Sprintf("app_part%03d_requests_total", i), Help: help(i, "requests"),
		}, []string{"handler", "method", "code"})
		reg.MustRegister(c)
		for j := range r.series {
			counter := c.WithLabelValues(handlers(j), "GET", code(j))
			counter.Add(float64(random.Uint32N(1e7)))
			if i%10 == 0 {
				counter.(prometheus.ExemplarAdder).AddWithExemplar(1, prometheus.Labels{"trace_id": fmt.Sprintf("%016x", i)})
			}
		}
	}
	for i := range r.gauges {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: fmt.Sprintf("app_part%03d_memory_in_use_bytes", i), Help: help(i, "memory"),
		}, []string{"pool", "generation", "state"})
		reg.MustRegister(g)
		for j := range r.series {
			g.WithLabelValues(handlers(j), "current", "in use \"now\"").Set(random.NormFloat64() * 1e6)
		}
	}
	r.distributions(reg, random)
	return reg
}

func (r registry) distributions(reg *prometheus.Registry, random *rand.Rand) {
	for i := range r.histograms {
		opts := prometheus.HistogramOpts{
			Name: fmt.Sprintf("app_part%03d_request_duration_seconds", i), Help: help(i, "latency"), Buckets: prometheus.DefBuckets,
		}
		if i%2 == 0 {
			opts.NativeHistogramBucketFactor = 1.1
		}
		h := prometheus.NewHistogramVec(opts, []string{"handler", "method"})
		reg.MustRegister(h)
		for j := range max(1, r.series*2/3) {
			for range 20 {
				h.WithLabelValues(handlers(j), "POST").Observe(random.ExpFloat64())
			}
		}
	}
	for i := range r.summaries {
		s := prometheus.NewSummaryVec(prometheus.SummaryOpts{
			Name: fmt.Sprintf("app_part%03d_queue_time_seconds", i), Help: help(i, "queue"),
			Objectives: map[float64]float64{0.5: 0.05, 0.9: 0.01, 0.99: 0.001},
		}, []string{"queue"})
		reg.MustRegister(s)
		for j := range r.series {
			for range 5 {
				s.WithLabelValues(handlers(j)).Observe(random.ExpFloat64())
			}
		}
	}
}

func help(i int, what string) string {
	return fmt.Sprintf("What component %d has to say about %s, a backslash \\ and\na new line included.", i, what)
}

func handlers(i int) string { return fmt.Sprintf("/api/v1/resource/%02d", i) }

func code(i int) string { return []string{"200", "201", "404", "500"}[i%4] }
