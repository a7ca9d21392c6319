package crs_test

import "testing"

// TestGauge goes through the table of a gauge, row by row.
func TestGauge(t *testing.T) {
	f := func(gauge, object, want string) {
		t.Helper()
		check(t, `each: {type: Gauge, gauge: {`+gauge+`}}`, object, want)
	}

	// A scalar.
	f(`path: [v]`, `v: 5`, `m 5`)
	f(`path: [v]`, `v: "True"`, `m 1`)
	f(`path: [v]`, `v: "2024-01-01T00:00:00Z"`, `m 1.7040672e+09`)
	f(`path: [v]`, `v: 250m`, `m 0.25`)
	f(`path: [v]`, `v: false`, `m 0`)
	f(`path: [v]`, `v: Ready`, `! m value: "Ready" is not a number, a boolean, a time or a quantity`)
	f(`path: [v], valueFrom: [a]`, `v: 5`, ``) // leads nowhere, which is no error
	f(`path: [v], valueFrom: [a], nilIsZero: true`, `v: 5`, `m 0`)
	f(`path: [v], labelsFromPath: {x: []}`, `v: 5`, `m{x="5"} 5`)
	f(`path: [v], labelsFromPath: {x: [a]}`, `v: 5`, `m 5`)
	f(`path: [v], labelFromKey: k`, `v: 5`, `m 5`)

	// Absent.
	f(`path: [v]`, ``, ``)
	f(`path: [v]`, `v: null`, ``)
	f(`path: [v], nilIsZero: true`, ``, `m 0`)
	f(`path: [v], nilIsZero: true`, `v: null`, `m 0`)
	f(`path: [v], nilIsZero: true, labelsFromPath: {x: [], y: [a]}`, ``, `m 0`)
	f(`path: [v, deeper], nilIsZero: true`, `v: text`, `m 0`)

	// A list: one series per element, with labels from it.
	f(`path: [l], labelsFromPath: {x: []}`, `l: [1, 2]`, `m{x="1"} 1 | m{x="2"} 2`)
	f(`path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: 1}, {n: b, v: "False"}]`, `m{x="a"} 1 | m{x="b"} 0`)
	f(`path: [l], valueFrom: [a, v], labelsFromPath: {x: [a, n]}`, `l: [{a: {n: b, v: 1}}]`, `m{x="b"} 1`)
	f(`path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: bad}, {n: b, v: 2}, {n: c}, text, null]`,
		`m{x="b"} 2 | ! m value: element 0: "bad" is not a number, a boolean, a time or a quantity`)
	f(`path: [l], valueFrom: [v], labelsFromPath: {x: [n]}, nilIsZero: true`, `l: [{n: a}, {n: b, v: null}, {n: c, v: 3}]`, `m{x="a"} 0 | m{x="b"} 0 | m{x="c"} 3`)
	f(`path: [l], labelsFromPath: {x: []}`, `l: [1, [2], {a: 3}]`,
		`m{x="1"} 1 | ! m value: element 1: a list is not a number | ! m value: element 2: a map is not a number`)
	f(`path: [l]`, `l: []`, ``)
	f(`path: [l], labelFromKey: k, labelsFromPath: {x: []}`, `l: [1]`, `m{x="1"} 1`) // a list has no keys

	// A map: one series per key.
	f(`path: [m], labelFromKey: k`, `m: {a: 1, b: "True"}`, `m{k="a"} 1 | m{k="b"} 1`)
	f(`path: [m], labelFromKey: k, valueFrom: [v]`, `m: {a: {v: 1}, b: {v: 2}, c: {w: 3}, d: 4}`, `m{k="a"} 1 | m{k="b"} 2`)
	f(`path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {a: {v: 1, n: 2}, b: {v: 2, n: 3}}`, `m{k="a",x="2"} 1 | m{k="b",x="3"} 2`)
	f(`path: [m], labelFromKey: k, valueFrom: [a, v]`, `m: {x: {a: {v: 1}}, y: {a: {v: 2}}}`, `m{k="x"} 1 | m{k="y"} 2`)
	f(`path: [m], labelFromKey: k, labelsFromPath: {x: []}`, `m: {a: 1}`, `m{k="a",x="map[a:1]"} 1`) // the map's label replaces its child's

	// A child that is no number is left out, and nobody is told.
	f(`path: [m], labelFromKey: k`, `m: {a: 1, b: text, c: {}, d: null, e: [1]}`, `m{k="a"} 1`)

	// valueFrom of one segment that is a key: the value of that key.
	f(`path: [m], valueFrom: [v]`, `m: {v: 3, n: x}`, `m 3`)
	f(`path: [m], valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {v: 3, n: x}`, `m{x="x"} 3`)
	f(`path: [m], valueFrom: [v], labelFromKey: k`, `m: {v: 3, n: x}`, `m{k="v"} 3`)
	f(`path: [m], valueFrom: [v], labelFromKey: k`, `m: {v: 3, other: {v: 4}}`, `m{k="other"} 4 | m{k="v"} 3`)
	f(`path: [m], valueFrom: [v]`, `m: {v: text}`, `! m value: key "v": "text" is not a number, a boolean, a time or a quantity`)
	f(`path: [m], valueFrom: [v]`, `m: {v: null}`, ``)
	f(`path: [m], valueFrom: [v], nilIsZero: true`, `m: {v: null}`, `m 0`)

	// Labels of the map replace those of the child.
	f(`path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {a: {v: 1, n: child}, n: parent}`, `m{k="a",x="parent"} 1`)
	f(`path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {k: [n]}`, `m: {a: {v: 1, n: child}}`, `m{k="child"} 1`) // no conflict

	// More segments from the map itself lead nowhere.
	f(`path: [m], valueFrom: [a, v]`, `m: {a: {v: 1}}`, ``)
	f(`path: [m], valueFrom: [a, v]`, `m: {a: 5}`, ``)
	f(`valueFrom: [spec, replicas]`, `spec: {replicas: 3}`, ``)
	f(`path: [], valueFrom: [v]`, `v: 3`, `m 3`)
	f(`valueFrom: [v], labelsFromPath: {x: [n]}`, `{v: 3, n: o}`, `m{x="o"} 3`)
}

// TestGaugeNilIsZeroOfMap is where kube-state-metrics gives the real value and a
// zero for every sibling, the same series again.
func TestGaugeNilIsZeroOfMap(t *testing.T) {
	f := func(gauge, object, want string) {
		t.Helper()
		check(t, `each: {type: Gauge, gauge: {path: [m], nilIsZero: true, `+gauge+`}}`, object, want)
	}
	f(`valueFrom: [v]`, `m: {v: 3, a: 1, z: text}`, `m 3`)
	f(`valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {v: 3, n: name}`, `m{x="name"} 3`)
	// A sibling that a label tells apart keeps its zero.
	f(`valueFrom: [v], labelFromKey: k`, `m: {v: 3, a: 1, z: text}`, `m{k="a"} 0 | m{k="v"} 3 | m{k="z"} 0`)
	f(`valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {v: 3, a: {n: b}}`, `m 3 | m{x="b"} 0`)
	f(`valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {a: {n: b}, v: 3, w: 4, z: {v: 5, n: c}}`, `m{x="b"} 0 | m 3 | m{x="c"} 5`)
	f(`labelFromKey: k`, `m: {a: 1, b: null}`, `m{k="a"} 1 | m{k="b"} 0`)
	f(`labelFromKey: k, valueFrom: [v]`, `m: {a: {v: 1}, b: {}, c: {v: null}, d: 5}`, `m{k="a"} 1 | m{k="b"} 0 | m{k="c"} 0 | m{k="d"} 0`)
}

func TestInfo(t *testing.T) {
	f := func(info, object, want string) {
		t.Helper()
		check(t, `commonLabels: {c: d}, each: {type: Info, info: {`+info+`}}`, object, want)
	}

	// A scalar: one if there is a label.
	f(`path: [v], labelsFromPath: {x: []}`, `v: text`, `m{c="d",x="text"} 1`)
	f(`path: [v], labelsFromPath: {x: [a]}`, `v: text`, ``)
	f(`path: [v]`, `v: text`, ``)
	f(`path: [v], labelsFromPath: {x: []}`, ``, ``)
	f(`path: [v], labelsFromPath: {x: []}`, `v: null`, ``)
	f(`path: [v], labelsFromPath: {x: []}`, `v: ""`, `m{c="d"} 1`) // the label is there, and empty

	// A list: one per element.
	f(`path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a}, {n: b}]`, `m{c="d",x="a"} 1 | m{c="d",x="b"} 1`)
	f(`path: [l], labelsFromPath: {x: []}`, `l: [a, null, b]`, `m{c="d",x="a"} 1 | m{c="d",x="b"} 1`)
	f(`path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a}, {o: b}, text, null, {n: null}]`, `m{c="d",x="a"} 1`)
	f(`path: [l], labelsFromPath: {x: [n, n]}`, `l: [{n: {n: a}}]`, `m{c="d",x="a"} 1`)
	f(`path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a, child: {n: b}}]`, `m{c="d",x="a"} 1`) // children of elements are none
	f(`path: [l], labelFromKey: k, labelsFromPath: {x: [n]}`, `l: [{n: a}]`, `m{c="d",x="a"} 1`)
	f(`path: [l], labelsFromPath: {x: [n]}`, `l: []`, ``)

	// A map: one for itself, and one per child that has a label.
	f(`path: [m], labelsFromPath: {x: [n]}`, `m: {n: a}`, `m{c="d",x="a"} 1`)
	f(`path: [m], labelsFromPath: {x: [n]}`, `m: {a: {n: b}, c: {n: d}, e: {o: f}, g: h}`, `m{c="d",x="b"} 1 | m{c="d",x="d"} 1`)
	f(`path: [metadata], labelsFromPath: {name: [name]}`, `metadata: {name: o, labels: {name: app}}`, `m{c="d",name="app"} 1 | m{c="d",name="o"} 1`)
	f(`labelsFromPath: {x: [n]}`, `{n: a, spec: {n: b}}`, `m{c="d",x="a"} 1 | m{c="d",x="b"} 1`)
	f(`path: [m], labelFromKey: k`, `m: {a: 1, b: {}, c: null}`, `m{c="d",k="a"} 1 | m{c="d",k="b"} 1 | m{c="d",k="c"} 1`)
	f(`path: [m], labelFromKey: k, labelsFromPath: {x: [n]}`, `m: {a: {n: b}, n: self}`, `m{c="d",k="a",x="b"} 1 | m{c="d",k="n"} 1 | m{c="d",x="self"} 1`)
	f(`path: [m], labelFromKey: k, labelsFromPath: {k: [n]}`, `m: {a: {n: b}}`, `m{c="d",k="b"} 1`)
	f(`path: [m], labelFromKey: k`, `m: {"": x, a: y}`, `m{c="d",k="a"} 1`) // the empty key is no label
	f(`path: [m]`, `m: {a: b}`, ``)
	f(`path: [m], labelsFromPath: {x: [n]}`, `m: {}`, ``)

	// The same labels twice: kube-state-metrics gives the same series twice.
	const twice = `! m duplicate: another sample of the object has the same labels`
	f(`path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a}, {n: a}]`, `m{c="d",x="a"} 1 | `+twice)
	f(`path: [m], labelsFromPath: {x: [n]}`, `m: {n: a, b: {n: a}}`, `m{c="d",x="a"} 1 | `+twice)
}

// TestInfoNeedsAnInnerLabel has labels of the metric only, which do not count.
func TestInfoNeedsAnInnerLabel(t *testing.T) {
	check(t, `labelsFromPath: {name: [metadata, name]}, each: {type: Info, info: {path: [spec]}}`, `{metadata: {name: o}, spec: {a: b}}`, ``)
	check(t, `labelsFromPath: {name: [metadata, name]}, each: {type: Info, info: {path: [spec], labelsFromPath: {x: [a]}}}`,
		`{metadata: {name: o}, spec: {a: b}}`, `m{name="o",x="b"} 1`)
}

func TestStateSet(t *testing.T) {
	f := func(stateSet, object, want string) {
		t.Helper()
		check(t, `each: {type: StateSet, stateSet: {labelName: s, list: [A, B], `+stateSet+`}}`, object, want)
	}
	f(`path: [v]`, `v: A`, `m{s="A"} 1 | m{s="B"} 0`)
	f(`path: [v]`, `v: B`, `m{s="A"} 0 | m{s="B"} 1`)
	f(`path: [v]`, `v: C`, `m{s="A"} 0 | m{s="B"} 0`)
	f(`path: [v]`, `v: a`, `m{s="A"} 0 | m{s="B"} 0`)
	f(`path: [v]`, `v: ""`, `m{s="A"} 0 | m{s="B"} 0`)
	f(`path: [v]`, ``, ``)
	f(`path: [v]`, `v: null`, ``)
	f(`path: [v], labelsFromPath: {x: []}`, `v: A`, `m{s="A",x="A"} 1 | m{s="B",x="A"} 0`)

	// valueFrom and labels are relative to the value.
	f(`path: [v], valueFrom: [p]`, `v: {p: A}`, `m{s="A"} 1 | m{s="B"} 0`)
	f(`path: [v], valueFrom: [p, q], labelsFromPath: {x: [n]}`, `v: {p: {q: B}, n: o}`, `m{s="A",x="o"} 0 | m{s="B",x="o"} 1`)
	f(`path: [v], valueFrom: [p]`, `v: {q: A}`, ``)
	f(`path: [v], valueFrom: [p]`, `v: A`, ``)
	f(`valueFrom: [v]`, `v: A`, `m{s="A"} 1 | m{s="B"} 0`)

	// A list: of each element.
	f(`path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: A}, {n: b, v: B}, {n: c}, null]`,
		`m{s="A",x="a"} 1 | m{s="B",x="a"} 0 | m{s="A",x="b"} 0 | m{s="B",x="b"} 1`)
	f(`path: [l], labelsFromPath: {x: []}`, `l: [A, C]`, `m{s="A",x="A"} 1 | m{s="B",x="A"} 0 | m{s="A",x="C"} 0 | m{s="B",x="C"} 0`)
	f(`path: [l]`, `l: []`, ``)

	// What is no text is an error.
	f(`path: [v]`, `v: true`, `! m state: a state must be text, found a bool`)
	f(`path: [v]`, `v: 5`, `! m state: a state must be text, found a int64`)
	f(`path: [v]`, `v: {a: b}`, `! m state: a state must be text, found a map[string]interface {}`)
	f(`path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: 5}, {n: b, v: B}]`,
		`m{s="A",x="b"} 0 | m{s="B",x="b"} 1 | ! m state: a state must be text, found a int64`)

	// Scalars of the list count as they are written.
	check(t, `each: {type: StateSet, stateSet: {labelName: s, list: [True, 5], path: [v]}}`, `v: "True"`, `m{s="True"} 1 | m{s="5"} 0`)
	check(t, `each: {type: StateSet, stateSet: {labelName: s, path: [v]}}`, `v: A`, ``)

	// Series that kube-state-metrics would give twice.
	const twice = `! m duplicate: another sample of the object has the same labels`
	check(t, `each: {type: StateSet, stateSet: {labelName: s, list: [A, A], path: [v]}}`, `v: A`, `m{s="A"} 1 | `+twice)
	f(`path: [l]`, `l: [A, A]`, `m{s="A"} 1 | m{s="B"} 0 | `+twice+` | `+twice)
	f(`path: [v], valueFrom: [p], labelsFromPath: {s: [n]}`, `v: {p: A, n: o}`, `m{s="o"} 1 | `+twice)
}

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
