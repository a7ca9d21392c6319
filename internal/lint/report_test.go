package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// TestFinish brings findings in order and tells each once.
func TestFinish(t *testing.T) {
	at := func(line int) rule.Position { return rule.Position{File: "a.yaml", Line: line, Column: 1} }
	l := &linter{Report: &Report{metrics: 1}}
	l.warn(at(2), "x", "it is %s", "wrong")
	l.note(at(1), "x", "nice")
	l.warn(at(2), "y", "it is wrong") // what they have in common is of neither
	l.warn(at(2), "x", "it is wrong")
	l.note(at(1), "x", "nice")
	l.finish()
	var b strings.Builder
	if err := l.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := "a.yaml:1:1: note: metric \"x\": nice\na.yaml:2:1: warning: it is wrong\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if want, got := "0 errors, 1 warning, 1 note; 1 metric checked", l.Counts(); got != want {
		t.Errorf("counts are %q, want %q", got, want)
	}
}

func TestShownPath(t *testing.T) {
	f := func(want string, path ...string) {
		t.Helper()
		if got := shownPath(path); got != want {
			t.Errorf("%q is shown as %s, want %s", path, got, want)
		}
	}
	f("")
	f("spec.a_1", "spec", "a_1")
	f("spec[].type", "spec", rule.Element, "type")
	f(`metadata.labels["app.kubernetes.io/name"]`, "metadata", "labels", "app.kubernetes.io/name")
	f("spec.type", "spec", rule.Through, "type")
}

func TestKindList(t *testing.T) {
	f := func(want string, kinds ...string) {
		t.Helper()
		if got := kindList(kinds); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f("A", "A")
	f("A and B", "A", "B")
	f("A, B and C", "A", "B", "C")
	f("A, B and 2 more kinds", "A", "B", "C", "D")
}

func TestMultiply(t *testing.T) {
	f := func(want int, known bool, limits ...int) {
		t.Helper()
		if got, k := multiply(limits); got != want || k != known {
			t.Errorf("%v give %d, %t, want %d, %t", limits, got, k, want, known)
		}
	}
	f(1, true)
	f(32, true, 4, 8)
	f(0, false, 4, 0)
	f(0, false, 1<<30, 1<<30)
}
