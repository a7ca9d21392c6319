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
	"github.com/kubevitals/kubevitals/operator/metric"
)

// source is a collector, a source or a part, and the calls of it that are under
// way.
type source struct {
	name        string
	log         *slog.Logger
	timeout     time.Duration
	minInterval time.Duration
	serveStale  time.Duration
	maxSamples  int
	labels      []metric.Label // added to every sample
	partial     bool
	isPart      bool
	anyFormat   bool // the part's lines do not depend on the format
	native      bool // the part gives records for protobuf
	gather      func(context.Context, exposition.Format) (result, error)

	mu       sync.Mutex
	inflight map[exposition.Format]*call
	last     map[exposition.Format]*call // filled if there is a minInterval
	good     map[exposition.Format]kept  // filled if serveStale is set
	freed    []*lease                    // to release without the mutex
	stats    sourceStats
}

// result is what one call gave: families of a collector as [tidy] leaves them,
// or those that a part has rendered. Scrapes that share a call share it, and do
// not change it.
type result struct {
	families []metric.Family
	rendered []exposition.Rendered
	dropped  [numDropped]uint64
	why      [numDropped]error // of the first that was dropped
}

// drop counts samples that cannot be exposed.
func (r *result) drop(reason dropped, n int, err error) {
	if n > 0 && r.dropped[reason] == 0 {
		r.why[reason] = err
	}
	r.dropped[reason] += uint64(n)
}

// kept is a result for later.
type kept struct {
	result
	lease *lease
	at    time.Time
}

// answer is what a scrape gets of a source.
type answer struct {
	result
	lease *lease // the scrape's own use of the result, if it is not empty
	first bool   // no other scrape has had this result
	err   error
}

// call is one call of a source.
type call struct {
	began   time.Time
	told    time.Time     // the end of the scrape that began it
	done    chan struct{} // closed when it has returned, or its time is over
	lease   *lease        // of the result; the call itself is a user until it returns
	counted atomic.Bool   // a scrape has counted what it drops of the result

	// Guarded by source.mu.
	end       time.Time // nobody waits longer
	timer     *time.Timer
	isOverdue bool // its time was over before it returned
	isLast    bool // source.last is a user of the result

	// Set before done closes.
	result result
	err    error
}

var (
	errBusy    = errors.New("an earlier call has not returned yet")
	errTimeout = errors.New("no answer before the deadline")
	errTooMany = errors.New("too many samples")
	errGoexit  = errors.New("the function has ended its goroutine")
)

type panicError struct {
	value any
	stack []byte
}

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// format returns the format that the source is asked for by a scrape of another:
// that of the lines, or of the records.
func (s *source) format(f exposition.Format) exposition.Format {
	switch {
	case !s.isPart, f == exposition.Text:
		return exposition.Text
	case f == exposition.Protobuf && s.native:
		return exposition.Protobuf
	case s.anyFormat:
		return exposition.Text
	default:
		return exposition.OpenMetrics
	}
}

// call returns what the source gives to a scrape, which releases the lease. base
// is the context of the Operator.
func (s *source) call(ctx, base context.Context, f exposition.Format) answer {
	f = s.format(f)
	a := s.ask(ctx, base, f)
	if !a.isEmpty() {
		return a
	}
	a.lease.release()
	a.lease = nil
	if a.err != nil {
		if stale, ok := s.recall(f); ok {
			a.result, a.lease, a.first = stale.result, stale.lease, false
		}
	}
	return a
}

func (r *result) isEmpty() bool {
	return len(r.families)+len(r.rendered) == 0
}

// recall returns the last good result if it is not too old, with a use of it.
func (s *source) recall(f exposition.Format) (k kept, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok = s.good[f]
	if ok = ok && time.Since(k.at) < s.serveStale; ok {
		k.lease.retain()
	}
	return k, ok
}

// forget makes the next scrape call the source, however lately it was called:
// what was under way when the Operator ended has failed for that. The leases are
// to be released.
func (s *source) forget() []*lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.last {
		s.dropLast(f)
	}
	freed := s.freed
	s.freed = nil
	return freed
}

// ask starts a call, or joins the one under way, and waits for it until the
// call's time is over or the scrape's, which ctx carries. A call must not end
// because the scrape that began it was hung up, as others may have joined: its
// context is that of the Operator.
func (s *source) ask(ctx, base context.Context, f exposition.Format) answer {
	for {
		c, joined := s.join(ctx, base, f)
		if c == nil {
			return answer{err: errBusy}
		}
		s.wait(ctx, c)
		select {
		case <-c.done:
		default: // hung up
			return answer{lease: c.lease, err: errTimeout}
		}
		// The call may have had the shorter time of the scrape that began it.
		deadline, _ := ctx.Deadline()
		if joined && errors.Is(c.err, context.DeadlineExceeded) && deadline.After(c.told) && ctx.Err() == nil {
			c.lease.release()
			continue
		}
		return answer{result: c.result, lease: c.lease, first: !c.counted.Swap(true), err: c.err}
	}
}

// wait waits for a call.
func (s *source) wait(ctx context.Context, c *call) {
	select {
	case <-c.done:
	case <-ctx.Done():
		s.mu.Lock()
		over := !time.Now().Before(c.end)
		s.mu.Unlock()
		if over { // the timer may be late
			s.overdue(c)
		}
	}
}

// join returns the call under way, one that has ended lately enough, or a new
// one; nil while an overdue call has not returned. A call is waited for as long
// as the most patient scrape does. The scrape becomes a user of its result.
func (s *source) join(ctx, base context.Context, f exposition.Format) (c *call, joined bool) {
	s.mu.Lock()
	defer s.unlock()
	c = s.inflight[f]
	switch {
	case c == nil:
		if last := s.last[f]; last != nil && time.Since(last.began) < s.minInterval {
			last.lease.retain()
			return last, false
		}
		return s.start(ctx, base, f), false
	case c.isOverdue:
		s.fail(errBusy)
		return nil, false
	}
	if end, _ := s.end(ctx, c.began); end.After(c.end) {
		c.end = end
		c.timer.Reset(time.Until(end))
	}
	c.lease.retain()
	return c, true
}

// start begins a call. The context of a part, and of a collector that the
// scrape's deadline ends, is over a little before the wait: what is returned
// because of that must still be heard. The caller holds the mutex.
func (s *source) start(ctx, base context.Context, f exposition.Format) *call {
	c := &call{began: time.Now(), done: make(chan struct{})}
	end, own := s.end(ctx, c.began)
	margin := min(end.Sub(c.began)/20, 250*time.Millisecond)
	if own && !s.isPart {
		margin = 0
	}
	c.end, c.told = end, end
	if s.isPart {
		c.lease = newLease(s.log, s.name, 2) // the call, and the scrape that begins it
	}
	s.inflight[f] = c
	s.dropLast(f)
	if s.minInterval > 0 {
		s.last[f] = c
	}
	callCtx, cancel := context.WithDeadline(c.lease.into(base), c.end.Add(-margin))
	c.timer = time.AfterFunc(time.Until(c.end), func() { s.overdue(c) })
	go func() {
		r, err := result{}, errGoexit
		defer func() {
			cancel()
			s.finish(c, f, r, err)
		}()
		r, err = s.run(callCtx, f)
	}()
	return c
}

// end returns when a scrape stops waiting for a call, and whether that is the
// source's own limit.
func (s *source) end(ctx context.Context, began time.Time) (end time.Time, own bool) {
	end, _ = ctx.Deadline()
	if limit := began.Add(s.timeout); s.timeout > 0 && limit.Before(end) {
		return limit, true
	}
	return end, false
}

// run calls the source and turns a panic into an error.
func (s *source) run(ctx context.Context, f exposition.Format) (r result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = result{}, panicError{p, debug.Stack()}
		}
	}()
	r, err = s.gather(ctx, f)
	return r, readable(err)
}

// readable returns an error whose methods can be called: a pointer that is nil
// is an error like any other, until it is asked for its text.
func readable(err error) (out error) {
	if err == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			out = fmt.Errorf("an error of type %T that cannot be read: %w", err, panicError{p, debug.Stack()})
		}
	}()
	_ = err.Error()
	_ = errors.As(err, new(panicError)) || errors.Is(err, ErrStop) // as it will be asked
	return err
}

// overdue ends the wait for a call. Until it returns, nobody waits for it again.
func (s *source) overdue(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c.done:
	default:
		if time.Now().Before(c.end) {
			return // somebody more patient has joined
		}
		c.isOverdue, c.err = true, errTimeout
		s.fail(errTimeout)
		close(c.done)
	}
}

// finish keeps the result of a call, unless its time was over before.
func (s *source) finish(c *call, f exposition.Format, r result, err error) {
	s.mu.Lock()
	defer s.unlock()
	s.freed = append(s.freed, c.lease)
	delete(s.inflight, f)
	s.stats.duration = time.Since(c.began)
	c.timer.Stop()
	if c.isOverdue {
		return
	}
	c.result, c.err = r, err
	for reason, n := range r.dropped {
		s.dropLocked(dropped(reason), int(n), r.why[reason])
	}
	if err != nil {
		s.fail(err)
	} else {
		s.stats.err = nil
	}
	s.keep(c, f)
	close(c.done)
}

// logInterval is how far apart two log lines about the same are at least.
const logInterval = time.Minute

// fail counts a failure, and logs it if nothing was logged about the source
// lately. The caller holds the mutex.
func (s *source) fail(err error) {
	s.stats.err = err
	s.stats.failures[failureOf(err)]++
	if now := time.Now(); s.stats.failLogged.IsZero() || now.Sub(s.stats.failLogged) >= logInterval {
		s.stats.failLogged = now
	} else {
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

	failLogged time.Time
	dropLogged [numDropped]time.Time
}

// lastErr returns why the last call failed.
func (s *source) lastErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.err
}

func (s *source) drop(reason dropped, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(reason, n, err)
}

// dropLocked counts samples that cannot be exposed, and logs the first of them
// if nothing was logged about that lately. The caller holds the mutex.
func (s *source) dropLocked(reason dropped, n int, err error) {
	if n == 0 {
		return
	}
	s.stats.dropped[reason] += uint64(n)
	if now := time.Now(); s.stats.dropLogged[reason].IsZero() || now.Sub(s.stats.dropLogged[reason]) >= logInterval {
		s.stats.dropLogged[reason] = now
		s.log.Warn("Samples cannot be exposed", "collector", s.name, "reason", droppedNames[reason], "samples", n, "err", err)
	}
}
