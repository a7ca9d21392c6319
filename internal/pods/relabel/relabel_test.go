package relabel_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	prometheus "github.com/prometheus/prometheus/model/relabel"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const body = `# HELP http_requests_total Requests\nby "code".
# TYPE http_requests_total counter
http_requests_total{code="200",pod="own"} 3
http_requests_total{code="500"} 1 1700000000000
# HELP lag_seconds Lag.
# TYPE lag_seconds histogram
lag_seconds_bucket{le="0.1"} 1
lag_seconds_bucket{le="+Inf"} 2
lag_seconds_sum 0.5
lag_seconds_count 2
# TYPE load gauge
load{core=""} 0.5
# TYPE wait summary
wait{quantile="0.5"} 2
wait_sum 4
wait_count 2
`

func TestApply(t *testing.T) {
	for _, c := range []struct {
		name, rules, body, want string
		dropped, invalid        int
	}{
		{name: "target labels alone", body: body, want: `# HELP http_requests_total Requests\nby "code".
# TYPE http_requests_total counter
http_requests_total{code="200",exported_pod="own",pod="p"} 3
http_requests_total{code="500",pod="p"} 1 1700000000000
# HELP lag_seconds Lag.
# TYPE lag_seconds histogram
lag_seconds_bucket{le="0.1",pod="p"} 1
lag_seconds_bucket{le="+Inf",pod="p"} 2
lag_seconds_sum{pod="p"} 0.5
lag_seconds_count{pod="p"} 2
# TYPE load gauge
load{pod="p"} 0.5
# TYPE wait summary
wait{pod="p",quantile="0.5"} 2
wait_sum{pod="p"} 4
wait_count{pod="p"} 2
`},
		{name: "rules see the target", rules: `[{source_labels: [pod, code], regex: "p;5..", action: keep}]`, body: body, dropped: 9,
			want: "# HELP http_requests_total Requests\\nby \"code\".\n# TYPE http_requests_total counter\nhttp_requests_total{code=\"500\",pod=\"p\"} 1 1700000000000\n"},
		{name: "all renamed by a prefix", rules: `[{source_labels: [__name__], regex: "(lag|wait)(.*)", action: keep}, {source_labels: [__name__], target_label: __name__, replacement: "my_$1"}, {regex: pod, action: labeldrop}]`,
			body: body, dropped: 3, want: `# HELP my_lag_seconds Lag.
# TYPE my_lag_seconds histogram
my_lag_seconds_bucket{le="0.1"} 1
my_lag_seconds_bucket{le="+Inf"} 2
my_lag_seconds_sum 0.5
my_lag_seconds_count 2
# TYPE my_wait summary
my_wait{quantile="0.5"} 2
my_wait_sum 4
my_wait_count 2
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := apply(t, relabel.Relabeler{}, c.rules, c.body, exposition.Text, "pod", "p")
			if diff := cmp.Diff(c.want, string(got.Body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Dropped != c.dropped || got.Invalid != c.invalid {
				t.Errorf("%d dropped, %d invalid: %v", got.Dropped, got.Invalid, got.Reason)
			}
		})
	}
}

const histogram = `# HELP h Lag.
# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="+Inf"} 2
h_sum 0.5
h_count 2
`

// TestTypes has the cases in which a type does not stay, or just does.
func TestTypes(t *testing.T) {
	rename := func(from, to string) string {
		return `[{source_labels: [__name__], regex: "` + from + `", target_label: __name__, replacement: "` + to + `"}]`
	}
	split := `# HELP h_bucket Lag.
# TYPE h_bucket untyped
h_bucket%s 1
h_bucket%s 2
# HELP h_count Lag.
# TYPE h_count untyped
h_count 2
# HELP h_sum Lag.
# TYPE h_sum untyped
h_sum 0.5
`
	for _, c := range []struct {
		name, rules, body, want string
		format                  exposition.Format
	}{
		{"a member to a name without its suffix", rename("h_count", "n"), histogram,
			"# HELP h Lag.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\n# HELP n Lag.\n# TYPE n untyped\nn 2\n", exposition.Text},
		{"buckets dropped", `[{source_labels: [__name__], regex: ".*_bucket", action: drop}]`, histogram,
			"# HELP h Lag.\n# TYPE h histogram\nh_sum 0.5\nh_count 2\n", exposition.Text},
		{"buckets without bounds", `[{regex: le, action: labeldrop}]`, histogram, strings.ReplaceAll(split, "%s", ""), exposition.Text},
		{"bounds that are no numbers", `[{source_labels: [le], regex: "(.+)", target_label: le, replacement: "x$1"}]`, histogram,
			strings.Replace(strings.Replace(split, "%s", `{le="x1"}`, 1), "%s", `{le="x+Inf"}`, 1), exposition.Text},
		{"a bound on the count", `[{source_labels: [__name__], regex: h_count, target_label: le, replacement: "1"}, {source_labels: [__name__], regex: h_count, action: keep}]`, histogram,
			"# HELP h_count Lag.\n# TYPE h_count untyped\nh_count{le=\"1\"} 2\n", exposition.Text},
		{"quantile without quantile", `[{regex: quantile, action: labeldrop}]`, "# TYPE s summary\ns{quantile=\"1\"} 2\ns_sum 1\n",
			"# TYPE s untyped\ns 2\n# TYPE s_sum untyped\ns_sum 1\n", exposition.Text},
		{"two gauges become one", rename("a|b", "c"), "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} 1\n# HELP b B.\n# TYPE b gauge\nb{x=\"2\"} 2\n",
			"# HELP c A.\n# TYPE c gauge\nc{x=\"1\"} 1\nc{x=\"2\"} 2\n", exposition.Text},
		{"a gauge and an info become one", rename("a|b_info", "c"), "# TYPE a gauge\na 1\n# TYPE b_info info\nb_info{x=\"2\"} 1\n",
			"# TYPE c unknown\nc 1\nc{x=\"2\"} 1\n# EOF\n", exposition.OpenMetrics},
		{"a gauge becomes the family of a histogram", rename("g", "h"), "# TYPE g gauge\ng 7\n" + histogram,
			"# HELP h Lag.\n# TYPE h untyped\nh 7\n" + strings.NewReplacer("bucket%s 1", `bucket{le="1"} 1`, "bucket%s 2", `bucket{le="+Inf"} 2`).Replace(split), exposition.Text},
		{"a gauge becomes the sum of a histogram", rename("g", "h_sum"), "# TYPE g gauge\ng{x=\"1\"} 7\n" + histogram,
			strings.NewReplacer("bucket%s 1", `bucket{le="1"} 1`, "bucket%s 2", `bucket{le="+Inf"} 2`, "h_sum 0.5", "h_sum{x=\"1\"} 7\nh_sum 0.5").Replace(split), exposition.Text},
		{"a gauge beside a counter since when", "", "# TYPE a_created gauge\na_created 5\n# TYPE a_total counter\na_total 1\n",
			"# TYPE a_created gauge\na_created 5\n# TYPE a_total counter\na_total 1\n", exposition.Text},
		{"a counter without _total", rename("a_total", "b"), "# TYPE a counter\na_total 1 # {t=\"x\"} 1 2.5\n", "# TYPE b unknown\nb 1 # {t=\"x\"} 1 2.5\n# EOF\n", exposition.OpenMetrics},
		{"a counter since when", rename("a_(.*)", "b_$1"), "# TYPE a counter\na_total 1\na_created 5.5\n", "# TYPE b counter\nb_total 1\nb_created 5.5\n# EOF\n", exposition.OpenMetrics},
		{"a counter since when becomes another", rename("a_created", "b"), "# TYPE a counter\na_total 1\na_created 5.5\n", "# TYPE a counter\na_total 1\n# TYPE b unknown\nb 5.5\n# EOF\n", exposition.OpenMetrics},
		{"a counter whose name in metadata is taken", rename("b", "a"), "# TYPE b gauge\nb 3\n# TYPE a counter\na_total 1\na_created 5.5\n",
			"# TYPE a gauge\na 3\n# TYPE a_created unknown\na_created 5.5\n# TYPE a_total unknown\na_total 1\n# EOF\n", exposition.OpenMetrics},
		{"a unit", rename("a_seconds", "b"), "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 1\n",
			"# TYPE b gauge\nb 1\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 1\n# EOF\n", exposition.OpenMetrics},
		{"UTF-8", `[{source_labels: [__name__], target_label: __name__, replacement: "$1.b"}, {regex: x, replacement: "x y", action: labelmap}]`, "a{x=\"1\"} 1\n",
			"# TYPE \"a.b\" untyped\n{\"a.b\",x=\"1\",\"x y\"=\"1\"} 1\n", exposition.Text},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := apply(t, relabel.Relabeler{}, c.rules, c.body, c.format)
			if diff := cmp.Diff(c.want, string(got.Body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTemporaryLabels(t *testing.T) {
	got := apply(t, relabel.Relabeler{}, `[{source_labels: [a], target_label: __tmp}, {source_labels: [__tmp], target_label: b}]`, "m{a=\"1\"} 1\n", exposition.Text)
	if want := "# TYPE m untyped\nm{a=\"1\",b=\"1\"} 1\n"; string(got.Body) != want {
		t.Errorf("%s", got.Body)
	}
}

func TestInvalidSamples(t *testing.T) {
	long := strings.Repeat("x", 1<<19)
	for _, c := range []struct{ name, rules, sample, reason string }{
		{"no name", `[{regex: __name__, action: labeldrop}, {source_labels: [bad], regex: "", target_label: __name__, replacement: ok}]`, `a{bad="1"} 1`, "name"},
		{"a label without name", `[{regex: "b(x?)ad", replacement: "$1", action: labelmap}]`, `a{bad="1"} 1`, "label"},
		{"too long", `[{source_labels: [bad], regex: "(.+)", target_label: x, replacement: "$1$1"}]`, `a{bad="` + long + `"} 1`, "more than"},
		{"a label called __name__", ``, `a{__name__="b"} 1`, "__name__"},
		{"not a line", ``, `a 1 2 3`, "follows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			configs, err := relabel.ParseConfigs([]byte(c.rules))
			if err != nil {
				t.Fatal(err)
			}
			r := relabel.Relabeler{Configs: configs}
			// By hand, as the scanner does not let all of them through.
			x := &scan.Exposition{
				Body:     []byte("ok 1\n" + c.sample + "\n"),
				Families: []scan.Family{{Name: []byte("ok")}, {Name: []byte("a")}},
				Extents:  []scan.Extent{{Family: 0, Samples: 1, End: 5}, {Family: 1, Samples: 1, Start: 5, End: uint32(6 + len(c.sample))}},
			}
			got, err := r.Apply(x, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Invalid != 1 || got.Samples != 1 || got.Reason == nil || !strings.Contains(got.Reason.Error(), c.reason) || len(got.Reason.Error()) > 500 {
				t.Errorf("%d invalid, %d samples: %v", got.Invalid, got.Samples, got.Reason)
			}
			if want := "# TYPE ok untyped\nok 1\n"; string(got.Body) != want {
				t.Errorf("%s", got.Body)
			}
		})
	}
}

func TestFilterOfFamilies(t *testing.T) {
	r := relabel.Relabeler{Filter: &relabel.Filter{Allow: []string{"lag_*", "w*t"}, Deny: []string{"wa*"}}}
	got := apply(t, r, "", body, exposition.Text)
	if got.Dropped != 6 || !strings.HasPrefix(string(got.Body), "# HELP lag_seconds Lag.\n") || strings.Contains(string(got.Body), "wait") {
		t.Errorf("%d dropped:\n%s", got.Dropped, got.Body)
	}
	for name, want := range map[string]bool{"lag_seconds": true, "wet": true, "wait": false, "load": false} {
		if r.Filter.Keeps(name) != want {
			t.Errorf("%s is kept: %v", name, !want)
		}
	}
	if err := r.Filter.Validate(); err != nil {
		t.Error(err)
	}
	for _, p := range []string{"", " a", "a,b ", "\xff"} {
		if err := (&relabel.Filter{Deny: []string{"a", p}}).Validate(); err == nil {
			t.Errorf("the pattern %q is accepted", p)
		}
	}
	var none *relabel.Filter
	if !none.Keeps("a") || !new(relabel.Filter).Keeps("a") {
		t.Error("no filter must keep everything")
	}
}

func TestUnusable(t *testing.T) {
	r := relabel.Relabeler{MaxBytes: 100}
	if _, err := r.Apply(scanned(t, body, exposition.Text), nil, nil); !errors.Is(err, relabel.ErrTooLarge) {
		t.Errorf("a large body: %v", err)
	}
	if _, err := r.Apply(&scan.Exposition{Format: exposition.Protobuf}, nil, nil); err == nil {
		t.Error("protobuf is accepted")
	}
	for _, e := range []scan.Extent{{Family: 1}, {Start: 2, End: 1}, {End: 3}} {
		x := scan.Exposition{Body: []byte("a"), Families: make([]scan.Family, 1), Extents: []scan.Extent{e}}
		if _, err := r.Apply(&x, nil, nil); err == nil {
			t.Errorf("%+v is accepted", e)
		}
	}
}

// FuzzApply checks that what can be scanned can be after relabelling, and has as
// many samples.
func FuzzApply(f *testing.F) {
	f.Add(body, true, uint8(0))
	f.Add("# TYPE a counter\na_total{b=\"c\"} 1 2.5 # {d=\"e\"} 1\na_created 5\n# EOF\n", false, uint8(1))
	f.Add("{\"a.b\",\"c\"=\"\\n\"} 1\n# HELP a.b x\n", true, uint8(2))
	f.Add("h_sum 1\n# TYPE h histogram\nh_bucket{le=\"1\",} 1 \r\nh_count 1\n# TYPE h_sum gauge\nh_sum 2\n", true, uint8(3))
	var rules [][]*prometheus.Config
	for _, text := range []string{
		``,
		`[{source_labels: [__name__], target_label: __name__, replacement: "my_$1"}]`,
		`[{regex: "le|quantile|a", action: labeldrop}, {regex: "(.)", replacement: "x_$1", action: labelmap}]`,
		`[{source_labels: [__name__], regex: ".*_(.*)", target_label: __name__, replacement: "h_$1"}]`,
		`[{source_labels: [__name__], regex: "(.*)_.*", target_label: __name__}, {target_label: pod, replacement: ""}]`,
	} {
		configs, err := relabel.ParseConfigs([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		rules = append(rules, configs)
	}
	f.Fuzz(func(t *testing.T, body string, isText bool, rule uint8) {
		format := exposition.OpenMetrics
		if isText {
			format = exposition.Text
		}
		x := &scan.Exposition{Format: format}
		if x.Scan([]byte(body), scan.Options{}) != nil {
			return
		}
		r := relabel.Relabeler{Configs: rules[int(rule)%len(rules)]}
		got, err := r.Apply(x, metric.Labels("pod", "p", "zone", "z"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := x.Samples - x.Duplicates; got.Samples+got.Dropped+got.Invalid != n {
			t.Errorf("%d samples, %d dropped, %d invalid, of %d", got.Samples, got.Dropped, got.Invalid, n)
		}
		if len(r.Configs) == 0 && got.Invalid > 0 {
			t.Errorf("%q: %v", body, got.Reason)
		}
		again := &scan.Exposition{Format: format}
		if err := again.Scan(got.Body, scan.Options{}); err != nil {
			t.Fatalf("%q is relabelled to %q: %v", body, got.Body, err)
		}
		if again.Samples != got.Samples {
			t.Errorf("%q is relabelled to %q: %d samples, not %d", body, got.Body, again.Samples, got.Samples)
		}
	})
}
