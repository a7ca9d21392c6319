package fetch

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"
)

// gate lets a number of requests through at once, the first come first. A
// request that takes long stops counting, as far as the larger limit allows.
type gate struct {
	limit, total int
	slowAfter    time.Duration // less than 0: never

	mu         sync.Mutex
	fast, slow int
	waiting    list.List
}

// pass is one request that was let through.
type pass struct {
	gate  *gate
	timer *time.Timer
	state passState // guarded by gate.mu
}

type passState uint8

const (
	passFast passState = iota
	passSlow
	passDone
)

// enter waits for its turn. The caller must call leave if there is no error.
func (g *gate) enter(ctx context.Context) (*pass, error) {
	g.mu.Lock()
	if g.waiting.Len() > 0 || !g.open() {
		if err := g.wait(ctx); err != nil {
			return nil, err
		}
	} else {
		g.fast++
		g.mu.Unlock()
	}
	p := &pass{gate: g}
	if g.slowAfter >= 0 {
		g.mu.Lock() // p.timer is read under it
		p.timer = time.AfterFunc(g.slowAfter, p.yield)
		g.mu.Unlock()
	}
	return p, nil
}

// wait is called with the lock and returns without it.
func (g *gate) wait(ctx context.Context) error {
	ready := make(chan struct{})
	at := g.waiting.PushBack(ready)
	g.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-ready: // both: the turn goes to the next
		g.fast--
		g.admit()
	default:
		g.waiting.Remove(at)
	}
	return ctx.Err()
}

func (g *gate) open() bool { return g.fast < g.limit && g.fast+g.slow < g.total }

// admit lets those through who wait, as far as there is room.
func (g *gate) admit() {
	for at := g.waiting.Front(); at != nil && g.open(); at = g.waiting.Front() {
		ready, _ := g.waiting.Remove(at).(chan struct{})
		g.fast++
		close(ready)
	}
}

// yield gives the turn to another.
func (p *pass) yield() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.state == passFast {
		p.state = passSlow
		g.fast--
		g.slow++
		g.admit()
	}
}

// leave ends the request.
func (p *pass) leave() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	switch p.state {
	case passFast:
		g.fast--
	case passSlow:
		g.slow--
	}
	p.state = passDone
	g.admit()
}

func (g *gate) counts() (fast, slow, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fast, g.slow, g.waiting.Len()
}

// hosts has a gate for each IP that is in use.
type hosts struct {
	limit int

	mu    sync.Mutex
	gates map[netip.Addr]*hostGate
}

type hostGate struct {
	gate
	users int // guarded by hosts.mu
}

// enter waits for the turn of this IP. The result must be called if there is no
// error.
func (h *hosts) enter(ctx context.Context, ip netip.Addr) (leave func(), err error) {
	h.mu.Lock()
	g := h.gates[ip]
	if g == nil {
		g = &hostGate{gate: gate{limit: h.limit, total: h.limit, slowAfter: -1}}
		h.gates[ip] = g
	}
	g.users++
	h.mu.Unlock()
	p, err := g.enter(ctx)
	if err != nil {
		h.drop(ip, g)
		return nil, err
	}
	return func() {
		p.leave()
		h.drop(ip, g)
	}, nil
}

func (h *hosts) drop(ip netip.Addr, g *hostGate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(h.gates, ip)
	}
}

func (h *hosts) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, g := range h.gates {
		_, _, w := g.counts()
		n += w
	}
	return n
}
