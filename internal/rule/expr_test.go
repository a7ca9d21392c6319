package rule_test

import (
	"strconv"
	"testing"
)

// TestExpressions reads expressions as a label, where text shows as it is.
func TestExpressions(t *testing.T) {
	const object = `
text: hello
empty: ""
int: 42
big: 9007199254740993
float: 0.1
exp: 1.0e+21
yes: true
no: false
none: null
map: {a: {b: c}, "x.y/z": slash, "it's": apostrophe, "]": bracket, "0": zero, "": empty}
list: [first, {type: Ready, n: 1, value: one}, {type: Other, n: 2, value: two}, [nested], last]
_under_1: score
`
	f := func(expression, want string) {
		t.Helper()
		if want == "" {
			want = "m 1"
		} else {
			want = `m{x=` + strconv.Quote(want) + `} 1`
		}
		checkEval(t, `{name: m, type: info, labels: {x: `+expression+`}}`, object, want)
	}

	f(`object.text`, "hello")
	f(`object.int`, "42")
	f(`object.big`, "9007199254740993")
	f(`object.float`, "0.1")
	f(`object.exp`, "1e+21")
	f(`object.yes`, "true")
	f(`object.no`, "false")
	f(`object._under_1`, "score")
	f(`object.map.a.b`, "c")
	f(`"object[\"text\"]"`, "hello")
	f(`"object['text']"`, "hello")
	f(`'object.map["x.y/z"]'`, "slash")
	f(`"object.map[\"it's\"]"`, "apostrophe")
	f(`'object.map["]"]'`, "bracket")
	f(`'object.map["0"]'`, "zero")
	f(`'object.map[""]'`, "empty")
	f(`'object["map"]["a"].b'`, "c")
	f(`"object.list[0]"`, "first")
	f(`"object.list[-1]"`, "last")
	f(`"object.list[3][0]"`, "nested")
	f(`"object.list[type=Ready].value"`, "one")
	f(`"object.list[n=2].value"`, "two")
	f(`"object.list[n=2][\"value\"]"`, "two")
	f(`gvk.group`, "g")
	f(`gvk.version`, "v1")
	f(`gvk.kind`, "K")

	// Absent.
	f(`object.none`, "")
	f(`object.empty`, "")
	f(`object.missing`, "")
	f(`object.missing.deeper`, "")
	f(`object.text.deeper`, "")
	f(`object.map.a.b.c`, "")
	f(`"object.text[0]"`, "")
	f(`"object.list[9]"`, "")
	f(`"object.list[-9]"`, "")
	f(`"object.map[0]"`, "") // an index is none of a map
	f(`"object.list[type=None].value"`, "")
	f(`"object.map[a=b]"`, "")
	f(`object.list.value`, "")
	f(`gvk.other`, "")

	// Literals.
	f(`"'text'"`, "text")
	f(`'"text"'`, "text")
	f(`"'object.text'"`, "object.text")
	f(`"''"`, "")
	f(`"5"`, "5")
	f(`5`, "5")
	f(`-5`, "-5")
	f(`1.50`, "1.5")
	f(`true`, "true")
	f(`"false"`, "false")

	// Lists: the first that is present.
	f(`[object.text, object.int]`, "hello")
	f(`[object.missing, object.none, object.int]`, "42")
	f(`[object.missing, "'default'"]`, "default")
	f(`["'always'", object.text]`, "always")
	f(`[object.missing, object.none]`, "")
	f(`[object.no, object.text]`, "false") // false is present
	f(`[]`, "")
}

func TestExpressionErrors(t *testing.T) {
	const notPlain = `not a plain path: a name followed by .field, ["key"], [0] or [key=value]`
	f := func(expression, text, want string) {
		t.Helper()
		checkFindings(t, doc("{name: m, value: "+expression+"}"), `metric "m": expression `+strconv.Quote(text)+": "+want)
	}
	same := func(before, after, want string) {
		t.Helper()
		f(before+"§"+after, before+after, want)
	}
	quoted := func(before, after, want string) {
		t.Helper()
		f("'"+before+"§"+after+"'", before+after, want)
	}

	same("", "objct.v", `unknown name "objct": in scope are object, gvk, did you mean "object"?`)
	same("", "Object.v", `unknown name "Object": in scope are object, gvk, did you mean "object"?`)
	same("", "status.v", "a path begins with a name: did you mean object.status.v?")
	same("object", ".", "the path ends in a dot")
	same("object.a", ".", "the path ends in a dot")
	same("object", ".1a", `a field name must match [a-zA-Z_][a-zA-Z0-9_]*: write others as ["key"]`)
	same("object", "..a", `a field name must match [a-zA-Z_][a-zA-Z0-9_]*: write others as ["key"]`)
	same("object.a", "-b", notPlain)
	same("object.a", " b", notPlain)
	same("object.a", "/b", notPlain)
	quoted("object.a", "[0", "the bracket is not closed")
	quoted("object.a", "[", "the bracket is not closed")
	quoted("object.a", `["b`, `the key is not closed: expected "]`)
	quoted("object.a", `["b"`, `the key is not closed: expected "]`)
	quoted("object.a", `["b].c`, `the key is not closed: expected "]`)
	quoted("object.a", `["b"x]`, `the key is not closed: expected "]`)
	quoted("object.a", "[]", notPlain)
	quoted("object.a", "[b]", notPlain)
	quoted("object.a", "[=b]", notPlain)
	quoted("object.a", "[1.5]", notPlain)
	quoted("object.a[0]", "b", notPlain)
	quoted("object.a[0]", "]", notPlain)

	// CEL.
	same("", "-object.v", notPlain)
	quoted("", "!object.v", notPlain)
	quoted("", "(object.v)", notPlain)
	quoted("", "[object.v]", notPlain)
	quoted("", "{object.v: 1}", notPlain)
	quoted("size", "(object.v)", notPlain)
	quoted("object.v", " == 1", notPlain)
	quoted("object.v", " ? 1 : 2", notPlain)
	quoted("object.v.exists", "(v, v.x == 1)", notPlain)
	quoted("object", ".?v", `a field name must match [a-zA-Z_][a-zA-Z0-9_]*: write others as ["key"]`)
	quoted("object.l", "[type==Ready]", notPlain)
	quoted("", `"a" + "b"`, notPlain)
	quoted("", `"a\n"`, notPlain)
	quoted("", `"a`, notPlain)
	same("", "1h", notPlain)
	quoted("", " object.v", notPlain)
}

func TestExpressionErrorPlaces(t *testing.T) {
	checkFindings(t, doc(`{name: m, value: §""}`), `metric "m": expected an expression, found the str ""`)
	checkFindings(t, doc(`{name: m, value: §{a: b}}`), `metric "m": expected an expression, found a map`)
	checkFindings(t, doc(`{name: m, default: 1, value: [object.v, §[object.v]]}`), `metric "m": expected an expression, found a list`)
	checkFindings(t, doc(`{name: m, value: object.v, labels: {x: §}}`), `metric "m": expected an expression, found nothing`)

	const unknown = `metric "m": expression "x.y": unknown name "x": in scope are object, gvk`
	const dot = `metric "m": expression "object.": the path ends in a dot`
	checkFindings(t, doc(`{name: m, value: [§x.y, object.v, object§.]}`), unknown+"\n"+dot)
	checkFindings(t, doc(`{name: m, value: object.v, labels: {a: §x.y, b: "object§."}}`), unknown+"\n"+dot)
	checkFindings(t, doc("{name: m, value: object.v, labels: {a:\n  'object§.'}}"), dot)
	// In a block the column is that of its beginning.
	checkFindings(t, "kind: MetricRules\nspec:\n  resources:\n  - groupVersionKind: {group: g, kind: K}\n    metrics:\n    - name: m\n      value: §|-\n        object.\n", dot)
}
