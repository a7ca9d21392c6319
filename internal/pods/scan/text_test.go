package scan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

type caseOf struct{ body, want string }

func checkAccepted(t *testing.T, format exposition.Format, opts Options, cases []caseOf) {
	t.Helper()
	for _, c := range cases {
		x, err := scanned(t, format, c.body, opts)
		if err != nil {
			t.Errorf("%q: %v", c.body, err)
			continue
		}
		if diff := cmp.Diff(c.want, show(x)); diff != "" {
			t.Errorf("%q:\n%s", c.body, diff)
		}
	}
}

func checkRefused(t *testing.T, format exposition.Format, cases []caseOf) {
	t.Helper()
	for _, c := range cases {
		_, err := scanned(t, format, c.body, Options{})
		var bad *SyntaxError
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, c.want) {
			t.Errorf("%q: %v, want %q", c.body, err, c.want)
		}
	}
}

func TestText(t *testing.T) {
	checkAccepted(t, exposition.Text, Options{}, []caseOf{
		{"", ""},
		{"\n\n \t\n", ""},
		{"a 1", "a unknown\n- a 1 \"a 1\"\n"},
		{"a 1\n", "a unknown\n- a 1 \"a 1\\n\"\n"},
		{"\xef\xbb\xbfa 1\n", "a unknown\n- a 1 \"a 1\\n\"\n"},
		{"# HELP a b\n# TYPE a counter\na{b=\"c\"} 1\na{b=\"d\"} 2\n", "a counter help=\"b\"\n- a 2 \"a{b=\\\"c\\\"} 1\\na{b=\\\"d\\\"} 2\\n\"\n"},
		{"# HELP a\n", "a unknown help=\"\"\n"},
		{"# HELP a \\n\\\\ b\r\n", "a unknown help=\"\\\\n\\\\\\\\ b\"\n"},
		{"# HELP a b\xff\na 1\n", "a unknown\n- a 1 \"a 1\\n\"\n"},
		{"#\tTYPE \t a\tgauge\n", "a gauge\n"},
		{"# TYPE \"a.b\" gauge\n{\"a.b\"} 1\n", "a.b gauge\n- a.b 1 utf8 \"{\\\"a.b\\\"} 1\\n\"\n"},
		{"# TYPE a gauge\r\na 1\r\n", "a gauge\n- a 1 odd \"a 1\\r\\n\"\n"},
		{"# TYPE a untyped\n#TYPE a x\n#\n# \n# TYPE\n# HELPa\n# EOF\n# UNIT a b\na 1\n", "a unknown\n- a 1 \"a 1\\n\"\n"},
		{"a 1\n# x\na{b=\"c\"} 2\n", "a unknown\n- a 1 \"a 1\\n\"\n- a 1 \"a{b=\\\"c\\\"} 2\\n\"\n"},
		{"a 1\n\na{b=\"c\"} 2\n", "a unknown\n- a 1 \"a 1\\n\"\n- a 1 \"a{b=\\\"c\\\"} 2\\n\"\n"},
	})
	checkRefused(t, exposition.Text, []caseOf{
		{"<html>\n", "neither a name nor a comment"},
		{"{\"a\": 1}\n", "no equals sign"},
		{"\xef\xbb\xbf\xef\xbb\xbfa 1\n", "neither"},
		{"# TYPE a\n", "TYPE"},
		{"# TYPE a unknown\n", "TYPE"},
		{"# TYPE a info\n", "TYPE"},
		{"# TYPE a stateset\n", "TYPE"},
		{"# TYPE a gaugehistogram\n", "TYPE"},
		{"# TYPE a garbage\n", "TYPE"},
		{"# TYPE a  counter\n", "TYPE"},
		{"# TYPE a counter \n", "TYPE"},
		{"# TYPE 1 counter\n", "metric name"},
		{"# TYPE a.b counter\n", "metric name"},
		{"# TYPE \n", "metric name"},
		{"# HELP a\x00\n", "NUL"},
		{"a 1\n# \x00\n", "NUL"},
		{"# HELP \"\" b\n", "empty name"},
		{"# HELP \"\xff\" b\n", "UTF-8"},
	})
}

func TestTextSamples(t *testing.T) {
	one := func(line, flags string) caseOf {
		name := line[:strings.IndexAny(line, "{ \t")]
		return caseOf{name + "{first=\"\"} 0\n\n" + line + "\n", name + " unknown\n- " + name + " 1 " + fmt.Sprintf("%q", name+"{first=\"\"} 0\n") + "\n- " + name + " 1" + flags + " " + fmt.Sprintf("%q", line+"\n") + "\n"}
	}
	checkAccepted(t, exposition.Text, Options{}, []caseOf{
		one(`a 1`, ""), one(`a:b_9 1`, ""), one(`_ 1`, ""), one(`: 1`, ""),
		one(`a{b="c"} 1`, ""), one(`a{b=""} 1`, ""), one(`a{b="c",_9="e"} 1`, ""),
		one(`a{b="\\\"\n\x日é ! x"} 1`, ""), one("a{b=\"\t\r{}#,=\"} 1", ""), one("a{b=\"\\é\"} 1", ""),
		one(`a{b="0123456789012345678901234567"} 1`, ""),
		one(`a NaN`, ""), one(`a nan`, ""), one(`a Inf`, ""), one(`a +Inf`, ""), one(`a -Inf`, ""), one(`a infinity`, ""), one(`a +infinity`, ""),
		one(`a -0`, ""), one(`a 1e+06`, ""), one(`a 1E6`, ""), one(`a .5`, ""), one(`a 5.`, ""), one(`a +5`, ""), one(`a 1e-400`, ""), one(`a 1e308`, ""),
		one(`a 0.30000000000000004`, ""), one(`a -1.5e-7`, ""), one(`a `+strings.Repeat("1", 300), ""),
		one(`a 1 0`, " stamped"), one(`a 1 1395066363000`, " stamped"), one(`a 1 9223372036854775807`, " stamped"), one(`a{b="c"} 1.5 12`, " stamped"), one(`a NaN 12`, " stamped"),
		one(`a  1`, " odd"), one(`a{first="x"}  1`, " odd"), one("a\t1", " odd"), one(`a 1 `, " odd"), one(`a 1  2`, " odd,stamped"), one(`a 1 2 `, " odd,stamped"), one("a 1\r", " odd"), one("a 1 2\r", " odd,stamped"),
		one(`a {b="c"} 1`, " odd"), one(`a  {b="c"} 1`, " odd"), one(`a{ b = "c" , d = "e" } 1`, " odd"), one(`a{b="c",} 1`, " odd"), one(`a{} 1`, " odd"), one(`a{ } 1`, " odd"), one(`a{b="c"}1`, " odd"), one(`a{b="c"}  1`, " odd"), one("a{b=\"c\"}\t1", " odd"),
		one(`a{"b.c"="d"} 1`, " utf8"), one(`a{"b"="d"} 1`, " utf8"),
	})
	checkAccepted(t, exposition.Text, Options{}, []caseOf{
		{"a 1\na {b=\"c\"} 1\na  2\n", "a unknown\n- a 2 odd \"a 1\\na {b=\\\"c\\\"} 1\\n\"\n1 of 3 twice\n"},
		{" a 1\n", "a unknown\n- a 1 odd \" a 1\\n\"\n"},
		{"{\"a b\",c=\"d\"} 1\n", "a b unknown\n- a b 1 utf8 \"{\\\"a b\\\",c=\\\"d\\\"} 1\\n\"\n"},
		{"{c=\"d\",\"a b\"} 1\n", "a b unknown\n- a b 1 odd,utf8 \"{c=\\\"d\\\",\\\"a b\\\"} 1\\n\"\n"},
		{"{\"a\\\\\\\"\\nb\"} 1\n", "a\\\"\nb unknown\n- a\\\"\nb 1 utf8 \"{\\\"a\\\\\\\\\\\\\\\"\\\\nb\\\"} 1\\n\"\n"},
		{"# TYPE a gauge\n{\"a\"} 1\na{b=\"c\"} 1\n", "a gauge\n- a 2 utf8 \"{\\\"a\\\"} 1\\na{b=\\\"c\\\"} 1\\n\"\n"},
	})
}

// badLines are wrong in both text formats.
var badLines = []caseOf{
	{`a`, "no value"}, {`a `, ""}, {`a{b="c"}`, "no value"}, {`a{b="c"} `, ""},
	{`a b`, "not a number"}, {`a 1x`, "not a number"}, {`a 1,5`, "not a number"}, {`a -`, "not a number"}, {`a --1`, "not a number"}, {`a 1e`, "not a number"}, {`a 1.2.3`, "not a number"},
	{`a 1e400`, "out of range"}, {`a -1e400`, "out of range"}, {`a ` + strings.Repeat("9", 400), "out of range"}, {`a 0x1p3`, "not a number"}, {`a 0x1`, "not a number"}, {`a 1_000`, "not a number"}, {`a 0b1`, "not a number"}, {`a +nan`, "not a number"}, {`a infin`, "not a number"},
	{`a 1 2 3`, "more than"}, {`a 1 1e400`, "timestamp"}, {`a 1 x`, "timestamp"}, {`a 1 0x1p3`, "timestamp"},
	{`a.b 1`, ""}, {`1a 1`, "neither"}, {`a-b 1`, ""}, {"\xff 1", "neither"}, {"a\xff 1", ""}, {"é 1", "neither"},
	{`a{b="c" d="e"} 1`, "neither a comma"}, {`a{b="c"d="e"} 1`, "neither a comma"}, {`a{,} 1`, "valid name"}, {`a{b="c",,} 1`, "valid name"}, {`a{b="c"`, "neither a comma"}, {`a{`, "valid name"}, {`a{b`, "equals"}, {`a{b=`, "in quotes"}, {`a{b="`, "end on its line"}, {`a{b="c`, "end on its line"}, {`a{b="c\`, "end on its line"},
	{`a{b=c} 1`, "in quotes"}, {`a{b='c'} 1`, "in quotes"}, {`a{b:c="d"} 1`, "equals"}, {`a{9="d"} 1`, "valid name"}, {`a{b="c"}{d="e"} 1`, ""}, {`a{b="c"} {d="e"} 1`, ""}, {`a 1{`, "not a number"},
	{"a{b=\"c\nd\"} 1", "end on its line"}, {"a{b=\"c\\\nd\"} 1", "end on its line"}, {"a{b=\"c\xff\"} 1", "UTF-8"}, {"a{b=\"0123456789\xc3\"} 1", "UTF-8"}, {"a{b=\"c\x00\"} 1", "NUL"}, {"a 1\x00", "NUL"}, {"\x00", "NUL"}, {"a\x00b 1", "NUL"},
	{`a{b="c",b="d"} 1`, "one name"}, {`a{b="c","b"="d"} 1`, "one name"}, {`a{__name__="b"} 1`, "one name"}, {`a{` + manyEqual() + `} 1`, "one name"},
	{`{a="b"} 1`, "no metric name"}, {`{} 1`, "no metric name"}, {`{"a","b"} 1`, "second"}, {`a{"b"} 1`, "second"}, {`{""} 1`, "empty"}, {`a{""="b"} 1`, "empty"}, {"{\"\xff\"} 1", "UTF-8"}, {"a{\"\xff\"=\"b\"} 1", "UTF-8"},
	{"\r", ""}, {"a 1\r\r", "not a number"}, {"a\r 1", ""},
}

func manyEqual() string {
	var out strings.Builder
	for i := range 40 {
		out.WriteString("l" + strings.Repeat("x", i%39) + `="",`)
	}
	return out.String()
}

func TestTextRefused(t *testing.T) {
	var cases []caseOf
	for _, c := range badLines {
		if c.body == "\r" {
			continue // an empty line
		}
		cases = append(cases,
			caseOf{c.body + "\n", c.want},
			// Behind lines of the same shape.
			caseOf{"a{b=\"x\",c=\"y\"} 1\na{b=\"x\"} 1\na 1\n" + c.body + "\na 1\n", c.want},
			caseOf{"a{b=\"xxxxxxxxxxxxxxxxx\"} 1\na 1\n" + c.body + "\n" + strings.Repeat("a 1\n", 20), c.want})
	}
	cases = append(cases, []caseOf{
		{"a 1 -5\n", "whole number"}, {"a 1 1.5\n", "whole number"}, {"a 1 1e3\n", "whole number"}, {"a 1 +5\n", "whole number"},
		{"a 1 9223372036854775808\n", "out of range"}, {"a 1 99999999999999999999\n", "out of range"},
		{"a 1 # {b=\"c\"} 1\n", "timestamp"}, {"a 1 2 # {b=\"c\"} 1\n", "more than"}, {"a{b=\"c\"} 1 # {} 1\n", "timestamp"},
		{"a 1\r", "not a number"},
	}...)
	checkRefused(t, exposition.Text, cases)
}
