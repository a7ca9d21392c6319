package crs_test

import (
	"strconv"
	"testing"
)

// pathObject is what the paths of TestPath lead through.
const pathObject = `
v: 1
text: hello
"null": 2
map: {a: b, "0": zero, "-1": minus, k=v: literal, k: other, e: E, "": empty, "*": star}
pairs: {k: v, k=v: literal, n: 5, n=5: fives, t: true, t=true: trues, y: "True", y=yes: yeses, a: b=c, a=b=c: long, "[k=v]": brackets, e: "", e=: none}
list: [zero, one, [nested], last]
conditions:
- text
- null
- {status: "True"}
- {type: Available, status: "False", n: 1, on: false, ratio: 0.5, limit: "0.005"}
- {type: Ready, status: "True", n: 2, on: true, "a=b": c, e: "x=y", none: null, "": x}
- {type: Ready, status: Unknown, n: 3, since: "2024-01-01T00:00:00Z", big: 1Ki}
parents: [{conditions: [{type: A}]}, {conditions: [{type: B}]}]
`

// TestPath reads paths as a label, where a value shows as Go's %v.
func TestPath(t *testing.T) {
	for _, r := range []struct{ name, path, want string }{
		{"key", `[text]`, "hello"},
		{"two keys", `[map, a]`, "b"},
		{"empty key", `[map, ""]`, "empty"},
		{"missing key", `[missing]`, ""},
		{"below a missing key", `[missing, deeper]`, ""},
		{"below text", `[text, deeper]`, ""},
		{"integer as a key", `[map, 0]`, "zero"},
		{"negative integer as a key", `[map, "-1"]`, "minus"},

		{"first element", `[list, "0"]`, "zero"},
		{"integer", `[list, 1]`, "one"},
		{"element of an element", `[list, 2, 0]`, "nested"},
		{"last element", `[list, "-1"]`, "last"},
		{"negative integer", `[list, -4]`, "zero"},
		{"with a sign", `[list, "+1"]`, "one"},
		{"with a zero", `[list, "01"]`, "one"},
		{"behind the end", `[list, 4]`, ""},
		{"before the start", `[list, -5]`, ""},
		{"below what is out of range", `[list, 4, a]`, ""},
		{"key in a list", `[list, a]`, ""},
		{"empty key in a list", `[list, ""]`, ""},
		{"fraction in a list", `[list, "1.0"]`, ""},
		{"index in text", `[text, 0]`, ""},

		{"lookup", `[conditions, "[type=Available]", status]`, "False"},
		{"lookup takes the first", `[conditions, "[type=Ready]", status]`, "True"},
		{"lookup gives the element", `[conditions, "[n=1]", n]`, "1"},
		{"lookup of another case", `[conditions, "[type=ready]", status]`, ""},
		{"lookup of nothing", `[conditions, "[type=]", status]`, ""},
		{"lookup of a missing key", `[conditions, "[missing=x]", status]`, ""},
		{"lookup of null", `[conditions, "[none=null]", status]`, ""},
		{"lookup of null as Go writes it", `[conditions, "[none=<nil>]", status]`, ""},
		{"lookup of an empty key", `[conditions, "[=x]", type]`, "Ready"},
		{"lookup splits at the first sign", `[conditions, "[e=x=y]", type]`, "Ready"},
		{"lookup of a key with a sign", `[conditions, "[a=b=c]", status]`, ""}, // the key is a
		{"lookup in a map", `[map, "[a=b]"]`, ""},
		{"lookup in a map that has it as a key", `[pairs, "[k=v]"]`, ""},
		{"lookup in text", `[text, "[a=b]"]`, ""},

		{"equal integers", `[conditions, "[n=2]", type]`, "Ready"},
		{"equal numbers", `[conditions, "[n=2.0]", type]`, "Ready"},
		{"equal quantities", `[conditions, "[n=2000m]", type]`, "Ready"},
		{"equal percentages", `[conditions, "[ratio=50%]", type]`, "Available"},
		{"number as text", `[conditions, "[limit=5m]", type]`, "Available"}, // not five minutes
		{"quantity as text", `[conditions, "[big=1024]", status]`, "Unknown"},
		{"time as text", `[conditions, "[since=1704067200]", status]`, "Unknown"},
		{"true", `[conditions, "[on=true]", type]`, "Ready"},
		{"true as Go reads it", `[conditions, "[on=t]", type]`, "Ready"},
		{"true in capitals", `[conditions, "[on=TRUE]", type]`, "Ready"},
		{"false", `[conditions, "[on=false]", type]`, "Available"},
		{"false as Go reads it", `[conditions, "[on=F]", type]`, "Available"},
		{"true as a number", `[conditions, "[on=1]", type]`, "Ready"},
		{"yes is true", `[conditions, "[status=yes]", status]`, "True"},
		{"unknown is false", `[conditions, "[on=unknown]", type]`, "Available"},
		{"unknown is no", `[conditions, "[status=no]", type]`, "Available"},

		{"pair", `[pairs, k=v]`, "v"},
		{"pair with another value", `[map, k=v]`, "literal"}, // looked up as a key
		{"pair that is no key", `[pairs, n=6]`, ""},
		{"pair of a missing key", `[pairs, x=y]`, ""},
		{"pair is compared as text", `[pairs, n=5]`, "fives"},
		{"pair with a boolean", `[pairs, t=true]`, "trues"},
		{"pair with yes", `[pairs, y=yes]`, "yeses"},
		{"pair with two signs", `[pairs, a=b=c]`, "long"}, // is a key only
		{"pair without a key", `[pairs, "=v"]`, ""},
		{"pair without a value", `[pairs, e=]`, ""}, // equal, and empty
		{"below a pair", `[pairs, k=v, x]`, ""},
		{"pair in a list", `[conditions, type=Ready, status]`, ""},

		{"list itself", `[list]`, "[zero one [nested] last]"},
		{"map itself", `[conditions, 2]`, "map[status:True]"},
		{"no flattening", `[parents, conditions]`, ""},
		{"no flattening to the end", `[parents, conditions, type]`, ""},
		{"no wildcard in a list", `[parents, "*", conditions]`, ""},
		{"star is a key", `[map, "*"]`, "star"},
		{"no parent", `[map, ".."]`, ""},
	} {
		want := `m 1`
		if r.want != "" {
			want = `m{x=` + strconv.Quote(r.want) + `} 1`
		}
		t.Run(r.name, func(t *testing.T) {
			check(t, `labelsFromPath: {x: `+r.path+`}, each: {type: Gauge, gauge: {path: [v]}}`, pathObject, want)
		})
	}
}

// TestPathOfEachField uses segments of each kind in each field that is a path.
func TestPathOfEachField(t *testing.T) {
	const object = `{l: [{k: a, v: 1, m: {x: y}}, {k: b, v: 2, m: {x: z}}], s: {p: [A]}}`
	rows(t, []row{
		{"path of a gauge", `each: {type: Gauge, gauge: {path: [l, "[k=b]", v]}}`, object, `m 2`},
		{"valueFrom of a gauge", `each: {type: Gauge, gauge: {path: [l, -1], valueFrom: [v], labelsFromPath: {x: [m, x=z]}}}`, object, `m{x="z"} 2`},
		{"path of an info", `each: {type: Info, info: {path: [l, 0, m], labelsFromPath: {"*": []}}}`, object, `m{x="y"} 1`},
		{"path of a stateSet", `each: {type: StateSet, stateSet: {path: [s], valueFrom: [p, 0], labelName: s, list: [A]}}`, object, `m{s="A"} 1`},
		{"the value itself", `labelsFromPath: {x: []}, each: {type: Gauge, gauge: {path: [v]}}`, `{v: 1}`, `m{x="map[v:1]"} 1`},
		{"pattern of the value itself", `labelsFromPath: {"*": []}, each: {type: Gauge, gauge: {path: [v]}}`, `{v: 1, w: x}`, `m{v="1",w="x"} 1`},
		{"null among the segments", `each: {type: Gauge, gauge: {path: [l, null, "[k=a]"], valueFrom: [~, v], labelsFromPath: {x: [null, k]}}}`, object, `m{x="a"} 1`},
	})
}
