package operator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// ErrStop is what a daemon or timer returns to end for good and without a word.
var ErrStop = errors.New("stop")

// TaskFunc is what a daemon or a timer runs. It must return soon after its
// context was cancelled; what it returns then does not matter.
type TaskFunc func(ctx context.Context) error

// TaskOption changes how a daemon or timer runs.
type TaskOption func(*task)

// Restart sets the pause after a failure: a random time up to a bound that
// starts at shortest and doubles up to longest with each failure, and falls
// back to shortest once a timer has succeeded or a daemon has run for healthy.
// The default is 1 second, 1 minute, 5 minutes.
func Restart(shortest, longest, healthy time.Duration) TaskOption {
	return func(t *task) {
		t.shortest = min(max(shortest, minPause), maxPause)
		t.longest = min(max(t.shortest, longest), maxPause)
		t.healthy = healthy
	}
}

// minPause can be doubled, and maxPause does not become negative by it.
const (
	minPause = time.Millisecond
	maxPause = time.Duration(math.MaxInt64 / 4)
)

// InitialDelay puts off the first start. To spread the starts of many processes,
// give a random one.
func InitialDelay(d time.Duration) TaskOption {
	return func(t *task) { t.initialDelay = d }
}

// Grace is how long a shutdown waits for this task, if that is less than
// [Options.Grace].
func Grace(d time.Duration) TaskOption {
	return func(t *task) { t.grace = d }
}

// Critical makes the task's end the end of Run, with an error. A failure is not
// the end: the task is started again. To make it the end return an error that
// wraps [ErrStop].
func Critical() TaskOption {
	return func(t *task) { t.critical = true }
}

// LeaderOnly makes the task wait until this process is the leader, as
// [Options.Elected] or whoever starts [Operator.LeaderBackground] says. Without
// either, Run fails.
func LeaderOnly() TaskOption {
	return func(t *task) { t.leaderOnly = true }
}

// task is a daemon, or a timer if it has an interval.
type task struct {
	name                       string
	fn                         TaskFunc
	interval                   time.Duration
	jitter                     float64
	sharp                      bool
	initialDelay, grace        time.Duration
	shortest, longest, healthy time.Duration
	critical, leaderOnly       bool
	turn                       chan struct{} // taken while the task runs

	mu    sync.Mutex
	stats taskStats
}

// taskStats are guarded by task.mu.
type taskStats struct {
	running   bool
	failures  uint64
	restarts  uint64
	succeeded time.Time // zero for never
}

func (t *task) update(f func(*taskStats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.stats)
}

func (t *task) state() (s taskStats) {
	t.update(func(now *taskStats) { s = *now })
	return s
}

func (t *task) kind() string {
	if t.interval > 0 {
		return "timer"
	}
	return "daemon"
}

func (o *Operator) addTask(t *task, opts []TaskOption) {
	t.shortest, t.longest, t.healthy = time.Second, time.Minute, 5*time.Minute
	t.turn = make(chan struct{}, 1)
	for _, opt := range opts {
		opt(t)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running || t.fn == nil {
		panic(fmt.Sprintf("operator: %s %q has no function, or is registered while the Operator runs", t.kind(), t.name))
	}
	for _, other := range o.tasks {
		if other.name == t.name {
			panic(fmt.Sprintf("operator: %s %q is registered twice", t.kind(), t.name))
		}
	}
	o.tasks = append(o.tasks, t)
}

// supervise runs the task until it ends for good or ctx is cancelled. It
// returns an error only for a critical task. A call that an earlier supervisor
// could not end is awaited first: calls never overlap.
func (o *Operator) supervise(ctx context.Context, t *task) error {
	select {
	case <-ctx.Done():
		return nil
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	}
	if !sleep(ctx, t.initialDelay) {
		return nil
	}
	bound := t.shortest
	for {
		start := time.Now()
		err := t.run(ctx)
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			if err != nil && !errors.Is(err, ctx.Err()) && !errors.Is(err, ErrStop) {
				o.log.Warn("Task failed while it was stopped", t.kind(), t.name, "err", err)
			}
			return nil
		case errors.Is(err, ErrStop), err == nil && t.interval == 0:
			return t.ended(err)
		case err == nil:
			bound, wait = t.shortest, t.untilNext(start)
		default:
			if t.interval == 0 && time.Since(start) >= t.healthy {
				bound = t.shortest
			}
			wait = time.Duration(rand.Int64N(int64(bound) + 1)) // full jitter
			o.log.Error("Task failed and will be started again", t.kind(), t.name, "err", err, "pause", wait)
			bound = min(2*bound, t.longest)
		}
		if !sleep(ctx, wait) {
			return nil
		}
		if err != nil {
			t.update(func(s *taskStats) { s.restarts++ })
		}
	}
}

// ended returns the error of a critical task that has ended for good.
func (t *task) ended(err error) error {
	switch {
	case !t.critical:
		return nil
	case err == nil || err == ErrStop: //nolint:errorlint // one that wraps it says more
		return fmt.Errorf("%s %q has ended", t.kind(), t.name)
	default:
		return fmt.Errorf("%s %q has ended: %w", t.kind(), t.name, err)
	}
}

// run runs the function once, in a goroutine of its own, which it may end.
func (t *task) run(ctx context.Context) error {
	t.update(func(s *taskStats) { s.running = true })
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		err = t.call(ctx)
	}()
	err := <-done
	t.update(func(s *taskStats) {
		s.running = false
		switch {
		case err == nil:
			s.succeeded = time.Now()
		case !errors.Is(err, ErrStop) && ctx.Err() == nil:
			s.failures++
		}
	})
	return err
}

// call turns a panic into an error.
func (t *task) call(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w\n%s", panicError{value: p}, debug.Stack())
		}
	}()
	return readable(t.fn(ctx))
}

// sleep waits, and reports whether the time was over before ctx was.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
