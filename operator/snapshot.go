package operator

import (
	"context"
	"errors"
	"slices"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Snapshot is everything that an Operator served at one moment, for who passes
// it on in a way of their own, such as to push it. It is made by
// [Operator.Snapshot].
type Snapshot struct {
	// Families are sorted by name, each name once and none of them empty. Their
	// lines are in the format that was asked for. Those of a part are as the part
	// gave them, compressed or not made yet; those of collectors and sources, and
	// the Operator's own, are one plain chunk. They are shared with scrapes and
	// must not be changed, nor be used after Release.
	Families []exposition.Rendered
	// Errs are those of the collectors, sources and parts that failed, in
	// registration order. What they gave all the same is in Families.
	Errs []error

	held leases
}

// Snapshot calls all collectors, sources and parts, as a scrape does, and returns
// what they gave without decoding it: lines of [exposition.Text] or
// [exposition.OpenMetrics], or records of [exposition.Protobuf]. Names are not
// escaped and types are not changed; each family has the one it was registered
// with. Scrapes that are under way share their calls with it, and it counts like
// one of them in the Operator's own metrics, which it has as well.
//
// [Only] and [Except] select, and [Strict] makes the failure of a collector that
// of the Snapshot; other options have no effect. A context without a deadline
// gets that of [Options.ScrapeTimeout]; a collector that has not answered by then
// is missing, with an error in Errs. The error of Snapshot is that of a context
// that is over, or what Strict says; there is nothing to release then.
//
// The caller must call [Snapshot.Release]: parts keep the memory behind the
// families until then.
func (o *Operator) Snapshot(ctx context.Context, f exposition.Format, opts ...RouteOption) (*Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := newRoute(opts)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.opts.ScrapeTimeout)
		defer cancel()
	}
	s := new(Snapshot)
	gathered, errs := o.gatherTyped(ctx, view{format: f, escaping: exposition.AllowUTF8}, r.selection, &s.held)
	s.Errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if err := errors.Join(s.Errs...); r.strict && err != nil {
		s.Release()
		return nil, err
	}
	s.Families = make([]exposition.Rendered, 0, len(gathered))
	for _, g := range gathered {
		switch {
		case g.rendered != nil:
			s.Families = append(s.Families, *g.rendered)
		case len(g.Samples) > 0:
			s.Families = append(s.Families, exposition.Rendered{
				Desc: g.Desc, Chunks: []exposition.Chunk{{Raw: render(f, g.Family)}}, UTF8: hasUTF8Label(g.Samples),
			})
		}
	}
	return s, nil
}

// hasUTF8Label reports whether a label has a name that is no legacy name.
func hasUTF8Label(samples []metric.Sample) bool {
	for i := range samples {
		for _, l := range samples[i].Labels {
			if !metric.IsLabelName(l.Name) {
				return true
			}
		}
	}
	return false
}

// Release ends the use of the families, which are gone then. Calling it again, or
// for nil, does nothing. It is safe for concurrent use, but not while somebody
// reads the families.
func (s *Snapshot) Release() {
	if s == nil {
		return
	}
	s.Families = nil
	s.held.release()
}
