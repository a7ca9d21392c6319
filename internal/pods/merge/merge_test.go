package merge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// pod is what a pod sends.
type pod struct {
	name, body string
	format     exposition.Format
}

// text is a pod whose body is of the text format.
func text(name string, lines ...string) pod {
	return pod{name: name, body: strings.Join(lines, "\n") + "\n"}
}

// open is one whose body is of OpenMetrics.
func open(name string, lines ...string) pod {
	return pod{name, strings.Join(lines, "\n") + "\n# EOF\n", exposition.OpenMetrics}
}

// records is one whose body is of protobuf.
func records(name string, families ...metric.Family) pod {
	var b strings.Builder
	w := exposition.NewWriter(&b, exposition.Protobuf, false)
	for _, f := range families {
		w.WriteFamily(f)
	}
	_ = w.Close()
	return pod{name, b.String(), exposition.Protobuf}
}

// sources scans what pods send. Their only label is pod.
func sources(t testing.TB, pods ...pod) []Source {
	t.Helper()
	var out []Source
	for _, p := range pods {
		x := &scan.Exposition{Format: p.format}
		if err := x.Scan([]byte(p.body), scan.Options{Reserved: []string{"pod"}}); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		out = append(out, Source{Body: x, Labels: metric.Labels("pod", p.name)})
	}
	return out
}

// written returns merged families as one exposition.
func written(t testing.TB, f exposition.Format, families []exposition.Rendered) string {
	t.Helper()
	var b strings.Builder
	w := exposition.NewWriter(&b, f, false)
	for _, r := range families {
		w.WriteRendered(r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	reserved := func(name string) bool { return name == "up" || strings.HasPrefix(name, "scrape_") }
	for _, tt := range []struct {
		name string
		opts Options
		pods []pod
		want string
	}{
		{name: "nothing"},
		{name: "a family is there once, with the samples of all pods", pods: []pod{
			text("p1", "# HELP b B.", "# TYPE b counter", "b 1", "# TYPE a gauge", `a{x="y"} 2`),
			text("p2", "# TYPE a gauge", `a{x="z"} 3`, `a 4`, "# HELP b other", "# TYPE b counter", "b 5"),
		}, want: `# TYPE a gauge
a{pod="p1",x="y"} 2
a{pod="p2",x="z"} 3
a{pod="p2"} 4
# HELP b B.
# TYPE b counter
b{pod="p1"} 1
b{pod="p2"} 5
`},
		{name: "timestamps stay, and the last line needs no newline", pods: []pod{
			{name: "p", body: "a 1 1700000000000\nb{} 2\nc{x=\"1\"} 3"},
		}, want: `# TYPE a untyped
a{pod="p"} 1 1700000000000
# TYPE b untyped
b{pod="p"} 2
# TYPE c untyped
c{pod="p",x="1"} 3
`},
		{name: "timestamps are stripped", opts: Options{StripTimestamps: true}, pods: []pod{text("p", "a 1 1700000000000")},
			want: "# TYPE a untyped\na{pod=\"p\"} 1\n"},
		{name: "lines written in another way", pods: []pod{text("p", "a{ x = \"1\" , y=\"2\",}\t 1 ", "  b   2", "c 3\r")},
			want: "# TYPE a untyped\na{pod=\"p\",x=\"1\",y=\"2\"} 1\n# TYPE b untyped\nb{pod=\"p\"} 2\n# TYPE c untyped\nc{pod=\"p\"} 3\n"},
		{name: "names in quotes", pods: []pod{text("p", `{"a.b","c d"="e"} 1`)},
			want: "# TYPE \"a.b\" untyped\n{\"a.b\",pod=\"p\",\"c d\"=\"e\"} 1\n"},
		{name: "collisions are renamed", pods: []pod{text("p", `a{pod="x",exported_pod="y"} 1`, `b{pod=""} 2`, `c{pod="x"} 3`)},
			want: "# TYPE a untyped\na{pod=\"p\",exported_exported_pod=\"x\",exported_pod=\"y\"} 1\n# TYPE b untyped\nb{pod=\"p\"} 2\n# TYPE c untyped\nc{pod=\"p\",exported_pod=\"x\"} 3\n"},
		{name: "collisions are honoured", opts: Options{Collision: Honor}, pods: []pod{text("p", `a{pod="x"} 1`, `b{pod=""} 2`)},
			want: "# TYPE a untyped\na{pod=\"x\"} 1\n# TYPE b untyped\nb{pod=\"p\"} 2\n"},
		{name: "collisions are dropped", opts: Options{Collision: Drop}, pods: []pod{text("p", `a{pod="x",y="z"} 1`)},
			want: "# TYPE a untyped\na{pod=\"p\",y=\"z\"} 1\n"},
		{name: "names that pods may not have", opts: Options{Reserved: reserved}, pods: []pod{
			text("p1", "up 1", "exported_up 4"), text("p2", "up 2", "# TYPE scrape_x gauge", "scrape_x 3"),
		}, want: "# TYPE exported_exported_up untyped\nexported_exported_up{pod=\"p1\"} 4\n# TYPE exported_scrape_x gauge\nexported_scrape_x{pod=\"p2\"} 3\n" +
			"# TYPE exported_up untyped\nexported_up{pod=\"p1\"} 1\nexported_up{pod=\"p2\"} 2\n"},
		{name: "families are kept out", opts: Options{Keep: func(name string) bool { return name != "a" }}, pods: []pod{text("p", "a 1", "b 2")},
			want: "# TYPE b untyped\nb{pod=\"p\"} 2\n"},
		{name: "the first type counts", pods: []pod{text("p1", "a 1"), text("p2", "# TYPE a gauge", "a 2"), text("p3", "# TYPE a counter", "a 3")},
			want: "# TYPE a gauge\na{pod=\"p1\"} 1\na{pod=\"p2\"} 2\na{pod=\"p3\"} 3\n"},
		{name: "a histogram takes in untyped buckets", pods: []pod{
			text("p1", `h_bucket{le="+Inf"} 1`, "h_sum 1", "h_count 1"),
			text("p2", "# TYPE h histogram", `h_bucket{le="+Inf"} 2`, "h_sum 2", "h_count 2"),
		}, want: `# TYPE h histogram
h_bucket{pod="p1",le="+Inf"} 1
h_sum{pod="p1"} 1
h_count{pod="p1"} 1
h_bucket{pod="p2",le="+Inf"} 2
h_sum{pod="p2"} 2
h_count{pod="p2"} 2
`},
		{name: "a gauge has the name of a histogram's series", pods: []pod{
			text("p1", "# TYPE h histogram", `h_bucket{le="+Inf"} 1`, "h_sum 1", "h_count 1"),
			text("p2", "# TYPE h_count gauge", "h_count 7"),
		}, want: `# TYPE h_bucket untyped
h_bucket{pod="p1",le="+Inf"} 1
# TYPE h_count untyped
h_count{pod="p1"} 1
h_count{pod="p2"} 7
# TYPE h_sum untyped
h_sum{pod="p1"} 1
`},
		{name: "a histogram and a summary", pods: []pod{
			text("p1", "# TYPE x summary", `x{quantile="0.5"} 1`, "x_sum 1", "x_count 1"),
			text("p2", "# TYPE x histogram", `x_bucket{le="+Inf"} 1`, "x_sum 2", "x_count 1"),
		}, want: `# TYPE x untyped
x{pod="p1",quantile="0.5"} 1
# TYPE x_bucket untyped
x_bucket{pod="p2",le="+Inf"} 1
# TYPE x_count untyped
x_count{pod="p1"} 1
x_count{pod="p2"} 1
# TYPE x_sum untyped
x_sum{pod="p1"} 1
x_sum{pod="p2"} 2
`},
		{name: "a bucket without a bound that is a number", pods: []pod{
			text("p1", "# TYPE h histogram", `h_bucket{le="+Inf"} 1`, "h_sum 1", "h_count 1"),
			text("p2", "# TYPE h histogram", `h_bucket{le="x"} 1`),
		}, want: `# TYPE h_bucket untyped
h_bucket{pod="p1",le="+Inf"} 1
h_bucket{pod="p2",le="x"} 1
# TYPE h_count untyped
h_count{pod="p1"} 1
# TYPE h_sum untyped
h_sum{pod="p1"} 1
`},
		{name: "OpenMetrics as text", pods: []pod{open("p", "# TYPE a counter", "# UNIT b_seconds seconds", "# TYPE b_seconds gauge",
			`a_total 1 1700000000.5 # {trace="x"} 1`, "a_created 1.7e9", "b_seconds 2", "# TYPE c info", `c_info{v="1"} 1`)},
			want: "# TYPE a_total counter\na_total{pod=\"p\"} 1 1700000000500\n# TYPE b_seconds gauge\nb_seconds{pod=\"p\"} 2\n# TYPE c_info gauge\nc_info{pod=\"p\",v=\"1\"} 1\n"},
		{name: "protobuf as text", pods: []pod{records("p", metric.Family{Desc: metric.Desc{Name: "a_total", Type: metric.Counter, Help: "A\n."},
			Samples: []metric.Sample{{Labels: metric.Labels("pod", "x"), Value: 3}}})},
			want: "# HELP a_total A\\n.\n# TYPE a_total counter\na_total{exported_pod=\"x\",pod=\"p\"} 3\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var m Merger
			for range 2 { // the second time it remembers
				families, _ := m.Families(sources(t, tt.pods...), tt.opts)
				if diff := cmp.Diff(tt.want, written(t, exposition.Text, families)); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestOpenMetrics(t *testing.T) {
	pods := []pod{
		text("p1", "# TYPE a_total counter", "a_total 1 1700000000500", "# TYPE b counter", "b 2"),
		open("p2", "# TYPE a counter", `a_total 3 # {trace="x"} 1 1700000000`, "a_created 1.7e9", "# TYPE s stateset", `s{s="on"} 1`),
	}
	families, _ := new(Merger).Families(sources(t, pods...), Options{Format: exposition.OpenMetrics})
	want := `# TYPE a counter
a_total{pod="p1"} 1 1700000000.5
a_total{pod="p2"} 3 # {trace="x"} 1 1700000000
a_created{pod="p2"} 1.7e9
# TYPE b unknown
b{pod="p1"} 2
# TYPE s gauge
s{pod="p2",s="on"} 1
# EOF
`
	if diff := cmp.Diff(want, written(t, exposition.OpenMetrics, families)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestProtobuf merges bodies of all formats into protobuf, and reads that as one
// body again.
func TestProtobuf(t *testing.T) {
	native := metric.Family{Desc: metric.Desc{Name: "n", Type: metric.Histogram, Help: "N."}, Samples: []metric.Sample{{Histogram: &metric.HistogramValue{
		Count: 3, Sum: 4, Native: &metric.NativeHistogram{Schema: 2, ZeroThreshold: 0.1, Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: 1, Length: 1}}, Counts: []float64{3}}},
	}}}}
	pods := []pod{
		records("p1", native, metric.Family{Desc: metric.Desc{Name: "g", Type: metric.Gauge}, Samples: []metric.Sample{{Value: 1}, {Labels: metric.Labels("pod", "x"), Value: 2}}}),
		text("p2", "# TYPE g counter", "g 3", "# TYPE n histogram", `n_bucket{le="1"} 1`, `n_bucket{le="+Inf"} 2`, "n_sum 2", "n_count 2"),
		open("p3", "# TYPE g gauge", `g{a="b"} 4 1700000000.5`, "# TYPE t counter", `t_total 5 # {trace="x"} 1`, "t_created 1.7e9"),
	}
	families, _ := new(Merger).Families(sources(t, pods...), Options{Format: exposition.Protobuf})
	body := written(t, exposition.Protobuf, families)
	again, _ := new(Merger).Families([]Source{{Body: sources(t, pod{"all", body, exposition.Protobuf})[0].Body, Labelled: true}}, Options{Format: exposition.OpenMetrics})
	want := `# TYPE g gauge
g{pod="p1"} 1
g{exported_pod="x",pod="p1"} 2
g{pod="p2"} 3
g{pod="p3",a="b"} 4 1700000000.5
# HELP n N.
# TYPE n histogram
n_bucket{pod="p1",le="+Inf"} 3
n_sum{pod="p1"} 4
n_count{pod="p1"} 3
n_bucket{pod="p2",le="1.0"} 1
n_bucket{pod="p2",le="+Inf"} 2
n_sum{pod="p2"} 2
n_count{pod="p2"} 2
# TYPE t counter
t_total{pod="p3"} 5 # {trace="x"} 1
# EOF
`
	if diff := cmp.Diff(want, written(t, exposition.OpenMetrics, again)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimes(t *testing.T) {
	at := func(ms int64) pod {
		return records("a", metric.Family{Desc: metric.Desc{Name: "x"}, Samples: []metric.Sample{{Value: 1, Time: time.UnixMilli(ms)}}})
	}
	const none = "none"
	for _, c := range []struct {
		from   pod
		to     exposition.Format
		stamps string // none if the sample is left out
	}{
		{open("a", "x 1 1520879607.789"), exposition.Text, "1520879607789"},
		{open("a", "x 1 1520879607"), exposition.Text, "1520879607000"},
		{open("a", "x 1 0.0005"), exposition.Text, "1"},
		{open("a", "x 1 -0"), exposition.Text, "0"},
		{open("a", "x 1 1e-1000000"), exposition.Text, "0"},
		{open("a", "x 1 -5"), exposition.Text, none},
		{open("a", "x 1 1e300"), exposition.Text, none},
		{open("a", "x 1 9223372036854776"), exposition.Text, none},
		{open("a", "# TYPE y histogram", "y_bucket{le=\"+Inf\"} 1", "y_sum 1", "y_count 1", "# TYPE y_sum gauge", "x 1 -5"), exposition.Text, none},
		{open("a", "x 1 -5"), exposition.OpenMetrics, "-5"},
		{text("a", "x 1 1520879607789"), exposition.OpenMetrics, "1520879607.789"},
		{text("a", "x 1 9223372036854775807"), exposition.OpenMetrics, "9223372036854776"},
		{at(5), exposition.Text, "5"},
		{at(-5), exposition.Text, none},
		{at(-5), exposition.OpenMetrics, "-0.005"},
	} {
		var m Merger
		families, _ := m.Families(sources(t, c.from), Options{Format: c.to})
		got, line := written(t, c.to, families), "x{pod=\"a\"} 1 "
		if c.stamps == none && strings.Contains(got, line) || c.stamps != none && !strings.Contains(got, line+c.stamps+"\n") {
			t.Errorf("%q: got\n%swant time %s", c.from.body, got, c.stamps)
		}
	}
}

// What pods send anew each time is not remembered for ever.
func TestMemoryIsBounded(t *testing.T) {
	var m Merger
	for i := range 20 {
		long := strings.Repeat(string(rune('a'+i)), 1<<20)
		families, _ := m.Families(sources(t, text("p", "# HELP x "+long, "x 1", long+" 1")), Options{})
		if len(families) != 2 || len(families[1].Help) != 1<<20 && len(families[0].Help) != 1<<20 {
			t.Fatalf("got %d families", len(families))
		}
		if m.kept > maxKept {
			t.Fatalf("%d bytes are kept", m.kept)
		}
	}
	if len(m.places) != 0 {
		t.Errorf("%d places are kept", len(m.places))
	}
}

// TestNativeStays: who calls something else by the name of a native histogram, or
// of one of its series, does not cost the others their buckets.
func TestNativeStays(t *testing.T) {
	native := func(name string) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: name, Type: metric.Histogram}, Samples: []metric.Sample{{Histogram: &metric.HistogramValue{
			Count: 3, Sum: 4, Native: &metric.NativeHistogram{Schema: 2, Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: 1, Length: 1}}, Counts: []float64{3}}},
		}}}}
	}
	pods := []pod{
		text("a", "# TYPE lat gauge", "lat 7", "# TYPE exported_lat gauge", "exported_lat 8"),
		records("b", native("lat"), native("dur")),
		text("c", "# TYPE lat_sum gauge", "lat_sum 9"),
		text("d", "# TYPE dur histogram", `dur_bucket{le="x"} 1`),
	}
	families, _ := new(Merger).Families(sources(t, pods...), Options{Format: exposition.Protobuf})
	got := make(map[string]string)
	for _, r := range families {
		f, err := r.Parse(exposition.Protobuf)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		for _, s := range f.Samples {
			i := slices.IndexFunc(s.Labels, func(l metric.Label) bool { return l.Name == "pod" })
			got[r.Name] += s.Labels[i].Value
			if s.Histogram != nil && s.Histogram.Native == nil {
				t.Errorf("%s: a histogram without its buckets", r.Name)
			}
		}
	}
	want := map[string]string{
		"lat": "b", "exported_exported_lat": "a", "exported_lat": "a", "exported_lat_sum": "c",
		"dur": "b", "exported_dur_bucket": "d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pods by family (-want +got):\n%s", diff)
	}
}
