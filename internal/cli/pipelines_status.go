package cli

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/pipeline"
)

const (
	// lookForTerm is how often a replica looks whether it is the one that writes.
	lookForTerm = time.Second
	// writeAgain is how long after a failure a condition is written again.
	writeAgain = 10 * time.Second
	// writeLimit is how long one may take.
	writeLimit = 10 * time.Second
)

// pipelineStatuses writes conditions of pipelines into the cluster, of each the
// newest, on a goroutine of its own: an API server that does not answer must not
// hold up who pushes.
type pipelineStatuses struct {
	write func(ctx context.Context, name string, c pipeline.Condition) error
	leads func() bool // whether this process is the one that writes
	log   *slog.Logger
	wake  chan struct{}

	mu   sync.Mutex
	due  map[string]pipeline.Condition
	said map[string]bool // by this process
}

func newPipelineStatuses(write func(context.Context, string, pipeline.Condition) error, leads func() bool, log *slog.Logger) *pipelineStatuses {
	return &pipelineStatuses{write: write, leads: leads, log: log, wake: make(chan struct{}, 1), due: make(map[string]pipeline.Condition), said: make(map[string]bool)}
}

// say has a condition written soon, if this process is the one that writes, and
// else when it is: it may know more than the one that does. s may be nil.
func (s *pipelineStatuses) say(name string, c pipeline.Condition) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.due[name], s.said[name] = c, true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until the context ends.
func (s *pipelineStatuses) run(ctx context.Context) {
	tick := time.NewTicker(lookForTerm)
	defer tick.Stop()
	var notBefore time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
		}
		if time.Now().Before(notBefore) || !s.leads() {
			continue
		}
		if !s.writeAll(ctx) {
			notBefore = time.Now().Add(writeAgain)
		}
	}
}

// writeAll writes what is due, and reports whether it could.
func (s *pipelineStatuses) writeAll(ctx context.Context) (ok bool) {
	s.mu.Lock()
	due := s.due
	s.due = make(map[string]pipeline.Condition)
	s.mu.Unlock()
	ok = true
	for _, name := range slices.Sorted(maps.Keys(due)) {
		err := s.writeOne(ctx, name, due[name])
		if err == nil {
			continue
		}
		ok = false
		s.log.Warn("The status of a MetricPipeline cannot be written", "name", name, "err", err)
		s.mu.Lock()
		if _, newer := s.due[name]; !newer {
			s.due[name] = due[name]
		}
		s.mu.Unlock()
	}
	return ok
}

func (s *pipelineStatuses) writeOne(ctx context.Context, name string, c pipeline.Condition) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return s.write(ctx, name, c)
}

// sayIdle says of pipelines that nothing is pushed for them. Others than those of which
// something was said, by this process or one before it, are none of our business.
func (s *pipelineStatuses) sayIdle(name string, reported func(name string) bool) {
	if s == nil {
		return
	}
	s.mu.Lock()
	ours := s.said[name]
	s.mu.Unlock()
	if ours || reported(name) {
		s.say(name, pipeline.Condition{Status: "False", Reason: "Disabled", Message: "The input kyma is off, or there is no output: nothing is pushed."})
	}
}

// invalidCondition is that a pipeline cannot be used.
func invalidCondition(why string) pipeline.Condition {
	return pipeline.Condition{Status: "False", Reason: "Invalid", Message: why}
}

// conditionOf is how a push is, in words that stay the same and have nothing secret
// in them: the log says more.
func conditionOf(err error) pipeline.Condition {
	if err == nil {
		return pipeline.Condition{Status: "True", Reason: "Pushing", Message: "Metrics arrive at the receiver."}
	}
	message := "The receiver cannot be reached, or is busy. The log says why."
	switch client.KindOf(err) {
	case client.Refused, client.RefusedAll, client.TooLarge:
		message = "The receiver refuses metrics. The log says why."
	}
	return pipeline.Condition{Status: "False", Reason: "PushFailed", Message: message}
}
