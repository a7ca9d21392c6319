package merge

import (
	"encoding/binary"
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
	if x.opts.Format == exposition.Protobuf && x.sources[source].Format != exposition.Protobuf && distribution(f.Type) {
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
		samples := x.decoded(r)
		for i := range samples {
			if buf = exposition.AppendRecords(buf, f.Desc, samples[i:i+1]); len(buf) >= blockSize {
				buf = full(buf)
			}
		}
		return buf
	}
	for len(records) > 0 {
		size, n := binary.Uvarint(records[1:])
		message := records[1+n : 1+n+int(size)]
		records = records[1+n+int(size):]
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

// decoded returns the samples of an extent of records with the labels of their
// target.
func (x *merged) decoded(r ref) []metric.Sample {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	family := &s.Families[e.Family]
	samples, err := exposition.ParseRecords(metric.Desc{Name: string(family.Name), Type: family.Type}, s.Body[e.Start:e.End])
	if err != nil {
		return nil // a scan does not let it come this far
	}
	var l line.Line
	kept := samples[:0]
	for _, sample := range samples {
		if x.opts.StripTimestamps {
			sample.Time = time.Time{}
		}
		if s.labelled && x.escape == nil {
			kept = append(kept, sample)
			continue
		}
		l.Labels = append(l.Labels[:0], sample.Labels...)
		if !s.labelled {
			x.opts.Collision.label(&l, s.labels)
		}
		if !x.escapeLabels(l.Labels) {
			continue
		}
		sample.Labels = append([]metric.Label(nil), l.Labels...)
		metric.SortLabels(sample.Labels)
		kept = append(kept, sample)
	}
	return kept
}

// appendDecoded appends records as lines.
func (x *merged) appendDecoded(buf []byte, format exposition.Format, f *family, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	own := &s.Families[s.Extents[r.extent].Family]
	desc := metric.Desc{Name: f.Name, Type: own.Type}
	for _, sample := range x.decoded(r) {
		if format == exposition.Text && !sample.Time.IsZero() && sample.Time.UnixMilli() < 0 {
			continue // as of convertTime
		}
		if buf = exposition.AppendLines(buf, format, desc, &sample); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// appendParsed appends lines of one source as records.
func (x *merged) appendParsed(buf []byte, f *family, refs []ref, full func([]byte) []byte) []byte {
	s := &x.sources[refs[0].source]
	e := &s.Extents[refs[0].extent]
	if !distribution(f.Type) && e.Flags&scan.Exemplars == 0 {
		return x.appendSimple(buf, f, refs[0], full)
	}
	var lines []byte
	for _, r := range refs {
		lines = x.appendLabelled(lines, s.Format, f, r)
	}
	lines = withoutCreated(lines, s, f)
	parsed, err := exposition.Rendered{Desc: f.Desc, Chunks: []exposition.Chunk{{Raw: lines}}}.Parse(s.Format)
	if err != nil && len(parsed.Samples) == 0 {
		return buf
	}
	for i := range parsed.Samples {
		if buf = exposition.AppendRecords(buf, f.Desc, parsed.Samples[i:i+1]); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// withoutCreated leaves out lines that records have no place for.
func withoutCreated(lines []byte, s *source, f *family) []byte {
	if s.Format != exposition.OpenMetrics {
		return lines
	}
	family := scan.Family{Name: []byte(f.Name), Type: f.Type}
	out := lines[:0]
	var l line.Line
	for len(lines) > 0 {
		end := len(lines)
		for i, c := range lines {
			if c == '\n' {
				end = i + 1
				break
			}
		}
		if l.Parse(lines[:end], s.Format) == nil && !isCreated(l.Name, &family) {
			out = append(out, lines[:end]...)
		}
		lines = lines[end:]
	}
	return out
}

// appendSimple appends lines that are a number each.
func (x *merged) appendSimple(buf []byte, f *family, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	family := &s.Families[e.Family]
	var l line.Line
	for text := range line.Samples(s.Body[e.Start:e.End]) {
		if l.Parse(text, s.Format) != nil || !x.rewrite(&l, s, family, exposition.Text, r.exported) {
			continue
		}
		if buf = appendRecord(buf, &l, f.Type); len(buf) >= blockSize {
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
