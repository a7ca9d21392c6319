package operator_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestDrops registers two collectors. What the second emits is dropped with a
// reason where it does not fit; the first is served whatever happens.
func TestDrops(t *testing.T) {
	typed := func(name string, typ metric.Type, v float64, labels ...string) operator.Metric {
		return operator.Metric{Name: name, Type: typ, Value: v, Labels: metric.Labels(labels...)}
	}
	for _, c := range []struct {
		name          string
		first, second []operator.Metric
		want          []string
		reason        string
		dropped       int
	}{
		{
			"nothing to drop",
			[]operator.Metric{gauge("a", 1, "x", "1")},
			[]operator.Metric{gauge("a", 2, "x", "2"), gauge("b", -1)},
			[]string{`a{x="1"} 1`, `a{x="2"} 2`, "b -1"},
			"duplicate", 0,
		}, {
			"same series",
			[]operator.Metric{gauge("a", 1, "x", "1", "y", "2")},
			[]operator.Metric{{Name: "a", Type: metric.Gauge, Value: 2, Labels: []metric.Label{{Name: "y", Value: "2"}, {Name: "x", Value: "1"}}}, gauge("b", 1)},
			[]string{`a{x="1",y="2"} 1`, "b 1"},
			"duplicate", 1,
		}, {
			"an empty label is none",
			[]operator.Metric{gauge("a", 1, "x", "1", "y", "")},
			[]operator.Metric{gauge("a", 2, "w", "", "x", "1"), gauge("b", 1, "x", ""), gauge("b", 2)},
			[]string{`a{x="1"} 1`, "b 1"},
			"duplicate", 2,
		}, {
			"a self-metric's name",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{gauge("operator_collector_up", 7, "collector", "second"), counter("operator_samples_dropped_total", 7)},
			[]string{"a 1"},
			"conflict", 2,
		}, {
			"same series within the collector",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{gauge("b", 1, "x", "1"), gauge("b", 2), gauge("b", 3, "x", "1"), gauge("b", 4, "x", "1")},
			[]string{"a 1", "b 2", `b{x="1"} 1`},
			"duplicate", 2,
		}, {
			"other type",
			[]operator.Metric{gauge("a", 1, "x", "1")},
			[]operator.Metric{counter("a", 2, "x", "2"), typed("a", metric.Unknown, 3, "x", "3"), gauge("a", 4, "x", "4")},
			[]string{`a{x="1"} 1`, `a{x="4"} 4`},
			"conflict", 2,
		}, {
			"invalid name",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{gauge("", 1), gauge("b\xff", 1), gauge("b", 1)},
			[]string{"a 1", "b 1"},
			"invalid", 2,
		}, {
			"invalid label name",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{gauge("a", 2, "", "1"), gauge("a", 2, "__name__", "b"), gauge("a", 2, "x\xff", "1")},
			[]string{"a 1"},
			"invalid", 3,
		}, {
			"label twice",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{gauge("a", 2, "x", "1", "x", "1")},
			[]string{"a 1"},
			"invalid", 1,
		}, {
			"label value not UTF-8",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{gauge("a", 2, "x", "\xff"), gauge("a", 2, "x", "ü")},
			[]string{"a 1", `a{x="ü"} 2`},
			"invalid", 1,
		}, {
			"help not UTF-8",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{{Name: "b", Help: "\xff"}},
			[]string{"a 1"},
			"invalid", 1,
		}, {
			"unit not in the name",
			[]operator.Metric{gauge("a", 1)},
			[]operator.Metric{{Name: "b", Unit: "seconds"}, {Name: "b_seconds", Unit: "seconds"}},
			[]string{"a 1", "b_seconds 0"},
			"invalid", 1,
		}, {
			"counter negative or no number",
			[]operator.Metric{counter("a_total", 1)},
			[]operator.Metric{
				counter("a_total", -1, "x", "1"), counter("a_total", math.NaN(), "x", "2"),
				counter("a_total", math.Inf(-1), "x", "3"), counter("a_total", math.Inf(1), "x", "4"),
			},
			[]string{"a_total 1", `a_total{x="4"} +Inf`},
			"invalid", 3,
		}, {
			"what was dropped takes no name",
			[]operator.Metric{gauge("z", 1)},
			[]operator.Metric{counter("a", -1), gauge("a", 2)},
			[]string{"a 2", "z 1"},
			"invalid", 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("first", emits(c.first...))
			o.Collect("second", emits(c.second...))
			for n := 1; n <= 2; n++ { // counters grow with each scrape
				body := scrape(t, o)
				wantSeries(t, body, c.want...)
				wantLines(t, body, up("first", 1), up("second", 1))
				for _, reason := range []string{"conflict", "duplicate", "invalid"} {
					want := 0
					if reason == c.reason {
						want = n * c.dropped
					}
					wantLines(t, body, droppedLine("second", reason, want), droppedLine("first", reason, 0))
				}
			}
		})
	}
}

// TestDropsOfDistributions: a histogram or summary is one sample.
func TestDropsOfDistributions(t *testing.T) {
	backwards := histogram("h", 1, "x", "1")
	backwards.Histogram.Buckets[0].UpperBound = 9
	noHistogram := histogram("h", 1, "x", "2")
	noHistogram.Histogram = nil
	own := histogram("h", 1, "le", "3")
	both := gauge("g", 1)
	both.Histogram = backwards.Histogram
	o := newOperator(operator.Options{})
	o.Collect("c", emits(
		histogram("h", 3), histogram("h", 4), // the first stays
		backwards, noHistogram, own, both,
		summary("h", 1, "x", "4"), // of another type
		summary("s", 1), summary("s", 1, "quantile", "0.5"),
	))
	body := scrape(t, o)
	wantSeries(t, body, `h_bucket{le="1"} 2`, `h_bucket{le="5"} 3`, `h_bucket{le="+Inf"} 3`, "h_sum 6", "h_count 3",
		`s{quantile="0.5"} 2`, "s_sum 2", "s_count 1")
	wantLines(t, body, droppedLine("c", "duplicate", 1), droppedLine("c", "invalid", 5), droppedLine("c", "conflict", 1))
}

// TestRegistrationOrderWins: the second collector always answers first.
func TestRegistrationOrderWins(t *testing.T) {
	o := newOperator(operator.Options{})
	answered := make(chan struct{})
	o.Collect("first", func(_ context.Context, emit func(operator.Metric)) error {
		<-answered
		emit(operator.Metric{Name: "a", Help: "First.", Type: metric.Gauge, Value: 1})
		emit(gauge("b", 1))
		return nil
	})
	o.Collect("second", func(_ context.Context, emit func(operator.Metric)) error {
		defer close(answered)
		emit(operator.Metric{Name: "a", Help: "Second.", Type: metric.Gauge, Value: 2})
		emit(counter("b", 2, "x", "1"))
		return nil
	})
	body := scrape(t, o)
	wantSeries(t, body, "a 1", "b 1")
	wantLines(t, body, "# HELP a First.", "# TYPE b gauge", droppedLine("second", "duplicate", 1), droppedLine("second", "conflict", 1))
}

// TestRegistrationOrderWinsAmongMany has more equal series than any sort keeps
// in order by accident.
func TestRegistrationOrderWinsAmongMany(t *testing.T) {
	o := plain()
	var want []string
	for c := range 5 {
		o.Collect(fmt.Sprint(c), func(_ context.Context, emit func(operator.Metric)) error {
			for i := range 200 {
				emit(gauge("a", float64(c), "n", fmt.Sprintf("%03d", (i*7)%200)))
			}
			return nil
		})
	}
	for i := range 200 {
		want = append(want, fmt.Sprintf(`a{n="%03d"} 0`, i))
	}
	wantSeries(t, scrape(t, o), want...)
}

func TestFirstHelpStays(t *testing.T) {
	o := newOperator(operator.Options{})
	help := func(s, x string) operator.Metric {
		return operator.Metric{Name: "a", Help: s, Type: metric.Gauge, Value: 1, Labels: metric.Labels("x", x)}
	}
	o.Collect("first", emits(help("One.", "9"), help("Two.", "8")))
	o.Collect("second", emits(help("Three.", "1"), help("", "2")))
	body := scrape(t, o)
	wantSeries(t, body, `a{x="1"} 1`, `a{x="2"} 1`, `a{x="8"} 1`, `a{x="9"} 1`)
	wantLines(t, body, "# HELP a One.", droppedLine("first", "conflict", 0), droppedLine("second", "conflict", 0))
	if n := strings.Count(body, "# HELP a "); n != 1 {
		t.Errorf("%d HELP lines of one family", n)
	}
}

func TestAllFail(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("a", func(context.Context, func(operator.Metric)) error { panic("a") })
	o.Collect("b", func(context.Context, func(operator.Metric)) error { return fmt.Errorf("b") })
	o.AddPart("c", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) { panic("c") }})
	w := get(o, "/metrics")
	if w.Code != http.StatusOK {
		t.Errorf("status %d, want 200", w.Code)
	}
	wantSeries(t, w.Body.String())
	wantLines(t, w.Body.String(), up("a", 0), up("b", 0), up("c", 0))

	o.SelfMetrics("")
	if w := get(o, "/metrics"); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("without self-metrics: status %d and %q, want 200 and nothing", w.Code, w.Body)
	}
}

// TestSameBytes scrapes constant input again and again, while collectors run
// and emit in random order.
func TestSameBytes(t *testing.T) {
	o := plain()
	o.Expose("/metrics.json", exposition.JSON{})
	for c := range 5 {
		o.Collect(fmt.Sprint("collector ", c), func(_ context.Context, emit func(operator.Metric)) error {
			for range rand.IntN(20) {
				runtime.Gosched()
			}
			for _, i := range rand.Perm(6) {
				// Names and series are shared with other collectors; which one
				// is served shows in the value, which type in the header.
				labels := []string{"n", fmt.Sprint((i + c) % 5), "k.v", fmt.Sprint(i % 2)}
				m := gauge(fmt.Sprintf("m%d", i%4), float64(c), labels...)
				if c%3 == 2 {
					m.Type = metric.Unknown
				}
				m.Help = fmt.Sprintf("By %d.", c)
				emit(m)
				if c < 4 {
					emit(histogram(fmt.Sprintf("h%d", i%3), float64(c+1), labels...))
					emit(summary(fmt.Sprintf("s.%d", i%3), float64(c+1), labels...))
				} else { // some are those of a histogram
					emit(gauge(fmt.Sprintf("h%d_sum", i%5), float64(c), labels...))
				}
			}
			return nil
		})
	}
	o.AddPart("part", renders("p2", "m3", "p1"))
	o.AddSource("source", source{families: []metric.Family{gauges("m0", nil, metric.Labels("z", "1")), gauges("q", nil)}})
	f := func(path, accept string, parts ...string) {
		t.Helper()
		fetch := func() string {
			w := get(o, path, "Accept", accept)
			if w.Code != http.StatusOK {
				t.Fatalf("%s gives %d", path, w.Code)
			}
			return w.Body.String()
		}
		want := fetch()
		for _, s := range parts {
			if !strings.Contains(want, s) {
				t.Fatalf("no %q in:\n%s", s, want)
			}
		}
		for i := range 1000 {
			if got := fetch(); got != want {
				t.Fatalf("%s for %q, scrape %d:\n%s\nthe first:\n%s", path, accept, i, got, want)
			}
		}
	}
	f("/metrics", formats["text"], "# TYPE m0 gauge", "# TYPE p1 gauge", `m2{k_v="0",n="2"} 0`, `m3{k_v="1",n="4"} 1`, `h1_sum{k_v="1",n="1"} 2`, "# TYPE h3_sum gauge", "# TYPE s_1 summary", "m0 1\n")
	f("/metrics", formats["OpenMetrics"], "# TYPE m0 gauge", `h1_bucket{k_v="1",n="1",le="1.0"} 0`, "# EOF")
	f("/metrics", formats["protobuf"], "\x0a\x02h1", "s_1")
	f("/metrics.json", "", `"name":"h1"`, `"name":"s.1"`)
}

// TestOpenMetricsNames: the metadata of a and a_total, or of a_info and
// a_total, would be of one name, which must be unique. Names never change, so
// the type gives way.
func TestOpenMetricsNames(t *testing.T) {
	info := func(name string) operator.Metric { return operator.Metric{Name: name, Type: metric.Info, Value: 1} }
	f := func(ms []operator.Metric, want string) {
		t.Helper()
		o := plain()
		o.Collect("c", emits(ms...))
		if got := scrape(t, o, "Accept", "application/openmetrics-text"); got != want+"# EOF\n" {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	f([]operator.Metric{counter("a_total", 1)}, "# TYPE a counter\na_total 1\n")
	f([]operator.Metric{counter("a_total", 1), gauge("a", 1)}, "# TYPE a gauge\na 1\n# TYPE a_total unknown\na_total 1\n")
	f([]operator.Metric{info("a_info"), gauge("a", 1)}, "# TYPE a gauge\na 1\n# TYPE a_info gauge\na_info 1\n")
	f([]operator.Metric{counter("a_total", 1), info("a_info")}, "# TYPE a info\na_info 1\n# TYPE a_total unknown\na_total 1\n")

	o := plain()
	o.AddPart("p", renders("a"))
	o.Collect("c", emits(counter("a_total", 1)))
	for accept, want := range map[string]string{
		"application/openmetrics-text": "# TYPE a_total unknown",
		"text/plain":                   "# TYPE a_total counter", // untouched
	} {
		wantLines(t, scrape(t, o, "Accept", accept), "# TYPE a gauge", want)
	}
}

func TestFamiliesAreSortedByName(t *testing.T) {
	o := plain()
	o.Collect("c", emits(gauge("b", 1), gauge("a_b", 1), gauge("a", 1, "x", "2"), gauge("a", 1, "x", "10"), gauge("B", 1)))
	o.AddPart("p", renders("c", "aa"))
	wantSeries(t, scrape(t, o), "B 1", `a{x="10"} 1`, `a{x="2"} 1`, "a_b 1", "aa 1", "b 1", "c 1")
}
