package scan

import (
	"encoding/binary"
	"math"
)

// The wire types of protobuf. Groups are not among them: nothing has had one for
// longer than there are metrics.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// fields reads the fields of a message, b[i:end].
type fields struct {
	b      []byte
	i, end int
	// bad says that it ended because it is not valid.
	bad bool

	// The field that next has read: where it starts with its tag, its number
	// and wire type, what it has if it is a number, else where its bytes are.
	tag         int
	number      uint64
	wire        uint64
	value       uint64
	start, stop int
}

// next reads a field. It says false at the end, and if the message is bad.
func (f *fields) next() bool {
	if f.bad || f.i >= f.end {
		return false
	}
	f.tag = f.i
	key := f.varint()
	f.number, f.wire = key>>3, key&7
	if f.number == 0 || key > math.MaxUint32 {
		f.bad = true
	}
	switch f.wire {
	case wireVarint:
		f.value = f.varint()
	case wireFixed64:
		if f.skip(8) {
			f.value = binary.LittleEndian.Uint64(f.b[f.start:])
		}
	case wireFixed32:
		f.skip(4)
	case wireBytes:
		f.skip(f.varint())
	default:
		f.bad = true
	}
	return !f.bad
}

// skip takes the next n bytes as those of the field.
func (f *fields) skip(n uint64) bool {
	if f.bad || n > uint64(f.end-f.i) {
		f.bad = true
		return false
	}
	f.start = f.i
	f.i += int(n)
	f.stop = f.i
	return true
}

func (f *fields) varint() uint64 {
	if f.i < f.end && f.b[f.i] < 1<<7 {
		f.i++
		return uint64(f.b[f.i-1])
	}
	v, n := binary.Uvarint(f.b[f.i:f.end])
	if n <= 0 {
		f.bad = true
		return 0
	}
	f.i += n
	return v
}

func (f *fields) bytes() []byte { return f.b[f.start:f.stop:f.stop] }

// inside reads the field as a message.
func (f *fields) inside() fields { return fields{b: f.b, i: f.start, end: f.stop} }

// kind is what a field of a message is; 0 if it is not known.
type kind uint8

const (
	number  kind = 1 + iota // a varint
	double                  // eight bytes
	text                    // bytes that are UTF-8
	numbers                 // any number of varints, packed or not
	doubles                 // any number of eight bytes, packed or not
	message                 // what kinds.inside says
)

// kinds says what the fields of a message are, from 1 on.
type kinds struct {
	of     []kind
	inside []*kinds // of those that are messages
}

var (
	pairKinds      = &kinds{of: []kind{text, text}}
	timestampKinds = &kinds{of: []kind{number, number}}
	exemplarKinds  = &kinds{of: []kind{message, double, message}, inside: []*kinds{pairKinds, nil, timestampKinds}}
	valueKinds     = &kinds{of: []kind{double}}
	counterKinds   = &kinds{of: []kind{double, message, message}, inside: []*kinds{nil, exemplarKinds, timestampKinds}}
	quantileKinds  = &kinds{of: []kind{double, double}}
	summaryKinds   = &kinds{of: []kind{number, double, message, message}, inside: []*kinds{nil, nil, quantileKinds, timestampKinds}}
	spanKinds      = &kinds{of: []kind{number, number}}
	bucketKinds    = &kinds{of: []kind{number, double, message, double}, inside: []*kinds{nil, nil, exemplarKinds}}
	histogramKinds = &kinds{
		of: []kind{
			number, double, message, double, number, double, number, double,
			message, numbers, doubles, message, numbers, doubles, message, message,
		},
		inside: []*kinds{2: bucketKinds, 8: spanKinds, 11: spanKinds, 14: timestampKinds, 15: exemplarKinds},
	}
)

// check says whether the field that f has read is what k says, and everything
// inside of it.
func (k *kinds) check(f *fields) bool {
	if f.number > uint64(len(k.of)) {
		return true
	}
	switch k.of[f.number-1] {
	case number:
		return f.wire == wireVarint
	case double:
		return f.wire == wireFixed64
	case text:
		return f.wire == wireBytes && validText(f.bytes())
	case numbers:
		return f.wire == wireVarint || f.wire == wireBytes && onlyVarints(f.bytes())
	case doubles:
		return f.wire == wireFixed64 || f.wire == wireBytes && (f.stop-f.start)%8 == 0
	case message:
		return f.wire == wireBytes && k.inside[f.number-1].checkAll(f.inside())
	default:
		return true
	}
}

func (k *kinds) checkAll(f fields) bool {
	for f.next() {
		if !k.check(&f) {
			return false
		}
	}
	return !f.bad
}

func onlyVarints(b []byte) bool {
	for len(b) > 0 {
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// zigzag is what a number of one of the types sint32 and sint64 is.
func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
