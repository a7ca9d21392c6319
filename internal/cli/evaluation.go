package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// evaluation says how objects are evaluated.
type evaluation struct {
	now time.Time // when ages are computed
}

// evaluated is what rules give for objects.
type evaluated struct {
	families []exposition.Rendered
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
	s := store.New(set.Families(), slog.New(&problemHandler{lines: &out.problems}))
	files := &source.Files{Set: set, Store: s}
	files.Put(objects, 0)
	slices.Sort(out.problems) // kinds come in any order
	unmatched := files.Unmatched()
	for _, gvk := range slices.SortedFunc(maps.Keys(unmatched), rule.GVK.Compare) {
		out.notes = append(out.notes, fmt.Sprintf("note: no rule applies to %s (%d objects)", gvk, unmatched[gvk]))
	}
	var err error
	out.families, err = s.Gather(context.Background(), exposition.Text)
	return out, err
}

// problemHandler is a [slog.Handler] that makes a line of each problem that a
// store logs. It is not safe for concurrent use.
type problemHandler struct{ lines *[]string }

// Enabled reports whether a level is that of a problem.
func (h *problemHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle appends the line.
func (h *problemHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := make(map[string]string)
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	object := strings.TrimPrefix(attrs["namespace"]+"/"+attrs["name"], "/")
	line := fmt.Sprintf("%s: %s %s: %s: %s", attrs["family"], attrs["kind"], object, attrs["reason"], attrs["err"])
	*h.lines = append(*h.lines, strings.ReplaceAll(line, "\n", " "))
	return nil
}

// WithAttrs returns the handler itself: a store's logger has no attributes.
func (h *problemHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup returns the handler itself.
func (h *problemHandler) WithGroup(string) slog.Handler { return h }
