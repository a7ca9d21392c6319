package scan

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"unicode/utf8"
)

// What a byte can be in a name, as bits of class.
const (
	nameStart  = 1 << iota // first byte of a metric name
	nameByte               // any further byte of it
	labelStart             // first byte of a label name
	labelByte              // any further byte of it
)

var class = func() (c [256]uint8) {
	for i := range c {
		switch b := byte(i); {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', b == '_':
			c[i] = nameStart | nameByte | labelStart | labelByte
		case '0' <= b && b <= '9':
			c[i] = nameByte | labelByte
		case b == ':':
			c[i] = nameStart | nameByte
		}
	}
	return c
}()

// run returns the end of the bytes from i on that are of a class.
func run(b []byte, i int, of uint8) int {
	for i < len(b) && class[b[i]]&of != 0 {
		i++
	}
	return i
}

// Eight times the same byte.
const (
	each01 = 0x0101010101010101
	each20 = ' ' * each01
	each22 = '"' * each01
	each30 = '0' * each01
	each5c = '\\' * each01
	each76 = 0x76 * each01
	each80 = 0x80 * each01
)

// load reads eight bytes, of which the first one is the lowest.
func load(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

// special marks, in the highest bit of a byte, those bytes of w that are not
// plain text of a label value: control characters, a quote, a backslash, and what
// is not ASCII. Only the lowest mark can be relied on.
func special(w uint64) uint64 {
	return ((w - each20) | ((w ^ each22) - each01) | ((w ^ each5c) - each01) | w) & each80
}

// digits returns the end of the digits from i on.
func digits(b []byte, i int) int {
	for i+8 <= len(b) {
		w := load(b, i) ^ each30
		if m := ((w + each76) | w) & each80; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// prefix returns how many of the first n bytes are the same at i and at j. Eight
// bytes must follow the n.
func prefix(b []byte, i, j, n int) int {
	k := 0
	for ; k+8 <= n; k += 8 {
		if d := load(b, i+k) ^ load(b, j+k); d != 0 {
			return k + bits.TrailingZeros64(d)>>3
		}
	}
	if d := (load(b, i+k) ^ load(b, j+k)) & (1<<(8*uint(n-k)) - 1); d != 0 {
		return k + bits.TrailingZeros64(d)>>3
	}
	return n
}

// quoted returns where the quote is that ends a string, from i on, which is
// inside of the string. It is -1 if the string does not end on its line, has a
// NUL, or is not UTF-8.
func quoted(b []byte, i int) int {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i
		case c == 0, c == '\n':
			return -1
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return -1
			}
			i += n
		case c == '\\':
			if i++; i < len(b) && b[i] != 0 && b[i] != '\n' && b[i] < utf8.RuneSelf {
				i++
			}
		default:
			i++
		}
	}
	return -1
}

// The keys of hashes differ from process to process, so that nobody can make
// series on purpose that look the same.
var (
	seed   = maphash.MakeSeed()
	sumKey = rand.Uint64()
	mulKey = rand.Uint64() | 1
)

// mix adds w to a hash.
func mix(h, w uint64) uint64 {
	hi, lo := bits.Mul64(h^w, mulKey)
	return hi ^ lo
}
