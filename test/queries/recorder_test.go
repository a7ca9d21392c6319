package queries

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
)

// exposition is a response of kubevitals to a scrape, uncompressed.
type exposition struct {
	contentType string
	body        string
}

// samples returns the number of series that Prometheus makes of it.
func (e exposition) samples(t *testing.T) int {
	t.Helper()
	if strings.HasPrefix(e.contentType, "application/vnd.google.protobuf") {
		return e.messages(t)
	}
	n := 0
	for line := range strings.Lines(e.body) {
		if strings.TrimSpace(line) != "" && line[0] != '#' {
			n++
		}
	}
	return n
}

// messages counts in delimited protobuf messages what text would have as lines.
func (e exposition) messages(t *testing.T) int {
	t.Helper()
	n := 0
	for r := strings.NewReader(e.body); r.Len() > 0; {
		var f dto.MetricFamily
		if err := protodelim.UnmarshalFrom(r, &f); err != nil {
			t.Fatal(err)
		}
		for _, m := range f.GetMetric() {
			n++
			if s := m.GetSummary(); s != nil {
				n += len(s.GetQuantile()) + 1
			}
			if m.GetHistogram() != nil {
				t.Fatalf("%s is a histogram: count its series here", f.GetName())
			}
		}
	}
	return n
}

// recorder stands between Prometheus and kubevitals and keeps what the last
// scrape was answered, so that a test can compare it with what was stored.
type recorder struct {
	*httptest.Server

	mu   sync.Mutex
	last exposition // guarded by mu
}

// record starts a recorder in front of target until the test ends.
func record(t *testing.T, target string) *recorder {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	r.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(req *httputil.ProxyRequest) { req.SetURL(to) },
		ModifyResponse: r.keep,
	})
	t.Cleanup(r.Close)
	return r
}

// keep keeps a response and leaves it as it is.
func (r *recorder) keep(resp *http.Response) error {
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))

	plain := raw
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzip, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return fmt.Errorf("uncompressing the response: %w", err)
		}
		if plain, err = io.ReadAll(unzip); err != nil {
			return fmt.Errorf("uncompressing the response: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = exposition{contentType: resp.Header.Get("Content-Type"), body: string(plain)}
	return nil
}

// recorded returns the last exposition.
func (r *recorder) recorded() exposition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
