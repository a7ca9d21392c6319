package operator_test

import (
	"testing"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// What names become on their way into an exposition, and who gets one that
// several want.

// escapings are values of the header Accept for the text format.
const (
	underscores = "text/plain;version=0.0.4;escaping=underscores"
	allowUTF8   = "text/plain;version=1.0.0;escaping=allow-utf-8"
	dots        = "text/plain;version=0.0.4;escaping=dots"
	values      = "text/plain;version=0.0.4;escaping=values"
)

func TestEscapedNames(t *testing.T) {
	o := plain()
	d := metric.Desc{Name: "p.x", Type: metric.Gauge}
	o.AddPart("part", lines(d, "{\"p.x\",a=\"1\"} 1\n{\"p.x\",\"b.c\"=\"2\"} 2\n"))
	o.AddPart("legacy", lines(metric.Desc{Name: "q_x", Type: metric.Gauge}, "q_x{a_b=\"1\"} 1\n"))
	o.Collect("c", emits(
		operator.Metric{Name: "http.status_seconds", Unit: "seconds", Help: "H.", Type: metric.Gauge, Labels: metric.Labels("k8s.pod", "é", "a", "1")},
		gauge("m", 1, "a", "b", "n.é", "c"),
		summary("s:é", 1),
	))
	f := func(accept, want string) {
		t.Helper()
		for range 2 { // what is shared by scrapes is not changed by one
			if got := scrape(t, o, "Accept", accept); got != want {
				t.Errorf("%s: got\n%swant\n%s", accept, got, want)
			}
		}
	}
	asUnderscores := `# HELP http_status_seconds H.
# TYPE http_status_seconds gauge
http_status_seconds{a="1",k8s_pod="é"} 0
# TYPE m gauge
m{a="b",n__="c"} 1
# TYPE p_x gauge
p_x{a="1"} 1
p_x{b_c="2"} 2
# TYPE q_x gauge
q_x{a_b="1"} 1
# TYPE s:_ summary
s:_{quantile="0.5"} 2
s:__sum 2
s:__count 1
`
	f(underscores, asUnderscores)
	f("", asUnderscores)
	f("text/plain;escaping=unheard-of", asUnderscores)
	f(allowUTF8, `# HELP "http.status_seconds" H.
# TYPE "http.status_seconds" gauge
{"http.status_seconds",a="1","k8s.pod"="é"} 0
# TYPE m gauge
m{a="b","n.é"="c"} 1
# TYPE "p.x" gauge
{"p.x",a="1"} 1
{"p.x","b.c"="2"} 2
# TYPE q_x gauge
q_x{a_b="1"} 1
# TYPE "s:é" summary
{"s:é",quantile="0.5"} 2
{"s:é_sum"} 2
{"s:é_count"} 1
`)
	f(dots, `# HELP http_dot_status__seconds H.
# TYPE http_dot_status__seconds gauge
http_dot_status__seconds{a="1",k8s_dot_pod="é"} 0
# TYPE m gauge
m{a="b",n_dot___="c"} 1
# TYPE p_dot_x gauge
p_dot_x{a="1"} 1
p_dot_x{b_dot_c="2"} 2
# TYPE q_x gauge
q_x{a_b="1"} 1
# TYPE s:__ summary
s:__{quantile="0.5"} 2
s:___sum 2
s:___count 1
`)
	f(values, `# HELP U__http_2e_status__seconds H.
# TYPE U__http_2e_status__seconds gauge
U__http_2e_status__seconds{U__k8s_2e_pod="é",a="1"} 0
# TYPE U__p_2e_x gauge
U__p_2e_x{U__b_2e_c="2"} 2
U__p_2e_x{a="1"} 1
# TYPE U__s:_e9_ summary
U__s:_e9_{quantile="0.5"} 2
U__s:_e9__sum 2
U__s:_e9__count 1
# TYPE m gauge
m{U__n_2e__e9_="c",a="b"} 1
# TYPE q_x gauge
q_x{a_b="1"} 1
`)
}

// TestNamesThatBecomeOne: the first in registration order has the name, in the
// escaping that makes one of them and in no other.
func TestNamesThatBecomeOne(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second []operator.Metric
		want          []string
		reason        string
		dropped       int
	}{
		{
			"series differ",
			[]operator.Metric{gauge("a.b", 1, "x", "1")}, []operator.Metric{gauge("a_b", 2, "x", "2")},
			[]string{`a_b{x="1"} 1`, `a_b{x="2"} 2`}, "duplicate", 0,
		}, {
			"same series",
			[]operator.Metric{gauge("a.b", 1)}, []operator.Metric{gauge("a_b", 2), gauge("a-b", 3), gauge("c", 1)},
			[]string{"a_b 1", "c 1"}, "duplicate", 2,
		}, {
			"other type",
			[]operator.Metric{gauge("a.b", 1)}, []operator.Metric{counter("a_b", 2, "x", "1"), counter("a_b", 2, "x", "2")},
			[]string{"a_b 1"}, "conflict", 2,
		}, {
			"labels of two series",
			[]operator.Metric{gauge("a", 1, "x.y", "1")}, []operator.Metric{gauge("a", 2, "x_y", "1"), gauge("a", 3, "x_y", "2")},
			[]string{`a{x_y="1"} 1`, `a{x_y="2"} 3`}, "duplicate", 1,
		}, {
			"labels of two series of one collector",
			[]operator.Metric{gauge("c", 1)}, []operator.Metric{gauge("a", 2, "x.y", "1"), gauge("a", 3, "x_y", "1"), gauge("a", 4, "x_y", "2")},
			[]string{`a{x_y="1"} 2`, `a{x_y="2"} 4`, "c 1"}, "duplicate", 1,
		}, {
			"labels of one series",
			[]operator.Metric{gauge("c", 1)}, []operator.Metric{gauge("a", 2, "x.y", "1", "x_y", "1"), gauge("a", 3, "x.y", "2")},
			[]string{`a{x_y="2"} 3`, "c 1"}, "invalid", 1,
		}, {
			"two underscores, which only escaping may put first",
			[]operator.Metric{gauge("c", 1)}, []operator.Metric{gauge("..x", 1), gauge("a", 3, "..x", "2")},
			[]string{"__x 1", `a{__x="2"} 3`, "c 1"}, "invalid", 0,
		}, {
			"a series of a histogram",
			[]operator.Metric{summary("a.b", 1)}, []operator.Metric{counter("a_b_count", 2)},
			[]string{`a_b{quantile="0.5"} 2`, "a_b_sum 2", "a_b_count 1"}, "conflict", 1,
		}, {
			"a self-metric's name",
			[]operator.Metric{gauge("c", 1)}, []operator.Metric{gauge("operator.collector.up", 7, "collector", "second")},
			[]string{"c 1"}, "conflict", 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("first", emits(c.first...))
			o.Collect("second", emits(c.second...))
			whole := scrape(t, o, "Accept", allowUTF8)
			wantLines(t, whole, droppedLine("second", "duplicate", 0), droppedLine("second", "conflict", 0), droppedLine("second", "invalid", 0))
			for n := 1; n <= 2; n++ {
				body := scrape(t, o, "Accept", underscores)
				wantSeries(t, body, c.want...)
				wantLines(t, body, up("second", 1), droppedLine("first", c.reason, 0), droppedLine("second", c.reason, n*c.dropped))
			}
		})
	}
}

// TestPartThatBecomesAnother: a part's family is read to be escaped, and owns
// its name then as ever.
func TestPartThatBecomesAnother(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c", emits(gauge("a_b", 1, "x", "1")))
	o.AddPart("p", lines(metric.Desc{Name: "a.b", Type: metric.Gauge}, "{\"a.b\",x=\"1\"} 2\n{\"a.b\",x=\"2\"} 2\n"))
	o.AddPart("broken", lines(metric.Desc{Name: "c.d", Type: metric.Gauge}, "{\"c.d\"} 1\n{\"c.d\" oh\n"))
	o.AddPart("inflated", part{gather: badChunk("e.f")})
	body := scrape(t, o, "Accept", underscores)
	wantSeries(t, body, `a_b{x="1"} 1`)
	wantLines(t, body, droppedLine("p", "conflict", 1), droppedLine("broken", "invalid", 1), droppedLine("inflated", "invalid", 1),
		up("p", 1), up("broken", 1))
}

// TestSeriesOfAnotherFamily: the text formats know a histogram by the names of
// its series, which are nobody else's then. That does not depend on the format.
func TestSeriesOfAnotherFamily(t *testing.T) {
	gaugeHistogram := func(name string) operator.Metric {
		m := histogram(name, 1)
		m.Type = metric.GaugeHistogram
		return m
	}
	f := func(first, second operator.Metric, conflict bool) {
		t.Helper()
		for name, accept := range formats {
			o := newOperator(operator.Options{})
			o.Expose("/metrics.json", exposition.JSON{})
			o.Collect("first", emits(first))
			o.Collect("second", emits(second))
			scrape(t, o, "Accept", accept)
			get(o, "/metrics.json")
			body := scrape(t, o)
			want := 0
			if conflict {
				want = 3
			}
			wantLines(t, body, droppedLine("first", "conflict", 0), droppedLine("second", "conflict", want), "# TYPE "+first.Name+" "+typeIn(first))
			if families, err := o.Families(t.Context()); err != nil || !hasFamily(families, first.Name) || first.Name != second.Name && conflict == hasFamily(families, second.Name) {
				t.Errorf("%s, %s and %s: %v, conflict is %v", name, first.Name, second.Name, err, conflict)
			}
		}
	}
	for _, h := range []operator.Metric{histogram("x", 1), gaugeHistogram("x")} {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			f(h, counter("x"+suffix, 1), true)
			f(gauge("x"+suffix, 1), h, true)
			f(h, summary("x"+suffix, 1), true)
		}
		f(h, counter("x_total", 1), false)
		f(h, gauge("x_", 1), false)
		f(h, gauge("y_count", 1), false)
		f(h, histogram("x_y", 1), false)
	}
	f(summary("x", 1), gauge("x_sum", 1), true)
	f(gauge("x_count", 1), summary("x", 1), true)
	f(summary("x", 1), gauge("x_bucket", 1), false)
	f(histogram("x", 1), summary("x", 1), true)
	f(histogram("x", 1), histogram("x_sum", 1), true)
	f(gauge("x", 1), gauge("x_count", 1), false)
}

// typeIn is the type in the text format.
func typeIn(m operator.Metric) string {
	if m.Type == metric.GaugeHistogram {
		return "histogram"
	}
	return m.Type.String()
}

func hasFamily(families []metric.Family, name string) bool {
	for _, f := range families {
		if f.Name == name {
			return true
		}
	}
	return false
}

// TestSeriesOfAPart: a part's histogram has its series for itself, too.
func TestSeriesOfAPart(t *testing.T) {
	const text = "x_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 1\n"
	for _, accept := range formats {
		o := newOperator(operator.Options{})
		o.Collect("first", emits(gauge("y_sum", 1)))
		o.AddPart("p", lines(metric.Desc{Name: "x", Type: metric.Histogram}, text))
		o.AddPart("q", lines(metric.Desc{Name: "y", Type: metric.Summary}, "y_sum 1\ny_count 1\n"))
		o.Collect("last", emits(gauge("x_count", 1), gauge("x_max", 1)))
		scrape(t, o, "Accept", accept)
		wantLines(t, scrape(t, o), "y_sum 1", "x_count 1", "x_max 1",
			droppedLine("p", "conflict", 0), droppedLine("q", "conflict", 2), droppedLine("last", "conflict", 2))
	}
}
