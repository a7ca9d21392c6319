package operator

import (
	"context"
	"errors"
	"fmt"
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
// flight. Each of the two waits takes Grace at most. Tasks that have not
// returned by then are named in the error. A shutdown through ctx that leaves
// nothing behind returns nil.
func (o *Operator) Run(ctx context.Context) error {
	server, ln, err := o.open(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // stopped before it began
	case err != nil:
		return err
	}
	base, cancelBase := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelBase()
	o.mu.Lock()
	o.ctx = base
	o.mu.Unlock()

	served := make(chan error, 1)
	if ln != nil {
		go func() {
			if err := o.serve(server, ln); !errors.Is(err, http.ErrServerClosed) {
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
	err = errors.Join(failure, tasks.await(o.opts.Grace), shutdown(server, o.opts.Grace))
	if ln != nil {
		_ = ln.Close() // a server that is stopped before it serves leaves it open
	}
	return err
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
