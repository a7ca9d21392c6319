package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
)

const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newClient makes a client and checks, when the test is over, that it holds
// nothing.
func newClient(t testing.TB, o fetch.Options) *fetch.Client {
	t.Helper()
	c, err := fetch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s := c.Stats(); s.Held != 0 || s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("in the end the client still has %+v", s)
		}
		c.Close()
		if s := c.Stats(); s.Idle != 0 {
			t.Errorf("closed, the client still keeps %d bytes", s.Idle)
		}
	})
	return c
}

// pod is a server on an address of its own.
type pod struct {
	addr        netip.AddrPort
	connections atomic.Int64
}

func (p *pod) request(path string) fetch.Request {
	return fetch.Request{IP: p.addr.Addr(), Port: p.addr.Port(), Path: path}
}

// serve starts a real HTTP server.
func serve(t testing.TB, ip string, h http.HandlerFunc) *pod {
	t.Helper()
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{addr: netip.MustParseAddrPort(l.Addr().String())}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return p
}

// broken starts a server that answers each connection with whatever the function
// writes, and closes it then.
func broken(t testing.TB, answer func(number int, conn net.Conn)) *pod {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{addr: netip.MustParseAddrPort(l.Addr().String())}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			number := int(p.connections.Add(1))
			stop := context.AfterFunc(t.Context(), func() { conn.Close() })
			all.Go(func() {
				defer stop()
				defer conn.Close()
				answer(number, conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return p
}

// readRequest reads the header of one request.
func readRequest(conn net.Conn) string {
	var b strings.Builder
	buf := make([]byte, 1)
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		if _, err := io.ReadFull(conn, buf); err != nil {
			break
		}
		b.Write(buf)
	}
	return b.String()
}

func get(t testing.TB, c *fetch.Client, r fetch.Request) (*fetch.Body, *fetch.Error) {
	t.Helper()
	return getIn(t, t.Context(), c, r)
}

func getIn(t testing.TB, ctx context.Context, c *fetch.Client, r fetch.Request) (*fetch.Body, *fetch.Error) {
	t.Helper()
	b, err := c.Get(ctx, r)
	if err == nil {
		return b, nil
	}
	if b != nil {
		t.Errorf("a body together with the error %v", err)
	}
	var e *fetch.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is a %T", err, err)
	}
	if strings.Contains(e.Error(), secret) || strings.ContainsAny(e.Error(), "\n\r\x00") {
		t.Errorf("the error's text has what the pod sent: %q", e)
	}
	return nil, e
}

// secret is what bodies have and errors must not.
const secret = "s3cret_body"

// exposition is a body of about that size.
func exposition(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%s_total{code=\"200\",handler=\"/api/v1/%d\"} %d\n", secret, i, i*i%977)
	}
	return b.String()
}

// wait polls until a condition holds.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}
