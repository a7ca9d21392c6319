package cel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReads(t *testing.T) {
	tests := []struct {
		source string
		want   []int
	}{
		{`1 + 2`, nil},
		{`object.a`, []int{0}},
		{`gvk.kind + object.a + gvk.group`, []int{0, 2}},
		{`has(gone.x) ? object : gvk.kind`, []int{0, 1, 2}},
		{`[1].exists(object, object == 1)`, nil},
		{`object.l.exists(gone, gone == gvk)`, []int{0, 2}},
		{`cel.bind(gone, object.a, gone.b)`, []int{0}},
	}
	e := newEnv(t, Options{})
	for _, test := range tests {
		if diff := cmp.Diff(test.want, compile(t, e, test.source).Reads()); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.source, diff)
		}
	}
}

func TestPaths(t *testing.T) {
	tests := []struct{ source, want string }{
		{`1`, ""},
		{`object`, "object"},
		{`object.status.x`, "object/status/x"},
		{`object["a"].b[0].c`, "object/a/b/[]/c"},
		{`object.?a[?"b"].c`, "object/a/b/c"},
		{`has(object.a.b)`, "object/a/b"},
		{`object.a == object.a && gvk.kind != ''`, "gvk/kind object/a"},
		{`object.labels[gvk.kind]`, "gvk/kind object/labels"},
		{`object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')`,
			"object/status/conditions object/status/conditions/[]/status object/status/conditions/[]/type"},
		{`object.a.all(x, x.b.exists(y, y.c == x.d))`,
			"object/a object/a/[]/b object/a/[]/b/[]/c object/a/[]/d"},
		{`object.a.transformList(i, v, v.b + i)`, "object/a object/a/[]/b"},
		{`object.a.filter(x, x.b).map(y, y.c)`, "object/a object/a/[] object/a/[]/b"},
		{`cel.bind(s, object.spec, s.a + s.b)`, "object/spec object/spec/a object/spec/b"},
		{`(object.a ? object.b : object.c).d`, "object/a object/b object/c"},
		{`type(object.a) == string`, "object/a"},
	}
	e := newEnv(t, Options{})
	for _, test := range tests {
		var got []string
		for _, p := range compile(t, e, test.source).Paths() {
			got = append(got, strings.Join(p, "/"))
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.source, diff)
		}
	}
}
