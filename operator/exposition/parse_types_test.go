package exposition_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestParseSamplesOfOpenMetrics(t *testing.T) {
	f := func(lines string, want ...metric.Sample) {
		t.Helper()
		got, err := exposition.ParseSamples(exposition.OpenMetrics, metric.Desc{Name: "a.b", Type: metric.Counter}, []byte(lines))
		if err != nil || dumpSamples(got) != dumpSamples(want) {
			t.Errorf("ParseSamples(%q) = %v\n%swant\n%s", lines, err, dumpSamples(got), dumpSamples(want))
		}
	}
	number := metric.Sample{Value: 1}
	at := func(ms int64) metric.Sample { return metric.Sample{Value: 1, Time: time.UnixMilli(ms)} }
	exemplar := func(e metric.Exemplar) metric.Sample { return metric.Sample{Value: 1, Exemplar: &e} }
	f(`{"a.b"} 1`, number)
	f(`{"a.b",} 1`, number)
	f("# TYPE \"a.b\" counter\n{\"a.b\"} 1\n# EOF\n", number)
	f(`{"a.b","k8s.io/y"="\"\\\n",x="1",} 1`, metric.Sample{Labels: metric.Labels("k8s.io/y", "\"\\\n", "x", "1"), Value: 1})

	f(`{"a.b"} 1 0`, at(0))
	f(`{"a.b"} 1 1`, at(1000))
	f(`{"a.b"} 1 1.5e3`, at(1500000))
	f(`{"a.b"} 1 -0.001`, at(-1))
	f(`{"a.b"} 1 0.0015`, at(2))  // the nearest millisecond
	f(`{"a.b"} 1 0.001`, at(1))   // which is less than 1 before it is multiplied
	f(`{"a.b"} 1 4.35`, at(4350)) // and so is this
	f(`{"a.b"} 1 1e12`, at(1e15))

	f(`{"a.b"} 1 # {} 2`, exemplar(metric.Exemplar{Value: 2}))
	f(`{"a.b"} 1 # {x="1","y.z"=" # ",} NaN 3.5`, exemplar(metric.Exemplar{Labels: metric.Labels("x", "1", "y.z", " # "), Value: math.NaN(), Time: time.UnixMilli(3500)}))
	f(`{"a.b",x=" # {} 1"} 1`, metric.Sample{Labels: metric.Labels("x", " # {} 1"), Value: 1})
}

func TestParseSamplesOfOpenMetricsErrors(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		got, err := exposition.ParseSamples(exposition.OpenMetrics, metric.Desc{Name: "a"}, []byte("a 1\n"+line+"\na 2\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: "+want) || !strings.Contains(err.Error(), "a") {
			t.Errorf("ParseSamples of %q: error %v, want one with %q in line 2", line, err, want)
		}
		if len(got) != 1 {
			t.Errorf("ParseSamples of %q: %d samples, want the one before the error", line, len(got))
		}
	}
	f(`{"b"} 1`, "not a sample of a")
	f(`{""} 1`, "not a sample of a")
	f(`{"a_total"} 1`, "not a sample of a")
	f(`{"a`, "the label value has no closing quote")
	f(`{"a"`, "expected a comma or a closing brace behind the name")
	f(`{"a"x="1"} 1`, "expected a comma or a closing brace behind the name")
	f(`{"a" } 1`, "expected a comma or a closing brace behind the name")
	f(`{"a",,} 1`, "expected a label")
	f(`{"a","x"} 1`, "expected a label")
	f(`{"a",""="1"} 1`, "expected a label")
	f(`{"a","__x"="1"} 1`, "expected a label")
	f("{\"a\",\"\xff\"=\"1\"} 1", "expected a label")
	f(`{"a","x`, "the label value has no closing quote")
	f(`{"a"}1`, "no space before the value")
	f(`{x="1"} 1`, "not a sample of a")

	f(`a 1 x`, "not a timestamp in seconds")
	f(`a 1 `, "not a timestamp in seconds")
	f(`a 1 NaN`, "not a timestamp in seconds")
	f(`a 1 +Inf`, "not a timestamp in seconds")
	f(`a 1 1.1e12`, "not a timestamp in seconds")
	f(`a 1 -1.1e12`, "not a timestamp in seconds")
	f(`a 1 1 1`, "not a timestamp in seconds")

	f(`a 1 # `, "expected the labels of an exemplar")
	f(`a 1 # x`, "expected the labels of an exemplar")
	f(`a 1 # {`, "expected a label")
	f(`a 1 # {x="1"`, "expected a comma or a closing brace")
	f(`a 1 # {}`, "no space before the value of the exemplar")
	f(`a 1 # {} `, "not a number")
	f(`a 1 # {} 1 x`, "not a timestamp in seconds")
	f(`a 1 # {} 1 # {} 1`, "not a timestamp in seconds")
	f(`a # {} 1`, "no space before the value")
}

func TestParseSamplesOfHistograms(t *testing.T) {
	f := func(lines string, want ...metric.Sample) {
		t.Helper()
		for _, typ := range []metric.Type{metric.Histogram, metric.GaugeHistogram} {
			got, err := exposition.ParseSamples(exposition.OpenMetrics, metric.Desc{Name: "a", Type: typ}, []byte(lines))
			if err != nil || dumpSamples(got) != dumpSamples(want) {
				t.Errorf("ParseSamples(%q) = %v\n%swant\n%s", lines, err, dumpSamples(got), dumpSamples(want))
			}
		}
	}
	sample := func(h metric.HistogramValue, labels ...string) metric.Sample {
		return metric.Sample{Labels: metric.Labels(labels...), Histogram: &h}
	}
	bucket := func(bound, count float64) metric.Bucket { return metric.Bucket{UpperBound: bound, Count: count} }
	whole := metric.HistogramValue{Count: 2, Sum: 3, Buckets: []metric.Bucket{bucket(1, 1), bucket(math.Inf(1), 2)}}
	other := metric.HistogramValue{Count: 5, Sum: 6, Buckets: []metric.Bucket{bucket(math.Inf(1), 5)}}
	f("")
	f("a_bucket{le=\"1.0\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n", sample(whole))
	f("a_count 2\na_sum 3\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\n", sample(whole)) // sum and count may come first
	f("{\"a_bucket\",le=\"+Inf\"} 5\n{\"a_sum\"} 6\n{\"a_count\"} 5", sample(other))
	f("a_count 2\n", sample(metric.HistogramValue{Count: 2}))

	// le stands anywhere, and is no label of the sample.
	f("a_bucket{le=\"+Inf\",x=\"1\",y=\"2\"} 5\na_bucket{x=\"1\",le=\"+Inf\",y=\"2\"} 5\na_bucket{x=\"1\",y=\"2\",le=\"+Inf\"} 5\n",
		sample(metric.HistogramValue{Buckets: []metric.Bucket{bucket(math.Inf(1), 5), bucket(math.Inf(1), 5), bucket(math.Inf(1), 5)}}, "x", "1", "y", "2"))

	// Samples may be mixed.
	f("a_bucket{x=\"1\",le=\"1\"} 1\na_bucket{x=\"2\",le=\"+Inf\"} 5\na_bucket{x=\"1\",le=\"+Inf\"} 2\na_sum{x=\"2\"} 6\na_sum{x=\"1\"} 3\na_count{x=\"2\"} 5\na_count{x=\"1\"} 2\n",
		sample(whole, "x", "1"), sample(other, "x", "2"))

	// le is a label like any other where there is no bucket.
	f("a_sum{le=\"1\"} 3\na_count{le=\"1\"} 2\n", sample(metric.HistogramValue{Count: 2, Sum: 3}, "le", "1"))
	f("a_bucket{le=\"+Inf\"} 5\na_count{le=\"x\"} 2\n",
		sample(metric.HistogramValue{Buckets: []metric.Bucket{bucket(math.Inf(1), 5)}}), sample(metric.HistogramValue{Count: 2}, "le", "x"))
	f("a_count{x=\"1\"} 1\na_count{x=\"1,y=\\\"2\"} 2\na_count{x=\"1\",y=\"2\"} 3\na_count{x=\"1y=2\"} 5\na_count{x=\"1\"} 4\n",
		sample(metric.HistogramValue{Count: 4}, "x", "1"), sample(metric.HistogramValue{Count: 2}, "x", "1,y=\"2"), sample(metric.HistogramValue{Count: 3}, "x", "1", "y", "2"), sample(metric.HistogramValue{Count: 5}, "x", "1y=2"))

	exemplar := &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: 2}
	withTime := sample(metric.HistogramValue{Count: 1, Buckets: []metric.Bucket{{UpperBound: 3, Count: 1, Exemplar: exemplar}}})
	withTime.Time = time.UnixMilli(1500)
	f("a_bucket{le=\"3\"} 1 1.5 # {t=\"1\"} 2\na_count 1 1.5\n", withTime)
}

func TestParseSamplesOfSummaries(t *testing.T) {
	f := func(lines string, want ...metric.Sample) {
		t.Helper()
		got, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: "a", Type: metric.Summary}, []byte(lines))
		if err != nil || dumpSamples(got) != dumpSamples(want) {
			t.Errorf("ParseSamples(%q) = %v\n%swant\n%s", lines, err, dumpSamples(got), dumpSamples(want))
		}
	}
	sample := func(s metric.SummaryValue, labels ...string) metric.Sample {
		return metric.Sample{Labels: metric.Labels(labels...), Summary: &s}
	}
	f("")
	f("a_sum 1\na_count 2\n", sample(metric.SummaryValue{Count: 2, Sum: 1}))
	f("a{quantile=\"0\"} NaN\na{quantile=\"1e0\"} +Inf\na_sum 1\na_count 2\n", sample(metric.SummaryValue{Count: 2, Sum: 1, Quantiles: quantiles(0, math.NaN(), 1, math.Inf(1))}))
	f("a{x=\"1\",quantile=\"0.5\"} 1\na{quantile=\"0.5\",x=\"2\"} 2\na_count{x=\"1\"} 3\na_count{x=\"2\"} 4\n",
		sample(metric.SummaryValue{Count: 3, Quantiles: quantiles(0.5, 1)}, "x", "1"), sample(metric.SummaryValue{Count: 4, Quantiles: quantiles(0.5, 2)}, "x", "2"))
	f("a_count{le=\"1\"} 3\n", sample(metric.SummaryValue{Count: 3}, "le", "1")) // a label like any other

	// So is quantile where there is none.
	f("a_sum{quantile=\"0.5\"} 3\na_count{quantile=\"0.5\"} 2\n", sample(metric.SummaryValue{Count: 2, Sum: 3}, "quantile", "0.5"))
	f("a{quantile=\"0.5\"} 5\na_count{quantile=\"half\"} 2\n",
		sample(metric.SummaryValue{Quantiles: quantiles(0.5, 5)}), sample(metric.SummaryValue{Count: 2}, "quantile", "half"))
	late := sample(metric.SummaryValue{Count: 3})
	late.Time = time.UnixMilli(-1)
	f("a_count 3 -1\n", late)
}

// TestParseSamplesOfDistributionsErrors: a bad line gives an error and nothing
// else, no sample of its labels either.
func TestParseSamplesOfDistributionsErrors(t *testing.T) {
	f := func(typ metric.Type, line, want string) {
		t.Helper()
		got, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: "a", Type: typ}, []byte("a_sum{before=\"1\"} 1\n"+line))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: "+want) {
			t.Errorf("ParseSamples of %q: error %v, want %q", line, err, want)
		}
		before := metric.Sample{Labels: metric.Labels("before", "1"), Histogram: &metric.HistogramValue{Sum: 1}}
		if typ == metric.Summary {
			before.Histogram, before.Summary = nil, &metric.SummaryValue{Sum: 1}
		}
		if dumpSamples(got) != dumpSamples([]metric.Sample{before}) {
			t.Errorf("ParseSamples of %q as %s:\n%swant the sample before the error alone", line, typ, dumpSamples(got))
		}
	}
	for _, typ := range []metric.Type{metric.Histogram, metric.GaugeHistogram} {
		f(typ, "a 1", "not a line of the histogram a")
		f(typ, "a_total 1", "not a line of the histogram a")
		f(typ, "a_created 1", "not a line of the histogram a")
		f(typ, "a_gcount 1", "not a line of the histogram a")
		f(typ, "a_bucketx{le=\"1\"} 1", "not a line of the histogram a")
		f(typ, "a_bucket 1", "no label le")
		f(typ, "a_bucket{LE=\"1\"} 1", "no label le")
		f(typ, "a_bucket{le=\"x\"} 1", "strconv.ParseFloat")
		f(typ, "a_bucket{le=\"\"} 1", "strconv.ParseFloat")
		f(typ, "b_bucket{le=\"1\"} 1", "not a sample of a")
		f(typ, "a_bucket{le=\"1\"} x", "not a number")
		f(typ, "a_bucket{le=\"1\"} 1 # {} 1", "not a timestamp in milliseconds")
	}
	f(metric.Summary, "a 1", "no label quantile")
	f(metric.Summary, "a{le=\"1\"} 1", "no label quantile")
	f(metric.Summary, "a{quantile=\"half\"} 1", "strconv.ParseFloat")
	f(metric.Summary, "a_bucket{le=\"1\"} 1", "not a line of the summary a")
	f(metric.Summary, "a_created 1", "not a line of the summary a")
	f(metric.Summary, "b{quantile=\"1\"} 1", "not a sample of a")
}
