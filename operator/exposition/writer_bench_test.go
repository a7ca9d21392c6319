package exposition_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// go test -run '^$' -bench 50MB -benchtime 5x ./exposition

const (
	benchBody  = 50 << 20
	benchChunk = 64 << 10
)

var benchDesc = metric.Desc{Name: "gatewayapi_httproute_status_parent_info", Help: "Parents of a route.", Type: metric.Info}

// benchLines are 50 MB of lines of one family, in runs of about 64 KiB. Names
// and hashes differ from line to line, the rest repeats, as with real objects.
func benchLines() (runs [][]byte, whole []byte) {
	whole = make([]byte, 0, benchBody+benchChunk)
	start := 0
	for i := 0; len(whole) < benchBody; i++ {
		whole = exposition.AppendSample(whole, benchDesc.Name, metric.Labels(
			"customresource_kind", "HTTPRoute",
			"name", fmt.Sprintf("route-%d", i),
			"namespace", fmt.Sprintf("team-%d", i/100),
			"parent_name", fmt.Sprintf("gateway-%d", i%17),
			"uid", fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15),
		), 1)
		if len(whole)-start >= benchChunk {
			runs, start = append(runs, whole[start:len(whole):len(whole)]), len(whole)
		}
	}
	return append(runs, whole[start:len(whole):len(whole)]), whole
}

func benchRendered(b *testing.B, compressed bool) (r exposition.Rendered, whole []byte) {
	runs, whole := benchLines()
	r.Desc = benchDesc
	for _, lines := range runs {
		if compressed {
			r.Chunks = append(r.Chunks, deflated(b, flate.BestSpeed, lines))
		} else {
			r.Chunks = append(r.Chunks, exposition.Chunk{Raw: lines})
		}
	}
	return r, whole
}

// benchWriter writes r again and again and returns how long one time takes.
func benchWriter(b *testing.B, r exposition.Rendered, compress bool, w io.Writer) time.Duration {
	b.ReportAllocs()
	for b.Loop() {
		x := exposition.NewWriter(w, exposition.Text, compress)
		x.WriteRendered(r)
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return b.Elapsed() / time.Duration(b.N)
}

// median returns the middle of five runs' durations.
func median(f func()) time.Duration {
	var ds []time.Duration
	for range 5 {
		start := time.Now()
		f()
		ds = append(ds, time.Since(start))
	}
	for i := range ds { // five numbers: any sort will do
		for j := range i {
			if ds[i] < ds[j] {
				ds[i], ds[j] = ds[j], ds[i]
			}
		}
	}
	return ds[2]
}

func gzipOnce(b *testing.B, level int, w io.Writer, whole []byte) {
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := z.Write(whole); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGzip50MBOfChunks writes ready segments. "x-compress" is how many
// times as long compress/gzip takes at its fastest for the same bytes;
// "x-size" is how much larger its own output is than that.
func BenchmarkGzip50MBOfChunks(b *testing.B) {
	r, whole := benchRendered(b, true)
	var ours, theirs chunkyWriter
	x := exposition.NewWriter(&ours, exposition.Text, true)
	x.WriteRendered(r)
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	compress := median(func() {
		theirs = chunkyWriter{}
		gzipOnce(b, gzip.BestSpeed, &theirs, whole)
	})
	b.SetBytes(int64(len(whole)))
	per := benchWriter(b, r, true, &memory{p: bytes.Repeat([]byte{1}, ours.total)}) // io.Discard would not even read the segments
	b.ReportMetric(float64(compress)/float64(per), "x-compress")
	b.ReportMetric(float64(ours.total)/float64(theirs.total), "x-size")
	b.ReportMetric(float64(len(r.Chunks)), "chunks")
	b.ReportMetric(float64(ours.total)/(1<<20), "MiB-out")
}

// BenchmarkGzip50MBOfRaw compresses plain chunks on the way.
func BenchmarkGzip50MBOfRaw(b *testing.B) {
	r, whole := benchRendered(b, false)
	b.SetBytes(int64(len(whole)))
	benchWriter(b, r, true, io.Discard)
}

// BenchmarkGzip50MBByCompressGzip is what the chunks save.
func BenchmarkGzip50MBByCompressGzip(b *testing.B) {
	_, whole := benchLines()
	for name, level := range map[string]int{"fastest": gzip.BestSpeed, "default": gzip.DefaultCompression} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(whole)))
			for b.Loop() {
				gzipOnce(b, level, io.Discard, whole)
			}
		})
	}
}

// BenchmarkIdentity50MB writes into memory; "x-memcpy" is how many times as
// long it takes as copying the same bytes from one place to the other.
func BenchmarkIdentity50MB(b *testing.B) {
	for name, compressed := range map[string]bool{"of raw chunks": false, "of deflated chunks": true} {
		b.Run(name, func(b *testing.B) {
			r, whole := benchRendered(b, compressed)
			dst := &memory{p: bytes.Repeat([]byte{1}, len(whole)+1000)} // every page is there
			floor := median(func() { copy(dst.p, whole) })
			b.SetBytes(int64(len(whole)))
			per := benchWriter(b, r, false, dst)
			b.ReportMetric(float64(per)/float64(floor), "x-memcpy")
		})
	}
}

// BenchmarkIdentity50MBMemcpy is the floor.
func BenchmarkIdentity50MBMemcpy(b *testing.B) {
	_, whole := benchLines()
	dst := bytes.Repeat([]byte{1}, len(whole))
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		copy(dst, whole)
	}
}

// memory copies what is written and starts again when it is full.
type memory struct {
	p []byte
	n int
}

func (m *memory) Write(p []byte) (int, error) {
	if m.n+len(p) > len(m.p) {
		m.n = 0
	}
	m.n += copy(m.p[m.n:], p)
	return len(p), nil
}

// BenchmarkWriteFamily encodes samples as collectors emit them.
func BenchmarkWriteFamily(b *testing.B) {
	f := metric.Family{Desc: benchDesc}
	for i := range 10_000 {
		f.Samples = append(f.Samples, metric.Sample{Labels: metric.Labels("name", fmt.Sprintf("route-%d", i), "namespace", "default"), Value: float64(i)})
	}
	var size chunkyWriter
	x := exposition.NewWriter(&size, exposition.Text, false)
	x.WriteFamily(f)
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size.total))
	b.ReportAllocs()
	for b.Loop() {
		x := exposition.NewWriter(io.Discard, exposition.Text, false)
		x.WriteFamily(f)
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCombineCRC is what one chunk costs besides its bytes.
func BenchmarkCombineCRC(b *testing.B) {
	crc := uint32(1)
	for b.Loop() {
		crc = exposition.CombineCRC(crc, 0x12345678, benchChunk+17)
	}
}
