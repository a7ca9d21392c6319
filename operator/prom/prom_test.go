package prom_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/operator/prom"
)

// rich registers one metric of every kind that client_golang has.
func rich(t testing.TB) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "created_total", Help: "Things \"created\".\n"}, []string{"kind", "zone"})
	counter.WithLabelValues("a", "z\n\"\\").Add(3)
	counter.WithLabelValues("b", "").(prometheus.ExemplarAdder).AddWithExemplar(1.5, prometheus.Labels{"trace_id": "x"})
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "queue.depth", Help: "A name of OpenTelemetry."}, []string{"queue.name"})
	gauge.WithLabelValues("a").Set(math.Inf(-1))
	gauge.WithLabelValues("b").Set(math.NaN())
	classic := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "classic_seconds", Help: "Classic.", Buckets: []float64{0.5, 1, 2.5}})
	native := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "native_seconds", Help: "Native and classic.", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1,
	}, []string{"empty"})
	native.WithLabelValues("yes")
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "summary_seconds", Help: "H.", Objectives: map[float64]float64{0.5: 0.05, 0.99: 0.001}})
	empty := prometheus.NewSummary(prometheus.SummaryOpts{Name: "empty_seconds", Help: "H."})
	for i := range 100 {
		v := float64(i%17) / 5
		classic.Observe(v)
		native.WithLabelValues("").(prometheus.ExemplarObserver).ObserveWithExemplar(-v, prometheus.Labels{"trace_id": "y"})
		native.WithLabelValues("").Observe(v * v)
		summary.Observe(v)
	}
	registry.MustRegister(counter, gauge, classic, native, summary, empty, collectors.NewGoCollector(), stamped{})
	return registry
}

// stamped is a metric with a time of its own.
type stamped struct{}

var stampedDesc = prometheus.NewDesc("stamped", "With a timestamp.", nil, nil)

func (stamped) Describe(ch chan<- *prometheus.Desc) { ch <- stampedDesc }

func (stamped) Collect(ch chan<- prometheus.Metric) {
	m := prometheus.MustNewConstMetric(stampedDesc, prometheus.UntypedValue, 7)
	ch <- prometheus.NewMetricWithTimestamp(time.UnixMilli(1700000000123), m)
}

// frozen gives always what a gatherer gave once.
func frozen(t testing.TB, g prometheus.Gatherer) prometheus.Gatherer {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
}

func expose(src operator.Source) *operator.Operator {
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.SelfMetrics("")
	op.AddSource("prometheus", src)
	op.Expose("/metrics", exposition.Prometheus{})
	return op
}

func get(t *testing.T, h http.Handler, accept string) []byte {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// decode reads delimited messages.
func decode(t *testing.T, body []byte) []*dto.MetricFamily {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(body))
	var out []*dto.MetricFamily
	for {
		f := new(dto.MetricFamily)
		switch err := protodelim.UnmarshalFrom(r, f); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("%v in\n%q", err, body)
		}
		out = append(out, f)
	}
}

const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8"

// TestSourceLosesNothing holds what an Operator serves of a registry, in
// protobuf, against the registry's own messages.
func TestSourceLosesNothing(t *testing.T) {
	registry := frozen(t, rich(t))
	want, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, get(t, expose(prom.Source(registry)).Handler(), protobuf))
	// A label without a value is no label; there is one in the registry.
	for _, f := range want {
		for _, m := range f.GetMetric() {
			var labels []*dto.LabelPair
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					labels = append(labels, l)
				}
			}
			m.Label = labels
		}
	}
	if d := cmp.Diff(byLabels(want), byLabels(got), protocmp.Transform(), nan); d != "" {
		t.Errorf("registry and exposition differ (-registry +exposition):\n%s", d)
	}
}

var nan = cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })

// byLabels indexes metrics: the order among them is each side's own.
func byLabels(families []*dto.MetricFamily) map[string]any {
	out := make(map[string]any)
	for _, f := range families {
		out[f.GetName()] = []any{f.GetHelp(), f.GetType().String(), f.GetUnit()}
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += "," + l.GetName() + "=" + l.GetValue()
			}
			out[key+"{}"] = m
		}
	}
	return out
}

// TestSourceAsPromhttp holds the text against that of promhttp.
func TestSourceAsPromhttp(t *testing.T) {
	registry := frozen(t, rich(t))
	ours := expose(prom.Source(registry)).Handler()
	theirs := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for _, accept := range []string{"text/plain", "text/plain;escaping=allow-utf-8", "text/plain;escaping=values"} {
		got := get(t, ours, accept)
		want := get(t, theirs, accept)
		if d := cmp.Diff(lines(want), lines(got)); d != "" {
			t.Errorf("%s: (-promhttp +ours)\n%s", accept, d)
		}
	}
}

// lines are those of an exposition but for what is written differently on
// purpose: labels without a value are left out.
func lines(body []byte) map[string]bool {
	out := make(map[string]bool)
	for line := range strings.Lines(string(body)) {
		line = strings.ReplaceAll(line, `,zone=""`, "")
		line = strings.ReplaceAll(line, `empty="",`, "")
		line = strings.ReplaceAll(line, `{empty=""}`, "")
		out[line] = true
	}
	return out
}

func TestSourcePartialError(t *testing.T) {
	errGather := errors.New("half of it")
	src := prom.Source(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, _ := rich(t).Gather()
		return families, errGather
	}))
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.AddSource("prometheus", src)
	families, err := op.Families(t.Context())
	if !errors.Is(err, errGather) {
		t.Errorf("error %v, want the gatherer's", err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, s := range f.Samples {
			values[f.Name] = s.Value
		}
	}
	if values["stamped"] != 7 || values["operator_collector_up"] != 0 {
		t.Errorf("stamped is %v, want 7; up is %v, want 0", values["stamped"], values["operator_collector_up"])
	}
}

// TestCollector sends a registry's metrics through an Operator into another
// registry, and finds them unchanged there.
func TestCollector(t *testing.T) {
	registry := frozen(t, rich(t))
	again := prometheus.NewPedanticRegistry()
	again.MustRegister(prom.Collector(expose(prom.Source(registry))))
	want, err := prom.Source(registry).Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := prom.Source(again).Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, families := range [][]metric.Family{want, got} {
		for i := range families {
			for j := range families[i].Samples {
				s := &families[i].Samples[j]
				var labels []metric.Label
				for _, l := range s.Labels {
					if l.Value != "" {
						labels = append(labels, l)
					}
				}
				s.Labels = labels
			}
		}
	}
	index := func(families []metric.Family) map[string]any {
		out := make(map[string]any)
		for _, f := range families {
			for _, s := range f.Samples {
				out[f.Name+string(exposition.AppendSample(nil, f.Type.String(), s.Labels, 0))] = s
			}
		}
		return out
	}
	if d := cmp.Diff(index(want), index(got), nan); d != "" {
		t.Errorf("(-registry +through the Operator)\n%s", d)
	}
}

// TestCollectorTypes: types that client_golang does not know become those that
// it writes them as.
func TestCollectorTypes(t *testing.T) {
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		emit(operator.Metric{Name: "version_info", Help: "H.", Type: metric.Info, Value: 1, Labels: metric.Labels("version", "1")})
		emit(operator.Metric{Name: "phase", Help: "H.", Type: metric.StateSet, Value: 1, Labels: metric.Labels("phase", "Ready")})
		emit(operator.Metric{Name: "weights", Help: "H.", Type: metric.GaugeHistogram, Histogram: &metric.HistogramValue{Count: 1.5, Sum: 2, Buckets: []metric.Bucket{{UpperBound: 1, Count: 0.5}}}})
		return nil
	})
	op.Collect("panics", func(context.Context, func(operator.Metric)) error { panic("bad") })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(prom.Collector(op))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range families {
		got[f.GetName()] = f.GetType().String()
		if f.GetName() == "weights" {
			h := f.GetMetric()[0].GetHistogram()
			if h.GetSampleCountFloat() != 1.5 || h.GetBucket()[0].GetCumulativeCountFloat() != 0.5 {
				t.Errorf("weights: %v", h)
			}
		}
	}
	for name, want := range map[string]string{"version_info": "GAUGE", "phase": "GAUGE", "weights": "HISTOGRAM", "operator_collector_up": "GAUGE"} {
		if got[name] != want {
			t.Errorf("%s is a %s, want %s", name, got[name], want)
		}
	}
}

// TestSelfMetricsLint: what the SDK says of itself follows the rules for names.
func TestSelfMetricsLint(t *testing.T) {
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.Protect(func(h http.Handler) http.Handler { return h })
	op.Collect("c", func(context.Context, func(operator.Metric)) error { return nil })
	op.Daemon("d", func(context.Context) error { return nil })
	op.Timer("t", time.Hour, func(context.Context) error { return nil })
	op.Expose("/metrics", exposition.Prometheus{})
	body := get(t, op.Handler(), "text/plain")
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if !bytes.Contains(body, []byte("operator_timer_failures_total")) {
		t.Errorf("no self-metrics in\n%s", body)
	}
}
