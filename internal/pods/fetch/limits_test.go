package fetch_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
)

func encoded(encoding, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = io.WriteString(w, body)
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	line := []byte(exposition(100 << 10))
	for r.Context().Err() == nil {
		if _, err := w.Write(line); err != nil {
			return
		}
	}
}

func TestBodyLimit(t *testing.T) {
	const limit = 1 << 20
	fits := exposition(limit)[:limit]
	over := exposition(limit + 1)[:limit+1]
	for _, v := range []struct {
		name    string
		handler http.HandlerFunc
		request int64 // Request.BodyLimit
		size    int   // 0: refused
	}{
		{name: "just fits", handler: encoded("", fits), size: limit},
		{name: "one more", handler: encoded("", over)},
		{name: "endless", handler: endless},
		{name: "length", handler: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1048577") }},
		{name: "gzip fits", handler: encoded("gzip", gzipOf(fits)), size: limit},
		{name: "gzip one more", handler: encoded("gzip", gzipOf(over))},
		{name: "zstd fits", handler: encoded("zstd", zstdOf(fits)), size: limit},
		{name: "zstd one more", handler: encoded("zstd", zstdOf(over))},
		{name: "zstd block one more", handler: encoded("zstd", zstdBlock(over))},
		{name: "lowered", handler: encoded("", fits), request: limit - 1},
		{name: "never raised", handler: encoded("", over), request: 2 * limit},
		{name: "lowered to little", handler: encoded("", "0123456789"), request: 9},
		{name: "small", handler: encoded("", "0123456789"), request: 10, size: 10},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := newClient(t, fetch.Options{BodyLimit: limit})
			r := serve(t, "127.0.0.1", v.handler).request("/")
			r.BodyLimit = v.request
			for _, hint := range []int{0, limit, limit + 1} {
				r.SizeHint = hint
				b, err := get(t, c, r)
				switch {
				case v.size == 0 && (err == nil || err.Reason != fetch.ReasonBodySize):
					t.Errorf("hint %d: got %v, want it refused", hint, err)
				case v.size > 0 && err != nil:
					t.Errorf("hint %d: %v", hint, err)
				case v.size > 0 && len(b.Bytes) != v.size:
					t.Errorf("hint %d: %d bytes, want %d", hint, len(b.Bytes), v.size)
				}
				b.Release()
			}
		})
	}
}

func TestWireLimit(t *testing.T) {
	var noise strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&noise, "%x\n", i*i*7919)
	}
	body := gzipOf(noise.String())
	p := serve(t, "127.0.0.1", encoded("gzip", body))
	for _, limit := range []int64{int64(len(body)), int64(len(body)) - 1} {
		b, err := get(t, newClient(t, fetch.Options{WireLimit: limit}), p.request("/"))
		if fits := limit == int64(len(body)); fits != (err == nil) || !fits && err.Reason != fetch.ReasonBodySize {
			t.Errorf("%d bytes with a limit of %d: %v", len(body), limit, err)
		}
		b.Release()
	}
}

func zeros(t *testing.T, size int, w io.WriteCloser) {
	t.Helper()
	chunk := make([]byte, 1<<20)
	for range size / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// 31 KiB on the wire, 32 MiB of body: cut by the ratio, long before the limit.
func TestBombs(t *testing.T) {
	var gz, zs, window bytes.Buffer
	zeros(t, 32<<20, gzip.NewWriter(&gz))
	w, err := zstd.NewWriter(&zs, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	zeros(t, 32<<20, w)
	if w, err = zstd.NewWriter(&window, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1)); err != nil {
		t.Fatal(err)
	}
	zeros(t, 1<<20, w)
	for name, h := range map[string]http.HandlerFunc{
		"gzip":           encoded("gzip", gz.String()),
		"gzip that lies": encoded("gzip", gz.String()[:gz.Len()-4]+"\x00\x01\x00\x00"),
		"zstd":           encoded("zstd", zs.String()),
		"zstd window":    encoded("zstd", window.String()),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, fetch.Options{BodyLimit: 64 << 20})
			p := serve(t, "127.0.0.1", h)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, failed := get(t, c, p.request("/"))
			runtime.ReadMemStats(&after)
			if failed == nil || failed.Reason != fetch.ReasonBodySize {
				t.Errorf("got %v", failed)
			}
			// The decoder's own window may come on top.
			if total := after.TotalAlloc - before.TotalAlloc; total > 24<<20 {
				t.Errorf("allocated %d KiB", total>>10)
			}
		})
	}
}

// Bodies that are not released keep their memory; who finds none fails at its
// deadline, and gets it if some is released before.
func TestBudget(t *testing.T) {
	const size = 1 << 20
	body := exposition(size)[:size]
	p := serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.WriteString(w, body)
	})
	c := newClient(t, fetch.Options{BodyLimit: size, WireLimit: size, Budget: 4*size + 2*fetch.ChunkSize, PerHost: 8})
	var bodies []*fetch.Body
	for range 4 {
		b, err := get(t, c, p.request("/"))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	r := p.request("/")
	r.Timeout = 50 * time.Millisecond
	if _, err := get(t, c, r); err == nil || err.Reason != fetch.ReasonBudget {
		t.Errorf("got %v", err)
	}
	got := make(chan error)
	go func() {
		b, err := c.Get(t.Context(), p.request("/"))
		b.Release()
		got <- err
	}()
	wait(t, "the next body to begin", func() bool { return c.Stats().Held > 4*size })
	for i, b := range bodies {
		if string(b.Bytes) != body {
			t.Errorf("body %d has changed", i)
		}
		b.Release()
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// Pods that promise much and send little hold little, and do not keep others
// from being served, be they many more than may be asked at once.
func TestThousandSlowPods(t *testing.T) {
	const slow = 200
	stop := make(chan struct{})
	hang := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(16<<20))
		_, _ = io.WriteString(w, exposition(1000))
		w.(http.Flusher).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	healthy := serve(t, "127.0.0.2", encoded("", exposition(1<<20)))
	c := newClient(t, fetch.Options{Concurrency: 16, PerHost: slow, SlowAfter: 5 * time.Millisecond, Budget: 64 << 20})
	done := make(chan error, slow)
	for range slow {
		go func() {
			b, err := c.Get(t.Context(), hang.request("/"))
			b.Release()
			done <- err
		}()
	}
	wait(t, "all slow pods to be asked", func() bool { return c.Stats().InFlight == slow })
	wait(t, "what they send", func() bool { return c.Stats().Held == slow*fetch.ChunkSize })
	b, err := get(t, c, healthy.request("/"))
	if err != nil {
		t.Error(err)
	}
	b.Release()
	close(stop)
	for range slow {
		if err := <-done; err == nil {
			t.Error("a short body was taken")
		}
	}
}

// Whatever comes, in whatever order, is given back.
func TestEverythingIsGivenBack(t *testing.T) {
	body := exposition(300 << 10)
	answers := []string{
		raw(fmt.Sprintf("Content-Length: %d", len(body)), body),
		raw("Connection: close", body),
		raw("Connection: close\r\nContent-Encoding: gzip", gzipOf(body)),
		raw("Connection: close\r\nContent-Encoding: zstd", zstdOf(body)),
		raw("Connection: close\r\nContent-Encoding: gzip", gzipOf(body)[:5000]),
		raw(fmt.Sprintf("Content-Length: %d", 2*len(body)), body),
		raw("Connection: close", strings.Repeat(body, 4)),
		raw("Content-Length: 0", ""),
		"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
		"",
	}
	p := broken(t, func(number int, conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, answers[number%len(answers)])
	})
	c := newClient(t, fetch.Options{BodyLimit: 1 << 20, WireLimit: 1 << 20, Budget: 4 << 20, PerHost: 4})
	results := make(chan *fetch.Body)
	const workers, rounds = 4, 25
	for w := range workers {
		go func() {
			for i := range rounds {
				r := p.request("/")
				r.SizeHint = []int{0, 1000, len(body), 4 * len(body)}[(i+w)%4]
				b, _ := c.Get(t.Context(), r)
				results <- b
			}
		}()
	}
	bodies := 0
	for range workers * rounds {
		b := <-results
		if b != nil {
			bodies++
		}
		b.Release()
	}
	if bodies < workers*rounds/4 {
		t.Errorf("only %d bodies", bodies)
	}
	if s := c.Stats(); s.Held != 0 || s.Held+s.Idle > s.Budget {
		t.Errorf("got %+v", s)
	}
}

// Bodies of the same size use the same memory, until nobody needs it.
func TestMemoryIsUsedAgain(t *testing.T) {
	p := serve(t, "127.0.0.1", encoded("", exposition(1<<20)))
	c := newClient(t, fetch.Options{})
	r := p.request("/")
	for round := range 5 {
		c.Generation()
		b, err := get(t, c, r)
		if err != nil {
			t.Fatal(err)
		}
		r.SizeHint = len(b.Bytes)
		b.Release()
		if s := c.Stats(); s.Idle > 3<<20 {
			t.Errorf("round %d: %d bytes are idle", round, s.Idle)
		}
	}
	c.Generation()
	if c.Stats().Idle == 0 {
		t.Error("the memory of the last round was not kept")
	}
	c.Generation()
	if idle := c.Stats().Idle; idle != 0 {
		t.Errorf("%d bytes were kept for nothing", idle)
	}
}
