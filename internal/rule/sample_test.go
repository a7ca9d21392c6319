package rule_test

import "testing"

func TestValue(t *testing.T) {
	f := func(metric, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, `+metric+`}`, object, want)
	}
	f(`value: object.v`, `v: 5`, `m 5`)
	f(`value: object.v`, `v: -0.5`, `m -0.5`)
	f(`value: object.v`, `v: "True"`, `m 1`)
	f(`value: object.v`, `v: 250m`, `m 0.25`)
	f(`value: object.v`, `v: "2024-01-01T00:00:00Z"`, `m 1.7040672e+09`)
	f(`value: object.v`, `v: "28%"`, `m 0.28`)
	f(`value: object.v`, `v: NaN`, `m NaN`)
	f(`value: object.v`, ``, ``)
	f(`value: object.v`, `v: null`, ``)
	f(`value: object.v`, `v: Ready`, `! m value: "Ready" is not a number, a boolean, a time or a quantity`)
	f(`value: object.v`, `v: ""`, `! m value: "" is not a number, a boolean, a time or a quantity`)
	f(`value: object.v`, `v: [1]`, `! m value: a list is not a number`)
	f(`value: object.v`, `v: {a: 1}`, `! m value: a map is not a number`)
	f(`value: [object.v, object.w]`, `w: 3`, `m 3`)
	f(`value: [object.v, object.w]`, `{v: 0, w: 3}`, `m 0`)
	f(`value: [object.v, object.w]`, `{v: bad, w: 3}`, `! m value: "bad" is not a number, a boolean, a time or a quantity`)
	f(`value: 7`, ``, `m 7`)
	f(`value: "'250m'"`, ``, `m 0.25`)

	f(`value: object.v, default: 9`, `v: 5`, `m 5`)
	f(`value: object.v, default: 9`, `v: 0`, `m 0`)
	f(`value: object.v, default: 9`, ``, `m 9`)
	f(`value: object.v, default: 0`, `v: null`, `m 0`)
	f(`value: object.v, default: 9`, `v: bad`, `! m value: "bad" is not a number, a boolean, a time or a quantity`)
	f(`default: 9`, ``, `m 9`)
	f(`default: 9, forEach: [{as: s, in: object.l}], labels: {x: s.x}, value: s.v`, `l: [{x: a}, {x: b, v: 1}]`, `m{x="a"} 9 | m{x="b"} 1`)
	f(`default: 9, forEach: [{as: s, in: object.l}]`, ``, ``) // no element, no sample
}

func TestValueMap(t *testing.T) {
	f := func(metric, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, value: object.v, valueMap: `+metric+`}`, object, want)
	}
	f(`{A: 1, B: 2}`, `v: A`, `m 1`)
	f(`{A: 1, B: 2}`, `v: B`, `m 2`)
	f(`{A: 1}`, `v: a`, `! m value: "a" is not in the valueMap`)
	f(`{A: 1, "*": -1}`, `v: C`, `m -1`)
	f(`{A: 1, "*": -1}`, `v: "*"`, `m -1`)
	f(`{A: 1, "*": -1}`, `v: ""`, `m -1`)
	f(`{"": 3, "*": -1}`, `v: ""`, `m 3`)
	f(`{"": 3}`, `v: [A]`, `! m value: a list cannot be looked up in the valueMap`) // a list is not the empty text
	f(`{A: 1, "*": -1}`, ``, ``)                                                    // absent is not "any other"
	f(`{A: 1, "*": -1}, default: 5`, ``, `m 5`)
	f(`{A: 1}, default: 5`, `v: B`, `! m value: "B" is not in the valueMap`)
	f(`{True: 10, False: 20}`, `v: "True"`, `m 10`)
	f(`{true: 10, false: 20}`, `v: false`, `m 20`) // the text of a boolean
	f(`{404: 4}`, `v: 404`, `m 4`)
	f(`{"0.5": 4}`, `v: 0.5`, `m 4`)
	f(`{A: 1.5, B: .inf}`, `v: B`, `m +Inf`)
}

func TestCounter(t *testing.T) {
	f := func(object, want string) {
		t.Helper()
		checkEval(t, `{name: m_total, type: counter, value: object.v}`, object, want)
	}
	f(`v: 0`, `m_total 0`)
	f(`v: 12`, `m_total 12`)
	f(`v: inf`, `m_total +Inf`)
	f(`v: -1`, `! m_total value: a counter cannot be -1`)
	f(`v: NaN`, `! m_total value: a counter cannot be NaN`)
	f(`v: "-Inf"`, `! m_total value: a counter cannot be -Inf`)
	checkEval(t, `{name: m_total, type: counter, default: -1}`, ``, `! m_total value: a counter cannot be -1`)
	checkEval(t, `{name: m_total, type: counter, default: .nan}`, ``, `! m_total value: a counter cannot be NaN`)
	checkEval(t, `{name: m_total, type: counter, value: object.v, valueMap: {A: -1}}`, `v: A`, `! m_total value: a counter cannot be -1`)
}

func TestInfo(t *testing.T) {
	checkEval(t, `{name: m_info, type: info, labels: {x: object.x, y: object.y}}`, `x: a`, `m_info{x="a"} 1`)
	checkEval(t, `{name: m_info, type: info, labels: {x: object.x}}`, ``, `m_info 1`)
	checkEval(t, `{name: m_info, type: info}`, `x: a`, `m_info 1`)
}

func TestStateSet(t *testing.T) {
	f := func(metric, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: stateSet, stateLabel: s, states: [B, A], `+metric+`}`, object, want)
	}
	f(`value: object.v`, `v: A`, `m{s="B"} 0 | m{s="A"} 1`) // in the order of the list
	f(`value: object.v`, `v: B`, `m{s="B"} 1 | m{s="A"} 0`)
	f(`value: object.v`, `v: C`, `m{s="B"} 0 | m{s="A"} 0 | m{s="C"} 1 | ! m unlisted_state: the state "C" is not listed`)
	f(`value: object.v`, `v: a`, `m{s="B"} 0 | m{s="A"} 0 | m{s="a"} 1 | ! m unlisted_state: the state "a" is not listed`)
	f(`value: object.v`, `v: 5`, `m{s="B"} 0 | m{s="A"} 0 | m{s="5"} 1 | ! m unlisted_state: the state "5" is not listed`)
	f(`value: object.v`, ``, ``)
	f(`value: object.v`, `v: null`, ``)
	f(`value: object.v`, `v: [A]`, `! m state: a list cannot be a label value`)
	f(`value: object.v`, `v: {A: true}`, `! m state: a map cannot be a label value`)
	f(`value: [object.v, object.w]`, `w: A`, `m{s="B"} 0 | m{s="A"} 1`)
	f(`value: "'A'"`, ``, `m{s="B"} 0 | m{s="A"} 1`)
	f(`value: object.v, labels: {a: object.a, z: object.z}`, `{v: A, a: x, z: y}`, `m{a="x",s="B",z="y"} 0 | m{a="x",s="A",z="y"} 1`)
	f(`value: c.v, forEach: [{as: c, in: object.l}], labels: {n: c.n}`, `l: [{n: x, v: A}, {n: y, v: D}, {n: z, v: B}]`,
		`m{n="x",s="B"} 0 | m{n="x",s="A"} 1 | m{n="y",s="B"} 0 | m{n="y",s="A"} 0 | m{n="y",s="D"} 1 | m{n="z",s="B"} 1 | m{n="z",s="A"} 0 | ! m unlisted_state: the state "D" is not listed`)
	f(`value: object.v, spread: [{from: object.l}]`, `{v: B, l: {s: taken, x: y}}`,
		`m{s="B",s_conflict1="taken",x="y"} 1 | m{s="A",s_conflict1="taken",x="y"} 0`)
	checkEval(t, `{name: m, type: stateSet, stateLabel: s, states: [True, 5], value: object.v}`, `v: true`,
		`m{s="True"} 0 | m{s="5"} 0 | m{s="true"} 1 | ! m unlisted_state: the state "true" is not listed`)
}

func TestLabelValues(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		checkEval(t, `{name: m, value: object.n, labels: {x: object.v}}`, "n: 1\nv: "+value, want)
	}
	f(`text`, `m{x="text"} 1`)
	f(`"a \"b\" \\ c\nd"`, `m{x="a \"b\" \\ c\nd"} 1`)
	f(`"Ωμέγα 🙂"`, `m{x="Ωμέγα 🙂"} 1`)
	f(`""`, `m 1`)
	f(`null`, `m 1`)
	f(`true`, `m{x="true"} 1`)
	f(`0`, `m{x="0"} 1`)
	f(`-7`, `m{x="-7"} 1`)
	f(`12345678`, `m{x="12345678"} 1`)
	f(`12345678.5`, `m{x="1.23456785e+07"} 1`)
	f(`0.1`, `m{x="0.1"} 1`)
	f(`[a]`, `! m label: label "x": a list cannot be a label value`)
	f(`{a: b}`, `! m label: label "x": a map cannot be a label value`)

	// The samples of other elements, and of other metrics, stay.
	checkEval(t, `{name: m, value: s.n, forEach: [{as: s, in: object.l}], labels: {x: s.x}}, {name: n, value: object.n}`,
		`{l: [{n: 1, x: [a]}, {n: 2, x: b}], n: 3}`, `m{x="b"} 2 | n 3 | ! m label: label "x": a list cannot be a label value`)
	// A list or map is present: what follows it does not count.
	checkEval(t, `{name: m, value: object.n, labels: {x: [object.l, object.n]}}`, `{n: 1, l: []}`,
		`! m label: label "x": a list cannot be a label value`)
}

func TestSpread(t *testing.T) {
	f := func(spread, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: info, spread: [`+spread+`], labels: {named: object.named}}`, object, want)
	}
	f(`{from: object.l}`, `l: {b: 2, a: 1}`, `m{a="1",b="2"} 1`)
	f(`{from: object.l}`, `l: {b: text, a: true, c: 0.5, d: null, e: ""}`, `m{a="true",b="text",c="0.5"} 1`)
	f(`{from: object.l}`, `l: {}`, `m 1`)
	f(`{from: object.l}`, ``, `m 1`)
	f(`{from: [object.k, object.l]}`, `l: {a: 1}`, `m{a="1"} 1`)
	f(`{from: object.l}, {from: object.k}`, `{l: {a: 1}, k: {b: 2}}`, `m{a="1",b="2"} 1`)
	f(`{from: object.l, prefix: label_}`, `l: {a: 1, "1": 2, "x.y/z": 3}`, `m{label_1="2",label_a="1",label_x_y_z="3"} 1`)

	// Sanitising.
	f(`{from: object.l}`, `l: {app.kubernetes.io/name: x}`, `m{app_kubernetes_io_name="x"} 1`)
	f(`{from: object.l}`, `l: {"a b": x, "ü": y}`, `m{_="y",a_b="x"} 1`)
	f(`{from: object.l}`, `l: {1a: x, "9": y}`, `m{_1a="x",_9="y"} 1`)
	f(`{from: object.l, prefix: "1-"}`, `l: {a: x}`, `m{_1_a="x"} 1`)
	f(`{from: object.l}`, `l: {__name__: x}`, `m{_name__="x"} 1`) // two underscores are Prometheus' own
	f(`{from: object.l}`, `l: {"": x}`, `m{_="x"} 1`)

	// Collisions, in key order.
	f(`{from: object.l}`, `l: {a.b: dot, a-b: dash, a_b: none, c: x}`, `m{a_b_conflict1="dash",a_b_conflict2="dot",a_b_conflict3="none",c="x"} 1`)
	f(`{from: object.l}`, `l: {a.b: dot, a-b: dash, a_b_conflict1: own}`, `m{a_b_conflict1="own",a_b_conflict2="dash",a_b_conflict3="dot"} 1`)
	f(`{from: object.l}`, `l: {"": a, "ü": b}`, `m{_conflict1="a",_conflict2="b"} 1`) // not with two underscores at the start
	f(`{from: object.l}, {from: object.k}`, `{l: {a: 1}, k: {a: 2, b: 3}}`, `m{a="1",a_conflict1="2",b="3"} 1`)
	f(`{from: object.l}, {from: object.k}`, `{l: {a: 1, a_conflict1: 4}, k: {a: 2}}`, `m{a="1",a_conflict1="4",a_conflict2="2"} 1`)

	// No label of an object takes the place of one that the rule names, not even
	// where that one is absent.
	f(`{from: object.l}`, `{l: {named: evil, x: y}, named: good}`, `m{named="good",named_conflict1="evil",x="y"} 1`)
	f(`{from: object.l}`, `{l: {named: evil}}`, `m{named_conflict1="evil"} 1`)
	f(`{from: object.l, prefix: nam}`, `{l: {ed: evil}, named: good}`, `m{named="good",named_conflict1="evil"} 1`)

	// A value that is no text costs its own label only.
	f(`{from: object.l}`, `l: {a: [x], b: {c: d}, e: f}`,
		`m{e="f"} 1 | ! m label: label "a": a list cannot be a label value | ! m label: label "b": a map cannot be a label value`)
}

func TestSpreadKeepsOuterLabels(t *testing.T) {
	got := eval(t, `
kind: MetricRules
spec:
  labels: {cluster: "'c'"}
  resources:
  - groupVersionKind: {group: g, kind: K}
    labels: {name: object.name}
    metrics: [{name: m, type: info, commonLabels: {common: x}, labelsFromPath: {from-path: [p]}, spread: [{from: object.l}]}]
`, `{name: n, p: q, l: {cluster: evil, name: evil, common: evil, from_path: evil, other: x}}`)
	want := lines(`m{cluster="c",cluster_conflict1="evil",common="x",common_conflict1="evil",from_path="q",from_path_conflict1="evil",name="n",name_conflict1="evil",other="x"} 1`)
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
