package metric

import "time"

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
	// Histogram counts observations in buckets; the counts only grow.
	Histogram
	// GaugeHistogram is a histogram whose counts can go down, such as one of
	// the ages of what waits in a queue.
	GaugeHistogram
	// Summary is a count and a sum of observations, with quantiles that were
	// calculated where they were made.
	Summary
)

var typeNames = [...]string{
	Unknown: "unknown", Gauge: "gauge", Counter: "counter", Info: "info", StateSet: "stateset",
	Histogram: "histogram", GaugeHistogram: "gaugehistogram", Summary: "summary",
}

// String returns the OpenMetrics name of the type; that of a value that is no
// type is "unknown".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// ParseType returns the type of an OpenMetrics name, or of "untyped".
func ParseType(name string) (t Type, ok bool) {
	if name == "untyped" {
		return Unknown, true
	}
	for i, s := range typeNames {
		if s == name {
			return Type(i), true
		}
	}
	return Unknown, false
}

// Desc says what a family is, without its samples.
type Desc struct {
	// Name is the full name, with the "_total" of a counter and without the
	// "_bucket", "_sum" and "_count" of a histogram or summary.
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

// Sample is what is known of one label set at one moment: a number, or with the
// types of histograms and summaries a distribution.
type Sample struct {
	// Labels are sorted by name, and no name occurs twice.
	Labels []Label
	// Value is any float64, NaN and the infinities included. Histograms and
	// summaries do not use it.
	Value float64
	// Histogram is set in families of type [Histogram] and [GaugeHistogram],
	// and only there. It is not changed once the sample was handed over.
	Histogram *HistogramValue
	// Summary is set in families of type [Summary], and only there. It is not
	// changed once the sample was handed over.
	Summary *SummaryValue
	// Exemplar is one of the events that a counter counted, or nil. Formats
	// that cannot carry it leave it out.
	Exemplar *Exemplar
	// Created is when a counter, histogram or summary began to count; zero if
	// unknown. Only protobuf carries it.
	Created time.Time
	// Time is when the value was true, to the millisecond; zero, as it should
	// be nearly always, for the time of the scrape.
	Time time.Time
}

// Exemplar points to one event behind a number, such as a trace.
type Exemplar struct {
	// Labels identify the event. They need not be sorted.
	Labels []Label
	// Value is what was observed.
	Value float64
	// Time is when; zero if unknown.
	Time time.Time
}
