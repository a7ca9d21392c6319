package operator_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// familiesText returns the lines of the families, each behind its name and type.
func familiesText(t testing.TB, families []exposition.Rendered) string {
	t.Helper()
	var b strings.Builder
	for _, r := range families {
		b.WriteString("# " + r.Name + " " + r.Type.String() + "\n")
		if r.Lines != nil {
			b.Write(r.Lines(nil, func(buf []byte) []byte { b.Write(buf); return buf[:0] }))
		}
		for _, c := range r.Chunks {
			p, err := c.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(p)
		}
	}
	return b.String()
}

// TestSnapshot: parts are passed through, collectors encoded, nothing is renamed
// and no type changes, though OpenMetrics would have to call a_total unknown.
func TestSnapshot(t *testing.T) {
	o := plain()
	own := rendered("p", "p{x=\"1\"} 1\np{x=\"2\"} 2\n")
	o.AddPart("part", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		return []exposition.Rendered{own}, nil
	}})
	o.Collect("c", emits(
		counter("a_total", 3), gauge("a", 1), gauge("u.v", 1, "l.m", "x"),
		operator.Metric{Name: "i_info", Type: metric.Info, Value: 1}, histogram("h", 2),
	))
	failure := errors.New("no")
	o.Collect("bad", func(context.Context, func(operator.Metric)) error { return failure })
	s, err := o.Snapshot(t.Context(), exposition.OpenMetrics)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	want := `# a gauge
a 1
# a_total counter
a_total 3
# h histogram
h_bucket{le="1.0"} 1
h_bucket{le="5.0"} 2
h_bucket{le="+Inf"} 2
h_sum 4
h_count 2
# i_info info
i_info 1
# p gauge
p{x="1"} 1
p{x="2"} 2
# u.v gauge
{"u.v","l.m"="x"} 1
`
	if got := familiesText(t, s.Families); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(s.Errs) != 1 || !errors.Is(s.Errs[0], failure) {
		t.Errorf("errors %v, want that of the collector bad", s.Errs)
	}
	for _, r := range s.Families {
		if r.UTF8 != (r.Name == "u.v") {
			t.Errorf("family %s has UTF8 %t", r.Name, r.UTF8)
		}
		if r.Name == "p" && &r.Chunks[0].Raw[0] != &own.Chunks[0].Raw[0] {
			t.Error("the part's chunk was copied")
		}
	}
	if _, err := o.Snapshot(t.Context(), exposition.OpenMetrics, operator.Strict()); !errors.Is(err, failure) {
		t.Errorf("strict: error %v", err)
	}
	s, err = o.Snapshot(t.Context(), exposition.Text, operator.Only("part"))
	if err != nil || familiesText(t, s.Families) != "# p gauge\np{x=\"1\"} 1\np{x=\"2\"} 2\n" {
		t.Errorf("only part: %v, %v", s, err)
	}
	s.Release()
}

// TestSnapshotOfRecords: in protobuf every family is records, those of lines too.
func TestSnapshotOfRecords(t *testing.T) {
	o := plain()
	o.AddPart("part", renders("p"))
	o.Collect("c", emits(histogram("h", 2)))
	s, err := o.Snapshot(t.Context(), exposition.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for _, r := range s.Families {
		f, err := r.Parse(exposition.Protobuf)
		if err != nil || len(f.Samples) != 1 {
			t.Errorf("family %s: %v, %v", r.Name, f, err)
		}
	}
	if len(s.Families) != 2 {
		t.Errorf("%d families, want 2", len(s.Families))
	}
}

// TestSnapshotSharesCalls: a snapshot and a scrape at the same time call a part
// once, and its memory is free after both have ended.
func TestSnapshotSharesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, cleaned atomic.Int32
		o := plain()
		o.AddPart("part", part{gather: func(ctx context.Context, _ exposition.Format) ([]exposition.Rendered, error) {
			calls.Add(1)
			operator.Cleanup(ctx, func() { cleaned.Add(1) })
			time.Sleep(time.Second)
			return []exposition.Rendered{rendered("p", "p 1\n")}, nil
		}}, operator.AnyFormat())
		scraped := make(chan string)
		go func() { scraped <- scrape(t, o) }()
		s, err := o.Snapshot(t.Context(), exposition.OpenMetrics)
		if err != nil {
			t.Fatal(err)
		}
		wantSeries(t, <-scraped, "p 1")
		if calls.Load() != 1 || cleaned.Load() != 0 {
			t.Errorf("%d calls, %d cleaned up, want one that is in use", calls.Load(), cleaned.Load())
		}
		s.Release()
		s.Release()
		if cleaned.Load() != 1 || s.Families != nil {
			t.Errorf("cleaned up %d times after Release", cleaned.Load())
		}
	})
	(*operator.Snapshot)(nil).Release()
}

// TestSnapshotDeadline: what has not answered is missing; who gave up gets
// nothing.
func TestSnapshotDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{ScrapeTimeout: 3 * time.Second})
		o.Collect("slow", func(ctx context.Context, _ func(operator.Metric)) error {
			<-ctx.Done()
			return ctx.Err()
		})
		o.Collect("quick", emits(gauge("q", 1)))
		start := time.Now()
		s, err := o.Snapshot(t.Context(), exposition.OpenMetrics)
		if err != nil || len(s.Errs) != 1 {
			t.Fatalf("error %v, %v", err, s)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %s, more than the timeout of scrapes", took)
		}
		if got := familiesText(t, s.Families); !strings.Contains(got, "\nq 1\n") || !strings.Contains(got, up("slow", 0)) {
			t.Errorf("got\n%s", got)
		}
		s.Release()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := o.Snapshot(ctx, exposition.OpenMetrics); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v of a context that is over", err)
		}
	})
}
