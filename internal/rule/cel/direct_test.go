package cel

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDirect makes sure that what is evaluated directly gives what CEL gives, for
// fields of every type and for such as are missing.
func TestDirect(t *testing.T) {
	env, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	values := []any{"True", "False", "", "a", "é\xff", true, false, int64(0), int64(1), int64(-7), int64(math.MaxInt64), int64(math.MinInt64), 1.0, 2.5, 0.0, math.NaN(), math.Inf(1), nil, []any{}, map[string]any{}, []any{"a"}, map[string]any{"b": "True"}}
	var objects []any
	for _, v := range values {
		for _, w := range values {
			objects = append(objects, map[string]any{"a": map[string]any{"b": v}, "c": w}, map[string]any{"a": v, "c": w})
		}
	}
	objects = append(objects, nil, "text", map[string]any{}, map[string]any{"a": map[string]any{}})
	direct := 0
	for _, source := range []string{
		"o.a.b", "o.a", "o.c", "(o.a.b)", "'x'", "1", "1.5", "true",
		"kstatus(o)", "kstatus(o.a)", "polarity(o, o.c)", "polarity(o.a, o.c)", "healthy(o.a.b, o.c)", "healthy('negative', o.c)", "healthy('neutral', o.c)",
		"healthy(polarity(o, 'Stalled'), o.c)", "o.c in o.a", "o.a.b in o.c", "'a' in o.a ? 1 : 2",
		"o.a.b == 'True'", "o.a.b != 'True'", "'True' == o.a.b", "o.a.b == o.c", "o.a.b != o.c", "o.a.b == 1", "o.a.b == true", "o.a.b == 1.0",
		"o.a.b < o.c", "o.a.b <= o.c", "o.a.b > o.c", "o.a.b >= o.c", "o.a.b < 1", "o.a.b > 'b'",
		"!o.a.b", "!(o.a.b == 'True')", "o.a.b && o.c", "o.a.b || o.c", "o.a.b == 'True' && o.c == 'a'", "o.a.b == 'True' || o.c == 'a'",
		"o.c == 'a' ? 1 : 0", "o.a.b ? o.c : 'no'", "o.a.b == 'True' ? 1 : o.c == 'a' ? -1 : 0", "o.c ? 'yes' : o.a.b",
		"has(o.a.b)", "has(o.a.b) && o.a.b == 'True'", "o.c.startsWith('a')", "o.a.b + o.c", "o.c in ['a', 'b']", "o",
		"o.a.b.startsWith('T')", "o.a.b.endsWith('e')", "o.a.b.contains('als')", "o.a.b.contains(o.c)", "!o.c.startsWith('a') && o.a.b == 'True'",
		"o.c in [1, 0]", "o.c in [1, 'a']", "o.c in [1.0]", "o.a.b in o.c", "o.c in []",
		"size(o.a)", "size(o.a.b)", "o.c.size()", "size(o)", "size(o.c) > 0", "o.c.size() == 1 ? 'one' : 'more'",
		"o.c.matches('^T')", "o.a.b.matches('[a-z]+$')", "o['a'].b", "o.a['b']", "o.c[0]", "o.c[1]", "o.c[0] == 'a'", "o['a']['b'] == 'True'",
		"o.a.b + 1", "o.a.b - o.c", "o.a.b * 2.0", "o.a.b / o.c", "o.c / 2", "o.c * 9000000000", "double(o.c)", "double(o.c) / 2.0", "double(o.a.b) * double(o.c)",
		"has(o.c) ? o.c : 'none'", "has(o.a.b.d)", "has(o.x)", "!has(o.a)", "o.?c.orValue('x')", "o.?x.orValue('x')", "o.a.?b.orValue(o.c)", "o.?a.b.orValue(1)", "o.?a.?b.?c.orValue(1)", "o.?x.b.orValue(1) == 1", "o.?x.b", "o.?c", "has(o.?a.b)", "o.?a.b.hasValue()", "size(o.?a.orValue([]))", "o.?a['b'].orValue(2)", "int(o.c)", "string(o.c)",
	} {
		x, err := env.Compile(source, []string{"other", "o"})
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		byCEL := *x
		byCEL.direct = nil
		if x.direct != nil {
			direct++
		}
		for _, o := range objects {
			vars := []any{nil, o}
			got, gotErr := x.Eval(context.Background(), vars)
			want, wantErr := byCEL.Eval(context.Background(), vars)
			if diff := cmp.Diff(fmt.Sprintf("%T %v %v", want, want, wantErr), fmt.Sprintf("%T %v %v", got, got, gotErr)); diff != "" {
				t.Errorf("%s of %v (-CEL +direct):\n%s", source, o, diff)
			}
		}
	}
	if direct < 60 {
		t.Errorf("only %d expressions are evaluated directly", direct)
	}
}
