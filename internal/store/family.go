package store

import (
	"hash/maphash"
	"slices"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// family is the exposition of one metric family. Its methods are called with
// the store's mutex held.
type family struct {
	desc    metric.Desc
	derived derived // instead of everything below, or nil
	chunks  []chunk
	view    []exposition.Chunk // of chunks; nil when it must be made anew
	pending map[place]change   // what is not in the chunks yet
	buf     []byte             // the lines of pending
}

// chunk is a run of objects and their lines.
type chunk struct {
	exposition.Chunk
	entries []entry // sorted by object, at least one
}

// entry says what of a chunk belongs to an object.
type entry struct {
	object  *object
	hash    uint64
	size    uint32
	samples uint32
}

// change is an entry to be, with the place of its lines in the buffer. An entry
// of size 0 removes the object from the family.
type change struct {
	entry
	offset int
}

// maxPending is how many bytes of changed lines wait for a scrape at most.
const maxPending = 512 << 10

var seed = maphash.MakeSeed()

// set gives an object's lines, and returns by how much the number of samples
// changes, and whether the lines do. No lines remove the object.
func (f *family) set(o *object, lines []byte, samples uint32) (delta int, changed bool) {
	if f.derived != nil {
		return f.derived.set(o, lines, samples)
	}
	now := entry{object: o, size: uint32(len(lines)), samples: samples}
	if len(lines) > 0 {
		now.hash = maphash.Bytes(seed, lines)
	}
	stored := f.find(o)
	old := stored
	if c, ok := f.pending[o.place]; ok {
		old = c.entry
	}
	delta = int(samples) - int(old.samples)
	switch {
	case now.hash == old.hash && now.size == old.size:
		return delta, false
	case now.hash == stored.hash && now.size == stored.size:
		delete(f.pending, o.place)
		return delta, true
	}
	if f.pending == nil {
		f.pending = make(map[place]change)
	}
	f.pending[o.place] = change{now, len(f.buf)}
	f.buf = append(f.buf, lines...)
	if len(f.buf) > maxPending {
		// Chunks were made by the store: inflating them cannot fail, and if it
		// does, the next snapshot reports it.
		_ = f.flush()
	}
	return delta, true
}

// find returns the entry of an object in the chunks, or an empty one.
func (f *family) find(o *object) entry {
	i, _ := slices.BinarySearchFunc(f.chunks, o, func(c chunk, o *object) int {
		return c.entries[len(c.entries)-1].object.compare(o)
	})
	if i == len(f.chunks) {
		return entry{}
	}
	entries := f.chunks[i].entries
	j, ok := slices.BinarySearchFunc(entries, o, func(e entry, o *object) int { return e.object.compare(o) })
	if !ok {
		return entry{}
	}
	return entries[j]
}

// snapshot returns the chunks as they are to be served. They are never changed.
func (f *family) snapshot() ([]exposition.Chunk, error) {
	if err := f.flush(); err != nil {
		return nil, err
	}
	if f.view == nil {
		f.view = make([]exposition.Chunk, len(f.chunks))
		for i := range f.chunks {
			f.view[i] = f.chunks[i].Chunk
		}
	}
	return f.view, nil
}

// flush works pending changes into the chunks. Only chunks that hold a changed
// object are made anew.
func (f *family) flush() error {
	if len(f.pending) == 0 {
		f.buf = f.buf[:0]
		return nil
	}
	changes := make([]change, 0, len(f.pending))
	for _, c := range f.pending {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b change) int { return a.object.compare(b.object) })

	out := make([]chunk, 0, len(f.chunks)+len(f.buf)/chunkSize)
	var run rebuild
	for i, c := range f.chunks {
		last := i == len(f.chunks)-1
		n := len(changes)
		if !last {
			end := c.entries[len(c.entries)-1].object
			n, _ = slices.BinarySearchFunc(changes, end, func(c change, o *object) int {
				if c.object.compare(o) <= 0 {
					return -1
				}
				return 1
			})
		}
		if n == 0 && run.empty() {
			out = append(out, c)
			continue
		}
		if err := run.merge(c, changes[:n], f.buf); err != nil {
			return err
		}
		changes = changes[n:]
		if last || len(run.lines) >= minChunk {
			out = run.split(out)
		}
	}
	if len(f.chunks) == 0 {
		if err := run.merge(chunk{}, changes, f.buf); err != nil {
			return err
		}
		out = run.split(out)
	}
	f.chunks, f.view = out, nil
	clear(f.pending)
	f.buf = f.buf[:0]
	if cap(f.buf) > chunkSize { // of a list; events need little
		f.pending, f.buf = nil, nil
	}
	return nil
}
