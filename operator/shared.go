package operator

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// shared is a function whose callers share the run that is under way, so that
// one that never returns holds one goroutine.
type shared[T any] struct {
	fn func(context.Context) (T, error)

	mu      sync.Mutex
	running *sharedRun[T]
}

type sharedRun[T any] struct {
	done  chan struct{}
	value T // set before done closes, like err
	err   error
}

// get waits for a result until ctx ends, but not longer than the timeout.
func (s *shared[T]) get(ctx context.Context, timeout time.Duration) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r := s.join(timeout)
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, errTimeout
	}
}

// join returns the run under way, or starts one.
func (s *shared[T]) join(timeout time.Duration) *sharedRun[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running
	}
	r := &sharedRun[T]{done: make(chan struct{}), err: errGoexit}
	s.running = r
	go func() {
		// Not the request's context: others may have joined.
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				r.err = panicError{p, debug.Stack()}
			}
			s.mu.Lock()
			s.running = nil
			s.mu.Unlock()
			close(r.done)
		}()
		value, err := s.fn(ctx)
		r.value, r.err = value, readable(err)
	}()
	return r
}
