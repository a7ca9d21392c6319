package points_test

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestDescribe: Prometheus makes the family's name of the metric's, in each of
// the ways in which it can be set to translate.
func TestDescribe(t *testing.T) {
	otel := map[points.Shape]otlptranslator.MetricType{
		points.Gauge: otlptranslator.MetricTypeGauge, points.Sum: otlptranslator.MetricTypeMonotonicCounter,
		points.UpDown: otlptranslator.MetricTypeNonMonotonicCounter, points.Histogram: otlptranslator.MetricTypeHistogram,
		points.Summary: otlptranslator.MetricTypeSummary,
	}
	for _, c := range []struct {
		d     metric.Desc
		shape points.Shape
		unit  string
		dots  string
	}{
		{metric.Desc{Name: "a", Type: metric.Gauge}, points.Gauge, "", "a"},
		{metric.Desc{Name: "a_b_total", Type: metric.Counter}, points.Sum, "", "a.b"},
		{metric.Desc{Name: "a_b", Type: metric.Counter}, points.Gauge, "", "a.b"},
		{metric.Desc{Name: "a_total_b_total", Type: metric.Counter}, points.Gauge, "", "a.total.b.total"},
		{metric.Desc{Name: "total_total", Type: metric.Counter}, points.Gauge, "", "total.total"},
		{metric.Desc{Name: "a_seconds_total", Unit: "seconds", Type: metric.Counter}, points.Sum, "s", "a.seconds"},
		{metric.Desc{Name: "a_seconds", Unit: "seconds", Type: metric.Histogram}, points.Histogram, "s", "a.seconds"},
		{metric.Desc{Name: "a_bytes", Unit: "bytes", Type: metric.Gauge}, points.Gauge, "By", "a.bytes"},
		{metric.Desc{Name: "a_ratio", Unit: "ratio", Type: metric.Gauge}, points.Gauge, "{ratio}", "a.ratio"},
		{metric.Desc{Name: "a_b_per_c", Unit: "b_per_c", Type: metric.Gauge}, points.Gauge, "{b_per_c}", "a.b.per.c"},
		{metric.Desc{Name: "xseconds", Unit: "seconds", Type: metric.Gauge}, points.Gauge, "{seconds}", "xseconds"},
		{metric.Desc{Name: "a_info", Type: metric.Info}, points.Gauge, "", "a.info"},
		{metric.Desc{Name: "a_state", Type: metric.StateSet}, points.Gauge, "", "a.state"},
		{metric.Desc{Name: "a:b", Type: metric.Unknown}, points.Gauge, "", "a:b"},
		{metric.Desc{Name: "a", Type: metric.Summary}, points.Summary, "", "a"},
	} {
		m := points.Naming{}.Describe(c.d)
		if m.Shape != c.shape || m.Unit != c.unit || m.Name != c.d.Name {
			t.Errorf("%s: %+v", c.d.Name, m)
		}
		for _, utf8 := range []bool{false, true} {
			for _, suffixes := range []bool{false, true} {
				namer := otlptranslator.MetricNamer{WithMetricSuffixes: suffixes, UTF8Allowed: utf8}
				got, err := namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: otel[m.Shape]})
				if err != nil || got != c.d.Name {
					t.Errorf("%s: Prometheus makes %s of it (suffixes %t, UTF-8 %t), %v", c.d.Name, got, suffixes, utf8, err)
				}
			}
		}
		dotted := points.Naming{Dots: true}.Describe(c.d)
		namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
		if got, _ := namer.Build(otlptranslator.Metric{Name: dotted.Name, Unit: dotted.Unit, Type: otel[dotted.Shape]}); got != c.d.Name || dotted.Name != c.dots {
			t.Errorf("%s: %s with dots, and %s in Prometheus", c.d.Name, dotted.Name, got)
		}
	}
	m := points.Naming{Names: map[string]string{"a_b": "x.y_z"}, Semconv: true}.Describe(metric.Desc{Name: "a_b", Type: metric.StateSet})
	if m.Name != "x.y_z" || m.Shape != points.UpDown || m.Unit != "{state}" {
		t.Errorf("a name of one's own: %+v", m)
	}
}

// TestShapes compares whole requests.
func TestShapes(t *testing.T) {
	start := now.Add(-time.Hour)
	opts := points.Options{
		Resource: points.Attributes{{Key: "service.name", Value: "kv"}}, Version: "v1",
		Start: func(string) time.Time { return start },
	}
	const head = `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"kv"}}]},` +
		`"scopeMetrics":[{"scope":{"name":"github.com/kubevitals/kubevitals","version":"v1"},"metrics":[`
	for _, c := range []struct {
		name   string
		format exposition.Format
		d      metric.Desc
		lines  string
		sample metric.Sample
		want   string
		seen   []series
	}{
		{
			name: "gauge", d: metric.Desc{Name: "a_seconds", Help: "Help.", Unit: "seconds", Type: metric.Gauge},
			lines: "a_seconds{x=\"1\"} 2.5\na_seconds 3 5.5\n",
			want: `{"name":"a_seconds","description":"Help.","unit":"s","gauge":{"dataPoints":[` +
				`{"attributes":[{"key":"x","value":{"stringValue":"1"}}],"timeUnixNano":"1700000000000000000","asDouble":2.5},` +
				`{"timeUnixNano":"5500000000","asDouble":3}]}}`,
			seen: []series{{"a_seconds", `x="1"`, ""}, {"a_seconds", "", ""}},
		}, {
			name: "counter", d: metric.Desc{Name: "a_total", Type: metric.Counter},
			lines: "a_total{x=\"1\"} 2 # {trace_id=\"000102030405060708090a0b0c0d0e0f\",y=\"z\"} 1 4\na_total 5\n",
			want: `{"name":"a_total","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[` +
				`{"attributes":[{"key":"x","value":{"stringValue":"1"}}],"startTimeUnixNano":"1699996400000000000","timeUnixNano":"1700000000000000000","asDouble":2,` +
				`"exemplars":[{"filteredAttributes":[{"key":"y","value":{"stringValue":"z"}}],"timeUnixNano":"4000000000","asDouble":1,"traceId":"000102030405060708090a0b0c0d0e0f"}]},` +
				`{"startTimeUnixNano":"1699996400000000000","timeUnixNano":"1700000000000000000","asDouble":5}]}}`,
			seen: []series{{"a_total", `x="1"`, ""}, {"a_total", "", ""}},
		}, {
			name: "created", d: metric.Desc{Name: "a_total", Type: metric.Counter}, format: exposition.Protobuf,
			sample: metric.Sample{Value: 2, Created: now.Add(-time.Minute)},
			want: `{"name":"a_total","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[` +
				`{"startTimeUnixNano":"1699999940000000000","timeUnixNano":"1700000000000000000","asDouble":2}]}}`,
			seen: []series{{"a_total", "", ""}},
		}, {
			name: "histogram", d: metric.Desc{Name: "a", Type: metric.Histogram},
			lines: "a_bucket{x=\"1\",le=\"1.0\"} 2\na_bucket{x=\"1\",le=\"5.0\"} 3\na_bucket{x=\"1\",le=\"+Inf\"} 7\na_sum{x=\"1\"} 9.5\na_count{x=\"1\"} 7\n",
			want: `{"name":"a","histogram":{"aggregationTemporality":2,"dataPoints":[` +
				`{"attributes":[{"key":"x","value":{"stringValue":"1"}}],"startTimeUnixNano":"1699996400000000000","timeUnixNano":"1700000000000000000",` +
				`"count":"7","sum":9.5,"bucketCounts":["2","1","4"],"explicitBounds":[1,5]}]}}`,
			seen: []series{{"a", `x="1"`, "1 5"}},
		}, {
			name: "summary", d: metric.Desc{Name: "a", Type: metric.Summary},
			lines: "a{quantile=\"0.5\"} 2\na_sum 9.5\na_count 7\n",
			want: `{"name":"a","summary":{"dataPoints":[{"startTimeUnixNano":"1699996400000000000","timeUnixNano":"1700000000000000000",` +
				`"count":"7","sum":9.5,"quantileValues":[{"quantile":0.5,"value":2}]}]}}`,
			seen: []series{{"a", "", "0.5"}},
		}, {
			name: "native", d: metric.Desc{Name: "a", Type: metric.Histogram}, format: exposition.Protobuf,
			sample: metric.Sample{Histogram: &metric.HistogramValue{Count: 6, Sum: 8, Native: &metric.NativeHistogram{
				Schema: 3, ZeroThreshold: 0.5, ZeroCount: 1,
				Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: 2, Length: 1}, {Offset: 2, Length: 2}}, Counts: []float64{1, 2, 2}},
			}}},
			want: `{"name":"a","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[` +
				`{"startTimeUnixNano":"1699996400000000000","timeUnixNano":"1700000000000000000","count":"6","sum":8,"scale":3,"zeroCount":"1",` +
				`"positive":{"offset":1,"bucketCounts":["1","0","0","2","2"]},"negative":{"offset":0},"zeroThreshold":0.5}]}}`,
			seen: []series{{"a", "", ""}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := exposition.Rendered{Desc: c.d, Chunks: []exposition.Chunk{{Raw: []byte(c.lines)}}}
			if c.format == exposition.Protobuf {
				r.Chunks[0].Raw = exposition.AppendRecords(nil, c.d, []metric.Sample{c.sample})
			} else {
				c.format = exposition.OpenMetrics
			}
			chunks, seen, invalid := build(t, opts, func(b *points.Builder) error { return b.Append(c.format, r) })
			if invalid != 0 || len(chunks) != 1 {
				t.Fatalf("%d invalid, %d chunks", invalid, len(chunks))
			}
			want, err := new(pmetric.JSONUnmarshaler).UnmarshalMetrics([]byte(head + c.want + "]}]}]}"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(asJSON(t, []points.Chunk{{Metrics: want}}), asJSON(t, chunks)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(c.seen, seen); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChunks: chunks are as large as may be and no larger, the same every time,
// and together they have every point once.
func TestChunks(t *testing.T) {
	all := objects(2000)
	limit := 256 << 10
	fill := func(b *points.Builder) error {
		for _, r := range families(all) {
			if err := b.Append(exposition.OpenMetrics, r); err != nil {
				return err
			}
		}
		return nil
	}
	chunks, seen, _ := build(t, points.Options{Limit: limit}, fill)
	total := 0
	for i, c := range chunks {
		p, err := new(pmetric.ProtoMarshaler).MarshalMetrics(c.Metrics)
		if err != nil {
			t.Fatal(err)
		}
		if len(p) != c.Size || c.Size > limit || i < len(chunks)-1 && c.Size < limit*9/10 || c.Points != c.Metrics.DataPointCount() {
			t.Errorf("chunk %d: %d bytes, measured %d, %d points of %d", i, len(p), c.Size, c.Points, c.Metrics.DataPointCount())
		}
		total += c.Points
	}
	if total != 14*2000 || len(seen) != total {
		t.Errorf("%d points, %d series", total, len(seen))
	}
	again, _, _ := build(t, points.Options{Limit: limit}, fill)
	if asJSON(t, chunks) != asJSON(t, again) {
		t.Error("the same families gave other chunks")
	}
	// A point that no request can have is left out, and the others are not.
	huge := exposition.Rendered{Desc: metric.Desc{Name: "a"}, Chunks: []exposition.Chunk{{
		Raw: []byte("a{x=\"1\"} 1\na{x=\"" + strings.Repeat("y", limit) + "\"} 1\na{x=\"2\"} 1\n"),
	}}}
	chunks, _, invalid := build(t, points.Options{Limit: limit}, func(b *points.Builder) error { return b.Append(exposition.Text, huge) })
	total = 0
	for _, c := range chunks {
		total += c.Points
	}
	if total != 2 || invalid != 1 {
		t.Errorf("%d points, %d invalid, want the two that fit", total, invalid)
	}
}

// TestSplit: halves have all points in order, whatever their shape.
func TestSplit(t *testing.T) {
	all := append(families(objects(5)), exposition.Rendered{Desc: metric.Desc{Name: "h", Type: metric.Histogram}, Chunks: []exposition.Chunk{{
		Raw: []byte("h_bucket{x=\"1\",le=\"+Inf\"} 1\nh_sum{x=\"1\"} 1\nh_count{x=\"1\"} 1\nh_bucket{x=\"2\",le=\"+Inf\"} 1\nh_sum{x=\"2\"} 1\nh_count{x=\"2\"} 1\n"),
	}}}, exposition.Rendered{Desc: metric.Desc{Name: "s", Type: metric.Summary}, Chunks: []exposition.Chunk{{
		Raw: []byte("s_sum{x=\"1\"} 1\ns_count{x=\"1\"} 1\ns_sum{x=\"2\"} 1\ns_count{x=\"2\"} 1\n"),
	}}}, exposition.Rendered{Desc: metric.Desc{Name: "c_total", Type: metric.Counter}, Chunks: []exposition.Chunk{{
		Raw: []byte("c_total{x=\"1\"} 1\nc_total{x=\"2\"} 1\n"),
	}}})
	for _, keys := range [][]points.ObjectKey{nil, {{Label: "namespace", Attribute: "k8s.namespace.name"}, {Label: "name", Attribute: "o"}}} {
		chunks, seen, _ := build(t, points.Options{Objects: keys}, func(b *points.Builder) error {
			for _, r := range all {
				if err := b.Append(exposition.OpenMetrics, r); err != nil {
					return err
				}
			}
			return nil
		})
		ones := chunks
		for len(ones) < len(seen) {
			var next []points.Chunk
			for _, c := range ones {
				halves := c.Split()
				if halves == nil {
					halves = []points.Chunk{c}
				}
				next = append(next, halves...)
			}
			ones = next
		}
		labels := make(map[string]int)
		for _, c := range ones {
			if c.Points != 1 || c.Metrics.DataPointCount() != 1 || c.Size == 0 {
				t.Fatalf("%d points, %d said", c.Metrics.DataPointCount(), c.Points)
			}
			labels[asJSON(t, []points.Chunk{c})]++
		}
		if len(labels) != len(seen) {
			t.Errorf("%d different points of %d", len(labels), len(seen))
		}
	}
}

// TestObjects: each object is a resource, which has the attributes of all.
func TestObjects(t *testing.T) {
	r := exposition.Rendered{Desc: metric.Desc{Name: "a"}, Chunks: []exposition.Chunk{{
		Raw: []byte("a{name=\"x\",namespace=\"n\"} 1\na{name=\"y\",namespace=\"n\"} 1\na{name=\"x\",namespace=\"n\",z=\"1\"} 1\na 1\n"),
	}}}
	chunks, _, _ := build(t, points.Options{
		Resource: points.Attributes{{Key: "service.name", Value: "kv"}},
		Objects:  []points.ObjectKey{{Label: "namespace", Attribute: "k8s.namespace.name"}, {Label: "name", Attribute: "k8s.resource.name"}},
	}, func(b *points.Builder) error { return b.Append(exposition.Text, r) })
	got := make(map[string]int)
	for _, rm := range chunks[0].Metrics.ResourceMetrics().All() {
		a := rm.Resource().Attributes()
		var text []string
		for _, k := range []string{"service.name", "k8s.namespace.name", "k8s.resource.name"} {
			if v, ok := a.Get(k); ok {
				text = append(text, v.Str())
			}
		}
		got[strings.Join(text, "/")] = rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().Len()
	}
	if diff := cmp.Diff(map[string]int{"kv/n/x": 2, "kv/n/y": 1, "kv": 1}, got); diff != "" {
		t.Errorf("points of resources (-want +got):\n%s", diff)
	}
}

// TestEnd: what Watch was told is enough to end a series of any shape.
func TestEnd(t *testing.T) {
	all := []metric.Family{
		{Desc: metric.Desc{Name: "g", Type: metric.Gauge}, Samples: []metric.Sample{
			{Labels: metric.Labels("x", "a\"b\\c\nd", "y.z", "1")}, {},
		}},
		{Desc: metric.Desc{Name: "c_total", Type: metric.Counter}, Samples: []metric.Sample{{Labels: metric.Labels("x", "1")}}},
		{Desc: metric.Desc{Name: "h", Type: metric.Histogram}, Samples: []metric.Sample{{Histogram: &metric.HistogramValue{
			Buckets: []metric.Bucket{{UpperBound: 0.25}, {UpperBound: 1e9}, {UpperBound: math.Inf(1)}}}}}},
		{Desc: metric.Desc{Name: "e", Type: metric.Histogram}, Samples: []metric.Sample{{Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{}}}}},
		{Desc: metric.Desc{Name: "s", Type: metric.Summary}, Samples: []metric.Sample{{Summary: &metric.SummaryValue{Quantiles: []metric.Quantile{{Quantile: 0.5}}}}}},
	}
	type ended struct {
		m              points.Metric
		labels, bounds string
	}
	var seen []ended
	var first, second []points.Chunk
	b := points.NewBuilder(points.Options{Watch: func(m *points.Metric, labels, bounds string) {
		seen = append(seen, ended{*m, labels, bounds})
	}}, now, func(c points.Chunk) error { first = append(first, c); return nil })
	for _, f := range all {
		if err := b.AppendFamily(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	b = points.NewBuilder(points.Options{}, now, func(c points.Chunk) error { second = append(second, c); return nil })
	for i := range seen {
		if err := b.End(&seen[i].m, seen[i].labels, seen[i].bounds); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	live := strings.NewReplacer(`,"asDouble":0`, "").Replace(asJSON(t, first))
	end := strings.NewReplacer(`,"flags":1`, "").Replace(asJSON(t, second))
	if strings.Count(asJSON(t, second), `"flags":1`) != len(seen) || len(seen) != 6 {
		t.Errorf("%d series; ended:\n%s", len(seen), asJSON(t, second))
	}
	if diff := cmp.Diff(live, end); diff != "" {
		t.Errorf("ended series differ in more than the flag (-live +ended):\n%s", diff)
	}
}

// TestReservedLabels: Prometheus would put the resource's in their place.
func TestReservedLabels(t *testing.T) {
	r := exposition.Rendered{Desc: metric.Desc{Name: "a"}, Chunks: []exposition.Chunk{{Raw: []byte("a{instance=\"i\",job=\"j\"} 1\na{job=\"j\",instance=\"i\\n\"} 1\n")}}}
	chunks, seen, _ := build(t, points.Options{}, func(b *points.Builder) error { return b.Append(exposition.Text, r) })
	ended, _, _ := build(t, points.Options{}, func(b *points.Builder) error {
		return b.End(&points.Metric{Name: "a"}, seen[0].Labels, "")
	})
	for _, c := range append(chunks, ended...) {
		for _, p := range c.Metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().All() {
			job, _ := p.Attributes().Get("exported_job")
			if _, instance := p.Attributes().Get("exported_instance"); job.AsString() != "j" || !instance || p.Attributes().Len() != 2 {
				t.Errorf("attributes %v", p.Attributes().AsRaw())
			}
		}
	}
}

// TestErrorOfEmit ends the build.
func TestErrorOfEmit(t *testing.T) {
	enough := errors.New("enough")
	n := 0
	b := points.NewBuilder(points.Options{Limit: 10_000}, now, func(points.Chunk) error { n++; return enough })
	var err error
	for _, r := range families(objects(100)) {
		if err = b.Append(exposition.OpenMetrics, r); err != nil {
			break
		}
	}
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("error %v after %d chunks", err, n)
	}
}

func TestAttributes(t *testing.T) {
	a, err := points.ParseAttributes("b=2, a=x%20y,,b=3")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(points.Attributes{{"a", "x y"}, {"b", "3"}}, a); diff != "" {
		t.Error(diff)
	}
	if got := a.With("b", "", "c", "4").Get("b") + a.Get("c"); got != "3" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"a", "=1", "a=%zz"} {
		if _, err := points.ParseAttributes(bad); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

// FuzzAttributes: what is accepted can be written and read again.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{"a=b", "a=b%2Cc,d=%25", "a", ",", "=%", "a=b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := points.ParseAttributes(text)
		if err != nil {
			return
		}
		var pairs []string
		for _, x := range a {
			pairs = append(pairs, strings.NewReplacer("=", "%3D", ",", "%2C").Replace(url.PathEscape(x.Key))+"="+strings.ReplaceAll(url.PathEscape(x.Value), ",", "%2C"))
		}
		again, err := points.ParseAttributes(strings.Join(pairs, ","))
		if diff := cmp.Diff(a, again); diff != "" || err != nil {
			t.Errorf("%q: %v (-first +again):\n%s", pairs, err, diff)
		}
	})
}
