package rule_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

func TestPathWalk(t *testing.T) {
	conditions := []any{
		nil, "text", map[string]any{"type": nil},
		map[string]any{"type": "Ready", "n": int64(3), "b": true, "f": 0.5, "first": "yes"},
		map[string]any{"type": "Ready", "n": int64(3), "b": true, "f": 0.5, "first": "no"},
		map[string]any{"type": map[string]any{"x": "y"}, "last": "end"},
	}
	object := map[string]any{"a": map[string]any{"b": "c", "null": nil, "false": false, "": "empty"}, "list": conditions, "text": "x"}

	f := func(want any, path ...rule.Step) {
		t.Helper()
		if diff := cmp.Diff(want, rule.Path(path).Walk(object)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", path, diff)
		}
	}
	field, index, match := rule.Field, rule.Index, rule.Match

	f(any(object))
	f("c", field("a"), field("b"))
	f(false, field("a"), field("false"))
	f("empty", field("a"), field(""))
	f(nil, field("a"), field("null"))
	f(nil, field("a"), field("null"), field("deeper"))
	f(nil, field("none"))
	f(nil, field("none"), field("deeper"))
	f(nil, field("text"), field("x"))
	f(nil, field("list"), field("type"))

	f("text", field("list"), index(1))
	f("end", field("list"), index(-1), field("last"))
	f(nil, field("list"), index(0))
	f(nil, field("list"), index(6))
	f(nil, field("list"), index(-7))
	f(nil, field("a"), index(0))
	f(nil, field("text"), index(0))
	f(nil, field("none"), index(0))

	f("yes", field("list"), match("type", "Ready"), field("first")) // the first that matches
	f("yes", field("list"), match("n", "3"), field("first"))
	f("yes", field("list"), match("b", "true"), field("first"))
	f("yes", field("list"), match("f", "0.5"), field("first"))
	f(nil, field("list"), match("type", "ready"))
	f(nil, field("list"), match("type", ""))
	f(nil, field("list"), match("none", ""))
	f(nil, field("a"), match("b", "c")) // a map is no list
	f(nil, field("text"), match("b", "c"))
}

func TestPathWalkOfNil(t *testing.T) {
	for _, path := range []rule.Path{nil, {rule.Field("a")}, {rule.Index(0)}, {rule.Match("a", "b")}} {
		if got := path.Walk(nil); got != nil {
			t.Errorf("%v: got %v, want nil", path, got)
		}
	}
}
