package rule_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// scripts are expressions by their sources, with how often they were evaluated.
type scripts struct {
	fn    map[string]func(ctx context.Context, object map[string]any) (any, error)
	calls map[string]int
}

type script struct {
	all    *scripts
	source string
}

func (s *scripts) compile(source string, _ []string) (rule.Expression, error) {
	if s.fn[source] == nil {
		return nil, fmt.Errorf("there is no script %s", source)
	}
	return script{s, source}, nil
}

func (s script) Eval(ctx context.Context, vars []any) (any, error) {
	s.all.calls[s.source]++
	return s.all.fn[s.source](ctx, vars[0].(map[string]any))
}
func (s script) Reads() []int      { return []int{0} }
func (s script) Paths() [][]string { return [][]string{{"object", "read"}} }

// errStopped is what an expression returns that was stopped.
var errStopped = fmt.Errorf("%w: stopped", rule.ErrBudget)

// newScripts has work(), which takes as many milliseconds as the object says,
// cut(), which stops at once when the object says so, and fail().
func newScripts() *scripts {
	s := &scripts{calls: make(map[string]int)}
	s.fn = map[string]func(context.Context, map[string]any) (any, error){
		"work()": func(ctx context.Context, object map[string]any) (any, error) {
			ms, _ := object["ms"].(int64)
			select {
			case <-ctx.Done():
				return nil, errStopped
			case <-time.After(time.Duration(ms) * time.Millisecond):
				return int64(1), nil
			}
		},
		"cut()": func(_ context.Context, object map[string]any) (any, error) {
			if object["cut"] == true {
				return nil, errStopped
			}
			return "ok", nil
		},
		"fail()": func(context.Context, map[string]any) (any, error) { return nil, errors.New("broken") },
	}
	return s
}

func (s *scripts) load(t *testing.T, rules string) *rule.Set {
	t.Helper()
	set, findings := compileWith(rules, rule.ParseOptions{}, rule.CompileOptions{Expression: s.compile})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	return set
}

const stopped = `the expression costs more than it may: stopped`

// TestBudgetOfEachMetric gives each metric of each object its own time. One that
// needs more rests for ten times as long; the others do not.
func TestBudgetOfEachMetric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripts()
		set := s.load(t, doc(`{name: a, value: work()}, {name: b, value: object.v}, {name: c, value: work()}`))
		p := set.Program(testKind, true)
		c := &rule.Context{Budget: 100 * time.Millisecond}
		f := func(object, want string) {
			t.Helper()
			if got := run(t, set, p, c, parseObject(t, object)); got != lines(want) {
				t.Errorf("%s:\ngot:\n%swant:\n%s", object, got, lines(want))
			}
		}
		over := func(family string) string { return `! ` + family + ` budget: expression "work()": ` + stopped }
		rest := func(family string) string {
			return `! ` + family + ` budget: the metric has used up its time and pauses`
		}
		for range 3 { // 90 ms are within the budget, each time
			f(`{ms: 90, v: 1}`, `a 1 | b 1 | c 1`)
		}
		began := time.Now()
		f(`{ms: 110, v: 1}`, `b 1 | `+over("a")+` | `+over("c"))
		if d := time.Since(began); d != 200*time.Millisecond {
			t.Errorf("two metrics have run for %v, want 2 × 100 ms", d)
		}
		// a pauses until 1.1 s, c until 1.2 s.
		calls := s.calls["work()"]
		f(`{ms: 1, v: 2}`, `b 2 | `+rest("a")+` | `+rest("c"))
		if n := s.calls["work()"]; n != calls {
			t.Errorf("a metric that pauses was evaluated")
		}
		time.Sleep(time.Until(began.Add(1100*time.Millisecond - 1)))
		f(`{ms: 0, v: 2}`, `b 2 | `+rest("a")+` | `+rest("c"))
		time.Sleep(time.Nanosecond)
		f(`{ms: 0, v: 2}`, `a 1 | b 2 | `+rest("c"))
		time.Sleep(100 * time.Millisecond)
		f(`{ms: 90, v: 2}`, `a 1 | b 2 | c 1`)
		f(`{ms: 110, v: 2}`, `b 2 | `+over("a")+` | `+over("c"))
	})
}

// TestDefaultBudget is a quarter of a second.
func TestDefaultBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := newScripts().load(t, doc(`{name: a, value: work()}`))
		f := func(ms int, want string) {
			t.Helper()
			if got := evalSet(t, set, fmt.Sprintf("ms: %d", ms)); got != lines(want) {
				t.Errorf("%d ms: %s", ms, got)
			}
		}
		f(249, `a 1`)
		f(251, `! a budget: expression "work()": `+stopped)
	})
}

// TestBudgetOfAllElements: elements share the time of their metric and object.
// What was made before it was over stays.
func TestBudgetOfAllElements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripts()
		set := s.load(t, doc(`{name: a, forEach: [{as: i, in: object.l}, {as: j, in: object.l}], labels: {i: i, j: j}, value: work()}`))
		p, c := set.Program(testKind, true), &rule.Context{Budget: 100 * time.Millisecond}
		object := parseObject(t, `{ms: 30, l: [1, 2]}`)
		want := lines(`a{i="1",j="1"} 1 | a{i="1",j="2"} 1 | a{i="2",j="1"} 1 | ! a budget: expression "work()": ` + stopped)
		if got := run(t, set, p, c, object); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
		if s.calls["work()"] != 4 {
			t.Errorf("%d evaluations, want 4: nothing after the end", s.calls["work()"])
		}
	})
}

// TestBudgetAnywhere stops expressions in every place. It is told once, and
// nothing more of the metric is evaluated.
func TestBudgetAnywhere(t *testing.T) {
	f := func(metric, family string, calls int) {
		t.Helper()
		s := newScripts()
		set := s.load(t, doc(metric+`, {name: z, value: 1}`))
		w := newWorld(t, set)
		c := new(rule.Context)
		w.objects[rule.Ref{Kind: "N", Name: "a"}] = map[string]any{"v": "x"}
		p := set.Program(testKind, true)
		p.Eval(c, parseObject(t, `{cut: true, v: 1, l: [a, b, c]}`), w)
		got := w.lines()
		if !strings.HasPrefix(got, "z 1\n! "+family+" budget: ") || strings.Count(got, "\n") != 2 || !strings.HasSuffix(got, stopped+"\n") {
			t.Errorf("%s: got:\n%s", metric, got)
		}
		if n := s.calls["cut()"]; n != calls {
			t.Errorf("%s: %d evaluations, want %d", metric, n, calls)
		}
		p.Eval(c, parseObject(t, `{v: 1, l: [a]}`), w)
		if got := w.lines(); got != "z 1\n! "+family+" budget: the metric has used up its time and pauses\n" {
			t.Errorf("%s: after that:\n%s", metric, got)
		}
	}
	const each = `forEach: [{as: s, in: object.l}]`
	f(`{name: a, value: cut()}`, "a", 1)
	f(`{name: a, value: object.v, labels: {x: cut()}}`, "a", 1)
	f(`{name: a, value: [cut(), object.v], default: 0}`, "a", 1)
	f(`{name: a, forEach: [{as: s, in: cut()}], value: 1}`, "a", 1)
	f(`{name: a, forEach: [{as: s, in: object.l, where: cut()}], labels: {s: s}, value: 1}`, "a", 1)
	f(`{name: a, `+each+`, labels: {s: s}, value: cut()}`, "a", 1)
	f(`{name: a, `+each+`, labels: {s: s, x: [s.none, cut()]}, value: 1}`, "a", 1)
	f(`{name: a, age: cut()}`, "a", 1)
	f(`{name: a, aggregate: {op: count}, value: cut()}`, "a", 1)
	f(`{name: a, type: stateSet, states: [A], stateLabel: x, value: cut()}`, "a", 1)
	f(`{name: a, type: counter, onTransition: {of: cut()}}`, "a", 1)
	f(`{name: a, type: counter, `+each+`, labels: {s: s}, onTransition: {of: cut()}}`, "a", 1)
	f(`{name: a, type: counter, onTransition: {of: object.v}, age: cut()}`, "a", 1)
	f(`{name: a, forEach: [{as: o, lookup: {apiVersion: "'v1'", kind: "'N'", name: cut()}}], value: 1}`, "a", 1)
}

// TestBrokenExpressions tells of every failure, and goes on with the next
// element.
func TestBrokenExpressions(t *testing.T) {
	f := func(metric, want string) {
		t.Helper()
		set := newScripts().load(t, doc(metric))
		if got := evalSet(t, set, `{v: 1, l: [a, b]}`); got != lines(want) {
			t.Errorf("%s:\ngot:\n%swant:\n%s", metric, got, lines(want))
		}
	}
	const each = `forEach: [{as: s, in: object.l}], `
	const broken = `expression "fail()": broken`
	f(`{name: a, value: fail()}`, `! a expression: `+broken)
	f(`{name: a, `+each+`value: fail()}`, `! a expression: `+broken+` | ! a expression: `+broken)
	f(`{name: a, value: 1, labels: {x: fail()}}`, `! a expression: label "x": `+broken)
	f(`{name: a, value: 1, labels: {x: [object.v, fail()]}}`, `a{x="1"} 1`)
	f(`{name: a, forEach: [{as: s, in: fail()}], value: 1}`, `! a expression: forEach 1: `+broken)
	f(`{name: a, forEach: [{as: s, in: object.l, where: fail()}], value: 1}`, `! a expression: forEach 1: where: `+broken+` | ! a expression: forEach 1: where: `+broken)
	f(`{name: a, type: info, spread: [{from: fail()}]}`, `a 1 | ! a expression: spread: `+broken)
	f(`{name: a, age: fail()}`, `! a expression: `+broken)
	f(`{name: a, aggregate: {op: count}, value: fail()}`, `! a expression: `+broken)
	f(`{name: a, type: counter, onTransition: {of: fail()}}`, `! a expression: `+broken)
	f(`{name: a, type: stateSet, states: [A], stateLabel: x, value: fail()}`, `! a expression: `+broken)
	f(`{name: a, value: 1, forEach: [{as: o, lookup: {apiVersion: "'v1'", kind: "'N'", name: fail()}}]}`, `! a expression: forEach 1: lookup: `+broken)
}

// TestMaxSteps bounds how many elements a metric visits in one object, however
// they are nested.
func TestMaxSteps(t *testing.T) {
	const metrics = `{name: a, forEach: [{as: i, in: object.l}, {as: j, in: object.l}, {as: k, in: object.l, where: k.none}], value: 1},
		{name: b, forEach: [{as: i, in: object.l, where: i.none}], value: 1}, {name: c, value: 1}`
	set := load(t, doc(metrics))
	p, c := set.Program(testKind, true), new(rule.Context)
	list := func(n int) map[string]any { return map[string]any{"l": make([]any, n)} }
	fill := func(o map[string]any) map[string]any {
		for i := range o["l"].([]any) {
			o["l"].([]any)[i] = int64(i)
		}
		return o
	}
	// 46 + 46² + 46³ are not too many, 47 + 47² + 47³ are.
	if got, want := run(t, set, p, c, fill(list(46))), "c 1\n"; got != want {
		t.Errorf("46 elements: %s", got)
	}
	want := lines(`c 1 | ! a limit: more than 100000 elements in one object`)
	for range 2 { // there is no pause
		if got := run(t, set, p, c, fill(list(47))); got != want {
			t.Errorf("47 elements:\n%swant:\n%s", got, want)
		}
	}
	if got, want := run(t, set, p, c, fill(list(5))), "c 1\n"; got != want {
		t.Errorf("the next object: %s", got)
	}
	// Each metric has its own.
	set = load(t, doc(`{name: b, forEach: [{as: i, in: object.l, where: i.none}], value: 1}, {name: d, forEach: [{as: i, in: object.l, where: i.none}], value: 1}`))
	if got := run(t, set, set.Program(testKind, true), c, fill(list(100_000))); got != "" {
		t.Errorf("100000 elements: %s", got)
	}
	if got, want := run(t, set, set.Program(testKind, true), c, fill(list(101_000))),
		lines(`! b limit: more than 100000 elements in one object | ! d limit: more than 100000 elements in one object`); got != want {
		t.Errorf("101000 elements: %s", got)
	}
}

// TestBudgetIsToldOnce: of several expressions of one metric, none of which ends
// the metric, the first one is told.
func TestBudgetIsToldOnce(t *testing.T) {
	set := newScripts().load(t, doc(`{name: a, type: info, spread: [{from: cut()}, {from: cut()}]}`))
	if got, want := evalSet(t, set, `cut: true`), lines(`a 1 | ! a budget: spread: expression "cut()": `+stopped); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
