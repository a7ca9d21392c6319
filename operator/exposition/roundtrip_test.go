package exposition_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// dumpSamples writes samples so that equal ones give equal strings, NaN and
// all. Labels that are nil and those that are empty are the same, as are two
// zeros; times are milliseconds.
func dumpSamples(samples []metric.Sample) string {
	var b strings.Builder
	for _, s := range samples {
		fmt.Fprintf(&b, "%q %v at %s since %s%s", s.Labels, s.Value+0, dumpTime(s.Time), dumpTime(s.Created), dumpExemplar(s.Exemplar))
		if h := s.Histogram; h != nil {
			fmt.Fprintf(&b, " histogram %v %v", h.Count+0, h.Sum+0)
			for _, x := range h.Buckets {
				fmt.Fprintf(&b, " (%v %v%s)", x.UpperBound, x.Count+0, dumpExemplar(x.Exemplar))
			}
			if h.Native != nil {
				fmt.Fprintf(&b, " native %+v", *h.Native)
			}
		}
		if x := s.Summary; x != nil {
			fmt.Fprintf(&b, " summary %v %v", x.Count+0, x.Sum+0)
			for _, q := range x.Quantiles {
				fmt.Fprintf(&b, " (%v %v)", q.Quantile, q.Value+0)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func dumpTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprint(t.UnixMilli())
}

func dumpExemplar(e *metric.Exemplar) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf(" exemplar %q %v %s", e.Labels, e.Value+0, dumpTime(e.Time))
}

// generator makes random families that are valid.
type generator struct {
	*rand.Rand
	strings []string // to make labels of
}

func newGenerator(seed uint64, more ...string) *generator {
	return &generator{
		rand.New(rand.NewPCG(seed, 3)),
		append(more, "a", "le_", "quantile_", "_x", "Z9", "k8s.io/name", "x:y", "日本", "\"\\\n", "{}", " # {", "# EOF", "\r\t", "\x00", "1", "+Inf", ",", "=\"", "\U0001f600", strings.Repeat("x", 64), strings.Repeat("é", 64)),
	}
}

func (g *generator) string() string { return g.strings[g.IntN(len(g.strings))] }

func (g *generator) float() float64 {
	switch g.IntN(8) {
	case 0:
		return []float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e6, 999999, math.MaxFloat64, math.SmallestNonzeroFloat64}[g.IntN(10)]
	case 1:
		return math.Float64frombits(g.Uint64())
	case 2:
		return float64(g.IntN(2e6) - 1e6)
	default:
		return g.NormFloat64() * 1000
	}
}

func (g *generator) time() time.Time {
	if g.IntN(3) > 0 {
		return time.Time{}
	}
	return time.Unix(g.Int64N([]int64{1, 4e9, 253402300800}[g.IntN(3)]), g.Int64N(1e9)) // up to the year 9999
}

// labels are sorted, valid, and of other names than the type needs.
func (g *generator) labels(n int) []metric.Label {
	var out []metric.Label
	for range n {
		l := metric.Label{Name: g.string(), Value: g.string()}
		taken := l.Name == "le" || l.Name == "quantile" || l.Name == "n" || !metric.IsUTF8LabelName(l.Name)
		for _, o := range out {
			taken = taken || o.Name == l.Name
		}
		if !taken {
			out = append(out, l)
		}
	}
	metric.SortLabels(out)
	return out
}

func (g *generator) exemplar() *metric.Exemplar {
	if g.IntN(2) == 0 {
		return nil
	}
	return &metric.Exemplar{Labels: g.labels(g.IntN(3)), Value: g.float(), Time: g.time()}
}

func (g *generator) histogram() *metric.HistogramValue {
	h := &metric.HistogramValue{Sum: g.float()}
	step := []float64{1, 0.25}[g.IntN(2)]
	bound := g.NormFloat64()
	for range g.IntN(5) {
		bound += []float64{0.5, 1, g.Float64() + 1e-9}[g.IntN(3)]
		h.Count += step * float64(g.IntN(4))
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: bound, Count: h.Count, Exemplar: g.exemplar()})
	}
	h.Count += step * float64(g.IntN(4))
	if g.IntN(2) == 0 {
		h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: math.Inf(1), Count: h.Count, Exemplar: g.exemplar()})
	}
	if g.IntN(2) == 0 {
		h.Native = &metric.NativeHistogram{ZeroCount: h.Count, ZeroThreshold: g.Float64()}
	}
	return h
}

func (g *generator) summary() *metric.SummaryValue {
	s := &metric.SummaryValue{Count: float64(g.IntN(1e9)), Sum: g.float()}
	for q := g.Float64(); q <= 1; q += g.Float64() + 1e-9 {
		s.Quantiles = append(s.Quantiles, metric.Quantile{Quantile: q, Value: g.float()})
	}
	return s
}

func (g *generator) family(name string, typ metric.Type) metric.Family {
	f := metric.Family{Desc: metric.Desc{Name: name, Help: g.string(), Type: typ}}
	for i := range 1 + g.IntN(4) {
		s := metric.Sample{Time: g.time(), Created: g.time()}
		s.Labels = append(g.labels(g.IntN(4)), metric.Label{Name: "n", Value: fmt.Sprint(i)})
		metric.SortLabels(s.Labels)
		switch typ {
		case metric.Histogram, metric.GaugeHistogram:
			s.Histogram = g.histogram()
		case metric.Summary:
			s.Summary = g.summary()
		case metric.Counter:
			s.Exemplar = g.exemplar()
			if s.Value = math.Abs(g.float()); math.IsNaN(s.Value) {
				s.Value = 2
			}
		case metric.Info, metric.StateSet:
			s.Value = 1
		default:
			s.Value, s.Exemplar = g.float(), g.exemplar()
		}
		f.Samples = append(f.Samples, s)
	}
	return f
}

// carriedExemplar returns the exemplar of a counter or a bucket, if a text
// format carries it.
func carriedExemplar(format exposition.Format, e *metric.Exemplar) *metric.Exemplar {
	if e == nil || format != exposition.OpenMetrics {
		return nil
	}
	var text strings.Builder
	for _, l := range e.Labels {
		if !metric.IsLabelName(l.Name) {
			return nil
		}
		text.WriteString(l.Name + l.Value)
	}
	if len([]rune(text.String())) > 128 {
		return nil
	}
	return e
}

// carried returns what a text format carries of samples of a type.
func carried(format exposition.Format, typ metric.Type, samples []metric.Sample) []metric.Sample {
	var out []metric.Sample
	for _, s := range samples {
		s.Created = time.Time{}
		if s.Exemplar = carriedExemplar(format, s.Exemplar); typ != metric.Counter {
			s.Exemplar = nil
		}
		if s.Histogram != nil {
			h := *s.Histogram
			h.Native, h.Buckets = nil, nil
			for _, b := range s.Histogram.Buckets {
				h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: b.UpperBound, Count: b.Count, Exemplar: carriedExemplar(format, b.Exemplar)})
			}
			if n := len(h.Buckets); n == 0 || !math.IsInf(h.Buckets[n-1].UpperBound, 1) {
				h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: math.Inf(1), Count: h.Count})
			}
			s.Histogram = &h
		}
		out = append(out, s)
	}
	return out
}

// checkRoundTrip writes a family and reads it again, in both formats.
func checkRoundTrip(t *testing.T, f metric.Family) {
	t.Helper()
	if err := f.Validate(); err != nil {
		t.Fatalf("the test made a family that is not valid: %v", err)
	}
	for i := range f.Samples {
		if err := f.Samples[i].Validate(f.Type); err != nil {
			t.Fatalf("the test made a sample that is not valid: %v", err)
		}
	}
	for name, format := range formats {
		lines := body(t, format, false, func(w *exposition.Writer) { w.WriteFamily(f) })
		got, err := exposition.ParseSamples(format, f.Desc, []byte(lines))
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, lines)
		}
		if got, want := dumpSamples(got), dumpSamples(carried(format, f.Type, f.Samples)); got != want {
			t.Errorf("%s: got\n%swant\n%sfrom\n%s", name, got, want, lines)
		}
	}
}

func TestFamilyRoundTrip(t *testing.T) {
	names := []string{"a", "a_total", "a:b", "a.b_total", "日本", "\"\\\n", "a_bucket", "le", "{", "#"}
	for seed := range uint64(500) {
		g := newGenerator(seed)
		for typ := metric.Unknown; typ <= metric.Summary; typ++ {
			checkRoundTrip(t, g.family(names[g.IntN(len(names))], typ))
		}
	}
}

// FuzzFamilyRoundTrip: family -> lines -> family is equal, as far as the format
// carries it.
func FuzzFamilyRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint8(metric.Counter), "a_total", "x", "y")
	f.Add(uint64(2), uint8(metric.Histogram), "a.b", "le", "\\")
	f.Add(uint64(3), uint8(metric.GaugeHistogram), "a", "\"", "\n")
	f.Add(uint64(4), uint8(metric.Summary), "_sum", "quantile", "=\"")
	f.Fuzz(func(t *testing.T, seed uint64, typ uint8, name, s1, s2 string) {
		name = strings.ToValidUTF8(name, "?")
		if name == "" {
			name = "a"
		}
		g := newGenerator(seed, strings.ToValidUTF8(s1, "?"), strings.ToValidUTF8(s2, "?"))
		checkRoundTrip(t, g.family(name, metric.Type(typ)%(metric.Summary+1)))
	})
}

// FuzzParseLines: no lines panic, of any type in any format; and what is read
// and valid can be written and read again.
func FuzzParseLines(f *testing.F) {
	f.Add(true, uint8(metric.Counter), "a", []byte("a{x=\"1\"} 1 1.5 # {y=\"2\"} 3 4.5\n"))
	f.Add(true, uint8(metric.Histogram), "a", []byte("a_bucket{x=\"1\",le=\"1.0\"} 1 # {} 1\na_bucket{le=\"+Inf\",x=\"1\"} 1\na_sum{x=\"1\"} 1\na_count{x=\"1\"} 1\n"))
	f.Add(false, uint8(metric.GaugeHistogram), "a.b", []byte("{\"a.b_bucket\",le=\"NaN\"} 1\n{\"a.b_count\"} 1\n"))
	f.Add(false, uint8(metric.Summary), "a", []byte("a{quantile=\"0.5\"} 1 -1\na_sum 1\na_count 1\na{x=\"1\"} 1\na_foo 1"))
	f.Add(false, uint8(metric.Summary), "", []byte("{\"\"} 1\n{\"\n{\"_sum\",} 1\n_count 1\n"))
	f.Add(true, uint8(metric.Gauge), "a", []byte("a 1 # {y=\"2\"} 3\na 2 1\n"))
	f.Add(true, uint8(metric.Counter), "a", []byte("a 1 # {\"y.z\"=\"2\"} 3\na 1 # {y=\""+strings.Repeat("x", 128)+"\"} 3\n"))
	f.Add(true, uint8(metric.Unknown), "a", []byte("{\"a\",\"b\"=\"1\"} 1 # 1\n{\"a\"x 1\na # \na 1 # {"))
	f.Fuzz(func(t *testing.T, openMetrics bool, typ uint8, name string, lines []byte) {
		format := exposition.Text
		if openMetrics {
			format = exposition.OpenMetrics
		}
		d := metric.Desc{Name: name, Type: metric.Type(typ) % (metric.Summary + 1)}
		samples, err := exposition.ParseSamples(format, d, lines)
		if err != nil || d.Validate() != nil {
			return
		}
		for i := range samples {
			if samples[i].Validate(d.Type) != nil {
				return
			}
		}
		var text []byte
		for i := range samples {
			text = exposition.AppendLines(text, format, d, &samples[i])
		}
		again, err := exposition.ParseSamples(format, d, text)
		if err != nil {
			t.Fatalf("%q became %q: %v", lines, text, err)
		}
		if got, want := dumpSamples(again), dumpSamples(carried(format, d.Type, samples)); got != want {
			t.Errorf("%q became %q: got\n%swant\n%s", lines, text, got, want)
		}
	})
}

// TestWriteFamilyAllocates holds the encoders to their few allocations: none
// for each sample, whatever it carries.
func TestWriteFamilyAllocates(t *testing.T) {
	gauges := metric.Family{Desc: metric.Desc{Name: "a.b", Help: "日本.", Type: metric.Gauge}}
	histograms := metric.Family{Desc: metric.Desc{Name: "h", Type: metric.Histogram}}
	exemplar := &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: 1, Time: time.Unix(1, 0)}
	for i := range 1000 {
		s := metric.Sample{Labels: metric.Labels("k8s.io/x", fmt.Sprint(i), "y", "\"\n"), Value: float64(i) + 0.5, Time: time.UnixMilli(int64(i + 1))}
		gauges.Samples = append(gauges.Samples, s)
		s.Histogram = &metric.HistogramValue{
			Count: 3, Buckets: []metric.Bucket{{UpperBound: 0.5, Count: 1, Exemplar: exemplar}, {UpperBound: 1, Count: 2}},
			Native: &metric.NativeHistogram{Exemplars: []metric.Exemplar{*exemplar}, Positive: metric.NativeBuckets{Spans: []metric.Span{{Length: 2}}, Counts: []float64{1, 2}}},
		}
		histograms.Samples = append(histograms.Samples, s)
	}
	for name, format := range map[string]exposition.Format{"text": exposition.Text, "OpenMetrics": exposition.OpenMetrics, "protobuf": exposition.Protobuf} {
		for _, f := range []metric.Family{gauges, histograms} {
			w := exposition.NewWriter(&chunkyWriter{}, format, false)
			w.WriteFamily(f) // makes the buffer large enough
			n := testing.AllocsPerRun(20, func() { w.WriteFamily(f) })
			if n > 2 {
				t.Errorf("%s, %s: %v allocations for %d samples, want two at most", name, f.Name, n, len(f.Samples))
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
