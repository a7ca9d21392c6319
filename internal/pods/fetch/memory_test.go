package fetch

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// must is memory that is there.
func must(t *testing.T, m *memory, size int) []byte {
	t.Helper()
	buf, err := m.get(t.Context(), size, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func usage(m *memory) [2]int64 {
	held, idle := m.usage()
	return [2]int64{held, idle}
}

func TestMemoryFits(t *testing.T) {
	m := newMemory(1 << 20)
	small, large := must(t, m, 5000), must(t, m, 100<<10)
	if len(small) != 8192 || usage(m) != [2]int64{8192 + 100<<10, 0} {
		t.Errorf("5000 bytes are %d, usage %v", len(small), usage(m))
	}
	m.put(small[:10])
	m.put(large)
	if got := must(t, m, 90<<10); &got[0] != &large[0] {
		t.Error("a buffer that is a little larger was not used")
	} else {
		m.put(got)
	}
	if got := must(t, m, 20<<10); &got[0] == &large[0] {
		t.Error("a much larger buffer was used")
	} else {
		m.put(got)
	}
	if got := must(t, m, 1); cap(got) != 4096 {
		t.Errorf("one byte got %d", cap(got))
	} else {
		m.put(got)
	}
}

func TestMemoryShrinks(t *testing.T) {
	m := newMemory(100 << 10)
	old, young := must(t, m, 40<<10), must(t, m, 20<<10)
	m.put(old)
	m.age()
	m.put(young)
	got := must(t, m, 60<<10)
	if want := [2]int64{60 << 10, 20 << 10}; usage(m) != want {
		t.Errorf("held and idle %v, want %v: the old one goes first", usage(m), want)
	}
	m.put(got)
	for range 2 {
		m.age()
	}
	if usage(m) != [2]int64{} {
		t.Errorf("after two generations %v", usage(m))
	}
}

func TestMemoryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(100 << 10)
		first := must(t, m, 80<<10)
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		for _, v := range []struct {
			name string
			size int
		}{{"a", 40 << 10}, {"b", 60 << 10}, {"c", 4 << 10}} {
			wg.Go(func() {
				buf, err := m.get(t.Context(), v.size, 0, true)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, v.name)
				mu.Unlock()
				time.Sleep(time.Second) // of the bubble
				m.put(buf)
			})
			synctest.Wait()
		}
		if _, err := m.get(t.Context(), 4<<10, 80<<10, true); err != nil {
			t.Errorf("who holds memory need not queue: %v", err)
		}
		m.put(make([]byte, 4<<10))
		if _, err := m.get(t.Context(), 60<<10, 80<<10, true); !errors.Is(err, ErrBudget) {
			t.Errorf("who holds much must not wait: %v", err)
		}
		if _, err := m.get(t.Context(), 60<<10, 0, false); !errors.Is(err, ErrBudget) {
			t.Errorf("who must not wait: %v", err)
		}
		m.put(first)
		wg.Wait()
		if len(order) != 3 || order[2] != "c" {
			t.Errorf("served in the order %v", order)
		}
		if held, _ := m.usage(); held != 0 || m.stalled != 0 || m.waiting.Len() != 0 {
			t.Errorf("%d held, %d stalled", held, m.stalled)
		}
	})
}

func TestMemoryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(100 << 10)
		first := must(t, m, 80<<10)
		var wg sync.WaitGroup
		for _, size := range []int{60 << 10, 4 << 10} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(size)) // the larger gives up later
				defer cancel()
				buf, err := m.get(ctx, size, 20<<10, true)
				if small := size == 4<<10; small != (err == nil) {
					t.Errorf("%d bytes: %v", size, err)
				}
				if err == nil {
					m.put(buf)
				} else if !errors.Is(err, ErrBudget) {
					t.Errorf("%d bytes: %v", size, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		m.put(first)
		if held, _ := m.usage(); held != 0 || m.stalled != 0 {
			t.Errorf("%d held, %d stalled", held, m.stalled)
		}
	})
}

// Whoever asks for whatever: the budget holds, nobody waits for ever, and all is
// given back.
func TestMemoryUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(1 << 20)
		var wg sync.WaitGroup
		for seed := range 50 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(seed), 1))
				for range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					var bufs [][]byte
					var holding int64
					for range 1 + random.IntN(4) {
						buf, err := m.get(ctx, random.IntN(200<<10), holding, random.IntN(4) > 0)
						if err != nil {
							break
						}
						holding += int64(cap(buf))
						bufs = append(bufs, buf)
						time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
					}
					if u := usage(m); u[0]+u[1] > m.budget {
						t.Errorf("held and idle %v", u)
					}
					for _, buf := range bufs {
						m.put(buf)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if held, _ := m.usage(); held != 0 || m.stalled != 0 || m.waiting.Len() != 0 {
			t.Errorf("%d held, %d stalled", held, m.stalled)
		}
	})
}
