package kubestatemetrics

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// bytesOf makes the bytes of a random input. They are the same for a seed.
func bytesOf(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 400+r.IntN(800))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func inputOf(data []byte) input {
	g := &maker{data: data}
	config, object := g.input()
	return input{config, object}
}

// TestRandom compares some thousand random configurations and objects.
func TestRandom(t *testing.T) {
	const cases = 5000
	exempt := make(map[string]int)
	total, failed := 0, 0
	for seed := range uint64(cases) {
		name, err := compare(inputOf(bytesOf(seed)))
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			if failed++; failed == 5 {
				t.Fatal("and so on")
			}
		}
		if name != "" {
			exempt[name]++
			total++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(exempt)) {
		t.Logf("%s: %d of %d", name, exempt[name], cases)
	}
	if total > cases*3/10 {
		t.Errorf("%d of %d cases differ on purpose, more than three of ten: the rest compares too little", total, cases)
	}
}

// TestRandomIsWorthIt counts what the random inputs give: most have series, and
// each feature is in many of them.
func TestRandomIsWorthIt(t *testing.T) {
	const cases = 500
	series, empty := 0, 0
	for seed := range uint64(cases) {
		o, err := run(inputOf(bytesOf(seed)))
		if err != nil {
			t.Fatal(err)
		}
		series += len(o.our)
		if len(o.our) == 0 {
			empty++
		}
	}
	if empty > cases/3 || series < 2*cases {
		t.Errorf("of %d inputs %d give nothing, and all together %d series", cases, empty, series)
	}
	t.Logf("%d inputs, %d without series, %d series", cases, empty, series)
}

// FuzzCompare compares what any bytes make. To run it:
//
//	go test ./kubestatemetrics -run '^$' -fuzz '^FuzzCompare$' -fuzztime 30s -fuzzminimizetime 100x
func FuzzCompare(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(bytesOf(seed + 1_000_000))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := compare(inputOf(data)); err != nil {
			t.Error(err)
		}
	})
}
