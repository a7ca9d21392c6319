package store

import (
	"errors"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// TestChanged: whoever wants to know is told of changes, and of nothing else.
func TestChanged(t *testing.T) {
	_, set := newTestStore(t)
	n := 0
	s := New(set, Options{Changed: func() { n++ }})
	f := func(what string, want bool, do func()) {
		t.Helper()
		n = 0
		if do(); (n > 0) != want {
			t.Errorf("%s: told %d times", what, n)
		}
	}
	a := func(value int) map[string]any {
		return map[string]any{"metadata": map[string]any{"namespace": "n", "name": "x"}, "a": value}
	}
	p := program(set, "A", "v1")
	k := s.Kind(p)
	f("the first list, even if it is empty", true, func() { k.Replace(p, nil, 0) })
	f("another list like it", false, func() { k.Replace(p, nil, 0) })
	f("an object", true, func() { k.Set(a(1)) })
	f("the same object", false, func() { k.Set(a(1)) })
	f("another value", true, func() { k.Set(a(2)) })
	f("a list of what is known", false, func() { k.Replace(p, []map[string]any{a(2)}, 0) })
	f("a list with another value", true, func() { k.Replace(p, []map[string]any{a(3)}, 0) })
	f("a failure", true, func() { k.Fail(ReasonError, errors.New("no")) })
	f("the same failure", false, func() { k.Fail(ReasonError, errors.New("no")) })
	f("contact again", true, k.Contact)
	f("contact", false, k.Contact)
	f("another deleted", false, func() { k.Delete("n", "y") })
	f("it deleted", true, func() { k.Delete("n", "x") })
	k.Set(a(1))
	f("a lost kind", true, func() { k.Lost(ReasonError, errors.New("no")) })
	f("a removed kind", true, k.Remove)
}

// TestChangedTarget: an object that others look up counts, whatever it gives
// itself.
func TestChangedTarget(t *testing.T) {
	_, set := storeOf(t, `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    lookup: [{as: b, apiVersion: "'example.com/v1'", kind: "'B'", name: object.ref}]
    metrics: [{name: m, labels: {v: b.v}, value: 1}]
`)
	told := false
	s := New(set, Options{Changed: func() { told = true }})
	programs := set.Programs(rule.Served{GVK: rule.GVK{Group: "example.com", Version: "v1", Kind: "B"}, Best: true})
	if len(programs) != 1 {
		t.Fatalf("%d programs", len(programs))
	}
	k := s.Kind(programs[0])
	k.Replace(programs[0], []map[string]any{{"metadata": map[string]any{"name": "x"}, "v": "1"}}, 0)
	told = false
	if k.Set(map[string]any{"metadata": map[string]any{"name": "x"}, "v": "2"}); !told {
		t.Error("a change of an object that is looked up is not told")
	}
}
