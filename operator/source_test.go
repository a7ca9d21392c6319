package operator_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// source gives copies of its families, which belong to the caller.
type source struct {
	families []metric.Family
	err      error
}

func (s source) Families(context.Context) ([]metric.Family, error) {
	out := slices.Clone(s.families)
	for i := range out {
		out[i].Samples = slices.Clone(out[i].Samples)
		for j := range out[i].Samples {
			out[i].Samples[j].Labels = slices.Clone(out[i].Samples[j].Labels)
		}
	}
	return out, s.err
}

// gauges is a family of samples that have the values 1, 2 and so on.
func gauges(name string, labels ...[]metric.Label) metric.Family {
	f := metric.Family{Desc: metric.Desc{Name: name, Type: metric.Gauge}}
	for i, ls := range labels {
		f.Samples = append(f.Samples, metric.Sample{Labels: ls, Value: float64(i + 1)})
	}
	return f
}

func TestSource(t *testing.T) {
	label := func(name, value string) metric.Label { return metric.Label{Name: name, Value: value} }
	one := []metric.Label{label("x", "1")}
	errBad := errors.New("bad luck")
	for _, c := range []struct {
		name  string
		give  source
		want  []string
		lines []string
	}{
		{"nothing", source{}, []string{"z 1"}, []string{up("s", 1)}},
		{
			"families and labels in no order",
			source{families: []metric.Family{gauges("b", nil), gauges("a",
				[]metric.Label{label("y", "2"), label("x", "9")}, []metric.Label{label("z", ""), label("y", "1"), label("x", "9")}, one)}},
			[]string{`a{x="1"} 3`, `a{x="9",y="1"} 2`, `a{x="9",y="2"} 1`, "b 1", "z 1"},
			[]string{up("s", 1)},
		}, {
			"equal series, the first stays",
			source{families: []metric.Family{gauges("a", one, []metric.Label{label("x", "1"), label("y", "")}, nil, []metric.Label{label("w", "")})}},
			[]string{"a 3", `a{x="1"} 1`, "z 1"},
			[]string{up("s", 1), droppedLine("s", "duplicate", 2)},
		}, {
			"a family in two pieces",
			source{families: []metric.Family{gauges("a", nil, one), gauges("b", nil), gauges("a", one, []metric.Label{label("x", "2")})}},
			[]string{"a 1", `a{x="1"} 2`, `a{x="2"} 2`, "b 1", "z 1"},
			[]string{up("s", 1), droppedLine("s", "duplicate", 1)},
		}, {
			"a family of two types",
			source{families: []metric.Family{gauges("a", nil), {Desc: metric.Desc{Name: "a", Type: metric.Counter}, Samples: gauges("", one, one).Samples[:1]}}},
			[]string{"a 1", "z 1"},
			[]string{droppedLine("s", "conflict", 1)},
		}, {
			"invalid families and samples",
			source{families: []metric.Family{
				gauges("", nil, one), gauges("a\xff", nil),
				{Desc: metric.Desc{Name: "h", Type: metric.Histogram}, Samples: gauges("", nil).Samples},
				gauges("a", []metric.Label{label("", "1")}, []metric.Label{label("__x", "1")}, []metric.Label{label("x", "1"), label("x", "2")}, []metric.Label{label("x", "\xff")}, one),
			}},
			[]string{`a{x="1"} 5`, "z 1"},
			[]string{up("s", 1), droppedLine("s", "invalid", 8)},
		}, {
			"families beside an error",
			source{families: []metric.Family{gauges("a", one, one)}, err: errBad},
			[]string{`a{x="1"} 1`, "z 1"},
			[]string{up("s", 0), failures("s", "error", 1), droppedLine("s", "duplicate", 1)},
		}, {
			"an error",
			source{err: errBad},
			[]string{"z 1"},
			[]string{up("s", 0), failures("s", "error", 1)},
		}, {
			"a self-metric's name",
			source{families: []metric.Family{gauges("operator_collector_up", one)}},
			[]string{"z 1"},
			[]string{up("s", 1), droppedLine("s", "conflict", 1)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.AddSource("s", c.give)
			o.Collect("c", emits(gauge("z", 1)))
			body := scrape(t, o)
			wantSeries(t, body, c.want...)
			wantLines(t, body, c.lines...)
			wantLines(t, body, up("c", 1))
		})
	}
}

// TestSourceKinds: nothing of a family is lost on its way to an encoder.
func TestSourceKinds(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	exemplar := &metric.Exemplar{Labels: metric.Labels("trace_id", "x"), Value: 2, Time: at}
	families := []metric.Family{
		{Desc: metric.Desc{Name: "a_seconds", Help: "A.", Unit: "seconds", Type: metric.GaugeHistogram}, Samples: []metric.Sample{{Histogram: &metric.HistogramValue{Count: 1.5}, Time: at}}},
		{Desc: metric.Desc{Name: "b_total", Help: "B.", Type: metric.Counter}, Samples: []metric.Sample{{Value: math.Inf(1), Exemplar: exemplar, Created: at}}},
		{Desc: metric.Desc{Name: "c", Type: metric.Histogram}, Samples: []metric.Sample{{Histogram: &metric.HistogramValue{
			Count: 2, Buckets: []metric.Bucket{{UpperBound: 1, Count: 2, Exemplar: exemplar}},
			Native: &metric.NativeHistogram{Schema: 3, Positive: metric.NativeBuckets{Spans: []metric.Span{{Offset: 1, Length: 1}}, Counts: []float64{2}}},
		}}}},
		{Desc: metric.Desc{Name: "d_info", Type: metric.Info}, Samples: []metric.Sample{{Value: 1, Labels: metric.Labels("version", "1")}}},
		{Desc: metric.Desc{Name: "e", Type: metric.StateSet}, Samples: []metric.Sample{{Labels: metric.Labels("e", "off")}, {Value: 1, Labels: metric.Labels("e", "on")}}},
		{Desc: metric.Desc{Name: "f", Type: metric.Summary}, Samples: []metric.Sample{{Summary: summary("", 3).Summary, Created: at}}},
		{Desc: metric.Desc{Name: "g"}, Samples: []metric.Sample{{Value: -1}}},
	}
	o := plain()
	o.Expose("/metrics.json", exposition.JSON{})
	o.AddSource("s", source{families: families})
	for name, accept := range formats {
		var want strings.Builder
		e := exposition.Prometheus{}
		if err := e.Encode(&want, e.ContentType(accept), families); err != nil {
			t.Fatal(err)
		}
		if got := scrape(t, o, "Accept", accept); got != want.String() {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, want.String())
		}
	}
	var want strings.Builder
	if err := (exposition.JSON{}).Encode(&want, "", families); err != nil {
		t.Fatal(err)
	}
	if got := get(o, "/metrics.json").Body.String(); got != want.String() {
		t.Errorf("JSON: got\n%s\nwant\n%s", got, want.String())
	}
}

func TestSourceFails(t *testing.T) {
	f := func(name, reason string, give sourceFunc, opts ...operator.CollectOption) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.AddSource("s", give, opts...)
			o.Collect("c", emits(gauge("a", 1)))
			for n := 1; n <= 2; n++ {
				body := scrape(t, o)
				wantSeries(t, body, "a 1")
				wantLines(t, body, up("s", 0), failures("s", reason, n))
				synctest.Wait()
			}
		})
	}
	f("panic", "panic", func(context.Context) ([]metric.Family, error) { panic("p") })
	f("nil", "panic", nil)
	f("flood", "limit", source{families: []metric.Family{gauges("s", nil, nil, nil)}}.Families, operator.MaxSamples(2))
	f("flood beside an error", "limit", source{families: []metric.Family{gauges("s", nil, nil, nil)}, err: errors.New("bad luck")}.Families, operator.MaxSamples(2))
	f("heeds its deadline", "timeout", func(ctx context.Context) ([]metric.Family, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
}

func TestBlockedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		var calls atomic.Int32
		o.AddSource("s", sourceFunc(func(context.Context) ([]metric.Family, error) {
			calls.Add(1)
			<-release
			return []metric.Family{gauges("s", nil)}, nil
		}))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { wantSeries(t, scrape(t, o)) })
		}
		wg.Wait()
		wantLines(t, scrape(t, o), failures("s", "timeout", 1), failures("s", "busy", 1))
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		close(release)
		synctest.Wait()
		wantSeries(t, scrape(t, o), "s 1")
	})
}

func TestFromSeq(t *testing.T) {
	errBad := errors.New("bad luck")
	yields := func(errAt int) func(context.Context) iter.Seq2[operator.Metric, error] {
		return func(context.Context) iter.Seq2[operator.Metric, error] {
			return func(yield func(operator.Metric, error) bool) {
				for i := range 3 {
					if i == errAt {
						if yield(gauge("never", 1), errBad) {
							t.Error("it goes on after an error")
						}
						return
					}
					if !yield(gauge("a", float64(i), "n", string(rune('0'+i))), nil) {
						t.Error("it ended without an error")
						return
					}
				}
			}
		}
	}
	all := []string{`a{n="0"} 0`, `a{n="1"} 1`, `a{n="2"} 2`}
	f := func(name string, fn func(context.Context) iter.Seq2[operator.Metric, error], want []string, lines []string, opts ...operator.CollectOption) {
		t.Helper()
		o := newOperator(operator.Options{})
		o.Collect("c", operator.FromSeq(fn), opts...)
		body := scrape(t, o)
		wantSeries(t, body, want...)
		wantLines(t, body, lines...)
	}
	failed := []string{up("c", 0), failures("c", "error", 1)}
	f("all", yields(-1), all, []string{up("c", 1)})
	f("an error", yields(2), nil, failed)
	f("an error, partial", yields(2), all[:2], failed, operator.Partial())
	f("an error at once, partial", yields(0), nil, failed, operator.Partial())
	panicked := []string{up("c", 0), failures("c", "panic", 1)}
	f("no sequence", func(context.Context) iter.Seq2[operator.Metric, error] { return nil }, nil, panicked)
	f("no function", nil, nil, panicked)
	f("a panic on the way, partial", func(context.Context) iter.Seq2[operator.Metric, error] {
		return func(yield func(operator.Metric, error) bool) {
			yield(gauge("a", 1), nil)
			panic("p")
		}
	}, nil, panicked, operator.Partial())
}

// TestPartial keeps what there was before an error, and nothing that could be
// torn.
func TestPartial(t *testing.T) {
	f := func(name string, end func(context.Context) error, reason string, kept bool, opts ...operator.CollectOption) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.Collect("c", func(ctx context.Context, emit func(operator.Metric)) error {
				emit(gauge("a", 1))
				emit(counter("a", 1, "x", "1")) // drops are counted, too
				return end(ctx)
			}, append(opts, operator.Partial())...)
			body := scrape(t, o)
			n := 0
			if kept {
				n = 1
				wantSeries(t, body, "a 1")
			} else {
				wantSeries(t, body)
			}
			wantLines(t, body, up("c", 0), failures("c", reason, 1), droppedLine("c", "conflict", n))
			if w := get(o, "/metrics?strict=1"); w.Code != 500 {
				t.Errorf("%s: strict gives %d, want 500", name, w.Code)
			}
			time.Sleep(time.Hour)
		})
	}
	f("error", func(context.Context) error { return errors.New("no luck") }, "error", true)
	f("deadline that is heeded", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, "timeout", true)
	f("deadline that is not", func(context.Context) error {
		time.Sleep(time.Minute)
		return errors.New("no luck")
	}, "timeout", false)
	f("panic", func(context.Context) error { panic("p") }, "panic", false)
	f("flood", func(context.Context) error { return errors.New("no luck") }, "limit", false, operator.MaxSamples(1))
}

// TestOperatorAsSource: one exposition may be part of another.
func TestOperatorAsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newOperator(operator.Options{})
		inner.SelfMetrics("inner")
		inner.Collect("good", emits(gauge("b", 1), histogram("h", 2, "x", "1"), gauge("a.b", 1)))
		inner.AddPart("part", renders("p"))
		fail := false
		inner.Collect("bad", func(context.Context, func(operator.Metric)) error {
			if fail {
				return errors.New("no luck")
			}
			return nil
		})
		outer := newOperator(operator.Options{})
		outer.Collect("first", emits(gauge("b", 7)))
		outer.AddSource("inner", inner)
		body := scrape(t, outer)
		if !strings.Contains(body, "\nb 7\n") || strings.Contains(body, "\nb 1\n") {
			t.Errorf("the first in registration order does not win:\n%s", body)
		}
		wantLines(t, body, `h_bucket{x="1",le="1"} 1`, `h_count{x="1"} 2`, "p 1", "a_b 1", up("inner", 1), droppedLine("inner", "duplicate", 1),
			`inner_collector_up{collector="good"} 1`, `inner_collector_up{collector="part"} 1`)
		fail = true
		wantLines(t, scrape(t, outer), `h_count{x="1"} 2`, "p 1", up("inner", 0), failures("inner", "error", 1),
			`inner_collector_up{collector="good"} 1`, `inner_collector_up{collector="bad"} 0`)
	})
}

func TestFamilies(t *testing.T) {
	errBad := errors.New("bad luck")
	o := newOperator(operator.Options{})
	o.SelfMetrics("")
	o.Collect("c", emits(gauge("b", 1), gauge("a.b", 2, "x", "2"), gauge("a.b", 1, "x", "1")))
	o.Collect("fails", func(context.Context, func(operator.Metric)) error { return errBad })
	o.Collect("panics", func(context.Context, func(operator.Metric)) error { panic("at the disco") })
	o.AddPart("part", renders("c", "B"))
	families, err := o.Families(t.Context())
	if !errors.Is(err, errBad) || err.Error() != "collector \"fails\": bad luck\ncollector \"panics\": panic: at the disco" {
		t.Errorf("error %v", err)
	}
	var got []string
	for _, f := range families {
		for _, s := range f.Samples {
			got = append(got, string(exposition.AppendLines(nil, exposition.Text, f.Desc, &s)))
		}
	}
	want := []string{"B 1\n", "{\"a.b\",x=\"1\"} 1\n", "{\"a.b\",x=\"2\"} 2\n", "b 1\n", "c 1\n"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFamiliesDeadline: without one there is that of the options, as a
// collector that blocks must not block for ever.
func TestFamiliesDeadline(t *testing.T) {
	f := func(name string, timeout, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{ScrapeTimeout: 5 * time.Second})
			o.Collect("stuck", func(context.Context, func(operator.Metric)) error {
				time.Sleep(time.Hour)
				return nil
			})
			o.Collect("good", emits(gauge("a", 1)))
			ctx := t.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			start := time.Now()
			families, err := o.Families(ctx)
			if d := time.Since(start); d != want {
				t.Errorf("%s: it took %s, want %s", name, d, want)
			}
			if err == nil || !hasFamily(families, "a") {
				t.Errorf("%s: %v, want an error beside the family of the other", name, err)
			}
			time.Sleep(2 * time.Hour)
		})
	}
	f("none", 0, 5*time.Second)
	f("shorter", time.Second, time.Second)
	f("longer", time.Minute, time.Minute)
}

// TestFamiliesAreTheCallers, who may do with the slices what it likes, while
// others scrape.
func TestFamiliesAreTheCallers(t *testing.T) {
	o := plain()
	o.Collect("c", emits(gauge("a", 1), gauge("a", 2, "x", "1"), gauge("b", 3)), operator.MinInterval(time.Hour))
	want := scrape(t, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			families, err := o.Families(t.Context())
			if err != nil || len(families) != 2 {
				t.Errorf("%d families, %v", len(families), err)
				return
			}
			for i := range families {
				families[i].Name = "changed"
				for j := range families[i].Samples {
					families[i].Samples[j].Value = 99
					families[i].Samples[j].Labels = append(families[i].Samples[j].Labels, metric.Label{Name: "y", Value: "1"})
				}
				slices.Reverse(families[i].Samples)
			}
		})
		wg.Go(func() { scrape(t, o) })
	}
	wg.Wait()
	if got := scrape(t, o); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
