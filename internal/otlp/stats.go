package otlp

import (
	"context"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// result is what became of a push.
type result int

const (
	success result = iota
	partial        // points were refused
	failed
	superseded // given up for a newer snapshot
	demoted    // another process leads
	numResults
)

var resultNames = [numResults]string{"success", "partial", "failed", "superseded", "demoted"}

// pointResult is what became of a point.
type pointResult int

const (
	sentPoints pointResult = iota
	rejectedPoints
	droppedPoints
	tombstones
	numPointResults
)

var pointNames = [numPointResults]string{"sent", "rejected", "dropped", "tombstone"}

// kinds are those of failed requests.
var kinds = [...]client.Kind{client.Retry, client.TooLarge, client.Refused, client.RefusedAll}

// stats are what the Pusher tells of itself.
type stats struct {
	mu sync.Mutex
	numbers
}

type numbers struct {
	pushes    [numResults]uint64
	points    [numPointResults]uint64
	accepted  uint64 // requests
	requests  [len(kinds)]uint64
	took      time.Duration
	succeeded time.Time
	series    int
	pending   int
	leads     bool
}

func (s *stats) update(fn func(*numbers)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.numbers)
}

// Collect gives the Pusher's own metrics. It is an [operator.CollectorFunc].
func (p *Pusher) Collect(_ context.Context, emit func(operator.Metric)) error {
	var s numbers
	p.stats.update(func(now *numbers) { s = *now })
	counter := func(name, help string, n uint64, result string) {
		emit(operator.Metric{Name: "kubevitals_otlp_" + name, Help: help, Type: metric.Counter, Value: float64(n), Labels: metric.Labels("result", result)})
	}
	gauge := func(name, help, unit string, v float64) {
		emit(operator.Metric{Name: "kubevitals_otlp_" + name, Help: help, Unit: unit, Type: metric.Gauge, Value: v})
	}
	for i, n := range s.pushes {
		counter("pushes_total", "Snapshots pushed, by what became of them.", n, resultNames[i])
	}
	for i, n := range s.points {
		counter("points_total", "Data points, by what became of them; a tombstone ends a series that is gone.", n, pointNames[i])
	}
	const requests = "Requests to the receiver, by what it said."
	counter("requests_total", requests, s.accepted, "accepted")
	for i, n := range s.requests {
		counter("requests_total", requests, n, kinds[i].String())
	}
	gauge("push_duration_seconds", "How long the last push took.", "seconds", s.took.Seconds())
	if !s.succeeded.IsZero() {
		gauge("last_success_timestamp_seconds", "When a push was last taken as a whole, or but for points that were refused.", "seconds",
			float64(s.succeeded.UnixMilli())/1000)
	}
	gauge("tracked_series", "Series that are remembered, to end them when they are gone.", "", float64(s.series))
	gauge("queue_tombstones", "Series that are gone and not yet acknowledged as such.", "", float64(s.pending))
	leads := 1.0
	if p.opts.Leader != nil && !s.leads {
		leads = 0
	}
	gauge("leader", "Whether this process is the one that pushes.", "", leads)
	return nil
}
