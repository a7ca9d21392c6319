package scan

import "unicode/utf8"

// aMetric is what is to be known of a Metric.
type aMetric struct {
	samples int
	flags   Flags
	stale   bool
}

// negative takes a count of a histogram, which must not be below 0.
func (m *aMetric) negative(count float64) {
	if count < 0 {
		m.flags |= Unbounded
	}
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
