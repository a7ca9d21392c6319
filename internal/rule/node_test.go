package rule_test

import (
	"strings"
	"testing"
)

func TestDuplicateFields(t *testing.T) {
	f := func(rules, want string) {
		t.Helper()
		checkFindings(t, rules, want)
	}
	f(doc(`{name: m, value: object.v, §name: n}`), `metric "m": field "name" is there twice`)
	f(doc(`{name: m, value: object.v, help: , §help: n}`), `metric "m": field "help" is there twice`)
	f(strings.Replace(doc(`{name: m, value: object.v}`), "spec:", "kind: MetricRules\nspec:", 1), `r.yaml:3:1: field "kind" is there twice`)
	f(strings.Replace(doc(`{name: m, value: object.v}`), "group: g,", "group: g, §group: g,", 1), `field "group" is there twice`)
}

func TestDuplicateKeys(t *testing.T) {
	f := func(metric, key string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, `+metric+`}`), `metric "m": field "`+key+`" is there twice`)
	}
	f(`value: object.v, labels: {x: object.a, §x: object.b}`, "x")
	f(`value: object.v, valueMap: {A: 1, §A: 2}`, "A")
	f(`value: object.v, commonLabels: {x: a, §x: b}`, "x")
	f(`value: object.v, labelsFromPath: {x: [a], §x: [b]}`, "x")
	f(`each: {type: Gauge, gauge: {path: [v], labelsFromPath: {x: [a], §x: [b]}}}`, "x")
}

func TestNullFieldIsAbsent(t *testing.T) {
	checkEval(t, `{name: m, help: , type: null, forEach: ~, labels: , spread: , valueMap: , states: , stateLabel: ,
		each: , enable: , unit: , commonLabels: , labelsFromPath: , value: object.v, default: }`, "v: 1", "m 1")
}

// TestYAMLTypes has each field with a value of the wrong type. None may panic.
func TestYAMLTypes(t *testing.T) {
	f := func(field, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, value: object.v, `+field+`}`), want)
	}
	f(`help: §[a]`, `metric "m": expected text, found a list`)
	f(`unit: §{a: b}`, `metric "m": expected text, found a map`)
	f(`enable: §[]`, `metric "m": expected text, found a list`)
	f(`labels: §[a]`, `metric "m": expected a map, found a list`)
	f(`labels: §a`, `metric "m": expected a map, found the str "a"`)
	f(`forEach: §{as: a, in: object}`, `metric "m": expected a list, found a map`)
	f(`forEach: §yes`, `metric "m": expected a list, found the str "yes"`)
	f(`spread: §{from: object}`, `metric "m": expected a list, found a map`)
	f(`default: §[1]`, `metric "m": expected a number, found a list`)
	f(`default: §"1"`, `metric "m": expected a number, found the str "1"`)
	f(`default: §true`, `metric "m": expected a number, found the bool "true"`)
	f(`default: §1s`, `metric "m": expected a number, found the str "1s"`)
	f(`valueMap: §[1]`, `metric "m": expected a map, found a list`)
	f(`valueMap: {a: §b}`, `metric "m": expected a number, found the str "b"`)
	f(`commonLabels: §a`, `metric "m": expected a map, found the str "a"`)
	f(`labelsFromPath: §[a]`, `metric "m": expected a map, found a list`)
	f(`labelsFromPath: {a: [§[b]]}`, `metric "m": expected text, found a list`)
	f(`forEach: [{as: a, in: object.l, one: §5}]`, `metric "m": expected true or false, found the int "5"`)
	f(`forEach: [{as: a, in: object.l, one: §[true]}]`, `metric "m": expected true or false, found a list`)
	f(`forEach: [{as: a, in: object.l, where: §{}}]`, `metric "m": expected an expression, found a map`)
	f(`spread: [{from: object.l, allow: §a*}]`, `metric "m": expected a list, found the str "a*"`)
}

func TestNumbers(t *testing.T) {
	f := func(number, want string) {
		t.Helper()
		checkEval(t, `{name: m, default: `+number+`}`, "", "m "+want)
	}
	f("5", "5")
	f("-1.5", "-1.5")
	f("1e3", "1000")
	f("0x10", "16")
	f(".inf", "+Inf")
	f("-.inf", "-Inf")
	f(".nan", "NaN")
}

func TestAliases(t *testing.T) {
	set := load(t, `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    metricNamePrefix: a
    metrics:
    - &m {name: m, labels: &l {x: object.x}, value: &v object.v}
  - groupVersionKind: {group: g, kind: K}
    metricNamePrefix: b
    metrics: [*m, {name: n, labels: *l, value: *v}]
`)
	got := evalSet(t, set, "x: y\nv: 1")
	if want := lines(`a_m{x="y"} 1 | b_m{x="y"} 1 | b_n{x="y"} 1`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestMergeKeys has YAML's merge key: what a map says itself goes before what it
// merges, and the first of several merged maps before the others.
func TestMergeKeys(t *testing.T) {
	got := eval(t, `
kind: MetricRules
spec:
  labels: &shared {a: "'shared'", b: "'shared'"}
  resources:
  - &k
    groupVersionKind: {group: g, kind: K}
    metricNamePrefix: p
    metrics:
    - &m {name: m, labels: &own {b: "'own'", c: "'own'"}, value: object.v}
    - {<<: *m, name: n}
    - {name: o, <<: *m, labels: {<<: [*own, *shared], d: "'new'"}, default: 1}
    - {name: q, value: object.v, <<: null, labels: {<<: [text, &deep {<<: *own, b: "'deep'"}]}}
  - {<<: *k, metricNamePrefix: r, metrics: [*m]}
`, "v: 1")
	want := lines(`p_m{a="shared",b="own",c="own"} 1 | p_n{a="shared",b="own",c="own"} 1 | p_o{a="shared",b="own",c="own",d="new"} 1 |` +
		` p_q{a="shared",b="deep",c="own"} 1 | r_m{a="shared",b="own",c="own"} 1`)
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	checkFindings(t, doc(`{name: m, value: object.v, <<: {§vlaue: 1}}`), `metric "m": unknown field "vlaue", did you mean "value"?`)
}
