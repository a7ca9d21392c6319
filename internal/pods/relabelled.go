package pods

import (
	"context"
	"errors"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
)

// relabel changes the samples. The body is one of our own afterwards, in which
// they have all labels.
func (r *result) relabel(ctx context.Context, p *Pods) {
	done, err := p.opts.Relabel.Apply(r.body, r.target.Labels, func(n int) error { return r.room(ctx, p, n) })
	x := &scan.Exposition{Format: r.body.Format}
	if err == nil {
		r.claim.Keep(int64(cap(done.Body)))
		err = x.Scan(done.Body, scan.Options{FamilyLimit: p.opts.Limits.Families})
	}
	var limit *scan.LimitError
	switch {
	case errors.As(err, &limit):
		r.fail(limit.Limit, err)
	case errors.Is(err, fetch.ErrBudget):
		r.fail(fetch.ReasonBudget, err)
	case err != nil:
		r.fail(reasonRelabel, err)
	default:
		r.body, r.labelled, r.kept, r.spoiled = x, true, x.Samples-x.Duplicates, done.Invalid
		r.twice += x.Duplicates
	}
}

// room asks for memory for a body of our own. It is called with a turn to compute,
// which who waits gives to others: they may have the memory that it waits for.
func (r *result) room(ctx context.Context, p *Pods, n int) error {
	if r.claim == nil {
		r.claim = p.opts.Client.Claim(r.raw)
	}
	if r.claim.Grow(int64(n)) == nil {
		return nil
	}
	<-p.cpu
	err := r.claim.Wait(ctx, int64(n))
	p.cpu <- struct{}{}
	return err
}
