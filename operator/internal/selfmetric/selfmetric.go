// Package selfmetric names the metrics that an Operator gives of itself.
package selfmetric

import (
	"slices"
	"strings"
)

// The names behind the prefix that the user sets.
const (
	AuthDecisions     = "_auth_decisions_total"
	CertExpiry        = "_cert_expiry_timestamp_seconds"
	CollectorDuration = "_collector_duration_seconds"
	CollectorFailures = "_collector_failures_total"
	CollectorUp       = "_collector_up"
	DaemonRestarts    = "_daemon_restarts_total"
	DaemonRunning     = "_daemon_running"
	SamplesDropped    = "_samples_dropped_total"
	TimerFailures     = "_timer_failures_total"
	TimerLastSuccess  = "_timer_last_success_timestamp_seconds"
)

var names = []string{
	AuthDecisions, CertExpiry, CollectorDuration, CollectorFailures, CollectorUp,
	DaemonRestarts, DaemonRunning, SamplesDropped, TimerFailures, TimerLastSuccess,
}

// Names returns all names with the prefix.
func Names(prefix string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = prefix + name
	}
	return out
}

// Is reports whether a family is one of those with the prefix.
func Is(name, prefix string) bool {
	suffix, ok := strings.CutPrefix(name, prefix)
	return ok && slices.Contains(names, suffix)
}
