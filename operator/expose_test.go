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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
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

// TestExposeSeveralPaths: each has its own encoder, and they share the rest.
func TestExposeSeveralPaths(t *testing.T) {
	o := plain()
	o.Expose("/also", exposition.Prometheus{})
	o.Expose("/text", exposition.Prometheus{Formats: []exposition.Format{exposition.Text}})
	o.Expose("/metrics.json", exposition.JSON{})
	o.Expose("/any", anyEncoder{})
	o.Collect("c", emits(histogram("b.c", 2, "k.v", "x"), gauge("a", 1)))
	const (
		dotted = "# TYPE a gauge\na 1\n" + `# TYPE "b.c" histogram
{"b.c_bucket","k.v"="x",le="1"} 1
{"b.c_bucket","k.v"="x",le="5"} 2
{"b.c_bucket","k.v"="x",le="+Inf"} 2
{"b.c_sum","k.v"="x"} 4
{"b.c_count","k.v"="x"} 2
`
		escaped = "# TYPE a gauge\na 1\n" + `# TYPE b_c histogram
b_c_bucket{k_v="x",le="1"} 1
b_c_bucket{k_v="x",le="5"} 2
b_c_bucket{k_v="x",le="+Inf"} 2
b_c_sum{k_v="x"} 4
b_c_count{k_v="x"} 2
`
		openMetrics = "# TYPE a gauge\na 1\n" + `# TYPE b_c histogram
b_c_bucket{k_v="x",le="1.0"} 1
b_c_bucket{k_v="x",le="5.0"} 2
b_c_bucket{k_v="x",le="+Inf"} 2
b_c_sum{k_v="x"} 4
b_c_count{k_v="x"} 2
# EOF
`
		asJSON = `[{"name":"a","type":"gauge","samples":[{"labels":{},"value":1}]},
{"name":"b.c","type":"histogram","samples":[{"labels":{"k.v":"x"},"count":2,"sum":4,"buckets":[{"upperBound":1,"count":1},{"upperBound":5,"count":2}]}]}]
`
	)
	f := func(path, accept, contentType, want string) {
		t.Helper()
		w := get(o, path, "Accept", accept)
		if got := w.Result().Header.Get("Content-Type"); w.Code != http.StatusOK || got != contentType || w.Body.String() != want {
			t.Errorf("%s for %q gives %d, %s\n%swant %s\n%s", path, accept, w.Code, got, w.Body, contentType, want)
		}
		if head := do(t.Context(), o, http.MethodHead, path, "Accept", accept); head.Code != http.StatusOK || head.Body.Len() != 0 ||
			head.Result().Header.Get("Content-Type") != contentType {
			t.Errorf("HEAD %s for %q gives %d, %v and %d bytes", path, accept, head.Code, head.Result().Header, head.Body.Len())
		}
		zipped := get(o, path, "Accept", accept, "Accept-Encoding", "gzip")
		z, err := gzip.NewReader(zipped.Body)
		if err != nil || zipped.Result().Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s, compressed: %v, %v", path, zipped.Result().Header, err)
		}
		if got, err := io.ReadAll(z); err != nil || string(got) != want {
			t.Errorf("%s, compressed: %q, %v", path, got, err)
		}
	}
	for range 2 {
		f("/metrics", "", "text/plain; version=0.0.4; charset=utf-8", escaped)
		f("/also", formats["OpenMetrics"], "application/openmetrics-text; version=1.0.0; charset=utf-8", openMetrics)
		f("/text", formats["OpenMetrics"], "text/plain; version=0.0.4; charset=utf-8", escaped)
		f("/text", "text/plain;escaping=allow-utf-8", "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8", dotted)
		f("/metrics.json", "text/plain", "application/json", asJSON)
		f("/any", "anything", "text/x-any; of=anything", dotted)
	}
}

// TestExposeNames: whoever wants few families need not take all.
func TestExposeNames(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Expose("/metrics.json", exposition.JSON{})
	o.Collect("c", emits(gauge("a", 1), gauge("b", 2), histogram("h", 1), gauge("c.d", 3)))
	o.AddPart("p", renders("p", "q"))
	f := func(query string, accept string, want ...string) {
		t.Helper()
		w := get(o, "/metrics?"+query, "Accept", accept)
		var got []string
		for line := range strings.Lines(w.Body.String()) {
			if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
				got = append(got, strings.Fields(name)[0])
			}
		}
		if w.Code != http.StatusOK || !slices.Equal(got, want) {
			t.Errorf("%s gives %d and %q, want 200 and %q", query, w.Code, got, want)
		}
	}
	f("name[]=b", "", "b")
	f("name[]=q&name[]=a&name[]=a", "", "a", "q")
	f("name%5B%5D=h", "", "h")
	f("name[]=operator_collector_up", "", "operator_collector_up")
	f("name[]=nothing", "")
	f("name[]=", "")
	f("name[]=c_d", "", "c_d") // as the scraper is told
	f("name[]=c.d", "text/plain;escaping=allow-utf-8", `"c.d"`)
	if got := get(o, "/metrics?name[]=a", "Accept", formats["OpenMetrics"]).Body.String(); got != "# TYPE a gauge\na 1\n# EOF\n" {
		t.Errorf("OpenMetrics: %q", got)
	}
	if got := get(o, "/metrics.json?name[]=a&name[]=p").Body.String(); strings.Count(got, `"name"`) != 2 {
		t.Errorf("JSON: %s", got)
	}
	if got := get(o, "/metrics.json?name[]=nothing").Body.String(); got != "[]\n" {
		t.Errorf("JSON of nothing: %q", got)
	}
	wantLines(t, scrape(t, o), "a 1", "b 2", "p 1", "q 1") // nothing is left out for others
}

// TestStrict: who asks for it is told by the status, and by nothing else.
func TestStrict(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Expose("/strict", exposition.Prometheus{}, operator.Strict())
	o.Expose("/metrics.json", exposition.JSON{})
	fail := false
	o.Collect("good", emits(gauge("a", 1)))
	o.Collect("bad", func(context.Context, func(operator.Metric)) error {
		if fail {
			return errors.New("no luck")
		}
		return nil
	})
	o.Collect("panics", func(context.Context, func(operator.Metric)) error {
		if fail {
			panic("at the disco")
		}
		return nil
	})
	o.AddPart("part", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		if fail {
			return []exposition.Rendered{rendered("p", "p 1\n")}, errors.New("half")
		}
		return []exposition.Rendered{rendered("p", "p 1\n")}, nil
	}})
	f := func(path string, strict bool) {
		t.Helper()
		fail = false
		if w := get(o, path); w.Code != http.StatusOK {
			t.Errorf("%s gives %d when all is well", path, w.Code)
		}
		fail = true
		w := get(o, path)
		if !strict {
			if w.Code != http.StatusOK {
				t.Errorf("%s gives %d, want 200", path, w.Code)
			}
			return
		}
		want := "collector \"bad\": no luck\ncollector \"panics\": panic: at the disco\ncollector \"part\": half\n"
		if w.Code != http.StatusInternalServerError || w.Body.String() != want {
			t.Errorf("%s gives %d\n%s\nwant 500\n%s", path, w.Code, w.Body, want)
		}
		if h := w.Result().Header; !strings.HasPrefix(h.Get("Content-Type"), "text/plain") || h.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	f("/metrics", false)
	f("/metrics?strict=0", false)
	f("/metrics?strict=1", true)
	f("/metrics?name[]=a&strict=1", true)
	f("/metrics.json?strict=1", true)
	f("/metrics.json", false)
	f("/strict", true)
	f("/strict?strict=0", true) // it is not for a scraper to lift
}

// failingEncoder fails after its first bytes.
type failingEncoder struct{ anyEncoder }

func (failingEncoder) Encode(w io.Writer, _ string, _ []metric.Family) error {
	_, _ = io.WriteString(w, "half")
	return errBroken
}

// TestEncoderFails: what is not whole must not look so.
func TestEncoderFails(t *testing.T) {
	noLeaks(t, 0)
	var log bytes.Buffer
	o := newOperator(operator.Options{MaxScrapes: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	o.Expose("/fails", failingEncoder{})
	server := httptest.NewServer(o.Handler())
	defer server.Close()
	c := client(t)
	for range 2 {
		resp, err := c.Get(server.URL + "/fails") // with gzip
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				t.Errorf("the response ends well: %q", body)
			}
		}
	}
	if code, _ := fetch(t, c, server.URL+"/metrics"); code != 200 {
		t.Errorf("/metrics gives %d: no slot was given back", code)
	}
	server.Close() // waits for the handlers
	if n := strings.Count(log.String(), errBroken.Error()); n < 2 {
		t.Errorf("the log names the error %d times, want it for each scrape:\n%s", n, log.String())
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

// deadlined notes until when a response may be written.
type deadlined struct {
	*httptest.ResponseRecorder
	at time.Time
}

func (d *deadlined) SetWriteDeadline(at time.Time) error {
	d.at = at
	return nil
}

// TestWriteDeadline: who asks and does not read holds up no more than one scrape,
// and that for a while only.
func TestWriteDeadline(t *testing.T) {
	f := func(name string, opts operator.Options, header string, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(opts)
			o.Collect("c", func(context.Context, func(operator.Metric)) error {
				time.Sleep(50 * time.Millisecond) // it counts from the request
				return nil
			})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
			r.Header.Set(timeoutHeader, header)
			w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
			start := time.Now()
			o.Handler().ServeHTTP(w, r)
			if got := w.at.Sub(start); got != want+10*time.Second {
				t.Errorf("%s: it may be written for %s, want %s and ten seconds", name, got, want)
			}
		})
	}
	const s, ms = time.Second, time.Millisecond
	f("default", operator.Options{}, "", 9500*ms)
	f("option", operator.Options{ScrapeTimeout: 5 * s}, "", 4500*ms)
	f("header", operator.Options{}, "2", 1800*ms)
	f("header of hours", operator.Options{}, "7200", 119500*ms)
	f("header above a longer option", operator.Options{ScrapeTimeout: 300 * s}, "7200", 299500*ms)
}

// anyEncoder writes text, as an encoder that this package does not know.
type anyEncoder struct{}

func (anyEncoder) ContentType(accept string) string { return "text/x-any; of=" + accept }

func (anyEncoder) Encode(w io.Writer, contentType string, families []metric.Family) error {
	return exposition.Prometheus{}.Encode(w, exposition.Text.ContentType(exposition.AllowUTF8), families)
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
