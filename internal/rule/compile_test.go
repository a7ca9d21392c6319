package rule_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestFamilies(t *testing.T) {
	set := load(t, `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    metricNamePrefix: p
    metrics:
    - {name: z_seconds, help: Last., unit: seconds, value: object.v}
    - {name: a_info, type: info}
    - {name: c_total, type: counter, value: object.v}
    - {name: c_seconds_total, type: counter, unit: seconds, value: object.v}
    - {name: s, type: stateSet, states: [A], stateLabel: s, value: object.v}
    - {name: z_seconds, help: Another., value: object.w}
  - groupVersionKind: {group: g, kind: K}
    metricNamePrefix: ""
    metrics: [{name: z, value: object.v}]
  - groupVersionKind: {group: g, kind: L}
    metrics: [{name: "a:b", value: object.v}, {name: p_z_seconds, value: object.v}]
`)
	want := []metric.Desc{
		{Name: "a:b", Type: metric.Gauge},
		{Name: "p_a_info", Type: metric.Info},
		{Name: "p_c_seconds_total", Unit: "seconds", Type: metric.Counter},
		{Name: "p_c_total", Type: metric.Counter},
		{Name: "p_s", Type: metric.StateSet},
		{Name: "p_z_seconds", Help: "Last.", Unit: "seconds", Type: metric.Gauge}, // the first help stays
		{Name: "z", Type: metric.Gauge},
	}
	if diff := cmp.Diff(want, set.Families()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFamilyErrors(t *testing.T) {
	f := func(metrics, want string) {
		t.Helper()
		checkFindings(t, doc(metrics), want)
	}
	const invalid = `does not match [a-zA-Z_:][a-zA-Z0-9_:]*`
	f(`§{name: a-b, value: object.v}`, `metric "a-b": metric name "a-b" `+invalid)
	f(`§{name: a b, value: object.v}`, `metric "a b": metric name "a b" `+invalid)
	f(`§{name: 1a, value: object.v}`, `metric "1a": metric name "1a" `+invalid)
	f(`§{name: 'a{b="c"}', value: object.v}`, `metric "a{b=\"c\"}": metric name "a{b=\"c\"}" `+invalid)
	f(`§{name: a-b c, each: {type: Gauge, gauge: {path: [v]}}}`, `metric "a-b c": metric name "a-b c" `+invalid)
	f(`§{name: ü, value: object.v}`, `metric "ü": metric name "ü" `+invalid)
	f(`§{name: m, unit: seconds, value: object.v}`, `metric "m": metric name m does not end in its unit "seconds"`)
	f(`§{name: m_total, type: counter, unit: seconds, value: object.v}`, `metric "m_total": metric name m_total does not end in its unit "seconds"`)
	f("{name: m, value: object.v},\n§{name: m, type: counter, value: object.v}", `metric "m": family m is a counter here and a gauge at r.yaml:6:1: rename one`)
	f("{name: m, type: info},\n§{name: m, each: {type: StateSet, stateSet: {labelName: s, list: [a]}}}", `metric "m": family m is a stateset here and a info at r.yaml:6:1: rename one`)
	checkFindings(t, "kind: MetricRules\nspec: {resources: [{groupVersionKind: {kind: K}, metricNamePrefix: a-b, metrics: [§{name: m, value: 1}]}]}",
		`metric "m": metric name "a-b_m" `+invalid)
}

// TestTypeConflictOfTwoFiles names a place in each.
func TestTypeConflictOfTwoFiles(t *testing.T) {
	var sources []rule.Source
	for file, metric := range map[string]string{"a.yaml": "\n\n{name: m, value: object.v}", "b.yaml": "{name: m, type: info}"} {
		docs, findings := rule.Parse(file, []byte(doc(metric)), rule.ParseOptions{})
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		sources = append(sources, rule.Source{File: file, Documents: docs})
	}
	if sources[0].File > sources[1].File {
		sources[0], sources[1] = sources[1], sources[0]
	}
	_, findings := rule.Compile(sources, rule.CompileOptions{})
	if want := `b.yaml:6:1: metric "m": family m is a info here and a gauge at a.yaml:8:1: rename one`; findings.Error() != want {
		t.Errorf("got  %s\nwant %s", findings.Error(), want)
	}
}

func TestPrefix(t *testing.T) {
	f := func(kind, prefix, want string) {
		t.Helper()
		set := load(t, "kind: "+kind+"\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, "+prefix+" metrics: [{name: m, value: object.v}]}]}")
		if got := set.Families()[0].Name; got != want {
			t.Errorf("%s %s: got %s, want %s", kind, prefix, got, want)
		}
	}
	f(rule.KindMetricRules, ``, "m")
	f(rule.KindMetricRules, `metricNamePrefix: ,`, "m")
	f(rule.KindMetricRules, `metricNamePrefix: "",`, "m")
	f(rule.KindMetricRules, `metricNamePrefix: p,`, "p_m")
	f(rule.KindCustomResourceStateMetrics, ``, "kube_customresource_m")
	f(rule.KindCustomResourceStateMetrics, `metricNamePrefix: ,`, "kube_customresource_m")
	f(rule.KindCustomResourceStateMetrics, `metricNamePrefix: "",`, "m")
	f(rule.KindCustomResourceStateMetrics, `metricNamePrefix: p,`, "p_m")
}

// TestLabelPrecedence sets labels at each level: document, resource, and in the
// metric commonLabels, labelsFromPath and labels. The last one wins.
func TestLabelPrecedence(t *testing.T) {
	got := eval(t, `
kind: MetricRules
spec:
  labels: {a: "'doc'", b: "'doc'", c: "'doc'", d: "'doc'", e: "'doc'", f: "'doc'"}
  resources:
  - groupVersionKind: {group: g, kind: K}
    labels: {b: "'resource'", c: "'resource'", d: "'resource'", e: "'resource'", f: object.absent}
    metrics:
    - name: m
      value: 1
      commonLabels: {c: common, d: common, e: common}
      labelsFromPath: {d: [path, p], e: [path, p]}
      labels: {e: object.v}
  - groupVersionKind: {group: g, kind: K}
    metrics: [{name: n, value: 2}]
`, `{path: {p: path}, v: label}`)
	want := lines(`m{a="doc",b="resource",c="common",d="path",e="label"} 1 | n{a="doc",b="doc",c="doc",d="doc",e="doc",f="doc"} 2`)
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestLabelsFromPath(t *testing.T) {
	f := func(labels, want string) {
		t.Helper()
		checkEval(t, `{name: m, value: 1, `+labels+`}`, `{a: {b: text}, n: 5, "x.y/z": key, l: [first, {k: "a=b", v: last}], m: {c: d, "0": key of digits}}`, want)
	}
	f(`labelsFromPath: {x: [a, b]}`, `m{x="text"} 1`)
	f(`labelsFromPath: {x: [n]}`, `m{x="5"} 1`)
	f(`labelsFromPath: {x: ["x.y/z"]}`, `m{x="key"} 1`)
	f(`labelsFromPath: {x: [absent, b]}`, `m 1`)
	f(`labelsFromPath: {a-b: [a, b], 1c: [n]}`, `m{_1c="5",a_b="text"} 1`)
	f(`labelsFromPath: {x: [m]}`, `! m label: label "x": a map cannot be a label value`)
	f(`labelsFromPath: {x: [l, 0]}`, `m{x="first"} 1`)
	f(`labelsFromPath: {x: [l, "-1", v]}`, `m{x="last"} 1`)
	f(`labelsFromPath: {x: [l, "[k=a=b]", v]}`, `m{x="last"} 1`)
	f(`labelsFromPath: {x: [l, "[k=c]", v]}`, `m 1`)
	f(`labelsFromPath: {x: [l, 5]}`, `m 1`)
	f(`labelsFromPath: {x: [l, k]}`, `m 1`)
	f(`labelsFromPath: {x: [m, "0"]}`, `m{x="key of digits"} 1`)
	f(`labelsFromPath: {x: [n, "0"]}`, `m 1`)
	f(`commonLabels: {x: text, y: 5, z: true}`, `m{x="text",y="5",z="true"} 1`)
	f(`commonLabels: {x: "", y: null, z: ~}`, `m 1`)
	f(`commonLabels: {x: "'quoted'"}`, `m{x="'quoted'"} 1`) // text, not an expression
}

func TestLabelsOfTheKind(t *testing.T) {
	got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  labels: {namespace: object.ns}
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    metricNamePrefix: ""
    labels: {name: object.name, customresource_group: "'other'"}
    metrics:
    - {name: new, value: object.v}
    - {name: old, each: {type: Gauge, gauge: {path: [v]}}}
`, `{ns: n, name: o, v: 1}`)
	labels := `{customresource_group="other",customresource_kind="K",customresource_version="v1",name="o",namespace="n"} 1`
	if want := lines("new" + labels + " | old" + labels); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestEnable(t *testing.T) {
	const rules = `kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    metrics: [{name: always, value: 1}, {name: big, enable: expensive, value: 1}]
  - groupVersionKind: {group: g, kind: K}
    enable: debugging
    metrics: [{name: debug, value: 1}, {name: debug_big, enable: expensive, value: 1}]
  - groupVersionKind: {group: g, kind: L}
    enable: debugging
    metrics: [{name: other, value: 1}]
`
	f := func(want string, kinds int, enable ...string) {
		t.Helper()
		set := load(t, rules, enable...)
		var names []string
		for _, f := range set.Families() {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != want || len(set.Kinds()) != kinds {
			t.Errorf("%v: got %s of %v, want %s of %d kinds", enable, got, set.Kinds(), want, kinds)
		}
	}
	f("always", 1)
	f("always big", 1, "expensive")
	f("always debug other", 2, "debugging")
	f("always big debug debug_big other", 2, "expensive", "debugging")

	unknown := func(enable, want string) {
		t.Helper()
		if _, findings := compile(rules, enable); findings.Error() != want {
			t.Errorf("got  %s\nwant %s", findings.Error(), want)
		}
	}
	unknown("expensiv", `--enable: no rule has the group "expensiv": the loaded rules have debugging, expensive, did you mean "expensive"?`)
	unknown("Debugging", `--enable: no rule has the group "Debugging": the loaded rules have debugging, expensive, did you mean "debugging"?`)
	unknown("labels", `--enable: no rule has the group "labels": the loaded rules have debugging, expensive`)
	if _, findings := compile(doc(`{name: m, value: 1}`), "x"); findings.Error() != `--enable: no rule has the group "x": the loaded rules have none` {
		t.Errorf("got %s", findings.Error())
	}
}

// TestGroupInsideGroup names a group that occurs in a disabled resource only.
func TestGroupInsideGroup(t *testing.T) {
	const rules = `kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    enable: outer
    metrics: [{name: m, enable: inner, value: 1}]
`
	for enable, families := range map[string]int{"inner": 0, "outer": 0, "outer inner": 1} {
		set, findings := compile(rules, strings.Fields(enable)...)
		if len(findings) > 0 || len(set.Families()) != families {
			t.Errorf("%s: got %d families and %q, want %d", enable, len(set.Families()), findings.Error(), families)
		}
	}
}

// TestDisabledFamilyIsNone has two metrics of one name, of which one is never
// on: their types may differ.
func TestDisabledFamilyIsNone(t *testing.T) {
	checkEval(t, `{name: m, value: object.v}, {name: m, type: info, enable: other}`, `v: 1`, `m 1`)
}

func TestEachNeedsADialect(t *testing.T) {
	rules, want := place(t, doc(`{name: m, each: §{type: Gauge, gauge: {path: [v]}}}`), `metric "m": metrics with each are not read here`)
	if _, findings := compileWith(rules, rule.ParseOptions{}, rule.CompileOptions{}); findings.Error() != want {
		t.Errorf("got  %s\nwant %s", findings.Error(), want)
	}
	if _, findings := compileWith(rules, rule.ParseOptions{}, rule.CompileOptions{Legacy: crs.Compile}); findings.Error() != "" {
		t.Errorf("got %s, want nothing", findings.Error())
	}
}

// TestResourceLabels has labels that are for all metrics of the entry, in both
// forms.
func TestResourceLabels(t *testing.T) {
	got := eval(t, `
kind: MetricRules
spec:
  labels: {cluster: "'c'", team: "'other'"}
  resources:
  - groupVersionKind: {group: g, kind: K}
    commonLabels: {team: infra, name: none, static: text}
    labelsFromPath: {name: [metadata, name], first: [l, 0], a-b: [l, "[n=2]", v], own: [metadata, name]}
    labels: {own: object.v}
    metrics:
    - {name: new, value: object.v}
    - {name: old, each: {type: Gauge, gauge: {path: [v]}}}
    - {name: over, value: object.v, labels: {name: "'mine'", team: object.absent}}
`, `{metadata: {name: o}, v: 1, l: [x, {n: 2, v: y}]}`)
	const base = `{a_b="y",cluster="c",first="x",name="o",own="1",static="text",team="infra"} 1`
	want := lines("new" + base + " | old" + strings.Replace(base, `own="1"`, `own="o"`, 1) + ` | over{a_b="y",cluster="c",first="x",name="mine",own="1",static="text"} 1`)
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestOuterLabelOfWrongType has a label of the document or the resource that is
// a map: that is an error as it is for a label of the metric, unless that one
// replaces it.
func TestOuterLabelOfWrongType(t *testing.T) {
	const resource = "resources:\n  - groupVersionKind: {group: g, kind: K}\n    "
	for _, level := range []string{"labels: {x: object.m}\n  " + resource, resource + "labels: {x: object.m}\n    ", resource + "labelsFromPath: {x: [m]}\n    "} {
		got := eval(t, "kind: MetricRules\nspec:\n  "+level+"metrics: [{name: m, value: 1}, {name: n, value: 1, labels: {x: object.v}}]\n", `{m: {a: b}, v: w}`)
		if want := lines(`n{x="w"} 1 | ! m label: label "x": a map cannot be a label value`); got != want {
			t.Errorf("%s:\ngot:\n%swant:\n%s", level, got, want)
		}
	}
}

// TestDocumentLabelFinding has one mistake, which is reported once for all
// resources.
func TestDocumentLabelFinding(t *testing.T) {
	checkFindings(t, `kind: MetricRules
spec:
  labels: {x: §objct.v}
  resources:
  - {groupVersionKind: {group: g, kind: K}, metrics: [{name: m, value: 1}]}
  - {groupVersionKind: {group: g, kind: L}, metrics: [{name: m, value: 1}]}
`, `expression "objct.v": unknown name "objct": in scope are object, gvk, did you mean "object"?`)
}
