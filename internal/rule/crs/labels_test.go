package crs_test

import (
	"strings"
	"testing"
)

// TestLabelPrecedence has a label at each level, from the lowest to the highest.
func TestLabelPrecedence(t *testing.T) {
	f := func(resource, metric, inner, want string) {
		t.Helper()
		got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    metricNamePrefix: ""
    `+resource+`
    metrics: [{name: m, `+metric+` each: {type: Gauge, gauge: {path: [m], labelFromKey: key, `+inner+` valueFrom: [v]}}}]
`, `{a: {x: outer star}, b: outer, m: {k: {v: 1, c: {x: inner star}, d: inner}}}`, false)
		if want = "m" + want + " 1\n"; got != want {
			t.Errorf("%s | %s | %s:\ngot  %swant %s", resource, metric, inner, got, want)
		}
	}
	f(`commonLabels: {x: resource}`, ``, ``, `{key="k",x="resource"}`)
	f(`commonLabels: {x: resource, y: z}`, `commonLabels: {x: metric},`, ``, `{key="k",x="metric",y="z"}`)
	f(`commonLabels: {x: resource}`, `commonLabels: {x: metric}, labelsFromPath: {"*": [a]},`, ``, `{key="k",x="outer star"}`)
	f(`labelsFromPath: {"*": [a]}`, `commonLabels: {x: metric},`, ``, `{key="k",x="outer star"}`)
	f(`labelsFromPath: {"*": [a]}`, `commonLabels: {x: metric}, labelsFromPath: {x: [b]},`, ``, `{key="k",x="outer"}`)
	f(`labelsFromPath: {x: [b]}`, `labelsFromPath: {"*": [a]},`, ``, `{key="k",x="outer"}`)
	f(`labelsFromPath: {x: [missing]}`, `labelsFromPath: {x: [b]},`, ``, `{key="k",x="outer"}`) // merged by name
	f(`labelsFromPath: {x: [b]}`, `labelsFromPath: {x: [missing]},`, ``, `{key="k"}`)
	f(`labelsFromPath: {x: [b], key: [b]}`, ``, ``, `{key="k",x="outer"}`)
	f(`labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {"*": [c]},`, `{key="k",x="inner star"}`)
	f(`labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {"*": [c], x: [d]},`, `{key="k",x="inner"}`)
	f(`labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {x: [d], y: [d]},`, `{key="k",x="inner",y="inner"}`)
	f(`labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {x: [missing]},`, `{key="k",x="outer"}`)
	f(`commonLabels: {x: resource}`, `labelsFromPath: {x: [missing]},`, ``, `{key="k",x="resource"}`)
	f(``, ``, `labelsFromPath: {key: [d]},`, `{key="inner"}`)
}

// TestOwnLabelsOfTheKind shows the labels that every legacy metric has.
func TestOwnLabelsOfTheKind(t *testing.T) {
	const base = `customresource_group="g",customresource_kind="K",customresource_version="v1"`
	f := func(version, metric, want string) {
		t.Helper()
		rules := strings.Replace(doc(metric+`each: {type: Gauge, gauge: {path: [v]}}`), "version: v1, ", version, 1)
		rules = strings.Replace(rules, `metricNamePrefix: "",`, `metricNamePrefix: "", commonLabels: {customresource_group: mine, r: s},`, 1) // which is replaced
		want = strings.Replace(want, base[len(base)-len(`customresource_version="v1"`):], `customresource_version="v1",r="s"`, 1)
		if got := eval(t, rules, `{v: 1, x: y}`, true); got != "m{"+want+"} 1\n" {
			t.Errorf("%s:\ngot  %swant %s", metric, got, want)
		}
	}
	f(`version: v1, `, ``, base)
	f(`version: "*", `, ``, base) // the version that is served
	f(``, ``, base)
	f(``, `commonLabels: {a: b}, `, `a="b",`+base)
	f(``, `commonLabels: {customresource_kind: mine}, `, strings.Replace(base, `"K"`, `"mine"`, 1))
	f(``, `labelsFromPath: {customresource_kind: [x]}, `, strings.Replace(base, `"K"`, `"y"`, 1))
}

func TestStar(t *testing.T) {
	f := func(labels, object, want string) {
		t.Helper()
		check(t, `each: {type: Gauge, gauge: {path: [v]}}, labelsFromPath: {`+labels+`}`, object+"\nv: 1", want)
	}
	f(`"*": [m]`, `m: {a: x, b: 5, c: true}`, `m{a="x",b="5",c="true"} 1`)
	f(`"*x": [m]`, `m: {a: x}`, `m{a="x"} 1`)
	f(`"*_x": [m]`, `m: {a: x}`, `m{a="x"} 1`)
	f(`"pre_*": [m]`, `m: {a: x}`, `m{pre_a="x"} 1`)
	f(`"**": [m]`, `m: {bar: x}`, `m{_bar="x"} 1`)
	f(`"*": [m]`, `m: {a: [1, b], c: {d: e}}`, `m{a="[1 b]",c="map[d:e]"} 1`)
	f(`"*": [m]`, `m: {}`, `m 1`)
	f(`"*": [m]`, ``, `m 1`)
	f(`"*": [m]`, `m: text`, `m 1`)
	f(`"*": [m]`, `m: [a]`, `m 1`)
	f(`"*": [l, 0]`, `l: [{a: x}]`, `m{a="x"} 1`)

	// In ascending order, so that later keys win; named labels win over all.
	f(`"*": [m], "*z": [n]`, "m: {a: first, b: first}\nn: {a: second}", `m{a="second",b="first"} 1`)
	f(`"*z": [m], "*": [n]`, "m: {a: first, b: first}\nn: {a: second, c: second}", `m{a="first",b="first",c="second"} 1`)
	f(`"p_*": [m], "*": [n]`, "m: {a: first}\nn: {p_a: second}", `m{p_a="first"} 1`)
	f(`"*": [m], a: [n]`, "m: {a: star}\nn: named", `m{a="named"} 1`)
	f(`"*": [m], a: [missing]`, `m: {a: star}`, `m{a="star"} 1`)

	// Sanitised.
	f(`"*": [m]`, `m: {app.kubernetes.io/name: x, "ü": y}`, `m{_="y",app_kubernetes_io_name="x"} 1`)
	f(`"label_*": [m]`, `m: {1a: x, a-b: y}`, `m{label_1a="x",label_a_b="y"} 1`)
	f(`"a-*": [m]`, `m: {b: x}`, `m{a_b="x"} 1`)

	// Inside a block.
	check(t, `commonLabels: {x: null, y: ~, z: , v: text}, each: {type: Gauge, gauge: {path: [v]}}`, `v: 1`, `m{v="text"} 1`)
	check(t, `each: {type: Info, info: {path: [l], labelsFromPath: {"*": [labels], "x_*": []}}}`, `l: [{labels: {a: b}, n: 1}, {n: 2}]`,
		`m{a="b",x_labels="map[a:b]",x_n="1"} 1 | m{x_n="2"} 1`)
}

// TestNamesThatAreInvalidOrRandom is where kube-state-metrics' exposition is
// invalid, or another one each time.
func TestNamesThatAreInvalidOrRandom(t *testing.T) {
	const gauge = `each: {type: Gauge, gauge: {path: [v]}}`
	f := func(metric, object, want string) {
		t.Helper()
		check(t, metric, object+"\nv: 1", want)
	}
	// A leading digit.
	f(`labelsFromPath: {1a: [x]}, `+gauge, `x: y`, `m{_1a="y"} 1`)
	f(`labelsFromPath: {"*": [m]}, `+gauge, `m: {1a: y}`, `m{_1a="y"} 1`)
	// Names that become one: the last in order wins.
	f(`labelsFromPath: {"*": [m]}, `+gauge, `m: {a-b: dash, a.b: dot, a_b: underscore}`, `m{a_b="underscore"} 1`)
	f(`labelsFromPath: {a-b: [x], a.b: [y]}, `+gauge, "x: dash\ny: dot", `m{a_b="dot"} 1`)
	f(`labelsFromPath: {"": [x]}, `+gauge, `x: y`, `m{_="y"} 1`)
	// Two underscores at the start are Prometheus' own: one stays.
	f(`labelsFromPath: {"**": [m], __x: [x]}, `+gauge, "m: {_a: b}\nx: y", `m{_a="b",_x="y"} 1`)
	f(`labelsFromPath: {"**": [m]}, `+gauge, `m: {a: one, _a: two}`, `m{_a="one"} 1`)
	// Names that kube-state-metrics writes as they are.
	f(`each: {type: Gauge, gauge: {path: [m], labelFromKey: a b}}`, `m: {k: 1}`, `m{a_b="k"} 1`)
	f(`each: {type: StateSet, stateSet: {path: [s], labelName: 1s, list: [A]}}`, `s: A`, `m{_1s="A"} 1`)
}

func TestLabelValues(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		check(t, `labelsFromPath: {x: [x]}, each: {type: Gauge, gauge: {path: [v]}}`, "v: 1\nx: "+value, want)
	}
	f(`text`, `m{x="text"} 1`)
	f(`5`, `m{x="5"} 1`)
	f(`12345678`, `m{x="12345678"} 1`)
	f(`12345678.5`, `m{x="1.23456785e+07"} 1`)
	f(`0.5`, `m{x="0.5"} 1`)
	f(`true`, `m{x="true"} 1`)
	f(`[a, 1, true]`, `m{x="[a 1 true]"} 1`)
	f(`{b: 1, a: [c]}`, `m{x="map[a:[c] b:1]"} 1`)
	f(`null`, `m 1`)
	f(`""`, `m 1`)
	f(`"a \"b\"\n\\"`, `m{x="a \"b\"\n\\"} 1`)
}

// TestSeveralMetrics uses most of what there is at once.
func TestSeveralMetrics(t *testing.T) {
	got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    resourcePlural: kays
    errorLogV: 5
    labelsFromPath: {name: [metadata, name], "label_*": [metadata, labels]}
    commonLabels: {team: infra}
    metrics:
    - name: ready
      help: Whether it is ready.
      errorLogV: 2
      each: {type: Gauge, gauge: {path: [status, conditions, "[type=Ready]", status]}}
    - name: replicas
      each: {type: Gauge, gauge: {path: [status, replicas], labelFromKey: state, nilIsZero: true}}
    - name: phase
      each: {type: StateSet, stateSet: {path: [status, phase], labelName: phase, list: [Pending, Running]}}
    - name: info
      each: {type: Info, info: {path: [spec], labelsFromPath: {class: [class]}}}
`, `
metadata: {name: o, generation: 7, labels: {app.io/x: y}}
spec: {class: fast}
status: {phase: Running, replicas: {ready: 2, desired: 3}, conditions: [{type: Synced, status: "False"}, {type: Ready, status: "True"}]}
`, false)
	want := lines(`kube_customresource_ready{label_app_io_x="y",name="o",team="infra"} 1
kube_customresource_replicas{label_app_io_x="y",name="o",state="desired",team="infra"} 3
kube_customresource_replicas{label_app_io_x="y",name="o",state="ready",team="infra"} 2
kube_customresource_phase{label_app_io_x="y",name="o",phase="Pending",team="infra"} 0
kube_customresource_phase{label_app_io_x="y",name="o",phase="Running",team="infra"} 1
kube_customresource_info{class="fast",label_app_io_x="y",name="o",team="infra"} 1`)
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
