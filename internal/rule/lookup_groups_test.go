package rule_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// TestLookupGroups bounds what an object may have looked up.
func TestLookupGroups(t *testing.T) {
	f := func(groups string, want ...rule.Request) {
		t.Helper()
		set, findings := compileWith(`
kind: MetricRules
metadata: {name: doc}
spec:
  parameters: {groups: {default: [a.io, b.io]}}
  resources:
  - groupVersionKind: {group: g, kind: K}
    lookup: [{as: o, apiVersion: object.ref.apiVersion, kind: object.ref.kind, name: object.ref.name`+groups+`}]
    metrics: [{name: m, value: o.v, default: -1}]
`, rule.ParseOptions{}, rule.CompileOptions{})
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		want = append([]rule.Request{{GVK: rule.GVK{Group: "g", Kind: "K"}, Document: "doc"}}, want...)
		if diff := cmp.Diff(want, set.Requests()); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", groups, diff)
		}
		asked := make(map[string]bool)
		for _, apiVersion := range []string{"a.io/v1", "c.io/v1", "v1"} {
			object := parseObject(t, "ref: {apiVersion: "+apiVersion+", kind: O, name: n}")
			finder := &asking{recorder: recorder{t: t, families: set.Families(), seen: make(map[string]bool)}}
			set.Program(testKind, true).Eval(new(rule.Context), object, finder)
			asked[apiVersion] = finder.asked > 0
		}
		bounded := groups != ""
		if diff := cmp.Diff(map[string]bool{"a.io/v1": true, "c.io/v1": !bounded, "v1": !bounded}, asked); diff != "" {
			t.Errorf("%s: looked up (-want +got):\n%s", groups, diff)
		}
	}
	of := func(group string) rule.Request {
		return rule.Request{GVK: rule.GVK{Group: group, Kind: "*"}, Lookup: true, Document: "doc"}
	}
	f("", rule.Request{Lookup: true, Document: "doc"})
	f(", groups: [a.io]", of("a.io"))
	f(", groups: [param.groups]", of("a.io"), of("b.io"))
	f(`, groups: ["*a.io"]`, rule.Request{Lookup: true, Document: "doc"})
}

// asking is a sink that counts what is looked up.
type asking struct {
	recorder
	asked int
}

func (a *asking) Find(rule.Ref) map[string]any {
	a.asked++
	return nil
}
