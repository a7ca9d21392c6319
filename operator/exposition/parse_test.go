package exposition_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestParseSamples(t *testing.T) {
	f := func(lines string, want ...metric.Sample) {
		t.Helper()
		got, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: "a"}, []byte(lines))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseSamples(%q) = %v, %v, want %v", lines, got, err, want)
		}
	}
	sample := func(v float64, labels ...string) metric.Sample {
		s := metric.Sample{Value: v}
		for i := 0; i < len(labels); i += 2 {
			s.Labels = append(s.Labels, metric.Label{Name: labels[i], Value: labels[i+1]})
		}
		return s
	}
	f("")
	f("\n\n")
	f("# HELP a b\n# TYPE a gauge\n# EOF\n#")
	f("a 1\n", sample(1))
	f("a 1", sample(1)) // no newline at the end
	f("a{} 1\n", sample(1))
	f("a 1\n\n# comment\na{x=\"1\"} -2.5e-3\n", sample(1), sample(-2.5e-3, "x", "1"))
	f("a +Inf\na -Inf\n", sample(math.Inf(1)), sample(math.Inf(-1)))
	f(`a{x="1",y=""} 1`, sample(1, "x", "1", "y", ""))
	f(`a{x="1",} 1`, sample(1, "x", "1"))
	f(`a{y="1",x="2"} 1`, sample(1, "y", "1", "x", "2")) // the order is kept
	f(`a{x="\\ \" \n"} 1`, sample(1, "x", "\\ \" \n"))
	f(`a{x="}, # {y=\"z\"} 2"} 1`, sample(1, "x", `}, # {y="z"} 2`))
	f("a{x=\"\r\t日本\"} 1", sample(1, "x", "\r\t日本"))

	nan, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: "a"}, []byte("a NaN\n"))
	if err != nil || len(nan) != 1 || !math.IsNaN(nan[0].Value) {
		t.Errorf("NaN gives %v, %v", nan, err)
	}
}

func TestParseSamplesErrors(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		got, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: "a"}, []byte("a 1\n"+lines))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("ParseSamples of %q: error %v, want one with %q in line 2", lines, err, want)
		}
		if len(got) != 1 {
			t.Errorf("ParseSamples of %q: %d samples, want the one before the error", lines, len(got))
		}
	}
	f("a", "no value")
	f("b 1", "not a sample of a")
	f("ab 1", "not a sample of a")
	f("a_total 1", "not a sample of a")
	f(" a 1", "not a sample of a")
	f("\r", "no value")
	f("a\t1", "no value")
	f("a ", "not a number")
	f("a x", "not a number")
	f("a  1", "not a number")
	f("a 1 1700000000.5", "not a timestamp in milliseconds")
	f("a 1 # {x=\"1\"} 1", "not a timestamp in milliseconds") // exemplars are of OpenMetrics
	f("a 1\r", "not a number")
	f("a 1e400", "not a number")
	f("a{", "expected a label")
	f("a{x", "expected a label")
	f("a{x}", "expected a label")
	f("a{x=1} 1", "expected a label")
	f(`a{,} 1`, "expected a label")
	f(`a{="1"} 1`, "expected a label")
	f(`a{ x="1"} 1`, "expected a label")
	f(`a{x-y="1"} 1`, "expected a label")
	f(`a{__x="1"} 1`, "expected a label")
	f(`a{x="1",,} 1`, "expected a label")
	f(`a{x="1", y="2"} 1`, "expected a label")
	f(`a{x="1"`, "expected a comma or a closing brace")
	f(`a{x="1"y="2"} 1`, "expected a comma or a closing brace")
	f(`a{x="1",`, "expected a label")
	f(`a{x="1} 1`, "no closing quote")
	f(`a{x="\`, "ends in a backslash")
	f(`a{x="\t"} 1`, `unknown escape \t`)
	f(`a{x="1"}1`, "no space before the value")
	f(`a{x="1"}`, "no space before the value")
	f(`a{x="1"} `, "not a number")
}

func TestParseSamplesOfAWriter(t *testing.T) {
	family := metric.Family{
		Desc: metric.Desc{Name: "a_total", Help: "Help \"me\"\n.", Type: metric.Counter},
		Samples: []metric.Sample{
			{Value: 1},
			{Labels: metric.Labels("x", "a\nb\\c\"d"), Value: 1e100},
			{Labels: metric.Labels("x", "", "y", "日本"), Value: math.Inf(1)},
		},
	}
	for name, format := range formats {
		text := body(t, format, true, func(w *exposition.Writer) { w.WriteFamily(family) })
		got, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: "a_total"}, []byte(text))
		if err != nil || !reflect.DeepEqual(got, family.Samples) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, family.Samples)
		}
	}
}
