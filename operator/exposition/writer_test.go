package exposition_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var formats = map[string]exposition.Format{"text": exposition.Text, "openmetrics": exposition.OpenMetrics}

// body runs write against a Writer and returns what it wrote, gunzipped.
func body(t *testing.T, format exposition.Format, compress bool, write func(*exposition.Writer)) string {
	t.Helper()
	var out bytes.Buffer
	w := exposition.NewWriter(&out, format, compress)
	write(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if compress {
		return gunzip(t, out.Bytes())
	}
	return out.String()
}

// gunzip reads exactly one gzip member and fails if anything follows it.
func gunzip(t *testing.T, data []byte) string {
	t.Helper()
	rest := bytes.NewReader(data) // an io.ByteReader, so that nothing is read ahead
	z, err := gzip.NewReader(rest)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(plain), err)
	}
	if rest.Len() != 0 {
		t.Fatalf("%d bytes follow the gzip member", rest.Len())
	}
	return string(plain)
}

func TestWriter(t *testing.T) {
	write := func(w *exposition.Writer) {
		w.WriteFamily(metric.Family{
			Desc:    metric.Desc{Name: "a_total", Help: "A.", Type: metric.Counter},
			Samples: []metric.Sample{{Labels: metric.Labels("x", "2"), Value: 2}, {Labels: metric.Labels("x", "1"), Value: 1}},
		})
		w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "nothing", Help: "Never seen."}})
		w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "nothing_rendered", Help: "Never seen."}})
		w.WriteRendered(exposition.Rendered{
			Desc:   metric.Desc{Name: "b", Type: metric.Info},
			Chunks: []exposition.Chunk{{Raw: []byte("b 1\n")}, {}, deflated(t, flate.BestSpeed, []byte("b{y=\"1\"} 1\n"))},
		})
		w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "c_bytes", Unit: "bytes", Type: metric.Gauge}, Samples: []metric.Sample{{Value: 0.5}}})
	}
	want := map[exposition.Format]string{
		exposition.Text: `# HELP a_total A.
# TYPE a_total counter
a_total{x="2"} 2
a_total{x="1"} 1
# TYPE b gauge
b 1
b{y="1"} 1
# TYPE c_bytes gauge
c_bytes 0.5
`,
		exposition.OpenMetrics: `# HELP a A.
# TYPE a counter
a_total{x="2"} 2
a_total{x="1"} 1
# TYPE b gauge
b 1
b{y="1"} 1
# TYPE c_bytes gauge
# UNIT c_bytes bytes
c_bytes 0.5
# EOF
`,
	}
	for name, format := range formats {
		for _, compress := range []bool{false, true} {
			if got := body(t, format, compress, write); got != want[format] {
				t.Errorf("%s, compress %v:\n%swant\n%s", name, compress, got, want[format])
			}
		}
	}
}

func TestWriterOfNothing(t *testing.T) {
	nothing := func(*exposition.Writer) {}
	for _, compress := range []bool{false, true} {
		if got := body(t, exposition.Text, compress, nothing); got != "" {
			t.Errorf("text, compress %v: %q, want nothing", compress, got)
		}
		if got := body(t, exposition.OpenMetrics, compress, nothing); got != "# EOF\n" {
			t.Errorf("openmetrics, compress %v: %q, want the EOF line only", compress, got)
		}
	}
}

// family is one step of a random exposition, and the lines it must give.
type family struct {
	write func(*exposition.Writer)
	desc  metric.Desc
	lines []byte
}

// randomFamily makes a family with lines of the given length or a bit more,
// as data or as chunks of any kind.
func randomFamily(t *testing.T, r *rand.Rand, name string, length int) family {
	f := family{desc: metric.Desc{Name: name, Help: "Help of " + name + ".", Type: metric.Type(r.IntN(5))}}
	var samples []metric.Sample
	for len(f.lines) < length {
		s := metric.Sample{Labels: metric.Labels("n", fmt.Sprint(len(samples)), "v", fmt.Sprint(r.Uint64())), Value: float64(r.IntN(1e7))}
		samples = append(samples, s)
		f.lines = exposition.AppendSample(f.lines, name, s.Labels, s.Value)
	}
	if r.IntN(3) == 0 {
		f.write = func(w *exposition.Writer) { w.WriteFamily(metric.Family{Desc: f.desc, Samples: samples}) }
		return f
	}
	var chunks []exposition.Chunk
	for rest := f.lines; len(rest) > 0; {
		n := len(rest)
		if r.IntN(2) == 0 {
			n = bytes.LastIndexByte(rest[:r.IntN(len(rest))], '\n') + 1 // some whole lines, or none
		}
		switch r.IntN(4) {
		case 0:
			chunks = append(chunks, exposition.Chunk{Raw: rest[:n]})
		case 1:
			chunks = append(chunks, exposition.Chunk{}, exposition.Chunk{Raw: []byte{}}, deflated(t, flate.BestSpeed, nil))
			continue
		default:
			chunks = append(chunks, deflated(t, r.IntN(12)-2, rest[:n]))
		}
		rest = rest[n:]
	}
	f.write = func(w *exposition.Writer) {
		w.WriteRendered(exposition.Rendered{Desc: f.desc, Chunks: chunks})
	}
	return f
}

// TestWriterMixes writes families as data, raw chunks and deflated chunks in
// random order: the gzip stream is one member and holds the identity output.
func TestWriterMixes(t *testing.T) {
	// Around the bounds of what is stored, of a stored block, and of a flush.
	lengths := []int{1, 100, 400, 510, 512, 600, 5_000, 65_300, 65_536, 66_000, 200_000}
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 7))
		var families []family
		for i := range 1 + r.IntN(8) {
			families = append(families, randomFamily(t, r, fmt.Sprintf("f%d", i), lengths[r.IntN(len(lengths))]))
		}
		write := func(w *exposition.Writer) {
			for _, f := range families {
				f.write(w)
			}
		}
		for name, format := range formats {
			var want []byte
			for _, f := range families {
				want = append(exposition.AppendHeader(want, format, f.desc), f.lines...)
			}
			if format == exposition.OpenMetrics {
				want = append(want, "# EOF\n"...)
			}
			if got := body(t, format, false, write); got != string(want) {
				t.Fatalf("seed %d, %s: identity of %d bytes differs from the expected %d", seed, name, len(got), len(want))
			}
			if got := body(t, format, true, write); got != string(want) {
				t.Fatalf("seed %d, %s: gzip of %d bytes differs from the expected %d", seed, name, len(got), len(want))
			}
		}
	}
}

// TestWriterKeepsSegments proves that deflated chunks pass through unchanged.
func TestWriterKeepsSegments(t *testing.T) {
	c := deflated(t, flate.BestCompression, bytes.Repeat([]byte("a{x=\"1\"} 1\n"), 6000))
	var out bytes.Buffer
	w := exposition.NewWriter(&out, exposition.Text, true)
	w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Chunks: []exposition.Chunk{c, c}})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), append(append([]byte(nil), c.Deflate...), c.Deflate...)); n != 1 {
		t.Errorf("the segments are there %d times one after the other, want once", n)
	}
	gunzip(t, out.Bytes())
}

// TestWriterCompresses: what comes as data is not merely stored.
func TestWriterCompresses(t *testing.T) {
	var out chunkyWriter
	w := exposition.NewWriter(&out, exposition.Text, true)
	for range 50 {
		w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "a"}, Samples: make([]metric.Sample, 5000)})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if plain := 50 * 5000 * len("a 0\n"); out.total > plain/20 {
		t.Errorf("%d bytes of %d", out.total, plain)
	}
}

// TestWriterStreams: a long family is not gathered in memory first.
func TestWriterStreams(t *testing.T) {
	const flushAt = 64 << 10
	var out chunkyWriter
	w := exposition.NewWriter(&out, exposition.Text, false)
	samples := make([]metric.Sample, 50_000)
	w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "a"}, Samples: samples})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := len("# TYPE a untyped\n") + 50_000*len("a 0\n"); out.total != want {
		t.Errorf("%d bytes, want %d", out.total, want)
	}
	if out.largest > flushAt+1000 {
		t.Errorf("one write of %d bytes, want about %d at most", out.largest, flushAt)
	}
}

type chunkyWriter struct{ total, largest int }

func (w *chunkyWriter) Write(p []byte) (int, error) {
	w.total += len(p)
	w.largest = max(w.largest, len(p))
	return len(p), nil
}

var errFull = errors.New("full")

// limitedWriter fails for good once it has taken left bytes, and counts the
// calls after that.
type limitedWriter struct{ left, late int }

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.left < 0 {
		w.late++
	}
	if w.left -= len(p); w.left < 0 {
		w.left = -1
		return 0, errFull
	}
	return len(p), nil
}

func TestWriterErrorSticks(t *testing.T) {
	lines := bytes.Repeat([]byte("a 1\n"), 40_000)
	chunk := deflated(t, flate.NoCompression, lines)
	write := func(w *exposition.Writer) {
		for range 3 {
			w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "a"}, Samples: make([]metric.Sample, 20_000)})
			w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "b"}, Chunks: []exposition.Chunk{{Raw: lines}, chunk}})
		}
	}
	for _, compress := range []bool{false, true} {
		var all chunkyWriter
		w := exposition.NewWriter(&all, exposition.OpenMetrics, compress)
		write(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, left := range []int{0, 5, 10, 11, 1000, all.total / 3, all.total / 2, all.total - 9, all.total - 1} {
			out := &limitedWriter{left: left}
			w := exposition.NewWriter(out, exposition.OpenMetrics, compress)
			write(w)
			if err := w.Close(); !errors.Is(err, errFull) {
				t.Errorf("compress %v, room for %d bytes: Close gives %v, want %v", compress, left, err, errFull)
			}
			if out.late > 0 {
				t.Errorf("compress %v, room for %d bytes: %d writes after the error", compress, left, out.late)
			}
		}
	}
}

func TestWriterBadChunk(t *testing.T) {
	var out bytes.Buffer
	w := exposition.NewWriter(&out, exposition.OpenMetrics, false)
	w.WriteRendered(exposition.Rendered{Desc: metric.Desc{Name: "a"}, Chunks: []exposition.Chunk{{Deflate: []byte("\xff"), Size: 7}}})
	w.WriteFamily(metric.Family{Desc: metric.Desc{Name: "b"}, Samples: make([]metric.Sample, 1)})
	err := w.Close()
	if err == nil || !strings.Contains(err.Error(), "inflating a chunk of 7 bytes") {
		t.Errorf("Close gives %v, want an error about the chunk", err)
	}
	if strings.Contains(out.String(), "# EOF") {
		t.Errorf("a broken exposition looks whole: %q", out.String())
	}
}
