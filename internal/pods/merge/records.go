package merge

import (
	"encoding/binary"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Tags of the messages io.prometheus.client.Metric and LabelPair: the number of
// the field and its wire type.
const (
	tagMetric    = 4<<3 | 2 // of MetricFamily
	tagLabel     = 1<<3 | 2
	tagName      = 1<<3 | 2
	tagText      = 2<<3 | 2
	tagGauge     = 2<<3 | 2
	tagCounter   = 3<<3 | 2
	tagUntyped   = 5<<3 | 2
	tagTimestamp = 6 << 3
	tagValue     = 1<<3 | 1
)

// together returns how many extents from one on are written at once: for records,
// those of one source, as the lines of one histogram or summary may be in several.
func (x *merged) together(f *family, i int) int {
	n := 1
	source := f.refs[i].source
	if f.taken == nil && x.opts.Format == exposition.Protobuf && x.sources[source].Format != exposition.Protobuf && distribution(f.Type) {
		for i+n < len(f.refs) && f.refs[i+n].source == source {
			n++
		}
	}
	return n
}

// appendExtentRecords appends records with the labels of their target.
func (x *merged) appendExtentRecords(buf []byte, f *family, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	records := s.Body[e.Start:e.End]
	own := s.Families[e.Family].Type
	if e.Flags&scan.Reserved != 0 || e.Flags&scan.UTF8 != 0 && x.escape != nil || e.Flags&scan.Stamped != 0 && x.opts.StripTimestamps || !sameField(own, f.Type) {
		for sample := range x.decoded(r) {
			if buf = exposition.AppendRecords(buf, f.Desc, []metric.Sample{sample}); len(buf) >= blockSize {
				buf = full(buf)
			}
		}
		return buf
	}
	for len(records) > 0 {
		start, end := record(records)
		message := records[start:end]
		records = records[end:]
		buf = append(buf, tagMetric)
		buf = binary.AppendUvarint(buf, uint64(len(s.records)+len(message)))
		buf = append(buf, s.records...)
		if buf = append(buf, message...); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// sameField reports whether numbers of two types are in the same field.
func sameField(a, b metric.Type) bool {
	if distribution(a) || distribution(b) {
		return a == b
	}
	return tagOf(a) == tagOf(b)
}

func tagOf(t metric.Type) byte {
	switch t {
	case metric.Counter:
		return tagCounter
	case metric.Unknown:
		return tagUntyped
	default:
		return tagGauge
	}
}

// record returns where the message of the first record starts and ends.
func record(records []byte) (start, end int) {
	size, n := binary.Uvarint(records[1:])
	return 1 + n, 1 + n + int(size)
}

// decodeSize is how many bytes of records are decoded at once, or one of them. As
// samples they need many times as much.
const decodeSize = 16 << 10

// decoded returns the samples of an extent of records with the labels of their
// target.
func (x *merged) decoded(r ref) iter.Seq[metric.Sample] {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	family := &s.Families[e.Family]
	desc := metric.Desc{Name: string(family.Name), Type: family.Type}
	return func(yield func(metric.Sample) bool) {
		var l line.Line
		for records := s.Body[e.Start:e.End]; len(records) > 0; {
			n := 0
			for n < len(records) && n < decodeSize {
				_, end := record(records[n:])
				n += end
			}
			samples, err := exposition.ParseRecords(desc, records[:n])
			if err != nil {
				return // a scan does not let it come this far
			}
			records = records[n:]
			for i := range samples {
				if x.complete(&samples[i], &l, s) && !yield(samples[i]) {
					return
				}
			}
		}
	}
}

// complete makes of a sample of a source one of the exposition. It returns false for
// one that has no place there.
func (x *merged) complete(sample *metric.Sample, l *line.Line, s *source) bool {
	if x.opts.StripTimestamps {
		sample.Time = time.Time{}
	}
	if s.labelled && x.escape == nil {
		return true
	}
	l.Labels = append(l.Labels[:0], sample.Labels...)
	if !s.labelled {
		x.opts.Collision.label(l, s.labels)
	}
	if !x.escapeLabels(l.Labels) {
		return false
	}
	sample.Labels = append([]metric.Label(nil), l.Labels...)
	metric.SortLabels(sample.Labels)
	return true
}

// appendDecoded appends records as lines.
func (x *merged) appendDecoded(buf []byte, format exposition.Format, family string, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	own := &s.Families[s.Extents[r.extent].Family]
	desc := metric.Desc{Name: family, Type: own.Type}
	for sample := range x.decoded(r) {
		if format == exposition.Text && !sample.Time.IsZero() && sample.Time.UnixMilli() < 0 {
			continue // as of convertTime
		}
		if buf = exposition.AppendLines(buf, format, desc, &sample); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// appendRecord appends a line of the text format as a record.
func appendRecord(dst []byte, l *line.Line, t metric.Type) []byte {
	value, err := strconv.ParseFloat(l.Value, 64)
	if err != nil {
		return dst
	}
	message := appendRecords(nil, l.Labels)
	message = append(message, tagOf(t), 9, tagValue)
	message = binary.LittleEndian.AppendUint64(message, math.Float64bits(value))
	if ms, err := strconv.ParseInt(l.Timestamp, 10, 64); err == nil {
		message = binary.AppendUvarint(append(message, tagTimestamp), uint64(ms))
	}
	dst = append(dst, tagMetric)
	dst = binary.AppendUvarint(dst, uint64(len(message)))
	return append(dst, message...)
}

// appendRecords appends labels as fields of a Metric.
func appendRecords(dst []byte, labels []metric.Label) []byte {
	for _, l := range labels {
		if l.Value == "" {
			continue
		}
		size := 2 + uvarintSize(len(l.Name)) + len(l.Name) + uvarintSize(len(l.Value)) + len(l.Value)
		dst = binary.AppendUvarint(append(dst, tagLabel), uint64(size))
		dst = append(binary.AppendUvarint(append(dst, tagName), uint64(len(l.Name))), l.Name...)
		dst = append(binary.AppendUvarint(append(dst, tagText), uint64(len(l.Value))), l.Value...)
	}
	return dst
}

func uvarintSize(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}
