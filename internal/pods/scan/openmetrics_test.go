package scan

import (
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestOpenMetrics(t *testing.T) {
	checkAccepted(t, exposition.OpenMetrics, Options{}, []caseOf{
		{"# EOF", ""}, {"# EOF\n", ""}, {"# EOF\r\n", ""}, {"\xef\xbb\xbf# EOF\n", ""},
		{"# HELP a b\n# TYPE a counter\n# EOF\n", "a_total counter help=\"b\"\n"},
		{"# HELP a \n# EOF\n", "a unknown help=\"\"\n"},
		{"# HELP a \xff\n# EOF\n", "a unknown\n"},
		{"# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# EOF\n", "a_seconds gauge unit=\"seconds\"\n"},
		{"# UNIT a \n# EOF\n", "a unknown unit=\"\"\n"},
		{"# TYPE \"a.b\" info\n# EOF\n", "a.b_info info\n"},
		{"# TYPE a stateset\na{a=\"b\"} 1\r\n# EOF\n", "a stateset\n- a 1 odd \"a{a=\\\"b\\\"} 1\\r\\n\"\n"},
	})
	checkRefused(t, exposition.OpenMetrics, []caseOf{
		{"", "no # EOF"}, {"a 1\n", "no # EOF"}, {"a 1", "does not end"}, {"# EOF\n\n", "behind"}, {"# EOF\na 1\n", "behind"}, {"# EOF\n# EOF\n", "behind"}, {"# EOFx\n", "comment"},
		{"a 1\n\n# EOF\n", "empty line"}, {"\n# EOF\n", "empty line"}, {" \n# EOF\n", ""}, {"a 1\n\r\n# EOF\n", "empty line"},
		{"# x\n# EOF\n", "comment"}, {"#\n# EOF\n", "comment"}, {"#HELP a b\n# EOF\n", "comment"}, {"#  HELP a b\n# EOF\n", "comment"}, {"# HELP  a b\n# EOF\n", "metric name"}, {"# HELP a\n# EOF\n", "no space"}, {"# HELP a\tb\n# EOF\n", "no space"}, {" # HELP a b\n# EOF\n", "neither"},
		{"# TYPE a untyped\n# EOF\n", "TYPE"}, {"# TYPE a x\n# EOF\n", "TYPE"}, {"# TYPE a\n# EOF\n", "no space"}, {"# TYPE a gauge \n# EOF\n", "TYPE"},
		{"# UNIT a seconds\n# EOF\n", "unit"}, {"# UNIT aseconds seconds\n# EOF\n", "unit"}, {"# UNIT seconds seconds\n# EOF\n", "unit"},
	})
}

func TestOpenMetricsSamples(t *testing.T) {
	one := func(line, flags string) caseOf {
		want := "a unknown\n- a 1%s %q\n"
		return caseOf{"a{b=\"first\"} 0\n" + line + "\n# EOF\n", fmt.Sprintf(want, flags, "a{b=\"first\"} 0\n"+line+"\n")}
	}
	for _, c := range []caseOf{
		one(`a{b="c"} 1`, ""), one(`a{b="c",d="e"} 1`, ""), one(`a 1.5`, ""), one(`a +Inf`, ""), one(`a NaN`, ""),
		one(`a 1 12`, " stamped"), one(`a 1 12.345`, " stamped"), one(`a{b="c"} 1 1.5e9`, " stamped"), one(`a 1 -1`, " stamped"), one(`a 1 .5`, " stamped"), one(`a{b="x"} 1 1700000000.123`, " stamped"),
		one(`a 1 # {} 1`, " exemplars"), one(`a{b="c"} 1 # {trace_id="d"} 0.5`, " exemplars"), one(`a 1 2 # {b="c"} 0.5 1.5e9`, " stamped,exemplars"), one(`a 1 # {b="c",} 1`, " exemplars"), one(`a 1 # {"b.c"="d"} 1`, " exemplars,utf8"), one(`a 1 # {b="c",b="d"} 1`, " exemplars"),
		one(`a{b="c",} 1`, " odd"), one(`a{} 1`, " odd"), one("a 1\r", " odd"), one("a 1 # {} 1\r", " exemplars,odd"),
		one(`{"a",b="c"} 1`, " utf8"), one(`a{"b"="c"} 1`, " utf8"),
	} {
		x, err := scanned(t, exposition.OpenMetrics, c.body, Options{})
		if err != nil || len(x.Extents) != 1 || x.Extents[0].Samples != 2 {
			t.Errorf("%q: %v\n%s", c.body, err, show(x))
			continue
		}
		x.Extents[0].Samples = 1
		want := c.want
		if got := show(x); len(got) != len(want) {
			t.Errorf("%q:\n%swant\n%s", c.body, got, want)
		}
	}
	var cases []caseOf
	for _, c := range badLines {
		cases = append(cases, caseOf{c.body + "\n# EOF\n", c.want}, caseOf{"a{b=\"x\",c=\"y\"} 1\na{b=\"x\"} 1\na 1\n" + c.body + "\na 1\n# EOF\n", c.want})
	}
	for _, line := range []string{
		"a  1", "a\t1", "a 1 ", "a 1  2", "a 1 2 ", " a 1", `a {b="c"} 1`, `a{ b="c"} 1`, `a{b ="c"} 1`, `a{b= "c"} 1`, `a{b="c" } 1`, `a{b="c", d="e"} 1`, `a{b="c"}1`, `a{ } 1`, "a{b=\"c\"}\t1",
		"a 1\t2", "a 1 2\t", "a 1 2\t3", "a 1 NaN", "a 1 Inf", "a 1 -inf", "a 1 #", "a 1 # ", "a 1 # x", "a 1 # {", `a 1 # {b="c"}`, `a 1 # {b="c"} `, `a 1 # {b="c"} x`, `a 1 # {b="c"} 1 x`, `a 1 # {b="c"} 1 NaN`, `a 1 # {b="c"} 1 2 3`, `a 1 # {b="c"} 1 `, `a 1  # {b="c"} 1`, `a 1 #{b="c"} 1`, `a 1 # {"b"} 1`, `a 1 # {b="c} 1`, `a 1 # {b=c} 1`, `a 1 # {,} 1`, `a 1 # {} 1 # {} 1`,
	} {
		cases = append(cases, caseOf{line + "\n# EOF\n", ""}, caseOf{"a{b=\"x\"} 1\na 1\n" + line + "\n# EOF\n", ""})
	}
	checkRefused(t, exposition.OpenMetrics, cases)
}
