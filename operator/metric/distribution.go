package metric

import (
	"fmt"
	"math"
)

// HistogramValue is the value of a histogram: classic buckets, native ones, or
// both. Counts are float64 as histograms of weights need it; formats that tell
// whole numbers from others see it by the value.
type HistogramValue struct {
	// Count is the number of observations.
	Count float64
	// Sum is the sum of what was observed.
	Sum float64
	// Buckets are the classic buckets, by ascending bound. The last one, for
	// +Inf, may be missing: it has the value of Count.
	Buckets []Bucket
	// Native are the exponential buckets, or nil. Only protobuf carries them.
	Native *NativeHistogram
}

// Bucket is one classic bucket.
type Bucket struct {
	// UpperBound belongs to the bucket.
	UpperBound float64
	// Count is the number of observations up to the bound: it is cumulative.
	Count float64
	// Exemplar is one of the observations, or nil.
	Exemplar *Exemplar
}

// NativeHistogram has the buckets of a Prometheus native histogram, whose
// bounds grow by a constant factor.
type NativeHistogram struct {
	// Schema says the factor: 2^(2^-Schema). It is -4 to 8.
	Schema int32
	// ZeroThreshold is the width of the zero bucket to either side of zero.
	ZeroThreshold float64
	// ZeroCount is the number of observations in the zero bucket.
	ZeroCount float64
	// Positive and Negative are the other buckets.
	Positive, Negative NativeBuckets
	// Exemplars are some observations. Those without a time are left out.
	Exemplars []Exemplar
}

// NativeBuckets are runs of consecutive buckets of a native histogram.
type NativeBuckets struct {
	// Spans say which buckets Counts are of.
	Spans []Span
	// Counts are the observations of each bucket alone, not cumulative.
	Counts []float64
}

// Span is a run of consecutive buckets.
type Span struct {
	// Offset is the index of the first bucket of the first span, and the gap
	// before the others.
	Offset int32
	// Length is the number of buckets.
	Length uint32
}

// SummaryValue is the value of a summary.
type SummaryValue struct {
	// Count is the number of observations.
	Count float64
	// Sum is the sum of what was observed.
	Sum float64
	// Quantiles are by ascending quantile. There may be none.
	Quantiles []Quantile
}

// Quantile is an estimate of the value that a share of the observations does
// not exceed.
type Quantile struct {
	// Quantile is the share, 0 to 1.
	Quantile float64
	// Value is the estimate; NaN if there were no observations.
	Value float64
}

// validate reports the first thing that makes the histogram one that no
// scraper could read.
func (h *HistogramValue) validate() error {
	if !isCount(h.Count) {
		return fmt.Errorf("histogram has the count %v", h.Count)
	}
	for i, b := range h.Buckets {
		switch {
		case math.IsNaN(b.UpperBound), i > 0 && h.Buckets[i-1].UpperBound >= b.UpperBound:
			return fmt.Errorf("bucket bounds do not ascend at %v", b.UpperBound)
		case !isCount(b.Count), i > 0 && h.Buckets[i-1].Count > b.Count, b.Count > h.Count:
			return fmt.Errorf("bucket counts are not cumulative at bound %v", b.UpperBound)
		case math.IsInf(b.UpperBound, 1) && b.Count != h.Count:
			return fmt.Errorf("bucket +Inf has the count %v of %v observations", b.Count, h.Count)
		}
		if err := b.Exemplar.validate(); err != nil {
			return err
		}
	}
	if err := h.Native.validate(); err != nil {
		return err
	}
	if total := h.Native.total(); h.Native != nil && h.IsWhole() && (total > h.Count || total < h.Count && !math.IsNaN(h.Sum)) {
		// Observations that are no number are in no bucket.
		return fmt.Errorf("native histogram has %v observations in its buckets, of %v", total, h.Count)
	}
	return nil
}

// total returns the number of observations in all buckets.
func (n *NativeHistogram) total() float64 {
	if n == nil {
		return 0
	}
	total := n.ZeroCount
	for _, c := range n.Positive.Counts {
		total += c
	}
	for _, c := range n.Negative.Counts {
		total += c
	}
	return total
}

func (n *NativeHistogram) validate() error {
	if n == nil {
		return nil
	}
	if n.Schema < -4 || n.Schema > 8 {
		return fmt.Errorf("native histogram has the schema %d, which is not -4 to 8", n.Schema)
	}
	if !isCount(n.ZeroCount) || math.IsNaN(n.ZeroThreshold) || n.ZeroThreshold < 0 {
		return fmt.Errorf("native histogram has the zero bucket %v of width %v", n.ZeroCount, n.ZeroThreshold)
	}
	for i := range n.Exemplars {
		if err := n.Exemplars[i].validate(); err != nil {
			return err
		}
	}
	for _, b := range []NativeBuckets{n.Positive, n.Negative} {
		length := 0
		for i, s := range b.Spans {
			if i > 0 && s.Offset < 0 {
				return fmt.Errorf("native histogram has a span that begins %d buckets back", s.Offset)
			}
			length += int(s.Length)
		}
		if length != len(b.Counts) {
			return fmt.Errorf("native histogram has spans of %d buckets and %d counts", length, len(b.Counts))
		}
		for _, c := range b.Counts {
			if !isCount(c) {
				return fmt.Errorf("native histogram has a bucket with the count %v", c)
			}
		}
	}
	return nil
}

func (s *SummaryValue) validate() error {
	if !isCount(s.Count) || s.Count != math.Trunc(s.Count) || s.Count > maxWhole {
		return fmt.Errorf("summary has the count %v, which is no whole number up to 2^53", s.Count)
	}
	for i, q := range s.Quantiles {
		if !(q.Quantile >= 0 && q.Quantile <= 1) || i > 0 && s.Quantiles[i-1].Quantile >= q.Quantile {
			return fmt.Errorf("quantiles are not 0 to 1 and ascending at %v", q.Quantile)
		}
	}
	return nil
}

// isCount reports whether v can be a number of things.
func isCount(v float64) bool {
	return v >= 0 && !math.IsInf(v, 1)
}

// maxWhole is up to where float64 has every whole number.
const maxWhole = 1 << 53

// IsWhole reports whether all counts of the histogram are whole numbers that
// float64 tells apart.
func (h *HistogramValue) IsWhole() bool {
	whole := func(v float64) bool { return v >= 0 && v == math.Trunc(v) && v <= maxWhole }
	ok := whole(h.Count)
	for i := range h.Buckets {
		ok = ok && whole(h.Buckets[i].Count)
	}
	if n := h.Native; n != nil {
		ok = ok && whole(n.ZeroCount)
		for _, c := range n.Positive.Counts {
			ok = ok && whole(c)
		}
		for _, c := range n.Negative.Counts {
			ok = ok && whole(c)
		}
	}
	return ok
}
