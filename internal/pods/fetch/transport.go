package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// targetKey is the key under which a request's context has the only address
// that may be dialled for it.
type targetKey struct{}

// transports has one transport for each TLS configuration, so that a connection
// that was made as one client never serves another.
type transports struct {
	dialTimeout, idleTimeout time.Duration
	dialled                  atomic.Uint64

	mu         sync.Mutex
	all        map[*tls.Config]*transport
	generation uint64
	closed     bool
}

type transport struct {
	*http.Transport
	used uint64 // generation
}

// get gives the transport for a configuration, nil for none.
func (t *transports) get(c *tls.Config) (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	tr := t.all[c]
	if tr == nil {
		tr = &transport{Transport: t.make(c)}
		t.all[c] = tr
	}
	tr.used = t.generation
	return tr.Transport, nil
}

func (t *transports) make(c *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // never that of the environment
		DialContext:            t.dial,
		TLSClientConfig:        c.Clone(),
		TLSHandshakeTimeout:    t.dialTimeout,
		DisableCompression:     true, // bodies are inflated here, within limits
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        t.idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              protocols,
	}
}

// dial connects to the target in the context. Where the URL points must be the
// same, and so must be where the socket goes.
func (t *transports) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	target, ok := ctx.Value(targetKey{}).(netip.AddrPort)
	if asked, err := netip.ParseAddrPort(addr); !ok || err != nil || asked != target {
		return nil, fmt.Errorf("refusing to dial %s: the pod is at %s", quote(addr), target)
	}
	d := net.Dialer{
		Timeout: t.dialTimeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			if to, err := netip.ParseAddrPort(address); err != nil || to != target {
				return fmt.Errorf("refusing to connect to %s: the pod is at %s", quote(address), target)
			}
			return nil
		},
	}
	conn, err := d.DialContext(ctx, network, target.String())
	if err != nil {
		return nil, err
	}
	t.dialled.Add(1)
	return conn, nil
}

// age forgets transports that were not used in the two generations before.
func (t *transports) age() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation++
	for c, tr := range t.all {
		if c != nil && tr.used+2 <= t.generation {
			tr.CloseIdleConnections()
			delete(t.all, c)
		}
	}
}

// close closes what is idle and lets nobody in any more.
func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, tr := range t.all {
		tr.CloseIdleConnections()
	}
}

// settle is called after each request: what it leaves idle after close is
// closed too.
func (t *transports) settle() {
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		t.close()
	}
}

var errTarget = errors.New("not the address of a pod")

// checkTarget refuses what cannot be a pod. Which of the others may be asked is
// up to the caller.
func checkTarget(r *Request) (netip.AddrPort, error) {
	ip := r.IP.Unmap()
	if !ip.IsValid() || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() || r.Port == 0 {
		return netip.AddrPort{}, fmt.Errorf("%w: %s port %d", errTarget, ip, r.Port)
	}
	return netip.AddrPortFrom(ip, r.Port), nil
}
