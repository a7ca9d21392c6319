package operator

import (
	"github.com/kubevitals/kubevitals/operator/metric"
)

// failure is why a call of a collector or part gave nothing.
type failure int

const (
	failedBusy failure = iota
	failedError
	failedLimit
	failedPanic
	failedTimeout
	numFailures
)

var failureNames = [numFailures]string{"busy", "error", "limit", "panic", "timeout"}

// dropped is why a sample, or a part's family, was left out.
type dropped int

const (
	droppedConflict dropped = iota
	droppedDuplicate
	droppedInvalid
	numDropped
)

var droppedNames = [numDropped]string{"conflict", "duplicate", "invalid"}

// selfMetricNames are the names of the Operator's own metrics behind the prefix.
var selfMetricNames = []string{
	"_collector_duration_seconds", "_collector_failures_total", "_collector_up",
	"_daemon_restarts_total", "_daemon_running", "_samples_dropped_total",
}

// selfMetrics returns the Operator's own metrics; errs are what the sources'
// calls gave to this scrape. Each counter is there from the start, with 0.
func (o *Operator) selfMetrics(prefix string, sources []*source, errs []error) []Metric {
	var out []Metric
	emit := func(name, help, unit string, t metric.Type, value float64, labels ...string) {
		out = append(out, Metric{
			Name: prefix + name, Help: help, Unit: unit, Type: t, Value: value, Labels: metric.Labels(labels...),
		})
	}
	for i, s := range sources {
		s.mu.Lock()
		stats := s.stats
		s.mu.Unlock()
		emit("_collector_up", "Whether the collector has given its samples to this scrape.", "", metric.Gauge,
			number(errs[i] == nil), "collector", s.name)
		emit("_collector_duration_seconds", "How long the last finished call of the collector took.", "seconds", metric.Gauge,
			stats.duration.Seconds(), "collector", s.name)
		for i, n := range stats.failures {
			emit("_collector_failures_total", "Calls of the collector that gave nothing, by reason.", "", metric.Counter,
				float64(n), "collector", s.name, "reason", failureNames[i])
		}
		for i, n := range stats.dropped {
			emit("_samples_dropped_total", "Samples of the collector that could not be exposed, by reason.", "", metric.Counter,
				float64(n), "collector", s.name, "reason", droppedNames[i])
		}
	}
	for _, d := range o.daemons {
		running, restarts := d.state()
		emit("_daemon_running", "Whether the daemon runs, 0 while it waits for its next start.", "", metric.Gauge,
			number(running), "daemon", d.name)
		emit("_daemon_restarts_total", "Restarts of the daemon after an error or a panic.", "", metric.Counter,
			float64(restarts), "daemon", d.name)
	}
	return out
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
