package source

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// filesOf is a store that is filled from objects.
func filesOf(t *testing.T, resources string) *Files {
	t.Helper()
	docs, findings := rule.Parse("rules.yaml", []byte("kind: MetricRules\nspec:\n  labels: {n: object.metadata.name, ns: object.metadata.namespace}\n  resources:\n"+resources), rule.ParseOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	set, findings := rule.Compile([]rule.Source{{File: "rules.yaml", Documents: docs}}, rule.CompileOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	return &Files{Set: set, Store: store.New(set, store.Options{}), Log: slog.New(slog.DiscardHandler)}
}

// putText reads objects, one for each line, and gives them in any order.
func (f *Files) putText(t *testing.T, objects string) *Files {
	t.Helper()
	list, err := ReadObjects([]string{"-"}, strings.NewReader(strings.ReplaceAll(strings.TrimSpace(objects), "\n", "\n---\n")))
	if err != nil {
		t.Fatal(err)
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	f.Put(list, 0)
	return f
}

// expect compares the samples; " | " is between lines.
func (f *Files) expect(t *testing.T, want string) {
	t.Helper()
	families, err := f.Store.Gather(t.Context(), exposition.Text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := exposition.NewWriter(&b, exposition.Text, false)
	for _, r := range families {
		w.WriteRendered(r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if diff := cmp.Diff(strings.ReplaceAll(want, " | ", "\n"), strings.Join(got, "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

const foos = `
{apiVersion: a.io/v1, kind: Foo, metadata: {name: a, namespace: x, labels: {team: red, tier: web}}, spec: {type: A}}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: b, namespace: yy, labels: {team: blue}}, spec: {type: B}}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: c, namespace: z}}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: d}}
`

func TestFilesSelectors(t *testing.T) {
	f := func(selectors, want string) {
		t.Helper()
		files := filesOf(t, "  - {groupVersionKind: {group: a.io, kind: Foo}, "+selectors+", metrics: [{name: m, value: 1}]}\n")
		files.putText(t, foos).expect(t, want)
	}
	const a, b, c, d = `m{n="a",ns="x"} 1`, `m{n="b",ns="yy"} 1`, `m{n="c",ns="z"} 1`, `m{n="d"} 1`
	const sep = " | "
	f(`selector: team=red`, a)
	f(`selector: team`, a+sep+b)
	f(`selector: "!team"`, d+sep+c)
	f(`selector: team!=red`, d+sep+b+sep+c)
	f(`selector: "team in (red,blue),tier notin (web)"`, b)
	f(`selector: team=green`, ``)
	f(`fieldSelector: metadata.name=a`, a)
	f(`fieldSelector: metadata.name!=a`, d+sep+b+sep+c)
	f(`fieldSelector: metadata.namespace=yy`, b)
	f(`fieldSelector: "metadata.namespace!=x,metadata.namespace!=yy"`, d+sep+c)
	f(`fieldSelector: spec.type=B`, b)
	f(`fieldSelector: spec.type=`, d+sep+c)
	f(`selector: team, fieldSelector: spec.type=A`, a)
	f(`selector: team=red, fieldSelector: spec.type=B`, ``)
}

// TestFilesTwoSelections has an object in both, and changes which it is in.
func TestFilesTwoSelections(t *testing.T) {
	files := filesOf(t, `
  - {groupVersionKind: {group: a.io, kind: Foo}, selector: team, metrics: [{name: m, value: 1}]}
  - {groupVersionKind: {group: a.io, kind: Foo}, selector: team=red, metrics: [{name: r, value: 1}]}
  - {groupVersionKind: {group: a.io, kind: Foo}, metrics: [{name: all, value: 1}]}
`)
	files.putText(t, foos).expect(t, `all{n="d"} 1 | all{n="a",ns="x"} 1 | all{n="b",ns="yy"} 1 | all{n="c",ns="z"} 1 | m{n="a",ns="x"} 1 | m{n="b",ns="yy"} 1 | r{n="a",ns="x"} 1`)
	files.putText(t, `{apiVersion: a.io/v1, kind: Foo, metadata: {name: b, labels: {team: red}}}`).expect(t, `all{n="b"} 1 | m{n="b"} 1 | r{n="b"} 1`)
	if n := len(files.kinds); n != 3 {
		t.Errorf("%d kinds", n)
	}
	files.putText(t, `{apiVersion: a.io/v1, kind: Bar, metadata: {name: b}}`).expect(t, ``)
	if len(files.kinds) != 0 || len(files.Store.Status()) != 0 {
		t.Errorf("%d kinds are left", len(files.kinds))
	}
	if diff := cmp.Diff(map[rule.GVK]int{{Group: "a.io", Version: "v1", Kind: "Bar"}: 1}, files.Unmatched()); diff != "" {
		t.Errorf("unmatched (-want +got):\n%s", diff)
	}
}

func TestFilesNamespaces(t *testing.T) {
	f := func(namespaces, denylist []string, want string) {
		t.Helper()
		files := filesOf(t, "  - {groupVersionKind: {group: a.io, kind: Foo}, metrics: [{name: m, value: 1}]}\n")
		files.Namespaces, files.NamespacesDenylist = namespaces, denylist
		files.putText(t, foos).expect(t, want)
	}
	f(nil, nil, `m{n="d"} 1 | m{n="a",ns="x"} 1 | m{n="b",ns="yy"} 1 | m{n="c",ns="z"} 1`)
	f([]string{"x"}, nil, `m{n="d"} 1 | m{n="a",ns="x"} 1`)
	f([]string{"x", "z"}, nil, `m{n="d"} 1 | m{n="a",ns="x"} 1 | m{n="c",ns="z"} 1`)
	f([]string{"other"}, nil, `m{n="d"} 1`)
	f(nil, []string{"x", "other"}, `m{n="d"} 1 | m{n="b",ns="yy"} 1 | m{n="c",ns="z"} 1`)
	f([]string{"x"}, []string{"x"}, `m{n="d"} 1 | m{n="a",ns="x"} 1`) // the list of what is read decides
}

// TestFilesWith keeps what to read.
func TestFilesWith(t *testing.T) {
	files := filesOf(t, "  - {groupVersionKind: {group: a.io, kind: Foo}, metrics: [{name: m, value: 1}]}\n")
	files.Namespaces = []string{"x"}
	other := filesOf(t, "  - {groupVersionKind: {group: a.io, kind: Foo}, metrics: [{name: n, value: 2}]}\n")
	files.With(other.Set, other.Store).putText(t, foos).expect(t, `n{n="d"} 2 | n{n="a",ns="x"} 2`)
}

const definition = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: foos.a.io, labels: {team: infra}}, ` +
	`spec: {group: a.io, scope: Cluster, names: {kind: Foo, categories: [all, mine, 5]}}}`

// TestFilesDiscover finds kinds by their objects, and by their definitions.
func TestFilesDiscover(t *testing.T) {
	const objects = `
{apiVersion: a.io/v1, kind: Foo, metadata: {name: f}, status: {conditions: []}}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: g}}
{apiVersion: a.io/v1, kind: Bar, metadata: {name: b, namespace: x}, spec: {enabled: false}}
{apiVersion: b.io/v1, kind: Foo, metadata: {name: other}, status: null}
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}}
`
	f := func(discover, with, want string) {
		t.Helper()
		files := filesOf(t, "  - {discover: "+discover+", metrics: [{name: m, value: 1, labels: {k: gvk.kind}}]}\n")
		files.putText(t, objects+with).expect(t, want)
	}
	const ff, fg, b, other, p = `m{k="Foo",n="f"} 1`, `m{k="Foo",n="g"} 1`, `m{k="Bar",n="b",ns="x"} 1`, `m{k="Foo",n="other"} 1`, `m{k="Pod",n="p",ns="x"} 1`
	const crd = `m{k="CustomResourceDefinition",n="foos.a.io"} 1`
	const sep = " | "
	f(`{groups: [a.io]}`, "", ff+sep+fg+sep+b)
	f(`{kinds: [Foo]}`, "", ff+sep+fg+sep+other)
	f(`{kinds: [Foo], exclude: [Foo.b.io]}`, "", ff+sep+fg)
	f(`{groups: ["?*"]}`, "", ff+sep+fg+sep+other+sep+b)
	f(`{groups: ["*"], exclude: ["Foo*"]}`, "", b+sep+p)
	f(`{scope: Cluster}`, "", ff+sep+fg+sep+other)
	f(`{scope: Namespaced}`, "", b+sep+p)
	// An object has the field, be it empty; null is none.
	f(`{having: [status.conditions]}`, "", ff+sep+fg)
	f(`{having: [spec.enabled]}`, "", b)
	f(`{having: [status]}`, "", ff+sep+fg)
	// What is only in the definition.
	f(`{crdLabels: {team: infra}}`, "", ``)
	f(`{crdLabels: {team: infra}}`, definition, ff+sep+fg)
	f(`{crdLabels: {team: other}}`, definition, ``)
	f(`{categories: [mine]}`, definition, ff+sep+fg)
	f(`{categories: [mine, none]}`, definition, ``)
	f(`{kinds: [CustomResourceDefinition]}`, definition, crd)
}

// TestFilesScope: the definition says where objects are, not one object.
func TestFilesScope(t *testing.T) {
	files := filesOf(t, "  - {discover: {scope: Namespaced}, metrics: [{name: m, value: 1}]}\n")
	files.putText(t, "{apiVersion: a.io/v1, kind: Foo, metadata: {name: a, namespace: x}}\n"+definition).expect(t, ``)
	files.putText(t, "{apiVersion: a.io/v1, kind: Foo, metadata: {name: a}}\n"+strings.Replace(definition, "Cluster", "Namespaced", 1)).expect(t, `m{n="a"} 1`)
}

// TestFilesLookup looks up objects of other files, of kinds that are known from
// the rules and of such that only objects name.
func TestFilesLookup(t *testing.T) {
	const rules = `
  - groupVersionKind: {group: a.io, kind: Foo}
    lookup: [{as: o, apiVersion: %s, kind: %s, namespace: object.metadata.namespace, name: object.ref}]
    metrics: [{name: m, labels: {v: o.v}, value: 1}]
`
	const objects = `
{apiVersion: a.io/v1, kind: Foo, metadata: {name: a, namespace: x}, av: b.io/v1, k: Bar, ref: one}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: b, namespace: yy}, av: b.io/v1, k: Bar, ref: one}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: c, namespace: x}, av: b.io/v1, k: Bar, ref: none}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: d, namespace: x}, av: v1, k: Node, ref: one}
{apiVersion: b.io/v1, kind: Bar, metadata: {name: one, namespace: x}, v: bar}
{apiVersion: v1, kind: Node, metadata: {name: one, namespace: x}, v: node}
`
	for range 10 { // maps have any order
		files := filesOf(t, fmt.Sprintf(rules, `"'b.io/v1'"`, `"'Bar'"`))
		files.putText(t, objects).expect(t, `m{n="a",ns="x",v="bar"} 1 | m{n="c",ns="x"} 1 | m{n="d",ns="x",v="bar"} 1 | m{n="b",ns="yy"} 1`)
		files.putText(t, strings.ReplaceAll(objects, "v: bar", "v: changed")).expect(t, `m{n="a",ns="x",v="changed"} 1 | m{n="c",ns="x"} 1 | m{n="d",ns="x",v="changed"} 1 | m{n="b",ns="yy"} 1`)

		dynamic := filesOf(t, fmt.Sprintf(rules, `object.av`, `object.k`))
		dynamic.putText(t, objects).expect(t, `m{n="a",ns="x",v="bar"} 1 | m{n="c",ns="x"} 1 | m{n="d",ns="x",v="node"} 1 | m{n="b",ns="yy"} 1`)
		if len(dynamic.Unmatched()) != 0 {
			t.Errorf("unmatched %v: all are looked up", dynamic.Unmatched())
		}
		// A kind more, in a file that comes later.
		dynamic.putText(t, strings.ReplaceAll(objects, "kind: Node", "kind: Gone")+"{apiVersion: b.io/v1, kind: Bar, metadata: {name: none, namespace: x}, v: new}\n").
			expect(t, `m{n="a",ns="x",v="bar"} 1 | m{n="c",ns="x",v="new"} 1 | m{n="d",ns="x"} 1 | m{n="b",ns="yy"} 1`)
		if diff := cmp.Diff(map[rule.GVK]int{{Version: "v1", Kind: "Gone"}: 1}, dynamic.Unmatched()); diff != "" {
			t.Errorf("unmatched (-want +got):\n%s", diff)
		}
	}
}

// TestFilesLookupItself looks up objects of a kind with rules of its own, which
// becomes a target in the second round.
func TestFilesLookupItself(t *testing.T) {
	for range 10 {
		files := filesOf(t, `
  - groupVersionKind: {group: a.io, kind: Foo}
    lookup: [{as: o, apiVersion: object.apiVersion, kind: object.kind, name: object.ref}]
    metrics: [{name: m, labels: {v: o.v}, value: 1}]
  - {groupVersionKind: {group: a.io, kind: Foo}, selector: team, metrics: [{name: t, value: 1}]}
`)
		files.putText(t, `
{apiVersion: a.io/v1, kind: Foo, metadata: {name: a, labels: {team: x}}, ref: b, v: va}
{apiVersion: a.io/v1, kind: Foo, metadata: {name: b}, ref: a, v: vb}
`).expect(t, `m{n="a",v="vb"} 1 | m{n="b",v="va"} 1 | t{n="a"} 1`)
		if st := files.Store.Status(); len(st) != 1 || st[0].Objects != 3 {
			t.Errorf("status %+v", st)
		}
	}
}
