package prom

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Collector returns what an Operator gathers as a collector for a registry. It
// is unchecked, as the families are only known during a scrape; nothing in it
// collides with anything else in it, and a collector of the Operator that
// fails, blocks or panics costs the registry nothing: it shows in the
// Operator's self-metrics. A family that the registry has from elsewhere too,
// with another help text or the same labels, makes the registry's Gather fail,
// as ever. Do not register it with a registry that is a [Source] of the same
// Operator: each would wait for the other. A call waits as long as [operator.Options] ScrapeTimeout
// says, as client_golang knows no deadline.
func Collector(op *operator.Operator) prometheus.Collector {
	return collector{op}
}

type collector struct {
	op *operator.Operator
}

// Describe sends nothing, which makes the collector an unchecked one.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c collector) Collect(ch chan<- prometheus.Metric) {
	families, _ := c.op.Families(context.Background()) // the error is in the self-metrics
	for i := range families {
		f := &families[i]
		for j := range f.Samples {
			ch <- constMetric{&f.Desc, &f.Samples[j]}
		}
	}
}

// constMetric is one sample for a registry.
type constMetric struct {
	desc   *metric.Desc
	sample *metric.Sample
}

// Desc implements [prometheus.Metric].
func (m constMetric) Desc() *prometheus.Desc {
	labels := make(prometheus.Labels, len(m.sample.Labels))
	for _, l := range m.sample.Labels {
		labels[l.Name] = l.Value
	}
	return prometheus.NewDesc(m.desc.Name, m.desc.Help, nil, labels)
}

// Write implements [prometheus.Metric].
func (m constMetric) Write(out *dto.Metric) error {
	s := m.sample
	out.Label = toLabels(s.Labels)
	if !s.Time.IsZero() {
		out.TimestampMs = proto.Int64(s.Time.UnixMilli())
	}
	switch m.desc.Type {
	case metric.Counter:
		out.Counter = &dto.Counter{Value: &s.Value, Exemplar: toExemplar(s.Exemplar), CreatedTimestamp: toTime(s.Created)}
	case metric.Gauge, metric.Info, metric.StateSet:
		out.Gauge = &dto.Gauge{Value: &s.Value}
	case metric.Summary:
		out.Summary = toSummary(s)
	case metric.Histogram, metric.GaugeHistogram:
		out.Histogram = toHistogram(s)
	default:
		out.Untyped = &dto.Untyped{Value: &s.Value}
	}
	return nil
}

func toLabels(labels []metric.Label) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, len(labels))
	for i := range labels {
		pairs[i] = &dto.LabelPair{Name: &labels[i].Name, Value: &labels[i].Value}
	}
	return pairs
}

func toTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func toExemplar(e *metric.Exemplar) *dto.Exemplar {
	if e == nil {
		return nil
	}
	return &dto.Exemplar{Label: toLabels(e.Labels), Value: &e.Value, Timestamp: toTime(e.Time)}
}

func toSummary(s *metric.Sample) *dto.Summary {
	out := &dto.Summary{
		SampleCount: proto.Uint64(uint64(s.Summary.Count)), SampleSum: &s.Summary.Sum, CreatedTimestamp: toTime(s.Created),
	}
	for i := range s.Summary.Quantiles {
		q := &s.Summary.Quantiles[i]
		out.Quantile = append(out.Quantile, &dto.Quantile{Quantile: &q.Quantile, Value: &q.Value})
	}
	return out
}

func toHistogram(s *metric.Sample) *dto.Histogram {
	h, whole := s.Histogram, s.Histogram.IsWhole()
	out := &dto.Histogram{SampleSum: &h.Sum, CreatedTimestamp: toTime(s.Created)}
	out.SampleCount, out.SampleCountFloat = toCount(h.Count, whole)
	for i := range h.Buckets {
		b := &dto.Bucket{UpperBound: &h.Buckets[i].UpperBound, Exemplar: toExemplar(h.Buckets[i].Exemplar)}
		b.CumulativeCount, b.CumulativeCountFloat = toCount(h.Buckets[i].Count, whole)
		out.Bucket = append(out.Bucket, b)
	}
	n := h.Native
	if n == nil {
		return out
	}
	out.Schema, out.ZeroThreshold = &n.Schema, &n.ZeroThreshold
	out.ZeroCount, out.ZeroCountFloat = toCount(n.ZeroCount, whole)
	out.PositiveSpan, out.PositiveDelta, out.PositiveCount = toBuckets(n.Positive, whole)
	out.NegativeSpan, out.NegativeDelta, out.NegativeCount = toBuckets(n.Negative, whole)
	if n.ZeroThreshold == 0 && (n.ZeroCount == 0 || !whole) && len(out.PositiveSpan)+len(out.NegativeSpan) == 0 {
		// Without it the histogram would be taken for a classic one.
		out.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
	for i := range n.Exemplars {
		if !n.Exemplars[i].Time.IsZero() {
			out.Exemplars = append(out.Exemplars, toExemplar(&n.Exemplars[i]))
		}
	}
	return out
}

// toCount returns a number of observations for one of the two fields that the
// message has for it.
func toCount(v float64, isWhole bool) (whole *uint64, float *float64) {
	if isWhole {
		return proto.Uint64(uint64(v)), nil
	}
	return nil, &v
}

func toBuckets(b metric.NativeBuckets, whole bool) (spans []*dto.BucketSpan, deltas []int64, counts []float64) {
	for i := range b.Spans {
		spans = append(spans, &dto.BucketSpan{Offset: &b.Spans[i].Offset, Length: &b.Spans[i].Length})
	}
	if !whole {
		return spans, nil, b.Counts
	}
	before := int64(0)
	for _, c := range b.Counts {
		deltas = append(deltas, int64(c)-before)
		before = int64(c)
	}
	return spans, deltas, nil
}
