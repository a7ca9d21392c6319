package scan

import (
	"hash/maphash"
	"math"
	"math/bits"
)

const (
	// maxShapeLabels is how many labels a line may have and be read fast.
	maxShapeLabels = 32
	// numShapes is a power of two, and more than the different names in the
	// series of a histogram.
	numShapes = 4
)

// shape is what lines have in common that differ only in their label values and
// numbers. It is learnt from a line that was read in full; for each further line
// of the shape it is enough to compare what must be equal, and to find the ends
// of the label values. The line before is kept to compare with, and not the
// first one, because neighbours have most of their label values in common.
type shape struct {
	// line is where the last line of the shape starts.
	line int
	// fixed is the length of that line up to its last label value, or of its
	// series and the space behind it if it has no labels; 0 if there is no shape.
	fixed int
	// labels is how many labels there are.
	labels int
	family int32
	flags  Flags
	// bound is which label has to be a number, or -1.
	bound int
	// start is where in that line the values start.
	start [maxShapeLabels]int32
	// gap is how long that is what stands before each value, the quote included
	// that ends the value before.
	gap [maxShapeLabels]int32
}

// shapes are those that were seen last.
type shapes struct {
	all [numShapes]shape
	// last is the one of the line before.
	last int
	// moved is where the values of the line that is being read start.
	moved [maxShapeLabels]int32
}

// forget forgets all shapes, because their family may not be that of the next
// line with the same name.
func (s *shapes) forget() {
	for i := range s.all {
		s.all[i].fixed = 0
	}
}

// learn keeps the shape of a line that was read in full, of which the series ends
// at end, and the label bound has to be a number.
func (s *shapes) learn(line, end int, labels []label, bound int, family int32, flags Flags) {
	if len(labels) > maxShapeLabels || end-line > math.MaxInt32 {
		return
	}
	s.last = (s.last + 1) % numShapes
	sh := &s.all[s.last]
	sh.line, sh.labels, sh.bound, sh.family, sh.flags = line, len(labels), bound, family, flags
	sh.fixed = end + 1 - line
	before := line
	for i, l := range labels {
		sh.start[i], sh.gap[i] = int32(l.value-line), int32(l.value-before)
		sh.fixed, before = l.value-line, l.end
	}
}

// match reads a line at i up to its number, if it is of a known shape. It returns
// where the number starts, or 0. The shape is then s.all[s.last].
func (x *Exposition) match(b []byte, i int) int {
	for n := range numShapes {
		k := (x.shapes.last + n) % numShapes
		sh := &x.shapes.all[k]
		if sh.fixed == 0 || i+sh.fixed+8 > len(b) {
			continue
		}
		first := sh.labels - 1
		if same := prefix(b, sh.line, i, sh.fixed); same < sh.fixed {
			for first >= 0 && int(sh.start[first]) > same {
				first--
			}
			if first < 0 {
				continue
			}
		}
		h := x.sum + uint64(k<<8+first+1)*each01
		if first < 0 {
			if c := b[i+sh.fixed]; c == '{' || c == ' ' || c == '\t' {
				continue // labels may follow the blanks
			}
			x.sum, x.shapes.last, sh.line = mix(h, 0), k, i
			return i + sh.fixed
		}
		end, h := x.matchValues(b, i, sh, first, h)
		if end == 0 {
			continue
		}
		x.sum, x.shapes.last = h, k
		return end
	}
	return 0
}

// matchValues reads the label values from the first one on that may differ from
// those of the line before, and moves the shape to this line.
func (x *Exposition) matchValues(b []byte, i int, sh *shape, first int, h uint64) (int, uint64) {
	at := i + int(sh.start[first])
	last := sh.labels - 1
	for j := first; ; j++ {
		start := at
		for {
			if at+8 > len(b) {
				return 0, 0
			}
			w := load(b, at)
			m := special(w)
			if m == 0 {
				h = mix(h, w)
				at += 8
				continue
			}
			n := uint(bits.TrailingZeros64(m)) >> 3
			at += int(n)
			h = mix(h, w&(1<<(8*n)-1)|uint64(n)<<56)
			if b[at] != '"' {
				end := quoted(b, at)
				if end < 0 {
					return 0, 0
				}
				h = mix(h, maphash.Bytes(seed, b[at:end]))
				at = end
			}
			break
		}
		if at-start > x.maxValue {
			return 0, 0
		}
		if j == last {
			break
		}
		gap := int(sh.gap[j+1])
		ref := sh.line + int(sh.start[j+1])
		if at+gap > len(b) || string(b[at:at+gap]) != string(b[ref-gap:ref]) {
			return 0, 0
		}
		at += gap
		x.shapes.moved[j+1] = int32(at - i)
	}
	if at+3 > len(b) || b[at+1] != '}' || b[at+2] != ' ' {
		return 0, 0
	}
	for j := first + 1; j <= last; j++ {
		sh.start[j] = x.shapes.moved[j]
	}
	sh.line, sh.fixed = i, int(sh.start[last])
	return at + 3, h
}
