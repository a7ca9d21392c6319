package rule_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
)

// world is a recorder that has other objects, and keeps account of limits.
type world struct {
	recorder
	context rule.Context
	objects map[rule.Ref]map[string]any
	asked   []rule.Ref
	series  map[*rule.Limit]int
	values  map[*rule.Limit]map[string]map[string]bool
}

func newWorld(t testing.TB, set *rule.Set) *world {
	return &world{
		recorder: recorder{t: t, families: set.Families(), seen: make(map[string]bool)},
		objects:  make(map[rule.Ref]map[string]any),
		series:   make(map[*rule.Limit]int), values: make(map[*rule.Limit]map[string]map[string]bool),
	}
}

func (w *world) Find(ref rule.Ref) map[string]any {
	w.asked = append(w.asked, ref)
	return w.objects[ref]
}

func (w *world) AdmitSeries(limits []*rule.Limit) *rule.Limit {
	for _, l := range limits {
		if l.Series > 0 && w.series[l] >= l.Series {
			return l
		}
	}
	for _, l := range limits {
		w.series[l]++
	}
	return nil
}

func (w *world) AdmitValue(l *rule.Limit, label, value string, _ bool) bool {
	if w.values[l] == nil {
		w.values[l] = make(map[string]map[string]bool)
	}
	seen := w.values[l][label]
	if seen == nil {
		seen = make(map[string]bool)
		w.values[l][label] = seen
	}
	if !seen[value] && len(seen) >= l.Labels[label] {
		return false
	}
	seen[value] = true
	return true
}

// lines returns what was recorded, and forgets it.
func (w *world) lines() string {
	out := strings.Join(w.samples, "") + strings.Join(w.problems, "")
	w.samples, w.problems, w.asked = nil, nil, nil
	clear(w.seen)
	return out
}

// eval evaluates an object and returns the lines.
func (w *world) eval(p *rule.Program, object string) string {
	w.t.Helper()
	p.Eval(&w.context, parseObject(w.t, object), w)
	return w.lines()
}

// compileCEL compiles rules whose expressions may be CEL.
func compileCEL(t testing.TB, rules string) (*rule.Set, rule.Diagnostics) {
	t.Helper()
	env, err := cel.New(cel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return compileWith(rules, rule.ParseOptions{}, rule.CompileOptions{Legacy: crs.Compile, Expression: env.Compiler()})
}

func loadCEL(t testing.TB, rules string) *rule.Set {
	t.Helper()
	set, findings := compileCEL(t, rules)
	if findings.Err() != nil {
		t.Fatalf("the rules do not load:\n%v\n%s", findings, rules)
	}
	return set
}

// checkCEL is checkEval with CEL.
func checkCEL(t *testing.T, metrics, object, want string) {
	t.Helper()
	if got := evalSet(t, loadCEL(t, doc(metrics)), object); got != lines(want) {
		t.Errorf("metrics: %s\nobject: %s\ngot:\n%swant:\n%s", metrics, object, got, lines(want))
	}
}
