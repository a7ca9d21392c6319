package exposition

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// parse reads an exposition as a scrape of Prometheus does that wants all of
// it, and returns what it finds as sorted lines.
func parse(t *testing.T, data []byte, contentType string) []string {
	t.Helper()
	p, err := textparse.New(data, contentType, labels.NewSymbolTable(), textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil {
		t.Fatalf("as %s: %v", contentType, err)
	}
	var out []string
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(out)
			return out
		}
		if err != nil {
			t.Fatalf("as %s: %v in\n%.2000s", contentType, err, data)
		}
		var line string
		switch entry {
		case textparse.EntryHelp:
			name, help := p.Help()
			name = unescape(name, contentType)
			if len(help) > 0 { // protobuf has an empty one
				line = fmt.Sprintf("# HELP %q %q", name, help)
			}
		case textparse.EntryType:
			name, typ := p.Type()
			name = unescape(name, contentType)
			line = fmt.Sprintf("# TYPE %q %s", name, typ)
		case textparse.EntryUnit:
			name, unit := p.Unit()
			name = unescape(name, contentType)
			line = fmt.Sprintf("# UNIT %q %s", name, unit)
		case textparse.EntrySeries:
			_, at, v := p.Series()
			line = fmt.Sprint(seriesLabels(p), " ", v+0, stamp(at), since(p), exemplars(p))
		case textparse.EntryHistogram:
			_, at, h, fh := p.Histogram()
			line = fmt.Sprint(seriesLabels(p), " ", nativeString(t, h, fh), stamp(at), since(p), exemplars(p))
		default:
			t.Errorf("as %s: entry %d in\n%s", contentType, entry, data)
		}
		if line != "" {
			out = append(out, line)
		}
	}
}

// unescape undoes what Prometheus' text parsers leave of the escapes in the
// names of metadata.
func unescape(name []byte, contentType string) []byte {
	if strings.Contains(contentType, "protobuf") {
		return name
	}
	return []byte(strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`).Replace(string(name)))
}

func seriesLabels(p textparse.Parser) string {
	var l labels.Labels
	p.Labels(&l)
	return l.String()
}

func stamp(at *int64) string {
	if at == nil {
		return ""
	}
	return fmt.Sprint(" at ", *at)
}

// since must be asked before exemplars are.
func since(p textparse.Parser) string {
	if st := p.StartTimestamp(); st != 0 {
		return fmt.Sprint(" since ", st)
	}
	return ""
}

func exemplars(p textparse.Parser) string {
	var out strings.Builder
	for {
		var e exemplar.Exemplar
		if !p.Exemplar(&e) {
			return out.String()
		}
		fmt.Fprintf(&out, " exemplar %s %v", e.Labels, e.Value+0)
		if e.HasTs {
			fmt.Fprintf(&out, " at %d", e.Ts)
		}
	}
}

// nativeString writes a native histogram that the database would take.
func nativeString(t *testing.T, h *histogram.Histogram, fh *histogram.FloatHistogram) string {
	t.Helper()
	if h != nil {
		if err := h.Validate(); err != nil {
			t.Errorf("Prometheus refuses %s: %v", h, err)
		}
		return fmt.Sprintf("whole %d %v %v", h.Count, h.CounterResetHint == histogram.GaugeType, h.ToFloat(nil).TestExpression())
	}
	if err := fh.Validate(); err != nil {
		t.Errorf("Prometheus refuses %s: %v", fh, err)
	}
	return fmt.Sprintf("float %v %v %v", fh.Count, fh.CounterResetHint == histogram.GaugeType, fh.TestExpression())
}

// expected is what a scraper should find of a family, in a format.
type expected struct {
	format exposition.Format
	family metric.Family
	lines  []string
}

func (x *expected) metadata() {
	f := x.family
	name, typ := f.Name, map[metric.Type]model.MetricType{
		metric.Counter: model.MetricTypeCounter, metric.Gauge: model.MetricTypeGauge, metric.Unknown: model.MetricTypeUnknown,
		metric.Info: model.MetricTypeGauge, metric.StateSet: model.MetricTypeGauge, metric.Summary: model.MetricTypeSummary,
		metric.Histogram: model.MetricTypeHistogram, metric.GaugeHistogram: model.MetricTypeGaugeHistogram,
	}[f.Type]
	switch base, isTotal := strings.CutSuffix(name, "_total"); {
	case x.format == exposition.Text && f.Type == metric.GaugeHistogram:
		typ = model.MetricTypeHistogram
	case x.format == exposition.OpenMetrics && f.Type == metric.Counter:
		name = base
		if !isTotal {
			typ = model.MetricTypeUnknown
		}
	case x.format == exposition.OpenMetrics && f.Type == metric.Info && strings.HasSuffix(name, "_info"):
		name, typ = strings.TrimSuffix(name, "_info"), model.MetricTypeInfo
	}
	if f.Help != "" {
		x.lines = append(x.lines, fmt.Sprintf("# HELP %q %q", name, f.Help))
	}
	x.lines = append(x.lines, fmt.Sprintf("# TYPE %q %s", name, typ))
	if f.Unit != "" && x.format != exposition.Text {
		x.lines = append(x.lines, fmt.Sprintf("# UNIT %q %s", name, f.Unit))
	}
}

func (x *expected) add(s *metric.Sample, suffix string, value any, e []metric.Exemplar, pairs ...string) {
	pairs = append(pairs, model.MetricNameLabel, x.family.Name+suffix)
	for _, l := range s.Labels {
		pairs = append(pairs, l.Name, l.Value)
	}
	line := fmt.Sprint(labels.FromStrings(pairs...), " ", value)
	if !s.Time.IsZero() {
		line += fmt.Sprint(" at ", s.Time.UnixMilli())
	}
	if !s.Created.IsZero() && x.format == exposition.Protobuf {
		line += fmt.Sprint(" since ", s.Created.UnixMilli())
	}
	for _, e := range e {
		var pairs []string
		for _, l := range e.Labels {
			pairs = append(pairs, l.Name, l.Value)
		}
		if !x.carries(e) {
			continue
		}
		line += fmt.Sprintf(" exemplar %s %v", labels.FromStrings(pairs...), e.Value+0)
		if !e.Time.IsZero() {
			line += fmt.Sprint(" at ", e.Time.UnixMilli())
		}
	}
	x.lines = append(x.lines, line)
}

// carries reports whether the format has a place for an exemplar of a counter
// or a bucket.
func (x *expected) carries(e metric.Exemplar) bool {
	if x.format != exposition.OpenMetrics {
		return x.format == exposition.Protobuf
	}
	characters := 0
	for _, l := range e.Labels {
		if !model.LegacyValidation.IsValidLabelName(l.Name) {
			return false
		}
		characters += utf8.RuneCountInString(l.Name + l.Value)
	}
	return characters <= exemplar.ExemplarMaxLabelSetLength
}

func one(e *metric.Exemplar) []metric.Exemplar {
	if e == nil {
		return nil
	}
	return []metric.Exemplar{*e}
}

func (x *expected) histogram(t *testing.T, s *metric.Sample) {
	h := s.Histogram
	if h.Native != nil && x.format == exposition.Protobuf {
		x.add(s, "", x.native(t, h), x.nativeExemplars(h))
		if len(h.Buckets) == 0 {
			return // there is no classic one
		}
	}
	infinite := false
	for _, b := range h.Buckets {
		infinite = math.IsInf(b.UpperBound, 1)
		x.add(s, "_bucket", b.Count+0, one(b.Exemplar), "le", labels.FormatOpenMetricsFloat(b.UpperBound))
	}
	if !infinite {
		x.add(s, "_bucket", h.Count+0, nil, "le", "+Inf")
	}
	x.add(s, "_sum", h.Sum+0, nil)
	x.add(s, "_count", h.Count+0, nil)
}

// nativeExemplars are those of a native histogram that have a time; if it has
// none, those of the classic buckets.
func (x *expected) nativeExemplars(h *metric.HistogramValue) (out []metric.Exemplar) {
	all := h.Native.Exemplars
	if !slices.ContainsFunc(all, func(e metric.Exemplar) bool { return !e.Time.IsZero() }) {
		all = nil
		for _, b := range h.Buckets {
			all = append(all, one(b.Exemplar)...)
		}
	}
	for _, e := range all {
		if !e.Time.IsZero() {
			out = append(out, e)
		}
	}
	return out
}

func (x *expected) native(t *testing.T, h *metric.HistogramValue) string {
	n := h.Native
	out := &histogram.FloatHistogram{Schema: n.Schema, Count: h.Count, Sum: h.Sum, ZeroThreshold: n.ZeroThreshold, ZeroCount: n.ZeroCount}
	spans := func(b metric.NativeBuckets) (out []histogram.Span) {
		for _, s := range b.Spans {
			out = append(out, histogram.Span{Offset: s.Offset, Length: s.Length})
		}
		return out
	}
	out.PositiveSpans, out.PositiveBuckets = spans(n.Positive), slices.Clone(n.Positive.Counts)
	out.NegativeSpans, out.NegativeBuckets = spans(n.Negative), slices.Clone(n.Negative.Counts)
	out.Compact(0)
	if x.family.Type == metric.GaugeHistogram {
		out.CounterResetHint = histogram.GaugeType
	}
	s := nativeString(t, nil, out)
	if h.IsWhole() {
		s = strings.Replace(s, fmt.Sprintf("float %v", h.Count), fmt.Sprintf("whole %d", uint64(h.Count)), 1)
	}
	return s
}

// expect returns what a scraper should find, as parse does.
func expect(t *testing.T, format exposition.Format, f metric.Family) []string {
	x := expected{format: format, family: f}
	x.metadata()
	for i := range f.Samples {
		s := &f.Samples[i]
		switch {
		case s.Histogram != nil:
			x.histogram(t, s)
		case s.Summary != nil:
			for _, q := range s.Summary.Quantiles {
				x.add(s, "", q.Value+0, nil, "quantile", labels.FormatOpenMetricsFloat(q.Quantile))
			}
			x.add(s, "_sum", s.Summary.Sum+0, nil)
			x.add(s, "_count", s.Summary.Count+0, nil)
		case f.Type == metric.Counter:
			x.add(s, "", s.Value+0, one(s.Exemplar))
		default:
			x.add(s, "", s.Value+0, nil)
		}
	}
	slices.Sort(x.lines)
	return x.lines
}

func checkScrape(t *testing.T, format exposition.Format, f metric.Family) {
	t.Helper()
	data := encode(t, format, f)
	got := parse(t, data, format.ContentType(exposition.AllowUTF8))
	if want := expect(t, format, f); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s\nfrom\n%q", strings.Join(got, "\n"), strings.Join(want, "\n"), data)
	}
}

// TestScrape has Prometheus' parsers read what we encode, by the Content-Type
// that we send with it.
func TestScrape(t *testing.T) {
	for name, format := range map[string]exposition.Format{"text": exposition.Text, "OpenMetrics": exposition.OpenMetrics} {
		t.Run(name, func(t *testing.T) {
			eachFamily(t, func(t *testing.T, f metric.Family) { checkScrape(t, format, f) })
		})
	}
	t.Run("protobuf", func(t *testing.T) {
		eachFamily(t, func(t *testing.T, f metric.Family) {
			for i := range f.Samples {
				checkScrape(t, exposition.Protobuf, metric.Family{Desc: f.Desc, Samples: f.Samples[i : i+1]})
			}
			checkScrape(t, exposition.Protobuf, withoutNativeExemplars(f))
		})
	})
}

// withoutNativeExemplars is for families of several histograms: the parser
// counts the exemplars that it has returned on from one to the next.
func withoutNativeExemplars(f metric.Family) metric.Family {
	f.Samples = slices.Clone(f.Samples)
	for i := range f.Samples {
		if h := f.Samples[i].Histogram; h != nil && h.Native != nil {
			copied, native := *h, *h.Native
			native.Exemplars, copied.Native = nil, &native
			f.Samples[i].Histogram = &copied
		}
	}
	return f
}

// TestScrapeOfFarTimes: the first and the last times that are valid come through
// in every format, but for the very begin of 1970, see [generator.time].
func TestScrapeOfFarTimes(t *testing.T) {
	f := func(at time.Time) {
		t.Helper()
		exemplar := &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: -0.5, Time: at}
		families := []metric.Family{{
			Desc:    metric.Desc{Name: "a_total", Type: metric.Counter},
			Samples: []metric.Sample{{Value: 1, Time: at, Created: at, Exemplar: exemplar}},
		}, {
			Desc: metric.Desc{Name: "a", Type: metric.Histogram},
			Samples: []metric.Sample{{Time: at, Created: at, Histogram: &metric.HistogramValue{
				Count: 1, Buckets: []metric.Bucket{{UpperBound: 1, Count: 1, Exemplar: exemplar}},
				Native: &metric.NativeHistogram{ZeroCount: 1, Exemplars: []metric.Exemplar{*exemplar}},
			}}},
		}}
		for _, family := range families {
			if err := family.Samples[0].Validate(family.Type); err != nil {
				t.Errorf("%s: %v", at, err)
			}
			for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
				checkScrape(t, format, family)
			}
		}
	}
	f(time.UnixMilli(1))
	f(time.Date(9999, 12, 31, 23, 59, 59, 5e8, time.UTC))
}

// TestScrapeOfExemplars: what OpenMetrics leaves out does not keep a scraper
// from reading the rest, and protobuf has all of it.
func TestScrapeOfExemplars(t *testing.T) {
	f := func(labels []metric.Label) {
		t.Helper()
		e := &metric.Exemplar{Labels: labels, Value: 0.5, Time: time.UnixMilli(1500)}
		histogram := &metric.HistogramValue{Count: 1, Buckets: []metric.Bucket{{UpperBound: 1, Count: 1, Exemplar: e}}}
		summary := &metric.SummaryValue{Count: 1, Quantiles: []metric.Quantile{{Quantile: 0.5, Value: 1}}}
		for typ := metric.Unknown; typ <= metric.Summary; typ++ {
			s := metric.Sample{Value: 1, Exemplar: e}
			switch typ {
			case metric.Histogram, metric.GaugeHistogram:
				s.Histogram = histogram
			case metric.Summary:
				s.Summary = summary
			}
			name := map[metric.Type]string{metric.Counter: "a_total", metric.Info: "a_info"}[typ]
			if name == "" {
				name = "a"
			}
			for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
				checkScrape(t, format, metric.Family{Desc: metric.Desc{Name: name, Type: typ}, Samples: []metric.Sample{s}})
			}
		}
	}
	f(metric.Labels("trace_id", "1"))
	f(metric.Labels("trace_id", strings.Repeat("日", 120)))
	f(metric.Labels("trace_id", strings.Repeat("日", 121)))
	f(metric.Labels("k8s.io/name", "1"))
	f(metric.Labels("a", "1", "日本", "2"))
	f(metric.Labels("a:b", "1"))
}

// TestScrapeOfManyFamilies reads one exposition of families that follow each
// other.
func TestScrapeOfManyFamilies(t *testing.T) {
	for name, format := range map[string]exposition.Format{"text": exposition.Text, "OpenMetrics": exposition.OpenMetrics, "protobuf": exposition.Protobuf} {
		var families []metric.Family
		var want []string
		for seed := range uint64(300) {
			f := withoutNativeExemplars(newGenerator(seed).family(metric.Type(seed % 8)))
			f.Name = fmt.Sprintf("f%d_%s", seed, f.Name)
			families, want = append(families, f), append(want, expect(t, format, f)...)
		}
		slices.Sort(want)
		got := parse(t, encode(t, format, families...), format.ContentType(exposition.AllowUTF8))
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("%s: line %d is\n%s\nwant\n%s", name, i, got[i], want[i])
				}
			}
			t.Fatalf("%s: %d lines, want %d", name, len(got), len(want))
		}
	}
}
