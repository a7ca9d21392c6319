package exposition

import "hash/crc32"

// CombineCRC returns the CRC-32 (IEEE) of two runs of bytes one after the
// other, from the CRC of each and the length of the second. It takes
// logarithmic time and does not see the bytes. A negative length counts as 0.
func CombineCRC(first, second uint32, secondLen int64) uint32 {
	return multiply(shift(max(0, secondLen)), first) ^ second
}

// A CRC is a polynomial over GF(2), kept with its bits reversed: bit 31 is the
// coefficient of x^0. one is the polynomial 1.
const one = uint32(1) << 31

// squares[k] is x^(2^k) modulo the CRC polynomial.
var squares = func() (t [32]uint32) {
	p := one >> 1 // x^1
	for k := range t {
		t[k] = p
		p = multiply(p, p)
	}
	return t
}()

// multiply returns a*b modulo the CRC polynomial.
func multiply(a, b uint32) uint32 {
	var product uint32
	for m := one; a != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
			a &^= m
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return product
}

// shift returns x^(8*n) modulo the CRC polynomial: what n bytes of zeros behind
// a run do to its CRC. The order of x is 2^32-1, so squares repeats after 32.
func shift(n int64) uint32 {
	p := one
	for k := 3; n != 0; n, k = n>>1, k+1 {
		if n&1 != 0 {
			p = multiply(squares[k%32], p)
		}
	}
	return p
}
