package exposition

import (
	"encoding/binary"
	"io"
	"runtime"
)

// gzipStream writes one gzip member (RFC 1952) out of plain bytes and of
// deflate segments that were made elsewhere. No block before the last refers
// to data of another block run, so that segments can stand anywhere, and runs of
// plain bytes be compressed at the same time.
type gzipStream struct {
	w    io.Writer
	crc  uint32
	size uint32

	plain   int    // bytes that came to be compressed
	limit   int    // on runs that are compressed at once
	pending []*run // not written yet, in order; the goroutines of some are under way
	spare   []*run
}

const (
	// concurrentFrom is how many plain bytes there are before goroutines help
	// to compress them.
	concurrentFrom = 256 << 10
	// maxConcurrent bounds the memory of one exposition: a compressor has about
	// a megabyte, and a run its bytes twice.
	maxConcurrent = 16
)

var (
	gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	finalBlock = []byte{1, 0, 0, 0xff, 0xff} // stored, empty, final
)

func newGzipStream(w io.Writer) (*gzipStream, error) {
	_, err := w.Write(gzipHeader)
	return &gzipStream{w: w, limit: min(runtime.GOMAXPROCS(0), maxConcurrent)}, err
}

// writePlain compresses p, or stores it if it is short. It keeps p and returns
// an empty buffer in its place.
func (g *gzipStream) writePlain(p []byte) (next []byte, err error) {
	g.plain += len(p)
	if len(p) < storeBelow || g.plain < concurrentFrom || g.limit < 2 {
		r := g.take()
		r.deflate(p)
		return p[:0], g.push(r)
	}
	rest := p
	for len(rest) >= 2*flushAt && err == nil {
		r := g.take()
		r.plain = append(r.plain[:0], rest[:flushAt]...)
		rest, err = rest[flushAt:], g.start(r)
	}
	r := g.take()
	if len(rest) < len(p) {
		r.plain = append(r.plain[:0], rest...)
		next = p[:0]
	} else {
		next, r.plain = r.buffer(), p
	}
	if err != nil {
		g.free(r)
		return next, err
	}
	return next, g.start(r)
}

// take returns an empty run.
func (g *gzipStream) take() *run {
	if n := len(g.spare); n > 0 {
		r := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return r
	}
	return newRun()
}

// free takes back a run that is done.
func (g *gzipStream) free(r *run) {
	r.reset()
	g.spare = append(g.spare, r)
}

// start compresses a run on a goroutine of its own, once there is room for one
// more.
func (g *gzipStream) start(r *run) error {
	for len(g.pending) >= g.limit {
		if err := g.writeFirst(); err != nil {
			g.free(r)
			return err
		}
	}
	r.start()
	g.pending = append(g.pending, r)
	return nil
}

// push writes a run that is compressed, behind those that are under way.
func (g *gzipStream) push(r *run) error {
	g.pending = append(g.pending, r)
	for len(g.pending) > 0 && (len(g.pending) > g.limit || g.pending[0].isDone()) {
		if err := g.writeFirst(); err != nil {
			return err
		}
	}
	return nil
}

// writeFirst waits for the first run under way and writes it. After an error
// nothing is under way any more.
func (g *gzipStream) writeFirst() error {
	r := g.pending[0]
	g.pending = append(g.pending[:0], g.pending[1:]...)
	r.wait()
	err := r.err
	if err == nil {
		g.crc = CombineCRC(g.crc, r.crc, int64(r.size))
		g.size += uint32(r.size)
		_, err = g.w.Write(r.segment)
	}
	g.free(r)
	if err != nil {
		g.abandon()
	}
	return err
}

// abandon waits for all runs and writes none.
func (g *gzipStream) abandon() {
	for _, r := range g.pending {
		r.wait()
		g.free(r)
	}
	g.pending = nil
}

// writeChunk writes a chunk that is compressed already.
func (g *gzipStream) writeChunk(c Chunk) error {
	r := g.take()
	r.segment, r.size, r.crc = c.Deflate, c.Size, c.CRC
	return g.push(r)
}

// close ends the stream, unless something has failed before.
func (g *gzipStream) close(err error) error {
	for err == nil && len(g.pending) > 0 {
		err = g.writeFirst()
	}
	g.abandon()
	for _, r := range g.spare {
		spaces.Put(r.space)
	}
	g.spare = nil
	if err != nil {
		return err
	}
	end := append([]byte(nil), finalBlock...)
	end = binary.LittleEndian.AppendUint32(end, g.crc)
	end = binary.LittleEndian.AppendUint32(end, g.size)
	_, err = g.w.Write(end)
	return err
}
