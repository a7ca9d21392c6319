package crs_test

import "testing"

// notNumber is the problem of a value.
func notNumber(what string) string {
	return `! m value: ` + what + ` is not a number, a boolean, a time or a quantity`
}

func TestGaugeOfScalar(t *testing.T) {
	rows(t, of("Gauge", "gauge", []row{
		{"integer", `path: [v]`, `v: 5`, `m 5`},
		{"float", `path: [v]`, `v: -0.25`, `m -0.25`},
		{"boolean", `path: [v]`, `v: false`, `m 0`},
		{"text that is a boolean", `path: [v]`, `v: "True"`, `m 1`},
		{"text that is a time", `path: [v]`, `v: "2024-01-01T00:00:00Z"`, `m 1.7040672e+09`},
		{"text that is a quantity", `path: [v]`, `v: 250m`, `m 0.25`},
		{"text that is no number", `path: [v]`, `v: Ready`, notNumber(`"Ready"`)},
		{"empty text", `path: [v]`, `v: ""`, notNumber(`""`)},
		{"valueFrom leads nowhere", `path: [v], valueFrom: [a]`, `v: 5`, ``}, // and is no error
		{"valueFrom leads nowhere in text", `path: [v], valueFrom: [a, b]`, `v: Ready`, ``},
		{"valueFrom leads nowhere and nilIsZero", `path: [v], valueFrom: [a], nilIsZero: true`, `v: 5`, `m 0`},
		{"empty valueFrom", `path: [v], valueFrom: []`, `v: 5`, `m 5`},
		{"label of the scalar itself", `path: [v], labelsFromPath: {x: []}`, `v: 5`, `m{x="5"} 5`},
		{"label below the scalar", `path: [v], labelsFromPath: {x: [a]}`, `v: 5`, `m 5`},
		{"no labelFromKey without keys", `path: [v], labelFromKey: k`, `v: 5`, `m 5`},
	}))
}

// TestGaugeOfNil has paths that lead nowhere. kube-state-metrics logs an error
// then; here what is absent is none.
func TestGaugeOfNil(t *testing.T) {
	rows(t, of("Gauge", "gauge", []row{
		{"absent", `path: [v]`, ``, ``},
		{"null", `path: [v]`, `v: null`, ``},
		{"below text", `path: [v, deeper]`, `v: text`, ``},
		{"absent with valueFrom", `path: [v], valueFrom: [a]`, ``, ``},
		{"absent and nilIsZero", `path: [v], nilIsZero: true`, ``, `m 0`},
		{"null and nilIsZero", `path: [v], nilIsZero: true`, `v: null`, `m 0`},
		{"below text and nilIsZero", `path: [v, deeper], nilIsZero: true`, `v: text`, `m 0`},
		{"absent with valueFrom and nilIsZero", `path: [v], valueFrom: [a], nilIsZero: true`, ``, `m 0`},
		{"no label of what is absent", `path: [v], nilIsZero: true, labelFromKey: k, labelsFromPath: {x: [], y: [a], "*": []}`, ``, `m 0`},
	}))
}

func TestGaugeOfList(t *testing.T) {
	rows(t, of("Gauge", "gauge", []row{
		{"empty", `path: [l], labelsFromPath: {x: [n], y: [v]}`, `l: []`, ``},
		{"element itself as a label", `path: [l], labelsFromPath: {x: []}`, `l: [1, 2]`, `m{x="1"} 1 | m{x="2"} 2`},
		{"valueFrom relative to the element", `path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: 1}, {n: b, v: "False"}]`, `m{x="a"} 1 | m{x="b"} 0`},
		{"valueFrom of two segments", `path: [l], valueFrom: [a, v], labelsFromPath: {x: [a, n]}`, `l: [{a: {n: b, v: 1}}]`, `m{x="b"} 1`},
		{"list in a list", `path: [l], valueFrom: ["1"], labelsFromPath: {x: [0]}`, `l: [[a, 1], [b, 2]]`, `m{x="a"} 1 | m{x="b"} 2`},
		{"errors by position", `path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: bad}, {n: b, v: 2}, {n: c, v: worse}]`,
			`m{x="b"} 2 | ` + notNumber(`element 0: "bad"`) + ` | ` + notNumber(`element 2: "worse"`)},
		{"elements without the value", `path: [l], valueFrom: [v]`, `l: [{n: c}, text, null, {v: null}, 5]`, ``},
		{"elements without the value and nilIsZero", `path: [l], valueFrom: [v], labelsFromPath: {x: [n]}, nilIsZero: true`, `l: [{n: a}, {n: b, v: null}, {n: c, v: 3}]`, `m{x="a"} 0 | m{x="b"} 0 | m{x="c"} 3`},
		{"null element and nilIsZero", `path: [l], nilIsZero: true`, `l: [null]`, `m 0`},
		{"elements that are no scalars", `path: [l], labelsFromPath: {x: []}`, `l: [1, [2], {a: 3}]`,
			`m{x="1"} 1 | ! m value: element 1: a list is not a number | ! m value: element 2: a map is not a number`},
		{"no labelFromKey without keys", `path: [l], labelFromKey: k, labelsFromPath: {x: []}`, `l: [1]`, `m{x="1"} 1`},
		{"equal elements", `path: [l]`, `l: [1, 2]`, `m 1 | ` + conflict}, // the series is there twice in kube-state-metrics
	}))
}

func TestGaugeOfMap(t *testing.T) {
	rows(t, of("Gauge", "gauge", []row{
		{"series per key", `path: [m], labelFromKey: k`, `m: {a: 1, b: "True"}`, `m{k="a"} 1 | m{k="b"} 1`},
		{"empty", `path: [m], labelFromKey: k`, `m: {}`, ``},
		{"empty and nilIsZero", `path: [m], labelFromKey: k, nilIsZero: true`, `m: {}`, ``},
		{"empty key", `path: [m], labelFromKey: k, labelsFromPath: {x: [n]}`, `m: {"": 1}`, `m 1`},

		// (a) valueFrom is one segment and is the key.
		{"key is valueFrom", `path: [m], valueFrom: [v]`, `m: {v: 3, n: x}`, `m 3`},
		{"key is valueFrom, with labelFromKey", `path: [m], valueFrom: [v], labelFromKey: k`, `m: {v: 3, n: x}`, `m{k="v"} 3`},
		{"key is valueFrom, with labels of the map", `path: [m], valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {v: 3, n: x}`, `m{x="x"} 3`},
		{"key is valueFrom, with labels of the value", `path: [m], valueFrom: [v], labelsFromPath: {x: []}`, `m: {v: 3}`, `m{x="map[v:3]"} 3`}, // replaced by the map's
		{"key is valueFrom and no number", `path: [m], valueFrom: [v]`, `m: {v: text}`, notNumber(`key "v": "text"`)},
		{"key is valueFrom and a map", `path: [m], valueFrom: [v]`, `m: {v: {v: 5}}`, `! m value: key "v": a map is not a number`}, // not the value below it
		{"key is valueFrom and null", `path: [m], valueFrom: [v]`, `m: {v: null}`, ``},
		{"key is valueFrom and null and nilIsZero", `path: [m], valueFrom: [v], nilIsZero: true`, `m: {v: null}`, `m 0`},
		{"key is a lookup", `path: [m], valueFrom: ["[a=b]"]`, `m: {"[a=b]": 4, other: [{a: b}]}`, `m 4`},
		{"key has a comma", `path: [m], valueFrom: ["a,v"]`, `m: {"a,v": 3}`, ``}, // is taken for two segments
		{"child has a key with a comma", `path: [m], valueFrom: ["a,v"], labelFromKey: k`, `m: {c: {"a,v": 3}}`, `m{k="c"} 3`},
		{"root is the map", `path: [], valueFrom: [v], labelsFromPath: {x: [n]}`, `{v: 3, n: o}`, `m{x="o"} 3`},
		{"no path, one segment", `valueFrom: [v]`, `v: 3`, `m 3`},

		// (b) valueFrom leads into the child.
		{"valueFrom in the children", `path: [m], labelFromKey: k, valueFrom: [v]`, `m: {a: {v: 1}, b: {v: 2}, c: {w: 3}, d: 4}`, `m{k="a"} 1 | m{k="b"} 2`},
		{"valueFrom of two segments in the children", `path: [m], labelFromKey: k, valueFrom: [a, v]`, `m: {x: {a: {v: 1}}, y: {a: {v: 2}}}`, `m{k="x"} 1 | m{k="y"} 2`},
		{"both ways", `path: [m], valueFrom: [v], labelFromKey: k`, `m: {v: 3, other: {v: 4}}`, `m{k="other"} 4 | m{k="v"} 3`},
		{"labels of the child", `path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {a: {v: 1, n: 2}, b: {v: 2, n: 3}}`, `m{k="a",x="2"} 1 | m{k="b",x="3"} 2`},

		// The labels of the map win over those of the child.
		{"label of both", `path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {a: {v: 1, n: child}, n: parent}`, `m{k="a",x="parent"} 1`},
		{"label that is all of it", `path: [m], labelFromKey: k, labelsFromPath: {x: []}`, `m: {a: 1}`, `m{k="a",x="map[a:1]"} 1`},
		{"pattern of both", `path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {"*": [n]}`, `m: {a: {v: 1, n: {x: child, y: child}}, n: {x: parent}}`, `m{k="a",x="parent",y="child"} 1`},
		{"pattern of the map over a name in the child", `path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {"*": [n], x: [o]}`, `m: {a: {v: 1, o: child}, n: {x: parent}}`, `m{k="a",x="parent"} 1`},

		// labelFromKey and labelsFromPath for one label: no conflict.
		{"label of the child and labelFromKey", `path: [m], labelFromKey: k, valueFrom: [v], labelsFromPath: {k: [n]}`, `m: {a: {v: 1, n: child}}`, `m{k="child"} 1`},
		{"label of the map and labelFromKey", `path: [m], labelFromKey: k, labelsFromPath: {k: [n]}`, `m: {a: 1, n: text}`, `m{k="text"} 1`},

		// A child that is no number is left out, and nobody is told.
		{"children that are no numbers", `path: [m], labelFromKey: k`, `m: {a: 1, b: text, c: {}, d: null, e: [1]}`, `m{k="a"} 1`},
		{"children whose value is no number", `path: [m], labelFromKey: k, valueFrom: [v]`, `m: {a: {v: text}, b: {v: []}, c: {v: 1}}`, `m{k="c"} 1`},

		// More segments from the map itself lead nowhere, silently.
		{"two segments from the map", `path: [m], valueFrom: [a, v]`, `m: {a: {v: 1}}`, ``},
		{"two segments from the map to a scalar", `path: [m], valueFrom: [a, v]`, `m: {a: 5}`, ``},
		{"no path, two segments", `valueFrom: [spec, replicas]`, `spec: {replicas: 3}`, ``},
	}))
}

// TestGaugeNilIsZeroOfMap is where kube-state-metrics gives the real value and a
// zero for every sibling: the same series again, unless a label tells it apart.
func TestGaugeNilIsZeroOfMap(t *testing.T) {
	rows(t, of("Gauge", "gauge", []row{
		{"value once", `path: [m], nilIsZero: true, valueFrom: [v]`, `m: {v: 3, a: 1, z: text}`, `m 3`},
		{"value once, with a label", `path: [m], nilIsZero: true, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {v: 3, n: name}`, `m{x="name"} 3`},
		{"value once, with labels of a sibling", `path: [m], nilIsZero: true, valueFrom: [v], labelsFromPath: {x: [n], y: [o]}`, `m: {v: 3, n: a, o: b, s: {o: c}}`, `m{x="a",y="b"} 3`},
		{"siblings without the value", `path: [m], nilIsZero: true, valueFrom: [w]`, `m: {v: 3, a: 1}`, `m 0 | ` + twice},
		// These series differ, and are kube-state-metrics' as well.
		{"siblings by key", `path: [m], nilIsZero: true, valueFrom: [v], labelFromKey: k`, `m: {v: 3, a: 1, z: text}`, `m{k="a"} 0 | m{k="v"} 3 | m{k="z"} 0`},
		{"siblings by label", `path: [m], nilIsZero: true, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {v: 3, a: {n: b}}`, `m 3 | m{x="b"} 0`},
		{"some siblings by label", `path: [m], nilIsZero: true, valueFrom: [v], labelsFromPath: {x: [n]}`, `m: {a: {n: b}, v: 3, w: 4, z: {v: 5, n: c}}`, `m{x="b"} 0 | m 3 | m{x="c"} 5`},
		{"null child", `path: [m], nilIsZero: true, labelFromKey: k`, `m: {a: 1, b: null}`, `m{k="a"} 1 | m{k="b"} 0`},
		{"children without the value", `path: [m], nilIsZero: true, labelFromKey: k, valueFrom: [v]`, `m: {a: {v: 1}, b: {}, c: {v: null}, d: 5}`, `m{k="a"} 1 | m{k="b"} 0 | m{k="c"} 0 | m{k="d"} 0`},
		{"two segments from the map", `path: [m], nilIsZero: true, labelFromKey: k, valueFrom: [a, v]`, `m: {a: {v: 1}}`, `m{k="a"} 0`},
	}))
}
