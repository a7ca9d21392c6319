package kubeauth

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswers(t *testing.T) {
	f := func(name, method, target, authorization string, code, tokens, accesses int) {
		t.Helper()
		api := newFakeAPI(t)
		a := api.auth(Config{})
		r := httptest.NewRequest(method, target, nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := serve(a, r)
		wantCode(t, name, w, code)
		wantEqual(t, name+": challenged", w.Header().Get("WWW-Authenticate") == "Bearer", code == http.StatusUnauthorized)
		api.want(name, tokens, accesses)
	}
	f("nothing", "GET", "/metrics", "", 401, 0, 0)
	f("another scheme", "GET", "/metrics", "Basic good", 401, 0, 0)
	f("only a scheme", "GET", "/metrics", "Bearer", 401, 0, 0)
	f("empty token", "GET", "/metrics", "Bearer  ", 401, 0, 0)
	f("two tokens", "GET", "/metrics", "Bearer good good", 401, 0, 0)
	f("long token", "GET", "/metrics", "Bearer "+strings.Repeat("x", maxToken+1), 401, 0, 0)
	f("longest token", "GET", "/metrics", "Bearer "+strings.Repeat("x", maxToken), 401, 1, 0)
	f("bad token", "GET", "/metrics", "Bearer bad", 401, 1, 0)
	f("expired token", "GET", "/metrics", "Bearer expired", 401, 1, 0)
	f("good token", "GET", "/metrics", "Bearer good", 200, 1, 1)
	f("good token, odd spelling", "GET", "/metrics", "bEARER  good ", 200, 1, 1)
	f("query", "GET", "/metrics?a=//..", "Bearer good", 200, 1, 1)
	f("token of another", "GET", "/metrics", "Bearer other", 403, 1, 1)
	f("HEAD", "HEAD", "/metrics", "Bearer good", 200, 1, 1)
	f("POST", "POST", "/metrics", "Bearer good", 403, 1, 1)
	f("another path", "GET", "/metrics/", "Bearer good", 403, 1, 1)
}

func TestAmbiguousRequests(t *testing.T) {
	f := func(method, target string, code int) {
		t.Helper()
		api := newFakeAPI(t)
		api.allowed["prom get /a(b)"] = true
		api.allowed["prom get /"] = true
		api.allowed["prom get /a/"] = true
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Method = method
		r.Header.Set("Authorization", "Bearer good")
		wantCode(t, method+" "+target, serve(api.auth(Config{}), r), code)
		if code == http.StatusBadRequest {
			api.want(method+" "+target, 0, 0)
		}
	}
	f("GET", "/metrics", 200)
	f("GET", "/", 200)
	f("GET", "/a/", 200)
	f("GET", "/%6Detrics", 200) // any handler understands /metrics
	f("GET", "/a(b)", 200)
	f("GET", "http://host/metrics", 200)
	f("GET", "//metrics", 400)
	f("GET", "//", 400)
	f("GET", "/metrics//", 400)
	f("GET", "/a/../metrics", 400)
	f("GET", "/./metrics", 400)
	f("GET", "/a/%2e%2e/metrics", 400)
	f("GET", "/a%2Fb", 400)
	f("GET", "/a%2fb", 400)
	f("GET", `/a%5cb`, 400)
	f("GET", "/metrics%00", 400)
	f("GET", "/metrics%ff", 400)
	f("OPTIONS", "*", 400)
	f("get", "/metrics", 400)
	f("Get", "/metrics", 400)
}

func TestIdentityAndStrippedHeader(t *testing.T) {
	a := newFakeAPI(t).auth(Config{})
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Accept", "text/plain")
	calls := 0
	h := a.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls++
		if _, ok := r.Header["Authorization"]; ok {
			t.Error("the next handler gets the token")
		}
		wantEqual(t, "Accept", r.Header.Get("Accept"), "text/plain")
		user, ok := UserFrom(r.Context())
		if !ok || user.Name != "prom" || user.UID != "u1" {
			t.Errorf("user is %+v", user)
		}
		wantSlice(t, "groups", user.Groups, "scrapers", "system:authenticated")
		wantSlice(t, "extra", user.Extra["k"], "v1", "v2")
		user.Groups[0], user.Extra["k"][0], user.Extra["x"] = "changed", "changed", nil // costs no one else
	}))
	h.ServeHTTP(httptest.NewRecorder(), r)
	h.ServeHTTP(httptest.NewRecorder(), r)
	wantEqual(t, "calls", calls, 2)
	wantEqual(t, "the caller's header", r.Header.Get("Authorization"), "Bearer good")
	if _, ok := UserFrom(t.Context()); ok {
		t.Error("there is a user without Wrap")
	}
}

func TestReviewsSayAll(t *testing.T) {
	api := newFakeAPI(t)
	api.audiences = `,"audiences":["vitals"]`
	wantCode(t, "good", get(api.auth(Config{Audiences: []string{"vitals", "x"}}), "good"), 200)
	wantEqual(t, "TokenReview", fmt.Sprint(api.specs["tokenreviews"]), "[map[audiences:[vitals x] token:good]]")
	wantEqual(t, "SubjectAccessReview", fmt.Sprint(api.specs["subjectaccessreviews"]),
		"[map[extra:map[k:[v1 v2]] groups:[scrapers system:authenticated] nonResourceAttributes:map[path:/metrics verb:get] uid:u1 user:prom]]")
}

func TestBodies(t *testing.T) {
	api := newFakeAPI(t)
	a := api.auth(Config{Audiences: []string{"vitals"}})
	wantBody := func(what, body string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(body, part) {
				t.Errorf("%s: body %q does not say %q", what, body, part)
			}
		}
		if len(body) > 300 || strings.Contains(body, "scrapers") || strings.Contains(body, "u1") || strings.Contains(body, "good") {
			t.Errorf("%s: body %q says too much", what, body)
		}
	}
	wantBody("none", get(a, "").Body.String(), `send a bearer token made for audience "vitals" of an account that may get /metrics`)
	wantBody("bad", get(a, "good").Body.String(), "does not accept", "may get /metrics") // no audiences in the answer
	api.audiences = `,"audiences":["vitals"]`
	a = api.auth(Config{Audiences: []string{"vitals"}})
	w := do(t.Context(), a, "POST", "/a%0ab", "good")
	wantBody("forbidden", w.Body.String(), `user "prom" may not post /a%0ab`, "nonResourceURLs")
	wantEqual(t, "type", w.Header().Get("Content-Type"), "text/plain; charset=utf-8")
	api.down(false)
	w = get(a, "good2")
	wantBody("down", w.Body.String(), "try again later")
	wantEqual(t, "Retry-After", w.Header().Get("Retry-After"), "2")
}

func TestAudiences(t *testing.T) {
	f := func(audiences string, code int, want ...string) {
		t.Helper()
		api := newFakeAPI(t)
		api.audiences = audiences
		wantCode(t, audiences, get(api.auth(Config{Audiences: want}), "good"), code)
	}
	f(``, 200)
	f(`,"audiences":["https://kubernetes.default.svc"]`, 200)
	f(`,"audiences":["a"]`, 200, "a")
	f(`,"audiences":["x","b"]`, 200, "a", "b")
	f(``, 401, "a") // an API server that ignores audiences
	f(`,"audiences":[]`, 401, "a")
	f(`,"audiences":["A",""]`, 401, "a")
}

// TestFailedReviews demands that a failure of either review is neither taken
// for a verdict, nor kept as one, nor logged with what the server says.
func TestFailedReviews(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Location", "https://evil/")
			w.WriteHeader(code)
			_, _ = w.Write(body)
		}
	}
	text := func(s string) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, body []byte) { _, _ = w.Write(append([]byte(s), body...)) }
	}
	for name, answer := range map[string]func(http.ResponseWriter, []byte){
		"400": status(400), "401": status(401), "403": status(403), "404": status(404), "429": status(429),
		"500": status(500), "503": status(503), "redirect": status(307), "no content": status(204),
		"no JSON": text("<html>"), "the question": text(""), "too long": func(w http.ResponseWriter, body []byte) {
			good := `"status":{"authenticated":true,"allowed":true,"user":{"username":"prom"}},"spec":`
			fmt.Fprint(w, strings.Repeat(" ", maxReview), strings.Replace(string(body), `"spec":`, good, 1))
		},
		"panic": func(http.ResponseWriter, []byte) { panic("no luck") },
		"no user": func(w http.ResponseWriter, _ []byte) {
			fmt.Fprint(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"authenticated":true}}`)
		},
		"another kind": func(w http.ResponseWriter, _ []byte) {
			fmt.Fprint(w, `{"apiVersion":"v1","kind":"Status","status":{"authenticated":true,"allowed":true,"user":{"username":"x"}}}`)
		},
	} {
		for _, failing := range []string{"tokenreviews", "subjectaccessreviews"} {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				api := newFakeAPI(t)
				api.users["s3cret"] = `{"username":"prom"}`
				api.fail = func(w http.ResponseWriter, resource string, body []byte) bool {
					if resource == failing {
						answer(w, body)
					}
					return resource == failing
				}
				a := api.auth(Config{Logger: log.logger()})
				what := name + " to " + failing
				w := get(a, "s3cret")
				wantCode(t, what, w, 503)
				if w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
					t.Errorf("%s: header is %v", what, w.Header())
				}
				wantEqual(t, what+": delegator is named in the log", strings.Contains(log.String(), "system:auth-delegator"), name == "403")
				wantEqual(t, what+": lines of log", strings.Count(log.String(), "\n"), 1)
				if strings.Contains(log.String()+w.Body.String(), "s3cret") {
					t.Errorf("%s: the token is in the log or the answer: %s %s", what, log.String(), w.Body)
				}
				api.up()
				time.Sleep(pause)
				wantCode(t, what+", then good", get(a, "s3cret"), 200)
			})
		}
	}
}

func TestLogIsFoldedAndWithoutTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		api := newFakeAPI(t)
		api.fail = func(w http.ResponseWriter, _ string, _ []byte) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		a := api.auth(Config{Logger: log.logger()})
		tokens := func() {
			for i := range 5 {
				wantCode(t, "forbidden", get(a, fmt.Sprintf("s3cret-%d", i)), 503)
			}
		}
		tokens()
		wantEqual(t, "lines", strings.Count(log.String(), "\n"), 1)
		time.Sleep(time.Minute)
		tokens()
		wantEqual(t, "lines after a minute", strings.Count(log.String(), "\n"), 2)
		if !strings.Contains(log.String(), "hidden=4") {
			t.Errorf("the log does not count what is hidden: %s", log.String())
		}
		api.down(false)
		time.Sleep(pause)
		tokens()
		wantEqual(t, "lines with another kind", strings.Count(log.String(), "\n"), 3)
		if strings.Contains(log.String(), "s3cret") {
			t.Errorf("a token is in the log: %s", log.String())
		}
	})
}

func TestNewRefuses(t *testing.T) {
	f := func(cfg Config, parts ...string) {
		t.Helper()
		_, err := New(cfg)
		wantError(t, fmt.Sprintf("%+v", cfg), err, append(parts, "kubeauth: ")...)
	}
	client := http.DefaultClient
	f(Config{Host: "https://api"}, "without a client")
	f(Config{Client: client}, `host ""`, "https://10.0.0.1:443")
	f(Config{Client: client, Host: "10.0.0.1:443"}, "base URL")
	f(Config{Client: client, Host: "https://api?x"}, "base URL")
	f(Config{Client: client, Host: "https://user:pw@api"}, "base URL")
	f(Config{Client: client, Host: "http://api"}, "use https")
	f(Config{Client: client, Host: "ftp://127.0.0.1"}, "use https")
	f(Config{Client: client, Host: "https://api", Audiences: []string{"a", ""}}, "audience 1 is empty")
	f(Config{Client: client, Host: "https://api", Static: []Rule{{}}}, "static rule 0")
	for _, host := range []string{"http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001", "https://api/prefix/"} {
		a, err := New(Config{Client: client, Host: host})
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		wantEqual(t, "host", a.host, strings.TrimRight(host, "/"))
	}
}

// TestRealServer asks over the network, under a path, and follows no redirect.
func TestRealServer(t *testing.T) {
	api := newFakeAPI(t)
	server := httptest.NewTLSServer(http.StripPrefix("/prefix", api))
	defer server.Close()
	a, err := New(Config{Client: server.Client(), Host: server.URL + "/prefix/"})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "good", get(a, "good"), 200)
	wantCode(t, "bad", get(a, "bad"), 401)
	api.want("both", 2, 1)

	var stolen []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen = append(stolen, r.URL.Path) }))
	defer thief.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	if a, err = New(Config{Client: redirecting.Client(), Host: redirecting.URL, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "redirected", get(a, "good"), 503)
	if slices.Contains(stolen, "/") {
		t.Error("the token was sent where a redirect pointed to")
	}
}
