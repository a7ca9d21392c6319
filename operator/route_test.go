package operator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubevitals/kubevitals/operator"
)

// marks is a middleware that leaves its name in the response, and passes on.
func marks(name string) operator.Middleware {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Passed", name)
			h.ServeHTTP(w, r)
		})
	}
}

// answers is a handler, and a middleware that lets nobody pass.
func answers(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

func refuses(code int) operator.Middleware {
	return func(http.Handler) http.Handler { return answers(code) }
}

func decisionLine(result string, n int) string {
	return fmt.Sprintf(`operator_auth_decisions_total{result="%s"} %d`, result, n)
}

// TestProtect: what is registered is protected, before and after the middleware
// is set, unless it says otherwise.
func TestProtect(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Handle("GET /before", answers(200))
	o.Handle("GET /before/public", answers(200), operator.Public())
	o.Protect(marks("first"))
	o.Handle("GET /between", answers(200), operator.Protected())
	o.Protect(marks("second"))
	o.Handle("GET /after", answers(200))
	o.Handle("GET /after/public", answers(200), operator.Protected(), operator.Public())
	o.Handle("GET /after/protected", answers(200), operator.Public(), operator.Protected())
	o.Expose("/metrics/public", anyEncoder{}, operator.Public())
	o.Expose("/metrics/strict", anyEncoder{}, operator.Strict())
	o.Probe("p", func(context.Context) (any, error) { return 1, nil })
	o.Protect(marks("third"))
	protected := []string{"first", "second", "third"} // the first is the outermost
	f := func(path string, want []string) {
		t.Helper()
		for range 2 {
			w := get(o, path)
			if got := w.Result().Header.Values("Passed"); w.Code != http.StatusOK || !slices.Equal(got, want) {
				t.Errorf("%s gives %d and passes %q, want 200 and %q", path, w.Code, got, want)
			}
		}
	}
	for _, path := range []string{"/before", "/between", "/after", "/after/protected", "/metrics", "/metrics/strict", "/probes"} {
		f(path, protected)
	}
	for _, path := range []string{"/before/public", "/after/public", "/metrics/public", "/healthz", "/livez", "/readyz", "/startupz"} {
		f(path, nil)
	}
}

// TestProtectIsRefused where it would leave open what has been open: a request
// was answered that it could not decide about.
func TestProtectIsRefused(t *testing.T) {
	const late = "after a request for a protected route"
	o := newOperator(operator.Options{})
	wantPanic(t, "Protect with nil", func() { o.Protect(nil) })
	o.Handle("GET /public", answers(200), operator.Public())
	o.Handle("GET /x", answers(200))
	for _, path := range []string{"/public", "/livez", "/healthz", "/unknown"} {
		get(o, path)
	}
	o.Protect(marks("first"))
	if w := get(o, "/x"); w.Result().Header.Get("Passed") != "first" {
		t.Error("it is not protected after requests for public routes")
	}
	wantPanic(t, late, func() { o.Protect(marks("second")) })
	for _, path := range []string{"/x", "/metrics"} {
		if got := get(o, path).Result().Header.Values("Passed"); !slices.Equal(got, []string{"first"}) {
			t.Errorf("%s passes %q, want the first alone", path, got)
		}
	}
	o = newOperator(operator.Options{})
	scrape(t, o)
	wantPanic(t, late, func() { o.Protect(marks("m")) })
}

func TestNothingProtected(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Handle("GET /x", answers(http.StatusUnauthorized), operator.Protected())
	if w := get(o, "/x"); w.Code != http.StatusUnauthorized {
		t.Errorf("got %d", w.Code)
	}
	if body := scrape(t, o); body != "" {
		t.Errorf("decisions of nobody are counted:\n%s", body)
	}
}

// TestDecisions: it is the middleware that decides. What a handler answers to
// those who have passed does not count.
func TestDecisions(t *testing.T) {
	kinds := []string{"allowed", "forbidden", "other", "unauthenticated", "unavailable"}
	f := func(name string, m operator.Middleware, h http.Handler, want string) {
		t.Helper()
		o := newOperator(operator.Options{})
		o.Expose("/open", anyEncoder{}, operator.Public())
		o.Handle("GET /x", h)
		o.Handle("GET /public", h, operator.Public())
		o.Protect(m)
		for n := range 3 {
			body := get(o, "/open").Body.String()
			for _, kind := range kinds {
				line := decisionLine(kind, 0)
				if kind == want {
					line = decisionLine(kind, n)
				}
				if !strings.Contains(body, line+"\n") {
					t.Errorf("%s: no %s in\n%s", name, line, body)
				}
			}
			get(o, "/x")
			get(o, "/public")
		}
	}
	pass := marks("m")
	f("allowed", pass, answers(200), "allowed")
	f("allowed, and nothing written", pass, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "allowed")
	f("allowed by two", func(h http.Handler) http.Handler { return pass(pass(h)) }, answers(200), "allowed")
	f("allowed, refused by the handler", pass, answers(401), "allowed")
	f("allowed, the handler is not available", pass, answers(503), "allowed")
	f("allowed, refused by the handler through a writer of the middleware", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrapped{w}, r) })
	}, answers(401), "allowed")
	f("not known", refuses(401), answers(200), "unauthenticated")
	f("not allowed", refuses(403), answers(200), "forbidden")
	f("not available", refuses(503), answers(200), "unavailable")
	f("too many", refuses(429), answers(200), "other")
	f("redirected", refuses(302), answers(200), "other")
	f("answered", refuses(200), answers(200), "other")
	f("nothing written", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}, answers(200), "other")
	f("written without a status", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no") })
	}, answers(200), "other")
	f("refused by the inner of two", func(h http.Handler) http.Handler { return pass(refuses(403)(h)) }, answers(200), "forbidden")
}

// TestGuardedWriter: what a handler can do with a response, it can do behind
// the guard.
func TestGuardedWriter(t *testing.T) {
	noLeaks(t, 0)
	o := newOperator(operator.Options{})
	o.Handle("GET /x", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, flushes := w.(http.Flusher)
		_, hijacks := w.(http.Hijacker)
		_, reads := w.(io.ReaderFrom)
		if !flushes || !hijacks || !reads {
			t.Errorf("the writer flushes %v, hijacks %v, reads %v", flushes, hijacks, reads)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		_, _ = io.WriteString(w, "done")
	}))
	o.Protect(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				t.Errorf("EnableFullDuplex in the middleware: %v", err)
			}
			h.ServeHTTP(w, r)
		})
	})
	server := httptest.NewServer(o.Handler())
	defer server.Close()
	if code, body := fetch(t, client(t), server.URL+"/x"); code != 200 || body != "done" {
		t.Errorf("got %d %q", code, body)
	}
}

// wrapped is a writer of a middleware, in the manner of those that measure.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestGuardedWriterThatIsWrapped(t *testing.T) {
	noLeaks(t, 0)
	o := newOperator(operator.Options{})
	o.Handle("GET /x", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(wrapped); !ok {
			t.Errorf("the writer is a %T, not that of the middleware", w)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		_, _ = io.WriteString(w, "done")
	}))
	o.Protect(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrapped{w}, r) })
	})
	server := httptest.NewServer(o.Handler())
	defer server.Close()
	if code, body := fetch(t, client(t), server.URL+"/x"); code != 200 || body != "done" {
		t.Errorf("got %d %q", code, body)
	}
}

// TestRequestOfTheMiddleware: a handler gets the request that it passes on.
func TestRequestOfTheMiddleware(t *testing.T) {
	type key struct{}
	o := newOperator(operator.Options{})
	o.Handle("GET /x/{name}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Context().Value(key{}), " ", r.PathValue("name"), " ", r.Header.Get("Authorization"))
	}))
	o.Protect(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(context.WithValue(r.Context(), key{}, "someone"))
			r.Header.Del("Authorization")
			h.ServeHTTP(w, r)
		})
	})
	if got := get(o, "/x/y", "Authorization", "secret").Body.String(); got != "someone y " {
		t.Errorf("the handler got %q", got)
	}
}

// TestPanicsPassTheGuard, so that the server can tell an abort from a bug.
func TestPanicsPassTheGuard(t *testing.T) {
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	f := func(name string, m operator.Middleware, decision string) {
		t.Helper()
		o := newOperator(operator.Options{})
		o.Handle("GET /x", panics)
		o.Expose("/open", anyEncoder{}, operator.Public())
		o.Protect(m)
		func() {
			defer func() {
				if p := recover(); p != any(http.ErrAbortHandler) {
					t.Errorf("%s: panic %v, want %v", name, p, http.ErrAbortHandler)
				}
			}()
			get(o, "/x")
		}()
		wantLines(t, get(o, "/open").Body.String(), decisionLine(decision, 1))
	}
	f("handler", marks("m"), "allowed")
	f("middleware", func(http.Handler) http.Handler { return panics }, "other")
}

// TestInTheClear: credentials must not be.
func TestInTheClear(t *testing.T) {
	noLeaks(t, 0)
	var started atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	protected := func(opts operator.Options) *operator.Operator {
		o := newOperator(opts)
		o.Protect(marks("m"))
		o.Daemon("d", func(context.Context) error {
			started.Store(true)
			cancel()
			return nil
		})
		return o
	}
	for name, run := range map[string]func(*operator.Operator) error{
		"Run": func(o *operator.Operator) error { return o.Run(ctx) },
		"Server": func(o *operator.Operator) error {
			_, _, err := o.Server()
			return err
		},
	} {
		ln := listen(t)
		o := protected(operator.Options{Listener: ln})
		if err := run(o); err == nil || !strings.Contains(err.Error(), "Options.Plaintext") {
			t.Errorf("%s: %v, want an error that names the option", name, err)
		}
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: closing the listener once more: %v, want %v", name, err, net.ErrClosed)
		}
		select {
		case <-o.Ready():
			t.Errorf("%s: it is ready", name)
		default:
		}
		if err := run(protected(operator.Options{Addr: "127.0.0.1:0"})); err == nil {
			t.Errorf("%s: an address is served in the clear", name)
		}
	}
	if started.Load() {
		t.Error("a daemon was started")
	}
}

// TestPlaintext: who ends TLS in front says so. Who serves nothing at all need
// not.
func TestPlaintext(t *testing.T) {
	noLeaks(t, 0)
	for name, opts := range map[string]operator.Options{
		"plaintext": {Addr: "127.0.0.1:0", Plaintext: true},
		"mounted":   {},
	} {
		o := newOperator(opts)
		o.Protect(marks("m"))
		ctx, cancel := context.WithCancel(t.Context())
		began := false
		o.Daemon("d", func(context.Context) error {
			began = true
			cancel()
			return nil
		})
		if err := o.Run(ctx); err != nil || !began {
			t.Errorf("%s: Run: %v, and it began: %v", name, err, began)
		}
		cancel()
	}
}
