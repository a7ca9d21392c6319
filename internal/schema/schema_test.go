package schema

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// steps reads a path as the tests write it: spec.lines[].sku.
func steps(path string) []Step {
	var out []Step
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		name, elements := strings.TrimRight(name, "[]"), strings.Count(name, "[]")
		if name != "" {
			out = append(out, Step{Field: name})
		}
		for range elements {
			out = append(out, Step{Element: true})
		}
	}
	return out
}

func load(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func checkFind(t *testing.T, s *Schema, want map[string]Result) {
	t.Helper()
	for path, r := range want {
		if diff := cmp.Diff(r, s.Find(steps(path))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// found is the result for a path that exists.
func found(depth int, kind string, fields ...string) Result {
	return Result{Known: true, Found: true, Depth: depth, Type: kind, Fields: fields}
}

// missing is the result for a path that does not exist.
func missing(depth int, kind, suggestion string, fields ...string) Result {
	return Result{Known: true, Depth: depth, Type: kind, Suggestion: suggestion, Fields: fields}
}

// unknown is the result for a path that may exist.
func unknown(depth int, kind string, fields ...string) Result {
	return Result{Depth: depth, Type: kind, Fields: fields}
}

func (r Result) withMax(n int) Result {
	r.MaxItems = n
	return r
}

func (r Result) withEnum(values ...string) Result {
	r.Enum = values
	return r
}

func TestKindString(t *testing.T) {
	f := func(k Kind, want string) {
		t.Helper()
		if got := k.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(Kind{"", "v1", "Pod"}, "v1 Pod")
	f(Kind{"apps", "v1", "Deployment"}, "apps/v1 Deployment")
}

func TestNearest(t *testing.T) {
	f := func(name string, candidates []string, want string) {
		t.Helper()
		if got := nearest(name, candidates); got != want {
			t.Errorf("%s of %v: got %q, want %q", name, candidates, got, want)
		}
	}
	f("parentrefs", []string{"parentRef", "parentRefs"}, "parentRefs")
	f("parentRefz", []string{"parentRef", "parentRefs"}, "parentRef")
	f("condition", []string{"conditions", "parents"}, "conditions")
	f("CONDITION", []string{"conditions"}, "conditions")
	f("conditions", []string{"parents", "listeners"}, "")
	f("a", []string{"b"}, "")
	f("A", []string{"b", "a"}, "a")
	f("", []string{"a"}, "")
	f("ab", nil, "")
	f(strings.Repeat("a", nameLimit+1), []string{strings.Repeat("a", nameLimit)}, "")
}
