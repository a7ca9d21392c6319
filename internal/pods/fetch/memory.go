package fetch

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

const (
	chunkSize = 64 << 10
	pageSize  = 4 << 10
)

// ErrBudget says that all bodies together hold as much as they may.
var ErrBudget = errors.New("no memory left for bodies")

// memory counts what bodies hold, and keeps what they have given back for later
// ones. What is held never exceeds the budget, nor does it together with what
// is kept.
//
// Nobody waits for memory in a way that could keep all from going on: those who
// wait hold together at most a quarter of the budget, and none of them waits for
// much more than a third. So when all others have finished, failed or been released, the
// first who waits gets what it waits for.
type memory struct {
	budget int64

	mu         sync.Mutex
	held       int64
	idle       int64
	stalled    int64      // held by those who wait
	waiting    *list.List // of *waiter, the first come first
	free       []spare    // by size
	generation uint64
	closed     bool
}

// spare is a buffer that waits for its next use.
type spare struct {
	buf   []byte
	since uint64 // generation in which it was given back
}

type waiter struct {
	size  int64
	ready chan struct{} // closed when size is counted as held
}

func newMemory(budget int64) *memory {
	return &memory{budget: budget, waiting: list.New()}
}

// roundUp is how large a buffer for so many bytes is.
func roundUp(size int) int {
	return (max(size, 1) + pageSize - 1) &^ (pageSize - 1)
}

// get gives a buffer of at least so many bytes, with its whole capacity as its
// length. The caller holds so many bytes already; if there is no memory left it
// waits until the context is done, or fails at once if it must not wait.
func (m *memory) get(ctx context.Context, size int, holding int64, wait bool) ([]byte, error) {
	need := int64(roundUp(size))
	if err := m.take(ctx, need, holding, wait); err != nil {
		return nil, err
	}
	return m.place(need), nil
}

// take counts so many bytes as held, as [memory.get] does, and locks.
func (m *memory) take(ctx context.Context, need, holding int64, wait bool) error {
	m.mu.Lock()
	if m.held+need <= m.budget && (!wait || holding > 0 || m.waiting.Len() == 0) {
		m.held += need
		return nil
	}
	if !wait || need > m.budget || m.stalled+holding > m.budget/4 {
		defer m.mu.Unlock()
		return fmt.Errorf("%w: %d bytes are needed, %d of %d are held", ErrBudget, need, m.held, m.budget)
	}
	w := &waiter{size: need, ready: make(chan struct{})}
	m.stalled += holding
	at := m.waiting.PushBack(w)
	m.mu.Unlock()

	select {
	case <-w.ready:
	case <-ctx.Done():
	}
	m.mu.Lock()
	m.stalled -= holding
	select {
	case <-w.ready:
		return nil
	default:
	}
	m.waiting.Remove(at)
	m.serve() // the next may need less
	defer m.mu.Unlock()
	return fmt.Errorf("%w: waited for %d bytes until the time was over, %d of %d are held", ErrBudget, need, m.held, m.budget)
}

// place finds a buffer for what has been counted as held, and unlocks. It takes
// the smallest that is large enough, unless that is so large that it would be a
// waste or too much.
func (m *memory) place(need int64) []byte {
	at, _ := slices.BinarySearchFunc(m.free, need, func(s spare, size int64) int { return int(int64(cap(s.buf)) - size) })
	if at < len(m.free) {
		size := int64(cap(m.free[at].buf))
		more := size - need
		if need != chunkSize && more <= need/4 && m.held+more <= m.budget || more == 0 {
			buf := m.free[at].buf
			m.free = slices.Delete(m.free, at, at+1)
			m.idle -= size
			m.held += more
			m.mu.Unlock()
			return buf
		}
	}
	m.shrink()
	m.mu.Unlock()
	return make([]byte, need)
}

// shrink drops idle buffers, the longest idle first, until all is within the
// budget.
func (m *memory) shrink() {
	for m.held+m.idle > m.budget && len(m.free) > 0 {
		oldest := 0
		for i, s := range m.free {
			if s.since < m.free[oldest].since {
				oldest = i
			}
		}
		m.idle -= int64(cap(m.free[oldest].buf))
		m.free = slices.Delete(m.free, oldest, oldest+1)
	}
}

// put takes a buffer back that get has given.
func (m *memory) put(buf []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := int64(cap(buf))
	m.held -= size
	if !m.closed {
		at, _ := slices.BinarySearchFunc(m.free, size, func(s spare, size int64) int { return int(int64(cap(s.buf)) - size) })
		m.free = slices.Insert(m.free, at, spare{buf: buf[:size], since: m.generation})
		m.idle += size
	}
	m.serve()
	m.shrink()
}

// serve gives memory to those who wait, as far as there is.
func (m *memory) serve() {
	for at := m.waiting.Front(); at != nil; at = m.waiting.Front() {
		w, _ := at.Value.(*waiter)
		if m.held+w.size > m.budget {
			return
		}
		m.held += w.size
		m.waiting.Remove(at)
		close(w.ready)
	}
}

// age begins a generation: buffers that were given back before the last one
// began, and have not been used since, are dropped.
func (m *memory) age() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	m.drop(func(s spare) bool { return s.since+2 <= m.generation })
}

// close drops all that is idle, and all that will be.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.drop(func(spare) bool { return true })
}

func (m *memory) drop(old func(spare) bool) {
	m.free = slices.DeleteFunc(m.free, func(s spare) bool {
		if !old(s) {
			return false
		}
		m.idle -= int64(cap(s.buf))
		return true
	})
}

// usage is how many bytes are held, and how many idle.
func (m *memory) usage() (held, idle int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held, m.idle
}
