package scan

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// The parts that protobuf messages are made of: fields with their tags.

func number64(field int, v uint64) string {
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field<<3)), v))
}

func float(field int, v float64) string { return bits64(field, math.Float64bits(v)) }

func bits64(field int, v uint64) string {
	return string(binary.LittleEndian.AppendUint64(binary.AppendUvarint(nil, uint64(field<<3|wireFixed64)), v))
}

func inner(field int, parts ...string) string {
	s := strings.Join(parts, "")
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field<<3|wireBytes)), uint64(len(s)))) + s
}

func delimited(parts ...string) string {
	s := strings.Join(parts, "")
	return string(binary.AppendUvarint(nil, uint64(len(s)))) + s
}

func pair(name, value string) string { return inner(metricLabel, inner(1, name), inner(2, value)) }

func familyOf(name string, typ uint64, metrics ...string) string {
	s := inner(familyName, name) + number64(familyType, typ)
	for _, m := range metrics {
		s += inner(familyMetric, m)
	}
	return delimited(s)
}

var (
	counterOne = inner(metricCounter, float(1, 1))
	gaugeOne   = inner(metricGauge, float(1, 1))
	exemplar   = inner(1, inner(1, "trace"), inner(2, "x")) + float(2, 1) + inner(3, number64(1, 5))
	spanOfTwo  = number64(1, 0) + number64(2, 2)
	// Two positive buckets with 1 and 0.
	nativeOne = number64(1, 1) + float(2, 5) + number64(5, 0) + float(6, 0.1) + inner(12, spanOfTwo) + inner(13, "\x02\x01")
)

func histogramOf(parts ...string) string { return inner(metricHistogram, parts...) }

func protobufSeeds() [][]byte {
	var out [][]byte
	for _, c := range goodProtobuf {
		out = append(out, []byte(c.body))
	}
	for _, c := range badProtobuf {
		out = append(out, []byte(c.body))
	}
	return out
}

var goodProtobuf = []caseOf{
	{"", ""},
	{familyOf("a", 0), "a counter\n"},
	{familyOf("a_total", 0, pair("b", "c")+counterOne, pair("b", "d")+counterOne), "a_total counter\n- a_total 2\n"},
	{familyOf("a", 1, gaugeOne), "a gauge\n- a 1\n"},
	{familyOf("a", 3, inner(metricUntyped, float(1, 1))), "a unknown\n- a 1\n"},
	{familyOf("a", 3, inner(metricUntyped)), "a unknown\n- a 1\n"},
	{delimited(inner(familyMetric, gaugeOne), inner(familyUnit, "s"), inner(familyHelp, "h\n"), number64(familyType, 1), inner(familyName, "a")), "a gauge help=\"h\\n\" unit=\"s\"\n- a 1\n"},
	{delimited(inner(familyName, "a"), inner(familyHelp, "\xff"), inner(familyMetric, counterOne)), "a counter\n- a 1\n"},
	{familyOf("a", 1, gaugeOne+number64(metricTimestamp, 5)), "a gauge\n- a 1 stamped\n"},
	{familyOf("a", 0, inner(metricCounter, float(1, 1), inner(2, exemplar), inner(3, number64(1, 5)))), "a counter\n- a 1 exemplars,created\n"},
	{familyOf("a.b", 1, gaugeOne), "a.b gauge\n- a.b 1 utf8\n"},
	{familyOf("a", 1, pair("b.c", "")+gaugeOne), "a gauge\n- a 1 utf8\n"},
	{familyOf("a", 1, pair("pod", "é")+gaugeOne), "a gauge\n- a 1 reserved\n"},
	// Known and unknown fields in any order.
	{delimited(inner(99, "x"), inner(familyName, "a"), number64(98, 1), inner(familyMetric, inner(90, "x"), bits64(91, 1), counterOne, pair("b", "c"), "\xe5\x05abcd")), "a counter\n- a 1\n"},
	// The series of a summary: sum, count, and quantiles.
	{familyOf("a", 2, inner(metricSummary, number64(1, 1), float(2, 1), inner(3, float(1, 0.5), float(2, 1)), inner(4))), "a summary\n- a 3 created\n"},
	{familyOf("a", 2, inner(metricSummary)), "a summary\n- a 2\n"},
	// Of a classic histogram: sum, count, and buckets with one that has no bound.
	{familyOf("a", 4, histogramOf(number64(1, 1), inner(3, float(2, 1)))), "a histogram\n- a 4\n"},
	{familyOf("a", 4, histogramOf(number64(1, 1), inner(3, float(2, 1)), inner(3, float(2, math.Inf(1))), inner(3, float(2, 5)), inner(15))), "a histogram\n- a 4 created\n"},
	{familyOf("a", 5, histogramOf(inner(3, inner(3, exemplar)))), "a gaugehistogram\n- a 4 exemplars\n"},
	{familyOf("a", 4, histogramOf(nativeOne)), "a histogram\n- a 1 native\n"},
	{familyOf("a", 4, histogramOf(nativeOne, inner(3, float(2, 1)), inner(16, exemplar))), "a histogram\n- a 1 exemplars,native\n"},
	{familyOf("a", 4, histogramOf(inner(9))), "a histogram\n- a 1 native\n"},
	{familyOf("a", 4, histogramOf(float(4, 1), inner(12, spanOfTwo), float(14, 1), float(14, 0))), "a histogram\n- a 1 native\n"},
	{familyOf("a", 4, histogramOf(number64(1, 1), inner(12, spanOfTwo), number64(13, 2), number64(13, 1))), "a histogram\n- a 1 native\n"},
	{familyOf("a", 4, histogramOf(number64(1, 9), float(2, math.NaN()), inner(12, spanOfTwo), inner(13, "\x02\x01"))), "a histogram\n- a 1 native\n"},
	// What is stale is as if it were not there.
	{familyOf("a", 1, inner(metricGauge, bits64(1, staleNaN))), "a gauge\n"},
	{familyOf("a", 1, pair("b", "c")+gaugeOne, inner(metricGauge, bits64(1, staleNaN)), pair("b", "d")+gaugeOne), "a gauge\n- a 1\n- a 1\n"},
	{familyOf("a", 1, inner(metricGauge, float(1, math.NaN()))), "a gauge\n- a 1\n"},
	{familyOf("a", 2, inner(metricSummary, bits64(2, staleNaN))), "a summary\n"},
	{familyOf("a", 2, inner(metricSummary, inner(3, bits64(2, staleNaN)))), "a summary\n"},
	{familyOf("a", 4, histogramOf(bits64(2, staleNaN))), "a histogram\n"},
	// One family in several messages.
	{familyOf("a", 1, gaugeOne) + familyOf("b", 1, gaugeOne) + familyOf("a", 1, pair("b", "c")+gaugeOne), "a gauge\nb gauge\n- a 1\n- b 1\n- a 1\n"},
	{familyOf("a", 1) + familyOf("a", 0, counterOne), "a counter\n- a 1\n"},
	// Duplicates.
	{familyOf("a", 1, pair("b", "c")+gaugeOne, gaugeOne, gaugeOne+pair("b", "c"), pair("b", "d")+gaugeOne) + familyOf("b", 1, pair("b", "c")+gaugeOne), "a gauge\nb gauge\n- a 2\n- a 1\n- b 1\n1 of 5 twice\n"},
	{familyOf("a", 2, inner(metricSummary), inner(metricSummary)), "a summary\n- a 2\n2 of 4 twice\n"},
}

var badProtobuf = []caseOf{
	{"\x05", "not complete"},
	{"\x80", "not complete"},
	{"\x80\x80\x80\x80\x80\x00", "not complete"},
	{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "not complete"},
	{familyOf("a", 0, counterOne)[:10], "not complete"},
	{delimited("\x0a"), "not a valid"},
	{delimited("\x0a\x05a"), "not a valid"},
	{delimited("\x0b"), "not a valid"},
	{delimited("\x0c"), "not a valid"},
	{delimited("\x00"), "not a valid"},
	{delimited(number64(familyName, 1)), "not a valid"},
	{delimited(inner(familyName, "a"), number64(familyMetric, 1)), "not a valid"},
	{delimited(inner(familyName, "a"), inner(familyType, "")), "not a valid"},
	{delimited(""), "valid name"},
	{familyOf("", 0), "valid name"},
	{familyOf("\xff", 0), "valid name"},
	{familyOf("a\x00", 0), "valid name"},
	{familyOf("a", 6, counterOne), "not known"},
	{familyOf("a", math.MaxUint64, counterOne), "not known"},
	{familyOf("a", 0, ""), "without the value"},
	{familyOf("a", 0, pair("b", "c")), "without the value"},
	{familyOf("a", 0, gaugeOne), "not that of its family"},
	{familyOf("a", 0, counterOne+gaugeOne), "not that of its family"},
	{familyOf("a", 0, counterOne+counterOne), "not that of its family"},
	{familyOf("a", 0, inner(metricCounter, number64(1, 1))), "not a valid"},
	{familyOf("a", 0, inner(metricCounter, "\x09\x00")), "not a valid"},
	{familyOf("a", 0, inner(metricCounter, float(1, 1), inner(2, inner(1, inner(1, "\xff"))))), "not a valid"},
	{familyOf("a", 0, number64(metricCounter, 1)), "not a valid"},
	{familyOf("a", 0, counterOne+"\xff"), "not a valid"},
	{familyOf("a", 0, counterOne+inner(metricTimestamp)), "not a valid"},
	{familyOf("a", 0, number64(metricLabel, 1)+counterOne), "not a valid"},
	{familyOf("a", 0, pair("b", "c\xff")+counterOne), "not a valid"},
	{familyOf("a", 0, pair("b", "\x00")+counterOne), "not a valid"},
	{familyOf("a", 0, pair("b\xff", "c")+counterOne), "not a valid"},
	{familyOf("a", 0, pair("", "c")+counterOne), "without a name"},
	{familyOf("a", 0, inner(metricLabel, inner(2, "c"))+counterOne), "without a name"},
	{familyOf("a", 0, pair("b", "c")+counterOne+pair("b", "d")), "one name"},
	{familyOf("a", 0, pair("__name__", "c")+counterOne), "one name"},
	{familyOf("a", 1, gaugeOne) + familyOf("a", 0, counterOne), "two types"},
	{familyOf("a", 4, histogramOf(nativeOne, inner(12, spanOfTwo))), "do not fit its buckets"},
	{familyOf("a", 4, histogramOf(nativeOne, number64(5, 18))), "schema"},
	{familyOf("a", 4, histogramOf(nativeOne, number64(5, 9))), "schema"},
	{familyOf("a", 4, histogramOf(nativeOne, number64(1, 2))), "fit its count"},
	{familyOf("a", 4, histogramOf(nativeOne, number64(7, 1))), "fit its count"},
	{familyOf("a", 4, histogramOf(nativeOne, inner(12, number64(1, 1)))), "overlap"},
	{familyOf("a", 4, histogramOf(number64(1, 1), inner(12, spanOfTwo), inner(13, "\x01\x04"))), "negative count"},
	{familyOf("a", 4, histogramOf(float(4, 1), inner(12, spanOfTwo), float(14, -1), float(14, 0))), "negative count"},
	{familyOf("a", 4, histogramOf(float(4, 1), float(8, -1), inner(12))), "negative count"},
	{familyOf("a", 4, histogramOf(inner(13, "\x80"))), "not a valid"},
	{familyOf("a", 4, histogramOf(inner(14, "1234567"))), "not a valid"},
	{familyOf("a", 4, histogramOf(number64(3, 1))), "not a valid"},
}

func TestProtobuf(t *testing.T) {
	checkAccepted(t, exposition.Protobuf, Options{Reserved: []string{"pod"}}, goodProtobuf)
	checkRefused(t, exposition.Protobuf, badProtobuf)
}

// TestProtobufExtents: they are whole metrics, each with its tag.
func TestProtobufExtents(t *testing.T) {
	body := familyOf("a", 1, pair("b", "c")+gaugeOne, inner(metricGauge, bits64(1, staleNaN)), gaugeOne)
	x, err := scanned(t, exposition.Protobuf, body, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range x.Extents {
		got = append(got, body[e.Start:e.End])
	}
	want := []string{inner(familyMetric, pair("b", "c"), gaugeOne), inner(familyMetric, gaugeOne)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProtobufLimits(t *testing.T) {
	f := func(body string, opts Options, want string) {
		t.Helper()
		_, err := scanned(t, exposition.Protobuf, body, opts)
		var limit *LimitError
		if want == "" && err != nil || want != "" && (!errors.As(err, &limit) || limit.Limit != want) {
			t.Errorf("%q %+v: %v, want %q", body, opts, err, want)
		}
	}
	summary := familyOf("a", 2, inner(metricSummary, inner(3)))
	f(summary, Options{SampleLimit: 3, LabelLimit: 2}, "")
	f(summary, Options{SampleLimit: 2}, "sample_limit")
	f(summary, Options{LabelLimit: 1}, "label_limit")
	gauge := familyOf("a", 1, pair("b23456789", `c\n`)+pair("d", "")+gaugeOne)
	f(gauge, Options{LabelLimit: 2, LabelNameLengthLimit: 9, LabelValueLengthLimit: 3}, "")
	f(gauge, Options{LabelLimit: 1}, "label_limit")
	f(gauge, Options{LabelNameLengthLimit: 8}, "label_name_length_limit")
	f(gauge, Options{LabelValueLengthLimit: 2}, "label_value_length_limit")
	histogram := familyOf("a", 4, histogramOf(nativeOne))
	f(histogram, Options{NativeHistogramBucketLimit: 1, SampleLimit: 1, LabelLimit: 1}, "") // the other one is empty
	f(familyOf("a", 4, histogramOf(number64(1, 3), inner(12, spanOfTwo), inner(13, "\x02\x02"))), Options{NativeHistogramBucketLimit: 1}, "native_histogram_bucket_limit")
}
