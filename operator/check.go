package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// CheckKind says which question a check answers.
type CheckKind uint8

const (
	// Live asks whether the process must be restarted.
	Live CheckKind = iota
	// Ready asks whether the process should be sent requests.
	Ready
)

// String returns the path of the route that answers the question.
func (k CheckKind) String() string {
	if k == Ready {
		return "readyz"
	}
	return "livez"
}

// CheckFunc gives a verdict: nil is good. Its context ends after one second;
// a check that is still running then counts as failed.
type CheckFunc func(ctx context.Context) error

const checkTimeout = time.Second

type check struct {
	kind CheckKind
	name string
	fn   CheckFunc

	mu      sync.Mutex
	running *checkRun
}

// checkRun is one run of a check. Requests that come meanwhile share it, so
// that a check that never returns holds one goroutine.
type checkRun struct {
	done chan struct{}
	err  error // set before done closes
}

// Check registers a verdict for /livez or /readyz. The routes run all checks of
// their kind at once and answer 200, or 503 with the names of those that
// failed; with the query "verbose" they name all, in the manner of the
// Kubernetes API server. While Run shuts down, /readyz fails.
func (o *Operator) Check(kind CheckKind, name string, fn CheckFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.checks = append(o.checks, &check{kind: kind, name: name, fn: fn})
}

func (o *Operator) serveChecks(kind CheckKind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		checks := slices.DeleteFunc(slices.Clone(o.checks), func(c *check) bool { return c.kind != kind })
		o.mu.Unlock()
		if kind == Ready {
			checks = append(checks, &check{kind: Ready, name: "shutdown", fn: o.notStopping})
		}
		verdicts := verdicts(r.Context(), checks)

		var body bytes.Buffer
		failed := false
		for i, c := range checks {
			switch {
			case verdicts[i] != nil:
				failed = true
				fmt.Fprintf(&body, "[-]%s failed: %v\n", c.name, verdicts[i])
			case r.URL.Query().Has("verbose"):
				fmt.Fprintf(&body, "[+]%s ok\n", c.name)
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case failed:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(&body, "%s check failed\n", kind)
		case r.URL.Query().Has("verbose"):
			fmt.Fprintf(&body, "%s check passed\n", kind)
		default:
			body.WriteString("ok")
		}
		_, _ = w.Write(body.Bytes())
	}
}

func (o *Operator) notStopping(context.Context) error {
	if o.stopping.Load() {
		return errors.New("shutting down")
	}
	return nil
}

// verdicts runs checks concurrently and waits for none of them longer than
// checkTimeout.
func verdicts(ctx context.Context, checks []*check) []error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	out := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { out[i] = c.run(ctx) })
	}
	wg.Wait()
	return out
}

// run waits for a verdict until ctx ends.
func (c *check) run(ctx context.Context) error {
	r := c.join()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return errTimeout
	}
}

// join returns the run under way, or starts one.
func (c *check) join() *checkRun {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return c.running
	}
	r := &checkRun{done: make(chan struct{})}
	c.running = r
	go func() {
		// Not the request's context: others may have joined.
		ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				r.err = panicError{value: p}
			}
			c.mu.Lock()
			c.running = nil
			c.mu.Unlock()
			close(r.done)
		}()
		r.err = c.fn(ctx)
	}()
	return r
}
