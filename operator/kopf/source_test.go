package kopf_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestUnusableAnswers has real servers. Whatever they answer, the four families
// about the request are there and no others.
func TestUnusableAnswers(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed to another host")
	}))
	defer other.Close()
	send := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name   string
		handle http.HandlerFunc
		status float64
		want   []string
	}{
		{"500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"a":1}`, http.StatusInternalServerError) },
			500, []string{"status 500", "a probe failed", "ErrorsMode.IGNORED"}},
		{"404", http.NotFound, 404, []string{"status 404", "--liveness"}},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 204, []string{"status 204"}},
		{"redirect to another host", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/x", http.StatusFound) },
			302, []string{"status 302", other.URL + "/x", "not followed"}},
		{"redirect to itself", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				t.Error("a redirect was followed")
			}
			http.Redirect(w, r, "/other", http.StatusMovedPermanently)
		}, 301, []string{"status 301", "/other", "not followed"}},
		{"HTML", send("text/html", "<!DOCTYPE html><title>Login</title>"), 200, []string{`"text/html"`, "not JSON", "<!DOCTYPE html>"}},
		{"empty", send("application/json", ""), 200, []string{"not JSON", "empty"}},
		{"list", send("application/json", "[1]"), 200, []string{"is a list, not an object of probes"}},
		{"string", send("application/json", `"ok"`), 200, []string{"is a string, not an object"}},
		{"null", send("application/json", "null"), 200, []string{"is null, not an object"}},
		{"NaN alone", send("application/json", "NaN"), 200, []string{"is a number, not an object"}},
		{"cut off", send("application/json", `{"a": 1, "b`), 200, []string{"not JSON", "unexpected EOF"}},
		{"two objects", send("application/json", `{"a": 1} {"b": 2}`), 200, []string{"something follows"}},
		{"too deep", send("application/json", `{"a":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+`}`), 200, []string{"more than 64 lists and objects"}},
		{"oversized", send("application/json", `{"a": "`+strings.Repeat("x", 1000)+`"}`), 200, []string{"more than 1000 bytes", "MaxBody"}},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat(" ", 1000))
			}
		}, 200, []string{"more than 1000 bytes"}},
		{"shorter than promised", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"a": 1}`)
		}, 200, []string{"reading the body", "unexpected EOF"}},
		{"cut before the header", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, []string{"EOF"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.handle)
			defer server.Close()
			s := newSource(t, kopf.Options{URL: server.URL + "/healthz", MaxBody: 1000, Client: server.Client()})
			families, err := s.Families(t.Context())
			wantErr(t, err, append(c.want, "kopf: "+server.URL+"/healthz: ")...)
			wantDown(t, families, c.status)
		})
	}
}

// wantDown checks the families of a request that failed.
func wantDown(t *testing.T, families []metric.Family, status float64) {
	t.Helper()
	wantValid(t, families)
	if len(families) != 4 {
		t.Errorf("%d families, want 4:\n%s", len(families), text(families, nil))
	}
	if up := value(t, families, "kopf_probe_up"); up != 0 {
		t.Errorf("up is %v", up)
	}
	if got := value(t, families, "kopf_probe_http_status"); got != status {
		t.Errorf("status is %v, want %v", got, status)
	}
	if n := value(t, families, "kopf_probe_results"); n != 0 {
		t.Errorf("%v results, want none", n)
	}
	if d := value(t, families, "kopf_probe_duration_seconds"); d < 0 {
		t.Errorf("duration is %v", d)
	}
}

func TestServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodGet || r.URL.Path != "/healthz" || user+password != "userpw" {
			t.Errorf("%s %s of %q", r.Method, r.URL, user)
		}
		_, _ = io.WriteString(w, `{"a": NaN, "b": true}`)
	}))
	defer server.Close()
	s := newSource(t, kopf.Options{URL: strings.Replace(server.URL, "//", "//user:pw@", 1) + "/healthz"}) // the package's own client
	families, err := s.Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "# kopf_probe_value unknown\nkopf_probe_value{probe=\"a\"} NaN\nkopf_probe_value{probe=\"b\"} 1\n"
	if got := text(families, nil); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant at the end\n%s", got, want)
	}
	if value(t, families, "kopf_probe_up") != 1 || value(t, families, "kopf_probe_results") != 2 {
		t.Errorf("got\n%s", text(families, nil))
	}
}

func TestNoServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	s := newSource(t, kopf.Options{URL: strings.Replace(server.URL, "//", "//user:secret@", 1)})
	families, err := s.Families(t.Context())
	wantErr(t, err, "refused")
	wantDown(t, families, 0)
	if strings.Contains(err.Error(), "secret") || strings.Count(err.Error(), "http://") != 1 {
		t.Errorf("the error has the password, or the URL not once: %v", err)
	}
}

// TestHangingServer ends by the source's own timeout, before the header and in
// the middle of the body.
func TestHangingServer(t *testing.T) {
	for _, status := range []float64{0, 200} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if status == 200 {
					_, _ = io.WriteString(w, `{"a": 1`)
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			}))
			defer server.Close()
			timeout := 200 * time.Millisecond
			s := newSource(t, kopf.Options{URL: server.URL, Timeout: timeout, Client: server.Client()})
			families, err := s.Families(t.Context())
			wantErr(t, err, "no answer within 200ms", "ErrorsMode.IGNORED")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not DeadlineExceeded", err)
			}
			wantDown(t, families, status)
		})
	}
}

// TestCallerLeaves while the server hangs: it need not wait for the timeout.
func TestCallerLeaves(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	}))
	defer server.Close()
	defer close(release)
	s := newSource(t, kopf.Options{URL: server.URL, Timeout: time.Hour, Client: server.Client()})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	families, err := s.Families(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	wantDown(t, families, 0)
}

func TestConcurrentCallsShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		release := make(chan struct{})
		s := newSource(t, kopf.Options{MinInterval: -1, Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			n := requests.Add(1)
			<-release
			return response(fmt.Sprintf(`{"n": %d, "m": {"x": 1, "y": 2}}`, n)), nil
		})}})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				families, err := s.Families(t.Context())
				if err != nil || value(t, families, "kopf_probe_up") != 1 {
					t.Errorf("error %v", err)
				}
				spoil(families) // the slices are the caller's: the race detector watches
			})
		}
		synctest.Wait()
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests under way, want 1", n)
		}
		close(release)
		wg.Wait()
		if _, err := s.Families(t.Context()); err != nil || requests.Load() != 2 { // nothing is kept without an interval
			t.Errorf("%d requests after another call, want 2; error %v", requests.Load(), err)
		}
	})
}

// spoil changes all that belongs to the caller.
func spoil(families []metric.Family) {
	for i := range families {
		for j := range families[i].Samples {
			for k := range families[i].Samples[j].Labels {
				families[i].Samples[j].Labels[k] = metric.Label{Name: "spoilt"}
			}
			families[i].Samples[j].Value = -1
		}
		families[i] = metric.Family{}
	}
}

func TestMinInterval(t *testing.T) {
	f := func(interval, before, after time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			s := newSource(t, kopf.Options{MinInterval: interval, Client: answering(func() string {
				requests++
				return fmt.Sprintf(`{"n": {"x": %d}}`, requests)
			})})
			want := func(n int) {
				t.Helper()
				families, err := s.Families(t.Context())
				line := fmt.Sprintf("kopf_probe_value{path=\"x\",probe=\"n\"} %d\n", n)
				if got := text(families, err); !strings.Contains(got, line) || requests != n {
					t.Errorf("after %d requests got\n%s\nwant %s", requests, got, line)
				}
				spoil(families)
			}
			began := time.Now()
			at := func(d time.Duration) { time.Sleep(d - time.Since(began)) }
			want(1) // takes a quarter of a second
			want(1)
			at(before)
			want(1)
			at(after)
			want(2)
			want(2)
		})
	}
	f(0, 10*time.Second-1, 10*time.Second)
	f(time.Minute, time.Minute-1, time.Minute)
}

// TestFailureIsKept, too: the endpoint is not asked more often because it fails.
func TestFailureIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, requests := "[]", 0
		s := newSource(t, kopf.Options{Client: answering(func() string {
			requests++
			return body
		})})
		for range 3 {
			families, err := s.Families(t.Context())
			wantErr(t, err, "is a list")
			wantDown(t, families, 200)
			body = "{}"
		}
		time.Sleep(10 * time.Second)
		families, err := s.Families(t.Context())
		if err != nil || value(t, families, "kopf_probe_up") != 1 || requests != 2 {
			t.Errorf("%d requests, error %v", requests, err)
		}
	})
}

func TestSeriesEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := `{"a": 1, "b": {"$metrics": [{"name": "x", "value": 1}]}, "c": "s"}`
		s := newSource(t, kopf.Options{Client: answering(func() string { return body }), Info: []string{"*"}})
		families, err := s.Families(t.Context())
		if got := text(families, err); strings.Count(got, "\na")+strings.Count(got, "\nx 1") != 1 || !strings.Contains(got, `value="s"`) {
			t.Fatalf("got\n%s", got)
		}
		body = `{"a": null}`
		time.Sleep(time.Minute)
		families, err = s.Families(t.Context())
		if err != nil || len(families) != 4 || value(t, families, "kopf_probe_results") != 1 {
			t.Errorf("got\n%s", text(families, err))
		}
		body = ""
		time.Sleep(time.Minute)
		families, err = s.Families(t.Context())
		wantErr(t, err, "empty")
		wantDown(t, families, 200)
	})
}

// TestDeadline: Families returns while the scrape can still take the families,
// and the answer that comes later serves the next scrape.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, kopf.Options{Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(2 * time.Second):
				return response(`{"a": 1}`), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})}})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		families, err := s.Families(ctx)
		if ctx.Err() != nil {
			t.Error("the scrape was over")
		}
		wantErr(t, err, "no answer before the end of the scrape")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is not DeadlineExceeded", err)
		}
		wantDown(t, families, 0)
		if d := value(t, families, "kopf_probe_duration_seconds"); d != 0.95 {
			t.Errorf("duration so far is %v, want 0.95", d)
		}
		families, err = s.Families(t.Context()) // joins the request that is under way
		if err != nil || value(t, families, "kopf_probe_up") != 1 || time.Since(began) != 2*time.Second {
			t.Errorf("after %v: error %v\n%s", time.Since(began), err, text(families, nil))
		}
	})
}

func TestDefaultTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, kopf.Options{Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}})
		families, err := s.Families(t.Context())
		wantErr(t, err, "no answer within 3s")
		wantDown(t, families, 0)
		if d := value(t, families, "kopf_probe_duration_seconds"); d != 3 {
			t.Errorf("duration is %v, want 3", d)
		}
	})
}

// TestBrokenTransport must neither end the process nor let callers wait.
func TestBrokenTransport(t *testing.T) {
	f := func(want string, broken func()) {
		t.Helper()
		s := newSource(t, kopf.Options{Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			broken()
			return nil, errors.New("not reached")
		})}})
		families, err := s.Families(t.Context())
		wantErr(t, err, endpoint, want)
		wantDown(t, families, 0)
	}
	f("panic: oops", func() { panic("oops") })
	f("came to no end", runtime.Goexit)
}

func TestBounds(t *testing.T) {
	f := func(o kopf.Options, body string, want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			got := read(t, o, body)
			for _, w := range want {
				unwanted := strings.HasPrefix(w, "-")
				if strings.Contains(got, strings.TrimPrefix(w, "-")) == unwanted {
					t.Errorf("%q is wrong in\n%s", w, got)
				}
			}
		})
	}
	list := "{\"a\": [" + strings.Repeat("7,", 200) + "7]}"
	f(kopf.Options{}, list, `path="[99]"`, `-path="[100]"`, "-! ")
	f(kopf.Options{MaxItems: 200}, list, `path="[199]"`, `-path="[200]"`, "-! ")
	f(kopf.Options{MaxItems: 2, Rules: []kopf.Rule{{Probe: "a", Path: "$[*]", Name: "x", Labels: map[string]string{"i": "$1"}}}},
		list, `x{i="1"} 7`, `-x{i="2"}`, "-! ")
	// What has a type stays, whatever its probe's name.
	typed := `{"a": {"x": 1, "y": 2, "z": 3}, "b": {"$metrics": [{"name": "one", "value": 1}, {"name": "two", "value": 2}]}}`
	f(kopf.Options{MaxValues: 3, Rules: []kopf.Rule{{Probe: "a", Path: "$.z", Name: "r"}}},
		typed, "r 3", "one 1", "two 2", "-kopf_probe_value", "! kopf: "+endpoint+": 2 samples beyond the first 3 are left out")
	f(kopf.Options{MaxValues: 4, Rules: []kopf.Rule{{Probe: "a", Path: "$.z", Name: "r"}}},
		typed, `path="x"`, `-path="y"`, "1 samples beyond")
	f(kopf.Options{MaxValues: 5}, typed, "-! ")
	// Many problems are one bounded error.
	f(kopf.Options{}, `{"a": {"$metrics": [`+strings.Repeat("1,", 99)+`1]}}`, "$metrics[19]", "-$metrics[20]", "! 80 more problems")
	for _, shift := range []string{"", "x"} { // half a character must not stay
		f(kopf.Options{}, `{"a": {"$metrics": [{"name": "x", "type": "`+shift+strings.Repeat("é", 1000)+`"}]}}`,
			"éé...", "-"+strings.Repeat("é", 300), "-\xc3...")
	}
	// A long string must not be repeated with each sample.
	long := strings.Repeat("k", 5000)
	f(kopf.Options{}, `{"a": {"`+long+`": {"b": 1}, "c": 2}}`, `path="c"`, "-"+long, "more than 4096 bytes")
	f(kopf.Options{}, `{"`+long+`": 1, "c": 2}`, `probe="c"`, "-"+long, "more than 4096 bytes")
	f(kopf.Options{Info: []string{"a"}}, `{"a": "`+long+`", "c": 2}`, `probe="c"`, "-"+long, `label "value" has 5000 bytes`)
	f(kopf.Options{Rules: []kopf.Rule{{Probe: "a", Path: "$.*.b", Name: "x"}}}, `{"a": {"`+long+`": {"b": 1}, "c": {"b": 2}}}`,
		"x 2", "-"+long, `rule 1 (x): probe "a": the keys that lead there`)
}
