package operator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Run listens, starts the daemons and timers, and serves until ctx is cancelled,
// a critical task ends or the server fails. It fails before any task has started
// when two parts own one family, when protected routes would be served without
// TLS, or when the address cannot be listened on. It installs no signal handler.
//
// It then shuts down in this order: /readyz fails; tasks are cancelled and
// awaited while the server still answers; the server finishes the requests in
// flight. Both together take [Options.Grace], of which the requests get a second
// at least. Tasks that have not returned by then are named in the error. A
// shutdown through ctx that leaves nothing behind returns nil.
//
// Run may be called again after it has returned, unless it was given a listener,
// which is closed then. Two calls at once are an error.
func (o *Operator) Run(ctx context.Context) error {
	base, cancelBase := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelBase()
	if err := o.begin(base); err != nil {
		return err
	}
	defer o.end()
	server, ln, err := o.openToRun(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // stopped before it began
	case err != nil:
		return err
	}
	o.readyOnce.Do(func() { close(o.ready) })

	served := make(chan error, 1)
	if ln != nil {
		go func() {
			switch err := o.serve(server, ln); {
			case err == nil:
				served <- fmt.Errorf("serving on %s has ended", ln.Addr())
			case !errors.Is(err, http.ErrServerClosed):
				served <- fmt.Errorf("serving on %s: %w", ln.Addr(), err)
			}
		}()
	}
	taskCtx, cancelTasks := context.WithCancel(base)
	defer cancelTasks()
	tasks := o.start(taskCtx, o.opts.Elected, func(t *task) bool { return !o.isApart(t) })

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-tasks.failed:
	case failure = <-served:
	}
	o.stopping.Store(true)
	cancelTasks()
	began := time.Now()
	stuck := tasks.await(o.opts.Grace)
	rest := max(o.opts.Grace-time.Since(began), time.Second)
	err = errors.Join(failure, stuck, shutdown(server, rest))
	if ln != nil {
		_ = ln.Close() // a server that is stopped before it serves leaves it open
	}
	return err
}

// openToRun is open, for somebody who starts the tasks as well.
func (o *Operator) openToRun(ctx context.Context) (*http.Server, net.Listener, error) {
	if err := o.leaderless(); err != nil {
		if o.opts.Listener != nil {
			_ = o.opts.Listener.Close()
		}
		return nil, nil, err
	}
	return o.open(ctx)
}

// begin notes that the Operator runs, with a context that outlives requests.
func (o *Operator) begin(base context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running {
		return errors.New("the Operator runs already")
	}
	o.running = true
	o.ctx = base
	o.stopping.Store(false)
	return nil
}

func (o *Operator) isRunning() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.running
}

// end lets the Operator be used without Run, or run again.
func (o *Operator) end() {
	var freed leases
	defer freed.release()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = false
	o.ctx = context.Background()
	for _, s := range o.sources {
		for _, l := range s.forget() {
			freed.add(l)
		}
	}
}

func shutdown(server *http.Server, grace time.Duration) error {
	if server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("finishing requests: %w", err), server.Close())
	}
	return nil
}

// Start is Run, under the name that a Runnable of controller-runtime has.
func (o *Operator) Start(ctx context.Context) error { return o.Run(ctx) }

// Serve is Run, under the name that a service of a supervisor has.
func (o *Operator) Serve(ctx context.Context) error { return o.Run(ctx) }

// NeedLeaderElection says to a manager of controller-runtime that the Operator
// runs in every replica, as its metrics are those of the process.
func (*Operator) NeedLeaderElection() bool { return false }
