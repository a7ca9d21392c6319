package rule_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestForEach(t *testing.T) {
	f := func(scopes, labels, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: info, forEach: [`+scopes+`], labels: {`+labels+`}}`, object, want)
	}

	// Lists.
	f(`{as: s, in: object.l}`, `x: s`, `l: [a, b]`, `m{x="a"} 1 | m{x="b"} 1`)
	f(`{as: s, in: object.l}`, `x: s.v`, `l: [{v: b}, {v: a}]`, `m{x="b"} 1 | m{x="a"} 1`)
	f(`{as: s, in: object.l, index: i}`, `x: s, i: i`, `l: [a, b]`, `m{i="0",x="a"} 1 | m{i="1",x="b"} 1`)
	f(`{as: s, in: object.l, key: k}`, `x: s, k: k`, `l: [a]`, `m{x="a"} 1`)
	f(`{as: s, in: object.l}`, `x: s`, `l: []`, ``)
	f(`{as: s, in: object.l}`, `x: s`, `l: null`, ``)
	f(`{as: s, in: object.l}`, `x: s`, ``, ``)
	f(`{as: s, in: object.l.deeper}`, `x: s`, `l: text`, ``)
	f(`{as: s, in: "object.l[0]"}`, `x: s`, `l: [[a, b], [c]]`, `m{x="a"} 1 | m{x="b"} 1`)

	// Maps, in key order.
	f(`{as: s, in: object.m}`, `x: s`, `m: {b: 1, c: 3, a: 2}`, `m{x="2"} 1 | m{x="1"} 1 | m{x="3"} 1`)
	f(`{as: s, in: object.m, key: k}`, `x: s.v, k: k`, `m: {b: {v: 1}, a: {v: 2}}`, `m{k="a",x="2"} 1 | m{k="b",x="1"} 1`)
	f(`{as: s, in: object.m, key: k, index: i}`, `i: i, k: k`, `m: {b: 1, a: 2}`, `m{i="0",k="a"} 1 | m{i="1",k="b"} 1`)
	f(`{as: s, in: object.m}`, `x: s`, `m: {}`, ``)

	// A null element is absent; the others keep their index.
	f(`{as: s, in: object.l, index: i}`, `i: i, x: s`, `l: [null, a, null]`, `m{i="1",x="a"} 1`)
	f(`{as: s, in: object.m, key: k}`, `k: k, x: s`, `m: {a: null, b: 1}`, `m{k="b",x="1"} 1`)

	// one: a lone value stands for a list of it, and a list is a list.
	f(`{as: s, in: object.v, one: true}`, `x: s`, `v: a`, `m{x="a"} 1`)
	f(`{as: s, in: object.v, one: true}`, `x: s`, `v: false`, `m{x="false"} 1`)
	f(`{as: s, in: object.v, one: true}`, `x: s`, `v: 0`, `m{x="0"} 1`)
	f(`{as: s, in: object.v, one: true}`, `x: s.x`, `v: {x: a, y: b}`, `m{x="a"} 1`)
	f(`{as: s, in: object.v, one: true}`, `x: s`, `v: [a, b]`, `m{x="a"} 1 | m{x="b"} 1`)
	f(`{as: s, in: object.v, one: true}`, `x: s`, ``, ``)
	f(`{as: s, in: object.v, one: true, key: k, index: i}`, `x: s.x, k: k, i: i`, `v: {x: a}`, `m{i="0",x="a"} 1`)
	f(`{as: s, in: object.v, one: false}`, `x: s`, `v: {x: a}`, `m{x="a"} 1`)

	// The first present value of a list of expressions.
	f(`{as: s, in: [object.new, object.old]}`, `x: s`, `{new: [a], old: [b]}`, `m{x="a"} 1`)
	f(`{as: s, in: [object.new, object.old]}`, `x: s`, `old: [b]`, `m{x="b"} 1`)
	f(`{as: s, in: [object.refs, object.ref], one: true}`, `x: s.n`, `ref: {n: a}`, `m{x="a"} 1`)
	f(`{as: s, in: [object.new, object.old]}`, `x: s`, `{new: [], old: [b]}`, ``) // the empty list is present

	// Values that cannot be iterated over.
	f(`{as: s, in: object.v}`, `x: s`, `v: text`, `! m scope: forEach 1: text is neither a list nor a map`)
	f(`{as: s, in: object.v}`, `x: s`, `v: 5`, `! m scope: forEach 1: a number is neither a list nor a map`)
	f(`{as: s, in: object.v}`, `x: s`, `v: true`, `! m scope: forEach 1: a boolean is neither a list nor a map`)
	f(`{as: s, in: object.l}, {as: t, in: s.v}`, `x: t`, `l: [{v: 1}, {v: [a]}]`, `m{x="a"} 1 | ! m scope: forEach 2: a number is neither a list nor a map`)
}

func TestForEachNested(t *testing.T) {
	f := func(scopes, labels, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: info, forEach: [`+scopes+`], labels: {`+labels+`}}`, object, want)
	}
	const object = `
name: o
parents:
- {name: p1, conditions: [{type: A, list: [1, 2]}, {type: B}]}
- {name: p2}
- {name: p3, conditions: [{type: C, list: [3]}]}
`
	f(`{as: p, in: object.parents}, {as: c, in: p.conditions}`, `o: object.name, p: p.name, t: c.type`, object,
		`m{o="o",p="p1",t="A"} 1 | m{o="o",p="p1",t="B"} 1 | m{o="o",p="p3",t="C"} 1`)
	f(`{as: p, in: object.parents}, {as: c, in: p.conditions}, {as: n, in: c.list, index: i}`, `a: i, o: object.name, p: p.name, t: c.type, z: n`, object,
		`m{a="0",o="o",p="p1",t="A",z="1"} 1 | m{a="1",o="o",p="p1",t="A",z="2"} 1 | m{a="0",o="o",p="p3",t="C",z="3"} 1`)
	// An inner scope may leave an outer one alone.
	f(`{as: p, in: object.parents}, {as: q, in: object.parents}`, `p: p.name, q: q.name`, `parents: [{name: a}, {name: b}]`,
		`m{p="a",q="a"} 1 | m{p="a",q="b"} 1 | m{p="b",q="a"} 1 | m{p="b",q="b"} 1`)
	// A label that is absent in one element is not that of the one before.
	f(`{as: p, in: object.parents}, {as: c, in: p.conditions}`, `p: p.name, r: [c.reason, p.reason], t: c.type`,
		`parents: [{name: a, reason: R, conditions: [{type: A, reason: X}, {type: B}]}, {conditions: [{type: C}]}]`,
		`m{p="a",r="X",t="A"} 1 | m{p="a",r="R",t="B"} 1 | m{t="C"} 1`)
}

func TestWhere(t *testing.T) {
	f := func(where, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: info, forEach: [{as: s, in: object.l, key: k, index: i, where: `+where+`}], labels: {x: s.n}}`, object, want)
	}
	const l = `{l: [{n: a, on: true}, {n: b, on: false}, {n: c}, {n: d, on: null}, {n: e, on: true}], yes: true, no: false}`
	f(`s.on`, l, `m{x="a"} 1 | m{x="e"} 1`)
	f(`[s.on, "true"]`, l, `m{x="a"} 1 | m{x="c"} 1 | m{x="d"} 1 | m{x="e"} 1`)
	f(`object.yes`, l, `m{x="a"} 1 | m{x="b"} 1 | m{x="c"} 1 | m{x="d"} 1 | m{x="e"} 1`)
	f(`object.no`, l, ``)
	f(`object.absent`, l, ``)
	f(`k`, `{l: {a: {n: b}}}`, `m{x="b"} 1`)
	f(`k`, `{l: [{n: b}]}`, ``)
	// In the innermost of several scopes.
	checkEval(t, `{name: m, type: info, forEach: [{as: p, in: object.l, where: p.on}, {as: s, in: p.l, where: s.on}], labels: {x: s.n}}`,
		`l: [{on: true, l: [{n: a, on: true}, {n: b}]}, {l: [{n: c, on: true}]}]`, `m{x="a"} 1`)
}

func TestDuplicates(t *testing.T) {
	const twice = "another sample of the object has the same labels"
	const conflict = "! m conflict: " + twice + " and another value: add a label that tells them apart"
	checkEval(t, `{name: m, forEach: [{as: s, in: object.l}], labels: {x: s.x}, value: s.v}`,
		`l: [{x: a, v: 1}, {x: b, v: 2}, {x: a, v: 3}, {x: a, v: 1}]`,
		`m{x="a"} 1 | m{x="b"} 2 | `+conflict+` | ! m duplicate: `+twice)
	checkEval(t, `{name: m, forEach: [{as: s, in: object.l}], labels: {x: s.x}, value: s.v}`,
		`l: [{v: 1}, {v: 2}, {x: "", v: 3}]`, // an empty label is none
		`m 1 | `+conflict+` | `+conflict)
	// Labels are compared as such, not as text put together.
	checkEval(t, `{name: m, type: info, forEach: [{as: s, in: object.l}], labels: {a: s.a, b: s.b}}`,
		`l: [{a: x}, {b: x}, {a: xb}, {a: x, b: x}]`, `m{a="x"} 1 | m{b="x"} 1 | m{a="xb"} 1 | m{a="x",b="x"} 1`)
	// Two metrics of one family.
	checkEval(t, `{name: m, value: object.v}, {name: m, value: object.w}, {name: m, value: object.w, labels: {x: object.w}}`,
		`{v: 1, w: 2}`, `m 1 | m{x="2"} 2 | `+conflict)
	checkEval(t, `{name: m, value: object.v}, {name: m, value: object.w}`, `{w: 2}`, `m 2`)
	checkEval(t, `{name: m, value: object.v}, {name: m, each: {type: Gauge, gauge: {path: [w]}}}`, `{v: 1, w: 2}`, `m 1 | `+conflict)
	// Two families.
	checkEval(t, `{name: m, value: object.v}, {name: n, value: object.v}`, `{v: 1}`, `m 1 | n 1`)
}

// TestContextIsFresh evaluates objects one after the other with one context:
// nothing of one shows in the next.
func TestContextIsFresh(t *testing.T) {
	set := load(t, doc(`
		{name: m, forEach: [{as: s, in: object.l, key: k, index: i}], labels: {x: s, k: k}, spread: [{from: object.labels}], value: i},
		{name: n, value: object.v}, {name: n, value: object.w}`))
	p := set.Program(testKind, true)
	c := new(rule.Context)
	f := func(object, want string) {
		t.Helper()
		if got := run(t, set, p, c, parseObject(t, object)); got != lines(want) {
			t.Errorf("%s:\ngot:\n%swant:\n%s", object, got, lines(want))
		}
	}
	for range 2 {
		f(`{l: {a: x}, labels: {l1: v}, v: 1}`, `m{k="a",l1="v",x="x"} 0 | n 1`)
		f(`{l: [y], w: 2}`, `m{x="y"} 0 | n 2`)
		f(`{}`, ``)
		f(`{l: {a: x}, labels: {l1: v}, v: 1}`, `m{k="a",l1="v",x="x"} 0 | n 1`)
	}
}

// features are metrics that use each feature, for objects whose fields a and b
// may be anything.
var features = []string{
	`{name: gauge, labels: {x: object.a}, value: object.b}`,
	`{name: counter, type: counter, labels: {x: object.a}, value: object.b}`,
	`{name: fallback, value: [object.a, object.b], default: -1}`,
	`{name: mapped, value: object.a, valueMap: {"": 0, "1": 1, "true": 2, "*": 3}}`,
	`{name: steps, value: "object.a[0].a[-1][a=b].b"}`,
	`{name: states, type: stateSet, value: object.a, states: [text, "1", ""], stateLabel: state, labels: {x: object.b}}`,
	`{name: spread, type: info, labels: {a: object.a}, spread: [{from: object.a, deny: ["d*"]}, {from: object.b, prefix: "1", allow: ["*"]}]}`,
	`{name: each, type: info, forEach: [{as: s, in: object.a, key: k, index: i}], labels: {s: s, k: k, i: i}}`,
	`{name: one, type: info, forEach: [{as: s, in: [object.a, object.b], one: true, where: object.b}], labels: {s: s.a}}`,
	`{name: nested, forEach: [{as: s, in: object.a}, {as: u, in: s, one: true}, {as: v, in: u.a}], labels: {s: s, u: u.a}, spread: [{from: u}], value: v}`,
	`{name: paths, value: object.a, labelsFromPath: {"0": [a, b], b: [b]}, commonLabels: {c: d}}`,
	`{name: each_gauge, each: {type: Gauge, gauge: {path: [a], labelFromKey: k, labelsFromPath: {"*": [], a: [a], "1": ["0"]}}}}`,
	`{name: each_gauge_key, each: {type: Gauge, gauge: {path: [a], valueFrom: [a], labelsFromPath: {"**": []}, nilIsZero: true}}}`,
	`{name: each_info, each: {type: Info, info: {path: [a], labelFromKey: k, labelsFromPath: {"x_*": [], a: ["[a=b]", a], c: ["-1"]}}}}`,
	`{name: each_states, each: {type: StateSet, stateSet: {path: [a], labelName: s, valueFrom: [a], list: [text, b], labelsFromPath: {"*": [b], s: [b]}}}}`,
	`{name: each_self, each: {type: StateSet, stateSet: {path: ["a=b"], labelName: s, list: [text]}}}`,
}

var everything = doc(strings.Join(features, ",\n"))

// values are values of all types, some of them around others.
func values(inner []any) []any {
	out := []any{nil, "", "text", "1", "-1", "NaN", "2024-01-01T00:00:00Z", true, false, int64(0), int64(-5), 2.5, []any{}, map[string]any{}}
	for _, v := range inner {
		out = append(out, []any{v, nil, v, "b"}, map[string]any{"a": v, "b": "b", "a-b": v, "": v, "0": v, "__name__": "x", "k": nil})
	}
	return out
}

// TestAnyType evaluates rules for each feature with objects whose fields have
// any type, and relies on the recorder: nothing panics, all samples are valid
// and there once.
func TestAnyType(t *testing.T) {
	set := load(t, everything)
	p := set.Program(testKind, true)
	c := new(rule.Context)
	deep := values(values(values(nil)[:4]))
	samples := 0
	for _, a := range deep {
		for _, b := range values([]any{"b", int64(1)}) {
			object := map[string]any{"a": a, "b": b}
			first := run(t, set, p, c, object)
			samples += strings.Count(first, "\n")
			if again := run(t, set, p, new(rule.Context), object); first != again {
				t.Fatalf("%v: two results for one object:\n%s\n%s", object, first, again)
			}
		}
	}
	if samples < 1000 {
		t.Errorf("only %d lines: the objects do not fit the rules", samples)
	}
}

// TestConcurrentEval has several goroutines share a program; the race detector
// looks on.
func TestConcurrentEval(t *testing.T) {
	set := load(t, everything)
	p := set.Program(testKind, true)
	object := parseObject(t, `{a: {a: [x, y], b: text, "c-d": 1}, b: true}`)
	want := run(t, set, p, new(rule.Context), object)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			c := new(rule.Context)
			for range 50 {
				if got := run(t, set, p, c, object); got != want {
					t.Errorf("got:\n%swant:\n%s", got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestEvalAllocatesNothing is the promise of the package's documentation.
func TestEvalAllocatesNothing(t *testing.T) {
	f := func(metrics, object string) {
		t.Helper()
		set := load(t, doc(metrics))
		p := set.Program(testKind, true)
		c, sink, o := new(rule.Context), new(counter), parseObject(t, object)
		p.Eval(c, o, sink)
		if sink.samples == 0 || sink.problems > 0 {
			t.Errorf("%s: %d samples and %d problems", metrics, sink.samples, sink.problems)
		}
		if n := testing.AllocsPerRun(100, func() { p.Eval(c, o, sink) }); n > 0 {
			t.Errorf("%s: %v allocations", metrics, n)
		}
	}
	f(`{name: m, labels: {x: object.metadata.name, y: object.n, z: "'text'"}, value: object.n}`, `{metadata: {name: a}, n: 1234}`)
	f(`{name: m, value: object.status}`, `status: "True"`)
	f(`{name: m, value: object.at}`, `at: "2024-01-01T00:00:00Z"`)
	f(`{name: m, value: object.none, default: 0}`, `{}`)
	f(`{name: m, value: object.status, valueMap: {Ready: 1, "*": 0}}`, `status: Failed`)
	f(`{name: m, value: "object.l[type=Ready].status"}`, `l: [{type: A}, {type: Ready, status: "True"}]`)
	f(`{name: m, value: "object.l[-1]"}`, `l: [1, 2, 3]`)
	f(`{name: m, type: info, labels: {x: [object.a, object.b, "'c'"], y: gvk.kind}}`, `{b: x}`)
	f(`{name: m, type: stateSet, stateLabel: s, states: [A, B], value: object.phase, labels: {x: object.n}}`, `{phase: B, n: 77}`)
	f(`{name: m, forEach: [{as: p, in: object.parents}, {as: c, in: p.conditions, where: c.on}], labels: {p: p.name, t: c.type}, value: c.status}`,
		`parents: [{name: a, conditions: [{type: X, on: true, status: "True"}, {type: Y, on: true, status: "False"}]}, {name: b, conditions: [{type: X, on: true, status: Unknown}]}]`)
}

// counter is a Sink that allocates nothing.
type counter struct{ samples, problems int }

func (c *counter) Sample(*rule.Metric, []metric.Label, float64)        { c.samples++ }
func (c *counter) State(*rule.Metric, []metric.Label, string, float64) { c.samples++ }
func (c *counter) Problem(rule.Problem)                                { c.problems++ }
