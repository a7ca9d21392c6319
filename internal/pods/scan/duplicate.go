package scan

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"sync"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// tables are hash tables that are not in use: there are fewer scans at once than
// expositions.
var tables = sync.Pool{New: func() any { return new([]uint64) }}

// maxKeptSeen is how large a table is kept for the next scan.
const maxKeptSeen = 1 << 17

// dropDuplicates takes samples out of the extents that have the name and labels
// of one before. Series are told apart by their text, except in protobuf. It is
// left out if the series are those of the last scan of the target, and there
// were no duplicates. The parts of an extent have the flags of the whole.
func (x *Exposition) dropDuplicates() {
	m := x.opts.Memory
	if m != nil && m.sum == x.sum && m.samples == x.Samples {
		return
	}
	seen := tables.Get().(*[]uint64)
	defer func() {
		if x.seen = nil; len(*seen) <= maxKeptSeen {
			tables.Put(seen)
		}
	}()
	x.makeSeen(seen)
	out := x.spare[:0]
	for _, e := range x.Extents {
		out = x.unique(out, e)
	}
	x.spare = out
	if x.Duplicates > 0 {
		x.spare, x.Extents = x.Extents, out
	}
	if m != nil {
		*m = Memory{}
		if x.Duplicates == 0 {
			*m = Memory{sum: x.sum, samples: x.Samples}
		}
	}
}

// makeSeen makes a hash table with a place for each sample: where it is, plus
// one, in the lower half, and half of its hash above.
func (x *Exposition) makeSeen(memory *[]uint64) {
	size := 1 << bits.Len(uint(x.Samples+x.Samples/4))
	if cap(*memory) < size {
		*memory = make([]uint64, size)
	}
	x.seen = (*memory)[:size]
	clear(x.seen)
}

// unique appends to out what of an extent was not seen before.
func (x *Exposition) unique(out []Extent, e Extent) []Extent {
	x.twice = x.twice[:0]
	for at := int(e.Start); at < int(e.End); {
		one := x.identify(at, e)
		if x.see(at, one) {
			x.twice = append(x.twice, [2]int{at, one.next})
		}
		at = one.next
	}
	return x.cut(out, e)
}

// cut appends to out what of an extent is not in x.twice.
func (x *Exposition) cut(out []Extent, e Extent) []Extent {
	start := int(e.Start)
	for _, dup := range x.twice {
		out = x.part(out, e, start, dup[0])
		x.Duplicates += x.count(e, dup[0], dup[1])
		start = dup[1]
	}
	if start == int(e.Start) {
		return append(out, e)
	}
	return x.part(out, e, start, int(e.End))
}

// part appends to out what of an extent is between two places.
func (x *Exposition) part(out []Extent, e Extent, start, end int) []Extent {
	if start == end {
		return out
	}
	return append(out, Extent{Family: e.Family, Samples: int32(x.count(e, start, end)), Start: uint32(start), End: uint32(end), Flags: e.Flags})
}

// count counts the samples in a part of an extent.
func (x *Exposition) count(e Extent, at, end int) (n int) {
	for at < end {
		if x.Format == exposition.Protobuf {
			m, next := x.metricAgain(at, e.Family)
			n, at = n+m.samples, next
		} else {
			n, at = n+1, x.identify(at, e).next
		}
	}
	return n
}

// identity is what tells a series from others.
type identity struct {
	hash uint64
	// text is all of it, in the text formats.
	text []byte
	// next is where the next one starts.
	next int
}

// see says whether a series was seen, and notes it if not.
func (x *Exposition) see(at int, one identity) bool {
	mask := uint64(len(x.seen) - 1)
	high := one.hash &^ 0xffffffff
	for i := one.hash & mask; ; i = (i + 1) & mask {
		slot := x.seen[i]
		if slot == 0 {
			x.seen[i] = high | uint64(at+1)
			return false
		}
		if slot&^0xffffffff == high && x.sameSeries(int(uint32(slot))-1, at, one) {
			return true
		}
	}
}

// identify reads a line, or metric, of an extent.
func (x *Exposition) identify(at int, e Extent) identity {
	b := x.Body
	if x.Format == exposition.Protobuf {
		return x.identifyMetric(at, e.Family)
	}
	next := len(b)
	if n := bytes.IndexByte(b[at:], '\n'); n >= 0 {
		next = at + n + 1
	}
	var text []byte
	if e.Flags&(Odd|Exemplars|UTF8) == 0 {
		text = usualSeries(b[at:next])
	} else {
		text = seriesOf(b, at)
	}
	return identity{hash: maphash.Bytes(seed, text), text: text, next: next}
}

func (x *Exposition) sameSeries(i, j int, one identity) bool {
	if x.Format == exposition.Protobuf {
		return x.sameMetric(i, j)
	}
	return string(seriesOf(x.Body, i)) == string(one.text)
}

// usualSeries is seriesOf for a line with nothing behind the series but numbers.
func usualSeries(line []byte) []byte {
	if brace := bytes.LastIndexByte(line, '}'); brace >= 0 {
		return line[:brace+1]
	}
	return line[:bytes.IndexByte(line, ' ')]
}

// seriesOf returns the name and the labels on a line that is known to be valid.
func seriesOf(b []byte, at int) []byte {
	at = blanks(b, at, len(b))
	i := run(b, at, nameByte)
	brace := blanks(b, i, len(b))
	if brace == len(b) || b[brace] != '{' {
		return b[at:i]
	}
	for i = brace + 1; b[i] != '}'; i++ {
		if b[i] == '"' {
			i = quoted(b, i+1)
		}
	}
	return b[at : i+1]
}
