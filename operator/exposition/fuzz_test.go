package exposition_test

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func FuzzCombineCRC(f *testing.F) {
	f.Add([]byte(""), uint(0))
	f.Add([]byte("123456789"), uint(4))
	f.Add(make([]byte, 300), uint(299))
	f.Fuzz(func(t *testing.T, data []byte, at uint) {
		cut := int(at % uint(len(data)+1))
		a, b := data[:cut], data[cut:]
		got := exposition.CombineCRC(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), int64(len(b)))
		if want := crc32.ChecksumIEEE(data); got != want {
			t.Errorf("%d+%d bytes: %08x, want %08x", len(a), len(b), got, want)
		}
	})
}

// FuzzSampleRoundTrip: sample -> text -> sample is equal, but for invalid
// UTF-8, which comes back as U+FFFD.
func FuzzSampleRoundTrip(f *testing.F) {
	f.Add("a", "x", "1", "y", "2", math.Float64bits(1))
	f.Add("a_total", "", "a\nb", "x", `\"`, math.Float64bits(math.NaN()))
	f.Add("a", "x", "\xff", "x", "日本", math.Float64bits(math.Inf(-1)))
	f.Add("a{", "__x", "}", "x", "\r", math.Float64bits(-1e-300))
	f.Add("NaN", "e", " # ", "E", "\x00", uint64(1))
	f.Fuzz(func(t *testing.T, name, n1, v1, n2, v2 string, bits uint64) {
		name, n1, n2 = metric.SanitizeLabelName(name), metric.SanitizeLabelName(n1), metric.SanitizeLabelName(n2)
		value := math.Float64frombits(bits)
		labels := []metric.Label{{Name: n1, Value: v1}, {Name: n2, Value: v2}}
		line := exposition.AppendSample(nil, name, labels, value)
		if n := bytes.Count(line, []byte("\n")); n != 1 || !utf8.Valid(line) {
			t.Fatalf("%q: %d lines, valid UTF-8: %v", line, n, utf8.Valid(line))
		}
		got, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: name}, line)
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: %d samples, %v", line, len(got), err)
		}
		want := []metric.Label{{Name: n1, Value: string([]rune(v1))}, {Name: n2, Value: string([]rune(v2))}}
		if !reflect.DeepEqual(got[0].Labels, want) {
			t.Errorf("%q: labels %q, want %q", line, got[0].Labels, want)
		}
		if v := got[0].Value; v != value && !(math.IsNaN(v) && math.IsNaN(value)) {
			t.Errorf("%q: value %v, want %v", line, v, value)
		}
	})
}

// FuzzParseSamples: nothing panics, and what is read can be written and read
// again, after which neither samples nor text change any more.
func FuzzParseSamples(f *testing.F) {
	f.Add("a", []byte("a{x=\"1\",y=\"\\n\\\\\\\"\"} 1\na 2\n# EOF\n"))
	f.Add("", []byte(" 1\n{} 1\n"))
	f.Add("a", []byte("a{x=\"\\"))
	f.Add("a", []byte("a{x=\"1\"} 0x1p-2\na NaN\na infinity\na -0\n\n#"))
	f.Add("a{", []byte("a{{x=\"\xff\"} 1"))
	f.Fuzz(func(t *testing.T, name string, lines []byte) {
		before := bytes.Clone(lines)
		samples, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: name}, lines)
		if !bytes.Equal(before, lines) {
			t.Fatalf("the input changed from %q to %q", before, lines)
		}
		if err != nil || !metric.IsName(name) {
			return
		}
		text := appendSamples(nil, name, samples)
		again, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: name}, text)
		if err != nil || len(again) != len(samples) {
			t.Fatalf("%q became %q: %d samples of %d, %v", lines, text, len(again), len(samples), err)
		}
		if second := appendSamples(nil, name, again); !bytes.Equal(second, text) {
			t.Errorf("text changed from %q to %q", text, second)
		}
	})
}

func appendSamples(dst []byte, name string, samples []metric.Sample) []byte {
	for _, s := range samples {
		dst = exposition.AppendSample(dst, name, s.Labels, s.Value)
	}
	return dst
}

// FuzzChunk: a chunk of any garbage neither panics nor gives more than it
// says; one that was deflated properly gives its lines.
func FuzzChunk(f *testing.F) {
	f.Add([]byte(""), uint16(0))
	f.Add([]byte("a 1\n"), uint16(9))
	f.Add(deflated(f, flate.BestSpeed, []byte("a 1\na 2\n")).Deflate, uint16(8))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		got, err := exposition.Chunk{Deflate: data, Size: int(size)}.Append(nil)
		if err == nil && len(got) != int(size) || err != nil && len(got) != 0 {
			t.Errorf("%d bytes for a size of %d, %v", len(got), size, err)
		}
		if got, err := deflated(t, flate.BestSpeed, data).Append(nil); err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %q, %v, want %q", got, err, data)
		}
	})
}

// FuzzNegotiate: no header panics, and OpenMetrics is given only to those who
// name it.
func FuzzNegotiate(f *testing.F) {
	f.Add(acceptPrometheus3)
	f.Add(acceptBrowser)
	f.Add("gzip;q=0.5, *;q=0")
	f.Add(";=,;q=")
	f.Fuzz(func(t *testing.T, header string) {
		lower := strings.ToLower(header)
		if format, _ := exposition.Negotiate(header); format == exposition.OpenMetrics && !strings.Contains(lower, "application/openmetrics-text") {
			t.Errorf("Negotiate(%q) gives OpenMetrics", header)
		}
		if exposition.AcceptsGzip(header) && !strings.Contains(lower, "gzip") && !strings.Contains(header, "*") {
			t.Errorf("AcceptsGzip(%q) is true", header)
		}
	})
}
