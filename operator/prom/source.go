package prom

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Source returns the metrics of a gatherer, such as a [prometheus.Registry], as
// a source of an Operator. What the gatherer gives beside an error is served;
// the error is counted. A gatherer knows no deadline: one that blocks is left
// out until it returns, as any collector.
func Source(g prometheus.Gatherer) operator.Source {
	return source{g}
}

type source struct {
	gatherer prometheus.Gatherer
}

// Families implements [operator.Source].
func (s source) Families(context.Context) ([]metric.Family, error) {
	gathered, err := s.gatherer.Gather()
	families := make([]metric.Family, 0, len(gathered))
	for _, f := range gathered {
		families = append(families, fromFamily(f))
	}
	return families, err
}

var types = map[dto.MetricType]metric.Type{
	dto.MetricType_COUNTER:         metric.Counter,
	dto.MetricType_GAUGE:           metric.Gauge,
	dto.MetricType_SUMMARY:         metric.Summary,
	dto.MetricType_UNTYPED:         metric.Unknown,
	dto.MetricType_HISTOGRAM:       metric.Histogram,
	dto.MetricType_GAUGE_HISTOGRAM: metric.GaugeHistogram,
}

func fromFamily(f *dto.MetricFamily) metric.Family {
	out := metric.Family{
		Desc:    metric.Desc{Name: f.GetName(), Help: f.GetHelp(), Unit: f.GetUnit(), Type: types[f.GetType()]},
		Samples: make([]metric.Sample, len(f.GetMetric())),
	}
	if out.Validate() != nil {
		out.Unit = "" // client_golang lets a name be without its unit
	}
	for i, m := range f.GetMetric() {
		out.Samples[i] = fromMetric(m)
	}
	return out
}

func fromMetric(m *dto.Metric) metric.Sample {
	s := metric.Sample{Labels: fromLabels(m.GetLabel())}
	if m.TimestampMs != nil {
		s.Time = time.UnixMilli(m.GetTimestampMs())
	}
	switch {
	case m.Counter != nil:
		s.Value = m.Counter.GetValue()
		s.Exemplar = fromExemplar(m.Counter.GetExemplar())
		s.Created = fromTime(m.Counter.GetCreatedTimestamp())
	case m.Gauge != nil:
		s.Value = m.Gauge.GetValue()
	case m.Untyped != nil:
		s.Value = m.Untyped.GetValue()
	case m.Summary != nil:
		s.Summary = fromSummary(m.Summary)
		s.Created = fromTime(m.Summary.GetCreatedTimestamp())
	case m.Histogram != nil:
		s.Histogram = fromHistogram(m.Histogram)
		s.Created = fromTime(m.Histogram.GetCreatedTimestamp())
	}
	return s
}

func fromLabels(pairs []*dto.LabelPair) []metric.Label {
	labels := make([]metric.Label, len(pairs))
	for i, p := range pairs {
		labels[i] = metric.Label{Name: p.GetName(), Value: p.GetValue()}
	}
	return labels
}

func fromTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func fromExemplar(e *dto.Exemplar) *metric.Exemplar {
	if e == nil {
		return nil
	}
	return &metric.Exemplar{Labels: fromLabels(e.GetLabel()), Value: e.GetValue(), Time: fromTime(e.GetTimestamp())}
}

func fromSummary(s *dto.Summary) *metric.SummaryValue {
	out := &metric.SummaryValue{Count: float64(s.GetSampleCount()), Sum: s.GetSampleSum()}
	for _, q := range s.GetQuantile() {
		out.Quantiles = append(out.Quantiles, metric.Quantile{Quantile: q.GetQuantile(), Value: q.GetValue()})
	}
	return out
}

// count returns a number that the message has in one of two fields.
func count(whole uint64, float float64) float64 {
	if float > 0 {
		return float
	}
	return float64(whole)
}

func fromHistogram(h *dto.Histogram) *metric.HistogramValue {
	out := &metric.HistogramValue{Count: count(h.GetSampleCount(), h.GetSampleCountFloat()), Sum: h.GetSampleSum()}
	for _, b := range h.GetBucket() {
		out.Buckets = append(out.Buckets, metric.Bucket{
			UpperBound: b.GetUpperBound(),
			Count:      count(b.GetCumulativeCount(), b.GetCumulativeCountFloat()),
			Exemplar:   fromExemplar(b.GetExemplar()),
		})
	}
	if h.Schema == nil {
		return out
	}
	out.Native = &metric.NativeHistogram{
		Schema:        h.GetSchema(),
		ZeroThreshold: h.GetZeroThreshold(),
		ZeroCount:     count(h.GetZeroCount(), h.GetZeroCountFloat()),
		Positive:      fromBuckets(h.GetPositiveSpan(), h.GetPositiveDelta(), h.GetPositiveCount()),
		Negative:      fromBuckets(h.GetNegativeSpan(), h.GetNegativeDelta(), h.GetNegativeCount()),
	}
	for _, e := range h.GetExemplars() {
		out.Native.Exemplars = append(out.Native.Exemplars, *fromExemplar(e))
	}
	return out
}

// fromBuckets makes counts of differences, or takes them as they are.
func fromBuckets(spans []*dto.BucketSpan, deltas []int64, counts []float64) metric.NativeBuckets {
	out := metric.NativeBuckets{Counts: counts}
	for _, s := range spans {
		out.Spans = append(out.Spans, metric.Span{Offset: s.GetOffset(), Length: s.GetLength()})
	}
	total := int64(0)
	for _, d := range deltas {
		total += d
		out.Counts = append(out.Counts, float64(total))
	}
	return out
}
