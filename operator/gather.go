package operator

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// view is what a scrape wants of everything.
type view struct {
	format   exposition.Format
	escaping exposition.Escaping
	data     bool // no lines and no records, but families of samples
}

// asData is the view of who takes families.
var asData = view{format: exposition.Protobuf, escaping: exposition.AllowUTF8, data: true}

// gather calls all selected sources at once and merges what they gave. Sources
// count in registration order, whatever the order in which they answered, so that
// equal input gives equal output. The errors are those of the sources, in that
// order. What it returns may be used until the leases are released, which the
// caller does in any case.
func (o *Operator) gather(ctx context.Context, v view, selected selection, held *leases) ([]*gathered, []error) {
	o.mu.Lock()
	sources, base, prefix := slices.Clone(o.sources), o.ctx, o.prefix
	o.mu.Unlock()

	answers := make([]answer, len(sources))
	errs := make([]error, len(sources))
	up := make([]bool, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		if !selected.has(s.name) {
			up[i] = s.lastErr() == nil
			continue
		}
		wg.Go(func() {
			answers[i] = s.call(ctx, base, v.format)
			held.add(answers[i].lease)
			if err := answers[i].err; err != nil {
				errs[i] = fmt.Errorf("collector %q: %w", s.name, err)
			}
			up[i] = answers[i].err == nil
		})
	}
	wg.Wait()

	m := newMerge(prefix, v)
	for i, s := range sources {
		from := owner{s, answers[i].first}
		m.addPart(from, answers[i].rendered, s.format(v.format))
		for _, family := range answers[i].families {
			m.addFamily(from, family)
		}
	}
	m.join()
	if prefix != "" && !selected.only {
		clear(m.reserved)
		for _, family := range o.selfMetrics(prefix, sources, up) {
			m.addFamily(owner{}, family)
		}
		m.join()
	}
	families := m.sorted()
	descs := make([]*metric.Desc, len(families))
	for i := range families {
		descs[i] = &families[i].Desc
	}
	exposition.Disambiguate(v.format, descs)
	return families, errs
}
