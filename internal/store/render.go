package store

import (
	"context"
	"log/slog"

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
	current objectKey
	buffers [][]byte
	samples []uint32
}

func (r *renderer) init(s *Store) {
	r.store = s
	r.buffers = make([][]byte, len(s.families))
	r.samples = make([]uint32, len(s.families))
}

// object renders an object, and forgets the one before.
func (r *renderer) object(p *rule.Program, o map[string]any) {
	if r.program != nil {
		for _, f := range r.program.Families() {
			r.buffers[f] = r.buffers[f][:0]
			r.samples[f] = 0
		}
	}
	r.program, r.current = p, keyOf(o)
	p.Eval(&r.context, o, r)
}

// lines returns what the object gave for a family. The bytes are valid until
// the next object.
func (r *renderer) lines(family int) (lines []byte, samples uint32) {
	return r.buffers[family], r.samples[family]
}

// Sample appends a line to its family.
func (r *renderer) Sample(family int, labels []metric.Label, value float64) {
	r.buffers[family] = exposition.AppendSample(r.buffers[family], r.store.families[family].desc.Name, labels, value)
	r.samples[family]++
}

// Problem counts a problem, and logs the first of a family, reason and kind.
func (r *renderer) Problem(p rule.Problem) {
	s := r.store
	key := problemKey{p.Family, p.Reason}
	s.problems[key]++
	logged := loggedKey{key, r.program.GVK()}
	if _, done := s.logged[logged]; done {
		return
	}
	s.logged[logged] = struct{}{}
	level := slog.LevelWarn
	if p.Reason == rule.ReasonDuplicate {
		level = slog.LevelDebug // nothing is lost: the series is there once
	}
	s.log.Log(context.Background(), level, "Rule does not fit an object; more of this kind and reason are only counted",
		"family", s.families[p.Family].desc.Name, "kind", logged.gvk.String(),
		"namespace", r.current.namespace, "name", r.current.name, "reason", p.Reason, "err", p.Err)
}
