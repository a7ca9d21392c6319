package kubestatemetrics

import (
	"testing"
)

// object has something for each case of the table.
const object = `
apiVersion: g.io/v1
kind: K
metadata: {name: o, labels: {name: app, app.kubernetes.io/part-of: x, nothing: ~}}
spec: {replicas: 3, name: s, "": empty, version: v1.2, paused: false, "a,b": 7}
status:
  phase: Running
  phases: [Running, Pending, null, 5]
  uptime: 43.21
  none: null
  conditions:
  - {type: Ready, status: "True", since: "2024-01-01T00:00:00Z", n: 2, "on": true}
  - {type: Synced, status: "False", n: 0.5, reason: null}
  - {type: Other, status: bad}
  - text
  - null
  by: {a: {n: 1, x: ax, deep: {n: 4}}, b: {n: "2", x: bx}, c: {x: cx}, d: text, e: null, n: 9, x: px}
  counts: {ready: 2, desired: 3, bad: text, none: null, "": 6}
  pairs: {k: v, k=v: literal, n: 5, n=5: fives}
  list: [[a, 1], [b, 2], 3]
  twice: {x: same, child: {x: same}}
  empty: []
`

// document is a configuration with one metric.
func document(metric string) string {
	return `
kind: CustomResourceStateMetrics
spec: {resources: [{groupVersionKind: {group: g.io, version: v1, kind: K}, labelsFromPath: {name: [metadata, name]}, metrics: [
{name: m, ` + metric + `}
]}]}`
}

// metrics compares what each metric of a list gives for the object.
func metrics(t *testing.T, want string, list ...string) {
	t.Helper()
	for _, metric := range list {
		differs(t, want, input{document(metric), objectOf(t, object)})
	}
}

// differs fails the test unless the deviation that explains the difference is
// the one that is wanted; "" wants none.
func differs(t *testing.T, want string, in input) {
	t.Helper()
	got, err := compare(in)
	if err != nil {
		t.Error(err)
	} else if got != want {
		t.Errorf("the difference is %q, want %q\n%s", got, want, in)
	}
}

// blocks writes a metric for each block of a type.
func blocks(typ, name string, list ...string) []string {
	out := make([]string, len(list))
	for i, block := range list {
		out[i] = "each: {type: " + typ + ", " + name + ": {" + block + "}}"
	}
	return out
}

func TestGauge(t *testing.T) {
	metrics(t, "", blocks("Gauge", "gauge",
		`path: [status, uptime]`, `path: [status, phase]`, `path: [status, none]`, `path: [missing]`, `path: [missing], nilIsZero: true`,
		`path: [status, none], nilIsZero: true, labelsFromPath: {x: []}`,
		`path: [status, uptime], valueFrom: [a]`, `path: [status, uptime], valueFrom: [a], nilIsZero: true`, `path: [status, uptime], labelFromKey: k`,
		`path: [status, conditions], valueFrom: [status], labelsFromPath: {type: [type], "all_*": []}`,
		`path: [status, conditions], valueFrom: [n], labelsFromPath: {type: [type]}`, `path: [status, conditions], valueFrom: [since], labelFromKey: k`,
		`path: [status, empty]`, `path: [status, list], valueFrom: ["1"], labelsFromPath: {x: [0]}`, `path: [status, list], valueFrom: [-1], labelsFromPath: {x: [0]}`,
		`path: [status, counts], labelFromKey: k`, `path: [status, counts], labelFromKey: k, nilIsZero: true`, `path: [status, counts], labelFromKey: name`,
		`path: [status, by], valueFrom: [n], labelFromKey: k`, `path: [status, by], valueFrom: [n], labelFromKey: k, labelsFromPath: {x: [x]}`,
		`path: [status, by], valueFrom: [deep, n], labelFromKey: k`,
		`path: [status, by], valueFrom: [n], labelFromKey: k, nilIsZero: true`, `path: [status, by], valueFrom: [deep, n], labelFromKey: k, nilIsZero: true`,
		`path: [spec], valueFrom: [replicas]`, `path: [spec], valueFrom: [replicas], labelsFromPath: {x: [version], y: []}`, `path: [spec], valueFrom: [version]`,
		`path: [spec], valueFrom: [paused], labelFromKey: k`, `path: [spec], valueFrom: ["a,b"]`, `path: [spec], valueFrom: [""]`,
		`valueFrom: [spec, replicas]`, `valueFrom: [kind]`, `valueFrom: [status]`, ``,
		`path: ["", null], nilIsZero: true`, `path: [status, null, uptime]`,
	)...)
	metrics(t, "duplicates", blocks("gauge", "gauge", // nilIsZero for each sibling, and elements without labels
		`path: [spec], valueFrom: [replicas], nilIsZero: true`, `path: [status, by], valueFrom: [n], labelFromKey: k, labelsFromPath: {k: [x]}`, `path: [spec], valueFrom: []`, `path: [status, by], valueFrom: [deep, n], nilIsZero: true`, `path: [status, conditions], valueFrom: [status]`,
	)...)
}

func TestInfo(t *testing.T) {
	metrics(t, "", blocks("Info", "info",
		`path: [status, phase], labelsFromPath: {x: []}`, `path: [status, phase], labelsFromPath: {x: [y]}`, `path: [status, phase]`, `path: [missing], labelsFromPath: {x: []}`,
		`path: [status, conditions], labelsFromPath: {type: [type], n: [n], reason: [reason]}`, `path: [status, conditions], labelFromKey: k`, `path: [status, phases], labelsFromPath: {x: []}`,
		`path: [metadata], labelsFromPath: {name: [name]}`, `path: [metadata, labels], labelFromKey: k`, `path: [metadata, labels], labelFromKey: k, labelsFromPath: {"*": []}`,
		`path: [status, by], labelsFromPath: {x: [x]}`, `path: [status, by], labelsFromPath: {x: [x]}, labelFromKey: k`, `path: [status, by], labelsFromPath: {k: [x]}, labelFromKey: k`,
		`path: [spec], labelFromKey: k, labelsFromPath: {v: [version]}`, `path: [spec], labelsFromPath: {v: [version]}`, `path: [spec], labelFromKey: name`,
		`path: [status, empty], labelsFromPath: {x: []}`, `labelsFromPath: {x: [name]}`, `labelsFromPath: {x: []}`, `path: [status, list], labelsFromPath: {x: ["0"], y: [-1]}`, ``,
	)...)
	metrics(t, "duplicates", blocks("INFO", "info", `path: [status, twice], labelsFromPath: {x: [x]}`)...)
}

func TestStateSet(t *testing.T) {
	metrics(t, "", blocks("StateSet", "stateSet",
		`labelName: s, list: [Running, Pending], path: [status, phase]`, `labelName: s, list: [running, "", null, 5, true, 0.50, 2024-01-01], path: [status, phase]`,
		`labelName: s, list: [Running], path: [status, none]`, `labelName: s, list: [Running], path: [missing]`, `labelName: s, list: [True], path: [spec, paused]`,
		`labelName: s, list: [Running], path: [status], valueFrom: [phase], labelsFromPath: {u: [uptime]}`, `labelName: s, list: [Running], path: [status], valueFrom: [missing]`,
		`labelName: s, list: ["True", "False"], path: [status, conditions], valueFrom: [status], labelsFromPath: {type: [type]}`,
		`labelName: name, list: [Running, Pending], path: [status, phase]`, `labelName: s, list: [a, b], path: [status, list], valueFrom: [0], labelsFromPath: {x: [1]}`,
		`labelName: s, path: [status, phase]`, `labelName: s, list: [Running], path: [status, uptime]`, `labelName: s, list: [Running], path: [status]`, `labelName: s, list: [K], valueFrom: [kind]`,
	)...)
	metrics(t, "duplicates", blocks("stateset", "stateSet", `labelName: s, list: [Running, Running], path: [status, phase]`,
		`labelName: s, list: [Running, Pending], path: [status, phase], labelsFromPath: {s: []}`, `labelName: s, list: [Running], path: [status, phases]`)...)
	metrics(t, "refused", blocks("StateSet", "stateSet", `list: [Running], path: [status, phase]`, `labelName: "", list: [Running], path: [status, missing]`)...)
}

// TestPath reads paths as a label of the metric, where a value shows as it is.
func TestPath(t *testing.T) {
	for _, path := range []string{
		`status, phase`, `status, missing`, `status, phase, deeper`, `spec, ""`, `status, list, "0"`, `status, list, 0, 1`, `status, list, -1`, `status, list, "-3", 0`, `status, list, 3`, `status, list, -4`,
		`status, list, +1`, `status, list, 01`, `status, list, x`, `status, list, 1.0`, `status, counts, ""`, `status, conditions, "[type=Synced]"`, `status, conditions, "[type=Ready]", since`,
		`status, conditions, "[type=ready]"`, `status, conditions, "[status=yes]", type`, `status, conditions, "[status=no]", type`, `status, conditions, "[n=2.0]", type`, `status, conditions, "[n=2000m]", type`,
		`status, conditions, "[n=50%]", type`, `status, conditions, "[on=true]", type`, `status, conditions, "[on=t]", type`, `status, conditions, "[on=TRUE]", type`, `status, conditions, "[on=1]", type`,
		`status, conditions, "[reason=null]"`, `status, conditions, "[reason=]"`, `status, conditions, "[=x]"`, `status, conditions, "[type=Ready=]"`, `status, conditions, type=Ready, type`,
		`status, pairs, k=v`, `status, pairs, k=w`, `status, pairs, n=5`, `status, pairs, n=6`, `status, pairs, k=v=w`, `status, pairs, "[k=v]"`, `status, conditions, "*", type`, `status, "*"`, ``, `status, by`,
		`status, list`, `status, uptime`, `spec, paused`, `metadata, labels, app.kubernetes.io/part-of`, `"[", status`, `"]"`, `"[a"`, `"[]"`, `"[Ready]"`, `status, "[x]"`,
	} {
		metrics(t, "", `labelsFromPath: {x: [`+path+`]}, each: {type: Gauge, gauge: {path: [status, uptime]}}`)
	}
}

func TestLabels(t *testing.T) {
	for _, labels := range []string{
		`commonLabels: {a: b, name: c}`, `commonLabels: {name: ""}`, `commonLabels: {a: 5, b: true, c: null, d: 0.50}`, `commonLabels: {customresource_kind: mine}`,
		`labelsFromPath: {customresource_kind: [metadata, name]}`, `labelsFromPath: {name: [kind]}`, `labelsFromPath: {name: [missing]}`, `labelsFromPath: {name: [spec, ""]}`,
		`labelsFromPath: {"*": [metadata, labels]}`, `labelsFromPath: {"*x": [metadata, labels]}`, `labelsFromPath: {"l_*": [metadata, labels]}`, `labelsFromPath: {"*l*": [metadata, labels]}`,
		`labelsFromPath: {"*": [metadata, labels], name: [kind]}`, `labelsFromPath: {"*": [metadata, labels], "*z": [status, pairs]}`, `labelsFromPath: {"*": [kind], "a*": [status, list], "b*": [missing]}`,
		`labelsFromPath: {"*": [metadata, labels]}, commonLabels: {app_kubernetes_io_part_of: x, app: y}`, `labelsFromPath: {a-b: [kind], "ü": [kind], "b b": [spec]}`,
		`labelsFromPath: {"**": [metadata, labels]}`,
	} {
		metrics(t, "", labels+`, each: {type: Gauge, gauge: {path: [status, counts], labelFromKey: k, labelsFromPath: {app: [missing]}}}`)
	}
	const gauge = `, each: {type: Gauge, gauge: {path: [status, uptime]}}`
	metrics(t, "label names", `labelsFromPath: {1a: [kind]}`+gauge, `labelsFromPath: {__a: [kind]}`+gauge, `labelsFromPath: {"": [kind]}`+gauge, `commonLabels: {a-b: c}`+gauge, `commonLabels: {"": c}`+gauge,
		`labelsFromPath: {"__*": [status, pairs]}`+gauge, `each: {type: Gauge, gauge: {path: [status, counts], labelFromKey: a b}}`, `each: {type: StateSet, stateSet: {path: [kind], labelName: 1s, list: [K]}}`)
	metrics(t, "refused", `labelsFromPath: {a: }`+gauge)
}

// TestRandomWinner has names that become one. Theirs is at times what ours is
// always.
func TestRandomWinner(t *testing.T) {
	for range 20 {
		in := input{document(`labelsFromPath: {a-b: [kind], a.b: [spec, replicas], a_b: [spec, version], a+b: [spec, name]}, each: {type: Gauge, gauge: {path: [status, uptime]}}`), objectOf(t, object)}
		if got, err := compare(in); err != nil || got != "" && got != "random" {
			t.Errorf("the difference is %q: %v", got, err)
		}
	}
}

// TestDocuments has whole configurations.
func TestDocuments(t *testing.T) {
	const metric = `{name: m, each: {type: Gauge, gauge: {path: [spec, replicas]}}}`
	const gvk = `groupVersionKind: {group: g.io, version: v1, kind: K}`
	f := func(want, config string) {
		t.Helper()
		differs(t, want, input{config, objectOf(t, object)})
	}
	f("", `spec: {resources: [{`+gvk+`, metrics: [`+metric+`]}]}`)
	f("", `{kind: Pod, apiVersion: v9, spec: {resources: [{`+gvk+`, nonsense: 1, errorLogV: 5, resourcePlural: kays, metrics: [{name: m, errorLogV: 1, value: [a], each: {type: gauge, other: 1, gauge: {path: [spec, replicas], value: [x]}}}]}]}}`)
	f("", `spec: {resources: [{`+gvk+`, metricNamePrefix: p, metrics: [`+metric+`]}]}`)
	f("", `spec: {resources: [{`+gvk+`, metricNamePrefix: "", metrics: [`+metric+`]}]}`)
	f("", `spec: {resources: [{`+gvk+`, metricNamePrefix: null, metrics: [`+metric+`]}]}`)
	f("", "spec: {resources: [{"+gvk+", metrics: ["+metric+"]}]}\n---\nspec: {resources: [{"+gvk+", metricNamePrefix: second, metrics: ["+metric+"]}]}") // the first document only
	f("", `spec: {resources: [{`+gvk+`, commonLabels: {a: b, c: d}, labelsFromPath: {x: [kind]}, metrics: [{name: m, commonLabels: {a: e}, labelsFromPath: {c: [kind], x: [missing]}, each: {type: Gauge, gauge: {path: [spec, replicas]}}}]}]}`)
	f("", `spec: {resources: [{`+gvk+`, metrics: &m [`+metric+`]}, {groupVersionKind: {group: g.io, version: v2, kind: K}, metrics: *m}]}`)
	f("", `{"spec": {"resources": [{"groupVersionKind": {"group": "g.io", "version": "v1", "kind": "K"}, "metrics": [{"name": "m", "each": {"type": "Gauge", "gauge": {"path": ["spec", "replicas"], "nilIsZero": true}}}]}]}}`)
	for _, each := range []string{
		`{type: Gauge, gauge: {path: [v], nilIsZero: yes}}`, `{type: Gauge, gauge: {path: [v], nilIsZero: ~}}`, `{type: Gauge, gauge: {path: [v], nilIsZero: off}}`, // YAML 1.1
		`{type: Gauge, gauge: {path: [spec, replicas]}, info: {path: [a, "[x]"]}}`, `{type: GAUGE, gauge: {path: ~, valueFrom: [spec]}}`,
		`{type: Counter, gauge: {path: [v]}}`, `{gauge: {path: [v]}}`, `{type: Gauge}`, `{type: Gauge, info: {path: [v]}}`, `{type: Gauge, gauge: {path: [a, "[Ready]"]}}`, // errors of both
		`{type: Gauge, gauge: {path: v}}`, `{type: Gauge, gauge: {path: {a: b}}}`, `{type: Gauge, gauge: [a]}`, `{type: Gauge, gauge: {path: [[a]]}}`, `{type: Gauge, gauge: {nilIsZero: 5}}`, `{type: Gauge, gauge: {labelsFromPath: {a: b}}}`,
	} {
		f("", `spec: {resources: [{`+gvk+`, metrics: [{name: m, each: `+each+`}]}]}`)
	}
	f("refused", `spec: {resources: [{`+gvk+`, metrics: [{each: {type: Gauge, gauge: {path: [spec, replicas]}}}]}]}`)
	f("refused", `spec: {resources: [{`+gvk+`, metrics: [{name: a-b, each: {type: Gauge, gauge: {path: [spec, replicas]}}}]}]}`)
	f("refused", `spec: {resources: [{`+gvk+`, metrics: [`+metric+`, {name: m, each: {type: Info, info: {path: [kind], labelsFromPath: {x: []}}}}]}]}`)
}
