package store

import (
	"context"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// Part exposes a store together with metrics about it, which are taken in the
// same moment.
type Part struct {
	*Store
	// Before brings the store up to date for a scrape. It may be nil.
	Before func(ctx context.Context)
	// About gives the metrics about the store and its source.
	About []operator.CollectorFunc
}

// Gather returns the families of the store and those about it.
func (p Part) Gather(ctx context.Context, f exposition.Format) ([]exposition.Rendered, error) {
	if p.Before != nil {
		p.Before(ctx)
	}
	rendered, err := p.Store.Gather(ctx, f)
	if err != nil {
		return nil, err
	}
	about, err := operator.Render(ctx, f, p.About...)
	return append(rendered, about...), err
}
