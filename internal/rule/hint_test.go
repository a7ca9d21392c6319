package rule_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
)

// TestHints makes the mistakes that people bring from other languages: each is
// told in a way that says what to write.
func TestHints(t *testing.T) {
	env, err := cel.New(cel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(expression, want string) {
		t.Helper()
		_, findings := compileWith(doc("{name: m, forEach: [{as: c, in: object.status.conditions}], value: \n    "+`"`+strings.ReplaceAll(expression, `"`, `\"`)+`"}`),
			rule.ParseOptions{}, rule.CompileOptions{Expression: env.Compiler()})
		if got := findings.Error(); !strings.Contains(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", expression, got, want)
		}
	}
	f(`north`, `a fixed text is written "'north'"`)
	f(`lab.acme.io/v1beta2`, `a fixed text is written "'lab.acme.io/v1beta2'"`)
	f(`len(object.l)`, `unknown function "len"`)
	f(`c.type.startWith('X')`, `unknown function "startWith", did you mean "startsWith"?`)
	f(`spec.replicas`, `did you mean object.spec.replicas?`)
	f(`.spec.replicas`, `did you mean object.spec.replicas?`)
	f(`object.metadata.labels.app.kubernetes.io/name`, `is written ["a.b/c"]`)
	f(`object.status.conditions[*].status`, `gone through by forEach`)
	f(`object.status.conditions[].status`, `gone through by forEach`)
	f(`object.status.conditions[type=='Ready'].status`, `is written [type=Ready]`)
	f(`object.status.conditions[?(@.type=="Ready")].status`, `is written [type=Ready]`)
	f(`object.status.conditions[type="Ready"].status`, `the value stands without quotes: [type=Ready]`)
	f(`c.type = 'Ready'`, `values are compared with ==`)
	f(`objct.v`, `unknown name "objct": in scope are object, gvk, c, did you mean "object"?`)
}
