package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Run listens, starts the daemons and serves until ctx is cancelled, a critical
// daemon ends or the server fails. It fails before any daemon has started when
// two parts own one family or the address cannot be listened on.
//
// It then shuts down in this order: /readyz fails; daemons are cancelled and
// awaited while the server still answers; the server finishes the requests in
// flight. Each of the two waits takes Grace at most. Daemons that have not
// returned by then are named in the error. A shutdown through ctx that leaves
// nothing behind returns nil.
func (o *Operator) Run(ctx context.Context) error {
	if err := o.conflict(); err != nil {
		if o.opts.Listener != nil {
			_ = o.opts.Listener.Close()
		}
		return err
	}
	ln, err := o.listen(ctx)
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

	server, served := o.serve(ln)
	daemonCtx, cancelDaemons := context.WithCancel(base)
	defer cancelDaemons()
	tasks := o.startDaemons(daemonCtx)

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-tasks.failed:
	case failure = <-served:
	}
	o.stopping.Store(true)
	cancelDaemons()
	return errors.Join(failure, tasks.await(o.opts.Grace), shutdown(server, o.opts.Grace))
}

func (o *Operator) listen(ctx context.Context) (net.Listener, error) {
	if o.opts.Listener != nil || o.opts.Addr == "" {
		return o.opts.Listener, nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.opts.Addr, err)
	}
	return ln, nil
}

// serve starts the server, if there is anything to listen on.
func (o *Operator) serve(ln net.Listener) (*http.Server, <-chan error) {
	failed := make(chan error, 1)
	if ln == nil {
		return nil, failed
	}
	server := &http.Server{
		Handler:           o.mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving on %s: %w", ln.Addr(), err)
		}
	}()
	return server, failed
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

// tasks are the daemons that Run has started.
type tasks struct {
	running map[string]<-chan struct{}
	failed  chan error
}

func (o *Operator) startDaemons(ctx context.Context) tasks {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := tasks{running: make(map[string]<-chan struct{}), failed: make(chan error, len(o.daemons))}
	for _, d := range o.daemons {
		done := make(chan struct{})
		t.running[d.name] = done
		go func() {
			defer close(done)
			if err := o.supervise(ctx, d); err != nil {
				t.failed <- err
			}
		}()
	}
	return t
}

// await waits for all daemons and names those that do not return.
func (t tasks) await(grace time.Duration) error {
	timeout := time.After(grace)
	var stuck []string
	for name, done := range t.running {
		select {
		case <-done:
			continue
		default:
		}
		select {
		case <-done:
		case <-timeout:
			stuck = append(stuck, name)
			timeout = expired
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	slices.Sort(stuck)
	return fmt.Errorf("daemons did not return within %s of being cancelled: %s", grace, strings.Join(stuck, ", "))
}

// expired is a timer channel that is always ready.
var expired = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()
