package rule_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

const kinds = `
kind: MetricRules
metadata: {name: first}
spec:
  resources:
  - {groupVersionKind: {group: g, kind: K}, metrics: [{name: best, value: 1}]}
  - {groupVersionKind: {group: g, kind: K, version: "*"}, metrics: [{name: star, value: 1}]}
  - {groupVersionKind: {group: g, kind: K, version: v1}, metrics: [{name: one, value: 1}]}
  - {groupVersionKind: {group: g, kind: K, version: v2}, metrics: [{name: two, value: 1}, {name: best, value: 2, labels: {x: gvk.version}}]}
---
kind: MetricRules
metadata: {name: second}
spec:
  resources:
  - {groupVersionKind: {group: g, kind: "*"}, metrics: [{name: any, value: 1, labels: {kind: gvk.kind}}]}
  - {groupVersionKind: {group: "", kind: Pod, version: v1}, metrics: [{name: pod, value: 1}]}
  - {groupVersionKind: {kind: Node}, metrics: [{name: node, value: 1, labels: {group: gvk.group}}]}
  - {groupVersionKind: {group: g, kind: Off}, enable: off, metrics: [{name: off, value: 1}]}
  - {groupVersionKind: {group: g, kind: Empty}, metrics: []}
`

// TestProgram looks for programs by kind, best served or not. All entries that
// match apply, in rule order.
func TestProgram(t *testing.T) {
	set := load(t, kinds)
	f := func(group, version, kind string, best bool, want string) {
		t.Helper()
		got := "none"
		if p := set.Program(rule.GVK{Group: group, Version: version, Kind: kind}, best); p != nil {
			got = run(t, set, p, new(rule.Context), map[string]any{})
		}
		if want != "none" {
			want = lines(want)
		}
		if got != want {
			t.Errorf("%s/%s/%s best=%v:\ngot:\n%swant:\n%s", group, version, kind, best, got, want)
		}
	}
	f("g", "v3", "K", true, `best 1 | star 1 | any{kind="K"} 1`)
	f("g", "v3", "K", false, `none`)
	f("g", "v1", "K", true, `best 1 | star 1 | one 1 | any{kind="K"} 1`)
	f("g", "v1", "K", false, `one 1`)
	f("g", "v2", "K", true, `best 1 | star 1 | two 1 | best{x="v2"} 2 | any{kind="K"} 1`)
	f("g", "v2", "K", false, `two 1 | best{x="v2"} 2`)
	f("g", "v1", "Other", true, `any{kind="Other"} 1`)
	f("g", "v1", "Other", false, `none`)
	f("g", "v1", "Off", true, `any{kind="Off"} 1`)
	f("g", "v1", "k", true, `any{kind="k"} 1`) // kinds are as they are written
	f("", "v1", "Pod", true, `pod 1`)
	f("", "v1", "Pod", false, `pod 1`)
	f("", "v1", "Node", true, `node 1`)
	f("", "v1", "Other", true, `none`)
	f("h", "v1", "K", true, `none`)
}

func TestKinds(t *testing.T) {
	want := []rule.GVK{
		{Group: "g", Kind: "K"}, {Group: "g", Version: "v1", Kind: "K"}, {Group: "g", Version: "v2", Kind: "K"}, {Group: "g", Kind: "*"},
		{Version: "v1", Kind: "Pod"}, {Kind: "Node"},
	}
	if diff := cmp.Diff(want, load(t, kinds).Kinds()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestProgramIs(t *testing.T) {
	set := load(t, kinds)
	f := func(gvk rule.GVK, order int, families, documents []string) {
		t.Helper()
		p := set.Program(gvk, true)
		var names []string
		for _, f := range p.Families() {
			names = append(names, set.Families()[f].Name)
		}
		if p.GVK() != gvk || p.Order() != order {
			t.Errorf("got %v %d, want %v %d", p.GVK(), p.Order(), gvk, order)
		}
		if diff := cmp.Diff([][]string{families, documents}, [][]string{names, p.Documents()}); diff != "" {
			t.Errorf("%v (-want +got):\n%s", gvk, diff)
		}
	}
	f(rule.GVK{Group: "g", Version: "v2", Kind: "K"}, 0, []string{"any", "best", "star", "two"}, []string{"first", "second"})
	f(rule.GVK{Group: "g", Version: "v1", Kind: "Other"}, 4, []string{"any"}, []string{"second"})
	f(rule.GVK{Version: "v1", Kind: "Pod"}, 5, []string{"pod"}, []string{"second"})

	if diff := cmp.Diff([]string{"first", "second"}, set.Documents()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestGVK(t *testing.T) {
	f := func(g rule.GVK, want string) {
		t.Helper()
		if got := g.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(rule.GVK{Group: "g", Version: "v1", Kind: "K"}, "g/v1/K")
	f(rule.GVK{Version: "v1", Kind: "Pod"}, "v1/Pod")
	f(rule.GVK{Group: "g", Kind: "K"}, "g/K")
	f(rule.GVK{}, "")

	less := func(a, b rule.GVK) {
		t.Helper()
		if a.Compare(b) >= 0 || b.Compare(a) <= 0 || a.Compare(a) != 0 {
			t.Errorf("%v is not before %v", a, b)
		}
	}
	less(rule.GVK{Group: "a", Version: "v2", Kind: "Z"}, rule.GVK{Group: "b", Version: "v1", Kind: "A"})
	less(rule.GVK{Group: "a", Version: "v2", Kind: "A"}, rule.GVK{Group: "a", Version: "v1", Kind: "B"})
	less(rule.GVK{Group: "a", Version: "v1", Kind: "A"}, rule.GVK{Group: "a", Version: "v2", Kind: "A"})
}
