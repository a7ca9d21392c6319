package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

func TestChecks(t *testing.T) {
	good := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("not yet") }
	warns := func(context.Context) error { return operator.Warning(errors.New("not all of it")) }
	fine := func(context.Context) error { return operator.Warning(nil) }
	panics := func(context.Context) error { panic("p") }
	type check struct {
		kind operator.CheckKind
		name string
		fn   operator.CheckFunc
	}
	live, ready := operator.Live, operator.Ready
	for _, c := range []struct {
		name, path string
		checks     []check
		code       int
		body       string
	}{
		{"none", "/livez", nil, 200, "ok"},
		{"none, verbose", "/livez?verbose", nil, 200, "livez check passed\n"},
		{"none, ready", "/readyz", nil, 200, "ok"},
		{"none, ready, verbose", "/readyz?verbose", nil, 200, "[+]shutdown ok\nreadyz check passed\n"},
		{"good", "/livez", []check{{live, "a", good}}, 200, "ok"},
		{
			"good, verbose, in order", "/readyz?verbose=1", []check{{ready, "b", good}, {ready, "a", good}}, 200,
			"[+]b ok\n[+]a ok\n[+]shutdown ok\nreadyz check passed\n",
		},
		{"bad", "/livez", []check{{live, "a", good}, {live, "b", bad}}, 503, "[-]b failed: not yet\nlivez check failed\n"},
		{
			"bad, verbose", "/readyz?verbose", []check{{ready, "a", bad}, {ready, "b", good}}, 503,
			"[-]a failed: not yet\n[+]b ok\n[+]shutdown ok\nreadyz check failed\n",
		},
		{"panic", "/livez?verbose", []check{{live, "a", panics}, {live, "b", good}}, 503, "[-]a failed: panic: p\n[+]b ok\nlivez check failed\n"},
		{"two fail", "/livez", []check{{live, "a", panics}, {live, "b", bad}}, 503, "[-]a failed: panic: p\n[-]b failed: not yet\nlivez check failed\n"},
		{"warning", "/readyz", []check{{ready, "a", warns}}, 200, "ok"},
		{
			"warning, verbose", "/readyz?verbose", []check{{ready, "a", warns}, {ready, "b", fine}}, 200,
			"[+]a ok, with a warning: not all of it\n[+]b ok\n[+]shutdown ok\nreadyz check passed\n",
		},
		{"warning beside bad", "/livez?verbose", []check{{live, "a", warns}, {live, "b", bad}}, 503, "[+]a ok, with a warning: not all of it\n[-]b failed: not yet\nlivez check failed\n"},
		{"of the other kind", "/livez?verbose", []check{{ready, "a", bad}, {live, "b", good}}, 200, "[+]b ok\nlivez check passed\n"},
		{"of the other kind too", "/readyz", []check{{live, "a", bad}}, 200, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t, 0)
			o := newOperator(operator.Options{})
			for _, x := range c.checks {
				o.Check(x.kind, x.name, x.fn)
			}
			w := get(o, c.path)
			if w.Code != c.code || w.Body.String() != c.body {
				t.Errorf("%s gives %d\n%swant %d\n%s", c.path, w.Code, w.Body, c.code, c.body)
			}
			h := w.Result().Header
			if h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", h)
			}
			if head := do(t.Context(), o, http.MethodHead, c.path); head.Code != c.code {
				t.Errorf("HEAD gives %d, want %d", head.Code, c.code)
			}
		})
	}
}

func TestCheckIsRefused(t *testing.T) {
	o := newOperator(operator.Options{})
	good := func(context.Context) error { return nil }
	for _, kind := range []operator.CheckKind{operator.Live, operator.Ready, operator.Startup} {
		o.Check(kind, "a", good) // one name may answer several questions
		wantPanic(t, fmt.Sprintf(`check "a" of /%s `, kind), func() { o.Check(kind, "a", good) })
		wantPanic(t, fmt.Sprintf(`check "b" of /%s has no function`, kind), func() { o.Check(kind, "b", nil) })
	}
	wantPanic(t, `check "shutdown" of /readyz `, func() { o.Check(operator.Ready, "shutdown", good) })
	o.Check(operator.Live, "shutdown", good)
	o.Check(operator.Startup, "shutdown", good)
	for path, want := range map[string]string{
		"/livez": "[+]a ok\n[+]shutdown ok\nlivez check passed\n", "/readyz": "[+]a ok\n[+]shutdown ok\nreadyz check passed\n",
	} {
		if got := get(o, path+"?verbose").Body.String(); got != want {
			t.Errorf("%s gives\n%swant\n%s", path, got, want)
		}
	}
}

// TestFailingCheckIsLogged when it begins to fail, and not each time that it is
// asked.
func TestFailingCheckIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []operator.CheckKind{operator.Live, operator.Ready, operator.Startup} {
			for _, protected := range []bool{false, true} {
				var log bytes.Buffer
				o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				if protected {
					o.Protect(marks("m"))
				}
				fail := map[string]error{}
				for _, name := range []string{"a", "b"} {
					o.Check(kind, name, func(context.Context) error { return fail[name] })
				}
				f := func(a, b error, want string) {
					t.Helper()
					fail["a"], fail["b"] = a, b
					time.Sleep(time.Minute) // it is logged once in that time
					log.Reset()
					for range 3 {
						get(o, "/"+kind.String())
					}
					var got []string
					for line := range strings.Lines(log.String()) {
						_, line, _ = strings.Cut(line, "level=WARN ")
						got = append(got, strings.Replace(line, " route="+kind.String(), "", 1))
					}
					if s := strings.Join(got, ""); s != want {
						t.Errorf("%s, protected %v: the log has\n%swant\n%s", kind, protected, log.String(), want)
					}
				}
				one, two := errors.New("one"), errors.New("two")
				const a, b = "msg=\"Check fails\" check=a err=one\n", "msg=\"Check fails\" check=b err=two\n"
				if kind == operator.Startup {
					f(one, two, a+b)
					f(two, nil, "") // a fails still, b is not asked again
					f(nil, two, "")
					f(one, two, "")
					continue
				}
				f(one, nil, a)
				f(two, nil, "") // it fails still
				f(two, two, b)
				f(one, nil, "")
				f(nil, two, b)
				f(one, nil, a)
				fail["a"] = nil
				get(o, "/"+kind.String())
				fail["a"] = one
				if before := log.String(); get(o, "/"+kind.String()).Code == http.StatusOK || log.String() != before {
					t.Errorf("%s: a check that flaps is logged each time:\n%s", kind, log.String())
				}
			}
		}
	})
}

// TestShutdownIsNotLogged: that it fails /readyz is no news.
func TestShutdownIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err := background(t, o)(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if w := get(o, "/readyz"); w.Code != http.StatusServiceUnavailable || log.Len() != 0 {
			t.Errorf("/readyz gives %d, and the log has %q", w.Code, log.String())
		}
	})
}

// TestCheckReason: a reason is one line, and nobody's business where other
// routes are protected.
func TestCheckReason(t *testing.T) {
	f := func(name string, protect bool, want string) {
		t.Helper()
		o := newOperator(operator.Options{})
		o.Check(operator.Live, "a", func(context.Context) error { return errors.New("one\ntwo\r\n\n three\n") })
		o.Check(operator.Live, "b", func(context.Context) error {
			return errors.Join(errors.New("secret"), errors.New("[+]c ok"))
		})
		o.Check(operator.Live, "c", func(context.Context) error { panic("at the\ndisco") })
		if protect {
			o.Protect(marks("m"))
		}
		if got := get(o, "/livez").Body.String(); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
	f("open", false, "[-]a failed: one two three\n[-]b failed: secret [+]c ok\n[-]c failed: panic: at the disco\nlivez check failed\n")
	f("protected", true, "[-]a failed: reason withheld\n[-]b failed: reason withheld\n[-]c failed: reason withheld\nlivez check failed\n")
}

func TestSlowChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		var deadline atomic.Int64
		o.Check(operator.Live, "deaf", func(ctx context.Context) error {
			d, _ := ctx.Deadline()
			deadline.Store(int64(time.Until(d)))
			<-release
			return nil
		})
		for _, name := range []string{"slow 1", "slow 2"} {
			o.Check(operator.Live, name, func(context.Context) error {
				time.Sleep(900 * time.Millisecond)
				return nil
			})
		}
		o.Check(operator.Live, "heeds", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
		o.Check(operator.Live, "good", func(context.Context) error { return nil })
		start := time.Now()
		w := get(o, "/livez?verbose")
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %s, want the budget of one second: all at once", d)
		}
		if d := time.Duration(deadline.Load()); d != time.Second {
			t.Errorf("the check has %s, want a second", d)
		}
		body := w.Body.String()
		wantLines(t, body, "[-]deaf failed: no answer before the deadline", "[+]slow 1 ok", "[+]slow 2 ok", "[+]good ok", "livez check failed")
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", w.Code)
		}
		close(release)
		synctest.Wait()
		wantLines(t, get(o, "/livez?verbose").Body.String(), "[+]deaf ok")
	})
}

// TestStuckCheck holds one goroutine, however often it is asked for.
func TestStuckCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		release := make(chan struct{})
		o.Check(operator.Live, "stuck", func(context.Context) error {
			calls.Add(1)
			<-release
			return nil
		})
		for range 20 {
			wantLines(t, get(o, "/livez").Body.String(), "[-]stuck failed: no answer before the deadline")
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		close(release)
		synctest.Wait()
		if w := get(o, "/livez"); w.Code != http.StatusOK || calls.Load() != 2 {
			t.Errorf("status %d after %d calls, want 200 of a new one", w.Code, calls.Load())
		}
	})
}

// TestCheckOutlivesARequest: one that is hung up does not fail those that share
// the run.
func TestCheckOutlivesARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Check(operator.Ready, "slow", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
				return nil
			}
		})
		ctx, hangUp := context.WithCancel(t.Context())
		go do(ctx, o, http.MethodGet, "/readyz")
		synctest.Wait()
		time.AfterFunc(100*time.Millisecond, hangUp)
		if w := get(o, "/readyz"); w.Code != http.StatusOK {
			t.Errorf("got %d %s, want 200", w.Code, w.Body)
		}
	})
}

func TestCheckKindString(t *testing.T) {
	if l, r, s := operator.Live.String(), operator.Ready.String(), operator.Startup.String(); l != "livez" || r != "readyz" || s != "startupz" {
		t.Errorf("got %q, %q and %q", l, r, s)
	}
}

// TestStartup: what has started once has started for good, each check for
// itself.
func TestStartup(t *testing.T) {
	o := newOperator(operator.Options{})
	var fails [2]error
	var calls [2]int
	for i, name := range []string{"a", "b"} {
		o.Check(operator.Startup, name, func(context.Context) error {
			calls[i]++
			return fails[i]
		})
	}
	f := func(code int, body string, wantCalls ...int) {
		t.Helper()
		if w := get(o, "/startupz?verbose"); w.Code != code || w.Body.String() != body {
			t.Errorf("got %d\n%swant %d\n%s", w.Code, w.Body, code, body)
		}
		if !slices.Equal(calls[:], wantCalls) {
			t.Errorf("%v calls, want %v", calls, wantCalls)
		}
	}
	fails = [2]error{errors.New("not yet"), errors.New("nor this")}
	f(503, "[-]a failed: not yet\n[-]b failed: nor this\nstartupz check failed\n", 1, 1)
	fails[0] = nil
	f(503, "[+]a ok\n[-]b failed: nor this\nstartupz check failed\n", 2, 2)
	fails[0] = errors.New("again")
	f(503, "[+]a ok\n[-]b failed: nor this\nstartupz check failed\n", 2, 3)
	fails[1] = nil
	f(200, "[+]a ok\n[+]b ok\nstartupz check passed\n", 2, 4)
	fails[1] = errors.New("again")
	f(200, "[+]a ok\n[+]b ok\nstartupz check passed\n", 2, 4)
	for _, path := range []string{"/livez", "/readyz"} {
		if w := get(o, path); w.Code != http.StatusOK {
			t.Errorf("%s gives %d", path, w.Code)
		}
	}
}

// TestLiveAndReadyAreAskedAgain: they may change their mind.
func TestLiveAndReadyAreAskedAgain(t *testing.T) {
	for _, kind := range []operator.CheckKind{operator.Live, operator.Ready} {
		o := newOperator(operator.Options{})
		var fail error
		o.Check(kind, "c", func(context.Context) error { return fail })
		for _, code := range []int{200, 503, 200, 503} {
			if w := get(o, "/"+kind.String()); w.Code != code {
				t.Errorf("/%s gives %d, want %d", kind, w.Code, code)
			}
			if fail = nil; code == 200 {
				fail = errors.New("no")
			}
		}
	}
}

func TestCheckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		takes := func(d time.Duration) operator.CheckFunc {
			return func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return fmt.Errorf("asking: %w", ctx.Err())
				case <-time.After(d):
					return nil
				}
			}
		}
		o.Check(operator.Live, "longer", takes(4*time.Second), operator.CheckTimeout(5*time.Second))
		o.Check(operator.Live, "as long", takes(3*time.Second))
		o.Check(operator.Live, "shorter", takes(200*time.Millisecond), operator.CheckTimeout(100*time.Millisecond))
		start := time.Now()
		w := get(o, "/livez?verbose")
		if d := time.Since(start); d != 4*time.Second {
			t.Errorf("took %s, want the four seconds of the longest", d)
		}
		body := w.Body.String()
		wantLines(t, body, "[+]longer ok")
		for _, name := range []string{"as long", "shorter"} {
			if !strings.Contains(body, "[-]"+name+" failed: ") {
				t.Errorf("%s has not failed:\n%s", name, body)
			}
		}
	})
}

// TestExclude leaves checks out of the verdict, and does not call them.
func TestExclude(t *testing.T) {
	o := newOperator(operator.Options{})
	var calls atomic.Int32
	bad := func(context.Context) error {
		calls.Add(1)
		return errors.New("no")
	}
	good := func(context.Context) error { return nil }
	for _, kind := range []operator.CheckKind{operator.Live, operator.Ready, operator.Startup} {
		o.Check(kind, "bad", bad)
		o.Check(kind, "good", good)
		o.Check(kind, "also bad", bad)
	}
	f := func(path string, code int, body string, want int32) {
		t.Helper()
		calls.Store(0)
		if w := get(o, path); w.Code != code || w.Body.String() != body {
			t.Errorf("%s gives %d\n%swant %d\n%s", path, w.Code, w.Body, code, body)
		}
		if n := calls.Load(); n != want {
			t.Errorf("%s: %d bad ones were asked, want %d", path, n, want)
		}
	}
	f("/livez?exclude=bad", 503, "[-]also bad failed: no\nlivez check failed\n", 1)
	f("/livez?exclude=bad&exclude=also+bad", 200, "ok", 0)
	f("/readyz?exclude=bad&exclude=also%20bad&verbose", 200, "[+]good ok\n[+]shutdown ok\nreadyz check passed\n", 0)
	f("/startupz?exclude=bad&exclude=also%20bad&verbose", 200, "[+]good ok\nstartupz check passed\n", 0)
	f("/livez?exclude=unknown&exclude=ba&exclude=", 503, "[-]bad failed: no\n[-]also bad failed: no\nlivez check failed\n", 2)
}
