package kopf_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestParseAsSource compares what Parse gives with what a source gives.
func TestParseAsSource(t *testing.T) {
	bodies, err := filepath.Glob("testdata/*.json")
	if err != nil || len(bodies) < 10 {
		t.Fatalf("%d bodies, error %v", len(bodies), err)
	}
	for _, file := range bodies {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o := options[strings.TrimSuffix(filepath.Base(file), ".json")]
		got, err := kopf.Parse(body, o)
		wantValid(t, got)
		synctest.Test(t, func(t *testing.T) {
			o.Client = answering(func() string { return string(body) })
			want, wantErr := newSource(t, o).Families(t.Context())
			want = slices.DeleteFunc(want, func(f metric.Family) bool {
				return strings.HasPrefix(f.Name, "kopf_probe_") && slices.Contains([]string{"up", "http_status", "duration_seconds"}, f.Name[len("kopf_probe_"):])
			})
			gotText := text(got, err)
			wantText := strings.Replace(text(want, wantErr), "! kopf: "+endpoint+": ", "! kopf: ", 1)
			if gotText != wantText {
				t.Errorf("%s: got\n%s\nwant\n%s", file, gotText, wantText)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"", "kopf: the body is not JSON: it is empty"},
		{"[]", "kopf: the body is a list, not an object of probes"},
		{`{"a": 1`, "kopf: the body is not JSON: unexpected EOF after 7 bytes"},
		{`{"a": NaN, "b": -Infinity, "c": 0e1, "d": x}`, `at byte 43, near "ty, \"c\": 0e1, \"d\": x}"`},
		{`{"a": NaN} NaN`, `something follows after the end, at byte 10, near "{\"a\": NaN} NaN"`},
		{"<html>", `at byte 1, near "<html>"`},
		{strings.Repeat(" ", 100), "has more than 50 bytes"},
	} {
		families, err := kopf.Parse([]byte(c.body), kopf.Options{MaxBody: 50})
		wantErr(t, err, c.want)
		if families != nil {
			t.Errorf("%q gives %v", c.body, families)
		}
	}
	if _, err := kopf.Parse([]byte("{}"), kopf.Options{MaxItems: -1}); err == nil {
		t.Error("wrong options are accepted")
	}
	families, err := kopf.Parse([]byte(`{"a": {"$metrics": [5]}, "b": NaN}`), kopf.Options{})
	wantErr(t, err, `kopf: probe "a": $metrics[0] is a number`)
	if len(families) != 2 || !math.IsNaN(families[1].Samples[0].Value) {
		t.Errorf("beside an error: %v", families)
	}
}
