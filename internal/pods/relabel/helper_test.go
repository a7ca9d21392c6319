package relabel_test

import (
	"bytes"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// scanned returns a body that must be valid.
func scanned(t *testing.T, body string, format exposition.Format) *scan.Exposition {
	t.Helper()
	x := &scan.Exposition{Format: format}
	if err := x.Scan([]byte(body), scan.Options{}); err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	return x
}

// apply relabels a body by rules in YAML, and checks what must hold always.
func apply(t *testing.T, r relabel.Relabeler, rules, body string, format exposition.Format, target ...string) relabel.Result {
	t.Helper()
	configs, err := relabel.ParseConfigs([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	r.Configs = configs
	if format == exposition.OpenMetrics {
		body += "# EOF\n"
	}
	x := scanned(t, body, format)
	got, err := r.Apply(x, metric.Labels(target...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples+got.Dropped+got.Invalid != x.Samples {
		t.Errorf("%d samples, %d dropped, %d invalid, of %d", got.Samples, got.Dropped, got.Invalid, x.Samples)
	}
	if (got.Invalid > 0) != (got.Reason != nil) {
		t.Errorf("%d are invalid: %v", got.Invalid, got.Reason)
	}
	if string(x.Body) != body {
		t.Error("the body it was given has changed")
	}
	if again := scanned(t, string(got.Body), format); again.Samples != got.Samples {
		t.Errorf("%d samples are scanned, not %d", again.Samples, got.Samples)
	}
	if format == exposition.Text {
		p := expfmt.NewTextParser(model.UTF8Validation)
		if _, err := p.TextToMetricFamilies(bytes.NewReader(got.Body)); err != nil {
			t.Errorf("not valid: %v\n%s", err, got.Body)
		}
	}
	return got
}
