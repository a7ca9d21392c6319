package crs_test

import "testing"

func TestInfo(t *testing.T) {
	rows(t, of("Info", "info", []row{
		{"scalar with a label", `path: [v], labelsFromPath: {x: []}`, `v: text`, `m{x="text"} 1`},
		{"number with a label", `path: [v], labelsFromPath: {x: []}`, `v: 0`, `m{x="0"} 1`}, // the value is 1 all the same
		{"scalar, label leads nowhere", `path: [v], labelsFromPath: {x: [a]}`, `v: text`, ``},
		{"scalar without labels", `path: [v]`, `v: text`, ``},
		{"scalar and labelFromKey", `path: [v], labelFromKey: k`, `v: text`, ``},
		{"empty text", `path: [v], labelsFromPath: {x: []}`, `v: ""`, `m 1`}, // the label is there, and empty
		{"absent", `path: [v], labelsFromPath: {x: []}`, ``, ``},
		{"null", `path: [v], labelsFromPath: {x: []}`, `v: null`, ``},

		{"series per element", `path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a}, {n: b}]`, `m{x="a"} 1 | m{x="b"} 1`},
		{"element itself", `path: [l], labelsFromPath: {x: []}`, `l: [a, null, b]`, `m{x="a"} 1 | m{x="b"} 1`},
		{"elements without a label", `path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a}, {o: b}, text, null, {n: null}]`, `m{x="a"} 1`},
		{"elements with some labels", `path: [l], labelsFromPath: {x: [n], y: [o]}`, `l: [{n: a}, {o: b}, {n: a, o: b}]`, `m{x="a"} 1 | m{y="b"} 1 | m{x="a",y="b"} 1`},
		{"label deeper in the element", `path: [l], labelsFromPath: {x: [n, n]}`, `l: [{n: {n: a}}]`, `m{x="a"} 1`},
		{"children of elements are none", `path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a, child: {n: b}}]`, `m{x="a"} 1`},
		{"list and labelFromKey", `path: [l], labelFromKey: k, labelsFromPath: {x: [n]}`, `l: [{n: a}]`, `m{x="a"} 1`},
		{"empty list", `path: [l], labelsFromPath: {x: [n]}`, `l: []`, ``},

		{"map itself", `path: [m], labelsFromPath: {x: [n]}`, `m: {n: a}`, `m{x="a"} 1`},
		{"children of the map", `path: [m], labelsFromPath: {x: [n]}`, `m: {a: {n: b}, c: {n: d}, e: {o: f}, g: h}`, `m{x="b"} 1 | m{x="d"} 1`},
		{"map itself and a child", `path: [m], labelsFromPath: {x: [n]}`, `m: {n: a, c: {n: d}}`, `m{x="a"} 1 | m{x="d"} 1`},
		{"name of the metadata and of the labels", `path: [metadata], labelsFromPath: {name: [name]}`, `metadata: {name: o, labels: {name: app}}`, `m{name="app"} 1 | m{name="o"} 1`},
		{"root", `labelsFromPath: {x: [n]}`, `{n: a, spec: {n: b}}`, `m{x="a"} 1 | m{x="b"} 1`},
		{"children themselves", `path: [m], labelsFromPath: {x: []}`, `m: {a: b, c: null}`, `m{x="b"} 1 | m{x="map[a:b c:<nil>]"} 1`},
		{"labelFromKey", `path: [m], labelFromKey: k`, `m: {a: 1, b: {}, c: null}`, `m{k="a"} 1 | m{k="b"} 1 | m{k="c"} 1`},
		{"labelFromKey and labels", `path: [m], labelFromKey: k, labelsFromPath: {x: [n]}`, `m: {a: {n: b}, n: self}`, `m{k="a",x="b"} 1 | m{k="n"} 1 | m{x="self"} 1`},
		{"labelFromKey and the same label", `path: [m], labelFromKey: k, labelsFromPath: {k: [n]}`, `m: {a: {n: b}}`, `m{k="b"} 1`},                          // the path wins
		{"labelFromKey and the same label of the map", `path: [m], labelFromKey: k, labelsFromPath: {k: [n]}`, `m: {n: self}`, `m{k="n"} 1 | m{k="self"} 1`}, // a conflict that is only logged
		{"labelFromKey of the empty key", `path: [m], labelFromKey: k`, `m: {"": x, a: y}`, `m{k="a"} 1`},
		{"map without labels", `path: [m]`, `m: {a: b}`, ``},
		{"empty map", `path: [m], labelsFromPath: {x: [n]}`, `m: {}`, ``},

		// The same series twice in kube-state-metrics.
		{"equal elements", `path: [l], labelsFromPath: {x: [n]}`, `l: [{n: a}, {n: a}]`, `m{x="a"} 1 | ` + twice},
		{"map and child are equal", `path: [m], labelsFromPath: {x: [n]}`, `m: {n: a, b: {n: a}}`, `m{x="a"} 1 | ` + twice},
	}))
}

// TestInfoNeedsAnInnerLabel has labels of the metric only, which do not count.
func TestInfoNeedsAnInnerLabel(t *testing.T) {
	const outer = `commonLabels: {c: d}, labelsFromPath: {name: [metadata, name]}, each: {type: Info, info: {path: [spec]`
	rows(t, []row{
		{"no inner label", outer + `}}`, `{metadata: {name: o}, spec: {a: b}}`, ``},
		{"inner label leads nowhere", outer + `, labelsFromPath: {x: [z]}}}`, `{metadata: {name: o}, spec: {a: b}}`, ``},
		{"inner label", outer + `, labelsFromPath: {x: [a]}}}`, `{metadata: {name: o}, spec: {a: b}}`, `m{c="d",name="o",x="b"} 1`},
	})
}
