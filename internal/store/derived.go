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
// refused is told of each sample for which there is no room.
func newDerived(desc metric.Desc, shape *rule.Metric, now func() time.Time, refused func(o *object)) derived {
	room := room{shape.MaxSeries(), refused}
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

// room is how many series a family of many objects may have.
type room struct {
	most    int // 0 for any number
	refused func(o *object)
}

// full reports whether n series are all there may be, and tells so.
func (r room) full(n int, o *object) bool {
	if r.most == 0 || n < r.most {
		return false
	}
	r.refused(o)
	return true
}

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
