package store

import (
	"bytes"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// Chunks are made about chunkSize long. One that shrinks below minChunk takes
// in the next; one that grows beyond maxChunk is split evenly.
const (
	chunkSize = 64 << 10
	minChunk  = chunkSize / 4
	maxChunk  = chunkSize * 3 / 2
	plainSize = 1 << 10 // shorter chunks are kept uncompressed
)

// rebuild gathers the lines and entries of chunks that are to be made anew.
type rebuild struct {
	lines   []byte
	entries []entry
	old     []byte // scratch
}

func (r *rebuild) empty() bool { return len(r.entries) == 0 }

// merge adds a chunk's objects, with the changes among them applied. Both are
// sorted.
func (r *rebuild) merge(c chunk, changes []change, buf []byte) error {
	old, err := c.Append(r.old[:0])
	if err != nil {
		return err
	}
	r.old = old
	apply := func(c change) {
		if c.size > 0 {
			r.entries = append(r.entries, c.entry)
			r.lines = append(r.lines, buf[c.offset:c.offset+int(c.size)]...)
		}
	}
	for _, e := range c.entries {
		lines := old[:e.size]
		old = old[e.size:]
		for len(changes) > 0 && changes[0].object.compare(e.object) < 0 {
			apply(changes[0])
			changes = changes[1:]
		}
		if len(changes) > 0 && changes[0].object.compare(e.object) == 0 {
			apply(changes[0])
			changes = changes[1:]
			continue
		}
		r.entries = append(r.entries, e)
		r.lines = append(r.lines, lines...)
	}
	for _, c := range changes {
		apply(c)
	}
	return nil
}

// split appends what was gathered as chunks of about equal size, cut between
// objects, and starts anew.
func (r *rebuild) split(out []chunk) []chunk {
	pieces := 1
	if len(r.lines) > maxChunk {
		pieces = (len(r.lines) + chunkSize/2) / chunkSize
	}
	lines, entries := r.lines, r.entries
	for ; pieces > 0 && len(entries) > 0; pieces-- {
		want, size, n := len(lines)/pieces, 0, 0
		for n < len(entries) && (size < want || pieces == 1) {
			size += int(entries[n].size)
			n++
		}
		out = append(out, chunk{compress(lines[:size]), slices.Clone(entries[:n])})
		lines, entries = lines[size:], entries[n:]
	}
	r.lines, r.entries = r.lines[:0], r.entries[:0]
	return out
}

type compressor struct {
	w   *flate.Writer
	buf bytes.Buffer
}

var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &compressor{w: w}
}}

// compress makes a chunk of lines. Writing to a buffer does not fail.
func compress(lines []byte) exposition.Chunk {
	if len(lines) < plainSize {
		return exposition.Chunk{Raw: slices.Clone(lines)}
	}
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.buf.Reset()
	c.w.Reset(&c.buf)
	_, _ = c.w.Write(lines)
	_ = c.w.Flush()
	return exposition.Chunk{Deflate: slices.Clone(c.buf.Bytes()), Size: len(lines), CRC: crc32.ChecksumIEEE(lines)}
}
