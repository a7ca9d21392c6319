package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// CheckKind says which question a check answers.
type CheckKind uint8

const (
	// Live asks whether the process must be restarted.
	Live CheckKind = iota
	// Ready asks whether the process should be sent requests.
	Ready
	// Startup asks whether the process has started. A check that has passed
	// once is not asked again.
	Startup
)

// String returns the path of the route that answers the question.
func (k CheckKind) String() string {
	switch k {
	case Ready:
		return "readyz"
	case Startup:
		return "startupz"
	default:
		return "livez"
	}
}

// CheckFunc gives a verdict: nil is good. Its context ends after one second, or
// what [CheckTimeout] says; a check that is still running then counts as failed.
type CheckFunc func(ctx context.Context) error

// Warning makes an error that a [CheckFunc] can return without failing: the
// check is good, and the route's verbose answer says what is not as it should
// be. Of nil it makes nil.
func Warning(err error) error {
	if err == nil {
		return nil
	}
	return &warning{err}
}

type warning struct{ err error }

func (w *warning) Error() string { return w.err.Error() }
func (w *warning) Unwrap() error { return w.err }

// isWarning reports whether a verdict is good all the same.
func isWarning(verdict error) bool {
	var w *warning
	return errors.As(verdict, &w)
}

// CheckOption changes how a check is asked.
type CheckOption func(*check)

// CheckTimeout is how long a check may take, instead of one second.
func CheckTimeout(d time.Duration) CheckOption {
	return func(c *check) { c.timeout = d }
}

type check struct {
	kind    CheckKind
	name    string
	timeout time.Duration
	passed  atomic.Bool
	failed  atomic.Bool  // when it was last asked
	logged  atomic.Int64 // when it was, in nanoseconds since 1970; 0 for never
	run     shared[struct{}]
}

func newCheck(kind CheckKind, name string, fn CheckFunc) *check {
	c := &check{kind: kind, name: name, timeout: time.Second}
	c.run.fn = func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }
	return c
}

// verdict asks the check, unless it has started for good.
func (c *check) verdict(ctx context.Context) error {
	if c.kind == Startup && c.passed.Load() {
		return nil
	}
	_, err := c.run.get(ctx, c.timeout)
	if err == nil || isWarning(err) {
		c.passed.Store(true)
	}
	return err
}

// Check registers a verdict for /livez, /readyz or /startupz. The routes run all
// checks of their kind at once and answer 200, or 503 with the names of those
// that failed; with the query "verbose" they name all, and "exclude=NAME" leaves
// one out, in the manner of the Kubernetes API server. Why a check fails is
// logged when it begins to, and shown unless other routes are protected. While
// Run shuts down, /readyz fails.
func (o *Operator) Check(kind CheckKind, name string, fn CheckFunc, opts ...CheckOption) {
	c := newCheck(kind, name, fn)
	for _, opt := range opts {
		opt(c)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := kind == Ready && name == "shutdown" || slices.ContainsFunc(o.checks, func(other *check) bool {
		return other.kind == kind && other.name == name
	})
	if taken || fn == nil {
		panic(fmt.Sprintf("operator: check %q of /%s has no function, or its name is taken", name, kind))
	}
	o.checks = append(o.checks, c)
}

func (o *Operator) serveChecks(kind CheckKind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		o.mu.Lock()
		checks := append(slices.Clone(o.checks), newCheck(Ready, "shutdown", o.notStopping))
		o.mu.Unlock()
		checks = slices.DeleteFunc(checks, func(c *check) bool {
			return c.kind != kind || slices.Contains(query["exclude"], c.name)
		})
		verdicts := verdicts(r.Context(), checks)
		if r.Context().Err() == nil { // else nobody has waited
			o.logVerdicts(checks, verdicts)
		}
		var body bytes.Buffer
		failed := false
		for i, c := range checks {
			switch {
			case isWarning(verdicts[i]):
				if query.Has("verbose") {
					fmt.Fprintf(&body, "[+]%s ok, with a warning: %s\n", c.name, o.reason(verdicts[i]))
				}
			case verdicts[i] != nil:
				failed = true
				fmt.Fprintf(&body, "[-]%s failed: %s\n", c.name, o.reason(verdicts[i]))
			case query.Has("verbose"):
				fmt.Fprintf(&body, "[+]%s ok\n", c.name)
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case failed:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(&body, "%s check failed\n", kind)
		case query.Has("verbose"):
			fmt.Fprintf(&body, "%s check passed\n", kind)
		default:
			body.WriteString("ok")
		}
		_, _ = w.Write(body.Bytes())
	}
}

// logVerdicts logs the checks that have begun to fail, each once in a while.
func (o *Operator) logVerdicts(checks []*check, verdicts []error) {
	now := time.Now()
	for i, c := range checks {
		failed, isShutdown := verdicts[i] != nil && !isWarning(verdicts[i]), c.kind == Ready && c.name == "shutdown"
		if before := c.failed.Swap(failed); before || !failed || isShutdown {
			continue
		}
		if last := c.logged.Load(); last == 0 || now.Sub(time.Unix(0, last)) >= logInterval {
			c.logged.Store(now.UnixNano())
			o.log.Warn("Check fails", "check", c.name, "route", c.kind.String(), "err", verdicts[i])
		}
	}
}

// reason returns why a check has failed, in one line. The routes are public:
// where others are protected, it is for the log only.
func (o *Operator) reason(err error) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.protect != nil {
		return "reason withheld"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func (o *Operator) notStopping(context.Context) error {
	if o.stopping.Load() {
		return errors.New("shutting down")
	}
	return nil
}

// verdicts asks checks concurrently.
func verdicts(ctx context.Context, checks []*check) []error {
	out := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { out[i] = c.verdict(ctx) })
	}
	wg.Wait()
	return out
}
