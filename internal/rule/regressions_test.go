package rule_test

// What once was wrong.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestRegressionAggregateOfTwoMetrics: what two metrics aggregate into one family is
// not there twice when labels are equal: it is to be counted.
func TestRegressionAggregateOfTwoMetrics(t *testing.T) {
	const m = `{name: m, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: sum, by: [t]}}`
	checkEval(t, m, `l: [{t: x, v: 1}, {t: x, v: 2}]`, `m{t="x"} 1 | m{t="x"} 2`)
	set := load(t, "kind: MetricRules\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, metrics: ["+m+"]}, {groupVersionKind: {group: g, kind: Other}, metrics: ["+m+"]}]}")
	if got, want := evalSet(t, set, `l: [{t: x, v: 1}, {t: x, v: 2}]`), lines(`m{t="x"} 1 | m{t="x"} 2`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestRegressionStateTwice: two states with equal labels cannot be told apart.
func TestRegressionStateTwice(t *testing.T) {
	checkEval(t, `{name: m, type: counter, forEach: [{as: s, in: object.l}], onTransition: {of: s}}`, `l: [A, B]`,
		`m NaN A | ! m duplicate: another sample of the object has the same labels`)
}

// TestRegressionRefusedBySecondLimit: a series that a narrower limit refuses does not
// use up a wider one.
func TestRegressionRefusedBySecondLimit(t *testing.T) {
	checkLimits(t, `limits: {series: 3}`, ``, `limits: {series: 1}`, []string{`{m: [a, b, c, d], n: [e, f]}`},
		`m{x="a"} 1 | n{x="e"} 1 | n{x="f"} 1 | `+strings.Repeat(`! m limit: there may be 1 series in metric "m" | `, 2)+`! m limit: there may be 1 series in metric "m"`)
	checkLimits(t, `limits: {perObject: 3}`, ``, `limits: {perObject: 1}`, []string{`{m: [a, b, c, d], n: [e, f]}`},
		`m{x="a"} 1 | n{x="e"} 1 | n{x="f"} 1 | `+strings.Repeat(`! m limit: one object may give 1 series in metric "m" | `, 2)+`! m limit: one object may give 1 series in metric "m"`)
}

// TestRegressionTransitionSeriesLimit: a limit of series holds for transitions too.
func TestRegressionTransitionSeriesLimit(t *testing.T) {
	set := load(t, doc(`{name: m, type: counter, forEach: [{as: s, in: object.l}], labels: {s: s}, onTransition: {of: s, by: [s]}, limits: {perObject: 2}}`))
	if got := evalSet(t, set, `l: [a, b, c, d]`); strings.Count(got, "NaN") != 2 {
		t.Errorf("perObject: 2 gives\n%s", got)
	}
}

// TestRegressionPausedSharedLabel: a label that metrics share is not computed again and
// again while all of them pause.
func TestRegressionPausedSharedLabel(t *testing.T) {
	s := newScripts()
	set := s.load(t, "kind: MetricRules\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, labels: {x: cut()}, metrics: [{name: m, value: 1}, {name: n, value: 1}]}]}")
	p, c := set.Program(testKind, true), new(rule.Context)
	for range 5 {
		run(t, set, p, c, parseObject(t, `cut: true`))
	}
	if n := s.calls["cut()"]; n != 1 {
		t.Errorf("the label ran out of its budget %d times within the pause", n)
	}
}

// TestRegressionLookupFailsSilently: a lookup of a resource that fails is a problem,
// whether or not the metrics share labels.
func TestRegressionLookupFailsSilently(t *testing.T) {
	set := newScripts().load(t, `kind: MetricRules
spec: {resources: [{groupVersionKind: {group: g, kind: K}, lookup: [{as: o, apiVersion: "'v1'", kind: "'N'", name: fail()}], metrics: [{name: m, value: o.v, default: 0}]}]}`)
	if got := evalSet(t, set, `{}`); !strings.Contains(got, "! m") {
		t.Errorf("no problem:\n%s", got)
	}
}

// TestRegressionNullElementsAreSteps: null elements take time as well.
func TestRegressionNullElementsAreSteps(t *testing.T) {
	list := make([]any, 3000)
	for i := range 300 {
		list[i] = int64(i)
	}
	set := load(t, doc(`{name: m, forEach: [{as: a, in: object.l}, {as: b, in: object.l, where: b.none}], value: 1}`))
	got := run(t, set, set.Program(testKind, true), new(rule.Context), map[string]any{"l": list})
	if want := lines(`! m limit: more than 100000 elements in one object`); got != want {
		t.Errorf("300 × 3000 elements were visited without a limit:\n%s", got)
	}
}

// TestRegressionSwitchedOff: what is switched off looks up nothing.
func TestRegressionSwitchedOff(t *testing.T) {
	const lookup = `{apiVersion: "'v1'", kind: "'Secret'", name: object.n}`
	for name, resource := range map[string]string{
		"resource": `{groupVersionKind: {group: g, kind: K}, enable: off, lookup: [{as: o, ` + lookup[1:len(lookup)-1] + `}], metrics: [{name: m, value: o.v}]}, {groupVersionKind: {group: g, kind: K}, metrics: [{name: n, value: 1}]}`,
		"metric":   `{groupVersionKind: {group: g, kind: K}, metrics: [{name: m, enable: off, value: 1, forEach: [{as: o, lookup: ` + lookup + `}]}, {name: n, value: 1}]}`,
	} {
		set := load(t, "kind: MetricRules\nspec: {resources: ["+resource+"]}")
		if p := set.Programs(rule.Served{GVK: rule.GVK{Version: "v1", Kind: "Secret"}, Best: true}); len(p) != 0 {
			t.Errorf("%s: Secrets are watched for a group that is off", name)
		}
		if n := set.Needs(); n != (rule.Needs{}) {
			t.Errorf("%s: needs %+v", name, n)
		}
		if set.Program(testKind, true).Joins() {
			t.Errorf("%s: objects are kept for a lookup that is off", name)
		}
	}
}

// TestRegressionHistogramType: a histogram of what is there now can shrink.
func TestRegressionHistogramType(t *testing.T) {
	set := load(t, doc(`{name: m, type: histogram, value: 1, aggregate: {op: histogram, buckets: [1]}}, {name: n, type: histogram, onTransition: {of: object.p, buckets: [1]}}`))
	if got := set.Families()[0].Type; got != metric.GaugeHistogram {
		t.Errorf("m is a %s", got)
	}
	if got := set.Families()[1].Type; got != metric.Histogram {
		t.Errorf("n is a %s", got)
	}
}

// TestRegressionHistogramNames: the lines of a histogram are names as well.
func TestRegressionHistogramNames(t *testing.T) {
	for _, suffix := range []string{"_count", "_sum", "_bucket"} {
		_, findings := compile(doc(`{name: m, type: histogram, value: 1, aggregate: {op: histogram, buckets: [1]}}, {name: m` + suffix + `, value: 1}`))
		if findings.Err() == nil {
			t.Errorf("m%s is of two families", suffix)
		}
	}
}

// TestRegressionFractionOfLimit: half a series is no limit.
func TestRegressionFractionOfLimit(t *testing.T) {
	for _, limit := range []string{"series: 1.5", "perObject: 2.9", "labelValues: {x: 1.5}"} {
		if _, findings := compile(doc(`{name: m, value: 1, labels: {x: object.x}, limits: {` + limit + `}}`)); findings.Err() == nil {
			t.Errorf("%s is taken", limit)
		}
	}
}

// TestRegressionEqualSelectors: == and = say the same.
func TestRegressionEqualSelectors(t *testing.T) {
	set := load(t, "kind: MetricRules\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, selector: a=b, metrics: [{name: m, value: 1}]}, {groupVersionKind: {group: g, kind: K}, selector: a==b, metrics: [{name: n, value: 1}]}]}")
	if n := len(set.Programs(rule.Served{GVK: testKind, Best: true})); n != 1 {
		t.Errorf("%d watches for a=b and a==b", n)
	}
}

// TestRegressionDiscoveredRequest: the documentation says that GVK is empty.
func TestRegressionDiscoveredRequest(t *testing.T) {
	set := load(t, "kind: MetricRules\nspec: {resources: [{discover: {kinds: [X]}, metrics: [{name: m, value: 1}]}]}")
	if got := set.Requests()[0].GVK; got != (rule.GVK{}) {
		t.Errorf("request for %+v", got)
	}
}

// TestRegressionDerivedIgnored: what has no effect is an error.
func TestRegressionDerivedIgnored(t *testing.T) {
	for _, m := range []string{
		`aggregate: {op: count}, value: object.v, valueMap: {a: 1}`,
		`aggregate: {op: count}, value: object.v, default: 1`,
	} {
		if _, findings := compile(doc(`{name: m, ` + m + `}`)); len(findings) == 0 {
			t.Errorf("%s: nothing is said", m)
		}
	}
}

// TestManySamples has more samples than are compared one by one: each is there
// once, whatever their number, and the next object begins anew.
func TestManySamples(t *testing.T) {
	set := load(t, doc(`{name: m, forEach: [{as: s, in: object.l}], labels: {x: s.x, y: s.y}, value: 1}, {name: n, forEach: [{as: s, in: object.l}], labels: {x: s.x}, spread: [{from: s.more}], value: 1}`))
	p, c := set.Program(testKind, true), new(rule.Context)
	for _, n := range []int{1, 16, 17, 40, 5000, 3} {
		list := make([]any, 0, 2*n)
		for i := range n {
			e := map[string]any{"x": fmt.Sprint(i % 7), "y": fmt.Sprint(i), "more": map[string]any{"z": fmt.Sprint(i)}}
			list = append(list, e, e)
		}
		sink := new(counter)
		p.Eval(c, map[string]any{"l": list}, sink)
		if sink.samples != 2*n || sink.problems != 2*n {
			t.Errorf("%d elements, each twice: %d samples and %d duplicates", n, sink.samples, sink.problems)
		}
	}
}

// TestComparedText makes sure that what needs no CEL gives what CEL gives.
func TestComparedText(t *testing.T) {
	for _, object := range []string{`{a: {b: x}}`, `{a: {b: y}}`, `{a: {b: ""}}`, `{a: {b: 1}}`, `{a: {b: true}}`, `{a: {b: [x]}}`, `{a: {b: null}}`, `{a: {}}`, `{a: x}`, `{}`} {
		for _, operator := range []string{"==", "!="} {
			plain := `object.a.b ` + operator + ` 'x'`
			set := loadCEL(t, doc(`{name: m, value: "`+plain+`"}, {name: m2, value: "(`+plain+`)"}`))
			got := evalSet(t, set, object)
			if a, b := strings.Count(got, "m{} 1\n")+strings.Count(got, "m 1\n"), strings.Count(got, "m2{} 1\n")+strings.Count(got, "m2 1\n"); a != b || strings.Count(got, "m ") != strings.Count(got, "m2 ") {
				t.Errorf("%s of %s:\n%s", plain, object, got)
			}
		}
	}
}
