package store

import (
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// renderer turns one object into lines for each family. Its buffers are used
// again for the next object.
type renderer struct {
	store   *Store
	context rule.Context
	program *rule.Program
	current *object
	buffers [][]byte
	samples []uint32
}

func (r *renderer) init(s *Store, budget time.Duration) {
	r.store = s
	r.context.Budget = budget
	r.buffers = make([][]byte, len(s.families))
	r.samples = make([]uint32, len(s.families))
}

// object renders an object, and forgets the one before.
func (r *renderer) object(p *rule.Program, obj *object, o map[string]any) {
	if r.program != nil {
		for _, f := range r.program.Families() {
			r.buffers[f] = r.buffers[f][:0]
			r.samples[f] = 0
		}
	}
	r.program, r.current = p, obj
	if len(r.store.joins.read) > 0 {
		r.store.joins.forget(obj)
	}
	delete(r.store.resting, obj)
	if p.Limited() {
		r.store.limits.begin(obj)
		defer r.store.limits.end(obj)
	} else if len(r.store.limits.held)+len(r.store.limits.waiting) > 0 {
		r.store.limits.forget(obj) // of another version, with other rules
	}
	p.Eval(&r.context, o, r)
}

// Find returns another object.
func (r *renderer) Find(ref rule.Ref) map[string]any { return r.store.joins.find(r.current, ref) }

// AdmitSeries takes room for one series, or returns the limit that has none left.
func (r *renderer) AdmitSeries(limits []*rule.Limit) *rule.Limit {
	return r.store.limits.AdmitSeries(limits)
}

// AdmitValue reports whether a label may have a value.
func (r *renderer) AdmitValue(l *rule.Limit, label, value string, forGood bool) bool {
	return r.store.limits.AdmitValue(l, label, value, forGood)
}

// lines returns what the object gave for a family. The bytes are valid until
// the next object.
func (r *renderer) lines(family int) (lines []byte, samples uint32) {
	return r.buffers[family], r.samples[family]
}

// Sample appends a line to its family, or a record.
func (r *renderer) Sample(m *rule.Metric, labels []metric.Label, value float64) {
	f := m.Family
	if r.store.families[f].derived != nil {
		r.buffers[f] = appendRecord(r.buffers[f], labels, value, "")
	} else {
		r.buffers[f] = exposition.AppendSample(r.buffers[f], r.store.families[f].desc.Name, labels, value)
	}
	r.samples[f]++
}

// State appends a record to its family.
func (r *renderer) State(m *rule.Metric, labels []metric.Label, state string, since float64) {
	r.buffers[m.Family] = appendRecord(r.buffers[m.Family], labels, since, state)
	r.samples[m.Family]++
}

// Problem counts a problem, and reports the first of a family, reason and kind.
func (r *renderer) Problem(p rule.Problem) {
	s := r.store
	key := problemKey{p.Family, p.Reason}
	s.problems[key]++
	if p.Paused() {
		s.resting[r.current] = struct{}{}
	}
	logged := loggedKey{key, r.program.GVK()}
	if _, done := s.logged[logged]; done {
		return
	}
	s.logged[logged] = struct{}{}
	s.report(Problem{
		Family: s.families[p.Family].desc.Name, GVK: logged.gvk,
		Namespace: r.current.namespace, Name: r.current.name, Reason: p.Reason, Err: p.Err,
	})
}
