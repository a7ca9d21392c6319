package crs_test

import (
	"strconv"
	"testing"
)

// TestPath reads paths as the label of an info, where a value shows as Go's %v.
func TestPath(t *testing.T) {
	const object = `
metadata: {name: o}
text: hello
map: {a: b, "0": zero, "-1": minus, k=v: literal, k: other, e: E, "": empty}
pair: {k: v, k=v: literal}
pairs: {n: 5, n=5: literal, t: true, t=true: literal, y: "True", y=yes: literal, a: b=c, a=b=c: literal, "[k=v]": literal}
int: 5
list: [zero, one, [nested], last]
conditions:
- text
- null
- {status: "True"}
- {type: Available, status: "False", n: 1, on: false, ratio: 0.5, limit: "0.005"}
- {type: Ready, status: "True", n: 2, on: true, "a=b": c, e: "x=y"}
- {type: Ready, status: Unknown, n: 3, none: null}
`
	f := func(path, want string) {
		t.Helper()
		if want == "" {
			want = `m{o="o"} 1`
		} else {
			want = `m{o="o",x=` + strconv.Quote(want) + `} 1`
		}
		check(t, `each: {type: Info, info: {path: [metadata], labelsFromPath: {o: [name]}}}, labelsFromPath: {x: `+path+`}`, object, want)
	}

	f(`[text]`, "hello")
	f(`[map, a]`, "b")
	f(`[map, ""]`, "empty")
	f(`[missing]`, "")
	f(`[missing, deeper]`, "")
	f(`[text, deeper]`, "")
	f(`[map, a, deeper]`, "")

	// Positions in lists.
	f(`[list, "0"]`, "zero")
	f(`[list, 0]`, "zero")
	f(`[list, 1]`, "one")
	f(`[list, 2, 0]`, "nested")
	f(`[list, "-1"]`, "last")
	f(`[list, -4]`, "zero")
	f(`[list, 4]`, "")
	f(`[list, -5]`, "")
	f(`[list, a]`, "")
	f(`[list, ""]`, "")
	f(`[list, "1.0"]`, "")
	f(`[map, 0]`, "zero") // a key of a map
	f(`[map, "-1"]`, "minus")
	f(`[text, 0]`, "")

	// Lookups in lists.
	f(`[conditions, "[type=Ready]", status]`, "True") // the first
	f(`[conditions, "[type=Available]", status]`, "False")
	f(`[conditions, "[type=ready]", status]`, "")
	f(`[conditions, "[type=]", status]`, "")
	f(`[conditions, "[missing=x]", status]`, "")
	f(`[conditions, "[none=null]", status]`, "")
	f(`[conditions, "[a=b=c]", status]`, "") // the key is a, not a=b
	f(`[conditions, "[e=x=y]", type]`, "Ready")
	f(`[map, "[a=b]"]`, "") // not in a map
	f(`[text, "[a=b]"]`, "")

	// Equal as text, as numbers or as booleans.
	f(`[conditions, "[n=2]", type]`, "Ready")
	f(`[conditions, "[n=2.0]", type]`, "Ready")
	f(`[conditions, "[n=2000m]", type]`, "Ready")
	f(`[conditions, "[ratio=50%]", type]`, "Available")
	f(`[conditions, "[on=true]", type]`, "Ready")
	f(`[conditions, "[on=t]", type]`, "Ready")
	f(`[conditions, "[on=false]", type]`, "Available")
	f(`[conditions, "[on=1]", type]`, "Ready")
	f(`[conditions, "[status=yes]", status]`, "True")
	f(`[conditions, "[on=unknown]", type]`, "Available")
	f(`[conditions, "[limit=5m]", type]`, "Available")

	// key=value without brackets, of a map.
	f(`[pair, k=v]`, "v")
	f(`[map, e=E]`, "E")
	f(`[map, k=v]`, "literal") // k has another value
	f(`[map, a=x]`, "")
	f(`[pairs, n=5]`, "literal") // compared as text only
	f(`[pairs, t=true]`, "literal")
	f(`[pairs, y=yes]`, "literal")
	f(`[pairs, a=b=c]`, "literal") // one sign
	f(`[pairs, n=6]`, "")
	f(`[conditions, type=Ready, status]`, "") // no lookup without brackets
	f(`[pairs, "[k=v]"]`, "")                 // no lookup in a map, and no key
	f(`[pair, "=v"]`, "")

	// The value itself, and no wildcards.
	f(`[]`, "map[conditions:[text <nil> map[status:True] map[limit:0.005 n:1 on:false ratio:0.5 status:False type:Available] map[a=b:c e:x=y n:2 on:true status:True type:Ready] map[n:3 none:<nil> status:Unknown type:Ready]] int:5 list:[zero one [nested] last] map:map[:empty -1:minus 0:zero a:b e:E k:other k=v:literal] metadata:map[name:o] pair:map[k:v k=v:literal] pairs:map[[k=v]:literal a:b=c a=b=c:literal n:5 n=5:literal t:true t=true:literal y:True y=yes:literal] text:hello]")
	f(`[conditions, status]`, "")
	f(`[conditions, "*", status]`, "")
	f(`[map, "*"]`, "")
}
