package otlp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
)

func TestFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want otlp.Environment
		bad  string
	}{
		{name: "nothing"},
		{
			name: "all",
			env: map[string]string{
				"OTEL_METRIC_EXPORT_INTERVAL": "15000", "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,k8s.cluster.name=b%2Cc", "OTEL_SERVICE_NAME": "d",
				"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
			},
			want: otlp.Environment{
				Interval: 15 * time.Second, Resource: points.Attributes{{Key: "k8s.cluster.name", Value: "b,c"}, {Key: "service.name", Value: "d"}},
				Disabled: true, Warnings: []string{`OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta" has no effect: sums are cumulative`},
			},
		},
		{name: "not disabled", env: map[string]string{"OTEL_SDK_DISABLED": "yes", "OTEL_METRICS_EXPORTER": "otlp"}},
		{name: "no exporter", env: map[string]string{"OTEL_METRICS_EXPORTER": "none"}, want: otlp.Environment{Disabled: true}},
		{name: "interval", env: map[string]string{"OTEL_METRIC_EXPORT_INTERVAL": "1m"}, bad: `OTEL_METRIC_EXPORT_INTERVAL: "1m"`},
		{name: "attributes", env: map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "x"}, bad: "OTEL_RESOURCE_ATTRIBUTES"},
		{name: "client", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "x"}, bad: "OTEL_EXPORTER_OTLP_PROTOCOL"},
	} {
		got, err := otlp.FromEnvironment(func(name string) string { return c.env[name] })
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.bad)
			}
			continue
		}
		got.Client = c.want.Client
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	a := points.Attributes{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	if diff := cmp.Diff(points.Attributes{{Key: "a", Value: "3"}, {Key: "b", Value: "2"}, {Key: "c", Value: "4"}},
		a.Merge(points.Attributes{{Key: "a", Value: "3"}, {Key: "c", Value: "4"}})); diff != "" {
		t.Error(diff)
	}
}
