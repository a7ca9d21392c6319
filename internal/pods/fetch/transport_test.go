package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Only the address of the request is dialled, whatever the URL has become.
func TestDialRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := netip.MustParseAddrPort(l.Addr().String())
	tr := &transports{dialTimeout: time.Second, all: make(map[*tls.Config]*transport)}
	for _, v := range []struct {
		name   string
		target any
		addr   string
		ok     bool
	}{
		{"the target", addr, addr.String(), true},
		{"no target", nil, addr.String(), false},
		{"another host", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), addr.Port()), addr.String(), false},
		{"another port", netip.AddrPortFrom(addr.Addr(), 1), addr.String(), false},
		{"a name", addr, "localhost:80", false},
	} {
		ctx := context.WithValue(t.Context(), targetKey{}, v.target)
		conn, err := tr.dial(ctx, "tcp", v.addr)
		if (err == nil) != v.ok {
			t.Errorf("%s: %v", v.name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if n := tr.dialled.Load(); n != 1 {
		t.Errorf("%d dialled", n)
	}
}

// What is not used any more, and not in flight, is forgotten.
func TestTransportsAge(t *testing.T) {
	tr := &transports{all: make(map[*tls.Config]*transport)}
	used, unused := new(tls.Config), new(tls.Config)
	for _, c := range []*tls.Config{nil, used, unused} {
		if _, err := tr.get(c); err != nil {
			t.Fatal(err)
		}
	}
	tr.age()
	if _, err := tr.get(used); err != nil {
		t.Fatal(err)
	}
	tr.age()
	if tr.all[nil] == nil || tr.all[used] == nil || tr.all[unused] != nil {
		t.Errorf("kept %v", tr.all)
	}
}
