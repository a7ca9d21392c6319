package exposition_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// typesOf returns the types that samples like s are of, or for numbers the one
// that has exemplars.
func typesOf(s metric.Sample) []metric.Type {
	switch {
	case s.Histogram != nil:
		return []metric.Type{metric.Histogram, metric.GaugeHistogram}
	case s.Summary != nil:
		return []metric.Type{metric.Summary}
	default:
		return []metric.Type{metric.Counter}
	}
}

// linesTest returns an f-test of AppendLines, for both formats.
func linesTest(t *testing.T) (f func(name string, s metric.Sample, text, openMetrics string), same func(name string, s metric.Sample, want string)) {
	f = func(name string, s metric.Sample, text, openMetrics string) {
		t.Helper()
		for format, want := range map[exposition.Format]string{exposition.Text: text, exposition.OpenMetrics: openMetrics} {
			want = "b 1\n" + want
			for _, typ := range typesOf(s) {
				got := string(exposition.AppendLines([]byte("b 1\n"), format, metric.Desc{Name: name, Type: typ}, &s))
				if got != want {
					t.Errorf("%s in format %d:\n%swant\n%s", typ, format, got, want)
				}
			}
		}
	}
	same = func(name string, s metric.Sample, want string) {
		t.Helper()
		f(name, s, want, want)
	}
	return f, same
}

func TestAppendLinesOfNumbers(t *testing.T) {
	f, same := linesTest(t)
	same("a", metric.Sample{Value: 1}, "a 1\n")
	same("a", metric.Sample{Labels: []metric.Label{}, Value: 0.5}, "a 0.5\n")
	same("a:b", metric.Sample{Labels: metric.Labels("x", "1", "y", ""), Value: math.NaN()}, `a:b{x="1",y=""} NaN`+"\n")
	same("a", metric.Sample{Labels: metric.Labels("x", "\\\"\n日本\xff"), Value: math.Inf(-1)}, `a{x="\\\"\n日本`+"\ufffd"+`"} -Inf`+"\n")

	// Names that are not legacy names. A label has no colon.
	same("a.b", metric.Sample{Value: 1}, `{"a.b"} 1`+"\n")
	same("日本", metric.Sample{Labels: metric.Labels("x", "1"), Value: 1}, `{"日本",x="1"} 1`+"\n")
	same("\"\\\n", metric.Sample{Value: 1}, `{"\"\\\n"} 1`+"\n")
	same("a", metric.Sample{Labels: metric.Labels("k8s.io/x", "1", "y", "2"), Value: 1}, `a{"k8s.io/x"="1",y="2"} 1`+"\n")
	same("a", metric.Sample{Labels: metric.Labels("x", "1", "x:y", "2", "{\"\n\\", "3"), Value: 1}, `a{x="1","x:y"="2","{\"\n\\"="3"} 1`+"\n")
	same("0", metric.Sample{Labels: metric.Labels("0", "1"), Value: 1}, `{"0","0"="1"} 1`+"\n")

	// Milliseconds, and seconds.
	at := func(ms int64) metric.Sample { return metric.Sample{Value: 1, Time: time.UnixMilli(ms)} }
	f("a", at(1700000000123), "a 1 1700000000123\n", "a 1 1700000000.123\n")
	f("a", at(1700000000000), "a 1 1700000000000\n", "a 1 1700000000\n")
	f("a", at(1700000000120), "a 1 1700000000120\n", "a 1 1700000000.12\n")
	f("a", at(-1), "a 1 -1\n", "a 1 -0.001\n")
	f("a", at(-123456789012), "a 1 -123456789012\n", "a 1 -123456789.012\n")
	f("a", at(0), "a 1 0\n", "a 1 0\n") // 1970 is a time like any other
	f("a", metric.Sample{Time: time.Unix(1, 999_999)}, "a 0 1000\n", "a 0 1\n")
	f("a", metric.Sample{Time: time.Unix(-2, 999_999_999)}, "a 0 -1001\n", "a 0 -1.001\n") // never later than it was
	f("a.b", metric.Sample{Value: 1, Time: time.UnixMilli(1)}, `{"a.b"} 1 1`+"\n", `{"a.b"} 1 0.001`+"\n")

	// Exemplars and created times.
	exemplar := func(e metric.Exemplar) metric.Sample { return metric.Sample{Value: 1, Exemplar: &e} }
	f("a_total", exemplar(metric.Exemplar{Labels: metric.Labels("trace_id", "x\"y"), Value: 0.5}), "a_total 1\n", `a_total 1 # {trace_id="x\"y"} 0.5`+"\n")
	f("a_total", exemplar(metric.Exemplar{Value: 2}), "a_total 1\n", "a_total 1 # {} 2\n")
	f("a_total", exemplar(metric.Exemplar{Labels: []metric.Label{{Name: "b_c", Value: "1"}, {Name: "a", Value: "2"}}, Time: time.UnixMilli(1500)}), "a_total 1\n", `a_total 1 # {b_c="1",a="2"} 0 1.5`+"\n")
	f("a.b", exemplar(metric.Exemplar{Value: 2}), `{"a.b"} 1`+"\n", `{"a.b"} 1 # {} 2`+"\n")
	s := exemplar(metric.Exemplar{Labels: metric.Labels("x", "1"), Value: math.Inf(1), Time: time.UnixMilli(1700000000001)})
	s.Time, s.Created = time.UnixMilli(1700000000999), time.UnixMilli(5)
	f("a_total", s, "a_total 1 1700000000999\n", `a_total 1 1700000000.999 # {x="1"} +Inf 1700000000.001`+"\n")
}

// TestAppendLinesOfExemplars: what OpenMetrics has no place for is left out.
func TestAppendLinesOfExemplars(t *testing.T) {
	lines := func(format exposition.Format, typ metric.Type, s metric.Sample) string {
		return string(exposition.AppendLines(nil, format, metric.Desc{Name: "a", Type: typ}, &s))
	}
	f := func(labels []metric.Label, want string) {
		t.Helper()
		e := &metric.Exemplar{Labels: labels, Value: 2}
		if want != "" {
			want = " # " + want + " 2"
		}
		if got := lines(exposition.OpenMetrics, metric.Counter, metric.Sample{Value: 1, Exemplar: e}); got != "a 1"+want+"\n" {
			t.Errorf("counter: %q, want it to end in %q", got, want)
		}
		h := &metric.HistogramValue{Count: 1, Buckets: []metric.Bucket{{UpperBound: 3, Count: 1, Exemplar: e}, {UpperBound: math.Inf(1), Count: 1, Exemplar: e}}}
		for _, typ := range []metric.Type{metric.Histogram, metric.GaugeHistogram} {
			wantLines := "a_bucket{le=\"3.0\"} 1" + want + "\na_bucket{le=\"+Inf\"} 1" + want + "\na_sum 0\na_count 1\n"
			if got := lines(exposition.OpenMetrics, typ, metric.Sample{Histogram: h}); got != wantLines {
				t.Errorf("%s:\n%swant\n%s", typ, got, wantLines)
			}
		}

		// Neither other types have exemplars, nor does the text format.
		number := metric.Sample{Value: 1, Exemplar: e}
		for _, typ := range []metric.Type{metric.Unknown, metric.Gauge, metric.Info, metric.StateSet} {
			if got := lines(exposition.OpenMetrics, typ, number); got != "a 1\n" {
				t.Errorf("%s: %q, want no exemplar", typ, got)
			}
		}
		summary := metric.Sample{Exemplar: e, Summary: &metric.SummaryValue{Count: 1, Quantiles: quantiles(0.5, 1)}}
		if got := lines(exposition.OpenMetrics, metric.Summary, summary); strings.Contains(got, "#") {
			t.Errorf("summary: %q, want no exemplar", got)
		}
		for _, got := range []string{lines(exposition.Text, metric.Counter, number), lines(exposition.Text, metric.Histogram, metric.Sample{Histogram: h})} {
			if strings.Contains(got, "#") {
				t.Errorf("text: %q, want no exemplar", got)
			}
		}
	}
	f(nil, "{}")
	f(metric.Labels("t", "1"), `{t="1"}`)
	f(metric.Labels("a", "1", "_b9", ""), `{_b9="",a="1"}`)

	// Names that are not legacy names, wherever they stand.
	f(metric.Labels("a.b", "1"), "")
	f(metric.Labels("a:b", "1"), "")
	f(metric.Labels("0", "1"), "")
	f(metric.Labels("a", "1", "日本", "2"), "")
	f(metric.Labels("a", "1", "b c", "2", "d", "3"), "")

	// 128 characters: names count, and a character is one, whatever its bytes
	// and escapes.
	x := func(n int) string { return strings.Repeat("x", n) }
	f(metric.Labels("t", x(127)), `{t="`+x(127)+`"}`)
	f(metric.Labels("t", x(128)), "")
	f(metric.Labels(x(128), ""), "{"+x(128)+`=""}`)
	f(metric.Labels(x(129), ""), "")
	f(metric.Labels("a", x(63), "b", x(63)), `{a="`+x(63)+`",b="`+x(63)+`"}`)
	f(metric.Labels("a", x(63), "b", x(64)), "")
	f(metric.Labels("a", x(63), "bb", x(63)), "")
	f(metric.Labels("t", strings.Repeat("日", 127)), `{t="`+strings.Repeat("日", 127)+`"}`)
	f(metric.Labels("t", strings.Repeat("日", 128)), "")
	f(metric.Labels("t", strings.Repeat("\n", 127)), `{t="`+strings.Repeat(`\n`, 127)+`"}`)
}

func TestAppendLinesOfHistograms(t *testing.T) {
	f, same := linesTest(t)
	same("a", metric.Sample{Histogram: &metric.HistogramValue{}}, "a_bucket{le=\"+Inf\"} 0\na_sum 0\na_count 0\n")

	// OpenMetrics wants bounds to look like floats, and only bounds.
	bounds := []float64{math.Inf(-1), -1, 0, 1e-9, 0.5, 1, 10, 123456, 1e6, 1.5e6, 1e21, math.Inf(1)}
	var h metric.HistogramValue
	for i, b := range bounds {
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: b, Count: float64(i)})
	}
	h.Count, h.Sum = 11, 1
	f("a", metric.Sample{Histogram: &h}, `a_bucket{le="-Inf"} 0
a_bucket{le="-1"} 1
a_bucket{le="0"} 2
a_bucket{le="1e-09"} 3
a_bucket{le="0.5"} 4
a_bucket{le="1"} 5
a_bucket{le="10"} 6
a_bucket{le="123456"} 7
a_bucket{le="1e+06"} 8
a_bucket{le="1.5e+06"} 9
a_bucket{le="1e+21"} 10
a_bucket{le="+Inf"} 11
a_sum 1
a_count 11
`, `a_bucket{le="-Inf"} 0
a_bucket{le="-1.0"} 1
a_bucket{le="0.0"} 2
a_bucket{le="1e-09"} 3
a_bucket{le="0.5"} 4
a_bucket{le="1.0"} 5
a_bucket{le="10.0"} 6
a_bucket{le="123456.0"} 7
a_bucket{le="1e+06"} 8
a_bucket{le="1.5e+06"} 9
a_bucket{le="1e+21"} 10
a_bucket{le="+Inf"} 11
a_sum 1
a_count 11
`)

	// The bucket +Inf is added where it is missing. Exemplars are of buckets;
	// the time is that of every line; native buckets are not text.
	f("a.b", metric.Sample{
		Labels: metric.Labels("k8s.io/x", "1", "z", "2"),
		Time:   time.UnixMilli(1500),
		Histogram: &metric.HistogramValue{
			Count: 2.5, Sum: math.NaN(),
			Buckets: []metric.Bucket{{UpperBound: 2, Count: 1.25, Exemplar: &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: 1.5, Time: time.UnixMilli(1)}}},
			Native:  &metric.NativeHistogram{ZeroCount: 2.5, Exemplars: []metric.Exemplar{{Value: 7, Time: time.UnixMilli(1)}}},
		},
	}, `{"a.b_bucket","k8s.io/x"="1",z="2",le="2"} 1.25 1500
{"a.b_bucket","k8s.io/x"="1",z="2",le="+Inf"} 2.5 1500
{"a.b_sum","k8s.io/x"="1",z="2"} NaN 1500
{"a.b_count","k8s.io/x"="1",z="2"} 2.5 1500
`, `{"a.b_bucket","k8s.io/x"="1",z="2",le="2.0"} 1.25 1.5 # {t="1"} 1.5 0.001
{"a.b_bucket","k8s.io/x"="1",z="2",le="+Inf"} 2.5 1.5
{"a.b_sum","k8s.io/x"="1",z="2"} NaN 1.5
{"a.b_count","k8s.io/x"="1",z="2"} 2.5 1.5
`)
}

// quantiles makes quantiles of alternating shares and values.
func quantiles(pairs ...float64) []metric.Quantile {
	var out []metric.Quantile
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, metric.Quantile{Quantile: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func TestAppendLinesOfSummaries(t *testing.T) {
	f, same := linesTest(t)
	same("a", metric.Sample{Summary: &metric.SummaryValue{}}, "a_sum 0\na_count 0\n")
	s := metric.Sample{Labels: metric.Labels("x", "1"), Summary: &metric.SummaryValue{
		Count: 1e6, Sum: -0.5,
		Quantiles: quantiles(0, -3, 0.5, math.NaN(), 0.999, math.Inf(1), 1, 1),
	}}
	f("a", s, `a{x="1",quantile="0"} -3
a{x="1",quantile="0.5"} NaN
a{x="1",quantile="0.999"} +Inf
a{x="1",quantile="1"} 1
a_sum{x="1"} -0.5
a_count{x="1"} 1e+06
`, `a{x="1",quantile="0.0"} -3
a{x="1",quantile="0.5"} NaN
a{x="1",quantile="0.999"} +Inf
a{x="1",quantile="1.0"} 1
a_sum{x="1"} -0.5
a_count{x="1"} 1e+06
`)
	s = metric.Sample{Time: time.UnixMilli(-1), Summary: &metric.SummaryValue{Count: 1, Sum: 2, Quantiles: quantiles(0.5, 2)}}
	f("日本", s, `{"日本",quantile="0.5"} 2 -1
{"日本_sum"} 2 -1
{"日本_count"} 1 -1
`, `{"日本",quantile="0.5"} 2 -0.001
{"日本_sum"} 2 -0.001
{"日本_count"} 1 -0.001
`)
}

// TestAppendLinesLikeAppendSample: for numbers of legacy names there is no
// difference.
func TestAppendLinesLikeAppendSample(t *testing.T) {
	s := metric.Sample{Labels: metric.Labels("x", "a\\b\"\n", "y", "日本\xff"), Value: 123456.5}
	want := string(exposition.AppendSample(nil, "a", s.Labels, s.Value))
	for name, format := range formats {
		if got := string(exposition.AppendLines(nil, format, metric.Desc{Name: "a"}, &s)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestWriterOfAllTypes is what a family of each type looks like, header and all.
func TestWriterOfAllTypes(t *testing.T) {
	histogram := &metric.HistogramValue{Count: 1, Sum: 2, Buckets: []metric.Bucket{{UpperBound: 3, Count: 1}}}
	families := []metric.Family{
		{Desc: metric.Desc{Name: "a.seconds_total", Help: "A.", Unit: "seconds", Type: metric.Counter}, Samples: []metric.Sample{{Value: 1}}},
		{Desc: metric.Desc{Name: "b", Type: metric.Gauge}, Samples: []metric.Sample{{Value: 1}}},
		{Desc: metric.Desc{Name: "c", Type: metric.Unknown}, Samples: []metric.Sample{{Value: 1}}},
		{Desc: metric.Desc{Name: "d_info", Type: metric.Info}, Samples: []metric.Sample{{Value: 1}}},
		{Desc: metric.Desc{Name: "e", Type: metric.StateSet}, Samples: []metric.Sample{{Value: 1}}},
		{Desc: metric.Desc{Name: "f", Type: metric.Summary}, Samples: []metric.Sample{{Summary: &metric.SummaryValue{Count: 1}}}},
		{Desc: metric.Desc{Name: "g", Type: metric.Histogram}, Samples: []metric.Sample{{Histogram: histogram}}},
		{Desc: metric.Desc{Name: "h\n", Type: metric.GaugeHistogram}, Samples: []metric.Sample{{Histogram: histogram}}},
	}
	write := func(w *exposition.Writer) {
		for _, f := range families {
			w.WriteFamily(f)
		}
	}
	text := `# HELP "a.seconds_total" A.
# TYPE "a.seconds_total" counter
{"a.seconds_total"} 1
# TYPE b gauge
b 1
# TYPE c untyped
c 1
# TYPE d_info gauge
d_info 1
# TYPE e gauge
e 1
# TYPE f summary
f_sum 0
f_count 1
# TYPE g histogram
g_bucket{le="3"} 1
g_bucket{le="+Inf"} 1
g_sum 2
g_count 1
# TYPE "h\n" histogram
{"h\n_bucket",le="3"} 1
{"h\n_bucket",le="+Inf"} 1
{"h\n_sum"} 2
{"h\n_count"} 1
`
	openMetrics := strings.NewReplacer(
		`# HELP "a.seconds_total" A.`, `# HELP "a.seconds" A.`,
		`# TYPE "a.seconds_total" counter`, `# TYPE "a.seconds" counter`+"\n"+`# UNIT "a.seconds" seconds`,
		"untyped", "unknown",
		"# TYPE d_info gauge", "# TYPE d info",
		`"h\n" histogram`, `"h\n" gaugehistogram`,
		`le="3"`, `le="3.0"`,
	).Replace(text) + "# EOF\n"
	for _, compress := range []bool{false, true} {
		if got := body(t, exposition.Text, compress, write); got != text {
			t.Errorf("text, compress %v:\n%swant\n%s", compress, got, text)
		}
		if got := body(t, exposition.OpenMetrics, compress, write); got != openMetrics {
			t.Errorf("OpenMetrics, compress %v:\n%swant\n%s", compress, got, openMetrics)
		}
	}
}
