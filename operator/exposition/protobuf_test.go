package exposition_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// schema is what this test knows of metrics.proto, by the numbers of fields:
// the name, the kind (s string, v varint, z zigzag, d double, m message) and
// for messages what is inside.
type schema map[uint64]struct {
	name string
	kind byte
	sub  schema
}

var (
	labelSchema    = schema{1: {"name", 's', nil}, 2: {"value", 's', nil}}
	timeSchema     = schema{1: {"seconds", 'v', nil}, 2: {"nanos", 'v', nil}}
	numberSchema   = schema{1: {"value", 'd', nil}}
	spanSchema     = schema{1: {"offset", 'z', nil}, 2: {"length", 'v', nil}}
	exemplarSchema = schema{1: {"label", 'm', labelSchema}, 2: {"value", 'd', nil}, 3: {"timestamp", 'm', timeSchema}}
	bucketSchema   = schema{
		1: {"cumulative_count", 'v', nil}, 2: {"upper_bound", 'd', nil}, 3: {"exemplar", 'm', exemplarSchema},
		4: {"cumulative_count_float", 'd', nil},
	}
	metricSchema = schema{
		1: {"label", 'm', labelSchema},
		2: {"gauge", 'm', numberSchema},
		3: {"counter", 'm', schema{1: {"value", 'd', nil}, 2: {"exemplar", 'm', exemplarSchema}, 3: {"created", 'm', timeSchema}}},
		4: {"summary", 'm', schema{
			1: {"sample_count", 'v', nil}, 2: {"sample_sum", 'd', nil},
			3: {"quantile", 'm', schema{1: {"quantile", 'd', nil}, 2: {"value", 'd', nil}}}, 4: {"created", 'm', timeSchema},
		}},
		5: {"untyped", 'm', numberSchema},
		6: {"timestamp_ms", 'v', nil},
		7: {"histogram", 'm', schema{
			1: {"sample_count", 'v', nil}, 2: {"sample_sum", 'd', nil}, 3: {"bucket", 'm', bucketSchema}, 4: {"sample_count_float", 'd', nil},
			5: {"schema", 'z', nil}, 6: {"zero_threshold", 'd', nil}, 7: {"zero_count", 'v', nil}, 8: {"zero_count_float", 'd', nil},
			9: {"negative_span", 'm', spanSchema}, 10: {"negative_delta", 'z', nil}, 11: {"negative_count", 'd', nil},
			12: {"positive_span", 'm', spanSchema}, 13: {"positive_delta", 'z', nil}, 14: {"positive_count", 'd', nil},
			15: {"created", 'm', timeSchema}, 16: {"exemplars", 'm', exemplarSchema},
		}},
	}
	familySchema = schema{
		1: {"name", 's', nil}, 2: {"help", 's', nil}, 3: {"type", 'v', nil}, 4: {"metric", 'm', metricSchema}, 5: {"unit", 's', nil},
	}
)

// print writes a message as "name:value name{...}", in the order of the bytes.
func (sc schema) print(t *testing.T, data []byte) string {
	t.Helper()
	var out []string
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		field, ok := sc[tag>>3]
		wire := map[byte]uint64{'s': 2, 'm': 2, 'v': 0, 'z': 0, 'd': 1}[field.kind]
		if n <= 0 || !ok || tag&7 != wire {
			t.Fatalf("field %d of wire type %d, before % x", tag>>3, tag&7, data)
		}
		data = data[n:]
		if wire == 1 {
			out = append(out, fmt.Sprintf("%s:%v", field.name, math.Float64frombits(binary.LittleEndian.Uint64(data))))
			data = data[8:]
			continue
		}
		v, n := binary.Uvarint(data)
		if data = data[max(n, 0):]; n <= 0 || wire == 2 && v > uint64(len(data)) {
			t.Fatalf("%s has the number %d, and %d bytes follow", field.name, v, len(data))
		}
		switch field.kind {
		case 'v':
			out = append(out, fmt.Sprintf("%s:%d", field.name, int64(v)))
		case 'z':
			out = append(out, fmt.Sprintf("%s:%d", field.name, int64(v>>1)^-int64(v&1)))
		case 's':
			out = append(out, fmt.Sprintf("%s:%q", field.name, data[:v]))
			data = data[v:]
		case 'm':
			out = append(out, field.name+"{"+field.sub.print(t, data[:v])+"}")
			data = data[v:]
		}
	}
	return strings.Join(out, " ")
}

// delimited reads messages behind their lengths.
func delimited(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for len(data) > 0 {
		v, n := binary.Uvarint(data)
		if n <= 0 || v > uint64(len(data)-n) {
			t.Fatalf("a length of %d in %d bytes, and %d bytes follow", v, n, len(data)-max(n, 0))
		}
		out, data = append(out, data[n:n+int(v)]), data[n+int(v):]
	}
	return out
}

func protobuf(t *testing.T, families ...metric.Family) []byte {
	t.Helper()
	return []byte(body(t, exposition.Protobuf, false, func(w *exposition.Writer) {
		for _, f := range families {
			w.WriteFamily(f)
		}
	}))
}

func TestProtobuf(t *testing.T) {
	f := func(family metric.Family, want string) {
		t.Helper()
		for _, compress := range []bool{false, true} {
			data := body(t, exposition.Protobuf, compress, func(w *exposition.Writer) { w.WriteFamily(family) })
			messages := delimited(t, []byte(data))
			if len(messages) != 1 {
				t.Fatalf("%d messages, want 1", len(messages))
			}
			if got := familySchema.print(t, messages[0]); got != want {
				t.Errorf("compress %v:\n%s\nwant\n%s", compress, got, want)
			}
		}
	}
	sample := func(typ metric.Type, s metric.Sample) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: "a", Type: typ}, Samples: []metric.Sample{s}}
	}
	f(metric.Family{Desc: metric.Desc{Name: "a.b_seconds", Help: "日本\n", Unit: "seconds", Type: metric.Gauge}, Samples: []metric.Sample{{Value: 1}, {Labels: metric.Labels("x", "", "y.z", "\\\""), Value: -0.5}}},
		`name:"a.b_seconds" help:"日本\n" type:1 metric{gauge{value:1}} metric{label{name:"x" value:""} label{name:"y.z" value:"\\\""} gauge{value:-0.5}} unit:"seconds"`)
	f(sample(metric.Unknown, metric.Sample{Value: math.NaN()}), `name:"a" help:"" type:3 metric{untyped{value:NaN}}`)
	f(sample(metric.Info, metric.Sample{Value: 1}), `name:"a" help:"" type:1 metric{gauge{value:1}}`)
	f(sample(metric.StateSet, metric.Sample{}), `name:"a" help:"" type:1 metric{gauge{value:0}}`)
	f(sample(metric.Type(99), metric.Sample{}), `name:"a" help:"" type:3 metric{untyped{value:0}}`)
	f(sample(metric.Counter, metric.Sample{Value: 0}), `name:"a" help:"" type:0 metric{counter{value:0}}`)
	f(sample(metric.Counter, metric.Sample{Value: math.Inf(1), Time: time.UnixMilli(1700000000123)}), `name:"a" help:"" type:0 metric{counter{value:+Inf} timestamp_ms:1700000000123}`)
	f(sample(metric.Counter, metric.Sample{Time: time.UnixMilli(-1500), Created: time.Unix(-2, 5), Exemplar: &metric.Exemplar{Labels: []metric.Label{{Name: "z", Value: "1"}, {Name: "a", Value: "2"}}, Value: 3, Time: time.Unix(4, 999_999_999)}}),
		`name:"a" help:"" type:0 metric{counter{value:0 exemplar{label{name:"z" value:"1"} label{name:"a" value:"2"} value:3 timestamp{seconds:4 nanos:999999999}} created{seconds:-2 nanos:5}} timestamp_ms:-1500}`)
	f(sample(metric.Summary, metric.Sample{Created: time.Unix(1, 0), Summary: &metric.SummaryValue{Count: 7, Sum: math.Inf(-1), Quantiles: quantiles(0, 1, 0.5, math.NaN())}}),
		`name:"a" help:"" type:2 metric{summary{sample_count:7 sample_sum:-Inf quantile{quantile:0 value:1} quantile{quantile:0.5 value:NaN} created{seconds:1 nanos:0}}}`)
}

func TestProtobufHistogram(t *testing.T) {
	f := func(s metric.Sample, want string) {
		t.Helper()
		for typ, number := range map[metric.Type]int{metric.Histogram: 4, metric.GaugeHistogram: 5} {
			messages := delimited(t, protobuf(t, metric.Family{Desc: metric.Desc{Name: "a", Type: typ}, Samples: []metric.Sample{s}}))
			want := fmt.Sprintf(`name:"a" help:"" type:%d metric{histogram{%s}}`, number, want)
			if got := familySchema.print(t, messages[0]); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		}
	}
	f(metric.Sample{Histogram: &metric.HistogramValue{}}, "sample_count:0 sample_sum:0")
	f(metric.Sample{Created: time.Unix(1, 2), Histogram: &metric.HistogramValue{Count: 3, Sum: 4, Buckets: []metric.Bucket{
		{UpperBound: 1, Count: 2, Exemplar: &metric.Exemplar{Value: 0.5}}, {UpperBound: math.Inf(1), Count: 3},
	}}}, "sample_count:3 sample_sum:4 bucket{cumulative_count:2 upper_bound:1 exemplar{value:0.5}} bucket{cumulative_count:3 upper_bound:+Inf} created{seconds:1 nanos:2}")

	// One fraction makes all counts floats.
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 3, Sum: 4, Buckets: []metric.Bucket{{UpperBound: 1, Count: 1.5}, {UpperBound: 2, Count: 2}}}},
		"sample_count_float:3 sample_sum:4 bucket{cumulative_count_float:1.5 upper_bound:1} bucket{cumulative_count_float:2 upper_bound:2}")
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1 << 53}}, "sample_count:9007199254740992 sample_sum:0")
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1 << 54}}, "sample_count_float:1.8014398509481984e+16 sample_sum:0")

	exemplars := []metric.Exemplar{{Value: 1}, {Value: 2, Time: time.Unix(3, 0)}} // one without a time is of no use
	native := metric.NativeHistogram{
		Schema: -4, ZeroThreshold: 0.5, ZeroCount: 2, Exemplars: exemplars,
		Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: -3, Length: 2}, {Offset: 1, Length: 1}}, Counts: []float64{5, 1, 1000}},
		Negative: metric.NativeBuckets{Spans: []metric.Span{{Offset: 7, Length: 1}}, Counts: []float64{4}},
	}
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1012, Sum: 1, Native: &native}}, "sample_count:1012 sample_sum:1 schema:-4 zero_threshold:0.5 zero_count:2"+
		" negative_span{offset:7 length:1} negative_delta:4"+
		" positive_span{offset:-3 length:2} positive_span{offset:1 length:1} positive_delta:5 positive_delta:-4 positive_delta:999"+
		" exemplars{value:2 timestamp{seconds:3 nanos:0}}")
	float := native
	float.Negative.Counts = []float64{4.5}
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1012.5, Sum: 1, Native: &float, Buckets: []metric.Bucket{{UpperBound: 1, Count: 2}}}},
		"sample_count_float:1012.5 sample_sum:1 bucket{cumulative_count_float:2 upper_bound:1} schema:-4 zero_threshold:0.5 zero_count_float:2"+
			" negative_span{offset:7 length:1} negative_count:4.5"+
			" positive_span{offset:-3 length:2} positive_span{offset:1 length:1} positive_count:5 positive_count:1 positive_count:1000"+
			" exemplars{value:2 timestamp{seconds:3 nanos:0}}")

	// A span of nothing says that a histogram without observations is native.
	f(metric.Sample{Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{Schema: 3}}},
		"sample_count:0 sample_sum:0 schema:3 zero_threshold:0 zero_count:0 positive_span{offset:0 length:0}")
	f(metric.Sample{Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{ZeroThreshold: 1}}},
		"sample_count:0 sample_sum:0 schema:0 zero_threshold:1 zero_count:0")
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1, Native: &metric.NativeHistogram{ZeroCount: 1}}},
		"sample_count:1 sample_sum:0 schema:0 zero_threshold:0 zero_count:1")
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 0.5, Native: &metric.NativeHistogram{ZeroThreshold: 1, ZeroCount: 0.5}}},
		"sample_count_float:0.5 sample_sum:0 schema:0 zero_threshold:1 zero_count_float:0.5")

	// Of a zero bucket with a fraction, Prometheus sees only the width.
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 0.5, Native: &metric.NativeHistogram{ZeroCount: 0.5}}},
		"sample_count_float:0.5 sample_sum:0 schema:0 zero_threshold:0 zero_count_float:0.5 positive_span{offset:0 length:0}")
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1.5, Native: &metric.NativeHistogram{ZeroCount: 1}}},
		"sample_count_float:1.5 sample_sum:0 schema:0 zero_threshold:0 zero_count_float:1 positive_span{offset:0 length:0}")
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 1.5, Native: &metric.NativeHistogram{ZeroCount: 1, Negative: metric.NativeBuckets{Spans: []metric.Span{{Length: 1}}, Counts: []float64{0.5}}}}},
		"sample_count_float:1.5 sample_sum:0 schema:0 zero_threshold:0 zero_count_float:1 negative_span{offset:0 length:1} negative_count:0.5")
	f(metric.Sample{Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{Negative: metric.NativeBuckets{Spans: []metric.Span{{Offset: 1}}}}}},
		"sample_count:0 sample_sum:0 schema:0 zero_threshold:0 zero_count:0 negative_span{offset:1 length:0}")
}

// TestProtobufWithoutDistribution: a sample that lacks the value of its type is
// not valid, and written as one without observations.
func TestProtobufWithoutDistribution(t *testing.T) {
	f := func(typ metric.Type, want string) {
		t.Helper()
		s := metric.Sample{Labels: metric.Labels("x", "1"), Value: 2, Time: time.UnixMilli(3), Created: time.Unix(4, 0)}
		messages := delimited(t, protobuf(t, metric.Family{Desc: metric.Desc{Name: "a", Type: typ}, Samples: []metric.Sample{s}}))
		if got := familySchema.print(t, messages[0]); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", typ, got, want)
		}
	}
	const histogram = `metric{label{name:"x" value:"1"} histogram{sample_count:0 sample_sum:0 created{seconds:4 nanos:0}} timestamp_ms:3}`
	f(metric.Histogram, `name:"a" help:"" type:4 `+histogram)
	f(metric.GaugeHistogram, `name:"a" help:"" type:5 `+histogram)
	f(metric.Summary, `name:"a" help:"" type:2 metric{label{name:"x" value:"1"} summary{sample_count:0 sample_sum:0 created{seconds:4 nanos:0}} timestamp_ms:3}`)
}

// TestProtobufLengths crosses the bounds at which the length of a message, and
// of one inside another, takes another byte.
func TestProtobufLengths(t *testing.T) {
	f := func(length int) {
		t.Helper()
		value := strings.Repeat("x", length)
		family := metric.Family{Desc: metric.Desc{Name: "a", Type: metric.Counter}, Samples: []metric.Sample{
			{Labels: metric.Labels("l", value), Value: 1},
			{Value: 2, Exemplar: &metric.Exemplar{Labels: metric.Labels("e", value), Value: 3}},
		}}
		other := metric.Family{Desc: metric.Desc{Name: "b", Help: value}, Samples: make([]metric.Sample, 1)}
		messages := delimited(t, protobuf(t, other, family, other))
		if len(messages) != 3 {
			t.Fatalf("length %d: %d messages, want 3", length, len(messages))
		}
		wantOther := fmt.Sprintf(`name:"b" help:%q type:3 metric{untyped{value:0}}`, value)
		want := fmt.Sprintf(`name:"a" help:"" type:0 metric{label{name:"l" value:%q} counter{value:1}} metric{counter{value:2 exemplar{label{name:"e" value:%q} value:3}}}`, value, value)
		for i, want := range []string{wantOther, want, wantOther} {
			if got := familySchema.print(t, messages[i]); got != want {
				t.Fatalf("length %d: message %d is\n%.300s\nwant\n%.300s", length, i, got, want)
			}
		}
	}
	for length := range 150 {
		f(length)
	}
	for _, bound := range []int{1 << 14, 1 << 21} {
		for length := bound - 60; length <= bound+5; length += 1 + bound>>18*4 {
			f(length)
		}
	}
}

// TestProtobufOfNothing: an exposition may be empty, and so may a family, which
// is not written.
func TestProtobufOfNothing(t *testing.T) {
	if got := protobuf(t, metric.Family{Desc: metric.Desc{Name: "a"}}); len(got) != 0 {
		t.Errorf("% x, want nothing", got)
	}
}

// TestProtobufOfRendered: lines of OpenMetrics become what their data would.
func TestProtobufOfRendered(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	exemplar := &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: 2, Time: at}
	families := []metric.Family{
		{Desc: metric.Desc{Name: "a.b_total", Help: "A.", Type: metric.Counter}, Samples: []metric.Sample{
			{Labels: metric.Labels("x.y", "1"), Value: 1, Exemplar: exemplar, Time: at}, {Labels: metric.Labels("x.y", "2"), Value: 2},
		}},
		{Desc: metric.Desc{Name: "h_seconds", Unit: "seconds", Type: metric.Histogram}, Samples: []metric.Sample{
			{Labels: metric.Labels("x", "1"), Time: at, Histogram: &metric.HistogramValue{Count: 2, Sum: 3, Buckets: []metric.Bucket{{UpperBound: 1, Count: 1, Exemplar: exemplar}, {UpperBound: math.Inf(1), Count: 2}}}},
			{Labels: metric.Labels("x", "2"), Histogram: &metric.HistogramValue{Count: 2.5, Buckets: []metric.Bucket{{UpperBound: math.Inf(1), Count: 2.5}}}},
		}},
		{Desc: metric.Desc{Name: "s", Type: metric.Summary}, Samples: []metric.Sample{{Summary: &metric.SummaryValue{Count: 2, Sum: 3, Quantiles: quantiles(0.5, 1)}}}},
	}
	for _, compress := range []bool{false, true} {
		want := body(t, exposition.Protobuf, compress, func(w *exposition.Writer) {
			for _, f := range families {
				w.WriteFamily(f)
			}
		})
		got := body(t, exposition.Protobuf, compress, func(w *exposition.Writer) {
			w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "nothing"}})
			for _, f := range families {
				r := exposition.Rendered{Desc: f.Desc}
				for i := range f.Samples {
					lines := exposition.AppendLines(nil, exposition.OpenMetrics, f.Desc, &f.Samples[i])
					r.Chunks = append(r.Chunks, exposition.Chunk{}, exposition.Chunk{Raw: lines})
					if i > 0 {
						r.Chunks[len(r.Chunks)-1] = deflated(t, flate.BestSpeed, lines)
					}
				}
				w.WriteRendered(r)
			}
		})
		if got != want {
			t.Errorf("compress %v: got\n%q\nwant\n%q", compress, got, want)
		}
	}
}

// TestProtobufOfBadLines: what cannot be read breaks the exposition off.
func TestProtobufOfBadLines(t *testing.T) {
	good := metric.Family{Desc: metric.Desc{Name: "a"}, Samples: make([]metric.Sample, 1)}
	var out bytes.Buffer
	w := exposition.NewWriter(&out, exposition.Protobuf, false)
	w.WriteFamily(good)
	w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "b"}, Chunks: []exposition.Chunk{{Raw: []byte("b 1\nb x\n")}}})
	w.WriteFamily(good)
	err := w.Close()
	if err == nil || !strings.Contains(err.Error(), "family b: line 2: not a number") {
		t.Errorf("Close gives %v, want an error about the line", err)
	}
	if out.Len() != 0 {
		t.Errorf("%d bytes were written after the error", out.Len())
	}
}

func TestRenderedParse(t *testing.T) {
	f := func(format exposition.Format, typ metric.Type, wantErr string, want []metric.Sample, chunks ...exposition.Chunk) {
		t.Helper()
		d := metric.Desc{Name: "a", Help: "A.", Type: typ}
		got, err := exposition.Rendered{Desc: d, Chunks: chunks}.Parse(format)
		if msg := fmt.Sprint(err); wantErr == "" && err != nil || !strings.Contains(msg, wantErr) {
			t.Errorf("error %v, want %q", err, wantErr)
		}
		if got.Desc != d || dumpSamples(got.Samples) != dumpSamples(want) {
			t.Errorf("got %+v\n%s\nwant\n%s", got.Desc, dumpSamples(got.Samples), dumpSamples(want))
		}
	}
	raw := func(lines string) exposition.Chunk { return exposition.Chunk{Raw: []byte(lines)} }
	small := func(lines string) exposition.Chunk { return deflated(t, flate.BestSpeed, []byte(lines)) }
	numbers := func(values ...float64) []metric.Sample {
		var out []metric.Sample
		for _, v := range values {
			out = append(out, metric.Sample{Value: v})
		}
		return out
	}
	f(exposition.Text, metric.Gauge, "", nil)
	f(exposition.Text, metric.Gauge, "", numbers(1, 2, 3), raw("a 1\na 2\n"), exposition.Chunk{}, small("a 3\n"))
	f(exposition.Text, metric.Gauge, "family a: line 2: not a sample of a", numbers(1, 2), raw("a 1\n"), small("a 2\nb 3\n"), raw("a 4\n"))
	f(exposition.Text, metric.Gauge, "family a: inflating a chunk of 9 bytes", numbers(1), raw("a 1\n"), exposition.Chunk{Size: 9}, raw("a 4\n"))
	f(exposition.OpenMetrics, metric.Counter, "", []metric.Sample{{Value: 1, Time: time.UnixMilli(1500), Exemplar: &metric.Exemplar{Value: 2}}}, raw("a 1 1.5 # {} 2\n"))
	f(exposition.Text, metric.Summary, "", []metric.Sample{{Summary: &metric.SummaryValue{Count: 1, Sum: 2, Quantiles: quantiles(0.5, 3)}}},
		raw("a{quantile=\"0.5\"} 3\na_sum 2\na_count 1\n"))
}

// BenchmarkProtobuf encodes samples as collectors emit them.
func BenchmarkProtobuf(b *testing.B) {
	f := metric.Family{Desc: benchDesc}
	for i := range 10_000 {
		f.Samples = append(f.Samples, metric.Sample{Labels: metric.Labels("name", fmt.Sprintf("route-%d", i), "namespace", "default"), Value: float64(i)})
	}
	x := exposition.NewWriter(io.Discard, exposition.Protobuf, false)
	b.ReportAllocs()
	for b.Loop() {
		x.WriteFamily(f)
	}
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}
