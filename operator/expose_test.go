package operator_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestExposeHeaders(t *testing.T) {
	o := plain()
	o.Collect("c", emits(gauge("a", 1)))
	const (
		text = "text/plain; version=0.0.4; charset=utf-8"
		om   = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	)
	f := func(accept, acceptEncoding, contentType, encoding, body string) {
		t.Helper()
		w := get(o, "/metrics", "Accept", accept, "Accept-Encoding", acceptEncoding)
		h := w.Result().Header
		if w.Code != http.StatusOK || h.Get("Content-Type") != contentType || h.Get("Content-Encoding") != encoding {
			t.Errorf("%s, %s: %d %v", accept, acceptEncoding, w.Code, h)
		}
		for _, name := range []string{"Accept", "Accept-Encoding"} {
			if !strings.Contains(h.Get("Vary")+",", name+",") {
				t.Errorf("Vary is %q, which lacks %s", h.Get("Vary"), name)
			}
		}
		var got io.Reader = w.Body
		if encoding == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			got = z
		}
		if b, err := io.ReadAll(got); err != nil || string(b) != body {
			t.Errorf("%s, %s: %q, %v, want %q", accept, acceptEncoding, b, err, body)
		}
	}
	f("", "", text, "", "# TYPE a gauge\na 1\n")
	f("*/*", "identity", text, "", "# TYPE a gauge\na 1\n")
	f("", "gzip", text, "gzip", "# TYPE a gauge\na 1\n")
	f("application/openmetrics-text;version=1.0.0", "", om, "", "# TYPE a gauge\na 1\n# EOF\n")
	f("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4", "gzip, deflate", om, "gzip", "# TYPE a gauge\na 1\n# EOF\n")
	f("application/openmetrics-text;q=0", "gzip;q=0", text, "", "# TYPE a gauge\na 1\n")
}

// TestExposeHeaderLines: several lines of a header are one list.
func TestExposeHeaderLines(t *testing.T) {
	o := plain()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header["Accept"] = []string{"text/plain;q=0.5", "application/openmetrics-text"}
	r.Header["Accept-Encoding"] = []string{"deflate", "gzip"}
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	h := w.Result().Header
	if !strings.HasPrefix(h.Get("Content-Type"), "application/openmetrics-text") || h.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %v", h)
	}
}

func TestExposeMethods(t *testing.T) {
	o := plain()
	var calls int
	o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
		calls++
		emit(gauge("a", 1))
		return nil
	})
	head := do(t.Context(), o, http.MethodHead, "/metrics", "Accept-Encoding", "gzip", "Accept", "application/openmetrics-text")
	if head.Code != http.StatusOK || head.Body.Len() != 0 {
		t.Errorf("HEAD gives %d and %d bytes, want 200 and none", head.Code, head.Body.Len())
	}
	full := get(o, "/metrics", "Accept-Encoding", "gzip", "Accept", "application/openmetrics-text")
	for _, name := range []string{"Content-Type", "Content-Encoding", "Vary"} {
		if got, want := head.Result().Header.Get(name), full.Result().Header.Get(name); got != want || want == "" {
			t.Errorf("HEAD has %s %q, GET has %q", name, got, want)
		}
	}
	calls = 0
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if w := do(t.Context(), o, method, "/metrics"); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s gives %d, want 405", method, w.Code)
		}
	}
	if w := get(o, "/metrics/x"); w.Code != http.StatusNotFound {
		t.Errorf("a path below gives %d, want 404", w.Code)
	}
	if calls != 0 {
		t.Errorf("refused requests called the collector %d times", calls)
	}
}

func TestExposeSeveralPaths(t *testing.T) {
	o := plain()
	o.Expose("/also", exposition.Prometheus{})
	o.Collect("c", emits(gauge("a", 1)))
	if one, two := scrape(t, o), get(o, "/also").Body.String(); one != two || one == "" {
		t.Errorf("%q and %q, want the same", one, two)
	}
}

func TestMaxScrapes(t *testing.T) {
	f := func(name string, max, want int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{MaxScrapes: max})
			release := make(chan struct{})
			o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
				<-release
				emit(gauge("a", 1))
				return nil
			})
			var served atomic.Int32
			var wg sync.WaitGroup
			for range want {
				wg.Go(func() {
					wantSeries(t, scrape(t, o), "a 1")
					served.Add(1)
				})
			}
			synctest.Wait()
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
				w := do(t.Context(), o, method, "/metrics")
				if w.Code != http.StatusServiceUnavailable || w.Result().Header.Get("Retry-After") != "1" {
					t.Errorf("%s, one too many: %d %v, want 503 with Retry-After", name, w.Code, w.Result().Header)
				}
			}
			if n := served.Load(); n != 0 {
				t.Errorf("%s: %d scrapes ended early", name, n)
			}
			if w := get(o, "/livez"); w.Code != http.StatusOK {
				t.Errorf("%s: /livez gives %d while scrapes are refused", name, w.Code)
			}
			close(release)
			wg.Wait()
			wantSeries(t, scrape(t, o), "a 1") // slots are given back
		})
	}
	f("one", 1, 1)
	f("three", 3, 3)
	f("default", 0, 10)
	f("negative", -1, 10)
}

// brokenConn fails every write of a body.
type brokenConn struct{ *httptest.ResponseRecorder }

var errBroken = errors.New("broken pipe")

func (brokenConn) Write([]byte) (int, error) { return 0, errBroken }

func TestBrokenConnection(t *testing.T) {
	var log bytes.Buffer
	o := newOperator(operator.Options{MaxScrapes: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	o.Collect("c", emits(gauge("a", 1)))
	for range 3 { // the slot must be given back, too
		func() {
			defer func() {
				if p := recover(); p != any(http.ErrAbortHandler) {
					t.Errorf("panic %v, want %v", p, http.ErrAbortHandler)
				}
			}()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
			o.Handler().ServeHTTP(brokenConn{httptest.NewRecorder()}, r)
		}()
	}
	if n := strings.Count(log.String(), errBroken.Error()); n != 3 {
		t.Errorf("the log names the error %d times, want 3:\n%s", n, log.String())
	}
	wantSeries(t, scrape(t, o), "a 1")
}
