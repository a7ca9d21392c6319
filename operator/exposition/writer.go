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
	// counted is what Lines gave last when its bytes were counted.
	counted []byte
	err     error
}

// flushAt is how many plain bytes are gathered before they are written. It is
// also what one deflate run of plain bytes covers.
const flushAt = 64 << 10

// NewWriter returns a Writer of the format on w, which it does not close. With
// compress set the exposition is one gzip stream. What is not compressed yet is
// compressed in runs of 64 KiB, in a longer exposition by up to GOMAXPROCS (and no
// more than 16) goroutines at once, none of which is left after [Writer.Close].
// Only one goroutine writes to w.
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

// WriteRendered writes a family whose lines are ready, in the Writer's format.
// For [Protobuf] that is records, which pass through unchanged; lines of
// [OpenMetrics] are read and encoded anew there. The two are told apart by their
// first byte. A family without chunks and without Lines writes nothing.
func (x *Writer) WriteRendered(r Rendered) {
	switch {
	case x.err != nil, r.Lines == nil && len(r.Chunks) == 0:
	case x.format == Protobuf:
		x.err = x.writeMessage(r)
	default:
		x.buf = AppendHeader(x.buf, x.format, r.Desc)
		if r.Lines != nil {
			x.writeLines(r)
		}
		for _, c := range r.plainChunks() {
			x.writeChunk(c)
		}
	}
}

// plainChunks are the chunks that count.
func (r Rendered) plainChunks() []Chunk {
	if r.Lines != nil {
		return nil
	}
	return r.Chunks
}

// writeLines writes what Lines gives and returns how many bytes that was.
func (x *Writer) writeLines(r Rendered) (n int) {
	start := len(x.buf)
	buf, err := r.render(x.buf, func(buf []byte) []byte {
		n += len(buf) - start
		start = 0
		x.buf = buf
		x.flush()
		if x.err != nil {
			return nil
		}
		return x.buf
	})
	switch {
	case x.err != nil:
	case err != nil:
		x.err = err
	default:
		n += len(buf) - start
		x.buf = buf
		x.flushFull()
	}
	return n
}

func (x *Writer) writeChunk(c Chunk) {
	switch {
	case x.err != nil:
	case c.Raw != nil:
		x.writeRaw(c.Raw)
	case c.Size > 0 && x.gz != nil:
		x.flush()
		if x.err == nil {
			x.err = x.gz.writeChunk(c)
		}
	default:
		x.buf, x.err = c.Append(x.buf)
		x.flushFull()
	}
}

// writeRaw writes plain bytes without a second copy of all of them.
func (x *Writer) writeRaw(p []byte) {
	x.flushFull()
	for len(p) > 0 && x.err == nil {
		if x.gz == nil && len(p) >= flushAt {
			if x.flush(); x.err == nil {
				_, x.err = x.w.Write(p)
			}
			return
		}
		n := min(len(p), flushAt-len(x.buf))
		x.buf = append(x.buf, p[:n]...)
		x.flushFull()
		p = p[n:]
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
			x.buf, x.err = x.gz.writePlain(x.buf)
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
	if x.gz != nil {
		x.err = x.gz.close(x.err)
	}
	return x.err
}
