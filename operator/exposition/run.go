package exposition

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"sync"
)

// run is a run of plain bytes on its way into a [gzipStream].
type run struct {
	plain   []byte       // a buffer of the run's own
	out     bytes.Buffer // where it is compressed to
	segment []byte       // what is written: in out, or of a chunk
	size    int          // of the plain bytes
	crc     uint32       // of the plain bytes
	err     error
	done    chan struct{} // closed when it is compressed; nil if no goroutine does that
}

// Below this size plain bytes are stored: a compressor costs more to reset than
// it saves. Headers between two families' segments are of this size.
const storeBelow = 512

const maxStored = 65535

// maxPooled is up to which size buffers are used again.
const maxPooled = 4 * flushAt

var (
	runs      = sync.Pool{New: func() any { return new(run) }}
	deflaters = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return w
	}}
)

func newRun() *run { return runs.Get().(*run) }

// buffer returns the run's own buffer, which is never nil.
func (r *run) buffer() []byte {
	if r.plain == nil {
		r.plain = make([]byte, 0, flushAt+flushAt/16)
	}
	return r.plain[:0]
}

// free lets the run be used again. It must be done.
func (r *run) free() {
	if cap(r.plain) > maxPooled || r.out.Cap() > maxPooled {
		return
	}
	r.out.Reset()
	r.plain, r.segment, r.err, r.done = r.plain[:0], nil, nil, nil
	runs.Put(r)
}

func (r *run) wait() {
	if r.done != nil {
		<-r.done
	}
}

func (r *run) isDone() bool {
	if r.done == nil {
		return true
	}
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// deflate compresses p, or stores it if it is short.
func (r *run) deflate(p []byte) {
	r.size, r.crc = len(p), crc32.ChecksumIEEE(p)
	if len(p) < storeBelow {
		r.store(p)
	} else {
		r.err = r.compress(p)
	}
	r.segment = r.out.Bytes()
}

func (r *run) compress(p []byte) error {
	z := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(z)
	z.Reset(&r.out)
	if _, err := z.Write(p); err != nil {
		return err
	}
	return z.Flush()
}

func (r *run) store(p []byte) {
	for len(p) > 0 {
		n := min(len(p), maxStored)
		var head [5]byte
		binary.LittleEndian.PutUint16(head[1:], uint16(n))
		binary.LittleEndian.PutUint16(head[3:], ^uint16(n))
		r.out.Write(head[:])
		r.out.Write(p[:n])
		p = p[n:]
	}
}
