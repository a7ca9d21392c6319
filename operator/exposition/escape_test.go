package exposition_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const (
	underscores = exposition.Underscores
	allowUTF8   = exposition.AllowUTF8
	dots        = exposition.Dots
	values      = exposition.Values
)

var escapings = []exposition.Escaping{underscores, allowUTF8, dots, values}

func TestEscapingString(t *testing.T) {
	f := func(e exposition.Escaping, want string) {
		t.Helper()
		if got := e.String(); got != want {
			t.Errorf("Escaping(%d).String() = %q, want %q", uint8(e), got, want)
		}
	}
	f(underscores, "underscores")
	f(allowUTF8, "allow-utf-8")
	f(dots, "dots")
	f(values, "values")
	f(values+1, "underscores")
	var zero exposition.Escaping
	f(zero, "underscores")
}

// escapeName escapes the name of a family.
func escapeName(e exposition.Escaping, name string) string {
	return e.Escape(metric.Family{Desc: metric.Desc{Name: name}}).Name
}

// escapeLabel escapes the name of a label.
func escapeLabel(e exposition.Escaping, name string) string {
	f := metric.Family{Desc: metric.Desc{Name: "a"}, Samples: []metric.Sample{{Labels: metric.Labels(name, "1")}}}
	return e.Escape(f).Samples[0].Labels[0].Name
}

func TestEscapeNames(t *testing.T) {
	type escape func(exposition.Escaping, string) string
	f := func(kinds []escape, name, wantUnderscores, wantDots, wantValues string) {
		t.Helper()
		for _, kind := range kinds {
			want := map[exposition.Escaping]string{underscores: wantUnderscores, allowUTF8: name, dots: wantDots, values: wantValues}
			for _, e := range escapings {
				if got := kind(e, name); got != want[e] {
					t.Errorf("%s of %q is %q, want %q", e, name, got, want[e])
				}
			}
		}
	}
	name, label := []escape{escapeName}, []escape{escapeLabel}
	both := []escape{escapeName, escapeLabel}

	f(both, "a", "a", "a", "a")
	f(both, "aZ9", "aZ9", "aZ9", "aZ9")
	f(both, "a_b", "a_b", "a_b", "a_b") // a legacy name stays, with dots too
	f(both, "a_total", "a_total", "a_total", "a_total")
	f(both, "U__a", "U__a", "U__a", "U__a")
	f(both, "__a", "__a", "__a", "__a")
	f(both, "a.b", "a_b", "a_dot_b", "U__a_2e_b")
	f(both, "a.b_c", "a_b_c", "a_dot_b__c", "U__a_2e_b__c")
	f(both, "a..b", "a__b", "a_dot__dot_b", "U__a_2e__2e_b")
	f(both, "app.kubernetes.io/name", "app_kubernetes_io_name", "app_dot_kubernetes_dot_io__name", "U__app_2e_kubernetes_2e_io_2f_name")
	f(both, "a-b", "a_b", "a__b", "U__a_2d_b")
	f(both, "a日", "a_", "a__", "U__a_65e5_")
	f(both, "日a", "_a", "__a", "U___65e5_a")
	f(both, "a\U0001f600", "a_", "a__", "U__a_1f600_")
	f(both, "a\ufffd", "a_", "a__", "U__a_fffd_")
	f(both, "a\n", "a_", "a__", "U__a_a_")
	f(both, "a\x00", "a_", "a__", "U__a_0_")
	f(both, "a\"b\\", "a_b_", "a__b__", "U__a_22_b_5c_")
	f(both, "0a", "_a", "__a", "U___30_a")
	f(both, "a0.0", "a0_0", "a0_dot_0", "U__a0_2e_0")

	// A colon is for metric names only.
	f(name, "a:b", "a:b", "a:b", "a:b")
	f(label, "a:b", "a_b", "a__b", "U__a_3a_b")
	f(name, ":a.b:", ":a_b:", ":a_dot_b:", "U__:a_2e_b:")
	f(label, ":a.b:", "_a_b_", "__a_dot_b__", "U___3a_a_2e_b_3a_")

	f(name, "", "", "", "U__") // which is not valid, before or after
}

func TestEscapingKeeps(t *testing.T) {
	family := func(name string, labels ...string) *metric.Family {
		f := &metric.Family{Desc: metric.Desc{Name: name}, Samples: []metric.Sample{{Labels: metric.Labels("ok", "1")}}}
		for _, l := range labels {
			f.Samples = append(f.Samples, metric.Sample{Labels: metric.Labels(l, "1")})
		}
		return f
	}
	f := func(e exposition.Escaping, family *metric.Family, want bool) {
		t.Helper()
		if got := e.Keeps(family); got != want {
			t.Errorf("%s keeps %+v: %v, want %v", e, family, got, want)
		}
		if !want {
			return
		}
		before := *family
		if after := e.Escape(before); !reflect.DeepEqual(after, before) {
			t.Errorf("%s keeps %+v but makes %+v of it", e, before, after)
		}
	}
	for _, e := range []exposition.Escaping{underscores, dots, values} {
		f(e, family("a"), true)
		f(e, family("a:b_c", "x_y"), true)
		f(e, family("a.b"), false)
		f(e, family("a", "x", "x.y"), false)
		f(e, family("a", "x:y"), false)
	}
	f(allowUTF8, family("a.b", "x:y", "日本"), true)
}

// TestEscapeDots: of the names of one family, those that are legacy names stay
// as they are; the others lose their underscores.
func TestEscapeDots(t *testing.T) {
	got := dots.Escape(metric.Family{
		Desc:    metric.Desc{Name: "a_b_total", Type: metric.Counter},
		Samples: []metric.Sample{{Labels: metric.Labels("x_y", "1", "x_y.z", "2")}, {Labels: metric.Labels("x_y", "3")}},
	})
	want := metric.Family{
		Desc:    metric.Desc{Name: "a_b_total", Type: metric.Counter},
		Samples: []metric.Sample{{Labels: metric.Labels("x_y", "1", "x__y_dot_z", "2")}, {Labels: metric.Labels("x_y", "3")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestEscapedNamesAreBare: a label name that escaping makes begin with two
// underscores needs no quotes, which a scraper that asks for escapes cannot read.
func TestEscapedNamesAreBare(t *testing.T) {
	f := func(e exposition.Escaping, name, want string) {
		t.Helper()
		family := e.Escape(metric.Family{Desc: metric.Desc{Name: name}, Samples: []metric.Sample{{Labels: metric.Labels(name, "1"), Value: 2}}})
		for format, typ := range map[exposition.Format]string{exposition.Text: "untyped", exposition.OpenMetrics: "unknown"} {
			got := body(t, format, false, func(w *exposition.Writer) { w.WriteFamily(family) })
			if header := "# TYPE " + family.Name + " " + typ + "\n"; strings.TrimSuffix(got, "# EOF\n") != header+want {
				t.Errorf("%s of %q:\n%swant\n%s", e, name, got, header+want)
			}
		}
	}
	f(dots, "日a", "__a{__a=\"1\"} 2\n")
	f(dots, "/", "__{__=\"1\"} 2\n")
	f(dots, "_.a", "___dot_a{___dot_a=\"1\"} 2\n")
	f(underscores, "日/a", "__a{__a=\"1\"} 2\n")
	f(values, "日a", "U___65e5_a{U___65e5_a=\"1\"} 2\n")
	f(dots, ":/", ":__{____=\"1\"} 2\n") // a colon is for names of metrics only
	f(allowUTF8, "a", "a{a=\"1\"} 2\n")
}

// TestEscapeLeavesTheRest: only names change, labels are sorted again, and the
// family that was given is as it was.
func TestEscapeLeavesTheRest(t *testing.T) {
	sample := func() metric.Family {
		return metric.Family{
			Desc: metric.Desc{Name: "a.b_seconds", Help: "Help of a.b_seconds.", Unit: "seconds", Type: metric.Summary},
			Samples: []metric.Sample{
				{Labels: metric.Labels("z", "a.b", "é", "2", "y", "3"), Value: 4, Exemplar: &metric.Exemplar{Value: 5}, Summary: &metric.SummaryValue{Count: 6}},
				{Labels: nil, Value: 7, Histogram: &metric.HistogramValue{Count: 8}},
			},
		}
	}
	given := sample()
	got := underscores.Escape(given)
	if !reflect.DeepEqual(given, sample()) {
		t.Errorf("the family given became %+v", given)
	}
	want := sample()
	want.Name, want.Unit = "a_b_seconds", "" // no need for the name to end in the unit any more
	want.Samples[0].Labels = metric.Labels("_", "2", "y", "3", "z", "a.b")
	want.Samples[1].Labels = []metric.Label{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Samples[0].Summary != given.Samples[0].Summary || got.Samples[0].Exemplar != given.Samples[0].Exemplar {
		t.Error("what is the same was copied")
	}
}

func TestPrometheusEncode(t *testing.T) {
	families := []metric.Family{
		{Desc: metric.Desc{Name: "a.b_total", Type: metric.Counter}, Samples: []metric.Sample{{Labels: metric.Labels("x.y", "1"), Value: 1}}},
		{Desc: metric.Desc{Name: "nothing"}},
	}
	f := func(accept, contentType, want string) {
		t.Helper()
		var p exposition.Prometheus
		if got := p.ContentType(accept); got != contentType {
			t.Errorf("ContentType(%q) = %q, want %q", accept, got, contentType)
		}
		var out bytes.Buffer
		if err := p.Encode(&out, contentType, families); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("as %q:\n%swant\n%s", contentType, got, want)
		}
	}
	f("", "text/plain; version=0.0.4; charset=utf-8", "# TYPE a_b_total counter\na_b_total{x_y=\"1\"} 1\n")
	f("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8",
		"# TYPE \"a.b_total\" counter\n{\"a.b_total\",\"x.y\"=\"1\"} 1\n")
	f("application/openmetrics-text;escaping=allow-utf-8", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
		"# TYPE \"a.b\" counter\n{\"a.b_total\",\"x.y\"=\"1\"} 1\n# EOF\n")
	f("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8", "# TYPE a_b counter\na_b_total{x_y=\"1\"} 1\n# EOF\n")
	f("text/plain;escaping=dots", "text/plain; version=0.0.4; charset=utf-8; escaping=dots", "# TYPE a_dot_b__total counter\na_dot_b__total{x_dot_y=\"1\"} 1\n")
	f("text/plain;escaping=values", "text/plain; version=0.0.4; charset=utf-8; escaping=values", "# TYPE U__a_2e_b__total counter\nU__a_2e_b__total{U__x_2e_y=\"1\"} 1\n")
}

// TestPrometheusEncodeDisambiguates: no two families have metadata of one name
// in OpenMetrics, by the names that escaping leaves. The families that were
// given are as they were.
func TestPrometheusEncodeDisambiguates(t *testing.T) {
	one := func(name string, typ metric.Type) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: name, Type: typ}, Samples: []metric.Sample{{Value: 1}}}
	}
	families := func() []metric.Family {
		return []metric.Family{one("a_total", metric.Counter), one("a", metric.Gauge), one("x.y_info", metric.Info), one("x_y", metric.Gauge), one("z_total", metric.Counter)}
	}
	f := func(accept, want string) {
		t.Helper()
		var p exposition.Prometheus
		var out bytes.Buffer
		given := families()
		if err := p.Encode(&out, p.ContentType(accept), given); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("for %q:\n%swant\n%s", accept, got, want)
		}
		if !reflect.DeepEqual(given, families()) {
			t.Errorf("for %q: the families given became %+v", accept, given)
		}
	}
	f("application/openmetrics-text", `# TYPE a_total unknown
a_total 1
# TYPE a gauge
a 1
# TYPE x_y_info gauge
x_y_info 1
# TYPE x_y gauge
x_y 1
# TYPE z counter
z_total 1
# EOF
`)
	f("application/openmetrics-text;escaping=allow-utf-8", `# TYPE a_total unknown
a_total 1
# TYPE a gauge
a 1
# TYPE "x.y" info
{"x.y_info"} 1
# TYPE x_y gauge
x_y 1
# TYPE z counter
z_total 1
# EOF
`)
	f("text/plain", `# TYPE a_total counter
a_total 1
# TYPE a gauge
a 1
# TYPE x_y_info gauge
x_y_info 1
# TYPE x_y gauge
x_y 1
# TYPE z_total counter
z_total 1
`)
}
