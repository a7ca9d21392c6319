package rule_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// TestAggregateLabels: only the labels of by stay, and those that say the same
// of every object.
func TestAggregateLabels(t *testing.T) {
	f := func(resource, metric, object, want string) {
		t.Helper()
		set := load(t, `
kind: MetricRules
spec:
  labels: {cluster: "'eu'", doc: object.doc}
  resources:
  - groupVersionKind: {group: g, kind: K}
    labels: {fixed: "'f'", name: object.name, kind: gvk.kind}
    commonLabels: {common: c}
    `+resource+`
    metrics: [{name: m, `+metric+`}]`)
		if got := evalSet(t, set, object); got != lines(want) {
			t.Errorf("%s\ngot:\n%swant:\n%s", metric, got, lines(want))
		}
	}
	const object = `{name: a, doc: d, v: 2, l: [{t: x, v: 1}, {t: x, v: 5}, {v: 3}]}`
	const fixed = `cluster="eu",common="c",fixed="f"`
	f(``, `aggregate: {op: count}`, object, `m{`+fixed+`} 1`)
	f(``, `aggregate: {op: sum}, value: object.v`, object, `m{`+fixed+`} 2`)
	f(``, `aggregate: {op: count, by: [kind]}`, object, `m{cluster="eu",common="c",fixed="f",kind="K"} 1`)
	f(``, `aggregate: {op: count, by: [fixed, doc]}`, object, `m{cluster="eu",common="c",doc="d",fixed="f"} 1`)
	f(``, `aggregate: {op: sum, by: [t]}, forEach: [{as: s, in: object.l}], labels: {t: s.t, i: s.v}, value: s.v`, object,
		`m{`+fixed+`,t="x"} 1 | m{`+fixed+`,t="x"} 5 | m{`+fixed+`} 3`)
	// A metric's own label replaces what was fixed.
	f(``, `aggregate: {op: count}, labels: {fixed: object.name}`, object, `m{cluster="eu",common="c"} 1`)
	f(``, `aggregate: {op: count}, labels: {name: "'n'"}`, object, `m{cluster="eu",common="c",fixed="f",name="n"} 1`)
	f(``, `aggregate: {op: count}, commonLabels: {own: x}`, object, `m{cluster="eu",common="c",fixed="f",own="x"} 1`)
	// A label that may be something else first is not fixed.
	f(``, `aggregate: {op: count}, labels: {own: [object.none, "'x'"]}`, object, `m{`+fixed+`} 1`)
}

// TestAggregateSamples is about what is given to a sink to aggregate.
func TestAggregateSamples(t *testing.T) {
	f := func(metric, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, `+metric+`}`, object, want)
	}
	const l = `l: [{v: 1, on: true}, {v: "2", on: false}, {on: null}, {v: x}]`
	const scope = `forEach: [{as: s, in: object.l}], `
	const bad = `! m value: "x" is not a number, a boolean, a time or a quantity`
	// To count, a value need not be a number: what is false or absent does not count.
	f(scope+`aggregate: {op: count}`, l, `m 1 | m 1 | m 1 | m 1`)
	f(scope+`aggregate: {op: count}, value: s.v`, l, `m 1 | m 1 | m 1`)
	f(scope+`aggregate: {op: count}, value: s.on`, l, `m 1`)
	f(scope+`aggregate: {op: count}, age: s.at`, `l: [{at: 5}, {}, {at: "2024-01-01T00:00:00Z"}]`, `m 5 | m 1.7040672e+09`)
	for _, op := range []string{"sum", "min", "max", "avg"} {
		f(scope+`aggregate: {op: `+op+`}, value: s.v`, l, `m 1 | m 2 | `+bad)
		f(scope+`aggregate: {op: `+op+`}, value: s.v, default: 7`, l, `m 1 | m 2 | m 7 | `+bad)
		f(scope+`aggregate: {op: `+op+`}, default: 7`, l, `m 7 | m 7 | m 7 | m 7`)
	}
	f(scope+`aggregate: {op: sum}, value: s.v, valueMap: {"1": 10, "*": 0}`, l, `m 10 | m 0 | m 0`)
	f(scope+`type: histogram, aggregate: {op: histogram, buckets: [1]}, value: s.v`, `l: [{v: 1}, {v: 2}]`, `m 1 | m 2`)
}

// shape describes the families of rules.
func shape(set *rule.Set, family int) rule.Metric {
	s := *set.Shape(family)
	return rule.Metric{Age: s.Age, Aggregate: s.Aggregate, Transition: s.Transition}
}

func TestShape(t *testing.T) {
	f := func(metric string, want rule.Metric) {
		t.Helper()
		if diff := cmp.Diff(want, shape(load(t, doc(`{name: m, `+metric+`}`)), 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", metric, diff)
		}
	}
	f(`value: 1`, rule.Metric{})
	f(`age: object.at`, rule.Metric{Age: true})
	f(`age: object.at, aggregate: {op: max}`, rule.Metric{Age: true, Aggregate: &rule.Aggregate{Op: rule.OpMax}})
	f(`type: histogram, value: 1, aggregate: {op: histogram, buckets: [-1, 0, 2.5]}`,
		rule.Metric{Aggregate: &rule.Aggregate{Op: rule.OpHistogram, Buckets: []float64{-1, 0, 2.5}}})
	f(`type: counter, onTransition: {of: object.p}`, rule.Metric{Transition: &rule.Transition{}})
	f(`type: counter, onTransition: {of: object.p, by: [to, x, from]}, labels: {x: object.x, y: object.y, z: "'z'"}`,
		rule.Metric{Transition: &rule.Transition{By: []string{"from", "to", "x", "z"}}})
	f(`type: histogram, onTransition: {of: object.p, by: [to], buckets: [1, 10]}, age: object.at`,
		rule.Metric{Age: true, Transition: &rule.Transition{By: []string{"to"}, Buckets: []float64{1, 10}}})
	if got := load(t, doc(`{name: m, value: 1}`)).Shape(7); got.Age || got.Aggregate != nil || got.Transition != nil {
		t.Errorf("shape of a family that is not there: %+v", got)
	}
}

func TestDerivedErrors(t *testing.T) {
	f := func(metric, want string) {
		t.Helper()
		checkFindings(t, doc(`§{name: m, `+metric+`}`), `metric "m": `+want)
	}
	at := func(metric, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, `+metric+`}`), `metric "m": `+want)
	}
	// Ages.
	f(`age: object.at, value: object.v`, "a metric has either an age or a value")
	f(`age: object.at, default: 1`, "a metric has either an age or a value")
	f(`age: object.at, valueMap: {a: 1}`, "a metric has either an age or a value")
	f(`age: object.at, type: counter`, "an age is a gauge or a histogram")
	f(`age: object.at, type: info`, "an age is a gauge or a histogram")
	f(`age: object.at, type: histogram`, "a histogram needs aggregate: {op: histogram, by: [...], buckets: [...]}")

	// Aggregates.
	f(`value: 1, type: counter, aggregate: {op: sum}`, "an aggregate is a gauge or a histogram")
	f(`type: info, aggregate: {op: count}`, "an aggregate is a gauge or a histogram")
	f(`value: object.v, type: stateSet, states: [A], stateLabel: s, aggregate: {op: count}`, "an aggregate is a gauge or a histogram")
	for _, op := range []string{"sum", "min", "max", "avg"} {
		f(`aggregate: {op: `+op+`}`, "op "+op+" needs a value or an age")
	}
	f(`aggregate: {op: histogram, buckets: [1]}, value: 1`, "op histogram needs type: histogram")
	f(`type: histogram, aggregate: {op: sum}, value: 1`, "a histogram needs aggregate: {op: histogram, by: [...], buckets: [...]}")
	f(`type: histogram, aggregate: {op: histogram, buckets: [1]}`, "op histogram needs a value or an age")
	f(`aggregate: {op: count}, spread: [{from: object.l}]`, "spread has labels that nobody can name in by")
	at(`aggregate: §{}`, `unknown op "": expected count, sum, min, max, avg, histogram`)
	at(`aggregate: §{op: Sum}, value: 1`, `unknown op "Sum": expected count, sum, min, max, avg, histogram, did you mean "sum"?`)
	at(`aggregate: §{op: histogram}, type: histogram, value: 1`, "op histogram needs buckets: their upper bounds, such as [60, 3600]")
	at(`aggregate: §{op: sum, buckets: [1]}, value: 1`, "buckets belong to op histogram")
	at(`aggregate: {op: count, §By: [x]}`, `unknown field "By", did you mean "by"?`)
	at(`aggregate: §count`, `expected a map, found the str "count"`+"\n"+`r.yaml:6:22: metric "m": unknown op "": expected count, sum, min, max, avg, histogram`)
	at(`aggregate: §{op: count, by: [a, b]}, labels: {aa: object.a}`,
		`by: the metric has no label "a": there are aa, did you mean "aa"?`+"\n"+`r.yaml:6:22: metric "m": by: the metric has no label "b": there are aa`)
	at(`aggregate: §{op: count, by: [from]}`, `by: the metric has no label "from": there are none`)
	for _, buckets := range []string{"[2, 1]", "[1, 1]", "[.nan]", "[1, .inf]", "[-.inf, 1]", "[1, .nan, 2]"} {
		at(`aggregate: {op: histogram, buckets: §`+buckets+`}, type: histogram, value: 1`, "buckets must be finite and ascend")
	}
	at(`aggregate: {op: histogram, buckets: [1, §x]}, type: histogram, value: 1`, `expected a number, found the str "x"`)

	// Transitions.
	const of = `onTransition: {of: object.p}`
	f(of+`, value: object.v`, "onTransition makes a counter or a histogram: say type: counter or type: histogram")
	f(of+`, type: info`, "onTransition makes a counter or a histogram: say type: counter or type: histogram")
	f(of+`, type: counter, aggregate: {op: count}`, "a metric has either aggregate or onTransition")
	f(of+`, type: histogram`, "a histogram of durations needs onTransition.buckets, in seconds")
	f(`onTransition: {of: object.p, buckets: [1]}, type: counter`, "buckets belong to type histogram")
	f(of+`, type: counter, value: object.v`, `onTransition has no value: it counts changes of what "of" says`)
	f(of+`, type: counter, default: 0`, `onTransition has no value: it counts changes of what "of" says`)
	at(`type: counter, onTransition: §{by: [x]}`, "onTransition needs the state whose changes count: of")
	at(`type: counter, onTransition: §{of: object.p, by: [x]}`, `by: the metric has no label "x": there are from, to`)
	at(`type: counter, onTransition: §{of: object.p}, labels: {to: object.x}`, `label "to" has the name of a state of the transition: rename it`)
	at(`type: counter, onTransition: §{of: object.p}, labels: {from: object.x}`, `label "from" has the name of a state of the transition: rename it`)
	at(`type: counter, onTransition: {of: §x.p}`, `expression "x.p": unknown name "x": in scope are object, gvk`)
	at(`type: histogram, onTransition: {of: object.p, buckets: §[3, 2]}`, "buckets must be finite and ascend")
	at(`type: counter, onTransition: {of: object.p, §off: x}`, `unknown field "off", did you mean "of"?`)
}

// TestFamilyOfTwoMakes names both places.
func TestFamilyOfTwoMakes(t *testing.T) {
	makes := []string{
		`value: 1`,
		`age: object.at`,
		`value: 1, aggregate: {op: sum}`,
		`aggregate: {op: count}`,
		`age: object.at, aggregate: {op: sum}`,
	}
	histograms := []string{
		`type: histogram, value: 1, aggregate: {op: histogram, buckets: [1]}`,
		`type: histogram, value: 1, aggregate: {op: histogram, buckets: [2]}`,
		`type: histogram, value: 1, aggregate: {op: histogram, buckets: [1, 2]}`,
		`type: histogram, age: object.at, aggregate: {op: histogram, buckets: [1]}`,
		`type: histogram, onTransition: {of: object.p, buckets: [1]}`,
		`type: histogram, onTransition: {of: object.p, buckets: [2]}`,
		`type: histogram, onTransition: {of: object.p, buckets: [1]}, age: object.at`,
	}
	counters := []string{`type: counter, value: 1`, `type: counter, onTransition: {of: object.p}`}
	for _, group := range [][]string{makes, histograms, counters} {
		for i, first := range group {
			for j, second := range group {
				var sources []rule.Source
				for k, m := range []string{first, second} {
					file := []string{"a.yaml", "b.yaml"}[k]
					docs, findings := rule.Parse(file, []byte(doc(strings.Repeat("\n", k)+"{name: m, "+m+"}")), rule.ParseOptions{})
					if findings.Err() != nil {
						t.Fatal(findings)
					}
					sources = append(sources, rule.Source{File: file, Documents: docs})
				}
				_, findings := rule.Compile(sources, rule.CompileOptions{})
				want := `b.yaml:7:1: metric "m": family m has another age, aggregate or onTransition here than at a.yaml:6:1: rename one`
				if i == j {
					want = ""
				}
				if got := findings.Error(); got != want {
					t.Errorf("%s and %s:\ngot  %s\nwant %s", first, second, got, want)
				}
			}
		}
	}
}

func TestAge(t *testing.T) {
	f := func(object, want string) {
		t.Helper()
		checkEval(t, `{name: m, age: [object.at, object.since], labels: {x: object.x}}`, object, want)
	}
	f(`at: "2024-01-01T00:00:00Z"`, `m 1.7040672e+09`)
	f(`at: "2024-01-01T01:00:00+01:00"`, `m 1.7040672e+09`)
	f(`{at: "1970-01-01T00:00:01.25Z", x: y}`, `m{x="y"} 1.25`)
	f(`at: "1969-12-31T23:59:59Z"`, `m -1`)
	f(`at: 12`, `m 12`)
	f(`at: 12.5`, `m 12.5`)
	f(`since: 3`, `m 3`)
	f(`{}`, ``)
	f(`at: null`, ``)
	f(`at: ""`, `! m value: "" is not a time such as 2026-05-16T16:17:38Z`)
	f(`at: yesterday`, `! m value: "yesterday" is not a time such as 2026-05-16T16:17:38Z`)
	f(`at: "12"`, `! m value: "12" is not a time such as 2026-05-16T16:17:38Z`)
	f(`at: true`, `! m value: a boolean is not a time`)
	f(`at: [1]`, `! m value: a list is not a time`)
	f(`at: {a: 1}`, `! m value: a map is not a time`)
	checkCEL(t, `{name: m, age: "timestamp('2024-01-01T00:00:00.5Z')"}, {name: n, age: "timestamp(object.none)"}, {name: o, age: "object.a + 1"}`, `a: 1`,
		`m 1.7040672005e+09 | o 2`)
}

// TestStates is about what onTransition gives to a sink.
func TestStates(t *testing.T) {
	f := func(metric, object, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: counter, `+metric+`}`, object, want)
	}
	f(`onTransition: {of: object.p}`, `p: Running`, `m NaN Running`)
	f(`onTransition: {of: object.p}`, `p: 5`, `m NaN 5`)
	f(`onTransition: {of: object.p}`, `p: false`, `m NaN false`)
	f(`onTransition: {of: [object.p, object.q]}`, `q: Q`, `m NaN Q`)
	f(`onTransition: {of: object.p}`, `p: ""`, ``)
	f(`onTransition: {of: object.p}`, `p: null`, ``)
	f(`onTransition: {of: object.p}`, ``, ``)
	f(`onTransition: {of: object.p}`, `p: [a]`, `! m state: a list cannot be a label value`)
	f(`onTransition: {of: object.p}, age: object.at`, `{p: A, at: 5}`, `m 5 A`)
	f(`onTransition: {of: object.p}, age: object.at`, `{p: A}`, `m NaN A`)
	f(`onTransition: {of: object.p}, age: object.at`, `{p: A, at: soon}`, `! m state: "soon" is not a time such as 2026-05-16T16:17:38Z`)
	// All labels tell elements apart, those of by or not.
	f(`onTransition: {of: c.s, by: [t]}, forEach: [{as: c, in: object.l}], labels: {t: c.t, n: c.n}`,
		`l: [{t: A, n: 1, s: x}, {t: B, s: y}, {s: z}, {t: C}]`, `m{n="1",t="A"} NaN x | m{t="B"} NaN y | m NaN z`)
}
