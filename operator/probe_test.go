package operator_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// gives is a probe of a constant.
func gives(v any) operator.ProbeFunc {
	return func(context.Context) (any, error) { return v, nil }
}

func TestProbes(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Probe("z", gives(1.5))
	o.Probe("text", gives("a \"b\""))
	o.Probe("nothing", gives(nil))
	o.Probe("lambda:/path/t2.py:30", gives(map[string]any{"b": []int{1, 2}, "a": struct{ X bool }{true}}))
	o.Probe("time", gives(time.Date(2019, 11, 7, 18, 3, 52, 0, time.UTC)))
	o.Probe("fails", func(context.Context) (any, error) { return 7, errors.New("no luck") })
	o.Probe("panics", func(context.Context) (any, error) { panic("p") })
	o.Probe("no function", nil)
	o.Probe("no JSON", gives(math.NaN()))
	o.Probe("no JSON at all", gives(func() {}))
	o.Probe("panics while it is written", gives(panicky{}))
	w := get(o, "/probes")
	want := `{"fails":{"error":"no luck"},` +
		`"lambda:/path/t2.py:30":{"a":{"X":true},"b":[1,2]},` +
		`"no JSON":{"error":"writing the result as JSON: json: unsupported value: NaN"},` +
		`"no JSON at all":{"error":"writing the result as JSON: json: unsupported type: func()"},` +
		`"no function":{"error":"panic: runtime error: invalid memory address or nil pointer dereference"},` +
		`"nothing":null,` +
		`"panics":{"error":"panic: p"},` +
		`"panics while it is written":{"error":"panic: at the disco"},` +
		`"text":"a \"b\"",` +
		`"time":"2019-11-07T18:03:52Z",` +
		`"z":1.5}` + "\n"
	if w.Code != http.StatusOK || w.Body.String() != want {
		t.Errorf("got %d\n%s\nwant\n%s", w.Code, w.Body, want)
	}
	if got := w.Result().Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	for _, path := range []string{"/livez", "/readyz", "/startupz"} { // it is no verdict
		if w := get(o, path); w.Code != http.StatusOK {
			t.Errorf("%s gives %d", path, w.Code)
		}
	}
	if w := do(t.Context(), o, http.MethodPost, "/probes"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST gives %d, want 405", w.Code)
	}
}

// panicky cannot be written.
type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("at the disco") }

func TestNoProbes(t *testing.T) {
	if w := get(newOperator(operator.Options{}), "/probes"); w.Code != http.StatusNotFound {
		t.Errorf("got %d, want 404", w.Code)
	}
}

func TestProbeNamesAreTakenOnce(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Probe("a", gives(1))
	defer func() {
		if p := recover(); !strings.Contains(fmt.Sprint(p), `probe "a" is registered twice`) {
			t.Errorf("panic %v", p)
		}
		o.Probe("b", gives(2)) // nothing is locked for good
		if got := get(o, "/probes").Body.String(); got != "{\"a\":1,\"b\":2}\n" {
			t.Errorf("got %s", got)
		}
	}()
	o.Probe("a", gives(2))
}

// TestSlowProbes: all at once, and none longer than its second.
func TestSlowProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		o.Probe("deaf", func(context.Context) (any, error) {
			<-release
			return 1, nil
		})
		o.Probe("heeds", func(ctx context.Context) (any, error) {
			deadline, _ := ctx.Deadline()
			left := time.Until(deadline)
			<-ctx.Done()
			return nil, fmt.Errorf("asked for %s: %w", left, ctx.Err())
		})
		for i := range 3 {
			o.Probe(fmt.Sprint("slow ", i), func(context.Context) (any, error) {
				time.Sleep(900 * time.Millisecond)
				return i, nil
			})
		}
		o.Probe("good", gives("fine"))
		start := time.Now()
		body := get(o, "/probes").Body.String()
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %s, want a second", d)
		}
		for _, want := range []string{
			`"deaf":{"error":"no answer before the deadline"}`, `"heeds":{"error":"`,
			`"slow 0":0`, `"slow 1":1`, `"slow 2":2`, `"good":"fine"`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("no %s in %s", want, body)
			}
		}
		close(release)
		synctest.Wait()
		if body := get(o, "/probes").Body.String(); !strings.Contains(body, `"deaf":1`) {
			t.Errorf("it does not recover: %s", body)
		}
	})
}

// TestStuckProbe holds one goroutine, however often it is asked for.
func TestStuckProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		release := make(chan struct{})
		o.Probe("stuck", func(context.Context) (any, error) {
			<-release
			return calls.Add(1), nil
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got := get(o, "/probes").Body.String(); got != "{\"stuck\":{\"error\":\"no answer before the deadline\"}}\n" {
					t.Errorf("got %s", got)
				}
			})
		}
		wg.Wait()
		close(release)
		synctest.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

// TestProbeOutlivesARequest: one that is hung up does not fail those that share
// the run.
func TestProbeOutlivesARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Probe("slow", func(ctx context.Context) (any, error) {
			time.Sleep(500 * time.Millisecond)
			return 1, ctx.Err()
		})
		ctx, hangUp := context.WithCancel(t.Context())
		go do(ctx, o, http.MethodGet, "/probes")
		synctest.Wait()
		time.AfterFunc(100*time.Millisecond, hangUp)
		if got := get(o, "/probes").Body.String(); got != "{\"slow\":1}\n" {
			t.Errorf("got %s", got)
		}
	})
}
