package podtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Pod is a server that stands for a pod. Its methods are safe for concurrent use.
type Pod struct {
	// Addr is where it serves.
	Addr netip.AddrPort

	server *http.Server

	mu          sync.Mutex
	handler     http.Handler // guarded by mu, as all below
	requests    int
	inFlight    int
	most        int
	connections int
	header      http.Header
	arrived     chan struct{} // closed and replaced by each request
}

// Start starts a pod at an address that no other pod of this process has. It ends
// with the test, and requests in flight with it.
func Start(t testing.TB, handler http.Handler) *Pod {
	t.Helper()
	return StartAt(t, netip.AddrPortFrom(NextIP(), 0), handler)
}

// StartAt starts a pod at an address. Port 0 is any free one.
func StartAt(t testing.TB, addr netip.AddrPort, handler http.Handler) *Pod {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pod{handler: handler, arrived: make(chan struct{})}
	p.server = &http.Server{
		Handler:     http.HandlerFunc(p.serve),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState:   p.count,
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
	if err != nil {
		cancel()
		t.Fatalf("starting a pod: %v", err)
	}
	p.Addr = netip.MustParseAddrPort(listener.Addr().String())
	var served sync.WaitGroup
	served.Go(func() { _ = p.server.Serve(listener) })
	t.Cleanup(func() {
		cancel()
		_ = p.server.Close()
		served.Wait()
	})
	return p
}

// ips counts the addresses that were given out. Test processes begin somewhere
// of their own, as they run side by side.
var ips = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(1 << 23))
	return &n
}()

// NextIP returns a loopback address that it has not returned before.
func NextIP() netip.Addr {
	n := ips.Add(1) % (250 << 16)
	return netip.AddrFrom4([4]byte{127, byte(2 + n>>16), byte(n >> 8), byte(n)})
}

func (p *Pod) count(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		p.mu.Lock()
		p.connections++
		p.mu.Unlock()
	}
}

func (p *Pod) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests++
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	p.header = maps.Clone(r.Header)
	handler := p.handler
	close(p.arrived)
	p.arrived = make(chan struct{})
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.inFlight--
		p.mu.Unlock()
	}()
	handler.ServeHTTP(w, r)
}

// Answer changes what the pod answers from now on.
func (p *Pod) Answer(handler http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = handler
}

// IP is the address without the port.
func (p *Pod) IP() string { return p.Addr.Addr().String() }

// Port is the port as annotations have it.
func (p *Pod) Port() string { return strconv.Itoa(int(p.Addr.Port())) }

// Requests returns how many requests came.
func (p *Pod) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// Connections returns how many connections were opened to the pod.
func (p *Pod) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

// MostAtOnce returns how many requests were under way at once, at most.
func (p *Pod) MostAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// Header returns the header of the last request.
func (p *Pod) Header() http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.header
}

// Wait waits until n requests have come.
func (p *Pod) Wait(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		came, arrived := p.requests, p.arrived
		p.mu.Unlock()
		if came >= n {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("waiting for request %d of %s: %w; %d came", n, p.Addr, ctx.Err(), came)
		}
	}
}
