package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// evaluation says how objects are evaluated.
type evaluation struct {
	now    time.Time // when ages are computed
	budget time.Duration
	tracer rule.Tracer // may be nil
}

// evaluated is what rules give for objects.
type evaluated struct {
	// gather returns the families in a format.
	gather func(exposition.Format) ([]exposition.Rendered, error)
	// problems has a line, in order, for what rules asked for and objects could
	// not give: one for each family, kind of object and reason.
	problems []string
	// notes has a line for each kind of object that no rule applies to.
	notes []string
}

// run evaluates objects, whose own versions count as served. It takes over the
// slice, not what is in it.
func (e evaluation) run(set *rule.Set, objects []map[string]any) (evaluated, error) {
	var out evaluated
	s := store.New(set, store.Options{
		Now:    func() time.Time { return e.now },
		Budget: e.budget,
		Tracer: e.tracer,
		Report: func(p store.Problem) {
			if !p.Harmless() {
				out.problems = append(out.problems, p.String())
			}
		},
	})
	files := &source.Files{Set: set, Store: s}
	files.Put(objects, 0)
	out.gather = func(f exposition.Format) ([]exposition.Rendered, error) { return s.Gather(context.Background(), f) }
	if _, err := out.gather(exposition.Text); err != nil { // objects that look up others are done by it
		return out, err
	}
	slices.Sort(out.problems)
	unmatched := files.Unmatched()
	for _, gvk := range slices.SortedFunc(maps.Keys(unmatched), rule.GVK.Compare) {
		out.notes = append(out.notes, fmt.Sprintf("note: no rule applies to %s (%d objects)", gvk, unmatched[gvk]))
	}
	return out, nil
}
