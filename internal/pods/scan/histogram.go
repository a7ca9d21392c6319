package scan

import (
	"encoding/binary"
	"math"
)

// The fields of a Histogram and of its spans and buckets.
const (
	histogramCount, histogramSum, histogramBucket, histogramCountFloat     = 1, 2, 3, 4
	histogramSchema, histogramThreshold, histogramZero, histogramZeroFloat = 5, 6, 7, 8
	histogramNegativeSpan, histogramNegativeDelta, histogramNegativeCount  = 9, 10, 11
	histogramPositiveSpan, histogramPositiveDelta, histogramPositiveCount  = 12, 13, 14
	histogramCreated, histogramExemplars, bucketBound, bucketExemplar      = 15, 16, 2, 3
	bucketCountFloat                                                       = 4

	minSchema, maxSchema = -4, 8
)

// native is what is to be known of a Histogram.
type native struct {
	count, zero           uint64
	countFloat, zeroFloat float64
	sum                   uint64
	threshold             float64
	schema                int32
	sides                 [2]side // positive, negative
	// buckets is how many classic buckets Prometheus reads: it stops behind the
	// first one without an upper bound, and adds one if there is none.
	buckets   int
	unbounded bool
}

// side has the positive or the negative buckets of a native histogram.
type side struct {
	spans int
	// length is how many buckets the spans have.
	length uint64
	// badOffset says that a span other than the first one goes back.
	badOffset bool
	deltas    counts
	floats    counts
}

// counts are those of buckets.
type counts struct {
	n         int
	populated int
	negative  bool
	last      int64
	sum       uint64
}

func (c *counts) addDelta(v uint64) {
	c.last += zigzag(v)
	c.n++
	c.sum += uint64(c.last)
	c.negative = c.negative || c.last < 0
	if c.last != 0 {
		c.populated++
	}
}

func (c *counts) addFloat(bits uint64) {
	v := math.Float64frombits(bits)
	c.n++
	c.negative = c.negative || v < 0
	if v != 0 {
		c.populated++
	}
}

// histogram reads a Histogram that is known to be valid as a message.
func (x *Exposition) histogram(m *aMetric, f fields) error {
	var h native
	for f.next() {
		h.field(m, &f)
	}
	m.stale = h.sum == staleNaN
	if h.sides[0].spans == 0 && h.sides[1].spans == 0 && !(h.threshold > 0) && h.zero == 0 {
		x.series.extra = true
		m.samples = 2 + h.buckets
		if !h.unbounded {
			m.samples++
		}
		return nil
	}
	m.flags |= Native
	populated, reason := h.check()
	if reason != "" {
		return syntax(reason)
	}
	if limit := x.opts.NativeHistogramBucketLimit; limit > 0 && populated > limit {
		return &LimitError{Limit: "native_histogram_bucket_limit", Max: limit}
	}
	return nil
}

// field reads a field of a Histogram.
func (h *native) field(m *aMetric, f *fields) {
	positive, negative := &h.sides[0], &h.sides[1]
	switch f.number {
	case histogramCount:
		h.count = f.value
	case histogramSum:
		h.sum = f.value
	case histogramBucket:
		h.bucket(m, f.inside())
	case histogramCountFloat:
		h.countFloat = math.Float64frombits(f.value)
		m.negative(h.countFloat)
	case histogramSchema:
		h.schema = int32(zigzag(f.value & math.MaxUint32))
	case histogramThreshold:
		h.threshold = math.Float64frombits(f.value)
	case histogramZero:
		h.zero = f.value
	case histogramZeroFloat:
		h.zeroFloat = math.Float64frombits(f.value)
	case histogramPositiveSpan:
		positive.span(f.inside())
	case histogramNegativeSpan:
		negative.span(f.inside())
	case histogramPositiveDelta:
		eachVarint(f, positive.deltas.addDelta)
	case histogramNegativeDelta:
		eachVarint(f, negative.deltas.addDelta)
	case histogramPositiveCount:
		eachDouble(f, positive.floats.addFloat)
	case histogramNegativeCount:
		eachDouble(f, negative.floats.addFloat)
	case histogramCreated:
		m.flags |= Created
	case histogramExemplars:
		m.flags |= Exemplars
	}
}

func (h *native) bucket(m *aMetric, f fields) {
	bound := uint64(0)
	for f.next() {
		switch f.number {
		case bucketBound:
			bound = f.value
		case bucketExemplar:
			m.flags |= Exemplars
		case bucketCountFloat:
			m.negative(math.Float64frombits(f.value))
		}
	}
	if !h.unbounded {
		h.buckets++
		h.unbounded = isPlusInf(bound)
	}
}

func (s *side) span(f fields) {
	s.spans++
	for f.next() {
		switch f.number {
		case 1:
			if s.spans > 1 && int32(zigzag(f.value&math.MaxUint32)) < 0 {
				s.badOffset = true
			}
		case 2:
			s.length += f.value & math.MaxUint32
		}
	}
}

// eachVarint gives f all numbers of a field that may be packed.
func eachVarint(f *fields, each func(uint64)) {
	if f.wire == wireVarint {
		each(f.value)
		return
	}
	for b := f.bytes(); len(b) > 0; {
		v, n := binary.Uvarint(b)
		each(v)
		b = b[n:]
	}
}

func eachDouble(f *fields, each func(uint64)) {
	if f.wire == wireFixed64 {
		each(f.value)
		return
	}
	for b := f.bytes(); len(b) > 0; b = b[8:] {
		each(binary.LittleEndian.Uint64(b))
	}
}

// check says how many buckets have a count, and what Prometheus would refuse to
// store.
func (h *native) check() (populated int, reason string) {
	if h.schema < minSchema || h.schema > maxSchema {
		return 0, "a native histogram with a schema that is not known"
	}
	isFloat := h.countFloat > 0 || h.zeroFloat > 0
	total := h.zero
	for i := range h.sides {
		s := &h.sides[i]
		c := &s.deltas
		if isFloat {
			c = &s.floats
		}
		switch {
		case s.badOffset:
			return 0, "a native histogram whose spans overlap"
		case uint64(c.n) != s.length:
			return 0, "a native histogram whose spans do not fit its buckets"
		case c.negative:
			return 0, "a native histogram with a negative count"
		}
		populated += c.populated
		total += c.sum
	}
	nan := math.IsNaN(math.Float64frombits(h.sum))
	switch {
	case isFloat && (h.countFloat < 0 || h.zeroFloat < 0):
		return 0, "a native histogram with a negative count"
	case !isFloat && (total > h.count || total < h.count && !nan):
		return 0, "a native histogram whose buckets do not fit its count"
	}
	return populated, ""
}

// isPlusInf says whether a number is a bound of everything.
func isPlusInf(v uint64) bool { return math.IsInf(math.Float64frombits(v), 1) }
