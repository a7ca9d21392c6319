package points

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Shape is what the points of a metric look like.
type Shape uint8

// The shapes.
const (
	Gauge                Shape = iota // a number
	Sum                               // a number that only grows
	UpDown                            // a number that can be added up
	Histogram                         // buckets with bounds
	ExponentialHistogram              // buckets whose bounds grow by a factor
	Summary                           // quantiles
)

// IsNumber reports whether a point of the shape is one number.
func (s Shape) IsNumber() bool { return s <= UpDown }

// Metric describes an OpenTelemetry metric.
type Metric struct {
	// Family is the name of the family that it comes from.
	Family string
	// Name, Unit and Help are those of the metric.
	Name, Unit, Help string
	// Shape is that of its points.
	Shape Shape
}

// Naming says how families are called in OpenTelemetry. The zero value leaves
// all names as they are.
type Naming struct {
	// Names are the names of some families, by their names in Prometheus.
	Names map[string]string
	// Dots writes names that are not in Names with dots instead of underscores,
	// and counters without "_total".
	Dots bool
	// Semconv makes state sets sums that can go down, in a unit of their own, as
	// the semantic conventions of Kubernetes do, instead of gauges.
	Semconv bool
}

// Describe returns the metric of a family. Prometheus' OTLP receiver makes the
// family's name of it again, whether it adds suffixes or not, if it has no two
// underscores in a row and none at its ends: those it removes from any name.
//
//   - A counter is a sum that only grows, to the name of which Prometheus adds
//     "_total" if it is not the end already. A counter with another name is
//     therefore a gauge, as it is of no known type in OpenMetrics.
//   - A unit is given only where the name ends in it. Others are annotations, in
//     braces, and families without a unit have none: "1" would become "_ratio".
//   - Infos, state sets and what has no type are gauges.
func (n Naming) Describe(d metric.Desc) Metric {
	m := Metric{Family: d.Name, Name: d.Name, Help: d.Help, Unit: unitOf(d)}
	switch d.Type {
	case metric.Counter:
		if keepsTotal(d.Name) {
			m.Shape = Sum
		}
	case metric.StateSet:
		if n.Semconv {
			m.Shape, m.Unit = UpDown, "{state}"
		}
	case metric.Histogram, metric.GaugeHistogram:
		m.Shape = Histogram
	case metric.Summary:
		m.Shape = Summary
	}
	if name := n.Names[d.Name]; name != "" {
		m.Name = name
	} else if n.Dots {
		if m.Shape == Sum {
			m.Name = strings.TrimSuffix(m.Name, "_total")
		}
		m.Name = strings.ReplaceAll(m.Name, "_", ".")
	}
	return m
}

// keepsTotal reports whether the name of a counter is still the same when
// "total" is taken out of it and added at its end.
func keepsTotal(name string) bool {
	base, ok := strings.CutSuffix(name, "_total")
	return ok && base != "" && !strings.Contains("_"+base+"_", "_total_")
}

// units are those of UCUM for the base units of Prometheus.
var units = map[string]string{
	"seconds": "s", "bytes": "By", "meters": "m", "volts": "V", "amperes": "A",
	"joules": "J", "watts": "W", "grams": "g", "celsius": "Cel", "hertz": "Hz",
}

func unitOf(d metric.Desc) string {
	if d.Unit == "" {
		return ""
	}
	base := strings.TrimSuffix(d.Name, "_total")
	if unit := units[d.Unit]; unit != "" && strings.HasSuffix(base, "_"+d.Unit) {
		return unit
	}
	return "{" + strings.Map(annotation, d.Unit) + "}"
}

// annotation leaves out what must not be between the braces of a unit.
func annotation(r rune) rune {
	if r <= ' ' || r > '~' || r == '{' || r == '}' || r == '/' {
		return -1
	}
	return r
}

// set fills a new metric, without points.
func (m *Metric) set(to pmetric.Metric) {
	to.SetName(m.Name)
	to.SetUnit(m.Unit)
	to.SetDescription(m.Help)
	switch m.Shape {
	case Sum, UpDown:
		sum := to.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(m.Shape == Sum)
	case Histogram:
		to.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case ExponentialHistogram:
		to.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case Summary:
		to.SetEmptySummary()
	default:
		to.SetEmptyGauge()
	}
}

// numbers returns the points of a metric whose shape is a number.
func numbers(m pmetric.Metric) pmetric.NumberDataPointSlice {
	if m.Type() == pmetric.MetricTypeSum {
		return m.Sum().DataPoints()
	}
	return m.Gauge().DataPoints()
}
