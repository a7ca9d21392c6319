package exposition

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// encode writes families as one exposition, plain and as gzip, and returns it.
func encode(t *testing.T, format exposition.Format, families ...metric.Family) []byte {
	t.Helper()
	var plain, packed bytes.Buffer
	for out, compress := range map[*bytes.Buffer]bool{&plain: false, &packed: true} {
		w := exposition.NewWriter(out, format, compress)
		for _, f := range families {
			w.WriteFamily(f)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	z, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(unpacked, plain.Bytes()) {
		t.Fatalf("gzip holds %d bytes, %v, which are not the %d plain ones", len(unpacked), err, plain.Len())
	}
	return plain.Bytes()
}

// generator makes random families that are valid. It gives no label an empty
// value, as that is no label; and no label a name with a colon, see
// TestColonInLabelNames.
type generator struct {
	*rand.Rand
	strings []string // to make labels of
}

func newGenerator(seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 5)), []string{
		"a", "le_", "_x", "Z9", "k8s.io/name", "日本", "\"\\\n", "{}", " # {", "# EOF", "\r\t", "1", "+Inf", ",", "=\"", "\U0001f600", `\n`,
	}}
}

func (g *generator) string() string { return g.strings[g.IntN(len(g.strings))] }

func (g *generator) float() float64 {
	switch g.IntN(8) {
	case 0:
		return []float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e6, 999999, math.MaxFloat64, math.SmallestNonzeroFloat64}[g.IntN(10)]
	case 1:
		if v := math.Float64frombits(g.Uint64()); !math.IsNaN(v) { // of several NaN, text knows one
			return v
		}
		return 0.5
	case 2:
		return float64(g.IntN(2e6) - 1e6)
	default:
		return g.NormFloat64() * 1000
	}
}

// time is of half seconds and not too far off: float64 divides it without a
// rest, in nanoseconds as in milliseconds. It is later than 1970, whose begin Prometheus' protobuf
// parser takes for no time; its text parser reads nothing before.
func (g *generator) time() time.Time {
	if g.IntN(3) > 0 {
		return time.Time{}
	}
	return time.UnixMilli(g.Int64N(2.3e9)*1000 + 500*(1+g.Int64N(2)))
}

func (g *generator) labels(n int) []metric.Label {
	var out []metric.Label
	for range n {
		l := metric.Label{Name: g.string(), Value: g.string()}
		taken := false
		for _, o := range out {
			taken = taken || o.Name == l.Name
		}
		if !taken {
			out = append(out, l)
		}
	}
	metric.SortLabels(out)
	return out
}

// exemplar makes one whose labels need no escapes: Prometheus' OpenMetrics
// parser does not undo them there.
func (g *generator) exemplar() *metric.Exemplar {
	if g.IntN(2) == 0 {
		return nil
	}
	e := &metric.Exemplar{Value: g.float(), Time: g.time(), Labels: metric.Labels("trace_id", strconv.Itoa(g.IntN(1e9)))}
	if g.IntN(2) == 0 {
		e.Labels = append(e.Labels, metric.Label{Name: "span_id", Value: "日本"})
	}
	return e
}

func (g *generator) histogram() *metric.HistogramValue {
	h := &metric.HistogramValue{Sum: g.float()}
	step := []float64{1, 1, 0.25}[g.IntN(3)]
	count := func() float64 { return step * float64(g.IntN(400)) }
	kind := g.IntN(3) // classic, native, both
	if kind > 0 {
		h.Native = g.native(count)
		h.Count = h.Native.ZeroCount
		for _, c := range append(append([]float64(nil), h.Native.Positive.Counts...), h.Native.Negative.Counts...) {
			h.Count += c
		}
	} else {
		h.Count = 10 * count()
	}
	if kind == 1 {
		return h
	}
	bound, share := math.Round(g.NormFloat64()*5), 0.0
	for range g.IntN(5) {
		bound += []float64{0.5, 1, g.Float64() + 1e-9}[g.IntN(3)]
		share += (1 - share) * g.Float64()
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: bound, Count: math.Floor(h.Count * share), Exemplar: g.exemplar()})
	}
	if g.IntN(2) == 0 {
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: math.Inf(1), Count: h.Count, Exemplar: g.exemplar()})
	}
	return h
}

// native makes buckets, without empty spans and buckets: Prometheus removes
// those.
func (g *generator) native(count func() float64) *metric.NativeHistogram {
	n := &metric.NativeHistogram{Schema: int32(g.IntN(13)) - 4, ZeroCount: count()}
	n.ZeroThreshold = []float64{0, 0x1p-128, 1}[g.IntN(3)]
	for _, b := range []*metric.NativeBuckets{&n.Positive, &n.Negative} {
		for i := range g.IntN(4) {
			s := metric.Span{Offset: int32(g.IntN(100)) - 50, Length: uint32(1 + g.IntN(5))}
			if i > 0 {
				s.Offset = int32(4 + g.IntN(70))
			}
			b.Spans = append(b.Spans, s)
			for range s.Length {
				b.Counts = append(b.Counts, count()+1)
			}
		}
	}
	for range g.IntN(3) {
		if e := g.exemplar(); e != nil {
			n.Exemplars = append(n.Exemplars, *e)
		}
	}
	return n
}

func (g *generator) summary() *metric.SummaryValue {
	s := &metric.SummaryValue{Count: float64(g.IntN(1e9)), Sum: g.float()}
	for q := g.Float64(); q <= 1; q += g.Float64() + 1e-9 {
		s.Quantiles = append(s.Quantiles, metric.Quantile{Quantile: q, Value: g.float()})
	}
	return s
}

// family makes a family whose name fits the type.
func (g *generator) family(typ metric.Type) metric.Family {
	f := metric.Family{Desc: metric.Desc{Name: []string{"a", "a:b", "a.b", "日本", "\"\\\n", "_", "{"}[g.IntN(7)], Type: typ}}
	if g.IntN(2) == 0 {
		f.Help = g.string()
	}
	if g.IntN(2) == 0 && typ != metric.Info {
		f.Name, f.Unit = f.Name+"_seconds", "seconds"
	}
	switch typ {
	case metric.Counter:
		f.Name += "_total"
	case metric.Info:
		f.Name += "_info"
	}
	for i := range 1 + g.IntN(4) {
		s := metric.Sample{Time: g.time()}
		s.Labels = append(g.labels(g.IntN(4)), metric.Label{Name: "n", Value: strconv.Itoa(i)})
		metric.SortLabels(s.Labels)
		switch typ {
		case metric.Histogram, metric.GaugeHistogram:
			s.Histogram, s.Created = g.histogram(), g.time()
		case metric.Summary:
			s.Summary, s.Created = g.summary(), g.time()
		case metric.Counter:
			s.Exemplar, s.Created = g.exemplar(), g.time()
			if s.Value = math.Abs(g.float()); math.IsNaN(s.Value) {
				s.Value = 2
			}
		case metric.Info:
			s.Value = 1
		case metric.StateSet:
			s.Value = float64(g.IntN(2))
		default:
			s.Value = g.float()
		}
		f.Samples = append(f.Samples, s)
	}
	return f
}

// handMade are the families that a random one is seldom like.
func handMade() []metric.Family {
	at := time.UnixMilli(1500)
	one := func(d metric.Desc, s metric.Sample) metric.Family {
		return metric.Family{Desc: d, Samples: []metric.Sample{s}}
	}
	histogram := func(h metric.HistogramValue) metric.Family {
		return one(metric.Desc{Name: "h", Type: metric.Histogram}, metric.Sample{Histogram: &h})
	}
	exemplar := &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: -0.5, Time: at}
	return []metric.Family{
		one(metric.Desc{Name: "a_total", Type: metric.Counter}, metric.Sample{Value: 0, Time: at, Created: at, Exemplar: exemplar}),
		one(metric.Desc{Name: "a", Type: metric.Counter}, metric.Sample{Value: 1e6}),
		one(metric.Desc{Name: "a", Help: "Ü \"x\" \\ \n.", Type: metric.Gauge}, metric.Sample{Value: math.NaN()}),
		one(metric.Desc{Name: "a", Type: metric.Unknown}, metric.Sample{Value: math.Inf(-1)}),
		one(metric.Desc{Name: "a", Type: metric.Info}, metric.Sample{Value: 1}),
		one(metric.Desc{Name: "s", Type: metric.Summary}, metric.Sample{Summary: &metric.SummaryValue{}}),
		one(metric.Desc{Name: "s", Type: metric.Summary}, metric.Sample{Summary: &metric.SummaryValue{Count: 2, Quantiles: []metric.Quantile{{Quantile: 0}, {Quantile: 1, Value: math.NaN()}}}}),
		one(metric.Desc{Name: "g", Type: metric.GaugeHistogram}, metric.Sample{Time: at, Histogram: &metric.HistogramValue{Count: 2, Sum: 1}}),
		histogram(metric.HistogramValue{}),
		histogram(metric.HistogramValue{Count: 1e9, Sum: 1, Buckets: []metric.Bucket{{UpperBound: 1e6, Count: 1e7, Exemplar: exemplar}, {UpperBound: math.Inf(1), Count: 1e9}}}),
		histogram(metric.HistogramValue{Count: 2.5, Buckets: []metric.Bucket{{UpperBound: -1, Count: 0}, {UpperBound: 0, Count: 2.5}}}),
		histogram(metric.HistogramValue{Native: &metric.NativeHistogram{Schema: -4}}),                                                 // a span of nothing
		histogram(metric.HistogramValue{Native: &metric.NativeHistogram{}, Buckets: []metric.Bucket{{UpperBound: 1}}}),                // the same
		histogram(metric.HistogramValue{Count: 1, Native: &metric.NativeHistogram{ZeroCount: 1}}),                                     // the zero bucket alone
		histogram(metric.HistogramValue{Count: 0.5, Native: &metric.NativeHistogram{ZeroCount: 0.5, ZeroThreshold: 1e-9, Schema: 8}}), // the same, of weights
		histogram(metric.HistogramValue{Count: 0.5, Native: &metric.NativeHistogram{ZeroCount: 0.5}}),                                 // and of no width
		histogram(metric.HistogramValue{Count: 1.5, Sum: 2, Native: &metric.NativeHistogram{ZeroCount: 1}, Buckets: []metric.Bucket{{UpperBound: 1, Count: 1}}}),
		histogram(metric.HistogramValue{Count: 3, Sum: math.NaN(), Native: &metric.NativeHistogram{ZeroCount: 1}}), // NaN was observed twice
		histogram(metric.HistogramValue{Count: 1 << 53, Native: &metric.NativeHistogram{Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: math.MinInt32, Length: 2}}, Counts: []float64{1 << 52, 1 << 52}}}}),
		histogram(metric.HistogramValue{Count: 1 << 60, Native: &metric.NativeHistogram{Negative: metric.NativeBuckets{Spans: []metric.Span{{Offset: math.MaxInt32, Length: 1}}, Counts: []float64{1 << 60}}}}),
	}
}

// eachFamily runs f with families of every type.
func eachFamily(t *testing.T, f func(t *testing.T, family metric.Family)) {
	run := func(name string, family metric.Family) {
		if err := family.Validate(); err != nil {
			t.Fatalf("%s: the test made a family that is not valid: %v", name, err)
		}
		for i := range family.Samples {
			if err := family.Samples[i].Validate(family.Type); err != nil {
				t.Fatalf("%s: the test made a sample that is not valid: %v", name, err)
			}
		}
		t.Run(name, func(t *testing.T) { f(t, family) })
	}
	for i, family := range handMade() {
		run(fmt.Sprintf("%s/hand made %d", family.Type, i), family)
	}
	for typ := metric.Unknown; typ <= metric.Summary; typ++ {
		for seed := range uint64(200) {
			run(fmt.Sprintf("%s/seed %d", typ, seed), newGenerator(seed).family(typ))
		}
	}
}

// toDTO returns the family as the message that Prometheus' libraries use, with
// everything that it can hold.
func toDTO(f metric.Family) *dto.MetricFamily {
	types := map[metric.Type]dto.MetricType{
		metric.Counter: dto.MetricType_COUNTER, metric.Gauge: dto.MetricType_GAUGE, metric.Info: dto.MetricType_GAUGE,
		metric.StateSet: dto.MetricType_GAUGE, metric.Unknown: dto.MetricType_UNTYPED, metric.Summary: dto.MetricType_SUMMARY,
		metric.Histogram: dto.MetricType_HISTOGRAM, metric.GaugeHistogram: dto.MetricType_GAUGE_HISTOGRAM,
	}
	out := &dto.MetricFamily{Name: proto.String(f.Name), Help: proto.String(f.Help), Type: types[f.Type].Enum()}
	if f.Unit != "" {
		out.Unit = proto.String(f.Unit)
	}
	for _, s := range f.Samples {
		m := &dto.Metric{Label: labelsToDTO(s.Labels)}
		if !s.Time.IsZero() {
			m.TimestampMs = proto.Int64(s.Time.UnixMilli())
		}
		switch *out.Type {
		case dto.MetricType_COUNTER:
			m.Counter = &dto.Counter{Value: proto.Float64(s.Value), Exemplar: exemplarToDTO(s.Exemplar), CreatedTimestamp: timeToDTO(s.Created)}
		case dto.MetricType_GAUGE:
			m.Gauge = &dto.Gauge{Value: proto.Float64(s.Value)}
		case dto.MetricType_UNTYPED:
			m.Untyped = &dto.Untyped{Value: proto.Float64(s.Value)}
		case dto.MetricType_SUMMARY:
			m.Summary = &dto.Summary{SampleCount: proto.Uint64(uint64(s.Summary.Count)), SampleSum: proto.Float64(s.Summary.Sum), CreatedTimestamp: timeToDTO(s.Created)}
			for _, q := range s.Summary.Quantiles {
				m.Summary.Quantile = append(m.Summary.Quantile, &dto.Quantile{Quantile: proto.Float64(q.Quantile), Value: proto.Float64(q.Value)})
			}
		default:
			m.Histogram = histogramToDTO(s.Histogram)
			m.Histogram.CreatedTimestamp = timeToDTO(s.Created)
		}
		out.Metric = append(out.Metric, m)
	}
	return out
}

func labelsToDTO(labels []metric.Label) (out []*dto.LabelPair) {
	for _, l := range labels {
		out = append(out, &dto.LabelPair{Name: proto.String(l.Name), Value: proto.String(l.Value)})
	}
	return out
}

func timeToDTO(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func exemplarToDTO(e *metric.Exemplar) *dto.Exemplar {
	if e == nil {
		return nil
	}
	return &dto.Exemplar{Label: labelsToDTO(e.Labels), Value: proto.Float64(e.Value), Timestamp: timeToDTO(e.Time)}
}

func histogramToDTO(h *metric.HistogramValue) *dto.Histogram {
	out := &dto.Histogram{SampleSum: proto.Float64(h.Sum)}
	whole := h.IsWhole()
	count := func(v float64) (*uint64, *float64) {
		if whole {
			return proto.Uint64(uint64(v)), nil
		}
		return nil, proto.Float64(v)
	}
	out.SampleCount, out.SampleCountFloat = count(h.Count)
	for _, b := range h.Buckets {
		x := &dto.Bucket{UpperBound: proto.Float64(b.UpperBound), Exemplar: exemplarToDTO(b.Exemplar)}
		x.CumulativeCount, x.CumulativeCountFloat = count(b.Count)
		out.Bucket = append(out.Bucket, x)
	}
	n := h.Native
	if n == nil {
		return out
	}
	out.Schema, out.ZeroThreshold = proto.Int32(n.Schema), proto.Float64(n.ZeroThreshold)
	out.ZeroCount, out.ZeroCountFloat = count(n.ZeroCount)
	spans := func(b metric.NativeBuckets) (out []*dto.BucketSpan) {
		for _, s := range b.Spans {
			out = append(out, &dto.BucketSpan{Offset: proto.Int32(s.Offset), Length: proto.Uint32(s.Length)})
		}
		return out
	}
	deltas := func(b metric.NativeBuckets) (out []int64) {
		before := 0.0
		for _, c := range b.Counts {
			out, before = append(out, int64(c-before)), c
		}
		return out
	}
	out.PositiveSpan, out.NegativeSpan = spans(n.Positive), spans(n.Negative)
	if whole {
		out.PositiveDelta, out.NegativeDelta = deltas(n.Positive), deltas(n.Negative)
	} else {
		out.PositiveCount, out.NegativeCount = n.Positive.Counts, n.Negative.Counts
	}
	if len(out.PositiveSpan)+len(out.NegativeSpan) == 0 && (n.ZeroCount == 0 || !whole) && n.ZeroThreshold == 0 {
		// As client_golang does, which has no fractions.
		out.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
	for i := range n.Exemplars {
		if e := &n.Exemplars[i]; !e.Time.IsZero() { // Prometheus would not read it
			out.Exemplars = append(out.Exemplars, exemplarToDTO(e))
		}
	}
	return out
}
