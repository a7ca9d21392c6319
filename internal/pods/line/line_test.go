package line_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func labels(pairs ...string) (out []metric.Label) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, metric.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func TestParse(t *testing.T) {
	const om = exposition.OpenMetrics
	for _, c := range []struct {
		text   string
		format exposition.Format
		want   line.Line
		again  string // what Append writes; empty for the text itself
	}{
		{`a 1`, 0, line.Line{Name: "a", Value: "1"}, ""},
		{`a:b{} NaN`, 0, line.Line{Name: "a:b", Value: "NaN"}, "a:b NaN"},
		{`a{b="c"} 1 1700000000000`, 0, line.Line{Name: "a", Labels: labels("b", "c"), Value: "1", Timestamp: "1700000000000"}, ""},
		{"\t a { b = \"c\" ,\td=\"e\", }1e3 \t-5 \r\n", 0, line.Line{Name: "a", Labels: labels("b", "c", "d", "e"), Value: "1e3", Timestamp: "-5"}, `a{b="c",d="e"} 1e3 -5`},
		{`{"a.b"} 1`, 0, line.Line{Name: "a.b", Value: "1"}, ""},
		{`{"a.b","c d"="e"} 1`, 0, line.Line{Name: "a.b", Labels: labels("c d", "e"), Value: "1"}, ""},
		{`{x="y","a"} 1`, 0, line.Line{Name: "a", Labels: labels("x", "y"), Value: "1"}, `a{x="y"} 1`},
		{`a{"b"="c"} 1`, 0, line.Line{Name: "a", Labels: labels("b", "c"), Value: "1"}, `a{b="c"} 1`},
		{`a{b="\\\"\n\d,} é"} 1`, 0, line.Line{Name: "a", Labels: labels("b", "\\\"\n\\d,} é"), Value: "1"}, `a{b="\\\"\n\\d,} é"} 1`},
		{`{"a\"b"} 1`, 0, line.Line{Name: `a"b`, Value: "1"}, ""},
		{`a{b=""} 1`, 0, line.Line{Name: "a", Labels: labels("b", ""), Value: "1"}, `a 1`},
		{`a_total{b="c"} 1 # {t="x # {"} 2 3.5`, om, line.Line{Name: "a_total", Labels: labels("b", "c"), Value: "1", Exemplar: `{t="x # {"} 2 3.5`}, ""},
		{`a_total 1 5.5 # {} 2`, om, line.Line{Name: "a_total", Value: "1", Timestamp: "5.5", Exemplar: `{} 2`}, ""},
	} {
		got, err := line.Parse([]byte(c.text), c.format)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(line.Line{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
		again := c.text
		if c.again != "" {
			again = c.again
		}
		if text := string(got.Append(nil)); text != again+"\n" {
			t.Errorf("%s: appended as %s", c.text, text)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"", "a", "# HELP a b", "a ", "{} 1", "{b=\"c\"} 1", `{""} 1`, `{"a","b"} 1`, `a{"b"} 1`, "a{b} 1", "a{b= 1", `a{b="c} 1`, `a{b="c\`, `a{b="c"d="e"} 1`,
		"a{,} 1", "a{", "a{b", `a{b="c"`, `a{b="c"}`, "0a 1", `a{0b="c"} 1`, `a{b:c="c"} 1`, "a 1 2 3", `a 1 # {} 2`,
	} {
		if got, err := line.Parse([]byte(text), exposition.Text); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
	if _, err := line.Parse([]byte(`a_total 1 # x`), exposition.OpenMetrics); err == nil || !strings.Contains(err.Error(), "exemplar") {
		t.Errorf("an exemplar without labels: %v", err)
	}
}

func TestSamples(t *testing.T) {
	body := "# HELP a b\n\n a 1\r\n# EOF\n\t\nb 2"
	var got []string
	for text := range line.Samples([]byte(body)) {
		got = append(got, string(text))
	}
	if diff := cmp.Diff([]string{"a 1", "b 2"}, got); diff != "" {
		t.Error(diff)
	}
	for range line.Samples([]byte(body)) {
		break
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		name        string
		own, target []metric.Label
		want        []metric.Label
	}{
		{"nothing", nil, nil, nil},
		{"none in common", labels("b", "1"), labels("pod", "p"), labels("pod", "p", "b", "1")},
		{"one in common", labels("b", "1", "pod", "own"), labels("pod", "p", "ns", "n"), labels("pod", "p", "ns", "n", "b", "1", "exported_pod", "own")},
		{"prefix taken", labels("pod", "own", "exported_pod", "other"), labels("pod", "p"), labels("pod", "p", "exported_exported_pod", "own", "exported_pod", "other")},
		{"prefix taken by the target", labels("exported_pod", "a", "pod", "b"), labels("pod", "p", "exported_pod", "q"),
			labels("pod", "p", "exported_pod", "q", "exported_exported_exported_pod", "a", "exported_exported_pod", "b")},
		{"without values", labels("pod", "", "exported_ns", "", "ns", "x"), labels("pod", "p", "zone", "", "ns", "n"), labels("pod", "p", "ns", "n", "exported_ns", "x")},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := line.Line{Labels: slices.Clone(c.own)}
			target := slices.Clone(c.target)
			l.Join(target)
			if diff := cmp.Diff(c.want, l.Labels, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.target, target); diff != "" {
				t.Errorf("the target changed:\n%s", diff)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	text := []byte(`http_requests_total{code="200",method="GET",path="/a b"} 12345 1700000000000`)
	target := labels("k8s_pod_name", "p", "k8s_namespace", "n")
	var l line.Line
	buf := make([]byte, 0, 1000)
	n := testing.AllocsPerRun(100, func() {
		if err := l.Parse(text, exposition.Text); err != nil {
			t.Fatal(err)
		}
		l.Join(target)
		buf = l.Append(buf[:0])
	})
	if n > 1 {
		t.Errorf("%v allocations for a line, want the copy of its text", n)
	}
}

// FuzzLine checks that a line that was read and written is the same line.
func FuzzLine(f *testing.F) {
	for _, s := range []string{`a{b="c"} 1 2`, `{"a.b","c"="d\n"} NaN`, `a_total 1 # {x="y"} 2 3`, `a { b = "c" , } 1`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, openMetrics bool) {
		format := exposition.Text
		if openMetrics {
			format = exposition.OpenMetrics
		}
		one, err := line.Parse([]byte(s), format)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			return
		}
		text := one.Append(nil)
		two, err := line.Parse(text, format)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", s, text, err)
		}
		one.Labels = slices.DeleteFunc(one.Labels, func(l metric.Label) bool { return l.Value == "" })
		if diff := cmp.Diff(one, two, cmpopts.IgnoreUnexported(line.Line{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q was written as %q:\n%s", s, text, diff)
		}
	})
}
