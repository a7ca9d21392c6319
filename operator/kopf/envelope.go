package kopf

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// envelopeKey is the key under which a probe returns typed metrics.
const envelopeKey = "$metrics"

var entryFields = []string{
	"name", "type", "help", "unit", "labels", "timestamp", "value", "buckets", "quantiles", "sum", "count",
}

// envelope adds the metrics of an envelope. An entry that is wrong costs only
// itself; one with a field that nobody knows is taken, but is a problem too.
func (b *builder) envelope(probe string, v any) {
	list, ok := v.([]any)
	if !ok {
		b.problem("probe %q: %s is %s, not a list", probe, envelopeKey, kindOf(v))
		return
	}
	for i, v := range list {
		fields, ok := v.(map[string]any)
		if !ok {
			b.problem("probe %q: %s[%d] is %s, not an object", probe, envelopeKey, i, kindOf(v))
			continue
		}
		d, s, err := readEntry(fields)
		if err == nil {
			err = b.add(d, s)
		}
		place := fmt.Sprintf("probe %q: %s[%d] (%.100q)", probe, envelopeKey, i, d.Name)
		if err != nil {
			b.problem("%s: %v", place, err)
			continue
		}
		for _, key := range sortedKeys(fields) {
			if !slices.Contains(entryFields, key) {
				b.problem("%s: there is no field %.100q", place, key)
			}
		}
	}
}

// entry is one sample of an envelope, with the description of its family. Its
// methods return a field; or zero if it is wrong, and the first error stays.
type entry struct {
	fields map[string]any
	err    error
}

// readEntry returns what an entry says. The builder validates it.
func readEntry(fields map[string]any) (metric.Desc, metric.Sample, error) {
	e := &entry{fields: fields}
	d := metric.Desc{Name: e.text("name"), Help: e.text("help"), Unit: e.text("unit"), Type: e.typ()}
	if strings.HasPrefix(d.Name, reserved) {
		e.fail(errReserved)
	}
	s := metric.Sample{Labels: e.labels(), Time: e.time()}
	switch d.Type {
	case metric.Histogram, metric.GaugeHistogram:
		s.Histogram = e.histogram()
	case metric.Summary:
		s.Summary = e.summary()
	default:
		s.Value = e.value(d.Type)
	}
	return d, s, e.err
}

func (e *entry) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// want says that a field is not what it should be.
func (e *entry) want(field, what string) {
	is := "missing"
	if v, ok := e.fields[field]; ok {
		is = kindOf(v)
	}
	e.fail(fmt.Errorf("%s is %s, not %s", field, is, what))
}

// text returns a string; the empty one if the field is missing or null.
func (e *entry) text(field string) string {
	s, ok := e.fields[field].(string)
	if !ok && e.fields[field] != nil {
		e.want(field, "a string")
	}
	return s
}

// object returns an object; nil if the field is missing or null.
func (e *entry) object(field string) map[string]any {
	m, ok := e.fields[field].(map[string]any)
	if !ok && e.fields[field] != nil {
		e.want(field, "an object")
	}
	return m
}

// number returns a number, which the field must be.
func (e *entry) number(field string) float64 {
	n, ok := e.fields[field].(number)
	if !ok {
		e.want(field, "a number")
		return 0
	}
	return n.float()
}

func (e *entry) typ() metric.Type {
	name := e.text("type")
	t, ok := metric.ParseType(name)
	if !ok && name != "" {
		e.fail(fmt.Errorf("type %q is none of gauge, counter, info, stateset, histogram, gaugehistogram, summary, unknown", name))
	}
	return t
}

// value returns the number of a sample; for an info without one, 1.
func (e *entry) value(t metric.Type) float64 {
	switch v := e.fields["value"].(type) {
	case nil:
		if t == metric.Info {
			return 1
		}
	case bool:
		f, _ := numberOf(v)
		return f
	}
	return e.number("value")
}

func (e *entry) labels() (labels []metric.Label) {
	m := e.object("labels")
	for _, name := range sortedKeys(m) {
		text, err := textOf(m[name])
		if err != nil {
			e.fail(fmt.Errorf("label %q: %w", name, err))
		}
		labels = append(labels, metric.Label{Name: name, Value: text})
	}
	return labels
}

// endOfTime is the first second that a timestamp cannot be in: year 10000.
const endOfTime = 253402300800

// time returns the timestamp; zero if it is missing or null.
func (e *entry) time() time.Time {
	var seconds float64
	switch v := e.fields["timestamp"].(type) {
	case nil:
		return time.Time{}
	case number:
		seconds = v.float()
	case string:
		var err error
		if seconds, err = secondsOf(v); err != nil {
			e.fail(fmt.Errorf("timestamp: %w", err))
		}
	default:
		e.want("timestamp", "a number or a string")
	}
	if !(seconds >= 0 && seconds < endOfTime) {
		e.fail(fmt.Errorf("timestamp %v is no number of seconds since 1970", seconds))
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
}

func (e *entry) histogram() *metric.HistogramValue {
	h := &metric.HistogramValue{Sum: e.number("sum")}
	for _, p := range e.points("buckets") {
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: p.at, Count: p.value})
	}
	n := len(h.Buckets)
	switch {
	case e.fields["count"] != nil:
		h.Count = e.number("count")
	case n > 0 && math.IsInf(h.Buckets[n-1].UpperBound, 1):
		h.Count = h.Buckets[n-1].Count
	default:
		e.fail(errors.New("there is neither a count nor a bucket +Inf"))
	}
	return h
}

func (e *entry) summary() *metric.SummaryValue {
	s := &metric.SummaryValue{Sum: e.number("sum"), Count: e.number("count")}
	for _, p := range e.points("quantiles") {
		s.Quantiles = append(s.Quantiles, metric.Quantile{Quantile: p.at, Value: p.value})
	}
	return s
}

// point is a bucket or a quantile.
type point struct {
	at, value float64
}

// points returns an object from numbers to numbers, by ascending key.
func (e *entry) points(field string) (points []point) {
	m := e.object(field)
	for _, key := range sortedKeys(m) {
		at, err := strconv.ParseFloat(key, 64)
		value, ok := m[key].(number)
		if err != nil {
			e.fail(fmt.Errorf("%s: the key %q is not a number", field, key))
		}
		if !ok {
			e.fail(fmt.Errorf("%s: %q is %s, not a number", field, key, kindOf(m[key])))
		}
		points = append(points, point{at, value.float()})
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	return points
}
