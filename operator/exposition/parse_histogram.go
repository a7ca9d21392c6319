package exposition

import (
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// histogramMessage is the message Histogram as it is read: what its fields mean
// is only known when all are there.
type histogramMessage struct {
	count              countField
	zeroCount          countField
	sum                float64
	buckets            []metric.Bucket
	schema             int32
	zeroThreshold      float64
	negative, positive bucketFields
	exemplars          []metric.Exemplar
	created            time.Time
}

// countField is a number of observations that has a field for whole numbers and
// one for others.
type countField struct {
	whole uint64
	float float64
}

func (c countField) value() float64 {
	if c.float != 0 {
		return c.float
	}
	return float64(c.whole)
}

// bucketFields are the native buckets of one sign.
type bucketFields struct {
	spans  []metric.Span
	deltas []int64
	counts []float64
}

// parse reads the message. Each message that it is called with adds to those
// before, as protobuf merges them.
func (h *histogramMessage) parse(m []byte) error {
	return eachField(m, func(f *field) (err error) {
		switch {
		case f.is(1, wireVarint):
			h.count.whole = f.bits
		case f.is(4, wireDouble):
			h.count.float = f.double()
		case f.is(2, wireDouble):
			h.sum = f.double()
		case f.is(3, wireBytes):
			err = h.bucket(f.bytes)
		case f.is(5, wireVarint):
			h.schema = int32(f.sint())
		case f.is(6, wireDouble):
			h.zeroThreshold = f.double()
		case f.is(7, wireVarint):
			h.zeroCount.whole = f.bits
		case f.is(8, wireDouble):
			h.zeroCount.float = f.double()
		case f.number >= 9 && f.number <= 11:
			err = h.negative.parse(f, f.number-9)
		case f.number >= 12 && f.number <= 14:
			err = h.positive.parse(f, f.number-12)
		case f.is(15, wireBytes):
			h.created, err = parseTimestamp(f.bytes)
		case f.is(16, wireBytes):
			var e *metric.Exemplar
			if e, err = parseExemplarMessage(f.bytes); !e.Time.IsZero() {
				h.exemplars = append(h.exemplars, *e)
			}
		}
		return err
	})
}

func (h *histogramMessage) bucket(m []byte) error {
	var b metric.Bucket
	var count countField
	err := eachField(m, func(f *field) (err error) {
		switch {
		case f.is(1, wireVarint):
			count.whole = f.bits
		case f.is(4, wireDouble):
			count.float = f.double()
		case f.is(2, wireDouble):
			b.UpperBound = f.double()
		case f.is(3, wireBytes):
			b.Exemplar, err = parseExemplarMessage(f.bytes)
		}
		return err
	})
	b.Count = count.value()
	h.buckets = append(h.buckets, b)
	return err
}

// parse reads a field of spans (0), of differences (1) or of counts (2).
func (b *bucketFields) parse(f *field, which uint64) (err error) {
	switch {
	case which == 0 && f.wire == wireBytes:
		var s metric.Span
		err = eachField(f.bytes, func(f *field) error {
			switch {
			case f.is(1, wireVarint):
				s.Offset = int32(f.sint())
			case f.is(2, wireVarint):
				s.Length = uint32(f.bits)
			}
			return nil
		})
		b.spans = append(b.spans, s)
	case which == 1 && (f.wire == wireVarint || f.wire == wireBytes):
		b.deltas, err = f.sints(b.deltas)
	case which == 2 && (f.wire == wireDouble || f.wire == wireBytes):
		b.counts, err = f.doubles(b.counts)
	}
	return err
}

func (b *bucketFields) value() metric.NativeBuckets {
	out := metric.NativeBuckets{Spans: b.spans, Counts: b.counts}
	if len(b.counts) > 0 {
		return out
	}
	var count int64
	for _, delta := range b.deltas {
		count += delta
		out.Counts = append(out.Counts, float64(count))
	}
	return out
}

// value returns the histogram.
func (h *histogramMessage) value() *metric.HistogramValue {
	out := &metric.HistogramValue{Count: h.count.value(), Sum: h.sum, Buckets: h.buckets}
	isNative := len(h.positive.spans)+len(h.negative.spans) > 0 || h.zeroThreshold > 0 || h.zeroCount.whole > 0
	if !isNative {
		return out
	}
	if len(h.negative.spans) == 0 && len(h.positive.spans) == 1 && h.positive.spans[0] == (metric.Span{}) {
		h.positive.spans = nil // it only says that the histogram is native
	}
	out.Native = &metric.NativeHistogram{
		Schema: h.schema, ZeroThreshold: h.zeroThreshold, ZeroCount: h.zeroCount.value(),
		Positive: h.positive.value(), Negative: h.negative.value(), Exemplars: h.exemplars,
	}
	return out
}
