package exposition

import (
	"io"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Writer writes one exposition. Families must come whole and each name once;
// the Writer does not check it. It is not safe for concurrent use.
//
// The first error sticks: later calls do nothing and [Writer.Close] returns it.
type Writer struct {
	w      io.Writer
	format Format
	gz     *gzipStream
	buf    []byte
	err    error
}

// flushAt is how many plain bytes are gathered before they are written. It is
// also what one deflate run of plain bytes covers.
const flushAt = 64 << 10

// NewWriter returns a Writer of the format on w, which it does not close. With
// compress set the exposition is one gzip stream.
func NewWriter(w io.Writer, format Format, compress bool) *Writer {
	x := &Writer{w: w, format: format}
	if compress {
		x.gz, x.err = newGzipStream(w)
	}
	return x
}

// WriteFamily encodes a family. A family without samples writes nothing.
func (x *Writer) WriteFamily(f metric.Family) {
	if len(f.Samples) == 0 {
		return
	}
	if x.format == Protobuf {
		x.buf = appendFamily(x.buf, &f)
		x.flushFull()
		return
	}
	x.buf = AppendHeader(x.buf, x.format, f.Desc)
	l := newLine(x.format, f.Desc)
	for i := range f.Samples {
		x.buf = l.appendSample(x.buf, &f.Samples[i])
		x.flushFull()
	}
}

// WriteRendered writes a family whose lines are ready, in the Writer's format
// or, for [Protobuf], in [OpenMetrics]. A family without chunks writes nothing.
func (x *Writer) WriteRendered(r Rendered) {
	if len(r.Chunks) == 0 {
		return
	}
	if x.format == Protobuf {
		f, err := r.Parse(OpenMetrics)
		if err != nil && x.err == nil {
			x.err = err
		}
		x.WriteFamily(f)
		return
	}
	x.buf = AppendHeader(x.buf, x.format, r.Desc)
	for _, c := range r.Chunks {
		x.writeChunk(c)
	}
}

func (x *Writer) writeChunk(c Chunk) {
	switch {
	case x.err != nil:
	case c.Raw == nil && c.Size > 0 && x.gz != nil:
		x.flush()
		if x.err == nil {
			x.err = x.gz.writeChunk(c)
		}
	default:
		x.buf, x.err = c.Append(x.buf)
		x.flushFull()
	}
}

func (x *Writer) flushFull() {
	if len(x.buf) >= flushAt {
		x.flush()
	}
}

func (x *Writer) flush() {
	if x.err == nil && len(x.buf) > 0 {
		if x.gz != nil {
			x.err = x.gz.writePlain(x.buf)
		} else {
			_, x.err = x.w.Write(x.buf)
		}
	}
	x.buf = x.buf[:0]
}

// Close ends the exposition: OpenMetrics' EOF line and the gzip trailer. It
// returns the first error of any call.
func (x *Writer) Close() error {
	if x.format == OpenMetrics {
		x.buf = append(x.buf, "# EOF\n"...)
	}
	x.flush()
	if x.err == nil && x.gz != nil {
		x.err = x.gz.close()
	}
	return x.err
}
