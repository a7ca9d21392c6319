package kubeauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeAPI is an API server that answers the two reviews. It is also an
// http.RoundTripper, for tests in a bubble, where there is no network.
type fakeAPI struct {
	t testing.TB

	mu        sync.Mutex
	users     map[string]string // token -> user of the review's status, in JSON
	allowed   map[string]bool   // "user verb path"
	audiences string            // of the review's status, in JSON
	fail      func(w http.ResponseWriter, resource string, body []byte) bool
	err       error                 // instead of an answer
	hold      func(r *http.Request) // before the answer
	asked     map[string]int        // resource -> reviews
	specs     map[string][]any      // resource -> specs of reviews
}

func newFakeAPI(t testing.TB) *fakeAPI {
	return &fakeAPI{
		t: t,
		users: map[string]string{
			"good":  `{"username":"prom","uid":"u1","groups":["scrapers"],"extra":{"k":["v1","v2"]}}`,
			"other": `{"username":"eve","groups":["system:authenticated"]}`,
		},
		allowed: map[string]bool{"prom get /metrics": true, "cert get /metrics": true},
		asked:   map[string]int{},
		specs:   map[string][]any{},
	}
}

// set changes the behaviour while requests may be under way.
func (f *fakeAPI) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// want compares how many reviews there were since the last call.
func (f *fakeAPI) want(what string, tokens, accesses int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked["tokenreviews"] != tokens || f.asked["subjectaccessreviews"] != accesses {
		f.t.Errorf("%s: %d TokenReviews and %d SubjectAccessReviews, want %d and %d",
			what, f.asked["tokenreviews"], f.asked["subjectaccessreviews"], tokens, accesses)
	}
	clear(f.asked)
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review struct {
		APIVersion, Kind string
		Spec             struct {
			Token                 string
			Audiences             []string
			User, UID             string
			Groups                []string
			Extra                 map[string][]string
			NonResourceAttributes struct{ Path, Verb string }
		}
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	if err := json.Unmarshal(body.Bytes(), &review); err != nil {
		f.t.Errorf("%s: %v in %s", r.URL, err, body.Bytes())
	}
	resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	want := map[string]string{
		"tokenreviews":         "POST /apis/authentication.k8s.io/v1/tokenreviews authentication.k8s.io/v1 TokenReview",
		"subjectaccessreviews": "POST /apis/authorization.k8s.io/v1/subjectaccessreviews authorization.k8s.io/v1 SubjectAccessReview",
	}[resource]
	if got := fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, review.APIVersion, review.Kind); got != want {
		f.t.Errorf("review is %q, want %q", got, want)
	}

	f.mu.Lock()
	f.asked[resource]++
	var raw struct{ Spec any }
	_ = json.Unmarshal(body.Bytes(), &raw)
	f.specs[resource] = append(f.specs[resource], raw.Spec)
	hold, fail := f.hold, f.fail
	f.mu.Unlock()
	if hold != nil {
		hold(r)
	}
	if fail != nil && fail(w, resource, body.Bytes()) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	status := `{"authenticated":false,"error":"invalid bearer token"}`
	if resource == "subjectaccessreviews" {
		s := review.Spec
		allowed := f.allowed[s.User+" "+s.NonResourceAttributes.Verb+" "+s.NonResourceAttributes.Path]
		status = fmt.Sprintf(`{"allowed":%v}`, allowed)
	} else if user := f.users[review.Spec.Token]; user != "" {
		status = fmt.Sprintf(`{"authenticated":true,"user":%s%s}`, user, f.audiences)
	} else if review.Spec.Token == "expired" {
		status = `{"authenticated":false}`
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"apiVersion":%q,"kind":%q,"status":%s}`, review.APIVersion, review.Kind, status)
}

func (f *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return w.Result(), nil
}

// down makes the API server unreachable, at once or after the time that the
// client has.
func (f *fakeAPI) down(slow bool) {
	f.set(func() {
		f.err = errors.New("connection refused")
		if slow {
			f.err = nil
			f.hold = func(r *http.Request) { <-r.Context().Done() }
		}
	})
}

func (f *fakeAPI) up() {
	f.set(func() { f.err, f.hold, f.fail = nil, nil, nil })
}

// auth returns an Auth that asks f in memory.
func (f *fakeAPI) auth(cfg Config) *Auth {
	f.t.Helper()
	cfg.Client, cfg.Host = &http.Client{Transport: f}, "https://api"
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// get sends GET /metrics with a token, or without one if it is empty.
func get(a *Auth, token string) *httptest.ResponseRecorder {
	return do(context.Background(), a, http.MethodGet, "/metrics", token)
}

func do(ctx context.Context, a *Auth, method, target, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return serve(a, r)
}

// serve answers with the user's name.
func serve(a *Auth, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := UserFrom(r.Context())
		fmt.Fprint(w, user.Name)
	})).ServeHTTP(w, r)
	return w
}

func wantCode(t testing.TB, what string, w *httptest.ResponseRecorder, code int) {
	t.Helper()
	if w.Code != code {
		t.Errorf("%s: status %d, want %d: %s", what, w.Code, code, w.Body)
	}
}

func wantEqual[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantSlice[T comparable](t testing.TB, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// wantError demands an error that says all of parts.
func wantError(t testing.TB, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %q does not say %q", what, err, part)
		}
	}
}

// logBuffer collects a log. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
