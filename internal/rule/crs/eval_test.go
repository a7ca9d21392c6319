package crs_test

import "testing"

// TestOrder has the samples of one object in the order of their own labels.
func TestOrder(t *testing.T) {
	got := eval(t, doc(`commonLabels: {a: z}, each: {type: Gauge, gauge: {path: [l], valueFrom: [v], labelsFromPath: {x: [n], y: [o]}}}`),
		`l: [{n: b, v: 1}, {n: a, o: b, v: 2}, {o: a, v: 3}, {n: a, v: 4}, {n: a, o: a, v: 5}]`, false)
	if want := lines(`m{a="z",x="a"} 4 | m{a="z",x="a",y="a"} 5 | m{a="z",x="a",y="b"} 2 | m{a="z",x="b"} 1 | m{a="z",y="a"} 3`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestEveryEntryApplies has two entries of one kind, of which the last wins
// silently in kube-state-metrics. Each has its own prefix and labels.
func TestEveryEntryApplies(t *testing.T) {
	got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    commonLabels: {a: b}
    metrics: [{name: m, each: {type: Gauge, gauge: {path: [v]}}}]
  - groupVersionKind: {group: g, version: v1, kind: K}
    metricNamePrefix: p
    metrics: [{name: m, each: {type: Gauge, gauge: {path: [v]}}}]
  - groupVersionKind: {group: g, version: v1, kind: Other}
    metrics: [{name: other, each: {type: Gauge, gauge: {path: [v]}}}]
  - groupVersionKind: {group: g, version: "*", kind: "*"}
    metricNamePrefix: ""
    metrics: [{name: any, each: {type: Gauge, gauge: {path: [v]}}}]
`, `v: 1`, false)
	if want := lines(`kube_customresource_m{a="b"} 1 | p_m 1 | any 1`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestMergeKey has YAML's merge key, which kube-state-metrics' decoder follows at
// every level.
func TestMergeKey(t *testing.T) {
	got := eval(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: g, version: v1, kind: K}
    metricNamePrefix: ""
    labelsFromPath: &paths {x: [x]}
    metrics:
    - &ready
      name: ready
      commonLabels: {a: b}
      each: {type: Gauge, gauge: &gauge {path: [v], labelsFromPath: {y: []}}}
    - <<: *ready
      name: synced
    - name: other
      labelsFromPath: {<<: *paths, z: [x]}
      each: {type: Gauge, gauge: {<<: *gauge, path: [w]}}
`, `{v: 1, w: 2, x: y}`, false)
	if want := lines(`ready{a="b",x="y",y="1"} 1 | synced{a="b",x="y",y="1"} 1 | other{x="y",y="2",z="y"} 2`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
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
