package store

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// aggregate is a family with one series for each set of labels, whatever the
// number of objects. The values behind a series are kept, each with how often
// it is there: what is made of them does not depend on the order in which they
// came.
type aggregate struct {
	desc    metric.Desc
	rule    *rule.Aggregate
	age     bool
	room    room
	objects map[*object]*contribution
	partial map[*object]bool // those for which there was not enough room
	freed   bool             // since they were last tried
	groups  map[string]*group
	frozen  *aggregateView
}

// contribution is what one object has added to groups.
type contribution struct {
	records []byte
	added   []byte // without those for which there was no room
}

type group struct {
	labels []metric.Label
	count  int
	values map[float64]int
	frozen *groupView // nil when it must be made anew
}

type aggregateView struct {
	desc   metric.Desc
	rule   *rule.Aggregate
	age    bool
	groups []*groupView
}

// groupView is a group with its values in order.
type groupView struct {
	labels []metric.Label
	count  int
	values []weighted
}

type weighted struct {
	value float64
	count int
}

func newAggregate(desc metric.Desc, r *rule.Aggregate, age bool, room room) *aggregate {
	return &aggregate{
		desc: desc, rule: r, age: age, room: room,
		objects: make(map[*object]*contribution), partial: make(map[*object]bool), groups: make(map[string]*group),
	}
}

func (a *aggregate) set(o *object, src []byte, _ uint32) (delta int, changed bool) {
	old := a.objects[o]
	if old == nil && len(src) == 0 || old != nil && len(src) > 0 && !a.partial[o] && bytes.Equal(old.records, src) {
		return 0, false
	}
	a.frozen = nil
	if old != nil {
		a.takeBack(o, old)
	}
	if len(src) == 0 {
		return 0, true
	}
	var added []byte
	for _, r := range records(src) {
		if a.groups[r.key] != nil || a.room.take() {
			a.add(&r, 1)
			added = appendRecord(added, r.labels, r.value, r.state)
		}
	}
	c := &contribution{records: added, added: added}
	if len(added) < len(src) {
		c.records = bytes.Clone(src)
		a.partial[o] = true
	}
	a.objects[o] = c
	return 0, true
}

// takeBack undoes what an object has added.
func (a *aggregate) takeBack(o *object, c *contribution) {
	for _, r := range records(c.added) {
		a.add(&r, -1)
	}
	delete(a.objects, o)
	delete(a.partial, o)
}

// retry adds what objects could not add for want of room.
func (a *aggregate) retry() {
	a.freed = false
	for _, o := range sortedObjects(a.partial) {
		a.set(o, a.objects[o].records, 0)
	}
}

// add adds a record n times.
func (a *aggregate) add(r *record, n int) {
	g := a.groups[r.key]
	if g == nil {
		g = &group{labels: r.labels, values: make(map[float64]int)}
		a.groups[r.key] = g
	}
	g.frozen = nil
	g.count += n
	if a.rule.Op != rule.OpCount {
		if g.values[r.value] += n; g.values[r.value] == 0 {
			delete(g.values, r.value)
		}
	}
	if g.count == 0 {
		delete(a.groups, r.key)
		a.room.give()
		a.freed = true
	}
}

func (a *aggregate) freeze() view {
	if a.freed && len(a.partial) > 0 {
		a.retry()
	}
	if a.frozen != nil {
		return a.frozen
	}
	a.frozen = &aggregateView{desc: a.desc, rule: a.rule, age: a.age}
	for _, key := range slices.Sorted(maps.Keys(a.groups)) {
		a.frozen.groups = append(a.frozen.groups, a.groups[key].freeze())
	}
	slices.SortFunc(a.frozen.groups, func(a, b *groupView) int { return metric.CompareLabels(a.labels, b.labels) })
	return a.frozen
}

func (g *group) freeze() *groupView {
	if g.frozen == nil {
		g.frozen = &groupView{labels: g.labels, count: g.count, values: make([]weighted, 0, len(g.values))}
		for _, v := range slices.Sorted(maps.Keys(g.values)) {
			g.frozen.values = append(g.frozen.values, weighted{v, g.values[v]})
		}
	}
	return g.frozen
}

func (v *aggregateView) render(ctx context.Context, f exposition.Format, now time.Time) (exposition.Rendered, error) {
	return renderMetrics(ctx, f, func(emit func(operator.Metric)) {
		for _, g := range v.groups {
			values := g.values
			if v.age {
				values = agesAt(now, values)
			}
			m := describe(v.desc, g.labels)
			if v.rule.Op == rule.OpHistogram {
				m.Histogram = histogram(values, v.rule.Buckets)
			} else {
				m.Value = reduce(v.rule.Op, g.count, values)
			}
			emit(m)
		}
	})
}

// agesAt turns times in ascending order into ages in ascending order.
func agesAt(now time.Time, times []weighted) []weighted {
	out := make([]weighted, len(times))
	for i, t := range times {
		out[len(times)-1-i] = weighted{since(now, t.value), t.count}
	}
	return out
}

// reduce makes one value of many, which are in ascending order.
func reduce(op rule.Op, count int, values []weighted) float64 {
	switch op {
	case rule.OpCount:
		return float64(count)
	case rule.OpMin:
		return values[0].value
	case rule.OpMax:
		return values[len(values)-1].value
	}
	sum := sumOf(values)
	if op == rule.OpAvg {
		return sum / float64(count)
	}
	return sum
}

func sumOf(values []weighted) (sum float64) {
	for _, v := range values {
		sum += v.value * float64(v.count)
	}
	return sum
}

// histogram sorts values, which are in ascending order, into buckets.
func histogram(values []weighted, bounds []float64) *metric.HistogramValue {
	h := &metric.HistogramValue{Sum: sumOf(values), Buckets: make([]metric.Bucket, len(bounds))}
	i := 0
	for b, bound := range bounds {
		for ; i < len(values) && values[i].value <= bound; i++ {
			h.Count += float64(values[i].count)
		}
		h.Buckets[b] = metric.Bucket{UpperBound: bound, Count: h.Count}
	}
	for ; i < len(values); i++ {
		h.Count += float64(values[i].count)
	}
	return h
}
