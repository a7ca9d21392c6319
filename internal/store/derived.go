package store

import (
	"context"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// derived is a family that is not kept as lines: ages, which change with the
// time, and families that say something about many objects.
type derived interface {
	// set gives the records of an object; none remove it. It returns by how
	// much the number of series changes, and whether anything does.
	set(o *object, records []byte, samples uint32) (delta int, changed bool)
	// freeze returns a view that does not change any more.
	freeze() view
}

// view is a family at some moment, with what depends on the time left open.
type view interface {
	render(ctx context.Context, f exposition.Format, now time.Time) (exposition.Rendered, error)
}

// newDerived returns the holder of a family, or nil for one of plain lines.
// Series count in the account; refused is called for each sample for which there
// is no room.
func newDerived(desc metric.Desc, shape *rule.Metric, now func() time.Time, account *limits, refused func()) derived {
	room := room{shape.Limits, account, refused}
	switch {
	case shape.Transition != nil:
		return newTransitions(desc, shape.Transition, now, room)
	case shape.Aggregate != nil:
		return newAggregate(desc, shape.Aggregate, shape.Age, room)
	case shape.Age:
		return newAges(desc)
	default:
		return nil
	}
}

// room is where the series of a family of many objects are counted, beside those
// of objects.
type room struct {
	limits  []*rule.Limit
	account *limits
	refused func() // tells that there was none
}

// take takes room for a series.
func (r room) take() bool {
	if r.account.take(r.limits) {
		return true
	}
	r.refused()
	return false
}

func (r room) give() { r.account.give(r.limits) }

// renderMetrics renders metrics of one family.
func renderMetrics(ctx context.Context, f exposition.Format, collect func(emit func(operator.Metric))) (exposition.Rendered, error) {
	out, err := operator.Render(ctx, f, func(_ context.Context, emit func(operator.Metric)) error {
		collect(emit)
		return nil
	})
	if len(out) == 0 {
		return exposition.Rendered{}, err
	}
	return out[0], err
}

// describe returns a metric without a value.
func describe(d metric.Desc, labels []metric.Label) operator.Metric {
	return operator.Metric{Name: d.Name, Help: d.Help, Unit: d.Unit, Type: d.Type, Labels: labels}
}
