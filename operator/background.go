package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Tasks are daemons and timers that somebody else than [Operator.Run] starts and
// stops. They have the methods of a Runnable of controller-runtime.
type Tasks struct {
	o      *Operator
	leader bool
}

// Background returns the daemons and timers, but for those that are [LeaderOnly]
// if LeaderBackground was called, for a process whose lifecycle is not that of
// [Operator.Run]: Run leaves them alone from then on. Once they are stopped,
// /readyz fails, until they are started again.
func (o *Operator) Background() *Tasks {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.apart.everywhere = true
	return &Tasks{o: o}
}

// LeaderBackground returns the daemons and timers that are [LeaderOnly]: Run
// leaves them alone from then on. Start them when this process becomes the
// leader, with a context that ends when it is leader no more; that may happen
// several times.
func (o *Operator) LeaderBackground() *Tasks {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.apart.leader = true
	return &Tasks{o: o, leader: true}
}

// apart says which tasks Run leaves alone.
type apart struct {
	everywhere, leader bool
}

// isApart reports whether Run leaves a task alone. The caller holds the mutex.
func (o *Operator) isApart(t *task) bool {
	return o.apart.everywhere || t.leaderOnly && o.apart.leader
}

// leaderless reports tasks that would never start, or on every replica.
func (o *Operator) leaderless() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.tasks {
		if t.leaderOnly && !o.apart.leader && o.opts.Elected == nil {
			return fmt.Errorf("%s %q is for the leader only, and nothing says who leads: set Options.Elected, or start LeaderBackground", t.kind(), t.name)
		}
	}
	return nil
}

// NeedLeaderElection says whether a manager of controller-runtime starts the
// tasks on the leader only.
func (t *Tasks) NeedLeaderElection() bool { return t.leader }

// Start runs the tasks until ctx is cancelled and awaits them, for [Options.Grace]
// at most. The error names those that have not returned by then, or is that of
// a critical task that has ended, for which all the others are stopped.
func (t *Tasks) Start(ctx context.Context) error {
	if err := t.o.leaderless(); err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	elected := t.o.opts.Elected
	if t.leader {
		elected = nil // whoever starts them says so
	} else {
		t.o.stopping.Store(false)
	}
	running := t.o.start(inner, elected, func(x *task) bool {
		return x.leaderOnly == t.leader || x.leaderOnly && !t.o.apart.leader
	})
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-running.failed:
	}
	if !t.leader {
		t.o.stopping.Store(true)
	}
	cancel()
	return errors.Join(failure, running.await(t.o.opts.Grace))
}

// running are tasks that were started.
type running struct {
	tasks  []runningTask
	failed chan error
}

type runningTask struct {
	*task
	done chan struct{}
}

// start starts the tasks that are chosen, those that need the leader when
// elected is closed; nil is as good as closed. The Operator's mutex is held
// while it chooses.
func (o *Operator) start(ctx context.Context, elected <-chan struct{}, chosen func(*task) bool) *running {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := &running{failed: make(chan error, len(o.tasks))}
	for _, t := range o.tasks {
		if !chosen(t) {
			continue
		}
		done := make(chan struct{})
		r.tasks = append(r.tasks, runningTask{t, done})
		go func() {
			defer close(done)
			if t.leaderOnly && elected != nil {
				select {
				case <-ctx.Done():
					return
				case <-elected:
				}
			}
			if err := o.supervise(ctx, t); err != nil {
				r.failed <- err
			}
		}()
	}
	return r
}

// await waits for all tasks, which have been cancelled, and names those that do
// not return.
func (r *running) await(grace time.Duration) error {
	began := time.Now()
	var stuck []string
	for _, t := range r.tasks {
		limit := grace
		if t.grace > 0 {
			limit = min(limit, t.grace)
		}
		timer := time.NewTimer(max(0, limit-time.Since(began)))
		select {
		case <-t.done:
		case <-timer.C:
			select {
			case <-t.done:
			default:
				stuck = append(stuck, fmt.Sprintf("%s %q (after %s)", t.kind(), t.name, limit))
			}
		}
		timer.Stop()
	}
	if len(stuck) == 0 {
		return nil
	}
	slices.Sort(stuck)
	return fmt.Errorf("did not return after being cancelled: %s", strings.Join(stuck, ", "))
}
