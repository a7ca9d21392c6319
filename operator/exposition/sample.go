package exposition

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// AppendLines appends the lines of a sample of any type: one, or those of the
// buckets, the sum and the count. Names that are not legacy names are written
// in quotes. The format is [Text] or [OpenMetrics].
func AppendLines(dst []byte, f Format, d metric.Desc, s *metric.Sample) []byte {
	return newLine(f, d).appendSample(dst, s)
}

// line has what the lines of one sample share.
type line struct {
	format Format
	name   string
	quoted bool
	counts bool // exemplars may follow
	labels []metric.Label
	time   time.Time

	// A label of the type's own, behind the others.
	extra      string
	extraValue float64
}

func newLine(f Format, d metric.Desc) line {
	return line{
		format: f, name: d.Name, quoted: !metric.IsName(d.Name),
		counts: d.Type == metric.Counter || d.Type == metric.Histogram || d.Type == metric.GaugeHistogram,
	}
}

func (l line) appendSample(dst []byte, s *metric.Sample) []byte {
	l.labels, l.time = s.Labels, s.Time
	switch {
	case s.Histogram != nil:
		return l.appendHistogram(dst, s.Histogram)
	case s.Summary != nil:
		return l.appendSummary(dst, s.Summary)
	default:
		return l.append(dst, "", s.Value, s.Exemplar)
	}
}

func (l line) appendHistogram(dst []byte, h *metric.HistogramValue) []byte {
	l.extra = "le"
	infinite := false
	for i := range h.Buckets {
		b := &h.Buckets[i]
		l.extraValue, infinite = b.UpperBound, math.IsInf(b.UpperBound, 1)
		dst = l.append(dst, "_bucket", b.Count, b.Exemplar)
	}
	if !infinite {
		l.extraValue = math.Inf(1)
		dst = l.append(dst, "_bucket", h.Count, nil)
	}
	return l.appendTotals(dst, h.Sum, h.Count)
}

func (l line) appendSummary(dst []byte, s *metric.SummaryValue) []byte {
	l.extra = "quantile"
	for _, q := range s.Quantiles {
		l.extraValue = q.Quantile
		dst = l.append(dst, "", q.Value, nil)
	}
	return l.appendTotals(dst, s.Sum, s.Count)
}

func (l line) appendTotals(dst []byte, sum, count float64) []byte {
	l.extra = ""
	dst = l.append(dst, "_sum", sum, nil)
	return l.append(dst, "_count", count, nil)
}

// append appends one line.
func (l line) append(dst []byte, suffix string, value float64, exemplar *metric.Exemplar) []byte {
	sep := byte('{')
	if l.quoted {
		dst = append(dst, '{', '"')
		dst = appendEscaped(dst, l.name, true)
		dst = append(dst, suffix...)
		dst = append(dst, '"')
		sep = ','
	} else {
		dst = append(dst, l.name...)
		dst = append(dst, suffix...)
	}
	dst, sep = appendLabels(dst, sep, l.labels)
	if l.extra != "" {
		dst = append(dst, sep)
		dst = append(dst, l.extra...)
		dst = append(dst, '=', '"')
		dst = appendBound(dst, l.format, l.extraValue)
		dst = append(dst, '"')
		sep = ','
	}
	if sep == ',' {
		dst = append(dst, '}')
	}
	dst = append(dst, ' ')
	dst = AppendValue(dst, value)
	if !l.time.IsZero() {
		dst = append(dst, ' ')
		dst = appendTime(dst, l.format, l.time)
	}
	if exemplar != nil && l.format == OpenMetrics && l.counts && isShort(exemplar) {
		dst = appendExemplar(dst, exemplar)
	}
	return append(dst, '\n')
}

// appendLabels appends labels, each behind a separator, and returns that of
// what follows them.
func appendLabels(dst []byte, sep byte, labels []metric.Label) ([]byte, byte) {
	for i := range labels {
		dst = append(dst, sep)
		if name := labels[i].Name; isLegacyLabel(name) {
			dst = append(dst, name...)
		} else {
			dst = append(dst, '"')
			dst = appendEscaped(dst, name, true)
			dst = append(dst, '"')
		}
		dst = append(dst, '=', '"')
		dst = appendEscaped(dst, labels[i].Value, true)
		dst = append(dst, '"')
		sep = ','
	}
	return dst, sep
}

// appendBound appends the value of a label le or quantile. OpenMetrics wants it
// to look like a float.
func appendBound(dst []byte, f Format, v float64) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if f != OpenMetrics || math.IsInf(v, 0) {
		return dst
	}
	for _, c := range dst[start:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

// appendTime appends a timestamp: milliseconds, or seconds in OpenMetrics.
func appendTime(dst []byte, f Format, t time.Time) []byte {
	ms := t.UnixMilli()
	if f != OpenMetrics {
		return strconv.AppendInt(dst, ms, 10)
	}
	return strconv.AppendFloat(dst, float64(ms)/1000, 'f', -1, 64)
}

// maxExemplar is how many characters OpenMetrics allows in the names and values
// of an exemplar's labels together.
const maxExemplar = 128

// isShort reports whether OpenMetrics can carry an exemplar.
func isShort(e *metric.Exemplar) bool {
	n := 0
	for _, l := range e.Labels {
		if !isLegacyLabel(l.Name) {
			return false
		}
		n += len(l.Name) + utf8.RuneCountInString(l.Value)
	}
	return n <= maxExemplar
}

func appendExemplar(dst []byte, e *metric.Exemplar) []byte {
	dst = append(dst, " # "...)
	dst, sep := appendLabels(dst, '{', e.Labels)
	if sep == '{' {
		dst = append(dst, '{')
	}
	dst = append(dst, '}', ' ')
	dst = AppendValue(dst, e.Value)
	if !e.Time.IsZero() {
		dst = append(dst, ' ')
		dst = appendTime(dst, OpenMetrics, e.Time)
	}
	return dst
}
