package operator_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestTwoOwnersOfAFamily(t *testing.T) {
	o := newOperator(operator.Options{})
	started := false
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Daemon("d", func(context.Context) error {
		started = true
		cancel()
		return nil
	})
	add := func(name string, families ...string) {
		p := renders(families...)
		p.families = families
		o.AddPart(name, p)
	}
	add("one", "a", "b")
	add("two", "c")
	add("three", "b", "c", "d")
	err := o.Run(ctx)
	if err == nil {
		t.Fatal("Run gives no error")
	}
	for _, want := range []string{`metric family "b" belongs to both "one" and "three"`, `metric family "c" belongs to both "two" and "three"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want one with %q", err, want)
		}
	}
	if started {
		t.Error("a daemon was started")
	}
}

// TestOwnersMeetInAScrape: who announced no names, and collectors, meet others
// only there. The first in registration order wins.
func TestOwnersMeetInAScrape(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("c1", emits(gauge("a", 10)))
	o.AddPart("p1", renders("a", "b", "b"))
	o.AddPart("p2", renders("b", "c"))
	o.Collect("c2", emits(gauge("c", 10), gauge("c", 10, "x", "1"), gauge("d", 10)))
	body := scrape(t, o)
	wantSeries(t, body, "a 10", "b 1", "c 1", "d 10")
	wantLines(t, body,
		droppedLine("c1", "conflict", 0),
		droppedLine("p1", "conflict", 2), // a of c1, b of its own
		droppedLine("p2", "conflict", 1),
		droppedLine("c2", "conflict", 2),
		up("p1", 1), up("c2", 1))
}

func TestPartFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		gather func(context.Context, exposition.Format) ([]exposition.Rendered, error)
		want   []string
		lines  []string
	}{
		{
			"families beside an error",
			func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
				return []exposition.Rendered{rendered("p", "p 1\n")}, errors.New("no luck")
			},
			[]string{"a 1", "p 1"},
			[]string{up("p", 0), failures("p", "error", 1)},
		}, {
			"panic",
			func(context.Context, exposition.Format) ([]exposition.Rendered, error) { panic("p") },
			[]string{"a 1"},
			[]string{up("p", 0), failures("p", "panic", 1)},
		}, {
			"invalid description",
			func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
				bad := rendered("p", "p 1\n")
				bad.Help = "\xff"
				return []exposition.Rendered{rendered("p\xff", "p 1\n"), bad, rendered("p", "p 2\n")}, nil
			},
			[]string{"a 1", "p 2"},
			[]string{up("p", 1), droppedLine("p", "invalid", 2)},
		}, {
			"a self-metric's name",
			func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
				return []exposition.Rendered{rendered("operator_daemon_running", "operator_daemon_running 7\n")}, nil
			},
			[]string{"a 1"},
			[]string{up("p", 1), droppedLine("p", "conflict", 1)},
		}, {
			"nothing",
			func(context.Context, exposition.Format) ([]exposition.Rendered, error) { return nil, nil },
			[]string{"a 1"},
			[]string{up("p", 1)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.AddPart("p", part{gather: c.gather})
			o.Collect("c", emits(gauge("a", 1)))
			body := scrape(t, o)
			wantSeries(t, body, c.want...)
			wantLines(t, body, c.lines...)
			wantLines(t, body, up("c", 1))
		})
	}
}

func TestBlockedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
			<-release
			return []exposition.Rendered{rendered("p", "p 1\n")}, nil
		}})
		o.Collect("c", emits(gauge("a", 1)))
		for _, reason := range []string{"timeout", "busy"} {
			body := scrape(t, o, timeoutHeader, "1")
			wantSeries(t, body, "a 1")
			wantLines(t, body, up("p", 0), failures("p", reason, 1))
		}
		close(release)
		synctest.Wait()
		wantSeries(t, scrape(t, o), "a 1", "p 1")
	})
}

// TestPartIsHeardAtTheDeadline: it is told that its time is over while somebody
// still waits for what it has.
func TestPartIsHeardAtTheDeadline(t *testing.T) {
	for name, opts := range map[string][]operator.CollectOption{
		"the scrape's": nil,
		"its own":      {operator.Timeout(time.Second)},
		"its own, too": {operator.Timeout(time.Hour)},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{})
			o.AddPart("p", part{gather: func(ctx context.Context, _ exposition.Format) ([]exposition.Rendered, error) {
				<-ctx.Done()
				return []exposition.Rendered{rendered("p", "p 1\n")}, ctx.Err()
			}}, opts...)
			body := scrape(t, o)
			if len(series(body)) != 1 {
				t.Errorf("%s: the families are lost", name)
			}
			wantLines(t, body, up("p", 0), failures("p", "timeout", 1))
		})
	}
}

// badChunk gives a chunk that cannot be inflated.
func badChunk(name string) func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
	return func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		bad := rendered(name, "")
		bad.Chunks = []exposition.Chunk{{Deflate: []byte("\xff"), Size: 7}}
		return []exposition.Rendered{bad}, nil
	}
}

// TestBadChunk: a part's chunks are not checked. One that cannot be inflated
// breaks the response off, lest it look whole.
func TestBadChunk(t *testing.T) {
	o := plain()
	o.AddPart("p", part{gather: badChunk("p")})
	defer func() {
		if p := recover(); p != any(http.ErrAbortHandler) {
			t.Errorf("panic %v, want %v", p, http.ErrAbortHandler)
		}
	}()
	get(o, "/metrics")
}

// TestPartFormat: a part is asked for the format that was negotiated, and its
// segments share one gzip member with what collectors emit.
func TestPartFormat(t *testing.T) {
	lines := bytes.Repeat([]byte("p_total 1\n"), 1000) // never parsed here
	var deflated bytes.Buffer
	z, err := flate.NewWriter(&deflated, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(lines)
	_ = z.Flush()
	asked := exposition.Format(255)
	o := plain()
	o.AddPart("p", part{gather: func(_ context.Context, f exposition.Format) ([]exposition.Rendered, error) {
		asked = f
		return []exposition.Rendered{{
			Desc:   metric.Desc{Name: "p_total", Type: metric.Counter},
			Chunks: []exposition.Chunk{{Deflate: deflated.Bytes(), Size: len(lines), CRC: crc32.ChecksumIEEE(lines)}},
		}}, nil
	}})
	o.Collect("c", emits(gauge("a", 1), gauge("z", 1)))
	for _, c := range []struct {
		accept string
		format exposition.Format
		want   string
	}{
		{"text/plain", exposition.Text, "# TYPE a gauge\na 1\n# TYPE p_total counter\n" + string(lines) + "# TYPE z gauge\nz 1\n"},
		{"application/openmetrics-text", exposition.OpenMetrics, "# TYPE a gauge\na 1\n# TYPE p counter\n" + string(lines) + "# TYPE z gauge\nz 1\n# EOF\n"},
	} {
		if got := scrape(t, o, "Accept", c.accept); got != c.want || asked != c.format {
			t.Errorf("%s: asked for %d, %d bytes; want %d, %d bytes", c.accept, asked, len(got), c.format, len(c.want))
		}
		zr, err := gzip.NewReader(strings.NewReader(scrape(t, o, "Accept", c.accept, "Accept-Encoding", "gzip")))
		if err != nil {
			t.Fatal(err)
		}
		zr.Multistream(false)
		if got, err := io.ReadAll(zr); err != nil || string(got) != c.want {
			t.Errorf("%s, gzip: %d bytes, %v; want %d bytes", c.accept, len(got), err, len(c.want))
		}
	}
}

// TestPartAsData: a part's lines become data for the formats that have no
// lines, as if a collector had given them.
func TestPartAsData(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_500)
	exemplar := &metric.Exemplar{Labels: metric.Labels("trace_id", "x"), Value: 0.5, Time: at}
	whole := histogram("h_seconds", 3, "x", "1")
	whole.Help, whole.Unit = "H.", "seconds"
	whole.Histogram.Buckets[0].Exemplar = exemplar
	whole.Histogram.Buckets = append(whole.Histogram.Buckets, metric.Bucket{UpperBound: math.Inf(1), Count: 3})
	c := counter("c_total", 2, "x", "a \"b\"\n\\")
	c.Exemplar, c.Time = exemplar, at
	var written []exposition.Rendered
	samples := [][]operator.Metric{
		{c, counter("c_total", 3, "x", "z")},
		{whole, histogram("i", 1)},
		{summary("s", 2, "x", "1"), summary("s", 3, "x", "2")},
		{gauge("u.x", math.NaN(), "y.z", "1"), gauge("u.x", math.Inf(-1))},
	}
	samples[1][1].Histogram.Buckets = append(samples[1][1].Histogram.Buckets, metric.Bucket{UpperBound: math.Inf(1), Count: 1})
	collector := plain()
	collector.Expose("/metrics.json", exposition.JSON{})
	for i, ms := range samples {
		collector.Collect(string(rune('a'+i)), emits(ms...))
		for _, m := range ms {
			d := metric.Desc{Name: m.Name, Help: m.Help, Unit: m.Unit, Type: m.Type}
			s := metric.Sample{Labels: m.Labels, Value: m.Value, Histogram: m.Histogram, Summary: m.Summary, Exemplar: m.Exemplar, Time: m.Time}
			chunk := exposition.Chunk{Raw: exposition.AppendLines(nil, exposition.OpenMetrics, d, &s)}
			if n := len(written); n > 0 && written[n-1].Name == m.Name {
				written[n-1].Chunks = append(written[n-1].Chunks, chunk)
			} else {
				written = append(written, exposition.Rendered{Desc: d, Chunks: []exposition.Chunk{chunk}})
			}
		}
	}
	o := plain()
	o.Expose("/metrics.json", exposition.JSON{})
	asked := exposition.Format(255)
	o.AddPart("p", part{gather: func(_ context.Context, f exposition.Format) ([]exposition.Rendered, error) {
		asked = f
		return written, nil
	}})
	for _, path := range []string{"/metrics", "/metrics.json"} {
		for range 2 {
			got := get(o, path, "Accept", formats["protobuf"]+";escaping=allow-utf-8").Body.String()
			want := get(collector, path, "Accept", formats["protobuf"]+";escaping=allow-utf-8").Body.String()
			if got != want || len(got) < 100 {
				t.Errorf("%s gives\n%q\nwant\n%q", path, got, want)
			}
		}
		if asked != exposition.OpenMetrics {
			t.Errorf("%s asks for the format %d, want OpenMetrics, which has exemplars", path, asked)
		}
	}
}

// TestPartThatCannotBeRead costs only itself where its lines are needed as data.
func TestPartThatCannotBeRead(t *testing.T) {
	f := func(name string, gather func(context.Context, exposition.Format) ([]exposition.Rendered, error)) {
		t.Helper()
		o := newOperator(operator.Options{})
		o.Expose("/metrics.json", exposition.JSON{})
		bad, _ := gather(t.Context(), exposition.OpenMetrics)
		o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
			return append(bad[:1:1], rendered("fine", "fine 1\n")), nil
		}})
		o.AddPart("q", renders("q"))
		o.Collect("c", emits(gauge("a", 1)))
		want := `[{"name":"a","type":"gauge","samples":[{"labels":{},"value":1}]},
{"name":"fine","type":"gauge","samples":[{"labels":{},"value":1}]},
{"name":"q","type":"gauge","samples":[{"labels":{},"value":1}]}]
`
		asked := "?name[]=a&name[]=fine&name[]=q&name[]=" + bad[0].Name
		for range 2 {
			if w := get(o, "/metrics.json"+asked); w.Code != http.StatusOK || w.Body.String() != want {
				t.Errorf("%s: JSON gives %d\n%s", name, w.Code, w.Body)
			}
		}
		if w := get(o, "/metrics"+asked, "Accept", formats["protobuf"]); w.Code != http.StatusOK ||
			!strings.Contains(w.Body.String(), "fine") || strings.Contains(w.Body.String(), bad[0].Name) {
			t.Errorf("%s: protobuf gives %d %q", name, w.Code, w.Body)
		}
		// In text, too, as long as nobody asks for the lines.
		wantLines(t, get(o, "/metrics?name[]=operator_samples_dropped_total&name[]=operator_collector_up").Body.String(),
			up("p", 1), droppedLine("p", "invalid", 3))
	}
	g := metric.Desc{Name: "bad", Type: metric.Gauge}
	f("a chunk that cannot be inflated", badChunk("bad"))
	f("half a line", lines(g, "bad 1\nbad{x=\"1\n").gather)
	f("no number", lines(g, "bad one\n").gather)
	f("lines of another family", lines(g, "other 1\n").gather)
	f("a histogram without bounds", lines(metric.Desc{Name: "bad", Type: metric.Histogram}, "bad_bucket 1\n").gather)
	f("a counter that is negative", lines(metric.Desc{Name: "bad", Type: metric.Counter}, "bad -1\n").gather)
	f("buckets that are not cumulative", lines(metric.Desc{Name: "bad", Type: metric.Histogram},
		"bad_bucket{le=\"1\"} 2\nbad_bucket{le=\"2\"} 1\nbad_sum 1\nbad_count 2\n").gather)
}

// text writes rendered families as one exposition.
func text(t *testing.T, families []exposition.Rendered) string {
	t.Helper()
	var out strings.Builder
	w := exposition.NewWriter(&out, exposition.Text, false)
	for _, f := range families {
		w.WriteRendered(f)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRender(t *testing.T) {
	errFirst, errLast := errors.New("first"), errors.New("last")
	fails := func(err error) operator.CollectorFunc {
		return func(_ context.Context, emit func(operator.Metric)) error {
			emit(gauge("bad", 1))
			return err
		}
	}
	families, err := operator.Render(t.Context(), exposition.Text,
		fails(errFirst),
		emits(
			operator.Metric{Name: "b_total", Help: "B.", Type: metric.Counter, Value: 2, Labels: metric.Labels("x", "2")},
			counter("b_total", 1, "x", "1"),
			counter("b_total", -1, "x", "3"),
			gauge("b_total", 4, "x", "4"),
			gauge("no\xffname", 1),
		),
		emits(counter("b_total", 9, "x", "1"), gauge("a", math.Inf(1))),
		fails(errLast),
	)
	if !errors.Is(err, errFirst) || !errors.Is(err, errLast) {
		t.Errorf("error %v, want both %v and %v", err, errFirst, errLast)
	}
	want := "# TYPE a gauge\na +Inf\n# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\"} 1\nb_total{x=\"2\"} 2\n"
	if got := text(t, families); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestRenderOneAfterTheOther(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "given")
	var order []string
	step := func(name string) operator.CollectorFunc {
		return func(ctx context.Context, emit func(operator.Metric)) error {
			order = append(order, name+" "+ctx.Value(key{}).(string))
			return nil
		}
	}
	families, err := operator.Render(ctx, exposition.Text, step("a"), step("b"), step("c"))
	if got := strings.Join(order, ", "); err != nil || len(families) != 0 || got != "a given, b given, c given" {
		t.Errorf("%d families, %v, order %q", len(families), err, got)
	}
}

func TestRenderOfNothing(t *testing.T) {
	if families, err := operator.Render(t.Context(), exposition.Text); err != nil || len(families) != 0 {
		t.Errorf("got %v, %v", families, err)
	}
}
