package operator

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// Cleanup is called by a [Part]'s Gather with its context. f runs once when
// nobody uses any more what this call of Gather returns: when every scrape that
// shares the call has written its response, or given up, and when the Operator
// does not keep it for [MinInterval] and [ServeStale]. It runs also when Gather
// fails, panics or returns too late. Several functions run in reverse order. A
// panic in one is logged.
//
// f runs on the goroutine of whoever was the last to use it, such as that of a
// request: it should be quick. It may run while the next call of Gather is under
// way. Cleanup is safe for concurrent use. After nobody uses the call any more f
// runs at once, before Cleanup returns.
//
// Cleanup panics when ctx is not that of a Part's Gather, nor made from it, as
// neither to run f nor to forget it would be right. Who calls Gather without an
// Operator, such as a test, gives it a context of [WithCleanup].
func Cleanup(ctx context.Context, f func()) {
	l, ok := ctx.Value(leaseKey{}).(*lease)
	if !ok {
		panic("operator: Cleanup takes the context of a Part's Gather; outside of an Operator give Gather one of WithCleanup")
	}
	l.add(f)
}

// WithCleanup returns a context for a call of a [Part]'s Gather outside of an
// Operator, and a function that runs what it was given with [Cleanup], to be
// called when what Gather returned is used no more. Calling it again does
// nothing. A panic in one of those functions is logged to [slog.Default].
func WithCleanup(ctx context.Context) (_ context.Context, done func()) {
	l := newLease(slog.Default(), "", 1)
	return l.into(ctx), sync.OnceFunc(l.release)
}

type leaseKey struct{}

// lease counts the users of what one call of a part has returned. A nil lease is
// that of what needs no cleanup.
type lease struct {
	log  *slog.Logger
	name string // of the part

	mu    sync.Mutex
	users int
	fns   []func()
}

func newLease(log *slog.Logger, name string, users int) *lease {
	return &lease{log: log, name: name, users: users}
}

func (l *lease) into(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return context.WithValue(ctx, leaseKey{}, l)
}

// add adds a function, or runs it if there is no user any more.
func (l *lease) add(f func()) {
	l.mu.Lock()
	used := l.users > 0
	if used {
		l.fns = append(l.fns, f)
	}
	l.mu.Unlock()
	if !used {
		l.run(f)
	}
}

// matters reports whether there is anything to clean up.
func (l *lease) matters() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.fns) > 0
}

// retain adds a user. Only a user may, or who holds a mutex that keeps one.
func (l *lease) retain() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users++
}

// release ends the use by one user. It must not be called with a mutex held: the
// functions run are not ours.
func (l *lease) release() {
	if l == nil {
		return
	}
	l.mu.Lock()
	var fns []func()
	if l.users--; l.users == 0 {
		fns, l.fns = l.fns, nil
	}
	l.mu.Unlock()
	for i := len(fns) - 1; i >= 0; i-- {
		l.run(fns[i])
	}
}

func (l *lease) run(f func()) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("Cleanup of a part panicked", "collector", l.name, "panic", panicError{value: p}, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// leases are those of one scrape. The zero value has none.
type leases struct {
	mu   sync.Mutex
	held []*lease
}

func (ls *leases) add(l *lease) {
	if l == nil {
		return
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.held = append(ls.held, l)
}

// release ends the use of everything by the scrape.
func (ls *leases) release() {
	ls.mu.Lock()
	held := ls.held
	ls.held = nil
	ls.mu.Unlock()
	for _, l := range held {
		l.release()
	}
}
