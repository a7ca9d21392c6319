package metric

// Type is the type of a metric family, in the vocabulary of OpenMetrics. The
// zero value is [Unknown].
type Type uint8

// The types a family can have. Prometheus' text format knows neither info nor
// state sets: encoders write both as gauges there.
const (
	// Unknown is a number of which nothing is promised; "untyped" in
	// Prometheus' text format.
	Unknown Type = iota
	// Gauge is a number that can go up and down.
	Gauge
	// Counter is a number that only grows, or starts again from zero.
	Counter
	// Info has the value 1 and carries its information in labels.
	Info
	// StateSet is a set of series of which the current ones have the value 1
	// and all others 0.
	StateSet
)

// String returns the OpenMetrics name of the type.
func (t Type) String() string {
	switch t {
	case Gauge:
		return "gauge"
	case Counter:
		return "counter"
	case Info:
		return "info"
	case StateSet:
		return "stateset"
	default:
		return "unknown"
	}
}

// Desc says what a family is, without its samples.
type Desc struct {
	// Name is the full name, with the "_total" of a counter.
	Name string
	// Help is one line for people. It may be empty.
	Help string
	// Unit is a base unit such as "seconds". When it is set, the name must end
	// in it (before "_total").
	Unit string
	// Type is the type of every sample of the family.
	Type Type
}

// Family is a metric family: a description and its samples.
type Family struct {
	Desc
	// Samples differ in their labels. Their order is kept.
	Samples []Sample
}

// Sample is one series' current value.
type Sample struct {
	// Labels are sorted by name, and no name occurs twice.
	Labels []Label
	// Value is any float64, NaN and the infinities included.
	Value float64
}
