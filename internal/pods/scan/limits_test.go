package scan

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestLimits(t *testing.T) {
	f := func(body string, opts Options, want string) {
		t.Helper()
		_, err := scanned(t, exposition.Text, body, opts)
		var limit *LimitError
		switch {
		case want == "" && err != nil:
			t.Errorf("%q %+v: %v", body, opts, err)
		case want != "" && (!errors.As(err, &limit) || limit.Limit != want || !strings.Contains(err.Error(), want)):
			t.Errorf("%q %+v: %v", body, opts, err)
		}
	}
	f("a 1\nb 1\n", Options{SampleLimit: 2}, "")
	f("a 1\nb 1\nc 1\n", Options{SampleLimit: 2}, "sample_limit")
	f("a 1\na 1\na 1\n", Options{SampleLimit: 2}, "sample_limit") // as Prometheus
	f("a 1\nb 1\nb{c=\"d\"} 1\n", Options{FamilyLimit: 2}, "")
	f("a 1\nb 1\nc 1\n", Options{FamilyLimit: 2}, "family_limit")
	f("# TYPE a gauge\n# HELP b b\n", Options{FamilyLimit: 1}, "family_limit")
	// The name is a label.
	f("a{b=\"c\"} 1\n", Options{LabelLimit: 2}, "")
	f("a{b=\"c\"} 1\n", Options{LabelLimit: 1}, "label_limit")
	f("a{b=\"c\",d=\"\"} 1\na{b=\"c\",d=\"\"} 1\n", Options{LabelLimit: 2}, "")
	f("a{b=\"c\",d=\"\"} 1\na{b=\"c\",d=\"e\"} 1\n", Options{LabelLimit: 2}, "label_limit")
	f("a{b=\"c\",d=\"e\"} 1\na{b=\"d\",d=\"e\"} 1\n", Options{LabelLimit: 3}, "")
	f("a 1\n", Options{LabelNameLengthLimit: 7}, "label_name_length_limit")
	f("a{b2345678=\"c\"} 1\n", Options{LabelNameLengthLimit: 8}, "")
	f("a{b=\"c\"} 1\na{b23456789=\"c\"} 1\n", Options{LabelNameLengthLimit: 8}, "label_name_length_limit")
	f("a{b23456789=\"\"} 1\n", Options{LabelNameLengthLimit: 8}, "")
	f("abc 1\n", Options{LabelValueLengthLimit: 2}, "label_value_length_limit")
	f("a{b=\"12\"} 1\na{b=\"34\"} 1\n", Options{LabelValueLengthLimit: 2}, "")
	f("a{b=\"12\"} 1\na{b=\"345\"} 1\n", Options{LabelValueLengthLimit: 2}, "label_value_length_limit")
	f("a{b=\"é\"} 1\na{b=\"é\\\"\"} 1\n", Options{LabelValueLengthLimit: 2}, "label_value_length_limit")
	f("a{b=\"12\"} 1\na{b=\"\\\"\\n\"} 1\na{b=\"\\\\2\"} 1\n", Options{LabelValueLengthLimit: 2}, "")
}

func TestReserved(t *testing.T) {
	opts := Options{Reserved: []string{"pod", "", "namespace"}}
	checkAccepted(t, exposition.Text, opts, []caseOf{
		{"a{p=\"c\",pods=\"d\",pot=\"e\"} 1\n", "a unknown\n- a 1 \"a{p=\\\"c\\\",pods=\\\"d\\\",pot=\\\"e\\\"} 1\\n\"\n"},
		{"a{pod=\"c\"} 1\n", "a unknown\n- a 1 reserved \"a{pod=\\\"c\\\"} 1\\n\"\n"},
		{"a 1\n\na{b=\"c\",\"namespace\"=\"c\"} 1\n", "a unknown\n- a 1 \"a 1\\n\"\n- a 1 utf8,reserved \"a{b=\\\"c\\\",\\\"namespace\\\"=\\\"c\\\"} 1\\n\"\n"},
		{"b{b=\"c\",pod=\"1\"} 1\nb{b=\"c\",pod=\"2\"} 1\n", "b unknown\n- b 2 reserved \"b{b=\\\"c\\\",pod=\\\"1\\\"} 1\\nb{b=\\\"c\\\",pod=\\\"2\\\"} 1\\n\"\n"},
	})
}

func TestDuplicates(t *testing.T) {
	checkAccepted(t, exposition.Text, Options{}, []caseOf{
		{"a 1\na 2\n", "a unknown\n- a 1 \"a 1\\n\"\n1 of 2 twice\n"},
		{"a 1\na 2\na{b=\"c\"} 3\na 4\n a{b=\"c\"} 5\nb 6", "a unknown\nb unknown\n- a 1 odd \"a 1\\n\"\n- a 1 odd \"a{b=\\\"c\\\"} 3\\n\"\n- b 1 \"b 6\"\n3 of 6 twice\n"},
		{"# TYPE a histogram\na_sum 1\na_count 1\n# TYPE b gauge\nb 1\na_sum 1", "a histogram\nb gauge\n- a 2 \"a_sum 1\\na_count 1\\n\"\n- b 1 \"b 1\\n\"\n1 of 4 twice\n"},
		{"a 1\n{\"a\"} 2\n", "a unknown\n- a 2 utf8 \"a 1\\n{\\\"a\\\"} 2\\n\"\n"}, // told apart by their text
		{"{\"a b\"} 1\n{\"a b\",c=\"d\"} 1\n{\"a b\"} 2\n", "a b unknown\n- a b 2 utf8 \"{\\\"a b\\\"} 1\\n{\\\"a b\\\",c=\\\"d\\\"} 1\\n\"\n1 of 3 twice\n"},
		{"a{b=\"x\\\"}\"} 1\na{b=\"x\\\"} \"} 1\na{b=\"x\\\"}\"} 2\n", "a unknown\n- a 2 \"a{b=\\\"x\\\\\\\"}\\\"} 1\\na{b=\\\"x\\\\\\\"} \\\"} 1\\n\"\n1 of 3 twice\n"},
	})
}

// TestMemory: what differs from the last time is looked at.
func TestMemory(t *testing.T) {
	body := func(i int) []byte {
		var out strings.Builder
		for n := range 100 {
			fmt.Fprintf(&out, "a{b=\"%d\",c=\"d e %d\"} %d\n", n, n/i, n*i)
		}
		return []byte(out.String())
	}
	var x Exposition
	var m Memory
	sums := map[uint64]bool{}
	for i := 1; i < 20; i++ {
		for range 2 {
			if err := x.Scan(body(i), Options{Memory: &m}); err != nil || x.Duplicates != 0 || m.samples != 100 {
				t.Fatal(err, x.Duplicates, m)
			}
			sums[m.sum] = true
		}
	}
	if len(sums) != 19 {
		t.Errorf("%d different sums", len(sums))
	}
	twice := append(body(1), body(1)...)
	for range 2 {
		if err := x.Scan(twice, Options{Memory: &m}); err != nil || x.Duplicates != 100 || m != (Memory{}) {
			t.Fatal(err, x.Duplicates, m)
		}
	}
}

// TestAllocations: a scan of the same target makes no garbage.
func TestAllocations(t *testing.T) {
	protobuf := familyOf("a", 4, histogramOf(nativeOne)) + familyOf("b", 1, pair("b", "c")+gaugeOne, pair("b", "d")+gaugeOne)
	for format, body := range map[exposition.Format][]byte{
		exposition.Text: clientBody(exposition.Text), exposition.OpenMetrics: clientBody(exposition.OpenMetrics), exposition.Protobuf: []byte(protobuf),
	} {
		x := Exposition{Format: format}
		var m Memory
		// The race detector has pools forget now and then.
		for name, opts := range map[string]Options{"steady": {Memory: &m}, "fresh": {}} {
			least := math.Inf(1) // others empty pools in between
			for range 3 {
				least = min(least, testing.AllocsPerRun(5, func() {
					if err := x.Scan(body, opts); err != nil {
						t.Fatal(err)
					}
				}))
			}
			if least > 1 || least > 0 && name == "steady" {
				t.Errorf("%v, %s: %v allocations", format, name, least)
			}
		}
	}
}

// TestReuse: nothing of a body shows in what is found in the next one.
func TestReuse(t *testing.T) {
	bodies := seeds()
	var x Exposition
	var m Memory
	for i := range 3 * len(bodies) {
		body := []byte(bodies[i*7%len(bodies)])
		x.Format = exposition.Format(i % 2)
		fresh := Exposition{Format: x.Format}
		want, got := fresh.Scan(body, Options{}), x.Scan(body, Options{Memory: &m})
		if fmt.Sprint(want) != fmt.Sprint(got) || want == nil && show(&x) != show(&fresh) {
			t.Fatalf("%q: %v, want %v\n%swant\n%s", body, got, want, show(&x), show(&fresh))
		}
	}
}

func TestSyntaxError(t *testing.T) {
	x := Exposition{}
	err := x.Scan([]byte("a 1\n# x\nb "+strings.Repeat("x", 100)+"\nc 1\n"), Options{})
	want := "line 3: the value is not a number: \"b " + strings.Repeat("x", 48) + "\""
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestInvalidLines(t *testing.T) {
	for _, c := range []struct {
		format  exposition.Format
		body    string
		most    int
		want    string // what is found, or a part of the error
		invalid int
	}{
		{exposition.Text, "a 1\n{\na{b=\"c\"} 2\n", 1, "a unknown\n- a 1 \"a 1\\n\"\n- a 1 \"a{b=\\\"c\\\"} 2\\n\"\n", 1},
		{exposition.Text, "<\n>\na 1", 2, "a unknown\n- a 1 \"a 1\"\n", 2},
		{exposition.Text, "<\n>\na 1", 1, "line 2: ", 1},
		{exposition.Text, "a 1\na 2 x\na{} 1e999", 5, "a unknown\n- a 1 \"a 1\\n\"\n", 2},
		{exposition.Text, "# TYPE a x\na 1\n", 5, "a unknown\n- a 1 \"a 1\\n\"\n", 1},
		{exposition.OpenMetrics, "a 1\n\n# EOF\n", 5, "a unknown\n- a 1 \"a 1\\n\"\n", 1},
		{exposition.OpenMetrics, "a 1\n# EOF\n\n", 5, "behind # EOF", 0},
		{exposition.OpenMetrics, "a 1\n# EOF x\n", 5, "no # EOF", 1},
		{exposition.OpenMetrics, "a 1\n# EO", 5, "no # EOF", 1},
		{exposition.Protobuf, "\x05a 1\n", 5, "not complete", 0},
	} {
		x := &Exposition{Format: c.format}
		err := x.Scan([]byte(c.body), Options{InvalidLines: c.most})
		got := show(x)
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) || x.Invalid != c.invalid {
			t.Errorf("%q: %d lines left out, got\n%swant %d and\n%s", c.body, x.Invalid, got, c.invalid, c.want)
		}
	}
}
