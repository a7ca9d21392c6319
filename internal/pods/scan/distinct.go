package scan

import (
	"encoding/binary"
	"hash/maphash"
)

// Distinct takes samples out of the extents that are no other than one of their
// family before, as the caller sees it: key appends what tells a sample from
// others. The sample is a line, or in protobuf a field "metric" of a MetricFamily
// with its tag. Only the families are looked at that are true in concerned, which
// has one element for each. What is taken out counts as duplicates.
func (x *Exposition) Distinct(concerned []bool, key func(dst []byte, e Extent, sample []byte) []byte) {
	seen := make(map[[2]uint64]struct{})
	before := x.Duplicates
	var buf []byte
	out := x.spare[:0]
	for _, e := range x.Extents {
		x.twice = x.twice[:0]
		for at := int(e.Start); concerned[e.Family] && at < int(e.End); {
			next := x.identify(at, e).next
			buf = key(binary.AppendUvarint(buf[:0], uint64(e.Family)), e, x.Body[at:next])
			one := [2]uint64{maphash.Bytes(seed, buf), maphash.Bytes(otherSeed, buf)}
			if _, again := seen[one]; again {
				x.twice = append(x.twice, [2]int{at, next})
			}
			seen[one] = struct{}{}
			at = next
		}
		out = x.cut(out, e)
	}
	x.spare = out
	if x.Duplicates > before {
		x.spare, x.Extents = x.Extents, out
	}
}

// otherSeed makes a hash so long that no two keys have the same.
var otherSeed = maphash.MakeSeed()
