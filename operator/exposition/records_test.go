package exposition_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var (
	recordExemplar = &metric.Exemplar{Labels: []metric.Label{{Name: "z", Value: "1"}, {Name: "a", Value: "2"}}, Value: -3, Time: time.Unix(4, 999_999_999)}
	recordNative   = &metric.NativeHistogram{
		Schema: -4, ZeroThreshold: 0.5, ZeroCount: 2, Exemplars: []metric.Exemplar{{Value: 2, Time: time.Unix(3, 0)}},
		Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: -3, Length: 2}, {Offset: 1, Length: 1}}, Counts: []float64{5, 1, 1000}},
		Negative: metric.NativeBuckets{Spans: []metric.Span{{Offset: 7, Length: 1}}, Counts: []float64{4}},
	}
)

// recordSamples are samples with everything that their types can have.
func recordSamples() map[metric.Type][]metric.Sample {
	float := *recordNative
	float.Negative.Counts = []float64{4.5}
	histograms := []metric.Sample{
		{Histogram: &metric.HistogramValue{}},
		{Labels: metric.Labels("a", "1"), Created: time.Unix(1, 2), Time: time.UnixMilli(1700000000123), Histogram: &metric.HistogramValue{
			Count: 3, Sum: 4, Buckets: []metric.Bucket{{UpperBound: 1, Count: 2, Exemplar: recordExemplar}, {UpperBound: math.Inf(1), Count: 3}},
		}},
		{Histogram: &metric.HistogramValue{Count: 3.5, Sum: math.Inf(-1), Buckets: []metric.Bucket{{UpperBound: 1}, {UpperBound: 2, Count: 2}}}},
		{Histogram: &metric.HistogramValue{Count: 1012, Sum: 1, Native: recordNative}},
		{Histogram: &metric.HistogramValue{Count: 1012.5, Sum: 1, Native: &float, Buckets: []metric.Bucket{{UpperBound: 1, Count: 2}}}},
		{Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{Schema: 3}}},
		{Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{ZeroThreshold: 1}}},
		{Histogram: &metric.HistogramValue{Count: 1, Native: &metric.NativeHistogram{ZeroCount: 1}}},
		{Histogram: &metric.HistogramValue{Count: 0.5, Native: &metric.NativeHistogram{ZeroCount: 0.5}}},
		{Histogram: &metric.HistogramValue{Count: 1 << 60}},
	}
	return map[metric.Type][]metric.Sample{
		metric.Unknown:        {{Value: -1.5}, {Labels: metric.Labels("x", "", "y.z", "\\\"\n"), Value: math.Inf(1)}},
		metric.Gauge:          {{Value: 1, Time: time.UnixMilli(-1500)}, {}},
		metric.Info:           {{Value: 1}},
		metric.StateSet:       {{Value: 0}, {Value: 1}},
		metric.Counter:        {{Value: 7, Exemplar: recordExemplar, Created: time.Unix(-2, 5)}, {Exemplar: &metric.Exemplar{Value: 1}}},
		metric.Summary:        {{Created: time.Unix(1, 0), Summary: &metric.SummaryValue{Count: 7, Sum: 1, Quantiles: []metric.Quantile{{Value: 1}, {Quantile: 0.5, Value: 2}}}}, {Summary: &metric.SummaryValue{}}},
		metric.Histogram:      histograms,
		metric.GaugeHistogram: histograms,
	}
}

// TestParseRecords: what was written comes back.
func TestParseRecords(t *testing.T) {
	for typ, samples := range recordSamples() {
		d := metric.Desc{Name: "a", Type: typ}
		data := exposition.AppendRecords([]byte("x"), d, samples)[1:]
		before := bytes.Clone(data)
		got, err := exposition.ParseRecords(d, data)
		if err != nil || len(got) != len(samples) {
			t.Fatalf("%s: %d samples, %v; want %d", typ, len(got), err, len(samples))
		}
		for i := range data { // no memory is shared
			data[i] = 0xff
		}
		for i := range samples {
			if !reflect.DeepEqual(got[i], samples[i]) {
				t.Errorf("%s %d:\n%+v\nwant\n%+v", typ, i, got[i], samples[i])
			}
		}
		if again := exposition.AppendRecords(nil, d, got); !bytes.Equal(again, before) {
			t.Errorf("%s: written again it is\n%q\nwant\n%q", typ, again, before)
		}
	}
	nan := []metric.Sample{{Value: math.NaN()}}
	if got, err := exposition.ParseRecords(metric.Desc{}, exposition.AppendRecords(nil, metric.Desc{}, nan)); err != nil || !math.IsNaN(got[0].Value) {
		t.Errorf("NaN comes back as %v, %v", got, err)
	}
}

// wire makes protobuf fields by hand.
type wire []byte

func (w wire) varint(field, v uint64) wire {
	return wire(binary.AppendUvarint(binary.AppendUvarint(w, field<<3), v))
}

func (w wire) double(field uint64, v float64) wire {
	return wire(binary.LittleEndian.AppendUint64(binary.AppendUvarint(w, field<<3|1), math.Float64bits(v)))
}

func (w wire) bytes(field uint64, p []byte) wire {
	return append(wire(binary.AppendUvarint(binary.AppendUvarint(w, field<<3|2), uint64(len(p)))), p...)
}

// unknown adds fields of every kind that nobody knows.
func (w wire) unknown() wire {
	w = w.varint(99, 1).double(98, 2).bytes(97, []byte("what?"))
	w = append(wire(binary.AppendUvarint(w, 96<<3|5)), 1, 2, 3, 4)
	w = append(w, 95<<3&0x7f|0x80|3, 95>>4)    // a group begins
	w = append(w.varint(1, 7), 1<<3|3, 1<<3|4) // with a group in it
	return append(w, 95<<3&0x7f|0x80|4, 95>>4) // and ends
}

func TestParseRecordsOfOthers(t *testing.T) {
	f := func(typ metric.Type, m wire, want metric.Sample) {
		t.Helper()
		got, err := exposition.ParseRecords(metric.Desc{Name: "a", Type: typ}, wire{}.bytes(4, m))
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%+v, %v; want\n%+v", got, err, want)
		}
	}
	label := wire{}.unknown().bytes(1, []byte("n")).bytes(2, []byte("v")).unknown()
	f(metric.Gauge, wire{}.unknown().bytes(1, label).unknown().bytes(2, wire{}.unknown().double(1, 5)).unknown(),
		metric.Sample{Labels: metric.Labels("n", "v"), Value: 5})
	f(metric.Gauge, wire{}.bytes(2, nil), metric.Sample{})                                      // zero is the default
	f(metric.Gauge, wire{}.bytes(2, wire{}.double(1, 5).varint(1, 7)), metric.Sample{Value: 5}) // of another wire type
	f(metric.Gauge, wire{}.bytes(3, wire{}.double(1, 5)).bytes(2, wire{}.double(1, 6)), metric.Sample{Value: 6})
	f(metric.Counter, wire{}.bytes(3, wire{}.double(1, 5)).bytes(3, wire{}.bytes(3, wire{}.varint(1, 9))),
		metric.Sample{Value: 5, Created: time.Unix(9, 0)}) // merged

	// Packed and not, mixed; whole numbers and floats both.
	packed := []byte{2, 1, 4} // 1, -1, 2
	spans := wire{}.varint(2, 3)
	f(metric.Histogram, wire{}.bytes(7, wire{}.varint(1, 6).bytes(12, spans).bytes(13, packed).varint(13, 2)),
		metric.Sample{Histogram: &metric.HistogramValue{Count: 6, Native: &metric.NativeHistogram{
			Positive: metric.NativeBuckets{Spans: []metric.Span{{Length: 3}}, Counts: []float64{1, 0, 2, 3}},
		}}})
	floats := binary.LittleEndian.AppendUint64(nil, math.Float64bits(1.5))
	f(metric.Histogram, wire{}.bytes(7, wire{}.varint(1, 6).double(4, 6.5).bytes(9, spans).bytes(11, floats).double(11, 2).varint(10, 8)),
		metric.Sample{Histogram: &metric.HistogramValue{Count: 6.5, Native: &metric.NativeHistogram{
			Negative: metric.NativeBuckets{Spans: []metric.Span{{Length: 3}}, Counts: []float64{1.5, 2}},
		}}})
	// A schema alone makes no native histogram.
	f(metric.Histogram, wire{}.bytes(7, wire{}.varint(5, 6)), metric.Sample{Histogram: &metric.HistogramValue{}})
}

func TestParseRecordsErrors(t *testing.T) {
	gauge := wire{}.bytes(2, wire{}.double(1, 5))
	f := func(typ metric.Type, records []byte, want string) {
		t.Helper()
		good := exposition.AppendRecords(nil, metric.Desc{Type: typ}, []metric.Sample{{}})
		got, err := exposition.ParseRecords(metric.Desc{Name: "a", Type: typ}, append(good, records...))
		if err == nil || !strings.Contains(err.Error(), want) || len(got) != 1 {
			t.Errorf("%d samples, error %v; want one and an error with %q", len(got), err, want)
		}
	}
	f(metric.Gauge, wire{}.varint(3, 1), "record 2: field 3 is no record")
	f(metric.Gauge, wire{}.bytes(4, nil), "record 2: it has no value of a gauge")
	f(metric.Counter, wire{}.bytes(4, gauge), "record 2: it has no value of a counter")
	f(metric.Gauge, wire{}.bytes(4, gauge)[:5], "middle of a field")
	f(metric.Gauge, wire{}.bytes(4, wire{4 << 3}), "middle of a field")
	f(metric.Gauge, wire{}.bytes(4, wire{7}), "a kind that does not exist")
	f(metric.Gauge, wire{}.bytes(4, wire{1<<3 | 3}), "middle of a field") // a group without an end
	f(metric.Gauge, bytes.Repeat([]byte{0xff}, 20), "middle of a field")
	f(metric.Counter, wire{}.bytes(4, wire{}.bytes(3, wire{}.bytes(3, wire{}.varint(2, 1e9)))), "nanoseconds")
	f(metric.Histogram, wire{}.bytes(4, wire{}.bytes(7, wire{}.bytes(11, []byte{1}))), "middle of a field")
	f(metric.Histogram, wire{}.bytes(4, wire{}.bytes(7, wire{}.bytes(10, []byte{0x80}))), "middle of a field")
}

// FuzzParseRecords: nothing panics, and what is read can be written and read
// again, after which nothing changes any more.
func FuzzParseRecords(f *testing.F) {
	for typ, samples := range recordSamples() {
		f.Add(uint8(typ), exposition.AppendRecords(nil, metric.Desc{Type: typ}, samples))
	}
	f.Add(uint8(1), []byte(wire{}.bytes(4, wire{}.bytes(2, wire{}.unknown()))))
	f.Fuzz(func(t *testing.T, typ uint8, records []byte) {
		d := metric.Desc{Name: "a", Type: metric.Type(typ % 8)}
		before := bytes.Clone(records)
		samples, _ := exposition.ParseRecords(d, records)
		if !bytes.Equal(before, records) {
			t.Fatalf("the input changed from %q to %q", before, records)
		}
		first := exposition.AppendRecords(nil, d, samples)
		again, err := exposition.ParseRecords(d, first)
		if err != nil || len(again) != len(samples) {
			t.Fatalf("%q became %q: %d samples of %d, %v", records, first, len(again), len(samples), err)
		}
		if second := exposition.AppendRecords(nil, d, again); !bytes.Equal(first, second) {
			t.Errorf("records changed from %q to %q", first, second)
		}
		for i := range samples {
			if !same(reflect.ValueOf(samples[i]), reflect.ValueOf(again[i])) {
				t.Errorf("%+v became %+v", samples[i], again[i])
			}
		}
	})
}

// same is reflect.DeepEqual for which NaN is equal to itself.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Float64:
		return a.Float() == b.Float() || math.IsNaN(a.Float()) && math.IsNaN(b.Float())
	case reflect.Pointer:
		return a.IsNil() == b.IsNil() && (a.IsNil() || same(a.Elem(), b.Elem()))
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if x, ok := a.Interface().(time.Time); ok {
			return x.Equal(b.Interface().(time.Time))
		}
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	default:
		return a.Interface() == b.Interface()
	}
}
