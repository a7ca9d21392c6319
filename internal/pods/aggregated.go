package pods

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/internal/pods/target"
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
	p.combine(results)
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

// contribution is what one target has of one family that is combined.
type contribution struct {
	from   aggregate.Target
	target *target.Target
	desc   metric.Desc
	format exposition.Format
	lines  [][]byte
	shape  string
	size   int  // samples in the lines
	upTo   int  // samples of the target in what comes before, and in this
	loses  bool // most say that the family is something else
}

// contributions returns what a target has of the families that are combined.
func (p *Pods) contributions(r *result) (out []contribution) {
	x := r.body
	at := make(map[int32]int)
	for _, e := range x.Extents {
		f := &x.Families[e.Family]
		if !p.combines(string(f.Name)) {
			continue
		}
		i, known := at[e.Family]
		if !known {
			i = len(out)
			at[e.Family] = i
			out = append(out, contribution{
				from:   aggregate.Target{ID: r.target.ID, Labels: r.target.Labels, Joined: r.labelled},
				target: r.target, format: x.Format,
				desc: metric.Desc{Name: string(f.Name), Type: f.Type, Help: merge.Help(f.Help, x.Format)},
			})
		}
		out[i].lines = append(out[i].lines, x.Body[e.Start:e.End])
		out[i].size += int(e.Samples)
	}
	for i := range out {
		out[i].shape = out[i].desc.Name + " " + out[i].desc.Type.String() + out[i].bounds()
	}
	return out
}

// bounds returns those of the first histogram.
func (c *contribution) bounds() string {
	var bounds strings.Builder
	if c.desc.Type != metric.Histogram || c.format == exposition.Protobuf {
		return ""
	}
	var l line.Line
	for text := range line.Samples(c.lines[0]) {
		if l.Parse(text, c.format) != nil || !strings.HasSuffix(l.Name, "_bucket") {
			break
		}
		i := slices.IndexFunc(l.Labels, func(l metric.Label) bool { return l.Name == "le" })
		if i < 0 {
			break
		}
		bounds.WriteString(" " + l.Labels[i].Value)
		if l.Labels[i].Value == "+Inf" {
			break
		}
	}
	return bounds.String()
}

// combine adds up the samples of all targets.
func (p *Pods) combine(results []*result) {
	var all []contribution
	for _, r := range results {
		if r.err == nil && r.body != nil {
			all = append(all, p.contributions(r)...)
		}
	}
	sortFairly(all)
	for i := range all {
		c := &all[i]
		if err := p.opts.Aggregate.Add(c.from, c.desc, c.format, c.lines...); err != nil {
			p.tellRefused(c, err)
		}
	}
}

// sortFairly brings contributions, which are in the order of their targets, into
// that in which they are added. Of targets that do not agree what a family is, most
// are right: the first one decides for a family that is new, and it must not be
// one that lies. There is room for so many series: what comes first is what its
// target has sent few samples up to, beginning with families that many targets have.
// So one with very many has what room the others leave.
func sortFairly(all []contribution) {
	votes := make(map[string]int)
	for i := range all {
		votes[all[i].shape]++
	}
	winners := make(map[string]string) // the shapes of families
	for i := range all {
		c := &all[i]
		if votes[c.shape] > votes[winners[c.desc.Name]] {
			winners[c.desc.Name] = c.shape
		}
	}
	slices.SortStableFunc(all, func(a, b contribution) int {
		return cmp.Or(votes[b.shape]-votes[a.shape], a.size-b.size, strings.Compare(a.desc.Name, b.desc.Name))
	})
	sent := make(map[*target.Target]int)
	for i := range all {
		c := &all[i]
		sent[c.target] += c.size
		c.upTo, c.loses = sent[c.target], winners[c.desc.Name] != c.shape
	}
	slices.SortStableFunc(all, func(a, b contribution) int {
		switch {
		case a.loses == b.loses:
			return a.upTo - b.upTo
		case a.loses:
			return 1
		default:
			return -1
		}
	})
}

// tellRefused logs that samples of a target are not combined with those of the
// others, once in a while.
func (p *Pods) tellRefused(c *contribution, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.toldRefused) >= logInterval {
		p.toldRefused = now
		p.opts.Log.Warn("Samples are not combined with those of other pods", "namespace", c.target.Namespace, "pod", c.target.Pod,
			"family", fmt.Sprintf("%.100s", c.desc.Name), "err", err)
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
