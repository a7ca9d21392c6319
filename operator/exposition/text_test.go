package exposition_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestAppendValue(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := string(exposition.AppendValue([]byte("x"), v)); got != "x"+want {
			t.Errorf("AppendValue(%v) = %q, want %q", v, got, "x"+want)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "0") // as client_golang writes it
	f(1, "1")
	f(-1, "-1")
	f(0.1, "0.1")
	f(-2.5, "-2.5")
	f(123456, "123456")
	f(999999, "999999")
	f(-999999, "-999999")
	f(1e6, "1e+06")
	f(-1e6, "-1e+06")
	f(1234567, "1.234567e+06")
	f(1.7e9, "1.7e+09")
	f(0.0001, "0.0001")
	f(0.00001, "1e-05")
	f(math.NaN(), "NaN")
	f(math.Inf(1), "+Inf")
	f(math.Inf(-1), "-Inf")
}

// TestAppendValueIsShortestG holds the fast paths against strconv.
func TestAppendValueIsShortestG(t *testing.T) {
	f := func(v float64) {
		t.Helper()
		want := strconv.FormatFloat(v, 'g', -1, 64)
		if v == 0 {
			want = "0"
		}
		if got := string(exposition.AppendValue(nil, v)); got != want {
			t.Errorf("AppendValue(%x) = %q, want %q", v, got, want)
		}
	}
	for i := -2000; i <= 2000; i++ {
		f(float64(i))
		f(float64(i) / 8)
	}
	for e := -330; e <= 310; e++ {
		p := math.Pow10(e)
		for _, v := range []float64{p, p + 1, p - 1, p / 3, math.Nextafter(p, 0), math.Nextafter(p, math.Inf(1))} {
			f(v)
			f(-v)
		}
	}
	for _, v := range []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 2, math.Pi} {
		f(v)
		f(-v)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		f(math.Float64frombits(r.Uint64()))
		f(float64(r.Int64N(4e6) - 2e6))
		f(float64(r.Int64N(4e6)-2e6) / 1000)
	}
}

func TestAppendHeader(t *testing.T) {
	f := func(d metric.Desc, text, openMetrics string) {
		t.Helper()
		if got := string(exposition.AppendHeader(nil, exposition.Text, d)); got != text {
			t.Errorf("text header of %+v:\n%swant\n%s", d, got, text)
		}
		if got := string(exposition.AppendHeader(nil, exposition.OpenMetrics, d)); got != openMetrics {
			t.Errorf("OpenMetrics header of %+v:\n%swant\n%s", d, got, openMetrics)
		}
	}
	same := func(d metric.Desc, want string) {
		t.Helper()
		f(d, want, want)
	}
	desc := func(name string, typ metric.Type) metric.Desc { return metric.Desc{Name: name, Type: typ} }

	f(desc("a", metric.Unknown), "# TYPE a untyped\n", "# TYPE a unknown\n")
	same(desc("a", metric.Gauge), "# TYPE a gauge\n")
	same(desc("a", metric.StateSet), "# TYPE a gauge\n")
	f(desc("a", metric.Type(99)), "# TYPE a untyped\n", "# TYPE a unknown\n")

	// OpenMetrics never renames what does not fit.
	f(desc("a_total", metric.Counter), "# TYPE a_total counter\n", "# TYPE a counter\n")
	f(desc("a", metric.Counter), "# TYPE a counter\n", "# TYPE a unknown\n")
	f(desc("_total", metric.Counter), "# TYPE _total counter\n", "# TYPE _total unknown\n")
	f(desc("a_total_b", metric.Counter), "# TYPE a_total_b counter\n", "# TYPE a_total_b unknown\n")
	f(desc("a_info", metric.Info), "# TYPE a_info gauge\n", "# TYPE a info\n")
	same(desc("a", metric.Info), "# TYPE a gauge\n")
	same(desc("_info", metric.Info), "# TYPE _info gauge\n")
	same(desc("a_total", metric.Gauge), "# TYPE a_total gauge\n")
	same(desc("a_info", metric.Gauge), "# TYPE a_info gauge\n")
	f(desc("a_total", metric.Unknown), "# TYPE a_total untyped\n", "# TYPE a_total unknown\n")

	// HELP goes by the same name as TYPE, and only OpenMetrics escapes quotes in it.
	f(metric.Desc{Name: "a_total", Help: `say "x\y"` + "\n.", Type: metric.Counter},
		"# HELP a_total say \"x\\\\y\"\\n.\n# TYPE a_total counter\n",
		"# HELP a say \\\"x\\\\y\\\"\\n.\n# TYPE a counter\n")
	same(metric.Desc{Name: "a", Help: "Zürich \xff.", Type: metric.Gauge}, "# HELP a Zürich \ufffd.\n# TYPE a gauge\n")

	// UNIT exists in OpenMetrics only.
	f(metric.Desc{Name: "a_seconds", Help: "H.", Unit: "seconds", Type: metric.Gauge},
		"# HELP a_seconds H.\n# TYPE a_seconds gauge\n",
		"# HELP a_seconds H.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n")
	f(metric.Desc{Name: "a_seconds_total", Unit: "seconds", Type: metric.Counter},
		"# TYPE a_seconds_total counter\n",
		"# TYPE a_seconds counter\n# UNIT a_seconds seconds\n")
	f(metric.Desc{Name: "a_seconds_total", Unit: "seconds", Type: metric.Gauge},
		"# TYPE a_seconds_total gauge\n",
		"# TYPE a_seconds_total gauge\n") // no unit for a name that does not end in it
}

// TestDisambiguate writes families as "name type", before and after.
func TestDisambiguate(t *testing.T) {
	types := map[string]metric.Type{"gauge": metric.Gauge, "counter": metric.Counter, "info": metric.Info, "unknown": metric.Unknown}
	f := func(families, want string) {
		t.Helper()
		check := func(format exposition.Format, want string) {
			t.Helper()
			var descs []*metric.Desc
			for family := range strings.SplitSeq(families, ", ") {
				name, typ, _ := strings.Cut(family, " ")
				descs = append(descs, &metric.Desc{Name: name, Type: types[typ]})
			}
			exposition.Disambiguate(format, descs)
			var got []string
			for _, d := range descs {
				got = append(got, d.Name+" "+d.Type.String())
			}
			if joined := strings.Join(got, ", "); joined != want {
				t.Errorf("format %d: %s becomes %s, want %s", format, families, joined, want)
			}
		}
		check(exposition.OpenMetrics, want)
		check(exposition.Text, families)
	}
	f("a gauge, b_total counter, c_info info", "a gauge, b_total counter, c_info info")
	f("a gauge, a_total counter", "a gauge, a_total unknown")
	f("a_total counter, a gauge", "a_total unknown, a gauge")
	f("a gauge, a_info info", "a gauge, a_info gauge")
	f("a_info info, a_total counter", "a_info info, a_total unknown")
	f("a_total counter, a_info info", "a_total counter, a_info gauge")
	f("a counter, a_total counter", "a counter, a_total unknown")
}

func TestAppendHeaderAppends(t *testing.T) {
	got := string(exposition.AppendHeader([]byte("before\n"), exposition.Text, metric.Desc{Name: "a", Type: metric.Gauge}))
	if want := "before\n# TYPE a gauge\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendSample(t *testing.T) {
	f := func(labels []metric.Label, v float64, want string) {
		t.Helper()
		if got := string(exposition.AppendSample([]byte("b 1\n"), "a", labels, v)); got != "b 1\n"+want {
			t.Errorf("AppendSample(%q, %v) = %q, want %q", labels, v, got, "b 1\n"+want)
		}
	}
	f(nil, 1, "a 1\n")
	f([]metric.Label{}, 2.5, "a 2.5\n")
	f(metric.Labels("x", "1"), 0, "a{x=\"1\"} 0\n")
	f(metric.Labels("x", "1", "y", ""), math.NaN(), "a{x=\"1\",y=\"\"} NaN\n")
	f(metric.Labels("x", `a"b`), 1, `a{x="a\"b"} 1`+"\n")
	f(metric.Labels("x", `a\b`), 1, `a{x="a\\b"} 1`+"\n")
	f(metric.Labels("x", "a\nb"), 1, `a{x="a\nb"} 1`+"\n")
	f(metric.Labels("x", `\n`), 1, `a{x="\\n"} 1`+"\n")
	f(metric.Labels("x", `"`, "y", `\`), 1, `a{x="\"",y="\\"} 1`+"\n")
	f(metric.Labels("x", "a\r\tb{},= #"), 1, "a{x=\"a\r\tb{},= #\"} 1\n") // the rest is left alone
	f(metric.Labels("x", "日本 \U0001f600"), 1, "a{x=\"日本 \U0001f600\"} 1\n")
	f(metric.Labels("x", "\ufffd"), 1, "a{x=\"\ufffd\"} 1\n")
	f(metric.Labels("x", "a\xffb"), 1, "a{x=\"a\ufffdb\"} 1\n")
	f(metric.Labels("x", "\xe6\x97"), 1, "a{x=\"\ufffd\ufffd\"} 1\n")
	f(metric.Labels("x", "\xed\xa0\x80"), 1, "a{x=\"\ufffd\ufffd\ufffd\"} 1\n") // a surrogate
	f(metric.Labels("x", "\xff\n\""), 1, "a{x=\"\ufffd\\n\\\"\"} 1\n")
}
