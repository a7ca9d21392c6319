package rule_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

const discoverByParams = `
kind: MetricRules
metadata: {name: doc}
spec:
  parameters: {groups: {}, kinds: {default: ["*"]}, exclude: {}, labels: {}, excludeLabels: {}}
  resources:
  - discover:
      groups: [param.groups]
      kinds: [param.kinds]
      exclude: [Secret, param.exclude]
      crdLabels: [param.labels]
      excludeLabels: [skip, param.excludeLabels]
      havingAny: [status.none, status.conditions]
    metrics: [{name: m, value: 1}]
`

// TestDiscoverByParams lets the user of rules say which kinds they are about.
func TestDiscoverByParams(t *testing.T) {
	f := func(params string, want bool, change ...func(*rule.Served)) {
		t.Helper()
		given := make(map[string][]string)
		for p := range strings.FieldsSeq(params) {
			name, values, err := rule.ParseParam("doc." + p)
			if err != nil {
				t.Fatal(err)
			}
			given[name] = values
		}
		set, findings := compileWith(discoverByParams, rule.ParseOptions{}, rule.CompileOptions{Params: given})
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		k := rule.Served{
			GVK: rule.GVK{Group: "a.io", Version: "v1", Kind: "Thing"}, Best: true, Labels: map[string]string{"team": "x"},
			Has: func(path []string) bool { return strings.Join(path, ".") == "status.conditions" },
		}
		for _, fn := range change {
			fn(&k)
		}
		if got := len(set.Programs(k)) == 1; got != want {
			t.Errorf("%q matches %+v: %v, want %v", params, k.GVK, got, want)
		}
		if !set.Needs().Labels {
			t.Errorf("%q: labels are not needed", params)
		}
	}
	bare := func(k *rule.Served) { k.Has = func([]string) bool { return false } }
	core := func(k *rule.Served) { k.Group = "" }
	f("", true)
	f("", true, core)
	f("", false, bare)
	f("", false, func(k *rule.Served) { k.Has = nil })
	f("groups=a.io", true)
	f("groups=a.io", false, core)
	f("groups=b.io,a.*", true)
	f("groups=b.io", false)
	f("groups=", true)
	f("kinds=Thing.a.io", true)
	f("kinds=Other", false)
	f("exclude=Thing", false)
	f("exclude=*.a.io", false)
	f("exclude=*.b.io", true)
	f("labels=team=x", true)
	f("labels=team", true)
	f("labels=team=y", false)
	f("labels=other", false)
	f("labels=team,other", false)
	f("excludeLabels=team", false)
	f("excludeLabels=team=x", false)
	f("excludeLabels=team=y,other", true)
	f("", false, func(k *rule.Served) { k.Labels["skip"] = "" })

	_, findings := compileWith(discoverByParams, rule.ParseOptions{}, rule.CompileOptions{Params: map[string][]string{"doc.groups": {"[a"}}})
	if err := findings.Err(); err == nil || !strings.Contains(err.Error(), `discover: pattern "[a": syntax error in pattern`) {
		t.Errorf("a bad pattern in a parameter: %v", err)
	}
}

// TestStatesOfParams lists states by a parameter, and expects any other.
func TestStatesOfParams(t *testing.T) {
	const rules = `
kind: MetricRules
metadata: {name: doc}
spec:
  parameters: {states: {default: [Ready, Error]}}
  resources:
  - groupVersionKind: {group: g, kind: K}
    metrics:
    - {name: some, type: stateSet, stateLabel: state, states: [Error, param.states, "*"], value: object.s}
    - {name: any, type: stateSet, stateLabel: state, states: ["*"], value: object.s}
`
	f := func(object, want string, values ...string) {
		t.Helper()
		params := make(map[string][]string)
		if len(values) > 0 {
			params["doc.states"] = values
		}
		set, findings := compileWith(rules, rule.ParseOptions{}, rule.CompileOptions{Params: params})
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		if diff := cmp.Diff(lines(want), evalSet(t, set, object)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", object, diff)
		}
	}
	f(`s: Ready`, `some{state="Error"} 0 | some{state="Ready"} 1 | any{state="Ready"} 1`)
	f(`s: Odd`, `some{state="Error"} 0 | some{state="Ready"} 0 | some{state="Odd"} 1 | any{state="Odd"} 1`)
	f(`s: Odd`, `some{state="Error"} 0 | some{state="Odd"} 1 | any{state="Odd"} 1`, "Odd")
	f(`t: 1`, ``)
}

// TestOTLPName is carried to who asks for it.
func TestOTLPName(t *testing.T) {
	set := load(t, `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    metrics: [{name: kyma_state, otlpName: kyma.module.status.state, value: 1}, {name: other, value: 1}]
`)
	for i, want := range []string{"kyma.module.status.state", ""} {
		if got := set.Shape(i).OTLPName; got != want {
			t.Errorf("%s is called %q in OTLP, want %q", set.Families()[i].Name, got, want)
		}
	}
	f := func(metrics, want string) {
		t.Helper()
		checkFindings(t, "kind: MetricRules\nspec:\n  resources:\n  - {groupVersionKind: {group: g, kind: K}, metrics: ["+metrics+"]}", want)
	}
	f(`{name: m, value: 1, otlpName: §"a b"}`, `metric "m": otlpName "a b" does not match [a-zA-Z][a-zA-Z0-9_./-]*, of 255 characters at most`)
	f(`{name: m, value: 1, otlpName: §1a}`, `metric "m": otlpName "1a" does not match [a-zA-Z][a-zA-Z0-9_./-]*, of 255 characters at most`)
	f(`{name: m, value: 1, otlpName: a.b}, §{name: m, value: 1, otlpName: a.c}`, `metric "m": family m has another otlpName here than at r.yaml:4:55: give both the same`)
}
