package otlp

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
)

// Environment is what the variables of OpenTelemetry say.
type Environment struct {
	// Client says where to send; without an Endpoint if no variable names one.
	Client client.Config
	// Interval is zero if it is not said.
	Interval time.Duration
	// Resource has the attributes that are said, with the name of the service.
	Resource points.Attributes
	// Disabled says that nothing is to be pushed.
	Disabled bool
	// Warnings are about variables that have no effect.
	Warnings []string
}

// FromEnvironment reads OTEL_EXPORTER_OTLP_* (see [client.FromEnvironment]),
// OTEL_METRIC_EXPORT_INTERVAL, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME,
// OTEL_SDK_DISABLED and OTEL_METRICS_EXPORTER. lookup is [os.Getenv]; an empty
// value is none. The error is of the first variable that is not valid.
func FromEnvironment(lookup func(string) string) (Environment, error) {
	var e Environment
	var err error
	if e.Client, err = client.FromEnvironment(lookup); err != nil {
		return e, err
	}
	set := func(name string, fn func(string) error) {
		value := lookup(name)
		if value == "" {
			return
		}
		if bad := fn(value); bad != nil {
			err = cmp.Or(err, fmt.Errorf("environment variable %s: %q: %w", name, value, bad))
		}
	}
	set("OTEL_METRIC_EXPORT_INTERVAL", func(v string) (bad error) {
		e.Interval, bad = client.Milliseconds(v)
		return bad
	})
	set("OTEL_RESOURCE_ATTRIBUTES", func(v string) (bad error) {
		e.Resource, bad = points.ParseAttributes(v)
		return bad
	})
	set("OTEL_SERVICE_NAME", func(v string) error {
		e.Resource = e.Resource.With("service.name", v)
		return nil
	})
	set("OTEL_SDK_DISABLED", func(v string) error {
		e.Disabled = strings.EqualFold(v, "true")
		return nil
	})
	set("OTEL_METRICS_EXPORTER", func(v string) error {
		e.Disabled = e.Disabled || v == "none"
		return nil
	})
	for _, name := range []string{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "OTEL_EXPORTER_OTLP_TEMPORALITY_PREFERENCE"} {
		if v := lookup(name); v != "" && !strings.EqualFold(v, "cumulative") {
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s=%q has no effect: sums are cumulative", name, v))
		}
	}
	return e, err
}
