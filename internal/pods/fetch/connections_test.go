package fetch_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
)

// Any number of pods keeps its connections.
func TestConnectionsAreKept(t *testing.T) {
	const pods, rounds = 300, 10
	all := make([]*pod, pods)
	for i := range all {
		all[i] = serve(t, fmt.Sprintf("127.0.%d.%d", 1+i/200, 1+i%200), encoded("", secret))
	}
	c := newClient(t, fetch.Options{})
	for range rounds {
		var wg sync.WaitGroup
		for _, p := range all {
			wg.Go(func() {
				b, err := c.Get(t.Context(), p.request("/metrics"))
				if err != nil {
					t.Error(err)
				}
				b.Release()
			})
		}
		wg.Wait()
	}
	// net/http gives a connection up if the goroutine that wrote the request does
	// not get to say so for 50 ms, which happens on a busy machine.
	if n := c.Stats().Connections; n < pods || n > pods+pods/50 {
		t.Errorf("%d connections for %d pods, %d times each", n, pods, rounds)
	}
}

// counting answers when it is told to, and knows how many wait.
type counting struct {
	now, most atomic.Int64
	answer    chan struct{}
}

func (s *counting) ServeHTTP(_ http.ResponseWriter, _ *http.Request) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	<-s.answer
}

func TestConcurrency(t *testing.T) {
	for _, v := range []struct {
		name string
		o    fetch.Options
		want int64
	}{
		{"in all", fetch.Options{Concurrency: 5, PerHost: 100, SlowAfter: -1}, 5},
		{"per host", fetch.Options{}, 2},
		{"slow ones", fetch.Options{Concurrency: 2, InFlight: 7, PerHost: 100, SlowAfter: time.Millisecond}, 7},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := &counting{answer: make(chan struct{})}
			p := serve(t, "127.0.0.1", s.ServeHTTP)
			c := newClient(t, v.o)
			const requests = 40
			var wg sync.WaitGroup
			for range requests {
				wg.Go(func() {
					b, err := c.Get(t.Context(), p.request("/"))
					if err != nil {
						t.Error(err)
					}
					b.Release()
				})
			}
			wait(t, "as many requests as may be", func() bool {
				got := c.Stats()
				return s.now.Load() == v.want && got.Waiting == requests-int(v.want)
			})
			r := p.request("/")
			r.Timeout = 10 * time.Millisecond
			if _, err := get(t, c, r); err == nil || err.Reason != fetch.ReasonTimeout {
				t.Errorf("one more: %v", err)
			}
			close(s.answer)
			wg.Wait()
			if n := s.most.Load(); n != v.want {
				t.Errorf("%d requests at once, want %d", n, v.want)
			}
		})
	}
}

func serveTLS(t *testing.T, h http.HandlerFunc) (*pod, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &pod{addr: netip.MustParseAddrPort(s.Listener.Addr().String())}, &tls.Config{RootCAs: roots}
}

func TestTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, config := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	c := newClient(t, fetch.Options{})
	r := p.request("/")
	r.Scheme = "https"
	r.Auth = &fetch.Auth{TLS: config, Token: fetch.TokenFile(file)}
	for range 3 {
		c.Generation()
		b, err := get(t, c, r)
		if err != nil {
			t.Fatal(err)
		}
		if string(b.Bytes) != "Bearer abc" {
			t.Errorf("the pod got %q", b.Bytes)
		}
		b.Release()
	}
	if n := c.Stats().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
	r.Auth = &fetch.Auth{TLS: config.Clone()}
	b, err := get(t, c, r)
	if err != nil || len(b.Bytes) > 0 {
		t.Errorf("without a token: body %v, error %v", b, err)
	}
	b.Release()
	if n := c.Stats().Connections; n != 2 {
		t.Errorf("%d connections, want one for each configuration", n)
	}
	for range 3 {
		c.Generation() // forgets both
	}
}

func TestTLSFails(t *testing.T) {
	c := newClient(t, fetch.Options{})
	secure, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {})
	plain := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) {})
	for name, p := range map[string]*pod{"unknown authority": secure, "no TLS": plain} {
		r := p.request("/")
		r.Scheme = "https"
		if _, err := get(t, c, r); err == nil || err.Reason != fetch.ReasonTLS {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Two proxies that scrape each other: the second refuses.
func TestLoop(t *testing.T) {
	c := newClient(t, fetch.Options{Hop: "a", PerHost: 10})
	var asked atomic.Int64
	var self *pod
	self = serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get(fetch.HopHeader) != "" {
			w.WriteHeader(http.StatusLoopDetected)
			return
		}
		b, err := c.Get(r.Context(), self.request("/"))
		if err == nil {
			b.Release()
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	})
	if _, err := get(t, c, self.request("/")); err == nil || err.Reason != fetch.ReasonLoop {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]fetch.Options{
		"negative":     {BodyLimit: -1},
		"too large":    {BodyLimit: 3 << 30, Budget: 1 << 40},
		"small budget": {Budget: 1 << 20},
		"in flight":    {Concurrency: 10, InFlight: 5},
		"hop":          {Hop: "a, b"},
		"agent":        {UserAgent: "a\nb"},
	} {
		if _, err := fetch.New(o); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Log(err)
		}
	}
}
