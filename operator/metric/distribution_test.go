package metric_test

import (
	"math"
	"testing"

	"github.com/kubevitals/kubevitals/operator/metric"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// buckets makes buckets of alternating bounds and cumulative counts.
func buckets(pairs ...float64) []metric.Bucket {
	var out []metric.Bucket
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, metric.Bucket{UpperBound: pairs[i], Count: pairs[i+1]})
	}
	return out
}

// quantiles makes quantiles of alternating shares and values.
func quantiles(pairs ...float64) []metric.Quantile {
	var out []metric.Quantile
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, metric.Quantile{Quantile: pairs[i], Value: pairs[i+1]})
	}
	return out
}

// TestHistogramValidate checks each case as a histogram and a gauge histogram:
// what is wrong with one is wrong with the other.
func TestHistogramValidate(t *testing.T) {
	f := func(h metric.HistogramValue, want string) {
		t.Helper()
		for _, typ := range []metric.Type{metric.Histogram, metric.GaugeHistogram} {
			wantErr(t, typ.String(), metric.Sample{Histogram: &h}.Validate(typ), want)
		}
	}
	f(metric.HistogramValue{}, "")
	f(metric.HistogramValue{Count: 2, Sum: 1}, "")
	f(metric.HistogramValue{Count: 2, Sum: nan}, "") // NaN was observed
	f(metric.HistogramValue{Count: 2, Sum: -inf}, "")
	f(metric.HistogramValue{Count: 2.5, Buckets: buckets(1, 0.5, 2, 1.5)}, "") // weights
	f(metric.HistogramValue{Count: 2, Buckets: buckets(-inf, 0, -1, 0, 0, 1, 0.5, 1, inf, 2)}, "")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 2)}, "") // +Inf may be missing
	f(metric.HistogramValue{Count: 3, Buckets: buckets(1, 2)}, "")

	f(metric.HistogramValue{Count: nan}, "histogram has the count NaN")
	f(metric.HistogramValue{Count: -1}, "histogram has the count -1")
	f(metric.HistogramValue{Count: inf}, "histogram has the count +Inf")

	f(metric.HistogramValue{Count: 2, Buckets: buckets(2, 1, 1, 1)}, "bucket bounds do not ascend at 1")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 1, 1, 1)}, "bucket bounds do not ascend at 1")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(0, 1, math.Copysign(0, -1), 1)}, "bucket bounds do not ascend at -0")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(nan, 1)}, "bucket bounds do not ascend at NaN")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 1, nan, 1, 3, 1)}, "bucket bounds do not ascend at NaN")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(inf, 2, inf, 2)}, "bucket bounds do not ascend at +Inf")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(inf, 2, 1, 2)}, "bucket bounds do not ascend at 1")

	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 2, 2, 1)}, "bucket counts are not cumulative at bound 2")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 3)}, "bucket counts are not cumulative at bound 1")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, -1)}, "bucket counts are not cumulative at bound 1")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, nan)}, "bucket counts are not cumulative at bound 1")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, inf)}, "bucket counts are not cumulative at bound 1")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 1, inf, 1)}, "bucket +Inf has the count 1 of 2 observations")
	f(metric.HistogramValue{Count: 2, Buckets: buckets(1, 1, inf, 3)}, "bucket counts are not cumulative at bound +Inf")

	bad := buckets(1, 1)
	bad[0].Exemplar = &metric.Exemplar{Labels: metric.Labels("", "1")}
	f(metric.HistogramValue{Count: 1, Buckets: bad}, `exemplar: label name ""`)
}

func TestNativeHistogramValidate(t *testing.T) {
	f := func(n metric.NativeHistogram, want string) {
		t.Helper()
		h := &metric.HistogramValue{Count: 6, Sum: 6, Native: &n}
		wantErr(t, "native histogram", metric.Sample{Histogram: h}.Validate(metric.Histogram), want)
	}
	run := func(spans []metric.Span, counts ...float64) metric.NativeBuckets {
		return metric.NativeBuckets{Spans: spans, Counts: counts}
	}
	f(metric.NativeHistogram{ZeroCount: 6}, "")
	f(metric.NativeHistogram{ZeroCount: 6, Schema: -4}, "")
	f(metric.NativeHistogram{ZeroCount: 6, Schema: 8}, "")
	f(metric.NativeHistogram{ZeroCount: 6, ZeroThreshold: inf}, "")
	f(metric.NativeHistogram{Positive: run([]metric.Span{{-5, 1}, {0, 1}, {2, 1}}, 1, 2, 3)}, "")
	f(metric.NativeHistogram{Negative: run([]metric.Span{{7, 0}, {1, 3}}, 1, 2, 3)}, "")
	f(metric.NativeHistogram{ZeroCount: 0.5, Positive: run([]metric.Span{{0, 2}}, 0.5, 5)}, "")

	f(metric.NativeHistogram{Schema: -5}, "schema -5, which is not -4 to 8")
	f(metric.NativeHistogram{Schema: 9}, "schema 9, which is not -4 to 8")
	f(metric.NativeHistogram{Schema: -53}, "schema -53") // custom buckets cannot be scraped
	f(metric.NativeHistogram{ZeroCount: -1}, "zero bucket -1 of width 0")
	f(metric.NativeHistogram{ZeroCount: nan}, "zero bucket NaN")
	f(metric.NativeHistogram{ZeroCount: inf}, "zero bucket +Inf")
	f(metric.NativeHistogram{ZeroThreshold: -1}, "width -1")
	f(metric.NativeHistogram{ZeroThreshold: nan}, "width NaN")

	for _, side := range []func(metric.NativeBuckets) metric.NativeHistogram{
		func(b metric.NativeBuckets) metric.NativeHistogram { return metric.NativeHistogram{Positive: b} },
		func(b metric.NativeBuckets) metric.NativeHistogram { return metric.NativeHistogram{Negative: b} },
	} {
		f(side(run(nil, 6)), "spans of 0 buckets and 1 counts")
		f(side(run([]metric.Span{{0, 1}})), "spans of 1 buckets and 0 counts")
		f(side(run([]metric.Span{{0, 1}, {1, 2}}, 3, 3)), "spans of 3 buckets and 2 counts")
		f(side(run([]metric.Span{{0, math.MaxUint32}}, 6)), "spans of 4294967295 buckets and 1 counts")
		f(side(run([]metric.Span{{0, 1}, {-1, 1}}, 3, 3)), "span that begins -1 buckets back")
		f(side(run([]metric.Span{{0, 2}}, 7, -1)), "bucket with the count -1")
		f(side(run([]metric.Span{{0, 1}}, nan)), "bucket with the count NaN")
		f(side(run([]metric.Span{{0, 1}}, inf)), "bucket with the count +Inf")
	}

	bad := []metric.Exemplar{{}, {Labels: metric.Labels("__a", "1")}}
	f(metric.NativeHistogram{ZeroCount: 6, Exemplars: bad}, `exemplar: label name "__a"`)
}

// TestNativeHistogramTotal: what was observed is in one of the buckets, unless
// it was NaN. Sums of fractions are not exact, so that nothing is said of them.
func TestNativeHistogramTotal(t *testing.T) {
	f := func(h metric.HistogramValue, zero, positive, negative float64, want string) {
		t.Helper()
		side := func(count float64) metric.NativeBuckets {
			return metric.NativeBuckets{Spans: []metric.Span{{Length: 2}}, Counts: []float64{0, count}}
		}
		h.Native = &metric.NativeHistogram{ZeroCount: zero, Positive: side(positive), Negative: side(negative)}
		for _, typ := range []metric.Type{metric.Histogram, metric.GaugeHistogram} {
			wantErr(t, typ.String(), metric.Sample{Histogram: &h}.Validate(typ), want)
		}
	}
	f(metric.HistogramValue{}, 0, 0, 0, "")
	f(metric.HistogramValue{Count: 6}, 1, 2, 3, "")
	f(metric.HistogramValue{Count: 6}, 0, 2, 3, "native histogram has 5 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 6}, 1, 1, 3, "has 5 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 6}, 1, 2, 2, "has 5 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 6}, 2, 2, 3, "has 7 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 6, Sum: inf}, 1, 2, 2, "has 5 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 6, Buckets: buckets(1, 5)}, 1, 2, 2, "has 5 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 6, Sum: nan}, 1, 2, 3, "")
	f(metric.HistogramValue{Count: 6, Sum: nan}, 1, 2, 2, "")
	f(metric.HistogramValue{Count: 6, Sum: nan}, 0, 0, 0, "")
	f(metric.HistogramValue{Count: 6, Sum: nan}, 2, 2, 3, "has 7 observations in its buckets, of 6")
	f(metric.HistogramValue{Count: 1 << 53}, 1<<52, 1<<51, 1<<51, "")
	f(metric.HistogramValue{Count: 1 << 53}, 1<<52, 1<<51, 1<<51-1, "observations in its buckets, of")

	// One fraction is enough, wherever it is.
	f(metric.HistogramValue{Count: 6.5}, 1, 2, 3, "")
	f(metric.HistogramValue{Count: 6}, 1.5, 2, 3, "")
	f(metric.HistogramValue{Count: 6}, 1, 2.5, 3, "")
	f(metric.HistogramValue{Count: 6}, 1, 2, 2.5, "")
	f(metric.HistogramValue{Count: 6, Buckets: buckets(1, 0.5)}, 1, 2, 2, "")

	wantErr(t, "without native buckets", metric.Sample{Histogram: &metric.HistogramValue{Count: 6}}.Validate(metric.Histogram), "")
}

func TestSummaryValidate(t *testing.T) {
	f := func(s metric.SummaryValue, want string) {
		t.Helper()
		wantErr(t, "summary", metric.Sample{Summary: &s}.Validate(metric.Summary), want)
	}
	f(metric.SummaryValue{}, "")
	f(metric.SummaryValue{Count: 1, Sum: -5}, "")
	f(metric.SummaryValue{Count: 1, Sum: nan}, "")
	f(metric.SummaryValue{Count: 1, Quantiles: quantiles(0, 1, 0.5, -2, 1, inf)}, "") // values need not ascend
	f(metric.SummaryValue{Quantiles: quantiles(0.5, nan)}, "")

	f(metric.SummaryValue{Count: -1}, "summary has the count -1")
	f(metric.SummaryValue{Count: nan}, "summary has the count NaN")
	f(metric.SummaryValue{Count: inf}, "summary has the count +Inf")
	f(metric.SummaryValue{Count: 0.5}, "summary has the count 0.5, which is no whole number up to 2^53")
	f(metric.SummaryValue{Count: 1 << 53}, "")
	f(metric.SummaryValue{Count: 1<<53 + 2}, "which is no whole number up to 2^53")
	f(metric.SummaryValue{Quantiles: quantiles(-0.1, 1)}, "quantiles are not 0 to 1 and ascending at -0.1")
	f(metric.SummaryValue{Quantiles: quantiles(1.1, 1)}, "ascending at 1.1")
	f(metric.SummaryValue{Quantiles: quantiles(nan, 1)}, "ascending at NaN")
	f(metric.SummaryValue{Quantiles: quantiles(0.5, 1, nan, 1)}, "ascending at NaN")
	f(metric.SummaryValue{Quantiles: quantiles(0.5, 1, 0.5, 1)}, "ascending at 0.5")
	f(metric.SummaryValue{Quantiles: quantiles(0.9, 1, 0.5, 1)}, "ascending at 0.5")
}

// TestSampleValidateKind gives each type the value of every kind.
func TestSampleValidateKind(t *testing.T) {
	number := metric.Sample{Value: 1}
	histogram := metric.Sample{Histogram: new(metric.HistogramValue)}
	summary := metric.Sample{Summary: new(metric.SummaryValue)}
	both := metric.Sample{Histogram: new(metric.HistogramValue), Summary: new(metric.SummaryValue)}
	f := func(typ metric.Type, right metric.Sample) {
		t.Helper()
		for _, s := range []metric.Sample{number, histogram, summary, both} {
			want := "value is not that of a " + typ.String()
			if s.Histogram == right.Histogram && s.Summary == right.Summary {
				want = ""
			}
			wantErr(t, typ.String(), s.Validate(typ), want)
		}
	}
	f(metric.Unknown, number)
	f(metric.Gauge, number)
	f(metric.Counter, number)
	f(metric.Info, number)
	f(metric.StateSet, number)
	f(metric.Histogram, histogram)
	f(metric.GaugeHistogram, histogram)
	f(metric.Summary, summary)
	f(metric.Type(99), number)
}

// TestSampleValidateOwnLabels: le and quantile are labels like any other where
// the type does not need them.
func TestSampleValidateOwnLabels(t *testing.T) {
	f := func(typ metric.Type, label, want string) {
		t.Helper()
		s := metric.Sample{Labels: metric.Labels("a", "1", label, "1"), Value: 1}
		switch typ {
		case metric.Histogram, metric.GaugeHistogram:
			s.Histogram = new(metric.HistogramValue)
		case metric.Summary:
			s.Summary = new(metric.SummaryValue)
		}
		wantErr(t, typ.String()+" with "+label, s.Validate(typ), want)
	}
	for typ := metric.Unknown; typ <= metric.StateSet; typ++ {
		f(typ, "le", "")
		f(typ, "quantile", "")
	}
	f(metric.Histogram, "le", `label "le" belongs to the histogram`)
	f(metric.Histogram, "quantile", "")
	f(metric.GaugeHistogram, "le", `label "le" belongs to the gaugehistogram`)
	f(metric.GaugeHistogram, "quantile", "")
	f(metric.Summary, "quantile", `label "quantile" belongs to the summary`)
	f(metric.Summary, "le", "")
}

func TestExemplarValidate(t *testing.T) {
	f := func(e metric.Exemplar, want string) {
		t.Helper()
		wantErr(t, "counter", metric.Sample{Exemplar: &e}.Validate(metric.Counter), want)
		h := &metric.HistogramValue{Count: 1, Buckets: []metric.Bucket{{UpperBound: 1, Count: 1, Exemplar: &e}}}
		wantErr(t, "bucket", metric.Sample{Histogram: h}.Validate(metric.Histogram), want)
		h = &metric.HistogramValue{Native: &metric.NativeHistogram{Exemplars: []metric.Exemplar{e}}}
		wantErr(t, "native", metric.Sample{Histogram: h}.Validate(metric.Histogram), want)
	}
	f(metric.Exemplar{}, "")
	f(metric.Exemplar{Value: nan}, "")
	for _, at := range goodTimes() {
		f(metric.Exemplar{Time: at}, "")
	}
	for _, at := range badTimes() {
		f(metric.Exemplar{Time: at}, "exemplar: time is not of the years 1970 to 9999")
	}
	f(metric.Exemplar{Labels: metric.Labels("trace_id", "ü", "k8s.io/span", "")}, "")
	f(metric.Exemplar{Labels: []metric.Label{{"b", "1"}, {"a", "1"}}}, "") // they need not be sorted
	f(metric.Exemplar{Labels: metric.Labels("le", "1", "quantile", "2")}, "")
	f(metric.Exemplar{Labels: metric.Labels("", "1")}, `exemplar: label name ""`)
	f(metric.Exemplar{Labels: metric.Labels("a\xff", "1")}, "exemplar: label name")
	f(metric.Exemplar{Labels: metric.Labels("a", "\xff")}, `exemplar: value of label "a" is not valid UTF-8`)
	f(metric.Exemplar{Labels: []metric.Label{{"a", "1"}, {"b", "1"}, {"a", "2"}}}, `exemplar: label "a" is there twice`)
}

func TestIsWhole(t *testing.T) {
	f := func(h metric.HistogramValue, want bool) {
		t.Helper()
		if got := h.IsWhole(); got != want {
			t.Errorf("IsWhole of %+v = %v, want %v", h, got, want)
		}
	}
	const most = 1 << 53
	native := func(zero, positive, negative float64) metric.HistogramValue {
		return metric.HistogramValue{Count: 9, Native: &metric.NativeHistogram{
			ZeroCount: zero,
			Positive:  metric.NativeBuckets{Counts: []float64{1, positive}},
			Negative:  metric.NativeBuckets{Counts: []float64{1, negative}},
		}}
	}
	f(metric.HistogramValue{}, true)
	f(metric.HistogramValue{Count: 3, Sum: 0.5, Buckets: buckets(0.5, 1, 1.5, 2)}, true) // only counts matter
	f(metric.HistogramValue{Count: most}, true)
	f(metric.HistogramValue{Count: most + 2}, false)
	f(metric.HistogramValue{Count: 1e300}, false)
	f(metric.HistogramValue{Count: 0.5}, false)
	f(metric.HistogramValue{Count: nan}, false)
	f(metric.HistogramValue{Count: inf}, false)
	f(metric.HistogramValue{Count: 3, Buckets: buckets(1, 1, 2, 1.5)}, false)
	f(metric.HistogramValue{Count: 3, Buckets: buckets(1, 0.5, 2, 1)}, false)
	f(native(1, 1, 1), true)
	f(native(0.5, 1, 1), false)
	f(native(1, 0.5, 1), false)
	f(native(1, 1, 0.5), false)
}
