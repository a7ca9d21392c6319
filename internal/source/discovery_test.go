package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/store"
)

// group makes a group of a discovery document; a kind is written as
// version/Kind, in the server's order of versions.
func group(name string, kinds ...string) apidiscoveryv2.APIGroupDiscovery {
	g := apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, k := range kinds {
		version, kind, _ := strings.Cut(k, "/")
		if n := len(g.Versions); n == 0 || g.Versions[n-1].Version != version {
			g.Versions = append(g.Versions, apidiscoveryv2.APIVersionDiscovery{Version: version})
		}
		v := &g.Versions[len(g.Versions)-1]
		v.Resources = append(v.Resources, apidiscoveryv2.APIResourceDiscovery{
			Resource: strings.ToLower(kind) + "s", ResponseKind: &metav1.GroupVersionKind{Kind: kind},
			Scope: apidiscoveryv2.ScopeNamespace, Verbs: []string{"list", "watch"},
		})
	}
	return g
}

func TestTargets(t *testing.T) {
	list := apidiscoveryv2.APIGroupDiscoveryList{Items: []apidiscoveryv2.APIGroupDiscovery{
		group("a.io", "v2/Foo", "v2/Bar", "v1/Foo", "v1/Old"),
		group("b.io", "v1alpha1/Foo"),
	}}
	review := &list.Items[0].Versions[0].Resources
	*review = append(*review, apidiscoveryv2.APIResourceDiscovery{
		Resource: "reviews", ResponseKind: &metav1.GroupVersionKind{Kind: "Review"}, Verbs: []string{"create"},
	})
	s := make(served)
	s.add(&list)

	f := func(want string, kinds ...string) {
		t.Helper()
		var got []string
		for _, target := range clusterOf(setOf(t, kinds...)).targets(s) {
			got = append(got, fmt.Sprintf("%s/%s/%s", target.gvk.Group, target.gvk.Version, target.resource))
		}
		slices.Sort(got)
		if joined := strings.Join(got, " "); joined != want {
			t.Errorf("rules for %v list %q, want %q", kinds, joined, want)
		}
	}
	f("a.io/v2/foos", "{group: a.io, kind: Foo}")
	f("a.io/v2/foos", `{group: a.io, kind: Foo, version: "*"}`)
	f("a.io/v1/olds", "{group: a.io, kind: Old}")
	f("a.io/v1/foos", "{group: a.io, kind: Foo, version: v1}")
	f("a.io/v1/foos a.io/v2/foos", "{group: a.io, kind: Foo, version: v1}", "{group: a.io, kind: Foo}")
	f("a.io/v2/foos", "{group: a.io, kind: Foo, version: v2}", "{group: a.io, kind: Foo}")
	f("", "{group: a.io, kind: Foo, version: v3}")
	f("", "{group: c.io, kind: Foo}")
	f("", "{group: a.io, kind: Review}")
	f("a.io/v1/olds a.io/v2/bars a.io/v2/foos", `{group: a.io, kind: "*"}`)
	f("a.io/v2/foos b.io/v1alpha1/foos", "{group: a.io, kind: Foo}", "{group: b.io, kind: Foo}")
}

func clusterOf(set *rule.Set) *Cluster {
	return &Cluster{ClusterConfig: ClusterConfig{Set: set, Store: store.New(set, store.Options{})}}
}

func setOf(t *testing.T, kinds ...string) *rule.Set {
	t.Helper()
	text := "apiVersion: kubevitals.io/v1alpha1\nkind: MetricRules\nspec:\n  resources:\n"
	for _, k := range kinds {
		text += "  - {groupVersionKind: " + k + ", metrics: [{name: m, value: object.v}]}\n"
	}
	docs, findings := rule.Parse("rules.yaml", []byte(text), rule.ParseOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	set, findings := rule.Compile([]rule.Source{{File: "rules.yaml", Documents: docs}}, rule.CompileOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	return set
}

// TestSuperseded changes which version is the best one: what was listed as
// another version is the best one now, and must not be listed twice.
func TestSuperseded(t *testing.T) {
	targets := func(kinds ...string) map[slot]target {
		s := make(served)
		s.add(&apidiscoveryv2.APIGroupDiscoveryList{Items: []apidiscoveryv2.APIGroupDiscovery{group("a.io", kinds...)}})
		return clusterOf(setOf(t, "{group: a.io, kind: Foo}", "{group: a.io, kind: Foo, version: v1beta1}")).targets(s)
	}
	both, old, none := targets("v1/Foo", "v1beta1/Foo"), targets("v1beta1/Foo"), targets("v1/Other")
	if len(both) != 2 || len(old) != 1 {
		t.Fatalf("%d and %d targets, want 2 and 1", len(both), len(old))
	}
	for slot, target := range both {
		if got, want := superseded(target, old), slot.version == "v1beta1"; got != want {
			t.Errorf("%s is superseded: %v, want %v", target.gvk, got, want)
		}
		if superseded(target, none) {
			t.Errorf("%s is superseded by nothing", target.gvk)
		}
	}
}
