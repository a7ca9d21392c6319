package rule_test

// What once went wrong where several rules of the language meet.

import (
	"strings"
	"testing"
)

// TestEmptyStateTwice lists the empty state twice, by which a series is there
// twice.
// Other states are an error at load.
func TestEmptyStateTwice(t *testing.T) {
	set, findings := compile(doc(`{name: m, type: stateSet, stateLabel: s, states: [A, "", ""], value: object.v}`))
	if findings.Err() != nil {
		return
	}
	if got := evalSet(t, set, `v: A`); strings.Count(got, "m 0\n") != 1 {
		t.Errorf("got:\n%s", got)
	}
}

// TestLabelsFromPathOfBothForms has labels of a resource, which are those of
// kube-state-metrics: their match rule holds for both forms of the
// entry's metrics.
func TestLabelsFromPathOfBothForms(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    metricNamePrefix: ""
    labelsFromPath: {x: `+path+`}
    metrics:
    - {name: new, value: object.v}
    - {name: old, each: {type: Gauge, gauge: {path: [v]}}}
`, `{v: 1, l: [{n: 2, on: true, status: "True", r: y}], m: {k: v, k=v: literal}}`)
		const base = `{customresource_group="g",customresource_kind="K",customresource_version="v1",x=`
		if want = lines("new" + base + want + "} 1 | old" + base + want + "} 1"); got != want {
			t.Errorf("%s:\ngot:\n%swant:\n%s", path, got, want)
		}
	}
	f(`[l, "[n=2.0]", r]`, `"y"`)
	f(`[l, "[on=t]", r]`, `"y"`)
	f(`[l, "[status=yes]", r]`, `"y"`)
	f(`[m, k=v]`, `"v"`)
}

// TestDocumentLabelBelowAbsentPath has a label of the document and, of the same
// name, one of the resource from a path that is absent. A label that is absent
// is omitted, so that the lower one stays; a common label does not
// get in the way either.
func TestDocumentLabelBelowAbsentPath(t *testing.T) {
	got := eval(t, `
kind: MetricRules
spec:
  labels: {x: "'document'"}
  resources:
  - groupVersionKind: {group: g, kind: K}
    labelsFromPath: {x: [absent]}
    metrics: [{name: old, each: {type: Gauge, gauge: {path: [v]}}}]
  - groupVersionKind: {group: g, kind: K}
    commonLabels: {y: common}
    labelsFromPath: {y: [absent]}
    metrics: [{name: new, value: object.v}, {name: both, each: {type: Gauge, gauge: {path: [v]}}}]
`, `v: 1`)
	if want := lines(`old{x="document"} 1 | new{x="document",y="common"} 1 | both{x="document",y="common"} 1`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestLongExponents has exponents of four digits and more, which quantities may
// have: what is too large is
// infinite, what is too small is one nano. That they take minutes to compute is
// no reason for another result.
func TestLongExponents(t *testing.T) {
	checkNumber(t, "1e1000", "+Inf")
	checkNumber(t, "1e-1000", "1e-09")
	checkNumber(t, "1e-99999999", "1e-09")
}
