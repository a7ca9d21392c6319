package election

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// observedGetter gives clients of which the Elector sees what becomes of their
// requests: the election itself only logs it.
type observedGetter struct {
	coordinationv1client.LeasesGetter
	elector *Elector
}

func (o observedGetter) Leases(namespace string) coordinationv1client.LeaseInterface {
	return observed{o.LeasesGetter.Leases(namespace), o.elector}
}

type observed struct {
	coordinationv1client.LeaseInterface
	elector *Elector
}

func (o observed) Get(ctx context.Context, name string, opts metav1.GetOptions) (*coordinationv1.Lease, error) {
	lease, err := o.LeaseInterface.Get(ctx, name, opts)
	o.elector.saw("get", lease, err, time.Time{})
	return lease, err
}

func (o observed) Create(ctx context.Context, lease *coordinationv1.Lease, opts metav1.CreateOptions) (*coordinationv1.Lease, error) {
	at := time.Now()
	lease, err := o.LeaseInterface.Create(ctx, lease, opts)
	o.elector.saw("create", lease, err, at)
	return lease, err
}

// Update renews the Lease, takes it, or gives it back. Before it is given back
// the term ends.
func (o observed) Update(ctx context.Context, lease *coordinationv1.Lease, opts metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	if !o.elector.holds(lease) {
		o.elector.stopped()
	}
	at := time.Now()
	lease, err := o.LeaseInterface.Update(ctx, lease, opts)
	o.elector.saw("update", lease, err, at)
	return lease, err
}

func (e *Elector) holds(lease *coordinationv1.Lease) bool {
	return lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity == e.opts.Identity
}

// saw notes what became of a request, which has written the Lease if it has a
// time.
func (e *Elector) saw(verb string, lease *coordinationv1.Lease, err error, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.err, e.uid = nil, string(lease.UID)
		if !at.IsZero() && e.holds(lease) {
			e.renewed = at
			e.beginLocked() // again, after a term was not renewed in time
		}
	case apierrors.IsNotFound(err) && verb == "get", apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), errors.Is(err, context.Canceled):
		// The election goes on as it should.
	default:
		e.failures++
		e.err = fmt.Errorf("leader election: cannot %s the Lease %s: %w", verb, e.name(), err)
		if now := time.Now(); e.logged.IsZero() || now.Sub(e.logged) >= time.Minute {
			e.logged = now
			e.opts.Logger.Warn("The Lease of the leader election cannot be used", "err", e.err)
		}
	}
}
