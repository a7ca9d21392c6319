package rule_test

import (
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// limited is a document with limits at three levels.
const limited = `
kind: MetricRules
metadata: {name: shop}
spec:
  %s
  resources:
  - groupVersionKind: {group: g, kind: K}
    %s
    metrics:
    - {name: m, forEach: [{as: s, in: object.m}], labels: {x: s}, value: 1, %s}
    - {name: n, forEach: [{as: s, in: object.n}], labels: {x: s}, value: 1}
  - discover: {groups: [g]}
    metrics: [{name: o, forEach: [{as: s, in: object.o}], labels: {x: s}, value: 1}]
`

// checkLimits evaluates objects one after the other; of each are the lines.
func checkLimits(t *testing.T, document, resource, metric string, objects []string, want ...string) {
	t.Helper()
	set := load(t, fmt.Sprintf(limited, document, resource, metric))
	w := newWorld(t, set)
	for i, object := range objects {
		if got := w.eval(set.Program(testKind, true), object); got != lines(want[i]) {
			t.Errorf("limits %q %q %q, object %s:\ngot:\n%swant:\n%s", document, resource, metric, object, got, lines(want[i]))
		}
	}
}

// TestPerObject has each level count what is below it, anew for each object.
func TestPerObject(t *testing.T) {
	objects := []string{`{m: [a, b], n: [c, d], o: [e]}`, `{m: [a], n: [b], o: [c, d]}`}
	const limits = `limits: {perObject: 2}`
	f := func(document, resource, metric string, want ...string) {
		t.Helper()
		checkLimits(t, document, resource, metric, objects, want...)
	}
	f(``, ``, ``, `m{x="a"} 1 | m{x="b"} 1 | n{x="c"} 1 | n{x="d"} 1 | o{x="e"} 1`, `m{x="a"} 1 | n{x="b"} 1 | o{x="c"} 1 | o{x="d"} 1`)
	const where = `: one object may give 2 series in document "shop"`
	f(limits, ``, ``, `m{x="a"} 1 | m{x="b"} 1 | ! n limit`+where+` | ! n limit`+where+` | ! o limit`+where,
		`m{x="a"} 1 | n{x="b"} 1 | ! o limit`+where+` | ! o limit`+where)
	const inKind = `: one object may give 2 series in g/K`
	f(``, limits, ``, `m{x="a"} 1 | m{x="b"} 1 | o{x="e"} 1 | ! n limit`+inKind+` | ! n limit`+inKind,
		`m{x="a"} 1 | n{x="b"} 1 | o{x="c"} 1 | o{x="d"} 1`)
	const one = `! m limit: one object may give 1 series in metric "m"`
	f(``, ``, `limits: {perObject: 1}`, `m{x="a"} 1 | n{x="c"} 1 | n{x="d"} 1 | o{x="e"} 1 | `+one, `m{x="a"} 1 | n{x="b"} 1 | o{x="c"} 1 | o{x="d"} 1`)
}

// TestSeriesLimit counts over all objects.
func TestSeriesLimit(t *testing.T) {
	objects := []string{`{m: [a, b], n: [c]}`, `{m: [d], n: [e], o: [f]}`}
	f := func(document, resource, metric string, want ...string) {
		t.Helper()
		checkLimits(t, document, resource, metric, objects, want...)
	}
	const inDoc = `: there may be 2 series in document "shop"`
	f(`limits: {series: 2}`, ``, ``, `m{x="a"} 1 | m{x="b"} 1 | ! n limit`+inDoc, `! m limit`+inDoc+` | ! n limit`+inDoc+` | ! o limit`+inDoc)
	const inKind = `: there may be 4 series in g/K`
	f(``, `limits: {series: 4}`, ``, `m{x="a"} 1 | m{x="b"} 1 | n{x="c"} 1`, `m{x="d"} 1 | o{x="f"} 1 | ! n limit`+inKind)
	f(``, ``, `limits: {series: 1}`, `m{x="a"} 1 | n{x="c"} 1 | ! m limit: there may be 1 series in metric "m"`,
		`n{x="e"} 1 | o{x="f"} 1 | ! m limit: there may be 1 series in metric "m"`)
}

// TestLabelValueLimit drops what is one too many, or calls it other.
func TestLabelValueLimit(t *testing.T) {
	objects := []string{`{m: [a, b, a, c], n: [c]}`, `{m: [b, d], n: [e], o: [b]}`}
	f := func(document, resource, metric string, want ...string) {
		t.Helper()
		checkLimits(t, document, resource, metric, objects, want...)
	}
	more := func(family, value, where string) string {
		return `! ` + family + ` limit: label "x" may have 2 values in ` + where + `, "` + value + `" is one more`
	}
	const twice = `! m duplicate: another sample of the object has the same labels`
	const inMetric, inDoc, inKind = `metric "m"`, `document "shop"`, `g/K`
	f(``, ``, `limits: {labelValues: {x: 2}}`, `m{x="a"} 1 | m{x="b"} 1 | n{x="c"} 1 | `+twice+` | `+more("m", "c", inMetric),
		`m{x="b"} 1 | n{x="e"} 1 | o{x="b"} 1 | `+more("m", "d", inMetric))
	f(``, ``, `limits: {labelValues: {x: 2}, onExceed: other}`,
		`m{x="a"} 1 | m{x="b"} 1 | m{x="other"} 1 | n{x="c"} 1 | `+twice+` | `+more("m", "c", inMetric),
		`m{x="b"} 1 | m{x="other"} 1 | n{x="e"} 1 | o{x="b"} 1 | `+more("m", "d", inMetric))
	f(``, ``, `limits: {labelValues: {x: 2}, onExceed: drop}`, `m{x="a"} 1 | m{x="b"} 1 | n{x="c"} 1 | `+twice+` | `+more("m", "c", inMetric),
		`m{x="b"} 1 | n{x="e"} 1 | o{x="b"} 1 | `+more("m", "d", inMetric))
	f(``, `limits: {labelValues: {x: 2, none: 1}}`, ``, `m{x="a"} 1 | m{x="b"} 1 | `+twice+` | `+more("m", "c", inKind)+` | `+more("n", "c", inKind),
		`m{x="b"} 1 | o{x="b"} 1 | `+more("m", "d", inKind)+` | `+more("n", "e", inKind))
	f(`limits: {labelValues: {x: 2}, onExceed: other}`, ``, ``,
		`m{x="a"} 1 | m{x="b"} 1 | m{x="other"} 1 | n{x="other"} 1 | `+twice+` | `+more("m", "c", inDoc)+` | `+more("n", "c", inDoc),
		`m{x="b"} 1 | m{x="other"} 1 | n{x="other"} 1 | o{x="b"} 1 | `+more("m", "d", inDoc)+` | `+more("n", "e", inDoc))
}

// TestLimitsOfDiscovered names the place in the file.
func TestLimitsOfDiscovered(t *testing.T) {
	set := load(t, "kind: MetricRules\nspec:\n  resources:\n  - discover: {groups: [g]}\n    limits: {perObject: 1}\n    metrics: [{name: m, value: 1}, {name: n, value: 1}]\n")
	if got, want := evalSet(t, set, `{}`), lines(`m 1 | ! n limit: one object may give 1 series in the resource of line 4`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestWithoutLimiter: a sink that keeps no account knows the limits of one
// object only.
func TestWithoutLimiter(t *testing.T) {
	set := load(t, fmt.Sprintf(limited, `limits: {series: 1, perObject: 4}`, `limits: {labelValues: {x: 1}}`, `limits: {series: 1}`))
	if got, want := evalSet(t, set, `{m: [a, b], n: [c], o: [d, e]}`),
		lines(`m{x="a"} 1 | m{x="b"} 1 | n{x="c"} 1 | o{x="d"} 1 | ! o limit: one object may give 4 series in document "shop"`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestLimitsOfAggregates: values are limited, series are not.
func TestLimitsOfAggregates(t *testing.T) {
	set := load(t, doc(`
{name: m, forEach: [{as: s, in: object.l}], labels: {x: s}, aggregate: {op: count, by: [x]}, limits: {labelValues: {x: 1}, onExceed: other}},
{name: n, type: counter, forEach: [{as: s, in: object.l}], labels: {x: s}, onTransition: {of: s}, limits: {labelValues: {x: 1}}}`))
	got := newWorld(t, set).eval(set.Program(testKind, true), `l: [a, b, a]`)
	if want := lines(`m{x="a"} 1 | m{x="other"} 1 | m{x="a"} 1 | n{x="a"} NaN a | ` +
		`! m limit: label "x" may have 1 values in metric "m", "b" is one more | ! n limit: label "x" may have 1 values in metric "n", "b" is one more | ` +
		`! n duplicate: another sample of the object has the same labels`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestLimited(t *testing.T) {
	f := func(document, resource, metric string, want bool) {
		t.Helper()
		set := load(t, fmt.Sprintf(limited, document, resource, metric))
		if got := set.Program(testKind, true).Limited(); got != want {
			t.Errorf("%q %q %q: limited is %v", document, resource, metric, got)
		}
		if set.Program(rule.GVK{Group: "g", Version: "v1", Kind: "Other"}, true).Limited() != (document != "") {
			t.Errorf("%q: the limits of another kind count", document)
		}
	}
	f(``, ``, ``, false)
	f(`limits: {series: 1}`, ``, ``, true)
	f(``, `limits: {perObject: 1}`, ``, true)
	f(``, ``, `limits: {labelValues: {x: 1}}`, true)
}

func TestLimitErrors(t *testing.T) {
	f := func(limits, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, value: 1, labels: {x: object.x}, limits: `+limits+`}`), `metric "m": `+want)
	}
	for _, n := range []string{"0", "-1", "x", "3000000000"} {
		kind := map[string]string{"x": "str"}[n]
		if kind == "" {
			kind = "int"
		}
		for _, field := range []string{"series: §", "perObject: §", "labelValues: {x: §"} {
			end := "}"
			if field[0] == 'l' {
				end = "}}"
			}
			f(`{`+field+n+end, fmt.Sprintf("expected a whole number above 0, found the %s %q", kind, n))
		}
	}
	f(`{series: §[1]}`, "expected a whole number above 0, found a list")
	f(`{§serie: 1}`, `unknown field "serie", did you mean "series"?`)
	f(`{labelValues: §[x]}`, "expected a map, found a list")
	f(`§{onExceed: Other}`, `unknown onExceed "Other": expected drop or other`)
	f(`{labelValues: {§y: 1, x: 1, §z: 1}}`, `labelValues: the metric has no label "y"`+"\n"+`metric "m": labelValues: the metric has no label "z"`)
	// With a spread there may be any label.
	checkFindings(t, doc(`{name: m, value: 1, spread: [{from: object.l}], limits: {labelValues: {y: 1}}}`), ``)
	// A label that the aggregate leaves out is none.
	checkFindings(t, doc(`{name: m, labels: {x: object.x}, aggregate: {op: count}, limits: {labelValues: {§x: 1}}}`), `metric "m": labelValues: the metric has no label "x"`)
	for _, level := range []string{"spec: {limits: §x, resources: [{groupVersionKind: {kind: K}, metrics: []}]}", "spec: {resources: [{groupVersionKind: {kind: K}, limits: §x}]}"} {
		checkFindings(t, "kind: MetricRules\n"+level, `expected a map, found the str "x"`)
	}
}
