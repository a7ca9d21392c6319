package points

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// sample builds the point of a sample of the current family.
func (b *Builder) sample(s *metric.Sample) error {
	b.labels = b.labels[:0]
	for _, l := range s.Labels {
		if l.Value != "" { // which is the same as none
			b.labels = append(b.labels, metric.Label{Name: valid(l.Name), Value: valid(l.Value)})
		}
	}
	metric.SortLabels(b.labels)
	text := canonical(b.labels)
	now, start := b.now, b.start
	if !s.Time.IsZero() {
		now = timestamp(s.Time)
	}
	if !s.Created.IsZero() {
		start = timestamp(s.Created)
	}
	at := moment{now: now, start: start}
	switch {
	case s.Histogram != nil && len(s.Histogram.Buckets) == 0 && s.Histogram.Native != nil:
		return b.exponential(s.Histogram, at, text)
	case s.Histogram != nil:
		return b.histogram(s.Histogram, at, text)
	case s.Summary != nil:
		return b.summary(s.Summary, at, text)
	case !b.current.Shape.IsNumber():
		b.spoilt(fmt.Errorf("family %s: a sample without a distribution", b.current.Family))
		return nil
	}
	p := numbers(b.metric(b.labels)).AppendEmpty()
	p.SetTimestamp(now)
	if b.current.Shape != Gauge {
		p.SetStartTimestamp(start)
	}
	p.SetDoubleValue(s.Value)
	n := b.attributes(p.Attributes())
	if b.current.Shape == Sum {
		n += exemplar(p.Exemplars(), s.Exemplar, now)
	}
	return b.added(n, text, "")
}

// moment is when a point is, and when it began to count.
type moment struct{ now, start pcommon.Timestamp }

// as makes the current metric one of another shape, if it is not: a family may
// have both kinds of histograms.
func (b *Builder) as(s Shape) {
	if b.current.Shape != s {
		b.current.Shape = s
		b.chunk.family++
	}
}

func (b *Builder) histogram(h *metric.HistogramValue, at moment, labels string) error {
	b.as(Histogram)
	p := b.metric(b.labels).Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(at.now)
	p.SetStartTimestamp(at.start)
	p.SetCount(count(h.Count))
	p.SetSum(h.Sum)
	n := b.attributes(p.Attributes()) + 9*(2*len(h.Buckets)+4)
	bounds, counts := p.ExplicitBounds(), p.BucketCounts()
	bounds.EnsureCapacity(len(h.Buckets))
	counts.EnsureCapacity(len(h.Buckets) + 1)
	before := uint64(0)
	for i := range h.Buckets {
		bucket := &h.Buckets[i]
		n += exemplar(p.Exemplars(), bucket.Exemplar, at.now)
		if math.IsInf(bucket.UpperBound, 1) {
			break
		}
		bounds.Append(bucket.UpperBound)
		counts.Append(count(bucket.Count) - min(before, count(bucket.Count)))
		before = count(bucket.Count)
	}
	if len(h.Buckets) > 0 {
		counts.Append(p.Count() - min(before, p.Count()))
	}
	return b.added(n, labels, boundsText(bounds.AsRaw()))
}

// maxBuckets is how many buckets of one sign a histogram may have, with the empty
// ones that OpenTelemetry needs between others.
const maxBuckets = 1 << 14

func (b *Builder) exponential(h *metric.HistogramValue, at moment, labels string) error {
	positive, pok := dense(h.Native.Positive)
	negative, nok := dense(h.Native.Negative)
	if !pok || !nok {
		b.spoilt(fmt.Errorf("family %s: a native histogram with more than %d buckets in a row", b.current.Family, maxBuckets))
		return nil
	}
	b.as(ExponentialHistogram)
	p := b.metric(b.labels).ExponentialHistogram().DataPoints().AppendEmpty()
	p.SetTimestamp(at.now)
	p.SetStartTimestamp(at.start)
	p.SetCount(count(h.Count))
	p.SetSum(h.Sum)
	p.SetScale(h.Native.Schema)
	p.SetZeroCount(count(h.Native.ZeroCount))
	p.SetZeroThreshold(h.Native.ZeroThreshold)
	positive.set(p.Positive())
	negative.set(p.Negative())
	n := b.attributes(p.Attributes()) + 80 + 10*(len(positive.counts)+len(negative.counts))
	for i := range h.Native.Exemplars {
		n += exemplar(p.Exemplars(), &h.Native.Exemplars[i], at.now)
	}
	return b.added(n, labels, "")
}

// buckets are consecutive buckets of an exponential histogram.
type buckets struct {
	offset int32
	counts []uint64
}

func (x buckets) set(to pmetric.ExponentialHistogramDataPointBuckets) {
	to.SetOffset(x.offset)
	to.BucketCounts().FromRaw(x.counts)
}

// dense fills the gaps between spans. Prometheus names a bucket by its upper
// bound, OpenTelemetry by its lower one: the offsets differ by one.
func dense(n metric.NativeBuckets) (x buckets, ok bool) {
	at := 0
	for i, s := range n.Spans {
		gap := int(s.Offset)
		if i == 0 {
			x.offset, gap = s.Offset-1, 0
		}
		if gap < 0 || gap+int(s.Length)+len(x.counts) > maxBuckets || at+int(s.Length) > len(n.Counts) {
			return x, false
		}
		x.counts = append(x.counts, make([]uint64, gap)...)
		for range s.Length {
			x.counts = append(x.counts, count(n.Counts[at]))
			at++
		}
	}
	return x, true
}

func (b *Builder) summary(s *metric.SummaryValue, at moment, labels string) error {
	p := b.metric(b.labels).Summary().DataPoints().AppendEmpty()
	p.SetTimestamp(at.now)
	p.SetStartTimestamp(at.start)
	p.SetCount(count(s.Count))
	p.SetSum(s.Sum)
	quantiles := make([]float64, 0, len(s.Quantiles))
	for _, q := range s.Quantiles {
		v := p.QuantileValues().AppendEmpty()
		v.SetQuantile(q.Quantile)
		v.SetValue(q.Value)
		quantiles = append(quantiles, q.Quantile)
	}
	return b.added(b.attributes(p.Attributes())+25*(len(quantiles)+1), labels, boundsText(quantiles))
}

// attributes puts the labels of the sample on a point and returns how large it is
// at most.
func (b *Builder) attributes(to pcommon.Map) int {
	to.EnsureCapacity(len(b.labels))
	n := pointOverhead
	for i := range b.labels {
		l := &b.labels[i]
		name := attributeName(l.Name)
		to.PutStr(name, l.Value)
		n += labelSize(name, l.Value)
	}
	return n
}

// attributeName returns what a label is called on a point. Prometheus makes the
// labels job and instance of the resource, and would drop those of a point
// without a word; what it scrapes it renames so.
func attributeName(label string) string {
	switch label {
	case "job":
		return "exported_job"
	case "instance":
		return "exported_instance"
	default:
		return label
	}
}

// exemplar adds an exemplar, if there is one. Labels with the usual names become
// the ids of its trace.
func exemplar(to pmetric.ExemplarSlice, e *metric.Exemplar, now pcommon.Timestamp) int {
	if e == nil {
		return 0
	}
	x := to.AppendEmpty()
	x.SetDoubleValue(e.Value)
	x.SetTimestamp(now)
	if !e.Time.IsZero() {
		x.SetTimestamp(timestamp(e.Time))
	}
	n := pointOverhead
	for _, l := range e.Labels {
		n += labelSize(l.Name, l.Value)
		switch id, err := hex.DecodeString(l.Value); {
		case l.Name == "trace_id" && err == nil && len(id) == 16:
			x.SetTraceID(pcommon.TraceID(id))
		case l.Name == "span_id" && err == nil && len(id) == 8:
			x.SetSpanID(pcommon.SpanID(id))
		default:
			x.FilteredAttributes().PutStr(valid(l.Name), valid(l.Value))
		}
	}
	return n
}

// count returns a number of things. OpenTelemetry has no others than whole ones.
func count(v float64) uint64 {
	switch {
	case !(v > 0):
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	default:
		return uint64(math.Round(v))
	}
}

// valid returns the string without bytes that are not UTF-8.
func valid(s string) string {
	return strings.ToValidUTF8(s, "\uFFFD")
}

// canonical returns sorted labels as they stand between the braces of a line.
func canonical(labels []metric.Label) string {
	if len(labels) == 0 {
		return ""
	}
	line := exposition.AppendLines(nil, exposition.OpenMetrics, metric.Desc{Name: "x"}, &metric.Sample{Labels: labels})
	return string(line[len("x{") : len(line)-len("} 0\n")])
}

// boundsText returns bounds as [Builder.End] reads them.
func boundsText(bounds []float64) string {
	if len(bounds) == 0 {
		return ""
	}
	var out []byte
	for _, v := range bounds {
		out = append(strconv.AppendFloat(out, v, 'g', -1, 64), ' ')
	}
	return string(slices.Clip(out[:len(out)-1]))
}
