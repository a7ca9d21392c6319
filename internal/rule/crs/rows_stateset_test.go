package crs_test

import "testing"

func TestStateSet(t *testing.T) {
	rows(t, of("StateSet", "stateSet", []row{
		{"first state", `labelName: s, list: [A, B], path: [v]`, `v: A`, `m{s="A"} 1 | m{s="B"} 0`},
		{"last state", `labelName: s, list: [A, B], path: [v]`, `v: B`, `m{s="A"} 0 | m{s="B"} 1`},
		{"unknown state", `labelName: s, list: [A, B], path: [v]`, `v: C`, `m{s="A"} 0 | m{s="B"} 0`},
		{"other case", `labelName: s, list: [A, B], path: [v]`, `v: a`, `m{s="A"} 0 | m{s="B"} 0`},
		{"empty state", `labelName: s, list: [A, B], path: [v]`, `v: ""`, `m{s="A"} 0 | m{s="B"} 0`},
		{"absent", `labelName: s, list: [A, B], path: [v]`, ``, ``},
		{"null", `labelName: s, list: [A, B], path: [v]`, `v: null`, ``},
		{"no list", `labelName: s, path: [v]`, `v: A`, ``},
		{"empty list", `labelName: s, list: [], path: [v]`, `v: A`, ``},
		{"states as they are written", `labelName: s, list: [True, 5, 0.50], path: [v]`, `v: "True"`, `m{s="True"} 1 | m{s="5"} 0 | m{s="0.50"} 0`},
		{"null among the states", `labelName: s, list: [A, null, ~], path: [v]`, `v: A`, `m{s="A"} 1`},
		{"empty text among the states", `labelName: s, list: [A, ""], path: [v]`, `v: ""`, `m{s="A"} 0 | m 1`},

		{"valueFrom", `labelName: s, list: [A, B], path: [v], valueFrom: [p]`, `v: {p: A}`, `m{s="A"} 1 | m{s="B"} 0`},
		{"valueFrom of two segments", `labelName: s, list: [A, B], path: [v], valueFrom: [p, q]`, `v: {p: {q: B}}`, `m{s="A"} 0 | m{s="B"} 1`},
		{"valueFrom leads nowhere", `labelName: s, list: [A, B], path: [v], valueFrom: [p]`, `v: {q: A}`, ``},
		{"valueFrom in a scalar", `labelName: s, list: [A, B], path: [v], valueFrom: [p]`, `v: A`, ``},
		{"valueFrom from the root", `labelName: s, list: [A, B], valueFrom: [v]`, `v: A`, `m{s="A"} 1 | m{s="B"} 0`},

		{"label of the scalar itself", `labelName: s, list: [A, B], path: [v], labelsFromPath: {x: []}`, `v: A`, `m{s="A",x="A"} 1 | m{s="B",x="A"} 0`},
		{"labels relative to the path", `labelName: s, list: [A], path: [v], valueFrom: [p, q], labelsFromPath: {x: [n], y: [p, n]}`, `v: {p: {q: A}, n: o}`, `m{s="A",x="o"} 1`},
		{"pattern", `labelName: s, list: [A], path: [v], valueFrom: [p], labelsFromPath: {"l_*": []}`, `v: {p: A}`, `m{l_p="A",s="A"} 1`},

		{"list of states", `labelName: s, list: [A, B], path: [l], labelsFromPath: {x: []}`, `l: [A, C]`, `m{s="A",x="A"} 1 | m{s="B",x="A"} 0 | m{s="A",x="C"} 0 | m{s="B",x="C"} 0`},
		{"list with valueFrom", `labelName: s, list: [A, B], path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: A}, {n: b, v: B}, {n: c}, null]`,
			`m{s="A",x="a"} 1 | m{s="B",x="a"} 0 | m{s="A",x="b"} 0 | m{s="B",x="b"} 1`},
		{"empty list of the object", `labelName: s, list: [A, B], path: [l]`, `l: []`, ``},

		{"boolean", `labelName: s, list: [A, "true"], path: [v]`, `v: true`, `! m state: a state must be text, found a bool`},
		{"number", `labelName: s, list: [A, "5"], path: [v]`, `v: 5`, `! m state: a state must be text, found a int64`},
		{"map", `labelName: s, list: [A], path: [v]`, `v: {a: b}`, `! m state: a state must be text, found a map[string]interface {}`},
		{"list in a list", `labelName: s, list: [A], path: [l]`, `l: [[A]]`, `! m state: a state must be text, found a []interface {}`},
		{"one element is no text", `labelName: s, list: [A, B], path: [l], valueFrom: [v], labelsFromPath: {x: [n]}`, `l: [{n: a, v: 5}, {n: b, v: B}]`,
			`m{s="A",x="b"} 0 | m{s="B",x="b"} 1 | ! m state: a state must be text, found a int64`},

		// The same series twice in kube-state-metrics.
		{"state listed twice", `labelName: s, list: [A, A], path: [v]`, `v: A`, `m{s="A"} 1 | ` + twice},
		{"state there twice", `labelName: s, list: [A, B], path: [l]`, `l: [A, A]`, `m{s="A"} 1 | m{s="B"} 0 | ` + twice + ` | ` + twice},
		{"labelsFromPath replaces labelName", `labelName: s, list: [A, B], path: [v], valueFrom: [p], labelsFromPath: {s: [n]}`, `v: {p: A, n: o}`, `m{s="o"} 1 | ` + conflict},
		// Invalid there; without labelName it is an error, see TestEachErrors.
		{"labelName is no name", `labelName: 1s, list: [A], path: [v]`, `v: A`, `m{_1s="A"} 1`},
	}))
}
