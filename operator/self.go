package operator

import (
	"math"
	"time"

	"github.com/kubevitals/kubevitals/operator/internal/selfmetric"
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

// selfMetrics returns the Operator's own metrics; up says which of the sources'
// calls gave samples to this scrape. Each counter is there from the start, with 0.
func (o *Operator) selfMetrics(prefix string, sources []*source, up []bool) []metric.Family {
	self := self{prefix: prefix, batch: batch{max: math.MaxInt}}
	for i, s := range sources {
		s.mu.Lock()
		stats := s.stats
		s.mu.Unlock()
		self.source(s.name, stats, up[i])
	}
	o.mu.Lock()
	tasks, protected := o.tasks, o.protect != nil
	o.mu.Unlock()
	for _, t := range tasks {
		self.task(t)
	}
	if protected {
		for d := range o.decisions {
			self.counter(selfmetric.AuthDecisions, "Requests for protected routes, by what became of them.",
				o.decisions[d].Load(), "result", decisionNames[d])
		}
	}
	if end, ok := o.certExpiry(); ok {
		self.gauge(selfmetric.CertExpiry, "When the certificate ends that the server shows.", "seconds", seconds(end))
	}
	families, _ := self.seal()
	return tidy(families).families
}

// self gathers the Operator's own metrics.
type self struct {
	batch
	prefix string
}

func (s *self) gauge(name, help, unit string, value float64, labels ...string) {
	s.emit(Metric{Name: s.prefix + name, Help: help, Unit: unit, Type: metric.Gauge, Value: value, Labels: metric.Labels(labels...)})
}

func (s *self) counter(name, help string, value uint64, labels ...string) {
	s.emit(Metric{Name: s.prefix + name, Help: help, Type: metric.Counter, Value: float64(value), Labels: metric.Labels(labels...)})
}

func (s *self) source(name string, stats sourceStats, up bool) {
	s.gauge(selfmetric.CollectorUp, "Whether the collector has given its samples to this scrape.", "", number(up), "collector", name)
	s.gauge(selfmetric.CollectorDuration, "How long the last finished call of the collector took.", "seconds",
		stats.duration.Seconds(), "collector", name)
	for i, n := range stats.failures {
		s.counter(selfmetric.CollectorFailures, "Calls of the collector that gave nothing, by reason.",
			n, "collector", name, "reason", failureNames[i])
	}
	for i, n := range stats.dropped {
		s.counter(selfmetric.SamplesDropped, "Samples of the collector that could not be exposed, by reason.",
			n, "collector", name, "reason", droppedNames[i])
	}
}

func (s *self) task(t *task) {
	stats := t.state()
	if t.interval == 0 {
		s.gauge(selfmetric.DaemonRunning, "Whether the daemon runs, 0 while it waits for its next start.", "", number(stats.running), "daemon", t.name)
		s.counter(selfmetric.DaemonRestarts, "Restarts of the daemon after an error or a panic.", stats.restarts, "daemon", t.name)
		return
	}
	s.counter(selfmetric.TimerFailures, "Calls of the timer's function that failed.", stats.failures, "timer", t.name)
	if !stats.succeeded.IsZero() {
		s.gauge(selfmetric.TimerLastSuccess, "When the timer's function last returned without an error.", "seconds",
			seconds(stats.succeeded), "timer", t.name)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	return float64(t.UnixMilli()) / 1000
}
