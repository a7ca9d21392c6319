package exposition

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// The numbers of the message io.prometheus.client.MetricType.
const (
	protoCounter        = 0
	protoGauge          = 1
	protoSummary        = 2
	protoUntyped        = 3
	protoHistogram      = 4
	protoGaugeHistogram = 5
)

// message is a protobuf message that is being written, without its own length.
// A field that is its type's zero is written all the same, unless a method says
// otherwise: the messages are of proto2, where absent and zero differ.
type message []byte

// Wire types.
const (
	wireVarint = 0
	wireDouble = 1
	wireBytes  = 2
)

func (m *message) tag(field, wire uint64) {
	*m = binary.AppendUvarint(*m, field<<3|wire)
}

func (m *message) uint(field, v uint64) {
	m.tag(field, wireVarint)
	*m = binary.AppendUvarint(*m, v)
}

// sint writes a field of type sint32 or sint64 (zigzag).
func (m *message) sint(field uint64, v int64) {
	m.uint(field, uint64(v)<<1^uint64(v>>63))
}

func (m *message) double(field uint64, v float64) {
	m.tag(field, wireDouble)
	*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(v))
}

func (m *message) string(field uint64, s string) {
	m.tag(field, wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(s)))
	*m = append(*m, s...)
}

// embed writes a message inside this one. The length goes before it, in the one
// byte that most need; what is longer moves.
func (m *message) embed(field uint64, write func(*message)) {
	m.tag(field, wireBytes)
	start := len(*m)
	*m = append(*m, 0)
	write(m)
	length := len(*m) - start - 1
	if length < 0x80 {
		(*m)[start] = byte(length)
		return
	}
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(length))
	*m = append(*m, prefix[1:n]...) // room
	copy((*m)[start+n:], (*m)[start+1:start+1+length])
	copy((*m)[start:], prefix[:n])
}

// appendFamily appends a family as one MetricFamily behind its length.
func appendFamily(dst []byte, f *metric.Family) []byte {
	// The length of a family is seldom short: leave room for five bytes of it,
	// and close the gap.
	const room = 5
	start := len(dst)
	m := message(append(dst, make([]byte, room)...))
	m.head(f.Desc)
	m = AppendRecords(m, f.Desc, f.Samples)
	m.tail(f.Desc)
	var prefix [binary.MaxVarintLen64]byte
	length := len(m) - start - room
	n := binary.PutUvarint(prefix[:], uint64(length))
	copy(m[start+n:], m[start+room:start+room+length])
	copy(m[start:], prefix[:n])
	return m[:start+n+length]
}

// head writes the fields of a MetricFamily before its records, tail those behind
// them.
func (m *message) head(d metric.Desc) {
	m.string(1, d.Name)
	m.string(2, d.Help)
	m.uint(3, protoType(d.Type))
}

func (m *message) tail(d metric.Desc) {
	if d.Unit != "" {
		m.string(5, d.Unit)
	}
}

// recordTag is that of a record: field 4 of a MetricFamily, with a length.
const recordTag = 4<<3 | wireBytes

// AppendRecords appends the samples of a family as records: fields "metric"
// (number 4) of the message io.prometheus.client.MetricFamily, each with its tag
// and its length, back to back. They are what a part with the option operator.Native gives in
// [Chunk] or [Rendered] for the format [Protobuf]. Of the description only the
// type counts. Samples are not checked; one without the value that goes with the
// type is written as zero.
func AppendRecords(dst []byte, d metric.Desc, samples []metric.Sample) []byte {
	m := message(dst)
	for i := range samples {
		m.embed(4, func(m *message) { m.sample(d.Type, &samples[i]) })
	}
	return m
}

func protoType(t metric.Type) uint64 {
	switch t {
	case metric.Counter:
		return protoCounter
	case metric.Gauge, metric.Info, metric.StateSet:
		return protoGauge
	case metric.Summary:
		return protoSummary
	case metric.Histogram:
		return protoHistogram
	case metric.GaugeHistogram:
		return protoGaugeHistogram
	default:
		return protoUntyped
	}
}

// sample writes the message Metric.
func (m *message) sample(t metric.Type, s *metric.Sample) {
	m.labels(s.Labels)
	switch kind := protoType(t); kind {
	case protoCounter:
		m.embed(3, func(m *message) {
			m.double(1, s.Value)
			m.exemplar(2, s.Exemplar)
			m.time(3, s.Created)
		})
	case protoSummary:
		m.embed(4, func(m *message) { m.summary(s) })
	case protoHistogram, protoGaugeHistogram:
		m.embed(7, func(m *message) { m.histogram(s) })
	case protoGauge:
		m.embed(2, func(m *message) { m.double(1, s.Value) })
	default:
		m.embed(5, func(m *message) { m.double(1, s.Value) })
	}
	if !s.Time.IsZero() {
		m.uint(6, uint64(s.Time.UnixMilli()))
	}
}

func (m *message) labels(labels []metric.Label) {
	for i := range labels {
		m.embed(1, func(m *message) {
			m.string(1, labels[i].Name)
			m.string(2, labels[i].Value)
		})
	}
}

func (m *message) exemplar(field uint64, e *metric.Exemplar) {
	if e == nil {
		return
	}
	m.embed(field, func(m *message) {
		m.labels(e.Labels)
		m.double(2, e.Value)
		m.time(3, e.Time)
	})
}

// time writes a google.protobuf.Timestamp, unless the time is zero.
func (m *message) time(field uint64, t time.Time) {
	if t.IsZero() {
		return
	}
	m.embed(field, func(m *message) {
		m.uint(1, uint64(t.Unix()))
		m.uint(2, uint64(t.Nanosecond()))
	})
}

func (m *message) summary(s *metric.Sample) {
	v := s.Summary
	if v == nil { // not valid, but no reason to panic
		v = new(metric.SummaryValue)
	}
	m.uint(1, whole(v.Count))
	m.double(2, v.Sum)
	for _, q := range v.Quantiles {
		m.embed(3, func(m *message) {
			m.double(1, q.Quantile)
			m.double(2, q.Value)
		})
	}
	m.time(4, s.Created)
}

func (m *message) histogram(s *metric.Sample) {
	h := s.Histogram
	if h == nil {
		h = new(metric.HistogramValue)
	}
	whole := h.IsWhole()
	m.count(1, 4, whole, h.Count)
	m.double(2, h.Sum)
	for i := range h.Buckets {
		m.embed(3, func(m *message) {
			b := &h.Buckets[i]
			m.count(1, 4, whole, b.Count)
			m.double(2, b.UpperBound)
			m.exemplar(3, b.Exemplar)
		})
	}
	if h.Native != nil {
		m.native(h.Native, whole)
	}
	m.time(15, s.Created)
}

// count writes a number of observations into the field for whole numbers or
// the one for others.
func (m *message) count(whole, float uint64, isWhole bool, v float64) {
	if isWhole {
		m.uint(whole, uint64(v))
	} else {
		m.double(float, v)
	}
}

// whole returns a count as a whole number, the nearest that there is.
func whole(v float64) uint64 {
	switch {
	case v >= math.MaxUint64:
		return math.MaxUint64
	case v > 0:
		return uint64(v)
	default:
		return 0
	}
}

func (m *message) native(n *metric.NativeHistogram, whole bool) {
	m.sint(5, int64(n.Schema))
	m.double(6, n.ZeroThreshold)
	m.count(7, 8, whole, n.ZeroCount)
	m.buckets(9, n.Negative, whole)
	m.buckets(12, n.Positive, whole)
	if !(n.ZeroThreshold > 0) && (n.ZeroCount == 0 || !whole) && len(n.Negative.Spans)+len(n.Positive.Spans) == 0 {
		// Without it the histogram would be taken for a classic one.
		m.buckets(12, metric.NativeBuckets{Spans: []metric.Span{{}}}, whole)
	}
	for i := range n.Exemplars {
		if e := &n.Exemplars[i]; !e.Time.IsZero() {
			m.exemplar(16, e)
		}
	}
}

// buckets writes spans, and behind them the counts: as differences where they
// are whole numbers.
func (m *message) buckets(field uint64, b metric.NativeBuckets, whole bool) {
	for _, s := range b.Spans {
		m.embed(field, func(m *message) {
			m.sint(1, int64(s.Offset))
			m.uint(2, uint64(s.Length))
		})
	}
	var before int64
	for _, c := range b.Counts {
		if whole {
			m.sint(field+1, int64(c)-before)
			before = int64(c)
		} else {
			m.double(field+2, c)
		}
	}
}
