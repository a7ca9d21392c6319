package operator_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// nativePart gives families in every format, by Lines or as chunks.
type nativePart struct {
	families []metric.Family
	chunks   bool
	utf8     bool
	asked    []exposition.Format
}

func (p *nativePart) Families() []string { return nil }

func (p *nativePart) Gather(_ context.Context, f exposition.Format) ([]exposition.Rendered, error) {
	p.asked = append(p.asked, f)
	var out []exposition.Rendered
	for _, family := range p.families {
		var runs [][]byte
		for i := range family.Samples {
			if f == exposition.Protobuf {
				runs = append(runs, exposition.AppendRecords(nil, family.Desc, family.Samples[i:i+1]))
			} else {
				runs = append(runs, exposition.AppendLines(nil, f, family.Desc, &family.Samples[i]))
			}
		}
		r := exposition.Rendered{Desc: family.Desc, UTF8: p.utf8}
		if p.chunks {
			for _, run := range runs {
				r.Chunks = append(r.Chunks, exposition.Chunk{Raw: run})
			}
		} else {
			r.Lines = func(buf []byte, full func([]byte) []byte) []byte {
				for _, run := range runs {
					buf = full(append(buf, run...))
				}
				return buf
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// nativeFamilies have what lines cannot carry. Their labels are in order, as
// collectors leave them.
func nativeFamilies() []metric.Family {
	return []metric.Family{
		{Desc: metric.Desc{Name: "a_total", Help: "A.", Type: metric.Counter}, Samples: []metric.Sample{
			{Labels: metric.Labels("x", "1"), Value: 1, Created: time.Unix(5, 6)}, {Labels: metric.Labels("x", "2"), Value: 2},
		}},
		{Desc: metric.Desc{Name: "h_seconds", Unit: "seconds", Type: metric.Histogram}, Samples: []metric.Sample{{
			Histogram: &metric.HistogramValue{Count: 3, Sum: 4, Native: &metric.NativeHistogram{
				Schema: 2, Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: 1, Length: 2}}, Counts: []float64{1, 2}},
			}},
		}}},
	}
}

// TestNative: records pass through, and are data where that is wanted.
func TestNative(t *testing.T) {
	collector := plain()
	collector.Expose("/metrics.json", exposition.JSON{})
	collector.AddSource("s", source{families: nativeFamilies()})
	for _, chunks := range []bool{false, true} {
		p := &nativePart{families: nativeFamilies(), chunks: chunks}
		o := plain()
		o.Expose("/metrics.json", exposition.JSON{})
		o.AddPart("p", p, operator.Native())
		for _, c := range []struct {
			path, accept string
			asked        exposition.Format
		}{
			{"/metrics", formats["text"], exposition.Text},
			{"/metrics", formats["OpenMetrics"], exposition.OpenMetrics},
			{"/metrics", formats["protobuf"], exposition.Protobuf},
			{"/metrics.json", "", exposition.Protobuf},
		} {
			p.asked = nil
			got := get(o, c.path, "Accept", c.accept).Body.String()
			want := get(collector, c.path, "Accept", c.accept).Body.String()
			if got != want || len(got) < 50 || !slices.Equal(p.asked, []exposition.Format{c.asked}) {
				t.Errorf("%s %s, chunks %v: asked for %v and gives\n%q\nwant\n%q", c.path, c.accept, chunks, p.asked, got, want)
			}
		}
		families, err := o.Families(t.Context())
		if err != nil || len(families) != 2 || families[1].Samples[0].Histogram.Native == nil || families[0].Samples[0].Created.IsZero() {
			t.Errorf("Families gives %+v, %v", families, err)
		}
	}
}

// TestNativeFormats: which formats a part is asked for.
func TestNativeFormats(t *testing.T) {
	f := func(want []exposition.Format, opts ...operator.CollectOption) {
		t.Helper()
		p := &nativePart{families: []metric.Family{{Desc: metric.Desc{Name: "a", Type: metric.Gauge}, Samples: []metric.Sample{{Value: 1}}}}}
		o := plain()
		o.AddPart("p", p, opts...)
		for _, name := range []string{"text", "OpenMetrics", "protobuf"} {
			if body := scrape(t, o, "Accept", formats[name]); !strings.Contains(body, "a") {
				t.Errorf("%s: %q", name, body)
			}
		}
		if !slices.Equal(p.asked, want) {
			t.Errorf("asked for %v, want %v", p.asked, want)
		}
	}
	f([]exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.OpenMetrics})
	f([]exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf}, operator.Native())
	f([]exposition.Format{exposition.Text, exposition.Text, exposition.Text}, operator.AnyFormat())
	f([]exposition.Format{exposition.Text, exposition.Text, exposition.Protobuf}, operator.AnyFormat(), operator.Native())
}

// TestNativeThatCannotBeRead: records are not checked where they pass through,
// and cost only their family where they are read.
func TestNativeThatCannotBeRead(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Expose("/metrics.json", exposition.JSON{})
	o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		return []exposition.Rendered{rendered("bad", "\"no record")}, nil
	}}, operator.Native())
	o.Collect("c", emits(gauge("a", 1)))
	if w := get(o, "/metrics.json?name[]=a&name[]=bad"); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "bad") || !strings.Contains(w.Body.String(), `"a"`) {
		t.Errorf("JSON gives %d %s", w.Code, w.Body)
	}
}

// TestRenderedUTF8: names of labels are escaped for who cannot read them.
func TestRenderedUTF8(t *testing.T) {
	family := metric.Family{Desc: metric.Desc{Name: "a", Type: metric.Gauge}, Samples: []metric.Sample{
		{Labels: []metric.Label{{Name: "z", Value: "1"}, {Name: "x.y", Value: "2"}}, Value: 1}, // in no order
		{Labels: []metric.Label{{Name: "z", Value: ""}, {Name: "x.y", Value: "3"}}, Value: 2},
	}}
	for _, utf8 := range []bool{true, false} {
		p := &nativePart{families: []metric.Family{family}, utf8: utf8}
		o := plain()
		o.AddPart("p", p, operator.Native())
		asIs := "# TYPE a gauge\na{z=\"1\",\"x.y\"=\"2\"} 1\na{z=\"\",\"x.y\"=\"3\"} 2\n"
		for accept, want := range map[string]string{
			allowUTF8:   asIs,
			underscores: "# TYPE a gauge\na{x_y=\"2\",z=\"1\"} 1\na{x_y=\"3\"} 2\n",
			dots:        "# TYPE a gauge\na{x_dot_y=\"2\",z=\"1\"} 1\na{x_dot_y=\"3\"} 2\n",
		} {
			if !utf8 { // nobody has said that there is something to escape
				want = asIs
			}
			if got := scrape(t, o, "Accept", accept); got != want {
				t.Errorf("%s, UTF8 %v:\n%s\nwant\n%s", accept, utf8, got, want)
			}
		}
		for accept, name := range map[string]string{";escaping=allow-utf-8": "x.y", ";escaping=underscores": "x_y"} {
			if !utf8 {
				name = "x.y"
			}
			if got := get(o, "/metrics", "Accept", formats["protobuf"]+accept).Body.Bytes(); !bytes.Contains(got, []byte(name)) {
				t.Errorf("protobuf%s, UTF8 %v: no %s in %q", accept, utf8, name, got)
			}
		}
	}
}

// TestLinesDisambiguated: the type that OpenMetrics wants is that of the family
// as it is written.
func TestLinesDisambiguated(t *testing.T) {
	o := plain()
	counter := metric.Family{Desc: metric.Desc{Name: "a_total", Type: metric.Counter}, Samples: []metric.Sample{{Value: 2}}}
	o.AddPart("p", &nativePart{families: []metric.Family{counter}})
	o.Collect("c", emits(gauge("a", 1)))
	want := "# TYPE a gauge\na 1\n# TYPE a_total unknown\na_total 2\n# EOF\n"
	if got := scrape(t, o, "Accept", formats["OpenMetrics"]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRenderRecords(t *testing.T) {
	families, err := operator.Render(t.Context(), exposition.Protobuf, emits(counter("b_total", 2, "x", "1"), histogram("h", 3)))
	if err != nil || len(families) != 2 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	for _, r := range families {
		f, err := r.Parse(exposition.Protobuf)
		if err != nil || len(f.Samples) != 1 {
			t.Errorf("%s: %d samples, %v", r.Name, len(f.Samples), err)
		}
	}
	if got := fmt.Sprint(families[0].Name, families[1].Name); got != "b_totalh" {
		t.Errorf("families %s", got)
	}
}

// A name that is only the same once it is escaped takes nothing from who has it as
// it is.
func TestEscapedNamesComeLast(t *testing.T) {
	gauge := func(name string, v float64) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: name, Type: metric.Gauge}, Samples: []metric.Sample{{Value: v}}}
	}
	o := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	o.SelfMetrics("")
	o.AddPart("part", &nativePart{families: []metric.Family{gauge("a.b", 1), gauge("a_b", 2)}}, operator.Native())
	o.Expose("/metrics", exposition.Prometheus{})
	if got, want := scrape(t, o), "# TYPE a_b gauge\na_b 2\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	got := scrape(t, o, "Accept", "text/plain;version=1.0.0;escaping=allow-utf-8")
	if want := "# TYPE \"a.b\" gauge\n{\"a.b\"} 1\n# TYPE a_b gauge\na_b 2\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// partFunc is a part without names of its own.
type partFunc func(exposition.Format) []exposition.Rendered

func (partFunc) Families() []string { return nil }

func (f partFunc) Gather(_ context.Context, format exposition.Format) ([]exposition.Rendered, error) {
	return f(format), nil
}

// A part that escapes the names of labels itself is not read.
func TestPartEscapes(t *testing.T) {
	lines := func(text string) func([]byte, func([]byte) []byte) []byte {
		return func(buf []byte, _ func([]byte) []byte) []byte { return append(buf, text...) }
	}
	o := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	o.SelfMetrics("")
	o.AddPart("part", partFunc(func(exposition.Format) []exposition.Rendered {
		return []exposition.Rendered{{
			Desc: metric.Desc{Name: "a", Type: metric.Gauge}, UTF8: true, Lines: lines("a{\"b.c\"=\"d\"} 1\n"),
			Escaped: func(e exposition.Escaping) func([]byte, func([]byte) []byte) []byte {
				return lines("a{" + e.LabelName("b.c") + "=\"escaped\"} 1\n")
			},
		}}
	}))
	o.Expose("/metrics", exposition.Prometheus{})
	for _, c := range []struct{ accept, want string }{
		{"", `a{b_c="escaped"} 1`}, {"text/plain;version=1.0.0;escaping=dots", `a{b_dot_c="escaped"} 1`},
		{"text/plain;version=1.0.0;escaping=allow-utf-8", `a{"b.c"="d"} 1`},
	} {
		if got := scrape(t, o, "Accept", c.accept); !strings.Contains(got, c.want+"\n") {
			t.Errorf("%s: got\n%swant %s", c.accept, got, c.want)
		}
	}
}
