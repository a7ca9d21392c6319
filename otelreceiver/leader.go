package otelreceiver

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// elector is what the extension k8s_leader_elector can do, so that it need not be
// imported.
type elector interface {
	SetCallBackFuncs(started func(context.Context), stopped func())
}

// leader is told by an extension whether this process leads. It is safe for
// concurrent use.
type leader struct {
	mu     sync.Mutex
	term   context.Context // nil without leadership
	end    context.CancelFunc
	closed bool
}

// follow returns what the extension of an id says. The caller must close it.
func follow(host component.Host, id component.ID) (*leader, error) {
	extension, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("k8s_leader_elector: there is no extension %q; add it to extensions, and to service.extensions", id)
	}
	e, ok := extension.(elector)
	if !ok {
		return nil, fmt.Errorf("k8s_leader_elector: the extension %q elects no leader: expected one of type k8s_leader_elector", id)
	}
	l := new(leader)
	e.SetCallBackFuncs(l.started, l.stopped)
	return l, nil
}

// started is called when this process becomes the leader.
func (l *leader) started(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked()
	if !l.closed {
		l.term, l.end = context.WithCancel(ctx)
	}
}

// stopped is called when it is the leader no more.
func (l *leader) stopped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked()
}

func (l *leader) endLocked() {
	if l.term != nil {
		l.end()
		l.term, l.end = nil, nil
	}
}

// close ends the leadership for good: an extension does not forget whom it tells.
func (l *leader) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.endLocked()
}

// Term returns a context that ends with the leadership, and whether there is one.
func (l *leader) Term() (context.Context, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term, l.term != nil && l.term.Err() == nil
}
