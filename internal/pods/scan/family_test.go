package scan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// checkFamilies wants, for each line of a body that is a sample, which family it
// is of.
func checkFamilies(t *testing.T, format exposition.Format, body, want string) {
	t.Helper()
	if format == exposition.OpenMetrics {
		body += "# EOF\n"
	}
	x, err := scanned(t, format, body, Options{})
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	var got strings.Builder
	for _, e := range x.Extents {
		f := x.Families[e.Family]
		for line := range strings.Lines(body[e.Start:e.End]) {
			name := line[:strings.IndexAny(line, "{ ")]
			fmt.Fprintf(&got, "%s:%s/%s", name, f.Name, f.Type)
			if e.Flags != 0 {
				got.WriteString("/" + e.Flags.names())
			}
			got.WriteString(" ")
		}
	}
	if diff := cmp.Diff(want, strings.TrimSpace(got.String())); diff != "" {
		t.Errorf("%q:\n%s", body, diff)
	}
	seen := map[string]bool{}
	for _, f := range x.Families {
		if seen[string(f.Name)] {
			t.Errorf("%q: two families %q", body, f.Name)
		}
		seen[string(f.Name)] = true
	}
}

func TestFamilyOfText(t *testing.T) {
	f := func(body, want string) { t.Helper(); checkFamilies(t, exposition.Text, body, want) }
	f("a 1\nb 1\na_count 1\n", "a:a/unknown b:b/unknown a_count:a_count/unknown")
	f("# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\na 1\na_created 1\na_total 1\na_buckets 1\n",
		"a_bucket:a/histogram/unbounded a_bucket:a/histogram/unbounded a_sum:a/histogram/unbounded a_count:a/histogram/unbounded a:a/histogram/unbounded a_created:a_created/unknown a_total:a_total/unknown a_buckets:a_buckets/unknown")
	f("# TYPE a summary\na{quantile=\"0\"} 1\na_sum 1\na_count 1\na_bucket 1\n", "a:a/summary a_sum:a/summary a_count:a/summary a_bucket:a_bucket/unknown")
	f("# TYPE a counter\na 1\na_total 1\na_count 1\n", "a:a/counter a_total:a_total/unknown a_count:a_count/unknown")
	// The TYPE line need not be the last one, and comes before.
	f("a_count 1\n# TYPE a histogram\n# TYPE b gauge\na_count{c=\"d\"} 1\nb 1\na_sum 1\n", "a_count:a_count/unknown a_count:a/histogram b:b/gauge a_sum:a/histogram")
	f("# TYPE a histogram\n# TYPE a_count gauge\na_count 1\na_sum 1\n", "a_count:a_count/gauge a_sum:a/histogram")
	f("# TYPE a histogram\na_count 1\n# TYPE a_count gauge\na_count{b=\"c\"} 1\n", "a_count:a/histogram a_count:a_count/gauge")
	f("# HELP a_count x\n# TYPE a histogram\na_count 1\n", "a_count:a/histogram")
	f("a 1\n# TYPE a gauge\n", "a:a/gauge")
	f("# TYPE a gauge\n# TYPE a counter\na 1\n", "a:a/counter")
	f("# TYPE a gauge\na 1\n# TYPE a counter\n", "a:a/counter")
	f("# TYPE a histogram\na_sum 1\n# TYPE a counter\n", "a_sum:a/histogram")
	f("# TYPE a gauge\na 1\n# TYPE a histogram\na_sum 1\n", "a:a/gauge a_sum:a_sum/unknown")
	f("# TYPE a_bucket histogram\na_bucket_bucket 1\na_bucket 1\n", "a_bucket_bucket:a_bucket/histogram/unbounded a_bucket:a_bucket/histogram/unbounded")
	f("# TYPE _ histogram\n__sum 1\n_sum 1\n", "__sum:_/histogram _sum:_sum/unknown")
}

func TestFamilyOfOpenMetrics(t *testing.T) {
	f := func(body, want string) { t.Helper(); checkFamilies(t, exposition.OpenMetrics, body, want) }
	f("# TYPE a counter\na_total 1\na_created 1\n", "a_total:a_total/counter/created a_created:a_total/counter/created")
	f("# TYPE a counter\na 1\na_total 1\na_count 1\n", "a:a/unknown a_total:a_total/counter a_count:a_count/unknown")
	f("# TYPE a_total counter\na_total 1\na_total_total 1\na_total_created 1\na_created 1\n", "a_total:a_total/counter a_total_total:a_total_total/unknown a_total_created:a_total_created/unknown a_created:a_created/unknown")
	f("# TYPE a info\na_info 1\na 1\n", "a_info:a_info/info a:a/unknown")
	f("# TYPE a stateset\na{a=\"b\"} 1\n# TYPE b unknown\nb 1\n# TYPE c gauge\nc 1\nc_created 1\n", "a:a/stateset b:b/unknown c:c/gauge c_created:c_created/unknown")
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n# TYPE b summary\nb{quantile=\"1\"} 1\nb_sum 1\nb_count 1\n", "a_bucket:a/histogram a_sum:a/histogram a_count:a/histogram b:b/summary b_sum:b/summary b_count:b/summary")
	f("# TYPE a histogram\na_created 1\n# TYPE b summary\nb_created 1\n", "a_created:a/histogram/created b_created:b/summary/created")
	f("# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gsum 1\na_gcount 1\na 1\n", "a_bucket:a_bucket/unknown a_gsum:a_gsum/unknown a_gcount:a_gcount/unknown a:a/unknown")
	// Two ways to one name.
	f("# TYPE a_total gauge\n# TYPE a counter\na_total 1\n", "a_total:a_total/counter")
	f("# TYPE a counter\n# TYPE a_total gauge\na_total 1\n", "a_total:a_total/gauge")
	f("# TYPE a counter\na_total 1\n# TYPE a gauge\na 1\n", "a_total:a_total/counter a:a/gauge")
	f("a_total 1\n# TYPE a counter\na_total{b=\"c\"} 1\n", "a_total:a_total/counter a_total:a_total/counter")
	f("a 1\n# HELP a b\n# TYPE a counter\na_total 1\n", "a:a/unknown a_total:a_total/counter")
	f("# TYPE a counter\n# TYPE a info\na_info 1\na_total 1\n", "a_info:a_info/info a_total:a_total/unknown")
}

// TestManyFamilies: tables grow, and are found again.
func TestManyFamilies(t *testing.T) {
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics} {
		var body strings.Builder
		const n = 1000
		for i := range n {
			fmt.Fprintf(&body, "# HELP f%d help %d\n# TYPE f%d counter\n", i, i, i)
		}
		for i := range n {
			fmt.Fprintf(&body, "f%d%s 1\n", i, map[exposition.Format]string{exposition.OpenMetrics: "_total"}[format])
		}
		if format == exposition.OpenMetrics {
			body.WriteString("# EOF\n")
		}
		x, err := scanned(t, format, body.String(), Options{})
		if err != nil || len(x.Families) != n || len(x.Extents) != n {
			t.Fatalf("%v: %d families, %d extents", err, len(x.Families), len(x.Extents))
		}
		for i, e := range x.Extents {
			if f := x.Families[e.Family]; int(e.Family) != i || f.Type != metric.Counter || string(f.Help) != fmt.Sprintf("help %d", i) {
				t.Fatalf("extent %d is of %s", i, f.Name)
			}
		}
	}
}

// TestUnbounded: lines of histograms and summaries need a bound where they are a
// bucket or a quantile, and it is a number.
func TestUnbounded(t *testing.T) {
	f := func(want bool, lines ...string) {
		t.Helper()
		body := strings.Join(lines, "\n") + "\n"
		var x Exposition
		if err := x.Scan([]byte(body), Options{}); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var flags Flags
		for _, e := range x.Extents {
			flags |= e.Flags
		}
		if got := flags&Unbounded != 0; got != want {
			t.Errorf("%q: unbounded %t", body, got)
		}
	}
	f(false, "# TYPE h histogram", `h_bucket{le="1"} 1`, `h_bucket{le="2"} 1`, "h_sum -1", `h_sum{a="b"} -1`, "h_count 1")
	f(false, "# TYPE \"é\" histogram", `{"é_sum"} 1`, `{"é_sum"} -1`, "# TYPE s summary", "s_sum -1", "s_sum NaN", `s{quantile="1"} NaN`, "s_count 1")
	f(true, "# TYPE s summary", "s_count NaN")
	f(true, "# TYPE h histogram", `h_bucket{le="1"} 1`, `h_bucket{le="2"} -1`)
	f(true, "# TYPE h histogram", "h_count -1")
	f(true, "# TYPE h histogram", `h_count{a="b"} 1`, `h_count{a="c"} -1`)
	f(false, "a 1", `b{le="x"} 1`, "# TYPE c counter", `c{quantile="x",le=""} 1`)
	for _, le := range []string{"1", "0.5", "2.", "+Inf", "1e3", "-1", "NaN", "10", ".5"} {
		f(false, "# TYPE h histogram", `h_bucket{le="7"} 1`, `h_bucket{le="`+le+`"} 1`, "h_sum 1", "h_count 1")
		f(false, "# TYPE h summary", `h{a="b",quantile="`+le+`"} 1`, `h{a="c",quantile="`+le+`"} 1`, "h_sum 1", "h_count 1")
	}
	for _, le := range []string{"", ".", "x", "1x", "1.2.3", "0x", "--1", `\\1`} {
		f(true, "# TYPE h histogram", `h_bucket{le="`+le+`"} 1`)
		f(true, "# TYPE h histogram", `h_bucket{le="1"} 1`, `h_bucket{le="`+le+`"} 1`)
		f(true, "# TYPE h histogram", `h_bucket{le="1",a="b"} 1`, `h_bucket{le="`+le+`",a="b"} 1`)
		f(true, "# TYPE h histogram", `h_sum{le="`+le+`"} 1`)
		f(true, "# TYPE h summary", `h{quantile="1"} 1`, `h{quantile="`+le+`"} 1`)
	}
	f(true, "# TYPE h histogram", "h_bucket 1")
	f(true, "# TYPE h histogram", "h 1")
	f(true, "# TYPE h summary", "h 1")
}
