package exposition_test

import (
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestCombineCRC(t *testing.T) {
	f := func(first, second []byte) {
		t.Helper()
		whole := append(append([]byte(nil), first...), second...)
		want := crc32.ChecksumIEEE(whole)
		got := exposition.CombineCRC(crc32.ChecksumIEEE(first), crc32.ChecksumIEEE(second), int64(len(second)))
		if got != want {
			t.Errorf("CombineCRC of %d and %d bytes = %08x, want %08x", len(first), len(second), got, want)
		}
	}
	f(nil, nil)
	f(nil, []byte("a"))
	f([]byte("a"), nil)
	f([]byte("a"), []byte("b"))
	f([]byte("\x00\x00"), []byte("\x00"))
	f([]byte("123456789"), []byte("123456789"))

	r := rand.New(rand.NewPCG(3, 4))
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	for range 300 {
		from := r.IntN(len(data))
		to := from + r.IntN(min(len(data)-from, 1<<r.IntN(21)))
		cut := from + r.IntN(to-from+1)
		f(data[from:cut], data[cut:to])
	}
}

func TestCombineCRCOfNegativeLength(t *testing.T) {
	for _, n := range []int64{-1, -1 << 40, math.MinInt64} {
		if got, want := exposition.CombineCRC(5, 6, n), exposition.CombineCRC(5, 6, 0); got != want {
			t.Errorf("length %d: %08x, want %08x as of 0", n, got, want)
		}
	}
}

// TestCombineCRCOfLongRuns uses lengths that no test can hash, beyond 2^32
// too: gathering three runs from the left or from the right must give the same.
func TestCombineCRCOfLongRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		a, b, c := r.Uint32(), r.Uint32(), r.Uint32()
		lb, lc := r.Int64N(1<<r.IntN(61)+1), r.Int64N(1<<r.IntN(61)+1)
		left := exposition.CombineCRC(exposition.CombineCRC(a, b, lb), c, lc)
		right := exposition.CombineCRC(a, exposition.CombineCRC(b, c, lc), lb+lc)
		if left != right {
			t.Fatalf("runs of %d and %d bytes: %08x from the left, %08x from the right", lb, lc, left, right)
		}
	}
}

// TestCombineCRCOfZeros doubles a run of zeros up to 4 GiB and compares with
// values that zlib gave.
func TestCombineCRCOfZeros(t *testing.T) {
	f := func(doublings int, want uint32) {
		t.Helper()
		crc, n := crc32.ChecksumIEEE([]byte{0}), int64(1)
		for range doublings {
			crc, n = exposition.CombineCRC(crc, crc, n), 2*n
		}
		if crc != want {
			t.Errorf("%d zeros: %08x, want %08x", n, crc, want)
		}
	}
	f(0, 0xd202ef8d)
	f(4, crc32.ChecksumIEEE(make([]byte, 16)))
	f(20, 0xa738ea1c)
	f(32, 0xd202ef8d) // 2^32 bytes shift as far as one: the order of x is 2^32-1
}
