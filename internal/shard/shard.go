// Package shard divides what several processes serve: each thing belongs to
// exactly one of them, and few move when their number changes.
package shard

import "fmt"

// Shard is one of several equal shares. The zero value is all there is.
type Shard struct {
	// Index counts from 0.
	Index int
	// Count is how many there are; 0 is the same as 1.
	Count int
}

// Max is how many shards there can be. It bounds the work of [Shard.Has].
const Max = 10_000

// Check reports a shard that cannot be.
func (s Shard) Check() error {
	if s.Count < 0 || s.Count > Max || s.Index < 0 || s.Index >= max(s.Count, 1) {
		return fmt.Errorf("shard %d of %d: write the index, from 0, and how many there are, at most %d", s.Index, s.Count, Max)
	}
	return nil
}

// Divided reports whether there are other shards.
func (s Shard) Divided() bool { return s.Count > 1 }

// Has reports whether what an identity names belongs to the shard: of all shards
// it is the one whose hash together with the identity is highest, so that another
// shard takes its share from all, and nothing else moves.
func (s Shard) Has(identity string) bool {
	if !s.Divided() {
		return true
	}
	id := uint64(14695981039346656037) // FNV-1a
	for _, c := range []byte(identity) {
		id = (id ^ uint64(c)) * 1099511628211
	}
	best, winner := uint64(0), 0
	for i := range s.Count {
		if h := mix(id ^ mix(uint64(i)+1)); h > best {
			best, winner = h, i
		}
	}
	return winner == s.Index
}

// mix is the finalizer of splitmix64: each bit of the argument changes each of
// the result with probability one half.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
