package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// twoKinds gives one family from two kinds, and one of A alone.
const twoKinds = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  labels: {kind: gvk.kind, namespace: object.metadata.namespace, name: object.metadata.name}
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    metrics:
    - &value {name: value, forEach: [{as: v, in: object.values}], labels: {i: v.i}, value: v.n}
    - {name: only_a, value: object.a}
  - groupVersionKind: {group: example.com, kind: B}
    metrics: [*value]
`

func newTestStore(t *testing.T) (*Store, *rule.Set) {
	t.Helper()
	return storeOf(t, twoKinds)
}

func storeOf(t *testing.T, rules string) (*Store, *rule.Set) {
	t.Helper()
	docs, findings := rule.Parse("rules.yaml", []byte(rules), rule.ParseOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	set, findings := rule.Compile([]rule.Source{{File: "rules.yaml", Documents: docs}}, rule.CompileOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	return New(set, Options{Budget: time.Minute}), set // a busy machine costs no series
}

func program(set *rule.Set, kind, version string) *rule.Program {
	return set.Program(rule.GVK{Group: "example.com", Version: version, Kind: kind}, true)
}

// object makes an object with some values; their number decides how long its
// lines are.
func newObject(namespace, name string, values ...int64) map[string]any {
	list := make([]any, len(values))
	for i, n := range values {
		list[i] = map[string]any{"i": int64(i), "n": n}
	}
	return map[string]any{"metadata": map[string]any{"namespace": namespace, "name": name}, "values": list}
}

// text returns the exposition, written plainly, and checks that the compressed
// one is the same.
func text(t *testing.T, s *Store) string {
	t.Helper()
	families, err := s.Gather(context.Background(), exposition.Text)
	if err != nil {
		t.Fatal(err)
	}
	write := func(compress bool) []byte {
		var b bytes.Buffer
		w := exposition.NewWriter(&b, exposition.Text, compress)
		for _, f := range families {
			w.WriteRendered(f)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	plain := write(false)
	r, err := gzip.NewReader(bytes.NewReader(write(true)))
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, unzipped) {
		t.Fatal("the compressed exposition differs from the plain one")
	}
	return string(plain)
}

func TestOrder(t *testing.T) {
	s, set := newTestStore(t)
	b := s.Kind(program(set, "B", "v1"))
	a := s.Kind(program(set, "A", "v1"))
	b.Replace(program(set, "B", "v1"), []map[string]any{newObject("x", "same", 5), newObject("", "cluster", 6)}, 0)
	a.Replace(program(set, "A", "v1"), []map[string]any{newObject("y", "a", 1), newObject("x", "same", 2), newObject("x", "b", 3, 4)}, 0)
	want := `# TYPE value gauge
value{i="0",kind="B",name="cluster"} 6
value{i="0",kind="A",name="b",namespace="x"} 3
value{i="1",kind="A",name="b",namespace="x"} 4
value{i="0",kind="A",name="same",namespace="x"} 2
value{i="0",kind="B",name="same",namespace="x"} 5
value{i="0",kind="A",name="a",namespace="y"} 1
`
	if diff := cmp.Diff(want, text(t, s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestStatusCounts(t *testing.T) {
	s, set := newTestStore(t)
	p := program(set, "A", "v1")
	k := s.Kind(p)
	if st := s.Status()[0]; st.Answered || st.Up() {
		t.Errorf("a new kind counts as answered: %+v", st)
	}
	k.Replace(p, []map[string]any{newObject("n", "a", 1, 2), newObject("n", "b", 1)}, 0)
	k.Set(newObject("n", "a", 1))
	k.Set(newObject("n", "c", 1, 2, 3))
	k.Delete("n", "b")
	k.Delete("n", "never there")
	st := s.Status()[0]
	if st.Objects != 2 || st.Series != 4 || st.Added != 3 || st.Modified != 1 || st.Deleted != 1 || !st.Up() {
		t.Errorf("status %+v", st)
	}
	k.Fail(ReasonForbidden, fmt.Errorf("no"))
	if st := s.Status()[0]; st.Up() || st.Reason != ReasonForbidden || st.Series != 4 {
		t.Errorf("after a failure: %+v", st)
	}
	k.Contact()
	if !s.Status()[0].Up() {
		t.Error("a contact does not bring the kind up again")
	}
	k.Remove()
	if got := text(t, s); got != "" || len(s.Status()) != 0 {
		t.Errorf("after Remove:\n%s", got)
	}
}

// TestVersionChange checks that a kind that is listed in another version shows
// each object once, under the new one.
func TestVersionChange(t *testing.T) {
	s, set := newTestStore(t)
	k := s.Kind(program(set, "A", "v1beta1"))
	objects := []map[string]any{newObject("n", "a", 1)}
	k.Replace(program(set, "A", "v1beta1"), objects, 0)
	k.Replace(program(set, "A", "v1"), objects, 0)
	if v := s.Status()[0].GVK.Version; v != "v1" {
		t.Errorf("version %q", v)
	}
	if n := strings.Count(text(t, s), "\nvalue{"); n != 1 {
		t.Errorf("%d series", n)
	}
}

// TestListIsTakenInAtOnce gathers while a list is being taken in.
func TestListIsTakenInAtOnce(t *testing.T) {
	s, set := newTestStore(t)
	p := program(set, "A", "v1")
	k := s.Kind(p)
	k.Replace(p, []map[string]any{newObject("n", "old", 1)}, 0)
	before := text(t, s)
	k.begin(p)
	k.Set(newObject("n", "new", 2))
	if diff := cmp.Diff(before, text(t, s)); diff != "" {
		t.Errorf("a scrape sees half of a list:\n%s", diff)
	}
	s.replacing--
	if !strings.Contains(text(t, s), `name="new"`) {
		t.Error("the new object is missing in the end")
	}
}

// TestLost empties a kind whose source cannot be asked, and does not count it
// as a contact.
func TestLost(t *testing.T) {
	s, set := newTestStore(t)
	p := program(set, "A", "v1")
	k := s.Kind(p)
	k.Replace(p, []map[string]any{newObject("n", "a", 1)}, time.Second)
	before := s.Status()[0]
	k.Lost(ReasonTimeout, errors.New("no answer"))
	after := s.Status()[0]
	if after.Up() || after.Objects != 0 || after.Series != 0 || after.Reason != ReasonTimeout {
		t.Errorf("status %+v", after)
	}
	if after.LastContact != before.LastContact || after.ListDuration != before.ListDuration {
		t.Errorf("a failure counts as a contact: %+v, before %+v", after, before)
	}
	if got := text(t, s); got != "" {
		t.Errorf("still served:\n%s", got)
	}
}

// orderChanges lists Foo first in one version and last in the other.
const orderChanges = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  labels: {kind: gvk.kind, version: gvk.version, name: object.metadata.name}
  resources:
  - groupVersionKind: {group: example.com, kind: Foo, version: v2}
    metrics: [&m {name: m, value: "1"}]
  - groupVersionKind: {group: example.com, kind: Bar}
    metrics: [*m]
  - groupVersionKind: {group: example.com, kind: Foo}
    metrics: [*m]
`

// TestOrderChange changes the program of a kind to one whose first rule stands
// elsewhere.
func TestOrderChange(t *testing.T) {
	s, set := storeOf(t, orderChanges)
	foo, bar := s.Kind(program(set, "Foo", "v1")), s.Kind(program(set, "Bar", "v1"))
	objects := func() []map[string]any { return []map[string]any{newObject("n", "same")} }
	foo.Replace(program(set, "Foo", "v1"), objects(), 0)
	bar.Replace(program(set, "Bar", "v1"), objects(), 0)
	text(t, s)
	foo.Replace(program(set, "Foo", "v2"), objects(), 0)
	if got := text(t, s); strings.Count(got, `kind="Foo"`) != 1 || !strings.Contains(got, `version="v2"`) {
		t.Errorf("after the change:\n%s", got)
	}
	foo.Replace(program(set, "Foo", "v2"), nil, 0)
	if got := text(t, s); strings.Contains(got, `kind="Foo"`) || !strings.Contains(got, `kind="Bar"`) {
		t.Errorf("after the end:\n%s", got)
	}
}

// TestUnchangedObjectsKeepChunks checks what a watch event costs that changes
// nothing that is measured, and one that changes one object of many.
func TestUnchangedObjectsKeepChunks(t *testing.T) {
	s, set := newTestStore(t)
	p := program(set, "A", "v1")
	k := s.Kind(p)
	var objects []map[string]any
	for i := range 5000 {
		objects = append(objects, newObject("n", fmt.Sprintf("object-%04d", i), 1, 2))
	}
	k.Replace(p, objects, 0)
	before := chunks(t, s)
	if len(before) < 4 {
		t.Fatalf("only %d chunks: the test needs more", len(before))
	}
	k.Replace(p, objects, 0)
	k.Set(objects[17])
	if changed := differing(before, chunks(t, s)); changed != 0 {
		t.Errorf("%d chunks were made anew although nothing changed", changed)
	}
	k.Set(newObject("n", "object-2500", 1, 3))
	if changed := differing(before, chunks(t, s)); changed != 1 {
		t.Errorf("%d chunks were made anew for one changed object", changed)
	}
}

func chunks(t *testing.T, s *Store) []exposition.Chunk {
	t.Helper()
	families, err := s.Gather(context.Background(), exposition.Text)
	if err != nil {
		t.Fatal(err)
	}
	return families[0].Chunks
}

// differing counts chunks of b that are not the very same memory as in a.
func differing(a, b []exposition.Chunk) int {
	n := 0
	for _, c := range b {
		if !slices.ContainsFunc(a, func(o exposition.Chunk) bool { return &o.Deflate[0] == &c.Deflate[0] }) {
			n++
		}
	}
	return n
}

// TestRandomChanges compares a store after many random events with one that
// was given the final objects at once.
func TestRandomChanges(t *testing.T) {
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s, set := newTestStore(t)
		kinds := map[string]*Kind{"A": s.Kind(program(set, "A", "v1")), "B": s.Kind(program(set, "B", "v1"))}
		final := map[string]map[string]map[string]any{"A": {}, "B": {}}
		for step := range 400 {
			kind := []string{"A", "B"}[rnd.IntN(2)]
			name := fmt.Sprintf("o%d", rnd.IntN(60))
			switch op := rnd.IntN(10); {
			case op < 6:
				o := newObject("n", name, randomValues(rnd)...)
				kinds[kind].Set(o)
				final[kind][name] = o
			case op < 9:
				kinds[kind].Delete("n", name)
				delete(final[kind], name)
			default:
				kinds[kind].Replace(program(set, kind, "v1"), values(final[kind]), 0)
			}
			if step%50 == 0 {
				text(t, s)
			}
		}
		fresh, _ := newTestStore(t)
		for kind, objects := range final {
			fresh.Kind(program(set, kind, "v1")).Replace(program(set, kind, "v1"), values(objects), 0)
		}
		if diff := cmp.Diff(text(t, fresh), text(t, s)); diff != "" {
			t.Fatalf("seed %d (-at once +step by step):\n%s", seed, diff)
		}
		for i, st := range s.Status() {
			if other := fresh.Status()[i]; st.Series != other.Series || st.Objects != other.Objects {
				t.Fatalf("seed %d: counts %+v, want %+v", seed, st, other)
			}
		}
	}
}

// randomValues are mostly few, and sometimes more than a chunk's worth.
func randomValues(rnd *rand.Rand) []int64 {
	n := rnd.IntN(5)
	if rnd.IntN(20) == 0 {
		n = rnd.IntN(4000)
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = rnd.Int64N(100)
	}
	return out
}

func values(m map[string]map[string]any) []map[string]any {
	var out []map[string]any
	for _, o := range m {
		out = append(out, o)
	}
	return out
}
