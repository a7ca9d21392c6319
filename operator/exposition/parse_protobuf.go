package exposition

import (
	"errors"
	"fmt"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// ParseRecords reads samples of one family from records as [AppendRecords] writes
// them, and as every library of Prometheus does. Fields that are unknown are
// skipped. What it returns shares no memory with the records. A sample is not
// validated: it may be one that [metric.Sample.Validate] refuses. The error says
// which record cannot be read; the samples before it are returned.
//
// As in Prometheus, a histogram is native if it has spans, a zero threshold or
// observations in the zero bucket, and a count as float counts unless it is zero.
func ParseRecords(d metric.Desc, records []byte) ([]metric.Sample, error) {
	p := recordParser{desc: d}
	err := p.records(records)
	return p.samples, err
}

type recordParser struct {
	desc    metric.Desc
	samples []metric.Sample
}

// records reads whole records, of which more may come in the next call.
func (p *recordParser) records(records []byte) error {
	return eachField(records, func(f *field) error {
		if !f.is(4, wireBytes) {
			return fmt.Errorf("record %d: field %d is no record", len(p.samples)+1, f.number)
		}
		s, err := parseMetric(p.desc.Type, f.bytes)
		if err != nil {
			return fmt.Errorf("record %d: %w", len(p.samples)+1, err)
		}
		p.samples = append(p.samples, s)
		return nil
	})
}

// valueFields are the fields of the message Metric that hold the value.
var valueFields = [...]uint64{
	protoCounter: 3, protoGauge: 2, protoSummary: 4, protoUntyped: 5, protoHistogram: 7, protoGaugeHistogram: 7,
}

// parseMetric reads the message Metric.
func parseMetric(t metric.Type, m []byte) (s metric.Sample, err error) {
	kind := protoType(t)
	hasValue := false
	var h histogramMessage
	err = eachField(m, func(f *field) (err error) {
		switch {
		case f.is(1, wireBytes):
			s.Labels, err = parseLabelPair(s.Labels, f.bytes)
		case f.is(6, wireVarint):
			s.Time = time.UnixMilli(int64(f.bits))
		case !f.is(valueFields[kind], wireBytes):
		case kind == protoSummary:
			hasValue, err = true, parseSummary(&s, f.bytes)
		case kind == protoHistogram, kind == protoGaugeHistogram:
			hasValue, err = true, h.parse(f.bytes)
		case kind == protoCounter:
			hasValue, err = true, parseCounter(&s, f.bytes)
		default:
			hasValue, err = true, parseNumber(&s, f.bytes)
		}
		return err
	})
	switch {
	case err != nil:
	case !hasValue:
		err = fmt.Errorf("it has no value of a %s", t)
	case kind == protoHistogram || kind == protoGaugeHistogram:
		s.Histogram, s.Created = h.value(), h.created
	}
	return s, err
}

func parseLabelPair(labels []metric.Label, m []byte) ([]metric.Label, error) {
	var l metric.Label
	err := eachField(m, func(f *field) error {
		switch {
		case f.is(1, wireBytes):
			l.Name = string(f.bytes)
		case f.is(2, wireBytes):
			l.Value = string(f.bytes)
		}
		return nil
	})
	return append(labels, l), err
}

func parseNumber(s *metric.Sample, m []byte) error {
	return eachField(m, func(f *field) error {
		if f.is(1, wireDouble) {
			s.Value = f.double()
		}
		return nil
	})
}

func parseCounter(s *metric.Sample, m []byte) error {
	return eachField(m, func(f *field) (err error) {
		switch {
		case f.is(1, wireDouble):
			s.Value = f.double()
		case f.is(2, wireBytes):
			s.Exemplar, err = parseExemplarMessage(f.bytes)
		case f.is(3, wireBytes):
			s.Created, err = parseTimestamp(f.bytes)
		}
		return err
	})
}

func parseExemplarMessage(m []byte) (*metric.Exemplar, error) {
	e := new(metric.Exemplar)
	err := eachField(m, func(f *field) (err error) {
		switch {
		case f.is(1, wireBytes):
			e.Labels, err = parseLabelPair(e.Labels, f.bytes)
		case f.is(2, wireDouble):
			e.Value = f.double()
		case f.is(3, wireBytes):
			e.Time, err = parseTimestamp(f.bytes)
		}
		return err
	})
	return e, err
}

var errTimestamp = errors.New("a timestamp has nanoseconds that are none")

// parseTimestamp reads a google.protobuf.Timestamp.
func parseTimestamp(m []byte) (time.Time, error) {
	var seconds, nanos int64
	err := eachField(m, func(f *field) error {
		switch {
		case f.is(1, wireVarint):
			seconds = int64(f.bits)
		case f.is(2, wireVarint):
			nanos = int64(f.bits)
		}
		return nil
	})
	if nanos < 0 || nanos >= int64(time.Second) {
		return time.Time{}, errors.Join(err, errTimestamp)
	}
	t := time.Unix(seconds, nanos)
	if t.IsZero() {
		t = time.Time{} // it is not written either
	}
	return t, err
}

func parseSummary(s *metric.Sample, m []byte) error {
	if s.Summary == nil {
		s.Summary = new(metric.SummaryValue)
	}
	v := s.Summary
	return eachField(m, func(f *field) (err error) {
		switch {
		case f.is(1, wireVarint):
			v.Count = float64(f.bits)
		case f.is(2, wireDouble):
			v.Sum = f.double()
		case f.is(3, wireBytes):
			var q metric.Quantile
			err = eachField(f.bytes, func(f *field) error {
				switch {
				case f.is(1, wireDouble):
					q.Quantile = f.double()
				case f.is(2, wireDouble):
					q.Value = f.double()
				}
				return nil
			})
			v.Quantiles = append(v.Quantiles, q)
		case f.is(4, wireBytes):
			s.Created, err = parseTimestamp(f.bytes)
		}
		return err
	})
}
