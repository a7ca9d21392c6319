package operator

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Part owns whole metric families and renders them itself. It is how large
// amounts of data join an exposition without becoming Go values first.
type Part interface {
	// Families names the families that the part owns for good. Two owners of
	// one name are an error of Run. A part that only learns its names during a
	// scrape returns nil; there the first owner in registration order wins.
	Families() []string

	// Gather returns the families of one scrape in any order, each name once and
	// none without samples. The format is [exposition.Text] or
	// [exposition.OpenMetrics]; with [Native] also [exposition.Protobuf]. The
	// lines must be valid in it, with legacy names for labels unless UTF8 is set,
	// and compressed chunks whole: none of it is checked. What is returned is not
	// changed by anybody until the functions have run that were given to
	// [Cleanup] with the context. Families beside an error are served; the error
	// is counted. As with a collector, calls for one format never overlap, and
	// the context ends with the scrape's deadline.
	Gather(ctx context.Context, format exposition.Format) ([]exposition.Rendered, error)
}

// AnyFormat says of a part that its lines are the same in every format, which
// they are without histograms, summaries, timestamps and exemplars. Scrapes of
// different formats then share a call as well.
func AnyFormat() CollectOption {
	return func(s *source) { s.anyFormat = true }
}

// Native says of a part that it gives [exposition.Protobuf] itself, as records
// (see [exposition.AppendRecords]), when that is what a scrape wants. Records pass
// through unchanged, with native histograms and the times at which counting
// began, which lines cannot carry. The part is then asked for Protobuf also where
// its families are needed as data: by [Operator.Families] and by encoders such as
// [exposition.JSON]. Collectors and sources ignore it. Together with [AnyFormat]
// it leaves two formats, lines and records.
func Native() CollectOption {
	return func(s *source) { s.native = true }
}

// AddPart registers a part under a name, which is the value of the label
// "collector" in self-metrics.
func (o *Operator) AddPart(name string, p Part, opts ...CollectOption) {
	s := o.newSource(name, opts)
	families := p.Families()
	s.isPart = true
	s.gather = func(ctx context.Context, f exposition.Format) (result, error) {
		rendered, err := p.Gather(ctx, f)
		return result{rendered: rendered}, err
	}
	if o.isRunning() {
		panic(fmt.Sprintf("operator: part %q is registered while the Operator runs", name))
	}
	o.addSource(s)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, family := range families {
		if owner, taken := o.owners[family]; taken {
			o.conflicts = append(o.conflicts, fmt.Errorf("metric family %q belongs to both %q and %q", family, owner, name))
			continue
		}
		o.owners[family] = name
	}
}

func (o *Operator) conflict() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(o.conflicts...)
}

// Render runs collectors one after the other and renders what they emit in the
// format of [Part]'s Gather, as lines or as records, for a part that has metrics about itself: they are
// then taken in the same moment as its data. Samples that cannot be exposed are
// left out; the error joins those of the collectors.
func Render(ctx context.Context, f exposition.Format, collectors ...CollectorFunc) ([]exposition.Rendered, error) {
	m := newMerge("", view{})
	var errs []error
	for _, collect := range collectors {
		b := &batch{max: math.MaxInt}
		if err := collect(ctx, b.emit); err != nil {
			errs = append(errs, err)
			continue
		}
		families, _ := b.seal()
		for _, family := range tidy(families).families {
			m.addFamily(owner{}, family)
		}
	}
	m.join()
	var out []exposition.Rendered
	for _, g := range m.sorted() {
		out = append(out, exposition.Rendered{Desc: g.Desc, Chunks: []exposition.Chunk{{Raw: render(f, g.Family)}}})
	}
	return out, errors.Join(errs...)
}

// render returns the lines or records of a family.
func render(f exposition.Format, family metric.Family) (out []byte) {
	if f == exposition.Protobuf {
		return exposition.AppendRecords(nil, family.Desc, family.Samples)
	}
	for i := range family.Samples {
		out = exposition.AppendLines(out, f, family.Desc, &family.Samples[i])
	}
	return out
}
