package operator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// ErrStop is what a daemon returns to end for good and without a word.
var ErrStop = errors.New("stop")

// DaemonFunc runs in the background until its context is cancelled. nil and
// [ErrStop] end it for good. After any other error, or a panic, it is started
// again.
type DaemonFunc func(ctx context.Context) error

// DaemonOption changes how a daemon runs.
type DaemonOption func(*daemon)

// Restart sets the pause before a restart: a random time up to a bound that
// starts at shortest and doubles up to longest with each failure, and falls
// back to shortest once a run has lasted healthy. The default is 1 second,
// 1 minute, 5 minutes.
func Restart(shortest, longest, healthy time.Duration) DaemonOption {
	return func(d *daemon) { d.shortest, d.longest, d.healthy = shortest, longest, healthy }
}

// Critical makes the daemon's end, or its first failure, the end of Run.
func Critical() DaemonOption {
	return func(d *daemon) { d.critical = true }
}

// Daemon registers a function that Run starts once the server listens, and
// cancels and awaits on shutdown.
func (o *Operator) Daemon(name string, fn DaemonFunc, opts ...DaemonOption) {
	d := &daemon{name: name, fn: fn, shortest: time.Second, longest: time.Minute, healthy: 5 * time.Minute}
	for _, opt := range opts {
		opt(d)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, other := range o.daemons {
		if other.name == name {
			panic(fmt.Sprintf("operator: daemon %q is registered twice", name))
		}
	}
	o.daemons = append(o.daemons, d)
}

type daemon struct {
	name                       string
	fn                         DaemonFunc
	shortest, longest, healthy time.Duration
	critical                   bool

	mu       sync.Mutex
	running  bool
	restarts uint64
}

func (d *daemon) state() (running bool, restarts uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running, d.restarts
}

func (d *daemon) setRunning(running bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = running
}

// supervise runs the daemon until it ends for good or ctx is cancelled. It
// returns an error only for a critical daemon.
func (o *Operator) supervise(ctx context.Context, d *daemon) error {
	bound := d.shortest
	for {
		start := time.Now()
		d.setRunning(true)
		err := d.runOnce(ctx)
		d.setRunning(false)
		switch {
		case ctx.Err() != nil:
			if err != nil && !errors.Is(err, ctx.Err()) && !errors.Is(err, ErrStop) {
				o.log.Warn("Daemon failed while it was stopped", "daemon", d.name, "err", err)
			}
			return nil
		case err == nil, errors.Is(err, ErrStop):
			if d.critical {
				return fmt.Errorf("daemon %q ended", d.name)
			}
			return nil
		case d.critical:
			return fmt.Errorf("daemon %q: %w", d.name, err)
		}
		if time.Since(start) >= d.healthy {
			bound = d.shortest
		}
		pause := time.Duration(rand.Int64N(int64(bound) + 1)) // full jitter
		o.log.Error("Daemon failed and will be restarted", "daemon", d.name, "err", err, "pause", pause)
		bound = min(2*bound, d.longest)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		d.mu.Lock()
		d.restarts++
		d.mu.Unlock()
	}
}

func (d *daemon) runOnce(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w\n%s", panicError{value: p}, debug.Stack())
		}
	}()
	return d.fn(ctx)
}
