package exposition_test

import (
	"compress/gzip"
	"io"
	"slices"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// go test -run '^$' -bench Gzip100MB -benchtime 3x ./exposition

// BenchmarkGzip100MBOfLines compresses 100 MB of lines that are rendered on the
// way (here: copied). "x-faster" is how many times as long compress/gzip takes
// at its fastest for the same bytes, "x-size" how much larger the result is.
func BenchmarkGzip100MBOfLines(b *testing.B) {
	runs, whole := benchLines()
	r := exposition.Rendered{Desc: benchDesc, Lines: func(buf []byte, full func([]byte) []byte) []byte {
		for range 2 {
			for _, run := range runs {
				buf = full(append(buf, run...))
			}
		}
		return buf
	}}
	var ours, theirs chunkyWriter
	twice := slices.Concat(whole, whole)
	compress := median(func() {
		theirs = chunkyWriter{}
		gzipOnce(b, gzip.BestSpeed, &theirs, twice)
	})
	x := exposition.NewWriter(&ours, exposition.Text, true)
	x.WriteRendered(r)
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(twice)))
	per := benchWriter(b, r, true, io.Discard)
	b.ReportMetric(float64(compress)/float64(per), "x-faster")
	b.ReportMetric(float64(ours.total)/float64(theirs.total), "x-size")
}

// BenchmarkRecords encodes and reads the records of counters.
func BenchmarkRecords(b *testing.B) {
	d := metric.Desc{Name: "a_total", Type: metric.Counter}
	samples := make([]metric.Sample, 10_000)
	for i := range samples {
		samples[i] = metric.Sample{Labels: metric.Labels("namespace", "default", "pod", "a-pod-of-some-name"), Value: float64(i)}
	}
	data := exposition.AppendRecords(nil, d, samples)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			data = exposition.AppendRecords(data[:0], d, samples)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := exposition.ParseRecords(d, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
