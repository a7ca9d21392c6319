package fetch_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
)

func gzipOf(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func zstdOf(s string, opts ...zstd.EOption) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, append(opts, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func zstdBlock(s string) string {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return string(w.EncodeAll([]byte(s), nil))
}

func TestBodies(t *testing.T) {
	c := newClient(t, fetch.Options{Compression: true})
	for _, size := range []int{0, 1, 4095, 4096, 4097, fetch.ChunkSize - 1, fetch.ChunkSize, fetch.ChunkSize + 1, 128 << 10, 1 << 20, 3<<20 + 7} {
		body := exposition(size)[:size]
		for _, v := range []struct {
			name, encoding, wire string
			length               bool
		}{
			{"identity", "", body, true},
			{"identity chunked", "", body, false},
			{"gzip", "gzip", gzipOf(body), true},
			{"gzip chunked", "X-GZIP", gzipOf(body), false},
			{"two gzip members", "gzip", gzipOf(body) + gzipOf(""), false},
			{"zstd", "zstd", zstdBlock(body), true},
			{"zstd stream", "zstd", zstdOf(body), false},
		} {
			if v.encoding == "zstd" && size == 0 {
				continue // encodes to nothing
			}
			t.Run(fmt.Sprintf("%s %d", v.name, size), func(t *testing.T) {
				p := serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/plain; version=0.0.4")
					if v.encoding != "" {
						w.Header().Set("Content-Encoding", v.encoding)
					}
					if v.length {
						w.Header().Set("Content-Length", strconv.Itoa(len(v.wire)))
					}
					w.WriteHeader(http.StatusOK)
					w.(http.Flusher).Flush()
					_, _ = io.WriteString(w, v.wire)
				})
				for _, hint := range []int{0, 1, size / 2, size, 2 * size, math.MaxInt} {
					r := p.request("/metrics")
					r.SizeHint = hint
					b, err := get(t, c, r)
					if err != nil {
						t.Fatalf("hint %d: %v", hint, err)
					}
					if string(b.Bytes) != body || b.Wire != int64(len(v.wire)) || b.Status != 200 || b.ContentType != "text/plain; version=0.0.4" {
						t.Errorf("hint %d: got %d bytes (wire %d, status %d, type %q), want %d (wire %d)",
							hint, len(b.Bytes), b.Wire, b.Status, b.ContentType, len(body), len(v.wire))
					}
					if held := c.Stats().Held; held > int64(2*size+8192) {
						t.Errorf("hint %d: %d bytes are held for %d", hint, held, size)
					}
					b.Release()
					b.Release()
				}
				if n := p.connections.Load(); n != 1 {
					t.Errorf("%d connections, want 1", n)
				}
			})
		}
	}
	var none *fetch.Body
	none.Release()
}

func TestRequestHeader(t *testing.T) {
	var got http.Header
	var uri string
	p := serve(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) { got, uri = r.Header.Clone(), r.RequestURI })
	c := newClient(t, fetch.Options{Hop: "proxy/b", UserAgent: "test/1", Compression: true})
	r := p.request("//a%2Fb/../x?collect[]=a&m=%20#fragment")
	r.Accept = "text/plain"
	r.Timeout = time.Hour
	r.Auth = &fetch.Auth{Token: func() (string, error) { return "token", nil }}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	b, err := getIn(t, ctx, c, r)
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	if want := "//a%2Fb/../x?collect[]=a&m=%20"; uri != want {
		t.Errorf("asked for %q, want %q", uri, want)
	}
	seconds, bad := strconv.ParseFloat(got.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if bad != nil || seconds > 5 || seconds < 4 {
		t.Errorf("timeout header %q", got.Get("X-Prometheus-Scrape-Timeout-Seconds"))
	}
	got.Del("X-Prometheus-Scrape-Timeout-Seconds")
	want := http.Header{
		"Accept": {"text/plain"}, "Accept-Encoding": {"zstd, gzip;q=0.9"}, "User-Agent": {"test/1"},
		"X-Metrics-Fanout-Hop": {"proxy/b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header, a token over http included? (-want +got):\n%s", diff)
	}
}

// raw is an answer with a body, a secret in it.
func raw(header, body string) string { return "HTTP/1.1 200 OK\r\n" + header + "\r\n\r\n" + body }

func TestBrokenAnswers(t *testing.T) {
	zipped := gzipOf(exposition(100 << 10))
	badCRC := zipped[:len(zipped)-8] + "\x00\x00\x00\x00" + zipped[len(zipped)-4:]
	zs := zstdOf(exposition(100 << 10))
	for _, v := range []struct{ name, answer, reason string }{
		{"nothing", "", fetch.ReasonRead},
		{"no HTTP", secret + "\n", fetch.ReasonHeader},
		{"bad header line", "HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n", fetch.ReasonHeader},
		{"header cut", "HTTP/1.1 200 OK\r\nContent-Type: te", fetch.ReasonRead},
		{"header bomb", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 70<<10) + "\r\n\r\n", fetch.ReasonHeader},
		{"many headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20<<10) + "\r\n", fetch.ReasonHeader},
		{"two lengths", raw("Content-Length: 3\r\nContent-Length: 4", "abcd"), fetch.ReasonHeader},
		{"unknown transfer", raw("Transfer-Encoding: secret", ""), fetch.ReasonHeader},
		{"short body", raw("Content-Length: 100", secret), fetch.ReasonRead},
		{"chunks cut", raw("Transfer-Encoding: chunked", "5\r\nhello\r\n"), fetch.ReasonRead},
		{"chunks malformed", raw("Transfer-Encoding: chunked", secret+"\r\n"), fetch.ReasonRead},
		{"gzip truncated", raw("Content-Encoding: gzip\r\nConnection: close", zipped[:len(zipped)/2]), fetch.ReasonRead},
		{"gzip without trailer", raw("Content-Encoding: gzip\r\nConnection: close", zipped[:len(zipped)-8]), fetch.ReasonRead},
		{"gzip of nothing", raw("Content-Encoding: gzip\r\nContent-Length: 0", ""), fetch.ReasonRead},
		{"gzip with bad checksum", raw("Content-Encoding: gzip\r\nConnection: close", badCRC), fetch.ReasonDecode},
		{"no gzip", raw("Content-Encoding: gzip\r\nConnection: close", exposition(100)), fetch.ReasonDecode},
		{"zstd truncated", raw("Content-Encoding: zstd\r\nConnection: close", zs[:len(zs)/2]), fetch.ReasonRead},
		{"no zstd", raw("Content-Encoding: zstd\r\nConnection: close", exposition(100)), fetch.ReasonDecode},
		{"brotli", raw("Content-Encoding: br\r\nConnection: close", secret), fetch.ReasonDecode},
		{"gzip twice", raw("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nConnection: close", zipped), fetch.ReasonDecode},
		{"HTML", raw("Content-Type: Text/HTML; charset=utf-8\r\nConnection: close", secret), fetch.ReasonContentType},
		{"JSON", raw("Content-Type: application/json\r\nConnection: close", secret), fetch.ReasonContentType},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", fetch.ReasonRedirect},
		{"status 304", "HTTP/1.1 304 Not Modified\r\n\r\n", fetch.ReasonRedirect},
		{"status 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "http_101"},
		{"status 508", "HTTP/1.1 508 Loop\r\nContent-Length: 0\r\n\r\n", fetch.ReasonLoop},
		{"status 999", "HTTP/1.1 999 " + secret + "\r\nContent-Length: 0\r\n\r\n", "http_999"},
		{"status 000", "HTTP/1.1 000 " + secret + "\r\nContent-Length: 0\r\n\r\n", "http_000"},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := newClient(t, fetch.Options{})
			p := broken(t, func(_ int, conn net.Conn) {
				readRequest(conn)
				_, _ = io.WriteString(conn, v.answer)
			})
			b, err := get(t, c, p.request("/metrics"))
			if err == nil {
				t.Fatalf("got a body: %.60q", b.Bytes)
			}
			if err.Reason != v.reason {
				t.Errorf("reason %q, want %q (%v)", err.Reason, v.reason, err)
			}
		})
	}
}

func TestAnyTypeTakesJSON(t *testing.T) {
	p := serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"now": 1}`)
	})
	r := p.request("/healthz")
	r.AnyType = true
	b, err := get(t, newClient(t, fetch.Options{}), r)
	if err != nil || string(b.Bytes) != `{"now": 1}` {
		t.Fatalf("got %v, error %v", b, err)
	}
	b.Release()
}

// A status that is no success costs no connection, unless its body is long.
func TestStatusKeepsConnection(t *testing.T) {
	for _, v := range []struct {
		status, size int
		reason       string
		connections  int64
	}{
		{401, 100, "http_401", 1},
		{403, 0, "http_403", 1},
		{404, 4096, "http_404", 1},
		{503, 4000, "http_503", 1},
		{302, 300, fetch.ReasonRedirect, 1},
		{500, 1 << 20, "http_500", 5},
	} {
		t.Run(strconv.Itoa(v.status), func(t *testing.T) {
			p := serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(v.status)
				_, _ = io.WriteString(w, exposition(v.size)[:v.size])
			})
			c := newClient(t, fetch.Options{})
			for range 5 {
				if _, err := get(t, c, p.request("/")); err == nil || err.Reason != v.reason || err.Status != v.status {
					t.Fatalf("got %+v, want reason %q", err, v.reason)
				}
			}
			if n := p.connections.Load(); n != v.connections {
				t.Errorf("%d connections, want %d", n, v.connections)
			}
		})
	}
}

func TestRedirectGoesNowhere(t *testing.T) {
	other := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) {})
	p := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+other.addr.String()+"/latest/meta-data", http.StatusFound)
	})
	_, err := get(t, newClient(t, fetch.Options{}), p.request("/metrics"))
	if err == nil || err.Reason != fetch.ReasonRedirect {
		t.Errorf("got %v", err)
	}
	if n := other.connections.Load(); n != 0 {
		t.Errorf("the redirect's target got %d connections", n)
	}
}

func TestEnvironmentsProxyIsNotUsed(t *testing.T) {
	proxy := serve(t, "127.0.0.2", func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://"+proxy.addr.String())
	}
	c := newClient(t, fetch.Options{DialTimeout: 50 * time.Millisecond})
	// Go never uses a proxy for loopback: the address is one that nobody has.
	r := fetch.Request{IP: netip.MustParseAddr("192.0.2.1"), Port: 80, Path: "/", Timeout: 100 * time.Millisecond}
	if _, err := get(t, c, r); err == nil {
		t.Error("somebody has answered for a reserved address")
	}
	if n := proxy.connections.Load(); n != 0 {
		t.Errorf("the proxy got %d connections", n)
	}
	if fetch.HasProxy(c) {
		t.Error("only dialling keeps requests from a proxy")
	}
}

func TestCookiesAreNotKept(t *testing.T) {
	p := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 {
			w.WriteHeader(http.StatusTeapot)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	c := newClient(t, fetch.Options{})
	for range 2 {
		b, err := get(t, c, p.request("/"))
		if err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
}

func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	_, failed := get(t, newClient(t, fetch.Options{}), fetch.Request{IP: addr.Addr(), Port: addr.Port(), Path: "/"})
	if failed == nil || failed.Reason != fetch.ReasonConnect || !errors.Is(failed, syscall.ECONNREFUSED) {
		t.Errorf("got %v", failed)
	}
}

func TestImpossibleRequests(t *testing.T) {
	c := newClient(t, fetch.Options{})
	local := netip.MustParseAddr("127.0.0.1")
	for name, r := range map[string]fetch.Request{
		"no address":    {Port: 1, Path: "/"},
		"unspecified":   {IP: netip.IPv6Unspecified(), Port: 1, Path: "/"},
		"mapped":        {IP: netip.MustParseAddr("::ffff:0.0.0.0"), Port: 1, Path: "/"},
		"multicast":     {IP: netip.MustParseAddr("224.0.0.1"), Port: 1, Path: "/"},
		"zone":          {IP: netip.MustParseAddr("fe80::1%lo"), Port: 1, Path: "/"},
		"no port":       {IP: local, Path: "/"},
		"no path":       {IP: local, Port: 1},
		"userinfo":      {IP: local, Port: 1, Path: "@127.0.0.2:80/"},
		"relative":      {IP: local, Port: 1, Path: "x"},
		"control":       {IP: local, Port: 1, Path: "/\r\nHost: x"},
		"blank":         {IP: local, Port: 1, Path: "/ HTTP/1.0"},
		"long":          {IP: local, Port: 1, Path: "/" + strings.Repeat("a", 4096)},
		"escape":        {IP: local, Port: 1, Path: "/%zz"},
		"scheme":        {IP: local, Port: 1, Path: "/", Scheme: "file"},
		"token":         {IP: local, Port: 1, Path: "/", Scheme: "https", Auth: &fetch.Auth{Token: func() (string, error) { return "a\r\nb", nil }}},
		"failing token": {IP: local, Port: 1, Path: "/", Scheme: "https", Auth: &fetch.Auth{Token: fetch.TokenFile("missing")}},
	} {
		if _, err := get(t, c, r); err == nil || err.Reason != fetch.ReasonRequest {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := c.Stats().Connections; n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	switch addresses, _ := os.ReadFile("/proc/net/if_inet6"); {
	case err == nil:
		l.Close()
	case bytes.Contains(addresses, []byte(strings.Repeat("0", 31)+"1 ")):
		t.Fatalf("there is IPv6 on loopback: %v", err)
	default:
		t.Skipf("needs IPv6 on loopback: %v", err)
	}
	p := serve(t, "[::1]", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	b, failed := get(t, newClient(t, fetch.Options{}), p.request("/"))
	if failed != nil {
		t.Fatal(failed)
	}
	if string(b.Bytes) != p.addr.String() {
		t.Errorf("host %q", b.Bytes)
	}
	b.Release()
}

// A connection that was kept, and is reset when it gets the next request, costs
// nothing but another connection.
func TestResetConnectionIsRetried(t *testing.T) {
	for _, how := range []string{"reset", "close"} {
		t.Run(how, func(t *testing.T) {
			p := broken(t, func(number int, conn net.Conn) {
				readRequest(conn)
				_, _ = io.WriteString(conn, raw("Content-Length: 2", "ok"))
				if number == 1 {
					_, _ = bufio.NewReader(conn).ReadByte() // of the second request
					if how == "reset" {
						_ = conn.(*net.TCPConn).SetLinger(0)
					}
				}
			})
			c := newClient(t, fetch.Options{})
			for range 2 {
				b, err := get(t, c, p.request("/"))
				if err != nil {
					t.Fatal(err)
				}
				b.Release()
			}
			if s := c.Stats(); s.Retries != 1 || s.Connections != 2 {
				t.Errorf("got %+v, want one retry over a second connection", s)
			}
		})
	}
}

// A connection that never gave anything is not tried again.
func TestNewConnectionIsNotRetried(t *testing.T) {
	p := broken(t, func(_ int, conn net.Conn) { readRequest(conn) })
	if _, err := get(t, newClient(t, fetch.Options{}), p.request("/")); err == nil || err.Reason != fetch.ReasonRead {
		t.Errorf("got %v", err)
	}
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestDeadlines(t *testing.T) {
	for name, answer := range map[string]string{
		"silence":     "",
		"slow header": "HTTP/1.1 200 OK\r\nA: ",
		"slow body":   raw("Content-Length: 1000000", secret),
		"slow chunks": raw("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
		"slow gzip":   raw("Content-Encoding: gzip\r\nContent-Length: 1000", gzipOf(secret)),
	} {
		t.Run(name, func(t *testing.T) {
			p := broken(t, func(_ int, conn net.Conn) {
				readRequest(conn)
				_, _ = io.WriteString(conn, answer)
				for { // drips until the client goes
					if _, err := conn.Write([]byte("a")); err != nil || len(answer) == 0 {
						break
					}
					time.Sleep(5 * time.Millisecond) // that is what drips
				}
				_, _ = io.Copy(io.Discard, conn)
			})
			r := p.request("/")
			r.Timeout = 100 * time.Millisecond
			if _, err := get(t, newClient(t, fetch.Options{}), r); err == nil || err.Reason != fetch.ReasonTimeout || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := serve(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := getIn(t, ctx, newClient(t, fetch.Options{}), p.request("/")); err == nil || err.Reason != fetch.ReasonTimeout || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestClosed(t *testing.T) {
	p := serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, secret) })
	c := newClient(t, fetch.Options{})
	b, err := get(t, c, p.request("/"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := get(t, c, p.request("/")); !errors.Is(err, fetch.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if string(b.Bytes) != secret {
		t.Errorf("a body of before has become %q", b.Bytes)
	}
	b.Release()
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(raw("Content-Length: 2", "ok")))
	f.Add([]byte(raw("Content-Encoding: gzip\r\nConnection: close", gzipOf(secret))))
	f.Add([]byte(raw("Content-Encoding: zstd\r\nConnection: close", zstdOf(secret))))
	f.Add([]byte(raw("Transfer-Encoding: chunked", "2\r\nok\r\n0\r\n\r\n")))
	window, _ := hex.DecodeString("28b52ffd0078")
	f.Add([]byte(raw("Content-Encoding: zstd\r\nConnection: close", string(window))))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := newClient(t, fetch.Options{BodyLimit: 1 << 20, WireLimit: 1 << 20, Budget: 4 << 20})
		p := broken(t, func(_ int, conn net.Conn) {
			readRequest(conn)
			_, _ = conn.Write(answer)
		})
		r := p.request("/")
		r.Timeout = time.Second
		b, err := c.Get(t.Context(), r)
		if err == nil && int64(len(b.Bytes)) > 1<<20 {
			t.Errorf("%d bytes", len(b.Bytes))
		}
		b.Release()
	})
}
