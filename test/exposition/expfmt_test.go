package exposition

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// expfmtMessage is what expfmt is given of a family. It writes a HELP line
// without a help, if there is an empty one.
func expfmtMessage(f metric.Family) *dto.MetricFamily {
	m := toDTO(f)
	if f.Help == "" {
		m.Help = nil
	}
	return m
}

// TestText: the text format is expfmt's, byte for byte.
func TestText(t *testing.T) {
	eachFamily(t, func(t *testing.T, f metric.Family) {
		var want bytes.Buffer
		if _, err := expfmt.MetricFamilyToText(&want, expfmtMessage(f)); err != nil {
			t.Fatal(err)
		}
		if got := encode(t, exposition.Text, f); string(got) != want.String() {
			t.Errorf("got\n%swant\n%s", got, want.String())
		}
	})
}

// TestOpenMetrics: our OpenMetrics is expfmt's, but for these differences.
//
//   - Numbers that are no bounds are as in the text format: 1, not 1.0, and
//     1e+06 for a count, where expfmt writes 1000000. [AppendSample] makes lines
//     that are good for both formats.
//   - Times are in seconds without an exponent, to the millisecond; expfmt's
//     are as any number, those of exemplars to what float64 has of nanoseconds.
//   - An info whose name fits has that type. It is a gauge in expfmt, where
//     there is no other.
//   - Histograms of fractions are written; expfmt refuses them, as OpenMetrics
//     does. Prometheus reads them.
//   - Exemplars without labels are written. Those with names that are not legacy
//     names, or with more than 128 characters, are not.
func TestOpenMetrics(t *testing.T) {
	eachFamily(t, func(t *testing.T, f metric.Family) {
		for _, s := range f.Samples {
			if s.Histogram != nil && !s.Histogram.IsWhole() {
				return
			}
		}
		var want bytes.Buffer
		if _, err := expfmt.MetricFamilyToOpenMetrics(&want, expfmtMessage(f)); err != nil {
			t.Fatal(err)
		}
		if _, err := expfmt.FinalizeOpenMetrics(&want); err != nil {
			t.Fatal(err)
		}
		wanted := want.String()
		if name, ok := strings.CutSuffix(f.Name, "_info"); ok && f.Type == metric.Info {
			if quoted := strings.Contains(wanted, `_info" gauge`); quoted {
				wanted = strings.Replace(wanted, `_info" gauge`, `" info`, 1)
				wanted = strings.Replace(wanted, `_info" `, `" `, strings.Count(wanted[:strings.Index(wanted, "# TYPE")], `_info" `))
			} else {
				wanted = strings.ReplaceAll(wanted, "# HELP "+f.Name, "# HELP "+name)
				wanted = strings.ReplaceAll(wanted, "# TYPE "+f.Name+" gauge", "# TYPE "+name+" info")
			}
		}
		got := string(encode(t, exposition.OpenMetrics, f))
		if plainNumbers(got) != plainNumbers(wanted) {
			t.Errorf("got\n%swant\n%s", plainNumbers(got), plainNumbers(wanted))
		}
	})
}

// plainNumbers writes all numbers of samples, timestamps and exemplars in one
// way, and leaves everything else as it is.
func plainNumbers(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			fields := splitFields(strings.TrimSuffix(line, "\n"))
			for i, field := range fields {
				if v, err := strconv.ParseFloat(field, 64); err == nil && i > 0 {
					fields[i] = strconv.FormatFloat(v, 'g', -1, 64)
				}
			}
			line = strings.Join(fields, " ") + "\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

// splitFields splits at spaces that are not in quotes.
func splitFields(line string) (out []string) {
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ' ' && !quoted:
			out, start = append(out, line[start:i]), i+1
		}
	}
	return append(out, line[start:])
}

// TestOpenMetricsLines shows the differences as they are.
func TestOpenMetricsLines(t *testing.T) {
	f := func(family metric.Family, ours, theirs string) {
		t.Helper()
		if got := string(encode(t, exposition.OpenMetrics, family)); got != ours+"# EOF\n" {
			t.Errorf("ours:\n%swant\n%s", got, ours)
		}
		var got bytes.Buffer
		_, err := expfmt.MetricFamilyToOpenMetrics(&got, expfmtMessage(family))
		if theirs == "" != (err != nil) || err == nil && got.String() != theirs {
			t.Errorf("theirs: %v\n%swant\n%s", err, got.String(), theirs)
		}
	}
	one := func(name string, typ metric.Type, s metric.Sample) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: name, Type: typ}, Samples: []metric.Sample{s}}
	}
	f(one("a", metric.Gauge, metric.Sample{Value: 1}), "# TYPE a gauge\na 1\n", "# TYPE a gauge\na 1.0\n")
	f(one("a", metric.Gauge, metric.Sample{Value: 1e6}), "# TYPE a gauge\na 1e+06\n", "# TYPE a gauge\na 1e+06\n")
	f(one("a", metric.Summary, metric.Sample{Summary: &metric.SummaryValue{Count: 1e6}}),
		"# TYPE a summary\na_sum 0\na_count 1e+06\n", "# TYPE a summary\na_sum 0.0\na_count 1000000\n")
	f(one("a_info", metric.Info, metric.Sample{Value: 1}), "# TYPE a info\na_info 1\n", "# TYPE a_info gauge\na_info 1.0\n")
	f(one("a", metric.Histogram, metric.Sample{Histogram: &metric.HistogramValue{Count: 0.5}}),
		"# TYPE a histogram\na_bucket{le=\"+Inf\"} 0.5\na_sum 0\na_count 0.5\n", "")
	f(one("a_total", metric.Counter, metric.Sample{Exemplar: &metric.Exemplar{Value: 2}}),
		"# TYPE a counter\na_total 0 # {} 2\n", "# TYPE a counter\na_total 0.0\n")
	f(one("a_total", metric.Counter, metric.Sample{Exemplar: &metric.Exemplar{Labels: metric.Labels("b.c", "1"), Value: 2}}),
		"# TYPE a counter\na_total 0\n", "# TYPE a counter\na_total 0.0 # {\"b.c\"=\"1\"} 2.0\n")
	long := strings.Repeat("x", 128)
	f(one("a_total", metric.Counter, metric.Sample{Exemplar: &metric.Exemplar{Labels: metric.Labels("b", long), Value: 2}}),
		"# TYPE a counter\na_total 0\n", "# TYPE a counter\na_total 0.0 # {b=\""+long+"\"} 2.0\n")
}

// TestColonInLabelNames: ours are in quotes, as a colon is for the names of
// metrics only; with expfmt's nobody can read the exposition.
func TestColonInLabelNames(t *testing.T) {
	f := metric.Family{Desc: metric.Desc{Name: "a"}, Samples: []metric.Sample{{Labels: metric.Labels("x:y", "1"), Value: 2}}}
	var theirs bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&theirs, expfmtMessage(f)); err != nil {
		t.Fatal(err)
	}
	if want := "# TYPE a untyped\na{x:y=\"1\"} 2\n"; theirs.String() != want {
		t.Errorf("theirs is %q, want %q", theirs.String(), want)
	}
	if got, want := string(encode(t, exposition.Text, f)), "# TYPE a untyped\na{\"x:y\"=\"1\"} 2\n"; got != want {
		t.Errorf("ours is %q, want %q", got, want)
	}
	checkScrape(t, exposition.Text, f)
	checkScrape(t, exposition.OpenMetrics, f)
	checkScrape(t, exposition.Protobuf, f)
}

// TestDecodeText has expfmt's own decoder read our text.
func TestDecodeText(t *testing.T) {
	eachFamily(t, func(t *testing.T, f metric.Family) {
		if f.Type == metric.Histogram || f.Type == metric.GaugeHistogram || f.Type == metric.Summary {
			return // it makes a message that differs in what is absent
		}
		data := encode(t, exposition.Text, f)
		var got dto.MetricFamily
		format := expfmt.Format(exposition.Text.ContentType(exposition.AllowUTF8))
		if err := expfmt.NewDecoder(bytes.NewReader(data), format).Decode(&got); err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		want := expfmtMessage(f)
		want.Unit = nil
		if want.Help != nil {
			want.Help = proto.String(strings.TrimLeft(*want.Help, " \t")) // as it does
		}
		for _, m := range want.Metric {
			if m.Counter != nil {
				m.Counter.Exemplar, m.Counter.CreatedTimestamp = nil, nil
			}
			if math.Signbit(m.GetGauge().GetValue()) && m.Gauge.GetValue() == 0 {
				m.Gauge.Value = proto.Float64(0)
			}
		}
		checkMessage(t, "expfmt", &got, want)
	})
}
