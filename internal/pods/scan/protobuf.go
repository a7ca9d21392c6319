package scan

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// maxLengthBytes is how many bytes say how long a MetricFamily is, at most.
const maxLengthBytes = 5

// The fields of a MetricFamily and of a Metric.
const (
	familyName, familyHelp, familyType, familyMetric, familyUnit = 1, 2, 3, 4, 5

	metricLabel, metricGauge, metricCounter, metricSummary    = 1, 2, 3, 4
	metricUntyped, metricTimestamp, metricHistogram, maxField = 5, 6, 7, 8
)

// protobufTypes are the types by their numbers, with the field that the metrics
// of each must have.
var protobufTypes = [...]struct {
	typ   metric.Type
	field uint64
}{
	{metric.Counter, metricCounter},
	{metric.Gauge, metricGauge},
	{metric.Summary, metricSummary},
	{metric.Unknown, metricUntyped},
	{metric.Histogram, metricHistogram},
	{metric.GaugeHistogram, metricHistogram},
}

var valueKindsOf = [maxField]*kinds{
	metricGauge: valueKinds, metricCounter: counterKinds, metricSummary: summaryKinds, metricUntyped: valueKinds, metricHistogram: histogramKinds,
}

var errProtobuf = &SyntaxError{Reason: "not a valid protobuf message of metrics"}

// scanProtobuf scans MetricFamily messages with their lengths before them.
func (x *Exposition) scanProtobuf() error {
	x.series.strict = true
	all := fields{b: x.Body, end: len(x.Body)}
	for all.i < all.end {
		x.at = all.i
		length := all.varint()
		if all.i-x.at > maxLengthBytes || !all.skip(length) {
			return syntax("a message that is not complete")
		}
		if err := x.family(all.inside()); err != nil {
			return err
		}
	}
	return nil
}

// family reads a MetricFamily. What it says of itself may come behind its
// metrics, so they are looked at afterwards.
func (x *Exposition) family(all fields) error {
	said := Family{}
	number := uint64(0)
	wires := [...]uint64{familyName: wireBytes, familyHelp: wireBytes, familyType: wireVarint, familyMetric: wireBytes, familyUnit: wireBytes}
	f := all
	for f.next() {
		if f.number < uint64(len(wires)) && f.wire != wires[f.number] {
			return errProtobuf
		}
		switch f.number {
		case familyName:
			said.Name = f.bytes()
		case familyHelp:
			said.Help = f.bytes()
		case familyType:
			number = f.value
		case familyUnit:
			said.Unit = f.bytes()
		}
	}
	if f.bad {
		return errProtobuf
	}
	if len(said.Name) == 0 || !validText(said.Name) {
		return syntax("a family without a valid name")
	}
	if number >= uint64(len(protobufTypes)) {
		return syntax("a family of a type that is not known")
	}
	said.Type = protobufTypes[number].typ
	n, err := x.describe(said)
	if err != nil {
		return err
	}
	return x.metrics(all, n, protobufTypes[number].field)
}

// describe notes what a family says of itself.
func (x *Exposition) describe(said Family) (int32, error) {
	n := x.byName(said.Name)
	if n < 0 {
		n = x.newFamily(said.Name)
	}
	f, info := &x.Families[n], &x.table.info[n]
	if info.sampled && f.Type != said.Type {
		return 0, syntax("a family with two types")
	}
	f.Type = said.Type
	if said.Help != nil && utf8.Valid(said.Help) {
		f.Help = said.Help
	}
	if said.Unit != nil && utf8.Valid(said.Unit) {
		f.Unit = said.Unit
	}
	return n, nil
}

// metrics reads the metrics of a MetricFamily.
func (x *Exposition) metrics(f fields, family int32, field uint64) error {
	x.open = false
	var flags Flags
	if !legacy(x.Families[family].Name, nameStart, nameByte) {
		flags = UTF8
	}
	for f.next() {
		if f.number != familyMetric {
			x.open = false
			continue
		}
		m, err := x.metric(f.inside(), family, field)
		if err != nil {
			return err
		}
		if m.stale {
			x.open = false
			continue
		}
		x.table.info[family].sampled = true
		x.sum = mix(x.sum, x.seriesHash(family))
		if err := x.add(family, f.tag, f.i, m.samples, flags|m.flags); err != nil {
			return err
		}
	}
	return nil
}

// aMetric is what is to be known of a Metric.
type aMetric struct {
	samples int
	flags   Flags
	stale   bool
}

// metric reads a Metric of a family, and its labels into x.series.
func (x *Exposition) metric(f fields, family int32, field uint64) (m aMetric, err error) {
	s := &x.series
	s.reset()
	s.name, s.raw = x.Families[family].Name, true
	var value fields
	for f.next() {
		switch f.number {
		case metricLabel:
			if err := x.pair(&f, &m); err != nil {
				return m, err
			}
		case metricTimestamp:
			if f.wire != wireVarint {
				return m, errProtobuf
			}
			m.flags |= Stamped
		case metricGauge, metricCounter, metricSummary, metricUntyped, metricHistogram:
			if f.wire != wireBytes || !valueKindsOf[f.number].checkAll(f.inside()) {
				return m, errProtobuf
			}
			if f.number != field || value.b != nil {
				return m, syntax("a metric whose value is not that of its family's type")
			}
			value = f.inside()
		}
	}
	if f.bad {
		return m, errProtobuf
	}
	if value.b == nil {
		return m, syntax("a metric without the value of its family's type")
	}
	if err := s.checkUnique(); err != nil {
		return m, err
	}
	if err := x.value(&m, value, field); err != nil {
		return m, err
	}
	return m, s.checkLimits(f.b, &x.opts)
}

// pair reads a label.
func (x *Exposition) pair(f *fields, m *aMetric) error {
	l, ok := label{}, false
	if f.wire == wireBytes {
		l, ok = usualLabel(f.b, f.start, f.stop)
	}
	if ok {
		ok = validText(f.b[l.value:l.end])
	} else if ok = f.wire == wireBytes && pairKinds.checkAll(f.inside()); ok {
		l = labelIn(f.inside())
	}
	if !ok {
		return errProtobuf
	}
	if len(l.name) == 0 {
		return syntax("a label without a name")
	}
	if !legacy(l.name, labelStart, labelByte) {
		m.flags |= UTF8
	}
	if isReserved(l.name, x.opts.Reserved) {
		m.flags |= Reserved
	}
	x.series.labels = append(x.series.labels, l)
	return nil
}

// usualLabel reads a label that is as all libraries write it: a name that needs
// no quotes, and a value, neither of them long. What the value is is not looked
// at.
func usualLabel(b []byte, i, end int) (l label, ok bool) {
	const nameTag, valueTag = 1<<3 | wireBytes, 2<<3 | wireBytes
	if end-i < 5 || b[i] != nameTag || b[i+1] == 0 {
		return l, false
	}
	value := i + 2 + int(b[i+1])
	if b[i+1] >= utf8.RuneSelf || value+2 > end || b[value] != valueTag || b[value+1] >= utf8.RuneSelf || value+2+int(b[value+1]) != end {
		return l, false
	}
	l = label{name: b[i+2 : value : value], value: value + 2, end: end}
	return l, legacy(l.name, labelStart, labelByte)
}

// labelIn reads a label that is known to be valid.
func labelIn(f fields) (l label) {
	for f.next() {
		switch f.number {
		case 1:
			l.name = f.bytes()
		case 2:
			l.value, l.end = f.start, f.stop
		}
	}
	return l
}

// staleNaN is what Prometheus stores where a series ends.
const staleNaN = 0x7ff0000000000002

// value reads the value of a metric.
func (x *Exposition) value(m *aMetric, f fields, field uint64) error {
	m.samples = 1
	switch field {
	case metricSummary:
		m.samples = 2
		for f.next() {
			switch f.number {
			case 2:
				m.stale = m.stale || f.value == staleNaN
			case 3:
				m.samples++
				x.series.extra = true
				for q := f.inside(); q.next(); {
					m.stale = m.stale || q.number == 2 && q.value == staleNaN
				}
			case 4:
				m.flags |= Created
			}
		}
		return nil
	case metricHistogram:
		return x.histogram(m, f)
	default:
		for f.next() {
			switch f.number {
			case 1:
				m.stale = f.value == staleNaN
			case 2:
				m.flags |= Exemplars
			case 3:
				m.flags |= Created
			}
		}
		return nil
	}
}

// seriesHash is of the family and the labels in x.series.
func (x *Exposition) seriesHash(family int32) uint64 {
	h := mix(sumKey, uint64(family))
	for _, l := range x.series.labels {
		h = mix(mix(h, maphash.Bytes(seed, l.name)), maphash.Bytes(seed, x.Body[l.value:l.end]))
	}
	return h
}

// metricAgain reads a metric of an extent.
func (x *Exposition) metricAgain(at int, family int32) (m aMetric, next int) {
	f := fields{b: x.Body, i: at, end: len(x.Body)}
	f.next()
	for _, t := range protobufTypes {
		if t.typ == x.Families[family].Type {
			m, _ = x.metric(f.inside(), family, t.field)
			break
		}
	}
	return m, f.i
}

// labelsAgain reads the labels of a metric of an extent into x.series.
func (x *Exposition) labelsAgain(at int) (next int) {
	x.series.reset()
	f := fields{b: x.Body, i: at, end: len(x.Body)}
	f.next()
	for m := f.inside(); m.next(); {
		if m.number == metricLabel {
			l, ok := usualLabel(m.b, m.start, m.stop)
			if !ok {
				l = labelIn(m.inside())
			}
			x.series.labels = append(x.series.labels, l)
		}
	}
	return f.i
}

func (x *Exposition) identifyMetric(at int, family int32) identity {
	next := x.labelsAgain(at)
	return identity{hash: x.seriesHash(family), next: next}
}

// sameMetric says whether two metrics are of one series.
func (x *Exposition) sameMetric(i, j int) bool {
	x.labelsAgain(i)
	labels := slices.Clone(x.series.labels)
	x.labelsAgain(j)
	return x.familyAt(i) == x.familyAt(j) && slices.EqualFunc(labels, x.series.labels, func(a, b label) bool {
		return bytes.Equal(a.name, b.name) && bytes.Equal(x.Body[a.value:a.end], x.Body[b.value:b.end])
	})
}

// familyAt returns of which family a metric is.
func (x *Exposition) familyAt(at int) int32 {
	i := sort.Search(len(x.Extents), func(i int) bool { return int(x.Extents[i].End) > at })
	return x.Extents[i].Family
}

// isPlusInf says whether a number is a bound of everything.
func isPlusInf(v uint64) bool { return math.IsInf(math.Float64frombits(v), 1) }
