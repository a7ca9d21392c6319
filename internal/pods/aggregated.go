package pods

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// aggregated returns the families that combine the samples of all targets.
func (p *Pods) aggregated(format exposition.Format, results []*result) (out []exposition.Rendered) {
	if p.opts.Aggregate == nil {
		return nil
	}
	p.aggregating.Lock()
	defer p.aggregating.Unlock()
	p.opts.Aggregate.Begin(p.known())
	for _, r := range results {
		if r.err == nil && r.body != nil {
			p.combine(r)
		}
	}
	for _, f := range p.opts.Aggregate.Families() {
		out = append(out, rendered(format, f))
	}
	return out
}

// known returns the targets that were there lately, in whatever format they were
// scraped. One that is out of sight for a moment, as it is not ready or another
// scrape has begun before it was there, goes on where it was: an aggregate
// would count all of it again if it were taken for gone.
func (p *Pods) known() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.states))
}

// combines reports whether a family is combined. Those with names that pods may not
// have are none of them: without labels of the pod they would be taken for ours.
func (p *Pods) combines(name string) bool {
	for rest, found := name, true; found; rest, found = strings.CutPrefix(rest, "exported_") {
		if Reserved(rest) {
			return false
		}
	}
	return p.opts.Aggregate.Matches(name) && (p.opts.Filter == nil || p.opts.Filter.Keeps(name))
}

// combine hands the samples of a target that are to be combined to those of the
// others.
func (p *Pods) combine(r *result) {
	x := r.body
	pieces := make(map[int32][][]byte)
	var order []int32
	for _, e := range x.Extents {
		if !p.combines(string(x.Families[e.Family].Name)) {
			continue
		}
		if pieces[e.Family] == nil {
			order = append(order, e.Family)
		}
		pieces[e.Family] = append(pieces[e.Family], x.Body[e.Start:e.End])
	}
	from := aggregate.Target{ID: r.target.ID, Labels: r.target.Labels, Joined: r.labelled}
	for _, i := range order {
		f := &x.Families[i]
		desc := metric.Desc{Name: string(f.Name), Type: f.Type, Help: merge.Help(f.Help, x.Format)}
		if err := p.opts.Aggregate.Add(from, desc, x.Format, pieces[i]...); err != nil {
			p.opts.Log.Debug("Samples are not combined", "namespace", r.target.Namespace, "pod", r.target.Pod, "family", desc.Name, "err", err)
		}
	}
}

// rendered encodes a family.
func rendered(format exposition.Format, f metric.Family) exposition.Rendered {
	r := exposition.Rendered{Desc: f.Desc, Chunks: []exposition.Chunk{{}}}
	raw := &r.Chunks[0].Raw
	if format == exposition.Protobuf {
		*raw = exposition.AppendRecords(nil, f.Desc, f.Samples)
		return r
	}
	for i := range f.Samples {
		*raw = exposition.AppendLines(*raw, format, f.Desc, &f.Samples[i])
	}
	return r
}
