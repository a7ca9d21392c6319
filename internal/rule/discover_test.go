package rule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// served describes a kind with a bit of everything.
func served() rule.Served {
	return rule.Served{
		GVK: rule.GVK{Group: "infra.example.com", Version: "v1", Kind: "Machine"}, Best: true, Namespaced: true,
		Categories: []string{"all", "cluster-api"},
		Labels:     map[string]string{"team": "infra", "empty": ""},
		Has: func(path []string) bool {
			return slices.Contains([]string{"status", "status/conditions", "spec/a.b"}, strings.Join(path, "/"))
		},
	}
}

func TestDiscover(t *testing.T) {
	f := func(discover string, want bool, change ...func(*rule.Served)) {
		t.Helper()
		set := load(t, "kind: MetricRules\nspec: {resources: [{discover: "+discover+", metrics: [{name: m, value: 1}]}]}")
		k := served()
		for _, fn := range change {
			fn(&k)
		}
		if got := len(set.Programs(k)) == 1; got != want {
			t.Errorf("discover %s matches %+v: %v, want %v", discover, k.GVK, got, want)
		}
	}
	core := func(k *rule.Served) { k.Group = "" }
	cluster := func(k *rule.Served) { k.Namespaced = false }
	worse := func(k *rule.Served) { k.Best = false }
	ignorant := func(k *rule.Served) { k.Has, k.Labels, k.Categories = nil, nil, nil }

	// Groups and kinds are patterns, of which one must match.
	f(`{groups: [infra.example.com]}`, true)
	f(`{groups: [example.com]}`, false)
	f(`{groups: ["*.example.com"]}`, true)
	f(`{groups: [a, "*.example.com"]}`, true)
	f(`{groups: ["*"]}`, true)
	f(`{groups: ["*"]}`, true, core)
	f(`{groups: [""]}`, true, core)
	f(`{groups: [""]}`, false)
	f(`{groups: ["?*"]}`, false, core)
	f(`{kinds: [Machine]}`, true)
	f(`{kinds: [machine]}`, false)
	f(`{kinds: [Mach]}`, false)
	f(`{kinds: ["Mach*"]}`, true)
	f(`{kinds: [Other, "[MN]achine"]}`, true)
	f(`{kinds: [Machine.infra.example.com]}`, true)
	f(`{kinds: ["*.infra.example.com"]}`, true)
	f(`{kinds: [Machine.other.com]}`, false)
	f(`{groups: [infra.example.com], kinds: [Other]}`, false)
	f(`{groups: [other], kinds: [Machine]}`, false)

	// Exclusion wins.
	f(`{groups: ["*"], exclude: [Machine]}`, false)
	f(`{groups: ["*"], exclude: ["M*"]}`, false)
	f(`{groups: ["*"], exclude: [Machine.infra.example.com]}`, false)
	f(`{groups: ["*"], exclude: ["*.example.com"]}`, false)
	f(`{groups: ["*"], exclude: [Other, machine, Machine.example.com]}`, true)

	// All categories, all labels and all fields.
	f(`{categories: [all]}`, true)
	f(`{categories: [all, cluster-api]}`, true)
	f(`{categories: [all, other]}`, false)
	f(`{categories: [al]}`, false)
	f(`{categories: [all]}`, false, ignorant)
	f(`{crdLabels: {team: infra}}`, true)
	f(`{crdLabels: {team: other}}`, false)
	f(`{crdLabels: {team: ""}}`, false)
	f(`{crdLabels: {empty: ""}}`, true)
	f(`{crdLabels: {missing: ""}}`, false)
	f(`{crdLabels: {team: infra, empty: ""}}`, true)
	f(`{crdLabels: {team: infra, missing: x}}`, false)
	f(`{crdLabels: {team: infra}}`, false, ignorant)
	f(`{having: [status.conditions]}`, true)
	f(`{having: [object.status.conditions]}`, true)
	f(`{having: ['spec["a.b"]']}`, true)
	f(`{having: [status.conditions, status]}`, true)
	f(`{having: [status.conditions, status.phase]}`, false)
	f(`{having: [status.conditions]}`, false, ignorant)

	f(`{scope: Namespaced}`, true)
	f(`{scope: Namespaced}`, false, cluster)
	f(`{scope: Cluster}`, false)
	f(`{scope: Cluster}`, true, cluster)

	// Of several versions only the best one.
	f(`{groups: ["*"], kinds: ["*"]}`, false, worse)
}

func TestDiscoverErrors(t *testing.T) {
	f := func(discover, want string) {
		t.Helper()
		checkFindings(t, "kind: MetricRules\nspec:\n  resources:\n  - {discover: "+discover+", metrics: [{name: m, value: 1}]}", want)
	}
	f(`{kinds: §["[a"]}`, `pattern "[a": syntax error in pattern`)
	f(`{groups: §["[a"]}`, `pattern "[a": syntax error in pattern`)
	f(`{groups: ["*"], exclude: §["[a"]}`, `pattern "[a": syntax error in pattern`)
	f(`§[a]`, "expected a map, found a list")
	f(`{kinds: [a], §group: [x]}`, `unknown field "group", did you mean "groups"?`)
	f(`{scope: Cluster, kinds: §a}`, `expected a list, found the str "a"`)
	f(`{kinds: [a], crdLabels: §a}`, `expected a map, found the str "a"`)
	f(`{kinds: [a], crdLabels: [§[a]]}`, "expected text, found a list")
	f(`§{groups: [param.none]}`, `the document has no parameter "none": it has none`)
	f(`§{kinds: [a], exclude: [param.none]}`, `the document has no parameter "none": it has none`)
	f(`{kinds: [a], crdLabels: [§param.none]}`, `the document has no parameter "none": it has none`)
	f(`{havingAny: [§""]}`, `expected a path of fields such as status.conditions, found the str ""`)
	f(`{kinds: [a], crdLabels: {a: §[b]}}`, "expected text, found a list")
	f(`{kinds: [a], having: [§"status."]}`, `expected a path of fields such as status.conditions, found the str "status."`)
	f(`{kinds: [a], having: [§""]}`, `expected a path of fields such as status.conditions, found the str ""`)
	f(`{kinds: [a], having: [§{}]}`, "expected a path of fields such as status.conditions, found a map")
	f(`{kinds: [a], having: [§"a[b=c]"]}`, "having: the path may have fields only")
	f(`§{exclude: [a]}`, "discover matches every kind: say groups, kinds, categories, crdLabels, having, havingAny or scope")
	f(`§{groups: [], kinds: []}`, "discover matches every kind: say groups, kinds, categories, crdLabels, having, havingAny or scope")
}

// TestNeeds lists what a source must know for some resources.
func TestNeeds(t *testing.T) {
	f := func(resource string, want rule.Needs) {
		t.Helper()
		set := load(t, "kind: MetricRules\nspec: {resources: [{metrics: [{name: m, value: 1}], "+resource+"}]}")
		if diff := cmp.Diff(want, set.Needs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", resource, diff)
		}
	}
	f(`groupVersionKind: {group: g, kind: K}`, rule.Needs{})
	f(`groupVersionKind: {kind: Pod}`, rule.Needs{Core: true})
	f(`discover: {groups: [g]}`, rule.Needs{})
	f(`discover: {groups: ["*"]}`, rule.Needs{Core: true})
	f(`discover: {groups: ["?*"]}`, rule.Needs{})
	f(`discover: {groups: [""]}`, rule.Needs{Core: true})
	f(`discover: {kinds: [K]}`, rule.Needs{Core: true})
	f(`discover: {groups: [g], crdLabels: {a: b}}`, rule.Needs{Labels: true})
	f(`discover: {groups: [g], having: [status]}`, rule.Needs{Fields: true})
	f(`discover: {groups: [g], havingAny: [status]}`, rule.Needs{Fields: true})
	f(`groupVersionKind: {group: g, kind: K}, lookup: [{as: n, apiVersion: "'v1'", kind: "'Node'", name: object.n}]`, rule.Needs{Core: true, Lookups: true})
	f(`groupVersionKind: {group: g, kind: K}, lookup: [{as: n, apiVersion: "'h/v1'", kind: "'L'", name: object.n}]`, rule.Needs{Lookups: true})
	f(`groupVersionKind: {group: g, kind: K}, lookup: [{as: n, apiVersion: object.v, kind: "'L'", name: object.n}]`, rule.Needs{Lookups: true})
	inner := load(t, `kind: MetricRules
spec: {resources: [{groupVersionKind: {group: g, kind: K}, metrics: [{name: m, value: 1, forEach: [{as: n, lookup: {apiVersion: "'v1'", kind: "'Node'", name: object.n}}]}]}]}`)
	if diff := cmp.Diff(rule.Needs{Core: true, Lookups: true}, inner.Needs()); diff != "" {
		t.Errorf("of a lookup in forEach (-want +got):\n%s", diff)
	}
}

// TestSelections has one program for each selection, in rule order. Selectors
// that say the same are one.
func TestSelections(t *testing.T) {
	f := func(resources, want string) {
		t.Helper()
		set := load(t, "kind: MetricRules\nspec:\n  resources:\n"+resources)
		var got []string
		for _, p := range set.Programs(rule.Served{GVK: testKind, Best: true}) {
			var families []string
			for _, f := range p.Families() {
				families = append(families, set.Families()[f].Name)
			}
			got = append(got, p.Selection().Labels+";"+p.Selection().Fields+" "+strings.Join(families, ","))
		}
		if diff := cmp.Diff(lines(want), lines(strings.Join(got, "\n"))); diff != "" {
			t.Errorf("%s\n-want +got:\n%s", resources, diff)
		}
	}
	entry := func(selectors, metric string) string {
		return "  - {groupVersionKind: {group: g, kind: K}, " + selectors + "metrics: [{name: " + metric + ", value: 1}]}\n"
	}
	f(entry("", "a")+entry("", "b"), `; a,b`)
	f(entry("", "a")+entry("selector: x=y, ", "b")+entry("", "c"), `; a,c | x=y; b`)
	f(entry("selector: 'b=c,a in (z,y)', ", "a")+entry("selector: 'a in (y, z) , b=c', ", "b"), `a in (y,z),b=c; a,b`)
	f(entry("selector: '!x', ", "a")+entry("selector: x, ", "b")+entry("selector: 'x!=1', ", "c"), `!x; a | x; b | x!=1; c`)
	f(entry("fieldSelector: 'metadata.name=b,a!=c', ", "a")+entry("fieldSelector: 'a!=c,metadata.name==b', ", "b"), `;a!=c,metadata.name=b a,b`)
	f(entry("selector: x=y, fieldSelector: a=b, ", "a")+entry("selector: x=y, ", "b"), `x=y;a=b a | x=y; b`)
	f(entry("selector: '', fieldSelector: '', ", "a")+entry("", "b"), `; a,b`)
	f(entry("selector: null, ", "a"), `; a`)
	// A resource whose metrics are all switched off asks for nothing.
	f("  - {groupVersionKind: {group: g, kind: K}, selector: x=y, enable: off, metrics: [{name: a, value: 1}]}\n"+entry("", "b"), `; b`)
}

func TestSelectionErrors(t *testing.T) {
	f := func(field, want string) {
		t.Helper()
		checkFindings(t, "kind: MetricRules\nspec:\n  resources:\n  - {groupVersionKind: {kind: K}, "+field+", metrics: [{name: m, value: 1}]}", want)
	}
	f(`selector: §[a]`, "selector: expected a label selector such as team=payments,tier!=test: found a list")
	f(`selector: §{a: b}`, "selector: expected a label selector such as team=payments,tier!=test: found a map")
	f(`fieldSelector: §{a: b}`, "fieldSelector: expected a field selector such as metadata.namespace!=kube-system: found a map")
}

// TestProgramOfSelection: Program is about all objects of a kind.
func TestProgramOfSelection(t *testing.T) {
	set := load(t, "kind: MetricRules\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, selector: a=b, metrics: [{name: m, value: 1}]}]}")
	if p := set.Program(testKind, true); p != nil {
		t.Errorf("a program for %+v is none for all objects", p.Selection())
	}
	programs := set.Programs(rule.Served{GVK: testKind, Best: true, Wanted: true})
	if len(programs) != 2 || programs[0].Target() || !programs[1].Target() || programs[1].Selection() != (rule.Selection{}) {
		t.Fatalf("programs %+v", programs)
	}
	if programs[0].Order() != 0 || programs[1].Order() != 1 {
		t.Errorf("order %d, %d: a kind that is only looked up comes last", programs[0].Order(), programs[1].Order())
	}
}
