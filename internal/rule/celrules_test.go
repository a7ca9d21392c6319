package rule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// TestCEL computes values, labels and conditions of rules.
func TestCEL(t *testing.T) {
	const object = `
metadata: {name: o, namespace: ns}
n: 3
f: 0.5
s: text
list: [{t: A, s: "True"}, {t: B, s: "False"}, {t: C}]
map: {b: 2, a: 1}
`
	f := func(metrics, want string) {
		t.Helper()
		checkCEL(t, metrics, object, want)
	}
	// Values of each kind.
	f(`{name: m, value: "object.n + 1"}`, `m 4`)
	f(`{name: m, value: "double(object.n) * object.f"}`, `m 1.5`)
	f(`{name: m, value: "object.n > 2"}`, `m 1`)
	f(`{name: m, value: "object.s == 'other'"}`, `m 0`)
	f(`{name: m, value: "object.s.startsWith('te') ? '5m' : 'x'"}`, `m 0.005`)
	f(`{name: m, value: "duration('90s')"}`, `m 90`)
	f(`{name: m, value: "timestamp('1970-01-01T00:01:00Z')"}`, `m 60`)
	f(`{name: m, value: "object.list.exists(c, c.t == 'A' && c.s == 'True')"}`, `m 1`)
	f(`{name: m, value: "object.s + '!'", valueMap: {"text!": 7}}`, `m 7`)
	f(`{name: m, value: "[object.n]"}`, `! m value: a list is not a number`)
	f(`{name: m, value: "{'a': object.n}"}`, `! m value: a map is not a number`)
	f(`{name: m, type: counter, value: "0 - object.n"}`, `! m value: a counter cannot be -3`)
	f(`{name: m, type: stateSet, states: [A, B], stateLabel: t, value: "object.list[0].t"}`, `m{t="A"} 1 | m{t="B"} 0`)
	f(`{name: m, type: stateSet, states: [ab], stateLabel: t, value: "'a' + 'b'"}`, `m{t="ab"} 1`)

	// Labels.
	f(`{name: m, type: info, labels: {x: "object.metadata.namespace + '/' + object.metadata.name", n: "object.n * 2", f: "object.f * 2.0", b: "object.n == 3"}}`,
		`m{b="true",f="1",n="6",x="ns/o"} 1`)
	f(`{name: m, type: info, labels: {x: "timestamp('2024-01-01T00:00:00+01:00')", d: "duration('90s')"}}`, `m{d="1m30s",x="2023-12-31T23:00:00Z"} 1`)
	f(`{name: m, type: info, labels: {x: "object.list.map(c, c.t)"}}`, `! m label: label "x": a list cannot be a label value`)
	f(`{name: m, type: info, labels: {x: "object.list.map(c, c.t).join(',')"}}`, `m{x="A,B,C"} 1`)

	// Scopes over what an expression makes, and variables of scopes in it.
	f(`{name: m, forEach: [{as: c, in: "object.list.filter(c, has(c.s))", index: i}], labels: {t: c.t, i: i}, value: "c.s == 'True'"}`, `m{i="0",t="A"} 1 | m{i="1",t="B"} 0`)
	f(`{name: m, forEach: [{as: v, in: "object.map.transformMap(k, v, v * 10)", key: k}], labels: {k: "k + k"}, value: v}`, `m{k="aa"} 10 | m{k="bb"} 20`)
	f(`{name: m, forEach: [{as: c, in: object.list, index: i, where: "i > 0 && c.t != 'C'"}], labels: {t: c.t}, value: "i * 2"}`, `m{t="B"} 2`)
	f(`{name: m, forEach: [{as: x, in: "'a-b'.split('-')"}, {as: y, in: "[x + '1', x + '2']"}], labels: {x: x, y: y}, value: 1}`,
		`m{x="a",y="a1"} 1 | m{x="a",y="a2"} 1 | m{x="b",y="b1"} 1 | m{x="b",y="b2"} 1`)
	f(`{name: m, forEach: [{as: c, in: "object.s"}], value: 1}`, `! m scope: forEach 1: text is neither a list nor a map`)
	f(`{name: m, type: info, spread: [{from: "object.map.transformMap(k, v, string(v))", prefix: p_}]}`, `m{p_a="1",p_b="2"} 1`)
	f(`{name: m, type: info, labels: {k: "gvk.kind + '.' + gvk.group"}}`, `m{k="K.g"} 1`)

	// Errors are told with the source.
	f(`{name: m, value: "object.n / 0"}`, `! m expression: expression "object.n / 0": division by zero`)
	f(`{name: m, forEach: [{as: c, in: object.list, where: "c.t > 1"}], value: 1}`,
		strings.Repeat(`! m expression: forEach 1: where: expression "c.t > 1": no such overload: string > int | `, 2)+`! m expression: forEach 1: where: expression "c.t > 1": no such overload: string > int`)
}

// TestCELAbsent: what CEL does not find is absent everywhere.
func TestCELAbsent(t *testing.T) {
	const object = `{n: 3, "null": null, list: [{t: A}, {s: x}]}`
	for _, absent := range []string{
		"object.none.deeper", "object.none + 1", "object.list[7].t", "object.n.field", "object['null'].x", "object.none == 'a'",
		"!object.none", "object.none > 3", "object.?none", "size(object.none)", "object.none ? 1 : 2", "gvk.none + 'a'",
	} {
		f := func(metric, want string) {
			t.Helper()
			checkCEL(t, strings.ReplaceAll(metric, "EXPR", `"`+absent+`"`), object, want)
		}
		f(`{name: m, value: EXPR}`, ``)
		f(`{name: m, value: EXPR, default: 9}`, `m 9`)
		f(`{name: m, value: [EXPR, object.n]}`, `m 3`)
		f(`{name: m, value: object.n, labels: {x: EXPR}}`, `m 3`)
		f(`{name: m, value: object.n, labels: {x: [EXPR, "'else'"]}}`, `m{x="else"} 3`)
		f(`{name: m, value: 1, forEach: [{as: s, in: object.list, where: EXPR}]}`, ``)
		f(`{name: m, value: 1, forEach: [{as: s, in: EXPR}]}`, ``)
		f(`{name: m, value: 1, forEach: [{as: s, in: EXPR, one: true}]}`, ``)
		f(`{name: m, type: info, spread: [{from: EXPR}]}`, `m 1`)
		f(`{name: m, age: EXPR}`, ``)
		f(`{name: m, aggregate: {op: count}, value: EXPR}`, ``)
		f(`{name: m, type: counter, onTransition: {of: EXPR}}`, ``)
		f(`{name: m, type: counter, onTransition: {of: object.n}, age: EXPR}`, `m NaN 3`)
		f(`{name: m, type: stateSet, states: [A], stateLabel: s, value: EXPR}`, ``)
	}
	// An element that lacks the field does not fail the others.
	checkCEL(t, `{name: m, forEach: [{as: c, in: object.list, index: i}], labels: {i: i, t: "c.t + '!'"}, value: 1}`, object, `m{i="0",t="A!"} 1 | m{i="1"} 1`)
	// A lookup that finds nothing is absent in CEL.
	set := loadCEL(t, doc(`{name: m, forEach: [{as: o, lookup: {apiVersion: "'v1'", kind: "'N'", name: "'n' + string(object.n)"}}], labels: {x: "o.v + '!'"}, value: 1}`))
	w := newWorld(t, set)
	p := set.Program(testKind, true)
	p.Eval(new(rule.Context), parseObject(t, object), w)
	if len(w.asked) != 1 || w.asked[0] != (rule.Ref{Kind: "N", Name: "n3"}) {
		t.Errorf("asked for %v", w.asked)
	}
	w.objects[rule.Ref{Kind: "N", Name: "n3"}] = map[string]any{"v": "x"}
	w.samples = nil
	clear(w.seen)
	if got, want := w.eval(p, object), lines(`m{x="x!"} 1`); got != want {
		t.Errorf("with the object: %s", got)
	}
}

// TestCELBudget stops a loop in a value; the metric before and after have theirs.
func TestCELBudget(t *testing.T) {
	const loop = `object.l.exists(a, object.l.exists(b, object.l.exists(c, a + b + c == -1)))`
	set := loadCEL(t, doc(`{name: a, value: object.v}, {name: b, value: "`+loop+`"}, {name: c, value: "object.l.exists(a, a == 1)"}`))
	list := make([]any, 1000)
	for i := range list {
		list[i] = int64(i)
	}
	c := &rule.Context{Budget: 20 * time.Millisecond}
	p := set.Program(testKind, true)
	const over = `the expression costs more than it may: the evaluation was stopped because its time is used up: loop over less, or raise the budget`
	want := lines("a 1 | c 1 | ! b budget: expression \"" + loop + "\": " + over)
	if got := run(t, set, p, c, map[string]any{"v": int64(1), "l": list}); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	want = lines("a 2 | c 1 | ! b budget: the metric has used up its time and pauses")
	if got := run(t, set, p, c, map[string]any{"v": int64(2), "l": []any{int64(1)}}); got != want {
		t.Errorf("the next object:\n%swant:\n%s", got, want)
	}
}

// TestCELErrorPlaces has the place inside of the expression. In a block it is
// that of the block's beginning.
func TestCELErrorPlaces(t *testing.T) {
	f := func(rules, want string) {
		t.Helper()
		rules, want = place(t, rules, want)
		_, findings := compileCEL(t, rules)
		if got := findings.Error(); sortLines(got) != sortLines(want) {
			t.Errorf("rules:\n%s\ngot:\n%s\nwant:\n%s", rules, got, want)
		}
	}
	const inScope = `in scope are object, gvk`
	unknown := func(expression, name string) string {
		return `metric "m": expression "` + expression + `": unknown name "` + name + `": ` + inScope
	}
	f(doc(`{name: m, value: object.a + §x.b}`), unknown(`object.a + x.b`, "x"))
	f(doc(`{name: m, value: "object.a + §x.b"}`), unknown(`object.a + x.b`, "x"))
	f(doc(`{name: m, value: 'object.a + §x.b'}`), unknown(`object.a + x.b`, "x"))
	f(doc(`{name: m, value: 1, labels: {x: [object.a, "size(§y)"]}}`), unknown(`size(y)`, "y"))
	f(doc(`{name: m, value: 1, forEach: [{as: s, in: object.l, where: "s == §u.v"}]}`),
		`metric "m": expression "s == u.v": unknown name "u": in scope are object, gvk, s, did you mean "s"?`)
	f(doc(`{name: m, value: "object.s.matches(§'[')"}`), "metric \"m\": expression \"object.s.matches('[')\": missing closing ]: `[`: not a regular expression")
	f(doc(`{name: m, age: "1 + §x"}`), unknown(`1 + x`, "x"))
	f(doc(`{name: m, type: counter, onTransition: {of: "'a' + §x"}}`), unknown(`'a' + x`, "x"))
	f(doc(`{name: m, type: info, spread: [{from: "true ? §x : object"}]}`), unknown(`true ? x : object`, "x"))

	block := func(value, want string) {
		t.Helper()
		f("kind: MetricRules\nspec:\n  resources:\n  - groupVersionKind: {group: g, kind: K}\n    metrics:\n    - name: m\n      value: "+value, want)
	}
	block("§|-\n        object.a + x.b\n", unknown(`object.a + x.b`, "x"))
	block("§|-\n        object.a +\n        x.b\n", unknown(`object.a +\nx.b`, "x"))
	block("§>-\n        object.a +\n        x.b\n", unknown(`object.a + x.b`, "x"))
	block("object.a + §x.b\n", unknown(`object.a + x.b`, "x"))
}
