package rule_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

const withParams = `
kind: MetricRules
metadata: {name: kyma}
spec:
  parameters:
    modules: {help: Which., default: [istio, telemetry]}
    empty: {}
  resources:
  - groupVersionKind: {group: g, kind: K}
    labels: {first: "param.modules[0]"}
    metrics:
    - {name: m, type: info, forEach: [{as: s, in: param.modules, index: i}], labels: {i: i, s: s}}
    - {name: n, type: info, forEach: [{as: s, in: param.empty}], labels: {s: s}}
---
kind: MetricRules
metadata: {name: other}
spec:
  parameters: {modules: {default: [x, 5, true]}}
  resources:
  - {groupVersionKind: {group: g, kind: K}, metrics: [{name: o, type: info, forEach: [{as: s, in: param.modules}], labels: {s: s}}]}
---
kind: MetricRules
metadata: {name: none}
spec:
  resources:
  - {groupVersionKind: {group: g, kind: K}, metrics: [{name: p, forEach: [{as: param, in: object.l}], value: param.v}]}
`

func TestParams(t *testing.T) {
	f := func(params map[string][]string, want string) {
		t.Helper()
		set, findings := compileWith(withParams, rule.ParseOptions{}, rule.CompileOptions{Params: params})
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		if got := evalSet(t, set, `l: [{v: 1}]`); got != lines(want) {
			t.Errorf("%v:\ngot:\n%swant:\n%s", params, got, lines(want))
		}
	}
	const other = ` | o{s="x"} 1 | o{s="5"} 1 | o{s="true"} 1 | p 1`
	f(nil, `m{first="istio",i="0",s="istio"} 1 | m{first="istio",i="1",s="telemetry"} 1`+other)
	f(map[string][]string{"kyma.modules": {"a"}}, `m{first="a",i="0",s="a"} 1`+other)
	f(map[string][]string{"kyma.modules": nil}, ``+other[3:])
	f(map[string][]string{"kyma.empty": {"e"}, "kyma.modules": {"a"}}, `m{first="a",i="0",s="a"} 1 | n{first="a",s="e"} 1`+other)
	f(map[string][]string{"other.modules": {"y"}}, `m{first="istio",i="0",s="istio"} 1 | m{first="istio",i="1",s="telemetry"} 1 | o{s="y"} 1 | p 1`)
}

func TestParamErrors(t *testing.T) {
	f := func(params map[string][]string, want string) {
		t.Helper()
		_, findings := compileWith(withParams, rule.ParseOptions{}, rule.CompileOptions{Params: params})
		if got := findings.Error(); got != want {
			t.Errorf("%v:\ngot  %s\nwant %s", params, got, want)
		}
	}
	const known = "the loaded rules have kyma.empty, kyma.modules, other.modules"
	f(map[string][]string{"kyma.module": {"a"}}, `--param: no rule document has the parameter "kyma.module": `+known+`, did you mean "kyma.modules"?`)
	f(map[string][]string{"modules": nil, "zzzzzz.y": nil, "kyma.modules": nil},
		`--param: no rule document has the parameter "modules": `+known+"\n"+
			`--param: no rule document has the parameter "zzzzzz.y": `+known)
	_, findings := compileWith(doc(`{name: m, value: 1}`), rule.ParseOptions{}, rule.CompileOptions{Params: map[string][]string{"a.b": nil}})
	if got, want := findings.Error(), `--param: no rule document has the parameter "a.b": the loaded rules have none`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}

	g := func(parameters, want string) {
		t.Helper()
		checkFindings(t, "kind: MetricRules\nspec:\n  parameters: "+parameters+"\n  resources: [{groupVersionKind: {kind: K}, metrics: [{name: m, value: 1}]}]", want)
	}
	g(`{§a-b: {}}`, `parameter "a-b" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	g(`{§"": {}}`, `parameter "" does not match [a-zA-Z_][a-zA-Z0-9_]*`)
	g(`{a: §x}`, `expected a map, found the str "x"`)
	g(`{a: {default: §x}}`, `expected a list, found the str "x"`)
	g(`{a: {§defualt: [x]}}`, `unknown field "defualt", did you mean "default"?`)
	g(`§[a]`, "expected a map, found a list")

	// Without parameters there is no such name; with them it is taken.
	checkFindings(t, doc(`{name: m, value: §param.x}`), `metric "m": expression "param.x": unknown name "param": in scope are object, gvk`)
	checkFindings(t, "kind: MetricRules\nspec:\n  parameters: {a: {}}\n  resources: [{groupVersionKind: {kind: K}, metrics: [{name: m, value: 1, forEach: [§{as: param, in: object.l}]}]}]",
		`metric "m": the name "param" is taken already`)
}

func TestParseParam(t *testing.T) {
	f := func(s, name string, values []string, ok bool) {
		t.Helper()
		gotName, got, err := rule.ParseParam(s)
		if gotName != name || (err == nil) != ok {
			t.Errorf("%q: got %q, error %v", s, gotName, err)
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
	}
	f("kyma.modules=istio", "kyma.modules", []string{"istio"}, true)
	f("kyma.modules=istio,telemetry", "kyma.modules", []string{"istio", "telemetry"}, true)
	f("kyma.modules= istio , ,telemetry,", "kyma.modules", []string{"istio", "telemetry"}, true)
	f("kyma.modules=", "kyma.modules", nil, true)
	f("kyma.modules=a=b", "kyma.modules", []string{"a=b"}, true)
	f("a.b.c=d", "a.b.c", []string{"d"}, true)
	f("kyma.modules", "", nil, false)
	f("modules=x", "", nil, false)
	f(".modules=x", "", nil, false)
	f("kyma.=x", "", nil, false)
	f("", "", nil, false)
}
