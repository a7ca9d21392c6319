package points_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var now = time.Unix(1_700_000_000, 0)

// series is what Watch was told.
type series struct{ Metric, Labels, Bounds string }

// build returns what a Builder makes of a family, in one text, and what it tells
// of series.
func build(t testing.TB, opts points.Options, fill func(*points.Builder) error) (chunks []points.Chunk, seen []series, invalid int) {
	t.Helper()
	opts.Watch = func(m *points.Metric, labels, bounds string) { seen = append(seen, series{m.Name, labels, bounds}) }
	b := points.NewBuilder(opts, now, func(c points.Chunk) error { chunks = append(chunks, c); return nil })
	if err := fill(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	invalid, _ = b.Invalid()
	return chunks, seen, invalid
}

func asJSON(t testing.TB, chunks []points.Chunk) string {
	t.Helper()
	var out strings.Builder
	for _, c := range chunks {
		p, err := new(pmetric.JSONMarshaler).MarshalMetrics(c.Metrics)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, string(p))
	}
	return out.String()
}

// FuzzLines: lines that are read straight into points give the same as those
// that are parsed first, line by line.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		"a 1", `a{b="c"} 0`, `a{b="c",d="e"} 1.5`, `a{d="e",b="c"} 2`, `a{b=""} 2`, `a{b="c\"\\\n"} -3`, `a{b="c",} 1`,
		`a{} 1`, `a{__b="c"} 1`, `a{b="c",b="d"} 1`, `{"a",b="c"} 1`, `{"a"} 1`, `a{"b.c"="d"} 1`, "a NaN", "a +Inf", "a 1 12.5",
		`a{b="c"} 1 # {trace_id="00000000000000000000000000000001"} 2 3`, "a_b 1", "ab 1", "a{", `a{b`, `a{b="`, `a{b="c"`, `a{b="c"}`, `a{b="c"}1`,
		"# HELP a b", "", "a  1", "a 1 ", "a 0x1p-2", "a 1_0", "a{b=\"\xff\"} 1", `a{1b="c"} 1`, `a{b="c"d="e"} 1`, `a{a="1",b="2"} 1e3`, "a\t1",
	} {
		f.Add(s + "\n" + `a{z="last"} 7`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range []metric.Type{metric.Gauge, metric.Counter} {
			d := metric.Desc{Name: "a", Type: typ}
			if typ == metric.Counter {
				d.Name = "a_total"
				text = strings.ReplaceAll("\n"+text, "\na", "\na_total")
			}
			got, gotSeen, gotInvalid := build(t, points.Options{}, func(b *points.Builder) error {
				return b.Append(exposition.OpenMetrics, exposition.Rendered{Desc: d, Chunks: []exposition.Chunk{{Raw: []byte(text)}}})
			})
			family, wantInvalid := metric.Family{Desc: d}, 0
			for line := range strings.SplitSeq(strings.ToValidUTF8(text, "\uFFFD"), "\n") {
				samples, err := exposition.ParseSamples(exposition.OpenMetrics, d, []byte(line))
				if err != nil {
					wantInvalid++
				}
				family.Samples = append(family.Samples, samples...)
			}
			want, wantSeen, _ := build(t, points.Options{}, func(b *points.Builder) error { return b.AppendFamily(family) })
			if diff := cmp.Diff(asJSON(t, want), asJSON(t, got)); diff != "" || gotInvalid != wantInvalid {
				t.Errorf("%q: %d invalid, want %d (-parsed first +straight):\n%s", text, gotInvalid, wantInvalid, diff)
			}
			if diff := cmp.Diff(wantSeen, gotSeen); diff != "" {
				t.Errorf("%q: series (-parsed first +straight):\n%s", text, diff)
			}
			for _, c := range got {
				checkUTF8(t, c.Metrics)
			}
		}
	})
}

// checkUTF8 marshals, which a receiver must be able to read.
func checkUTF8(t testing.TB, md pmetric.Metrics) {
	t.Helper()
	p, err := new(pmetric.ProtoMarshaler).MarshalMetrics(md)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(p); err != nil {
		t.Error(err)
	}
}
