package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// source is a collector or a part, and the calls of it that are under way.
type source struct {
	name       string
	log        *slog.Logger
	timeout    time.Duration
	maxSamples int
	perFormat  bool // a part's lines may depend on the format
	gather     func(context.Context, exposition.Format) (result, error)

	mu       sync.Mutex
	inflight map[exposition.Format]*call
	stats    sourceStats
}

// result is what one call gave: samples of a collector or families of a part.
// Scrapes that share a call share it, and do not change it.
type result struct {
	metrics  []Metric
	rendered []exposition.Rendered
}

// call is one call of a source.
type call struct {
	done    chan struct{} // closed when it has returned, or its time is over
	overdue bool          // its time was over first; guarded by source.mu
	counted atomic.Bool   // a scrape has counted what it drops of the result

	// Set before done closes.
	result result
	err    error
}

var (
	errBusy    = errors.New("an earlier call has not returned yet")
	errTimeout = errors.New("no answer before the deadline")
	errTooMany = errors.New("too many samples")
)

type panicError struct {
	value any
	stack []byte
}

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// call starts a call, or joins the one under way, and waits for it until the
// call's time is over or the scrape's, which ctx carries. base is the context
// of the Operator: a call must not end because the scrape that began it was
// hung up, as others may have joined. first says that no other scrape has had
// this result.
func (s *source) call(ctx, base context.Context, f exposition.Format) (r result, first bool, err error) {
	if !s.perFormat {
		f = exposition.Text
	}
	s.mu.Lock()
	c := s.inflight[f]
	if c != nil && c.overdue {
		s.fail(errBusy)
		s.mu.Unlock()
		return result{}, false, errBusy
	}
	if c == nil {
		c = s.start(ctx, base, f)
	}
	s.mu.Unlock()

	select {
	case <-c.done:
		return c.result, !c.counted.Swap(true), c.err
	case <-ctx.Done():
		return result{}, false, errTimeout
	}
}

// start begins a call. Where the scrape's deadline ends it, its context ends a
// little earlier: what it returns because of that must still be heard. The
// caller holds the mutex.
func (s *source) start(ctx, base context.Context, f exposition.Format) *call {
	end, _ := ctx.Deadline()
	margin := min(time.Until(end)/20, 250*time.Millisecond)
	if s.timeout > 0 && time.Until(end) > s.timeout {
		end, margin = time.Now().Add(s.timeout), 0
	}
	c := &call{done: make(chan struct{})}
	s.inflight[f] = c
	began := time.Now()
	callCtx, cancel := context.WithDeadline(base, end.Add(-margin))
	timer := time.AfterFunc(time.Until(end), func() { s.overdue(c) })
	go func() {
		defer cancel()
		defer timer.Stop()
		r, err := s.run(callCtx, f)
		s.finish(c, f, r, err, time.Since(began))
	}()
	return c
}

// run calls the source and turns a panic into an error.
func (s *source) run(ctx context.Context, f exposition.Format) (r result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = result{}, panicError{p, debug.Stack()}
		}
	}()
	return s.gather(ctx, f)
}

// overdue ends the wait for a call. Until it returns, nobody waits for it again.
func (s *source) overdue(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c.done:
	default:
		c.overdue, c.err = true, errTimeout
		s.fail(errTimeout)
		close(c.done)
	}
}

// finish keeps the result of a call, unless its time was over before.
func (s *source) finish(c *call, f exposition.Format, r result, err error, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inflight, f)
	s.stats.duration = took
	if c.overdue {
		return
	}
	c.result, c.err = r, err
	if err != nil {
		s.fail(err)
	} else {
		s.stats.err = nil
	}
	close(c.done)
}

// fail counts a failure, and logs one that is new. The caller holds the mutex.
func (s *source) fail(err error) {
	before := s.stats.err
	s.stats.err = err
	s.stats.failures[failureOf(err)]++
	if before != nil && (before.Error() == err.Error() || errors.Is(err, errBusy)) {
		return
	}
	attrs := []any{"collector", s.name, "err", err}
	var p panicError
	if errors.As(err, &p) {
		attrs = append(attrs, "stack", string(p.stack))
	}
	s.log.Error("Collector failed", attrs...)
}

func failureOf(err error) failure {
	var p panicError
	switch {
	case errors.As(err, &p):
		return failedPanic
	case errors.Is(err, errBusy):
		return failedBusy
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return failedTimeout
	case errors.Is(err, errTooMany):
		return failedLimit
	default:
		return failedError
	}
}

// sourceStats are guarded by source.mu.
type sourceStats struct {
	err      error // of the last call
	duration time.Duration
	failures [numFailures]uint64
	dropped  [numDropped]uint64
}

func (s *source) drop(why dropped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.dropped[why]++
}
