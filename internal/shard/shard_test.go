package shard_test

import (
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/internal/shard"
)

const things = 6000

// owner returns the only one of some shards that has a thing.
func owner(t *testing.T, id string, count int) int {
	t.Helper()
	found := -1
	for i := range count {
		if (shard.Shard{Index: i, Count: count}).Has(id) {
			if found >= 0 {
				t.Fatalf("%s belongs to shards %d and %d of %d", id, found, i, count)
			}
			found = i
		}
	}
	if found < 0 {
		t.Fatalf("%s belongs to no shard of %d", id, count)
	}
	return found
}

// TestFair: each thing has one shard, and shards are about equal, whether
// identities are random or differ by little.
func TestFair(t *testing.T) {
	for _, form := range []string{"namespace/name-%d", "%08d-1111-4222-8333-444444444444"} {
		for count := 1; count <= 7; count++ {
			sizes := make([]int, count)
			for i := range things {
				sizes[owner(t, fmt.Sprintf(form, i), count)]++
			}
			for i, n := range sizes {
				if want := things / count; n < want*9/10 || n > want*11/10 {
					t.Errorf("%s: shard %d of %d has %d of %d", form, i, count, n, things)
				}
			}
		}
	}
}

// TestFewMove: a shard more takes its share, and nothing goes anywhere else.
func TestFewMove(t *testing.T) {
	for count := 1; count < 6; count++ {
		moved := 0
		for i := range things {
			id := fmt.Sprint(i)
			before, after := owner(t, id, count), owner(t, id, count+1)
			if before == after {
				continue
			}
			if moved++; after != count {
				t.Fatalf("%s moves from %d to %d as shard %d comes", id, before, after, count)
			}
		}
		if most := things / (count + 1) * 11 / 10; moved > most {
			t.Errorf("%d of %d move when shard %d comes", moved, things, count)
		}
	}
}

// TestStable: which shard has what is the same in each version of the program.
func TestStable(t *testing.T) {
	for id, want := range map[string]int{"": 3, "shop/storefront": 2, "7f1b4a40-93c1-4f7e-8f0e-2d6a3c0b9e11": 3} {
		if got := owner(t, id, 5); got != want {
			t.Errorf("%q belongs to shard %d of 5, want %d", id, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, good := range []shard.Shard{{}, {Count: 1}, {Index: 2, Count: 3}, {Index: shard.Max - 1, Count: shard.Max}} {
		if err := good.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []shard.Shard{{Index: 1}, {Index: 1, Count: 1}, {Index: -1, Count: 2}, {Count: -1}, {Count: shard.Max + 1}} {
		if bad.Check() == nil {
			t.Errorf("%+v is good", bad)
		}
	}
}
