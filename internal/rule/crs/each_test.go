package crs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// findings compares all findings about a metric. Line n of what is wanted is
// about the place of the n-th § in the metric; further lines are about its
// beginning.
func findings(t *testing.T, metric, want string) {
	t.Helper()
	parts := strings.Split(doc(metric), "§")
	var out []string
	if want != "" {
		out = strings.Split(want, "\n")
	}
	before := ""
	for i := range out {
		line, column := 5, 1
		if i < len(parts)-1 {
			before += parts[i]
			line, column = 1+strings.Count(before, "\n"), len(before)-strings.LastIndex(before, "\n")
		}
		level := ""
		text := out[i]
		if rest, ok := strings.CutPrefix(text, "warning: "); ok {
			level, text = "warning: ", rest
		}
		out[i] = fmt.Sprintf(`r.yaml:%d:%d: %smetric "m": %s`, line, column, level, text)
	}
	_, got := compile(strings.Join(parts, ""))
	if want = strings.Join(out, "\n"); sorted(got.Error()) != sorted(want) {
		t.Errorf("metric: %s\ngot:\n%s\nwant:\n%s", metric, got.Error(), want)
	}
}

func TestEachErrors(t *testing.T) {
	f := func(each, want string) {
		t.Helper()
		findings(t, "each: "+each, want)
	}
	f(`§{}`, "each has no type: expected Gauge, Info or StateSet")
	f(`§{gauge: {path: [a]}}`, "each has no type: expected Gauge, Info or StateSet")
	f(`§{type: Counter, gauge: {path: [a]}}`, `unknown type "Counter": expected Gauge, Info or StateSet`)
	f(`§{type: Histogram}`, `unknown type "Histogram": expected Gauge, Info or StateSet`)
	f(`§{type: Gauge}`, `each has type Gauge but no block "gauge"`)
	f(`§{type: Gauge, gauge: null}`, `each has type Gauge but no block "gauge"`)
	f(`§{type: Gauge, info: {path: [a]}}`, `each has type Gauge but no block "gauge"`)
	f(`§{type: info, gauge: {path: [a]}}`, `each has type info but no block "info"`)
	f(`§{type: STATESET, info: {}}`, `each has type STATESET but no block "stateSet"`)

	const lookup = `path segment "[Ready]": a lookup in a list is written [key=value]`
	f(`{type: Gauge, gauge: {path: [a, "[Ready]"]}}`, "path [a [Ready]]: "+lookup)
	f(`{type: Gauge, gauge: {valueFrom: ["[Ready]"]}}`, "valueFrom [[Ready]]: "+lookup)
	f(`{type: Info, info: {labelsFromPath: {x: ["[Ready]"]}}}`, `labelsFromPath "x" [[Ready]]: `+lookup)
	f(`{type: Info, info: {path: ["[]"]}}`, `path [[]]: path segment "[]": a lookup in a list is written [key=value]`)
	findings(t, `labelsFromPath: {"*": ["[Ready]"]}, each: {type: Info, info: {}}`, `labelsFromPath "*" [[Ready]]: `+lookup)
	f(`{type: StateSet, stateSet: §{list: [a]}}`, "stateSet has no labelName: its series would have no valid name for the state")
}

func TestEachWrongTypes(t *testing.T) {
	f := func(each, want string) {
		t.Helper()
		findings(t, "each: "+each, want)
	}
	f(`{type: Gauge, gauge: §[a]}`, "expected a map, found a list")
	f(`{type: Gauge, gauge: {path: §status}}`, `expected a list, found the str "status"`)
	f(`{type: Gauge, gauge: {path: [§[a]]}}`, "expected text, found a list")
	f(`{type: Gauge, gauge: {valueFrom: §{a: b}}}`, "expected a list, found a map")
	f(`{type: Gauge, gauge: {labelsFromPath: §[a]}}`, "expected a map, found a list")
	f(`{type: Gauge, gauge: {labelsFromPath: {a: §b}}}`, `expected a list, found the str "b"`)
	f(`{type: Gauge, gauge: {nilIsZero: §5}}`, `expected true or false, found the int "5"`)
	f(`{type: Info, info: {labelFromKey: §[a]}}`, "expected text, found a list")
	f(`{type: StateSet, stateSet: {labelName: a, list: §b}}`, `expected a list, found the str "b"`)
}

func TestEachWarnings(t *testing.T) {
	f := func(each, want string) {
		t.Helper()
		findings(t, "each: "+each, want)
	}
	f(`{type: Gauge, gauge: {path: [a], §value: [count]}}`, `warning: unknown field "value" is ignored`)
	f(`{type: Gauge, gauge: {path: [a], §nilIsZeor: true}}`, `warning: unknown field "nilIsZeor" is ignored, did you mean "nilIsZero"?`)
	f(`{type: Info, info: {path: [a], §valueFrom: [b]}}`, `warning: unknown field "valueFrom" is ignored`)
	f(`{type: Info, info: {path: [a], §nilIsZero: true}}`, `warning: unknown field "nilIsZero" is ignored`)
	f(`{type: StateSet, stateSet: {labelName: s, §labelFromKey: k}}`, `warning: unknown field "labelFromKey" is ignored, did you mean "labelName"?`)
	f(`{type: Gauge, gauge: {}, §gague: {}}`, `warning: unknown field "gague" is ignored, did you mean "gauge"?`)
	f(`{type: Gauge, gauge: {labelFromKey: a-b}}`, `warning: label name "a-b" is not valid and becomes "a_b"`)
	f(`{type: StateSet, stateSet: {labelName: 1b}}`, `warning: label name "1b" is not valid and becomes "_1b"`)
}

// TestEachInDocumentOfOurs has mistyped fields where unknown fields are errors.
func TestEachInDocumentOfOurs(t *testing.T) {
	f := func(each, want string) {
		t.Helper()
		_, findings := compile("kind: MetricRules\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, metrics: [{name: m, each: " + each + "}]}]}")
		if got := findings.Error(); !strings.HasPrefix(got, "r.yaml:2:") || !strings.HasSuffix(got, `: metric "m": `+want) || strings.Contains(got, "warning") {
			t.Errorf("%s:\ngot  %s\nwant %s", each, got, want)
		}
	}
	f(`{type: Gauge, gauge: {path: [v], nilIsZeor: true}}`, `unknown field "nilIsZeor", did you mean "nilIsZero"?`)
	f(`{type: Gauge, gauge: {path: [v]}, gague: {}}`, `unknown field "gague", did you mean "gauge"?`)
}

// TestOtherBlocks has blocks of types that the metric has not: they are
// ignored, whatever is in them.
func TestOtherBlocks(t *testing.T) {
	findings(t, `each: {type: Gauge, gauge: {path: [v]}, info: {nonsense: 1}, stateSet: [a]}`, "")
}

func TestEachType(t *testing.T) {
	f := func(typ string, want metric.Type) {
		t.Helper()
		set, findings := compile(doc(`each: {type: ` + typ + `, gauge: {}, info: {}, stateSet: {labelName: s}}`))
		if len(findings) > 0 {
			t.Errorf("%s: %v", typ, findings)
			return
		}
		if got := set.Families()[0].Type; got != want {
			t.Errorf("%s: got %s, want %s", typ, got, want)
		}
	}
	f("Gauge", metric.Gauge)
	f("gauge", metric.Gauge)
	f("GAUGE", metric.Gauge)
	f("Info", metric.Info)
	f("iNFO", metric.Info)
	f("StateSet", metric.StateSet)
	f("stateset", metric.StateSet)
}
