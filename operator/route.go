package operator

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// Middleware wraps a handler, to decide who may reach it.
type Middleware func(http.Handler) http.Handler

// RouteOption changes who may use a route, or how it answers.
type RouteOption func(*route)

// Public makes a route one that everybody may use, whatever [Operator.Protect]
// says, as /healthz, /livez, /readyz and /startupz are.
func Public() RouteOption {
	return func(r *route) { r.public = true }
}

// Protected makes a route one that goes through [Operator.Protect]. It is the
// default of all routes that are registered.
func Protected() RouteOption {
	return func(r *route) { r.public = false }
}

// Strict makes an exposition answer with 500 and the errors when a collector has
// failed, instead of 200 with all the rest, for those who alert on nothing but
// "up". A request can ask for the same with the query "strict=1".
func Strict() RouteOption {
	return func(r *route) { r.strict = true }
}

// Only makes an exposition have nothing but what the collectors, sources and
// parts of these names give; the others are not called for it. The Operator's
// own metrics are left out as well.
func Only(names ...string) RouteOption {
	return func(r *route) { r.selection = selection{names: names, only: true} }
}

// Except makes an exposition leave out what the collectors, sources and parts of
// these names give; they are not called for it. The Operator's own metrics have
// them all the same, with what became of their last call.
func Except(names ...string) RouteOption {
	return func(r *route) { r.selection = selection{names: names} }
}

type route struct {
	public    bool
	strict    bool
	selection selection
}

// selection says which collectors, sources and parts an exposition has: only
// those named, or all but those.
type selection struct {
	names []string
	only  bool
}

func (s selection) has(name string) bool {
	return slices.Contains(s.names, name) == s.only
}

func newRoute(opts []RouteOption) route {
	var r route
	for _, opt := range opts {
		opt(&r)
	}
	return r
}

// Handle mounts a handler under a pattern of [net/http.ServeMux].
func (o *Operator) Handle(pattern string, h http.Handler, opts ...RouteOption) {
	if !newRoute(opts).public {
		h = o.guarded(h)
	}
	o.mux.Handle(pattern, h)
}

// Protect sends all requests for protected routes through a middleware, such as
// the Wrap of an Auth of package kubeauth. Of several, the first is the
// outermost. With one, [Operator.Run] needs [Options.TLS]. It panics after the
// first request for a protected route, which was not protected then.
func (o *Operator) Protect(m Middleware) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked || m == nil {
		panic("operator: Protect with nil, or after a request for a protected route")
	}
	if before := o.protect; before != nil {
		inner := m
		m = func(h http.Handler) http.Handler { return before(inner(h)) }
	}
	o.protect = m
}

// decision is what became of a request for a protected route.
type decision int

const (
	allowed decision = iota
	forbidden
	otherDecision
	unauthenticated
	unavailable
	numDecisions
)

var decisionNames = [numDecisions]string{"allowed", "forbidden", "other", "unauthenticated", "unavailable"}

// passedKey is the context key under which a protected request carries an
// [atomic.Bool] that says whether it has passed the middleware.
type passedKey struct{}

// guarded puts a handler behind the middleware, and counts what that decides.
func (o *Operator) guarded(h http.Handler) http.Handler {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if passed, ok := r.Context().Value(passedKey{}).(*atomic.Bool); ok {
			passed.Store(true)
		}
		if own, ok := w.(*statusWriter); ok {
			w = own.ResponseWriter
		}
		h.ServeHTTP(w, r)
	})
	guard := sync.OnceValue(func() http.Handler {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asked = true
		if o.protect == nil {
			return nil
		}
		return o.protect(inner)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer := guard()
		if outer == nil {
			h.ServeHTTP(w, r)
			return
		}
		var passed atomic.Bool
		status := &statusWriter{ResponseWriter: w}
		defer func() { o.decided(passed.Load(), status.code) }()
		outer.ServeHTTP(status, r.WithContext(context.WithValue(r.Context(), passedKey{}, &passed)))
	})
}

func (o *Operator) decided(passed bool, code int) {
	d := otherDecision
	switch {
	case passed:
		d = allowed
	case code == http.StatusUnauthorized:
		d = unauthenticated
	case code == http.StatusForbidden:
		d = forbidden
	case code == http.StatusServiceUnavailable:
		d = unavailable
	}
	o.decisions[d].Add(1)
}

// statusWriter remembers the status of a response.
type statusWriter struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets an [http.ResponseController] find what the server's writer can do.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
