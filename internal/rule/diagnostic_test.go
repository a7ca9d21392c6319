package rule_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
)

func TestDiagnosticError(t *testing.T) {
	f := func(d rule.Diagnostic, want string) {
		t.Helper()
		if got := d.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	at := func(line, column int) rule.Position { return rule.Position{File: "f", Line: line, Column: column} }

	f(rule.Diagnostic{Position: at(0, 0), Message: "m"}, "f: m")
	f(rule.Diagnostic{Position: at(3, 0), Message: "m"}, "f:3: m")
	f(rule.Diagnostic{Position: at(3, 4), Message: "m"}, "f:3:4: m")
	f(rule.Diagnostic{Position: at(3, 4), Where: "w", Message: "m"}, "f:3:4: w: m")
	f(rule.Diagnostic{Position: at(3, 4), Warning: true, Where: "w", Message: "m"}, "f:3:4: warning: w: m")
}

func TestDiagnosticsErr(t *testing.T) {
	warning := rule.Diagnostic{Position: rule.Position{File: "f"}, Warning: true, Message: "a warning"}
	one := rule.Diagnostic{Position: rule.Position{File: "f"}, Message: "one"}
	two := rule.Diagnostic{Position: rule.Position{File: "f"}, Message: "two"}

	if err := (rule.Diagnostics{}).Err(); err != nil {
		t.Errorf("no findings: got %v", err)
	}
	if err := (rule.Diagnostics{warning}).Err(); err != nil {
		t.Errorf("only a warning: got %v", err)
	}
	all := rule.Diagnostics{one, warning, two}
	if got, want := all.Err().Error(), "f: one\nf: two"; got != want {
		t.Errorf("Err: got %q, want %q", got, want)
	}
	if got, want := all.Error(), "f: one\nf: warning: a warning\nf: two"; got != want {
		t.Errorf("Error: got %q, want %q: Err must leave the findings as they are", got, want)
	}
}

// TestSuggestion goes through the fields of a scope: as, in, index, key, one,
// where.
func TestSuggestion(t *testing.T) {
	f := func(field, want string) {
		t.Helper()
		checkFindings(t, doc(`{name: m, value: object.v, forEach: [{as: s, in: object.l, §`+field+`: x}]}`),
			`metric "m": unknown field "`+field+`"`+want)
	}
	f("wher", `, did you mean "where"?`)
	f("WHERE", `, did you mean "where"?`)
	f("idx", `, did you mean "in"?`)
	f("keys", `, did you mean "key"?`)
	f("ones", `, did you mean "one"?`)
	f("somethingElse", "")
}

// TestFindingsAreInOrder has mistakes that are found in another order than they
// stand in.
func TestFindingsAreInOrder(t *testing.T) {
	f := func(metrics string, count int) {
		t.Helper()
		_, findings := compile(doc(metrics))
		sorted := slices.IsSortedFunc(findings, func(a, b rule.Diagnostic) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		if !sorted || len(findings) != count {
			t.Errorf("got:\n%v", findings)
		}
	}
	f("{name: m, value: object.v, labels: {a-b: object.x}, vlaue: x}", 2)
	f("{name: m,\nvalue: a.b,\nlabels: {x: c.d}},\n{name: n, value: e.f}", 3)
}
