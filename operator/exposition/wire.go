package exposition

import (
	"encoding/binary"
	"errors"
	"math"
)

// More wire types. Groups are of the past, and skipped like what is unknown.
const (
	wireGroup    = 3
	wireGroupEnd = 4
	wireFixed32  = 5
)

var (
	errShort = errors.New("the message ends in the middle of a field")
	errWire  = errors.New("the message has a field of a kind that does not exist")
)

// field is one field of a protobuf message that is being read.
type field struct {
	number uint64
	wire   uint64
	bits   uint64 // the value of a varint or a double
	bytes  []byte // the value of what has a length; it belongs to the message
}

// is reports whether it is the field of a number, of the wire type that goes
// with it. A field of another wire type is as good as unknown.
func (f *field) is(number, wire uint64) bool { return f.number == number && f.wire == wire }

func (f *field) double() float64 { return math.Float64frombits(f.bits) }

// sint decodes zigzag.
func (f *field) sint() int64 { return unzigzag(f.bits) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// eachField calls fn with the fields of a message in order, until it fails.
func eachField(m []byte, fn func(*field) error) error {
	var f field
	for len(m) > 0 {
		var err error
		if m, err = f.read(m); err != nil {
			return err
		}
		if f.wire == wireGroup {
			if m, err = skipGroup(m); err != nil {
				return err
			}
			continue
		}
		if err := fn(&f); err != nil {
			return err
		}
	}
	return nil
}

// read reads one field and returns what follows it. Of a group it reads the
// beginning or the end.
func (f *field) read(m []byte) (rest []byte, err error) {
	tag, n := binary.Uvarint(m)
	if n <= 0 {
		return nil, errShort
	}
	m = m[n:]
	*f = field{number: tag >> 3, wire: tag & 7}
	switch f.wire {
	case wireVarint, wireBytes:
		if f.bits, n = binary.Uvarint(m); n <= 0 {
			return nil, errShort
		}
		if m = m[n:]; f.wire == wireVarint {
			return m, nil
		}
		if f.bits > uint64(len(m)) {
			return nil, errShort
		}
		f.bytes = m[:f.bits:f.bits]
		return m[f.bits:], nil
	case wireDouble:
		if len(m) < 8 {
			return nil, errShort
		}
		f.bits = binary.LittleEndian.Uint64(m)
		return m[8:], nil
	case wireFixed32:
		if len(m) < 4 {
			return nil, errShort
		}
		return m[4:], nil
	case wireGroup, wireGroupEnd:
		return m, nil
	default:
		return nil, errWire
	}
}

// skipGroup returns what follows the end of a group that has begun.
func skipGroup(m []byte) ([]byte, error) {
	var f field
	for depth := 1; depth > 0; {
		if len(m) == 0 {
			return nil, errShort
		}
		var err error
		if m, err = f.read(m); err != nil {
			return nil, err
		}
		switch f.wire {
		case wireGroup:
			depth++
		case wireGroupEnd:
			depth--
		}
	}
	return m, nil
}

// doubles appends the values of a repeated double, packed or not.
func (f *field) doubles(dst []float64) ([]float64, error) {
	if f.wire != wireBytes {
		return append(dst, f.double()), nil
	}
	if len(f.bytes)%8 != 0 {
		return dst, errShort
	}
	for p := f.bytes; len(p) > 0; p = p[8:] {
		dst = append(dst, math.Float64frombits(binary.LittleEndian.Uint64(p)))
	}
	return dst, nil
}

// sints appends the values of a repeated sint64, packed or not.
func (f *field) sints(dst []int64) ([]int64, error) {
	if f.wire != wireBytes {
		return append(dst, f.sint()), nil
	}
	for p := f.bytes; len(p) > 0; {
		v, n := binary.Uvarint(p)
		if n <= 0 {
			return dst, errShort
		}
		dst, p = append(dst, unzigzag(v)), p[n:]
	}
	return dst, nil
}
