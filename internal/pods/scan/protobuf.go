package scan

import (
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
		if err := x.checkFamilies(); err != nil {
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
