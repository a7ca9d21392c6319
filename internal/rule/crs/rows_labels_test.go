package crs_test

import (
	"strings"
	"testing"
)

// TestLabelPrecedence has a label at each level, from the lowest to the highest.
func TestLabelPrecedence(t *testing.T) {
	for _, r := range []struct{ name, resource, metric, inner, want string }{
		{"resource", `commonLabels: {x: resource}`, ``, ``, `{key="k",x="resource"}`},
		{"metric over resource", `commonLabels: {x: resource, y: z}`, `commonLabels: {x: metric},`, ``, `{key="k",x="metric",y="z"}`},
		{"empty label of the metric over resource", `commonLabels: {x: resource}`, `commonLabels: {x: ""},`, ``, `{key="k"}`},
		{"outer pattern over metric", `commonLabels: {x: resource}`, `commonLabels: {x: metric}, labelsFromPath: {"*": [a]},`, ``, `{key="k",x="outer star"}`},
		{"outer pattern of the resource over metric", `labelsFromPath: {"*": [a]}`, `commonLabels: {x: metric},`, ``, `{key="k",x="outer star"}`},
		{"outer name over outer pattern", `labelsFromPath: {"*": [a]}`, `commonLabels: {x: metric}, labelsFromPath: {x: [b]},`, ``, `{key="k",x="outer"}`},
		{"outer name of the resource over outer pattern of the metric", `labelsFromPath: {x: [b]}`, `labelsFromPath: {"*": [a]},`, ``, `{key="k",x="outer"}`},
		{"metric's path over resource's", `labelsFromPath: {x: [missing]}`, `labelsFromPath: {x: [b]},`, ``, `{key="k",x="outer"}`}, // merged by name
		{"metric's path over resource's, leading nowhere", `labelsFromPath: {x: [b]}`, `labelsFromPath: {x: [missing]},`, ``, `{key="k"}`},
		{"path that leads nowhere leaves the fixed label", `commonLabels: {x: resource}`, `labelsFromPath: {x: [missing]},`, ``, `{key="k",x="resource"}`},
		{"path to empty text empties the fixed label", `commonLabels: {x: resource}`, `labelsFromPath: {x: [empty]},`, ``, `{key="k"}`},
		{"labelFromKey over outer", `labelsFromPath: {x: [b], key: [b]}`, ``, ``, `{key="k",x="outer"}`},
		{"inner pattern over outer", `labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {"*": [c]},`, `{key="k",x="inner star"}`},
		{"inner pattern over labelFromKey", ``, ``, `labelsFromPath: {"*": [e]},`, `{key="inner star"}`},
		{"inner name over inner pattern", `labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {"*": [c], x: [d]},`, `{key="k",x="inner"}`},
		{"inner names", `labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {x: [d], y: [d]},`, `{key="k",x="inner",y="inner"}`},
		{"inner path that leads nowhere leaves the outer label", `labelsFromPath: {x: [b]}`, ``, `labelsFromPath: {x: [missing]},`, `{key="k",x="outer"}`},
		{"inner name over labelFromKey", ``, ``, `labelsFromPath: {key: [d]},`, `{key="inner"}`},
		{"map over child", ``, ``, `labelsFromPath: {x: [d], y: [k, d]},`, `{key="k",x="inner",y="inner"}`},
		{"map over child, both there", ``, ``, `labelsFromPath: {x: [f]},`, `{key="k",x="of the map"}`},
	} {
		t.Run(r.name, func(t *testing.T) {
			got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    metricNamePrefix: ""
    `+r.resource+`
    metrics: [{name: m, `+r.metric+` each: {type: Gauge, gauge: {path: [m], labelFromKey: key, `+r.inner+` valueFrom: [v]}}}]
`, `{a: {x: outer star}, b: outer, empty: "", m: {k: {v: 1, c: {x: inner star}, d: inner, e: {key: inner star}, f: of the child}, f: of the map}}`, false)
			if want := "m" + r.want + " 1\n"; got != want {
				t.Errorf("got  %swant %s", got, want)
			}
		})
	}
}

// TestEmptyKey has a key that gives no label, so that the outer one stays.
func TestEmptyKey(t *testing.T) {
	rows(t, []row{
		{"gauge", `commonLabels: {k: outer}, each: {type: Gauge, gauge: {path: [m], labelFromKey: k}}`, `m: {"": 1, a: 2}`, `m{k="outer"} 1 | m{k="a"} 2`},
		{"info", `commonLabels: {k: outer}, each: {type: Info, info: {path: [m], labelFromKey: k, labelsFromPath: {x: [n]}}}`, `m: {"": {n: b}, a: {}}`, `m{k="outer",x="b"} 1 | m{k="a"} 1`},
	})
}

// TestOwnLabelsOfTheKind shows the labels that every legacy metric has.
func TestOwnLabelsOfTheKind(t *testing.T) {
	const base = `customresource_group="g",customresource_kind="K",customresource_version="v1"`
	for _, r := range []struct{ name, version, metric, want string }{
		{"version", `version: v1, `, ``, base + `,r="s"`},
		{"any version", `version: "*", `, ``, base + `,r="s"`}, // the version that is served
		{"no version", ``, ``, base + `,r="s"`},
		{"common label", ``, `commonLabels: {a: b}, `, `a="b",` + base + `,r="s"`},
		{"replaced by a common label", ``, `commonLabels: {customresource_kind: mine}, `, strings.Replace(base, `"K"`, `"mine"`, 1) + `,r="s"`},
		{"replaced by a path", ``, `labelsFromPath: {customresource_kind: [x]}, `, strings.Replace(base, `"K"`, `"y"`, 1) + `,r="s"`},
		{"replaced by a pattern", ``, `labelsFromPath: {"customresource_*": [p]}, `, strings.Replace(base, `"K"`, `"z"`, 1) + `,r="s"`},
	} {
		t.Run(r.name, func(t *testing.T) {
			rules := strings.Replace(doc(r.metric+`each: {type: Gauge, gauge: {path: [v]}}`), "version: v1, ", r.version, 1)
			// The resource's own are replaced, the metric's stay.
			rules = strings.Replace(rules, `metricNamePrefix: "",`, `metricNamePrefix: "", commonLabels: {customresource_group: mine, r: s},`, 1)
			if got := eval(t, rules, `{v: 1, x: y, p: {kind: z}}`, true); got != "m{"+r.want+"} 1\n" {
				t.Errorf("got  %swant m{%s} 1", got, r.want)
			}
		})
	}
}

func TestStar(t *testing.T) {
	const gauge = `, each: {type: Gauge, gauge: {path: [v]}}`
	rows(t, []row{
		{"star", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {a: x, b: 5, c: true}}`, `m{a="x",b="5",c="true"} 1`},
		{"star at the start", `labelsFromPath: {"*x": [m]}` + gauge, `{v: 1, m: {a: x}}`, `m{a="x"} 1`},
		{"star at the end", `labelsFromPath: {"pre_*": [m]}` + gauge, `{v: 1, m: {a: x}}`, `m{pre_a="x"} 1`},
		{"star on both ends", `labelsFromPath: {"*x*": [m]}` + gauge, `{v: 1, m: {a: x}}`, `m{_xa="x"} 1`},
		{"two stars", `labelsFromPath: {"**": [m]}` + gauge, `{v: 1, m: {bar: x}}`, `m{_bar="x"} 1`},
		{"star in the middle", `labelsFromPath: {"a*b": [x]}` + gauge, `{v: 1, x: y}`, `m{a_b="y"} 1`}, // is none
		{"values that are no scalars", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {a: [1, b], c: {d: e}}}`, `m{a="[1 b]",c="map[d:e]"} 1`},
		{"null", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {a: null, b: x}}`, `m{a="<nil>",b="x"} 1`},
		{"empty text", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {a: "", b: x}}`, `m{b="x"} 1`},
		{"empty map", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {}}`, `m 1`},
		{"absent", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1}`, `m 1`},
		{"text", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: text}`, `m 1`},
		{"list", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: [a]}`, `m 1`},
		{"map in a list", `labelsFromPath: {"*": [l, 0]}` + gauge, `{v: 1, l: [{a: x}]}`, `m{a="x"} 1`},

		// In ascending order, so that later patterns win.
		{"later pattern wins", `labelsFromPath: {"*": [m], "*z": [n]}` + gauge, `{v: 1, m: {a: first, b: first}, n: {a: second}}`, `m{a="second",b="first"} 1`},
		{"order of the file does not count", `labelsFromPath: {"*z": [m], "*": [n]}` + gauge, `{v: 1, m: {a: first, b: first}, n: {a: second, c: second}}`, `m{a="first",b="first",c="second"} 1`},
		{"prefix after star", `labelsFromPath: {"p_*": [m], "*": [n]}` + gauge, `{v: 1, m: {a: first}, n: {p_a: second}}`, `m{p_a="first"} 1`},
		{"name wins over patterns", `labelsFromPath: {"*": [m], a: [n]}` + gauge, `{v: 1, m: {a: star}, n: named}`, `m{a="named"} 1`},
		{"name that leads nowhere", `labelsFromPath: {"*": [m], a: [missing]}` + gauge, `{v: 1, m: {a: star}}`, `m{a="star"} 1`},

		{"inside a block", `each: {type: Info, info: {path: [l], labelsFromPath: {"*": [labels], "x_*": []}}}`, `l: [{labels: {a: b}, n: 1}, {n: 2}]`,
			`m{a="b",x_labels="map[a:b]",x_n="1"} 1 | m{x_n="2"} 1`},
	})
}

func TestSanitising(t *testing.T) {
	const gauge = `, each: {type: Gauge, gauge: {path: [v]}}`
	rows(t, []row{
		{"name", `labelsFromPath: {a-b.c/d: [x]}` + gauge, `{v: 1, x: y}`, `m{a_b_c_d="y"} 1`},
		{"key of a map", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {app.kubernetes.io/name: x, "ü": y}}`, `m{_="y",app_kubernetes_io_name="x"} 1`},
		{"prefix", `labelsFromPath: {"a-*": [m]}` + gauge, `{v: 1, m: {b: x}}`, `m{a_b="x"} 1`},
		{"digit behind a prefix", `labelsFromPath: {"label_*": [m]}` + gauge, `{v: 1, m: {1a: x, a-b: y}}`, `m{label_1a="x",label_a_b="y"} 1`},
		{"inside a block", `each: {type: Info, info: {path: [x], labelsFromPath: {a-b: []}}}`, `{v: 1, x: y}`, `m{a_b="y"} 1`},
		{"over a fixed label", `commonLabels: {a_b: fixed}, labelsFromPath: {a-b: [x]}` + gauge, `{v: 1, x: y}`, `m{a_b="y"} 1`},

		// Written as they are there, so that the exposition is invalid.
		{"leading digit of a name", `labelsFromPath: {1a: [x]}` + gauge, `{v: 1, x: y}`, `m{_1a="y"} 1`},
		{"leading digit of a key", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {1a: y}}`, `m{_1a="y"} 1`},
		{"empty name", `labelsFromPath: {"": [x]}` + gauge, `{v: 1, x: y}`, `m{_="y"} 1`},
		{"empty key", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {"": y}}`, `m{_="y"} 1`},
		{"common label", `commonLabels: {a-b: y, 1c: z}` + gauge, `v: 1`, `m{_1c="z",a_b="y"} 1`},
		{"labelFromKey", `each: {type: Gauge, gauge: {path: [m], labelFromKey: a b}}`, `m: {k: 1}`, `m{a_b="k"} 1`},
		{"labelName", `each: {type: StateSet, stateSet: {path: [s], labelName: 1s, list: [A]}}`, `s: A`, `m{_1s="A"} 1`},

		// A random one wins there; here it is the last in the order of the keys.
		{"keys that become one", `labelsFromPath: {"*": [m]}` + gauge, `{v: 1, m: {a-b: dash, a.b: dot, a_b: underscore}}`, `m{a_b="underscore"} 1`},
		{"names that become one", `labelsFromPath: {a-b: [x], a.b: [y]}` + gauge, `{v: 1, x: dash, y: dot}`, `m{a_b="dot"} 1`},
		{"names that become one, the last leads nowhere", `labelsFromPath: {a-b: [x], a.b: [y]}` + gauge, `{v: 1, x: dash}`, `m{a_b="dash"} 1`},

		// Two underscores at the start are Prometheus' own: one stays.
		{"two underscores", `labelsFromPath: {"**": [m], __x: [x]}` + gauge, `{v: 1, m: {_a: b}, x: y}`, `m{_a="b",_x="y"} 1`},
		{"two underscores become one name", `labelsFromPath: {"**": [m]}` + gauge, `{v: 1, m: {a: one, _a: two}}`, `m{_a="one"} 1`},
	})
}

func TestLabelValues(t *testing.T) {
	const metric = `labelsFromPath: {x: [x]}, each: {type: Gauge, gauge: {path: [v]}}`
	rows(t, []row{
		{"text", metric, `{v: 1, x: text}`, `m{x="text"} 1`},
		{"integer", metric, `{v: 1, x: 5}`, `m{x="5"} 1`},
		{"large integer", metric, `{v: 1, x: 12345678}`, `m{x="12345678"} 1`},
		{"float", metric, `{v: 1, x: 0.5}`, `m{x="0.5"} 1`},
		{"large float", metric, `{v: 1, x: 12345678.5}`, `m{x="1.23456785e+07"} 1`},
		{"boolean", metric, `{v: 1, x: true}`, `m{x="true"} 1`},
		{"list", metric, `{v: 1, x: [a, 1, true, null]}`, `m{x="[a 1 true <nil>]"} 1`},
		{"map", metric, `{v: 1, x: {b: 1, a: [c]}}`, `m{x="map[a:[c] b:1]"} 1`},
		{"empty list", metric, `{v: 1, x: []}`, `m{x="[]"} 1`},
		{"null", metric, `{v: 1, x: null}`, `m 1`},
		{"absent", metric, `v: 1`, `m 1`},
		{"empty", metric, `{v: 1, x: ""}`, `m 1`}, // x="" there, which is the same to Prometheus
		{"escaped", metric, `{v: 1, x: "a \"b\"\n\\"}`, `m{x="a \"b\"\n\\"} 1`},
		{"fixed", `commonLabels: {a: text, b: 5, c: true, d: 0.50, e: "", x: null, y: ~}, each: {type: Gauge, gauge: {path: [v]}}`, `v: 1`, `m{a="text",b="5",c="true",d="0.50"} 1`},
	})
}
