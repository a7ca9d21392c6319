package kubeauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestTTLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		a := api.auth(Config{})
		wantCode(t, "good", get(a, "good"), 200)
		api.want("first", 1, 1)
		wantCode(t, "HEAD", do(t.Context(), a, "HEAD", "/metrics", "good"), 200)
		time.Sleep(time.Minute - 1)
		wantCode(t, "good", get(a, "good"), 200)
		api.want("within the TTL", 0, 0)
		time.Sleep(time.Nanosecond)
		wantCode(t, "good", get(a, "good"), 200)
		api.want("after the TTL of the token", 1, 0)
		time.Sleep(4 * time.Minute)
		wantCode(t, "good", get(a, "good"), 200)
		api.want("after the TTL of the access", 1, 1)

		wantCode(t, "bad", get(a, "bad"), 401)
		time.Sleep(10*time.Second - 1)
		wantCode(t, "bad", get(a, "bad"), 401)
		api.want("refused token within the TTL", 1, 0)
		time.Sleep(time.Nanosecond)
		api.set(func() { api.users["bad"] = api.users["good"] })
		wantCode(t, "bad", get(a, "bad"), 200)
		api.want("refused token after the TTL", 1, 0) // prom's access is known

		wantCode(t, "other", get(a, "other"), 403)
		time.Sleep(30*time.Second - 1)
		wantCode(t, "other", get(a, "other"), 403)
		api.want("denied access within the TTL", 1, 1)
		time.Sleep(time.Nanosecond)
		api.set(func() { api.allowed["eve get /metrics"] = true })
		wantCode(t, "other", get(a, "other"), 200)
		api.want("denied access after the TTL", 0, 1)
	})
}

func TestRevokedWithinTTLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		a := api.auth(Config{TokenTTL: time.Second, AllowTTL: 2 * time.Second})
		wantCode(t, "good", get(a, "good"), 200)
		api.set(func() { delete(api.allowed, "prom get /metrics") })
		time.Sleep(time.Second)
		wantCode(t, "access revoked", get(a, "good"), 200)
		time.Sleep(time.Second)
		wantCode(t, "access revoked", get(a, "good"), 403)
		api.set(func() { delete(api.users, "good") })
		time.Sleep(time.Second)
		wantCode(t, "token revoked", get(a, "good"), 401)
	})
}

// TestDenied covers the API server that both allows and denies.
func TestDenied(t *testing.T) {
	api := newFakeAPI(t)
	api.fail = func(w http.ResponseWriter, resource string, _ []byte) bool {
		if resource == "subjectaccessreviews" {
			fmt.Fprint(w, `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","status":{"allowed":true,"denied":true}}`)
		}
		return resource == "subjectaccessreviews"
	}
	wantCode(t, "denied", get(api.auth(Config{}), "good"), 403)
}

func TestUnavailable(t *testing.T) {
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := newFakeAPI(t)
			a := api.auth(Config{})
			wantCode(t, "good", get(a, "good"), 200)
			api.down(slow)
			wantCode(t, "down and warm", get(a, "good"), 200)
			wantCode(t, "down and cold", get(a, "other"), 503)
			time.Sleep(time.Minute)
			wantCode(t, "down and over", get(a, "good"), 503)
			api.up()
			time.Sleep(pause)
			wantCode(t, "up", get(a, "good"), 200)
			wantCode(t, "up", get(a, "other"), 403)
		})
	}
}

func TestStaleWhileUnavailable(t *testing.T) {
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := newFakeAPI(t)
			a := api.auth(Config{StaleWhileUnavailable: 10 * time.Minute, AllowTTL: time.Minute, DenyTTL: time.Minute, TokenDeniedTTL: time.Minute})
			wantCode(t, "good", get(a, "good"), 200)
			wantCode(t, "denied", get(a, "other"), 403)
			wantCode(t, "bad", get(a, "bad"), 401)
			start := time.Now()
			time.Sleep(time.Minute)
			api.down(slow)
			wantCode(t, "stale", get(a, "good"), 200)
			wantCode(t, "a denied access is not stale", get(a, "other"), 503)
			wantCode(t, "a refused token is not stale", get(a, "bad"), 503)
			wantCode(t, "stale, another path", do(t.Context(), a, "GET", "/x", "good"), 503)
			time.Sleep(time.Until(start.Add(11*time.Minute - 1 - pause)))
			wantCode(t, "still stale", get(a, "good"), 200)
			time.Sleep(time.Until(start.Add(11 * time.Minute)))
			wantCode(t, "over", get(a, "good"), 503)
			api.up()
			time.Sleep(3*time.Second + pause) // the last review has to time out
			wantCode(t, "up", get(a, "good"), 200)
		})
	}
}

// TestRefusalEndsStale demands that a verdict of the API server always counts
// more than an earlier one.
func TestRefusalEndsStale(t *testing.T) {
	f := func(what string, revoke func(*fakeAPI), code int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			api := newFakeAPI(t)
			a := api.auth(Config{StaleWhileUnavailable: time.Hour, AllowTTL: time.Minute})
			wantCode(t, what, get(a, "good"), 200)
			api.down(false)
			time.Sleep(time.Minute)
			wantCode(t, what+": stale", get(a, "good"), 200)
			api.up()
			api.set(func() { revoke(api) })
			time.Sleep(pause)
			wantCode(t, what, get(a, "good"), code)
			api.down(false)
			time.Sleep(time.Minute) // what was bad is not known any more, nor is what was good
			wantCode(t, what+": after all", get(a, "good"), 503)
		})
	}
	f("token", func(api *fakeAPI) { delete(api.users, "good") }, 401)
	f("access", func(api *fakeAPI) { delete(api.allowed, "prom get /metrics") }, 403)
}

// TestNotStale lists failures that are no outage.
func TestNotStale(t *testing.T) {
	f := func(status int, code int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			api := newFakeAPI(t)
			a := api.auth(Config{StaleWhileUnavailable: time.Hour})
			get(a, "good")
			time.Sleep(time.Minute)
			api.set(func() {
				api.fail = func(w http.ResponseWriter, _ string, _ []byte) bool {
					w.WriteHeader(status)
					return true
				}
			})
			wantCode(t, fmt.Sprint(status), get(a, "good"), code)
			wantCode(t, fmt.Sprint(status, " in the pause"), get(a, "good"), code)
		})
	}
	f(500, 200)
	f(503, 200)
	f(429, 200)
	f(401, 503)
	f(403, 503)
	f(404, 503)
	f(200, 503) // without a body
}

// TestConnectionBreaks is an outage in the middle of an answer.
func TestConnectionBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		a := api.auth(Config{StaleWhileUnavailable: time.Hour})
		wantCode(t, "good", get(a, "good"), 200)
		time.Sleep(time.Minute)
		a.client.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusCreated, Body: io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))}, nil
		})
		wantCode(t, "stale", get(a, "good"), 200)
		wantCode(t, "cold", get(a, "other"), 503)
	})
}

// TestPauses counts how often a dead API server is asked, and how long a
// request waits for it.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		a := api.auth(Config{Timeout: 5 * time.Second, StaleWhileUnavailable: time.Hour, AllowTTL: time.Hour})
		wantCode(t, "good", get(a, "good"), 200)
		time.Sleep(time.Minute)
		api.want("up", 1, 1)
		api.down(true)
		f := func(what string, wait time.Duration, tokens int) {
			t.Helper()
			start := time.Now()
			wantCode(t, what, get(a, "good"), 200)
			wantEqual(t, what+": waited", time.Since(start), wait)
			api.want(what, tokens, 0)
		}
		f("first", 5*time.Second, 1)
		f("in the pause", 0, 0)
		time.Sleep(pause - 1)
		f("in the pause", 0, 0)
		time.Sleep(time.Nanosecond)
		f("after the pause", patience, 1)
		f("joins", patience, 0)
		time.Sleep(3 * time.Second)
		f("in the next pause", 0, 0)
		time.Sleep(pause)
		f("after the next pause", patience, 1)
		time.Sleep(time.Minute)
		api.up()
		f("up", 0, 1)
		time.Sleep(time.Minute)
		api.down(true)
		f("first of the next outage", 5*time.Second, 1)
	})
}

// TestSingleFlight demands one review of each kind for many requests.
func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		release := make(chan struct{})
		api.hold = func(*http.Request) { <-release }
		a := api.auth(Config{})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantCode(t, "concurrent", get(a, "good"), 200) })
		}
		synctest.Wait()
		api.set(func() { api.hold = nil })
		close(release)
		wg.Wait()
		api.want("50 requests", 1, 1)
	})
}

func TestFirstCallerHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		release := make(chan struct{})
		api.hold = func(*http.Request) { <-release }
		a := api.auth(Config{StaleWhileUnavailable: time.Hour})
		ctx, hangUp := context.WithCancel(t.Context())
		first, second := make(chan *httptest.ResponseRecorder), make(chan *httptest.ResponseRecorder)
		go func() { first <- do(ctx, a, "GET", "/metrics", "good") }()
		synctest.Wait()
		go func() { second <- get(a, "good") }()
		synctest.Wait()
		hangUp()
		wantCode(t, "who hung up", <-first, 503) // although the API server has not answered
		close(release)
		wantCode(t, "who stayed", <-second, 200)
		api.want("both", 1, 1)
		ctx, hangUp = context.WithCancel(t.Context())
		hangUp()
		time.Sleep(time.Minute)
		wantCode(t, "who hung up is not served what is stale", do(ctx, a, "GET", "/metrics", "good"), 503)
		synctest.Wait()
	})
}

// TestBusy fills all reviews at once.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		api := newFakeAPI(t)
		a := api.auth(Config{Logger: log.logger(), Timeout: time.Hour, StaleWhileUnavailable: time.Hour})
		wantCode(t, "good", get(a, "good"), 200)
		api.want("good", 1, 1)
		time.Sleep(time.Minute)
		release := make(chan struct{})
		api.set(func() {
			api.hold = func(r *http.Request) {
				<-release
			}
		})
		var wg sync.WaitGroup
		for i := range maxReviews {
			wg.Go(func() { wantCode(t, "bad", get(a, fmt.Sprint("bad", i)), 401) })
		}
		synctest.Wait()
		for range 3 {
			wantCode(t, "one more", get(a, "one-more"), 503)
		}
		wg.Go(func() { wantCode(t, "good is not kept out", get(a, "good"), 200) })
		synctest.Wait()
		api.want("all", maxReviews+1, 0)
		close(release)
		wg.Wait()
		wantCode(t, "one more, later", get(a, "one-more"), 401)
		if n := len(a.tokens.slots) + len(a.tokens.reserved) + len(a.tokens.flights); n != 0 {
			t.Errorf("%d reviews are never over", n)
		}
		wantEqual(t, "lines of log", strings.Count(log.String(), "\n"), 1)
	})
}

func TestCachesAreBounded(t *testing.T) {
	api := newFakeAPI(t)
	a := api.auth(Config{CacheSize: 10})
	wantCode(t, "good", get(a, "good"), 200)
	api.want("good", 1, 1)
	for i := range 100 {
		wantCode(t, "bad", get(a, fmt.Sprint("bad", i)), 401)
		wantCode(t, "denied", do(t.Context(), a, "GET", fmt.Sprint("/", i), "other"), 403)
	}
	wantCode(t, "bad, again", get(a, "bad99"), 401)
	api.want("bad", 101, 100)
	wantCode(t, "good is not driven out", get(a, "good"), 200)
	api.want("good", 0, 0)
	wantCode(t, "bad, driven out", get(a, "bad0"), 401)
	api.want("bad", 1, 0)
	api.down(false)
	for i := range 100 {
		wantCode(t, "failing", get(a, fmt.Sprint("new", i)), 503)
		wantCode(t, "failing", do(t.Context(), a, "GET", fmt.Sprint("/new/", i), "other"), 503)
	}
	for _, c := range []*cache{a.tokens, a.accesses} {
		for name, l := range map[string]*lru{"good": &c.good, "bad": &c.bad, "failed": &c.failed} {
			if len(l.items) > 10 || len(l.items) != l.order.Len() || len(l.items) == 0 {
				t.Errorf("%s: %d items, %d in order, want 1 to 10", name, len(l.items), l.order.Len())
			}
		}
	}
}

func TestLRU(t *testing.T) {
	l := newLRU(2)
	a, b, c := key{1}, key{2}, key{3}
	l.put(entry{key: a})
	l.put(entry{key: b})
	l.put(entry{key: b, err: errors.New("newer")})
	l.get(a)
	l.put(entry{key: c})
	if l.get(a) == nil || l.get(b) != nil || l.get(c) == nil {
		t.Error("not the one that was used last was driven out")
	}
	l.remove(a)
	l.remove(a)
	wantEqual(t, "length", l.order.Len(), 1)
}

func TestClientPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		a := api.auth(Config{})
		a.client.Transport = roundTripper(func(*http.Request) (*http.Response, error) { panic("no luck") })
		wantCode(t, "panic", get(a, "good"), 503)
		a.client.Transport = api
		time.Sleep(pause)
		wantCode(t, "then good", get(a, "good"), 200)
	})
}

// TestClientIgnoresItsContext is about a transport that never returns.
func TestClientIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(t)
		a := api.auth(Config{})
		release := make(chan struct{})
		api.hold = func(*http.Request) { <-release }
		wantCode(t, "stuck", get(a, "good"), 503)
		close(release)
		synctest.Wait()
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
