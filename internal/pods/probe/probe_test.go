package probe_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/pods/probe"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
)

func TestConvert(t *testing.T) {
	for _, c := range []struct{ name, answer, want, err string }{
		{"nothing", "{}", "# HELP kopf_probe_results How many probes are in the last answer of the kopf operator.\n# TYPE kopf_probe_results gauge\nkopf_probe_results 0\n", ""},
		{"numbers", `{"queue": {"depth": 7, "name": "x", "oldest": NaN}, "on": true}`, `# HELP kopf_probe_results How many probes are in the last answer of the kopf operator.
# TYPE kopf_probe_results gauge
kopf_probe_results 2
# HELP kopf_probe_value Numbers and bools that the probes of the kopf operator return.
# TYPE kopf_probe_value untyped
kopf_probe_value{path="depth",probe="queue"} 7
kopf_probe_value{path="oldest",probe="queue"} NaN
kopf_probe_value{probe="on"} 1
`, ""},
		{"metrics", `{"a": {"$metrics": [{"name": "b_total", "type": "counter", "help": "B.", "labels": {"c": "\"d\n"}, "value": 1, "timestamp": 2.5}, {"name": "e.f", "value": 2}, 5]}}`,
			"# HELP b_total B.\n# TYPE b_total counter\nb_total{c=\"\\\"d\\n\"} 1 2500\n# TYPE \"e.f\" untyped\n{\"e.f\"} 2\n" +
				"# HELP kopf_probe_results How many probes are in the last answer of the kopf operator.\n# TYPE kopf_probe_results gauge\nkopf_probe_results 1\n",
			"$metrics[2] is a number"},
		{"NUL", `{"a\u0000": 1, "b": {"$metrics": [{"name": "b\u0000", "value": 1}, {"name": "c", "help": "C\u0000.", "value": 1}]}}`,
			"# HELP c C.\n# TYPE c untyped\nc 1\n# HELP kopf_probe_results How many probes are in the last answer of the kopf operator.\n# TYPE kopf_probe_results gauge\nkopf_probe_results 2\n",
			"2 samples have a NUL"},
		{"no object", `[1]`, "", "is a list"},
		{"no JSON", `{"a": <b>}`, "", "at byte 7"},
		{"too large", `{"a": "` + strings.Repeat("x", probe.MaxBody) + `"}`, "", "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := probe.Convert([]byte(c.answer))
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got != nil {
				mustScan(t, c.answer, got)
			}
		})
	}
}

func mustScan(t *testing.T, answer string, body []byte) {
	t.Helper()
	var x scan.Exposition
	if err := x.Scan(body, scan.Options{}); err != nil {
		t.Errorf("%q is converted to what cannot be scanned: %v\n%s", answer, err, body)
	}
	if x.Duplicates > 0 {
		t.Errorf("%q is converted to duplicates:\n%s", answer, body)
	}
}

// FuzzConvert checks that what comes of any answer can be scanned.
func FuzzConvert(f *testing.F) {
	f.Add(`{"queue": {"depth": 7, "oldest": -Infinity, "a.b": [true]}}`)
	f.Add(`{"a": {"$metrics": [{"name": "h", "type": "histogram", "unit": "", "buckets": {"0.1": 3, "+Inf": 5}, "sum": 0.9}, {"name": "s", "type": "summary", "quantiles": {"0.5": 1}, "sum": 1, "count": 4}]}}`)
	f.Add(`{"a": {"$metrics": [{"name": "h", "type": "histogram", "buckets": {"+Inf": 5}, "sum": 1}, {"name": "h_count", "type": "gauge", "value": 1}, {"name": "h_bucket", "labels": {"le": "+Inf"}, "value": 1}, {"name": "h_sum", "type": "summary", "sum": 1, "count": 1}]}}`)
	f.Add(`{"a": {"$metrics": [{"name": "\u0000 {", "labels": {"é": "\n", "x y": "\u2028"}, "help": "a\\b\r", "value": NaN, "timestamp": "2019-11-07T18:03:52Z"}]}}`)
	f.Fuzz(func(t *testing.T, answer string) {
		body, err := probe.Convert([]byte(answer))
		if body == nil && err == nil {
			t.Fatal("neither a body nor an error")
		}
		if body != nil {
			var x scan.Exposition
			if err := x.Scan(body, scan.Options{}); err != nil {
				t.Fatalf("%q: %v\n%q", answer, err, body)
			}
		}
	})
}
