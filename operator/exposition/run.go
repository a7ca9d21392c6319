package exposition

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"sync"
)

// run is a run of plain bytes on its way into a [gzipStream], or a segment.
type run struct {
	*space
	segment []byte // what is written: in out, or of a chunk
	size    int    // of the plain bytes
	crc     uint32 // of the plain bytes
	err     error

	busy bool          // a goroutine compresses it
	done chan struct{} // gets a value when that has ended
	work func()        // what the goroutine runs
}

// space is the memory of a run. A channel must not be in a pool: those of
// package synctest belong to one test.
type space struct {
	plain []byte
	out   bytes.Buffer
}

// Below this size plain bytes are stored: a compressor costs more to reset than
// it saves. Headers between two families' segments are of this size.
const storeBelow = 512

const maxStored = 65535

// maxPooled is up to which size buffers are used again.
const maxPooled = 4 * flushAt

var (
	spaces    = sync.Pool{New: func() any { return new(space) }}
	deflaters = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return w
	}}
)

func newRun() *run {
	r := &run{space: spaces.Get().(*space), done: make(chan struct{}, 1)}
	r.work = func() {
		r.deflate(r.plain)
		r.done <- struct{}{}
	}
	return r
}

// buffer returns the run's own buffer, which is never nil.
func (r *run) buffer() []byte {
	if r.plain == nil {
		r.plain = make([]byte, 0, flushAt+flushAt/16)
	}
	return r.plain[:0]
}

// reset makes the run empty. It must be done.
func (r *run) reset() {
	if cap(r.plain) > maxPooled || r.out.Cap() > maxPooled {
		r.space = new(space)
	}
	r.out.Reset()
	r.plain, r.segment, r.err = r.plain[:0], nil, nil
}

// start compresses the run's own bytes on a goroutine.
func (r *run) start() {
	r.busy = true
	go r.work()
}

func (r *run) wait() {
	if r.busy {
		<-r.done
		r.busy = false
	}
}

func (r *run) isDone() bool {
	if r.busy {
		select {
		case <-r.done:
			r.busy = false
		default:
		}
	}
	return !r.busy
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
