package points

import (
	"fmt"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// noValue says that a series has ended.
var noValue = pmetric.DefaultDataPointFlags.WithNoRecordedValue(true)

// End builds the point that ends a series, of which [Options.Watch] was told
// when it was there: one that says that there is no value any more. Watch is not
// told of it. Series of one metric should follow each other.
func (b *Builder) End(m *Metric, labels, bounds string) error {
	if b.current != *m {
		b.current, b.start = *m, 0
		b.chunk.family++
	}
	watch := b.opts.Watch
	b.opts.Watch = nil
	defer func() { b.opts.Watch = watch }()
	var parsed []metric.Label
	if labels != "" {
		samples, err := exposition.ParseSamples(exposition.OpenMetrics, metric.Desc{Name: "x"}, []byte("x{"+labels+"} 0"))
		if err != nil || len(samples) != 1 {
			b.spoilt(fmt.Errorf("labels of a series that has ended: %q: %w", labels, err))
			return nil
		}
		parsed = samples[0].Labels
	}
	b.labels = append(b.labels[:0], parsed...)
	return b.end(b.metric(b.labels), parseBounds(bounds))
}

func (b *Builder) end(m pmetric.Metric, bounds []float64) error {
	n := 25 * len(bounds)
	switch b.current.Shape {
	case Histogram:
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(b.now)
		p.SetFlags(noValue)
		p.SetSum(0) // what has no sum would not end that
		p.ExplicitBounds().FromRaw(bounds)
		p.BucketCounts().FromRaw(make([]uint64, len(bounds)+1))
		n += b.attributes(p.Attributes()) + 16
	case ExponentialHistogram:
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		p.SetTimestamp(b.now)
		p.SetFlags(noValue)
		p.SetSum(0)
		n += b.attributes(p.Attributes()) + 16
	case Summary:
		p := m.Summary().DataPoints().AppendEmpty()
		p.SetTimestamp(b.now)
		p.SetFlags(noValue)
		for _, q := range bounds {
			p.QuantileValues().AppendEmpty().SetQuantile(q)
		}
		n += b.attributes(p.Attributes())
	default:
		p := numbers(m).AppendEmpty()
		p.SetTimestamp(b.now)
		p.SetFlags(noValue)
		n += b.attributes(p.Attributes())
	}
	return b.added(n, "", "")
}

func parseBounds(text string) (out []float64) {
	for field := range strings.FieldsSeq(text) {
		if v, err := strconv.ParseFloat(field, 64); err == nil {
			out = append(out, v)
		}
	}
	return out
}
