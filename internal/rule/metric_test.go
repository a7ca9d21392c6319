package rule_test

import "testing"

func TestMetricErrors(t *testing.T) {
	f := func(metric, want string) {
		t.Helper()
		checkFindings(t, doc(metric), want)
	}

	f(`§{value: object.v}`, "the metric has no name")
	f(`§{name: "", value: object.v}`, `metric "": the metric has no name`)
	f(`§{name: m}`, `metric "m": the metric has neither a value nor a default`)
	f(`§{name: m, value: []}`, `metric "m": the metric has neither a value nor a default`)
	f(`§m`, "expected a map, found the str \"m\"")

	f(`{name: m, §vlaue: object.v, default: 1}`, `metric "m": unknown field "vlaue", did you mean "value"?`)
	f(`{name: m, §Labels: {}, default: 1}`, `metric "m": unknown field "Labels", did you mean "labels"?`)
	f(`{name: m, §foreach: [], default: 1}`, `metric "m": unknown field "foreach", did you mean "forEach"?`)
	f(`{name: m, §valuemap: {}, default: 1}`, `metric "m": unknown field "valuemap", did you mean "valueMap"?`)
	f(`{name: m, §state: [], default: 1}`, `metric "m": unknown field "state", did you mean "states"?`)
	f(`{name: m, §interval: 5, default: 1}`, `metric "m": unknown field "interval"`)
	f(`{§nmae: m, default: 1}`, "unknown field \"nmae\", did you mean \"name\"?")
	f(`{name: m, age: §{}}`, `metric "m": expected an expression, found a map`)
	f(`{name: m, value: object.v, aggregate: §{op: median}}`, `metric "m": unknown op "median": expected count, sum, min, max, avg, histogram, did you mean "min"?`)
	f(`{name: m, value: object.v, aggregate: §{op: sum, by: [y]}, labels: {x: object.x}}`, `metric "m": by: the metric has no label "y": there are x, did you mean "x"?`)
	f(`§{name: m, value: object.v, age: object.at}`, `metric "m": a metric has either an age or a value`)
	f(`§{name: m, onTransition: {of: object.phase}}`, `metric "m": onTransition makes a counter or a histogram: say type: counter or type: histogram`)
	f(`{name: m, value: object.v, limits: {labelValues: {§y: 3}}}`, `metric "m": labelValues: the metric has no label "y"`)
	f(`{name: m, value: object.v, limits: §{series: 3, onExceed: panic}}`, `metric "m": unknown onExceed "panic": expected drop or other`)

	f(`{name: m, type: §gague, default: 1}`, `metric "m": unknown type "gague": expected gauge, counter, info, stateSet or histogram, did you mean "gauge"?`)
	f(`{name: m, type: §Gauge, default: 1}`, `metric "m": unknown type "Gauge": expected gauge, counter, info, stateSet or histogram, did you mean "gauge"?`)
	f(`{name: m, type: §summary, default: 1}`, `metric "m": unknown type "summary": expected gauge, counter, info, stateSet or histogram`)
	f(`{name: m, type: §[gauge], default: 1}`, `metric "m": unknown type "": expected gauge, counter, info, stateSet or histogram`)
	f(`§{name: m, type: histogram, default: 1}`, `metric "m": a histogram needs aggregate: {op: histogram, by: [...], buckets: [...]}`)

	f(`§{name: m, type: info, value: object.v}`, `metric "m": an info metric has no value: it is always 1`)
	f(`§{name: m, type: info, default: 1}`, `metric "m": an info metric has no value: it is always 1`)
	f(`§{name: m, type: stateSet, value: object.v, states: [A]}`, `metric "m": a stateSet needs states and a stateLabel`)
	f(`§{name: m, type: stateSet, value: object.v, stateLabel: s}`, `metric "m": a stateSet needs states and a stateLabel`)
	f(`§{name: m, type: stateSet, value: object.v, states: [], stateLabel: s}`, `metric "m": a stateSet needs states and a stateLabel`)
	f(`§{name: m, type: stateSet, value: object.v, states: [A], stateLabel: 1s}`, `metric "m": stateLabel "1s" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	f(`§{name: m, type: stateSet, states: [A], stateLabel: s}`, `metric "m": the metric has no value`)
	f(`§{name: m, type: stateSet, value: object.v, default: 1, states: [A], stateLabel: s}`, `metric "m": a stateSet has no default and no valueMap`)
	f(`§{name: m, type: stateSet, value: object.v, valueMap: {A: 1}, states: [A], stateLabel: s}`, `metric "m": a stateSet has no default and no valueMap`)
	f(`§{name: m, type: stateSet, value: object.v, labels: {s: object.x}, states: [A], stateLabel: s}`, `metric "m": label "s" is the stateLabel`)
	f(`§{name: m, type: stateSet, value: object.v, commonLabels: {s: x}, states: [A], stateLabel: s}`, `metric "m": label "s" is the stateLabel`)
	f(`§{name: m, type: stateSet, value: object.v, states: [A, B, A], stateLabel: s}`, `metric "m": the state "A" is listed twice`)
	f(`§{name: m, value: object.v, states: [A]}`, `metric "m": states and stateLabel belong to type stateSet`)
	f(`§{name: m, value: object.v, stateLabel: s}`, `metric "m": states and stateLabel belong to type stateSet`)

	f(`{name: m, value: object.v, labels: {§"a b": object.x}}`, `metric "m": "a b" is no label name (letters, digits and _, not starting with a digit or __), did you mean "a_b"?`)
	f(`{name: m, value: object.v, labels: {§"": object.x}}`, `metric "m": "" is no label name (letters, digits and _, not starting with a digit or __), did you mean "_"?`)
	f(`{name: m, value: object.v, commonLabels: {§a/b: x}}`, `metric "m": "a/b" is no label name (letters, digits and _, not starting with a digit or __), did you mean "a_b"?`)
	f(`{name: m, value: object.v, labelsFromPath: {§x: [a, "[Ready]"]}}`, `metric "m": labelsFromPath "x": path segment "[Ready]": a lookup in a list is written [key=value]`)
	f(`{name: m, value: object.v, labelsFromPath: {§"x_*": [a]}}`, `metric "m": labelsFromPath "x_*": write spread: [{from: ...}] in a metric of this form`)
}

func TestMixedForms(t *testing.T) {
	const each = `each: {type: Gauge, gauge: {path: [v]}}`
	f := func(field string) {
		t.Helper()
		checkFindings(t, doc(`§{name: m, `+each+`, `+field+`}`),
			`metric "m": a metric has either each or type, forEach, labels, value: use one of the two forms`)
	}
	f(`type: gauge`)
	f(`forEach: []`)
	f(`labels: {}`)
	f(`spread: []`)
	f(`value: object.v`)
	f(`valueMap: {}`)
	f(`default: 1`)
	f(`states: []`)
	f(`stateLabel: s`)
	// What both forms have is no mixture.
	checkEval(t, `{name: m_seconds, `+each+`, help: h, unit: seconds, commonLabels: {a: b}, labelsFromPath: {c: [v]}}`, "v: 1", `m_seconds{a="b",c="1"} 1`)
}

func TestScopeErrors(t *testing.T) {
	f := func(scopes, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, value: object.v, forEach: [`+scopes+`]}`), want)
	}
	f(`§{in: object.l}`, `metric "m": a forEach scope needs a name: as`)
	f(`§{as: s}`, `metric "m": a forEach scope needs something to iterate over: in`)
	f(`§{as: s, in: []}`, `metric "m": a forEach scope needs something to iterate over: in`)
	f(`{as: s, in: object.l, §form: x}`, `metric "m": unknown field "form"`)
	f(`§{as: a-b, in: object.l}`, `metric "m": the name "a-b" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	f(`§{as: s, key: 1k, in: object.l}`, `metric "m": the name "1k" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	f(`§{as: s, index: "i i", in: object.l}`, `metric "m": the name "i i" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	f(`§{as: object, in: object.l}`, `metric "m": the name "object" is taken already`)
	f(`§{as: gvk, in: object.l}`, `metric "m": the name "gvk" is taken already`)
	f(`§{as: s, key: s, in: object.l}`, `metric "m": the name "s" is taken already`)
	f(`{as: s, in: object.l}, §{as: s, in: object.l}`, `metric "m": the name "s" is taken already`)
	f(`{as: s, in: object.l}, §{as: t, index: s, in: object.l}`, `metric "m": the name "s" is taken already`)
	// A scope iterates over what is outside of it.
	f(`{as: s, in: §s.l}`, `metric "m": expression "s.l": unknown name "s": in scope are object, gvk`)
	f(`{as: s, in: §t.l}, {as: t, in: object.l}`, `metric "m": expression "t.l": unknown name "t": in scope are object, gvk`)
	f(`{as: s, in: object.l, where: §t.l}, {as: t, in: object.l}`, `metric "m": expression "t.l": unknown name "t": in scope are object, gvk, s, did you mean "s"?`)
}

func TestSpreadErrors(t *testing.T) {
	f := func(spread, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, type: info, spread: [`+spread+`]}`), want)
	}
	f(`§{}`, `metric "m": spread needs a map: from`)
	f(`§{prefix: x}`, `metric "m": spread needs a map: from`)
	f(`{from: object.l, §prefx: x}`, `metric "m": unknown field "prefx", did you mean "prefix"?`)
	f(`{from: §s.l}`, `metric "m": expression "s.l": unknown name "s": in scope are object, gvk`)
	f(`{from: object.l, allow: §["[a"]}`, `metric "m": pattern "[a": syntax error in pattern`)
	f(`{from: object.l, deny: §[ok, "a\\"]}`, `metric "m": pattern "a\\": syntax error in pattern`)
}

// TestAllFindings has several mistakes in one file, which are reported at once.
func TestAllFindings(t *testing.T) {
	checkFindings(t, `kind: MetricRules
§extra: 1
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    §metricPrefix: x
    metrics:
    - name: m
      labels:
        §a-b: object.x
  - §{}
`, `unknown field "extra"
unknown field "metricPrefix", did you mean "metricNamePrefix"?
metric "m": "a-b" is no label name (letters, digits and _, not starting with a digit or __), did you mean "a_b"?
the resource has no groupVersionKind.kind
`)
	checkFindings(t, doc(`{name: m, value: §x.y, labels: {a: §z.y}}, §{name: m n, value: object§.}`), `
metric "m": expression "x.y": unknown name "x": in scope are object, gvk
metric "m": expression "z.y": unknown name "z": in scope are object, gvk
metric "m n": metric name "m n" does not match [a-zA-Z_:][a-zA-Z0-9_:]*
metric "m n": expression "object.": the path ends in a dot
`)
}
