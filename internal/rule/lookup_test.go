package rule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// lookupDoc has a lookup of the resource with the parts given.
func lookupDoc(parts string) string {
	return "kind: MetricRules\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, lookup: [{as: o, " + parts +
		"}], labels: {x: o.v}, metrics: [{name: m, value: 1}]}]}"
}

func refs(list []rule.Ref) string {
	var out []string
	for _, r := range list {
		out = append(out, fmt.Sprintf("%s|%s|%s|%s", r.Group, r.Kind, r.Namespace, r.Name))
	}
	return strings.Join(out, " ")
}

// TestLookupRef checks what is looked up. A reference of which a part is absent
// finds nothing, and is not asked for.
func TestLookupRef(t *testing.T) {
	const all = `{v: apps/v1, k: Deployment, ns: n, name: d, num: 5, empty: "", list: []}`
	f := func(parts, object, want, wantLines string) {
		t.Helper()
		set := load(t, lookupDoc(parts))
		forEach := load(t, doc(`{name: m, value: 1, forEach: [{as: o, lookup: {`+parts+`}}], labels: {x: o.v}}`))
		for name, set := range map[string]*rule.Set{"resource": set, "forEach": forEach} {
			w := newWorld(t, set)
			w.objects[rule.Ref{Group: "apps", Kind: "Deployment", Namespace: "n", Name: "d"}] = map[string]any{"v": "found"}
			set.Program(testKind, true).Eval(new(rule.Context), parseObject(t, object), w)
			asked := refs(w.asked)
			if got := w.lines(); asked != want || got != lines(wantLines) {
				t.Errorf("%s: lookup %s\nasked for %q, want %q\ngot:\n%swant:\n%s", name, parts, asked, want, got, lines(wantLines))
			}
		}
	}
	f(`apiVersion: object.v, kind: object.k, namespace: object.ns, name: object.name`, all, "apps|Deployment|n|d", `m{x="found"} 1`)
	f(`apiVersion: "'apps/v1'", kind: "'Deployment'", namespace: object.ns, name: object.name`, all, "apps|Deployment|n|d", `m{x="found"} 1`)
	f(`apiVersion: "'apps/v2'", kind: "'Deployment'", namespace: object.ns, name: object.name`, all, "apps|Deployment|n|d", `m{x="found"} 1`)
	f(`apiVersion: "'apps/v1'", kind: "'Deployment'", namespace: object.ns, name: "'other'"`, all, "apps|Deployment|n|other", `m 1`)
	f(`apiVersion: "'v1'", kind: "'Node'", name: object.name`, all, "|Node||d", `m 1`)
	f(`apiVersion: "'v1'", kind: "'Node'", name: object.num`, all, "|Node||5", `m 1`)
	// A group alone, which may be that of the core.
	f(`group: "'apps'", kind: object.k, namespace: object.ns, name: object.name`, all, "apps|Deployment|n|d", `m{x="found"} 1`)
	f(`group: object.none, kind: "'Node'", name: object.name`, all, "|Node||d", `m 1`)
	f(`group: "''", kind: "'Node'", name: object.name`, all, "|Node||d", `m 1`)
	// The first that is present.
	f(`apiVersion: "'v1'", kind: "'Node'", name: [object.none, object.name]`, all, "|Node||d", `m 1`)
	// Absent parts.
	for _, absent := range []string{"object.none", "object.empty"} {
		f(`apiVersion: `+absent+`, kind: object.k, name: object.name`, all, "", `m 1`)
		f(`apiVersion: object.v, kind: `+absent+`, name: object.name`, all, "", `m 1`)
		f(`apiVersion: object.v, kind: object.k, name: `+absent, all, "", `m 1`)
		f(`apiVersion: object.v, kind: object.k, namespace: `+absent+`, name: object.name`, all, "", `m 1`)
	}
	f(`apiVersion: object.v, kind: object.k, namespace: "''", name: object.name`, all, "", `m 1`)
}

// TestLookupFails: a part that cannot be a text.
func TestLookupFails(t *testing.T) {
	set := load(t, lookupDoc(`apiVersion: "'v1'", kind: "'Node'", name: object.list`))
	if got, want := newWorld(t, set).eval(set.Program(testKind, true), `list: []`), lines(`! m scope: lookup "o": a list cannot be a label value`); got != want {
		t.Errorf("got %swant %s", got, want)
	}
	set = load(t, doc(`{name: m, value: 1, forEach: [{as: s, in: object.l, index: i}, {as: o, lookup: {apiVersion: "'v1'", kind: "'Node'", name: s}}], labels: {x: o.v, i: i}}`))
	if got, want := newWorld(t, set).eval(set.Program(testKind, true), `l: [a, {b: c}, d]`),
		lines(`m{i="0"} 1 | m{i="2"} 1 | ! m scope: forEach 2: lookup: a map cannot be a label value`); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestLookupChain looks up by what was looked up before, at both levels.
func TestLookupChain(t *testing.T) {
	set := load(t, `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    lookup:
    - {as: a, apiVersion: "'v1'", kind: "'A'", name: object.a}
    - {as: b, apiVersion: a.apiVersion, kind: a.kind, namespace: a.ns, name: a.b}
    labels: {b: b.v}
    metrics:
    - {name: m, value: a.n}
    - name: n
      forEach: [{as: s, in: b.list}, {as: c, lookup: {apiVersion: "'v1'", kind: "'C'", name: s}, where: c.on}, {as: t, in: c.list}]
      labels: {s: s, t: t, c: c.v}
      value: 1
  - groupVersionKind: {group: g, kind: K}
    metrics: [{name: o, value: 2}]
`)
	w := newWorld(t, set)
	p := set.Program(testKind, true)
	const object = `a: one`
	if got, want := w.eval(p, object), lines(`o 2`); got != want {
		t.Errorf("without objects:\n%swant:\n%s", got, want)
	}
	w.objects[rule.Ref{Kind: "A", Name: "one"}] = parseObject(t, `{apiVersion: h/v1, kind: B, ns: n, b: two, n: 7}`)
	if got, want := w.eval(p, object), lines(`m 7 | o 2`); got != want {
		t.Errorf("with a:\n%swant:\n%s", got, want)
	}
	w.objects[rule.Ref{Group: "h", Kind: "B", Namespace: "n", Name: "two"}] = parseObject(t, `{v: vb, list: [x, y, z]}`)
	w.objects[rule.Ref{Kind: "C", Name: "x"}] = parseObject(t, `{on: true, v: vc, list: [1, 2]}`)
	w.objects[rule.Ref{Kind: "C", Name: "y"}] = parseObject(t, `{on: false, list: [3]}`)
	if got, want := w.eval(p, object), lines(`m{b="vb"} 7 | n{b="vb",c="vc",s="x",t="1"} 1 | n{b="vb",c="vc",s="x",t="2"} 1 | o 2`); got != want {
		t.Errorf("with all:\n%swant:\n%s", got, want)
	}
	// A sink that finds nothing is one in which nothing is there.
	if got, want := evalSet(t, set, object), lines(`o 2`); got != want {
		t.Errorf("without a Finder:\n%swant:\n%s", got, want)
	}
}

// TestForEachLookupAbsent goes on without the object, unless a where asks for it.
func TestForEachLookupAbsent(t *testing.T) {
	const metric = `{name: m, value: 1, default: 0, forEach: [{as: s, in: object.l}, {as: o, lookup: {apiVersion: "'v1'", kind: "'N'", name: s}%s}], labels: {s: s, v: o.v}}`
	for where, want := range map[string]string{
		"":                `m{s="a",v="1"} 1 | m{s="b"} 1`,
		", where: o":      `m{s="a",v="1"} 1`,
		", where: o.v":    `m{s="a",v="1"} 1`,
		", where: object": `m{s="a",v="1"} 1 | m{s="b"} 1`,
	} {
		set := load(t, doc(fmt.Sprintf(metric, where)))
		w := newWorld(t, set)
		w.objects[rule.Ref{Kind: "N", Name: "a"}] = map[string]any{"v": int64(1)}
		if got := w.eval(set.Program(testKind, true), `l: [a, b]`); got != lines(want) {
			t.Errorf("%q:\n%swant:\n%s", where, got, lines(want))
		}
	}
}

func TestLookupErrors(t *testing.T) {
	f := func(lookup, want string) {
		t.Helper()
		checkFindings(t, "kind: MetricRules\nspec:\n  resources:\n  - {groupVersionKind: {kind: K}, lookup: "+lookup+", metrics: [{name: m, value: 1}]}", want)
	}
	const rest = `apiVersion: "'v1'", kind: "'N'", name: object.n`
	f(`§{}`, "expected a list, found a map")
	f(`[§{`+rest+`}]`, "a lookup needs as")
	f(`[§{as: x, kind: "'N'", name: object.n}]`, "a lookup needs apiVersion or group")
	f(`[§{as: x, apiVersion: "'v1'", name: object.n}]`, "a lookup needs kind")
	f(`[§{as: x, apiVersion: "'v1'", kind: "'N'"}]`, "a lookup needs name")
	f(`[{as: x, §nmae: object.n, `+rest+`}]`, `unknown field "nmae", did you mean "name"?`)
	f(`[§{as: x, group: "'g'", `+rest+`}]`, "a lookup has either apiVersion or group")
	f(`[§{as: object, `+rest+`}]`, `the name "object" is taken already`)
	f(`[§{as: a-b, `+rest+`}]`, `the name "a-b" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	f(`[{as: x, `+rest+`}, §{as: x, `+rest+`}]`, `the name "x" is taken already`)
	f(`[{as: x, apiVersion: "'v1'", kind: "'N'", name: §y.n}, {as: y, `+rest+`}]`, `expression "y.n": unknown name "y": in scope are object, gvk`)
	f(`[{as: x, apiVersion: "'v1'", kind: "'N'", name: §x.n}]`, `expression "x.n": unknown name "x": in scope are object, gvk`)

	g := func(scope, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, value: 1, forEach: [`+scope+`]}`), `metric "m": `+want)
	}
	const one = "a forEach scope with lookup is one object: it has no in, key, index and one"
	g(`§{as: o, lookup: {`+rest+`}, in: object.l}`, one)
	g(`§{as: o, lookup: {`+rest+`}, key: k}`, one)
	g(`§{as: o, lookup: {`+rest+`}, index: i}`, one)
	g(`§{as: o, lookup: {`+rest+`}, one: true}`, one)
	g(`{as: o, lookup: §{apiVersion: "'v1'", kind: "'N'"}}`, "a lookup needs name")
	g(`{as: o, lookup: {apiVersion: "'v1'", kind: "'N'", name: §o.n}}`, `expression "o.n": unknown name "o": in scope are object, gvk`)
	g(`{as: s, in: object.l}, {as: s, lookup: §{`+rest+`}}`, `the name "s" is taken already`)
}

// TestTargets tells lookups of one kind from those of any.
func TestTargets(t *testing.T) {
	set := load(t, `
kind: MetricRules
metadata: {name: first}
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    lookup: [{as: n, apiVersion: "'v1'", kind: "'Node'", name: object.n}]
    metrics: [{name: m, value: n.v}, {name: o, value: 1, forEach: [{as: p, lookup: {apiVersion: "'h/v1'", kind: "'P'", name: object.p}}]}]
  - {groupVersionKind: {group: g, kind: K}, metrics: [{name: t, value: 1}]}
  - {groupVersionKind: {group: g, kind: Plain}, metrics: [{name: q, value: 1}]}
---
kind: MetricRules
metadata: {name: second}
spec:
  resources:
  - groupVersionKind: {group: g, kind: Any}
    lookup: [{as: n, apiVersion: object.v, kind: "'Node'", name: object.n}, {as: p, apiVersion: "'v1'", kind: [object.k, "'P'"], name: object.n}, {as: q, apiVersion: "'h/v1'", kind: "'Q'", name: object.n}]
    metrics: [{name: r, value: n.v}]
  - {discover: {kinds: [X]}, metrics: [{name: s, value: 1}]}
  - groupVersionKind: {group: g, kind: Off}
    enable: off
    lookup: [{as: n, apiVersion: "'h/v1'", kind: "'Off'", name: object.n}]
    metrics: [{name: u, value: n.v}]
`)
	f := func(gvk rule.GVK, best, wanted bool, want string) {
		t.Helper()
		got := "none"
		for i, p := range set.Programs(rule.Served{GVK: gvk, Best: best, Wanted: wanted}) {
			if i > 0 {
				t.Fatalf("%v has several programs", gvk)
			}
			got = fmt.Sprintf("families=%d joins=%v target=%v", len(p.Families()), p.Joins(), p.Target())
		}
		if got != want {
			t.Errorf("%v best=%v wanted=%v: got %s, want %s", gvk, best, wanted, got, want)
		}
	}
	kind := func(group, kind string) rule.GVK { return rule.GVK{Group: group, Version: "v1", Kind: kind} }
	f(kind("g", "K"), true, false, "families=3 joins=true target=false")
	f(kind("g", "K"), true, true, "families=3 joins=true target=true")
	f(kind("g", "Plain"), true, false, "families=1 joins=false target=false")
	f(kind("g", "Any"), true, false, "families=1 joins=true target=false")
	f(kind("", "Node"), true, false, "families=0 joins=false target=true")
	f(kind("", "Node"), false, false, "none")
	f(kind("h", "P"), true, false, "families=0 joins=false target=true")
	f(kind("h", "P"), false, false, "none")
	f(kind("h", "Q"), true, false, "families=0 joins=false target=true")
	f(kind("h", "Node"), true, false, "none")
	f(kind("", "P"), true, false, "none")
	f(kind("", "P"), true, true, "families=0 joins=false target=true")
	f(kind("", "P"), false, true, "none")

	var got []string
	for _, r := range set.Requests() {
		if r.Discovered {
			r.GVK = rule.GVK{} // it says nothing
		}
		got = append(got, fmt.Sprintf("%s discovered=%v lookup=%v %s", r.GVK, r.Discovered, r.Lookup, r.Document))
	}
	want := []string{
		"g/K discovered=false lookup=false first",
		"h/P discovered=false lookup=true first",
		"Node discovered=false lookup=true first",
		"g/Plain discovered=false lookup=false first",
		"g/Any discovered=false lookup=false second",
		" discovered=false lookup=true second",
		"h/Q discovered=false lookup=true second",
		" discovered=true lookup=false second",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if n := set.Needs(); !n.Core || !n.Lookups {
		t.Errorf("needs %+v", n)
	}
	// What is looked up is none of the kinds that resources name.
	for _, k := range set.Kinds() {
		if k.Kind == "Node" || k.Kind == "P" {
			t.Errorf("kinds have %v", k)
		}
	}
}
