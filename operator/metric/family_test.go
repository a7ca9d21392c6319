package metric_test

import (
	"testing"

	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestTypeString(t *testing.T) {
	f := func(typ metric.Type, want string) {
		t.Helper()
		if got := typ.String(); got != want {
			t.Errorf("Type(%d).String() = %q, want %q", uint8(typ), got, want)
		}
	}
	f(metric.Unknown, "unknown")
	f(metric.Gauge, "gauge")
	f(metric.Counter, "counter")
	f(metric.Info, "info")
	f(metric.StateSet, "stateset")
	f(metric.Histogram, "histogram")
	f(metric.GaugeHistogram, "gaugehistogram")
	f(metric.Summary, "summary")
	f(metric.Summary+1, "unknown")
	var zero metric.Type
	f(zero, "unknown")
}

// TestParseType: every type is found by its name.
func TestParseType(t *testing.T) {
	f := func(name string, want metric.Type, ok bool) {
		t.Helper()
		if got, gotOK := metric.ParseType(name); got != want || gotOK != ok {
			t.Errorf("ParseType(%q) = %s, %v, want %s, %v", name, got, gotOK, want, ok)
		}
	}
	for typ := metric.Unknown; typ <= metric.Summary; typ++ {
		f(typ.String(), typ, true)
	}
	f("untyped", metric.Unknown, true)
	f("", metric.Unknown, false)
	f("Gauge", metric.Unknown, false)
	f("gauge ", metric.Unknown, false)
	f("gauge_histogram", metric.Unknown, false)
}
