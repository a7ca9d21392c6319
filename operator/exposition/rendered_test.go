package exposition_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const full = 64 << 10

// linesOf gives lines that exist already, each with its newline, as Lines does.
func linesOf(lines []string) func([]byte, func([]byte) []byte) []byte {
	return func(buf []byte, full func([]byte) []byte) []byte {
		for _, l := range lines {
			buf = append(buf, l...)
			if len(buf) >= 64<<10 {
				if buf = full(buf); buf == nil {
					return nil
				}
			}
		}
		return buf
	}
}

func manyLines(name string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, string(exposition.AppendSample(nil, name, metric.Labels("n", fmt.Sprint(i)), float64(i))))
	}
	return lines
}

func TestWriterLines(t *testing.T) {
	desc := metric.Desc{Name: "b", Help: "B.", Type: metric.Gauge}
	for _, n := range []int{0, 1, 1000, 30_000} {
		lines := manyLines("b", n)
		write := func(w *exposition.Writer) {
			w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "a"}, Samples: make([]metric.Sample, 9)})
			w.WriteRendered(exposition.Rendered{Desc: desc, Lines: linesOf(lines), Chunks: []exposition.Chunk{{Raw: []byte("not used\n")}}})
			w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "c"}, Samples: make([]metric.Sample, 1)})
		}
		want := "# TYPE a untyped\n" + strings.Repeat("a 0\n", 9) + "# HELP b B.\n# TYPE b gauge\n" + strings.Join(lines, "") + "# TYPE c untyped\nc 0\n"
		for _, compress := range []bool{false, true} {
			if got := body(t, exposition.Text, compress, write); got != want {
				t.Errorf("%d lines, compress %v: %d bytes, want %d", n, compress, len(got), len(want))
			}
		}
	}
}

// TestWriterLinesStream: what Lines gives is written as it comes.
func TestWriterLinesStream(t *testing.T) {
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
		var out chunkyWriter
		lines := manyLines("a", 100_000)
		if format == exposition.Protobuf {
			for i := range lines {
				lines[i] = string(exposition.AppendRecords(nil, metric.Desc{}, []metric.Sample{{Value: float64(i)}}))
			}
		}
		w := exposition.NewWriter(&out, format, false)
		w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: linesOf(lines)})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.largest > full+1000 || out.total < 1<<20 {
			t.Errorf("format %d: one write of %d bytes of %d, want about %d at most", format, out.largest, out.total, full)
		}
	}
}

// TestWriterLinesEnd: Lines is told when nobody wants the rest, and may go on
// all the same.
func TestWriterLinesEnd(t *testing.T) {
	for _, stops := range []bool{true, false} {
		for _, compress := range []bool{true, false} {
			out := &limitedWriter{left: 500_000}
			if compress {
				out.left = 9_000
			}
			w := exposition.NewWriter(out, exposition.Text, compress)
			runs, ended := 0, 0
			w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: func(buf []byte, full func([]byte) []byte) []byte {
				for range 1000 {
					runs++
					if buf = full(append(buf, bytes.Repeat([]byte("a 1\n"), 20_000)...)); buf == nil {
						ended++
						if stops {
							return nil
						}
					}
				}
				return append(buf, "a 2\n"...)
			}})
			w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "b"}, Lines: func([]byte, func([]byte) []byte) []byte {
				t.Error("Lines is called after an error")
				return nil
			}})
			if err := w.Close(); !errors.Is(err, errFull) {
				t.Errorf("Close gives %v, want %v", err, errFull)
			}
			if ended == 0 || stops == (runs == 1000) || out.late > 0 {
				t.Errorf("stops %v, compress %v: %d runs, told %d times, %d writes too late", stops, compress, runs, ended, out.late)
			}
		}
	}
}

func TestWriterLinesPanic(t *testing.T) {
	for _, format := range []exposition.Format{exposition.Text, exposition.Protobuf} {
		var out bytes.Buffer
		r := exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: func(buf []byte, full func([]byte) []byte) []byte {
			full(append(buf, "a 1\n"...))
			panic("no luck")
		}}
		w := exposition.NewWriter(&out, format, false)
		w.WriteRendered(r)
		w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "b"}, Samples: make([]metric.Sample, 1)})
		if err := w.Close(); err == nil || !strings.Contains(err.Error(), "family a: panic in Lines: no luck") {
			t.Errorf("format %d: Close gives %v", format, err)
		}
		if strings.Contains(out.String(), "b 0") {
			t.Errorf("format %d: goes on: %q", format, out.String())
		}
		if _, err := r.Parse(format); err == nil || !strings.Contains(err.Error(), "family a: ") {
			t.Errorf("format %d: Parse gives %v", format, err)
		}
	}
}

// TestParseLines: a histogram may lie in two runs.
func TestParseLines(t *testing.T) {
	d := metric.Desc{Name: "h", Type: metric.Histogram}
	var lines []string
	want := metric.Family{Desc: d}
	for i := range 500 {
		s := metric.Sample{Labels: metric.Labels("n", fmt.Sprint(i)), Histogram: &metric.HistogramValue{Count: 9, Sum: 1, Buckets: []metric.Bucket{
			{UpperBound: 1, Count: 3}, {UpperBound: math.Inf(1), Count: 9},
		}}}
		want.Samples = append(want.Samples, s)
		lines = append(lines, strings.SplitAfter(string(exposition.AppendLines(nil, exposition.Text, d, &s)), "\n")...)
	}
	r := exposition.Rendered{Desc: d, Lines: func(buf []byte, full func([]byte) []byte) []byte {
		for i, l := range lines {
			if buf = append(buf, l...); i%3 == 0 {
				buf = full(buf)
			}
		}
		return buf
	}}
	var wg sync.WaitGroup
	for range 3 { // concurrently
		wg.Go(func() {
			got, err := r.Parse(exposition.Text)
			if err != nil || fmt.Sprint(len(got.Samples), *got.Samples[499].Histogram) != fmt.Sprint(500, *want.Samples[499].Histogram) {
				t.Errorf("%d samples, %v", len(got.Samples), err)
			}
		})
	}
	wg.Wait()
	r.Lines = linesOf([]string{"h_count 1\n", "h 1\n", "h_sum 1\n"})
	if got, err := r.Parse(exposition.Text); err == nil || len(got.Samples) != 1 {
		t.Errorf("%d samples, %v; want an error", len(got.Samples), err)
	}
}

// TestWriterOpenMetricsAsProtobuf: lines are told from records.
func TestWriterOpenMetricsAsProtobuf(t *testing.T) {
	d := metric.Desc{Name: "a_total", Type: metric.Counter, Unit: "", Help: "A."}
	samples := []metric.Sample{{Labels: metric.Labels("x", "1"), Value: 1}, {Labels: metric.Labels("x", "2"), Value: 2}}
	var text []byte
	for i := range samples {
		text = exposition.AppendLines(text, exposition.OpenMetrics, d, &samples[i])
	}
	recs := exposition.AppendRecords(nil, d, samples)
	want := string(protobuf(t, metric.Family{Desc: d, Samples: samples}))
	for name, data := range map[string][]byte{"lines": text, "records": recs} {
		for how, r := range map[string]exposition.Rendered{
			"raw":      {Chunks: []exposition.Chunk{{}, {Raw: data}}},
			"deflated": {Chunks: []exposition.Chunk{deflated(t, flate.BestSpeed, nil), deflated(t, flate.BestSpeed, data)}},
			"Lines":    {Lines: linesOf([]string{string(data)})},
		} {
			r.Desc = d
			for _, compress := range []bool{false, true} {
				if got := body(t, exposition.Protobuf, compress, func(w *exposition.Writer) { w.WriteRendered(r) }); got != want {
					t.Errorf("%s, %s, compress %v:\n%q\nwant\n%q", name, how, compress, got, want)
				}
			}
		}
	}
}

// TestWriterRecords: the length of the message is that of all runs.
func TestWriterRecords(t *testing.T) {
	f := metric.Family{Desc: metric.Desc{Name: "a_bytes", Unit: "bytes", Help: "A.", Type: metric.Gauge}}
	var recs []string
	for i := range 20_000 {
		s := metric.Sample{Labels: metric.Labels("n", fmt.Sprint(i)), Value: float64(i)}
		f.Samples = append(f.Samples, s)
		recs = append(recs, string(exposition.AppendRecords(nil, f.Desc, []metric.Sample{s})))
	}
	want := string(protobuf(t, f))
	for name, r := range map[string]exposition.Rendered{
		"Lines":  {Desc: f.Desc, Lines: linesOf(recs)},
		"chunks": {Desc: f.Desc, Chunks: []exposition.Chunk{{Raw: []byte(strings.Join(recs[:9000], ""))}, deflated(t, 1, []byte(strings.Join(recs[9000:], "")))}},
	} {
		for _, compress := range []bool{false, true} {
			if got := body(t, exposition.Protobuf, compress, func(w *exposition.Writer) { w.WriteRendered(r) }); got != want {
				t.Errorf("%s, compress %v: %d bytes, want %d", name, compress, len(got), len(want))
			}
		}
		parsed, err := r.Parse(exposition.Protobuf)
		if got := string(protobuf(t, parsed)); err != nil || got != want {
			t.Errorf("%s: parsed and written: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
}

// TestWriterRecordsOfTwoMinds: a length that is not true would make nonsense of
// all that follows.
func TestWriterRecordsOfTwoMinds(t *testing.T) {
	one := exposition.AppendRecords(nil, metric.Desc{}, []metric.Sample{{}})
	calls := 0
	w := exposition.NewWriter(new(bytes.Buffer), exposition.Protobuf, false)
	w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Lines: func(buf []byte, full func([]byte) []byte) []byte {
		calls++
		return append(full(append(buf, bytes.Repeat(one, 10_000)...)), bytes.Repeat(one, calls)...)
	}})
	want := fmt.Sprintf("family a: Lines gave %d bytes, and %d before", 10_002*len(one), 10_001*len(one))
	if err := w.Close(); err == nil || err.Error() != want {
		t.Errorf("Close gives %v, want %s", err, want)
	}
}

// TestRuns: chunks and Lines come in runs of whole lines until fn has enough.
func TestRuns(t *testing.T) {
	enough := errors.New("enough")
	chunks := exposition.Rendered{Chunks: []exposition.Chunk{{Raw: []byte("a 1\n")}, {Raw: []byte("a 2\na 3\n")}}}
	made := exposition.Rendered{Lines: func(buf []byte, full func([]byte) []byte) []byte {
		if buf = full(append(buf, "a 1\n"...)); buf == nil {
			return nil
		}
		return append(buf, "a 2\na 3\n"...)
	}}
	for name, r := range map[string]exposition.Rendered{"chunks": chunks, "lines": made} {
		var got []string
		err := r.Runs(func(p []byte) error { got = append(got, string(p)); return nil })
		if err != nil || !slices.Equal(got, []string{"a 1\n", "a 2\na 3\n"}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		n := 0
		if err := r.Runs(func([]byte) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
			t.Errorf("%s: %d runs, error %v", name, n, err)
		}
	}
	panics := exposition.Rendered{Lines: func([]byte, func([]byte) []byte) []byte { panic("no") }}
	if err := panics.Runs(func([]byte) error { return nil }); err == nil {
		t.Error("no error for a panic in Lines")
	}
}
